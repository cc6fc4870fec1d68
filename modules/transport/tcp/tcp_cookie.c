/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SYN cookies: where there is no room for a half-open connection, all that must be remembered of it is
 * in the numbers that its peer will send back. Read RFC 4987 3.6, and RFC 7323 5.4 for the clock that
 * time stamps still have to be, before editing.
 */
#include "tcp_int.h"

/* local choice: a cookie is good for the rest of its minute and the next one, as on Linux. */
#define COOKIE_TIME (60 * STRATA_SEC)
#define COOKIE_AGE_MAX 1
/* local choice: minutes that a key serves. */
#define COOKIE_KEY_MINUTES 60
/* Low bits of a time stamp that say what was agreed upon, in Linux's places: the peer's shift count (15: none),
 * SACK, ECN. */
#define STAMP_BITS 6
#define STAMP_MASK ((UINT32_C(1) << STAMP_BITS) - 1)
#define STAMP_WSCALE 0xfu
#define STAMP_SACK (1u << 4)
#define STAMP_ECN (1u << 5)

/* MSS that a cookie can tell. Its low bits are the index, so each one doubles a forger's chance; the
 * common ones are the least, RFC 9293's default, and those of IPv6, PPPoE, Ethernet and jumbo frames. */
static const uint16_t cookie_mss[] = { 48, 216, 536, 1220, 1380, 1440, 1460, 8960 };
_Static_assert(STRATA_COUNT(cookie_mss) == 8, "the index of a cookie has three bits");

static uint64_t minute_of(struct strata_stack *stack)
{
	return strata_now(stack) / COOKIE_TIME;
}

/* The key of a minute, drawn when it is first needed; of the older ones only the last is kept. */
static const struct strata_hash_key *key_of(struct strata_stack *stack, struct tcp_cookies *cookies,
					    uint64_t minute)
{
	/* From 1 on: 0 is a key that was never drawn. */
	uint64_t epoch = minute / COOKIE_KEY_MINUTES + 1;
	unsigned int i = epoch & 1;

	if (cookies->epoch[i] != epoch) {
		strata_random(stack, &cookies->keys[i], sizeof(cookies->keys[i]));
		cookies->epoch[i] = epoch;
	}
	return &cookies->keys[i];
}

static uint32_t cookie_hash(struct strata_stack *stack, struct tcp_cookies *cookies,
			    const struct strata_flow_key *key, uint32_t peer_iss, uint64_t minute)
{
	uint8_t bytes[2 * STRATA_ADDR_MAX + 16], *p = bytes + 2 * STRATA_ADDR_MAX;

	memcpy(bytes, key->local.bytes, STRATA_ADDR_MAX);
	memcpy(bytes + STRATA_ADDR_MAX, key->remote.bytes, STRATA_ADDR_MAX);
	strata_put_be16(p, key->local_port);
	strata_put_be16(p + 2, key->remote_port);
	strata_put_be32(p + 4, peer_iss);
	strata_put_be32(p + 8, (uint32_t)(minute >> 32));
	strata_put_be32(p + 12, (uint32_t)minute);
	return (uint32_t)strata_siphash(key_of(stack, cookies, minute), bytes, sizeof(bytes));
}

/* The index of the largest MSS that is not above the peer's. */
static uint32_t mss_index(uint16_t mss)
{
	uint32_t i = STRATA_COUNT(cookie_mss) - 1;

	while (i > 0 && cookie_mss[i] > mss)
		i--;
	return i;
}

uint32_t tcp_cookie_make(struct strata_stack *stack, struct tcp_cookies *cookies,
			 const struct strata_flow_key *key, uint32_t peer_iss, uint16_t mss)
{
	uint64_t minute = minute_of(stack);

	cookies->good_until = (minute + COOKIE_AGE_MAX + 1) * COOKIE_TIME;
	return cookie_hash(stack, cookies, key, peer_iss, minute) ^ mss_index(mss);
}

bool tcp_cookies_expected(struct strata_stack *stack, const struct tcp_cookies *cookies)
{
	return strata_now(stack) < cookies->good_until;
}

uint16_t tcp_cookie_check(struct strata_stack *stack, struct tcp_cookies *cookies,
			  const struct strata_flow_key *key, uint32_t peer_iss, uint32_t cookie)
{
	uint64_t minute = minute_of(stack);
	uint32_t age, rest;

	for (age = 0; age <= COOKIE_AGE_MAX && age <= minute; age++) {
		rest = cookie ^ cookie_hash(stack, cookies, key, peer_iss, minute - age);
		if (rest < STRATA_COUNT(cookie_mss))
			return cookie_mss[rest];
	}
	return 0;
}

uint32_t tcp_cookie_stamp(uint32_t clock, const struct tcp_request *req)
{
	uint32_t bits = req->options & TCP_HAS_WSCALE ? req->snd_wscale : STAMP_WSCALE, stamp;

	if (req->options & TCP_HAS_SACK_PERMITTED)
		bits |= STAMP_SACK;
	if (req->ecn)
		bits |= STAMP_ECN;
	stamp = (clock & ~STAMP_MASK) | bits;
	/* Never ahead of the clock: the stamps that follow must not be older (RFC 7323 5.4). */
	return seq_gt(stamp, clock) ? stamp - STAMP_MASK - 1 : stamp;
}

void tcp_cookie_unstamp(struct tcp_request *req, uint32_t echo)
{
	uint32_t shift = echo & STAMP_WSCALE;

	if (shift <= TCP_WSCALE_MAX) {
		req->options |= TCP_HAS_WSCALE;
		req->snd_wscale = (uint8_t)shift;
	}
	if (echo & STAMP_SACK)
		req->options |= TCP_HAS_SACK_PERMITTED;
	req->ecn = (echo & STAMP_ECN) != 0;
}
