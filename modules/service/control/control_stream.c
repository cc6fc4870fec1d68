/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Streams: what follows a reply until the client has enough. A source, which may be in the middle of a
 * packet's path, puts whole events into a bounded ring and goes on; the ring is sent at the end of the
 * batch, and when the client takes more. What finds no room is lost, counted and told.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include "control_int.h"

/* Local choice: longest event, a line with all around it. */
#define EVENT_MAX 32768
/* Room that only the event `end` may use. */
#define END_ROOM 512
/* Longest beginning of a line, as control_put_id() writes it. */
#define PREFIX_MAX 160

struct control_stream {
	const struct control_stream_ops *ops;
	void *state;
	struct control_client *client;
	struct strata_work work;	/* the end of the batch: send, and stop if the source has ended */
	uint64_t events, lost;
	uint64_t untold;		/* of the lost ones, those that no event `lost` has told of yet */
	const char *reason;		/* why the source has ended; NULL: it has not */
	bool running;			/* started and not stopped */
	bool ending;			/* its `stop` is being called: the last room may be used */
	char prefix[PREFIX_MAX];	/* `"v":1,"id":7` */
	char line[EVENT_MAX];		/* an event in the making */
	size_t size, head, length;	/* of the ring: its bytes, the first one used, those used */
	char ring[];
};

static const struct control_config *config_of(const struct control_client *client)
{
	return client->control->self->config;
}

/* ---- the ring ---- */

static void ring_put(struct control_stream *stream, const void *bytes, size_t length)
{
	size_t tail = (stream->head + stream->length) % stream->size;
	size_t first = length < stream->size - tail ? length : stream->size - tail;

	memcpy(stream->ring + tail, bytes, first);
	memcpy(stream->ring, (const char *)bytes + first, length - first);
	stream->length += length;
}

bool control_stream_flush(struct control_client *client)
{
	struct control_stream *stream = client->stream;

	while (stream != NULL && stream->length != 0) {
		size_t first = stream->size - stream->head;
		struct iovec parts[2] = {
			{ stream->ring + stream->head, first < stream->length ? first : stream->length },
			{ stream->ring, first < stream->length ? stream->length - first : 0 },
		};
		struct msghdr msg = { .msg_iov = parts, .msg_iovlen = parts[1].iov_len != 0 ? 2 : 1 };
		ssize_t n = sendmsg(client->watch.fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK;
		stream->head = (stream->head + (size_t)n) % stream->size;
		stream->length -= (size_t)n;
		client->active = strata_now(client->control->self->stack);
		if (!stream->running)	/* the end has to get on; while it runs the client may pause */
			strata_timer_stop(client->control->self->stack, &client->timer);
	}
	return true;
}

/* ---- writing ---- */

void *control_stream_state(const struct control_client *client)
{
	return client->stream != NULL && client->stream->running ? client->stream->state : NULL;
}

static size_t room_of(const struct control_stream *stream)
{
	size_t used = stream->length + (stream->ending && stream->ops->raw ? 0 : END_ROOM);

	return used < stream->size ? stream->size - used : 0;
}

size_t control_stream_room(const struct control_client *client)
{
	return client->stream != NULL ? room_of(client->stream) : 0;
}

void control_stream_lose(struct control_client *client, uint64_t events)
{
	if (client->stream == NULL)
		return;
	client->stream->lost += events;
	client->stream->untold += events;
	strata_count(client->control->self, CONTROL_COUNTER_STREAM_LOST, events);
}

uint64_t control_stream_lost(const struct control_client *client)
{
	return client->stream != NULL ? client->stream->lost : 0;
}

/* What is to be told before the next event, where events are missing. Returns its length. */
static size_t gap_line(const struct control_stream *stream, char *line, size_t size)
{
	if (stream->untold == 0 || stream->ops->raw)
		return 0;
	return (size_t)snprintf(line, size, "{%s,\"event\":\"lost\",\"data\":{\"events\":%llu}}\n",
				stream->prefix, (unsigned long long)stream->untold);
}

bool control_stream_write(struct control_client *client, const void *bytes, size_t length)
{
	struct control_stream *stream = client->stream;
	char gap[PREFIX_MAX + 80];
	size_t before;

	if (stream == NULL || !stream->running)
		return false;
	before = gap_line(stream, gap, sizeof(gap));
	if (before + length > room_of(stream)) {
		control_stream_lose(client, 1);
		return false;
	}
	ring_put(stream, gap, before);
	ring_put(stream, bytes, length);
	stream->untold = 0;
	stream->events++;
	strata_work_add(client->control->self->stack, &stream->work);
	return true;
}

bool control_stream_event(struct control_client *client, const char *event, json_t *data)
{
	struct control_stream *stream = client->stream;
	size_t length, room, n = 0;

	if (stream == NULL || !stream->running) {
		json_decref(data);
		return false;
	}
	length = (size_t)snprintf(stream->line, EVENT_MAX, "{%s,\"event\":\"%s\",\"data\":",
				  stream->prefix, event);
	room = EVENT_MAX - length - 2;
	if (data != NULL)
		n = json_dumpb(data, stream->line + length, room, JSON_COMPACT | JSON_ENCODE_ANY);
	json_decref(data);
	if (n == 0 || n > room) {
		control_stream_lose(client, 1);
		return false;
	}
	length += n;
	stream->line[length++] = '}';
	stream->line[length++] = '\n';
	return control_stream_write(client, stream->line, length);
}

/* ---- beginning and end ---- */

bool control_stream_draining(const struct control_client *client)
{
	return client->stream != NULL && !client->stream->running;
}

bool control_stream_pending(const struct control_client *client)
{
	return client->stream != NULL && client->stream->length != 0;
}

bool control_stream_raw(const struct control_client *client)
{
	return client->stream != NULL && client->stream->ops->raw;
}

void control_stream_free(struct control_client *client)
{
	struct control_stream *stream = client->stream;

	if (stream == NULL)
		return;
	if (stream->running)
		stream->ops->stop(client, stream->state);
	strata_work_cancel(client->control->self->stack, &stream->work);
	client->stream = NULL;
	client->control->stream_count--;
	strata_free(client->control->self->stack, stream);
}

void control_stream_finish(struct control_client *client, const char *reason)
{
	struct control_stream *stream = client->stream;
	char line[END_ROOM];
	int n;

	if (stream == NULL || !stream->running)
		return;
	stream->ending = true;
	stream->ops->stop(client, stream->state);
	stream->running = false;
	if (stream->ops->raw) {		/* nothing else can follow bytes that have no frame */
		client->closing = true;
		return;
	}
	n = snprintf(line, sizeof(line), "{%s,\"event\":\"end\",\"data\":{\"reason\":\"%.100s\","
		     "\"events\":%llu,\"lost\":%llu}}\n", stream->prefix, reason,
		     (unsigned long long)stream->events, (unsigned long long)stream->lost);
	ring_put(stream, line, (size_t)n);	/* it has its room */
}

void control_stream_end(struct control_client *client, const char *reason)
{
	if (client->stream == NULL || !client->stream->running)
		return;
	client->stream->reason = reason;
	strata_work_add(client->control->self->stack, &client->stream->work);
}

static void batch_ended(struct strata_stack *stack, struct strata_work *work)
{
	struct control_stream *stream = strata_container_of(work, struct control_stream, work);

	(void)stack;
	if (stream->reason != NULL)
		control_stream_finish(stream->client, stream->reason);
	control_client_push(stream->client);
}

size_t control_stream_start(struct control_request *request)
{
	struct control_client *client = request->client;
	struct control *control = request->control;
	const struct control_config *config = config_of(client);
	struct control_stream *stream;
	size_t length;

	if (control->stream_count >= config->streams)
		return control_fail(request, "busy", "all %u streams are taken; end one, or raise option "
				    "control.streams", control->stream_count);
	stream = strata_alloc(control->self->stack, sizeof(*stream) + config->stream_buffer + END_ROOM);
	if (stream == NULL)
		return control_fail(request, "failed", "out of memory; option control.stream_buffer says "
				    "how much a stream needs");
	stream->ops = request->method->stream;
	stream->client = client;
	stream->work.run = batch_ended;
	stream->size = config->stream_buffer + END_ROOM;
	stream->running = true;
	stream->prefix[control_put_id(stream->prefix, sizeof(stream->prefix), request->id)] = '\0';
	client->stream = stream;
	control->stream_count++;
	length = stream->ops->start(request, &stream->state);
	if (length != 0) {
		stream->running = false;
		control_stream_free(client);
		return length;
	}
	strata_count(control->self, CONTROL_COUNTER_STREAMS, 1);
	return control_result(request, json_object());
}

size_t control_stream_stop(struct control_request *request)
{
	if (request->client->stream == NULL || !request->client->stream->running)
		return control_fail(request, "bad_request", "no stream is running on this connection");
	control_stream_finish(request->client, "stopped");
	return 0;
}
