/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flows: connections over the embedding socket interface whose bytes tell their positions, so that each
 * end knows at once of a byte that is wrong, missing, or there twice.
 */
#include "sim_int.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

enum { PORT_DEFAULT = 5000, MOST_DEFAULT = 16384, MOST = 65536, BACKLOG = 4096 };

struct flow_listener {
	struct flow_listener *next;
	struct strata_sim_host *host;
	uint16_t port;
	int s;
};

struct flow_side {
	struct strata_sim_flow *flow;
	struct strata_sim_host *host;
	struct strata_sim_flow_end *end;
	uint64_t to_send, wanted;
	uint64_t key, peer_key;		/* of the streams it sends and expects */
	uint64_t rng;			/* sizes of its calls */
	bool closed;
};

struct strata_sim_flow {
	struct strata_sim_flow *next, **link;
	struct strata_sim *sim;
	struct strata_sim_flow_config config;
	struct strata_sim_flow_stats stats;
	struct flow_side client, server;
	struct sockaddr_in local;	/* of the client, by which the server's end is known */
	bool over;
};

struct flow_set {
	struct strata_sim_flow *flows;	/* not ended */
	struct strata_sim_totals totals;
	uint64_t keep;			/* of the flows that never end */
	uint64_t gone;			/* flows that have ended, their users told */
	uint64_t first_failed;		/* number of the first flow that failed, and its errors */
	int errors[2];
	uint8_t buf[MOST], want[MOST];
};

/* ---- the stream ---- */

static uint64_t stream_word(uint64_t key, uint64_t index)
{
	uint64_t state = key + index * UINT64_C(0xd1342543de82ef95);

	return impair_random(&state);
}

uint8_t strata_sim_stream_byte(uint64_t key, uint64_t position)
{
	return (uint8_t)(stream_word(key, position / 8) >> position % 8 * 8);
}

void strata_sim_stream(uint64_t key, uint64_t position, void *buf, size_t length)
{
	uint8_t *out = buf;

	for (; length != 0 && position % 8 != 0; length--)
		*out++ = strata_sim_stream_byte(key, position++);
	for (; length >= 8; length -= 8, position += 8) {
		uint64_t word = stream_word(key, position / 8);

		for (int i = 0; i < 8; i++)
			*out++ = (uint8_t)(word >> i * 8);
	}
	for (; length != 0; length--)
		*out++ = strata_sim_stream_byte(key, position++);
}

/* ---- ending ---- */

static void close_side(struct flow_side *side)
{
	if (side->closed || side->end->s < 0)
		return;
	side->closed = true;
	strata_close(side->host->stack, side->end->s);
	side->end->s = -1;
}

static bool side_complete(const struct flow_side *side)
{
	return side->end->eof && side->end->shut && side->end->error == 0 &&
	       side->end->received == side->wanted && side->end->sent == side->to_send;
}

static void unlink_flow(struct strata_sim_flow *flow)
{
	*flow->link = flow->next;
	if (flow->next != NULL)
		flow->next->link = flow->link;
}

/* Outside of every socket callback: tells the user and forgets the flow. */
static void farewell(void *arg)
{
	struct strata_sim_flow *flow = arg;

	if (flow->config.ended != NULL)
		flow->config.ended(flow, flow->config.ctx);
	flow->sim->flows->gone++;
	unlink_flow(flow);
	free(flow);
}

static void flow_over(struct strata_sim_flow *flow, bool completed)
{
	struct flow_set *set = flow->sim->flows;

	if (flow->over)
		return;
	flow->over = true;
	flow->stats.ended = flow->sim->now;
	close_side(&flow->client);
	close_side(&flow->server);
	if (completed) {
		set->totals.completed++;
		if (flow->stats.ended - flow->stats.started > set->totals.longest)
			set->totals.longest = flow->stats.ended - flow->stats.started;
	} else {
		set->totals.failed++;
		strata_sim_note(flow->sim, "flow %llu failed: client %s, server %s",
				(unsigned long long)flow->stats.number,
				strerror(flow->stats.client.error), strerror(flow->stats.server.error));
		if (set->first_failed == 0) {
			set->first_failed = flow->stats.number;
			set->errors[0] = flow->stats.client.error;
			set->errors[1] = flow->stats.server.error;
		}
	}
	set->keep -= flow->config.keep;
	strata_sim_at(flow->sim, flow->sim->now, farewell, flow);
}

static void side_failed(struct flow_side *side, int error)
{
	side->end->error = error;
	flow_over(side->flow, false);
}

/* ---- sending and reading ---- */

static size_t call_size(struct flow_side *side)
{
	uint32_t most = side->flow->config.most;

	if (most == 0)
		return MOST_DEFAULT;
	return 1 + (size_t)(impair_random(&side->rng) % (most < MOST ? most : MOST));
}

/* Returns false once the flow is over. */
static bool pump_out(struct flow_side *side)
{
	struct flow_set *set = side->flow->sim->flows;
	struct strata_sim_flow_end *end = side->end;

	while (end->sent < side->to_send) {
		size_t n = call_size(side);
		ssize_t done;

		if (n > side->to_send - end->sent)
			n = (size_t)(side->to_send - end->sent);
		strata_sim_stream(side->key, end->sent, set->buf, n);
		done = strata_send(side->host->stack, end->s, set->buf, n, MSG_NOSIGNAL);
		if (done == -EAGAIN)
			return true;
		if (done < 0) {
			side_failed(side, (int)-done);
			return false;
		}
		end->sent += (uint64_t)done;
	}
	if (!end->shut && !side->flow->config.keep) {
		int result = strata_shutdown(side->host->stack, end->s, SHUT_WR);

		if (result < 0) {
			side_failed(side, -result);
			return false;
		}
		end->shut = true;
	}
	return true;
}

static void compare(struct flow_side *side, size_t n)
{
	struct strata_sim *sim = side->flow->sim;
	struct flow_set *set = sim->flows;
	struct strata_sim_flow_end *end = side->end;

	strata_sim_stream(side->peer_key, end->received, set->want, n);
	if (memcmp(set->buf, set->want, n) == 0 && end->received + n <= side->wanted) {
		set->totals.bytes += n;
		return;
	}
	for (size_t i = 0; i < n; i++) {
		if (set->buf[i] == set->want[i] && end->received + i < side->wanted) {
			set->totals.bytes++;
			continue;
		}
		set->totals.wrong++;
		if (!sim->deliver_collisions)
			strata_sim_fault(sim, "flow %llu: %s read byte %llu as 0x%02x, wanted 0x%02x%s",
					 (unsigned long long)side->flow->stats.number,
					 strata_sim_host_name(side->host),
					 (unsigned long long)(end->received + i), set->buf[i],
					 set->want[i], end->received + i < side->wanted ? "" :
					 ": more than was sent");
	}
}

/* Returns false once the flow is over. */
static bool pump_in(struct flow_side *side)
{
	struct flow_set *set = side->flow->sim->flows;
	struct strata_sim_flow_end *end = side->end;

	while (!end->eof) {
		ssize_t n = strata_recv(side->host->stack, end->s, set->buf, call_size(side), 0);

		if (n == -EAGAIN)
			return true;
		if (n < 0) {
			side_failed(side, (int)-n);
			return false;
		}
		if (n == 0) {
			end->eof = true;
			break;
		}
		compare(side, (size_t)n);
		end->received += (uint64_t)n;
	}
	return true;
}

/* What a side has to do, whatever brought it about. */
static void work(struct flow_side *side)
{
	struct strata_sim_flow *flow = side->flow;

	if (flow->over || side->closed || !pump_in(side) || !pump_out(side))
		return;
	if (side->end->eof && side->end->received != side->wanted) {
		strata_sim_fault(flow->sim, "flow %llu: %s read the end after %llu of %llu bytes",
				 (unsigned long long)flow->stats.number,
				 strata_sim_host_name(side->host),
				 (unsigned long long)side->end->received,
				 (unsigned long long)side->wanted);
		side_failed(side, EPIPE);
		return;
	}
	/* Nobody closes before all has arrived: what has no owner may be given up (orphan_retries). */
	if (side_complete(&flow->client) && side_complete(&flow->server))
		flow_over(flow, true);
}

static void ready(struct strata_stack *stack, int s, uint32_t events, void *arg)
{
	struct flow_side *side = arg;
	struct strata_sim_flow *flow = side->flow;

	if (flow->over || side->closed)
		return;
	if (events & (EPOLLERR | EPOLLHUP)) {
		int error = 0;
		socklen_t length = sizeof(error);

		strata_getsockopt(stack, s, SOL_SOCKET, SO_ERROR, &error, &length);
		if (error != 0) {
			side_failed(side, error);
			return;
		}
	}
	if (side == &flow->client && flow->stats.connected == 0 && (events & EPOLLOUT))
		flow->stats.connected = flow->sim->now;
	work(side);
}

/* ---- the server ---- */

static struct strata_sim_flow *waiting_for(const struct flow_listener *listener,
					   const struct sockaddr_in *peer)
{
	struct strata_sim *sim = listener->host->sim;

	for (struct strata_sim_flow *f = sim->flows->flows; f != NULL; f = f->next)
		if (f->stats.accepted == 0 && f->config.server == listener->host &&
		    f->config.port == listener->port && f->local.sin_port == peer->sin_port &&
		    f->local.sin_addr.s_addr == peer->sin_addr.s_addr)
			return f;
	return NULL;
}

static void accepted(struct strata_sim_flow *flow, int s)
{
	struct strata_stack *stack = flow->server.host->stack;

	flow->stats.accepted = flow->sim->now;
	flow->stats.server.s = s;
	if (flow->over) {
		/* The client has given up meanwhile; the server learns of it by itself. */
		strata_close(stack, s);
		flow->stats.server.s = -1;
		return;
	}
	if (flow->config.prepare != NULL)
		flow->config.prepare(stack, s, true, flow->config.ctx);
	strata_notify(stack, s, ready, &flow->server);
}

static void incoming(struct strata_stack *stack, int s, uint32_t events, void *arg)
{
	struct flow_listener *listener = arg;

	(void)events;
	for (;;) {
		struct sockaddr_in peer = { 0 };
		socklen_t length = sizeof(peer);
		int one = strata_accept(stack, s, (struct sockaddr *)&peer, &length);
		struct strata_sim_flow *flow;

		if (one == -EAGAIN)
			return;
		if (one == -ECONNABORTED)
			continue;
		if (one < 0) {
			strata_sim_fault(listener->host->sim, "host %s: accept: %s", listener->host->name,
					 strerror(-one));
			return;
		}
		flow = waiting_for(listener, &peer);
		if (flow != NULL) {
			accepted(flow, one);
		} else {
			listener->host->sim->flows->totals.strays++;
			strata_close(stack, one);
		}
	}
}

/* The host's listener on a port, made at its first flow. Returns false after a fault. */
static bool listening(struct strata_sim_host *host, uint16_t port)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct flow_listener *listener;
	int result;

	for (listener = host->listeners; listener != NULL; listener = listener->next)
		if (listener->port == port)
			return true;
	listener = calloc(1, sizeof(*listener));
	result = listener == NULL ? -ENOMEM : strata_socket(host->stack, AF_INET, SOCK_STREAM, 0);
	if (result >= 0) {
		listener->s = result;
		listener->port = port;
		listener->host = host;
		result = strata_bind(host->stack, listener->s, (struct sockaddr *)&any, sizeof(any));
		if (result == 0)
			result = strata_listen(host->stack, listener->s, BACKLOG);
		if (result == 0)
			result = strata_notify(host->stack, listener->s, incoming, listener);
		if (result < 0)
			strata_close(host->stack, listener->s);
	}
	if (result < 0) {
		strata_sim_fault(host->sim, "host %s cannot listen on port %u: %s", host->name, port,
				 strerror(-result));
		free(listener);
		return false;
	}
	listener->next = host->listeners;
	host->listeners = listener;
	return true;
}

/* ---- the client ---- */

/* The host's first IPv4 address. */
static bool address_of(struct strata_sim_host *host, struct sockaddr_in *out)
{
	struct strata_iface *iface = NULL;

	while ((iface = strata_iface_next(host->stack, iface)) != NULL)
		for (const struct strata_ifaddr *a = strata_ifaddr_first(iface); a != NULL; a = a->next)
			if (a->prefix.addr.length == 4) {
				out->sin_family = AF_INET;
				memcpy(&out->sin_addr, a->prefix.addr.bytes, 4);
				return true;
			}
	return false;
}

static int connect_client(struct strata_sim_flow *flow)
{
	struct strata_stack *stack = flow->client.host->stack;
	struct sockaddr_in to = { .sin_port = htons(flow->config.port) };
	socklen_t length = sizeof(flow->local);
	int s, result;

	if (!address_of(flow->server.host, &to))
		return -EADDRNOTAVAIL;
	s = strata_socket(stack, AF_INET, SOCK_STREAM, 0);
	if (s < 0)
		return s;
	flow->stats.client.s = s;
	if (flow->config.prepare != NULL)
		flow->config.prepare(stack, s, false, flow->config.ctx);
	result = strata_connect(stack, s, (struct sockaddr *)&to, sizeof(to));
	if (result < 0 && result != -EINPROGRESS)
		return result;
	return strata_getsockname(stack, s, (struct sockaddr *)&flow->local, &length);
}

static void prepare_sides(struct strata_sim_flow *flow)
{
	struct strata_sim *sim = flow->sim;
	uint64_t key = strata_sim_random(sim), back = strata_sim_random(sim);

	flow->client = (struct flow_side){
		.flow = flow, .host = flow->config.client, .end = &flow->stats.client,
		.to_send = flow->config.forth, .wanted = flow->config.back,
		.key = key, .peer_key = back, .rng = strata_sim_random(sim),
	};
	flow->server = (struct flow_side){
		.flow = flow, .host = flow->config.server, .end = &flow->stats.server,
		.to_send = flow->config.back, .wanted = flow->config.forth,
		.key = back, .peer_key = key, .rng = strata_sim_random(sim),
	};
	flow->stats.client.s = -1;
	flow->stats.server.s = -1;
}

static struct flow_set *flow_set_of(struct strata_sim *sim)
{
	if (sim->flows == NULL)
		sim->flows = calloc(1, sizeof(*sim->flows));
	if (sim->flows == NULL)
		strata_sim_fault(sim, "the simulation is out of memory");
	return sim->flows;
}

struct strata_sim_flow *strata_sim_flow(struct strata_sim *sim,
					const struct strata_sim_flow_config *config)
{
	struct flow_set *set = flow_set_of(sim);
	struct strata_sim_flow *flow;
	int result;

	if (set == NULL || config->client == NULL || config->server == NULL)
		return NULL;
	flow = calloc(1, sizeof(*flow));
	if (flow == NULL) {
		strata_sim_fault(sim, "the simulation is out of memory");
		return NULL;
	}
	flow->sim = sim;
	flow->config = *config;
	if (flow->config.port == 0)
		flow->config.port = PORT_DEFAULT;
	flow->stats.number = ++set->totals.flows;
	flow->stats.started = sim->now;
	prepare_sides(flow);
	set->keep += config->keep;
	flow->next = set->flows;
	flow->link = &set->flows;
	if (flow->next != NULL)
		flow->next->link = &flow->next;
	set->flows = flow;
	if (!listening(flow->config.server, flow->config.port))
		return flow;
	result = connect_client(flow);
	if (result < 0)
		side_failed(&flow->client, -result);
	else
		strata_notify(flow->client.host->stack, flow->stats.client.s, ready, &flow->client);
	return flow;
}

const struct strata_sim_flow_stats *strata_sim_flow_stats(const struct strata_sim_flow *flow)
{
	return &flow->stats;
}

/* ---- all of them ---- */

const struct strata_sim_totals *strata_sim_totals(const struct strata_sim *sim)
{
	static const struct strata_sim_totals none;

	return sim->flows != NULL ? &sim->flows->totals : &none;
}

static bool all_over(void *ctx)
{
	const struct flow_set *set = ((struct strata_sim *)ctx)->flows;

	return set->gone + set->keep == set->totals.flows;
}

static void tell_stuck(struct strata_sim *sim)
{
	const struct strata_sim_flow *flow = sim->flows->flows;
	const struct strata_sim_flow_stats *s;

	while (flow != NULL && (flow->over || flow->config.keep))
		flow = flow->next;
	if (flow == NULL)
		return;
	s = &flow->stats;
	strata_sim_fault(sim, "flow %llu is stuck: the client has sent %llu of %llu and read %llu of %llu "
			 "bytes, the server sent %llu and read %llu",
			 (unsigned long long)s->number, (unsigned long long)s->client.sent,
			 (unsigned long long)flow->config.forth, (unsigned long long)s->client.received,
			 (unsigned long long)flow->config.back, (unsigned long long)s->server.sent,
			 (unsigned long long)s->server.received);
}

bool strata_sim_run_flows(struct strata_sim *sim, uint64_t ns)
{
	struct flow_set *set = flow_set_of(sim);

	if (set == NULL)
		return false;
	if (!strata_sim_run(sim, ns, all_over, sim))
		tell_stuck(sim);
	if (set->totals.failed != 0)
		strata_sim_fault(sim, "%llu of %llu flows failed; flow %llu first: client %s, server %s",
				 (unsigned long long)set->totals.failed,
				 (unsigned long long)set->totals.flows,
				 (unsigned long long)set->first_failed, strerror(set->errors[0]),
				 strerror(set->errors[1]));
	if (set->totals.strays != 0)
		strata_sim_fault(sim, "%llu connections were accepted that no flow had opened",
				 (unsigned long long)set->totals.strays);
	return sim->fault == NULL;
}

void sim_flows_destroy(struct strata_sim *sim)
{
	struct strata_sim_host *host;

	while (sim->flows != NULL && sim->flows->flows != NULL) {
		struct strata_sim_flow *flow = sim->flows->flows;

		close_side(&flow->client);
		close_side(&flow->server);
		unlink_flow(flow);
		free(flow);
	}
	for (host = sim->hosts; host != NULL; host = host->next)
		while (host->listeners != NULL) {
			struct flow_listener *listener = host->listeners;

			host->listeners = listener->next;
			strata_close(host->stack, listener->s);
			free(listener);
		}
	free(sim->flows);
	sim->flows = NULL;
}
