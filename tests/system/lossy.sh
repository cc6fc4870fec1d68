#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Streams over a lossy path, every byte of them checked: a short run of bench/lossy, which see. How fast
# they are is not judged here.
STRATA_TEST_LIMIT=${STRATA_TEST_LIMIT:-200}
. "$(dirname "$0")/lib.sh"
needs iptables ethtool

sizes='64 8 1 1'
[ "${STRATA_TEST_SANITIZERS:-no}" != yes ] || sizes='8 2 1 1'

# exact OFFLOADS: streams to and from the stack at each loss, by each means.
exact() {
	MIB=$sizes LOSS='0 1 5 10' ALGORITHMS=cubic OFFLOADS=$1 ROUNDS=1 CONTENDERS=strata \
		"$abs_top_srcdir/bench/lossy" "$abs_top_builddir"
}

check 'streams both ways are exact at 0, 1, 5 and 10 % loss each way' exact off
check 'with packets above the MTU, too' exact on
finish
