/* SPDX-License-Identifier: BSD-2-Clause */
/* Values of options compared, and carried from one configuration structure to another. */
#include <errno.h>

#include "option.h"

static bool is_text(const struct strata_option *option)
{
	return option->type == STRATA_OPT_STRING || option->type == STRATA_OPT_MODULE;
}

static const void *field_of(const struct strata_option *option, const void *config)
{
	return (const char *)config + option->offset;
}

static const char *text_of(const struct strata_option *option, const void *config)
{
	const char *text;
	memcpy(&text, field_of(option, config), sizeof(text));
	return text;
}

static struct strata_list list_of(const struct strata_option *option, const void *config)
{
	struct strata_list list;
	memcpy(&list, field_of(option, config), sizeof(list));
	return list;
}

bool option_owns_memory(const struct strata_option *option)
{
	return is_text(option) || option->type == STRATA_OPT_LIST;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_list(struct strata_list a, struct strata_list b)
{
	bool same = a.count == b.count;
	for (size_t i = 0; same && i < a.count; i++)
		same = strcmp(a.items[i], b.items[i]) == 0;
	return same;
}

static bool same_lladdr(const struct strata_lladdr *a, const struct strata_lladdr *b)
{
	return a->length == b->length && memcmp(a->bytes, b->bytes, a->length) == 0;
}

bool option_equal(const struct strata_option *option, const void *a, const void *b)
{
	const void *x = field_of(option, a), *y = field_of(option, b);
	const struct strata_prefix *p = x, *q = y;
	if (is_text(option))
		return same_text(text_of(option, a), text_of(option, b));
	switch (option->type) {
	case STRATA_OPT_LIST:
		return same_list(list_of(option, a), list_of(option, b));
	case STRATA_OPT_PREFIX:
		return p->bits == q->bits && strata_addr_equal(&p->addr, &q->addr);
	case STRATA_OPT_LLADDR:
		return same_lladdr(x, y);
	default:
		return memcmp(x, y, strata_option_size(option)) == 0;
	}
}

/* Bytes that copy_memory() takes. */
static size_t memory_of(const struct strata_option *option, const void *config)
{
	size_t room = 0;
	if (is_text(option)) {
		const char *text = text_of(option, config);
		return text != NULL ? strlen(text) + 1 : 0;
	}
	if (option->type != STRATA_OPT_LIST)
		return 0;
	struct strata_list list = list_of(option, config);
	for (size_t i = 0; i < list.count; i++)
		room += strlen(list.items[i]) + 1;
	/* Pointers are aligned behind whatever string comes before. */
	return room + (list.count + 1) * sizeof(char *);
}

static char *put_text(char **at, const char *text)
{
	char *copy = *at;
	size_t size = strlen(text) + 1;
	memcpy(copy, text, size);
	*at += size;
	return copy;
}

/* Copies a field to `to`, and what it points to to `*at`, which moves on. */
static void copy_field(const struct strata_option *option, const void *from, void *to, char **at)
{
	void *field = (char *)to + option->offset;
	if (is_text(option)) {
		const char *text = text_of(option, from);
		const char *copy = text != NULL ? put_text(at, text) : NULL;
		memcpy(field, &copy, sizeof(copy));
	} else if (option->type == STRATA_OPT_LIST) {
		struct strata_list list = list_of(option, from);
		const char **items;
		size_t over = (uintptr_t)*at % sizeof(char *);
		*at += over != 0 ? sizeof(char *) - over : 0;
		items = (void *)*at;
		*at += list.count * sizeof(*items);
		for (size_t i = 0; i < list.count; i++)
			items[i] = put_text(at, list.items[i]);
		list.items = items;
		memcpy(field, &list, sizeof(list));
	} else {
		memcpy(field, field_of(option, from), strata_option_size(option));
	}
}

int option_copy_all(struct kernel *k, const struct option_schema *schema, const void *from,
		    void **out)
{
	size_t room = schema->size;
	char *config, *at;
	*out = NULL;
	if (schema->size == 0)
		return 0;
	for (size_t i = 0; i < schema->count; i++)
		room += memory_of(&schema->options[i], from);
	config = strata_alloc(&k->pub, room);
	if (config == NULL)
		return -ENOMEM;
	at = config + schema->size;
	for (size_t i = 0; i < schema->count; i++)
		copy_field(&schema->options[i], from, config, &at);
	*out = config;
	return 0;
}

int option_copy(struct kernel *k, const struct strata_option *option, const void *from, void *to,
		void **owned)
{
	size_t room = memory_of(option, from);
	char *at;
	*owned = room != 0 ? strata_alloc(&k->pub, room) : NULL;
	if (room != 0 && *owned == NULL)
		return -ENOMEM;
	at = *owned;
	copy_field(option, from, to, &at);
	return 0;
}
