/* SPDX-License-Identifier: BSD-2-Clause */
/* No rule is broken here: all checks pass. */
#include "bad.h"

MODULE(bad_good, good_input, good_start, good_stop, );
