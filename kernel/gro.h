/* SPDX-License-Identifier: BSD-2-Clause */
/* What gro.c offers those who hand packets to transports, end batches and close interfaces. */
#ifndef STRATA_KERNEL_GRO_H
#define STRATA_KERNEL_GRO_H

#include "iface.h"
#include "registry.h"

/* Local choice: a transport packet so small that it is not worth waiting for another: a bare
 * acknowledgement, a short request. */
#define GRO_LEAST 128

/* Whether a packet for `t` goes by gro_input() rather than straight on. */
static inline bool gro_wants(const struct kernel *k, const struct strata_instance *t,
			     const struct strata_pkt *pkt)
{
	return (pkt->iface->flags & STRATA_IFACE_GRO) != 0 && t->module->transport->coalesce != NULL &&
	       (k->gro.count != 0 || strata_pkt_length(pkt) >= GRO_LEAST);
}

/* A packet that has come in for `t`: joins it to what waits, lets it wait, or delivers it. Consumes. */
enum strata_verdict gro_input(struct kernel *k, struct strata_instance *t, struct strata_pkt *pkt);
/* Delivers what waits. */
void gro_flush(struct kernel *k);
/* Discards what waits and came in on `iface`. */
void gro_iface_closed(struct kernel *k, const struct strata_iface *iface);

/* transport.c: gives the packet to the transport bound to its number. Consumes. */
enum strata_verdict transport_deliver(struct kernel *k, struct strata_pkt *pkt);

#endif
