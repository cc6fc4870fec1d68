/* SPDX-License-Identifier: BSD-2-Clause */
/* Scenarios of TCP that are no plain transfer; each is a `run` of struct sweep_scenario. */
#ifndef TEST_SWEEP_CONNECTIONS_H
#define TEST_SWEEP_CONNECTIONS_H

#include "sweep.h"

/* Two stacks. */
void sweep_many_connections(struct sweep *sw);		/* arg: non-NULL: the server's memory */
void sweep_full_backlog(struct sweep *sw);
void sweep_refused(struct sweep *sw);			/* arg: non-NULL: the server's memory */
void sweep_reset_by_linger(struct sweep *sw);		/* arg: non-NULL: the receiver's memory */
void sweep_close_with_unread_data(struct sweep *sw);
void sweep_simultaneous_close(struct sweep *sw);
void sweep_time_wait_again(struct sweep *sw);
void sweep_options(struct sweep *sw);
void sweep_stamps(struct sweep *sw);
void sweep_zerocopy(struct sweep *sw);
void sweep_abandoned_listener(struct sweep *sw);
void sweep_within_one_stack(struct sweep *sw);
void sweep_module_off_and_on(struct sweep *sw);		/* arg: the module's name */
void sweep_runtime_options(struct sweep *sw);
void sweep_echo_service(struct sweep *sw);
void sweep_vanished_peer(struct sweep *sw);

/* One stack, its peer played by the test. */
void sweep_out_of_order(struct sweep *sw);
void sweep_overlaps(struct sweep *sw);
void sweep_scoreboard(struct sweep *sw);
void sweep_strange_segments(struct sweep *sw);
void sweep_syn_flood(struct sweep *sw);
void sweep_path_mtu(struct sweep *sw);
void sweep_keepalive(struct sweep *sw);
void sweep_zero_window(struct sweep *sw);
void sweep_urgent(struct sweep *sw);

#endif
