/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A bounded hash table by destination whose entries are also in the order they were last
 * touched: for identification counters and path MTUs. The hash is keyed: peers choose the
 * addresses.
 */
#include <errno.h>
#include "ipv4_int.h"

static struct ipv4_entry **bucket_of(const struct ipv4_table *table, uint32_t key)
{
	return &table->buckets[strata_siphash(&table->hash_key, &key, sizeof(key)) & table->mask];
}

int ipv4_table_init(struct ipv4_table *table, struct strata_stack *stack, const char *name,
		    uint32_t limit)
{
	uint32_t buckets = 1;

	while (buckets < limit)
		buckets *= 2;
	table->stack = stack;
	table->limit = limit;
	table->mask = buckets - 1;
	strata_random(stack, &table->hash_key, sizeof(table->hash_key));
	table->buckets = strata_alloc(stack, buckets * sizeof(*table->buckets));
	table->cache = strata_cache_create(stack, name, sizeof(struct ipv4_entry));
	if (table->buckets != NULL && table->cache != NULL)
		return 0;
	ipv4_table_fini(table);
	return -ENOMEM;
}

void ipv4_table_fini(struct ipv4_table *table)
{
	while (table->oldest != NULL)
		ipv4_table_remove(table, table->oldest);
	strata_cache_destroy(table->cache);
	table->cache = NULL;
	if (table->buckets != NULL)
		strata_free(table->stack, table->buckets);
	table->buckets = NULL;
}

struct ipv4_entry *ipv4_table_find(const struct ipv4_table *table, uint32_t key)
{
	struct ipv4_entry *entry;

	/* As the path MTUs mostly: nothing was ever told. */
	if (table->count == 0)
		return NULL;
	entry = *bucket_of(table, key);
	while (entry != NULL && entry->key != key)
		entry = entry->next;
	return entry;
}

static void list_add(struct ipv4_table *table, struct ipv4_entry *entry)
{
	entry->newer = NULL;
	entry->older = table->newest;
	if (table->newest != NULL)
		table->newest->newer = entry;
	else
		table->oldest = entry;
	table->newest = entry;
}

static void list_remove(struct ipv4_table *table, struct ipv4_entry *entry)
{
	if (entry->older != NULL)
		entry->older->newer = entry->newer;
	else
		table->oldest = entry->newer;
	if (entry->newer != NULL)
		entry->newer->older = entry->older;
	else
		table->newest = entry->older;
}

struct ipv4_entry *ipv4_table_add(struct ipv4_table *table, uint32_t key, bool *evicted)
{
	struct ipv4_entry **bucket = bucket_of(table, key);
	struct ipv4_entry *entry;

	*evicted = table->count >= table->limit;
	if (*evicted)
		ipv4_table_remove(table, table->oldest);
	entry = strata_cache_alloc(table->cache);
	if (entry == NULL)
		return NULL;
	entry->key = key;
	entry->next = *bucket;
	*bucket = entry;
	list_add(table, entry);
	table->count++;
	return entry;
}

void ipv4_table_touch(struct ipv4_table *table, struct ipv4_entry *entry)
{
	if (table->newest == entry)
		return;
	list_remove(table, entry);
	list_add(table, entry);
}

void ipv4_table_remove(struct ipv4_table *table, struct ipv4_entry *entry)
{
	struct ipv4_entry **link = bucket_of(table, entry->key);

	while (*link != entry)
		link = &(*link)->next;
	*link = entry->next;
	list_remove(table, entry);
	table->count--;
	strata_cache_free(table->cache, entry);
}
