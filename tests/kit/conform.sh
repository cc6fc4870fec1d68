#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Every module of the tree passes the conformance kit, with few cycles and packets.

abs_top_srcdir=${abs_top_srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
abs_top_builddir=${abs_top_builddir:-$PWD}
. "$abs_top_srcdir/tests/lib/cases.sh"

# Under sanitizers each of both costs several times as much, and finds more.
amount='--cycles 30 --packets 800'
[ "${STRATA_TEST_SANITIZERS:-no}" != yes ] || amount='--cycles 10 --packets 300'
for folder in "$abs_top_srcdir"/modules/*/*/module.mk; do
	name=$(basename "$(dirname "$folder")")
	[ -e "$abs_top_builddir/modules/$name.la" ] || ! grep -q '^if HAVE_' "$folder" || continue	# left out here
	# shellcheck disable=SC2086
	check "$name keeps the rules" "$abs_top_builddir/tools/strata" module test "$name" $amount
done
# What cannot be tried without a device: on the one that every namespace has, which has one queue.
on_a_device() {
	[ -e "$abs_top_builddir/modules/$1.la" ] || return
	# shellcheck disable=SC2086
	check "$1 keeps the rules on a device" "$abs_top_builddir/tools/strata" module test "$1" $amount \
		--interface-option device=lo "${@:2}"
}
on_a_device packet
on_a_device xdp --interface-option queue=0
finish
