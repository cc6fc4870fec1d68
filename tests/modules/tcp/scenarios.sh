#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# TCP's requirements and the scenarios that show them: every requirement has one, every scenario names a
# requirement, and there are at least 300. With --list: prints each requirement with what shows it.
abs_top_srcdir=${abs_top_srcdir:-$(cd "$(dirname "$0")/../../.." && pwd)}
abs_top_builddir=${abs_top_builddir:-$PWD}
here=$abs_top_srcdir/tests/modules/tcp
requirements=$here/requirements.txt

# "REQUIREMENT<tab>PROGRAM<tab>NAME", a line for each scenario.
scenarios() {
	for source in "$here"/scen_*.c; do
		"$abs_top_builddir/tests/modules/tcp/$(basename "$source" .c)" --list
	done
}

# The same of the other tests, as requirements.txt tells.
others() {
	awk -F '\t' '/^#/ { next } $1 != "" { id = $1; next }
		{ split($2, a, ": "); print id "\t" a[1] "\t" a[2] }' "$requirements"
}

all=$(scenarios; others)

if [ "${1:-}" = --list ]; then
	echo "$all" | awk -F '\t' -v file="$requirements" '
		{ n[$1]++; names[$1] = names[$1] "\t" $2 ": " $3 "\n"; total++ }
		END {
			while ((getline line < file) > 0) {
				if (line ~ /^[#\t]/ || line == "") continue
				split(line, a, "\t")
				printf "%s (%d) %s\n%s", a[1], n[a[1]], a[2], names[a[1]]
			}
			print total " scenarios and tests"
		}'
	exit
fi

. "$abs_top_srcdir/tests/lib/cases.sh"
ids=$(grep -v '^[#	]' "$requirements" | cut -f 1)
empty 'every requirement has a scenario' "$(
	grep -v '^[#	]' "$requirements" | grep -v '	\*' | cut -f 1 | while read -r id; do echo "$all" | grep -q "^$id	" || echo "$id: none"; done)"
empty 'every scenario names a requirement' "$(
	echo "$all" | cut -f 1 | sort -u | while read -r id; do
		echo "$ids" | grep -qx "$id" || echo "$id: no such requirement"
	done)"
empty 'every test that requirements.txt names exists' "$(
	others | cut -f 2,3 | sort -u | while read -r program name; do
		case $program in
		*/*) source=$here/../$program.c ;;
		*) source=$here/$program.c ;;
		esac
		grep -qF "cmocka_unit_test($name)" "$source" || echo "$program: $name"
	done)"
empty 'no two scenarios have one name' "$(scenarios | cut -f 2,3 | sort | uniq -d)"
count=$(scenarios | wc -l)
check "there are at least 300 scenarios ($count)" test "$count" -ge 300
finish
