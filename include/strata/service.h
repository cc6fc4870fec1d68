/* SPDX-License-Identifier: BSD-2-Clause */
/* Operations of a service: a program inside the stack, which uses sockets and the loop only. */
#ifndef STRATA_SERVICE_H
#define STRATA_SERVICE_H

#include <strata/module.h>
#include <strata/socket.h>

STRATA_BEGIN_DECLS

/** Services are started last, when interfaces, addresses and routes are there, and stopped first. */
struct strata_service_ops {
	/** The stack is going to end: stop taking new work and let what is under way finish (the daemon gives
	 *  it up to 5 s). NULL: nothing to do. */
	void (*drain)(struct strata_instance *self);
	/** A module was switched on or off while the service runs: sockets that could not be opened may now
	 *  be, others are gone (EPOLLHUP, and every call -ENETDOWN). NULL: does not care. */
	void (*modules_changed)(struct strata_instance *self);
};

STRATA_END_DECLS
#endif
