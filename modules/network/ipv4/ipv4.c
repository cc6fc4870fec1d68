/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Internet Protocol (RFC 791, RFC 1122 3): the instance, its configuration and its
 * descriptor. Input, output, reassembly, path MTUs and socket options have files of their own.
 */
#include <errno.h>
#include "ipv4_int.h"

/* RFC 1112 4: every host that takes part in multicasting is in this group. */
#define ALL_HOSTS 0xe0000001
/* Local choice: destinations whose identification counters are kept. */
#define IDS 1024

/* An interface on which this instance joined the all-hosts group. */
struct ipv4_membership {
	struct ipv4_membership *next;
	struct strata_iface *iface;
};

/* ---- the all-hosts group ---- */

static void all_hosts_join(struct strata_instance *self, struct strata_iface *iface)
{
	const struct strata_addr group = strata_inet4_make(ALL_HOSTS);
	struct ipv4_state *state = self->state;
	struct ipv4_membership *m;

	for (m = state->all_hosts; m != NULL; m = m->next)
		if (m->iface == iface)
			return;
	m = strata_alloc(self->stack, sizeof(*m));
	if (m == NULL || strata_group_join(iface, &group) != 0) {
		strata_free(self->stack, m);
		strata_log(self->stack, self, STRATA_LOG_WARNING,
			   "%s: no room to join 224.0.0.1", iface->name);
		return;
	}
	m->iface = iface;
	m->next = state->all_hosts;
	state->all_hosts = m;
}

static void all_hosts_leave(struct strata_instance *self, const struct strata_iface *iface)
{
	const struct strata_addr group = strata_inet4_make(ALL_HOSTS);
	struct ipv4_state *state = self->state;
	struct ipv4_membership **link = &state->all_hosts, *m;

	while ((m = *link) != NULL && iface != NULL && m->iface != iface)
		link = &m->next;
	if (m == NULL)
		return;
	*link = m->next;
	strata_group_leave(m->iface, &group);
	strata_free(self->stack, m);
}

static void ipv4_iface_event(struct strata_instance *self, struct strata_iface *iface, bool running)
{
	if (!running)
		all_hosts_leave(self, iface);
	else if ((iface->flags & STRATA_IFACE_MULTICAST) != 0)
		all_hosts_join(self, iface);
}

/* ---- life ---- */

static void ipv4_stop(struct strata_instance *self)
{
	struct ipv4_state *state = self->state;

	while (state->all_hosts != NULL)
		all_hosts_leave(self, NULL);
	ipv4_reass_stop(self);
	strata_timer_stop(self->stack, &state->pmtu_timer);
	ipv4_table_fini(&state->paths);
	ipv4_table_fini(&state->ids);
	strata_free(self->stack, state);
	self->state = NULL;
}

static int ipv4_start(struct strata_instance *self, struct strata_error *error)
{
	const struct ipv4_config *config = self->config;
	struct ipv4_state *state;

	/* Its addresses are of this family wherever they are written: routes, sockets, ARP. */
	if (self->number != STRATA_INET4_FAMILY) {
		strata_error_add(error, "%s: number: expected 0x%04x, found 0x%04x: the addresses of ipv4 "
				 "are of that family; leave `number` out", self->name,
				 STRATA_INET4_FAMILY, self->number);
		return -EINVAL;
	}
	state = strata_alloc(self->stack, sizeof(*state));
	if (state != NULL) {
		self->state = state;
		state->self = self;
		state->pmtu_timer.fire = ipv4_pmtu_fire;
		if (ipv4_table_init(&state->ids, self->stack, "ipv4 ids", IDS) == 0 &&
		    ipv4_table_init(&state->paths, self->stack, "ipv4 paths",
				    (uint32_t)config->pmtu_entries) == 0 &&
		    ipv4_reass_start(self) == 0)
			return 0;
		ipv4_stop(self);
	}
	strata_error_add(error, "%s: no memory to start", self->name);
	return -ENOMEM;
}

/* ---- options, counters, descriptor ---- */

static const struct strata_option ipv4_options[] = {
	{
		.name = "ttl", .type = STRATA_OPT_UINT, .offset = offsetof(struct ipv4_config, ttl),
		.fallback = "64", .min = 1, .max = 255, .unit = "hops", .runtime = true,
		.help = "TTL of datagrams whose sender does not say.",
	},
	{
		.name = "accept_source_route", .type = STRATA_OPT_BOOL,
		.offset = offsetof(struct ipv4_config, accept_source_route), .fallback = "false",
		.runtime = true,
		.help = "Take datagrams at the end of their source route; they are never forwarded.",
	},
	{
		.name = "reassembly_memory", .type = STRATA_OPT_SIZE,
		.offset = offsetof(struct ipv4_config, reassembly_memory), .fallback = "4MiB",
		.min = 65536, .max = UINT64_C(1) << 32, .runtime = true,
		.help = "Most memory for incomplete datagrams; beyond it the oldest are dropped.",
	},
	{
		.name = "reassembly_source", .type = STRATA_OPT_SIZE,
		.offset = offsetof(struct ipv4_config, reassembly_source), .fallback = "256KiB",
		.min = 16384, .max = UINT64_C(1) << 32, .runtime = true,
		.help = "The same, of one source.",
	},
	{
		.name = "reassembly_fragments", .type = STRATA_OPT_UINT,
		.offset = offsetof(struct ipv4_config, reassembly_fragments), .fallback = "64",
		.min = 2, .max = 8191, .unit = "fragments", .runtime = true,
		.help = "Most fragments of one datagram.",
	},
	{
		.name = "reassembly_time", .type = STRATA_OPT_TIME,
		.offset = offsetof(struct ipv4_config, reassembly_time), .fallback = "30s",
		.min = STRATA_SEC, .max = 120 * STRATA_SEC,
		.help = "Time a datagram may take to be complete.",
	},
	{
		.name = "pmtu_floor", .type = STRATA_OPT_UINT,
		.offset = offsetof(struct ipv4_config, pmtu_floor), .fallback = "552",
		.min = IPV4_MTU_MIN, .max = 1500, .unit = "bytes", .runtime = true,
		.help = "Smallest path MTU that is believed.",
	},
	{
		.name = "pmtu_time", .type = STRATA_OPT_TIME,
		.offset = offsetof(struct ipv4_config, pmtu_time), .fallback = "10min",
		.min = STRATA_SEC, .max = 86400 * STRATA_SEC,
		.help = "Time after which a path MTU is forgotten.",
	},
	{
		.name = "pmtu_entries", .type = STRATA_OPT_UINT,
		.offset = offsetof(struct ipv4_config, pmtu_entries), .fallback = "1024",
		.min = 1, .max = 65536, .unit = "destinations",
		.help = "Path MTUs remembered; beyond it the oldest is forgotten.",
	},
};

static const struct strata_counter_def ipv4_counters[] = {
#define X(symbol, name_, help_, mib_) { .name = name_, .help = help_, .mib = mib_ },
#include "ipv4_counters.def"
#undef X
};
_Static_assert(STRATA_COUNT(ipv4_counters) == IPV4_COUNTERS, "one definition a counter");

static const struct strata_drop_def ipv4_drops[] = {
#define X STRATA_DROP_DEF
#include "ipv4_drops.def"
#undef X
};
_Static_assert(STRATA_COUNT(ipv4_drops) == IPV4_DROPS, "one definition a reason");

static const struct strata_address_ops ipv4_address = STRATA_INET4_ADDRESS_OPS;

static const char *const ipv4_provides[] = { "fragmentation", "path-mtu", "multicast-reception", NULL };

static const struct strata_network_ops ipv4_network = {
	.address = &ipv4_address,
	.input = ipv4_input,
	.output = ipv4_output,
	.header_size = IPV4_HEADER_SIZE,
	.mtu_min = IPV4_MTU_MIN,
	.iface_event = ipv4_iface_event,
	.error_transport = IPPROTO_ICMP,
	.quote_parse = ipv4_quote_parse,
	.path_mtu = ipv4_path_mtu,
	.path_mtu_learn = ipv4_path_mtu_learn,
	.segment = ipv4_segment,
	.coalesce = ipv4_coalesce,
	.sockopt_level = IPPROTO_IP,
	.setsockopt = ipv4_setsockopt,
	.getsockopt = ipv4_getsockopt,
	.report_put = ipv4_report_put,
	.error_origin = SO_EE_ORIGIN_ICMP,
	.control_put = ipv4_control_put,
	.control_get = ipv4_control_get,
};

STRATA_MODULE(ipv4) = {
	STRATA_MODULE_HEADER,
	.kind = STRATA_NETWORK,
	.number = STRATA_INET4_FAMILY,
	.name = "ipv4",
	.version = "1.0",
	.summary = "Internet Protocol, version 4",
	.provides = ipv4_provides,
	.config_size = sizeof(struct ipv4_config),
	.options = ipv4_options,
	.option_count = STRATA_COUNT(ipv4_options),
	.counters = ipv4_counters,
	.counter_count = IPV4_COUNTERS,
	.drops = ipv4_drops,
	.drop_count = IPV4_DROPS,
	.start = ipv4_start,
	.stop = ipv4_stop,
	.network = &ipv4_network,
};
