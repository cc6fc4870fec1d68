/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of several stacks of one manifest (<strata/shards.h>): made one after the other on one thread,
 * since the module loader belongs to the process; then a thread each, which stand still while anything is done
 * that concerns more than one of them.
 */
#include <errno.h>
#include <stdio.h>

#include "shard.h"

/* ---- creation ---- */

static void group_free(struct strata_shards *group)
{
	const struct strata_env env = group->env;
	unsigned int i;

	for (i = 0; group->shards != NULL && i < group->count; i++)
		shard_rings_free(&group->shards[i]);
	if (group->shards != NULL)
		env.free(env.ctx, group->shards, group->count * sizeof(*group->shards));
	for (i = 0; i < STRATA_COUNT(group->ports); i++)
		if (atomic_load(&group->ports[i]) != NULL)
			env.free(env.ctx, atomic_load(&group->ports[i]), sizeof(struct shard_ports));
	commons_fini(&group->commons);
	pthread_cond_destroy(&group->changed);
	pthread_mutex_destroy(&group->lock);
	env.free(env.ctx, group, sizeof(*group));
}

static int make_shards(struct strata_shards *group)
{
	const size_t size = group->count * sizeof(*group->shards);
	unsigned int i;
	int result = 0;

	group->shards = group->env.alloc(group->env.ctx, size);
	if (group->shards == NULL)
		return -ENOMEM;
	memset(group->shards, 0, size);
	for (i = 0; i < group->count; i++) {
		group->shards[i].group = group;
		group->shards[i].index = i;
		group->shards[i].bell = -1;
	}
	for (i = 0; i < group->count && result == 0; i++)
		result = shard_rings_make(&group->shards[i]);
	return result;
}

/* The group without its stacks. */
static int group_make(const struct strata_env *env, const struct stack_settings *settings,
		      struct strata_shards **out)
{
	struct strata_shards *group = env->alloc(env->ctx, sizeof(*group));
	int result;

	if (group == NULL)
		return -ENOMEM;
	memset(group, 0, sizeof(*group));
	group->env = *env;
	group->count = (unsigned int)settings->shards;
	group->ring_size = (uint32_t)settings->shard_ring;
	group->steering.count = group->count;
	commons_init(&group->commons);
	pthread_mutex_init(&group->lock, NULL);
	pthread_cond_init(&group->changed, NULL);
	result = env->random(env->ctx, group->steering.key, sizeof(group->steering.key));
	if (result == 0)
		result = make_shards(group);
	if (result < 0)
		group_free(group);
	else
		*out = group;
	return result;
}

/* Which of them failed, where that is not the one that would fail alone. */
static void tell_shard(struct strata_error *to, struct strata_error *why, unsigned int shard)
{
	if (shard > 0)
		strata_error_add(to, "shard %u could not be made:", shard);
	error_move(to, why);
}

static int make_stacks(struct strata_shards *group, const struct strata_config *config,
		       struct strata_error *error)
{
	unsigned int i;

	for (i = 0; i < group->count; i++) {
		struct shard *shard = &group->shards[i];
		struct strata_error why = { 0 };
		struct strata_stack *stack;
		int result = stack_create(config, group->count > 1 ? shard : NULL, &stack, &why);

		if (result < 0) {
			tell_shard(error, &why, i);
			return result;
		}
		strata_error_clear(&why);
		shard->k = kernel_of(stack);
	}
	return 0;
}

int strata_shards_create(const struct strata_config *config, struct strata_shards **out,
			 struct strata_error *error)
{
	struct strata_env env = config->env != NULL ? *config->env : *strata_env_system();
	struct stack_settings settings;
	int result = stack_shards(config, &settings, error);

	*out = NULL;
	if (result < 0)
		return result;
	env_complete(&env);
	result = group_make(&env, &settings, out);
	if (result < 0) {
		strata_error_add(error, "shards could not be made: %s", strerror(-result));
		return result;
	}
	result = make_stacks(*out, config, error);
	if (result < 0) {
		strata_shards_destroy(*out);
		*out = NULL;
	}
	return result;
}

void strata_shards_destroy(struct strata_shards *shards)
{
	unsigned int i;

	if (shards == NULL)
		return;
	strata_shards_stop(shards);
	for (i = shards->count; i > 0; i--)
		if (shards->shards[i - 1].k != NULL)
			strata_stack_destroy(&shards->shards[i - 1].k->pub);
	group_free(shards);
}

unsigned int strata_shards_count(const struct strata_shards *shards)
{
	return shards->count;
}

struct strata_stack *strata_shards_stack(const struct strata_shards *shards, unsigned int shard)
{
	return shard < shards->count && shards->shards[shard].k != NULL ?
		&shards->shards[shard].k->pub : NULL;
}

struct strata_shards *strata_stack_shards(const struct strata_stack *stack)
{
	const struct kernel *k = kernel_of(stack);

	return k->shard != NULL ? k->shard->group : NULL;
}

/* ---- threads ---- */

/* Stands still until the pause is over. */
static void park(struct shard *shard)
{
	struct strata_shards *group = shard->group;

	pthread_mutex_lock(&group->lock);
	group->parked++;
	pthread_cond_broadcast(&group->changed);
	while (group->pauses > 0)
		pthread_cond_wait(&group->changed, &group->lock);
	group->parked--;
	pthread_cond_broadcast(&group->changed);
	pthread_mutex_unlock(&group->lock);
	strata_stack_adopt(&shard->k->pub);
}

static void enter_run(struct shard *shard)
{
	struct strata_shards *group = shard->group;

	strata_stack_adopt(&shard->k->pub);
	pthread_mutex_lock(&group->lock);
	group->running++;
	pthread_cond_broadcast(&group->changed);
	pthread_mutex_unlock(&group->lock);
}

static void leave_run(struct shard *shard, int result)
{
	struct strata_shards *group = shard->group;
	int none = 0;

	if (result < 0 && atomic_compare_exchange_strong(&group->failure, &none, result))
		shard_ring_bell(&group->shards[0]);
	pthread_mutex_lock(&group->lock);
	group->running--;
	pthread_cond_broadcast(&group->changed);
	pthread_mutex_unlock(&group->lock);
}

static void *thread_main(void *ctx)
{
	struct shard *shard = ctx;
	struct strata_shards *group = shard->group;
	int result = 0;

	enter_run(shard);
	while (!atomic_load(&group->stopping) && result >= 0) {
		result = strata_loop_turn(&shard->k->pub, STRATA_NEVER);
		if (atomic_load(&group->pausing))
			park(shard);
	}
	leave_run(shard, result);
	return NULL;
}

int strata_shards_start(struct strata_shards *shards)
{
	unsigned int i;
	int result = 0;

	atomic_store(&shards->stopping, false);
	atomic_store(&shards->failure, 0);
	for (i = 1; i < shards->count && result == 0; i++) {
		struct shard *shard = &shards->shards[i];

		if (shard->bell < 0)
			result = EINVAL;
		else
			result = pthread_create(&shard->thread, NULL, thread_main, shard);
		shard->has_thread = result == 0;
	}
	if (result != 0) {
		strata_shards_stop(shards);
		return -result;
	}
	pthread_mutex_lock(&shards->lock);
	while (shards->running < shards->count - 1 && atomic_load(&shards->failure) == 0)
		pthread_cond_wait(&shards->changed, &shards->lock);
	pthread_mutex_unlock(&shards->lock);
	return 0;
}

void strata_shards_stop(struct strata_shards *shards)
{
	unsigned int i;

	atomic_store(&shards->stopping, true);
	for (i = 1; i < shards->count; i++) {
		struct shard *shard = &shards->shards[i];

		if (!shard->has_thread)
			continue;
		shard_ring_bell(shard);
		pthread_join(shard->thread, NULL);
		shard->has_thread = false;
		strata_stack_adopt(&shard->k->pub);
	}
}

int strata_shards_failure(const struct strata_shards *shards)
{
	return atomic_load(&shards->failure);
}

/* ---- standing still ---- */

void strata_shards_pause(struct strata_shards *shards)
{
	unsigned int i;

	pthread_mutex_lock(&shards->lock);
	if (shards->pauses++ > 0 || shards->running == 0) {
		pthread_mutex_unlock(&shards->lock);
		return;
	}
	atomic_store(&shards->pausing, true);
	for (i = 1; i < shards->count; i++)
		shard_ring_bell(&shards->shards[i]);
	while (shards->parked < shards->running)
		pthread_cond_wait(&shards->changed, &shards->lock);
	pthread_mutex_unlock(&shards->lock);
	for (i = 1; i < shards->count; i++)
		strata_stack_adopt(&shards->shards[i].k->pub);
}

void strata_shards_resume(struct strata_shards *shards)
{
	pthread_mutex_lock(&shards->lock);
	if (--shards->pauses == 0) {
		atomic_store(&shards->pausing, false);
		pthread_cond_broadcast(&shards->changed);
		/* A thread that has not left yet would count for the next pause. */
		while (shards->parked > 0)
			pthread_cond_wait(&shards->changed, &shards->lock);
	}
	pthread_mutex_unlock(&shards->lock);
}

/* ---- another manifest ---- */

static int reload_all(struct strata_shards *shards, const char *text, size_t length, bool dry_run,
		      strata_change_fn *each, void *ctx, struct strata_error *error)
{
	unsigned int i;
	int result = 0, first = 0;

	for (i = 0; i < shards->count && result >= 0; i++) {
		struct strata_error why = { 0 };

		result = strata_reload_text(&shards->shards[i].k->pub, text, length, dry_run,
					    i == 0 ? each : NULL, ctx, &why);
		if (result < 0 && i > 0)
			strata_error_add(error, "shard %u:%s", i, dry_run ? "" :
					 " the shards before it have what is new; reload again");
		error_move(result < 0 ? error : NULL, &why);
		if (i == 0)
			first = result;
	}
	return result < 0 ? result : first;
}

int strata_shards_reload(struct strata_shards *shards, const char *text, size_t length,
			 bool dry_run, strata_change_fn *each, void *ctx,
			 struct strata_error *error)
{
	int result;

	strata_shards_pause(shards);
	result = 0;
	/* One alone is planned before it is changed anyway. */
	if (dry_run || shards->count > 1)
		result = reload_all(shards, text, length, true, dry_run ? each : NULL, ctx, error);
	if (result >= 0 && !dry_run)
		result = reload_all(shards, text, length, false, each, ctx, error);
	strata_shards_resume(shards);
	return result;
}
