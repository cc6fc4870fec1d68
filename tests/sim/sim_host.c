/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hosts: stacks in an environment of virtual time, seeded chance and counted memory, with manifests
 * written for those that bring none, and clocks that may go wrong.
 */
#include "sim_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <strata/network.h>

#define DEFAULT_MODULES "ethernet arp ipv4 icmp udp newreno tcp"
enum { WORD_MAX = 96 };

/* ---- manifests ---- */

/* Copies the next word of a list separated by spaces; returns what follows it, NULL at the end. */
static const char *next_word(const char *list, char *word)
{
	size_t n;

	list += strspn(list, " \n\t");
	n = strcspn(list, " \n\t");
	if (n == 0 || n >= WORD_MAX)
		return NULL;
	memcpy(word, list, n);
	word[n] = '\0';
	return list + n;
}

static void write_module(FILE *out, const char *name, const char *options)
{
	char word[WORD_MAX];
	bool any = false;

	fprintf(out, "  - name: %s\n", name);
	while (options != NULL && (options = next_word(options, word)) != NULL) {
		char *dot = strchr(word, '.'), *equal = strchr(word, '=');

		if (dot == NULL || equal == NULL || (size_t)(dot - word) != strlen(name) ||
		    strncmp(word, name, strlen(name)) != 0)
			continue;
		*equal = '\0';
		fprintf(out, "%s      %s: %s\n", any ? "" : "    options:\n", dot + 1, equal + 1);
		any = true;
	}
}

char *sim_manifest(const struct strata_sim_host_config *config, bool super)
{
	const char *modules = config->modules != NULL ? config->modules : DEFAULT_MODULES;
	char word[WORD_MAX], *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	if (out == NULL)
		return NULL;
	fprintf(out, "strata: 1\nstack:\n  name: %s\n  log: warning\nmodules:\n",
		config->name != NULL ? config->name : "host");
	write_module(out, "wire", config->options);
	while ((modules = next_word(modules, word)) != NULL)
		write_module(out, word, config->options);
	fputs("interfaces:\n  - name: w0\n    driver: wire\n", out);
	if (config->bare || super)
		fputs("    options:\n", out);
	if (config->bare)
		fputs("      medium: ip\n", out);
	if (super)
		fputs("      offload: true\n", out);
	if (config->mtu != 0)
		fprintf(out, "    mtu: %u\n", config->mtu);
	if (config->address != NULL)
		fprintf(out, "    addresses: [%s]\n", config->address);
	fputs(config->interface != NULL ? config->interface : "", out);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

/* ---- the environment ---- */

uint64_t sim_host_time(const struct strata_sim_host *host)
{
	uint64_t now = host->sim->now;

	if (host->goes_at != 0)
		now = host->stopped_at;
	return now + (uint64_t)host->offset;
}

static uint64_t env_now(void *ctx)
{
	return sim_host_time(ctx);
}

static int env_random(void *ctx, void *buf, size_t len)
{
	struct strata_sim_host *host = ctx;
	uint8_t *out = buf;

	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)impair_random(&host->rng);
	return 0;
}

static void *env_alloc(void *ctx, size_t size)
{
	struct strata_sim_host *host = ctx;
	void *block = malloc(size);

	if (block != NULL) {
		host->blocks++;
		host->bytes += size;
	}
	return block;
}

static void env_free(void *ctx, void *ptr, size_t size)
{
	struct strata_sim_host *host = ctx;

	if (ptr == NULL)
		return;
	host->blocks--;
	host->bytes -= size;
	free(ptr);
}

static void env_log(void *ctx, enum strata_log_level level, const char *module, const char *line)
{
	struct strata_sim_host *host = ctx;

	(void)level;
	strata_sim_note(host->sim, "%s: %s: %s", host->name, module, line);
	if (host->sim->config.verbose)
		fprintf(stderr, "%12.6f %s: %s: %s\n",
			(double)(host->sim->now - host->sim->config.start) / 1e9, host->name, module,
			line);
}

/* ---- life ---- */

static int create(struct strata_sim_host *host, const char *manifest)
{
	struct strata_env env = {
		.ctx = host, .now = env_now, .wall_clock = env_now, .random = env_random,
		.alloc = env_alloc, .free = env_free, .log = env_log,
	};
	struct strata_config config = {
		.manifest_text = manifest, .manifest_name = host->name, .env = &env,
		.module_path = host->sim->config.module_path,
	};
	struct strata_error error = { 0 };
	int result = strata_stack_create(&config, &host->stack, &error);

	if (result < 0)
		strata_sim_fault(host->sim, "host %s: %s\n%s", host->name, strerror(-result),
				 strata_error_text(&error));
	strata_error_clear(&error);
	return result;
}

struct strata_sim_host *strata_sim_host(struct strata_sim *sim,
					const struct strata_sim_host_config *config)
{
	struct strata_sim_host *host = calloc(1, sizeof(*host));
	struct strata_sim_host_config named = *config;
	char *text = NULL;

	if (host == NULL) {
		strata_sim_fault(sim, "the simulation is out of memory");
		return NULL;
	}
	host->sim = sim;
	sim->host_count++;
	if (config->name != NULL)
		snprintf(host->name, sizeof(host->name), "%s", config->name);
	else
		snprintf(host->name, sizeof(host->name), "host%u", sim->host_count);
	host->offset = config->clock_offset;
	host->rng = sim->config.seed * UINT64_C(0x100000001b3) + sim->host_count;
	named.name = host->name;
	if (config->manifest == NULL && (text = sim_manifest(&named, sim->config.super)) == NULL)
		strata_sim_fault(sim, "the simulation is out of memory");
	if ((config->manifest == NULL && text == NULL) ||
	    create(host, text != NULL ? text : config->manifest) < 0) {
		free(text);
		free(host);
		return NULL;
	}
	free(text);
	*sim->hosts_end = host;
	sim->hosts_end = &host->next;
	return host;
}

void sim_host_destroy(struct strata_sim_host *host)
{
	strata_stack_destroy(host->stack);
	if (host->blocks != 0)
		strata_sim_fault(host->sim, "host %s kept %zu allocations, %zu bytes", host->name,
				 host->blocks, host->bytes);
	free(host);
}

struct strata_stack *strata_sim_stack(struct strata_sim_host *host)
{
	return host->stack;
}

const char *strata_sim_host_name(const struct strata_sim_host *host)
{
	return host->name;
}

size_t strata_sim_memory(const struct strata_sim_host *host, size_t *blocks)
{
	if (blocks != NULL)
		*blocks = host->blocks;
	return host->bytes;
}

/* ---- the clock ---- */

uint64_t sim_host_next(struct strata_sim_host *host)
{
	uint64_t next = strata_next_timer(host->stack), now = host->sim->now;

	if (next == STRATA_NEVER)
		return next;
	/* A time that its clock has passed already is due at once, whatever the clock does. */
	if (next <= sim_host_time(host))
		return now;
	if (host->goes_at != 0)
		return host->goes_at + (next - sim_host_time(host));
	return next - (uint64_t)host->offset;
}

void strata_sim_clock_jump(struct strata_sim_host *host, int64_t ns)
{
	host->offset += ns;
	strata_sim_note(host->sim, "%s: the clock jumps by %lld ns", host->name, (long long)ns);
}

static void clock_goes(void *arg)
{
	struct strata_sim_host *host = arg;

	host->offset -= (int64_t)(host->goes_at - host->stopped_at);
	host->stopped_at = 0;
	host->goes_at = 0;
}

void strata_sim_clock_stop(struct strata_sim_host *host, uint64_t ns)
{
	if (host->goes_at != 0) {
		strata_sim_fault(host->sim, "host %s: its clock stands already", host->name);
		return;
	}
	host->stopped_at = host->sim->now;
	host->goes_at = host->sim->now + ns;
	strata_sim_at(host->sim, host->goes_at, clock_goes, host);
	strata_sim_note(host->sim, "%s: the clock stops for %llu ns", host->name,
			(unsigned long long)ns);
}

/* ---- counters ---- */

struct wanted {
	const char *module, *name;
	uint64_t value;
	bool found;
};

static void look(void *ctx, const struct strata_module_view *view)
{
	struct wanted *wanted = ctx;
	const struct strata_instance *instance = view->instance;
	const struct strata_module *module = instance->module;

	if (wanted->found || strcmp(instance->name, wanted->module) != 0)
		return;
	for (size_t i = 0; i < module->counter_count && !wanted->found; i++)
		if (strcmp(module->counters[i].name, wanted->name) == 0) {
			wanted->value = instance->counters[i];
			wanted->found = true;
		}
	for (size_t i = 0; i < module->drop_count && !wanted->found; i++)
		if (strcasecmp(module->drops[i].name, wanted->name) == 0) {
			wanted->value = instance->drops[i];
			wanted->found = true;
		}
}

uint64_t strata_sim_counter(struct strata_sim_host *host, const char *module, const char *counter)
{
	struct wanted wanted = { .module = module, .name = counter };

	strata_inspect_modules(host->stack, look, &wanted);
	if (!wanted.found)
		strata_sim_fault(host->sim, "host %s: module %s has no counter %s", host->name, module,
				 counter);
	return wanted.value;
}
