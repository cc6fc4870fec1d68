#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Every module of the tree passes the conformance kit, with few cycles and packets.

abs_top_srcdir=${abs_top_srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
abs_top_builddir=${abs_top_builddir:-$PWD}
. "$abs_top_srcdir/tests/lib/cases.sh"

for folder in "$abs_top_srcdir"/modules/*/*/module.mk; do
	name=$(basename "$(dirname "$folder")")
	check "$name keeps the rules" "$abs_top_builddir/tools/strata" module test "$name" --cycles 30 --packets 800
done
finish
