/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connections of scrapers: one request after the other, each bounded in bytes and in time, so that one who
 * sends or takes a byte a minute holds nothing for long.
 */
#include <errno.h>

#include "metrics_int.h"

enum phase {
	PHASE_REQUEST,		/* a request is awaited, or on its way */
	PHASE_RESPONSE,		/* a response is being taken */
	PHASE_LINGER,		/* it was, and what the client still sends is thrown away: RFC 9112 9.6 */
};

struct metrics_client {
	struct metrics_client *next, **link;
	struct strata_instance *self;
	struct strata_timer timer;
	int s;
	enum phase phase;
	bool close;		/* after the response */
	bool idle;		/* the timer is that of a connection without a request */
	char *in;		/* header_limit bytes as it was when the client came */
	size_t in_length, in_room;
	struct metrics_text out;
	size_t out_sent;
};

static const struct metrics_config *config_of(const struct strata_instance *self)
{
	return self->config;
}

static void client_free(struct metrics_client *c)
{
	struct strata_stack *stack = c->self->stack;

	strata_timer_stop(stack, &c->timer);
	strata_close(stack, c->s);
	*c->link = c->next;
	if (c->next != NULL)
		c->next->link = c->link;
	metrics_state(c->self)->client_count--;
	strata_free(stack, c->out.data);
	strata_free(stack, c->in);
	strata_free(stack, c);
}

static void client_abort(struct metrics_client *c)
{
	/* One that ends between requests, or does not wait for the server's end, is as it should be. */
	if (c->phase == PHASE_RESPONSE || (c->phase == PHASE_REQUEST && c->in_length != 0))
		strata_count(c->self, METRICS_COUNT_ABORTED, 1);
	client_free(c);
}

static void client_late(struct strata_stack *stack, struct strata_timer *timer)
{
	struct metrics_client *c = strata_container_of(timer, struct metrics_client, timer);

	(void)stack;
	strata_count(c->self, c->idle ? METRICS_COUNT_IDLE : METRICS_COUNT_TIMEOUTS, 1);
	client_free(c);
}

static void set_timer(struct metrics_client *c, bool idle)
{
	const struct metrics_config *config = config_of(c->self);
	struct strata_stack *stack = c->self->stack;

	c->idle = idle;
	strata_timer_start(stack, &c->timer, strata_now(stack) +
			   (idle ? config->idle_timeout : config->timeout));
}

/* ---- responses ---- */

/* Room for the head is left in front of the body. Returns false when memory is short. */
static bool begin_body(struct metrics_client *c)
{
	static const char room[METRICS_HEAD_ROOM];

	c->out = (struct metrics_text){
		.stack = c->self->stack,
		.limit = METRICS_HEAD_ROOM + (size_t)config_of(c->self)->body_limit,
	};
	metrics_append(&c->out, room, sizeof(room));
	return !c->out.failed;
}

static bool respond(struct metrics_client *c, unsigned int status, bool head)
{
	char line[METRICS_HEAD_ROOM];
	size_t length;

	if (!begin_body(c))
		return false;
	if (status == 200)
		metrics_expose(&c->out);
	if (c->out.failed)
		status = 500;
	if (status != 200) {
		strata_count(c->self, METRICS_COUNT_ERRORS, 1);
		c->out.length = METRICS_HEAD_ROOM;
		c->out.failed = false;
		metrics_printf(&c->out, "%u %s%s%s\n", status, metrics_status_text(status),
			       status == 404 ? ": metrics are at " : "",
			       status == 404 ? config_of(c->self)->path : "");
	}
	length = metrics_head_write(line, status, c->out.length - METRICS_HEAD_ROOM, c->close,
				    strata_wall_clock(c->self->stack));
	c->out_sent = METRICS_HEAD_ROOM - length;
	memcpy(c->out.data + c->out_sent, line, length);
	if (head)
		c->out.length = METRICS_HEAD_ROOM;
	strata_count(c->self, METRICS_COUNT_REQUESTS, 1);
	c->phase = PHASE_RESPONSE;
	set_timer(c, false);
	return true;
}

static bool answer(struct metrics_client *c, size_t head_length)
{
	const char *path = config_of(c->self)->path;
	struct metrics_request request;
	unsigned int status;
	bool head;

	metrics_request_parse(c->in, head_length, &request);
	status = request.status;
	if (status == 0)
		status = request.path_length == strlen(path) &&
			 memcmp(request.path, path, request.path_length) == 0 ? 200 : 404;
	c->close = request.close || metrics_state(c->self)->draining;
	head = request.head;
	c->in_length -= head_length;
	memmove(c->in, c->in + head_length, c->in_length);
	return respond(c, status, head);
}

/* ---- the course of a connection ---- */

enum step {
	STEP_AGAIN,
	STEP_WAIT,		/* until the socket tells of more */
	STEP_DONE,
	STEP_FAILED,
};

static enum step step_of_error(ssize_t result)
{
	return result == -EAGAIN ? STEP_WAIT : STEP_FAILED;
}

static enum step step_request(struct metrics_client *c)
{
	size_t head = metrics_head_length(c->in, c->in_length);
	ssize_t n;

	if (head != 0)
		return answer(c, head) ? STEP_AGAIN : STEP_FAILED;
	if (c->in_length == c->in_room) {
		c->close = true;
		return respond(c, 431, false) ? STEP_AGAIN : STEP_FAILED;
	}
	if (c->in_length == 0 && metrics_state(c->self)->draining)
		return STEP_DONE;
	n = strata_recv(c->self->stack, c->s, c->in + c->in_length, c->in_room - c->in_length, 0);
	if (n < 0)
		return step_of_error(n);
	if (n == 0)
		return c->in_length == 0 ? STEP_DONE : STEP_FAILED;
	/* From its first byte on a request has the time it has, however its bytes dribble in. */
	if (c->in_length == 0)
		set_timer(c, false);
	c->in_length += (size_t)n;
	return STEP_AGAIN;
}

static enum step step_response(struct metrics_client *c)
{
	ssize_t n = strata_send(c->self->stack, c->s, c->out.data + c->out_sent, c->out.length - c->out_sent,
				MSG_NOSIGNAL);

	if (n < 0)
		return step_of_error(n);
	c->out_sent += (size_t)n;
	if (c->out_sent < c->out.length)
		return STEP_AGAIN;
	strata_free(c->self->stack, c->out.data);
	c->out.data = NULL;
	if (!c->close) {
		c->phase = PHASE_REQUEST;
		set_timer(c, c->in_length == 0);
		return STEP_AGAIN;
	}
	/* RFC 9112 9.6: an end with bytes unread would be a reset, which might overtake the response. */
	c->phase = PHASE_LINGER;
	set_timer(c, false);
	return strata_shutdown(c->self->stack, c->s, SHUT_WR) < 0 ? STEP_FAILED : STEP_AGAIN;
}

static enum step step_linger(struct metrics_client *c)
{
	ssize_t n = strata_recv(c->self->stack, c->s, c->in, c->in_room, 0);

	if (n > 0)
		return STEP_AGAIN;
	return n == 0 ? STEP_DONE : step_of_error(n);
}

/* Goes on until the socket has nothing to read or no room. May free the client. */
static void work(struct metrics_client *c)
{
	static enum step (*const steps[])(struct metrics_client *) = {
		[PHASE_REQUEST] = step_request,
		[PHASE_RESPONSE] = step_response,
		[PHASE_LINGER] = step_linger,
	};
	enum step step;

	do
		step = steps[c->phase](c);
	while (step == STEP_AGAIN);
	if (step == STEP_DONE)
		client_free(c);
	else if (step == STEP_FAILED)
		client_abort(c);
}

static void client_ready(struct strata_stack *stack, int s, uint32_t events, void *arg)
{
	(void)stack;
	(void)s;
	(void)events;
	work(arg);
}

/* ---- accepting ---- */

/* Local choice: reads of a request that is refused; of a longer one the rest is not waited for. */
#define REFUSED_READS 16

/* Answers a client that there is no room for, as far as it takes that at once. Its request may be there already: a
 * connection that is closed over bytes nobody has read is reset (RFC 1122 4.2.2.13), and the answer with it. */
static void refuse(struct strata_instance *self, int s)
{
	char line[METRICS_HEAD_ROOM];
	unsigned int reads = REFUSED_READS;
	size_t length;

	while (reads-- != 0 && strata_recv(self->stack, s, line, sizeof(line), 0) > 0)
		;
	length = metrics_head_write(line, 503, 0, true, strata_wall_clock(self->stack));
	strata_send(self->stack, s, line, length, MSG_NOSIGNAL);
	strata_close(self->stack, s);
	strata_count(self, METRICS_COUNT_REFUSED, 1);
}

/* A client that only keeps its connection makes room for one that asks. */
static bool evict_idle(struct strata_instance *self)
{
	struct metrics_client *c;

	for (c = metrics_state(self)->clients; c != NULL; c = c->next) {
		if (c->phase == PHASE_REQUEST && c->idle) {
			strata_count(self, METRICS_COUNT_IDLE, 1);
			client_free(c);
			return true;
		}
	}
	return false;
}

static void client_add(struct strata_instance *self, struct metrics_client *c, int s)
{
	struct metrics_state *state = metrics_state(self);

	c->self = self;
	c->s = s;
	c->timer.fire = client_late;
	c->next = state->clients;
	c->link = &state->clients;
	if (c->next != NULL)
		c->next->link = &c->next;
	state->clients = c;
	state->client_count++;
	strata_count(self, METRICS_COUNT_CONNECTIONS, 1);
	set_timer(c, false);
	strata_notify(self->stack, s, client_ready, c);
}

static int accept_one(struct metrics_listener *listener)
{
	struct strata_instance *self = listener->self;
	const struct metrics_config *config = config_of(self);
	struct metrics_client *c = strata_alloc(self->stack, sizeof(*c));
	char *in = c != NULL ? strata_alloc(self->stack, config->header_limit) : NULL;
	int s = in != NULL ? strata_accept(self->stack, listener->s, NULL, NULL) : -ENOMEM;

	if (s >= 0 && (metrics_state(self)->client_count < config->clients || evict_idle(self))) {
		c->in = in;
		c->in_room = config->header_limit;
		client_add(self, c, s);
		return 0;
	}
	strata_free(self->stack, in);
	strata_free(self->stack, c);
	if (s >= 0)
		refuse(self, s);
	return s >= 0 ? 0 : s;
}

bool metrics_accept(struct metrics_listener *listener)
{
	int err;

	do
		err = accept_one(listener);
	while (err == 0 || err == -ECONNABORTED);
	return err != -EMFILE && err != -ENFILE && err != -ENOBUFS && err != -ENOMEM;
}

void metrics_close_clients(struct strata_instance *self, bool flush)
{
	struct metrics_client *c, *next;

	for (c = metrics_state(self)->clients; c != NULL; c = next) {
		next = c->next;
		c->close = true;
		if (flush)
			work(c);
		else
			client_free(c);
	}
}
