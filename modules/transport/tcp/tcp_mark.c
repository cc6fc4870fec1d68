/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * When what an application wrote was handed down, left, and was acknowledged, told through the error queue
 * (SO_TIMESTAMPING). Of a write its last byte counts. Read timestamping.rst of Linux's documentation
 * before editing.
 */
#include <linux/net_tstamp.h>
#include "tcp_int.h"

/* local choice: writes that are followed at a time. */
#define MARKS_MAX 256

/* The last byte's number, as SOF_TIMESTAMPING_OPT_ID counts them. */
static uint32_t key_of(const struct tcp_sock *tp, const struct tcp_mark *mark)
{
	return mark->end - 1 - tp->extra->stamp_base;
}

void tcp_mark_write(struct tcp_sock *tp, uint32_t stamps)
{
	const uint32_t known = SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_TX_SOFTWARE |
			       SOF_TIMESTAMPING_TX_ACK;
	struct tcp_extra *extra;
	struct tcp_mark *mark;

	if ((stamps & known) == 0)
		return;
	extra = tcp_extra(tp);
	if (extra == NULL || extra->mark_count >= MARKS_MAX)
		return;
	mark = strata_alloc(tp->sock.stack, sizeof(*mark));
	if (mark == NULL)
		return;
	mark->end = tp->snd_end;
	mark->wanted = stamps & known;
	if (extra->marks == NULL)
		extra->marks_end = &extra->marks;
	*extra->marks_end = mark;
	extra->marks_end = &mark->next;
	extra->mark_count++;
}

void tcp_mark_output(struct tcp_sock *tp, struct strata_pkt *pkt, uint32_t seq, uint32_t length)
{
	struct tcp_mark *mark;

	for (mark = tp->extra->marks; mark != NULL && seq_leq(mark->end, seq + length);
	     mark = mark->next) {
		if (seq_leq(mark->end, seq))
			continue;
		if (mark->wanted & SOF_TIMESTAMPING_TX_SCHED)
			strata_socket_stamp(&tp->sock, SCM_TSTAMP_SCHED, key_of(tp, mark), pkt);
		/* A packet tells of one write: of the last in it. */
		if (mark->wanted & SOF_TIMESTAMPING_TX_SOFTWARE)
			strata_socket_stamp_sent(&tp->sock, pkt, key_of(tp, mark));
	}
}

static void take_first(struct tcp_sock *tp)
{
	struct tcp_mark *mark = tp->extra->marks;

	tp->extra->marks = mark->next;
	tp->extra->mark_count--;
	strata_free(tp->sock.stack, mark);
}

void tcp_mark_acked(struct tcp_sock *tp)
{
	struct tcp_mark *mark;

	while ((mark = tp->extra->marks) != NULL && seq_leq(mark->end, tp->snd_una)) {
		if (mark->wanted & SOF_TIMESTAMPING_TX_ACK)
			strata_socket_stamp(&tp->sock, SCM_TSTAMP_ACK, key_of(tp, mark), NULL);
		take_first(tp);
	}
}

void tcp_mark_purge(struct tcp_sock *tp)
{
	while (tp->extra != NULL && tp->extra->marks != NULL)
		take_first(tp);
}
