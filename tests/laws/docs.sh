#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What the documents say of the tree is so: each module's page has its options as the module itself does,
# and docs/rfc.md names files and tests that exist.
. "${abs_top_srcdir:?}/tests/lib/cases.sh"
cd "$abs_top_srcdir" || exit 1
if [ "$STRATA_TEST_SANITIZERS" = yes ]; then
	echo "# not for this build: the documents are no others, and each program of it is slow to start"
	exit 0
fi

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
	"$abs_top_builddir/tools/strata" module info "$name" >/dev/null 2>&1 ||
		! grep -q '^if HAVE_' "$(dirname "$page")/module.mk" || continue	# left out here
	said=$(entries "$page")
	empty "strata-$name(7) has the options of the module, their ranges and defaults" "$(
		wanted "$name" | while IFS='|' read -r option what; do
			printf '%s\n' "$said" | grep -E "(^|[ ,])$option[ ,]" | grep -qF -- "$what" ||
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

# ---- what is installed has a page, and the page is sound ----

strata=$abs_top_builddir/tools/strata
pages=$(find docs tools conf modules tests/sim -name '*.[1-8]' | sort)

if command -v mandoc >/dev/null; then
	# shellcheck disable=SC2086
	empty 'mandoc has nothing against the pages, but that they have no date' "$(
		mandoc -T lint -W warning $pages 2>&1 | grep -v 'missing date')"
else
	skip 'mandoc has nothing against the pages' 'mandoc is not installed'
fi
empty 'every module has a page of its own' "$(
	for module in modules/*/*/module.mk; do
		name=$(basename "$(dirname "$module")")
		[ -f "$(dirname "$module")/strata-$name.7" ] || echo "$name"
	done)"
empty 'every installed program has a page of its own' "$(
	sed -n 's/^s\{0,1\}bin_PROGRAMS += //p' tools/*.mk | tr ' ' '\n' | while read -r program; do
		find tools -name "$(basename "$program").[18]" | grep -q . || echo "$program"
	done)"
empty "the README's figures are those of bench/results/bench.json" "$(
	[ ! -f bench/results/bench.json ] || bench/report check bench/results README.md 2>&1)"

# said PATTERN: whether a page of strata(1) or of one of its subcommands has it.
plain_pages=$(sed 's/\\-/-/g; s/\\f[A-Z]//g; s/"//g' $(find tools -name "strata*.1" | sort))
said() { printf '%s\n' "$plain_pages" | grep -qE -e "$1"; }

# All that can be typed, a line each: "NAME", "NAME --OPTION", "NAME VERB", "NAME VERB --OPTION".
typed=$("$strata" complete -- '' | cut -f 1 | while read -r name; do
	echo "$name"
	"$strata" complete -- "$name" -- | cut -f 1 | sed "s/^/$name /"
	"$strata" complete -- help "$name" '' | cut -f 1 | while read -r verb; do
		echo "$name $verb"
		"$strata" complete -- "$name" "$verb" -- | cut -f 1 | sed "s/^/$name $verb /"
	done
done)

empty 'every subcommand, verb and option of strata is in its pages' "$(
	printf '%s\n' "$typed" | while read -r words; do
		case ${words##* } in
		--*) said "${words##* }([ ,)]|$)" ;;
		*) said "(^|[ |])${words##* }([ ,|(]|$)" ;;
		esac || echo "$words"
	done)"

# ---- both ways ----

empty 'the pages have no option that strata does not' "$(
	options=$({
		"$strata" complete -- -- | cut -f 1
		printf '%s\n' "$typed" | sed 's/.* //'
	} | sort -u)
	printf '%s\n' "$plain_pages" | grep -ve '^\.\\"' -e 'gdb ' | grep -oE -e '(^|[ ,([])--[a-z][a-z-]+' |
		tr -d ' ,([' | sort -u | while read -r option; do
		printf '%s\n' "$options" | grep -qxF -e "$option" || echo "$option"
	done)"
finish
