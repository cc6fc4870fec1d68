# The kernel: libstrata.
kernel_sources = \
	kernel/addr.c kernel/checksum.c kernel/config.c kernel/drop.c kernel/elf.c kernel/embed.c \
	kernel/env.c kernel/error.c kernel/flow.c kernel/group.c kernel/iface.c kernel/inspect.c \
	kernel/kernel.h kernel/kernel_counters.def kernel/kernel_drops.def kernel/loader.c kernel/log.c kernel/loop.c \
	kernel/manifest.c kernel/mem.c kernel/neigh.c kernel/network.c kernel/option.c kernel/pkt.c \
	kernel/port.c kernel/random.c kernel/registry.c kernel/route.c kernel/run.c kernel/segment.c \
	kernel/flow_int.h kernel/sockcall.c kernel/socket.c kernel/socket_int.h kernel/sockopt.c kernel/stack.c kernel/text.c kernel/timer.c kernel/trace.c \
	kernel/transport.c kernel/work.c \
	kernel/dst.c kernel/iface.h kernel/mem.h kernel/pkt_data.c kernel/pkt_int.h kernel/poison.h kernel/random.h kernel/run.h \
	kernel/trace.h \
	kernel/loader.h kernel/manifest.h kernel/option.h kernel/registry.h kernel/text.h kernel/toggle.c
