/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `strata capture`: packets of a running stack, as the pcapng that the stack sends (docs/control.md), into a file
 * or a pipe. Whole blocks are written alone, so that what is there can be read however the capture ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "strata_cli.h"

/* Longest block taken: a packet of 64 KiB with what goes with it is far shorter. */
#define BLOCK_MAX (1 << 18)
/* Local choice: interfaces that may be named. */
#define INTERFACES_MAX 64
/* POSIX: as much is taken at once by a pipe that takes anything, 512; Linux: a page. */
#define PIPE_STEP 4096

/* pcapng: blocks, and where in the statistics the options begin. */
#define ENHANCED_PACKET 6
#define INTERFACE_STATISTICS 5
#define STATISTICS_OPTIONS 20
#define ISB_IFDROP 5

/* How writing ended. */
enum outcome {
	GOES_ON,
	READER_GONE,		/* the pipe's other end: what it wanted it has */
	GIVEN_UP,		/* a second signal */
	FAILED,			/* told */
};

struct capture {
	struct cli_stream *stream;
	const char *path;	/* for messages */
	int fd;
	bool made;		/* the file was not there before */
	bool regular;
	bool stopped;		/* by a signal */
	bool statistics;	/* the stack has ended it in good order */
	uint64_t packets, lost, wanted;
	size_t length;
	uint8_t bytes[2 * BLOCK_MAX];
};

/* ---- where it goes ---- */

static bool open_output(struct capture *capture)
{
	const char *path = capture->path;
	struct stat status;

	capture->fd = STDOUT_FILENO;
	if (strcmp(path, "-") == 0) {
		capture->path = "standard output";
	} else {
		capture->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0666);
		capture->made = capture->fd >= 0;
		if (capture->fd < 0 && errno == EEXIST)
			capture->fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	}
	if (capture->fd < 0 || fstat(capture->fd, &status) < 0) {
		cli_error("%s: %s", path, strerror(errno));
		return false;
	}
	capture->regular = S_ISREG(status.st_mode);
	if (!isatty(capture->fd))
		return true;
	cli_error("a capture is no text for a terminal; write it to a file with `-w FILE`, or read it with "
		  "`strata capture | tshark -r -`");
	return false;
}

/* Empties a file that was there, once the capture is sure to run. */
static bool begin_output(struct capture *capture)
{
	if (capture->regular && capture->fd != STDOUT_FILENO && ftruncate(capture->fd, 0) < 0) {
		cli_error("%s: %s", capture->path, strerror(errno));
		return false;
	}
	return true;
}

/* Takes a signal: the first asks the stack for the end. Returns false for one more. */
static bool take_signal(struct capture *capture)
{
	struct signalfd_siginfo info;

	if (read(cli_stream_signal_fd(capture->stream), &info, sizeof(info)) <= 0)
		return true;
	if (capture->stopped)
		return false;
	capture->stopped = true;
	cli_stream_stop(capture->stream);
	return true;
}

/* Waits until a pipe takes something; signals are taken meanwhile. */
static enum outcome wait_output(struct capture *capture)
{
	struct pollfd fds[] = {
		{ .fd = capture->fd, .events = POLLOUT },
		{ .fd = cli_stream_signal_fd(capture->stream), .events = POLLIN },
	};

	for (;;) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return FAILED;
		if ((fds[1].revents & POLLIN) && !take_signal(capture))
			return GIVEN_UP;
		if (fds[0].revents != 0)
			return GOES_ON;
	}
}

/* ---- blocks ---- */

static uint32_t word(const uint8_t *bytes)
{
	uint32_t value;

	memcpy(&value, bytes, sizeof(value));	/* the stack is on this machine: so is its byte order */
	return value;
}

/* What the stack lost of an interface's packets, out of its statistics. */
static void read_statistics(struct capture *capture, const uint8_t *block, size_t length)
{
	size_t at = STATISTICS_OPTIONS;

	capture->statistics = true;
	while (at + 4 < length) {
		uint16_t option[2];
		uint64_t value;

		memcpy(option, block + at, sizeof(option));
		if (option[0] == ISB_IFDROP && option[1] == sizeof(value) && at + 12 < length) {
			memcpy(&value, block + at + 4, sizeof(value));
			capture->lost += value;
		}
		at += 4 + (option[1] + 3u) / 4 * 4;
	}
}

/* Counts the whole blocks that are there. Returns their bytes, or SIZE_MAX where it is no pcapng. */
static size_t count_blocks(struct capture *capture)
{
	size_t at = 0;

	while (capture->length - at >= 8) {
		const uint8_t *block = capture->bytes + at;
		const uint32_t type = word(block), total = word(block + 4);

		if (total < 12 || total > BLOCK_MAX || total % 4 != 0)
			return SIZE_MAX;
		if (total > capture->length - at)
			break;
		capture->packets += type == ENHANCED_PACKET;
		if (type == INTERFACE_STATISTICS)
			read_statistics(capture, block, total);
		at += total;
	}
	return at;
}

/* The output took `written` bytes of blocks that have `left` more: a file is cut behind the last whole one, so that it
 * can be read, and what is not in it was not captured. */
static void keep_whole(struct capture *capture, const uint8_t *blocks, size_t written, size_t left)
{
	size_t at = 0, whole = 0;
	off_t end = capture->regular ? lseek(capture->fd, 0, SEEK_CUR) : -1;

	for (; at < written + left; at += word(blocks + at + 4)) {
		if (at + word(blocks + at + 4) <= written)
			whole = at + word(blocks + at + 4);
		else if (word(blocks + at) == ENHANCED_PACKET)
			capture->packets--;
	}
	if (end >= (off_t)(written - whole) && ftruncate(capture->fd, end - (off_t)(written - whole)) < 0)
		cli_error("%s: %s", capture->path, strerror(errno));
}

static enum outcome write_blocks(struct capture *capture, const uint8_t *bytes, size_t length)
{
	const uint8_t *const blocks = bytes;

	while (length != 0) {
		size_t step = capture->regular || length < PIPE_STEP ? length : PIPE_STEP;
		enum outcome outcome = capture->regular ? GOES_ON : wait_output(capture);
		ssize_t n;

		if (outcome != GOES_ON)
			return outcome;
		n = write(capture->fd, bytes, step);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0 && errno == EPIPE)
			return READER_GONE;
		if (n < 0) {
			const int error = errno;

			keep_whole(capture, blocks, (size_t)(bytes - blocks), length);
			cli_error("%s: %s; the capture ends after %" PRIu64 " packets", capture->path,
				  strerror(error), capture->packets);
			return FAILED;
		}
		bytes += n;
		length -= (size_t)n;
	}
	return GOES_ON;
}

/* Writes the whole blocks that are there, and keeps the beginning of the next. */
static enum outcome pass_on(struct capture *capture)
{
	const size_t whole = count_blocks(capture);
	enum outcome outcome;

	if (whole == SIZE_MAX) {
		cli_error("the stack sent what is no pcapng");
		return FAILED;
	}
	outcome = write_blocks(capture, capture->bytes, whole);
	capture->length -= whole;
	memmove(capture->bytes, capture->bytes + whole, capture->length);
	return outcome;
}

/* ---- the stream ---- */

/* Reads what has come. Returns false at its end. */
static bool receive(struct capture *capture)
{
	ssize_t n = recv(cli_stream_fd(capture->stream), capture->bytes + capture->length,
			 sizeof(capture->bytes) - capture->length, MSG_DONTWAIT);

	if (n < 0)
		return errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK;
	capture->length += (size_t)n;
	return n != 0;
}

/* Goes on until the stack ends it. */
static enum outcome run_stream(struct capture *capture)
{
	struct pollfd fds[] = {
		{ .fd = cli_stream_fd(capture->stream), .events = POLLIN },
		{ .fd = cli_stream_signal_fd(capture->stream), .events = POLLIN },
		/* A pipe tells that its reader has gone also when nothing is written. */
		{ .fd = capture->regular ? -1 : capture->fd },
	};
	enum outcome outcome = GOES_ON;

	while (outcome == GOES_ON) {
		if (poll(fds, 3, -1) < 0 && errno != EINTR)
			return FAILED;
		if ((fds[1].revents & POLLIN) && !take_signal(capture))
			return GIVEN_UP;
		if (fds[2].revents & POLLERR)
			return READER_GONE;
		if (fds[0].revents == 0)
			continue;
		if (!receive(capture))
			break;
		outcome = pass_on(capture);
	}
	return outcome;
}

/* Whether the stack had a reason to end it. */
static bool was_complete(const struct capture *capture)
{
	return capture->length == 0 && capture->statistics &&
	       (capture->stopped ||
		(capture->wanted != 0 && capture->packets == capture->wanted));
}

static int end(struct capture *capture, enum outcome outcome)
{
	bool failed = outcome == FAILED;

	if (outcome == GOES_ON && !was_complete(capture)) {
		cli_error("the stack ended the capture");
		failed = true;
	}
	/* NFS and quotas tell only here that there was no room. */
	if (capture->fd != STDOUT_FILENO && close(capture->fd) < 0 && !failed) {
		cli_error("%s: %s", capture->path, strerror(errno));
		failed = true;
	}
	fprintf(stderr, "%" PRIu64 " packet%s captured, %" PRIu64 " lost\n", capture->packets,
		capture->packets == 1 ? "" : "s", capture->lost);
	return failed ? CLI_FAILURE : 0;
}

static int run_capture(struct capture *capture, const struct cli *cli, json_t *request)
{
	enum outcome outcome;

	if (!open_output(capture)) {
		json_decref(request);
		return CLI_FAILURE;
	}
	capture->stream = cli_stream_open(cli, request);
	if (capture->stream == NULL || !begin_output(capture)) {
		if (capture->made)
			unlink(capture->path);
		return CLI_FAILURE;
	}
	signal(SIGPIPE, SIG_IGN);	/* it is told as an error of write(2) */
	fprintf(stderr, "capturing to %s; Ctrl-C ends it\n", capture->path);
	outcome = run_stream(capture);
	return end(capture, outcome);
}

/* ---- the request ---- */

/* Link types of the interfaces that were named: the filter must make sense for them. Returns how many; -1: told. */
static int wanted_link_types(const struct cli *cli, const json_t *names, int *types)
{
	json_t *interfaces, *entry, *name;
	int count = 0;
	size_t i, k;

	if (names == NULL)
		return 0;
	interfaces = cli_fetch(cli, "interfaces");
	if (interfaces == NULL)
		return -1;
	json_array_foreach(interfaces, i, entry) {
		json_array_foreach(names, k, name)
			if (json_equal(json_object_get(entry, "name"), name) && count < INTERFACES_MAX)
				types[count++] = (int)json_integer_value(
					json_object_get(entry, "link_type"));
	}
	json_decref(interfaces);
	return count;
}

static bool add_filter(const struct cli *cli, int argc, char **argv, json_t *request)
{
	int types[INTERFACES_MAX], count;
	json_t *filter;
	char *text;

	if (argc == 0)
		return true;
	count = wanted_link_types(cli, json_object_get(request, "interfaces"), types);
	if (count < 0)
		return false;
	text = cli_filter_text(argc, argv);
	filter = cli_filter_compile(text, types, (size_t)count);
	free(text);
	return filter != NULL && json_object_set_new(request, "filter", filter) == 0;
}

/* The interfaces named, in a list; NULL: none is. */
static json_t *interface_names(const struct cli *cli)
{
	json_t *names = json_array();
	size_t i;

	for (i = 0; i < cli->given_count; i++)
		if (strcmp(cli->given[i].option->name, "interface") == 0)
			json_array_append_new(names, json_string(cli->given[i].value));
	if (json_array_size(names) != 0)
		return names;
	json_decref(names);
	return NULL;
}

static bool add_number(const struct cli *cli, const char *option, const char *member, uint64_t least,
		       uint64_t most, json_t *request)
{
	const char *text = cli_option(cli, option);
	uint64_t number;

	if (text == NULL)
		return true;
	if (!cli_number(text, least, most, &number)) {
		cli_usage_error(cli, "--%s: expected a number from %" PRIu64 " to %" PRIu64 ", found '%s'",
				option, least, most, text);
		return false;
	}
	return json_object_set_new(request, member, json_integer((json_int_t)number)) == 0;
}

/* Reads the options into the request. */
static bool add_options(const struct cli *cli, json_t *request)
{
	const char *direction = cli_option(cli, "direction");
	json_t *names = interface_names(cli);

	if (names != NULL)
		json_object_set_new(request, "interfaces", names);
	if (cli_option(cli, "drops") != NULL)
		json_object_set_new(request, "drops_only", json_true());
	if (direction != NULL && strcmp(direction, "in") != 0 && strcmp(direction, "out") != 0) {
		cli_usage_error(cli, "--direction: expected in or out, found '%s'", direction);
		return false;
	}
	if (direction != NULL)
		json_object_set_new(request, "direction", json_string(direction));
	return add_number(cli, "count", "count", 1, INT64_MAX, request) &&
	       add_number(cli, "snaplen", "snaplen", 0, 262144, request);
}

static int run(const struct cli *cli, int argc, char **argv)
{
	json_t *request = json_pack("{s:s}", "method", "capture");
	struct capture *capture = calloc(1, sizeof(*capture));
	const char *path = cli_option(cli, "write");
	int status;

	if (request == NULL || capture == NULL) {
		cli_error("out of memory");
		status = CLI_FAILURE;
	} else if (!add_options(cli, request)) {
		status = CLI_USAGE;
	} else if (!add_filter(cli, argc, argv, request)) {
		status = CLI_FAILURE;
	} else {
		capture->path = path != NULL ? path : "-";
		capture->wanted = (uint64_t)json_integer_value(json_object_get(request, "count"));
		status = run_capture(capture, cli, json_incref(request));
	}
	if (capture != NULL && capture->stream != NULL)
		cli_stream_close(capture->stream);
	json_decref(request);
	free(capture);
	return status;
}

static const struct cli_option options[] = {
	{ .name = "interface", .letter = 'i', .argument = "NAME", .value = CLI_INTERFACE,
	  .help = "packets of this interface; may be given again\n(default: of all)" },
	{ .name = "write", .letter = 'w', .argument = "FILE", .value = CLI_FILE,
	  .help = "where they go; - is standard output (the default)" },
	{ .name = "count", .letter = 'c', .argument = "N", .value = CLI_NUMBER,
	  .help = "end after so many" },
	{ .name = "snaplen", .letter = 's', .argument = "BYTES", .value = CLI_NUMBER,
	  .help = "no more than so many bytes of each (default: all)" },
	{ .name = "direction", .letter = 'd', .argument = "in|out",
	  .help = "only what comes in, or goes out" },
	{ .name = "drops", .help = "only what the stack discards" },
	{ .name = NULL },
};

const struct cli_command cli_command_capture = {
	.name = "capture",
	.run = run,
	.summary = "Packets of a running stack as pcapng, with why it discards them",
	.operands = "[FILTER...]",
	.most = -1,
	.options = options,
	.help = "FILTER is in the syntax of pcap-filter(7). What discards a packet is its\n"
		"comment; a loopback's packets are there once, as they come in.",
	.examples = "strata capture -w all.pcapng                 # everything, to a file\n"
		    "strata capture -i st0 tcp port 80 | tshark -r -   # as text\n"
		    "strata capture | wireshark -k -i -           # live\n"
		    "strata capture --drops -c 1 -w drop.pcapng   # the next discard",
};
