/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Looking at frames as they pass an interface, and at what becomes of them: for captures. Costs one
 * predicted branch a frame, and one a discard, while nobody looks.
 */
#ifndef STRATA_SNIFF_H
#define STRATA_SNIFF_H

#include <strata/iface.h>
#include <strata/module.h>
#include <strata/pkt.h>

STRATA_BEGIN_DECLS

/** Link types of capture files (LINKTYPE_… of the tcpdump group's registry). */
enum strata_link_type {
	STRATA_LINK_TYPE_RAW = 101,	/**< begins at the network header, whose first bits tell the family */
	STRATA_LINK_TYPE_USER0 = 147,	/**< for private use: a framing that has no type of its own */
};

/** One that looks: embedded in its owner, set before it is added. Every callback borrows what it is
 *  given, and may remove this sniffer or another; none may send. */
struct strata_sniffer {
	/** The interface looked at; NULL: all there are and all to come. Cleared when it goes. */
	struct strata_iface *iface;
	/** A frame passes, as the driver gave it or before the driver gets it: with headers to the link's,
	 *  maybe larger than the MTU, maybe with a partial checksum. Its trace_id is set, the same for the
	 *  frame's steps in `strata trace`. */
	void (*frame)(struct strata_sniffer *self, struct strata_iface *iface,
		      const struct strata_pkt *pkt, bool out);
	/** `by` discards a packet, `why` out of its table: any packet of the stack, seen as a frame (it has
	 *  that trace_id then) or not. Headers may have been taken off. NULL: not wanted. */
	void (*dropped)(struct strata_sniffer *self, const struct strata_pkt *pkt,
			const struct strata_instance *by, const struct strata_drop_def *why);
	/** An interface that was looked at is about to be freed. NULL: not wanted. */
	void (*gone)(struct strata_sniffer *self, struct strata_iface *iface);

	struct strata_sniffer *next, **link;	/**< kernel's */
};

/** Adds a sniffer; it sees frames after those that were added before. */
STRATA_API void strata_sniffer_add(struct strata_stack *stack, struct strata_sniffer *sniffer);
/** Removes it; one that is not added is left alone. */
STRATA_API void strata_sniffer_remove(struct strata_stack *stack, struct strata_sniffer *sniffer);

/** What begins the frames of an interface, as a link type of capture files. */
STRATA_API uint16_t strata_iface_link_type(const struct strata_iface *iface);

STRATA_END_DECLS
#endif
