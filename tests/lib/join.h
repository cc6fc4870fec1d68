/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two fixtures' wires joined by a link that delays, loses, duplicates, reorders and corrupts frames,
 * from a seed, in virtual time: the same seed gives the same run.
 */
#ifndef TEST_JOIN_H
#define TEST_JOIN_H

#include "fixture.h"

/* What a link does to the frames of one direction. Chances in parts of 10,000. */
struct fx_link {
	uint64_t delay;			/* ns */
	uint64_t jitter;		/* up to so much more, without reordering */
	uint64_t rate;			/* bits a second; 0: no limit */
	uint32_t queue;			/* frames that may wait for the rate; 0: 100 */
	uint32_t loss, duplicate, corrupt;
	uint32_t reorder;		/* chance that a frame is held back for `held` */
	uint64_t held;			/* ns; 0: twice the delay and 1 ms */
	/* Called for each frame before all else; false loses it. NULL: none. */
	bool (*filter)(void *ctx, const struct fx_pkt *pkt);
	void *ctx;
};

struct fx_join_stats {
	uint64_t sent, lost, duplicated, corrupted, reordered, delivered;
};

struct fx_join;

/* Joins two fixtures with the same virtual time (advances the one behind). Fixtures are to be opened with
 * different addresses and macs; `forth` is from a to b; NULL `back`: as `forth`. While joined,
 * frames no longer wait for expect_…, they travel; fx_advance() of one passes time for both. */
struct fx_join *fx_join(struct fixture *a, struct fixture *b, const struct fx_link *forth,
			const struct fx_link *back, uint64_t seed);
/* Passes time for both until `done` says so (asked after each event) or `ns` have passed. Returns whether
 * it was done. `done` NULL: lets all of `ns` pass. */
bool fx_join_run(struct fx_join *join, uint64_t ns, bool (*done)(void *ctx), void *ctx);
/* Changes a link (direction 0: forth, 1: back) from now on. */
void fx_join_set(struct fx_join *join, int direction, const struct fx_link *link);
const struct fx_join_stats *fx_join_stats(const struct fx_join *join, int direction);
/* Parts them; frames on their way are lost. */
void fx_part(struct fx_join *join);

/* Two stacks, 192.0.2.1 and 192.0.2.2, each the other's permanent neighbour, joined by `link` both ways;
 * `config` for both but for address and mac. */
struct fx_pair {
	struct fixture *a, *b;		/* a is 192.0.2.1 */
	struct fx_join *join;
};
struct fx_pair fx_pair_open(const struct fx_config *config, const struct fx_link *link, uint64_t seed);
void fx_pair_close(struct fx_pair *pair);

#endif
