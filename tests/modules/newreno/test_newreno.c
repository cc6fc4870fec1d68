/* SPDX-License-Identifier: BSD-2-Clause */
/* The arithmetic of NewReno's windows (RFC 5681 3.1, RFC 3465), without a transport. */
#include <strata/congestion.h>

#include "fixture.h"

enum { MSS = 1000 };

extern const struct strata_module newreno_LTX_module;

struct config {
	uint64_t byte_limit;
};

/* A connection at its beginning. */
static struct strata_congestion begin(struct strata_instance *algorithm, struct config *config)
{
	struct strata_congestion c = { .algorithm = algorithm, .mss = MSS, .cwnd = 10 * MSS,
				       .ssthresh = UINT32_MAX };

	config->byte_limit = 0;
	algorithm->config = config;
	newreno_LTX_module.congestion->init(&c);
	return c;
}

static void acked(struct strata_congestion *c, uint32_t bytes, bool limited)
{
	const struct strata_ack_sample sample = { .acked = bytes, .cwnd_limited = limited };

	newreno_LTX_module.congestion->acked(c, &sample);
}

static void slow_start_grows_by_what_is_acknowledged(void **state)
{
	struct strata_instance self = { 0 };
	struct config config;
	struct strata_congestion c = begin(&self, &config);

	(void)state;
	acked(&c, 2 * MSS, true);
	assert_int_equal(c.cwnd, 12 * MSS);
	acked(&c, 12 * MSS, true);
	assert_int_equal(c.cwnd, 24 * MSS);
	/* Divided ACKs gain nothing. */
	for (unsigned int i = 0; i < MSS; i++)
		acked(&c, 1, true);
	assert_int_equal(c.cwnd, 25 * MSS);
}

static void the_byte_limit_is_rfc_3465s(void **state)
{
	struct strata_instance self = { 0 };
	struct config config;
	struct strata_congestion c = begin(&self, &config);

	(void)state;
	config.byte_limit = 2;
	acked(&c, 10 * MSS, true);
	assert_int_equal(c.cwnd, 12 * MSS);
	acked(&c, MSS, true);
	assert_int_equal(c.cwnd, 13 * MSS);
}

static void an_unused_window_does_not_grow(void **state)
{
	struct strata_instance self = { 0 };
	struct config config;
	struct strata_congestion c = begin(&self, &config);

	(void)state;
	acked(&c, 10 * MSS, false);
	assert_int_equal(c.cwnd, 10 * MSS);
}

static void avoidance_adds_a_segment_a_window(void **state)
{
	struct strata_instance self = { 0 };
	struct config config;
	struct strata_congestion c = begin(&self, &config);

	(void)state;
	c.ssthresh = 10 * MSS;
	for (unsigned int i = 0; i < 9; i++)
		acked(&c, MSS, true);
	assert_int_equal(c.cwnd, 10 * MSS);
	acked(&c, MSS, true);
	assert_int_equal(c.cwnd, 11 * MSS);
	acked(&c, 11 * MSS, true);
	assert_int_equal(c.cwnd, 12 * MSS);
}

static void slow_start_ends_at_the_threshold(void **state)
{
	struct strata_instance self = { 0 };
	struct config config;
	struct strata_congestion c = begin(&self, &config);

	(void)state;
	c.ssthresh = 12 * MSS;
	acked(&c, 8 * MSS, true);
	assert_int_equal(c.cwnd, 12 * MSS);
	/* Six segments of it already count for congestion avoidance. */
	acked(&c, 6 * MSS, true);
	assert_int_equal(c.cwnd, 13 * MSS);
}

static void loss_halves_what_is_in_flight_but_not_below_two_segments(void **state)
{
	struct strata_instance self = { 0 };
	struct config config;
	struct strata_congestion c = begin(&self, &config);

	(void)state;
	c.flight = 10 * MSS;
	assert_int_equal(newreno_LTX_module.congestion->loss(&c, 0), 5 * MSS);
	assert_int_equal(newreno_LTX_module.congestion->timeout(&c, 0), 5 * MSS);
	c.flight = 3 * MSS;
	assert_int_equal(newreno_LTX_module.congestion->loss(&c, 0), 2 * MSS);
}

static void tcp_brings_it_along_and_names_one_that_is_not_there(void **state)
{
	struct fixture *fx = fx_open(.modules = "ethernet arp ipv4 tcp",
				     .options = "tcp.congestion=newreno");

	(void)state;
	assert_true(fx_instance(fx, "newreno")->running);
	fx_close(fx);
	fx = fx_open(.modules = "ethernet arp ipv4 tcp", .options = "tcp.congestion=oldreno",
		     .may_fail = true);
	assert_null(fx->stack);
	assert_non_null(strstr(strata_error_text(&fx->error), "oldreno"));
	fx_close(fx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slow_start_grows_by_what_is_acknowledged),
		cmocka_unit_test(the_byte_limit_is_rfc_3465s),
		cmocka_unit_test(an_unused_window_does_not_grow),
		cmocka_unit_test(avoidance_adds_a_segment_a_window),
		cmocka_unit_test(slow_start_ends_at_the_threshold),
		cmocka_unit_test(loss_halves_what_is_in_flight_but_not_below_two_segments),
		cmocka_unit_test(tcp_brings_it_along_and_names_one_that_is_not_there),
	};

	return fx_main(tests);
}
