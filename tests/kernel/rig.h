/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bottom half of a stack for tests of the kernel's inside: memory, packets, timers, work, chance,
 * trace, without interfaces or modules. Time stands unless a test moves it; memory is counted and can
 * fail; closing asserts that all came back and nothing was complained about.
 */
#ifndef TEST_RIG_H
#define TEST_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kernel.h"

struct rig {
	struct kernel k;
	struct strata_stack *stack;	/* &k.pub */
	uint64_t now;			/* what the environment's clock says, with `clock` */
	bool clock;			/* set before rig_open(): the environment has a clock */
	bool random_fails;
	bool uncached;			/* the environment's, as set before rig_open() */
	uint64_t seed;
	size_t blocks, bytes;		/* held of the environment's memory */
	uint64_t allocs;		/* calls, refused ones included */
	uint64_t fail_at;		/* the call that fails; 0: none */
	bool fail_forever;		/* and every one after it */
	char log[4096];			/* "module: line\n" */
};

/* Fills in the environment from `rig`'s settings and makes all parts. Returns 0 or -errno, and then has
 * undone all. */
int rig_open(struct rig *rig);
/* Asserts that no memory is left and the log is empty. */
void rig_close(struct rig *rig);
/* Undoes the parts without asserting anything. */
void rig_fini(struct rig *rig);
/* The next allocation of the environment and all after it fail, or none. */
void rig_starve(struct rig *rig, bool starve);
/* A seeded generator for the test's choices. */
uint64_t rig_random(uint64_t *state);
uint32_t rig_below(uint64_t *state, uint32_t bound);

#endif
