/* SPDX-License-Identifier: BSD-2-Clause */
/* Its number is that of another module. */
#include "bad.h"

MODULE(bad_number, good_input, good_start, good_stop, .number = 17);
