/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The loopback device: what goes out comes in again, uncut and without a checksum, because it never
 * leaves the machine. Read RFC 1122 3.2.1.3 (g) before editing.
 */
#include <strata/iface.h>
#include <strata/trace.h>

enum loopback_counter {
	LOOPBACK_COUNTER_SUPER,
	LOOPBACK_COUNTERS,
};

static const struct strata_counter_def loopback_counters[] = {
	[LOOPBACK_COUNTER_SUPER] = { "super_packets", "packets looped that await segmentation", NULL },
};
_Static_assert(STRATA_COUNT(loopback_counters) == LOOPBACK_COUNTERS, "a definition for each counter");

enum loopback_drop {
#define X(symbol, text, severity, mib) LOOPBACK_DROP_##symbol,
#include "loopback_drops.def"
#undef X
};

static const struct strata_drop_def loopback_drops[] = {
#define X STRATA_DROP_DEF
#include "loopback_drops.def"
#undef X
};

static int loopback_open(struct strata_iface *iface, struct strata_error *error)
{
	(void)error;
	iface->caps = STRATA_CAP_TX_CSUM | STRATA_CAP_SEG_STREAM | STRATA_CAP_SEG_DATAGRAM |
		      STRATA_CAP_FRAGS;
	iface->flags |= STRATA_IFACE_RUNNING | STRATA_IFACE_LOOPBACK | STRATA_IFACE_NO_NEIGHBOUR |
			STRATA_IFACE_MULTICAST;
	return 0;
}

static void loopback_close(struct strata_iface *iface)
{
	iface->flags &= ~(uint32_t)STRATA_IFACE_RUNNING;
}

static void loopback_xmit(struct strata_iface *iface, struct strata_pkt *pkt)
{
	if (strata_unlikely(!(iface->flags & STRATA_IFACE_RUNNING))) {
		strata_drop(iface->driver, pkt, LOOPBACK_DROP_CLOSED);
		return;
	}
	if (pkt->seg_type != STRATA_SEG_NONE)
		strata_count(iface->driver, LOOPBACK_COUNTER_SUPER, 1);
	strata_trace_fields(iface->driver, pkt, STRATA_FIELDS(
			    STRATA_FIELD_SIZE("length", strata_pkt_length(pkt))), "→ its own input");
	strata_iface_enqueue_loop(iface, pkt);
}

/* There is no device to tell. */
static int loopback_mtu_changed(struct strata_iface *iface, struct strata_error *error)
{
	(void)iface;
	(void)error;
	return 0;
}

static const struct strata_link_ops loopback_ops = {
	.open = loopback_open,
	.close = loopback_close,
	.xmit = loopback_xmit,
	.mtu_changed = loopback_mtu_changed,
	.shards = true,
	.mtu_default = STRATA_PKT_MAX,
	.mtu_min = 68,			/* RFC 791 3.2: every module forwards 68 octets uncut */
	.mtu_max = STRATA_PKT_MAX,
};

STRATA_MODULE(loopback) = {
	STRATA_MODULE_HEADER,
	.kind = STRATA_LINK,
	.name = "loopback",
	.version = "1.0",
	.summary = "loopback device: what goes out comes in again",
	.counters = loopback_counters,
	.counter_count = STRATA_COUNT(loopback_counters),
	.drops = loopback_drops,
	.drop_count = STRATA_COUNT(loopback_drops),
	.link = &loopback_ops,
};
