/* SPDX-License-Identifier: BSD-2-Clause */
/* Parts of table entries that several tables have. */
#ifndef CONTROL_JSON_H
#define CONTROL_JSON_H

#include <strata/trace.h>
#include "control_int.h"

/* null for no text, and for bytes that are none. */
static inline json_t *json_text(const char *text)
{
	json_t *string = text != NULL && text[0] != '\0' ? json_string(text) : NULL;

	return string != NULL ? string : json_null();
}

static inline json_t *json_number(uint64_t value)
{
	return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}

static inline json_t *json_addr(struct strata_stack *stack, const struct strata_addr *addr)
{
	return strata_addr_is_set(addr) ? json_string(strata_addr_text(stack, addr)) : json_null();
}

static inline json_t *json_iface(const struct strata_iface *iface)
{
	return iface != NULL ? json_string(iface->name) : json_null();
}

#endif
