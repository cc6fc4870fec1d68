/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A fixture's life: its manifest written, its stack made, settled and destroyed, and all asserted to be
 * gone.
 */
#include "fixture_int.h"
#include "sim_int.h"

#define DEFAULT_MODULES "ethernet arp ipv4 icmp udp newreno tcp"
#define START (1000 * STRATA_SEC)
/* RFC 5227 1.1 takes some 10 s to probe for and announce an address, with pauses of at most 2 s. */
#define SETTLE_MOST (30 * STRATA_SEC)
#define SETTLE_QUIET (3 * STRATA_SEC)
enum { WORD_MAX = 64 };

/* Copies the next word of a list separated by spaces; returns what follows it, NULL at the end. */
static const char *next_word(const char *list, char *word)
{
	size_t n;

	list += strspn(list, " \n\t");
	n = strcspn(list, " \n\t");
	if (n == 0 || n >= WORD_MAX)
		return NULL;
	memcpy(word, list, n);
	word[n] = '\0';
	return list + n;
}

static bool has_word(const char *list, const char *wanted)
{
	char word[WORD_MAX];

	while ((list = next_word(list, word)) != NULL)
		if (strcmp(word, wanted) == 0)
			return true;
	return false;
}

static void write_module(FILE *out, const char *name, const char *options, const char *congestion)
{
	char word[WORD_MAX];
	bool any = false;

	fprintf(out, "  - name: %s\n", name);
	if (congestion != NULL && strcmp(name, "tcp") == 0) {
		fprintf(out, "    options:\n      congestion: %s\n", congestion);
		any = true;
	}
	while (options != NULL && (options = next_word(options, word)) != NULL) {
		char *dot = strchr(word, '.'), *equal = strchr(word, '=');

		if (dot == NULL || equal == NULL || (size_t)(dot - word) != strlen(name) ||
		    strncmp(word, name, strlen(name)) != 0)
			continue;
		*equal = '\0';
		fprintf(out, "%s      %s: %s\n", any ? "" : "    options:\n", dot + 1, equal + 1);
		any = true;
	}
}

/* The congestion module named first is tcp's, unless its options name one. */
static const char *congestion_of(const struct fx_config *config, const char *modules)
{
	static const char *const names[] = { "newreno", "cubic", "bbr" };

	if (config->options != NULL && strstr(config->options, "tcp.congestion=") != NULL)
		return NULL;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (has_word(modules, names[i]))
			return names[i];
	return NULL;
}

static char *write_manifest(const struct fx_config *config)
{
	const char *modules = config->modules != NULL ? config->modules : DEFAULT_MODULES;
	const char *left = modules, *address = config->address, *congestion = congestion_of(config, modules);
	char word[WORD_MAX], *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	assert_non_null(out);
	fputs("strata: 1\nstack:\n  name: test\n  log: debug\nmodules:\n", out);
	write_module(out, "wire", config->options, NULL);
	while ((left = next_word(left, word)) != NULL)
		write_module(out, word, config->options, congestion);
	fputs("interfaces:\n  - name: w0\n    driver: wire\n", out);
	if (config->bare || config->super)
		fprintf(out, "    options:\n%s%s", config->bare ? "      medium: ip\n" : "",
			config->super ? "      offload: true\n" : "");
	if (!config->bare)
		fprintf(out, "    mac: %s\n", config->mac != NULL ? config->mac : "02:00:00:00:00:02");
	if (config->mtu != 0)
		fprintf(out, "    mtu: %u\n", config->mtu);
	if (address == NULL)
		address = has_word(modules, "ipv4") ? "192.0.2.2/24" : "";
	if (address[0] != '\0')
		fprintf(out, "    addresses: [%s]\n", address);
	fputs(config->interface != NULL ? config->interface : "", out);
	fputs(config->extra != NULL ? config->extra : "", out);
	fclose(out);
	return text;
}

/* ---- frames from the stack ---- */

static void append(struct fx_frame ***end, const void *bytes, size_t length, uint64_t time)
{
	struct fx_frame *frame = malloc(sizeof(*frame) + length);

	assert_non_null(frame);
	*frame = (struct fx_frame){ .time = time, .length = length };
	memcpy(frame->bytes, bytes, length);
	**end = frame;
	*end = &frame->next;
}

static void answer_arp(struct fixture *fx, const struct fx_pkt *pkt)
{
	uint8_t reply[42];

	fx_build_eth(reply, pkt->arp.sha, PEER_MAC, FX_ETH_ARP);
	memcpy(reply + 14, "\x00\x01\x08\x00\x06\x04\x00\x02", 8);
	memcpy(reply + 22, PEER_MAC, 6);
	memcpy(reply + 28, pkt->frame + 38, 4);		/* the address asked for */
	memcpy(reply + 32, pkt->frame + 22, 10);	/* the asker */
	append(&fx->inbound_end, reply, sizeof(reply), fx->now);
}

/* RFC 5227 1.1: an announcement of an address of its own, which is of no interest but to tests of ARP. */
static bool is_announcement(const struct fx_pkt *pkt)
{
	return pkt->ethertype == FX_ETH_ARP && pkt->arp.op == 1 && pkt->arp.spa == pkt->arp.tpa;
}

static void captured(void *ctx, struct strata_iface *iface, const void *frame, size_t length)
{
	struct fixture *fx = ctx;
	struct fx_pkt pkt = { .time = fx->now };
	const char *fault = fx_decode(&pkt, frame, length, fx->config.bare);
	char text[160];

	fx->frames++;
	if (fault == NULL && !fx->config.large && length > iface->mtu + iface->header_size)
		fault = "longer than the MTU";
	if (fault != NULL && fx->fault[0] == '\0')
		snprintf(fx->fault, sizeof(fx->fault), "%s (%s)", fault,
			 fx_describe(&pkt, text, sizeof(text)));
	if (getenv("STRATA_TEST_LOG") != NULL)
		fprintf(stderr, "%12.6f sent: %s\n", (double)fx->now / 1e9,
			fx_describe(&pkt, text, sizeof(text)));
	if (fx->join != NULL)
		fx_join_carry(fx->join, fx, &pkt);
	else if (fx->config.answer_arp && pkt.ethertype == FX_ETH_ARP && pkt.arp.op == 1 &&
		 pkt.arp.spa != 0 && pkt.arp.spa != pkt.arp.tpa)
		answer_arp(fx, &pkt);
	else if (fx->config.resolve || !is_announcement(&pkt))
		append(&fx->end, frame, length, fx->now);
}

static void cut(void *ctx, const void *frame, size_t length)
{
	struct fixture *fx = ctx;

	captured(fx, fx->iface, frame, length);
}

/* As the device behind an interface that leaves checksums and segments to it. */
static void captured_uncut(void *ctx, struct strata_iface *iface, const void *frame, size_t length,
			   const struct strata_offload *offload)
{
	struct fixture *fx = ctx;

	fx->supers += offload->seg_type != STRATA_SEG_NONE;
	if (!sim_packet_cut(frame, length, iface->header_size, offload, cut, fx))
		snprintf(fx->fault, sizeof(fx->fault), "a packet cannot be cut");
}

/* ---- making ---- */

static bool addresses_valid(struct fixture *fx)
{
	for (const struct strata_ifaddr *a = strata_ifaddr_first(fx->iface); a != NULL; a = a->next)
		if (a->state == STRATA_IFADDR_TENTATIVE)
			return false;
	return true;
}

/* Passes time until the addresses are valid and nothing is said of them any more. */
static void settle(struct fixture *fx)
{
	uint64_t limit = fx->now + SETTLE_MOST;

	do {
		fx_discard(fx);
		fx_advance_ns(fx, SETTLE_QUIET);
	} while ((fx->first != NULL || !addresses_valid(fx)) && fx->now < limit);
	if (!addresses_valid(fx))
		fx_fail(fx, __FILE__, __LINE__, "an address is still tentative after 30 s");
	fx_discard(fx);
}

/* 192.0.2.1 is the peer; where it is the stack itself, 192.0.2.2. */
static void set_neighbour(struct fixture *fx)
{
	static const uint8_t bytes[2][4] = { { 192, 0, 2, 1 }, { 192, 0, 2, 2 } };
	struct strata_addr addr = strata_addr_make(FX_ETH_IP, bytes[0], 4);
	struct strata_lladdr lladdr = { .length = 6 };

	memcpy(lladdr.bytes, PEER_MAC, 6);
	if (strata_ifaddr_find(fx->stack, &addr) != NULL) {
		addr = strata_addr_make(FX_ETH_IP, bytes[1], 4);
		memcpy(lladdr.bytes, STACK_MAC, 6);
	}
	/* Where memory is to fail, it may fail here. */
	if (strata_neigh_set(fx->iface, &addr, &lladdr) < 0 && fx->fail_at == 0)
		fx_fail(fx, __FILE__, __LINE__, "the peer could not be made a permanent neighbour");
}

const char *fx_module_path(void)
{
	const char *path = getenv("STRATA_MODULE_PATH");

	return path != NULL && path[0] != '\0' ? path : NULL;
}

static void create(struct fixture *fx, const char *manifest)
{
	struct strata_env env = fx_environment(fx);
	struct strata_config config = {
		.manifest_text = manifest,
		.module_path = fx_module_path(),
		.env = &env,
		.run_dir = fx->config.run_dir,
	};

	fx->result = strata_stack_create(&config, &fx->stack, &fx->error);
}

struct fixture *fx_open_config(const struct fx_config *config, const char *file, int line)
{
	struct fixture *fx = calloc(1, sizeof(*fx));
	char *text = NULL;

	assert_non_null(fx);
	fx->config = *config;
	fx->now = config->start != 0 ? config->start : START;
	fx->rng = config->seed != 0 ? config->seed : 1;
	fx->fail_at = config->fail_at;
	fx->fail_forever = config->fail_forever;
	fx->end = &fx->first;
	fx->inbound_end = &fx->inbound;
	fx->conn = (struct fx_conn){ .peer_port = 40000, .stack_port = 80, .peer_isn = 1000 };
	if (config->manifest == NULL)
		text = write_manifest(config);
	create(fx, text != NULL ? text : config->manifest);
	free(text);
	fx->epoch = fx->now;
	if (fx->result < 0) {
		if (!config->may_fail)
			fx_fail(fx, file, line, "no stack: %s\n%s", strerror(-fx->result),
				strata_error_text(&fx->error));
		return fx;
	}
	fx->iface = strata_iface_next(fx->stack, NULL);
	if (fx->iface == NULL)
		return fx;
	if (config->super)
		strata_iface_set_output_offload(fx->iface, captured_uncut, fx);
	else
		strata_iface_set_output(fx->iface, captured, fx);
	if (!config->unsettled)
		settle(fx);
	if (!config->resolve && !config->bare && strata_address_ops(fx->stack, FX_ETH_IP) != NULL)
		set_neighbour(fx);
	fx->epoch = fx->now;
	fx_mark(fx);
	return fx;
}

/* ---- ending ---- */

static void free_frames(struct fx_frame *frame)
{
	while (frame != NULL) {
		struct fx_frame *next = frame->next;

		free(frame);
		frame = next;
	}
}

void fx_discard(struct fixture *fx)
{
	free_frames(fx->first);
	fx->first = NULL;
	fx->end = &fx->first;
}

void fx_close_at(struct fixture *fx, const char *file, int line)
{
	char fault[sizeof(fx->fault)];
	size_t blocks, bytes;

	if (fx == NULL)
		return;
	if (fx->join != NULL)
		fx_part(fx->join);
	strata_stack_destroy(fx->stack);
	memcpy(fault, fx->fault, sizeof(fault));
	blocks = fx->blocks;
	bytes = fx->bytes;
	if (blocks != 0)
		fx_memory_report(fx);
	strata_error_clear(&fx->error);
	fx_discard(fx);
	free_frames(fx->inbound);
	free(fx->last);
	free(fx->reassembled);
	free(fx->log);
	for (unsigned int i = 0; i < fx->mark_count; i++)
		free(fx->marks[i].drops);
	free(fx);
	if (fault[0] != '\0') {
		print_error("the stack sent a faulty frame: %s\n", fault);
		_fail(file, line);
	}
	if (blocks != 0) {
		print_error("the stack kept %zu allocations, %zu bytes\n", blocks, bytes);
		_fail(file, line);
	}
}
