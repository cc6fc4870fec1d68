/* SPDX-License-Identifier: BSD-2-Clause */
/* A function is exported beside the descriptor. */
#include "bad.h"

STRATA_API int bad_helper(int n);

int bad_helper(int n)
{
	return n + 1;
}

MODULE(bad_export, good_input, good_start, good_stop, );
