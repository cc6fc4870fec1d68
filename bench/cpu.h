/* SPDX-License-Identifier: BSD-2-Clause */
/* CPU time of this process, of another with all its threads, and of the whole machine. See proc(5). */
#ifndef CPU_H
#define CPU_H

#include <sys/types.h>

/* Seconds. The machine's is in steps of a tick and has interrupts and kernel threads in it. */
struct cpu_use {
	double self, other, machine;
};

/* What has been used so far; `pid` 0: no other process. */
struct cpu_use cpu_use(pid_t pid);
/* What has been used since. */
struct cpu_use cpu_since(pid_t pid, const struct cpu_use *before);

#endif
