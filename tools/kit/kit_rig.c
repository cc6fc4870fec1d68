/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A stack with the module under test and what it needs around it, by its kind: an interface of `wire`,
 * framed for a network module, bare with IPv4 on it for transports and services.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kit.h"

#define START (1000 * STRATA_SEC)
/* Local choice: what a module may keep a stack busy with in one stretch of time. */
#define TIMERS_MOST 200000
#define TIMERS_STANDING 10000

/* ---- opening the module and what it needs ---- */

static bool has_module(const struct kit *kit, const char *name)
{
	unsigned int i;

	if (strcmp(name, kit->subject->name) == 0)
		return true;
	for (i = 0; i < kit->module_count; i++)
		if (strcmp(kit->modules[i], name) == 0)
			return true;
	return false;
}

struct strata_module_file *kit_module_open(const struct kit *kit, const char *file,
					   struct strata_error *error)
{
	return kit->trust ? strata_module_open_trusted(file, kit->cli->module_path, error) :
		strata_module_open(file, kit->cli->module_path, error);
}

static void add_needs(struct kit *kit, const struct strata_module *module);

/* Adds a module, and what it needs before it. False where there is none. */
static bool add_module(struct kit *kit, const char *name)
{
	struct strata_error error = { 0 };
	struct strata_module_file *file;

	if (has_module(kit, name))
		return true;
	if (kit->module_count == KIT_MODULES)
		return false;
	file = kit_module_open(kit, name, &error);
	strata_error_clear(&error);
	if (file == NULL)
		return false;
	kit->held[kit->module_count + 1] = file;
	snprintf(kit->modules[kit->module_count++], sizeof(kit->modules[0]), "%s", name);
	add_needs(kit, strata_module_of(file));
	return true;
}

/* A module of a number, looked for on the module path. */
struct by_number {
	struct kit *kit;
	enum strata_kind kind;
	uint32_t number;
	char name[64];
};

static void match_number(void *ctx, const char *name)
{
	struct by_number *wanted = ctx;
	struct strata_error error = { 0 };
	struct strata_module_file *file;

	if (wanted->name[0] != '\0')
		return;
	file = kit_module_open(wanted->kit, name, &error);
	if (file != NULL && strata_module_of(file)->kind == wanted->kind &&
	    strata_module_of(file)->number == wanted->number)
		snprintf(wanted->name, sizeof(wanted->name), "%s", name);
	strata_module_close(file);
	strata_error_clear(&error);
}

static bool add_number(struct kit *kit, enum strata_kind kind, uint32_t number)
{
	struct by_number wanted = { .kit = kit, .kind = kind, .number = number };

	strata_module_list(kit->cli->module_path, match_number, &wanted);
	return wanted.name[0] != '\0' && add_module(kit, wanted.name);
}

static void add_needs(struct kit *kit, const struct strata_module *module)
{
	const struct strata_dependency *need = module->depends;

	for (; need != NULL && (need->name != NULL || need->number != 0); need++) {
		bool there = need->name != NULL ? add_module(kit, need->name) :
			need->optional || add_number(kit, need->kind, need->number);

		if (!there && !need->optional)
			kit_skip(kit, "needs module %s, which is not on the module path; --module-path "
				 "says where it is", need->name != NULL ? need->name : "of its number");
	}
}

static bool is_driver(const struct kit *kit)
{
	return kit->subject->kind == STRATA_LINK && kit->module->link->open != NULL;
}

/* What modules of each kind are tested with; those that are not there are done without. */
static void add_surroundings(struct kit *kit)
{
	static const char *const around[STRATA_KINDS][6] = {
		[STRATA_LINK] = { "wire", "ethernet" },
		[STRATA_NETWORK] = { "wire", "ethernet" },
		[STRATA_TRANSPORT] = { "wire", "ipv4", "icmp" },
		[STRATA_SERVICE] = { "wire", "ipv4", "icmp", "udp", "tcp" },
	};
	const char *const *name = around[kit->subject->kind];

	for (; *name != NULL; name++)
		add_module(kit, *name);
	if (kit->subject->kind == STRATA_LINK && kit->module->link->framing != NULL)
		add_module(kit, kit->module->link->framing);
	if (kit->subject->kind == STRATA_NETWORK && kit->module->network->error_transport != 0)
		add_number(kit, STRATA_TRANSPORT, kit->module->network->error_transport);
}

bool kit_open(struct kit *kit)
{
	struct strata_error error = { 0 };
	const struct strata_module *m;

	kit->module_count = 0;
	kit->held[0] = kit_module_open(kit, kit->file, &error);
	if (kit->held[0] == NULL)
		kit_skip(kit, "%.*s", (int)strcspn(strata_error_text(&error), "\n"),
			 strata_error_text(&error));
	strata_error_clear(&error);
	if (kit->held[0] == NULL)
		return false;
	kit->module = m = strata_module_of(kit->held[0]);
	*kit->subject = (struct kit_subject){ .known = true, .kind = m->kind, .number = m->number };
	kit->subject->built_in = strata_module_path(kit->held[0])[0] == '(';
	if (realpath(strata_module_path(kit->held[0]), kit->subject->path) == NULL)
		snprintf(kit->subject->path, sizeof(kit->subject->path), "%s",
			 strata_module_path(kit->held[0]));
	snprintf(kit->subject->name, sizeof(kit->subject->name), "%s", m->name);
	snprintf(kit->subject->version, sizeof(kit->subject->version), "%s", m->version);
	snprintf(kit->subject->summary, sizeof(kit->subject->summary), "%s", m->summary);
	add_surroundings(kit);
	add_needs(kit, m);
	return kit->result->skipped[0] == '\0';
}

void kit_close(struct kit *kit)
{
	unsigned int i;

	for (i = 0; i < STRATA_COUNT(kit->held); i++) {
		strata_module_close(kit->held[i]);
		kit->held[i] = NULL;
	}
	free(kit->manifest);
	kit->manifest = NULL;
}

/* ---- the manifest ---- */

/* Whether the YAML lines already say this "name=value". */
static bool is_said(const char *lines, const char *given)
{
	char key[80];

	snprintf(key, sizeof(key), "      %.*s:", (int)strcspn(given, "="), given);
	return lines != NULL && strstr(lines, key) != NULL;
}

static void write_options(FILE *out, const char *lines, const char *const *given, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		if (!is_said(lines, given[i]))
			fprintf(out, "      %.*s: %s\n", (int)strcspn(given[i], "="), given[i],
				strchr(given[i], '=') + 1);
	fputs(lines != NULL ? lines : "", out);
}

static void write_subject(FILE *out, const struct kit *kit, const struct kit_setup *setup)
{
	fprintf(out, "  - name: %s\n", kit->subject->name);
	if (!kit->subject->built_in)
		fprintf(out, "    file: \"%s\"\n", kit->subject->path);
	if (kit->option_count == 0 && setup->options == NULL)
		return;
	fputs("    options:\n", out);
	write_options(out, setup->options, kit->options, kit->option_count);
}

/* A driver that stands on another interface says which with an option that it cannot do without. */
static const char *lower_option(const struct kit *kit)
{
	size_t i;

	if (!is_driver(kit) || kit->module->link->lower == NULL)
		return NULL;
	for (i = 0; i < kit->module->iface_option_count; i++)
		if (kit->module->iface_options[i].required &&
		    kit->module->iface_options[i].type == STRATA_OPT_STRING)
			return kit->module->iface_options[i].name;
	return NULL;
}

static void write_driver(FILE *out, const struct kit *kit, const struct kit_setup *setup)
{
	const char *lower = lower_option(kit);

	if (kit->module->link->lower != NULL)
		fputs("  - name: l0\n    driver: wire\n", out);
	fprintf(out, "  - name: k0\n    driver: %s\n", kit->subject->name);
	if (lower == NULL && kit->iface_option_count == 0 && setup->iface_options == NULL)
		return;
	fputs("    options:\n", out);
	if (lower != NULL && (setup->iface_options == NULL || strstr(setup->iface_options, lower) == NULL))
		fprintf(out, "      %s: l0\n", lower);
	write_options(out, setup->iface_options, kit->iface_options, kit->iface_option_count);
}

void kit_rig_mac(uint8_t host, uint8_t mac[6])
{
	memcpy(mac, (const uint8_t[6]){ 2, 0, 0, 0, 0, host }, 6);
}

struct strata_addr kit_address(const struct strata_address_ops *ops, uint8_t host)
{
	static const uint8_t four[] = { 192, 0, 2, 0 };	/* RFC 5737 */
	static const uint8_t sixteen[STRATA_ADDR_MAX] = { 0x20, 0x01, 0x0d, 0xb8 };	/* RFC 3849 */
	uint8_t bytes[STRATA_ADDR_MAX] = { 1 };

	if (ops->length == sizeof(four))
		memcpy(bytes, four, sizeof(four));
	else if (ops->length == sizeof(sixteen))
		memcpy(bytes, sixteen, sizeof(sixteen));
	if (ops->length != 0)
		bytes[ops->length - 1] = host;
	return strata_addr_make(ops->family, bytes, ops->length);
}

/* The family's own text of the interface's address. Of IPv4 the tool knows it. */
static void write_address(FILE *out, const struct kit *kit, uint8_t host)
{
	const struct strata_address_ops *ops;
	struct strata_addr addr;
	char text[STRATA_ADDR_TEXT] = "";

	if (kit->subject->kind != STRATA_NETWORK) {
		if (has_module(kit, "ipv4"))
			fprintf(out, "    addresses: [192.0.2.%u/24]\n", host);
		return;
	}
	ops = kit->module->network->address;
	if (ops == NULL || ops->format == NULL || ops->length == 0 || ops->length > STRATA_ADDR_MAX)
		return;
	addr = kit_address(ops, host);
	ops->format(&addr, text, sizeof(text));
	fprintf(out, "    addresses: [\"%s/%u\"]\n", text, ops->length * 8 - 8);
}

static void write_interface(FILE *out, const struct kit *kit, const struct kit_setup *setup)
{
	uint8_t host = setup->host != 0 ? setup->host : 1;

	if (kit->subject->kind == STRATA_CONGESTION || (setup->without && is_driver(kit)))
		return;
	fputs("interfaces:\n", out);
	if (is_driver(kit)) {
		write_driver(out, kit, setup);
		return;
	}
	fputs("  - name: k0\n    driver: wire\n", out);
	if (kit->subject->kind == STRATA_NETWORK)
		fprintf(out, "    mac: 02:00:00:00:00:%02x\n", host);
	else
		fputs("    options:\n      medium: ip\n", out);
	if (!setup->without || kit->subject->kind != STRATA_NETWORK)
		write_address(out, kit, host);
}

static char *write_manifest(const struct kit *kit, const struct kit_setup *setup)
{
	char *text = NULL;
	size_t length;
	unsigned int i;
	FILE *out = open_memstream(&text, &length);

	if (out == NULL)
		abort();
	fputs("strata: 1\nstack:\n  name: kit\n  log: warning\nmodules:\n", out);
	for (i = 0; i < kit->module_count; i++)
		fprintf(out, "  - name: %s\n", kit->modules[i]);
	if (!setup->without)
		write_subject(out, kit, setup);
	write_interface(out, kit, setup);
	fclose(out);
	return text;
}

void kit_let_go(struct kit *kit)
{
	kit->manifest = write_manifest(kit, &(struct kit_setup){ 0 });
	strata_module_close(kit->held[0]);
	kit->held[0] = NULL;
	kit->module = NULL;
}

/* ---- a stack ---- */

static void sent(void *ctx, struct strata_iface *iface, const void *bytes, size_t length)
{
	struct kit_rig *rig = ctx;
	const uint8_t *p = bytes;
	struct kit_frame *frame;
	size_t i;

	(void)iface;
	rig->frames++;
	for (i = 0; i < length; i++)	/* FNV-1a */
		rig->digest = (rig->digest ^ p[i]) * UINT64_C(0x100000001b3);
	if (rig->learns != NULL)
		kit_corpus_add(rig->kit, rig->learns, p, length);
	if (!rig->keep)
		return;
	frame = malloc(sizeof(*frame) + length);
	if (frame == NULL)
		abort();
	frame->next = NULL;
	frame->length = (uint32_t)length;
	memcpy(frame->bytes, bytes, length);
	*rig->end = frame;
	rig->end = &frame->next;
	rig->kept++;
}

int kit_rig_open(struct kit *kit, struct kit_rig *rig, const struct kit_setup *setup)
{
	uint64_t seed = setup->seed != 0 ? setup->seed : kit->seed;
	char *manifest = kit->manifest == NULL ? write_manifest(kit, setup) : NULL;
	struct strata_config config = { .manifest_text = manifest != NULL ? manifest : kit->manifest, .manifest_name = "the kit's manifest",
					.module_path = kit->cli->module_path, .trust_check = kit->trust,
					.check_only = setup->check };
	struct strata_env env;
	int result;

	*rig = (struct kit_rig){ .kit = kit, .digest = UINT64_C(0xcbf29ce484222325),
				 .listener = -1 };
	memset(rig->fds, 0xff, sizeof(rig->fds));
	rig->end = &rig->first;
	rig->env = (struct kit_env){ .kit = kit, .now = START, .rng = seed,
				     .fill = setup->fill != 0 ? setup->fill : 0xa5,
				     .fail_at = setup->fail_at };
	if (++kit->rigs == kit->trap_rig)
		rig->env.trap = kit->trap_number;
	env = kit_env_make(&rig->env);
	config.env = &env;
	config.run_dir = kit->run_dir[0] != '\0' ? kit->run_dir : "/nonexistent";
	result = strata_stack_create(&config, &rig->stack, &rig->error);
	free(manifest);
	if (result < 0 || rig->stack == NULL)
		return result;
	rig->iface = strata_iface_by_name(rig->stack, "k0");
	rig->self = strata_instance_by_name(rig->stack, (enum strata_kind)kit->subject->kind,
					    kit->subject->name);
	if (rig->iface != NULL)
		strata_iface_set_output(rig->iface, sent, rig);
	return 0;
}

bool kit_rig_must(struct kit *kit, struct kit_rig *rig, const struct kit_setup *setup)
{
	if (kit_rig_open(kit, rig, setup) == 0)
		return true;
	kit_rig_close(rig);
	kit_skip(kit, "the module does not start, see start");
	return false;
}

void kit_rig_discard(struct kit_rig *rig)
{
	struct kit_frame *frame;

	while ((frame = rig->first) != NULL) {
		rig->first = frame->next;
		free(frame);
	}
	rig->end = &rig->first;
	rig->kept = 0;
}

static void tell_leak(struct kit_rig *rig)
{
	struct kit *kit = rig->kit;
	size_t size = 0;
	uint64_t number = kit_env_oldest(&rig->env, &size);
	bool trapped = rig->env.trapped[0] != '\0';
	char place[640];

	if (kit->result->leak_rig == 0 && kit->trap_rig == 0) {
		kit->result->leak_rig = kit->rigs;
		kit->result->leak_number = number;
	}
	snprintf(place, sizeof(place), "%s%s%s%s", trapped ? "allocated in " : "",
		 trapped ? rig->env.trapped : kit->trap_rig != 0 ? "a packet that was given to it" : "",
		 rig->env.complaint[0] != '\0' ? "; " : "", rig->env.complaint);
	kit_fault(kit, place, "free in stop() what start() and the packets brought, and each packet on every "
		  "path", "%zu blocks of %zu bytes in all were never given back, the first of %zu bytes",
		  rig->env.blocks, rig->env.bytes, size);
}

void kit_rig_close(struct kit_rig *rig)
{
	kit_rig_discard(rig);
	strata_error_clear(&rig->error);
	rig->env.fail_at = 0;
	strata_stack_destroy(rig->stack);
	rig->stack = NULL;
	if (rig->env.blocks != 0)
		tell_leak(rig);
}

void kit_rig_pass(struct kit_rig *rig, uint64_t ns)
{
	uint64_t until = rig->env.now + ns, next;
	unsigned int fired = 0, standing = 0;

	for (;;) {
		strata_run(rig->stack, rig->env.now);
		next = strata_next_timer(rig->stack);
		if (next > until)
			break;
		standing = next > rig->env.now ? 0 : standing + 1;
		if (next > rig->env.now)
			rig->env.now = next;
		if (standing > TIMERS_STANDING || ++fired > TIMERS_MOST) {
			kit_fault(rig->kit, NULL, "start a timer for a time that has not come yet, and stop "
				  "when nothing is left to do", "its timers fire without end");
			break;
		}
	}
	rig->env.now = until;
	strata_run(rig->stack, until);
}

/* Moves what was sent to the other. Returns how many frames. */
static unsigned int carry(struct kit_rig *from, struct kit_rig *to)
{
	struct kit_frame *frame, *next;
	unsigned int count = from->kept;

	frame = from->first;
	from->first = NULL;
	from->end = &from->first;
	from->kept = 0;
	for (; frame != NULL; frame = next) {
		next = frame->next;
		strata_input(to->iface, frame->bytes, frame->length, to->env.now);
		free(frame);
	}
	return count;
}

void kit_rig_exchange(struct kit_rig *a, struct kit_rig *b, uint64_t ns)
{
	uint64_t until = a->env.now + ns, next, other;
	unsigned int rounds = 0;

	while (++rounds < TIMERS_STANDING) {
		strata_run(a->stack, a->env.now);
		strata_run(b->stack, b->env.now);
		if (carry(a, b) + carry(b, a) != 0)
			continue;
		next = strata_next_timer(a->stack);
		other = strata_next_timer(b->stack);
		next = other < next ? other : next;
		if (next > until)
			break;
		if (next > a->env.now)
			a->env.now = b->env.now = next;
	}
}

const struct strata_address_ops *kit_family(const struct kit_rig *rig)
{
	const struct strata_ifaddr *ifaddr = rig->iface != NULL ? strata_ifaddr_first(rig->iface) : NULL;

	return ifaddr != NULL ? strata_address_ops(rig->stack, ifaddr->prefix.addr.family) : NULL;
}

/* ---- what can be seen ---- */

struct looking {
	const struct kit_rig *rig;
	struct kit_view *view;
};

static void look_at(struct looking *l, const struct strata_instance *instance, const char *name,
		    bool drop, uint64_t value)
{
	struct kit_view *view = l->view;

	if (view->count < STRATA_COUNT(view->values))
		view->values[view->count++] = (struct kit_value){
			.module = instance->name, .name = name, .drop = drop,
			.own = instance == l->rig->self, .value = value };
}

static void look(void *ctx, const struct strata_module_view *seen)
{
	const struct strata_instance *instance = seen->instance;
	struct looking *l = ctx;
	size_t i;

	for (i = 0; i < instance->module->counter_count; i++)
		look_at(l, instance, instance->module->counters[i].name, false, instance->counters[i]);
	for (i = 0; i < instance->module->drop_count; i++)
		look_at(l, instance, instance->module->drops[i].name, true, instance->drops[i]);
}

void kit_view_take(const struct kit_rig *rig, struct kit_view *view)
{
	struct looking l = { .rig = rig, .view = view };

	view->count = 0;
	view->frames = rig->frames;
	view->digest = rig->digest;
	strata_inspect_modules(rig->stack, look, &l);
}

bool kit_view_same(const struct kit_view *a, const struct kit_view *b, char why[200])
{
	size_t i;

	for (i = 0; i < a->count && i < b->count; i++) {
		if (a->values[i].value == b->values[i].value)
			continue;
		snprintf(why, 200, "%s %s of %s is %llu and %llu", a->values[i].drop ? "drop" : "counter",
			 a->values[i].name, a->values[i].module, (unsigned long long)a->values[i].value,
			 (unsigned long long)b->values[i].value);
		return false;
	}
	if (a->frames == b->frames && a->digest == b->digest)
		return true;
	if (a->frames != b->frames)
		snprintf(why, 200, "it sent %llu packets and %llu", (unsigned long long)a->frames,
			 (unsigned long long)b->frames);
	else
		snprintf(why, 200, "it sent packets with other bytes");
	return false;
}

uint64_t kit_view_drops(const struct kit_view *view)
{
	uint64_t drops = 0;
	size_t i;

	for (i = 0; i < view->count; i++)
		if (view->values[i].drop)
			drops += view->values[i].value;
	return drops;
}

bool kit_view_idle(const struct kit_view *before, const struct kit_view *after)
{
	size_t i;

	for (i = 0; i < after->count; i++)
		if ((after->values[i].own || after->values[i].drop) &&
		    after->values[i].value != before->values[i].value)
			return false;
	return before->frames == after->frames;
}
