/* SPDX-License-Identifier: BSD-2-Clause */
/* The pcap driver in virtual time: a file is received at its pace, and its answers are the same each time. */
#include <unistd.h>

#include "fixture.h"

/* A capture file with nanoseconds, in this machine's order: draft-ietf-opsawg-pcap, section 4. */
enum { MAGIC = 0xa1b23c4d, ETHERNET = 1, FILE_MAX = 100000, RECORD = 16, PAUSE_MS = 250 };
static const uint32_t file_header[6] = { MAGIC, 4u << 16 | 2, 0, 0, 65535, ETHERNET };

#define MANIFEST \
	"strata: 1\nmodules:\n  - name: wire\n  - name: pcap\n  - name: ethernet\n  - name: arp\n" \
	"  - name: ipv4\n  - name: icmp\n  - name: newreno\n  - name: tcp\n" \
	"interfaces:\n  - name: w0\n    driver: wire\n" \
	"  - name: p0\n    driver: pcap\n    mac: 02:00:00:00:00:02\n    addresses: [192.0.2.2/24]\n" \
	"    options:\n      read: %s\n      write: %s\n%s"

struct paths {
	char in[64], out[64];
};

static struct paths paths_make(void)
{
	struct paths p = { "/tmp/strata-pcap-in-XXXXXX", "/tmp/strata-pcap-out-XXXXXX" };
	int in = mkstemp(p.in), out = mkstemp(p.out);

	assert_true(in >= 0 && out >= 0);
	close(in);
	close(out);
	return p;
}

static void paths_remove(const struct paths *p)
{
	unlink(p->in);
	unlink(p->out);
}

static void put_record(FILE *file, uint64_t time, const uint8_t *frame, size_t length)
{
	const uint32_t header[4] = {
		(uint32_t)(time / STRATA_SEC), (uint32_t)(time % STRATA_SEC), (uint32_t)length,
		(uint32_t)length,
	};

	assert_int_equal(fwrite(header, sizeof(header), 1, file), 1);
	assert_int_equal(fwrite(frame, length, 1, file), 1);
}

static size_t ip_frame(uint8_t *frame, uint8_t proto, const void *payload, size_t length)
{
	size_t header = fx_build_eth(frame, STACK_MAC, PEER_MAC, FX_ETH_IP);

	return header + fx_build_ip(frame + header, &(struct fx_ip){ .proto = proto }, 7, payload, length);
}

/* A question who has the stack's address, from which it learns the peer's. */
static size_t arp_frame(uint8_t *frame)
{
	size_t at = fx_build_eth(frame, BROADCAST_MAC, PEER_MAC, FX_ETH_ARP);

	memcpy(frame + at, "\x00\x01\x08\x00\x06\x04\x00\x01", 8);
	memcpy(frame + at + 8, PEER_MAC, 6);
	strata_put_be32(frame + at + 14, PEER_IP);
	memset(frame + at + 18, 0, 6);
	strata_put_be32(frame + at + 24, STACK_IP);
	return at + 28;
}

static size_t echo_frame(uint8_t *frame, uint16_t seq)
{
	uint8_t echo[64] = { 8, 0, 0, 0, 0, 9 };

	strata_put_be16(echo + 6, seq);
	strata_put_be16(echo + 2, fx_sum_finish(fx_sum(0, echo, sizeof(echo))));
	return ip_frame(frame, FX_IP_ICMP, echo, sizeof(echo));
}

static size_t syn_frame(uint8_t *frame)
{
	uint8_t syn[20] = { 0x9c, 0x40, 0, 80, 0, 0, 3, 0xe8, 0, 0, 0, 0, 0x50, SYN, 0xff, 0xff };
	uint32_t sum = fx_sum_pseudo(PEER_IP, STACK_IP, FX_IP_TCP, sizeof(syn));

	strata_put_be16(syn + 16, fx_sum_finish(fx_sum(sum, syn, sizeof(syn))));
	return ip_frame(frame, FX_IP_TCP, syn, sizeof(syn));
}

/* A question, three pings and a SYN, one each quarter of a second. */
static void file_write(const char *path)
{
	FILE *file = fopen(path, "wb");
	uint64_t time = UINT64_C(1700000000) * STRATA_SEC + 123456789;
	uint8_t frame[200];
	uint16_t i;

	assert_non_null(file);
	assert_int_equal(fwrite(file_header, sizeof(file_header), 1, file), 1);
	put_record(file, time, frame, arp_frame(frame));
	for (i = 0; i < 3; i++)
		put_record(file, time += PAUSE_MS * STRATA_MS, frame, echo_frame(frame, i));
	put_record(file, time += PAUSE_MS * STRATA_MS, frame, syn_frame(frame));
	assert_int_equal(fclose(file), 0);
}

struct written {
	uint8_t bytes[FILE_MAX];
	size_t length;
};

/* What the stack writes of the file, `step` ms of virtual time at a time. */
static void play(struct written *w, const char *more, uint64_t seed, unsigned int step)
{
	struct paths p = paths_make();
	char manifest[1000];
	struct fixture *fx;
	unsigned int ms;
	FILE *file;
	int s;

	file_write(p.in);
	snprintf(manifest, sizeof(manifest), MANIFEST, p.in, p.out, more);
	fx = fx_open(.manifest = manifest, .seed = seed, .unsettled = true);
	s = fx_socket(fx, SOCK_STREAM, 0);
	fx_bind(fx, s, 0, 80);
	fx_listen(fx, s, 5);
	for (ms = 0; ms < 10000; ms += step)
		fx_advance(fx, step);
	assert_int_equal(fx_counter(fx, "pcap", "read") % 5, 0);
	fx_close(fx);
	file = fopen(p.out, "rb");
	assert_non_null(file);
	w->length = fread(w->bytes, 1, sizeof(w->bytes), file);
	fclose(file);
	paths_remove(&p);
}

/* The frames of a file written that `test` is true of; `times` gets theirs. */
static unsigned int count(const struct written *w, bool (*test)(const struct fx_pkt *pkt), uint64_t *times)
{
	size_t at = sizeof(file_header);
	unsigned int n = 0;
	struct fx_pkt pkt;

	assert_memory_equal(w->bytes, file_header, 4);
	while (at < w->length) {
		uint32_t header[4];

		memcpy(header, w->bytes + at, sizeof(header));
		assert_int_equal(header[2], header[3]);
		memset(&pkt, 0, sizeof(pkt));
		assert_null(fx_decode(&pkt, w->bytes + at + RECORD, header[2], false));
		if (test(&pkt))
			times[n++] = header[0] * STRATA_SEC + header[1];
		at += RECORD + header[2];
	}
	assert_int_equal(at, w->length);
	return n;
}

static bool is_echo_reply(const struct fx_pkt *pkt)
{
	return pkt->ethertype == FX_ETH_IP && pkt->ip.proto == FX_IP_ICMP && pkt->icmp.type == 0;
}

static bool is_syn_ack(const struct fx_pkt *pkt)
{
	return pkt->ethertype == FX_ETH_IP && pkt->ip.proto == FX_IP_TCP && pkt->tcp.flags == (SYN | ACK);
}

static void a_file_is_received_at_its_pace(void **state)
{
	static const struct {
		const char *option;
		uint64_t pause;
	} speeds[] = {
		{ "", PAUSE_MS * STRATA_MS },
		{ "      speed: 0.5\n", 2 * PAUSE_MS * STRATA_MS },
		{ "      speed: 10\n", PAUSE_MS * STRATA_MS / 10 },
		{ "      speed: max\n", 0 },
	};
	struct written *w = calloc(1, sizeof(*w));
	uint64_t times[100];
	size_t i;

	(void)state;
	assert_non_null(w);
	for (i = 0; i < STRATA_COUNT(speeds); i++) {
		play(w, speeds[i].option, 1, 1000);
		assert_int_equal(count(w, is_echo_reply, times), 3);
		assert_int_equal(times[1] - times[0], speeds[i].pause);
		assert_int_equal(times[2] - times[1], speeds[i].pause);
		/* The first, and what the peer's silence has repeated. */
		assert_true(count(w, is_syn_ack, times) >= 1);
	}
	free(w);
}

static void it_is_received_as_often_as_asked_for(void **state)
{
	struct written *w = calloc(1, sizeof(*w));
	uint64_t times[100];

	(void)state;
	assert_non_null(w);
	play(w, "      loop: 4\n", 1, 1000);
	assert_int_equal(count(w, is_echo_reply, times), 12);
	free(w);
}

static void each_run_writes_the_same_file(void **state)
{
	struct written *first = calloc(1, sizeof(*first)), *again = calloc(1, sizeof(*again));
	static const unsigned int steps[] = { 1000, 1000, 1, 10000 };
	size_t i;

	(void)state;
	assert_true(first != NULL && again != NULL);
	play(first, "      loop: 2\n", 5, 1000);
	for (i = 0; i < STRATA_COUNT(steps); i++) {
		play(again, "      loop: 2\n", 5, steps[i]);
		assert_int_equal(again->length, first->length);
		assert_memory_equal(again->bytes, first->bytes, first->length);
	}
	/* What is random in it (the initial sequence number) is of the seed. */
	play(again, "      loop: 2\n", 6, 1000);
	assert_memory_not_equal(again->bytes, first->bytes, first->length);
	free(first);
	free(again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_received_at_its_pace),
		cmocka_unit_test(it_is_received_as_often_as_asked_for),
		cmocka_unit_test(each_run_writes_the_same_file),
	};

	return fx_main(tests);
}
