/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Errors the network reports about segments sent. Read RFC 1122 4.2.3.9 and RFC 5927 before editing:
 * an error is believed only where the segment it quotes is in flight.
 */
#include <errno.h>
#include "tcp_int.h"

/* RFC 792: at least ports and sequence number of the offending segment are quoted. */
#define QUOTE_MIN 8

static struct strata_flow *find_flow(struct strata_instance *self,
				     const struct strata_transport_error *error)
{
	struct strata_flow_key key = { .local = error->quote.src, .remote = error->quote.dst,
				       .local_port = strata_get_be16(error->payload),
				       .remote_port = strata_get_be16(error->payload + 2),
				       .number = error->quote.number };

	return strata_flow_exact(self->stack, &key, NULL);
}

void tcp_learn_mtu(struct tcp_sock *tp)
{
	const struct strata_network_ops *network = tp->sock.network->module->network;
	uint32_t before = tp->cc.mss, mtu = tp->mtu_heard;

	tp->mtu_heard = 0;
	if (!tcp_in(tp, TCP_SYNCHRONISED) || network->path_mtu_learn == NULL ||
	    tp->sock.df == STRATA_DF_DONT)
		return;
	network->path_mtu_learn(tp->sock.network, &tp->sock.flow.key.remote, mtu);
	if (tcp_route(tp) < 0 || tp->cc.mss >= before)
		return;
	tcp_count(tp, TCP_COUNT_PMTU_LOWERED, 1);
	tcp_recovery_mtu(tp);
}

/* RFC 5927 5.2: of a synchronised connection any of these is only a hint, told should it time out.
 * DEVIATION: RFC 1122 4.2.3.9 wants soft errors to be hints while it is being opened, too; as on Linux
 * they end it, so that nobody waits for minutes for a network that is not there (RFC 5461). */
static void unreachable(struct tcp_sock *tp, const struct strata_transport_error *told)
{
	int error = strata_net_error_errno(told->kind);
	bool opening = tcp_in(tp, TCP_MASK(TCP_SYN_SENT) | TCP_MASK(TCP_SYN_RECEIVED));

	/* As Linux: Fast Open is as good as established once it has an owner. */
	if (tcp_fastopen_early(tp) && !tp->queued)
		opening = false;
	if (opening) {
		/* As Linux: only then the error queue has it, too. */
		if ((tp->sock.options & STRATA_SO_RECVERR) != 0)
			strata_socket_report_error(&tp->sock, told, &tp->sock.flow.key.remote,
						   tp->sock.flow.key.remote_port, 0);
		tp->abort_pending = (int16_t)error;
		tcp_schedule(tp);
		return;
	}
	tp->soft_error = (int16_t)error;
	if ((tp->sock.options & STRATA_SO_RECVERR) != 0 && !tcp_ownerless(tp))
		strata_socket_set_error(&tp->sock, error);
}

static void socket_error(struct tcp_sock *tp, const struct strata_transport_error *error,
			 uint32_t seq)
{
	if (!tcp_in(tp, TCP_SYNCHRONISED | TCP_MASK(TCP_SYN_SENT) | TCP_MASK(TCP_SYN_RECEIVED)) ||
	    seq_lt(seq, tp->snd_una) || !seq_lt(seq, seq_max(tp->snd_nxt, tp->snd_una + 1))) {
		tcp_count(tp, TCP_COUNT_ICMP_IGNORED, 1);
		return;
	}
	/* The error may come from within our own output: what it changes waits for the batch's end. */
	if (error->kind == STRATA_ERR_TOO_BIG) {
		tp->mtu_heard = (uint16_t)tcp_max32(tcp_min32(error->info, UINT16_MAX), 1);
		tcp_schedule(tp);
	} else {
		unreachable(tp, error);
	}
}

static void request_error(struct tcp_request *req, const struct strata_transport_error *error,
			  uint32_t seq)
{
	if (seq != req->iss || error->kind == STRATA_ERR_TOO_BIG || error->local) {
		strata_count(req->module->self, TCP_COUNT_ICMP_IGNORED, 1);
		return;
	}
	strata_count(req->module->self, TCP_COUNT_ATTEMPT_FAILS, 1);
	tcp_request_free(req);
}

void tcp_error(struct strata_instance *self, const struct strata_transport_error *error)
{
	struct strata_flow *flow = NULL;
	uint32_t seq;

	if (error->payload_length >= QUOTE_MIN)
		flow = find_flow(self, error);
	if (flow == NULL || flow->kind == TCP_FLOW_TIME_WAIT) {
		strata_count(self, TCP_COUNT_ICMP_IGNORED, 1);
		return;
	}
	seq = strata_get_be32(error->payload + 4);
	if (flow->kind == TCP_FLOW_REQUEST)
		request_error(strata_container_of(flow, struct tcp_request, flow), error, seq);
	/* One at rest has nothing on its way that the error could be about (RFC 5927 4.1). */
	else if (flow->kind == TCP_FLOW_REST)
		strata_count(self, TCP_COUNT_ICMP_IGNORED, 1);
	else
		socket_error(strata_container_of(flow, struct tcp_sock, sock.flow), error, seq);
}
