/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A check in a process of its own: bounded in memory and time, in a network of its own where the system
 * lets it, its output caught; and how its end is read.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kit_int.h"

/* Local choices: far above what any module of the tree needs. */
#define MEMORY_MOST (UINT64_C(4) << 30)
#define WATCH_MS 100
/* A step that takes no processor time at all, waiting for something, gets so much more. */
#define WAITING_FACTOR 6

extern void __asan_init(void) __attribute__((weak));

/* ---- within the process ---- */

static void bound(void)
{
	const struct rlimit memory = { MEMORY_MOST, MEMORY_MOST }, core = { 0, 0 };

	setrlimit(RLIMIT_CORE, &core);
	/* The sanitizer reserves more than any limit. */
	if (__asan_init == NULL)
		setrlimit(RLIMIT_AS, &memory);
}

static void catch_output(int fd)
{
	int null = open("/dev/null", O_RDONLY);

	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		close(null);
	}
}

/* No packet of the check reaches a network, and no device of it the host. */
static bool isolate(void)
{
	return unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0;
}

static void work(struct kit *kit, const struct kit_check *check)
{
	/* Files are looked at as who one is. */
	kit->isolated = !check->raw && isolate();
	kit_env_catch_crashes(kit);
	if (check->raw || kit_open(kit))
		check->run(kit);
	kit_close(kit);
}

/* ---- from outside ---- */

struct watch {
	uint64_t steps;
	double cpu, wall;		/* when the step was first seen */
};

static double seconds(clockid_t clock)
{
	struct timespec ts = { 0 };

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Whether the step that the process is in has taken too long. */
static bool stuck(const struct kit *kit, pid_t pid, struct watch *watch)
{
	clockid_t clock = CLOCK_PROCESS_CPUTIME_ID;
	double cpu, wall = seconds(CLOCK_MONOTONIC);

	if (clock_getcpuclockid(pid, &clock) != 0)
		return false;
	cpu = seconds(clock);
	if (kit->result->steps != watch->steps || watch->wall == 0) {
		*watch = (struct watch){ kit->result->steps, cpu, wall };
		return false;
	}
	return cpu - watch->cpu > kit->timeout || wall - watch->wall > WAITING_FACTOR * kit->timeout;
}

/* Waits for the process's end. Returns false having ended it. `alive` hangs up when it is gone. */
static bool watch(const struct kit *kit, pid_t pid, int alive, int *status)
{
	struct pollfd ended = { .fd = alive, .events = POLLIN };
	struct watch watch = { 0 };
	bool ok = true;

	while (poll(&ended, 1, WATCH_MS) == 0) {
		if (stuck(kit, pid, &watch)) {
			kill(pid, SIGKILL);
			ok = false;
			break;
		}
	}
	while (waitpid(pid, status, 0) < 0 && errno == EINTR)
		continue;
	return ok;
}

/* The last line of what the process wrote, "" when it wrote none. */
static const char *last_line(int fd, char *buf, size_t size)
{
	struct stat st;
	ssize_t n;
	char *line;

	buf[0] = '\0';
	if (fstat(fd, &st) < 0 || st.st_size == 0)
		return buf;
	n = pread(fd, buf, size - 1, st.st_size > (off_t)size - 1 ? st.st_size - (off_t)size + 1 : 0);
	buf[n > 0 ? n : 0] = '\0';
	while (n > 0 && (buf[n - 1] == '\n' || buf[n - 1] == ' '))
		buf[--n] = '\0';
	line = strrchr(buf, '\n');
	return line != NULL ? line + 1 : buf;
}

static void judge(struct kit *kit, const struct kit_check *check, bool in_time, int status, int output)
{
	char text[1024], again[320], place[400];
	const char *said = last_line(output, text, sizeof(text));
	struct kit_result *result = kit->result;

	memcpy(place, result->step, sizeof(place));
	snprintf(again, sizeof(again), "watch it: gdb --args strata module test %s --only %s --seed %llu "
		 "--in-process", kit->file, check->name, (unsigned long long)kit->seed);
	if (!in_time)
		kit_fault(kit, place, again, "did not come to an end within %u s", kit->timeout);
	else if (WIFSIGNALED(status))
		kit_fault(kit, place, again, "crashed with SIG%s%s%s%s%s",
			  sigabbrev_np(WTERMSIG(status)), result->crash[0] != '\0' ? ": " : "",
			  result->crash, said[0] != '\0' ? "; it said: " : "", said);
	else if (!result->ended)
		kit_fault(kit, place, "return errors to the caller: a module does not end the process",
			  "ended the process with status %d%s%s", WEXITSTATUS(status),
			  said[0] != '\0' ? "; it said: " : "", said);
	else if (said[0] != '\0')
		kit_fault(kit, "standard output or error", "say it with strata_log(), or count and trace it",
			  "wrote \"%.200s\"", said);
}

/* A run directory for the check's stacks; none where it cannot be made. */
static void make_run_dir(struct kit *kit)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(kit->run_dir, sizeof(kit->run_dir), "%.40s/strata-kit-XXXXXX",
		 tmp != NULL && strlen(tmp) <= 40 ? tmp : "/tmp");
	if (mkdtemp(kit->run_dir) == NULL)
		kit->run_dir[0] = '\0';
}

/* Removes it with what a module that crashed has left in it. */
static void remove_run_dir(struct kit *kit)
{
	DIR *dir = kit->run_dir[0] != '\0' ? opendir(kit->run_dir) : NULL;
	const struct dirent *entry;

	while (dir != NULL && (entry = readdir(dir)) != NULL)
		unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir != NULL)
		closedir(dir);
	if (kit->run_dir[0] != '\0')
		rmdir(kit->run_dir);
	kit->run_dir[0] = '\0';
}

static void run_once(struct kit *kit, const struct kit_check *check)
{
	struct kit_result *result = kit->result;
	int alive[2] = { -1, -1 }, output = -1, status = 0;
	pid_t pid;
	bool in_time;

	memset(result, 0, sizeof(*result));
	if (kit->in_process) {
		work(kit, check);
		return;
	}
	output = memfd_create("strata-kit", MFD_CLOEXEC);
	if (output < 0 || pipe2(alive, O_CLOEXEC) < 0)
		goto out_failed;
	fflush(NULL);
	pid = fork();
	if (pid < 0)
		goto out_failed;
	if (pid == 0) {
		close(alive[0]);
		bound();
		catch_output(output);
		work(kit, check);
		result->ended = true;
		fflush(NULL);
		_exit(0);
	}
	close(alive[1]);
	alive[1] = -1;
	in_time = watch(kit, pid, alive[0], &status);
	judge(kit, check, in_time, status, output);
	goto out_close;
out_failed:
	kit_skip(kit, "no process for it: %s", strerror(errno));
out_close:
	if (alive[0] >= 0)
		close(alive[0]);
	if (alive[1] >= 0)
		close(alive[1]);
	if (output >= 0)
		close(output);
}

void kit_child_run(struct kit *kit, const struct kit_check *check)
{
	kit->trap_rig = 0;
	make_run_dir(kit);
	run_once(kit, check);
	remove_run_dir(kit);
	if (kit->result->leak_rig == 0 || kit->in_process)
		return;
	kit->trap_rig = kit->result->leak_rig;
	kit->trap_number = kit->result->leak_number;
	make_run_dir(kit);
	run_once(kit, check);
	remove_run_dir(kit);
	kit->trap_rig = 0;
}
