/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What people ask about a connection, in the words of tcp(7) and ss(8): estimates, windows, counts, and
 * the timer that is due next.
 */
#include <stdio.h>
#include <linux/tcp.h>
#include "tcp_details.h"

/** Where details go. */
struct details {
	strata_detail_fn *each;
	void *ctx;
};

static void number(const struct details *d, const char *name, uint64_t value)
{
	d->each(d->ctx, name, NULL, value);
}

/* The deadline that comes first: its name, and when. */
static void add_timer(const struct details *d, const struct tcp_sock *tp)
{
	/* That of rest is ours alone. */
	static const char *const names[TCP_TIMER_REST] = {
		[TCP_TIMER_RACK] = "rack",
		[TCP_TIMER_RETRANSMIT] = "retransmit",
		[TCP_TIMER_PACE] = "pace",
		[TCP_TIMER_PERSIST] = "persist",
		[TCP_TIMER_DELAYED_ACK] = "delayed ack",
		[TCP_TIMER_KEEPALIVE] = "keepalive",
		[TCP_TIMER_CORK] = "cork",
		[TCP_TIMER_FIN_WAIT] = "fin-wait-2",
	};
	uint64_t now = tcp_now(tp), when = STRATA_NEVER;
	const char *name = NULL;
	unsigned int i;

	for (i = 0; i < TCP_TIMER_REST; i++) {
		if (!tcp_timer_is_set(tp, (enum tcp_timer_id)i) || tp->deadline[i] >= when)
			continue;
		when = tp->deadline[i];
		name = names[i];
	}
	if (name == NULL)
		return;
	d->each(d->ctx, "timer", name, 0);
	number(d, "timer_ms", when > now ? (when - now) / STRATA_MS : 0);
}

/* "timestamps sack wscale:7,7 ecn": what both ends agreed on. */
static void add_options(const struct details *d, const struct tcp_info *info)
{
	char text[64] = "";
	size_t n = 0;

	if (info->tcpi_options & TCPI_OPT_TIMESTAMPS)
		n += (size_t)snprintf(text + n, sizeof(text) - n, " timestamps");
	if (info->tcpi_options & TCPI_OPT_SACK)
		n += (size_t)snprintf(text + n, sizeof(text) - n, " sack");
	if (info->tcpi_options & TCPI_OPT_WSCALE)
		n += (size_t)snprintf(text + n, sizeof(text) - n, " wscale:%u,%u", info->tcpi_snd_wscale,
				      info->tcpi_rcv_wscale);
	if (info->tcpi_options & TCPI_OPT_ECN)
		n += (size_t)snprintf(text + n, sizeof(text) - n, " ecn");
	if (n != 0)
		d->each(d->ctx, "options", text + 1, 0);
}

static void add_sending(const struct details *d, const struct tcp_info *info)
{
	number(d, "rto_us", info->tcpi_rto);
	number(d, "rtt_us", info->tcpi_rtt);
	number(d, "rttvar_us", info->tcpi_rttvar);
	number(d, "min_rtt_us", info->tcpi_min_rtt);
	number(d, "mss", info->tcpi_snd_mss);
	number(d, "pmtu", info->tcpi_pmtu);
	number(d, "cwnd", info->tcpi_snd_cwnd);
	if (info->tcpi_snd_ssthresh < 0x7fffffff)	/* which stands for none yet */
		number(d, "ssthresh", info->tcpi_snd_ssthresh);
	number(d, "snd_wnd_bytes", info->tcpi_snd_wnd);
	number(d, "unacked", info->tcpi_unacked);
	number(d, "sacked", info->tcpi_sacked);
	number(d, "lost", info->tcpi_lost);
	number(d, "retransmits", info->tcpi_retransmits);
	number(d, "total_retransmits", info->tcpi_total_retrans);
	number(d, "backoff", info->tcpi_backoff);
	number(d, "notsent_bytes", info->tcpi_notsent_bytes);
	number(d, "delivery_rate_bytes_per_s", info->tcpi_delivery_rate);
	if (info->tcpi_pacing_rate != UINT64_MAX)
		number(d, "pacing_rate_bytes_per_s", info->tcpi_pacing_rate);
}

static void add_counts(const struct details *d, const struct tcp_info *info)
{
	number(d, "rcv_mss", info->tcpi_rcv_mss);
	number(d, "rcv_wnd_bytes", info->tcpi_rcv_space);
	number(d, "acked_bytes", info->tcpi_bytes_acked);
	number(d, "received_bytes", info->tcpi_bytes_received);
	number(d, "retransmitted_bytes", info->tcpi_bytes_retrans);
	number(d, "segments_out", info->tcpi_segs_out);
	number(d, "segments_in", info->tcpi_segs_in);
	number(d, "last_sent_ms", info->tcpi_last_data_sent);
	number(d, "last_received_ms", info->tcpi_last_data_recv);
}

void tcp_details(const struct strata_flow *flow, strata_detail_fn *each, void *ctx)
{
	const struct details d = { each, ctx };
	const struct tcp_sock *tp;
	struct tcp_sock whole;
	struct tcp_info info;

	if (flow->kind == TCP_FLOW_REQUEST || flow->kind == TCP_FLOW_TIME_WAIT)
		return;
	tp = (const struct tcp_sock *)(const void *)((const char *)flow -
						     offsetof(struct tcp_sock, sock.flow));
	if (tp->state == TCP_CLOSED || tp->state == TCP_LISTEN)
		return;
	/* Whoever looks does not wake it. */
	if (flow->kind == TCP_FLOW_REST) {
		tcp_rest_copy(&whole, tp);
		tp = &whole;
	}
	info = tcp_info_of(tp);
	if (tp->cc.algorithm != NULL)
		each(ctx, "congestion", tp->cc.algorithm->name, 0);
	add_timer(&d, tp);
	add_options(&d, &info);
	add_sending(&d, &info);
	add_counts(&d, &info);
	if (flow->kind == TCP_FLOW_REST)
		strata_dst_release(&whole.dst);
}
