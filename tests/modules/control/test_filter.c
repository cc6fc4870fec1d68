/* SPDX-License-Identifier: BSD-2-Clause */
/* Filters: what requests are refused, and the machine against libpcap's on the same programs. */
#include "fixture.h"

#include <jansson.h>
#include <pcap/pcap.h>
#include "control_bpf.h"
#include "control_filter.h"

#define ETHERNET 1
#define RAW 101

static struct fixture *open_fixture(void)
{
	return fx_open(.modules = "ethernet arp ipv4 icmp");
}

/* ---- requests ---- */

static const struct {
	const char *request, *message;
} refused[] = {
	{ "{'filter':1}", "`filter`: expected an object with `text` and `programs`" },
	{ "{'filter':[]}", "`filter`: expected an object with `text` and `programs`" },
	{ "{'filter':{'text':'ip'}}", "`filter`: expected an object with `text` and `programs`" },
	{ "{'filter':{'text':'ip','programs':[]}}",
	  "`filter`: expected an object with `text` and `programs`" },
	{ "{'filter':{'programs':[{'link_type':1,'code':[[6,0,0,0]]}]}}",
	  "`filter`: expected `text`, at most 4096 bytes" },
	{ "{'filter':{'text':'','programs':[{'code':[[6,0,0,0]]}]}}",
	  "`filter`: a program has a `link_type` of 0 to 65535 and `code`" },
	{ "{'filter':{'text':'','programs':[1]}}",
	  "`filter`: a program has a `link_type` of 0 to 65535 and `code`" },
	{ "{'filter':{'text':'','programs':[{'link_type':1}]}}",
	  "`filter`: a program is an array of 1 to 4096 instructions, found 0" },
	{ "{'filter':{'text':'','programs':[{'link_type':1,'code':[[6,0,0,0]]},"
	  "{'link_type':1,'code':[[6,0,0,0]]}]}}",
	  "`filter`: at most 4 programs, each of another `link_type`" },
	{ "{'filter':{'text':'','programs':[{'link_type':1,'code':[[6,0,0]]}]}}",
	  "`filter`: instruction 0: expected [code,jt,jf,k] of 16, 8, 8 and 32 bits" },
	{ "{'filter':{'text':'','programs':[{'link_type':1,'code':[[6,256,0,0]]}]}}",
	  "`filter`: instruction 0: expected [code,jt,jf,k] of 16, 8, 8 and 32 bits" },
	{ "{'filter':{'text':'','programs':[{'link_type':1,'code':[[6,0,0,-1]]}]}}",
	  "`filter`: instruction 0: expected [code,jt,jf,k] of 16, 8, 8 and 32 bits" },
	{ "{'filter':{'text':'','programs':[{'link_type':1,'code':[[6,0,0,4294967296]]}]}}",
	  "`filter`: instruction 0: expected [code,jt,jf,k] of 16, 8, 8 and 32 bits" },
	/* ret 0; ja -1: a loop */
	{ "{'filter':{'text':'','programs':[{'link_type':1,'code':[[5,0,0,4294967295],[6,0,0,0]]}]}}",
	  "`filter`: instruction 0 jumps back or beyond the end; loops, such as protochain makes, are "
	  "not run" },
	{ "{'filter':{'text':'','programs':[{'link_type':1,'code':[[5,0,0,1],[6,0,0,0]]}]}}",
	  "`filter`: instruction 0 jumps back or beyond the end; loops, such as protochain makes, are "
	  "not run" },
	{ "{'filter':{'text':'','programs':[{'link_type':1,'code':[[21,1,0,0],[6,0,0,0]]}]}}",
	  "`filter`: instruction 0 jumps beyond the end" },
	{ "{'filter':{'text':'','programs':[{'link_type':1,'code':[[40,0,0,12]]}]}}",
	  "`filter`: instruction 0 is the last and does not return" },
	{ "{'filter':{'text':'','programs':[{'link_type':1,'code':[[2,0,0,16],[6,0,0,0]]}]}}",
	  "`filter`: instruction 0 uses scratch memory that is not there" },
	{ "{'filter':{'text':'','programs':[{'link_type':1,'code':[[6,0,0,0],[52,0,0,0],[6,0,0,0]]}]}}",
	  "`filter`: instruction 1 divides by 0" },
	{ "{'filter':{'text':'','programs':[{'link_type':1,'code':[[65535,0,0,0],[6,0,0,0]]}]}}",
	  "`filter`: instruction 0 is no instruction of the machine" },
	{ "{'filter':{'text':'','programs':[{'link_type':1,'code':[[14,0,0,0]]}]}}",
	  "`filter`: instruction 0 is no instruction of the machine" },
};

static json_t *parse(const char *text)
{
	char buf[512];
	json_t *json;
	size_t i;

	snprintf(buf, sizeof(buf), "%s", text);
	for (i = 0; buf[i] != '\0'; i++)
		buf[i] = buf[i] == '\'' ? '"' : buf[i];
	json = json_loads(buf, 0, NULL);
	assert_non_null(json);
	return json;
}

static void what_is_no_filter_is_refused_with_a_reason(void **state)
{
	struct fixture *fx = open_fixture();
	size_t i;

	(void)state;
	for (i = 0; i < STRATA_COUNT(refused); i++) {
		struct control_filter *filter;
		json_t *request = parse(refused[i].request);
		char message[256] = "";

		assert_int_equal(control_filter_read(fx->stack, request, &filter, message,
						     sizeof(message)), -EINVAL);
		assert_string_equal(message, refused[i].message);
		assert_null(filter);
		json_decref(request);
	}
	fx_close(fx);
}

static void a_program_of_too_many_instructions_is_refused(void **state)
{
	struct fixture *fx = open_fixture();
	struct control_filter *filter;
	json_t *code = json_array(), *request;
	char message[256] = "";
	int i;

	(void)state;
	for (i = 0; i <= CONTROL_BPF_MAX; i++)
		json_array_append_new(code, json_pack("[i,i,i,i]", 6, 0, 0, 1));
	request = json_pack("{s:{s:s, s:[{s:i, s:o}]}}", "filter", "text", "", "programs", "link_type", 1,
			    "code", code);
	assert_int_equal(control_filter_read(fx->stack, request, &filter, message, sizeof(message)),
			 -EINVAL);
	assert_string_equal(message, "`filter`: a program is an array of 1 to 4096 instructions, found 4097");
	json_array_remove(code, 0);
	assert_int_equal(control_filter_read(fx->stack, request, &filter, message, sizeof(message)), 0);
	control_filter_free(fx->stack, filter);
	json_decref(request);
	fx_close(fx);
}

static void without_a_filter_all_is_wanted(void **state)
{
	struct fixture *fx = open_fixture();
	struct control_filter *filter = NULL;
	json_t *request = json_object();
	char message[64];

	(void)state;
	assert_int_equal(control_filter_read(fx->stack, request, &filter, message, sizeof(message)), 0);
	assert_null(filter);
	assert_true(control_filter_wants(filter, NULL, ETHERNET));
	assert_true(control_filter_knows(filter, RAW));
	assert_null(control_filter_text(filter));
	json_decref(request);
	fx_close(fx);
}

static void memory_that_is_short_leaves_nothing_behind(void **state)
{
	struct fixture *fx = open_fixture();
	json_t *request = parse("{'filter':{'text':'x','programs':[{'link_type':1,'code':[[6,0,0,1]]}]}}");
	struct control_filter *filter = NULL;
	char message[64];
	unsigned int k;

	(void)state;
	for (k = 1; k <= 3; k++) {
		fx_fail_at(fx, k, true);
		assert_int_equal(control_filter_read(fx->stack, request, &filter, message,
						     sizeof(message)), -ENOMEM);
		assert_string_equal(message, "out of memory");
	}
	fx_fail_at(fx, 0, false);
	json_decref(request);
	fx_close(fx);
}

/* ---- the machine ---- */

/* A packet of `length` random bytes, of which `linear` are linear. */
static struct strata_pkt *random_packet(struct fixture *fx, uint32_t linear, const uint8_t *bytes,
					uint32_t length)
{
	struct strata_pkt *pkt = strata_pkt_alloc(fx->stack, 0, linear);

	assert_non_null(pkt);
	assert_int_equal(strata_pkt_append(pkt, bytes, length), 0);
	return pkt;
}

static uint32_t reference(const struct sock_filter *code, const uint8_t *bytes, uint32_t length)
{
	_Static_assert(sizeof(struct sock_filter) == sizeof(struct bpf_insn), "the same layout");

	return bpf_filter((const struct bpf_insn *)code, bytes, length, length);
}

static const char *const expressions[] = {
	"ip", "arp", "icmp", "tcp port 80", "udp", "host 192.0.2.1", "src net 192.0.2.0/24 and not tcp",
	"tcp[tcpflags] & (tcp-syn|tcp-fin) != 0", "ip[2:2] > 576", "greater 100", "less 60",
	"ether broadcast or ip multicast", "vlan 5 and ip", "ip6", "icmp6", "tcp dst portrange 1-1023",
	"udp[0:2] * 3 / 2 - 1 = 7 or ip[8] << 2 = 4", "len = 70", "ip[6:2] & 0x1fff != 0", "ip proto 253",
	"(tcp[12] & 0xf0) >> 2 > 20", "ether[0] & 1 != 0 and ether[20] % 7 = 3",
};

/* A frame that many of the expressions look into: lengths and types mostly right. */
static void make_frame(struct fixture *fx, uint8_t *bytes, uint32_t length)
{
	static const uint16_t types[] = { 0x0800, 0x0800, 0x0800, 0x0806, 0x86dd, 0x8100 };
	static const uint8_t numbers[] = { 1, 6, 6, 17, 253, 58 };

	strata_random(fx->stack, bytes, length);
	if (length < 34)
		return;
	strata_put_be16(bytes + 12, types[strata_random_below(fx->stack, STRATA_COUNT(types))]);
	bytes[14] = (uint8_t)(0x45 + strata_random_below(fx->stack, 3));
	bytes[23] = numbers[strata_random_below(fx->stack, STRATA_COUNT(numbers))];
	bytes[20] &= 0x40;
	bytes[21] = 0;
	memcpy(bytes + 26, "\xc0\x00\x02\x01", 4);
}

static void compiled_filters_decide_as_libpcap_does(void **state)
{
	struct fixture *fx = open_fixture();
	pcap_t *pcap = pcap_open_dead(DLT_EN10MB, 65535);
	unsigned int wanted = 0, n;
	uint8_t bytes[400];
	size_t i, where;

	(void)state;
	for (i = 0; i < STRATA_COUNT(expressions); i++) {
		struct bpf_program program;
		const struct sock_filter *code;

		if (pcap_compile(pcap, &program, expressions[i], 1, PCAP_NETMASK_UNKNOWN) != 0)
			fail_msg("%s: %s", expressions[i], pcap_geterr(pcap));
		code = (const struct sock_filter *)(const void *)program.bf_insns;
		assert_null(control_bpf_fault(code, program.bf_len, &where));
		for (n = 0; n < 300; n++) {
			uint32_t length = strata_random_below(fx->stack, sizeof(bytes)) + 1;
			struct strata_pkt *pkt;
			uint32_t result;

			make_frame(fx, bytes, length);
			pkt = random_packet(fx, strata_random_below(fx->stack, 60), bytes, length);
			result = control_bpf_run(code, pkt);
			assert_int_equal(result, reference(code, bytes, length));
			wanted += result != 0;
			strata_pkt_free(pkt);
		}
		pcap_freecode(&program);
	}
	assert_in_range(wanted, 600, 6000);
	pcap_close(pcap);
	fx_close(fx);
}

/* Instructions of which random programs are made, with what k may be. */
static const struct {
	uint16_t code;
	uint32_t k_below;
} instructions[] = {
	{ BPF_LD | BPF_W | BPF_ABS, 90 }, { BPF_LD | BPF_H | BPF_ABS, 90 },
	{ BPF_LD | BPF_B | BPF_ABS, 90 }, { BPF_LD | BPF_W | BPF_IND, 40 },
	{ BPF_LD | BPF_H | BPF_IND, 40 }, { BPF_LD | BPF_B | BPF_IND, 40 },
	{ BPF_LD | BPF_W | BPF_LEN, 1 }, { BPF_LD | BPF_IMM, 100 }, { BPF_LD | BPF_MEM, 16 },
	{ BPF_LDX | BPF_W | BPF_LEN, 1 }, { BPF_LDX | BPF_IMM, 70 }, { BPF_LDX | BPF_MEM, 16 },
	{ BPF_LDX | BPF_B | BPF_MSH, 90 }, { BPF_ST, 16 }, { BPF_STX, 16 },
	{ BPF_ALU | BPF_ADD | BPF_K, 0 }, { BPF_ALU | BPF_SUB | BPF_X, 0 },
	{ BPF_ALU | BPF_MUL | BPF_K, 0 }, { BPF_ALU | BPF_DIV | BPF_X, 0 },
	{ BPF_ALU | BPF_MOD | BPF_X, 0 }, { BPF_ALU | BPF_AND | BPF_K, 0 },
	{ BPF_ALU | BPF_OR | BPF_X, 0 }, { BPF_ALU | BPF_XOR | BPF_K, 0 },
	{ BPF_ALU | BPF_LSH | BPF_K, 31 }, { BPF_ALU | BPF_RSH | BPF_X, 0 }, { BPF_ALU | BPF_NEG, 0 },
	{ BPF_JMP | BPF_JA, 3 }, { BPF_JMP | BPF_JEQ | BPF_K, 4 }, { BPF_JMP | BPF_JGT | BPF_X, 0 },
	{ BPF_JMP | BPF_JGE | BPF_K, 100 }, { BPF_JMP | BPF_JSET | BPF_K, 0 },
	{ BPF_MISC | BPF_TAX, 0 }, { BPF_MISC | BPF_TXA, 0 }, { BPF_RET | BPF_A, 0 },
	{ BPF_RET | BPF_K, 0 },
};

/* It first sets all scratch memory, which libpcap's machine leaves as it was. */
static void make_program(struct fixture *fx, struct sock_filter *code, size_t count)
{
	size_t i;

	for (i = 0; i < BPF_MEMWORDS; i++)
		code[i] = (struct sock_filter){ .code = BPF_ST, .k = (uint32_t)i };
	for (; i < count; i++) {
		size_t which = strata_random_below(fx->stack, STRATA_COUNT(instructions));
		uint32_t below = instructions[which].k_below;

		code[i] = (struct sock_filter){
			.code = instructions[which].code,
			.jt = (uint8_t)strata_random_below(fx->stack, 4),
			.jf = (uint8_t)strata_random_below(fx->stack, 4),
			.k = below != 0 ? strata_random_below(fx->stack, below) :
			     strata_random32(fx->stack),
		};
	}
	code[count - 1] = (struct sock_filter){ .code = BPF_RET | BPF_A };
}

static void random_programs_do_as_libpcaps_machine_does(void **state)
{
	struct fixture *fx = open_fixture();
	struct sock_filter code[BPF_MEMWORDS + 24];
	unsigned int n, ran = 0, nonzero = 0;
	uint8_t bytes[120];
	size_t where;

	(void)state;
	for (n = 0; n < 30000; n++) {
		size_t count = BPF_MEMWORDS + 4 + strata_random_below(fx->stack, 20);
		uint32_t length = 60 + strata_random_below(fx->stack, 60), result;
		struct strata_pkt *pkt;

		make_program(fx, code, count);
		if (control_bpf_fault(code, count, &where) != NULL)
			continue;
		/* Whatever this one takes libpcap takes: it is the stricter. */
		assert_int_equal(bpf_validate((const struct bpf_insn *)(const void *)code, (int)count), 1);
		strata_random(fx->stack, bytes, length);
		pkt = random_packet(fx, strata_random_below(fx->stack, 60), bytes, length);
		result = control_bpf_run(code, pkt);
		assert_int_equal(result, reference(code, bytes, length));
		strata_pkt_free(pkt);
		ran++;
		nonzero += result != 0;
	}
	assert_true(ran > 15000);
	assert_true(nonzero > ran / 10);
	fx_close(fx);
}

static void a_packet_is_asked_by_its_link_type(void **state)
{
	struct fixture *fx = open_fixture();
	json_t *request = parse("{'filter':{'text':'len','programs':["
				"{'link_type':1,'code':[[128,0,0,0],[22,0,0,0]]},"
				"{'link_type':101,'code':[[6,0,0,0]]}]}}");
	struct control_filter *filter;
	struct strata_pkt *pkt;
	char message[64];

	(void)state;
	assert_int_equal(control_filter_read(fx->stack, request, &filter, message, sizeof(message)), 0);
	assert_string_equal(control_filter_text(filter), "len");
	pkt = random_packet(fx, 60, (const uint8_t *)"abcd", 4);
	assert_true(control_filter_wants(filter, pkt, ETHERNET));
	assert_false(control_filter_wants(filter, pkt, RAW));
	assert_true(control_filter_knows(filter, RAW));
	assert_false(control_filter_knows(filter, 147));
	assert_false(control_filter_wants(filter, pkt, 147));
	strata_pkt_free(pkt);
	control_filter_free(fx->stack, filter);
	json_decref(request);
	fx_close(fx);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_filter_is_refused_with_a_reason),
		cmocka_unit_test(a_program_of_too_many_instructions_is_refused),
		cmocka_unit_test(without_a_filter_all_is_wanted),
		cmocka_unit_test(memory_that_is_short_leaves_nothing_behind),
		cmocka_unit_test(compiled_filters_decide_as_libpcap_does),
		cmocka_unit_test(random_programs_do_as_libpcaps_machine_does),
		cmocka_unit_test(a_packet_is_asked_by_its_link_type),
	};

	return fx_main(tests);
}
