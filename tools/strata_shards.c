/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A stack of several shards for people: what each of them counts is added up, what all have is shown once, and
 * what one has alone tells which.
 */
#include <string.h>
#include "strata_cli.h"

/* Members that are numbers of what happened, or objects of such: the sum is what a person asks for. */
static const char *const summed[] = {
	"value", "count", "rx_packets", "tx_packets", "counters", "members", NULL,
};
/* Tables whose entries are one shard's affair. */
static const char *const apart[] = { "sockets", "neighbours", NULL };

static bool in_list(const char *name, const char *const *list)
{
	while (*list != NULL && strcmp(*list, name) != 0)
		list++;
	return *list != NULL;
}

/* Whether the entries differ in nothing but their shard and what is summed. An option's value is not. */
static bool same_thing(const char *what, const json_t *a, const json_t *b)
{
	const bool sums = strcmp(what, "options") != 0;
	const char *name;
	json_t *value;

	if (json_object_size(a) != json_object_size(b))
		return false;
	json_object_foreach((json_t *)(uintptr_t)a, name, value)
		if (strcmp(name, "shard") != 0 && !(sums && in_list(name, summed)) &&
		    !json_equal(value, json_object_get(b, name)))
			return false;
	return true;
}

static void add_to(json_t *sum, const char *name, const json_t *value)
{
	json_t *was = json_object_get(sum, name), *inner;
	const char *key;

	if (json_is_object(value) && json_is_object(was)) {
		json_object_foreach((json_t *)(uintptr_t)value, key, inner)
			add_to(was, key, inner);
	} else if (json_is_integer(value) && json_is_integer(was)) {
		json_integer_set(was, json_integer_value(was) + json_integer_value(value));
	}
}

static void add_entry(json_t *sum, const json_t *entry)
{
	size_t i;

	for (i = 0; summed[i] != NULL; i++)
		add_to(sum, summed[i], json_object_get(entry, summed[i]));
}

/* The entry of `merged` that is the same thing. Shards have mostly the same order: where the last one was found
 * the next is behind it. */
static json_t *find_same(const char *what, const json_t *merged, const json_t *entry, size_t *at)
{
	const size_t count = json_array_size(merged);
	size_t n;

	for (n = 0; n < count; n++) {
		json_t *other = json_array_get(merged, (*at + n) % count);

		if (same_thing(what, other, entry)) {
			*at = (*at + n + 1) % count;
			return other;
		}
	}
	return NULL;
}

json_t *cli_merge_shards(const char *what, json_t *entries)
{
	json_t *merged, *entry, *same;
	size_t i, at = 0;

	if (!json_is_array(entries) || in_list(what, apart) ||
	    json_object_get(json_array_get(entries, 0), "shard") == NULL)
		return entries;
	merged = json_array();
	json_array_foreach(entries, i, entry) {
		same = json_integer_value(json_object_get(entry, "shard")) > 0 ?
			find_same(what, merged, entry, &at) : NULL;
		if (same != NULL && strcmp(what, "options") != 0)
			add_entry(same, entry);
		else if (same == NULL)
			json_array_append(merged, entry);
	}
	json_decref(entries);
	return merged;
}
