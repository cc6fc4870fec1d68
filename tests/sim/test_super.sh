#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The simulations of the other programs, with super-packets between hosts and links.
. "${abs_top_srcdir:?}/tests/lib/cases.sh"
dir=${abs_top_builddir:?}/tests/sim

check 'connections through bad links' "$dir/test_lossy" --super --scale 2
check 'hosts, clocks and links with faults' "$dir/test_faulty" --super
finish
