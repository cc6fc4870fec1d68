/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The services over TCP: RFC 862, 863 and 864. Nothing is read that could not be kept: while a peer
 * does not take what it is sent, its connection holds one scratch buffer's worth and reads no more.
 */
#include <errno.h>

#include "echo_int.h"

/* Local choice: how often accepting is tried again when no connection of this service ends. */
#define ACCEPT_RETRY (1 * STRATA_SEC)

struct echo_connection {
	struct echo_connection *next;
	struct echo_connection **link;
	struct strata_instance *self;
	int s;
	enum echo_protocol protocol;
	uint8_t *pending;		/* read and not yet taken by the socket; NULL: nothing */
	uint32_t pending_offset, pending_length;
	uint32_t chargen_offset;	/* in the pattern's period */
	bool ended;			/* the peer has sent all; or this end wants no more */
	bool over;			/* the socket has told of an end or an error, which is read after the bytes */
};

size_t echo_connection_size(void)
{
	return sizeof(struct echo_connection);
}

static void connection_free(struct echo_connection *c)
{
	struct strata_instance *self = c->self;
	struct echo_state *state = echo_state(self);

	strata_close(self->stack, c->s);
	strata_free(self->stack, c->pending);
	*c->link = c->next;
	if (c->next != NULL)
		c->next->link = c->link;
	strata_cache_free(state->connections, c);
	state->count--;
	if (state->starved)
		strata_work_add(self->stack, &state->accept_work);
}

static void connection_abort(struct echo_connection *c)
{
	strata_count(c->self, ECHO_COUNT_ABORTED, 1);
	connection_free(c);
}

/* What a step of a connection came to. */
enum step {
	STEP_AGAIN,		/* go on */
	STEP_WAIT,		/* until the socket tells of more */
	STEP_DONE,		/* all is sent: close */
	STEP_FAILED,
};

static enum step step_of_error(ssize_t result)
{
	return result == -EAGAIN ? STEP_WAIT : STEP_FAILED;
}

static enum step send_pending(struct echo_connection *c)
{
	ssize_t n = strata_send(c->self->stack, c->s, c->pending + c->pending_offset,
				c->pending_length, MSG_NOSIGNAL);

	if (n < 0)
		return step_of_error(n);
	c->pending_offset += (uint32_t)n;
	c->pending_length -= (uint32_t)n;
	if (c->pending_length == 0) {
		strata_free(c->self->stack, c->pending);
		c->pending = NULL;
	}
	return STEP_AGAIN;
}

/* Keeps what the socket did not take. */
static enum step keep(struct echo_connection *c, const uint8_t *bytes, uint32_t length)
{
	c->pending = strata_alloc(c->self->stack, length);
	if (c->pending == NULL)
		return STEP_FAILED;
	memcpy(c->pending, bytes, length);
	c->pending_offset = 0;
	c->pending_length = length;
	return STEP_AGAIN;
}

static ssize_t read_some(struct echo_connection *c)
{
	return strata_recv(c->self->stack, c->s, echo_state(c->self)->scratch, ECHO_SCRATCH, 0);
}

/* After `n` bytes were read: less than was asked for was all, and what comes later is told. */
static enum step step_after(const struct echo_connection *c, ssize_t n)
{
	return n == ECHO_SCRATCH || c->over ? STEP_AGAIN : STEP_WAIT;
}

static enum step step_echo(struct echo_connection *c)
{
	uint8_t *scratch = echo_state(c->self)->scratch;
	ssize_t n, sent;

	if (c->pending != NULL)
		return send_pending(c);
	if (c->ended)
		return STEP_DONE;
	n = read_some(c);
	if (n < 0)
		return step_of_error(n);
	if (n == 0) {
		c->ended = true;
		return STEP_AGAIN;
	}
	sent = strata_send(c->self->stack, c->s, scratch, (size_t)n, MSG_NOSIGNAL);
	if (sent < 0 && sent != -EAGAIN)
		return STEP_FAILED;
	if (sent < 0)
		sent = 0;
	return sent == n ? step_after(c, n) : keep(c, scratch + sent, (uint32_t)(n - sent));
}

static enum step step_discard(struct echo_connection *c)
{
	ssize_t n = read_some(c);

	if (n > 0)
		return step_after(c, n);
	return n == 0 ? STEP_DONE : step_of_error(n);
}

/* RFC 864: characters until the peer closes; what it sends is thrown away. */
static enum step step_chargen(struct echo_connection *c)
{
	const uint8_t *pattern = echo_pattern(c->self);
	enum step step = step_discard(c);
	ssize_t n;

	if (pattern == NULL)
		return STEP_FAILED;
	if (step != STEP_WAIT)
		return step;
	if (c->ended)
		return STEP_DONE;
	n = strata_send(c->self->stack, c->s, pattern + c->chargen_offset,
			CHARGEN_SIZE - c->chargen_offset, MSG_NOSIGNAL);
	if (n < 0)
		return step_of_error(n);
	c->chargen_offset = (c->chargen_offset + (uint32_t)n) % CHARGEN_PERIOD;
	return STEP_AGAIN;
}

/* Goes on until the socket has nothing more to read or no room. May free the connection. */
static void work(struct echo_connection *c)
{
	static enum step (*const steps[])(struct echo_connection *) = {
		[ECHO_ECHO] = step_echo,
		[ECHO_DISCARD] = step_discard,
		[ECHO_CHARGEN] = step_chargen,
	};
	enum step step;

	do
		step = steps[c->protocol](c);
	while (step == STEP_AGAIN);
	if (step == STEP_DONE)
		connection_free(c);
	else if (step == STEP_FAILED)
		connection_abort(c);
}

static void connection_ready(struct strata_stack *stack, int s, uint32_t events, void *arg)
{
	struct echo_connection *c = arg;

	(void)stack;
	(void)s;
	c->over |= (events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)) != 0;
	work(c);
}

/* ---- accepting ---- */

/* Nothing is lost: connections stay in the transport's queue until there is room. */
static void starve(struct strata_instance *self)
{
	struct echo_state *state = echo_state(self);

	if (!state->starved)
		strata_count(self, ECHO_COUNT_STARVED, 1);
	state->starved = true;
	strata_timer_start(self->stack, &state->accept_timer, strata_now(self->stack) +
			   ACCEPT_RETRY);
}

static int accept_one(struct echo_port *port)
{
	struct strata_instance *self = port->self;
	struct echo_state *state = echo_state(self);
	const struct echo_config *config = self->config;
	struct echo_connection *c;
	int s;

	if (state->count >= config->max_connections)
		return -EMFILE;
	c = strata_cache_alloc(state->connections);
	if (c == NULL)
		return -ENOBUFS;
	s = strata_accept(self->stack, port->s, NULL, NULL);
	if (s < 0) {
		strata_cache_free(state->connections, c);
		return s;
	}
	c->self = self;
	c->s = s;
	c->protocol = port->protocol;
	c->next = state->first;
	c->link = &state->first;
	if (c->next != NULL)
		c->next->link = &c->next;
	state->first = c;
	state->count++;
	strata_count(self, ECHO_COUNT_CONNECTIONS, 1);
	strata_notify(self->stack, s, connection_ready, c);
	return 0;
}

void echo_accept(struct echo_port *port)
{
	int err;

	do
		err = accept_one(port);
	while (err == 0 || err == -ECONNABORTED);
	if (err == -EMFILE || err == -ENOBUFS || err == -ENOMEM)
		starve(port->self);
}

void echo_accept_again(struct strata_instance *self)
{
	struct echo_state *state = echo_state(self);
	unsigned int i;

	state->starved = false;
	strata_timer_stop(self->stack, &state->accept_timer);
	for (i = 0; i < ECHO_PORTS; i++)
		if (state->ports[i].transport == ECHO_TCP && state->ports[i].s >= 0)
			echo_accept(&state->ports[i]);
}

void echo_close_connections(struct strata_instance *self, bool flush)
{
	struct echo_connection *c, *next;

	for (c = echo_state(self)->first; c != NULL; c = next) {
		next = c->next;
		if (!flush) {
			connection_free(c);
			continue;
		}
		/* What has come in is still answered; what has not is no longer waited for. */
		work(c);
	}
	if (!flush)
		return;
	for (c = echo_state(self)->first; c != NULL; c = next) {
		next = c->next;
		c->ended = true;
		work(c);
	}
}
