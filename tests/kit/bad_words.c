/* SPDX-License-Identifier: BSD-2-Clause */
/* Its descriptor has no words. */
#include "bad.h"

static const struct strata_drop_def wordless[] = {
	STRATA_DROP_DEF(SHORT, "", ERROR, NULL)
	STRATA_DROP_DEF(SHORT, "no request", WARNING, NULL)
};

MODULE(bad_words, good_input, good_start, good_stop, .drops = wordless);
