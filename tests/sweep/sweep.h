/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The allocation sweep: a scenario is run once to count the allocations it makes, then once for each of
 * them with that one failing, and once with it and all that follow failing until the scenario says that
 * memory is back. Each run must see documented errors alone, leave a stack that works, and leak nothing.
 *
 *	static void binds(struct sweep *sw)
 *	{
 *		struct fixture *fx = sweep_open(sw, .modules = "ethernet arp ipv4 udp");
 *		int s;
 *
 *		sweep_begin(sw, fx);
 *		s = sweep_result(sw, strata_socket(fx->stack, AF_INET, SOCK_DGRAM, 0));
 *		sweep_end(sw);
 *		if (s < 0)
 *			s = udp_on(5000);
 *		…
 *		fx_close(fx);
 *	}
 *
 * Every scenario is swept with caches (a failure hits where a slab is cut) and without (every object is
 * an allocation). SWEEP=name[:k[:once|good[:cached]]] runs that scenario, that allocation, alone.
 */
#ifndef TEST_SWEEP_H
#define TEST_SWEEP_H

#include "fixture.h"

struct sweep {
	const char *name;
	const void *arg;		/* of the scenario */
	uint64_t k;			/* the allocation that fails, from sweep_begin() on; 0: none does */
	bool forever;			/* and all after it until sweep_end() */
	bool uncached;
	/* of this run */
	struct fixture *fx;		/* whose allocations fail */
	uint64_t allocs, failed;	/* of it, when the sweep began; at the end how many since */
	bool begun, ended;
};

struct sweep_scenario {
	const char *name;
	void (*run)(struct sweep *sw);
	const void *arg;
};

/* From now on allocations of `fx` are counted, and fail. Once in a run. */
void sweep_begin(struct sweep *sw, struct fixture *fx);
/* Memory is back. */
void sweep_end(struct sweep *sw);
/* Whether an allocation has failed so far. */
bool sweep_failed(const struct sweep *sw);
/* Gives a call's result back, which must not be an error but for want of memory once an allocation
 * has failed. */
#define sweep_result(sw, result) sweep_result_at(sw, result, __FILE__, __LINE__)
ssize_t sweep_result_at(const struct sweep *sw, ssize_t result, const char *file, int line);
/* A fixture for this run. */
#define sweep_open(sw, ...) \
	fx_open(.uncached = (sw)->uncached, ##__VA_ARGS__)
/* The stack answers a ping and takes a datagram: both, where their modules are there. */
void sweep_usable(struct fixture *fx);
/* Sweeps all scenarios and prints the totals, which must be at least the given ones. For `return` in
 * main. */
int sweep_main(const struct sweep_scenario *scenarios, size_t count, uint64_t least_failures);

#endif
