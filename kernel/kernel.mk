# The kernel: libstrata.
kernel_sources = \
	kernel/live.c kernel/live.h kernel/origin.c kernel/origin.h kernel/reload.c kernel/create.h kernel/option_copy.c kernel/plan.c kernel/plan.h kernel/plan_links.c kernel/apply.c kernel/apply_links.c \
	kernel/addr.c kernel/checksum.c kernel/common.c kernel/config.c kernel/drop.c kernel/dst.c kernel/elf.c \
	kernel/embed.c kernel/env.c kernel/error.c kernel/flow.c kernel/flow_int.h kernel/gro.c kernel/gro.h kernel/group.c \
	kernel/iface.c kernel/iface_io.c kernel/iface.h kernel/inspect.c kernel/kernel.h kernel/kernel_counters.def \
	kernel/kernel_drops.def kernel/loader.c kernel/loader.h kernel/log.c kernel/loop.c \
	kernel/manifest.c kernel/manifest.h kernel/mem.c kernel/mem.h kernel/neigh.c kernel/network.c \
	kernel/option.c kernel/option.h kernel/pkt.c kernel/pkt_data.c kernel/pkt_int.h \
	kernel/poison.h kernel/port.c kernel/random.c kernel/random.h kernel/registry.c \
	kernel/registry.h kernel/registry_load.c kernel/route.c kernel/run.c kernel/run.h \
	kernel/report.c kernel/segment.c kernel/shard.c kernel/shard.h kernel/shard_ring.c kernel/shards.c kernel/zerocopy.c kernel/sockcall.c kernel/socket.c kernel/socket_int.h kernel/sockopt.c kernel/sniff.c kernel/sniff.h \
	kernel/stack.c kernel/text.c kernel/text.h kernel/timer.c kernel/toggle.c kernel/trace.c \
	kernel/trace.h kernel/trace_text.c kernel/transport.c kernel/work.c
