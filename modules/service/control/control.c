/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control service: a Unix socket in the run directory, over which programs look at the stack and
 * change it. Here: the socket's life and how many may connect. unix(7) and docs/control.md are the contract.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <strata/inspect.h>
#include <strata/service.h>
#include "control_int.h"

#define CONTROL_SUFFIX ".sock"
#define CONTROL_SOCKET_MODE 0660
#define CONTROL_DIRECTORY_MODE 0755
#define CONTROL_BACKLOG 64
/* Local choice: connections taken in one turn of the loop. */
#define CONTROL_ACCEPTS 16
/* Local choice: pause of accepting while the process has no descriptor left. */
#define CONTROL_PAUSE STRATA_SEC
_Static_assert(sizeof(((struct sockaddr_un *)0)->sun_path) ==
	       sizeof(((struct control *)0)->path), "room for a socket's path");

static const struct strata_counter_def control_counters[] = {
	[CONTROL_COUNTER_ACCEPTED] = { "accepted", "clients taken", NULL },
	[CONTROL_COUNTER_REFUSED] = { "refused", "clients sent away, most of them at the limit", NULL },
	[CONTROL_COUNTER_EVICTED] = { "evicted", "idle clients closed to make room", NULL },
	[CONTROL_COUNTER_REQUESTS] = { "requests", "requests read", NULL },
	[CONTROL_COUNTER_ERRORS] = { "errors", "requests answered with an error", NULL },
	[CONTROL_COUNTER_FORBIDDEN] = { "forbidden", "requests of clients that may only look", NULL },
	[CONTROL_COUNTER_TIMEOUTS] = { "timeouts", "clients closed because nothing moved", NULL },
	[CONTROL_COUNTER_PAUSES] = { "pauses", "pauses of accepting for want of descriptors", NULL },
	[CONTROL_COUNTER_STREAMS] = { "streams", "streams begun", NULL },
	[CONTROL_COUNTER_STREAM_LOST] = { "stream_lost", "events lost because a client did not take them",
					  NULL },
};
_Static_assert(STRATA_COUNT(control_counters) == CONTROL_COUNTERS, "a definition for each counter");

/* ---- who may connect ---- */

/* Tells a client that there is no room, as far as it takes it at once. */
static void refuse(struct control *control, int fd)
{
	char line[256];
	int n = snprintf(line, sizeof(line),
			 "{\"v\":%d,\"ok\":false,\"error\":{\"code\":\"busy\",\"message\":"
			 "\"all %u clients are taken\"}}\n", CONTROL_VERSION, control->client_count);

	send(fd, line, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
	close(fd);
	strata_count(control->self, CONTROL_COUNTER_REFUSED, 1);
}

static void pause_accepting(struct control *control)
{
	struct strata_stack *stack = control->self->stack;

	strata_count(control->self, CONTROL_COUNTER_PAUSES, 1);
	if (strata_watch_set(stack, &control->listener, 0) == 0)
		strata_timer_start(stack, &control->pause, strata_now(stack) + CONTROL_PAUSE);
}

static void resume_accepting(struct strata_stack *stack, struct strata_timer *timer)
{
	struct control *control = strata_container_of(timer, struct control, pause);

	control_reserve(control);
	if (strata_watch_set(stack, &control->listener, EPOLLIN) < 0)
		strata_timer_start(stack, timer, strata_now(stack) + CONTROL_PAUSE);
}

/* The next connection; -1: none, or none that could be taken. */
static int take(struct control *control)
{
	int fd = accept4(control->listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0 || (errno != EMFILE && errno != ENFILE))
		return fd;
	if (control->reserve >= 0) {	/* the reserve serves this one client */
		close(control->reserve);
		control->reserve = -1;
		fd = accept4(control->listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0 || (errno != EMFILE && errno != ENFILE)) {
			if (fd < 0)
				control_reserve(control);
			return fd;
		}
	}
	pause_accepting(control);
	return -1;
}

static void listener_ready(struct strata_stack *stack, struct strata_watch *watch, uint32_t events)
{
	struct control *control = strata_container_of(watch, struct control, listener);
	const struct control_config *config = control->self->config;
	unsigned int i;
	int fd;

	(void)stack;
	(void)events;
	for (i = 0; i < CONTROL_ACCEPTS; i++) {
		fd = take(control);
		if (fd < 0)
			return;
		if (control->client_count >= config->clients && !control_client_evict(control))
			refuse(control, fd);
		else
			control_client_add(control, fd);
	}
}

/* ---- the socket ---- */

/* Makes the directories above the socket. Returns 0 or -errno with a sentence. */
static int make_directories(struct control *control, struct strata_error *error)
{
	const char *path = control->path;
	char part[sizeof(control->path)];
	size_t i;

	for (i = 1; path[i] != '\0'; i++) {
		if (path[i] != '/')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		control->made_directory = mkdir(part, CONTROL_DIRECTORY_MODE) == 0;
		if (!control->made_directory && errno != EEXIST) {
			int result = -errno;

			strata_error_add(error, "control: run directory %s: %s; choose another with "
					 "--run-dir", part, strerror(-result));
			return result;
		}
	}
	return 0;
}

/* Bytes of a path before ".sock", or all where it ends otherwise. */
static size_t stem_length(const char *path)
{
	const size_t length = strlen(path), suffix = sizeof(CONTROL_SUFFIX) - 1;

	return length > suffix && strcmp(path + length - suffix, CONTROL_SUFFIX) == 0 ?
		length - suffix : length;
}

static int set_path(struct control *control, struct strata_error *error)
{
	const struct control_config *config = control->self->config;
	const char *directory = strata_run_dir(control->self->stack);
	unsigned int shard = strata_shard(control->self->stack);
	char suffix[16] = "";
	int n;

	/* Each shard has a socket: control.sock, control-1.sock, … */
	if (shard > 0)
		snprintf(suffix, sizeof(suffix), "-%u", shard);
	if (config->socket != NULL)
		n = snprintf(control->path, sizeof(control->path), "%.*s%s%s",
			     (int)stem_length(config->socket), config->socket, suffix,
			     config->socket + stem_length(config->socket));
	else
		n = snprintf(control->path, sizeof(control->path), "%s/control%s" CONTROL_SUFFIX,
			     directory, suffix);
	if (n < 0 || (size_t)n >= sizeof(control->path)) {
		strata_error_add(error, "control: the socket's path %s has %d bytes, at most %zu are "
				 "possible; choose a shorter --run-dir",
				 config->socket != NULL ? config->socket : directory, n,
				 sizeof(control->path) - 1);
		return -ENAMETOOLONG;
	}
	return 0;
}

/* Removes a socket that nobody listens on any more. Returns 0 when the path is free. */
static int clear_stale(const struct control *control, const struct sockaddr_un *address,
		       struct strata_error *error)
{
	struct stat status;
	int fd, result;

	if (lstat(control->path, &status) < 0)
		return 0;
	if (!S_ISSOCK(status.st_mode)) {
		strata_error_add(error, "control: %s is there and is no socket; remove it",
				 control->path);
		return -EEXIST;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	result = connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;
	close(fd);
	if (result == 0 || result == -EAGAIN) {
		strata_error_add(error, "control: another stratad answers at %s; stop it, or choose "
				 "another stack name or --run-dir", control->path);
		return -EADDRINUSE;
	}
	if (result == -ECONNREFUSED && unlink(control->path) < 0 && errno != ENOENT) {
		result = -errno;
		strata_error_add(error, "control: stale socket %s: %s", control->path,
				 strerror(-result));
		return result;
	}
	return 0;
}

/* Gives the bound socket's file the group and the mode that let readers in. Returns 0 or -errno with a
 * sentence. */
static int set_owner(const struct control *control, struct strata_error *error)
{
	int result;

	if (control->group == CONTROL_NO_GROUP ||
	    chown(control->path, (uid_t)-1, control->group) == 0)
		return 0;
	result = -errno;
	strata_error_add(error, "control: socket %s cannot be given to group %u: %s; run as root or as a "
			 "member of it, or leave the options group and admin_group out",
			 control->path, control->group, strerror(-result));
	return result;
}

/* A listening descriptor at the path, or -errno with a sentence. */
static int open_socket(struct control *control, struct strata_error *error)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct stat status;
	int fd, result = make_directories(control, error);

	if (result < 0)
		return result;
	memcpy(address.sun_path, control->path, sizeof(address.sun_path));
	result = clear_stale(control, &address, error);
	if (result < 0)
		return result;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		goto out_errno;
	/* Before bind it sets the mode the file is made with, so nobody else gets in first. The umask can
	 * only have taken more away; chmod() gives that back. */
	(void)fchmod(fd, CONTROL_SOCKET_MODE);
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		goto out_errno;
	result = set_owner(control, error);
	if (result < 0) {
		unlink(control->path);
		close(fd);
		return result;
	}
	if (chmod(control->path, CONTROL_SOCKET_MODE) < 0 || lstat(control->path, &status) < 0 ||
	    listen(fd, CONTROL_BACKLOG) < 0) {
		result = errno;
		unlink(control->path);
		errno = result;
		goto out_errno;
	}
	control->device = status.st_dev;
	control->inode = status.st_ino;
	return fd;
out_errno:
	result = -errno;
	strata_error_add(error, "control: socket %s: %s", control->path, strerror(-result));
	if (fd >= 0)
		close(fd);
	return result;
}

/* Removes the socket, unless another has taken its place, and the directory that was made for it. */
static void remove_socket(const struct control *control)
{
	char directory[sizeof(control->path)];
	struct stat status;
	char *slash;

	if (lstat(control->path, &status) < 0 || status.st_dev != control->device ||
	    status.st_ino != control->inode)
		return;
	unlink(control->path);
	memcpy(directory, control->path, sizeof(directory));
	slash = strrchr(directory, '/');
	if (slash != NULL && control->made_directory) {
		*slash = '\0';
		rmdir(directory);	/* unless something else is in it */
	}
}

/* ---- life ---- */

static int control_start(struct strata_instance *self, struct strata_error *error)
{
	struct control *control = strata_alloc(self->stack, sizeof(*control));
	int fd, result;

	if (control == NULL) {
		strata_error_add(error, "control: out of memory");
		return -ENOMEM;
	}
	control->self = self;
	control->reserve = -1;
	control->listener.ready = listener_ready;
	control->pause.fire = resume_accepting;
	result = set_path(control, error);
	if (result == 0)
		result = control_access_init(control, error);
	if (result < 0)
		goto out_free;
	fd = open_socket(control, error);
	if (fd < 0) {
		result = fd;
		goto out_free;
	}
	result = strata_watch_add(self->stack, &control->listener, fd, EPOLLIN);
	if (result < 0) {
		strata_error_add(error, "control: socket %s cannot be watched: %s", control->path,
				 strerror(-result));
		close(fd);
		remove_socket(control);
		goto out_free;
	}
	control_reserve(control);
	self->state = control;
	return 0;
out_free:
	strata_free(self->stack, control);
	return result;
}

static void control_stop(struct strata_instance *self)
{
	struct control *control = self->state;
	struct control_client *client;

	while ((client = control->clients) != NULL) {
		/* What its stream has left, as far as it takes that at once. */
		control_stream_finish(client, "the service ends");
		if (client->out_length == 0)
			control_stream_flush(client);
		control_client_close(client);
	}
	strata_timer_stop(self->stack, &control->pause);
	strata_watch_remove(self->stack, &control->listener);
	close(control->listener.fd);
	remove_socket(control);
	if (control->reserve >= 0)
		close(control->reserve);
	self->state = NULL;
	strata_free(self->stack, control);
}

static const struct strata_option control_options[] = {
	{
		.name = "socket", .type = STRATA_OPT_STRING,
		.offset = offsetof(struct control_config, socket),
		.help = "Path of the socket; none: control.sock in the run directory. Of several shards each but "
			"the first adds its number: control-1.sock.",
	},
	{
		.name = "group", .type = STRATA_OPT_STRING,
		.offset = offsetof(struct control_config, group),
		.help = "Group, by name or number, that owns the socket's file: its members may look. "
			"None: admin_group, or the daemon's own.",
	},
	{
		.name = "admin_group", .type = STRATA_OPT_STRING,
		.offset = offsetof(struct control_config, admin_group),
		.help = "Group, by name or number, whose members may change the stack, trace and capture, "
			"as root and the daemon's user may.",
	},
	{
		.name = "clients", .type = STRATA_OPT_UINT,
		.offset = offsetof(struct control_config, clients), .fallback = "64", .min = 1,
		.max = 1024, .unit = "clients", .runtime = true,
		.help = "Most clients at a time.",
	},
	{
		.name = "timeout", .type = STRATA_OPT_TIME,
		.offset = offsetof(struct control_config, timeout), .fallback = "5s",
		.min = 10 * STRATA_MS, .max = 3600 * STRATA_SEC, .runtime = true,
		.help = "How long a request may be incomplete, or a reply not taken.",
	},
	{
		.name = "streams", .type = STRATA_OPT_UINT,
		.offset = offsetof(struct control_config, streams), .fallback = "8", .max = 64,
		.unit = "streams", .runtime = true,
		.help = "Most traces and captures at a time; 0 allows none.",
	},
	{
		.name = "stream_buffer", .type = STRATA_OPT_SIZE,
		.offset = offsetof(struct control_config, stream_buffer), .fallback = "1MiB",
		.min = 64 << 10, .max = 256 << 20, .unit = "bytes", .runtime = true,
		.help = "What a new stream keeps for a client that is slow; more is lost and counted.",
	},
};

static const struct strata_service_ops control_ops = { .drain = NULL };

STRATA_MODULE(control) = {
	STRATA_MODULE_HEADER,
	.kind = STRATA_SERVICE,
	.name = "control",
	.version = "1.0",
	.summary = "looking at and changing the running stack over a Unix socket",
	.config_size = sizeof(struct control_config),
	.options = control_options,
	.option_count = STRATA_COUNT(control_options),
	.counters = control_counters,
	.counter_count = STRATA_COUNT(control_counters),
	.start = control_start,
	.stop = control_stop,
	.service = &control_ops,
};
