/* SPDX-License-Identifier: BSD-2-Clause */
/* What is told of a packet and of the stack: drops, trace records, log lines. */
#include "rig.h"

#include <stdio.h>
#include <stdlib.h>

struct heard {
	unsigned int count;
	struct strata_trace_record last;
	char text[600], drop[100];
};

static void hear(void *ctx, const struct strata_trace_record *record)
{
	struct heard *heard = ctx;

	heard->count++;
	heard->last = *record;
	snprintf(heard->text, sizeof(heard->text), "%s", record->text);
	snprintf(heard->drop, sizeof(heard->drop), "%s", record->drop != NULL ? record->drop : "-");
}

static void a_drop_counts_its_reason_and_frees(void **state)
{
	struct rig rig = { .seed = 1 };
	struct strata_pkt *pkt;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	pkt = strata_pkt_alloc(rig.stack, 64, 64);
	assert_int_equal(strata_drop(&rig.k.self, pkt, KERNEL_DROP_NO_NETWORK), STRATA_DROPPED);
	assert_int_equal(rig.k.self.drops[KERNEL_DROP_NO_NETWORK], 1);
	assert_int_equal(rig.k.self.drops[KERNEL_DROP_NO_FLOW], 0);
	pkt = strata_pkt_alloc(rig.stack, 64, 64);
	assert_int_equal(strata_drop_errno(&rig.k.self, pkt, KERNEL_DROP_NO_FLOW, -5), -5);
	assert_int_equal(rig.k.self.drops[KERNEL_DROP_NO_FLOW], 1);
	rig_close(&rig);
}

static void the_kernel_has_tables_like_a_module(void **state)
{
	struct rig rig = { .seed = 1 };
	const struct strata_module *module;
	size_t i;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	module = rig.k.self.module;
	assert_string_equal(rig.k.self.name, "kernel");
	assert_int_equal(module->drop_count, KERNEL_DROPS);
	for (i = 0; i < module->drop_count; i++)
		assert_true(module->drops[i].name != NULL && module->drops[i].text != NULL);
	for (i = 0; i < module->counter_count; i++)
		assert_true(module->counters[i].name != NULL && module->counters[i].help != NULL);
	rig_close(&rig);
}

static void a_packet_keeps_its_number_through_all_steps(void **state)
{
	struct rig rig = { .seed = 1 };
	struct strata_iface iface = { .name = "st0" };
	struct heard heard = { 0 };
	struct strata_pkt *pkt, *copy, *other;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	kernel_set_now(&rig.k, 123);
	pkt = strata_pkt_alloc(rig.stack, 64, 64);
	strata_pkt_put(pkt, 60);
	/* Nobody listens: no number is given. */
	strata_trace(&rig.k.self, pkt, "unheard %d", 1);
	assert_int_equal(pkt->trace_id, 0);

	strata_trace_attach(rig.stack, hear, &heard);
	strata_trace(&rig.k.self, pkt, "frame of %u", 60u);
	assert_int_equal(heard.count, 1);
	assert_int_equal(heard.last.id, 1);
	assert_int_equal(heard.last.time, 123);
	assert_int_equal(heard.last.length, 60);
	assert_false(heard.last.out);
	assert_string_equal(heard.last.iface, "");
	assert_string_equal(heard.last.module, "kernel");
	assert_string_equal(heard.text, "frame of 60");
	assert_string_equal(heard.drop, "-");

	copy = strata_pkt_copy(pkt, 64);
	copy->iface = &iface;
	copy->flags |= STRATA_PKT_TX;
	strata_trace(&rig.k.self, copy, "sent");
	assert_int_equal(heard.last.id, 1);
	assert_true(heard.last.out);
	assert_string_equal(heard.last.iface, "st0");

	other = strata_pkt_alloc(rig.stack, 64, 64);
	strata_drop(&rig.k.self, other, KERNEL_DROP_NO_FLOW);
	assert_int_equal(heard.last.id, 2);
	assert_string_equal(heard.drop, "no_flow");
	assert_string_equal(heard.text, rig.k.self.module->drops[KERNEL_DROP_NO_FLOW].text);

	strata_trace_attach(rig.stack, NULL, NULL);
	strata_drop(&rig.k.self, copy, KERNEL_DROP_NO_FLOW);
	strata_pkt_free(pkt);
	assert_int_equal(heard.count, 3);
	rig_close(&rig);
}

static void a_step_too_long_to_tell_is_cut(void **state)
{
	struct rig rig = { .seed = 1 };
	struct heard heard = { 0 };
	struct strata_pkt *pkt;
	static char text[5000];

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	memset(text, 'x', sizeof(text) - 1);
	pkt = strata_pkt_alloc(rig.stack, 64, 64);
	strata_trace_attach(rig.stack, hear, &heard);
	strata_trace(&rig.k.self, pkt, "%s", text);
	assert_in_range(strlen(heard.text), 100, 599);
	strata_pkt_free(pkt);
	rig_close(&rig);
}

static void link_addresses_are_written_in_hex_pairs(void **state)
{
	struct rig rig = { .seed = 1 };
	const struct strata_lladdr mac = { 6, { 2, 0, 0, 0xab, 0xcd, 0xef } };
	const struct strata_lladdr other = { 8, { 1, 2, 3, 4, 5, 6, 7, 8 } };
	const struct strata_lladdr none = { 0, { 0 } };
	const char *first, *text;
	int i;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	first = strata_lladdr_text(rig.stack, &mac);
	assert_string_equal(first, "02:00:00:ab:cd:ef");
	assert_string_equal(strata_lladdr_text(rig.stack, &none), "none");
	/* The first is good until eight more calls. */
	for (i = 0; i < 6; i++) {
		text = strata_lladdr_text(rig.stack, &other);
		assert_string_equal(text, "01:02:03:04:05:06:07:08");
	}
	assert_string_equal(first, "02:00:00:ab:cd:ef");
	rig_close(&rig);
}

static void lines_above_the_level_are_not_made(void **state)
{
	struct rig rig = { .seed = 1 };
	struct strata_instance self = { .name = "st", .log_level = STRATA_LOG_WARNING };

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	self.stack = rig.stack;
	rig.k.settings.log_level = STRATA_LOG_ERROR;
	strata_log(rig.stack, NULL, STRATA_LOG_WARNING, "not said");
	strata_log(rig.stack, &rig.k.self, STRATA_LOG_WARNING, "not said");
	strata_log(rig.stack, &self, STRATA_LOG_INFO, "not said");
	strata_log(rig.stack, &self, STRATA_LOG_WARNING, "said %d", 1);
	rig.k.settings.log_level = STRATA_LOG_INFO;
	strata_log(rig.stack, NULL, STRATA_LOG_INFO, "said %d", 2);
	strata_log(rig.stack, &rig.k.self, STRATA_LOG_INFO, "said %d", 3);
	assert_string_equal(rig.log, "st: said 1\nkernel: said 2\nkernel: said 3\n");
	rig.log[0] = '\0';
	rig_close(&rig);
}

static void a_message_can_not_forge_lines_or_terminal_codes(void **state)
{
	struct rig rig = { .seed = 1 };

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	strata_log(rig.stack, NULL, STRATA_LOG_ERROR, "one\ntwo \033[31m\n\n%s", "three\t\177");
	assert_string_equal(rig.log, "kernel: one\nkernel: two ?[31m\nkernel: three??\n");
	rig.log[0] = '\0';
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_drop_counts_its_reason_and_frees),
		cmocka_unit_test(the_kernel_has_tables_like_a_module),
		cmocka_unit_test(a_packet_keeps_its_number_through_all_steps),
		cmocka_unit_test(a_step_too_long_to_tell_is_cut),
		cmocka_unit_test(link_addresses_are_written_in_hex_pairs),
		cmocka_unit_test(lines_above_the_level_are_not_made),
		cmocka_unit_test(a_message_can_not_forge_lines_or_terminal_codes),
	};

	return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
