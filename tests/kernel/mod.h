/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Modules for tests of the registry and the loader. They call nothing of libstrata, so they load
 * wherever the test runs, and note what happens to them in a struct record of the test.
 */
#ifndef TEST_MOD_H
#define TEST_MOD_H

#include <errno.h>
#include <strata/congestion.h>
#include <strata/module.h>

struct mod_config {
	uint64_t record;	/* address of the test's recording, or 0 */
	bool fail;		/* start fails */
	uint64_t refuse;	/* option_changed refuses when the value is this */
	uint64_t level;
};

#define MOD_RECORD_SIZE 256

static inline void mod_note(const struct strata_instance *self, char what)
{
	const struct mod_config *config = self->config;
	char *text = (char *)(uintptr_t)config->record;
	size_t at;

	if (text == NULL)
		return;
	at = strlen(text);
	if (at + strlen(self->name) + 2 > MOD_RECORD_SIZE)
		return;
	text[at] = what;
	memcpy(text + at + 1, self->name, strlen(self->name) + 1);
}

static inline int mod_start(struct strata_instance *self, struct strata_error *error)
{
	const struct mod_config *config = self->config;

	(void)error;
	if (config->fail) {
		mod_note(self, '!');
		return -ENODEV;
	}
	mod_note(self, '+');
	return 0;
}

static inline void mod_stop(struct strata_instance *self)
{
	mod_note(self, '-');
}

static inline int mod_changed(struct strata_instance *self, const struct strata_option *option)
{
	const struct mod_config *config = self->config;

	(void)option;
	mod_note(self, '=');
	return config->level != 0 && config->level == config->refuse ? -ERANGE : 0;
}

static const struct strata_option mod_options[] __attribute__((unused)) = {
	{ .name = "record", .type = STRATA_OPT_UINT, .offset = offsetof(struct mod_config, record),
	  .help = "address of the recording" },
	{ .name = "fail", .type = STRATA_OPT_BOOL, .offset = offsetof(struct mod_config, fail),
	  .help = "start fails" },
	{ .name = "refuse", .type = STRATA_OPT_UINT, .offset = offsetof(struct mod_config, refuse),
	  .help = "value of `level` that is refused while running" },
	{ .name = "level", .type = STRATA_OPT_UINT, .offset = offsetof(struct mod_config, level),
	  .fallback = "3", .min = 0, .max = 9, .runtime = true, .help = "a number" },
};

/* All fields that these modules have alike. */
#define MOD_COMMON(name_) \
	STRATA_MODULE_HEADER, .name = name_, .version = "1.0", .summary = "a module of the tests", \
	.config_size = sizeof(struct mod_config), .options = mod_options, \
	.option_count = STRATA_COUNT(mod_options), .start = mod_start, .stop = mod_stop, \
	.option_changed = mod_changed

static inline void mod_congestion_init(struct strata_congestion *c)
{
	(void)c;
}

static const struct strata_congestion_ops mod_congestion __attribute__((unused)) = {
	.init = mod_congestion_init,
};

#endif
