/* SPDX-License-Identifier: BSD-2-Clause */
/* The generator's block function, shared with its test. */
#ifndef STRATA_KERNEL_RANDOM_H
#define STRATA_KERNEL_RANDOM_H

#include <stdint.h>

#define CHACHA_KEY 32
#define CHACHA_BLOCK 64

/* The ChaCha20 block function (RFC 8439 2.3) with a nonce of 96 bits as three words. */
void chacha20_block(const uint8_t key[CHACHA_KEY], uint32_t counter, const uint32_t nonce[3],
		    uint8_t out[CHACHA_BLOCK]);

#endif
