# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# For test scripts: named cases, told one a line as "ok NAME", "FAIL NAME" or "skip NAME" (which is how
# quickstart counts them), and an exit status for the harness. Source it, then end with `finish`.

cases_failed=0 cases_passed=0 cases_skipped=0

# pass NAME
pass() {
	cases_passed=$((cases_passed + 1))
	echo "ok $1"
}

# fail NAME [DETAIL…]: each detail on lines of its own.
fail() {
	cases_failed=$((cases_failed + 1))
	echo "FAIL $1"
	shift
	for detail in "$@"; do printf '%s\n' "$detail" | sed 's/^/     /'; done
}

# skip NAME WHY
skip() {
	cases_skipped=$((cases_skipped + 1))
	echo "skip $1 ($2)"
}

# empty NAME TEXT: passes when TEXT is empty; otherwise that is what is wrong.
empty() {
	if [ -z "$2" ]; then pass "$1"; else fail "$1" "$2"; fi
}

# check NAME COMMAND…: passes when the command succeeds; its output is shown when not.
check() {
	case_name=$1
	shift
	if case_output=$("$@" 2>&1); then pass "$case_name"; else
		fail "$case_name" "command: $*" "$case_output"
	fi
}

# finish: the script's exit status, 77 where nothing could be run.
finish() {
	echo "# $cases_passed passed, $cases_failed failed, $cases_skipped skipped"
	[ "$cases_failed" -eq 0 ] || exit 1
	[ "$cases_passed" -gt 0 ] || [ "$cases_skipped" -eq 0 ] || exit 77
	exit 0
}
