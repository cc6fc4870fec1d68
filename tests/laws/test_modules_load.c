/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every module of the tree loads, whether a manifest enables it or not, and its descriptor is complete.
 */
#include "fixture.h"

/* The tree's modules, from the makefile. */
static const char *const names[] = { STRATA_MODULES };

static void every_module_of_the_tree_opens(void **state)
{
	(void)state;
	for (size_t i = 0; i < STRATA_COUNT(names); i++) {
		struct strata_error error = { 0 };
		struct strata_module_file *file =
			strata_module_open(names[i], fx_module_path(), &error);

		if (file == NULL)
			fail_msg("%s: %s", names[i], strata_error_text(&error));
		strata_module_close(file);
		strata_error_clear(&error);
	}
}

static const void *ops_of(const struct strata_module *m)
{
	switch ((enum strata_kind)m->kind) {
	case STRATA_LINK:
		return m->link;
	case STRATA_NETWORK:
		return m->network;
	case STRATA_TRANSPORT:
		return m->transport;
	case STRATA_CONGESTION:
		return m->congestion;
	case STRATA_SERVICE:
		return m->service;
	case STRATA_KINDS:
		break;
	}
	return NULL;
}

static void check_options(const char *name, const struct strata_option *options, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (options[i].name == NULL || options[i].help == NULL || options[i].help[0] == '\0')
			fail_msg("%s: option %zu has no name or no help", name, i);
}

static void check_descriptor(const struct strata_module *m, const char *name)
{
	if (strcmp(m->name, name) != 0)
		fail_msg("%s: its descriptor is named %s", name, m->name);
	assert_true(m->kind < STRATA_KINDS);
	if (m->summary == NULL || m->summary[0] == '\0' || m->version == NULL)
		fail_msg("%s: no summary or no version", name);
	if (m->kind != STRATA_SERVICE && ops_of(m) == NULL)
		fail_msg("%s: no operations of its kind", name);
	if ((m->kind == STRATA_NETWORK || m->kind == STRATA_TRANSPORT) && m->number == 0)
		fail_msg("%s: claims no number", name);
	check_options(name, m->options, m->option_count);
	check_options(name, m->iface_options, m->iface_option_count);
	for (size_t i = 0; i < m->counter_count; i++)
		assert_non_null(m->counters[i].name);
	for (size_t i = 0; i < m->drop_count; i++)
		assert_non_null(m->drops[i].text);
}

static void every_descriptor_is_complete(void **state)
{
	(void)state;
	for (size_t i = 0; i < STRATA_COUNT(names); i++) {
		struct strata_error error = { 0 };
		struct strata_module_file *file =
			strata_module_open(names[i], fx_module_path(), &error);

		assert_non_null(file);
		check_descriptor(strata_module_of(file), names[i]);
		strata_module_close(file);
	}
}

static void check_listed(void *ctx, const char *name)
{
	bool *seen = ctx;

	for (size_t i = 0; i < STRATA_COUNT(names); i++)
		if (strcmp(names[i], name) == 0)
			seen[i] = true;
}

static void every_module_is_listed(void **state)
{
	bool seen[STRATA_COUNT(names)] = { false };

	(void)state;
	assert_true(strata_module_list(fx_module_path(), check_listed, seen) >=
		    (int)STRATA_COUNT(names));
	for (size_t i = 0; i < STRATA_COUNT(names); i++)
		if (!seen[i])
			fail_msg("%s is not listed", names[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_module_of_the_tree_opens),
		cmocka_unit_test(every_descriptor_is_complete),
		cmocka_unit_test(every_module_is_listed),
	};

	return fx_main(tests);
}
