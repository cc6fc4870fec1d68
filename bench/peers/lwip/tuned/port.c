/* SPDX-License-Identifier: BSD-2-Clause */
/* What lwIP asks of a port without an operating system: the clock, and a checksum of its own. */
#include <string.h>
#include <time.h>

#include <lwip/sys.h>

u32_t sys_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (u32_t)((u64_t)now.tv_sec * 1000 + (u64_t)now.tv_nsec / 1000000);
}

/* RFC 1071 section 2 (C): in words as wide as the machine's, the carries folded in at the end. */
uint16_t port_checksum(const void *bytes, int length)
{
	const unsigned char *p = bytes;
	uint64_t sum = 0, high = 0;
	uint32_t word;
	uint16_t half;

	for (; length >= 16; length -= 16, p += 16) {
		uint64_t a, b;

		memcpy(&a, p, sizeof(a));
		memcpy(&b, p + 8, sizeof(b));
		sum += (a & UINT32_MAX) + (b & UINT32_MAX);
		high += (a >> 32) + (b >> 32);
	}
	sum += high;
	for (; length >= 4; length -= 4, p += 4) {
		memcpy(&word, p, sizeof(word));
		sum += word;
	}
	for (; length >= 2; length -= 2, p += 2) {
		memcpy(&half, p, sizeof(half));
		sum += half;
	}
	if (length != 0) {
		half = 0;
		memcpy(&half, p, 1);
		sum += half;
	}
	while (sum >> 16)
		sum = (sum & UINT16_MAX) + (sum >> 16);
	return (uint16_t)sum;
}
