/* SPDX-License-Identifier: BSD-2-Clause */
/* What programs (TCP_INFO of tcp(7)) and people ask about a connection. */
#ifndef TCP_DETAILS_H
#define TCP_DETAILS_H

#include "tcp_int.h"

struct tcp_info;
/* What TCP_INFO tells. */
struct tcp_info tcp_info_of(const struct tcp_sock *tp);

void tcp_details(const struct strata_flow *flow, strata_detail_fn *each, void *ctx);

#endif
