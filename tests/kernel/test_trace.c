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

/* What was heard, as text and as JSON, made while the record was there. */
struct told {
	unsigned int count;
	char line[STRATA_TRACE_LINE], json[STRATA_TRACE_JSON];
	bool has_pkt;
};

static void tell(void *ctx, const struct strata_trace_record *record)
{
	struct told *told = ctx;
	size_t length;

	told->count++;
	told->has_pkt = record->pkt != NULL;
	assert_int_equal(strata_trace_json(record, told->json, 10), 0);
	length = strata_trace_json(record, told->json, sizeof(told->json));
	assert_int_equal(length, strlen(told->json));
	length = strata_trace_line(record, told->line, sizeof(told->line));
	assert_int_equal(length, strlen(told->line));
}

static void fields_are_told_as_text_and_as_json(void **state)
{
	struct rig rig = { .seed = 1 };
	struct told told = { 0 };
	const struct strata_lladdr mac = { 6, { 2, 0, 0, 0, 0, 1 } };
	const struct strata_lladdr src = { 2, { 1, 2 } }, dst = { 2, { 3, 4 } };
	struct strata_pkt *pkt;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	kernel_set_now(&rig.k, 1234567890);
	pkt = strata_pkt_alloc(rig.stack, 64, 64);
	strata_trace_attach(rig.stack, tell, &told);
	strata_trace_fields(&rig.k.self, pkt, STRATA_FIELDS(
			    STRATA_FIELD_LLADDR("src", &src), STRATA_FIELD_LLADDR("dst", &dst),
			    STRATA_FIELD_ADDR("none", NULL),
			    STRATA_FIELD_SIZE("length", 84), STRATA_FIELD_UINT("ttl", 64),
			    STRATA_FIELD_HEX("id", 0xab, 4), STRATA_FIELD_FLAGS("flags", 5, "DF MF XF"),
			    STRATA_FIELD_TEXT("note", NULL), STRATA_FIELD_LLADDR("mac", &mac),
			    STRATA_FIELD_TIME("rto", 200500000)), "for %s", "us");
	assert_true(told.has_pkt);
	assert_string_equal(told.line, "      1.234567 #1      out -        kernel     01:02 → 03:04, "
			    "84 bytes, ttl 64, id 0x00ab, DF XF, mac 02:00:00:00:00:01, rto 200.500 ms: "
			    "for us");
	assert_string_equal(told.json, "{\"time\":1234567890,\"packet\":1,\"direction\":\"out\","
			    "\"length\":0,\"layer\":\"kernel\",\"module\":\"kernel\",\"fields\":{"
			    "\"src\":\"01:02\",\"dst\":\"03:04\",\"length\":84,\"ttl\":64,"
			    "\"id\":\"0x00ab\",\"flags\":[\"DF\",\"XF\"],"
			    "\"mac\":\"02:00:00:00:00:01\",\"rto\":200500000},\"text\":\"for us\","
			    "\"line\":\"01:02 → 03:04, 84 bytes, ttl 64, id 0x00ab, DF XF, "
			    "mac 02:00:00:00:00:01, rto 200.500 ms: for us\"}");
	strata_pkt_free(pkt);
	rig_close(&rig);
}

static void a_connection_and_its_states_are_told_without_a_packet(void **state)
{
	struct rig rig = { .seed = 1 };
	struct told told = { 0 };
	const struct strata_flow_key key = { .local_port = 7, .number = 6 };

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	strata_trace_attach(rig.stack, tell, &told);
	strata_trace_fields(&rig.k.self, NULL, STRATA_FIELDS(STRATA_FIELD_STATE("state", "OPEN", "SHUT"),
			    STRATA_FIELD_FLOW("connection", &key),
			    STRATA_FIELD_SOCKET("socket", NULL)), "%s", "");
	assert_false(told.has_pkt);
	assert_non_null(strstr(told.line, " -       -   -        kernel     OPEN → SHUT, "
			       "*:7 ↔ *:*, socket none"));
	assert_non_null(strstr(told.json, "\"packet\":null,\"layer\""));
	assert_non_null(strstr(told.json, "\"state\":{\"from\":\"OPEN\",\"to\":\"SHUT\"},"
			       "\"connection\":{\"local\":{\"address\":null,\"port\":7},"
			       "\"remote\":{\"address\":null,\"port\":0},\"number\":6},"
			       "\"socket\":null}"));
	rig_close(&rig);
}

static void what_a_text_says_is_not_said_twice(void **state)
{
	struct rig rig = { .seed = 1 };
	struct told told = { 0 };

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	strata_trace_attach(rig.stack, tell, &told);
	strata_trace_fields(&rig.k.self, NULL, STRATA_SAID(STRATA_FIELD_UINT("seq", 3)), "number %d", 3);
	assert_non_null(strstr(told.line, "kernel     number 3"));
	assert_non_null(strstr(told.json, "\"fields\":{\"seq\":3},\"text\":\"number 3\""));
	rig_close(&rig);
}

static void nothing_in_a_text_forges_a_line_or_ends_a_string(void **state)
{
	struct rig rig = { .seed = 1 };
	struct told told = { 0 };

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	strata_trace_attach(rig.stack, tell, &told);
	strata_trace_fields(&rig.k.self, NULL,
			    STRATA_FIELDS(STRATA_FIELD_TEXT("name", "a\"b\\c\nd\033[31m\xff\xc3z")), "é\t\x80");
	assert_non_null(strstr(told.line, "name a\"b\\c?d?[31m??z: é??"));
	assert_non_null(strstr(told.json, "\"name\":\"a\\u0022b\\u005cc\\u000ad\\u001b[31m"
			       "\\ufffd\\ufffdz\""));
	assert_non_null(strstr(told.json, "\"text\":\"é\\u0009\\ufffd\""));
	rig_close(&rig);
}

static void the_longest_step_is_whole_json(void **state)
{
	struct rig rig = { .seed = 1 };
	struct told told = { 0 };
	static char text[2000], wide[2001];
	struct strata_field fields[60] = { { .type = STRATA_FIELD_TYPE_END } };
	size_t i;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	memset(text, '\n', sizeof(text) - 1);
	for (i = 0; i < STRATA_COUNT(fields) - 1; i++)
		fields[i] = (struct strata_field)STRATA_FIELD_TEXT("field", text);
	fields[i].type = STRATA_FIELD_TYPE_END;
	strata_trace_attach(rig.stack, tell, &told);
	strata_trace_emit_fields(&rig.k.self, NULL, fields, "%s", text);
	assert_string_equal(told.json + strlen(told.json) - 2, "\"}");
	assert_in_range(strlen(told.json), 1000, STRATA_TRACE_JSON - 1);
	assert_non_null(strstr(told.json, "},\"text\":\""));
	assert_in_range(strlen(told.line), 100, STRATA_TRACE_LINE - 1);
	/* Characters are not cut in two, wherever the end falls. */
	for (i = 0; i < 3; i++) {
		size_t n;
		for (n = 0; n < i; n++)
			wide[n] = '.';
		for (; n + 3 < sizeof(wide); n += 3)
			memcpy(wide + n, "→", 3);
		wide[n] = '\0';
		strata_trace(&rig.k.self, NULL, "%s", wide);
		assert_null(strstr(told.json, "\\ufffd"));
		assert_null(strchr(told.line, '?'));
		assert_string_equal(told.json + strlen(told.json) - 5, "→\"}");
	}
	rig_close(&rig);
}

/* A sink that removes sinks, itself too, when it is called. */
struct remover {
	struct strata_trace_sink sink;
	struct strata_stack *stack;
	struct strata_trace_sink *gone[3];
	unsigned int count;
};

static void remove_others(void *ctx, const struct strata_trace_record *record)
{
	struct remover *remover = ctx;
	size_t i;

	(void)record;
	remover->count++;
	for (i = 0; i < STRATA_COUNT(remover->gone) && remover->gone[i] != NULL; i++)
		strata_trace_sink_remove(remover->stack, remover->gone[i]);
}

static void every_sink_hears_until_it_is_removed_even_in_a_call(void **state)
{
	struct rig rig = { .seed = 1 };
	struct remover sinks[4];
	struct heard heard = { 0 };
	size_t i;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	memset(sinks, 0, sizeof(sinks));
	assert_false(rig.stack->tracing);
	for (i = 0; i < STRATA_COUNT(sinks); i++) {
		sinks[i].stack = rig.stack;
		sinks[i].sink.step = remove_others;
		sinks[i].sink.ctx = &sinks[i];
		strata_trace_sink_add(rig.stack, &sinks[i].sink);
		strata_trace_sink_add(rig.stack, &sinks[i].sink);	/* once is enough */
	}
	strata_trace_attach(rig.stack, hear, &heard);
	strata_trace(&rig.k.self, NULL, "one");
	for (i = 0; i < STRATA_COUNT(sinks); i++)
		assert_int_equal(sinks[i].count, 1);
	assert_int_equal(heard.count, 1);
	/* The second takes away the first, itself and the one whose turn would be next. */
	sinks[1].gone[0] = &sinks[0].sink;
	sinks[1].gone[1] = &sinks[1].sink;
	sinks[1].gone[2] = &sinks[2].sink;
	strata_trace(&rig.k.self, NULL, "two");
	strata_trace(&rig.k.self, NULL, "three");
	assert_int_equal(sinks[0].count, 2);
	assert_int_equal(sinks[1].count, 2);
	assert_int_equal(sinks[2].count, 1);
	assert_int_equal(sinks[3].count, 3);
	assert_int_equal(heard.count, 3);
	strata_trace_attach(rig.stack, NULL, NULL);
	assert_true(rig.stack->tracing);
	sinks[3].gone[0] = &sinks[3].sink;
	strata_trace(&rig.k.self, NULL, "four");
	assert_false(rig.stack->tracing);
	strata_trace_sink_remove(rig.stack, &sinks[3].sink);	/* no longer there */
	rig_close(&rig);
}

static void talk_back(void *ctx, const struct strata_trace_record *record)
{
	unsigned int *count = ctx;

	(*count)++;
	strata_trace(record->self, NULL, "heard %u", *count);
}

static void a_sink_does_not_hear_itself(void **state)
{
	struct rig rig = { .seed = 1 };
	unsigned int count = 0;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	strata_trace_attach(rig.stack, talk_back, &count);
	strata_trace(&rig.k.self, NULL, "one");
	assert_int_equal(count, 1);
	rig_close(&rig);
}

static unsigned int evaluated(unsigned int *count)
{
	return ++*count;
}

static void nothing_is_evaluated_while_nobody_listens(void **state)
{
	struct rig rig = { .seed = 1 };
	struct heard heard = { 0 };
	unsigned int count = 0;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	strata_trace(&rig.k.self, NULL, "%u", evaluated(&count));
	strata_trace_fields(&rig.k.self, NULL, STRATA_FIELDS(STRATA_FIELD_UINT("n", evaluated(&count))),
			    "%u", evaluated(&count));
	assert_int_equal(count, 0);
	strata_trace_attach(rig.stack, hear, &heard);
	strata_trace_fields(&rig.k.self, NULL, STRATA_FIELDS(STRATA_FIELD_UINT("n", evaluated(&count))),
			    "%u", evaluated(&count));
	assert_int_equal(count, 2);
	rig_close(&rig);
}

static void a_discard_tells_reason_text_and_severity(void **state)
{
	struct rig rig = { .seed = 1 };
	struct told told = { 0 };
	struct strata_pkt *pkt;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	pkt = strata_pkt_alloc(rig.stack, 64, 64);
	strata_trace_attach(rig.stack, tell, &told);
	strata_drop(&rig.k.self, pkt, KERNEL_DROP_NO_NETWORK);
	assert_non_null(strstr(told.line, "DROP no_network: no network module bound to this number"));
	assert_non_null(strstr(told.json, "\"drop\":{\"reason\":\"no_network\",\"severity\":\"info\"},"
			       "\"text\":\"no network module bound to this number\""));
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
		cmocka_unit_test(fields_are_told_as_text_and_as_json),
		cmocka_unit_test(a_connection_and_its_states_are_told_without_a_packet),
		cmocka_unit_test(what_a_text_says_is_not_said_twice),
		cmocka_unit_test(nothing_in_a_text_forges_a_line_or_ends_a_string),
		cmocka_unit_test(the_longest_step_is_whole_json),
		cmocka_unit_test(every_sink_hears_until_it_is_removed_even_in_a_call),
		cmocka_unit_test(a_sink_does_not_hear_itself),
		cmocka_unit_test(nothing_is_evaluated_while_nobody_listens),
		cmocka_unit_test(a_discard_tells_reason_text_and_severity),
		cmocka_unit_test(link_addresses_are_written_in_hex_pairs),
		cmocka_unit_test(lines_above_the_level_are_not_made),
		cmocka_unit_test(a_message_can_not_forge_lines_or_terminal_codes),
	};

	return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
