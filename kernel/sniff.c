/* SPDX-License-Identifier: BSD-2-Clause */
/* Sniffers: who looks at the frames of an interface and at discards (<strata/sniff.h>, <strata/embed.h>). */
#include "iface.h"
#include "sniff.h"
#include "trace.h"

/* A walk over the sniffers, on the stack of the one who walks: what a callback removes is stepped over. */
struct sniff_walk {
	struct strata_sniffer *next;
	struct sniff_walk *outer;
};

static void walk_begin(struct kernel *k, struct sniff_walk *walk)
{
	walk->next = k->sniffers;
	walk->outer = k->sniff_walks;
	k->sniff_walks = walk;
}

static struct strata_sniffer *walk_next(struct sniff_walk *walk)
{
	struct strata_sniffer *sniffer = walk->next;

	if (sniffer != NULL)
		walk->next = sniffer->next;
	return sniffer;
}

static void walk_end(struct kernel *k, struct sniff_walk *walk)
{
	k->sniff_walks = walk->outer;
}

static bool looks_at(const struct strata_sniffer *sniffer, const struct strata_iface *iface)
{
	return sniffer->iface == NULL || sniffer->iface == iface;
}

void sniff_update(struct iface *iface)
{
	const struct strata_sniffer *sniffer = kernel_of(iface->pub.stack)->sniffers;

	while (sniffer != NULL && !looks_at(sniffer, &iface->pub))
		sniffer = sniffer->next;
	if (iface->sniff != NULL || sniffer != NULL)
		iface->pub.flags |= STRATA_IFACE_SNIFFED;
	else
		iface->pub.flags &= ~(uint32_t)STRATA_IFACE_SNIFFED;
	iface_mark(iface);
}

/* The packet path's flags follow who is there. */
static void update_all(struct kernel *k)
{
	const struct strata_sniffer *sniffer = k->sniffers;
	struct strata_iface *iface = NULL;

	while ((iface = strata_iface_next(&k->pub, iface)) != NULL)
		sniff_update(iface_of(iface));
	while (sniffer != NULL && sniffer->dropped == NULL)
		sniffer = sniffer->next;
	k->pub.watching = sniffer != NULL;
}

void strata_sniffer_add(struct strata_stack *stack, struct strata_sniffer *sniffer)
{
	struct kernel *k = kernel_of(stack);
	struct strata_sniffer **link = &k->sniffers;

	while (*link != NULL)
		link = &(*link)->next;
	sniffer->next = NULL;
	sniffer->link = link;
	*link = sniffer;
	update_all(k);
}

static void unlink_sniffer(struct kernel *k, struct strata_sniffer *sniffer)
{
	struct sniff_walk *walk;

	for (walk = k->sniff_walks; walk != NULL; walk = walk->outer)
		if (walk->next == sniffer)
			walk->next = sniffer->next;
	*sniffer->link = sniffer->next;
	if (sniffer->next != NULL)
		sniffer->next->link = sniffer->link;
	sniffer->next = NULL;
	sniffer->link = NULL;
}

void strata_sniffer_remove(struct strata_stack *stack, struct strata_sniffer *sniffer)
{
	struct kernel *k = kernel_of(stack);

	if (sniffer->link == NULL)
		return;
	unlink_sniffer(k, sniffer);
	update_all(k);
}

void strata_iface_set_sniffer(struct strata_iface *iface, strata_sniff_fn *fn, void *ctx)
{
	iface_of(iface)->sniff = fn;
	iface_of(iface)->sniff_ctx = ctx;
	sniff_update(iface_of(iface));
}

uint16_t strata_iface_link_type(const struct strata_iface *iface)
{
	const struct strata_link_ops *ops;

	if (iface->framing == NULL)
		return STRATA_LINK_TYPE_RAW;
	ops = iface->framing->module->link;
	if (ops->link_type != 0)
		return ops->link_type;
	return ops->header_size != 0 ? STRATA_LINK_TYPE_USER0 : STRATA_LINK_TYPE_RAW;
}

/* ---- what is seen ---- */

void sniff_frame(struct strata_iface *iface, struct strata_pkt *pkt, bool out)
{
	struct kernel *k = kernel_of(iface->stack);
	struct iface *inner = iface_of(iface);
	struct strata_sniffer *sniffer;
	struct sniff_walk walk;

	if (inner->sniff != NULL)
		inner->sniff(inner->sniff_ctx, iface, pkt, out);
	if (k->sniffers == NULL)
		return;
	trace_identify(k, pkt);
	walk_begin(k, &walk);
	while ((sniffer = walk_next(&walk)) != NULL)
		if (looks_at(sniffer, iface))
			sniffer->frame(sniffer, iface, pkt, out);
	walk_end(k, &walk);
}

void sniff_drop(struct strata_instance *self, const struct strata_pkt *pkt,
		const struct strata_drop_def *def)
{
	struct kernel *k = kernel_of(self->stack);
	struct strata_sniffer *sniffer;
	struct sniff_walk walk;

	walk_begin(k, &walk);
	while ((sniffer = walk_next(&walk)) != NULL)
		if (sniffer->dropped != NULL)
			sniffer->dropped(sniffer, pkt, self, def);
	walk_end(k, &walk);
}

void sniff_iface_removed(struct kernel *k, struct strata_iface *iface)
{
	struct strata_sniffer *sniffer;
	struct sniff_walk walk;

	walk_begin(k, &walk);
	while ((sniffer = walk_next(&walk)) != NULL) {
		if (!looks_at(sniffer, iface))
			continue;
		if (sniffer->iface == iface) {
			unlink_sniffer(k, sniffer);
			sniffer->iface = NULL;
		}
		if (sniffer->gone != NULL)
			sniffer->gone(sniffer, iface);
	}
	walk_end(k, &walk);
	update_all(k);
}
