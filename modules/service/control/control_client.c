/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Clients of the control socket. Each has a bounded buffer either way; nothing is read from one that
 * has not taken its reply; one request a client and turn of the loop, so that packets come between.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "control_int.h"

static const struct control_config *config_of(const struct control *control)
{
	return control->self->config;
}

void control_reserve(struct control *control)
{
	if (control->reserve < 0)
		control->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

void control_client_close(struct control_client *client)
{
	struct control *control = client->control;
	struct strata_stack *stack = control->self->stack;

	control_stream_free(client);
	control_forget_laid(client);
	strata_watch_remove(stack, &client->watch);
	strata_timer_stop(stack, &client->timer);
	if (control->working != NULL && control->working->client == client) {
		control->working->orphan = client->watch.fd;
		control->working->control = NULL;
		control->working->client = NULL;
	} else {
		close(client->watch.fd);
	}
	*client->link = client->next;
	if (client->next != NULL)
		client->next->link = client->link;
	control->client_count--;
	strata_free(stack, client);
	control_reserve(control);
}

bool control_client_evict(struct control *control)
{
	struct control_client *client, *oldest = NULL;
	uint64_t now = strata_now(control->self->stack);

	for (client = control->clients; client != NULL; client = client->next)
		if (client->in_length == 0 && client->out_length == 0 && client->stream == NULL &&
		    client->laid == NULL && (oldest == NULL || client->active < oldest->active))
			oldest = client;
	if (oldest == NULL || now - oldest->active < config_of(control)->timeout)
		return false;
	strata_count(control->self, CONTROL_COUNTER_EVICTED, 1);
	control_client_close(oldest);
	return true;
}

static size_t line_length(const struct control_client *client)
{
	const char *end = memchr(client->in, '\n', client->in_length);

	return end != NULL ? (size_t)(end - client->in) + 1 : 0;
}

/* Answers the first line of what came in. */
static void answer_line(struct control_client *client, size_t length)
{
	bool streaming = control_stream_state(client) != NULL;
	size_t text = length - 1, answer = 0;

	if (text != 0 && client->in[text - 1] == '\r')
		text--;
	if (text != 0)	/* an empty line is no request */
		answer = control_answer(client, client->in, text, client->out);
	if (streaming && answer != 0)	/* not in the middle of an event that is half sent */
		control_stream_write(client, client->out, answer);
	else
		client->out_length = answer;
	client->in_length -= length;
	memmove(client->in, client->in + length, client->in_length);
	strata_timer_stop(client->control->self->stack, &client->timer);
}

/* Sends of the reply, and then of its stream, what the client takes. Returns false when it is gone. */
static bool flush(struct control_client *client)
{
	while (client->out_sent < client->out_length) {
		ssize_t n = send(client->watch.fd, client->out + client->out_sent,
				 client->out_length - client->out_sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK;
		client->out_sent += (size_t)n;
		client->active = strata_now(client->control->self->stack);
		strata_timer_stop(client->control->self->stack, &client->timer);
	}
	client->out_length = 0;
	client->out_sent = 0;
	if (!control_stream_flush(client))
		return false;
	if (control_stream_draining(client) && !control_stream_pending(client))
		control_stream_free(client);
	return true;
}

/* Reads once. Returns false when the client is gone. */
static bool fill(struct control_client *client)
{
	ssize_t n;

	do
		n = recv(client->watch.fd, client->in + client->in_length,
			 CONTROL_BUFFER - client->in_length, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK;
	if (n == 0)
		client->ended = true;
	client->in_length += (size_t)n;
	client->active = strata_now(client->control->self->stack);
	return true;
}

/* Asks for the events that the client's state waits for, and limits how long it may. */
static void wait_for(struct control_client *client, size_t line)
{
	struct strata_stack *stack = client->control->self->stack;
	bool out = client->out_length != 0 || control_stream_draining(client);

	if (client->laid != NULL) {	/* nothing to wait for but the end of the batch; a hang-up is told */
		strata_watch_set(stack, &client->watch, 0);
		strata_timer_stop(stack, &client->timer);
		return;
	}
	/* With a line left, or nothing more to come, being writable is the next turn's call. */
	strata_watch_set(stack, &client->watch, out || line != 0 || client->ended ? EPOLLOUT :
			 EPOLLIN | (control_stream_pending(client) ? EPOLLOUT : 0));
	if (!out && (client->in_length == 0 || line != 0)) {
		strata_timer_stop(stack, &client->timer);
		return;
	}
	/* From the request's first byte on, or the reply's last progress: the timer is not moved. */
	if (!strata_timer_pending(&client->timer) || client->waiting_out != out)
		strata_timer_start(stack, &client->timer,
				   strata_now(stack) + config_of(client->control)->timeout);
	client->waiting_out = out;
}

/* Whether the next request has to wait for the client to take what it was sent. */
static bool is_behind(const struct control_client *client)
{
	return client->out_length != 0 || client->laid != NULL || control_stream_draining(client);
}

/* Its line has no end within the buffer. */
static void refuse_long(struct control_client *client)
{
	strata_count(client->control->self, CONTROL_COUNTER_ERRORS, 1);
	if (control_stream_state(client) != NULL)
		control_stream_finish(client, "a request was too long");
	else
		client->out_length = control_error(client->out, NULL, "too_long",
						   "a request has at most 65535 bytes");
	client->in_length = 0;
	client->closing = true;
}

/* Works what has come in, `readable`: more may have. Returns false when the client is gone. */
static bool work_input(struct control_client *client, bool readable)
{
	size_t line = line_length(client);

	if (line == 0 && readable && !client->ended) {
		if (!fill(client))
			return false;
		line = line_length(client);
	}
	if (control_stream_raw(client) && (client->in_length != 0 || client->ended)) {
		client->in_length = 0;
		control_stream_finish(client, "stopped");
	} else if (line != 0) {
		answer_line(client, line);
	} else if (client->in_length == CONTROL_BUFFER) {
		refuse_long(client);
	} else if (client->ended) {
		control_stream_finish(client, "the client closed its side");
	}
	return true;
}

void control_client_push(struct control_client *client)
{
	size_t line;

	if (!flush(client))
		goto out_close;
	if (client->closing && client->stream == NULL && client->out_length == 0)
		goto out_close;
	line = client->closing || is_behind(client) ? 0 : line_length(client);
	if (client->ended && line == 0 && !is_behind(client) && client->stream == NULL)
		goto out_close;
	wait_for(client, line);
	return;
out_close:
	control_client_close(client);
}

/* One step of the client's work; may close it. */
static void client_step(struct control_client *client, bool readable)
{
	if (!flush(client) || (!is_behind(client) && !client->closing && !work_input(client, readable)))
		control_client_close(client);
	else
		control_client_push(client);
}

static void client_ready(struct strata_stack *stack, struct strata_watch *watch, uint32_t events)
{
	struct control_client *client = strata_container_of(watch, struct control_client, watch);

	(void)stack;
	if ((events & (EPOLLERR | EPOLLHUP)) && !(events & EPOLLIN)) {
		control_client_close(client);
		return;
	}
	client_step(client, (events & EPOLLIN) != 0);
}

static void client_timeout(struct strata_stack *stack, struct strata_timer *timer)
{
	struct control_client *client = strata_container_of(timer, struct control_client, timer);

	(void)stack;
	strata_count(client->control->self, CONTROL_COUNTER_TIMEOUTS, 1);
	if (client->out_length == 0 && client->stream == NULL) {
		client->out_length = control_error(client->out, NULL, "timeout",
						   "the request did not end in time");
		flush(client);	/* as far as it goes */
	}
	control_client_close(client);
}

void control_client_add(struct control *control, int fd)
{
	struct strata_stack *stack = control->self->stack;
	struct control_client *client = strata_alloc(stack, sizeof(*client));

	if (client == NULL)
		goto out_refuse;
	client->control = control;
	client->watch.ready = client_ready;
	client->timer.fire = client_timeout;
	client->active = strata_now(stack);
	client->admin = control_access_admin(control, fd);
	if (strata_watch_add(stack, &client->watch, fd, EPOLLIN) < 0)
		goto out_refuse;
	client->next = control->clients;
	client->link = &control->clients;
	if (client->next != NULL)
		client->next->link = &client->next;
	control->clients = client;
	control->client_count++;
	strata_count(control->self, CONTROL_COUNTER_ACCEPTED, 1);
	return;
out_refuse:
	strata_free(stack, client);
	close(fd);
	strata_count(control->self, CONTROL_COUNTER_REFUSED, 1);
	control_reserve(control);
}
