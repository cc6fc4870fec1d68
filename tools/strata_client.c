/* SPDX-License-Identifier: BSD-2-Clause */
/* The program's end of the control socket; docs/control.md is the protocol. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>
#include "strata_cli.h"

/* A reply is a line of at most 64 KiB. */
#define REPLY_MAX 65536
/* Local choice: the longest line of a stream. */
#define EVENT_MAX (1 << 20)
/* Local choice: seconds a reply may take; completion does not keep a person waiting. */
#define REPLY_TIME 10
#define QUIET_TIME 1
#define NO_SHARD UINT64_MAX

struct cli_link {
	int fd;
	bool quiet;		/* faults are not told */
	uint64_t shard;		/* the one that is meant; NO_SHARD: all */
	json_int_t id;		/* of the last request */
	size_t length;		/* bytes in buf that belong to no line yet */
	char buf[REPLY_MAX];
};

struct cli_stream {
	struct cli_link *link;
	json_t *result;
	int signals;
	bool stopped, failed;
	size_t length, scanned, room;	/* of line */
	char *line;
};

/* ---- the connection ---- */

static bool socket_address(const struct cli *cli, struct sockaddr_un *address)
{
	char shard[16] = "";
	uint64_t number;
	int n;

	if (cli->shard != NULL && cli_number(cli->shard, 1, UINT16_MAX, &number))
		snprintf(shard, sizeof(shard), "-%u", (unsigned int)number);
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	if (cli->run_dir != NULL)
		n = snprintf(address->sun_path, sizeof(address->sun_path), "%s/control%s.sock",
			     cli->run_dir, shard);
	else
		n = snprintf(address->sun_path, sizeof(address->sun_path),
			     STRATA_RUNSTATEDIR "/strata/%s/control%s.sock", cli->stack, shard);
	if (n < 0 || (size_t)n >= sizeof(address->sun_path)) {
		cli_error("the run directory's path is too long for a socket");
		return false;
	}
	return true;
}

static void tell_unreachable(const struct sockaddr_un *address, int fault)
{
	const char *remedy = "start one with `stratad -c FILE`, or name its directory with --run-dir";

	if (fault == EACCES || fault == EPERM)
		remedy = "you may not open the socket: its group and root may";
	if (fault == EAGAIN)
		remedy = "too many wait for an answer: try again";
	cli_error("no stack answers at %s: %s; %s", address->sun_path, strerror(fault), remedy);
}

static struct cli_link *connect_with(const struct cli *cli, time_t seconds, bool quiet)
{
	const struct timeval limit = { .tv_sec = seconds };
	struct cli_link *link = malloc(sizeof(*link));
	struct sockaddr_un address;

	if (link == NULL) {
		cli_error("out of memory");
		return NULL;
	}
	link->quiet = quiet;
	if (cli->shard == NULL || !cli_number(cli->shard, 0, UINT16_MAX, &link->shard))
		link->shard = NO_SHARD;
	link->id = 0;
	link->length = 0;
	link->fd = -1;
	if (!socket_address(cli, &address))
		goto out_fail;
	link->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (link->fd < 0) {
		cli_error("socket: %s", strerror(errno));
		goto out_fail;
	}
	setsockopt(link->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(link->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(link->fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		if (!quiet)
			tell_unreachable(&address, errno);
		goto out_fail;
	}
	return link;
out_fail:
	cli_disconnect(link);
	return NULL;
}

struct cli_link *cli_connect(const struct cli *cli)
{
	return connect_with(cli, REPLY_TIME, false);
}

void cli_disconnect(struct cli_link *link)
{
	if (link != NULL && link->fd >= 0)
		close(link->fd);
	free(link);
}

/* ---- a request and its reply ---- */

static bool send_line(struct cli_link *link, const json_t *request)
{
	char *text = json_dumps(request, JSON_COMPACT);
	size_t length, sent = 0;

	if (text == NULL) {
		cli_error("the request cannot be made: out of memory");
		return false;
	}
	length = strlen(text);
	text[length++] = '\n';	/* in the place of the final NUL */
	while (sent < length) {
		ssize_t n = send(link->fd, text + sent, length - sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			if (!link->quiet)
				cli_error("the stack took no request: %s", strerror(errno));
			break;
		}
		sent += (size_t)n;
	}
	free(text);
	return sent == length;
}

static void tell_silence(const struct cli_link *link, ssize_t n)
{
	if (!link->quiet)
		cli_error("the stack does not answer: %s", n == 0 ? "it closed the connection" :
			  errno == EAGAIN ? "no reply in time" : strerror(errno));
}

/* Bytes to read without taking any that follow the line; 0 or less: none come. Fills the buffer with what is there. */
static ssize_t peek_line(struct cli_link *link)
{
	char *at = link->buf + link->length, *end;
	ssize_t n;

	do
		n = recv(link->fd, at, REPLY_MAX - link->length, MSG_PEEK);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n;
	end = memchr(at, '\n', (size_t)n);
	return end != NULL ? end - at + 1 : n;
}

/* One line into the buffer; what follows it stays in the socket. Returns its length without the newline; 0: none came. */
static size_t read_line(struct cli_link *link)
{
	link->length = 0;
	while (link->length < REPLY_MAX) {
		ssize_t n = peek_line(link);

		if (n > 0)
			n = recv(link->fd, link->buf + link->length, (size_t)n, 0);
		if (n <= 0) {
			tell_silence(link, n);
			return 0;
		}
		link->length += (size_t)n;
		if (link->buf[link->length - 1] == '\n')
			return link->length - 1;
	}
	cli_error("the stack's reply is longer than a reply may be");
	return 0;
}

static json_t *read_reply(struct cli_link *link)
{
	size_t length = read_line(link);
	json_error_t fault;
	json_t *reply;

	if (length == 0)
		return NULL;
	reply = json_loadb(link->buf, length, 0, &fault);
	if (!json_is_object(reply)) {
		cli_error("the stack's reply is no JSON object: %s", fault.text);
		json_decref(reply);
		return NULL;
	}
	if (!json_is_true(json_object_get(reply, "ok"))) {
		const char *message = json_string_value(json_object_get(
			json_object_get(reply, "error"), "message"));

		if (!link->quiet)
			cli_error("%s", message != NULL ? message : "the stack refused the request");
		json_decref(reply);
		return NULL;
	}
	return reply;
}

static json_t *exchange(struct cli_link *link, json_t *request)
{
	if (link->shard != NO_SHARD)
		json_object_set_new(request, "shard", json_integer((json_int_t)link->shard));
	if (json_object_set_new(request, "v", json_integer(1)) != 0 ||
	    json_object_set_new(request, "id", json_integer(++link->id)) != 0) {
		cli_error("out of memory");
		return NULL;
	}
	return send_line(link, request) ? read_reply(link) : NULL;
}

json_t *cli_ask(struct cli_link *link, json_t *request)
{
	json_int_t from = 0, next = 0;
	json_t *all = NULL;

	do {
		json_t *reply = exchange(link, request), *result;

		if (reply == NULL) {
			json_decref(all);
			all = NULL;
			break;
		}
		result = json_object_get(reply, "result");
		from = next;
		next = json_integer_value(json_object_get(reply, "next"));
		if (all != NULL)
			json_array_extend(all, result);
		else
			all = result != NULL ? json_incref(result) : json_null();
		json_decref(reply);
		json_object_set_new(request, "from", json_integer(next));
	} while (next > from && json_is_array(all));
	json_decref(request);
	return all;
}

json_t *cli_call(const struct cli *cli, json_t *request)
{
	struct cli_link *link = cli_connect(cli);
	json_t *result;

	if (link == NULL) {
		json_decref(request);
		return NULL;
	}
	result = cli_ask(link, request);
	cli_disconnect(link);
	return result;
}

/* ---- tables ---- */

/* An array, whatever the stack sent. */
static json_t *entries_of(json_t *result)
{
	if (result == NULL || json_is_array(result))
		return result;
	cli_error("the stack's reply is no table");
	json_decref(result);
	return NULL;
}

json_t *cli_fetch_by(struct cli_link *link, json_t *request)
{
	return entries_of(cli_ask(link, request));
}

json_t *cli_fetch_on(struct cli_link *link, const char *what)
{
	return cli_merge_shards(what, cli_fetch_by(link, json_pack("{s:s, s:s}", "method", "show", "what",
								   what)));
}

json_t *cli_fetch(const struct cli *cli, const char *what)
{
	return cli_merge_shards(what, entries_of(cli_call(cli, json_pack("{s:s, s:s}", "method", "show", "what",
									 what))));
}

json_t *cli_fetch_quietly(const struct cli *cli, const char *what)
{
	struct cli_link *link = connect_with(cli, QUIET_TIME, true);
	json_t *entries;

	if (link == NULL)
		return NULL;
	entries = cli_fetch_on(link, what);
	cli_disconnect(link);
	return entries;
}

/* ---- streams ---- */

int cli_signal_fd(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	fd = sigprocmask(SIG_BLOCK, &set, NULL) == 0 ? signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK) : -1;
	if (fd < 0)
		cli_error("signals cannot be waited for: %s", strerror(errno));
	return fd;
}

struct cli_stream *cli_stream_open(const struct cli *cli, json_t *request)
{
	static const struct timeval forever;
	struct cli_stream *stream = calloc(1, sizeof(*stream));
	json_t *reply = NULL;

	if (stream == NULL) {
		cli_error("out of memory");
		json_decref(request);
		return NULL;
	}
	stream->signals = -1;
	stream->link = cli_connect(cli);
	if (stream->link != NULL)
		reply = exchange(stream->link, request);
	json_decref(request);
	if (reply == NULL)
		goto out_fail;
	stream->result = json_incref(json_object_get(reply, "result"));
	json_decref(reply);
	setsockopt(stream->link->fd, SOL_SOCKET, SO_RCVTIMEO, &forever, sizeof(forever));
	stream->signals = cli_signal_fd();
	if (stream->signals >= 0)
		return stream;
out_fail:
	cli_stream_close(stream);
	return NULL;
}

const json_t *cli_stream_result(const struct cli_stream *stream)
{
	return stream->result;
}

int cli_stream_fd(const struct cli_stream *stream)
{
	return stream->link->fd;
}

int cli_stream_signal_fd(const struct cli_stream *stream)
{
	return stream->signals;
}

bool cli_stream_failed(const struct cli_stream *stream)
{
	return stream->failed;
}

void cli_stream_stop(struct cli_stream *stream)
{
	json_t *request;

	if (stream->stopped)
		return;
	stream->stopped = true;
	request = json_pack("{s:i, s:s}", "v", 1, "method", "stop");
	/* A stack that is gone is told by the next read. */
	stream->link->quiet = true;
	if (request != NULL)
		send_line(stream->link, request);
	json_decref(request);
}

static json_t *stream_failure(struct cli_stream *stream, const char *why)
{
	cli_error("the stream broke: %s", why);
	stream->failed = true;
	return NULL;
}

/* The object of the line of `length` bytes with its newline, which leaves the buffer. */
static json_t *take_event(struct cli_stream *stream, size_t length)
{
	json_error_t fault;
	json_t *event = json_loadb(stream->line, length, 0, &fault);

	stream->length -= length;
	stream->scanned = 0;
	memmove(stream->line, stream->line + length, stream->length);
	if (!json_is_object(event)) {
		json_decref(event);
		return stream_failure(stream, "a line is no JSON object");
	}
	return event;
}

static bool make_room(struct cli_stream *stream)
{
	size_t room = stream->room != 0 ? 2 * stream->room : REPLY_MAX;
	char *line;

	if (stream->length < stream->room)
		return true;
	line = room <= EVENT_MAX ? realloc(stream->line, room) : NULL;
	if (line == NULL)
		return false;
	stream->line = line;
	stream->room = room;
	return true;
}

/* Waits for bytes; a signal meanwhile asks the stack to stop. A second one gives up. Returns false then. */
static bool wait_bytes(struct cli_stream *stream)
{
	struct pollfd fds[] = {
		{ .fd = stream->link->fd, .events = POLLIN }, { .fd = stream->signals, .events = POLLIN },
	};
	struct signalfd_siginfo info;

	for (;;) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return false;
		if ((fds[1].revents & POLLIN) && read(stream->signals, &info, sizeof(info)) > 0) {
			if (stream->stopped)
				return false;
			cli_stream_stop(stream);
		}
		if (fds[0].revents != 0)
			return true;
	}
}

json_t *cli_stream_next(struct cli_stream *stream)
{
	for (;;) {
		char *end = stream->length == stream->scanned ? NULL :
			memchr(stream->line + stream->scanned, '\n', stream->length - stream->scanned);
		ssize_t n;

		if (end != NULL)
			return take_event(stream, (size_t)(end - stream->line) + 1);
		stream->scanned = stream->length;
		if (!make_room(stream))
			return stream_failure(stream, "a line is too long");
		if (!wait_bytes(stream))
			return NULL;
		n = recv(stream->link->fd, stream->line + stream->length, stream->room - stream->length, 0);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return stream_failure(stream, strerror(errno));
		if (n == 0 && stream->length != 0)
			return stream_failure(stream, "it ended in the middle of a line");
		if (n == 0)
			return NULL;
		if (n > 0)
			stream->length += (size_t)n;
	}
}

void cli_stream_close(struct cli_stream *stream)
{
	cli_disconnect(stream->link);
	json_decref(stream->result);
	if (stream->signals >= 0)
		close(stream->signals);
	free(stream->line);
	free(stream);
}
