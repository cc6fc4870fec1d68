/* SPDX-License-Identifier: BSD-2-Clause */
/* Filters of streams: pcap text that the client has compiled, one program for each link type. */
#ifndef CONTROL_FILTER_H
#define CONTROL_FILTER_H

#include <jansson.h>
#include <strata/module.h>
#include <strata/pkt.h>

struct control_filter;

/** Reads the member `filter` of a request, `{"text":"icmp","programs":[{"link_type":1,"code":[[code,jt,jf,k],
 *  …]},…]}`, into `*out`, which the caller frees; NULL where there is none, and all is wanted. Returns 0;
 *  -EINVAL or -ENOMEM with a sentence in `message`. */
int control_filter_read(struct strata_stack *stack, const json_t *request,
			struct control_filter **out, char *message, size_t size);
/** NULL is allowed. */
void control_filter_free(struct strata_stack *stack, struct control_filter *filter);
/** Whether the packet is wanted: its bytes from data on begin as `link_type` says (strata_iface_link_type()
 *  for a frame, STRATA_LINK_TYPE_RAW from the network header on). Borrows. Without a filter all are, with
 *  one that has no program for the link type none. */
bool control_filter_wants(const struct control_filter *filter, const struct strata_pkt *pkt,
			  uint16_t link_type);
/** Whether the filter, if there is one, has a program for the link type. */
bool control_filter_knows(const struct control_filter *filter, uint16_t link_type);
/** The text as the user wrote it; NULL without a filter. Borrowed. */
const char *control_filter_text(const struct control_filter *filter);

#endif
