/* SPDX-License-Identifier: BSD-2-Clause */
/* Every allocation of TCP fails in turn, once and for good, in what connections live through. */
#include "connections.h"
#include "stream.h"

#include <netinet/tcp.h>

#define STREAM(name_, ...) \
	{ .name = name_, .run = sweep_stream, .arg = &(const struct stream_plan){ __VA_ARGS__ } }
#define BOTH(name_, ...) \
	STREAM(name_ "_client", .side = CLIENT, ##__VA_ARGS__), \
	STREAM(name_ "_server", .side = SERVER, ##__VA_ARGS__)

#define CUBIC "ethernet arp ipv4 icmp udp cubic tcp"
#define BBR "ethernet arp ipv4 icmp udp bbr tcp"

static void use_fast_open(struct fixture *fx, int s)
{
	/* On the listener the one has a meaning, on the client the other. */
	fx_setsockopt(fx, s, IPPROTO_TCP, TCP_FASTOPEN, 5);
	fx_setsockopt(fx, s, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1);
}

/* A path that takes no packet above 1000 bytes and does not say so. */
static bool black_hole(void *ctx, const struct fx_pkt *pkt)
{
	(void)ctx;
	return pkt->length <= 1000;
}

#define CASE(function) { .name = &(#function)[sizeof("sweep_") - 1], .run = function }
/* The same with the memory of the other stack. */
#define OTHER(function) \
	{ .name = &(#function "_other")[sizeof("sweep_") - 1], .run = function, .arg = "other" }
#define TOGGLE(module) { .name = "off_and_on_" module, .run = sweep_module_off_and_on, .arg = module }

static const struct sweep_scenario scenarios[] = {
	BOTH("handshake", .from = FROM_CONNECT, .forth = 100, .back = 100),
	/* One segment: a cookie is lost with the ACK and the first data (RFC 4987 3.6, as on Linux). */
	BOTH("handshake_by_cookie", .from = FROM_CONNECT, .forth = 100, .back = 5000,
	     .options = "tcp.syncookies=2"),
	BOTH("handshake_with_ecn", .from = FROM_CONNECT, .forth = 20000, .back = 20000,
	     .options = "tcp.ecn=1"),
	BOTH("handshake_with_loss", .from = FROM_CONNECT, .forth = 5000, .back = 5000,
	     .link = { .loss = 3000 }),
	BOTH("cubic", .from = FROM_CONNECT, .forth = 60000, .link = { .loss = 300 },
	     .modules = CUBIC),
	BOTH("cubic_without_loss", .from = FROM_ESTABLISHED, .forth = 60000, .back = 60000,
	     .modules = CUBIC),
	BOTH("bbr", .from = FROM_CONNECT, .forth = 60000, .link = { .loss = 300 }, .modules = BBR),
	BOTH("bbr_without_loss", .from = FROM_ESTABLISHED, .forth = 60000, .back = 60000,
	     .modules = BBR),
	BOTH("bursts_and_everything", .from = FROM_ESTABLISHED, .forth = 50000, .back = 50000,
	     .link = { .loss = 500, .duplicate = 500, .reorder = 1000, .corrupt = 100 }),
	BOTH("fast_open_asking", .from = FROM_CONNECT, .forth = 3000, .back = 3000,
	     .options = "tcp.fastopen=3", .prepare = use_fast_open),
	BOTH("fast_open", .from = FROM_CONNECT, .forth = 3000, .back = 3000, .warm = true,
	     .options = "tcp.fastopen=3", .prepare = use_fast_open),
	BOTH("black_hole", .from = FROM_ESTABLISHED, .forth = 20000, .back = 100,
	     .options = "tcp.mtu_probing=2", .link = { .filter = black_hole, .loss = 1 }),
	BOTH("mtu_search", .from = FROM_ESTABLISHED, .forth = 60000, .options = "tcp.mtu_probing=2"),
	BOTH("sending_forth", .from = FROM_ESTABLISHED, .forth = 60000),
	BOTH("sending_back", .from = FROM_ESTABLISHED, .back = 60000),
	BOTH("both_ways", .from = FROM_ESTABLISHED, .forth = 40000, .back = 40000),
	BOTH("loss", .from = FROM_ESTABLISHED, .forth = 60000, .back = 100, .link = { .loss = 1000 }),
	BOTH("loss_without_sack", .from = FROM_ESTABLISHED, .forth = 50000, .back = 100,
	     .link = { .loss = 1500 }, .options = "tcp.sack=false"),
	BOTH("loss_without_options", .from = FROM_ESTABLISHED, .forth = 50000, .link = { .loss = 1500 },
	     .options = "tcp.sack=false tcp.timestamps=false tcp.window_scaling=false"),
	BOTH("reordering", .from = FROM_ESTABLISHED, .forth = 60000, .link = { .reorder = 4000 }),
	BOTH("duplicates", .from = FROM_ESTABLISHED, .forth = 50000, .link = { .duplicate = 5000 }),
	BOTH("corruption", .from = FROM_ESTABLISHED, .forth = 50000, .link = { .corrupt = 2000 }),
	BOTH("super_packets", .from = FROM_ESTABLISHED, .forth = 300000,
	     .interface = "    options:\n      offload: true\n"),
	BOTH("small_buffers", .from = FROM_ESTABLISHED, .forth = 30000, .back = 30000,
	     .options = "tcp.rcvbuf=4KiB tcp.sndbuf=4KiB tcp.autotune=false"),
	BOTH("bare_packets_of_576", .from = FROM_ESTABLISHED, .forth = 20000, .back = 5000, .bare = true, .mtu = 576),
	BOTH("a_reader_that_pauses", .from = FROM_ESTABLISHED, .forth = 60000, .pause = 3 * STRATA_SEC,
	     .options = "tcp.rcvbuf=8KiB tcp.autotune=false", .starved = 4 * STRATA_SEC),
	BOTH("small_writes", .from = FROM_ESTABLISHED, .forth = 1500, .back = 600, .most = 10),
	BOTH("closing", .from = FROM_CLOSE, .forth = 100, .back = 100),
	BOTH("closing_with_loss", .from = FROM_CLOSE, .forth = 100, .back = 100, .link = { .loss = 3000 }),
	CASE(sweep_many_connections), OTHER(sweep_many_connections), CASE(sweep_full_backlog),
	CASE(sweep_refused), OTHER(sweep_refused), CASE(sweep_abandoned_listener),
	CASE(sweep_reset_by_linger), OTHER(sweep_reset_by_linger), CASE(sweep_close_with_unread_data),
	CASE(sweep_simultaneous_close), CASE(sweep_time_wait_again), CASE(sweep_vanished_peer),
	CASE(sweep_options), CASE(sweep_stamps), CASE(sweep_zerocopy), CASE(sweep_runtime_options), CASE(sweep_within_one_stack),
	CASE(sweep_echo_service), TOGGLE("tcp"), TOGGLE("newreno"), TOGGLE("ipv4"), TOGGLE("arp"),
	TOGGLE("icmp"), TOGGLE("udp"), TOGGLE("echo"),
	CASE(sweep_out_of_order), CASE(sweep_overlaps), CASE(sweep_urgent), CASE(sweep_scoreboard),
	CASE(sweep_zero_window), CASE(sweep_path_mtu), CASE(sweep_strange_segments),
	CASE(sweep_syn_flood), CASE(sweep_keepalive),
};

int main(void)
{
	return sweep_main(scenarios, STRATA_COUNT(scenarios), 12500);
}
