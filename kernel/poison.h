/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tells AddressSanitizer which bytes of a slab belong to nobody, so that a use after free of a
 * cached object is reported like one of malloc's. Nothing without it.
 */
#ifndef STRATA_KERNEL_POISON_H
#define STRATA_KERNEL_POISON_H

#include <stddef.h>

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define STRATA_POISON 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define STRATA_POISON 1
#endif

#ifdef STRATA_POISON

#include <sanitizer/asan_interface.h>

static inline void poison(void *start, size_t length)
{
	__asan_poison_memory_region(start, length);
}

static inline void unpoison(void *start, size_t length)
{
	__asan_unpoison_memory_region(start, length);
}

#else

static inline void poison(void *start, size_t length)
{
	(void)start;
	(void)length;
}

static inline void unpoison(void *start, size_t length)
{
	(void)start;
	(void)length;
}

#endif
#endif
