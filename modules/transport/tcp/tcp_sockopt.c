/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Options of tcp(7), with Linux's numbers, ranges and errors; and struct tcp_info, in which a field that
 * is not kept stays 0.
 */
#include <errno.h>
#include <linux/tcp.h>
#include "tcp_details.h"
#include "tcp_int.h"

/* As Linux: MAX_TCP_KEEPIDLE, MAX_TCP_KEEPINTVL, MAX_TCP_KEEPCNT, MAX_TCP_SYNCNT. */
#define SECONDS_MAX 32767
#define COUNT_MAX 127
/* As Linux: TCP_CA_NAME_MAX. */
#define CONGESTION_NAME 16
/* As Linux: TCP_FIN_TIMEOUT_MAX in seconds, and half of SOCK_MIN_RCVBUF. */
#define LINGER2_MAX 120
#define WINDOW_CLAMP_MIN 1152

static int take_int(const void *value, socklen_t length, int *out)
{
	if (length < sizeof(int))
		return -EINVAL;
	memcpy(out, value, sizeof(int));
	return 0;
}

static int put(void *value, socklen_t *length, const void *from, size_t size)
{
	if (*length > size)
		*length = (socklen_t)size;
	memcpy(value, from, *length);
	return 0;
}

/* An integer of `min` … `max` into a field of 16 bits or less. */
#define SET_RANGE(field, v, min, max, type) \
	((v) < (min) || (v) > (max) ? -EINVAL : ((field) = (type)(v), 0))

static int set_congestion(struct tcp_sock *tp, const void *value, socklen_t length)
{
	char name[CONGESTION_NAME] = "";
	struct strata_instance *algorithm;

	if (length == 0)
		return -EINVAL;
	memcpy(name, value, length < sizeof(name) - 1 ? length : sizeof(name) - 1);
	algorithm = strata_congestion_find(tp->sock.stack, name);
	if (algorithm == NULL)
		return -ENOENT;
	if (tcp_extra(tp) == NULL)
		return -ENOMEM;
	tp->extra->algorithm = algorithm;
	if (tp->cc.algorithm == NULL || tp->cc.algorithm == algorithm)
		return 0;
	tcp_congestion_end(tp);
	tcp_congestion_begin(tp);
	return 0;
}

static int set_quickack(struct tcp_sock *tp, int v)
{
	tp->pingpong = v == 0;
	if (v == 0)
		return 0;
	if (tp->ack_pending) {
		tp->ack_now = true;
		tcp_schedule(tp);
	}
	/* Before the first data the count is still to be set, and higher. */
	if (tp->quick == 0 && tp->data_segs_in != 0)
		tp->quick = 1;
	return 0;
}

static int set_nodelay(struct tcp_sock *tp, int v)
{
	tp->nodelay = v != 0;
	/* What Nagle's rules held back goes now. */
	if (v != 0) {
		tp->uncork = true;
		tcp_schedule(tp);
	}
	return 0;
}

static int set_cork(struct tcp_sock *tp, int v)
{
	tp->cork = v != 0;
	if (v == 0) {
		tp->more = false;
		tp->uncork = true;
		tcp_schedule(tp);
	}
	return 0;
}

static int set_maxseg(struct tcp_sock *tp, int v)
{
	const struct tcp_config *config = tcp_module_of(tp)->config;

	/* 0 takes it back, as on Linux; the range is ours to 32767. */
	if (v != 0 && (v < (int)config->mss_min || v > SECONDS_MAX))
		return -EINVAL;
	tp->user_mss = (uint16_t)v;
	if (tcp_in(tp, TCP_SYNCHRONISED) && tcp_route(tp) == 0)
		tcp_update_mss(tp);
	return 0;
}

static int set_linger2(struct tcp_sock *tp, int v)
{
	if (tcp_extra(tp) == NULL)
		return -ENOMEM;
	tp->extra->linger2 = v < 0 ? -1 : v > LINGER2_MAX ? LINGER2_MAX : v;
	return 0;
}

static int set_notsent_lowat(struct tcp_sock *tp, int v)
{
	if (tcp_extra(tp) == NULL)
		return -ENOMEM;
	tp->extra->notsent_lowat = (uint32_t)v;
	tcp_events(tp, 0);
	return 0;
}

static int set_window_clamp(struct tcp_sock *tp, int v)
{
	/* As Linux: it can be taken back only while there is no connection. */
	if (v == 0 && tp->state != TCP_CLOSED)
		return -EINVAL;
	if (tcp_extra(tp) == NULL)
		return -ENOMEM;
	tp->extra->window_clamp = v == 0 ? 0 : tcp_max32((uint32_t)v, WINDOW_CLAMP_MIN);
	return 0;
}

static int set_inq(struct tcp_sock *tp, int v)
{
	if (v != 0 && v != 1)
		return -EINVAL;
	if (tcp_extra(tp) == NULL)
		return -ENOMEM;
	tp->extra->inq = v != 0;
	return 0;
}

static int set_keepidle(struct tcp_sock *tp, int v)
{
	int error = SET_RANGE(tp->keepidle, v, 1, SECONDS_MAX, uint16_t);

	if (error == 0)
		tcp_timer_keepalive(tp);
	return error;
}

static bool is_fastopen(int name)
{
	return name == TCP_FASTOPEN || name == TCP_FASTOPEN_CONNECT || name == TCP_FASTOPEN_KEY ||
	       name == TCP_FASTOPEN_NO_COOKIE;
}

int tcp_setsockopt(struct strata_socket *sock, int name, const void *value, socklen_t length)
{
	struct tcp_sock *tp = tcp_of(sock);
	int v, error;

	if (name == TCP_CONGESTION)
		return set_congestion(tp, value, length);
	if (is_fastopen(name))
		return tcp_fastopen_setsockopt(tp, name, value, length);
	if (name == TCP_ULP)
		return length == 0 ? -EINVAL : -ENOENT;	/* there is no such layer */
	error = take_int(value, length, &v);
	if (error < 0)
		return error;
	switch (name) {
	case TCP_NODELAY:
		return set_nodelay(tp, v);
	case TCP_CORK:
		return set_cork(tp, v);
	case TCP_MAXSEG:
		return set_maxseg(tp, v);
	case TCP_KEEPIDLE:
		return set_keepidle(tp, v);
	case TCP_KEEPINTVL:
		return SET_RANGE(tp->keepintvl, v, 1, SECONDS_MAX, uint16_t);
	case TCP_KEEPCNT:
		return SET_RANGE(tp->keepcnt, v, 1, COUNT_MAX, uint8_t);
	case TCP_SYNCNT:
		return SET_RANGE(tp->syncnt, v, 1, COUNT_MAX, uint8_t);
	case TCP_LINGER2:
		return set_linger2(tp, v);
	case TCP_WINDOW_CLAMP:
		return set_window_clamp(tp, v);
	case TCP_DEFER_ACCEPT:
		tp->defer_accept = tcp_defer_count(tcp_module_of(tp), v);
		return 0;
	case TCP_USER_TIMEOUT:
		if (v < 0)
			return -EINVAL;
		tp->user_timeout_ms = (uint32_t)v;
		return 0;
	case TCP_NOTSENT_LOWAT:
		return set_notsent_lowat(tp, v);
	case TCP_QUICKACK:
		return set_quickack(tp, v);
	case TCP_INQ:
		return set_inq(tp, v);
	case TCP_REPAIR:
	case TCP_REPAIR_QUEUE:
	case TCP_REPAIR_OPTIONS:
	case TCP_REPAIR_WINDOW:
	case TCP_QUEUE_SEQ:
	case TCP_TIMESTAMP:
		/* As Linux to whom may not move connections between hosts. */
		return -EPERM;
	default:
		return -ENOPROTOOPT;
	}
}

static uint32_t us(uint64_t ns)
{
	return ns == STRATA_NEVER ? 0 : (uint32_t)(ns / STRATA_US);
}

static uint32_t in_segments(uint32_t bytes, uint32_t mss)
{
	return mss != 0 ? (bytes + mss - 1) / mss : 0;
}

/* The options of struct tcp_info's tcpi_options. */
static uint8_t info_options(const struct tcp_sock *tp)
{
	const struct tcp_fastopen *fo = tcp_fastopen_of(tp);

	return (uint8_t)((tp->ts_ok ? TCPI_OPT_TIMESTAMPS : 0) | (tp->sack_ok ? TCPI_OPT_SACK : 0) |
			 (tp->wscale_ok ? TCPI_OPT_WSCALE : 0) | (tp->ecn_ok ? TCPI_OPT_ECN : 0) |
			 (tp->ecn_seen ? TCPI_OPT_ECN_SEEN : 0) |
			 (fo != NULL && fo->data_acked ? TCPI_OPT_SYN_DATA : 0));
}

/* Bytes of data in flight, each once: neither SYN nor FIN. */
static uint32_t data_in_flight(const struct tcp_sock *tp)
{
	bool opening = tcp_in(tp, TCP_MASK(TCP_SYN_SENT) | TCP_MASK(TCP_SYN_RECEIVED));

	return seq_span(tp->snd_una + opening, seq_min(tp->snd_nxt, tp->snd_end));
}

static void info_send(const struct tcp_sock *tp, struct tcp_info *info)
{
	uint32_t mss = tp->cc.mss, now = tcp_ms(tcp_now(tp));

	info->tcpi_ca_state = tp->phase;
	info->tcpi_retransmits = tp->retransmits;
	info->tcpi_probes = tp->probes;
	info->tcpi_backoff = tp->backoff;
	info->tcpi_rto = us(tcp_rto(tp));
	info->tcpi_snd_mss = mss;
	info->tcpi_unacked = in_segments(tp->snd_nxt - tp->snd_una, mss);
	if (tp->flight != NULL) {
		info->tcpi_sacked = in_segments(tp->flight->sacked + tp->flight->reno_sacked, mss);
		info->tcpi_lost = in_segments(tp->flight->lost, mss);
		info->tcpi_retrans = in_segments(tp->flight->retransmitted, mss);
	}
	info->tcpi_last_data_sent = now - tp->last_sent_ms;
	info->tcpi_rtt = us(tp->cc.srtt);
	info->tcpi_rttvar = us(tp->rttvar);
	info->tcpi_min_rtt = us(tp->cc.min_rtt);
	info->tcpi_snd_ssthresh = tp->cc.ssthresh == UINT32_MAX ? 0x7fffffff :
				  mss != 0 ? tp->cc.ssthresh / mss : 0;
	info->tcpi_snd_cwnd = in_segments(tp->cc.cwnd, mss);
	info->tcpi_reordering = (uint32_t)tcp_module_of(tp)->config->dupack_threshold;
	info->tcpi_reord_seen = tp->reordering_seen;
	info->tcpi_total_retrans = tp->total_retrans;
	info->tcpi_pacing_rate = tcp_pacing_rate(tp) != 0 ? tcp_pacing_rate(tp) : UINT64_MAX;
	info->tcpi_max_pacing_rate = tp->sock.max_pacing_rate != 0 ? tp->sock.max_pacing_rate :
				     UINT64_MAX;
	info->tcpi_delivery_rate = (uint64_t)tp->delivery_rate * TCP_RATE_UNIT;
	info->tcpi_delivery_rate_app_limited = tp->rate_app_limited;
	info->tcpi_delivered = (uint32_t)((tp->cc.delivered + mss - 1) / (mss != 0 ? mss : 1));
	info->tcpi_bytes_acked = tp->bytes_acked;
	info->tcpi_bytes_retrans = tp->bytes_retrans;
	info->tcpi_bytes_sent = tp->bytes_acked + data_in_flight(tp) + tp->bytes_retrans;
	info->tcpi_segs_out = tp->segs_out;
	info->tcpi_data_segs_out = tp->data_segs_out;
	info->tcpi_notsent_bytes = seq_span(tp->snd_nxt, tp->snd_end);
	info->tcpi_snd_wnd = tp->snd_wnd;
	info->tcpi_delivered_ce = tp->delivered_ce;
}

static void info_receive(const struct tcp_sock *tp, struct tcp_info *info)
{
	uint32_t now = tcp_ms(tcp_now(tp));

	info->tcpi_ato = us(tcp_module_of(tp)->config->delayed_ack);
	info->tcpi_rcv_mss = tp->rcv_mss;
	info->tcpi_last_data_recv = now - tp->last_received_ms;
	info->tcpi_last_ack_recv = now - tp->last_ack_ms;
	info->tcpi_pmtu = tp->dst.mtu;
	info->tcpi_advmss = tp->advmss;
	info->tcpi_rcv_space = tcp_rcv_wnd(tp);
	info->tcpi_bytes_received = tp->bytes_received;
	info->tcpi_segs_in = tp->segs_in;
	info->tcpi_data_segs_in = tp->data_segs_in;
}

struct tcp_info tcp_info_of(const struct tcp_sock *tp)
{
	struct tcp_info info = { 0 };

	info.tcpi_state = tp->state;
	info.tcpi_options = info_options(tp);
	if (tcp_fastopen_of(tp) != NULL)
		info.tcpi_fastopen_client_fail = tcp_fastopen_of(tp)->fail & 3u;
	info.tcpi_snd_wscale = tp->snd_wscale & 0xfu;
	info.tcpi_rcv_wscale = tp->rcv_wscale & 0xfu;
	if (tp->state == TCP_LISTEN) {
		/* As Linux: length and limit of the accept queue. */
		info.tcpi_unacked = tp->listener->accept_count;
		info.tcpi_sacked = tp->listener->backlog;
		return info;
	}
	info_send(tp, &info);
	info_receive(tp, &info);
	return info;
}

static int get_congestion(const struct tcp_sock *tp, void *value, socklen_t *length)
{
	const char *name = tcp_module_of(tp)->config->congestion;
	char text[CONGESTION_NAME] = "";
	size_t i;

	if (tp->cc.algorithm != NULL)
		name = tp->cc.algorithm->name;
	else if (tp->extra != NULL && tp->extra->algorithm != NULL)
		name = tp->extra->algorithm->name;
	for (i = 0; i < sizeof(text) - 1 && name[i] != '\0'; i++)
		text[i] = name[i];
	return put(value, length, text, sizeof(text));
}

static int seconds(uint64_t ns)
{
	return (int)(ns / STRATA_SEC);
}

static int get_maxseg(const struct tcp_sock *tp)
{
	if (tcp_in(tp, TCP_SYNCHRONISED))
		return (int)tp->cc.mss;
	return tp->user_mss != 0 ? tp->user_mss : TCP_MSS_DEFAULT_V4;
}

int tcp_getsockopt(struct strata_socket *sock, int name, void *value, socklen_t *length)
{
	const struct tcp_sock *tp = tcp_of(sock);
	const struct tcp_config *config = tcp_module_of(tp)->config;
	struct tcp_info info;
	int v;

	switch (name) {
	case TCP_INFO:
		info = tcp_info_of(tp);
		return put(value, length, &info, sizeof(info));
	case TCP_CONGESTION:
		return get_congestion(tp, value, length);
	case TCP_FASTOPEN:
	case TCP_FASTOPEN_CONNECT:
	case TCP_FASTOPEN_KEY:
	case TCP_FASTOPEN_NO_COOKIE:
		return tcp_fastopen_getsockopt(tp, name, value, length);
	case TCP_NODELAY:
		v = tp->nodelay;
		break;
	case TCP_CORK:
		v = tp->cork;
		break;
	case TCP_MAXSEG:
		v = get_maxseg(tp);
		break;
	case TCP_KEEPIDLE:
		v = seconds(tcp_keepidle(tp));
		break;
	case TCP_KEEPINTVL:
		v = seconds(tcp_keepintvl(tp));
		break;
	case TCP_KEEPCNT:
		v = (int)tcp_keepcnt(tp);
		break;
	case TCP_SYNCNT:
		v = tp->syncnt != 0 ? tp->syncnt : (int)config->syn_retries;
		break;
	case TCP_LINGER2:
		v = tp->extra != NULL && tp->extra->linger2 != 0 ? tp->extra->linger2 :
								   seconds(config->fin_timeout);
		break;
	case TCP_DEFER_ACCEPT:
		v = tcp_defer_seconds(tcp_module_of(tp), tp->defer_accept);
		break;
	case TCP_USER_TIMEOUT:
		v = (int)tp->user_timeout_ms;
		break;
	case TCP_NOTSENT_LOWAT:
		v = (int)tcp_notsent_lowat(tp);
		break;
	case TCP_WINDOW_CLAMP:
		v = tp->extra != NULL ? (int)tp->extra->window_clamp : 0;
		break;
	case TCP_INQ:
		v = tp->extra != NULL && tp->extra->inq;
		break;
	case TCP_TIMESTAMP:
		v = (int)tcp_tsval(tp);
		break;
	case TCP_QUICKACK:
		v = !tp->pingpong;
		break;
	default:
		return -ENOPROTOOPT;
	}
	return put(value, length, &v, sizeof(v));
}

void tcp_option_changed(struct strata_socket *sock, int name)
{
	struct tcp_sock *tp = tcp_of(sock);

	if (name == SO_KEEPALIVE && tp->state != TCP_LISTEN)
		tcp_timer_keepalive(tp);
	if ((name == SO_RCVBUF || name == SO_RCVBUFFORCE) &&
	    tcp_in(tp, TCP_MASK(TCP_CLOSED) | TCP_MASK(TCP_LISTEN)))
		tp->rcv_wscale = tcp_choose_wscale(tcp_module_of(tp), sock);
	/* Numbers of bytes count from here (SOF_TIMESTAMPING_OPT_ID). */
	if (name == SO_TIMESTAMPING && strata_socket_stamping(sock) != 0 && tcp_extra(tp) != NULL &&
	    tp->extra->marks == NULL)
		tp->extra->stamp_base = tp->snd_end;
	if (name == SO_RCVLOWAT)
		tcp_rcvlowat_changed(tp);
	if (name == SO_RCVLOWAT || name == SO_SNDBUF || name == SO_SNDBUFFORCE)
		tcp_events(tp, 0);
	/* As Linux: who was refused bytes is told though the socket could be written to all along. */
	if (name == SO_SNDBUF || name == SO_SNDBUFFORCE)
		tcp_wake_writer(tp);
	if (name == SO_BINDTODEVICE || name == SO_BINDTOIFINDEX)
		strata_dst_release(&tp->dst);
}
