/* SPDX-License-Identifier: BSD-2-Clause */
/* The BSD packet filter's machine: programs that a client compiled, checked, then run on packets. */
#ifndef CONTROL_BPF_H
#define CONTROL_BPF_H

#include <linux/filter.h>
#include <strata/pkt.h>

/** Local choice: instructions of a program, as in BSD and Linux. */
#define CONTROL_BPF_MAX 4096

/** Why a program must not be run, a clause for people; NULL: it may. `*where` is the instruction's number. */
const char *control_bpf_fault(const struct sock_filter *code, size_t count, size_t *where);
/** Runs a faultless program on the packet's bytes from data on. Borrows. Returns what the program does: 0
 *  where the packet is not wanted, also where it reads beyond its end. */
uint32_t control_bpf_run(const struct sock_filter *code, const struct strata_pkt *pkt);

#endif
