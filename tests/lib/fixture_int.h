/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the test library share among themselves. */
#ifndef TEST_FIXTURE_INT_H
#define TEST_FIXTURE_INT_H

#include "fixture.h"

/* The fixture's clock, randomness, allocator and log as an environment; `ctx` is the fixture. */
struct strata_env fx_environment(struct fixture *fx);
/* Writes what the stack still holds to standard error. */
void fx_memory_report(const struct fixture *fx);
/* Moves the clock to `now`, then runs what is due. */
void fx_run_at(struct fixture *fx, uint64_t now);
/* A frame leaves a joined fixture. */
void fx_join_carry(struct fx_join *join, struct fixture *from, const struct fx_pkt *pkt);
/* Takes the oldest frame off and puts fragments of one packet together; NULL, or `*what` is told. */
const struct fx_pkt *fx_next_whole(struct fixture *fx, const char **what);

#endif
