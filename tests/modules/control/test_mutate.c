/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests that were right once: mutated from a seed and sent to the service over its socket. Whatever comes
 * of it, each line gets its one reply, the reply is a line of JSON, and the service stays.
 */
#include "house.h"

#include <sys/socket.h>
#include <unistd.h>

#define ROUNDS 12000
/* Requests of one connection. */
#define CONNECTION 40
#define LINE_MAX 2048

static const char *const requests[] = {
	"{\"v\":1,\"id\":7,\"method\":\"show\",\"what\":\"routes\"}",
	"{\"v\":1,\"id\":\"x\",\"method\":\"show\",\"what\":\"sockets\",\"from\":2}",
	"{\"v\":1,\"method\":\"show\",\"what\":\"options\"}",
	"{\"v\":1,\"method\":\"show\",\"what\":\"graph\"}",
	"{\"v\":1,\"method\":\"option.get\",\"name\":\"tcp.sack\"}",
	"{\"v\":1,\"method\":\"option.set\",\"name\":\"tcp.sack\",\"value\":\"off\"}",
	"{\"v\":1,\"method\":\"option.set\",\"name\":\"stack.log\",\"value\":\"error\"}",
	"{\"v\":1,\"method\":\"address.add\",\"interface\":\"w0\",\"address\":\"198.51.100.7/24\"}",
	"{\"v\":1,\"method\":\"address.remove\",\"interface\":\"w0\",\"address\":\"198.51.100.7/24\"}",
	"{\"v\":1,\"method\":\"route.add\",\"to\":\"203.0.113.0/24\",\"via\":\"192.0.2.1\",\"metric\":7,"
	"\"mtu\":1400,\"src\":\"192.0.2.2\",\"congestion\":\"newreno\",\"interface\":\"w0\"}",
	"{\"v\":1,\"method\":\"route.remove\",\"to\":\"203.0.113.0/24\",\"via\":\"192.0.2.1\",\"metric\":7}",
	"{\"v\":1,\"method\":\"neighbour.add\",\"interface\":\"w0\",\"address\":\"192.0.2.9\","
	"\"mac\":\"02:00:00:00:00:09\"}",
	"{\"v\":1,\"method\":\"neighbour.remove\",\"interface\":\"w0\",\"address\":\"192.0.2.9\"}",
	"{\"v\":1,\"method\":\"interface.set\",\"name\":\"w0\",\"up\":true,\"mtu\":1400}",
	"{\"v\":1,\"method\":\"module.disable\",\"name\":\"udp\"}",
	"{\"v\":1,\"method\":\"module.enable\",\"name\":\"udp\"}",
	"{\"v\":1,\"method\":\"module.load\",\"name\":\"late\",\"file\":\"udp\",\"number\":253,"
	"\"options\":{\"rcvbuf\":\"64KiB\",\"zero_checksum\":true}}",
	"{\"v\":1,\"method\":\"module.unload\",\"name\":\"late\"}",
	"{\"v\":1,\"method\":\"reload\",\"dry_run\":true}",
	"{\"v\":1,\"method\":\"trace\",\"count\":5,\"drops\":true,\"modules\":[\"arp\",\"udp\"]}",
	"{\"v\":1,\"id\":5,\"method\":\"capture\",\"interfaces\":[\"w0\"],\"snaplen\":96,\"count\":9,"
	"\"filter\":{\"text\":\"\",\"programs\":[{\"link_type\":1,\"code\":[[6,0,0,262144]]}]}}",
	"{\"v\":1,\"method\":\"stop\"}",
};

static const char *const pieces[] = {
	"null", "true", "-1", "0", "1e309", "18446744073709551615", "9223372036854775807", "\"\"", "{}", "[]",
	"[[[[", "\\u0000", "\\ud83d", "\xc3", "\xed\xa0\x80", "\"v\":1,", "\"what\":\"drops\",", "%s%n", "\x7f",
	"192.0.2.2", "0.0.0.0/0", "255.255.255.255", "w0", "kernel", "stack.", "/../../", "999999999999",
};

static uint32_t draw(uint64_t *seed, size_t bound)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return (uint32_t)(*seed % bound);
}

static size_t replace(char *line, size_t length, size_t at, size_t cut, const char *by, size_t by_length)
{
	if (length - cut + by_length >= LINE_MAX - 2)
		return length;
	memmove(line + at + by_length, line + at + cut, length - at - cut);
	memcpy(line + at, by, by_length);
	return length - cut + by_length;
}

static size_t mutate(char *line, uint64_t *seed)
{
	const char *other = requests[draw(seed, STRATA_COUNT(requests))];
	size_t length = strlen(requests[draw(seed, STRATA_COUNT(requests))]), i;
	unsigned int changes = draw(seed, 4);
	const char *piece;

	memcpy(line, other, strlen(other));
	length = strlen(other);
	while (changes-- != 0) {
		size_t at = draw(seed, length + 1), cut = draw(seed, 8);
		char byte = (char)draw(seed, 256);

		if (cut > length - at)
			cut = length - at;
		other = requests[draw(seed, STRATA_COUNT(requests))];
		i = draw(seed, strlen(other));
		piece = pieces[draw(seed, STRATA_COUNT(pieces))];
		switch (draw(seed, 5)) {
		case 0:
			length = replace(line, length, at, cut != 0, &byte, 1);
			break;
		case 1:
			length = replace(line, length, at, cut, "", 0);
			break;
		case 2:
			length = replace(line, length, at, cut, piece, strlen(piece));
			break;
		case 3:
			length = replace(line, length, at, cut, other + i, draw(seed, strlen(other) - i + 1));
			break;
		default:	/* a number or a letter near what it was */
			if (at < length)
				line[at] = (char)(line[at] + (draw(seed, 2) ? 1 : -1));
		}
	}
	for (i = 0; i < length; i++)
		if (line[i] == '\n' || line[i] == '\r')
			line[i] = ' ';
	if (length == 0)
		line[length++] = ' ';
	line[length] = '\0';
	return length;
}

/* Whether the connection carries bytes of a file from here on. */
static bool became_raw(const json_t *reply, const char *line)
{
	return json_is_true(json_object_get(reply, "ok")) && strstr(line, "capture") != NULL &&
	       json_is_object(json_object_get(reply, "result"));
}

/* Reads what has been said to a line. Returns false where the connection is no longer one of lines. */
static bool check_replies(struct house *h, int fd, const char *line, unsigned int round)
{
	unsigned int replies = 0;
	bool raw = false;
	json_t *reply;

	while (!raw && (reply = hear_any(h, fd)) != NULL) {
		assert_true(json_is_boolean(json_object_get(reply, "ok")) !=
			    json_is_string(json_object_get(reply, "event")));
		raw = became_raw(reply, line);
		json_decref(reply);
		replies++;
	}
	if (replies == 0)
		fail_msg("round %u: no reply to %s", round, line);
	return !raw;
}

static void every_mutated_request_gets_its_reply(void **state)
{
	uint64_t seed = UINT64_C(0x9e3779b97f4a7c15);
	char line[LINE_MAX];
	struct house h;
	unsigned int i;
	size_t length;
	int fd = -1;

	(void)state;
	house_open(&h, house_network);
	for (i = 0; i < ROUNDS; i++) {
		if (fd < 0)
			fd = client(&h);
		length = mutate(line, &seed);
		line[length] = '\n';
		assert_int_equal(send(fd, line, length + 1, MSG_NOSIGNAL), length + 1);
		line[length] = '\0';
		if (!check_replies(&h, fd, line, i) || i % CONNECTION == CONNECTION - 1) {
			close(fd);
			fd = -1;
			pass(&h, STRATA_MS);
		}
	}
	if (fd >= 0)
		close(fd);
	settle(&h);
	fd = client(&h);
	ask_version(fd, 1);
	expect_version(&h, fd, 1);
	close(fd);
	settle(&h);
	house_close(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_mutated_request_gets_its_reply),
	};

	return fx_main(tests);
}
