#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What the documents say of the tree is so: each module's page has its options as the module itself does,
# and docs/rfc.md names files and tests that exist.
. "${abs_top_srcdir:?}/tests/lib/cases.sh"
cd "$abs_top_srcdir" || exit 1

# A page's entries, one a line: "NAME, NAME (type, range; default; at run time)".
entries() {
	sed 's/\\-/-/g' "$1" | awk 'tag { sub(/^\.[A-Z]+ +/, ""); gsub(/"/, ""); print } { tag = $0 == ".TP" }'
}

# Options of the module as its page should have them: "NAME|WHAT THE ENTRY MUST HOLD", a line for each thing.
wanted() {
	"$abs_top_builddir/tools/strata" module info "$1" | awk -F '  +' '
		$1 == "OPTION" { on = 1; next }
		NF == 0 { on = 0 }
		on {
			if ($3 != "-") print $1 "|" $3
			if ($2 == "choice") { n = split($4, a, ", "); for (i = 1; i <= n; i++) print $1 "|" a[i] }
			else if ($2 != "bool" && $4 != "-") print $1 "|" $4
			if ($6 == "yes") print $1 "|at run time"
			print $1 "|"
		}'
}

for page in modules/*/*/strata-*.7; do
	name=$(basename "$(dirname "$page")")
	empty "strata-$name(7) has the options of the module, their ranges and defaults" "$(
		wanted "$name" | while IFS='|' read -r option what; do
			entries "$page" | grep -E "(^|[ ,])$option[ ,]" | grep -qF -- "$what" ||
				echo "$option: no \"$what\""
		done)"
done

empty 'docs/rfc.md names tests that exist' "$(
	grep -oE '`[a-z0-9]+/[a-z0-9_]+: [^`]+`' docs/rfc.md | tr -d '`' | sort -u | while IFS= read -r entry; do
		case $entry in
		kernel/*) file=tests/${entry%%: *}.c ;;
		system/*) file=tests/${entry%%: *}.sh ;;
		*) file=tests/modules/${entry%%: *}.c ;;
		esac
		grep -qsF -- "${entry#*: }" "$file" || echo "$entry"
	done)"
empty 'docs/rfc.md names files that exist' "$(
	grep -oE '`[a-z]+/[a-z0-9_/]+\.[ch]`' docs/rfc.md | tr -d '`' | sort -u | while read -r file; do
		[ -f "$file" ] || [ -f "modules/$file" ] || echo "$file"
	done)"
empty 'every page that another refers to exists' "$(
	grep -ohE '\bstrata(d|\.yaml|-[a-z]+[0-9]?)? ?\([1578]\)' README.md CONTRIBUTING.md docs/*.md docs/*.7 \
		tools/*.[18] conf/*.5 modules/*/*/*.7 tests/sim/*.7 | tr -d ' ' | sort -u | while read -r reference; do
		file=$(echo "$reference" | sed 's/(\(.\))/.\1/')
		[ -n "$(find docs tools conf modules tests/sim -name "$file")" ] || echo "$reference"
	done)"
finish
