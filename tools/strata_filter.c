/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Filters of captures and traces: libpcap compiles pcap-filter(7)'s syntax here, where looking a name
 * up may take its time; the daemon gets programs (docs/control.md).
 */
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>
#include "strata_cli.h"

/* Bytes of the longest frame: a super-packet and its link header, as libpcap's own limit for a capture. */
#define FRAME_MAX 262144
/* A request is a line of at most 64 KiB; what else is in it is short. */
#define FILTER_MAX 60000

/* What frames of interfaces, and packets without a frame, may begin with. */
static const struct {
	int link_type, dlt;
	const char *name;
} link_types[] = {
	{ 1, DLT_EN10MB, "Ethernet frames" },
	{ 101, DLT_RAW, "bare IP packets" },
};
#define LINK_TYPES (sizeof(link_types) / sizeof(link_types[0]))

char *cli_filter_text(int argc, char **argv)
{
	size_t length = 1;
	char *text;
	int i;

	for (i = 0; i < argc; i++)
		length += strlen(argv[i]) + 1;
	text = calloc(1, length);
	if (text == NULL) {
		cli_error("out of memory");
		exit(CLI_FAILURE);
	}
	for (i = 0; i < argc; i++) {
		strcat(text, i != 0 ? " " : "");
		strcat(text, argv[i]);
	}
	return text;
}

static json_t *program_json(int link_type, const struct bpf_program *program)
{
	json_t *code = json_array();
	unsigned int i;

	for (i = 0; i < program->bf_len; i++) {
		const struct bpf_insn *insn = &program->bf_insns[i];

		json_array_append_new(code, json_pack("[i,i,i,I]", (int)insn->code, (int)insn->jt,
						      (int)insn->jf, (json_int_t)insn->k));
	}
	return json_pack("{s:i, s:o}", "link_type", link_type, "code", code);
}

/* Compiles for one link type. Returns NULL with libpcap's sentence in `why`, of PCAP_ERRBUF_SIZE bytes. */
static json_t *compile(const char *text, size_t which, char *why)
{
	struct bpf_program program;
	json_t *json = NULL;
	pcap_t *pcap = pcap_open_dead(link_types[which].dlt, FRAME_MAX);

	if (pcap == NULL) {
		snprintf(why, PCAP_ERRBUF_SIZE, "out of memory");
		return NULL;
	}
	if (pcap_compile(pcap, &program, text, 1, PCAP_NETMASK_UNKNOWN) == 0) {
		json = program_json(link_types[which].link_type, &program);
		pcap_freecode(&program);
		snprintf(why, PCAP_ERRBUF_SIZE, "out of memory");
	} else {
		snprintf(why, PCAP_ERRBUF_SIZE, "%s", pcap_geterr(pcap));
	}
	pcap_close(pcap);
	return json;
}

static bool is_wanted(int link_type, const int *wanted, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (wanted[i] == link_type)
			return true;
	return false;
}

/* Takes over the filter. Returns it, or NULL where it is too long for a request. */
static json_t *limit(json_t *filter, const char *text)
{
	if (filter != NULL && json_dumpb(filter, NULL, 0, JSON_COMPACT) <= FILTER_MAX)
		return filter;
	if (filter != NULL)
		cli_error("filter '%.60s…' compiles to more instructions than a request can have; "
			  "choose a simpler one", text);
	else
		cli_error("out of memory");
	json_decref(filter);
	return NULL;
}

json_t *cli_filter_compile(const char *text, const int *wanted, size_t count)
{
	char why[PCAP_ERRBUF_SIZE], first[PCAP_ERRBUF_SIZE] = "";
	json_t *programs = json_array();
	size_t i;

	for (i = 0; i < LINK_TYPES; i++) {
		json_t *program = compile(text, i, why);

		if (program != NULL) {
			json_array_append_new(programs, program);
			continue;
		}
		if (is_wanted(link_types[i].link_type, wanted, count)) {
			cli_error("filter '%s': %s, for %s; pcap-filter(7) has the syntax", text, why,
				  link_types[i].name);
			json_decref(programs);
			return NULL;
		}
		if (first[0] == '\0')
			snprintf(first, sizeof(first), "%s", why);
	}
	if (json_array_size(programs) == 0) {
		cli_error("filter '%s': %s; pcap-filter(7) has the syntax", text, first);
		json_decref(programs);
		return NULL;
	}
	return limit(json_pack("{s:s, s:o}", "text", text, "programs", programs), text);
}
