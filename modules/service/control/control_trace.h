/* SPDX-License-Identifier: BSD-2-Clause */
/* What a trace is of: which packets its parameters mean, told from the steps of their walk. */
#ifndef CONTROL_TRACE_H
#define CONTROL_TRACE_H

#include <net/if.h>
#include <strata/flow.h>
#include <strata/trace.h>
#include "control_filter.h"
#include "control_int.h"

enum control_trace_verdict {
	CONTROL_TRACE_UNKNOWN,		/* the packet does not show it yet */
	CONTROL_TRACE_WANTED,
	CONTROL_TRACE_UNWANTED,
};

enum control_trace_way {
	CONTROL_TRACE_BOTH,
	CONTROL_TRACE_IN,
	CONTROL_TRACE_OUT,
};

/** Which packets. Zeroed: all. */
struct control_trace_want {
	struct control_filter *filter;	/* NULL: none */
	char iface[IFNAMSIZ];		/* "": any */
	uint8_t way;			/* enum control_trace_way */
	bool follow;			/* those between the ends of `key` */
	struct strata_flow_key key;	/* an unset address, a port of 0, a number of 0: any */
};

/** Reads the parameters. Returns 0, or the length of a refusal that was written. */
size_t control_trace_want_read(struct control_request *request, struct control_trace_want *want);
void control_trace_want_free(struct strata_stack *stack, struct control_trace_want *want);
/** Whether the packet of the step, `first` when no step of it was seen before, is wanted. */
enum control_trace_verdict control_trace_judge(const struct control_trace_want *want,
					       const struct strata_trace_record *record, bool first);
/** The same for a step without a packet and without a cause. */
bool control_trace_wants_event(const struct control_trace_want *want,
			       const struct strata_trace_record *record);

extern const struct control_stream_ops control_trace_ops;

#endif
