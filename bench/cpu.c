/* SPDX-License-Identifier: BSD-2-Clause */
/* CPU times out of /proc: proc(5), "stat", "pid/task/tid/schedstat". */
#include "cpu.h"

#include <dirent.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* Ticks that were neither idle nor waiting for a disk, nor taken by the host of a virtual machine. */
static double machine_seconds(void)
{
	unsigned long long user, nice, system, idle, wait, irq, softirq;
	FILE *file = fopen("/proc/stat", "r");
	int found;

	if (file == NULL)
		return 0;
	found = fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &system, &idle, &wait, &irq,
		       &softirq);
	fclose(file);
	if (found != 7)
		return 0;
	return (double)(user + nice + system + irq + softirq) / (double)sysconf(_SC_CLK_TCK);
}

/* The scheduler counts each thread's time in ns. */
static double process_seconds(pid_t pid)
{
	char name[64];
	struct dirent *entry;
	double sum = 0;
	DIR *dir;

	snprintf(name, sizeof(name), "/proc/%d/task", (int)pid);
	dir = opendir(name);
	if (dir == NULL)
		return 0;
	while ((entry = readdir(dir)) != NULL) {
		char path[sizeof(name) + sizeof(entry->d_name) + 16];
		unsigned long long ns;
		FILE *file;

		snprintf(path, sizeof(path), "%s/%s/schedstat", name, entry->d_name);
		file = entry->d_name[0] == '.' ? NULL : fopen(path, "r");
		if (file == NULL)
			continue;
		if (fscanf(file, "%llu", &ns) == 1)
			sum += (double)ns / 1e9;
		fclose(file);
	}
	closedir(dir);
	return sum;
}

struct cpu_use cpu_use(const pid_t *pids)
{
	struct cpu_use use = { .machine = machine_seconds() };
	struct timespec self;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &self);
	use.self = (double)self.tv_sec + (double)self.tv_nsec / 1e9;
	for (; *pids != 0; pids++)
		use.other += process_seconds(*pids);
	return use;
}

struct cpu_use cpu_since(const pid_t *pids, const struct cpu_use *before)
{
	struct cpu_use now = cpu_use(pids);

	now.self -= before->self;
	now.other -= before->other;
	now.machine -= before->machine;
	return now;
}
