/* SPDX-License-Identifier: BSD-2-Clause */
/* The flow table: exact flows, listeners by how well they fit, growth, walks. */
#include "rig.h"

#include <errno.h>
#include <stdlib.h>

#include "flow_int.h"

#define NUMBER 17
#define FAMILY 0x0800
#define FAMILY_LONG 0x86dd

struct table {
	struct rig rig;
	struct strata_stack *stack;
};

static void table_open(struct table *t)
{
	memset(t, 0, sizeof(*t));
	assert_int_equal(rig_open(&t->rig), 0);
	t->stack = t->rig.stack;
	assert_int_equal(port_init(&t->rig.k), 0);
	assert_int_equal(flow_init(&t->rig.k), 0);
}

static void table_close(struct table *t)
{
	flow_fini(&t->rig.k);
	port_fini(&t->rig.k);
	rig_close(&t->rig);
}

static struct strata_addr address(uint32_t value)
{
	uint8_t bytes[4];

	strata_put_be32(bytes, value);
	return strata_addr_make(FAMILY, bytes, sizeof(bytes));
}

static struct strata_addr any(void)
{
	return address(0);
}

/* local 10.0.0.1 */
#define LOCAL 0x0a000001
#define REMOTE 0x0a000002

static struct strata_flow_key key_of(uint32_t local, uint16_t local_port, uint32_t remote,
				     uint16_t remote_port)
{
	return (struct strata_flow_key){
		.local = address(local), .remote = address(remote),
		.local_port = local_port, .remote_port = remote_port, .number = NUMBER,
	};
}

static struct strata_flow listener(struct strata_addr local, uint16_t port)
{
	return (struct strata_flow){
		.key = { .local = local, .local_port = port, .number = NUMBER },
	};
}

static struct strata_flow *find(struct table *t, const struct strata_flow_key *key,
				struct strata_iface *iface)
{
	struct strata_pkt pkt = {
		.stack = t->stack, .iface = iface, .src = key->remote, .dst = key->local,
		.number = key->number,
	};

	return strata_flow_find(&pkt, key->local_port, key->remote_port);
}

static void a_flow_is_found_by_exactly_its_ends(void **state)
{
	struct table t;
	struct strata_flow flow = { .key = key_of(LOCAL, 7, REMOTE, 4000) };
	struct strata_flow_key key = flow.key;

	(void)state;
	table_open(&t);
	assert_int_equal(strata_flow_add(t.stack, &flow), 0);
	assert_ptr_equal(strata_flow_exact(t.stack, &key, NULL), &flow);
	assert_ptr_equal(find(&t, &key, NULL), &flow);
	key.remote_port++;
	assert_null(find(&t, &key, NULL));
	key = flow.key;
	key.local_port++;
	assert_null(find(&t, &key, NULL));
	key = key_of(LOCAL, 7, REMOTE + 1, 4000);
	assert_null(find(&t, &key, NULL));
	key = key_of(LOCAL + 1, 7, REMOTE, 4000);
	assert_null(find(&t, &key, NULL));
	key = flow.key;
	key.number = 6;
	assert_null(find(&t, &key, NULL));
	strata_flow_remove(t.stack, &flow);
	strata_flow_remove(t.stack, &flow);
	assert_null(find(&t, &flow.key, NULL));
	table_close(&t);
}

static void long_addresses_differ_in_each_byte(void **state)
{
	struct table t;
	struct strata_flow flows[17] = { { 0 } };
	uint8_t bytes[16] = { 0x20, 1 };
	unsigned int i;

	(void)state;
	table_open(&t);
	for (i = 0; i < 17; i++) {
		uint8_t other[16];

		memcpy(other, bytes, sizeof(other));
		if (i < 16)
			other[i] ^= 0x80;
		flows[i].key = (struct strata_flow_key){
			.local = strata_addr_make(FAMILY_LONG, bytes, 16),
			.remote = strata_addr_make(FAMILY_LONG, other, 16),
			.local_port = 1, .remote_port = 2, .number = NUMBER,
		};
		assert_int_equal(strata_flow_add(t.stack, &flows[i]), 0);
	}
	for (i = 0; i < 17; i++) {
		assert_ptr_equal(strata_flow_exact(t.stack, &flows[i].key, NULL), &flows[i]);
		strata_flow_remove(t.stack, &flows[i]);
	}
	table_close(&t);
}

static void a_key_is_taken_once_for_each_interface(void **state)
{
	struct table t;
	struct strata_iface iface[2] = { { .index = 1 }, { .index = 2 } };
	struct strata_flow a = { .key = key_of(LOCAL, 7, REMOTE, 4000) }, b = a, c = a;

	(void)state;
	table_open(&t);
	c.iface = &iface[0];
	assert_int_equal(strata_flow_add(t.stack, &a), 0);
	assert_int_equal(strata_flow_add(t.stack, &b), -EADDRINUSE);
	assert_int_equal(strata_flow_add(t.stack, &c), 0);
	assert_ptr_equal(find(&t, &a.key, &iface[0]), &c);
	assert_ptr_equal(find(&t, &a.key, &iface[1]), &a);
	strata_flow_remove(t.stack, &a);
	assert_null(find(&t, &a.key, &iface[1]));
	/* Who does not know the interface finds it all the same. */
	assert_ptr_equal(strata_flow_exact(t.stack, &a.key, NULL), &c);
	strata_flow_remove(t.stack, &c);
	table_close(&t);
}

/* Whatever was looked for last, and whether it is added next. */
static void a_flow_that_was_looked_for_in_vain_is_found_once_it_is_there(void **state)
{
	struct strata_flow first = { .key = key_of(LOCAL, 7, REMOTE, 4000) };
	struct strata_flow second = { .key = key_of(LOCAL, 7, REMOTE, 4001) };
	struct strata_flow third = { .key = key_of(LOCAL, 8, REMOTE, 4001) }, blank = { 0 };
	struct table t;

	(void)state;
	table_open(&t);
	assert_int_equal(strata_flow_add(t.stack, &blank), 0);
	assert_ptr_equal(strata_flow_exact(t.stack, &blank.key, NULL), &blank);
	assert_null(find(&t, &first.key, NULL));
	assert_int_equal(strata_flow_add(t.stack, &first), 0);
	assert_int_equal(strata_flow_add(t.stack, &second), 0);
	assert_false(flow_taken(&t.rig.k, &third.key));
	assert_int_equal(strata_flow_add(t.stack, &third), 0);
	assert_ptr_equal(find(&t, &first.key, NULL), &first);
	assert_ptr_equal(find(&t, &second.key, NULL), &second);
	assert_ptr_equal(find(&t, &third.key, NULL), &third);
	strata_flow_remove(t.stack, &third);
	assert_null(find(&t, &third.key, NULL));
	assert_int_equal(strata_flow_add(t.stack, &third), 0);
	assert_true(flow_taken(&t.rig.k, &third.key));
	strata_flow_remove(t.stack, &first);
	strata_flow_remove(t.stack, &second);
	strata_flow_remove(t.stack, &third);
	strata_flow_remove(t.stack, &blank);
	table_close(&t);
}

static void a_flow_wins_over_a_listener(void **state)
{
	struct table t;
	struct strata_flow flow = { .key = key_of(LOCAL, 7, REMOTE, 4000) };
	struct strata_flow bound = listener(address(LOCAL), 7);
	struct strata_flow_key other = key_of(LOCAL, 7, REMOTE, 4001);

	(void)state;
	table_open(&t);
	strata_flow_listen(t.stack, &bound);
	assert_int_equal(strata_flow_add(t.stack, &flow), 0);
	assert_ptr_equal(find(&t, &flow.key, NULL), &flow);
	assert_ptr_equal(find(&t, &other, NULL), &bound);
	strata_flow_remove(t.stack, &flow);
	assert_ptr_equal(find(&t, &flow.key, NULL), &bound);
	strata_flow_remove(t.stack, &bound);
	table_close(&t);
}

/* From least to most specific: each one added wins. */
static void the_listener_that_fits_best_is_found(void **state)
{
	struct table t;
	struct strata_iface iface = { .index = 1 }, other = { .index = 2 };
	struct strata_flow l[] = {
		listener((struct strata_addr){ 0 }, 7), listener(any(), 7),
		listener(address(LOCAL), 7), listener((struct strata_addr){ 0 }, 7),
		listener(any(), 7), listener(address(LOCAL), 7),
	};
	struct strata_flow far[] = {
		listener(address(LOCAL + 1), 7), listener(any(), 8), listener(any(), 7),
		listener(address(LOCAL), 7),
	};
	struct strata_flow_key key = key_of(LOCAL, 7, REMOTE, 4000);
	unsigned int i;

	(void)state;
	table_open(&t);
	far[2].key.number = 6;
	far[3].iface = &other;
	for (i = 0; i < STRATA_COUNT(far); i++)
		strata_flow_listen(t.stack, &far[i]);
	assert_null(find(&t, &key, &iface));
	for (i = 0; i < STRATA_COUNT(l); i++) {
		l[i].iface = i >= 3 ? &iface : NULL;
		strata_flow_listen(t.stack, &l[i]);
		assert_ptr_equal(find(&t, &key, &iface), &l[i]);
	}
	for (i = STRATA_COUNT(l) - 1; i > 0; i--) {
		strata_flow_remove(t.stack, &l[i]);
		assert_ptr_equal(find(&t, &key, &iface), &l[i - 1]);
	}
	strata_flow_remove(t.stack, &l[0]);
	for (i = 0; i < STRATA_COUNT(far); i++)
		strata_flow_remove(t.stack, &far[i]);
	table_close(&t);
}

static void of_another_family_only_the_unset_listener_fits(void **state)
{
	struct table t;
	uint8_t bytes[16] = { 0x20, 1 };
	struct strata_flow dual = listener((struct strata_addr){ 0 }, 7);
	struct strata_flow one = listener(any(), 7);
	struct strata_flow_key key = {
		.local = strata_addr_make(FAMILY_LONG, bytes, 16),
		.remote = strata_addr_make(FAMILY_LONG, bytes, 16),
		.local_port = 7, .remote_port = 4000, .number = NUMBER,
	};

	(void)state;
	table_open(&t);
	strata_flow_listen(t.stack, &one);
	assert_null(find(&t, &key, NULL));
	strata_flow_listen(t.stack, &dual);
	assert_ptr_equal(find(&t, &key, NULL), &dual);
	strata_flow_remove(t.stack, &one);
	strata_flow_remove(t.stack, &dual);
	table_close(&t);
}

static void listeners_that_reuse_the_port_share_the_flows_evenly(void **state)
{
	struct table t;
	struct strata_flow l[4];
	unsigned int count[4] = { 0 }, i, j;

	(void)state;
	table_open(&t);
	for (i = 0; i < 4; i++) {
		l[i] = listener(any(), 7);
		l[i].reuse_port = 1;
		strata_flow_listen(t.stack, &l[i]);
	}
	for (i = 0; i < 8000; i++) {
		struct strata_flow_key key = key_of(LOCAL, 7, REMOTE + i / 50, (uint16_t)(i + 1));
		struct strata_flow *found = find(&t, &key, NULL);

		assert_ptr_equal(found, find(&t, &key, NULL));
		for (j = 0; j < 4; j++)
			count[j] += found == &l[j];
	}
	for (j = 0; j < 4; j++) {
		assert_in_range(count[j], 1800, 2200);
		strata_flow_remove(t.stack, &l[j]);
	}
	table_close(&t);
}

static void of_equals_without_reuse_the_last_one_wins(void **state)
{
	struct table t;
	struct strata_flow a = listener(any(), 7), b = a;
	struct strata_flow_key key = key_of(LOCAL, 7, REMOTE, 4000);

	(void)state;
	table_open(&t);
	strata_flow_listen(t.stack, &a);
	strata_flow_listen(t.stack, &b);
	assert_ptr_equal(find(&t, &key, NULL), &b);
	strata_flow_remove(t.stack, &b);
	assert_ptr_equal(find(&t, &key, NULL), &a);
	strata_flow_remove(t.stack, &a);
	table_close(&t);
}

static void count_each(struct strata_flow *flow, void *ctx)
{
	(void)ctx;
	flow->kind++;
}

static void what_goes_to_many_concerns_all_that_match(void **state)
{
	const uint32_t group = 0xe0000105;
	struct table t;
	struct strata_iface iface = { .index = 1 }, other = { .index = 2 };
	struct strata_flow yes[] = {
		listener(any(), 7), listener(any(), 7), listener(address(group), 7),
		listener((struct strata_addr){ 0 }, 7), { .key = key_of(group, 7, REMOTE, 4000) },
	};
	struct strata_flow no[] = {
		listener(address(LOCAL), 7), listener(any(), 8), listener(any(), 7),
		{ .key = key_of(LOCAL, 7, REMOTE, 4000) }, { .key = key_of(group, 7, REMOTE, 4001) },
	};
	struct strata_pkt pkt = {
		.iface = &iface, .src = address(REMOTE), .dst = address(group), .number = NUMBER,
	};
	unsigned int i;

	(void)state;
	table_open(&t);
	pkt.stack = t.stack;
	no[2].iface = &other;
	for (i = 0; i < 5; i++) {
		assert_int_equal(i < 4 ? strata_flow_listen(t.stack, &yes[i]) :
					 strata_flow_add(t.stack, &yes[i]), 0);
		assert_int_equal(i < 3 ? strata_flow_listen(t.stack, &no[i]) :
					 strata_flow_add(t.stack, &no[i]), 0);
	}
	assert_int_equal(strata_flow_each(&pkt, 7, 4000, count_each, NULL), 5);
	for (i = 0; i < 5; i++) {
		assert_int_equal(yes[i].kind, 1);
		assert_int_equal(no[i].kind, 0);
		strata_flow_remove(t.stack, &yes[i]);
		strata_flow_remove(t.stack, &no[i]);
	}
	table_close(&t);
}

/* ---- many ---- */

static struct strata_flow_key nth_key(uint32_t i)
{
	return key_of(LOCAL, 80, REMOTE + i / 60000, (uint16_t)(1 + i % 60000));
}

static void a_hundred_thousand_flows_come_and_go(void **state)
{
	enum { COUNT = 100000 };
	struct strata_flow *flows = calloc(COUNT, sizeof(*flows));
	struct table t;
	size_t before;
	uint32_t i;

	(void)state;
	assert_non_null(flows);
	table_open(&t);
	before = strata_memory_used(t.stack);
	for (i = 0; i < COUNT; i++) {
		flows[i].key = nth_key(i);
		assert_int_equal(strata_flow_add(t.stack, &flows[i]), 0);
		/* While it grows, all that went in before is found. */
		if (i % 97 == 0) {
			assert_ptr_equal(strata_flow_exact(t.stack, &flows[i / 2].key, NULL),
					 &flows[i / 2]);
			assert_ptr_equal(strata_flow_exact(t.stack, &flows[0].key, NULL), &flows[0]);
		}
	}
	for (i = 0; i < COUNT; i++)
		assert_ptr_equal(strata_flow_exact(t.stack, &flows[i].key, NULL), &flows[i]);
	/* Buckets take 8 to 16 bytes a flow, and while they move at most as much again. */
	assert_true(strata_memory_used(t.stack) - before < COUNT * 24);
	for (i = 0; i < COUNT; i += 2)
		strata_flow_remove(t.stack, &flows[i]);
	for (i = 0; i < COUNT; i++)
		assert_ptr_equal(strata_flow_exact(t.stack, &flows[i].key, NULL),
				 i % 2 == 0 ? NULL : &flows[i]);
	for (i = 1; i < COUNT; i += 2)
		strata_flow_remove(t.stack, &flows[i]);
	/* Memory comes back as the table shrinks. */
	assert_true(strata_memory_used(t.stack) - before < 4096);
	table_close(&t);
	free(flows);
}

static void no_bucket_gets_long(void **state)
{
	enum { COUNT = 65536 };
	struct strata_flow *flows = calloc(COUNT, sizeof(*flows));
	uint8_t *load = calloc(COUNT, 1);
	struct table t;
	uint32_t i;

	(void)state;
	assert_true(flows != NULL && load != NULL);
	table_open(&t);
	/* What a scan sends: addresses and ports in order. */
	for (i = 0; i < COUNT; i++) {
		flows[i].key = nth_key(i);
		assert_int_equal(strata_flow_add(t.stack, &flows[i]), 0);
		load[flows[i].hash % COUNT]++;
	}
	for (i = 0; i < COUNT; i++)
		assert_in_range(load[i], 0, 12);
	for (i = 0; i < COUNT; i++)
		strata_flow_remove(t.stack, &flows[i]);
	table_close(&t);
	free(load);
	free(flows);
}

static void another_secret_gives_other_hashes(void **state)
{
	struct strata_flow a = { .key = key_of(LOCAL, 7, REMOTE, 4000) }, b = a;
	struct table t, u;

	(void)state;
	table_open(&t);
	memset(&u, 0, sizeof(u));
	u.rig.seed = 99;
	assert_int_equal(rig_open(&u.rig), 0);
	u.stack = u.rig.stack;
	assert_int_equal(port_init(&u.rig.k), 0);
	assert_int_equal(flow_init(&u.rig.k), 0);
	assert_int_equal(strata_flow_add(t.stack, &a), 0);
	assert_int_equal(strata_flow_add(u.stack, &b), 0);
	assert_int_not_equal(a.hash, b.hash);
	strata_flow_remove(t.stack, &a);
	strata_flow_remove(u.stack, &b);
	table_close(&t);
	table_close(&u);
}

static void without_memory_the_table_still_takes_and_finds(void **state)
{
	enum { COUNT = 2000 };
	static struct strata_flow flows[COUNT];
	struct table t;
	uint32_t i;

	(void)state;
	memset(flows, 0, sizeof(flows));
	table_open(&t);
	rig_starve(&t.rig, true);
	for (i = 0; i < COUNT; i++) {
		flows[i].key = nth_key(i);
		assert_int_equal(strata_flow_add(t.stack, &flows[i]), 0);
	}
	for (i = 0; i < COUNT; i++)
		assert_ptr_equal(strata_flow_exact(t.stack, &flows[i].key, NULL), &flows[i]);
	rig_starve(&t.rig, false);
	for (i = 0; i < COUNT; i++)
		strata_flow_remove(t.stack, &flows[i]);
	table_close(&t);
}

/* ---- walks ---- */

#define WALKED 300

struct walk {
	struct table *t;
	struct strata_flow *flows;
	unsigned int seen;
};

static void remove_itself(struct strata_flow *flow, void *ctx)
{
	struct walk *w = ctx;

	w->seen++;
	strata_flow_remove(w->t->stack, flow);
}

/* Removes the one given and another one, which the walk may have been about to give next. */
static void remove_two(struct strata_flow *flow, void *ctx)
{
	struct walk *w = ctx;
	struct strata_flow *next = flow->next;

	w->seen++;
	strata_flow_remove(w->t->stack, flow);
	if (next != NULL) {
		strata_flow_remove(w->t->stack, next);
		w->seen++;
	}
}

static void fill(struct walk *w)
{
	unsigned int i;

	memset(w->flows, 0, WALKED * sizeof(*w->flows));
	for (i = 0; i < WALKED; i++) {
		w->flows[i].key = nth_key(i);
		if (i % 3 != 0) {
			assert_int_equal(strata_flow_add(w->t->stack, &w->flows[i]), 0);
		} else {
			memset(&w->flows[i].key.remote, 0, sizeof(w->flows[i].key.remote));
			w->flows[i].key.local_port = (uint16_t)(i % 10);
			strata_flow_listen(w->t->stack, &w->flows[i]);
		}
	}
	w->seen = 0;
}

static void a_walk_gives_every_entry_once_and_lets_them_be_removed(void **state)
{
	static struct strata_flow flows[WALKED];
	struct strata_flow other = { .key = key_of(LOCAL, 7, REMOTE, 4000) };
	struct table t;
	struct walk w = { .t = &t, .flows = flows };

	(void)state;
	table_open(&t);
	other.key.number = 6;
	assert_int_equal(strata_flow_add(t.stack, &other), 0);
	fill(&w);
	strata_flow_walk(t.stack, NUMBER, remove_itself, &w);
	assert_int_equal(w.seen, WALKED);
	fill(&w);
	strata_flow_walk(t.stack, NUMBER, remove_two, &w);
	assert_int_equal(w.seen, WALKED);
	strata_flow_walk(t.stack, NUMBER, remove_itself, &w);
	assert_int_equal(w.seen, WALKED);
	assert_ptr_equal(strata_flow_exact(t.stack, &other.key, NULL), &other);
	strata_flow_remove(t.stack, &other);
	table_close(&t);
}

static void a_flow_takes_the_place_of_another(void **state)
{
	struct table t;
	struct strata_iface iface = { .index = 1 };
	/* More than there are buckets, so that some share one; every third is bound to the interface. */
	static struct strata_flow old[200], new[200];
	unsigned int i;

	(void)state;
	table_open(&t);
	for (i = 0; i < 200; i++) {
		old[i] = (struct strata_flow){ .key = nth_key(i), .iface = i % 3 == 0 ? &iface : NULL };
		new[i] = (struct strata_flow){ .kind = 7 };
		assert_int_equal(strata_flow_add(t.stack, &old[i]), 0);
	}
	for (i = 0; i < 200; i += 2) {
		strata_flow_replace(t.stack, &old[i], &new[i]);
		assert_ptr_equal(new[i].iface, old[i].iface);
		assert_int_equal(new[i].kind, 7);
		/* The old one is in no table: to remove it is nothing. */
		strata_flow_remove(t.stack, &old[i]);
	}
	for (i = 0; i < 200; i++) {
		const struct strata_flow_key key = nth_key(i);

		assert_ptr_equal(find(&t, &key, &iface), i % 2 == 0 ? &new[i] : &old[i]);
	}
	for (i = 0; i < 200; i++) {
		const struct strata_flow_key key = nth_key(i);

		strata_flow_remove(t.stack, i % 2 == 0 ? &new[i] : &old[i]);
		assert_null(find(&t, &key, &iface));
	}
	table_close(&t);
}

/* Puts another in the place of the one given and of the one that the walk gives next. */
static void replace_two(struct strata_flow *flow, void *ctx)
{
	struct walk *w = ctx;
	struct strata_flow *next = flow->next, *spare = w->flows + WALKED;

	w->seen++;
	if (flow >= spare || next == NULL || next >= spare)
		return;
	strata_flow_replace(w->t->stack, flow, spare + (flow - w->flows));
	strata_flow_replace(w->t->stack, next, spare + (next - w->flows));
}

static void a_walk_goes_on_over_flows_that_are_replaced(void **state)
{
	static struct strata_flow flows[2 * WALKED];
	struct table t;
	struct walk w = { .t = &t, .flows = flows };

	(void)state;
	table_open(&t);
	fill(&w);
	strata_flow_walk(t.stack, NUMBER, replace_two, &w);
	assert_int_equal(w.seen, WALKED);
	w.seen = 0;
	strata_flow_walk(t.stack, NUMBER, remove_itself, &w);
	assert_int_equal(w.seen, WALKED);
	table_close(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flow_is_found_by_exactly_its_ends),
		cmocka_unit_test(long_addresses_differ_in_each_byte),
		cmocka_unit_test(a_key_is_taken_once_for_each_interface),
		cmocka_unit_test(a_flow_that_was_looked_for_in_vain_is_found_once_it_is_there),
		cmocka_unit_test(a_flow_wins_over_a_listener),
		cmocka_unit_test(the_listener_that_fits_best_is_found),
		cmocka_unit_test(of_another_family_only_the_unset_listener_fits),
		cmocka_unit_test(listeners_that_reuse_the_port_share_the_flows_evenly),
		cmocka_unit_test(of_equals_without_reuse_the_last_one_wins),
		cmocka_unit_test(what_goes_to_many_concerns_all_that_match),
		cmocka_unit_test(a_hundred_thousand_flows_come_and_go),
		cmocka_unit_test(no_bucket_gets_long),
		cmocka_unit_test(another_secret_gives_other_hashes),
		cmocka_unit_test(without_memory_the_table_still_takes_and_finds),
		cmocka_unit_test(a_walk_gives_every_entry_once_and_lets_them_be_removed),
		cmocka_unit_test(a_flow_takes_the_place_of_another),
		cmocka_unit_test(a_walk_goes_on_over_flows_that_are_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
