/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reductions that were a mistake, and how they are noticed: by time stamps (Eifel, RFC 3522), by
 * duplicates that the peer reports (RFC 2883, RFC 3708), by F-RTO (RFC 5682; in tcp_recovery.c). The
 * response is RFC 4015's, in Linux's version: the window of before, at once.
 */
#include "tcp_int.h"

void tcp_undo_begin(struct tcp_sock *tp, bool keep_window)
{
	struct tcp_flight *f = tp->flight;

	f->undo_possible = true;
	f->undo_marker = tp->snd_una;
	f->undo_bytes = f->retransmitted;
	f->undo_sent = f->retransmitted != 0;
	f->undo_stamped = false;
	if (keep_window) {
		f->prior_cwnd = tp->cc.cwnd;
		f->prior_ssthresh = tp->cc.ssthresh;
	}
}

void tcp_undo_forget(struct tcp_sock *tp)
{
	tp->flight->undo_possible = false;
	tp->flight->prior_cwnd = 0;
}

void tcp_undo_retransmitted(struct tcp_sock *tp, uint32_t bytes)
{
	struct tcp_flight *f = tp->flight;

	if (!f->undo_possible)
		return;
	if (!f->undo_stamped) {
		f->undo_stamped = true;
		f->undo_tsval = tcp_tsval(tp);
	}
	f->undo_sent = true;
	f->undo_bytes += bytes;
}

void tcp_undo_dsack(struct tcp_sock *tp, const struct tcp_block *block)
{
	struct tcp_flight *f = tp->flight;
	uint32_t i;

	if (!f->undo_possible || !f->undo_sent || !seq_gt(block->end, f->undo_marker))
		return;
	/* A duplicate that the network made says nothing; of what is acknowledged nobody knows. */
	if (seq_gt(block->end, tp->snd_una)) {
		i = tcp_sent_find(f, block->start);
		if (i == f->count || (tcp_sent_at(f, i)->flags & TCP_SENT_EVER) == 0)
			return;
	}
	f->undo_bytes -= tcp_min32(f->undo_bytes, block->end - block->start);
}

bool tcp_undo_all_duplicates(const struct tcp_sock *tp)
{
	const struct tcp_flight *f = tp->flight;

	return f->undo_possible && f->undo_sent && f->undo_bytes == 0 &&
	       tcp_module_of(tp)->config->dsack_undo;
}

bool tcp_undo_delayed(const struct tcp_sock *tp, const struct tcp_ack_event *event)
{
	const struct tcp_flight *f = tp->flight;

	return f->undo_possible && f->undo_stamped && event->has_tsecr &&
	       tcp_module_of(tp)->config->eifel && seq_lt(event->tsecr, f->undo_tsval);
}

void tcp_undo(struct tcp_sock *tp, bool unmark, enum tcp_counter counter)
{
	const struct strata_congestion_ops *ops = tcp_cc(tp);
	struct tcp_flight *f = tp->flight;

	tcp_count(tp, counter, 1);
	if (unmark)
		tcp_sent_unlose(tp);
	if (f->prior_cwnd != 0) {
		if (ops != NULL && ops->undo != NULL) {
			ops->undo(&tp->cc, f->prior_cwnd, f->prior_ssthresh);
		} else {
			tp->cc.cwnd = tcp_max32(tp->cc.cwnd, f->prior_cwnd);
			tp->cc.ssthresh = tcp_max32(tp->cc.ssthresh, f->prior_ssthresh);
		}
		tp->cwr_due = false;
	}
	tcp_undo_forget(tp);
}
