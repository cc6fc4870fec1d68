#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# A simulation that has a fault tells the one command that replays it, and leaves a record that tcpdump
# reads; and a seed gives the same run whatever compiled the stack.
. "${abs_top_srcdir:?}/tests/lib/cases.sh"
sim=${abs_top_builddir:?}/tests/sim/test_sim
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

# ---- a case that has a fault ----

"$sim" --case a_fault_for_the_record >out 2>err
status=$?
check 'a fault is told by the exit status' test $status -eq 1
check 'and names the case and the seed' grep -qx 'FAIL a_fault_for_the_record: seed 1' out
command=$(sed -n 's/^# replay: //p' out)
check 'a command that replays it is printed' test -n "$command"
rm -f sim-*
# shellcheck disable=SC2086
eval "$command" >again 2>err.again
check 'which has the same fault' sh -c 'head -n 1 err | diff - err.again'
record=$(ls sim-*.pcapng)
check 'and writes a text and a capture' test -s "${record%.pcapng}.txt" -a -s "$record"
check 'the text tells what was lost' grep -q '(lost)' "${record%.pcapng}.txt"
if command -v tcpdump >/dev/null; then
	tcpdump -n -r "$record" >dump 2>complaints
	check 'tcpdump reads the capture' test -s dump
	empty 'without a complaint' "$(grep -vE '^(reading from file|dropped privs)' complaints)"
	check 'it has each frame that is in the text' \
		test "$(grep -cE ' (sends|gets ) ' "${record%.pcapng}.txt")" -eq "$(wc -l <dump)"
else
	skip 'tcpdump reads the capture' 'tcpdump is not installed'
fi

# ---- the command line ----

for wrong in '--seed 0' '--seed x' '--seeds -1' '--case nothing' '--nonsense' 'stray'; do
	# shellcheck disable=SC2086
	"$sim" $wrong >/dev/null 2>err
	status=$?
	check "a mistake is told: $wrong" test $status -eq 2 -a -s err
done

# ---- the same run from other compilers ----

# build COMPILER FLAG: everything that decides about frames, compiled so into the folder other.
build() {
	cc=$1 flag=$2 root=$abs_top_srcdir
	mkdir -p other/modules
	set -- -std=gnu11 -D_GNU_SOURCE -fPIC -w "$flag" -I"$root/include" -I"$root/tests/sim"
	# shellcheck disable=SC2046
	"$cc" "$@" -shared -DSTRATA_VERSION='"0"' -DSTRATA_MODULEDIR='"/nowhere"' -DSTRATA_RUNSTATEDIR='"/nowhere"' \
		-DSTRATA_SYSCONFDIR='"/nowhere"' -o other/libstrata.so.0 -Wl,-soname,libstrata.so.0 "$root"/kernel/*.c \
		$(pkg-config --cflags --libs yaml-0.1 libelf) -lltdl || return 1
	for module in link/wire link/ethernet network/arp network/ipv4 transport/icmp transport/udp transport/tcp \
			congestion/newreno congestion/cubic; do
		"$cc" "$@" -shared -I"$root/modules/$module" -o "other/modules/${module#*/}.so" \
			"$root/modules/$module"/*.c other/libstrata.so.0 || return 1
	done
	"$cc" "$@" -shared -I"$root/modules/link/fault" -I"$root/modules/service/control" \
		-o other/libstrata-sim.so.0 -Wl,-soname,libstrata-sim.so.0 "$root"/tests/sim/sim*.c \
		"$root/modules/link/fault/impair.c" "$root/modules/service/control/pcapng.c" \
		other/libstrata.so.0 || return 1
	"$cc" "$@" -o other/sim "$root/tests/sim/test_faulty.c" other/libstrata-sim.so.0 other/libstrata.so.0
}

hashes() {
	for one in jitter_that_reorders corruption_of_several_bits bursts_of_losses; do
		"$@" --case $one --seeds 2 --hash
	done
}

hashes "$abs_top_builddir/tests/sim/test_faulty" >here
check 'hashes are printed' test "$(grep -cE '^[a-z_]+ [0-9]+ [0-9a-f]{16}$' here)" -eq 6
hashes "$abs_top_builddir/tests/sim/test_faulty" >again
check 'the same seed gives the same hash again' diff here again
# The compiler that did not make this build, without optimization; sanitizers change nothing but the time it takes.
case ${STRATA_TEST_CC:-gcc} in *clang*) other=gcc ;; *) other=clang ;; esac
if [ "${STRATA_TEST_SANITIZERS:-no}" = yes ]; then
	echo '# the other compilers are asked in builds without sanitizers'
elif ! command -v $other >/dev/null; then
	skip 'the hash does not depend on the compiler' "$other is not installed"
elif ! build $other -O0 >build.log 2>&1; then
	fail "everything builds with $other -O0" "$(tail -n 5 build.log)"
else
	LD_LIBRARY_PATH=$work/other STRATA_MODULE_PATH=$work/other/modules hashes "$work/other/sim" >there
	check "and so does a build with $other -O0" diff here there
fi
finish
