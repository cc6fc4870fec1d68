/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * UDP (RFC 768) over any network protocol: the module's options, counters and descriptor.
 */
#include "udp_int.h"

/* As Linux's net.core.rmem_default and wmem_default. Nothing is kept of what is sent. */
#define SNDBUF_DEFAULT 212992

static const struct strata_option udp_options[] = {
	{
		.name = "zero_checksum",
		.type = STRATA_OPT_BOOL,
		.offset = offsetof(struct udp_config, zero_checksum),
		.fallback = "true",
		.help = "Whether datagrams without a checksum are taken where the network protocol "
			"allows them (IPv4); elsewhere they never are.",
		.runtime = true,
	},
	{
		.name = "transmit_coalescing",
		.type = STRATA_OPT_BOOL,
		.offset = offsetof(struct udp_config, transmit_coalescing),
		.fallback = "true",
		.help = "Whether datagrams that a socket sends to one destination within a batch leave as one "
			"packet, where the device cuts it into datagrams again.",
		.runtime = true,
	},
	{
		.name = "rcvbuf",
		.type = STRATA_OPT_SIZE,
		.offset = offsetof(struct udp_config, rcvbuf),
		.fallback = "208KiB",
		.min = 2304,
		.max = 64 << 20,
		.unit = "bytes",
		.help = "Receive buffer of a new socket, packet overhead counted; SO_RCVBUF changes "
			"it for one.",
		.runtime = true,
	},
};

static const struct strata_counter_def udp_counters[] = {
#define X(symbol, name, help, mib) { name, help, mib },
#include "udp_counters.def"
#undef X
};
_Static_assert(STRATA_COUNT(udp_counters) == UDP_COUNTERS, "a definition for each counter");

static const struct strata_drop_def udp_drops[] = {
#define X STRATA_DROP_DEF
#include "udp_drops.def"
#undef X
};
_Static_assert(STRATA_COUNT(udp_drops) == UDP_DROPS, "a definition for each reason");

static const char *const udp_provides[] = { "default-datagram", NULL };

static const struct strata_transport_ops udp_ops = {
	.type = SOCK_DGRAM,
	.socket_size = sizeof(struct udp_socket),
	.sockopt_level = 17,		/* IPPROTO_UDP */
	.sndbuf = SNDBUF_DEFAULT,
	.input = udp_input,
	.error = udp_error,
	.segment = udp_segment,
	.header_length = udp_header_length,
	.ports = udp_ports,
	.coalesce = udp_coalesce,
	.socket_open = udp_socket_open,
	.socket_close = udp_socket_close,
	.socket_bound = udp_socket_bound,
	.connect = udp_connect,
	.disconnect = udp_disconnect,
	.send = udp_send,
	.recv = udp_recv,
	.shutdown = udp_shutdown,
	.setsockopt = udp_setsockopt,
	.getsockopt = udp_getsockopt,
	.ioctl = udp_ioctl,
	.option_changed = udp_option_changed,
	.describe = udp_describe,
	.abort = udp_abort,
};

STRATA_MODULE(udp) = {
	STRATA_MODULE_HEADER,
	.kind = STRATA_TRANSPORT,
	.number = 17,
	.name = "udp",
	.version = "1.0",
	.summary = "User Datagram Protocol (RFC 768)",
	.provides = udp_provides,
	.start = udp_start,
	.stop = udp_stop,
	.config_size = sizeof(struct udp_config),
	.options = udp_options,
	.option_count = STRATA_COUNT(udp_options),
	.counters = udp_counters,
	.counter_count = STRATA_COUNT(udp_counters),
	.drops = udp_drops,
	.drop_count = STRATA_COUNT(udp_drops),
	.transport = &udp_ops,
};
