/* SPDX-License-Identifier: BSD-2-Clause */
/* The ring of transmission records against a naive model: one state for each byte. */
#include "fixture.h"
#include "tcp_int.h"

enum { SPACE = 4096, STEPS = 6000, SACKED = TCP_SENT_SACKED, LOST = TCP_SENT_LOST,
       AGAIN = TCP_SENT_RETRANSMITTED, EVER = TCP_SENT_EVER, STATES = SACKED | LOST | AGAIN | EVER };

/* What the records call: here only what they are told is added up. */
static uint64_t told;

void tcp_rack_update(struct tcp_sock *tp, const struct tcp_sent *sent, uint32_t end,
		     const struct tcp_ack_event *event)
{
	(void)tp;
	(void)event;
	assert_true(seq_leq(end, sent->end));
}

void tcp_rate_delivered(struct tcp_sock *tp, const struct tcp_sent *sent, uint32_t bytes,
			struct tcp_ack_event *event)
{
	(void)tp;
	(void)sent;
	(void)event;
	told += bytes;
}

void tcp_undo_retransmitted(struct tcp_sock *tp, uint32_t bytes)
{
	(void)tp;
	assert_true(bytes != 0);
}

uint64_t tcp_rto(const struct tcp_sock *tp)
{
	(void)tp;
	return STRATA_SEC;
}

void tcp_timer_set(struct tcp_sock *tp, enum tcp_timer_id id, uint64_t deadline)
{
	(void)tp;
	(void)id;
	(void)deadline;
}

struct model {
	struct fixture *fx;
	struct tcp_sock *tp;
	uint32_t base;			/* number of the first byte */
	uint32_t una, nxt;		/* from there */
	uint8_t bytes[SPACE];
};

static struct model open_model(uint32_t base, const char *options)
{
	struct model m = { .fx = fx_open(.options = options), .base = base };
	struct strata_instance *tcp = strata_instance_by_name(m.fx->stack, STRATA_TRANSPORT, "tcp");

	m.tp = calloc(1, sizeof(*m.tp));
	m.tp->sock.stack = m.fx->stack;
	m.tp->sock.transport = tcp;
	m.tp->cc.mss = 100;
	m.tp->snd_una = m.tp->snd_nxt = base;
	m.tp->sack_ok = true;
	return m;
}

static void close_model(struct model *m)
{
	tcp_flight_free(m->tp);
	free(m->tp);
	fx_close(m->fx);
}

static uint32_t below(struct model *m, uint32_t bound)
{
	return strata_random_below(m->fx->stack, bound);
}

/* Every byte of every record, and every sum. */
static void agrees(const struct model *m)
{
	const struct tcp_flight *f = m->tp->flight;
	uint32_t sacked = 0, lost = 0, again = 0, waiting = 0, runs = 0, at = m->una, i, b;

	for (i = 0; i < f->count; i++) {
		const struct tcp_sent *sent = tcp_sent_at(f, i);

		assert_int_equal(sent->start, m->base + at);
		assert_true(seq_lt(sent->start, sent->end));
		for (b = at; b != sent->end - m->base; b++)
			if ((sent->flags & SACKED) == 0)
				assert_int_equal(m->bytes[b] & STATES, sent->flags & STATES);
			else
				assert_int_equal(m->bytes[b] & SACKED, SACKED);
		at = sent->end - m->base;
	}
	assert_int_equal(at, m->nxt);
	for (b = m->una; b < m->nxt; b++) {
		sacked += (m->bytes[b] & SACKED) != 0;
		lost += (m->bytes[b] & LOST) != 0;
		again += (m->bytes[b] & AGAIN) != 0;
		waiting += (m->bytes[b] & (LOST | AGAIN)) == LOST;
		runs += (m->bytes[b] & SACKED) != 0 &&
			(b == m->una || (m->bytes[b - 1] & SACKED) == 0);
	}
	assert_int_equal(f->sacked, sacked);
	assert_int_equal(f->lost, lost);
	assert_int_equal(f->retransmitted, again);
	assert_int_equal(f->waiting, waiting);
	assert_int_equal(f->runs, runs);
	assert_int_equal(tcp_pipe(m->tp), m->nxt - m->una - sacked - lost + again);
}

static void send_new(struct model *m)
{
	uint32_t length = 1 + below(m, 150);

	if (m->nxt + length > SPACE)
		return;
	assert_true(tcp_flight_reserve(m->tp, 2));
	tcp_sent_new(m->tp, m->base + m->nxt, m->base + m->nxt + length);
	memset(m->bytes + m->nxt, 0, length);
	m->nxt += length;
	m->tp->snd_nxt = m->base + m->nxt;
}

static void send_again(struct model *m)
{
	uint32_t start, end, b;

	if (m->nxt == m->una)
		return;
	start = m->una + below(m, m->nxt - m->una);
	end = start + 1 + below(m, m->nxt - start);
	assert_true(tcp_flight_reserve(m->tp, 2));
	tcp_sent_again(m->tp, m->base + start, m->base + end);
	for (b = start; b < end; b++)
		if ((m->bytes[b] & SACKED) == 0)
			m->bytes[b] |= AGAIN | EVER;
}

static void acknowledge(struct model *m)
{
	struct tcp_ack_event event = { .now = 1 };
	uint32_t n = below(m, 200), fresh = 0, b;

	if (n > m->nxt - m->una)
		n = m->nxt - m->una;
	for (b = m->una; b < m->una + n; b++)
		fresh += (m->bytes[b] & SACKED) == 0;
	told = 0;
	m->una += n;
	m->tp->snd_una = m->base + m->una;
	tcp_sent_acked(m->tp, m->tp->snd_una, &event);
	assert_int_equal(event.delivered, fresh);
	assert_int_equal(told, fresh);
}

static void sack(struct model *m)
{
	struct tcp_ack_event event = { .now = 1 };
	uint32_t start, end, b, fresh = 0;

	if (m->nxt - m->una < 2)
		return;
	start = m->una + below(m, m->nxt - m->una);
	end = start + 1 + below(m, m->nxt - start);
	if (!tcp_sent_sacked(m->tp, m->base + start, m->base + end, &event)) {
		/* At the limit: nothing has changed. */
		assert_int_equal(event.sacked, 0);
		return;
	}
	for (b = start; b < end; b++) {
		fresh += (m->bytes[b] & SACKED) == 0;
		m->bytes[b] = (uint8_t)((m->bytes[b] & EVER) | SACKED);
	}
	assert_int_equal(event.sacked, fresh);
}

static void lose(struct model *m)
{
	const struct tcp_flight *f = m->tp->flight;
	const struct tcp_sent *sent;
	uint32_t i, b;

	if (f->count == 0)
		return;
	i = below(m, f->count);
	sent = tcp_sent_at(f, i);
	if ((sent->flags & SACKED) != 0 || (sent->flags & (LOST | AGAIN)) == LOST)
		return;
	for (b = sent->start - m->base; b != sent->end - m->base; b++)
		m->bytes[b] = (uint8_t)((m->bytes[b] & ~AGAIN) | LOST);
	tcp_sent_lost(m->tp, i);
}

static void rarely(struct model *m)
{
	uint32_t b, which = below(m, 3);

	for (b = m->una; b < m->nxt; b++)
		if (which == 0)
			m->bytes[b] &= (uint8_t)~LOST;
		else if (which == 1)
			m->bytes[b] &= (uint8_t)~AGAIN;
		else
			m->bytes[b] &= (uint8_t)~SACKED;
	if (which == 0)
		tcp_sent_unlose(m->tp);
	else if (which == 1)
		tcp_sent_refused(m->tp);
	else
		tcp_sent_reneged(m->tp);
	/* A merged run no longer knows which of its bytes left twice. */
	for (b = 0; b < m->tp->flight->count; b++) {
		const struct tcp_sent *sent = tcp_sent_at(m->tp->flight, b);

		for (uint32_t k = sent->start - m->base; k != sent->end - m->base; k++)
			m->bytes[k] = (uint8_t)((m->bytes[k] & ~EVER) | (sent->flags & EVER));
	}
}

/* The first byte that waits is found, whatever happened before. */
static void finds_what_waits(const struct model *m)
{
	const struct tcp_sent *sent = tcp_sent_waiting(m->tp->flight);
	uint32_t b = m->una;

	while (b < m->nxt && (m->bytes[b] & (LOST | AGAIN)) != LOST)
		b++;
	if (b == m->nxt)
		assert_null(sent);
	else
		assert_int_equal(sent->start, m->base + b);
}

static void churn(uint32_t base, const char *options)
{
	struct model m = open_model(base, options);
	unsigned int i;

	assert_true(tcp_flight_reserve(m.tp, 2));
	for (i = 0; i < STEPS; i++) {
		uint32_t dice = below(&m, 100);

		if (m.nxt + 150 > SPACE && m.una == m.nxt) {
			m.base += m.nxt;
			m.una = m.nxt = 0;
		}
		if (dice < 25)
			send_new(&m);
		else if (dice < 45)
			sack(&m);
		else if (dice < 60)
			lose(&m);
		else if (dice < 75)
			send_again(&m);
		else if (dice < 98)
			acknowledge(&m);
		else
			rarely(&m);
		fx_advance(m.fx, dice % 2);
		agrees(&m);
		finds_what_waits(&m);
	}
	close_model(&m);
}

static void records_agree_with_a_model_of_every_byte(void **state)
{
	(void)state;
	churn(1000, NULL);
}

static void records_agree_where_sequence_numbers_wrap(void **state)
{
	(void)state;
	churn(UINT32_MAX - 2000, NULL);
}

static void records_agree_at_the_limit_of_runs(void **state)
{
	(void)state;
	churn(77, "tcp.sack_holes=8 tcp.sack_holes_max=8");
}

static void a_moment_is_one_record_whatever_is_sent(void **state)
{
	struct model m = open_model(0, NULL);
	unsigned int i;

	(void)state;
	for (i = 0; i < 1000; i++) {
		assert_true(tcp_flight_reserve(m.tp, 1));
		tcp_sent_new(m.tp, i, i + 1);
		m.tp->snd_nxt = i + 1;
	}
	assert_int_equal(m.tp->flight->count, 1);
	fx_advance(m.fx, 1);
	tcp_sent_new(m.tp, 1000, 2000);
	assert_int_equal(m.tp->flight->count, 2);
	m.tp->snd_nxt = 2000;
	/* All acknowledged: the block goes. */
	tcp_sent_acked(m.tp, 2000, &(struct tcp_ack_event){ .now = 1 });
	m.tp->snd_una = 2000;
	tcp_flight_release(m.tp);
	assert_null(m.tp->flight);
	close_model(&m);
}

static void memory_that_is_short_leaves_all_as_it_was(void **state)
{
	struct model m = open_model(0, NULL);
	struct tcp_ack_event event = { .now = 1 };
	unsigned int i;

	(void)state;
	for (i = 0; i < TCP_FLIGHT_RECORDS; i++) {
		assert_true(tcp_flight_reserve(m.tp, 1));
		tcp_sent_new(m.tp, 100 * i, 100 * i + 100);
		m.tp->snd_nxt = 100 * i + 100;
		fx_advance(m.fx, 1);
	}
	m.nxt = 100 * TCP_FLIGHT_RECORDS;
	fx_fail_at(m.fx, 1, true);
	assert_false(tcp_sent_sacked(m.tp, 150, 160, &event));
	assert_int_equal(event.sacked, 0);
	agrees(&m);
	fx_fail_at(m.fx, 0, false);
	assert_true(tcp_sent_sacked(m.tp, 150, 160, &event));
	memset(m.bytes + 150, SACKED, 10);
	agrees(&m);
	close_model(&m);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_agree_with_a_model_of_every_byte),
		cmocka_unit_test(records_agree_where_sequence_numbers_wrap),
		cmocka_unit_test(records_agree_at_the_limit_of_runs),
		cmocka_unit_test(a_moment_is_one_record_whatever_is_sent),
		cmocka_unit_test(memory_that_is_short_leaves_all_as_it_was),
	};

	return fx_main(tests);
}
