/* SPDX-License-Identifier: BSD-2-Clause */
/* How a stack was made: kept so that it can be changed into what a manifest says later. */
#include <errno.h>

#include "origin.h"

int origin_init(struct kernel *k)
{
	k->origin = strata_alloc(&k->pub, sizeof(*k->origin));
	return k->origin != NULL ? 0 : -ENOMEM;
}

void origin_fini(struct kernel *k)
{
	struct origin *o = k->origin;
	if (o == NULL)
		return;
	for (char **name = o->services; name != NULL && *name != NULL; name++)
		strata_free(&k->pub, *name);
	strata_free(&k->pub, o->services);
	strata_free(&k->pub, o->file);
	strata_free(&k->pub, o->name);
	strata_free(&k->pub, o->directory);
	strata_free(&k->pub, o->module_path);
	strata_free(&k->pub, o->text);
	strata_free(&k->pub, o);
	k->origin = NULL;
}

/* A copy, or NULL of NULL. Returns 0 or -ENOMEM. */
static int keep(struct kernel *k, char **out, const char *text)
{
	if (text == NULL)
		return 0;
	*out = kernel_strdup(k, text);
	return *out != NULL ? 0 : -ENOMEM;
}

static int keep_services(struct kernel *k, const char *const *names)
{
	struct origin *o = k->origin;
	size_t count = 0;
	while (names != NULL && names[count] != NULL)
		count++;
	if (count == 0)
		return 0;
	o->services = strata_alloc(&k->pub, (count + 1) * sizeof(*o->services));
	if (o->services == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		if (keep(k, &o->services[i], names[i]) < 0)
			return -ENOMEM;
	return 0;
}

int origin_keep(struct kernel *k, const struct strata_config *given)
{
	struct origin *o = k->origin;
	const char *name = given->manifest_name != NULL ? given->manifest_name : "manifest";
	o->log_level = given->log_level;
	o->trust_check = given->trust_check;
	if (keep(k, &o->file, given->manifest_file) < 0 ||
	    keep(k, &o->name, given->manifest_file != NULL ? given->manifest_file : name) < 0 ||
	    keep(k, &o->module_path, given->module_path) < 0)
		return -ENOMEM;
	return keep_services(k, given->implied_services);
}

static bool has_disabled(const struct config *config)
{
	const struct config_module *m = config->modules;
	while (m != NULL && m->enabled)
		m = m->next;
	return m != NULL;
}

int origin_keep_manifest(struct kernel *k, const struct config *config)
{
	struct origin *o = k->origin;
	const char *directory = manifest_directory(config->manifest);
	char *copy = NULL, *text = NULL;
	size_t length = 0;
	if (has_disabled(config)) {
		const char *from = manifest_text(config->manifest, &length);
		text = strata_alloc(&k->pub, length + 1);
		if (text == NULL)
			return -ENOMEM;
		memcpy(text, from, length);
	}
	if (keep(k, &copy, directory) < 0) {
		strata_free(&k->pub, text);
		return -ENOMEM;
	}
	strata_free(&k->pub, o->text);
	strata_free(&k->pub, o->directory);
	o->text = text;
	o->length = length;
	o->directory = copy;
	return 0;
}

void origin_config(const struct kernel *k, const char *text, size_t length,
		   struct strata_config *out)
{
	const struct origin *o = k->origin;
	*out = (struct strata_config){
		.manifest_file = text == NULL ? o->file : NULL,
		.manifest_text = text,
		.manifest_length = length,
		.manifest_name = o->name,
		.module_path = o->module_path,
		.env = &k->env,
		.run_dir = k->run_dir,
		.implied_services = (const char *const *)o->services,
		.log_level = o->log_level,
		.trust_check = o->trust_check,
	};
}
