/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From where a running stack may be changed, and the changes of one interface at a time
 * (<strata/live.h>).
 */
#include <errno.h>

#include "live.h"

const char *strata_change_what_name(enum strata_change_what what)
{
	static const char *const names[] = {
		[STRATA_CHANGE_STACK] = "stack",
		[STRATA_CHANGE_LOG] = "log",
		[STRATA_CHANGE_MODULE] = "module",
		[STRATA_CHANGE_OPTION] = "option",
		[STRATA_CHANGE_INTERFACE] = "interface",
		[STRATA_CHANGE_ADDRESS] = "address",
		[STRATA_CHANGE_ROUTE] = "route",
	};
	_Static_assert(STRATA_COUNT(names) == STRATA_CHANGES, "a name for each");
	return (size_t)what < STRATA_COUNT(names) ? names[what] : "?";
}

const char *strata_change_action_name(enum strata_change_action action)
{
	static const char *const names[] = {
		[STRATA_ACTION_ADD] = "add",
		[STRATA_ACTION_REMOVE] = "remove",
		[STRATA_ACTION_CHANGE] = "change",
		[STRATA_ACTION_RESTART] = "restart",
		[STRATA_ACTION_REPLACE] = "replace",
	};
	_Static_assert(STRATA_COUNT(names) == STRATA_ACTIONS, "a name for each");
	return (size_t)action < STRATA_COUNT(names) ? names[action] : "?";
}

/* ---- from where ---- */

int live_begin(struct kernel *k, bool services, struct strata_error *error)
{
	bool resting = k->depth == 0;
	if (k->stopping || k->changing) {
		strata_error_add(error, "the stack is being changed already");
		return -EBUSY;
	}
	/* Deeper down the code of any module may be waiting for this call to return; in a readiness callback
	 * only a service's, or the program's own. */
	if (!resting && (k->outward != k->depth || services)) {
		strata_error_add(error, "the stack cannot be changed %s: expected the call when it "
				 "is at rest; strata_call_later() makes one",
				 k->outward == k->depth ? "that way from a callback" :
				 "from within its own work");
		return -EBUSY;
	}
	k->changing = true;
	kernel_enter(k);
	return 0;
}

void live_end(struct kernel *k)
{
	k->changing = false;
	kernel_leave(k);
}

/* ---- interfaces ---- */

static int set_up(struct kernel *k, struct strata_iface *iface, bool up, struct strata_error *error)
{
	const struct iface *upper = iface_of(iface)->upper;
	struct strata_error why = { 0 };
	if (up == iface_of(iface)->opened)
		return 0;
	if (!up && upper != NULL && upper->opened) {
		strata_error_add(error, "interface %s carries %s; take that down first", iface->name,
				 upper->pub.name);
		return -EBUSY;
	}
	if (!up) {
		iface_close(iface);
		return 0;
	}
	int result = iface_open(iface, &why);
	if (result < 0 && why.count == 0)
		strata_error_add(&why, "interface %s could not be opened: %s", iface->name,
				 strerror(-result));
	error_move(error, &why);
	if (result == 0)
		strata_log(&k->pub, NULL, STRATA_LOG_INFO, "interface %s: up", iface->name);
	return result;
}

int strata_iface_set_up(struct strata_iface *iface, bool up, struct strata_error *error)
{
	struct kernel *k = kernel_of(iface->stack);
	int result = live_begin(k, false, error);
	if (result < 0)
		return result;
	result = set_up(k, iface, up, error);
	live_end(k);
	return result;
}

/* Tells the driver, or opens the device again. */
static int tell_mtu(struct strata_iface *iface, struct strata_error *error)
{
	const struct strata_link_ops *ops = iface->driver->module->link;
	struct iface *upper = iface_of(iface)->upper;
	bool carries = upper != NULL && upper->opened;
	if (!iface_of(iface)->opened)
		return 0;
	if (ops->mtu_changed != NULL)
		return ops->mtu_changed(iface, error);
	iface_close(iface);
	int result = iface_open(iface, error);
	if (result == 0 && carries)
		result = iface_open(&upper->pub, error);
	return result;
}

int live_set_mtu(struct strata_iface *iface, uint32_t mtu, struct strata_error *error)
{
	struct kernel *k = kernel_of(iface->stack);
	const struct iface *upper = iface_of(iface)->upper;
	uint32_t before = iface->mtu;
	int result = iface_check_mtu(k, iface, &mtu, error);
	if (result < 0 || mtu == before)
		return result;
	if (upper != NULL && upper->pub.mtu > mtu) {
		strata_error_add(error, "interface \"%s\": mtu: expected at least %u, that of \"%s\", which "
				 "it carries, found %u", iface->name, upper->pub.mtu, upper->pub.name, mtu);
		return -EINVAL;
	}
	iface->mtu = mtu;
	result = tell_mtu(iface, error);
	if (result < 0) {
		iface->mtu = before;
		(void)tell_mtu(iface, NULL);
	}
	strata_generation_bump(&k->pub);
	return result;
}

int strata_iface_set_mtu(struct strata_iface *iface, uint32_t mtu, struct strata_error *error)
{
	struct kernel *k = kernel_of(iface->stack);
	int result = live_begin(k, false, error);
	if (result < 0)
		return result;
	result = live_set_mtu(iface, mtu, error);
	live_end(k);
	return result;
}
