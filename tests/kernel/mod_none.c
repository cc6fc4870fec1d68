/* SPDX-License-Identifier: BSD-2-Clause */
/* A shared object that is no module. */
#include <strata/base.h>

STRATA_API int mod_none_value(void);

int mod_none_value(void)
{
	return 1;
}
