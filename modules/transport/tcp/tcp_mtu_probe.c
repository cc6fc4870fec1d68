/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packetization-layer path MTU discovery: finds what a path takes without being told. Read RFC 4821
 * (5 and 7) and RFC 8899 3 before editing. Sizes are segment sizes as tcp_sock.mss: payload and options.
 */
#include "tcp_int.h"

/* As Linux: a window with room to spare, of which a probe takes little. */
#define PROBE_WINDOW 11
/* local choice: a black hole was inferred from timeouts, which heavy loss brings, too. So many segments of
 * the old size are tried again, as soon as anything arrives, before it is believed (MAX_PROBES of RFC 8899
 * 5.1.2). */
#define DOUBTS 3

static struct tcp_mtu_probe *probe_of(const struct tcp_sock *tp)
{
	return tp->extra != NULL ? tp->extra->mtu_probe : NULL;
}

static uint32_t base_mss(const struct tcp_sock *tp)
{
	return (uint32_t)tcp_module_of(tp)->config->mtu_base_mss;
}

/* What the path's MTU, the peer and the application allow at most; the search is below it. */
static uint32_t ceiling(const struct tcp_sock *tp)
{
	return tcp_min32(tcp_path_mss(tp), tp->peer_mss);
}

/* A search between what is known to arrive and what may. NULL when memory is short. */
static struct tcp_mtu_probe *search_begin(struct tcp_sock *tp)
{
	struct tcp_mtu_probe *p;

	if (tcp_extra(tp) == NULL)
		return NULL;
	p = tp->extra->mtu_probe;
	if (p == NULL)
		p = strata_alloc(tp->sock.stack, sizeof(*p));
	if (p == NULL)
		return NULL;
	tp->extra->mtu_probe = p;
	p->low = (uint16_t)tcp_min32(base_mss(tp), ceiling(tp));
	p->high = (uint16_t)ceiling(tp);
	p->size = 0;
	return p;
}

uint32_t tcp_mtu_probe_limit(struct tcp_sock *tp, uint32_t mss)
{
	struct tcp_mtu_probe *p = probe_of(tp);

	if (p == NULL)
		return mss;
	/* The path's MTU was told to be smaller: no search above it. */
	if (p->high > mss)
		p->high = (uint16_t)mss;
	if (p->low > mss)
		p->low = (uint16_t)mss;
	return tcp_min32(mss, p->low);
}

void tcp_mtu_probe_begin(struct tcp_sock *tp)
{
	if (tcp_module_of(tp)->config->mtu_probing == TCP_MTU_PROBING_ALWAYS &&
	    tp->sock.df != STRATA_DF_DONT && search_begin(tp) != NULL)
		tcp_update_mss(tp);
}

bool tcp_mtu_black_hole(struct tcp_sock *tp)
{
	const struct tcp_config *config = tcp_module_of(tp)->config;
	struct tcp_mtu_probe *p = probe_of(tp);
	uint32_t before = tp->cc.mss, half;

	/* RFC 4821 7.7: only segments larger than the base say something. */
	if (config->mtu_probing == TCP_MTU_PROBING_OFF || tp->sock.df == STRATA_DF_DONT ||
	    !tcp_in(tp, TCP_SYNCHRONISED) || tp->retransmits == 0 ||
	    tp->retransmits % config->mtu_black_hole != 0 ||
	    seq_span(tp->snd_una, tp->snd_end) < before)
		return false;
	if (p == NULL) {
		p = tp->mss > base_mss(tp) ? search_begin(tp) : NULL;
		if (p == NULL)
			return false;
	} else {
		/* Not even that arrives: half of it. DEVIATION: Linux halves at each timeout; a path that is merely
		 * down for a while would leave crumbs. */
		half = tcp_max32(p->low / 2u, (uint32_t)config->mtu_probe_floor);
		half = tcp_min32(half, base_mss(tp));
		p->low = (uint16_t)tcp_min32(p->low, half);
		p->size = 0;
	}
	p->doubts = DOUBTS;
	p->next = tcp_now(tp) + config->mtu_probe_interval;
	tcp_update_mss(tp);
	if (tp->cc.mss >= before)
		return false;
	tcp_count(tp, TCP_COUNT_MTU_BLACK_HOLES, 1);
	return true;
}

/* RFC 4821 7.3: halfway between what arrives and what may not. 0: the search is over, for now. */
static uint32_t next_size(struct tcp_sock *tp, struct tcp_mtu_probe *p)
{
	const struct tcp_config *config = tcp_module_of(tp)->config;
	uint64_t now = tcp_now(tp);

	if (p->doubts != 0)
		return p->high;
	if (p->high >= p->low + config->mtu_probe_threshold)
		return (p->low + (uint32_t)p->high + 1) / 2;
	/* RFC 4821 7.6: the path may have become wider. */
	if (p->high < ceiling(tp) && p->next == 0)
		p->next = now + config->mtu_probe_interval;
	if (p->next == 0 || now < p->next)
		return 0;
	p->next = 0;
	p->high = (uint16_t)ceiling(tp);
	return p->high >= p->low + config->mtu_probe_threshold ?
		       (p->low + (uint32_t)p->high + 1) / 2 : 0;
}

/* May a probe of that size leave now? RFC 4821 7.4: where its loss would be repaired at once, and told
 * from congestion. */
static bool probe_allowed(const struct tcp_sock *tp, const struct tcp_mtu_probe *p, uint32_t size)
{
	/* What follows it shows its loss by duplicates; as Linux, one segment more than it takes. */
	uint32_t followers = (uint32_t)tcp_module_of(tp)->config->dupack_threshold + 1;
	uint32_t needed = size + followers * tp->cc.mss, pipe = tcp_pipe(tp);

	/* Of the old size one may go wherever a segment may: it is most likely an ordinary one. */
	if (p->doubts != 0)
		return tp->retransmits == 0 && tp->phase != TCP_PHASE_LOSS &&
		       seq_span(tp->snd_nxt, tp->snd_end) >= size &&
		       seq_span(tp->snd_nxt, tp->snd_una + tp->snd_wnd) >= size &&
		       (pipe == 0 || pipe + size <= tp->cc.cwnd);
	return tp->phase == TCP_PHASE_OPEN && tp->ooo == NULL &&
	       tp->cc.cwnd >= PROBE_WINDOW * tp->cc.mss &&
	       seq_span(tp->snd_nxt, tp->snd_end) >= needed &&
	       seq_span(tp->snd_nxt, tp->snd_una + tp->snd_wnd) >= needed &&
	       pipe + size <= tp->cc.cwnd;
}

bool tcp_mtu_probe_output(struct tcp_sock *tp)
{
	struct tcp_mtu_probe *p = probe_of(tp);
	uint32_t size, options = tp->mss - tp->cc.mss, mss = tp->cc.mss, start = tp->snd_nxt;
	int sent;

	if (strata_likely(p == NULL) || p->size != 0)
		return false;
	size = next_size(tp, p);
	if (size <= options || !probe_allowed(tp, p, size - options))
		return false;
	/* One segment of that size; all others stay as they are. */
	tp->cc.mss = size - options;
	sent = tcp_xmit(tp, start, tp->cc.mss, TCP_ACK);
	if (tp->cc.mss == size - options)
		tp->cc.mss = mss;
	if (sent <= 0)
		return false;
	p->size = (uint16_t)size;
	p->start = start;
	p->end = start + (uint32_t)sent;
	tcp_count(tp, TCP_COUNT_MTU_PROBES, 1);
	return true;
}

void tcp_mtu_probe_acked(struct tcp_sock *tp)
{
	struct tcp_mtu_probe *p = probe_of(tp);

	if (strata_likely(p == NULL) || p->size == 0 || seq_lt(tp->snd_una, p->end))
		return;
	p->low = p->size;
	p->size = 0;
	p->doubts = 0;
	tcp_count(tp, TCP_COUNT_MTU_PROBES_ARRIVED, 1);
	tcp_update_mss(tp);
}

bool tcp_mtu_probe_lost(struct tcp_sock *tp)
{
	struct tcp_mtu_probe *p = probe_of(tp);

	/* RFC 4821 7.5.2: what was before it must have arrived, or it says nothing. */
	if (strata_likely(p == NULL) || p->size == 0 || tp->snd_una != p->start)
		return false;
	if (p->doubts == 0 || --p->doubts == 0)
		p->high = (uint16_t)(p->size - 1);
	p->size = 0;
	tcp_count(tp, TCP_COUNT_MTU_PROBES_LOST, 1);
	return true;
}

void tcp_mtu_probe_inconclusive(struct tcp_sock *tp)
{
	struct tcp_mtu_probe *p = probe_of(tp);

	if (p == NULL || p->size == 0)
		return;
	p->size = 0;
	if (p->doubts != 0 && --p->doubts == 0)
		p->high = (uint16_t)tcp_max32(p->low, p->high - 1u);
}
