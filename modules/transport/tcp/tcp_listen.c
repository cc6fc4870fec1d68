/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Listeners and half-open connections. A SYN makes a small record; the ACK that completes the
 * handshake makes a socket of it, which waits to be accepted. Read RFC 9293 3.10.7.2 and RFC 4987
 * before editing.
 */
#include <errno.h>
#include <strata/trace.h>
#include "tcp_int.h"

/* local choice, as Linux once had it: half-open connections that even the smallest backlog allows. */
#define REQUESTS_MIN 8

/* ---- half-open connections ---- */

void tcp_request_free(struct tcp_request *req)
{
	struct tcp_module *m = req->module;

	*req->link = req->next;
	if (req->next != NULL)
		req->next->link = req->link;
	strata_timer_stop(m->stack, &req->timer);
	strata_flow_remove(m->stack, &req->flow);
	strata_dst_release(&req->dst);
	req->listener->listener->request_count--;
	strata_cache_free(m->requests, req);
	m->half_open--;
	strata_count(m->self, TCP_COUNT_HALF_OPEN, UINT64_MAX);
}

/* Ends without having become a connection. */
static void request_fail(struct tcp_request *req)
{
	strata_count(req->module->self, TCP_COUNT_ATTEMPT_FAILS, 1);
	tcp_request_free(req);
}

static uint32_t request_clock(const struct tcp_request *req)
{
	return tcp_ms(strata_now(req->module->stack)) + req->ts_offset;
}

/* Finds the way back, and by it the MSS to offer. False: there is none. */
static bool request_route(struct tcp_request *req)
{
	struct strata_stack *stack = req->module->stack;
	const struct strata_flow_key *key = &req->flow.key;

	if (strata_dst_valid(stack, &req->dst))
		return true;
	if (strata_route_output(stack, &key->remote, &key->local, req->flow.iface, &req->dst, NULL) < 0)
		return false;
	/* What was offered stays so. */
	if (req->advmss == 0)
		req->advmss = tcp_advertised_mss(&req->dst, req->listener->user_mss);
	return true;
}

/* The addresses that a flood makes up are to hold no entries of the neighbour table: only a way whose next hop has
 * answered is kept. */
static void request_keep_route(struct tcp_request *req)
{
	const struct strata_neigh *neigh = req->dst.neigh;

	if (neigh != NULL && (neigh->state == STRATA_NEIGH_INCOMPLETE || neigh->state == STRATA_NEIGH_FAILED))
		strata_dst_release(&req->dst);
}

/* `cookie`: of Fast Open, where it is not empty. */
static void send_syn_ack(struct tcp_request *req, uint32_t tsval, const struct tcp_fastopen_cookie *cookie)
{
	const struct strata_socket *sock = &req->listener->sock;
	struct tcp_header h = {
		.source = req->flow.key.local_port, .destination = req->flow.key.remote_port,
		.seq = req->iss, .ack = req->irs + 1, .flags = TCP_SYN | TCP_ACK | (req->ecn ? TCP_ECE : 0),
		.window = (uint16_t)req->rcv_window, .options = req->options | TCP_HAS_MSS,
		.mss = req->advmss, .wscale = req->rcv_wscale,
		.tsval = tsval, .tsecr = req->ts_recent,
	};

	if (cookie != NULL && cookie->length != 0) {
		h.options |= TCP_HAS_FASTOPEN;
		h.fastopen = *cookie;
	}
	if (!request_route(req))
		return;
	tcp_reply_by(req->module, &req->dst, &req->flow.key, &h, sock->ttl, sock->tos);
	request_keep_route(req);
}

/* How long the answer to the SYN-ACK is waited for when it has been sent again so often. */
static uint64_t syn_ack_timeout(const struct tcp_module *m, unsigned int retransmits)
{
	uint64_t rto = m->config->rto_initial;

	for (; retransmits != 0 && rto < m->config->rto_max; retransmits--)
		rto *= 2;
	return rto < m->config->rto_max ? rto : m->config->rto_max;
}

static void request_timer(struct tcp_request *req)
{
	struct tcp_module *m = req->module;

	strata_timer_start(m->stack, &req->timer,
			   strata_now(m->stack) + syn_ack_timeout(m, req->retransmits));
}

uint8_t tcp_defer_count(const struct tcp_module *m, int seconds)
{
	uint64_t spent = 0;
	uint8_t count = 0;

	while (seconds > 0 && spent < (uint64_t)seconds * STRATA_SEC && count < UINT8_MAX)
		spent += syn_ack_timeout(m, count++);
	return count;
}

int tcp_defer_seconds(const struct tcp_module *m, uint8_t count)
{
	uint64_t spent = 0;

	while (count != 0)
		spent += syn_ack_timeout(m, --count);
	return (int)(spent / STRATA_SEC);
}

/* As Linux: where data was deferred to, a peer that has answered is waited for until then at least. */
static bool request_over(const struct tcp_request *req)
{
	const struct tcp_sock *listener = req->listener;
	unsigned int most = listener->syncnt != 0 ? listener->syncnt :
			    (unsigned int)req->module->config->synack_retries;

	if (req->retransmits < most)
		return false;
	return listener->defer_accept == 0 || !req->acked ||
	       req->retransmits >= listener->defer_accept;
}

/* Is the SYN-ACK to go again? Not to a peer who has answered and only owes data; but once more when the
 * time it had for that ends, so that its answer completes the handshake. */
static bool request_asks(const struct tcp_request *req)
{
	unsigned int defer = req->listener->defer_accept;

	return !req->acked || defer == 0 || req->retransmits >= defer;
}

static void request_fire(struct strata_stack *stack, struct strata_timer *timer)
{
	struct tcp_request *req = strata_container_of(timer, struct tcp_request, timer);

	(void)stack;
	if (request_over(req)) {
		request_fail(req);
		return;
	}
	req->retransmits++;
	if (request_asks(req)) {
		strata_count(req->module->self, TCP_COUNT_RETRANS_SEGS, 1);
		send_syn_ack(req, request_clock(req), NULL);
	}
	request_timer(req);
}

/* RFC 7323 1.3, RFC 2018 2: what the SYN offers and we take. */
static void request_options(struct tcp_request *req, const struct tcp_segment *seg)
{
	const struct tcp_config *config = req->module->config;
	const struct tcp_header *h = &seg->h;

	req->mss = h->options & TCP_HAS_MSS ? h->mss : TCP_MSS_DEFAULT_V4;
	if ((h->options & TCP_HAS_TIMESTAMP) != 0 && config->timestamps) {
		req->options |= TCP_HAS_TIMESTAMP;
		req->ts_recent = h->tsval;
	}
	if ((h->options & TCP_HAS_SACK_PERMITTED) != 0 && config->sack)
		req->options |= TCP_HAS_SACK_PERMITTED;
	if ((h->options & TCP_HAS_WSCALE) != 0 && config->window_scaling) {
		req->options |= TCP_HAS_WSCALE;
		req->snd_wscale = h->wscale;
		req->rcv_wscale = tcp_choose_wscale(req->module, &req->listener->sock);
	}
	req->ecn = tcp_ecn_asked(req->module, seg);
}

/* What a record and a cookie have in common: the ends, and what we offer. */
static void request_init(struct tcp_request *req, struct tcp_sock *listener,
			 const struct tcp_segment *seg)
{
	struct tcp_module *m = tcp_module_of(listener);

	req->module = m;
	req->listener = listener;
	req->flow.kind = TCP_FLOW_REQUEST;
	req->flow.key = tcp_key_of(seg->pkt, &seg->h);
	req->flow.iface = listener->sock.flow.iface;
	req->ts_offset = tcp_stamp_offset(m, &req->flow.key);
	req->rcv_window = tcp_min32(listener->sock.rcvbuf / 2, 65535);
}

static struct tcp_request *request_new(struct tcp_sock *listener, const struct tcp_segment *seg,
				       uint32_t iss)
{
	struct tcp_module *m = tcp_module_of(listener);
	struct tcp_request *req = strata_cache_alloc(m->requests), **head;

	if (req == NULL)
		return NULL;
	request_init(req, listener, seg);
	req->timer.fire = request_fire;
	req->irs = seg->h.seq;
	req->iss = iss != 0 ? iss : tcp_isn(m, &req->flow.key);
	req->sent = strata_now(m->stack);
	request_options(req, seg);
	head = &listener->listener->requests;
	req->next = *head;
	req->link = head;
	if (req->next != NULL)
		req->next->link = &req->next;
	*head = req;
	listener->listener->request_count++;
	m->half_open++;
	strata_count(m->self, TCP_COUNT_HALF_OPEN, 1);
	return req;
}

/* An address that cannot be a peer's. Where the packet came from outside, our own cannot. */
static bool source_bad(const struct strata_pkt *pkt)
{
	const struct strata_address_ops *ops = strata_address_ops(pkt->stack, pkt->src.family);
	enum strata_addr_class class = ops != NULL ? ops->classify(&pkt->src) : STRATA_ADDR_RESERVED;

	if (class != STRATA_ADDR_UNICAST && class != STRATA_ADDR_LOOPBACK)
		return true;
	if (pkt->flags & STRATA_PKT_LOOPED)
		return false;
	if (pkt->iface != NULL &&
	    strata_addr_locality(pkt->iface, &pkt->src) == STRATA_LOCAL_BROADCAST)
		return true;
	return strata_ifaddr_find(pkt->stack, &pkt->src) != NULL &&
	       (pkt->iface == NULL || (pkt->iface->flags & STRATA_IFACE_LOOPBACK) == 0);
}

static bool accept_full(const struct tcp_listener *l)
{
	return l->accept_count > l->backlog;
}

/* No room for another half-open connection: the stack's limit, or the listener's, which is its backlog's, as on
 * Linux. */
static bool requests_full(const struct tcp_module *m, const struct tcp_listener *l)
{
	return m->half_open >= m->config->half_open_max ||
	       l->request_count >= tcp_max32(l->backlog, REQUESTS_MIN);
}

/* Answers a SYN without remembering it. Consumes. */
static enum strata_verdict answer_by_cookie(struct tcp_sock *tp, struct tcp_segment *seg)
{
	struct tcp_module *m = tcp_module_of(tp);
	struct tcp_request req = { .irs = seg->h.seq };

	request_init(&req, tp, seg);
	request_options(&req, seg);
	/* Without a time stamp to carry them nothing but the MSS can be agreed upon. */
	if ((req.options & TCP_HAS_TIMESTAMP) == 0) {
		req.options = 0;
		req.rcv_wscale = 0;
		req.ecn = false;
	}
	seg->reason = TCP_DROP_NO_ROUTE;
	if (!request_route(&req))
		return tcp_segment_drop(m, seg);
	req.iss = tcp_cookie_make(m->stack, &m->cookies, &req.flow.key, req.irs, req.mss);
	strata_trace(m->self, seg->pkt, "SYN seq %u: answered by a cookie", seg->h.seq);
	strata_count(m->self, TCP_COUNT_COOKIES_SENT, 1);
	send_syn_ack(&req, tcp_cookie_stamp(request_clock(&req), &req), NULL);
	strata_dst_release(&req.dst);
	return tcp_segment_done(seg);
}

/* Remembers a SYN and answers it. Consumes. */
static enum strata_verdict answer_by_request(struct tcp_sock *tp, struct tcp_segment *seg, uint32_t iss,
					     const struct tcp_fastopen_cookie *cookie)
{
	struct tcp_module *m = tcp_module_of(tp);
	struct tcp_request *req;

	seg->reason = TCP_DROP_NO_MEMORY;
	req = request_new(tp, seg, iss);
	if (req == NULL)
		return tcp_segment_drop(m, seg);
	if (strata_flow_add(m->stack, &req->flow) < 0) {
		request_fail(req);
		return tcp_segment_drop(m, seg);
	}
	seg->reason = TCP_DROP_NO_ROUTE;
	if (!request_route(req)) {
		request_fail(req);
		return tcp_segment_drop(m, seg);
	}
	strata_trace(m->self, seg->pkt, "SYN seq %u: half-open, answers SYN ACK", seg->h.seq);
	send_syn_ack(req, request_clock(req), cookie);
	request_timer(req);
	return tcp_segment_done(seg);
}

/* ---- the queue of connections nobody has accepted ---- */

void tcp_accept_enqueue(struct tcp_sock *tp)
{
	struct tcp_sock *parent = tp->parent;
	struct tcp_listener *l = parent->listener;

	tp->embryo = false;
	tp->queued = true;
	tp->accept_next = NULL;
	if (l->accept_tail != NULL)
		l->accept_tail->accept_next = tp;
	else
		l->accept_head = tp;
	l->accept_tail = tp;
	l->accept_count++;
	tcp_events(parent, EPOLLIN);
}

/* ---- the handshake's end ---- */

static void inherit(struct tcp_sock *tp, const struct tcp_sock *from)
{
	tp->nodelay = from->nodelay;
	tp->cork = from->cork;
	tp->keepidle = from->keepidle;
	tp->keepintvl = from->keepintvl;
	tp->keepcnt = from->keepcnt;
	tp->syncnt = from->syncnt;
	tp->user_mss = from->user_mss;
	tp->user_timeout_ms = from->user_timeout_ms;
}

/* The TCB as it would stand in SYN-RECEIVED. */
static void tcb_of_request(struct tcp_sock *tp, const struct tcp_request *req)
{
	tp->iss = tp->snd_una = req->iss;
	tp->snd_nxt = tp->snd_end = tp->snd_sml = req->iss + 1;
	tp->irs = req->irs;
	tp->rcv_nxt = tp->rcv_wup = req->irs + 1;
	tp->rcv_adv = tp->rcv_nxt + req->rcv_window;
	tp->peer_mss = req->mss;
	tp->advmss = req->advmss;
	tp->ts_ok = (req->options & TCP_HAS_TIMESTAMP) != 0;
	tp->ts_recent = req->ts_recent;
	tp->ts_recent_ms = tcp_ms(tcp_now(tp));
	tp->ts_offset = req->ts_offset;
	tp->sack_ok = (req->options & TCP_HAS_SACK_PERMITTED) != 0;
	tp->wscale_ok = (req->options & TCP_HAS_WSCALE) != 0;
	tp->ecn_ok = req->ecn;
	tp->snd_wscale = req->snd_wscale;
	tp->rcv_wscale = req->rcv_wscale;
	tp->total_retrans = req->retransmits;
	/* The handshake gives the first round-trip time; none was kept where a cookie stood for it. */
	if (req->retransmits == 0)
		tp->syn_sent = req->sent;
}

/* The TCB takes the place of the record in the flow table, which there is none of for a cookie. Returns 0 or
 * -EADDRINUSE. */
static int take_place(struct tcp_sock *tp, struct tcp_request *req)
{
	struct strata_stack *stack = tp->sock.stack;

	if (req->link != NULL) {
		strata_flow_replace(stack, &req->flow, &tp->sock.flow);
		return 0;
	}
	tp->sock.flow.key = req->flow.key;
	tp->sock.flow.iface = req->flow.iface;
	return strata_flow_add(stack, &tp->sock.flow);
}

/* A socket takes the place of a record with its way, or a cookie, in SYN-RECEIVED; NULL when memory is short. */
static struct tcp_sock *promote(struct tcp_request *req)
{
	struct tcp_module *m = req->module;
	struct tcp_sock *listener = req->listener, *tp;
	struct strata_socket *sock = strata_socket_spawn(&listener->sock);

	if (sock == NULL)
		return NULL;
	tp = tcp_of(sock);
	tp->state = TCP_CLOSED;
	tcp_init_tcb(tp);
	inherit(tp, listener);
	if (tcp_extra_inherit(tp, listener) < 0) {
		tcp_free(tp);
		return NULL;
	}
	tcb_of_request(tp, req);
	tp->parent = listener;
	tp->embryo = true;
	sock->port.local = req->flow.key.local;
	strata_port_share(m->stack, &listener->sock.port, &sock->port);
	if (take_place(tp, req) < 0) {
		tcp_free(tp);
		return NULL;
	}
	tcp_set_state(tp, TCP_SYN_RECEIVED);
	tp->dst = req->dst;
	memset(&req->dst, 0, sizeof(req->dst));
	tcp_update_mss(tp);
	if (req->link != NULL)
		tcp_request_free(req);
	tcp_timer_retransmit(tp);
	strata_count(m->self, TCP_COUNT_PASSIVE_OPENS, 1);
	return tp;
}

static enum strata_verdict request_ack(struct tcp_request *req, struct tcp_segment *seg)
{
	struct tcp_module *m = req->module;
	struct tcp_sock *tp;

	/* Only what acknowledges our SYN. */
	if (seg->h.ack != req->iss + 1) {
		tcp_reply_reset(m, seg);
		seg->reason = TCP_DROP_BAD_ACK;
		return tcp_segment_drop(m, seg);
	}
	/* TCP_DEFER_ACCEPT: data must come first, until the SYN-ACK has been timed out so often. */
	req->acked = true;
	if (req->retransmits < req->listener->defer_accept && seg->length == 0 &&
	    (seg->h.flags & TCP_FIN) == 0) {
		seg->reason = TCP_DROP_ACCEPT_DEFERRED;
		return tcp_segment_drop(m, seg);
	}
	/* With the queue full the ACK is forgotten; the SYN-ACK's timer asks again. */
	seg->reason = TCP_DROP_LISTEN_OVERFLOW;
	if (accept_full(req->listener->listener))
		return tcp_segment_drop(m, seg);
	seg->reason = TCP_DROP_NO_ROUTE;
	if (!request_route(req))
		return tcp_segment_drop(m, seg);
	tp = promote(req);
	if (tp == NULL) {
		seg->reason = TCP_DROP_NO_MEMORY;
		return tcp_segment_drop(m, seg);
	}
	return tcp_segment_arrives(tp, seg);
}

static enum strata_verdict request_refuse(struct tcp_request *req, struct tcp_segment *seg,
					  enum tcp_drop reason)
{
	struct tcp_header h = {
		.source = req->flow.key.local_port, .destination = req->flow.key.remote_port,
		.seq = req->iss + 1, .ack = req->irs + 1, .flags = TCP_ACK,
		.window = (uint16_t)(req->rcv_window >> req->rcv_wscale),
	};

	if (tcp_challenge_allowed(req->module, &req->challenge_next)) {
		if (req->options & TCP_HAS_TIMESTAMP) {
			h.options = TCP_HAS_TIMESTAMP;
			h.tsval = request_clock(req);
			h.tsecr = req->ts_recent;
		}
		tcp_reply(req->module, &req->flow.key, req->flow.iface, &h,
			  req->listener->sock.ttl, req->listener->sock.tos);
	}
	seg->reason = reason;
	return tcp_segment_drop(req->module, seg);
}

enum strata_verdict tcp_request_input(struct tcp_request *req, struct tcp_segment *seg)
{
	struct tcp_module *m = req->module;
	uint32_t ahead = seg->h.seq - (req->irs + 1);
	uint32_t length = seg->length + ((seg->h.flags & TCP_SYN) != 0) +
			  ((seg->h.flags & TCP_FIN) != 0);
	/* RFC 9293 3.4, table 6; a RST counts by its own number (3.10.7.4, second). */
	bool outside = ahead >= req->rcv_window && ahead != 0 &&
		       ((seg->h.flags & TCP_RST) != 0 || length == 0 ||
			ahead + length - 1 >= req->rcv_window);
	bool syn = (seg->h.flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN;

	if (syn && seg->h.seq == req->irs) {
		/* The SYN again: our answer was lost; RFC 3168 6.1.1: nobody who heard a SYN without ECN uses it. */
		req->ecn = req->ecn && tcp_ecn_asked(m, seg);
		if (tcp_challenge_allowed(m, &req->challenge_next))
			send_syn_ack(req, request_clock(req), NULL);
		seg->reason = TCP_DROP_SYN_RECEIVED_DUPLICATE;
		return tcp_segment_drop(m, seg);
	}
	if ((req->options & seg->h.options & TCP_HAS_TIMESTAMP) != 0 &&
	    (seg->h.flags & TCP_RST) == 0 && seq_lt(seg->h.tsval, req->ts_recent))
		return request_refuse(req, seg, TCP_DROP_OLD_TIMESTAMP);
	if (outside) {
		seg->reason = TCP_DROP_RST_OUT_OF_WINDOW;
		if (seg->h.flags & TCP_RST)
			return tcp_segment_drop(m, seg);
		return request_refuse(req, seg, TCP_DROP_OUT_OF_WINDOW);
	}
	if (seg->h.flags & TCP_RST) {
		/* RFC 9293 3.10.7.4, second: back to LISTEN (RFC 5961 3.2: by the exact number only). */
		if (ahead != 0)
			return request_refuse(req, seg, TCP_DROP_RST_CHALLENGED);
		request_fail(req);
		return tcp_segment_done(seg);
	}
	if (seg->h.flags & TCP_SYN)
		return request_refuse(req, seg, TCP_DROP_SYN_IN_WINDOW);
	if ((seg->h.flags & TCP_ACK) == 0) {
		seg->reason = TCP_DROP_NO_ACK;
		return tcp_segment_drop(m, seg);
	}
	return request_ack(req, seg);
}

/* An ACK that may bring a cookie back: the connection it completes is made here, data and all. Consumes. */
static enum strata_verdict cookie_ack(struct tcp_sock *listener, struct tcp_segment *seg)
{
	struct tcp_module *m = tcp_module_of(listener);
	struct tcp_request req = { .iss = seg->h.ack - 1, .irs = seg->h.seq - 1 };
	struct tcp_sock *tp;

	seg->reason = TCP_DROP_BAD_SOURCE;
	if (source_bad(seg->pkt))
		return tcp_segment_drop(m, seg);
	request_init(&req, listener, seg);
	req.mss = tcp_cookie_check(m->stack, &m->cookies, &req.flow.key, req.irs, req.iss);
	if (req.mss == 0) {
		strata_count(m->self, TCP_COUNT_COOKIES_FAILED, 1);
		tcp_reply_reset(m, seg);
		seg->reason = TCP_DROP_BAD_COOKIE;
		return tcp_segment_drop(m, seg);
	}
	seg->reason = TCP_DROP_LISTEN_OVERFLOW;
	if (accept_full(listener->listener))
		return tcp_segment_drop(m, seg);
	if (seg->h.options & TCP_HAS_TIMESTAMP) {
		req.options = TCP_HAS_TIMESTAMP;
		req.ts_recent = seg->h.tsval;
		tcp_cookie_unstamp(&req, seg->h.tsecr);
		if (req.options & TCP_HAS_WSCALE)
			req.rcv_wscale = tcp_choose_wscale(m, &listener->sock);
	}
	seg->reason = TCP_DROP_NO_ROUTE;
	if (!request_route(&req))
		return tcp_segment_drop(m, seg);
	seg->reason = TCP_DROP_NO_MEMORY;
	tp = promote(&req);
	strata_dst_release(&req.dst);
	if (tp == NULL)
		return tcp_segment_drop(m, seg);
	strata_count(m->self, TCP_COUNT_COOKIES_RECEIVED, 1);
	return tcp_segment_arrives(tp, seg);
}

/* RFC 7413 4.2.2: the SYN becomes a connection, its data is there to be read before the handshake is over. False:
 * memory is short, nothing was done. */
static bool answer_at_once(struct tcp_sock *listener, struct tcp_segment *seg, uint32_t iss,
			   const struct tcp_fastopen_cookie *cookie)
{
	struct tcp_module *m = tcp_module_of(listener);
	struct tcp_request req = { .irs = seg->h.seq, .sent = strata_now(m->stack) };
	struct tcp_sock *tp;

	request_init(&req, listener, seg);
	req.iss = iss != 0 ? iss : tcp_isn(m, &req.flow.key);
	request_options(&req, seg);
	if (!request_route(&req))
		return false;
	tp = promote(&req);
	strata_dst_release(&req.dst);
	if (tp == NULL)
		return false;
	if (!tcp_fastopen_accept(tp, listener, cookie)) {
		tcp_finish(tp, 0);
		return false;
	}
	strata_trace(m->self, seg->pkt, "SYN seq %u: Fast Open, %u bytes taken", seg->h.seq, seg->length);
	/* RFC 7323 2.2: the window in a SYN is not scaled. */
	tp->snd_wnd = tp->max_snd_wnd = seg->h.window;
	tp->snd_wl1 = seg->h.seq;
	tp->snd_wl2 = tp->iss;
	/* To Nagle the SYN is no small segment. */
	tp->snd_sml = tp->snd_una;
	tcp_begin_transfer(tp);
	tcp_syn_data(tp, seg);
	tcp_send_syn(tp);
	tcp_accept_enqueue(tp);
	tcp_events(tp, 0);
	return true;
}

/* RFC 9293 3.10.7.2, third: SYN. Consumes. */
static enum strata_verdict listen_syn(struct tcp_sock *tp, struct tcp_segment *seg, uint32_t iss)
{
	struct tcp_module *m = tcp_module_of(tp);
	uint64_t cookies = m->config->syncookies;
	struct tcp_fastopen_cookie cookie;
	bool full = requests_full(m, tp->listener);

	/* With a FIN it is no honest one (as Linux). */
	seg->reason = TCP_DROP_BAD_FLAGS;
	if ((seg->h.flags & (TCP_SYN | TCP_FIN)) != TCP_SYN)
		return tcp_segment_drop(m, seg);
	seg->reason = TCP_DROP_BAD_SOURCE;
	if (source_bad(seg->pkt))
		return tcp_segment_drop(m, seg);
	seg->reason = TCP_DROP_LISTEN_OVERFLOW;
	if (accept_full(tp->listener))
		return tcp_segment_drop(m, seg);
	/* A SYN that ended TIME-WAIT was told from a forged one by its numbers, and has its own to start from. */
	if (iss == 0 && (cookies == 2 || (full && cookies == 1)))
		return answer_by_cookie(tp, seg);
	seg->reason = TCP_DROP_HALF_OPEN_LIMIT;
	if (full)
		return tcp_segment_drop(m, seg);
	if (tcp_fastopen_syn(tp, seg, &cookie) && answer_at_once(tp, seg, iss, &cookie))
		return tcp_segment_done(seg);
	return answer_by_request(tp, seg, iss, &cookie);
}

enum strata_verdict tcp_listen_input(struct tcp_sock *tp, struct tcp_segment *seg, uint32_t iss)
{
	struct tcp_module *m = tcp_module_of(tp);

	/* RFC 9293 3.10.7.2, first: RST; second: ACK */
	seg->reason = TCP_DROP_RST_IGNORED;
	if (seg->h.flags & TCP_RST)
		return tcp_segment_drop(m, seg);
	if ((seg->h.flags & TCP_ACK) == 0)
		return listen_syn(tp, seg, iss);
	if ((seg->h.flags & TCP_SYN) == 0 && m->config->syncookies != 0 &&
	    tcp_cookies_expected(m->stack, &m->cookies))
		return cookie_ack(tp, seg);
	tcp_reply_reset(m, seg);
	seg->reason = TCP_DROP_NO_CONNECTION;
	return tcp_segment_drop(m, seg);
}

/* ---- calls of the application ---- */

static struct tcp_sock *accept_pop(struct tcp_listener *l)
{
	struct tcp_sock *tp = l->accept_head;

	if (tp == NULL)
		return NULL;
	l->accept_head = tp->accept_next;
	if (l->accept_head == NULL)
		l->accept_tail = NULL;
	l->accept_count--;
	tp->accept_next = NULL;
	tp->parent = NULL;
	tp->queued = false;
	return tp;
}

int tcp_accept(struct strata_socket *sock, struct strata_socket **out)
{
	struct tcp_sock *listener = tcp_of(sock), *tp;

	if (listener->state != TCP_LISTEN)
		return -EINVAL;
	tp = accept_pop(listener->listener);
	if (tp == NULL)
		return -EAGAIN;
	if (listener->listener->accept_count == 0)
		tcp_events(listener, 0);
	*out = &tp->sock;
	return 0;
}

int tcp_listen(struct strata_socket *sock, int backlog)
{
	struct tcp_sock *tp = tcp_of(sock);
	struct tcp_module *m = tcp_module_of(tp);
	uint64_t wanted = backlog < 0 ? m->config->backlog_max : (uint64_t)backlog;
	int error;

	if (wanted > m->config->backlog_max)
		wanted = m->config->backlog_max;
	if (tp->state == TCP_LISTEN) {
		tp->listener->backlog = (uint32_t)wanted;
		return 0;
	}
	if (tp->state != TCP_CLOSED)
		return -EINVAL;
	error = strata_port_listen(sock->stack, &sock->port);
	if (error < 0)
		return error;
	tp->listener = strata_cache_alloc(m->listeners);
	if (tp->listener == NULL)
		return -ENOBUFS;
	tcp_init_tcb(tp);
	sock->flow.reuse_port = (sock->options & STRATA_SO_REUSEPORT) != 0;
	error = strata_flow_listen(sock->stack, &sock->flow);
	if (error < 0) {
		strata_cache_free(m->listeners, tp->listener);
		tp->listener = NULL;
		return error;
	}
	tp->listener->backlog = (uint32_t)wanted;
	tcp_fastopen_listening(tp, (uint32_t)wanted);
	tcp_set_state(tp, TCP_LISTEN);
	tcp_events(tp, 0);
	return 0;
}

void tcp_listen_stop(struct tcp_sock *tp)
{
	struct tcp_listener *l = tp->listener;
	struct tcp_sock *child;

	while (l->requests != NULL)
		tcp_request_free(l->requests);
	/* Reset what nobody accepted. */
	while ((child = accept_pop(l)) != NULL) {
		child->orphan = true;
		if (child->state == TCP_CLOSED)
			tcp_bury(child);
		else
			tcp_abort(child, 0);
	}
	strata_cache_free(tcp_module_of(tp)->listeners, l);
	tp->listener = NULL;
}
