/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of a stack: a manifest becomes modules, interfaces, addresses and routes. All of it is
 * checked, and every fault told, before anything is started; what starts then is undone as one when
 * a part of it fails.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "create.h"
#include "iface.h"
#include "origin.h"
#include "registry.h"
#include "shard.h"
#include "text.h"

#define SHOWN 192

/* Subsystems in the order of their making. */
static const struct {
	int (*init)(struct kernel *k);
	void (*fini)(struct kernel *k);
} parts[] = {
	{ mem_init, mem_fini },		{ drop_init, drop_fini },
	{ random_init, random_fini },
	{ timer_init, timer_fini },	{ mem_rest_init, mem_rest_fini },
	{ work_init, work_fini },	{ NULL, loop_fini },		{ common_init, common_fini },
	{ trace_init, trace_fini },	{ pkt_init, pkt_fini },
	{ origin_init, origin_fini },
	{ registry_init, registry_fini },
	{ iface_init, iface_fini },	{ addr_init, addr_fini },	{ group_init, group_fini },
	{ route_init, route_fini },	{ neigh_init, neigh_fini },	{ flow_init, flow_fini },
	{ port_init, port_fini },	{ socket_init, socket_fini },	{ shard_init, shard_fini },
};

#define node_fault(c, node, ...) manifest_fault((c)->manifest, (node), (c)->error, __VA_ARGS__)

/* ---- the kernel's memory ---- */

static void kernel_free(struct kernel *k)
{
	for (size_t i = STRATA_COUNT(parts); i > 0; i--) {
		/* Strings that belong to no subsystem, while there is memory. */
		if (i == 1 && k->mem != NULL)
			strata_free(&k->pub, k->run_dir);
		if (i > 1 || k->mem != NULL)
			parts[i - 1].fini(k);
	}
	k->env.free(k->env.ctx, k, sizeof(*k));
}

static int set_run_dir(struct kernel *k, const char *given)
{
	char path[sizeof(STRATA_RUNSTATEDIR) + sizeof("/strata/") + sizeof(k->settings.name)];
	snprintf(path, sizeof(path), "%s/strata/%s", STRATA_RUNSTATEDIR, k->settings.name);
	k->run_dir = kernel_strdup(k, given != NULL ? given : path);
	return k->run_dir != NULL ? 0 : -ENOMEM;
}

static int kernel_make(struct creation *c)
{
	struct strata_env env = c->given->env != NULL ? *c->given->env : *strata_env_system();
	struct kernel *k;
	int result = 0;
	env_complete(&env);
	k = env.alloc(env.ctx, sizeof(*k));
	if (k == NULL) {
		strata_error_add(c->error, "stack: out of memory");
		return -ENOMEM;
	}
	memset(k, 0, sizeof(*k));
	k->env = env;
	k->owner = pthread_self();
	k->settings = c->config.settings;
	k->pub.name = k->settings.name;
	k->shard = c->shard;
	k->pub.shard = c->shard != NULL ? (uint16_t)c->shard->index : 0;
	k->pub.shard_count = c->shard != NULL ? (uint16_t)c->shard->group->count : 1;
	k->made = env.now != NULL ? env.now(env.ctx) : 0;
	if (c->given->log_level > 0 && c->given->log_level <= STRATA_LOG_DEBUG + 1)
		k->settings.log_level = (uint8_t)(c->given->log_level - 1);
	for (size_t i = 0; i < STRATA_COUNT(parts) && result == 0; i++)
		if (parts[i].init != NULL)
			result = parts[i].init(k);
	if (result == 0)
		result = set_run_dir(k, c->given->run_dir);
	if (result == 0)
		result = origin_keep(k, c->given);
	if (result < 0) {
		strata_error_add(c->error, "stack \"%s\" could not be made: %s", k->settings.name,
				 strerror(-result));
		kernel_free(k);
		return result;
	}
	c->k = k;
	return 0;
}

/* ---- checking: interfaces ---- */

/* Gives the sentences of a check their place: the value they speak of, else the entry. */
static void retell(struct creation *c, const struct config_iface *i, struct strata_error *why)
{
	const char *line = strata_error_text(why);
	while (*line != '\0') {
		size_t length = strcspn(line, "\n");
		const struct node *node = i->node;
		char *text = strndup(line, length);
		if (text != NULL && i->mtu_node != NULL && strstr(text, "mtu") != NULL)
			node = i->mtu_node;
		else if (text != NULL && i->mac_node != NULL && strstr(text, "mac") != NULL)
			node = i->mac_node;
		node_fault(c, node, "%s", text != NULL ? text : "out of memory");
		free(text);
		line += length + (line[length] != '\0');
	}
	strata_error_clear(why);
}

static int check_iface(struct creation *c, struct config_iface *i)
{
	struct module *driver = i->driver != NULL ? registry_find(c->k, i->driver) : NULL;
	struct iface_spec spec = { .name = i->name, .mtu = i->mtu, .mac = i->mac };
	struct strata_error why = { 0 };
	char owner[96];
	/* What is missing has been told: by the schema, or when the module could not be loaded. */
	if (driver == NULL || i->name == NULL)
		return 0;
	const struct strata_module *module = driver->pub.module;
	if (module->link == NULL || module->link->open == NULL) {
		node_fault(c, i->driver_node, "driver \"%s\": expected a link module that drives "
			   "devices, found %s", i->driver,
			   module->link != NULL ? "one that only frames packets" :
			   strata_kind_name((enum strata_kind)module->kind));
		return 0;
	}
	if (c->config.settings.shards > 1 && !module->link->shards) {
		node_fault(c, c->config.shards, "shards: expected 1, since the devices of driver \"%s\" "
			   "(interface \"%s\") have one queue, found %" PRIu64, i->driver, i->name,
			   c->config.settings.shards);
		return 0;
	}
	struct option_schema schema = {
		.options = module->iface_options,
		.count = module->iface_option_count,
		.size = module->iface_config_size,
		.owner = owner,
	};
	snprintf(owner, sizeof(owner), "driver \"%.64s\"", i->driver);
	int result = option_fill(c->k, &schema, c->manifest, i->options, i->node, &spec.config,
				 c->error);
	if (result < 0)
		return result == -ENOMEM ? result : 0;
	spec.driver = &driver->pub;
	result = iface_create(c->k, &spec, &i->iface, &why);
	if (result < 0) {
		i->iface = NULL;
		strata_free(&c->k->pub, spec.config);
		/* A framing that is missing because it could not be loaded is no fault of the interface. */
		if (result != -ENOENT || !c->incomplete)
			retell(c, i, &why);
	}
	strata_error_clear(&why);
	return result == -ENOMEM ? result : 0;
}

/* ---- checking: addresses ---- */

static bool all_bits(const struct strata_prefix *prefix)
{
	return prefix->bits == prefix->addr.length * 8;
}

/* Entry of the manifest that has the address; NULL: none. `*at` tells which of its addresses. */
static const struct config_iface *find_address(const struct creation *c,
					       const struct strata_addr *addr, uint32_t *at)
{
	for (const struct config_iface *i = c->config.ifaces; i != NULL; i = i->next)
		for (uint32_t n = 0; i->prefixes != NULL && n < i->addresses->count; n++)
			if (strata_addr_is_set(&i->prefixes[n].addr) &&
			    strata_addr_equal(&i->prefixes[n].addr, addr)) {
				*at = n;
				return i;
			}
	return NULL;
}

static const struct node *nth(const struct node *list, uint32_t n)
{
	const struct node *item = list->first;
	while (n-- > 0)
		item = item->next;
	return item;
}

static bool parse_prefix(struct creation *c, const struct node *node, const char *what,
			 struct strata_prefix *out)
{
	char shown[SHOWN];
	struct strata_prefix prefix = { 0 };
	if (node->faulty)
		return false;
	if (node->type == NODE_SCALAR &&
	    strata_prefix_parse(&c->k->pub, node->text, &prefix) == 0) {
		*out = prefix;
		return true;
	}
	if (c->incomplete)
		return false;	/* the module that reads it may be the one that could not be loaded */
	node_fault(c, node, "expected %s of an enabled network module, found %s", what,
		   node_shown(node, shown, sizeof(shown)));
	return false;
}

static void check_address(struct creation *c, struct config_iface *i, uint32_t n,
			  const struct node *node)
{
	struct strata_prefix prefix;
	char place[MANIFEST_PLACE_SIZE];
	uint32_t at;
	char shown[SHOWN];
	if (!parse_prefix(c, node, "address/bits such as 192.0.2.2/24", &prefix))
		return;
	/* Taken for the host's own prefix it would be up, and reach nobody. */
	if (strchr(node->text, '/') == NULL) {
		node_fault(c, node, "expected address/bits such as 192.0.2.2/24, found %s "
			   "without its bits", node_shown(node, shown, sizeof(shown)));
		return;
	}
	const struct strata_address_ops *ops = strata_address_ops(&c->k->pub, prefix.addr.family);
	enum strata_addr_class class = ops->classify(&prefix.addr);
	const struct config_iface *other = find_address(c, &prefix.addr, &at);
	if (class != STRATA_ADDR_UNICAST && class != STRATA_ADDR_LOOPBACK)
		node_fault(c, node, "expected a unicast address, found %s", node->text);
	else if (!addr_names_host(ops, &prefix))
		node_fault(c, node, "expected an address of a host, found %s, which is the prefix's "
			   "own number or its broadcast address", node->text);
	else if (other != NULL)
		node_fault(c, node, "address %s is taken: expected it once, first found at %s",
			   node->text,
			   manifest_place(c->manifest, nth(other->addresses, at), place));
	else
		i->prefixes[n] = prefix;
}

static int check_addresses(struct creation *c, struct config_iface *i)
{
	uint32_t n = 0;
	if (i->addresses == NULL || i->addresses->count == 0)
		return 0;
	const struct iface *upper = i->iface != NULL ? iface_of(i->iface)->upper : NULL;
	if (upper != NULL)
		node_fault(c, i->addresses, "interface \"%s\" carries \"%s\": expected the addresses "
			   "there, found them here", i->name, upper->pub.name);
	i->prefixes = manifest_alloc(c->manifest, i->addresses->count * sizeof(*i->prefixes));
	if (i->prefixes == NULL)
		return -ENOMEM;
	for (const struct node *item = i->addresses->first; item != NULL; item = item->next)
		check_address(c, i, n++, item);
	return 0;
}

/* ---- checking: routes ---- */

static bool parse_host(struct creation *c, const struct node *node, uint16_t family,
		       struct strata_addr *out)
{
	struct strata_prefix prefix;
	if (strchr(node->text, '/') != NULL) {
		node_fault(c, node, "expected an address without bits, found \"%s\"", node->text);
		return false;
	}
	if (!parse_prefix(c, node, "an address", &prefix))
		return false;
	if (prefix.addr.family != family) {
		node_fault(c, node, "expected an address of the family of `to`, found %s",
			   node->text);
		return false;
	}
	*out = prefix.addr;
	return true;
}

static bool check_to(struct creation *c, struct config_route *r)
{
	struct strata_prefix *to = &r->made.to;
	if (r->to == NULL || !parse_prefix(c, r->to, "a prefix such as 0.0.0.0/0", to))
		return false;
	struct strata_addr masked = strata_addr_mask(&to->addr, to->bits);
	if (!strata_addr_equal(&masked, &to->addr)) {
		char text[STRATA_ADDR_TEXT];
		strata_address_ops(&c->k->pub, masked.family)->format(&masked, text, sizeof(text));
		node_fault(c, r->to, "expected no bits set beyond the first %u, found %s; did you "
			   "mean \"%s/%u\"?", to->bits, r->to->text, text, to->bits);
		return false;
	}
	return true;
}

/* The entry whose interface has the gateway on its link. */
static const struct config_iface *reaches(const struct creation *c, const struct strata_addr *via)
{
	for (const struct config_iface *i = c->config.ifaces; i != NULL; i = i->next)
		for (uint32_t n = 0; i->prefixes != NULL && n < i->addresses->count; n++)
			if (strata_addr_is_set(&i->prefixes[n].addr) &&
			    !all_bits(&i->prefixes[n]) &&
			    strata_addr_match(&i->prefixes[n].addr, via, i->prefixes[n].bits))
				return i;
	return NULL;
}

/* Finds the interface; NULL after a fault, or where a faulty interface makes it unknowable. */
static struct strata_iface *check_way(struct creation *c, struct config_route *r)
{
	const struct config_iface *i = c->config.ifaces;
	struct text_nearest nearest = { .word = r->interface != NULL ? r->interface->text : "" };
	char hint[TEXT_HINT_SIZE];
	if (r->interface != NULL) {
		while (i != NULL && (i->name == NULL || strcmp(i->name, r->interface->text) != 0)) {
			if (i->name != NULL)
				text_nearest_offer(&nearest, i->name);
			i = i->next;
		}
		if (i == NULL)
			node_fault(c, r->interface, "interface \"%s\": expected a name out of "
				   "`interfaces:`, found none of that name%s", r->interface->text,
				   text_nearest_hint(&nearest, hint));
		return i != NULL ? i->iface : NULL;
	}
	if (r->via == NULL) {
		node_fault(c, r->node, "missing key \"via\": expected it, or \"interface\", in a "
			   "route");
		return NULL;
	}
	i = reaches(c, &r->made.via);
	if (i == NULL)
		node_fault(c, r->via, "gateway %s: expected it in the prefix of an interface's "
			   "address, found it in none; name its `interface:`", r->via->text);
	return i != NULL ? i->iface : NULL;
}

static bool check_congestion(struct creation *c, struct config_route *r)
{
	struct module *m;
	if (r->congestion == NULL)
		return true;
	m = registry_find(c->k, r->congestion->text);
	if (m == NULL)
		return false;
	if (m->pub.module->kind != STRATA_CONGESTION) {
		node_fault(c, r->congestion, "congestion \"%s\": expected a congestion module, "
			   "found a %s module", m->pub.name,
			   strata_kind_name((enum strata_kind)m->pub.module->kind));
		return false;
	}
	r->made.congestion = m->pub.name;
	return true;
}

/* A path narrower than the family allows a link to be could carry nothing. */
static bool check_route_mtu(struct creation *c, struct config_route *r)
{
	const struct module *m;

	for (m = c->k->registry->modules; m != NULL && r->mtu != 0; m = m->next) {
		if (kind_of(m) != STRATA_NETWORK || m->pub.number != r->made.to.addr.family ||
		    r->mtu >= m->pub.module->network->mtu_min)
			continue;
		node_fault(c, r->node, "mtu: expected at least %u (network module \"%s\"), found "
			   "%u", m->pub.module->network->mtu_min, m->pub.name, r->mtu);
		return false;
	}
	return true;
}

static bool same_route(const struct strata_route *a, const struct strata_route *b)
{
	return a->to.bits == b->to.bits && a->metric == b->metric && a->iface == b->iface &&
	       strata_addr_equal(&a->to.addr, &b->to.addr) && strata_addr_equal(&a->via, &b->via);
}

static void check_route(struct creation *c, struct config_route *r)
{
	struct strata_route *made = &r->made;
	char place[MANIFEST_PLACE_SIZE];
	uint32_t at;
	bool good = check_to(c, r);
	if (good && r->via != NULL)
		good = parse_host(c, r->via, made->to.addr.family, &made->via);
	if (good && (made->iface = check_way(c, r)) == NULL)
		good = false;
	if (r->src != NULL && good) {
		good = parse_host(c, r->src, made->to.addr.family, &made->src);
		if (good && find_address(c, &made->src, &at) == NULL) {
			node_fault(c, r->src, "src %s: expected an address of an interface, found "
				   "none that has it", r->src->text);
			good = false;
		}
	}
	good = check_congestion(c, r) && good;
	good = good && check_route_mtu(c, r);
	made->metric = r->metric;
	made->mtu = r->mtu;
	for (const struct config_route *o = c->config.routes; good && o != r; o = o->next) {
		if (!o->good || !same_route(&o->made, made))
			continue;
		node_fault(c, r->node, "route to %s is taken: expected it once with this way and "
			   "metric, first found at %s", r->to->text,
			   manifest_place(c->manifest, o->node, place));
		good = false;
	}
	r->good = good;
}

/* ---- checking: all ---- */

/* Whether an entry that is to be there has no module. */
static bool is_incomplete(const struct creation *c)
{
	for (const struct config_module *m = c->config.modules; m != NULL; m = m->next)
		if (m->enabled && m->name != NULL && registry_find(c->k, m->name) == NULL)
			return true;
	return false;
}

/* Everything that can be known without starting a module or touching a device. */
static int check_all(struct creation *c)
{
	struct config *config = &c->config;
	int result = registry_load(c->k, config, c->given, c->error);
	if (result == -ENOMEM)
		return result;
	c->incomplete = is_incomplete(c);
	registry_set_checking(c->k, true);
	result = 0;
	for (struct config_iface *i = config->ifaces; i != NULL && result == 0; i = i->next)
		result = check_iface(c, i);
	for (struct config_iface *i = config->ifaces; i != NULL && result == 0; i = i->next)
		result = check_addresses(c, i);
	for (struct config_route *r = config->routes; r != NULL && result == 0; r = r->next)
		check_route(c, r);
	registry_set_checking(c->k, false);
	return result != 0 ? result : c->error->count > 0 ? -EINVAL : 0;
}

/* ---- starting ---- */

STRATA_PRINTF(4, 5)
static int start_fault(struct creation *c, const struct node *node, int result, const char *format,
		       ...)
{
	char text[256];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	node_fault(c, node, "%s: %s", text, strerror(-result));
	return result;
}

static int open_ifaces(struct creation *c)
{
	for (struct config_iface *i = c->config.ifaces; i != NULL; i = i->next) {
		struct strata_error why = { 0 };
		int result = i->down ? 0 : iface_open(i->iface, &why);
		if (result < 0 && why.count == 0)
			start_fault(c, i->node, result, "interface \"%s\" could not be opened",
				    i->name);
		else
			retell(c, i, &why);
		strata_error_clear(&why);
		if (result < 0)
			return result;
	}
	return 0;
}

static int add_addresses(struct creation *c)
{
	for (struct config_iface *i = c->config.ifaces; i != NULL; i = i->next) {
		for (uint32_t n = 0; i->prefixes != NULL && n < i->addresses->count; n++) {
			int result = strata_ifaddr_add(i->iface, &i->prefixes[n]);
			if (result == 0)
				addr_claim(strata_ifaddr_find(&c->k->pub, &i->prefixes[n].addr));
			else
				return start_fault(c, nth(i->addresses, n), result,
						   "address %s could not be added",
						   nth(i->addresses, n)->text);
		}
	}
	return 0;
}

static int add_routes(struct creation *c)
{
	for (struct config_route *r = c->config.routes; r != NULL; r = r->next) {
		int result = strata_route_add(&c->k->pub, &r->made);
		if (result == 0)
			route_claim(c->k, &r->made);
		else
			return start_fault(c, r->node, result, "route to %s could not be added",
					   r->to->text);
	}
	return 0;
}

static int start_all(struct creation *c)
{
	kernel_enter(c->k);
	int result = registry_start(c->k, false, c->error);
	if (result == 0)
		result = open_ifaces(c);
	if (result == 0)
		result = add_addresses(c);
	if (result == 0)
		result = add_routes(c);
	if (result == 0)
		result = registry_start(c->k, true, c->error);
	kernel_leave(c->k);
	return result;
}

/* ---- the end ---- */

void strata_stack_destroy(struct strata_stack *stack)
{
	struct kernel *k = kernel_of(stack);
	struct strata_instance *transport = NULL;
	struct strata_iface *iface;
	if (k == NULL)
		return;
	/* What called the caller would go on in memory that is gone. */
	if (k->depth != 0 || k->calling) {
		strata_log(stack, NULL, STRATA_LOG_ERROR, "strata_stack_destroy() from within a callback of "
			   "the stack: refused; end the loop with strata_loop_stop() first");
		return;
	}
	k->stopping = true;
	/* First what talks to peers, so that they hear of the end: the interfaces still send. */
	kernel_enter(k);
	registry_stop(k, true);
	while ((transport = registry_next(k, STRATA_TRANSPORT, transport)) != NULL)
		if (transport->running)
			socket_transport_gone(k, transport);
	kernel_leave(k);
	kernel_enter(k);
	while ((iface = strata_iface_next(stack, NULL)) != NULL)
		iface_destroy(iface);
	registry_stop(k, false);
	kernel_leave(k);
	kernel_free(k);
}

/* ---- creation ---- */

static struct manifest *read_manifest(const struct strata_config *given, struct strata_error *error)
{
	const char *text = given->manifest_text;
	if (given->manifest_file != NULL)
		return manifest_read_file(given->manifest_file, error);
	if (text == NULL) {
		strata_error_add(error, "stack: expected a manifest's file or text, found neither");
		return NULL;
	}
	return manifest_read_text(text, given->manifest_length != 0 ? given->manifest_length :
				  strlen(text),
				  given->manifest_name != NULL ? given->manifest_name : "manifest",
				  error);
}

/* The group was made by a manifest that may have been another since. */
static int check_shards(struct creation *c)
{
	uint64_t wanted = c->config.settings.shards;
	uint64_t count = c->shard != NULL ? c->shard->group->count : 1;
	if (wanted == count || c->plans || (c->shard == NULL && c->given->check_only))
		return 0;
	if (c->shard == NULL)
		node_fault(c, c->config.shards, "shards: expected 1 from a program that runs one stack "
			   "(strata_stack_create()), found %" PRIu64, wanted);
	else
		node_fault(c, c->config.shards, "shards: the manifest has changed meanwhile");
	return -EINVAL;
}

int creation_check(struct creation *c)
{
	int result;
	c->manifest = read_manifest(c->given, c->error);
	if (c->manifest == NULL)
		return -EINVAL;
	result = config_read(c->manifest, &c->config, c->error);
	if (result == 0)
		result = check_shards(c);
	if (result == 0)
		result = kernel_make(c);
	if (result == 0)
		result = check_all(c);
	return result;
}

void creation_end(struct creation *c)
{
	if (c->k != NULL) {
		registry_forget_config(c->k);
		strata_stack_destroy(&c->k->pub);
	}
	manifest_free(c->manifest);
}

static int create(struct creation *c)
{
	int result = creation_check(c);
	if (result == 0 && !c->given->check_only) {
		result = origin_keep_manifest(c->k, &c->config);
		if (result < 0)
			strata_error_add(c->error, "stack: out of memory");
	}
	if (result == 0 && !c->given->check_only)
		result = start_all(c);
	return result;
}

int stack_shards(const struct strata_config *config, struct stack_settings *settings,
		 struct strata_error *error)
{
	struct strata_error own = { 0 };
	struct creation c = { .given = config, .error = &own };
	int result = -EINVAL;
	c.manifest = read_manifest(config, &own);
	if (c.manifest != NULL)
		result = config_read(c.manifest, &c.config, &own);
	*settings = c.config.settings;
	manifest_free(c.manifest);
	error_move(result < 0 ? error : NULL, &own);
	return result;
}

int strata_stack_create(const struct strata_config *config, struct strata_stack **stack,
			struct strata_error *error)
{
	return stack_create(config, NULL, stack, error);
}

int stack_create(const struct strata_config *config, struct shard *shard, struct strata_stack **stack,
		 struct strata_error *error)
{
	struct strata_error own = { 0 };
	struct creation c = { .given = config, .error = &own, .shard = shard };
	*stack = NULL;
	int result = create(&c);
	if (result == 0 && !config->check_only) {
		*stack = &c.k->pub;
		registry_forget_config(c.k);
		c.k = NULL;
	}
	creation_end(&c);
	error_move(result < 0 ? error : NULL, &own);
	return result;
}
