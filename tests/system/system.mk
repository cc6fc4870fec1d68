# System tests: the daemon against Linux and real programs.
EXTRA_DIST += tests/system/lib.sh tests/system/skeleton

check_PROGRAMS += tests/system/stream tests/system/opener
tests_system_stream_SOURCES = tests/system/stream.c
tests_system_opener_SOURCES = tests/system/opener.c

test_scripts += \
	tests/system/bulk.sh tests/system/disable.sh tests/system/handshake.sh tests/system/test_cli.sh \
	tests/system/test_demos.sh tests/system/test_fault.sh tests/system/test_tap.sh tests/system/traffic.sh
quick_scripts += tests/system/disable.sh tests/system/test_cli.sh tests/system/traffic.sh
