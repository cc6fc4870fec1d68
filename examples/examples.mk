# Programs on <strata/embed.h>: built here, and installed as sources to start from.
noinst_PROGRAMS += examples/ping examples/sim-two-hosts examples/tcp-client examples/tcp-loopback examples/udp-client
examples_ping_SOURCES = examples/ping.c
examples_ping_LDADD = libstrata.la
examples_sim_two_hosts_SOURCES = examples/sim-two-hosts.c
examples_sim_two_hosts_CPPFLAGS = $(sim_cppflags)
examples_sim_two_hosts_LDADD = $(sim_libs)
examples_tcp_client_SOURCES = examples/tcp-client.c examples/example.h
examples_tcp_client_LDADD = libstrata.la
examples_tcp_loopback_SOURCES = examples/tcp-loopback.c examples/example.h
examples_tcp_loopback_LDADD = libstrata.la
examples_udp_client_SOURCES = examples/udp-client.c examples/example.h
examples_udp_client_LDADD = libstrata.la

exampledir = $(docdir)/examples
dist_example_DATA = \
	examples/Makefile examples/README.md examples/example.h examples/ping.c examples/sim-two-hosts.c \
	examples/tcp-client.c examples/tcp-loopback.c examples/udp-client.c
# What docs/write-a-module.md makes, a project of its own.
rudpdir = $(docdir)/examples/rudp
dist_rudp_DATA = \
	examples/rudp/.gitignore examples/rudp/Makefile.am examples/rudp/README.md examples/rudp/configure.ac \
	examples/rudp/rudp.c examples/rudp/rudp.yaml examples/rudp/rudp_counters.def examples/rudp/rudp_drops.def \
	examples/rudp/strata-rudp.7 examples/rudp/test_rudp.c
