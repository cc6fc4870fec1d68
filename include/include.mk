# The SDK: what modules and embedding programs may include.
stratainclude_HEADERS = \
	include/strata/addr.h \
	include/strata/base.h \
	include/strata/congestion.h \
	include/strata/embed.h \
	include/strata/shards.h \
	include/strata/env.h \
	include/strata/error.h \
	include/strata/flow.h \
	include/strata/hostlink.h \
	include/strata/iface.h \
	include/strata/impair.h \
	include/strata/inet4.h \
	include/strata/inspect.h \
	include/strata/live.h \
	include/strata/loop.h \
	include/strata/module.h \
	include/strata/network.h \
	include/strata/pkt.h \
	include/strata/route.h \
	include/strata/service.h \
	include/strata/shard.h \
	include/strata/sniff.h \
	include/strata/socket.h \
	include/strata/stack.h \
	include/strata/timer.h \
	include/strata/trace.h \
	include/strata/transport.h \
	include/strata/vnet.h
strataincludedir = $(includedir)/strata
