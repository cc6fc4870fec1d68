/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reloading: a stack that was made from one manifest and reloaded with another is the stack that is made from
 * that other; what fails on the way leaves the first; what is planned is told.
 */
#include "made.h"

#include <strata/live.h>
#include <netinet/in.h>

/* ---- a stack as text ---- */

struct text {
	char *data;
	size_t length;
	FILE *to;
	struct strata_stack *stack;
};

static void dump_option(struct text *t, const char *owner, const struct strata_option *option)
{
	char name[96], value[256];

	snprintf(name, sizeof(name), "%s.%s", owner, option->name);
	assert_int_equal(strata_option_get(t->stack, name, value, sizeof(value)), 0);
	fprintf(t->to, "  %s=%s\n", name, value);
}

static void dump_module(void *ctx, const struct strata_module_view *view)
{
	struct text *t = ctx;
	const struct strata_instance *m = view->instance;

	fprintf(t->to, "module %s %s number %u level %u %s\n", m->name, view->state, m->number,
		m->log_level, view->path);
	if (m->module == NULL)
		return;
	for (size_t i = 0; i < m->module->option_count; i++)
		dump_option(t, m->name, &m->module->options[i]);
}

/* An address, a slash and at most three digits. */
#define PREFIX_TEXT (STRATA_ADDR_TEXT + 4)

static const char *prefix(struct strata_stack *stack, const struct strata_prefix *p, char buf[PREFIX_TEXT])
{
	char text[STRATA_ADDR_TEXT] = "?";

	strata_address_ops(stack, p->addr.family)->format(&p->addr, text, sizeof(text));
	snprintf(buf, PREFIX_TEXT, "%s/%u", text, p->bits);
	return buf;
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

struct lines {
	struct strata_stack *stack;
	char *line[512];
	size_t count;
};

static void add_line(struct lines *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add_line(struct lines *l, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	assert_true(l->count < 512);
	assert_true(vasprintf(&l->line[l->count++], format, args) >= 0);
	va_end(args);
}

static void add_route(void *ctx, const struct strata_route *r)
{
	struct lines *l = ctx;
	char to[PREFIX_TEXT], via[PREFIX_TEXT] = "", src[PREFIX_TEXT] = "";
	struct strata_prefix p = { .addr = r->via };

	if (strata_addr_is_set(&r->via))
		prefix(l->stack, &p, via);
	p.addr = r->src;
	if (strata_addr_is_set(&r->src))
		prefix(l->stack, &p, src);
	add_line(l, "route %s via %s dev %s metric %u mtu %u src %s congestion %s%s\n",
		 prefix(l->stack, &r->to, to), via, r->iface->name, r->metric, r->mtu, src,
		 r->congestion != NULL ? r->congestion : "", r->connected ? " connected" : "");
}

static void add_iface(struct lines *l, struct strata_iface *i)
{
	const struct strata_module *m = i->driver->module;
	char value[256], name[96], text[PREFIX_TEXT];

	add_line(l, "interface %s: %s %s mtu %u flags %#x header %u on %s\n", i->name, i->driver->name,
		 i->framing != NULL ? i->framing->name : "-", i->mtu, i->flags, i->header_size,
		 i->lower != NULL ? i->lower->name : "-");
	for (size_t n = 0; n < m->iface_option_count; n++) {
		snprintf(name, sizeof(name), "%s.%s", i->name, m->iface_options[n].name);
		assert_int_equal(strata_option_get(l->stack, name, value, sizeof(value)), 0);
		add_line(l, "interface %s: %s=%s\n", i->name, name, value);
	}
	for (const struct strata_ifaddr *a = strata_ifaddr_first(i); a != NULL; a = a->next)
		add_line(l, "address %s dev %s state %d\n", prefix(l->stack, &a->prefix, text), i->name,
			 (int)a->state);
}

/* Everything that can be seen of a stack, but for what is drawn at random. Order of interfaces, addresses and
 * routes is no part of it. */
static char *dump(struct strata_stack *stack)
{
	struct text t = { .stack = stack };
	struct lines l = { .stack = stack };
	struct strata_iface *i = NULL;
	char value[64];

	t.to = open_memstream(&t.data, &t.length);
	assert_non_null(t.to);
	strata_inspect_modules(stack, dump_module, &t);
	while ((i = strata_iface_next(stack, i)) != NULL)
		add_iface(&l, i);
	strata_inspect_routes(stack, add_route, &l);
	qsort(l.line, l.count, sizeof(l.line[0]), compare_lines);
	for (size_t n = 0; n < l.count; n++) {
		fputs(l.line[n], t.to);
		free(l.line[n]);
	}
	strata_option_get(stack, "stack.memory", value, sizeof(value));
	fprintf(t.to, "memory %s\n", value);
	strata_option_get(stack, "stack.busy_poll", value, sizeof(value));
	fprintf(t.to, "busy_poll %s\n", value);
	strata_option_get(stack, "stack.adaptive_poll", value, sizeof(value));
	fprintf(t.to, "adaptive_poll %s\n", value);
	fclose(t.to);
	return t.data;
}

/* Fails with the first lines that differ. */
static void same(struct strata_stack *stack, const char *wanted, const char *what)
{
	char *now = dump(stack);
	const char *a = wanted, *b = now, *start_a = wanted, *start_b = now;

	for (; *a == *b && *a != '\0'; a++, b++) {
		if (*a == '\n') {
			start_a = a + 1;
			start_b = b + 1;
		}
	}
	if (*a != *b)
		fail_msg("%s: wanted\n%.200s\nfound\n%.200s", what, start_a, start_b);
	free(now);
}

/* ---- manifests out of a seed: one draw a statement, for compilers differ in the order of arguments ---- */

static uint64_t draw(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static unsigned int below(uint64_t *state, unsigned int bound)
{
	return (unsigned int)(draw(state) >> 16) % bound;
}

static bool coin(uint64_t *state)
{
	return below(state, 2) == 0;
}

static void write_modules(FILE *to, uint64_t *s, bool udp, bool tcp)
{
	static const char *const algorithms[] = { "cubic", "newreno", "bbr" };
	unsigned int least = below(s, 3);

	fprintf(to, "modules:\n  - {name: ethernet}\n  - {name: wire}\n  - {name: loopback}\n"
		"  - {name: fault}\n  - {name: ipv4, options: {ttl: %u}}\n", 32 + below(s, 3));
	if (coin(s))
		fprintf(to, "  - {name: arp, options: {defend: %s}}\n", coin(s) ? "once" : "yield");
	if (coin(s))
		fprintf(to, "  - {name: icmp}\n");
	if (udp)
		fprintf(to, "  - {name: udp}\n");
	if (tcp) {
		fprintf(to, "  - {name: tcp, options: {congestion: %s, ", algorithms[below(s, 3)]);
		fprintf(to, "sack: %s, rto_min: %ums, rto_max: %ums, rto_initial: %ums}}\n",
			coin(s) ? "true" : "false", 100 + least * 1050, 1100 + least * 1100,
			1050 + least * 1075);
	}
	if (tcp && coin(s))
		fprintf(to, "  - {name: newreno, enabled: %s}\n", "true");
	if (coin(s)) {
		fprintf(to, "  - {name: %s, file: echo, options: {", coin(s) ? "echo" : "repeat");
		fprintf(to, "%s", udp ? coin(s) ? "udp: 7" : "udp: 77" : "udp: 0");
		fprintf(to, ", %s}}\n", tcp ? coin(s) ? "tcp: 7" : "tcp: 78" : "tcp: 0");
	}
}

/* Interface n has the addresses 10.n.a.1/24, and often one that wanders. */
static void write_ifaces(FILE *to, uint64_t *s, unsigned int has)
{
	unsigned int wanders = below(s, 6);

	fputs("interfaces:\n", to);
	for (unsigned int n = 0; n < 4; n++) {
		if (!(has & 1u << n))
			continue;
		if (n == 3) {
			fprintf(to, "  - {name: i3, driver: %s, mtu: 65535, addresses: [127.0.0.1/8",
				"loopback");
		} else {
			fprintf(to, "  - {name: i%u, driver: wire, mtu: %u, ", n, 1400 + below(s, 3) * 50);
			fprintf(to, "up: %s, ", below(s, 5) == 0 ? "false" : "true");
			if (below(s, 4) == 0)
				fputs("options: {medium: ip}, ", to);
			else
				fprintf(to, "mac: \"02:00:00:00:00:%02x\", ", n + 16 * below(s, 2));
			fprintf(to, "addresses: [10.%u.%u.1", n, below(s, 2));
			fprintf(to, "/%u", coin(s) ? 24 : 25);
		}
		if (wanders == n)
			fputs(", 192.0.2.9/24", to);
		fputs("]}\n", to);
	}
	if (has & 16) {
		/* One that stands on another. */
		fprintf(to, "  - {name: i4, driver: wire, mac: \"02:00:00:00:01:04\"}\n  - {name: i5, driver: fault, "
			"options: {over: i4, rx_loss: %u%%, ", below(s, 3));
		fprintf(to, "seed: %u}, ", 1 + below(s, 2));
		fprintf(to, "addresses: [10.5.0.1/%u]}\n", coin(s) ? 24 : 16);
	}
}

static void write_routes(FILE *to, uint64_t *s, unsigned int has, bool tcp)
{
	bool any = false;

	for (unsigned int n = 0; n < 6; n++) {
		unsigned int iface = below(s, 3);

		if (!(has & 1u << iface) || coin(s))
			continue;
		fprintf(to, "%s  - {to: 203.0.%u.0/24, via: 10.%u.0.77, interface: i%u, metric: %u", any ? "" :
			"routes:\n", n, iface, iface, below(s, 2));
		if (coin(s))
			fprintf(to, ", mtu: %u", 1000 + below(s, 3));
		(void)tcp;
		fputs("}\n", to);
		any = true;
	}
}

static char *manifest(uint64_t seed)
{
	uint64_t s = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	char *text = NULL;
	size_t length = 0;
	FILE *to = open_memstream(&text, &length);
	bool udp, tcp;
	unsigned int has;

	assert_non_null(to);
	for (int i = 0; i < 8; i++)
		draw(&s);
	udp = coin(&s);
	tcp = coin(&s);
	has = below(&s, 32);
	fprintf(to, "strata: 1\nstack:\n  memory: %uMiB\n", 64 + below(&s, 2));
	fprintf(to, "  busy_poll: %uus\n", 50 * below(&s, 2));
	fprintf(to, "  adaptive_poll: %uus\n", 50 * below(&s, 2));
	fprintf(to, "  log: %s\n", coin(&s) ? "error" : "{default: error, ipv4: warning}");
	write_modules(to, &s, udp, tcp);
	if (has != 0)
		write_ifaces(to, &s, has);
	write_routes(to, &s, has, tcp);
	fclose(to);
	return text;
}

/* ---- the property ---- */

static void tell_nothing(void *ctx, const struct strata_change *change)
{
	int *count = ctx;

	assert_non_null(change->name);
	++*count;
}

static int reload(struct made *made, const char *text, bool dry_run, int *told)
{
	*told = 0;
	strata_error_clear(&made->error);
	return strata_reload_text(made->stack, text, 0, dry_run, tell_nothing, told, &made->error);
}

static char *dump_of_fresh(const char *text)
{
	struct made fresh;
	char *out;

	made_init(&fresh);
	if (made_from(&fresh, text) != 0)
		fail_msg("%s\n%s", strata_error_text(&fresh.error), text);
	out = dump(fresh.stack);
	made_end(&fresh);
	return out;
}

static void a_reloaded_stack_is_the_one_its_new_manifest_makes(void **state)
{
	const char *rounds = getenv("STRATA_RELOAD_ROUNDS");
	const uint64_t most = rounds != NULL ? strtoull(rounds, NULL, 10) : 60;
	struct made made;
	int told, planned;

	(void)state;
	for (uint64_t seed = 1; seed <= most; seed++) {
		char *text = manifest(seed * 100), *before = dump_of_fresh(text);

		made_init(&made);
		assert_int_equal(made_from(&made, text), 0);
		for (uint64_t step = 1; step <= 4; step++) {
			char *next = manifest(seed * 100 + step), *wanted = dump_of_fresh(next);
			char what[64];

			snprintf(what, sizeof(what), "seed %u, step %u", (unsigned int)seed,
				 (unsigned int)step);
			planned = reload(&made, next, true, &told);
			if (planned < 0)
				fail_msg("%s: %s\nfrom\n%s\nto\n%s", what, strata_error_text(&made.error),
					 text, next);
			assert_int_equal(planned, told);
			same(made.stack, before, what);
			if (reload(&made, next, false, &told) != planned)
				fail_msg("%s: %s\nfrom\n%s\nto\n%s", what, strata_error_text(&made.error),
					 text, next);
			assert_int_equal(planned, told);
			same(made.stack, wanted, what);
			assert_int_equal(reload(&made, next, false, &told), 0);
			same(made.stack, wanted, what);
			free(before);
			free(text);
			before = wanted;
			text = next;
		}
		made_end(&made);
		free(before);
		free(text);
	}
}

static void an_allocation_that_fails_leaves_the_old_stack(void **state)
{
	struct made made;
	int told;

	(void)state;
	for (uint64_t seed = 1; seed <= 4; seed++) {
		char *from = manifest(seed * 1000), *to = manifest(seed * 1000 + 1);
		char *before = dump_of_fresh(from), *after = dump_of_fresh(to);
		bool reached = true;

		made_init(&made);
		assert_int_equal(made_from(&made, from), 0);
		for (uint64_t n = 1; reached; n++) {
			char what[64];
			int result;

			snprintf(what, sizeof(what), "seed %u, allocation %u", (unsigned int)seed,
				 (unsigned int)n);
			made.fail_at = made.allocs + n;
			result = reload(&made, to, false, &told);
			reached = made.allocs >= made.fail_at;
			made.fail_at = 0;
			if (result < 0) {
				same(made.stack, before, what);
				continue;
			}
			/* What failed could be done without. */
			same(made.stack, after, what);
			if (reload(&made, from, false, &told) < 0)
				fail_msg("%s: back: %s", what, strata_error_text(&made.error));
			same(made.stack, before, what);
		}
		made_end(&made);
		free(from);
		free(to);
		free(before);
		free(after);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reloaded_stack_is_the_one_its_new_manifest_makes),
		cmocka_unit_test(an_allocation_that_fails_leaves_the_old_stack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
