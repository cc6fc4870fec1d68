#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Each SDK header compiles alone, in C11 and C++17, with every compiler that is there.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib/cases.sh"

try() {
	compiler=$1 language=$2 standard=$3
	command -v "$compiler" >/dev/null || return 0
	for header in "$abs_top_srcdir"/include/strata/*.h "$abs_top_srcdir"/tests/sim/strata/*.h; do
		name=strata/$(basename "$header")
		output=$(printf '#include <%s>\n#include <%s>\n' "$name" "$name" |
			"$compiler" -x "$language" -std="$standard" -Wall -Wextra -Wconversion -Werror \
				-fsyntax-only -I"$abs_top_srcdir/include" -I"$abs_top_srcdir/tests/sim" - 2>&1) || echo "$name: $output"
	done >"$work/out"
	empty "every header compiles alone with $compiler as $standard" "$(cat "$work/out")"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
try gcc c c11
try gcc c gnu11
try clang c c11
try g++ c++ c++17
try clang++ c++ c++17
empty 'every header of the folder is installed' "$(cd "$abs_top_srcdir" && for h in include/strata/*.h; do
	grep -qF "$h" include/include.mk || echo "$h"
done)"
finish
