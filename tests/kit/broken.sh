#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The conformance kit finds what it is there to find: modules that break one rule each, built outside of the
# build as their authors would, are found by the check of that rule, with a place and a remedy.

abs_top_srcdir=${abs_top_srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
abs_top_builddir=${abs_top_builddir:-$PWD}
. "$abs_top_srcdir/tests/lib/cases.sh"

strata=$abs_top_builddir/tools/strata
work=$(mktemp -d "${TMPDIR:-/tmp}/strata-kit-test.XXXXXX") || exit 1
export TMPDIR=$work
trap 'rm -rf "$work"' EXIT
export LC_ALL=C
unset MAKEFLAGS

# build NAME [FLAG…]: bad_NAME.so
build() {
	# shellcheck disable=SC2086
	${STRATA_TEST_CC:-cc} -std=gnu11 -O1 -g -fPIC -fvisibility=hidden -w -I"$abs_top_srcdir/include" -shared \
		-o "$work/bad_$1.so" "$abs_top_srcdir/tests/kit/bad_$1.c" -Wl,-z,now -L"$abs_top_builddir/.libs" \
		-lstrata "${@:2}" || { fail "bad_$1.c is built"; return 1; }
	chmod 755 "$work/bad_$1.so"
}

# found NAME CHECK TEXT [ARGUMENT…]: bad_NAME.so fails CHECK, and that text is told.
found() {
	build "$1" || return
	"$strata" module test "$work/bad_$1.so" --only "$2" --cycles 30 --packets 800 "${@:4}" \
		>"$work/out" 2>"$work/err"
	local status=$?
	if [ $status -eq 1 ] && grep -q "^  failed   $2 " "$work/out" && grep -qF -- "$3" "$work/out"; then
		pass "$2 finds bad_$1: $3"
	else
		fail "$2 finds bad_$1: $3" "exit status $status" "$(cat "$work/out" "$work/err")"
	fi
}

# A module without a fault: nothing is found.
build good && {
	check 'all checks pass for a module that keeps the rules' \
		"$strata" module test "$work/bad_good.so" --cycles 30 --packets 800
	check 'and for another seed' "$strata" module test "$work/bad_good.so" --only fuzz --seed 99
}

found abi load 'expected binary interface'
found load load 'crashed with SIG'
found export symbols 'exports bad_helper'
found call calls 'calls getenv: it reads or changes the environment'
found shared globals 'turn is a writable variable'
found shared stacks 'depends on another stack'
found words descriptor 'there are two drop reasons SHORT'
found number number 'claims number 17, which is that of module udp'
found default options 'the default of option "level" is refused'
found limit options 'option "level" takes any number'
found range bounds 'the module does not start with it'
check 'what is given on the command line stays as it is' \
	"$strata" module test "$work/bad_range.so" --only bounds --option level=7
found runtime runtime 'was set to'
found silent start 'does not say why'
found leak cycles 'were never given back'
found leak start 'allocated in bad_leak.so+0x'
found starved start-memory 'crashed with SIGSEGV'
found undone start-memory 'a start that failed left 1 blocks'
found kept fuzz 'were never given back'
found twice fuzz 'touched memory that it had given back'
found vanish fuzz 'a packet is gone and nothing tells'
found exit fuzz 'ended the process with status'
found loop fuzz 'did not come to an end within 1 s' --timeout 1
found short truncated 'went beyond the end of a packet'
found linear fragments 'another result in fragments'
found memory memory 'crashed with SIGSEGV'

# A finding has a place and a remedy; the same seed finds the same.
build twice && {
	"$strata" module test "$work/bad_twice.so" --only fuzz --seed 5 >"$work/one"
	"$strata" module test "$work/bad_twice.so" --only fuzz --seed 5 >"$work/two"
	check 'the same seed gives the same report' cmp "$work/one" "$work/two"
	check 'a crash is told with its place in the module' grep -q 'in bad_twice.so+0x.*addr2line' "$work/one"
	check 'a crash is told with the packet' grep -q 'where:  packet [0-9]*, ' "$work/one"
	check 'a crash is told with how to watch it' grep -q -- '--only fuzz --seed 5 --in-process' "$work/one"
	"$strata" module test "$work/bad_twice.so" --only fuzz --json >"$work/json"
	check 'JSON says that it failed' grep -q '"result": *"failed"' "$work/json"
	check 'JSON says what to do' grep -q '"remedy": *"watch it' "$work/json"
}

# What is no module at all.
echo 'no module' >"$work/text.so"
"$strata" module test "$work/text.so" >"$work/out" 2>&1
[ $? -eq 1 ] && grep -q 'found another type of file' "$work/out" && pass 'a text file is told' ||
	fail 'a text file is told' "$(cat "$work/out")"
"$strata" module test "$work/none.so" >"$work/out" 2>&1
[ $? -eq 1 ] && grep -q 'found none' "$work/out" && pass 'a missing file is told' ||
	fail 'a missing file is told' "$(cat "$work/out")"
build load && {
	"$strata" module info "$work/bad_load.so" >"$work/out" 2>&1
	[ $? -eq 1 ] && grep -q 'opening it ended with signal' "$work/out" &&
		pass 'module info survives a file that crashes whoever opens it' ||
		fail 'module info survives a file that crashes whoever opens it' "$(cat "$work/out")"
}
if [ "$(id -u)" -eq 0 ] && build good; then
	chmod 666 "$work/bad_good.so"
	"$strata" module info "$work/bad_good.so" >"$work/out" 2>&1
	[ $? -eq 1 ] && grep -q 'writable by its owner alone' "$work/out" &&
		pass 'module info as root refuses what others could have changed' ||
		fail 'module info as root refuses what others could have changed' "$(cat "$work/out")"
fi

# usage TEXT ARGUMENT…: a bad command line.
usage() {
	"$strata" module test "${@:2}" >"$work/out" 2>&1
	[ $? -eq 2 ] && grep -qF -- "$1" "$work/out" && pass "usage: $1" || fail "usage: $1" "$(cat "$work/out")"
}
usage 'expected FILE|NAME'
usage "no check 'fuz', did you mean 'fuzz'?" udp --only fuz
usage 'expected a number from 1' udp --cycles 0
usage 'expected NAME=VALUE' udp --option ttl
usage 'is for one check' udp --in-process
check 'the checks are listed' sh -c "'$strata' module test --list | grep -q '^fuzz '"
empty 'modules that crash leave no run directory behind' "$(find "$work" -maxdepth 1 -name 'strata-kit-??????')"
finish
