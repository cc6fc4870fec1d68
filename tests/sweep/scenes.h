/* SPDX-License-Identifier: BSD-2-Clause */
/* Scenarios below and beside TCP; each is a `run` of struct sweep_scenario. */
#ifndef TEST_SWEEP_SCENES_H
#define TEST_SWEEP_SCENES_H

#include "sweep.h"

/* create.c */
void sweep_create(struct sweep *sw);		/* arg: struct fx_config */
void sweep_addresses(struct sweep *sw);
void sweep_routes(struct sweep *sw);
void sweep_groups(struct sweep *sw);
void sweep_neighbours(struct sweep *sw);
void sweep_sockets(struct sweep *sw);
void sweep_switching(struct sweep *sw);		/* arg: the module's name */
void sweep_option_values(struct sweep *sw);
void sweep_control(struct sweep *sw);

/* datagrams.c */
void sweep_resolution(struct sweep *sw);
void sweep_arp_requests(struct sweep *sw);
void sweep_address_claims(struct sweep *sw);
void sweep_fragments_out(struct sweep *sw);
void sweep_fragments_in(struct sweep *sw);
void sweep_fragments_lost(struct sweep *sw);
void sweep_echo_replies(struct sweep *sw);
void sweep_icmp_errors_out(struct sweep *sw);
void sweep_icmp_errors_in(struct sweep *sw);
void sweep_ping_socket(struct sweep *sw);
void sweep_udp_talk(struct sweep *sw);
void sweep_udp_multicast(struct sweep *sw);
void sweep_udp_broadcast(struct sweep *sw);
void sweep_udp_to_itself(struct sweep *sw);
void sweep_udp_ancillary(struct sweep *sw);
void sweep_udp_connected(struct sweep *sw);
void sweep_udp_stamps(struct sweep *sw);
void sweep_udp_full_buffer(struct sweep *sw);
void sweep_echo_datagrams(struct sweep *sw);
void sweep_two_wires(struct sweep *sw);
void sweep_super_datagrams(struct sweep *sw);

#endif
