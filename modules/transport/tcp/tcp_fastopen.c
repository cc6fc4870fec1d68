/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fast Open: data in the SYN, of peers who show the cookie that they were given. Cookies, the socket's options,
 * and what either side does in the handshake. Read RFC 7413 4 and 5 before editing; where it leaves a
 * choice, Linux's is taken.
 */
#include <errno.h>
#include <linux/tcp.h>
#include <strata/trace.h>
#include "tcp_int.h"

/* Bits of the option `fastopen`, Linux's tcp_fastopen. */
enum {
	CLIENT = 0x1,
	SERVER = 0x2,
	CLIENT_NO_COOKIE = 0x4,
	SERVER_NO_COOKIE = 0x200,
	SERVER_ALL = 0x400,
};
/* As Linux: how long a connection that a RST ended counts against the listener (RFC 7413 5.1). */
#define RESET_TIME (60 * STRATA_SEC)
/* RFC 7413 4.1.1: room left in a SYN with data for options, all of it, as Linux. */
#define SYN_OPTIONS_MAX 40
/* As Linux: bytes of the cookies that we make. */
#define COOKIE_SIZE 8
/* As Linux: consecutive timeouts that tell of a black hole. */
#define BLACKHOLE_TIMEOUTS 2
/* "xxxxxxxx-xxxxxxxx-xxxxxxxx-xxxxxxxx" */
#define KEY_TEXT 35

/* Connections that a listener made of data in SYNs and whose handshake is not over. */
struct tcp_fastopen_queue {
	uint32_t users;			/* the listener, and each such connection */
	uint32_t max, pending;
	struct tcp_fastopen_reset *resets, **resets_end;
	uint32_t reset_count;
};

/* One that was reset, and counts for a while. */
struct tcp_fastopen_reset {
	struct tcp_fastopen_reset *next;
	uint64_t until;
};

/* ---- keys and cookies ---- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Four groups of eight digits, each a little-endian number, as Linux's sysctl has them. */
static bool parse_key(const char *text, uint8_t key[TCP_FASTOPEN_KEY_SIZE])
{
	unsigned int group, i;
	uint32_t word;
	int digit;

	for (group = 0; group < 4; group++, text++) {
		for (i = 0, word = 0; i < 8; i++, text++) {
			digit = hex_digit(*text);
			if (digit < 0)
				return false;
			word = word << 4 | (uint32_t)digit;
		}
		for (i = 0; i < 4; i++)
			key[group * 4 + i] = (uint8_t)(word >> 8 * i);
		if (group < 3 && *text != '-')
			return false;
	}
	return true;
}

int tcp_fastopen_configure(struct tcp_module *m)
{
	const char *text = m->config->fastopen_key;
	struct tcp_fastopen_keys keys = { .count = 1 };

	if (text == NULL || text[0] == '\0') {
		if (m->fastopen.keys.count == 0 || m->fastopen.given) {
			strata_random(m->stack, keys.bytes[0], sizeof(keys.bytes[0]));
			m->fastopen.keys = keys;
		}
		m->fastopen.given = false;
		return 0;
	}
	if (!parse_key(text, keys.bytes[0]))
		return -EINVAL;
	if (text[KEY_TEXT] == ',') {
		if (!parse_key(text + KEY_TEXT + 1, keys.bytes[1]) || text[2 * KEY_TEXT + 1] != '\0')
			return -EINVAL;
		keys.count = 2;
	} else if (text[KEY_TEXT] != '\0') {
		return -EINVAL;
	}
	m->fastopen.keys = keys;
	m->fastopen.given = true;
	return 0;
}

static uint64_t get_le64(const uint8_t *p)
{
	uint64_t v = 0;
	unsigned int i;

	for (i = 8; i-- > 0;)
		v = v << 8 | p[i];
	return v;
}

void tcp_fastopen_make(const uint8_t key[TCP_FASTOPEN_KEY_SIZE], const struct strata_addr *client,
		       const struct strata_addr *server, struct tcp_fastopen_cookie *cookie)
{
	/* RFC 7413 4.1.2; as Linux, so that servers of both kinds can share a key. */
	struct strata_hash_key secret = { .k = { get_le64(key), get_le64(key + 8) } };
	uint8_t ends[2 * STRATA_ADDR_MAX];
	uint64_t hash;
	unsigned int i;

	memcpy(ends, client->bytes, client->length);
	memcpy(ends + client->length, server->bytes, server->length);
	hash = strata_siphash(&secret, ends, (size_t)client->length + server->length);
	for (i = 0; i < COOKIE_SIZE; i++)
		cookie->bytes[i] = (uint8_t)(hash >> 8 * i);
	cookie->length = COOKIE_SIZE;
}

static bool cookie_equal(const struct tcp_fastopen_cookie *a, const struct tcp_fastopen_cookie *b)
{
	return a->length == b->length && memcmp(a->bytes, b->bytes, a->length) == 0;
}

/* ---- a socket's part ---- */

static struct tcp_fastopen *make(struct tcp_sock *tp)
{
	if (tcp_extra(tp) == NULL)
		return NULL;
	if (tp->extra->fastopen == NULL)
		tp->extra->fastopen = strata_alloc(tp->sock.stack, sizeof(*tp->extra->fastopen));
	return tp->extra->fastopen;
}

static void queue_put(struct strata_stack *stack, struct tcp_fastopen_queue *q)
{
	struct tcp_fastopen_reset *reset;

	if (--q->users != 0)
		return;
	while ((reset = q->resets) != NULL) {
		q->resets = reset->next;
		strata_free(stack, reset);
	}
	strata_free(stack, q);
}

void tcp_fastopen_free(struct tcp_sock *tp)
{
	struct tcp_fastopen *fo = tcp_fastopen_of(tp);

	if (fo == NULL)
		return;
	tp->extra->fastopen = NULL;
	if (fo->queue != NULL)
		queue_put(tp->sock.stack, fo->queue);
	strata_free(tp->sock.stack, fo);
}

void tcp_fastopen_reset(struct tcp_sock *tp)
{
	struct tcp_fastopen *fo = tcp_fastopen_of(tp);

	tp->fast_open = false;
	if (fo == NULL)
		return;
	fo->data = 0;
	fo->fail = 0;
	fo->asked = fo->data_acked = fo->deferred = fo->send_cookie = false;
}

/* ---- the server: RFC 7413 4.2.2 ---- */

/* Forgets resets that are old enough. */
static void expire_resets(struct strata_stack *stack, struct tcp_fastopen_queue *q)
{
	struct tcp_fastopen_reset *reset;

	while ((reset = q->resets) != NULL && reset->until <= strata_now(stack)) {
		q->resets = reset->next;
		q->reset_count--;
		strata_free(stack, reset);
	}
	if (q->resets == NULL)
		q->resets_end = &q->resets;
}

/* Does the listener take data in SYNs, now? */
static bool listener_takes(struct tcp_sock *listener)
{
	struct tcp_module *m = tcp_module_of(listener);
	struct tcp_fastopen *fo = tcp_fastopen_of(listener);

	if ((m->config->fastopen & SERVER) == 0 || fo == NULL || fo->queue == NULL ||
	    fo->queue->max == 0)
		return false;
	expire_resets(m->stack, fo->queue);
	if (fo->queue->pending + fo->queue->reset_count < fo->queue->max)
		return true;
	strata_count(m->self, TCP_COUNT_FASTOPEN_OVERFLOWS, 1);
	return false;
}

bool tcp_fastopen_syn(struct tcp_sock *listener, const struct tcp_segment *seg,
		      struct tcp_fastopen_cookie *answer)
{
	struct tcp_module *m = tcp_module_of(listener);
	bool asks = (seg->h.options & TCP_HAS_FASTOPEN) != 0;
	struct tcp_fastopen_cookie valid = { 0 };
	const struct tcp_fastopen_keys *keys = &m->fastopen.keys;
	const struct tcp_fastopen *fo;
	unsigned int i;

	answer->length = 0;
	if ((seg->length == 0 && !asks) || !listener_takes(listener))
		return false;
	fo = tcp_fastopen_of(listener);
	if ((m->config->fastopen & SERVER_NO_COOKIE) != 0 || fo->no_cookie)
		return true;
	if (!asks)
		return false;
	valid.experimental = seg->h.fastopen.experimental;
	if (fo->keys.count != 0)
		keys = &fo->keys;
	for (i = keys->count; i-- > 0;) {
		tcp_fastopen_make(keys->bytes[i], &seg->pkt->src, &seg->pkt->dst, &valid);
		if (!cookie_equal(&valid, &seg->h.fastopen))
			continue;
		/* By an old key: it is good, and a new one goes along. */
		if (i != 0)
			tcp_fastopen_make(keys->bytes[0], &seg->pkt->src, &seg->pkt->dst, answer);
		answer->experimental = valid.experimental;
		return true;
	}
	if (seg->h.fastopen.length != 0)
		strata_count(m->self, TCP_COUNT_FASTOPEN_PASSIVE_FAILS, 1);
	*answer = valid;
	return false;
}

bool tcp_fastopen_accept(struct tcp_sock *tp, struct tcp_sock *listener,
			 const struct tcp_fastopen_cookie *answer)
{
	struct tcp_fastopen *fo = make(tp);

	if (fo == NULL)
		return false;
	fo->queue = tcp_fastopen_of(listener)->queue;
	fo->queue->users++;
	fo->queue->pending++;
	fo->cookie = *answer;
	fo->send_cookie = answer->length != 0;
	tp->fast_open = true;
	tcp_count(tp, TCP_COUNT_FASTOPEN_PASSIVE, 1);
	return true;
}

void tcp_fastopen_settled(struct tcp_sock *tp, bool reset)
{
	struct tcp_fastopen *fo = tcp_fastopen_of(tp);
	struct strata_stack *stack = tp->sock.stack;
	struct tcp_fastopen_reset *record;
	struct tcp_fastopen_queue *q;

	if (!tp->fast_open || fo->queue == NULL)
		return;
	q = fo->queue;
	fo->queue = NULL;
	q->pending--;
	/* RFC 7413 5.1: an attacker may provoke a RST from the victim whose address it forges, to make
	 * room for the next SYN. */
	record = reset && q->users > 1 ? strata_alloc(stack, sizeof(*record)) : NULL;
	if (record != NULL) {
		record->until = strata_now(stack) + RESET_TIME;
		if (q->resets == NULL)
			q->resets_end = &q->resets;
		*q->resets_end = record;
		q->resets_end = &record->next;
		q->reset_count++;
	}
	queue_put(stack, q);
}

/* ---- the client: RFC 7413 4.2.1 ---- */

bool tcp_fastopen_enabled(const struct tcp_module *m)
{
	return (m->config->fastopen & CLIENT) != 0;
}

bool tcp_fastopen_choose(struct tcp_sock *tp)
{
	struct tcp_module *m = tcp_module_of(tp);
	const struct strata_addr *remote = &tp->sock.flow.key.remote;
	const struct tcp_fastopen_peer *peer = tcp_fastopen_peer(m, remote);
	struct tcp_fastopen *fo = make(tp);

	if (fo == NULL || tcp_fastopen_blackholed(m))
		return false;
	fo->cookie = (struct tcp_fastopen_cookie){ 0 };
	if (peer != NULL && tcp_fastopen_lossy(m, peer))
		return false;
	if (peer != NULL && peer->mss != 0)
		fo->mss = peer->mss;
	else
		fo->mss = TCP_MSS_DEFAULT_V4;
	fo->asked = true;
	if ((m->config->fastopen & CLIENT_NO_COOKIE) != 0 || fo->no_cookie)
		return true;
	fo->send_cookie = true;
	if (peer != NULL && peer->cookie.length != 0) {
		fo->cookie = peer->cookie;
		return true;
	}
	/* A cookie is asked for; where the option's number was not understood, by the experimental one. */
	fo->cookie.experimental = peer != NULL && peer->kind == TCP_FASTOPEN_EXPERIMENTAL;
	fo->fail = TFO_COOKIE_UNAVAILABLE;
	return false;
}

uint32_t tcp_fastopen_room(const struct tcp_sock *tp)
{
	uint32_t mss = tcp_min32(tcp_fastopen_of(tp)->mss, tcp_path_mss(tp));

	return mss > SYN_OPTIONS_MAX ? mss - SYN_OPTIONS_MAX : 0;
}

void tcp_fastopen_option(struct tcp_sock *tp, struct tcp_header *h)
{
	struct tcp_fastopen *fo = tcp_fastopen_of(tp);

	/* RFC 7413 4.1.3: not on a retransmission, in case it is the option that is not liked. */
	if (fo == NULL || !fo->send_cookie || tp->retransmits != 0)
		return;
	fo->send_cookie = false;
	h->options |= TCP_HAS_FASTOPEN;
	h->fastopen = fo->cookie;
}

uint32_t tcp_fastopen_data(const struct tcp_sock *tp)
{
	const struct tcp_fastopen *fo = tcp_fastopen_of(tp);

	return fo != NULL && tp->state == TCP_SYN_SENT && tp->retransmits == 0 ? fo->data : 0;
}

/* What was learnt of the peer and the path. */
static void learn(struct tcp_sock *tp, struct tcp_fastopen *fo, const struct tcp_segment *seg,
		  bool unacked)
{
	bool given = (seg->h.options & TCP_HAS_FASTOPEN) != 0 && seg->h.fastopen.length != 0;
	struct tcp_fastopen_cookie cookie = { 0 };
	bool lost = false;
	uint8_t kind = 0;

	if (given)
		cookie = seg->h.fastopen;
	if (tp->total_retrans != 0)
		/* It was a plain SYN that got through. */
		lost = !given && unacked;
	else if (!given && fo->data == 0)
		kind = fo->cookie.experimental ? TCP_FASTOPEN_STANDARD : TCP_FASTOPEN_EXPERIMENTAL;
	tcp_fastopen_learn(tcp_module_of(tp), &tp->sock.flow.key.remote, tp->peer_mss, &cookie, lost,
			   kind);
}

void tcp_fastopen_answered(struct tcp_sock *tp, const struct tcp_segment *seg)
{
	struct tcp_fastopen *fo = tcp_fastopen_of(tp);
	uint32_t first = tp->iss + 1, ack = seg->h.ack;

	if (fo == NULL || !fo->asked || tp->fast_open)
		return;
	if (seg->h.flags & TCP_SYN || seg->unscaled)
		learn(tp, fo, seg, fo->data != 0 && ack == first);
	if (tp->snd_nxt == first)
		return;
	/* What the SYN carried and the peer did not take goes again, as if it had never been sent. */
	tp->bytes_acked += ack - first;
	tp->snd_una = tp->snd_nxt = tp->snd_sml = ack;
	tcp_sndq_ack(tp, ack);
	if (ack != first) {
		fo->data_acked = true;
		tcp_module_of(tp)->fastopen.blackholes = 0;
		tcp_count(tp, TCP_COUNT_FASTOPEN_ACTIVE, 1);
		return;
	}
	fo->fail = tp->total_retrans != 0 ? TFO_SYN_RETRANSMITTED : TFO_DATA_NOT_ACKED;
	tcp_count(tp, TCP_COUNT_FASTOPEN_ACTIVE_FAILS, 1);
}

void tcp_fastopen_timeout(struct tcp_sock *tp, bool over)
{
	const struct tcp_fastopen_cookie none = { 0 };
	struct tcp_fastopen *fo = tcp_fastopen_of(tp);
	struct tcp_module *m = tcp_module_of(tp);

	if (fo == NULL || !fo->asked || tp->fast_open)
		return;
	if (tp->retransmits == BLACKHOLE_TIMEOUTS || (tp->retransmits < BLACKHOLE_TIMEOUTS && over))
		tcp_fastopen_blackhole(m);
	/* RFC 7413 4.1.3.1: no answer at all is the worst of the negative ones. */
	if (over && tp->state == TCP_SYN_SENT)
		tcp_fastopen_learn(m, &tp->sock.flow.key.remote, 0, &none, true, 0);
}

/* ---- options of sockets ---- */

static int set_queue(struct tcp_sock *tp, int v)
{
	uint64_t max = tcp_module_of(tp)->config->backlog_max;
	struct tcp_fastopen *fo;

	if (v < 0 || !tcp_in(tp, TCP_MASK(TCP_CLOSED) | TCP_MASK(TCP_LISTEN)))
		return -EINVAL;
	fo = make(tp);
	if (fo == NULL)
		return -ENOMEM;
	if (fo->queue == NULL) {
		fo->queue = strata_alloc(tp->sock.stack, sizeof(*fo->queue));
		if (fo->queue == NULL)
			return -ENOMEM;
		fo->queue->users = 1;
	}
	fo->queue->max = (uint64_t)v < max ? (uint32_t)v : (uint32_t)max;
	return 0;
}

void tcp_fastopen_listening(struct tcp_sock *tp, uint32_t backlog)
{
	const struct tcp_fastopen *fo = tcp_fastopen_of(tp);
	uint64_t bits = tcp_module_of(tp)->config->fastopen;

	if ((bits & SERVER) != 0 && (bits & SERVER_ALL) != 0 && (fo == NULL || fo->queue == NULL))
		set_queue(tp, (int)backlog);
}

static int set_connect(struct tcp_sock *tp, int v)
{
	struct tcp_fastopen *fo;

	if (v != 0 && v != 1)
		return -EINVAL;
	if (!tcp_fastopen_enabled(tcp_module_of(tp)))
		return -EOPNOTSUPP;
	if (tp->state != TCP_CLOSED)
		return -EINVAL;
	fo = make(tp);
	if (fo == NULL)
		return -ENOMEM;
	fo->connect = v != 0;
	return 0;
}

static int set_no_cookie(struct tcp_sock *tp, int v)
{
	struct tcp_fastopen *fo;

	if ((v != 0 && v != 1) || !tcp_in(tp, TCP_MASK(TCP_CLOSED) | TCP_MASK(TCP_LISTEN)))
		return -EINVAL;
	fo = make(tp);
	if (fo == NULL)
		return -ENOMEM;
	fo->no_cookie = v != 0;
	return 0;
}

static int set_key(struct tcp_sock *tp, const void *value, socklen_t length)
{
	struct tcp_fastopen *fo;

	if (length != TCP_FASTOPEN_KEY_SIZE && length != 2 * TCP_FASTOPEN_KEY_SIZE)
		return -EINVAL;
	fo = make(tp);
	if (fo == NULL)
		return -ENOMEM;
	memcpy(fo->keys.bytes, value, length);
	fo->keys.count = length / TCP_FASTOPEN_KEY_SIZE;
	return 0;
}

int tcp_fastopen_setsockopt(struct tcp_sock *tp, int name, const void *value, socklen_t length)
{
	int v;

	if (name == TCP_FASTOPEN_KEY)
		return set_key(tp, value, length);
	if (length < sizeof(v))
		return -EINVAL;
	memcpy(&v, value, sizeof(v));
	switch (name) {
	case TCP_FASTOPEN:
		return set_queue(tp, v);
	case TCP_FASTOPEN_CONNECT:
		return set_connect(tp, v);
	default:
		return set_no_cookie(tp, v);
	}
}

int tcp_fastopen_getsockopt(const struct tcp_sock *tp, int name, void *value, socklen_t *length)
{
	const struct tcp_fastopen *fo = tcp_fastopen_of(tp);
	const struct tcp_fastopen_keys *keys = &tcp_module_of(tp)->fastopen.keys;
	socklen_t size = sizeof(int);
	const void *from;
	int v = 0;

	from = &v;
	switch (name) {
	case TCP_FASTOPEN_KEY:
		if (fo != NULL && fo->keys.count != 0)
			keys = &fo->keys;
		from = keys->bytes;
		size = keys->count * TCP_FASTOPEN_KEY_SIZE;
		break;
	case TCP_FASTOPEN:
		v = fo != NULL && fo->queue != NULL ? (int)fo->queue->max : 0;
		break;
	case TCP_FASTOPEN_CONNECT:
		v = fo != NULL && fo->connect;
		break;
	default:
		v = fo != NULL && fo->no_cookie;
		break;
	}
	if (*length > size)
		*length = size;
	memcpy(value, from, *length);
	return 0;
}
