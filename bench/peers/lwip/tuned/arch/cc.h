/* SPDX-License-Identifier: BSD-2-Clause */
/* What lwIP asks of a compiler and its library: see lwip/arch.h, whose defaults suit. */
#ifndef LWIP_ARCH_CC_H
#define LWIP_ARCH_CC_H

#include <sys/time.h>

#define LWIP_TIMEVAL_PRIVATE 0

#endif
