/* SPDX-License-Identifier: BSD-2-Clause */
/* What the instances of a module in several shards have in common (<strata/shard.h>); alone, in this one. */
#include "shard.h"

struct common {
	struct common *next;
	const struct strata_module *module;
	uint64_t key;
	size_t size;			/* of all */
	unsigned int users;		/* under the list's lock */
	pthread_mutex_t lock;
	_Alignas(max_align_t) uint8_t bytes[];
};

static struct commons *commons_of(struct kernel *k)
{
	return k->shard != NULL ? &k->shard->group->commons : &k->commons;
}

/* In the list or, NULL, its end. */
static struct common **common_find(struct commons *commons, const struct strata_module *module,
				   uint64_t key)
{
	struct common **at = &commons->first;

	while (*at != NULL && ((*at)->module != module || (*at)->key != key))
		at = &(*at)->next;
	return at;
}

static struct common *common_make(struct kernel *k, const struct strata_module *module, uint64_t key,
				  size_t bytes)
{
	const size_t size = sizeof(struct common) + bytes;
	struct common *common = k->env.alloc(k->env.ctx, size);

	if (common == NULL)
		return NULL;
	memset(common, 0, size);
	common->module = module;
	common->key = key;
	common->size = size;
	pthread_mutex_init(&common->lock, NULL);
	return common;
}

void *strata_common_get(struct strata_instance *self, uint64_t key, size_t size)
{
	struct kernel *k = kernel_of(self->stack);
	struct commons *commons = commons_of(k);
	struct common **at;
	void *bytes = NULL;

	pthread_mutex_lock(&commons->lock);
	at = common_find(commons, self->module, key);
	if (*at == NULL)
		*at = common_make(k, self->module, key, size);
	if (*at != NULL) {
		(*at)->users++;
		bytes = (*at)->bytes;
	}
	pthread_mutex_unlock(&commons->lock);
	return bytes;
}

static struct common *common_of(void *bytes)
{
	return strata_container_of(bytes, struct common, bytes);
}

void strata_common_put(struct strata_instance *self, void *bytes)
{
	struct kernel *k = kernel_of(self->stack);
	struct commons *commons = commons_of(k);
	struct common *common = common_of(bytes);

	pthread_mutex_lock(&commons->lock);
	if (--common->users == 0)
		*common_find(commons, common->module, common->key) = common->next;
	else
		common = NULL;
	pthread_mutex_unlock(&commons->lock);
	if (common == NULL)
		return;
	pthread_mutex_destroy(&common->lock);
	k->env.free(k->env.ctx, common, common->size);
}

void strata_common_lock(void *bytes)
{
	pthread_mutex_lock(&common_of(bytes)->lock);
}

void strata_common_unlock(void *bytes)
{
	pthread_mutex_unlock(&common_of(bytes)->lock);
}

void commons_init(struct commons *commons)
{
	pthread_mutex_init(&commons->lock, NULL);
}

/* Modules have given back what they had. */
void commons_fini(struct commons *commons)
{
	pthread_mutex_destroy(&commons->lock);
}

int common_init(struct kernel *k)
{
	commons_init(&k->commons);
	return 0;
}

void common_fini(struct kernel *k)
{
	commons_fini(&k->commons);
}
