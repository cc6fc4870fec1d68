#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# docs/write-a-module.md and examples/rudp say the same: the files that the tutorial writes are those of the example, and
# the others are what `strata new-module` writes. That the tutorial works is tests/tools/tutorial, on an installed Strata.
. "${abs_top_srcdir:?}/tests/lib/cases.sh"
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/blocks" && cd "$dir" || exit 1

check 'a project is written as the tutorial does' "$abs_top_builddir/tools/strata" new-module rudp --kind transport \
	--number 253 --author 'Ann Author' --module-path "$abs_top_builddir/modules/.libs"
check 'the tutorial is taken apart' awk -v dir=blocks -f "$abs_top_srcdir/tests/tools/blocks.awk" \
	"$abs_top_srcdir/docs/write-a-module.md"
for block in blocks/*.name; do
	name=$(cat "$block")
	case $name in
	*+) cat "${block%.name}.file" >>"rudp/${name%+}" ;;
	*) cat "${block%.name}.file" >"rudp/$name" ;;
	esac
done
for file in "$abs_top_srcdir"/examples/rudp/* "$abs_top_srcdir"/examples/rudp/.gitignore; do
	name=$(basename "$file")
	check "examples/rudp/$name is what the tutorial makes" diff "$file" "rudp/$name"
done
finish
