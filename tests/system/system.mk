# System tests: the daemon against Linux and real programs.
EXTRA_DIST += tests/system/complete.bash tests/system/complete.zsh tests/system/lib.sh tests/system/veth.sh

check_PROGRAMS += tests/system/stream tests/system/opener tests/system/datagrams
tests_system_datagrams_SOURCES = tests/system/datagrams.c
tests_system_datagrams_LDADD = libstrata.la
tests_system_stream_SOURCES = tests/system/stream.c
tests_system_opener_SOURCES = tests/system/opener.c

test_scripts += \
	tests/system/bulk.sh tests/system/busy_poll.sh tests/system/capture.sh tests/system/datagrams.sh tests/system/disable.sh \
	tests/system/graph.sh tests/system/handshake.sh tests/system/log.sh \
	tests/system/lossy.sh tests/system/metrics.sh tests/system/reload.sh tests/system/shards.sh \
	tests/system/test_cli.sh tests/system/test_demos.sh tests/system/test_fault.sh \
	tests/system/test_help.sh tests/system/test_packet.sh tests/system/test_pcap.sh \
	tests/system/test_xdp.sh tests/system/test_strata.sh \
	tests/system/test_tap.sh \
	tests/system/top.sh tests/system/trace.sh tests/system/traffic.sh
quick_scripts += \
	tests/system/disable.sh tests/system/graph.sh tests/system/log.sh \
	tests/system/metrics.sh tests/system/reload.sh tests/system/test_cli.sh \
	tests/system/test_strata.sh tests/system/top.sh tests/system/trace.sh \
	tests/system/traffic.sh

# Both ends of measured transfers: over the host's sockets, and over a stack's.
check_PROGRAMS += tests/system/flow tests/system/flow_strata
tests_system_flow_SOURCES = tests/system/flow.c tests/system/flow.h
tests_system_flow_strata_SOURCES = tests/system/flow_strata.c tests/system/flow.h
tests_system_flow_strata_LDADD = libstrata.la
