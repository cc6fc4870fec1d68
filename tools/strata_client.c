/* SPDX-License-Identifier: BSD-2-Clause */
/* The program's end of the control socket; docs/control.md is the protocol. */
#include <errno.h>
#include <string.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>
#include "strata_cli.h"

/* A reply is a line of at most 64 KiB. */
#define REPLY_MAX 65536
/* Local choice: seconds a reply may take. */
#define REPLY_TIME 10

static bool socket_address(const struct cli *cli, struct sockaddr_un *address)
{
	int n;

	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	if (cli->run_dir != NULL)
		n = snprintf(address->sun_path, sizeof(address->sun_path), "%s/control.sock",
			     cli->run_dir);
	else
		n = snprintf(address->sun_path, sizeof(address->sun_path),
			     STRATA_RUNSTATEDIR "/strata/%s/control.sock", cli->stack);
	if (n < 0 || (size_t)n >= sizeof(address->sun_path)) {
		cli_error("the run directory's path is too long for a socket");
		return false;
	}
	return true;
}

static int open_control(const struct cli *cli)
{
	const struct timeval limit = { .tv_sec = REPLY_TIME };
	struct sockaddr_un address;
	int fd;

	if (!socket_address(cli, &address))
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		cli_error("socket: %s", strerror(errno));
		return -1;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		cli_error("no stack answers at %s: %s; start one with `stratad -c FILE`, or name its "
			  "directory with --run-dir", address.sun_path, strerror(errno));
		close(fd);
		return -1;
	}
	return fd;
}

static bool send_request(int fd, const char *what, json_int_t from)
{
	json_t *request = json_pack("{s:i, s:I, s:s, s:s, s:I}", "v", 1, "id", from, "method", "show",
				    "what", what, "from", from);
	char *text = request != NULL ? json_dumps(request, JSON_COMPACT) : NULL;
	size_t length, sent = 0;

	json_decref(request);
	if (text == NULL) {
		cli_error("'%s' cannot be asked for", what);
		return false;
	}
	length = strlen(text);
	text[length++] = '\n';	/* in the place of the final NUL */
	while (sent < length) {
		ssize_t n = send(fd, text + sent, length - sent, MSG_NOSIGNAL);

		if (n <= 0) {
			cli_error("the stack took no request: %s", strerror(errno));
			break;
		}
		sent += (size_t)n;
	}
	free(text);
	return sent == length;
}

/* One line into `buf` of REPLY_MAX bytes. Returns its length without the newline; 0: none came. */
static size_t read_line(int fd, char *buf)
{
	size_t length = 0;

	while (length < REPLY_MAX) {
		ssize_t n = recv(fd, buf + length, REPLY_MAX - length, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			cli_error("the stack does not answer: %s", n == 0 ? "it closed the connection" :
				  errno == EAGAIN ? "no reply in time" : strerror(errno));
			return 0;
		}
		length += (size_t)n;
		if (buf[length - 1] == '\n')
			return length - 1;
	}
	cli_error("the stack's reply is longer than a reply may be");
	return 0;
}

static json_t *read_reply(int fd, char *buf)
{
	size_t length = read_line(fd, buf);
	json_error_t fault;
	json_t *reply;

	if (length == 0)
		return NULL;
	reply = json_loadb(buf, length, 0, &fault);
	if (!json_is_object(reply)) {
		cli_error("the stack's reply is no JSON object: %s", fault.text);
		json_decref(reply);
		return NULL;
	}
	if (!json_is_true(json_object_get(reply, "ok"))) {
		const char *message = json_string_value(json_object_get(
			json_object_get(reply, "error"), "message"));

		cli_error("%s", message != NULL ? message : "the stack refused the request");
		json_decref(reply);
		return NULL;
	}
	return reply;
}

json_t *cli_fetch(const struct cli *cli, const char *what)
{
	json_t *all = json_array();
	json_int_t from = 0, next = 0;
	char *buf = malloc(REPLY_MAX);
	int fd = open_control(cli);

	if (fd < 0 || buf == NULL || all == NULL)
		goto out_fail;
	do {
		json_t *reply;

		from = next;
		if (!send_request(fd, what, from))
			goto out_fail;
		reply = read_reply(fd, buf);
		if (reply == NULL)
			goto out_fail;
		json_array_extend(all, json_object_get(reply, "result"));
		next = json_integer_value(json_object_get(reply, "next"));
		json_decref(reply);
	} while (next > from);
	goto out_free;
out_fail:
	json_decref(all);
	all = NULL;
out_free:
	free(buf);
	if (fd >= 0)
		close(fd);
	return all;
}
