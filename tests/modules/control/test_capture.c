/* SPDX-License-Identifier: BSD-2-Clause */
/* The stream `capture`: its bytes read by a parser of the test's own and by libpcap's, and its limits. */
#include "house.h"

#include <netinet/in.h>
#include <pcap/pcap.h>
#include <sys/socket.h>
#include <unistd.h>

#define FILE_MAX (4 << 20)
#define PACKETS_MAX 4096
#define INTERFACES_MAX 8

static const char network[] =
	"strata: 1\n"
	"modules:\n"
	"  - name: wire\n"
	"  - name: ethernet\n"
	"  - name: loopback\n"
	"  - name: fault\n"
	"  - name: arp\n"
	"  - name: ipv4\n"
	"  - name: icmp\n"
	"  - name: udp\n"
	"  - name: control\n"
	"interfaces:\n"
	"  - name: w0\n"
	"    driver: wire\n"
	"    mac: 02:00:00:00:00:02\n"
	"    addresses: [192.0.2.2/24]\n"
	"  - name: w1\n"
	"    driver: wire\n"
	"    options:\n"
	"      medium: ip\n"
	"    addresses: [198.51.100.2/24]\n"
	"  - name: lo\n"
	"    driver: loopback\n"
	"    addresses: [127.0.0.1/8]\n"
	"  - name: w2\n"
	"    driver: wire\n"
	"    options:\n"
	"      medium: ip\n"
	"  - name: f2\n"
	"    driver: fault\n"
	"    options:\n"
	"      over: w2\n"
	"      tx_loss: 100%\n"
	"    addresses: [203.0.113.2/24]\n";

/* What was read of a file. */
struct packet {
	uint32_t interface, length, captured, flags;
	uint64_t time, id, lost;
	char comment[256];
	const uint8_t *bytes;
};

struct interface {
	char name[32], filter[64];
	uint16_t link_type;
	uint32_t snaplen;
	uint8_t mac[6], resolution;
	bool ended;
	uint64_t received, dropped, accepted, delivered;
};

static struct {
	uint8_t bytes[FILE_MAX];
	size_t length;
	char os[200], application[100];
	struct interface interfaces[INTERFACES_MAX];
	size_t interface_count;
	struct packet packets[PACKETS_MAX];
	size_t packet_count;
} file;

/* ---- reading ---- */

static uint32_t word(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static uint64_t number(const uint8_t *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static void copy_text(char *out, size_t size, const uint8_t *from, size_t length)
{
	assert_true(length < size);
	memcpy(out, from, length);
	out[length] = '\0';
}

/* Calls `each` with the options of a block from `at` on, which must end with opt_endofopt at `end`. */
static void read_options(const uint8_t *at, const uint8_t *end, void *ctx,
			 void (*each)(void *ctx, uint16_t code, const uint8_t *value, uint16_t length))
{
	for (;;) {
		uint16_t option[2];

		assert_true(at + 4 <= end);
		memcpy(option, at, sizeof(option));
		at += 4;
		if (option[0] == 0)
			break;
		assert_true(at + option[1] <= end);
		each(ctx, option[0], at, option[1]);
		for (unsigned int i = option[1]; i % 4 != 0; i++)
			assert_int_equal(at[i], 0);
		at += (option[1] + 3u) / 4 * 4;
	}
	assert_ptr_equal(at, end);
}

static void section_option(void *ctx, uint16_t code, const uint8_t *value, uint16_t length)
{
	(void)ctx;
	if (code == 3)
		copy_text(file.os, sizeof(file.os), value, length);
	else if (code == 4)
		copy_text(file.application, sizeof(file.application), value, length);
	else
		fail_msg("option %u of a section", code);
}

static void interface_option(void *ctx, uint16_t code, const uint8_t *value, uint16_t length)
{
	struct interface *interface = ctx;

	switch (code) {
	case 2:
		copy_text(interface->name, sizeof(interface->name), value, length);
		break;
	case 6:
		assert_int_equal(length, 6);
		memcpy(interface->mac, value, 6);
		break;
	case 9:
		assert_int_equal(length, 1);
		interface->resolution = *value;
		break;
	case 11:
		assert_int_equal(*value, 0);
		copy_text(interface->filter, sizeof(interface->filter), value + 1, length - 1u);
		break;
	default:
		fail_msg("option %u of an interface", code);
	}
}

static void packet_option(void *ctx, uint16_t code, const uint8_t *value, uint16_t length)
{
	struct packet *packet = ctx;

	switch (code) {
	case 1:
		copy_text(packet->comment, sizeof(packet->comment), value, length);
		break;
	case 2:
		assert_int_equal(length, 4);
		packet->flags = word(value);
		break;
	case 4:
		assert_int_equal(length, 8);
		packet->lost = number(value);
		break;
	case 5:
		assert_int_equal(length, 8);
		packet->id = number(value);
		break;
	default:
		fail_msg("option %u of a packet", code);
	}
}

static void statistics_option(void *ctx, uint16_t code, const uint8_t *value, uint16_t length)
{
	struct interface *interface = ctx;

	assert_int_equal(length, 8);
	switch (code) {
	case 2:
	case 3:
		assert_in_range(word(value), 0, 1 << 30);	/* the upper word first */
		break;
	case 4:
		interface->received = number(value);
		break;
	case 5:
		interface->dropped = number(value);
		break;
	case 6:
		interface->accepted = number(value);
		break;
	case 8:
		interface->delivered = number(value);
		break;
	default:
		fail_msg("option %u of statistics", code);
	}
}

static void read_packet(const uint8_t *block, const uint8_t *end)
{
	struct packet *packet = &file.packets[file.packet_count++];

	assert_true(file.packet_count < PACKETS_MAX);
	*packet = (struct packet){
		.interface = word(block + 8),
		.time = (uint64_t)word(block + 12) << 32 | word(block + 16),
		.captured = word(block + 20), .length = word(block + 24), .bytes = block + 28,
	};
	assert_true(packet->interface < file.interface_count);
	assert_true(packet->captured <= packet->length);
	read_options(block + 28 + (packet->captured + 3) / 4 * 4, end, packet, packet_option);
}

static void read_block(const uint8_t *block, uint32_t total)
{
	const uint8_t *end = block + total - 4;
	struct interface *interface;

	switch (word(block)) {
	case 0x0a0d0d0a:
		assert_ptr_equal(block, file.bytes);
		assert_int_equal(word(block + 8), 0x1a2b3c4d);
		assert_int_equal(word(block + 12), 1);		/* version 1.0 */
		assert_int_equal(word(block + 16), UINT32_MAX);
		assert_int_equal(word(block + 20), UINT32_MAX);
		read_options(block + 24, end, NULL, section_option);
		break;
	case 1:
		interface = &file.interfaces[file.interface_count++];
		interface->link_type = (uint16_t)word(block + 8);
		interface->snaplen = word(block + 12);
		read_options(block + 16, end, interface, interface_option);
		break;
	case 5:
		interface = &file.interfaces[word(block + 8)];
		assert_false(interface->ended);
		interface->ended = true;
		read_options(block + 20, end, interface, statistics_option);
		break;
	case 6:
		read_packet(block, end);
		break;
	default:
		fail_msg("block of type %u", word(block));
	}
}

/* Reads what the stream has so far, to its end where it must. Every block must be whole. */
static void read_file(struct house *h, int fd, bool to_end)
{
	size_t at = 0;
	ssize_t n;

	for (;;) {
		if (h->stack != NULL)
			settle(h);
		n = recv(fd, file.bytes + file.length, sizeof(file.bytes) - file.length, 0);
		if (n <= 0)
			break;
		file.length += (size_t)n;
	}
	assert_true(to_end ? n == 0 : errno == EAGAIN);
	while (at < file.length) {
		uint32_t total = word(file.bytes + at + 4);

		assert_true(file.length - at >= 12 && total <= file.length - at && total % 4 == 0);
		assert_int_equal(word(file.bytes + at + total - 4), total);
		read_block(file.bytes + at, total);
		at += total;
	}
}

/* Ends a capture as a client does, and reads it to its end. */
static void finish(struct house *h, int fd)
{
	say(fd, "{\"v\":1,\"method\":\"stop\"}\n");
	read_file(h, fd, true);
	close(fd);
	settle(h);
}

static void swallow(void *ctx, struct strata_iface *iface, const void *frame, size_t length)
{
	(void)ctx;
	(void)iface;
	(void)frame;
	(void)length;
}

/* Begins a capture; what was read before is forgotten. Somebody takes what the wires send. */
static int begin(struct house *h, const char *members)
{
	struct strata_iface *iface = NULL;
	char request[1024];
	int fd = client(h);

	while ((iface = strata_iface_next(h->stack, iface)) != NULL)
		strata_iface_set_output(iface, swallow, NULL);
	memset(&file, 0, sizeof(file));
	snprintf(request, sizeof(request), "'method':'capture'%s%s", members[0] != '\0' ? "," : "", members);
	json_decref(ask_ok(h, fd, request));
	return fd;
}

static const struct interface *named(const char *name)
{
	for (size_t i = 0; i < file.interface_count; i++)
		if (strcmp(file.interfaces[i].name, name) == 0)
			return &file.interfaces[i];
	fail_msg("no interface %s in the file", name);
	return NULL;
}

/* ---- traffic ---- */

static struct strata_iface *iface(struct house *h, const char *name)
{
	return strata_iface_by_name(h->stack, name);
}

/* A datagram from the peer to a port that nobody listens on, on w0. */
static void receive_datagram(struct house *h, size_t length)
{
	const struct fx_ip ip = { .proto = 17 };
	uint8_t frame[1600], datagram[1500] = { 0x30, 0x39, 0x27, 0x0f };

	strata_put_be16(datagram + 4, (uint16_t)(8 + length));
	fx_build_eth(frame, STACK_MAC, PEER_MAC, FX_ETH_IP);
	length = 14 + fx_build_ip(frame + 14, &ip, 1, datagram, 8 + length);
	assert_int_equal(strata_input(iface(h, "w0"), frame, length, h->now), 0);
}

static int send_datagram(struct house *h, const char *to, size_t length)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(9) };
	static const char text[1400];
	int s = strata_socket(h->stack, AF_INET, SOCK_DGRAM, 0);
	ssize_t n;

	inet_pton(AF_INET, to, &address.sin_addr);
	n = strata_sendto(h->stack, s, text, length, 0, (struct sockaddr *)&address, sizeof(address));
	strata_close(h->stack, s);
	settle(h);
	return (int)n;
}

/* ---- tests ---- */

static void it_begins_with_the_section_and_the_interfaces(void **state)
{
	struct house h;
	int fd;

	(void)state;
	house_open(&h, network);
	fd = begin(&h, "'snaplen':96,'filter':{'text':'ip','programs':["
		   "{'link_type':1,'code':[[6,0,0,1]]},{'link_type':101,'code':[[6,0,0,1]]}]}");
	finish(&h, fd);
	assert_int_equal(file.interface_count, 5);
	assert_string_equal(file.interfaces[0].name, "w0");
	assert_int_equal(file.interfaces[0].link_type, 1);
	assert_int_equal(file.interfaces[0].snaplen, 96);
	assert_int_equal(file.interfaces[0].resolution, 9);
	assert_string_equal(file.interfaces[0].filter, "ip");
	assert_memory_equal(file.interfaces[0].mac, "\x02\0\0\0\0\x02", 6);
	assert_int_equal(named("w1")->link_type, 101);
	assert_int_equal(named("lo")->link_type, 101);
	assert_int_equal(named("f2")->link_type, 101);
	assert_memory_equal(file.application, "Strata ", 7);
	assert_memory_equal(file.os, "Linux ", 6);
	for (size_t i = 0; i < file.interface_count; i++)
		assert_true(file.interfaces[i].ended);
	house_close(&h);
}

static void a_frame_stands_beside_what_discards_it(void **state)
{
	struct house h;
	int fd;

	(void)state;
	house_open(&h, network);
	fd = begin(&h, "'interfaces':['w0']");
	receive_datagram(&h, 10);
	finish(&h, fd);
	/* The request for the peer's address, which the answer waits for, goes out too. */
	assert_true(file.packet_count >= 2);
	assert_int_equal(file.packets[0].length, 14 + 20 + 8 + 10);
	assert_int_equal(file.packets[0].flags & 3, 1);
	assert_true(file.packets[0].id != 0);
	assert_string_equal(file.packets[0].comment, "dropped by kernel: no_flow (no socket for this port)");
	assert_int_equal(file.packets[1].flags & 3, 2);
	assert_string_equal(file.packets[1].comment, "");
	house_close(&h);
}

static void only_discards_are_told_where_they_are_asked_for(void **state)
{
	struct house h;
	int fd;

	(void)state;
	house_open(&h, network);
	fd = begin(&h, "'drops_only':true");
	receive_datagram(&h, 10);
	receive_datagram(&h, 20);
	finish(&h, fd);
	assert_int_equal(file.packet_count, 2);
	assert_int_equal(file.packets[1].length, 14 + 20 + 8 + 20);
	assert_int_equal(named("w0")->accepted, 2);
	assert_int_equal(named("w0")->delivered, 2);
	assert_true(named("w0")->received > 2);
	house_close(&h);
}

static void an_impaired_link_says_what_it_lost(void **state)
{
	struct house h;
	int fd;

	(void)state;
	house_open(&h, network);
	fd = begin(&h, "");
	assert_int_equal(send_datagram(&h, "203.0.113.1", 5), 5);
	finish(&h, fd);
	assert_int_equal(file.packet_count, 1);
	assert_string_equal(file.interfaces[file.packets[0].interface].name, "f2");
	assert_memory_equal(file.packets[0].comment, "dropped by fault: ", 18);
	house_close(&h);
}

static void a_frame_is_on_both_interfaces_that_it_passes_with_one_number(void **state)
{
	struct house h;
	int fd;

	(void)state;
	house_open(&h, network);
	assert_int_equal(strata_option_set(h.stack, "f2.tx_loss", "0%", NULL), 0);
	fd = begin(&h, "'direction':'out'");
	send_datagram(&h, "203.0.113.1", 5);
	finish(&h, fd);
	assert_int_equal(file.packet_count, 2);
	assert_int_equal(file.packets[0].id, file.packets[1].id);
	assert_int_not_equal(file.packets[0].interface, file.packets[1].interface);
	house_close(&h);
}

static void a_direction_is_one(void **state)
{
	struct house h;
	int fd;

	(void)state;
	house_open(&h, network);
	fd = begin(&h, "'direction':'in','interfaces':['w0']");
	receive_datagram(&h, 10);
	finish(&h, fd);
	assert_int_equal(file.packet_count, 1);
	house_close(&h);
}

static void a_filter_leaves_out_and_a_snap_length_cuts(void **state)
{
	struct house h;
	int fd;

	(void)state;
	house_open(&h, network);
	/* udp: ldh [12]; jeq 0x800; ldb [23]; jeq 17; ret 65535; ret 0 */
	fd = begin(&h, "'snaplen':40,'filter':{'text':'udp','programs':[{'link_type':1,'code':["
		   "[40,0,0,12],[21,0,3,2048],[48,0,0,23],[21,0,1,17],[6,0,0,65535],[6,0,0,0]]}]}");
	receive_datagram(&h, 100);
	send_datagram(&h, "198.51.100.1", 5);	/* there the filter says nothing: no packet passes */
	finish(&h, fd);
	assert_int_equal(file.packet_count, 1);
	assert_int_equal(file.packets[0].captured, 40);
	assert_int_equal(file.packets[0].length, 14 + 20 + 8 + 100);
	assert_int_equal(named("w0")->received, 2);
	assert_int_equal(named("w0")->accepted, 1);
	house_close(&h);
}

static void it_ends_itself_after_the_packets_asked_for(void **state)
{
	struct house h;
	int fd, i;

	(void)state;
	house_open(&h, network);
	fd = begin(&h, "'count':3,'direction':'in'");
	for (i = 0; i < 5; i++)
		receive_datagram(&h, 10);
	read_file(&h, fd, true);
	close(fd);
	settle(&h);
	assert_int_equal(file.packet_count, 3);
	assert_true(named("w0")->ended);
	assert_int_equal(named("w0")->delivered, 3);
	house_close(&h);
}

/* RFC 1071 over the datagram and its pseudo-header. */
static void check_udp_sum(const uint8_t *ip, uint32_t length)
{
	uint32_t sum = fx_sum_pseudo(strata_get_be32(ip + 12), strata_get_be32(ip + 16), 17, length - 20);

	assert_int_equal(fx_sum_finish(fx_sum(sum, ip + 20, length - 20)), 0);
	assert_int_not_equal(strata_get_be16(ip + 26), 0);
}

static void a_loopbacks_packets_are_there_once_with_whole_checksums(void **state)
{
	struct house h;
	int fd;

	(void)state;
	house_open(&h, network);
	fd = begin(&h, "'interfaces':['lo']");
	send_datagram(&h, "127.0.0.1", 1400);
	finish(&h, fd);
	/* The datagram, and the error about its port. */
	assert_int_equal(file.packet_count, 2);
	assert_int_equal(file.packets[0].length, 1428);
	assert_int_equal(file.packets[0].flags & 3, 1);
	check_udp_sum(file.packets[0].bytes, 1428);
	assert_int_equal(named("lo")->received, 2);
	house_close(&h);
}

static void what_goes_out_on_a_loopback_is_there_for_who_asks(void **state)
{
	struct house h;
	int fd;

	(void)state;
	house_open(&h, network);
	fd = begin(&h, "'interfaces':['lo'],'direction':'out'");
	send_datagram(&h, "127.0.0.1", 5);
	finish(&h, fd);
	assert_int_equal(file.packet_count, 2);
	assert_int_equal(file.packets[0].flags & 3, 2);
	check_udp_sum(file.packets[0].bytes, 33);
	house_close(&h);
}

static void two_captures_do_not_know_of_each_other(void **state)
{
	struct house h;
	int one, two;

	(void)state;
	house_open(&h, network);
	one = begin(&h, "'interfaces':['w0'],'direction':'in'");
	two = begin(&h, "'interfaces':['w0'],'direction':'in'");
	receive_datagram(&h, 10);
	finish(&h, two);
	assert_int_equal(file.packet_count, 1);
	receive_datagram(&h, 10);
	memset(&file, 0, sizeof(file));
	finish(&h, one);
	assert_int_equal(file.packet_count, 2);
	house_close(&h);
}

/* ---- limits ---- */

static void who_does_not_read_loses_and_is_told_how_much(void **state)
{
	uint64_t lost = 0;
	size_t used, i;
	struct house h;
	int fd;

	(void)state;
	house_open(&h, network);
	strata_option_set(h.stack, "control.stream_buffer", "64KiB", NULL);
	fd = begin(&h, "'interfaces':['w0'],'direction':'in'");
	used = strata_memory_used(h.stack);
	for (i = 0; i < 1000; i++) {
		receive_datagram(&h, 1400);
		assert_true(strata_memory_used(h.stack) < used + (256 << 10));
	}
	read_file(&h, fd, false);
	/* What was lost is told with the next one that was not. */
	receive_datagram(&h, 10);
	memset(&file.packets, 0, sizeof(file.packets));
	file.packet_count = file.interface_count = 0;
	finish(&h, fd);
	assert_in_range(file.packet_count, 30, 999);
	for (i = 0; i < file.packet_count; i++)
		lost += file.packets[i].lost;
	assert_int_equal(file.packet_count + lost, 1001);
	assert_true(file.packets[file.packet_count - 1].lost > 0);
	assert_int_equal(named("w0")->dropped, lost);
	assert_int_equal(named("w0")->received, 1001);
	assert_int_equal(named("w0")->delivered, file.packet_count);
	assert_int_equal(counter(&h, "stream_lost"), lost);
	house_close(&h);
}

static void a_client_that_hangs_up_leaves_nothing(void **state)
{
	struct house h;
	int fd;

	(void)state;
	house_open(&h, network);
	fd = begin(&h, "");
	assert_true(h.stack->watching);
	receive_datagram(&h, 10);
	close(fd);
	settle(&h);
	assert_false(h.stack->watching);
	receive_datagram(&h, 10);
	house_close(&h);
}

static void a_stack_that_ends_ends_captures_in_good_order(void **state)
{
	struct house h;
	int fd;

	(void)state;
	house_open(&h, network);
	fd = begin(&h, "");
	receive_datagram(&h, 10);
	house_close(&h);
	h.stack = NULL;
	read_file(&h, fd, true);
	close(fd);
	assert_true(file.packet_count >= 2);
	assert_true(named("w0")->ended);
}

static void what_cannot_be_is_refused(void **state)
{
	struct house h;
	int fd;

	(void)state;
	house_open(&h, network);
	fd = client(&h);
	ask_refused(&h, fd, "'method':'capture','interfaces':['w9']", "not_found", "no interface 'w9'");
	ask_refused(&h, fd, "'method':'capture','interfaces':[]", "invalid", "`interfaces` is empty");
	ask_refused(&h, fd, "'method':'capture','interfaces':[7]", "invalid", "an array of names");
	ask_refused(&h, fd, "'method':'capture','direction':'up'", "invalid", "\"in\" or \"out\"");
	ask_refused(&h, fd, "'method':'capture','count':0", "bad_request", "`count`");
	ask_refused(&h, fd, "'method':'capture','filter':{'text':'x','programs':[{'link_type':1,"
		    "'code':[[5,0,0,4294967295],[6,0,0,0]]}]}", "invalid", "jumps back");
	ask_refused(&h, fd, "'method':'capture','interfaces':['w1'],'filter':{'text':'x','programs':["
		    "{'link_type':1,'code':[[6,0,0,0]]}]}", "invalid", "interface w1, whose link type is 101");
	assert_false(h.stack->watching);
	close(fd);
	settle(&h);
	house_close(&h);
}

/* ---- others' readers ---- */

static void libpcap_reads_it(void **state)
{
	char path[] = "/tmp/strata-capture-XXXXXX", why[PCAP_ERRBUF_SIZE];
	struct pcap_pkthdr *header;
	const u_char *bytes;
	unsigned int count = 0;
	struct house h;
	pcap_t *pcap;
	FILE *out;
	int fd, i;

	(void)state;
	house_open(&h, network);
	fd = begin(&h, "'interfaces':['w0'],'direction':'in'");
	for (i = 0; i < 20; i++)
		receive_datagram(&h, (size_t)i * 70);
	finish(&h, fd);
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, file.bytes, file.length), file.length);
	close(fd);
	out = fopen(path, "r");
	pcap = pcap_fopen_offline_with_tstamp_precision(out, PCAP_TSTAMP_PRECISION_NANO, why);
	unlink(path);
	if (pcap == NULL)
		fail_msg("%s", why);
	assert_int_equal(pcap_datalink(pcap), DLT_EN10MB);
	while (pcap_next_ex(pcap, &header, &bytes) == 1) {
		assert_int_equal(header->len, 42 + count * 70);
		assert_int_equal(header->ts.tv_sec, 1000);
		assert_memory_equal(bytes, STACK_MAC, 6);
		count++;
	}
	assert_int_equal(count, 20);
	pcap_close(pcap);
	house_close(&h);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_begins_with_the_section_and_the_interfaces),
		cmocka_unit_test(a_frame_stands_beside_what_discards_it),
		cmocka_unit_test(only_discards_are_told_where_they_are_asked_for),
		cmocka_unit_test(an_impaired_link_says_what_it_lost),
		cmocka_unit_test(a_frame_is_on_both_interfaces_that_it_passes_with_one_number),
		cmocka_unit_test(a_direction_is_one),
		cmocka_unit_test(a_filter_leaves_out_and_a_snap_length_cuts),
		cmocka_unit_test(it_ends_itself_after_the_packets_asked_for),
		cmocka_unit_test(a_loopbacks_packets_are_there_once_with_whole_checksums),
		cmocka_unit_test(what_goes_out_on_a_loopback_is_there_for_who_asks),
		cmocka_unit_test(two_captures_do_not_know_of_each_other),
		cmocka_unit_test(who_does_not_read_loses_and_is_told_how_much),
		cmocka_unit_test(a_client_that_hangs_up_leaves_nothing),
		cmocka_unit_test(a_stack_that_ends_ends_captures_in_good_order),
		cmocka_unit_test(what_cannot_be_is_refused),
		cmocka_unit_test(libpcap_reads_it),
	};

	return fx_main(tests);
}
