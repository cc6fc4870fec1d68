/* SPDX-License-Identifier: BSD-2-Clause */
/* It is made for another binary interface. */
#include "bad.h"

MODULE(bad_abi, good_input, good_start, good_stop, .abi_major = STRATA_ABI_MAJOR + 1);
