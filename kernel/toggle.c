/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Switching a module off and on while the stack runs. A disabled module stays loaded, with its
 * options and counters; what came through it has ended, all else goes on.
 *
 * The sockets of a network module's family end with it. Its addresses stay, as they would in a
 * manifest without the module, where another module reads that family (docs/adr/0002); else they
 * go, with their connected routes, and come back with it on interfaces that are still there.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "live.h"
#include "text.h"

struct saved_addr {
	struct saved_addr *next;	/* in the order they had */
	uint32_t iface;			/* index */
	struct strata_prefix prefix;
	bool claimed;			/* the manifest has it */
};

void toggle_forget(struct kernel *k, struct module *m)
{
	while (m->saved != NULL) {
		struct saved_addr *saved = m->saved;
		m->saved = saved->next;
		strata_free(&k->pub, saved);
	}
}

/* Tells all that stands in the way of disabling `m`. Returns 0 or -EBUSY. */
static int check_users(struct kernel *k, const struct module *m, struct strata_error *error)
{
	int result = 0;
	for (struct module *o = registry_walk(k, NULL); o != NULL; o = registry_walk(k, o)) {
		const struct strata_dependency *d = o->pub.module->depends;
		for (; o->pub.running && o != m && !registry_dependency_ends(d); d++) {
			if (d->optional || !registry_satisfies(m, d))
				continue;
			strata_error_add(error, "module \"%s\" is needed by module \"%s\"; "
					 "disable that first", m->pub.name, o->pub.name);
			result = -EBUSY;
		}
	}
	for (struct strata_iface *i = strata_iface_next(&k->pub, NULL); i != NULL;
	     i = strata_iface_next(&k->pub, i)) {
		if (i->driver != &m->pub && i->framing != &m->pub)
			continue;
		strata_error_add(error, "module \"%s\" is needed by interface \"%s\"; take that "
				 "out of the manifest first", m->pub.name, i->name);
		result = -EBUSY;
	}
	return result;
}

/* The family that nobody can read without `m`; 0: none. */
static uint16_t sole_family(struct kernel *k, const struct module *m)
{
	const struct strata_address_ops *ops = m->pub.module->network->address;
	const struct strata_instance *other = NULL;
	if (ops == NULL)
		return 0;
	while ((other = registry_next(k, STRATA_NETWORK, other)) != NULL)
		if (other != &m->pub && other->module->network->address != NULL &&
		    other->module->network->address->family == ops->family)
			return 0;
	return ops->family;
}

/* Takes the addresses of `family` off and keeps them. Returns 0, or -ENOMEM with none taken. */
static int save_addresses(struct kernel *k, struct module *m, uint16_t family)
{
	struct saved_addr **end = &m->saved;
	struct strata_iface *iface;
	for (iface = strata_iface_next(&k->pub, NULL); iface != NULL;
	     iface = strata_iface_next(&k->pub, iface)) {
		for (struct strata_ifaddr *a = strata_ifaddr_first(iface); a != NULL; a = a->next) {
			if (a->prefix.addr.family != family)
				continue;
			struct saved_addr *saved = strata_alloc(&k->pub, sizeof(*saved));
			if (saved == NULL) {
				toggle_forget(k, m);
				return -ENOMEM;
			}
			saved->iface = iface->index;
			saved->prefix = a->prefix;
			saved->claimed = addr_is_claimed(a);
			*end = saved;
			end = &saved->next;
		}
	}
	for (struct saved_addr *saved = m->saved; saved != NULL; saved = saved->next)
		strata_ifaddr_remove(strata_iface_by_index(&k->pub, saved->iface),
				     &saved->prefix.addr);
	return 0;
}

static void restore_addresses(struct kernel *k, struct module *m)
{
	for (const struct saved_addr *saved = m->saved; saved != NULL; saved = saved->next) {
		struct strata_iface *iface = strata_iface_by_index(&k->pub, saved->iface);
		int result = iface != NULL ? strata_ifaddr_add(iface, &saved->prefix) : 0;
		if (iface != NULL && result == 0 && saved->claimed)
			addr_claim(strata_ifaddr_find(&k->pub, &saved->prefix.addr));
		if (result < 0)
			strata_log(&k->pub, NULL, STRATA_LOG_ERROR,
				   "module %s: an address of %s could not be put back: %s",
				   m->pub.name, iface->name, strerror(-result));
	}
	toggle_forget(k, m);
}

void toggle_leave_network(struct kernel *k, struct module *m)
{
	const struct strata_network_ops *ops = m->pub.module->network;
	socket_network_gone(k, &m->pub);
	m->bound = false;
	addr_ops_changed(k);
	if (ops->resolves != 0)
		neigh_family_gone(k, ops->resolves);
	if (ops->address != NULL && ops->address->family == m->pub.number)
		neigh_family_gone(k, ops->address->family);
}

/* Tells a network module that came late of what there is. */
void toggle_join_network(struct kernel *k, struct module *m)
{
	const struct strata_network_ops *ops = m->pub.module->network;
	struct strata_iface *iface;
	addr_ops_changed(k);
	/* As if all came now; modules that look for themselves when they start are told twice. */
	for (iface = strata_iface_next(&k->pub, NULL); iface != NULL;
	     iface = strata_iface_next(&k->pub, iface)) {
		if (ops->iface_event != NULL && iface_usable(iface))
			ops->iface_event(&m->pub, iface, true);
		for (struct strata_ifaddr *a = strata_ifaddr_first(iface); a != NULL; a = a->next)
			if (ops->address_event != NULL)
				ops->address_event(&m->pub, a, true);
	}
	group_replay(k, &m->pub);
	restore_addresses(k, m);
}

void toggle_drop_addresses(struct kernel *k, struct module *m)
{
	uint16_t family = kind_of(m) == STRATA_NETWORK ? sole_family(k, m) : 0;
	struct strata_iface *iface;
	for (iface = strata_iface_next(&k->pub, NULL); family != 0 && iface != NULL;
	     iface = strata_iface_next(&k->pub, iface)) {
		struct strata_ifaddr *a = strata_ifaddr_first(iface);
		while (a != NULL) {
			struct strata_ifaddr *next = a->next;
			if (a->prefix.addr.family == family)
				strata_ifaddr_remove(iface, &a->prefix.addr);
			a = next;
		}
	}
}

void toggle_save_addresses(struct kernel *k, struct module *m)
{
	uint16_t family = kind_of(m) == STRATA_NETWORK ? sole_family(k, m) : 0;
	if (family != 0 && save_addresses(k, m, family) < 0)
		toggle_drop_addresses(k, m);
}

static int disable(struct kernel *k, struct module *m, struct strata_error *error)
{
	int result = check_users(k, m, error);
	if (result < 0)
		return result;
	if (kind_of(m) == STRATA_NETWORK) {
		uint16_t family = sole_family(k, m);
		if (family != 0 && save_addresses(k, m, family) < 0) {
			strata_error_add(error, "module \"%s\": out of memory", m->pub.name);
			return -ENOMEM;
		}
		toggle_leave_network(k, m);
	}
	m->bound = false;
	registry_stop_one(k, m);
	strata_generation_bump(&k->pub);
	return 0;
}

static int enable(struct kernel *k, struct module *m, struct strata_error *error)
{
	const struct strata_dependency *d = m->pub.module->depends;
	for (; !registry_dependency_ends(d); d++) {
		struct module *needed = registry_walk(k, NULL);
		while (needed != NULL && !registry_satisfies(needed, d))
			needed = registry_walk(k, needed);
		if (d->optional || needed == NULL || needed->pub.running)
			continue;
		strata_error_add(error, "module \"%s\" needs module \"%s\", which is disabled; "
				 "enable that first", m->pub.name, needed->pub.name);
		return -EBUSY;
	}
	int result = registry_start_one(k, m, error);
	if (result < 0)
		return result;
	m->bound = true;
	if (kind_of(m) == STRATA_NETWORK)
		toggle_join_network(k, m);
	strata_generation_bump(&k->pub);
	return 0;
}

/* Says that there is no such module, and which may have been meant. */
static void absent(struct kernel *k, const char *name, struct strata_error *error)
{
	struct text_nearest nearest = { .word = name };
	char hint[TEXT_HINT_SIZE];
	for (struct module *m = registry_walk(k, NULL); m != NULL; m = registry_walk(k, m))
		text_nearest_offer(&nearest, m->pub.name);
	strata_error_add(error, "module \"%s\" is not in the stack%s; a reload brings back what the "
			 "manifest has", name, text_nearest_hint(&nearest, hint));
}

void toggle_tell_services(struct kernel *k)
{
	struct strata_instance *s;
	for (s = registry_next(k, STRATA_SERVICE, NULL); s != NULL;
	     s = registry_next(k, STRATA_SERVICE, s))
		if (s->running && s->module->service->modules_changed != NULL)
			s->module->service->modules_changed(s);
}

/* Starts one that has just been loaded; else forgets it, and those it brought along, again. */
static int start_loaded(struct kernel *k, struct module *m, bool by_hand, struct strata_error *error)
{
	int result = 0;
	/* What its options name comes after it in the list, and before it in the order. */
	for (struct module *o = registry_walk(k, NULL); o != NULL && result == 0; o = registry_walk(k, o)) {
		const struct module *n = m;
		while (n != NULL && n != o)
			n = n->next;
		if (n == NULL)
			continue;
		o->by_hand = by_hand;
		result = enable(k, o, error);
	}
	if (result == 0)
		return 0;
	while (m != NULL) {
		struct module *next = m->next;
		if (m->pub.running)
			(void)disable(k, m, NULL);
		registry_remove(k, m);
		m = next;
	}
	return result;
}

/* The entry of that name in a manifest's text, enabled or not; the faults of others do not count. */
static const struct config_module *find_entry(const struct config *config, const char *name)
{
	const struct config_module *e = config->modules;
	while (e != NULL && (e->name == NULL || strcmp(e->name, name) != 0))
		e = e->next;
	return e;
}

/* Loads and starts the module `name` as the text says. Returns -ENOENT where that does not have it. */
static int load_from(struct kernel *k, const char *text, size_t length, const char *title,
		     const char *name, bool by_hand, struct strata_error *error)
{
	struct strata_config given;
	struct config config;
	struct strata_error faults = { 0 };
	struct loading l = { .k = k, .config = &config, .stack_config = &given, .error = &faults };
	struct module *m = NULL;
	struct manifest *manifest = manifest_read_text(text, length, title, &faults);
	int result = manifest == NULL ? -EINVAL : manifest_set_directory(manifest, k->origin->directory);
	if (result == 0)
		result = config_read(manifest, &config, &faults);
	if (result == 0) {
		const struct config_module *entry = find_entry(&config, name);
		origin_config(k, text, length, &given);
		result = entry == NULL && faults.count == 0 ? -ENOENT : faults.count != 0 ? -EINVAL :
			registry_load_more(&l, entry, &m);
	}
	manifest_free(manifest);
	if (result == 0)
		result = start_loaded(k, m, by_hand, &faults);
	if (result == -ENOMEM && faults.count == 0)
		strata_error_add(&faults, "module \"%s\": out of memory", name);
	error_move(result < 0 ? error : NULL, &faults);
	return result;
}

/* One that the manifest has with `enabled: false`. */
static int enable_absent(struct kernel *k, const char *name, struct strata_error *error)
{
	const struct origin *o = k->origin;
	int result = o->text == NULL ? -ENOENT :
		load_from(k, o->text, o->length, o->name, name, false, error);
	if (result == -ENOENT)
		absent(k, name, error);
	return result;
}

static int toggle(struct strata_stack *stack, const char *name, bool on, struct strata_error *error)
{
	struct kernel *k = kernel_of(stack);
	struct module *m = registry_find(k, name);
	if (m == NULL && !on) {
		absent(k, name, error);
		return -ENOENT;
	}
	if (m != NULL && m->pub.running == on) {
		strata_error_add(error, "module \"%s\" is already %s", name,
				 on ? "running" : "disabled");
		return -EALREADY;
	}
	int result = live_begin(k, !on && kind_of(m) == STRATA_SERVICE, error);
	if (result < 0)
		return result;
	result = m == NULL ? enable_absent(k, name, error) : on ? enable(k, m, error) :
		disable(k, m, error);
	if (result == 0)
		toggle_tell_services(k);
	live_end(k);
	if (result == 0)
		strata_log(stack, NULL, STRATA_LOG_INFO, "module %s: %s", name,
			   on ? "enabled" : "disabled");
	return result;
}

int strata_module_disable(struct strata_stack *stack, const char *name, struct strata_error *error)
{
	return toggle(stack, name, false, error);
}

int strata_module_enable(struct strata_stack *stack, const char *name, struct strata_error *error)
{
	return toggle(stack, name, true, error);
}

/* ---- load and unload ---- */

/* `text` as a scalar of a manifest that nothing in it can end: in single quotes. */
static int write_quoted(FILE *to, const char *text)
{
	fputc('\'', to);
	for (; *text != '\0'; text++) {
		if ((unsigned char)*text < ' ')
			return -EINVAL;
		if (*text == '\'')
			fputc('\'', to);
		fputc(*text, to);
	}
	fputc('\'', to);
	return 0;
}

/* Whether a manifest would read `value`, as it is written, as something else than that text. What opens a list, a
 * mapping or quotes is taken as meant. */
static bool needs_quotes(const char *value)
{
	const size_t length = strlen(value);
	if (length == 0 || strchr("[{\"'", value[0]) != NULL)
		return false;
	return strchr(" #&*!|>%@`,]}", value[0]) != NULL || value[length - 1] == ' ' || value[length - 1] == ':' ||
	       strstr(value, ": ") != NULL || strstr(value, " #") != NULL;
}

/* The manifest's entry that a module loaded by hand would have. */
static int write_entry(FILE *to, const char *name, const char *file, uint32_t number,
		       const struct strata_setting *options)
{
	int result;
	fputs("strata: 1\nmodules:\n  - name: ", to);
	result = write_quoted(to, name);
	if (file != NULL && result == 0) {
		fputs("\n    file: ", to);
		result = write_quoted(to, file);
	}
	if (number != 0)
		fprintf(to, "\n    number: %u", number);
	for (const struct strata_setting *o = options; o != NULL && o->name != NULL && result == 0; o++) {
		fprintf(to, "%s\n      ", o == options ? "\n    options:" : "");
		result = write_quoted(to, o->name);
		fputs(": ", to);
		if (result == 0 && needs_quotes(o->value)) {
			result = write_quoted(to, o->value);
			continue;
		}
		/* As written, so that types show; it must not begin another line. */
		for (const char *c = o->value; *c != '\0' && result == 0; c++)
			result = (unsigned char)*c < ' ' ? -EINVAL : fputc(*c, to) == EOF ? -ENOMEM : 0;
	}
	fputc('\n', to);
	return result;
}

static int load(struct kernel *k, const char *name, const char *file, uint32_t number,
		const struct strata_setting *options, struct strata_error *error)
{
	char *text = NULL;
	size_t length = 0;
	FILE *to = open_memstream(&text, &length);
	int result = to != NULL ? write_entry(to, name, file, number, options) : -ENOMEM;
	if (to != NULL && fclose(to) != 0 && result == 0)
		result = -ENOMEM;
	if (result < 0)
		strata_error_add(error, "module \"%.64s\": %s", name, result == -ENOMEM ? "out of memory" :
				 "expected a name, file and options of one line each");
	else
		result = load_from(k, text, length, "module load", name, true, error);
	free(text);
	return result;
}

int strata_module_load(struct strata_stack *stack, const char *name, const char *file,
		       uint32_t number, const struct strata_setting *options,
		       struct strata_error *error)
{
	struct kernel *k = kernel_of(stack);
	const struct module *m = registry_find(k, name);
	if (m != NULL) {
		strata_error_add(error, "module \"%s\" is there already (%s, %s); unload it first, or give "
				 "this one another name with its `file`", name,
				 strata_module_path(m->file), m->pub.running ? "running" : "disabled");
		return -EEXIST;
	}
	int result = live_begin(k, false, error);
	if (result < 0)
		return result;
	result = load(k, name, file, number, options, error);
	if (result == 0)
		toggle_tell_services(k);
	live_end(k);
	if (result == 0)
		strata_log(stack, NULL, STRATA_LOG_INFO, "module %s: loaded", name);
	return result;
}

int strata_module_unload(struct strata_stack *stack, const char *name, struct strata_error *error)
{
	struct kernel *k = kernel_of(stack);
	struct module *m = registry_find(k, name);
	if (m == NULL) {
		absent(k, name, error);
		return -ENOENT;
	}
	int result = live_begin(k, kind_of(m) == STRATA_SERVICE, error);
	if (result < 0)
		return result;
	result = m->pub.running ? disable(k, m, error) : check_users(k, m, error);
	if (result == 0) {
		registry_remove(k, m);
		toggle_tell_services(k);
	}
	live_end(k);
	if (result == 0)
		strata_log(stack, NULL, STRATA_LOG_INFO, "module %s: unloaded", name);
	return result;
}

void strata_inspect_modules(struct strata_stack *stack,
			    void (*each)(void *ctx, const struct strata_module_view *view),
			    void *ctx)
{
	struct kernel *k = kernel_of(stack);
	struct strata_module_view view = {
		.instance = &k->self,
		.path = "(built in)",
		.state = "running",
	};
	each(ctx, &view);
	for (struct module *m = registry_walk(k, NULL); m != NULL; m = registry_walk(k, m)) {
		view.instance = &m->pub;
		view.path = strata_module_path(m->file);
		view.state = m->pub.running ? "running" : "disabled";
		iface_link_packets(k, &m->pub, &view.rx_packets, &view.tx_packets);
		each(ctx, &view);
	}
}
