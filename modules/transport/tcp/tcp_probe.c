/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tail loss probes: what is lost at the end of a flight has nothing behind it whose arrival would tell;
 * a probe makes the peer answer before the retransmission timer ends. Read RFC 8985 7 before editing.
 */
#include "tcp_int.h"

/* RFC 8985 7.2: what a receiver may delay the ACK of a lone segment, and local: a timer's grain. */
#define MAX_ACK_DELAY (200 * STRATA_MS)
#define GRAIN (2 * STRATA_MS)

/* RFC 8985 7.2: with SACK, nothing sacked, outside recovery, one probe at a time. */
static bool wanted(const struct tcp_sock *tp)
{
	return tp->flight != NULL && tp->flight->count != 0 && tp->sack_ok && tp->cc.srtt != 0 &&
	       (tp->phase == TCP_PHASE_OPEN || tp->phase == TCP_PHASE_CWR) &&
	       tp->flight->sacked == 0 && !tp->flight->tlp_pending && tp->retransmits == 0 &&
	       tcp_in(tp, TCP_SENDS) && tcp_module_of(tp)->config->tail_loss_probe;
}

void tcp_probe_arm(struct tcp_sock *tp)
{
	struct tcp_flight *f = tp->flight;
	uint64_t when;

	if (f == NULL || (!f->probing && tcp_timer_is_set(tp, TCP_TIMER_RACK)))
		return;
	tcp_timer_clear(tp, TCP_TIMER_RACK);
	f->probing = true;
	if (!wanted(tp))
		return;
	when = tcp_now(tp) + 2 * tp->cc.srtt + GRAIN;
	if (tp->snd_nxt - tp->snd_una <= tp->cc.mss)
		when += MAX_ACK_DELAY;
	/* Not after the retransmission timer; it takes its place then, and does not close the window. */
	if (tcp_timer_is_set(tp, TCP_TIMER_RETRANSMIT) && when > tp->deadline[TCP_TIMER_RETRANSMIT])
		when = tp->deadline[TCP_TIMER_RETRANSMIT];
	tcp_timer_set(tp, TCP_TIMER_RACK, when);
}

/* RFC 8985 7.3: new data where there is some, whatever the congestion window. */
static uint32_t new_data(const struct tcp_sock *tp)
{
	return tcp_min32(tcp_min32(seq_span(tp->snd_nxt, tp->snd_end),
				   seq_span(tp->snd_nxt, tp->snd_una + tp->snd_wnd)),
			 tcp_segment_room(tp));
}

void tcp_probe_fire(struct tcp_sock *tp)
{
	uint32_t fresh, last;

	if (!wanted(tp) || tcp_route(tp) < 0)
		return;
	fresh = new_data(tp);
	last = tcp_min32(tp->snd_nxt - tp->snd_una, tcp_segment_room(tp));
	if ((fresh != 0 ? tcp_xmit(tp, tp->snd_nxt, fresh, TCP_ACK) :
			  tcp_xmit(tp, tp->snd_nxt - last, last, TCP_ACK)) < 0)
		return;
	tp->flight->tlp_again = fresh == 0;
	tp->flight->tlp_pending = true;
	tp->flight->tlp_end = tp->snd_nxt;
	tcp_count(tp, TCP_COUNT_TAIL_PROBES, 1);
	tcp_timer_retransmit(tp);
}

bool tcp_probe_ack(struct tcp_sock *tp, const struct tcp_ack_event *event)
{
	struct tcp_flight *f = tp->flight;

	/* RFC 8985 7.4.2, TLP_process_ack() */
	if (!f->tlp_pending || seq_lt(tp->snd_una, f->tlp_end))
		return false;
	/* New data was delivered; or, case 1, what was sent again had arrived. */
	if (!f->tlp_again || event->probe_twice) {
		f->tlp_pending = false;
		return false;
	}
	if (seq_gt(tp->snd_una, f->tlp_end)) {
		f->tlp_pending = false;
		return true;
	}
	/* Case 2: a peer that tells of no duplicates has nothing else to say. SACK blocks are of what was sent after
	 * the probe, and do not answer it. */
	if (event->duplicate && !event->has_sack)
		f->tlp_pending = false;
	return false;
}
