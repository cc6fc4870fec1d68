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
skeletondir = $(docdir)/examples/skeleton
dist_skeleton_DATA = \
	examples/skeleton/Makefile examples/skeleton/README.md examples/skeleton/skeleton.c \
	examples/skeleton/skeleton.yaml examples/skeleton/skeleton_drops.def
