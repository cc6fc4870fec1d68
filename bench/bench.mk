# Measuring programs, built by `make bench` only.
EXTRA_PROGRAMS += bench/udp_packets bench/tcp_exchanges bench/tcp_connections bench/idle_connections \
	bench/attack_cost bench/scale
bench_pair = bench/pair.c bench/pair.h
bench_udp_packets_SOURCES = bench/udp_packets.c $(bench_pair)
bench_udp_packets_LDADD = libstrata.la
bench_tcp_exchanges_SOURCES = bench/tcp_exchanges.c $(bench_pair)
bench_tcp_exchanges_LDADD = libstrata.la
bench_tcp_connections_SOURCES = bench/tcp_connections.c $(bench_pair)
bench_tcp_connections_LDADD = libstrata.la
bench_idle_connections_SOURCES = bench/idle_connections.c $(bench_pair)
bench_idle_connections_LDADD = libstrata.la
bench_scale_SOURCES = bench/scale.c $(bench_pair)
bench_scale_LDADD = libstrata.la
bench_attack_cost_SOURCES = bench/attack_cost.c $(bench_pair)
bench_attack_cost_LDADD = libstrata.la
CLEANFILES += bench/udp_packets bench/tcp_exchanges bench/tcp_connections bench/idle_connections \
	bench/attack_cost bench/scale
EXTRA_DIST += bench/run bench/lossy bench/README.md

# The client, and the servers that are compared: bench/compare, bench/run.
contenders = bench/load bench/linux_server bench/strata_server bench/tap_relay bench/limit
bench_plot_SOURCES = bench/plot.c bench/svg.c bench/svg.h
bench_plot_LDADD = -lm
EXTRA_PROGRAMS += $(contenders) bench/plot
CLEANFILES += $(contenders) bench/plot
# (No stack is in these, so no modules either, where modules are linked into programs.)
bench_plot_LDFLAGS = $(library_ldflags)
bench_load_LDFLAGS = $(library_ldflags)
bench_tap_relay_LDFLAGS = $(library_ldflags)
bench_limit_LDFLAGS = $(library_ldflags)
bench_linux_server_LDFLAGS = $(library_ldflags)
bench_load_SOURCES = bench/load.c bench/load_work.c bench/load.h bench/cpu.c bench/cpu.h
bench_tap_relay_SOURCES = bench/tap_relay.c
bench_limit_SOURCES = bench/limit.c
bench_linux_server_SOURCES = bench/linux_server.c
bench_strata_server_SOURCES = bench/strata_server.c
bench_strata_server_LDADD = libstrata.la
EXTRA_DIST += bench/compare bench/arena bench/report bench/profile bench/PROFILE.md

# Other stacks, from Debian's packages; what cannot be built is left out, and said. bench/run does it too.
peers = bench/lwip bench/lwip-tuned bench/netstack
CLEANFILES += $(peers)
EXTRA_DIST += bench/peers/build bench/peers/lwip/lwip.c bench/peers/lwip/tuned/arch/cc.h \
	bench/peers/lwip/tuned/lwipopts.h bench/peers/lwip/tuned/port.c bench/peers/netstack/link.go \
	bench/peers/netstack/main.go

.PHONY: bench-peers
bench-peers:
	CC="$(CC)" $(srcdir)/bench/peers/build $(abs_top_builddir)

# (Not as prerequisites beside `all`, which is a make of its own and builds the same libraries.)
.PHONY: bench-programs
bench-programs: all
	$(MAKE) $(AM_MAKEFLAGS) $(contenders)

# BENCH_FLAGS: options of bench/run, such as --quick.
.PHONY: bench
bench: bench-programs
	$(MAKE) $(AM_MAKEFLAGS) bench/udp_packets$(EXEEXT) bench/tcp_exchanges$(EXEEXT) \
		bench/tcp_connections$(EXEEXT) bench/idle_connections$(EXEEXT) bench/attack_cost$(EXEEXT) bench/scale$(EXEEXT) bench/plot$(EXEEXT)
	$(srcdir)/bench/run $(BENCH_FLAGS) $(abs_top_builddir)

# The README's tables from bench/results/bench.json of the source tree.
.PHONY: bench-readme
bench-readme:
	$(srcdir)/bench/report readme $(srcdir)/bench/results $(srcdir)/README.md

# What the trace costs while nobody listens: builds a second tree without its steps.
EXTRA_DIST += bench/trace_cost
.PHONY: bench-trace
bench-trace: all bench/udp_packets$(EXEEXT)
	$(srcdir)/bench/trace_cost $(abs_top_builddir)

# Against Linux on a lossy path; hours at the full size, see bench/README.md for smaller ones.
.PHONY: lossy
lossy: all tests/system/flow$(EXEEXT) tests/system/flow_strata$(EXEEXT)
	$(srcdir)/bench/lossy $(abs_top_builddir)

# Congestion control against theory, in the simulator.
EXTRA_PROGRAMS += bench/theory
bench_theory_SOURCES = bench/theory.c bench/dumbbell.c bench/dumbbell.h bench/svg.c bench/svg.h
bench_theory_CPPFLAGS = $(sim_cppflags)
bench_theory_LDADD = $(sim_libs) -lm
CLEANFILES += bench/theory
EXTRA_DIST += bench/results

.PHONY: bench-theory
bench-theory: all bench/theory$(EXEEXT)
	mkdir -p bench/results
	bench/theory bench/results
