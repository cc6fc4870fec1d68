/* SPDX-License-Identifier: BSD-2-Clause */
/* Streams between two stacks of which one is short of memory; see stream.h. */
#include "stream.h"

#include <netinet/tcp.h>

enum { PORT = 5000, MOST = 4000 };
/* As long as it takes at most once memory is back: retransmission has backed off to seconds. */
#define PATIENCE (100 * STRATA_SEC)
#define STARVED (2 * STRATA_SEC)
#define ONE_FAILURE (2 * STRATA_SEC)
#define TICK (50 * STRATA_MS)

struct stream {
	struct sweep *sw;
	const struct stream_plan *plan;
	struct fx_pair pair;
	struct stream_end client, server;
	int listener;
	bool listening, connecting;
	uint64_t reads_from;		/* the server reads no earlier */
};

static uint8_t stream_byte(uint32_t key, uint32_t position)
{
	uint64_t x = ((uint64_t)position + key) * UINT64_C(0x9e3779b97f4a7c15);

	return (uint8_t)(x >> 56 ^ x >> 32);
}

/* ---- one end ---- */

/* What a call that failed means; true where it is to be made again. */
static bool call_failed(const struct stream *t, struct stream_end *e, ssize_t result)
{
	/* -EINPROGRESS: Fast Open has begun the handshake without the data. */
	if (result == -EAGAIN || result == -EINPROGRESS)
		return true;
	if (result == -ENOBUFS || result == -ENOMEM) {
		sweep_result(t->sw, result);
		e->again = true;
		return true;
	}
	e->error = (int)-result;
	return false;
}

/* As on Linux, shutdown() in SYN-SENT, where Fast Open has sent data, would give it all up. */
static bool half_open(const struct stream_end *e)
{
	struct tcp_info info = { 0 };
	socklen_t length = sizeof(info);

	assert_int_equal(strata_getsockopt(e->fx->stack, e->s, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
	return info.tcpi_state == TCP_SYN_SENT;
}

static void pump_out(struct stream *t, struct stream_end *e)
{
	uint8_t buf[MOST];
	uint32_t most = t->plan->most != 0 ? t->plan->most : MOST, n, i;
	ssize_t done;

	while (e->sent < e->to_send) {
		n = e->to_send - e->sent < most ? e->to_send - e->sent : most;
		for (i = 0; i < n; i++)
			buf[i] = stream_byte(e->key, e->sent + i);
		done = strata_send(e->fx->stack, e->s, buf, n, 0);
		if (done < 0) {
			call_failed(t, e, done);
			return;
		}
		e->sent += (uint32_t)done;
	}
	if (!e->shut && half_open(e)) {
		e->again = true;
	} else if (!e->shut) {
		done = strata_shutdown(e->fx->stack, e->s, SHUT_WR);
		e->shut = done == 0 || !call_failed(t, e, done);
	}
}

static void pump_in(struct stream *t, struct stream_end *e)
{
	uint8_t buf[MOST];
	ssize_t n, i;

	if (e == &t->server && e->fx->now < t->reads_from)
		return;
	while (!e->ended) {
		n = strata_recv(e->fx->stack, e->s, buf, sizeof(buf), 0);
		if (n < 0) {
			call_failed(t, e, n);
			return;
		}
		if (n == 0)
			e->ended = true;
		for (i = 0; i < n; i++)
			if (buf[i] != stream_byte(e->peer_key, e->received + (uint32_t)i))
				fx_fail(e->fx, __FILE__, __LINE__, "byte %u is wrong",
					e->received + (uint32_t)i);
		e->received += (uint32_t)n;
	}
}

static struct stream *stream_of(void *arg)
{
	return arg;
}

static void client_ready(struct strata_stack *stack, int s, uint32_t events, void *arg)
{
	struct stream *t = stream_of(arg);

	(void)stack;
	(void)s;
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		pump_in(t, &t->client);
	if (events & EPOLLOUT)
		pump_out(t, &t->client);
}

static void server_ready(struct strata_stack *stack, int s, uint32_t events, void *arg)
{
	struct stream *t = stream_of(arg);

	(void)stack;
	(void)s;
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		pump_in(t, &t->server);
	if (events & EPOLLOUT)
		pump_out(t, &t->server);
}

/* ---- beginning ---- */

static void accept_now(struct stream *t)
{
	struct stream_end *e = &t->server;
	int s = strata_accept(e->fx->stack, t->listener, NULL, NULL);

	if (s >= 0) {
		assert_int_equal(e->s, -1);
		e->s = s;
		strata_notify(e->fx->stack, s, server_ready, t);
	} else if (s != -EAGAIN) {
		sweep_result(t->sw, s);
		e->again = true;
	}
}

static void listener_ready(struct strata_stack *stack, int s, uint32_t events, void *arg)
{
	(void)stack;
	(void)s;
	(void)events;
	accept_now(stream_of(arg));
}

/* Each of the calls up to listen(), as far as memory goes. */
static void try_listen(struct stream *t)
{
	struct fixture *fx = t->server.fx;
	struct sockaddr_in to = fx_sockaddr(0, PORT);
	int result;

	if (t->listener < 0) {
		t->listener = (int)sweep_result(t->sw, strata_socket(fx->stack, AF_INET, SOCK_STREAM, 0));
		if (t->listener < 0)
			return;
		if (t->plan->prepare != NULL)
			t->plan->prepare(fx, t->listener);
	}
	result = strata_bind(fx->stack, t->listener, (struct sockaddr *)&to, sizeof(to));
	/* Bound by the call before. */
	if (result != -EINVAL && sweep_result(t->sw, result) < 0)
		return;
	if (sweep_result(t->sw, strata_listen(fx->stack, t->listener, 5)) < 0)
		return;
	t->listening = true;
	strata_notify(fx->stack, t->listener, listener_ready, t);
}

static void try_connect(struct stream *t)
{
	struct stream_end *e = &t->client;
	int result;

	if (e->s < 0) {
		e->s = (int)sweep_result(t->sw, strata_socket(e->fx->stack, AF_INET, SOCK_STREAM, 0));
		if (e->s < 0)
			return;
		if (t->plan->prepare != NULL)
			t->plan->prepare(e->fx, e->s);
	}
	result = fx_connect(e->fx, e->s, STACK_IP, PORT);
	/* With Fast Open it waits for the first data (0). */
	if (result != -EINPROGRESS && sweep_result(t->sw, result) < 0)
		return;
	t->connecting = true;
	strata_notify(e->fx->stack, e->s, client_ready, t);
}

/* Whatever a lack of memory has put off. */
static void try_again(struct stream *t)
{
	struct stream_end *ends[] = { &t->client, &t->server };

	if (!t->listening)
		try_listen(t);
	if (t->listening && !t->connecting)
		try_connect(t);
	if (t->listening && t->server.s < 0 && t->server.again) {
		t->server.again = false;
		accept_now(t);
	}
	for (int i = 0; i < 2; i++) {
		if (ends[i]->s < 0 || !t->connecting || !ends[i]->again)
			continue;
		ends[i]->again = false;
		pump_in(t, ends[i]);
		pump_out(t, ends[i]);
	}
	if (t->reads_from != 0 && t->server.fx->now >= t->reads_from && t->server.s >= 0) {
		t->reads_from = 0;
		pump_in(t, &t->server);
	}
}

/* ---- the run ---- */

static bool both_established(void *ctx)
{
	const struct stream *t = ctx;

	return t->server.s >= 0 && (strata_events(t->client.fx->stack, t->client.s) & EPOLLOUT) != 0;
}

static bool all_read(void *ctx)
{
	const struct stream *t = ctx;

	return t->client.received == t->client.wanted && t->server.received == t->server.wanted;
}

static bool finished(void *ctx)
{
	const struct stream *t = ctx;

	return (t->client.ended && t->server.ended && t->client.shut && t->server.shut) ||
	       t->client.error != 0 || t->server.error != 0;
}

/* Passes time until `done`; gives memory back in time. */
static void pass_until(struct stream *t, bool (*done)(void *ctx))
{
	struct fixture *fx = t->client.fx;
	uint64_t give_back = t->plan->starved != 0 ? t->plan->starved : STARVED, begun = fx->now;
	uint64_t limit = fx->now + PATIENCE;

	try_again(t);
	while (!fx_join_run(t->pair.join, TICK, done, t)) {
		if (t->sw->begun && !t->sw->ended && fx->now - begun >= give_back)
			sweep_end(t->sw);
		try_again(t);
		if (fx->now > limit)
			fx_fail(t->sw->fx != NULL ? t->sw->fx : fx, __FILE__, __LINE__,
				"stuck: %u of %u and %u of %u bytes received, %u and %u sent",
				t->client.received, t->client.wanted, t->server.received,
				t->server.wanted, t->client.sent, t->server.sent);
	}
}

static void check_end(const struct stream *t, const struct stream_end *e, const char *who)
{
	if (e->error != 0 && e->error == t->plan->may_end_with && sweep_failed(t->sw))
		return;
	if (e->error != 0 || e->received != e->wanted)
		fx_fail(e->fx, __FILE__, __LINE__, "%s: %s, %u of %u bytes received", who,
			strerror(e->error), e->received, e->wanted);
}

static void begin(struct stream *t, enum stream_from at)
{
	if (t->plan->from == at)
		sweep_begin(t->sw, t->plan->side == CLIENT ? t->client.fx : t->server.fx);
}

static void open_stream(struct stream *t)
{
	const struct stream_plan *plan = t->plan;
	struct fx_config config = { .modules = plan->modules, .options = plan->options,
				    .interface = plan->interface, .large = plan->interface != NULL,
				    .mtu = plan->mtu, .bare = plan->bare,
				    .uncached = t->sw->uncached };
	struct fx_link link = plan->link;

	if (link.delay == 0)
		link.delay = STRATA_MS;
	t->pair = fx_pair_open(&config, &link, 1);
	t->client = (struct stream_end){ .fx = t->pair.a, .s = -1, .key = 1, .peer_key = 77778,
					   .shut = true };
	t->server = (struct stream_end){ .fx = t->pair.b, .s = -1, .key = 77778, .peer_key = 1,
					   .shut = true };
	t->listener = -1;
}

static void transfer(struct stream *t)
{
	const struct stream_plan *plan = t->plan;

	t->client.to_send = t->server.wanted = plan->forth;
	t->server.to_send = t->client.wanted = plan->back;
	t->client.shut = t->server.shut = plan->from == FROM_CLOSE;
	t->reads_from = plan->pause != 0 ? t->server.fx->now + plan->pause : 0;
	t->client.again = t->server.again = true;
	pass_until(t, plan->from == FROM_CLOSE ? all_read : finished);
	if (plan->from == FROM_CLOSE) {
		t->client.shut = t->server.shut = false;
		begin(t, FROM_CLOSE);
		if (plan->during != NULL)
			plan->during(t->sw, &t->client, &t->server);
		t->client.again = t->server.again = true;
		pass_until(t, finished);
	}
}

/* Both ends are closed and nothing of them stays. */
static void close_stream(struct stream *t)
{
	fx_close_socket(t->client.fx, t->client.s);
	fx_close_socket(t->server.fx, t->server.s);
	fx_join_run(t->pair.join, STRATA_SEC, NULL, NULL);
	if (!t->sw->ended)
		sweep_end(t->sw);
	fx_join_run(t->pair.join, 200 * STRATA_SEC, NULL, NULL);
	assert_int_equal(fx_counter(t->client.fx, "tcp", "established"), 0);
	assert_int_equal(fx_counter(t->server.fx, "tcp", "established"), 0);
	assert_int_equal(fx_counter(t->client.fx, "tcp", "time_wait"), 0);
	assert_int_equal(fx_counter(t->server.fx, "tcp", "time_wait"), 0);
}

/* The same stacks do it once more. */
static void once_more(struct stream *t)
{
	struct stream_end *c = &t->client, *s = &t->server;

	c->s = s->s = -1;
	c->sent = s->sent = c->received = s->received = 0;
	c->shut = s->shut = c->ended = s->ended = false;
	c->error = s->error = 0;
	c->to_send = s->wanted = s->to_send = c->wanted = 100;
	t->connecting = false;
	t->reads_from = 0;
	pass_until(t, finished);
	assert_int_equal(c->error | s->error, 0);
	assert_int_equal(c->received, 100);
	assert_int_equal(s->received, 100);
	fx_close_socket(c->fx, c->s);
	fx_close_socket(s->fx, s->s);
	fx_join_run(t->pair.join, 200 * STRATA_SEC, NULL, NULL);
}

/* An exchange before all else: what is kept of it (a Fast Open cookie) is there. */
static void warm_up(struct stream *t)
{
	struct stream_end *c = &t->client, *s = &t->server;

	once_more(t);
	c->s = s->s = -1;
	c->sent = s->sent = c->received = s->received = 0;
	c->to_send = s->wanted = s->to_send = c->wanted = 0;
	c->shut = s->shut = true;
	c->ended = s->ended = false;
	t->connecting = false;
}

/* One allocation that fails costs about a retransmission timeout where nothing else is lost. */
static void check_pace(const struct stream *t, uint64_t begun)
{
	const struct fx_link *link = &t->plan->link;
	uint64_t took = t->client.fx->now - begun;

	if (link->loss + link->corrupt + link->reorder == 0 && !t->sw->forever && t->plan->pause == 0 &&
	    took > ONE_FAILURE)
		fx_fail(t->sw->fx, __FILE__, __LINE__, "took %llu ms",
			(unsigned long long)(took / STRATA_MS));
}

void sweep_stream(struct sweep *sw)
{
	struct stream t = { .sw = sw, .plan = sw->arg };
	uint64_t begun;

	open_stream(&t);
	if (t.plan->warm)
		warm_up(&t);
	begun = t.client.fx->now;
	begin(&t, FROM_CONNECT);
	/* With a cookie it is the client's data that makes the server's end. */
	if (t.plan->from != FROM_CONNECT)
		pass_until(&t, both_established);
	begin(&t, FROM_ESTABLISHED);
	if (t.plan->from == FROM_ESTABLISHED && t.plan->during != NULL)
		t.plan->during(sw, &t.client, &t.server);
	transfer(&t);
	check_pace(&t, begun);
	check_end(&t, &t.client, "client");
	check_end(&t, &t.server, "server");
	close_stream(&t);
	once_more(&t);
	fx_pair_close(&t.pair);
}
