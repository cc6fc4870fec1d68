/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The daemon: one stack from a manifest, in the foreground, until a signal ends it. Signals come in
 * through a descriptor of the stack's own loop, so nothing here runs outside it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <malloc.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <strata/shards.h>

#define EXIT_BAD_MANIFEST 2
/* How long connections may take to end in good order after SIGTERM. */
#define DRAIN_TIME (5 * STRATA_SEC)
/* Local choice: how often the daemon looks whether they have. */
#define DRAIN_LOOK (10 * STRATA_MS)
/* Allocations from this size on are mapped, and unmapped when freed: below a full slab of a cache. */
#define MMAP_THRESHOLD (32 * 1024)
/* Local choice: ms that a trace waits for its reader before it loses lines. */
#define TRACE_PATIENCE 50

/** The command line. */
struct options {
	const char *manifest;
	const char *module_path;
	const char *run_dir;
	const char *user;
	int log_level;		/* enum strata_log_level + 1; 0: the manifest's */
	bool check;
	bool trace;
};

/** A shard's trace: each thread prints its own. */
struct tracer {
	unsigned int shard, shards;
	uint64_t lost;		/* steps not printed since the reader stopped reading */
};

struct daemon {
	const struct options *options;
	struct strata_shards *shards;
	struct strata_stack *stack;	/* shard 0, whose loop is this thread's */
	struct tracer tracers[STRATA_SHARDS_MAX];
	struct strata_watch signals;
	struct strata_call reload;	/* of a SIGHUP, when the stack is at rest */
	const char *manager;	/* the service manager's socket; NULL: none */
	unsigned int terminations;	/* SIGTERM and SIGINT received */
};

static const char *const implied_services[] = { "control", NULL };

static const char *const log_levels[] = {
	[STRATA_LOG_ERROR] = "error",
	[STRATA_LOG_WARNING] = "warning",
	[STRATA_LOG_INFO] = "info",
	[STRATA_LOG_DEBUG] = "debug",
};

/* ---- the command line ---- */

static void usage(FILE *to)
{
	fputs("usage: stratad [-c FILE] [--check] [--module-path DIR[:DIR...]] [--run-dir DIR]\n"
	      "               [--log-level error|warning|info|debug] [--trace] [--user NAME]\n"
	      "       stratad --help | --version\n", to);
}

static void help(void)
{
	usage(stdout);
	fputs("\nRuns a TCP/IP stack whose protocols are modules named by a manifest.\n\n"
	      "  -c, --config FILE       manifest (default " STRATA_SYSCONFDIR "/strata/strata.yaml)\n"
	      "      --check             validate, load and bind, touch no device, and stop\n"
	      "      --module-path DIRS  directories searched for modules, separated by ':'\n"
	      "      --run-dir DIR       directory of the control socket\n"
	      "                          (default " STRATA_RUNSTATEDIR "/strata/<stack name>)\n"
	      "      --log-level LEVEL   error, warning, info or debug; overrides the manifest\n"
	      "      --trace             print each packet's walk on standard error\n"
	      "      --user NAME         give up all authority for that of NAME once running\n"
	      "  -h, --help              this text\n"
	      "  -V, --version           the version\n\n"
	      "Exit status: 0 ended by SIGTERM or SIGINT, 1 failure at run time, 2 bad manifest or\n"
	      "command line. See stratad(8), strata.yaml(5).\n", stdout);
}

static int parse_level(const char *text)
{
	unsigned int i;

	for (i = 0; i < STRATA_COUNT(log_levels); i++)
		if (strcmp(text, log_levels[i]) == 0)
			return (int)i + 1;
	fprintf(stderr, "stratad: --log-level: expected error, warning, info or debug, found '%s'\n",
		text);
	return -1;
}

enum long_option {
	OPTION_CHECK = 256,
	OPTION_MODULE_PATH,
	OPTION_RUN_DIR,
	OPTION_LOG_LEVEL,
	OPTION_TRACE,
	OPTION_USER,
};

/* Returns -1 to go on, or the status to exit with. */
static int parse_options(int argc, char **argv, struct options *options)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check", no_argument, NULL, OPTION_CHECK },
		{ "module-path", required_argument, NULL, OPTION_MODULE_PATH },
		{ "run-dir", required_argument, NULL, OPTION_RUN_DIR },
		{ "log-level", required_argument, NULL, OPTION_LOG_LEVEL },
		{ "trace", no_argument, NULL, OPTION_TRACE },
		{ "user", required_argument, NULL, OPTION_USER },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:hV", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			options->manifest = optarg;
			break;
		case OPTION_CHECK:
			options->check = true;
			break;
		case OPTION_MODULE_PATH:
			options->module_path = optarg;
			break;
		case OPTION_RUN_DIR:
			options->run_dir = optarg;
			break;
		case OPTION_LOG_LEVEL:
			options->log_level = parse_level(optarg);
			if (options->log_level < 0)
				return EXIT_BAD_MANIFEST;
			break;
		case OPTION_TRACE:
			options->trace = true;
			break;
		case OPTION_USER:
			options->user = optarg;
			break;
		case 'h':
			help();
			return EXIT_SUCCESS;
		case 'V':
			printf("stratad %s\n", strata_version());
			return EXIT_SUCCESS;
		default:
			usage(stderr);
			return EXIT_BAD_MANIFEST;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "stratad: unexpected argument '%s'; the manifest is given with -c\n",
			argv[optind]);
		usage(stderr);
		return EXIT_BAD_MANIFEST;
	}
	return -1;
}

/* ---- what the daemon tells ---- */

/* Whether a line can be printed. A reader that is behind is waited for once; as long as it does not read
 * on, lines are lost rather than packets. */
static bool trace_ready(struct tracer *tracer)
{
	struct pollfd where = { .fd = STDERR_FILENO, .events = POLLOUT };

	if (poll(&where, 1, tracer->lost == 0 ? TRACE_PATIENCE : 0) == 0) {
		tracer->lost++;
		return false;
	}
	if (tracer->lost > 0)
		fprintf(stderr, "stratad: %llu steps were not printed: standard error was full\n",
			(unsigned long long)tracer->lost);
	tracer->lost = 0;
	return true;
}

/* One aligned line a step of a packet's walk. */
static void print_trace(void *ctx, const struct strata_trace_record *record)
{
	struct tracer *tracer = ctx;
	char line[STRATA_TRACE_LINE];

	if (!trace_ready(tracer))
		return;
	strata_trace_line(record, line, sizeof(line));
	if (tracer->shards > 1)
		fprintf(stderr, "shard %u: %s\n", tracer->shard, line);
	else
		fprintf(stderr, "%s\n", line);
}

/* Tells the service manager, if there is one; sd_notify(3) says how. */
static void notify_manager(const char *path, const char *state)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t length;
	int fd;

	if (path == NULL || (path[0] != '/' && path[0] != '@'))
		return;
	length = strlen(path);
	if (length >= sizeof(to.sun_path))
		return;
	memcpy(to.sun_path, path, length);
	if (path[0] == '@')
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to,
		   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) < 0)
		fprintf(stderr, "stratad: %s: %s\n", path, strerror(errno));
	close(fd);
}

/* On both streams, or on the one file that both are. */
static void print_ready(void)
{
	struct stat out, err;

	fputs("stratad: ready\n", stderr);
	fflush(stderr);
	if (fstat(STDOUT_FILENO, &out) < 0 || fstat(STDERR_FILENO, &err) < 0 ||
	    (out.st_dev == err.st_dev && out.st_ino == err.st_ino))
		return;
	fputs("stratad: ready\n", stdout);
	fflush(stdout);
}

/* ---- authority ---- */

/* True when the directory has sockets and nothing else: then it is the stack's own. */
static bool only_sockets(DIR *dir)
{
	const struct dirent *entry;
	struct stat status;

	rewinddir(dir);
	while ((entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (fstatat(dirfd(dir), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISSOCK(status.st_mode))
			return false;
	}
	return true;
}

/* A socket that its service has given to a group stays with it. */
static void hand_over_socket(int dir, const char *path, const char *name, const struct passwd *user)
{
	struct stat status;

	if (fstatat(dir, name, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fchownat(dir, name, user->pw_uid, status.st_gid == getegid() ? user->pw_gid : (gid_t)-1,
		     AT_SYMLINK_NOFOLLOW) < 0)
		fprintf(stderr, "stratad: %s/%s: %s\n", path, name, strerror(errno));
}

/* Gives the run directory and the sockets in it to the user who has to remove them in the end; one that is
 * used for other things as well is left alone. */
static void hand_over(const char *path, const struct passwd *user)
{
	const struct dirent *entry;
	DIR *dir = opendir(path);

	if (dir == NULL)
		return;
	if (only_sockets(dir) && fchown(dirfd(dir), user->pw_uid, user->pw_gid) == 0) {
		rewinddir(dir);
		while ((entry = readdir(dir)) != NULL)
			if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
				hand_over_socket(dirfd(dir), path, entry->d_name, user);
	}
	closedir(dir);
}

/* Becomes `name`, keeping no capability. Returns 0, or -1 having told why. */
static int drop_to(const char *name, const char *run_dir)
{
	const struct passwd *user;

	errno = 0;
	user = getpwnam(name);
	if (user == NULL) {
		fprintf(stderr, "stratad: --user %s: %s\n", name,
			errno != 0 ? strerror(errno) : "no such user");
		return -1;
	}
	hand_over(run_dir, user);
	if (initgroups(user->pw_name, user->pw_gid) < 0 ||
	    setresgid(user->pw_gid, user->pw_gid, user->pw_gid) < 0 ||
	    setresuid(user->pw_uid, user->pw_uid, user->pw_uid) < 0) {
		fprintf(stderr, "stratad: --user %s: %s\n", name, strerror(errno));
		return -1;
	}
	return 0;
}

/* ---- making the stack ---- */

static struct strata_config stack_config(const struct options *options)
{
	struct strata_config config = {
		.manifest_file = options->manifest,
		.module_path = options->module_path,
		.run_dir = options->run_dir,
		.implied_services = implied_services,
		.log_level = options->log_level,
		.trust_check = geteuid() == 0,
	};

	return config;
}

/* Validates the manifest without starting anything; tells the faults. Returns 0 or -errno. */
static int check_manifest(const struct options *options)
{
	struct strata_config config = stack_config(options);
	struct strata_error error = { 0 };
	struct strata_stack *stack = NULL;
	int result;

	config.check_only = true;
	result = strata_stack_create(&config, &stack, &error);
	if (error.count != 0)
		fputs(strata_error_text(&error), stderr);
	strata_error_clear(&error);
	strata_stack_destroy(stack);
	return result;
}

static int exit_status(int result)
{
	return result == -EINVAL ? EXIT_BAD_MANIFEST : EXIT_FAILURE;
}

/* ---- signals ---- */

static uint64_t monotonic(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * STRATA_SEC + (uint64_t)now.tv_nsec;
}

/* What the kernel's steps of a reload look like to a person who reads the log. */
static void log_change(void *ctx, const struct strata_change *change)
{
	const struct daemon *daemon = ctx;
	bool values = change->from != NULL || change->to != NULL;

	strata_log(daemon->stack, NULL, STRATA_LOG_INFO, "reload: %s %s %s%s%s%s%s%s%s%s",
		   strata_change_action_name(change->action), strata_change_what_name(change->what),
		   change->name, change->field != NULL ? "." : "",
		   change->field != NULL ? change->field : "", values ? ": " : "",
		   change->from != NULL ? change->from : "", values ? " → " : "",
		   change->to != NULL ? change->to : "", change->ending != 0 ? " (connections end)" : "");
}

/* Tells the service manager that a reload has begun; sd_notify(3) wants the time of it. */
static void notify_reloading(const struct daemon *daemon)
{
	char state[64];

	snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%llu",
		 (unsigned long long)(monotonic() / STRATA_US));
	notify_manager(daemon->manager, state);
}

/* SIGHUP: the stack becomes what the manifest says now, or stays what it is. The stack is at rest. */
static void reload(struct strata_stack *stack, struct strata_call *call)
{
	struct daemon *daemon = strata_container_of(call, struct daemon, reload);
	struct strata_error error = { 0 };

	notify_reloading(daemon);
	if (strata_shards_reload(daemon->shards, NULL, 0, false, log_change, daemon, &error) < 0) {
		fputs(strata_error_text(&error), stderr);
		strata_log(stack, NULL, STRATA_LOG_ERROR, "%s could not be taken over; the stack goes on as it "
			   "is", daemon->options->manifest);
	}
	strata_error_clear(&error);
	notify_manager(daemon->manager, "READY=1");
}

static void signal_ready(struct strata_stack *stack, struct strata_watch *watch, uint32_t events)
{
	struct daemon *daemon = strata_container_of(watch, struct daemon, signals);
	struct signalfd_siginfo info;

	(void)events;
	while (read(watch->fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGHUP) {
			strata_call_later(stack, &daemon->reload);
			continue;
		}
		daemon->terminations++;
		strata_loop_stop(stack);
	}
}

static int open_signals(void)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

/* ---- running ---- */

static bool all_idle(const struct daemon *daemon)
{
	unsigned int i;

	for (i = 0; i < strata_shards_count(daemon->shards); i++)
		if (!strata_stack_idle(strata_shards_stack(daemon->shards, i)))
			return false;
	return true;
}

/* A turn of each stack, all of which are this thread's now. Returns false when a loop fails. */
static bool turn_all(const struct daemon *daemon)
{
	const unsigned int count = strata_shards_count(daemon->shards);
	unsigned int i;

	for (i = 0; i < count; i++)
		if (strata_loop_turn(strata_shards_stack(daemon->shards, i), DRAIN_LOOK / count) < 0)
			return false;
	return true;
}

/* Lets connections end in good order; a second signal does not wait for them. */
static void drain(struct daemon *daemon)
{
	uint64_t end = monotonic() + DRAIN_TIME;
	unsigned int i;

	for (i = 0; i < strata_shards_count(daemon->shards); i++)
		strata_stack_drain(strata_shards_stack(daemon->shards, i));
	while (daemon->terminations < 2 && !all_idle(daemon)) {
		if (monotonic() >= end) {
			strata_log(daemon->stack, NULL, STRATA_LOG_WARNING,
				   "some connections did not end in time; they are reset");
			return;
		}
		if (!turn_all(daemon))
			return;
	}
}

static void attach_tracers(struct daemon *daemon)
{
	unsigned int i;

	for (i = 0; i < strata_shards_count(daemon->shards); i++) {
		struct tracer *tracer = &daemon->tracers[i];

		tracer->shard = i;
		tracer->shards = strata_shards_count(daemon->shards);
		strata_trace_attach(strata_shards_stack(daemon->shards, i), print_trace, tracer);
	}
}

/* Runs until a signal ends it. Returns 0 or -errno of a loop, of whichever shard. */
static int serve_loops(struct daemon *daemon, const char *manager)
{
	int result = strata_shards_start(daemon->shards);

	if (result < 0)
		return result;
	print_ready();
	notify_manager(manager, "READY=1");
	result = strata_loop_run(daemon->stack);
	strata_shards_stop(daemon->shards);
	return result < 0 ? result : strata_shards_failure(daemon->shards);
}

static int run(struct daemon *daemon, const char *manager)
{
	int result;

	if (daemon->options->trace)
		attach_tracers(daemon);
	if (daemon->options->user != NULL &&
	    drop_to(daemon->options->user, strata_run_dir(daemon->stack)) < 0)
		return EXIT_FAILURE;
	/* Of this thread, and of those that it begins from here on. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		strata_log(daemon->stack, NULL, STRATA_LOG_WARNING, "no_new_privs: %s",
			   strerror(errno));
	result = serve_loops(daemon, manager);
	if (result < 0) {
		fprintf(stderr, "stratad: the loop failed: %s\n", strerror(-result));
		return EXIT_FAILURE;
	}
	notify_manager(manager, "STOPPING=1");
	drain(daemon);
	return EXIT_SUCCESS;
}

static int serve(const struct options *options, const char *manager)
{
	struct strata_config config = stack_config(options);
	struct daemon daemon = { .options = options, .manager = manager, .reload.run = reload };
	struct strata_error error = { 0 };
	int fd, result, status;

	fd = open_signals();
	if (fd < 0) {
		fprintf(stderr, "stratad: signals cannot be caught: %s\n", strerror(errno));
		return EXIT_FAILURE;
	}
	result = strata_shards_create(&config, &daemon.shards, &error);
	if (error.count != 0)
		fputs(strata_error_text(&error), stderr);
	strata_error_clear(&error);
	if (result < 0) {
		status = exit_status(result);
		goto out_close;
	}
	daemon.stack = strata_shards_stack(daemon.shards, 0);
	daemon.signals.ready = signal_ready;
	result = strata_watch_add(daemon.stack, &daemon.signals, fd, EPOLLIN);
	if (result < 0) {
		fprintf(stderr, "stratad: signals cannot be watched: %s\n", strerror(-result));
		status = EXIT_FAILURE;
	} else {
		status = run(&daemon, manager);
		strata_watch_remove(daemon.stack, &daemon.signals);
		strata_call_cancel(daemon.stack, &daemon.reload);
	}
	strata_shards_destroy(daemon.shards);
out_close:
	close(fd);
	return status;
}

/* What is opened next must not take the number of a closed standard stream: the log would go there. */
static bool hold_standard_streams(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			return false;
	return true;
}

int main(int argc, char **argv)
{
	struct options options = { .manifest = STRATA_SYSCONFDIR "/strata/strata.yaml" };
	char *manager = getenv("NOTIFY_SOCKET");
	int status;

	if (!hold_standard_streams())
		return EXIT_FAILURE;
	status = parse_options(argc, argv, &options);
	if (status >= 0)
		return status;
	umask(022);
	/* Slabs that the stack gives back after a burst go back to the system, not to the heap. */
	mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD);
	if (options.check) {
		int result = check_manifest(&options);

		if (result < 0)
			return exit_status(result);
		printf("%s: ok\n", options.manifest);
		return EXIT_SUCCESS;
	}
	if (manager != NULL)
		manager = strdup(manager);
	unsetenv("NOTIFY_SOCKET");
	status = serve(&options, manager);
	free(manager);
	return status;
}
