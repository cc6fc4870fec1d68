/* SPDX-License-Identifier: BSD-2-Clause */
/* CPU time of this process, of others with all their threads, and of the whole machine. See proc(5). */
#ifndef CPU_H
#define CPU_H

#include <sys/types.h>

enum { CPU_OTHERS = 4 };

/* Seconds. The machine's is in steps of a tick and has interrupts and kernel threads in it. */
struct cpu_use {
	double self, other, machine;
};

/* What has been used so far; `pids` are those of the others, up to a 0. */
struct cpu_use cpu_use(const pid_t *pids);
/* What has been used since. */
struct cpu_use cpu_since(const pid_t *pids, const struct cpu_use *before);

#endif
