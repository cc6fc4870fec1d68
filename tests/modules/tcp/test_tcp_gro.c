/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Segments joined on their way in: which are, which are not, and that the joined packet, cut again,
 * is the very same segments, byte by byte. In the place of the transport's input the test looks at what
 * is delivered.
 */
#include <strata/iface.h>
#include <strata/live.h>
#include <strata/transport.h>

#include "fixture.h"

/* A segment as it is to be built. */
struct segment {
	uint32_t seq, ack;
	uint16_t sport, length, id, window, urgent;
	uint8_t flags, tos, ttl;
	bool fixed_id, no_df, bad_checksum;
	uint32_t stamp;		/* 0: no time stamp option */
	bool ip_options;
};

enum { SEGMENTS = 512, FRAME = 1600, MSS = 1000 };

static struct {
	struct strata_pkt_queue got;
	struct strata_module module;
	struct strata_transport_ops ops;
	const struct strata_module *real;
	struct strata_instance *tcp;
	uint8_t frames[SEGMENTS][FRAME];
	size_t lengths[SEGMENTS];
	bool back[SEGMENTS];
	unsigned int count;
} rig;

static enum strata_verdict look(struct strata_instance *self, struct strata_pkt *pkt)
{
	(void)self;
	strata_pkt_enqueue(&rig.got, pkt);
	return STRATA_ACCEPTED;
}

static struct fixture *open_rig(void)
{
	struct fixture *fx = fx_open(.modules = "ethernet arp ipv4 newreno tcp",
				     .large = true);

	rig.tcp = (struct strata_instance *)(uintptr_t)fx_instance(fx, "tcp");
	rig.real = rig.tcp->module;
	rig.module = *rig.real;
	rig.ops = *rig.real->transport;
	rig.ops.input = look;
	rig.module.transport = &rig.ops;
	rig.tcp->module = &rig.module;
	memset(&rig.got, 0, sizeof(rig.got));	/* a test that failed may have left some */
	rig.count = 0;
	memset(rig.back, 0, sizeof(rig.back));
	return fx;
}

static void close_rig(struct fixture *fx)
{
	strata_pkt_queue_purge(&rig.got);
	rig.tcp->module = rig.real;
	fx_close(fx);
}

/* ---- segments ---- */

static void build(const struct segment *s)
{
	uint8_t tcp[FRAME - 100], *frame = rig.frames[rig.count];
	const uint8_t router_alert[4] = { 148, 4, 0, 0 };
	const uint32_t header = s->stamp != 0 ? 32 : 20;
	struct fx_ip ip = { .tos = s->tos, .ttl = s->ttl, .df = !s->no_df, .proto = FX_IP_TCP };
	uint32_t sum;
	size_t n;

	assert_true(rig.count < SEGMENTS && s->length + header <= sizeof(tcp));
	memset(tcp, 0, header);
	strata_put_be16(tcp, s->sport != 0 ? s->sport : 4000);
	strata_put_be16(tcp + 2, 80);
	strata_put_be32(tcp + 4, s->seq);
	strata_put_be32(tcp + 8, s->ack);
	tcp[12] = (uint8_t)(header / 4 << 4);
	tcp[13] = s->flags != 0 ? s->flags : ACK;
	strata_put_be16(tcp + 14, s->window);
	strata_put_be16(tcp + 18, s->urgent);
	if (s->stamp != 0) {
		strata_put_be32(tcp + 20, 0x0101080a);
		strata_put_be32(tcp + 24, s->stamp);
		strata_put_be32(tcp + 28, 7);
	}
	fx_pattern_fill(tcp + header, s->length, s->seq);
	sum = fx_sum(fx_sum_pseudo(PEER_IP, STACK_IP, FX_IP_TCP, header + s->length), tcp,
		     header + s->length);
	strata_put_be16(tcp + 16, (uint16_t)(fx_sum_finish(sum) + s->bad_checksum));
	if (s->ip_options) {
		ip.options = router_alert;
		ip.options_len = sizeof(router_alert);
	}
	n = fx_build_eth(frame, STACK_MAC, PEER_MAC, FX_ETH_IP);
	n += fx_build_ip(frame + n, &ip, s->id, tcp, header + s->length);
	/* An identification of 0 is asked for too. */
	if (s->id == 0) {
		strata_put_be16(frame + 18, 0);
		strata_put_be16(frame + 24, 0);
		strata_put_be16(frame + 24, fx_sum_finish(fx_sum(0, frame + 14, (frame[14] & 15) * 4u)));
	}
	rig.lengths[rig.count++] = n;
}

static void give(struct fixture *fx, const struct segment *s)
{
	build(s);
	fx->batched = true;
	assert_int_equal(fx_input(fx, rig.frames[rig.count - 1], rig.lengths[rig.count - 1]), 0);
}

static uint16_t sport_of(const uint8_t *frame)
{
	return strata_get_be16(frame + 14 + (frame[14] & 15) * 4);
}

/* Sends all that was delivered out again, which cuts it, and looks each frame up among those given: of each
 * flow the first that has not come back. Returns how many packets were delivered. */
static unsigned int cut_again(struct fixture *fx)
{
	const struct strata_lladdr peer = { 6, { 2, 0, 0, 0, 0, 1 } };
	unsigned int packets = 0, i;
	struct strata_pkt *pkt;
	const struct fx_pkt *frame;

	fx->batched = false;
	fx_run(fx);
	while ((pkt = strata_pkt_dequeue(&rig.got)) != NULL) {
		packets++;
		assert_non_null(strata_pkt_push(pkt, (uint32_t)(pkt->transport_offset - pkt->network_offset)));
		assert_int_equal(strata_iface_output(fx->iface, pkt, FX_ETH_IP, &peer), 0);
		while ((frame = fx_next(fx)) != NULL) {
			for (i = 0; i < rig.count; i++)
				if (!rig.back[i] && sport_of(rig.frames[i]) == sport_of(frame->frame))
					break;
			assert_true(i < rig.count);
			rig.back[i] = true;
			assert_int_equal(frame->length, rig.lengths[i]);
			assert_memory_equal(frame->frame + 12, rig.frames[i] + 12, rig.lengths[i] - 12);
		}
	}
	for (i = 0; i < rig.count; i++)
		assert_true(rig.back[i]);
	return packets;
}

/* ---- what is joined ---- */

static struct segment nth(unsigned int i)
{
	return (struct segment){ .seq = 5000 + i * MSS, .ack = 77, .length = MSS,
				 .id = (uint16_t)(100 + i), .window = 500, .stamp = 9 };
}

static void segments_of_a_batch_become_one_packet(void **state)
{
	struct fixture *fx = open_rig();
	struct strata_pkt *pkt;
	unsigned int i;

	(void)state;
	for (i = 0; i < 30; i++) {
		struct segment s = nth(i);
		give(fx, &s);
	}
	assert_int_equal(rig.got.count, 0);
	fx->batched = false;
	fx_run(fx);
	assert_int_equal(rig.got.count, 1);
	pkt = rig.got.head;
	assert_int_equal(pkt->seg_type, STRATA_SEG_STREAM);
	assert_int_equal(pkt->seg_size, MSS);
	assert_int_equal(strata_pkt_length(pkt), 32 + 30 * MSS);
	assert_int_equal(rig.tcp->rx_packets, 30);
	assert_int_equal(strata_get_be16(pkt->buf + pkt->network_offset + 2), 20 + 32 + 30 * MSS);
	assert_int_equal(cut_again(fx), 1);
	close_rig(fx);
}

static void a_packet_holds_64_kib_and_no_more(void **state)
{
	struct fixture *fx = open_rig();
	unsigned int i;

	(void)state;
	for (i = 0; i < 200; i++) {
		struct segment s = nth(i);
		give(fx, &s);
	}
	fx_run(fx);
	for (struct strata_pkt *p = rig.got.head; p != NULL; p = p->next)
		assert_true(strata_pkt_length(p) + 20 <= STRATA_PKT_MAX);
	assert_int_equal(rig.got.head->seg_size, MSS);
	assert_int_equal(strata_pkt_length(rig.got.head), 32 + 65 * MSS);
	assert_int_equal(cut_again(fx), 4);
	close_rig(fx);
}

static void the_end_of_the_batch_ends_the_wait(void **state)
{
	struct fixture *fx = open_rig();
	struct segment s = nth(0);

	(void)state;
	build(&s);
	fx_input(fx, rig.frames[0], rig.lengths[0]);
	assert_int_equal(rig.got.count, 1);
	assert_int_equal(rig.got.head->seg_type, STRATA_SEG_NONE);
	assert_int_equal(cut_again(fx), 1);
	close_rig(fx);
}

static void a_short_segment_or_a_push_or_a_fin_is_the_last(void **state)
{
	static const uint8_t ends[] = { ACK, ACK | PSH, ACK | FIN, ACK | PSH | FIN };
	struct fixture *fx;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(ends); i++) {
		struct segment a = nth(0), b = nth(1), c = nth(2);

		fx = open_rig();
		b.flags = ends[i];
		if (ends[i] == ACK)
			b.length = 300, c.seq = b.seq + 300;
		give(fx, &a);
		give(fx, &b);
		/* Delivered before the batch ends: nothing more can follow. */
		assert_int_equal(rig.got.count, 1);
		assert_int_equal(rig.got.head->data[13], ends[i]);
		give(fx, &c);
		assert_int_equal(cut_again(fx), 2);
		close_rig(fx);
	}
}

static void eight_flows_wait_beside_each_other(void **state)
{
	struct fixture *fx = open_rig();
	unsigned int i, flow;

	(void)state;
	for (i = 0; i < 5; i++)
		for (flow = 0; flow < 8; flow++) {
			struct segment s = nth(i);
			s.sport = (uint16_t)(4000 + flow);
			give(fx, &s);
		}
	assert_int_equal(rig.got.count, 0);
	assert_int_equal(cut_again(fx), 8);
	close_rig(fx);
}

static void a_ninth_flow_sends_the_oldest_on(void **state)
{
	struct fixture *fx = open_rig();
	unsigned int i;

	(void)state;
	for (i = 0; i < 9; i++) {
		struct segment s = nth(0);
		s.sport = (uint16_t)(4000 + i);
		give(fx, &s);
	}
	assert_int_equal(rig.got.count, 1);
	assert_int_equal(strata_get_be16(rig.got.head->data), 4000);
	assert_int_equal(cut_again(fx), 9);
	close_rig(fx);
}

static void one_identification_for_all_is_kept(void **state)
{
	struct fixture *fx = open_rig();
	unsigned int i;

	(void)state;
	for (i = 0; i < 10; i++) {
		struct segment s = nth(i);
		s.id = 0;
		give(fx, &s);
	}
	assert_int_equal(cut_again(fx), 1);
	close_rig(fx);
}

/* ---- what is not ---- */

static void what_cutting_would_not_bring_back_keeps_segments_apart(void **state)
{
	static const struct {
		const char *what;
		struct segment change;	/* what is added to the second segment */
	} rows[] = {
		{ "a gap", { .seq = 1 } },
		{ "the same again", { .seq = -(uint32_t)MSS } },
		{ "acknowledgement", { .ack = 1 } },
		{ "window", { .window = 1 } },
		{ "urgent pointer", { .urgent = 1 } },
		{ "time stamp", { .stamp = 1 } },
		{ "longer", { .length = 1 } },
		{ "identification", { .id = 1 } },
		{ "type of service", { .tos = 4 } },
		{ "ECN", { .tos = 3 } },
		{ "TTL", { .ttl = 63 } },
		{ "don't fragment", { .no_df = true } },
		{ "SYN", { .flags = ACK | SYN } },
		{ "RST", { .flags = ACK | RST } },
		{ "URG", { .flags = ACK | URG } },
		{ "ECE", { .flags = ACK | ECE } },
		{ "CWR", { .flags = ACK | CWR } },
		{ "IP options", { .ip_options = true } },
	};
	size_t i;

	(void)state;
	for (i = 0; i < STRATA_COUNT(rows); i++) {
		struct fixture *fx = open_rig();
		struct segment a = nth(0), b = nth(1);
		const struct segment *c = &rows[i].change;

		b.seq += c->seq, b.ack += c->ack, b.window = (uint16_t)(b.window + c->window);
		b.urgent = c->urgent, b.stamp += c->stamp, b.length = (uint16_t)(b.length + c->length);
		b.id = (uint16_t)(b.id + c->id), b.tos = c->tos, b.ttl = c->ttl, b.no_df = c->no_df;
		b.flags = c->flags, b.ip_options = c->ip_options;
		give(fx, &a);
		give(fx, &b);
		/* The first goes on before it. */
		if (rig.got.count == 0 || rig.got.head->seg_type != STRATA_SEG_NONE)
			fail_msg("%s did not keep segments apart", rows[i].what);
		assert_int_equal(cut_again(fx), 2);
		close_rig(fx);
	}
}

static void a_third_segment_keeps_the_kind_of_the_second(void **state)
{
	struct fixture *fx = open_rig();
	struct segment a = nth(0), b = nth(1), c = nth(2);

	(void)state;
	b.id = a.id;
	c.id = (uint16_t)(a.id + 2);
	give(fx, &a);
	give(fx, &b);
	give(fx, &c);
	assert_int_equal(cut_again(fx), 2);
	close_rig(fx);
}

static void identifications_must_count_up_where_fragments_may_be_made(void **state)
{
	struct fixture *fx = open_rig();
	struct segment a = nth(0), b = nth(1), c = nth(2);

	(void)state;
	a.no_df = b.no_df = c.no_df = true;
	give(fx, &a);
	give(fx, &b);
	c.id = b.id;
	give(fx, &c);
	assert_int_equal(cut_again(fx), 2);
	close_rig(fx);
}

static void a_bare_acknowledgement_waits_for_nothing_and_keeps_its_place(void **state)
{
	struct fixture *fx = open_rig();
	struct segment a = nth(0), ack = nth(1), b = nth(1);

	(void)state;
	ack.length = 0;
	give(fx, &a);
	assert_int_equal(rig.got.count, 0);
	give(fx, &ack);
	assert_int_equal(rig.got.count, 2);
	b.id++;
	give(fx, &b);
	assert_int_equal(rig.got.count, 2);
	assert_int_equal(cut_again(fx), 3);
	close_rig(fx);
}

static void a_wrong_checksum_is_not_hidden_in_the_whole(void **state)
{
	struct fixture *fx = open_rig();
	struct segment a = nth(0), b = nth(1);
	struct strata_pkt *bad;

	(void)state;
	b.bad_checksum = true;
	give(fx, &a);
	give(fx, &b);
	assert_int_equal(rig.got.count, 2);
	bad = rig.got.head->next;
	assert_int_equal(bad->csum, STRATA_CSUM_NONE);
	assert_int_equal(bad->seg_type, STRATA_SEG_NONE);
	close_rig(fx);
}

static void a_wrong_header_length_is_left_to_the_transport(void **state)
{
	static const uint8_t words[] = { 0x00, 0x40, 0xf0 };
	struct fixture *fx = open_rig();
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(words); i++) {
		struct segment s = nth((unsigned int)i);
		give(fx, &s);
		build(&s);
		rig.frames[rig.count - 1][34 + 12] = words[i];
		fx_input(fx, rig.frames[rig.count - 1], words[i] == 0xf0 ? 34 + 20 : rig.lengths[rig.count - 1]);
	}
	fx->batched = false;
	fx_run(fx);
	close_rig(fx);
}

static void the_option_turns_it_off(void **state)
{
	struct fixture *fx = open_rig();
	struct segment a = nth(0), b = nth(1), c = nth(2);

	(void)state;
	assert_int_equal(strata_option_set(fx->stack, "stack.gro", "false", NULL), 0);
	give(fx, &a);
	assert_int_equal(rig.got.count, 1);
	assert_int_equal(strata_option_set(fx->stack, "stack.gro", "true", NULL), 0);
	give(fx, &b);
	assert_int_equal(rig.got.count, 1);
	/* What waits does not wait for ever. */
	assert_int_equal(strata_option_set(fx->stack, "stack.gro", "false", NULL), 0);
	give(fx, &c);
	assert_int_equal(cut_again(fx), 3);
	close_rig(fx);
}

static void an_interface_that_closes_takes_along_what_waits(void **state)
{
	struct fixture *fx = open_rig();
	struct segment a = nth(0);

	(void)state;
	give(fx, &a);
	assert_int_equal(strata_iface_set_up(fx->iface, false, NULL), 0);
	fx_run(fx);
	assert_true(rig.got.count <= 1);
	close_rig(fx);
}

/* ---- at random ---- */

static void change_at_random(struct segment *s, uint64_t *rng)
{
	switch (fx_random(rng) % 40) {
	case 0: s->flags = ACK | PSH; break;
	case 1: s->flags = ACK | FIN; break;
	case 2: s->flags = ACK | CWR; break;
	case 3: s->flags = ACK | ECE; break;
	case 4: s->length = (uint16_t)(fx_random(rng) % MSS); break;
	case 5: s->length = 0; break;
	case 6: s->seq += (uint32_t)(fx_random(rng) % 3000); break;
	case 7: s->window++; break;
	case 8: s->tos = (uint8_t)(fx_random(rng) & 3); break;
	case 9: s->id++; break;
	case 10: s->ack++; break;
	case 11: s->stamp = 0; break;
	case 12: s->no_df = true; break;
	case 13: s->ttl = 63; break;
	case 14: s->urgent = 3; break;
	case 15: s->ip_options = true; break;
	default: break;
	}
}

static void whatever_comes_is_cut_into_the_same_again(void **state)
{
	unsigned int round, i;

	(void)state;
	for (round = 1; round <= 150; round++) {
		struct fixture *fx = open_rig();
		uint64_t rng = round;
		struct segment at[3];

		for (i = 0; i < 3; i++) {
			at[i] = nth(0);
			at[i].sport = (uint16_t)(4000 + i);
			at[i].stamp = (uint32_t)(fx_random(&rng) & 1);
			at[i].no_df = fx_random(&rng) % 3 == 0;
			at[i].id = (uint16_t)fx_random(&rng);
			at[i].fixed_id = fx_random(&rng) % 3 == 0;
		}
		for (i = 0; i < 300; i++) {
			struct segment *flow = &at[fx_random(&rng) % 3], s = *flow;

			change_at_random(&s, &rng);
			give(fx, &s);
			flow->seq = s.seq + s.length;
			flow->id = (uint16_t)(s.id + !flow->fixed_id);
			if (fx_random(&rng) % 50 == 0)
				fx_run(fx);
		}
		assert_true(cut_again(fx) < 300);
		close_rig(fx);
	}
}

static void short_memory_loses_no_order_and_no_segment_that_came_in(void **state)
{
	unsigned int k, i;

	(void)state;
	for (k = 1; k < 60; k++) {
		struct fixture *fx = open_rig();
		unsigned int seen = 0;
		uint32_t next = nth(0).seq;

		fx_fail_at(fx, k, false);
		for (i = 0; i < 40; i++) {
			struct segment s = nth(i);
			build(&s);
			fx->batched = true;
			if (fx_input(fx, rig.frames[rig.count - 1], rig.lengths[rig.count - 1]) != 0)
				rig.count--;
		}
		fx_fail_at(fx, 0, false);
		fx->batched = false;
		fx_run(fx);
		for (struct strata_pkt *p = rig.got.head; p != NULL; p = p->next) {
			uint32_t payload = strata_pkt_length(p) - 32;

			assert_true(strata_get_be32(p->data + 4) >= next);
			next = strata_get_be32(p->data + 4) + payload;
			seen += payload / MSS;
		}
		/* One allocation failed: one frame at most was refused. */
		assert_true(seen >= 39);
		close_rig(fx);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(segments_of_a_batch_become_one_packet),
		cmocka_unit_test(a_packet_holds_64_kib_and_no_more),
		cmocka_unit_test(the_end_of_the_batch_ends_the_wait),
		cmocka_unit_test(a_short_segment_or_a_push_or_a_fin_is_the_last),
		cmocka_unit_test(eight_flows_wait_beside_each_other),
		cmocka_unit_test(a_ninth_flow_sends_the_oldest_on),
		cmocka_unit_test(one_identification_for_all_is_kept),
		cmocka_unit_test(what_cutting_would_not_bring_back_keeps_segments_apart),
		cmocka_unit_test(a_third_segment_keeps_the_kind_of_the_second),
		cmocka_unit_test(identifications_must_count_up_where_fragments_may_be_made),
		cmocka_unit_test(a_bare_acknowledgement_waits_for_nothing_and_keeps_its_place),
		cmocka_unit_test(a_wrong_checksum_is_not_hidden_in_the_whole),
		cmocka_unit_test(a_wrong_header_length_is_left_to_the_transport),
		cmocka_unit_test(the_option_turns_it_off),
		cmocka_unit_test(an_interface_that_closes_takes_along_what_waits),
		cmocka_unit_test(whatever_comes_is_cut_into_the_same_again),
		cmocka_unit_test(short_memory_loses_no_order_and_no_segment_that_came_in),
	};

	return fx_main(tests);
}
