/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A stream whose every byte is known by its place, for transfers that must be exact:
 *
 *	stream write BYTES [KEY]	writes it to standard output
 *	stream check BYTES [KEY]	reads standard input; tells the first byte that is wrong, missing or
 *					too many, and exits with 1
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WORDS = 8192, BLOCK = WORDS * 8 };

/* The finaliser of SplitMix64 (Steele, Lea, Flood 2014) over the word's place. */
static uint64_t word_at(uint64_t place, uint64_t key)
{
	uint64_t z = (place + key * UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xbf58476d1ce4e5b9);

	z ^= z >> 27;
	return z * UINT64_C(0x94d049bb133111eb) ^ z >> 31;
}

static void fill(uint64_t *block, uint64_t first, uint64_t key)
{
	for (uint64_t i = 0; i < WORDS; i++)
		block[i] = word_at(first + i, key);
}

static int write_stream(uint64_t bytes, uint64_t key)
{
	static uint64_t block[WORDS];

	for (uint64_t at = 0; at < bytes;) {
		size_t want = bytes - at < BLOCK ? (size_t)(bytes - at) : BLOCK, done = 0;

		fill(block, at / 8, key);
		while (done < want) {
			ssize_t n = write(STDOUT_FILENO, (char *)block + done, want - done);

			if (n <= 0) {
				perror("stream: write");
				return 1;
			}
			done += (size_t)n;
		}
		at += want;
	}
	return 0;
}

/* Reads until `want` bytes or the end. */
static size_t read_full(void *buf, size_t want)
{
	size_t done = 0;

	while (done < want) {
		ssize_t n = read(STDIN_FILENO, (char *)buf + done, want - done);

		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return done;
}

static int check_stream(uint64_t bytes, uint64_t key)
{
	static uint64_t block[WORDS], expected[WORDS];

	for (uint64_t at = 0; at < bytes;) {
		size_t want = bytes - at < BLOCK ? (size_t)(bytes - at) : BLOCK;
		size_t have = read_full(block, want);

		fill(expected, at / 8, key);
		if (memcmp(block, expected, have) != 0) {
			size_t i = 0;

			while (((char *)block)[i] == ((char *)expected)[i])
				i++;
			fprintf(stderr, "stream: byte %" PRIu64 " is wrong\n", at + i);
			return 1;
		}
		at += have;
		if (have < want) {
			fprintf(stderr, "stream: ended at byte %" PRIu64 " of %" PRIu64 "\n", at, bytes);
			return 1;
		}
	}
	if (read_full(block, 1) != 0) {
		fprintf(stderr, "stream: more than %" PRIu64 " bytes\n", bytes);
		return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	uint64_t bytes, key;

	if (argc < 3 || argc > 4) {
		fprintf(stderr, "usage: stream write|check BYTES [KEY]\n");
		return 2;
	}
	bytes = strtoull(argv[2], NULL, 10);
	key = argc == 4 ? strtoull(argv[3], NULL, 10) : 1;
	if (strcmp(argv[1], "write") == 0)
		return write_stream(bytes, key);
	if (strcmp(argv[1], "check") == 0)
		return check_stream(bytes, key);
	fprintf(stderr, "stream: %s: expected write or check\n", argv[1]);
	return 2;
}
