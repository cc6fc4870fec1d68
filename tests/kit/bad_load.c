/* SPDX-License-Identifier: BSD-2-Clause */
/* Whoever opens it crashes. */
#include "bad.h"

__attribute__((constructor)) static void fall(void)
{
	__builtin_trap();
}

MODULE(bad_load, good_input, good_start, good_stop, );
