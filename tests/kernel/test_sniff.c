/* SPDX-License-Identifier: BSD-2-Clause */
/* Sniffers: what they see of frames and of discards, who may remove whom, and interfaces that go. */
#include "net.h"
#include "sniff.h"

#include <stdlib.h>

static struct net net;

/* A sniffer that counts, and in its callbacks removes another, or sends nothing further to itself. */
struct seen {
	struct strata_sniffer sniffer;	/* first */
	unsigned int in, out, dropped, gone;
	uint32_t length, id, dropped_id;
	const char *reason;
	struct seen *removes;		/* taken off at the next frame */
	struct strata_iface *last;
};

static int setup(void **state)
{
	(void)state;
	net_open(&net);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	net_close(&net);
	return 0;
}

static void see_frame(struct strata_sniffer *self, struct strata_iface *iface,
		      const struct strata_pkt *pkt, bool out)
{
	struct seen *seen = (struct seen *)self;

	seen->in += !out;
	seen->out += out;
	seen->length = strata_pkt_length(pkt);
	seen->id = pkt->trace_id;
	seen->last = iface;
	if (seen->removes != NULL)
		strata_sniffer_remove(net.stack, &seen->removes->sniffer);
}

static void see_drop(struct strata_sniffer *self, const struct strata_pkt *pkt,
		     const struct strata_instance *by, const struct strata_drop_def *why)
{
	struct seen *seen = (struct seen *)self;

	assert_string_equal(by->name, "kernel");
	seen->dropped++;
	seen->dropped_id = pkt->trace_id;
	seen->reason = why->name;
}

static void see_gone(struct strata_sniffer *self, struct strata_iface *iface)
{
	struct seen *seen = (struct seen *)self;

	seen->gone++;
	seen->last = iface;
}

static struct seen watcher(struct strata_iface *iface)
{
	return (struct seen){
		.sniffer = {
			.iface = iface, .frame = see_frame, .dropped = see_drop, .gone = see_gone,
		},
	};
}

/* A frame of family "four" that nobody here is the destination of, or of a number nobody has. */
static struct strata_pkt *frame_in(uint16_t type)
{
	struct strata_pkt *pkt = net_packet(&net, "192.0.2.2", 40);
	uint8_t *header = strata_pkt_push(pkt, FRAME_HEADER);

	memset(header, 0, FRAME_HEADER);
	strata_put_be16(header + 12, type);
	return pkt;
}

static void send_one(struct strata_iface *iface, uint32_t payload)
{
	const struct strata_lladdr to = mac(9);

	assert_int_equal(strata_iface_output(iface, net_packet(&net, "192.0.2.2", payload), FOUR, &to),
			 0);
}

/* ---- frames ---- */

static void each_of_several_sees_whole_frames_both_ways(void **state)
{
	struct seen a = watcher(net.one), b = watcher(net.one);

	(void)state;
	assert_false(net.one->flags & STRATA_IFACE_SNIFFED);
	strata_sniffer_add(net.stack, &a.sniffer);
	strata_sniffer_add(net.stack, &b.sniffer);
	strata_iface_input(net.one, frame_in(FOUR));
	assert_int_equal(a.in, 1);
	assert_int_equal(b.in, 1);
	assert_int_equal(b.length, FRAME_HEADER + FOUR_HEADER + THING_HEADER + 40);
	send_one(net.one, 100);
	assert_int_equal(a.out, 1);
	assert_int_equal(b.out, 1);
	strata_sniffer_remove(net.stack, &a.sniffer);
	send_one(net.one, 100);
	assert_int_equal(a.out, 1);
	assert_int_equal(b.out, 2);
	strata_sniffer_remove(net.stack, &b.sniffer);
	strata_sniffer_remove(net.stack, &b.sniffer);
	assert_false(net.one->flags & STRATA_IFACE_SNIFFED);
	assert_false(net.stack->watching);
}

static void count_frame(void *ctx, struct strata_iface *iface, const struct strata_pkt *pkt, bool out)
{
	unsigned int *frames = ctx;

	(void)iface;
	(void)pkt;
	*frames += out;
}

static void the_embedders_sniffer_stays_beside_others(void **state)
{
	struct seen a = watcher(net.one);
	unsigned int frames = 0;

	(void)state;
	strata_iface_set_sniffer(net.one, count_frame, &frames);
	assert_true(net.one->flags & STRATA_IFACE_SNIFFED);
	strata_sniffer_add(net.stack, &a.sniffer);
	send_one(net.one, 100);
	strata_sniffer_remove(net.stack, &a.sniffer);
	send_one(net.one, 100);
	assert_int_equal(frames, 2);
	assert_int_equal(a.out, 1);
	strata_iface_set_sniffer(net.one, NULL, NULL);
	assert_false(net.one->flags & STRATA_IFACE_SNIFFED);
}

static void one_interface_is_not_another(void **state)
{
	struct seen a = watcher(net.one);

	(void)state;
	strata_sniffer_add(net.stack, &a.sniffer);
	assert_false(net.two->flags & STRATA_IFACE_SNIFFED);
	send_one(net.two, 100);
	assert_int_equal(a.out, 0);
	strata_sniffer_remove(net.stack, &a.sniffer);
}

static void one_for_all_sees_interfaces_that_come_later(void **state)
{
	struct seen a = watcher(NULL);
	struct strata_iface *late;

	(void)state;
	strata_sniffer_add(net.stack, &a.sniffer);
	late = net_iface(&net, "dev", "late");
	strata_iface_set_running(late, true);
	send_one(late, 100);
	send_one(net.two, 100);
	assert_int_equal(a.out, 2);
	strata_sniffer_remove(net.stack, &a.sniffer);
}

static void frames_have_numbers_that_the_trace_knows_too(void **state)
{
	struct seen a = watcher(net.one);

	(void)state;
	strata_sniffer_add(net.stack, &a.sniffer);
	send_one(net.one, 100);
	assert_int_not_equal(a.id, 0);
	strata_pkt_free(net_sent(&net));
	a.id = 0;
	send_one(net.one, 100);
	assert_int_not_equal(a.id, 0);
	strata_sniffer_remove(net.stack, &a.sniffer);
}

/* ---- removal from within ---- */

static void a_sniffer_may_remove_itself(void **state)
{
	struct seen a = watcher(net.one), b = watcher(net.one);

	(void)state;
	strata_sniffer_add(net.stack, &a.sniffer);
	strata_sniffer_add(net.stack, &b.sniffer);
	a.removes = &a;
	send_one(net.one, 100);
	send_one(net.one, 100);
	assert_int_equal(a.out, 1);
	assert_int_equal(b.out, 2);
	strata_sniffer_remove(net.stack, &b.sniffer);
}

static void a_sniffer_may_remove_and_free_the_next(void **state)
{
	struct seen a = watcher(net.one), *b = malloc(sizeof(*b)), c = watcher(net.one);

	(void)state;
	*b = watcher(net.one);
	strata_sniffer_add(net.stack, &a.sniffer);
	strata_sniffer_add(net.stack, &b->sniffer);
	strata_sniffer_add(net.stack, &c.sniffer);
	a.removes = b;
	send_one(net.one, 100);
	assert_int_equal(b->out, 0);
	a.removes = NULL;
	free(b);
	send_one(net.one, 100);
	assert_int_equal(a.out, 2);
	assert_int_equal(c.out, 2);
	strata_sniffer_remove(net.stack, &a.sniffer);
	strata_sniffer_remove(net.stack, &c.sniffer);
}

static void a_sniffer_may_remove_the_one_before(void **state)
{
	struct seen a = watcher(net.one), b = watcher(net.one);

	(void)state;
	strata_sniffer_add(net.stack, &a.sniffer);
	strata_sniffer_add(net.stack, &b.sniffer);
	b.removes = &a;
	send_one(net.one, 100);
	b.removes = NULL;
	send_one(net.one, 100);
	assert_int_equal(a.out, 1);
	assert_int_equal(b.out, 2);
	strata_sniffer_remove(net.stack, &b.sniffer);
}

/* ---- discards ---- */

static void a_discard_names_its_packet_and_reason(void **state)
{
	struct seen a = watcher(net.one);

	(void)state;
	strata_sniffer_add(net.stack, &a.sniffer);
	assert_true(net.stack->watching);
	strata_iface_input(net.one, frame_in(0x9999));
	assert_int_equal(a.dropped, 1);
	assert_string_equal(a.reason, "NO_NETWORK");
	assert_int_not_equal(a.dropped_id, 0);
	assert_int_equal(a.dropped_id, a.id);
	strata_sniffer_remove(net.stack, &a.sniffer);
	assert_false(net.stack->watching);
	strata_iface_input(net.one, frame_in(0x9999));
	assert_int_equal(a.dropped, 1);
}

static void a_packet_that_never_was_a_frame_has_no_number(void **state)
{
	struct seen a = watcher(net.one);
	const struct strata_lladdr to = mac(9);

	(void)state;
	strata_sniffer_add(net.stack, &a.sniffer);
	strata_iface_output(net.one, net_packet(&net, "192.0.2.2", 1600), FOUR, &to);
	assert_int_equal(a.out, 0);
	assert_int_equal(a.dropped, 1);
	assert_string_equal(a.reason, "TOO_BIG");
	assert_int_equal(a.dropped_id, 0);
	strata_sniffer_remove(net.stack, &a.sniffer);
}

static void without_a_wish_for_discards_none_is_watched(void **state)
{
	struct seen a = watcher(net.one);

	(void)state;
	a.sniffer.dropped = NULL;
	strata_sniffer_add(net.stack, &a.sniffer);
	assert_false(net.stack->watching);
	strata_iface_input(net.one, frame_in(0x9999));
	assert_int_equal(a.in, 1);
	strata_sniffer_remove(net.stack, &a.sniffer);
}

/* ---- interfaces ---- */

static void an_interface_that_goes_takes_its_sniffer_off(void **state)
{
	struct seen own = watcher(net.one), all = watcher(NULL);
	struct strata_iface *one = net.one;

	(void)state;
	strata_sniffer_add(net.stack, &own.sniffer);
	strata_sniffer_add(net.stack, &all.sniffer);
	iface_destroy(net.one);
	assert_int_equal(own.gone, 1);
	assert_int_equal(all.gone, 1);
	assert_ptr_equal(all.last, one);
	assert_null(own.sniffer.iface);
	send_one(net.two, 100);
	assert_int_equal(own.out, 0);
	assert_int_equal(all.out, 1);
	strata_sniffer_remove(net.stack, &own.sniffer);
	strata_sniffer_remove(net.stack, &all.sniffer);
}

static void a_bare_packets_link_type_is_raw(void **state)
{
	(void)state;
	assert_int_equal(strata_iface_link_type(net_iface(&net, "bare", "b0")), STRATA_LINK_TYPE_RAW);
	/* "frame" has no number of its own. */
	assert_int_equal(strata_iface_link_type(net.one), STRATA_LINK_TYPE_USER0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(each_of_several_sees_whole_frames_both_ways),
		T(the_embedders_sniffer_stays_beside_others),
		T(one_interface_is_not_another),
		T(one_for_all_sees_interfaces_that_come_later),
		T(frames_have_numbers_that_the_trace_knows_too),
		T(a_sniffer_may_remove_itself),
		T(a_sniffer_may_remove_and_free_the_next),
		T(a_sniffer_may_remove_the_one_before),
		T(a_discard_names_its_packet_and_reason),
		T(a_packet_that_never_was_a_frame_has_no_number),
		T(without_a_wish_for_discards_none_is_watched),
		T(an_interface_that_goes_takes_its_sniffer_off),
		T(a_bare_packets_link_type_is_raw),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
