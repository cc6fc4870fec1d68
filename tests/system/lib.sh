# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# For system tests: the real daemon against Linux, in namespaces of the test's own. A script begins with
#
#	#!/bin/bash
#	. "$(dirname "$0")/lib.sh"
#
# and from there on runs in a fresh network, mount and PID namespace: whatever it makes, devices,
# processes, named namespaces, goes when it ends, however it ends. Nothing of the host is touched, so
# ports and addresses are free. $work is a folder for its files. It ends with `finish`; see cases.sh.

abs_top_srcdir=${abs_top_srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
abs_top_builddir=${abs_top_builddir:-$PWD}
. "$abs_top_srcdir/tests/lib/cases.sh"

# ---- into namespaces ----

# The longest a script may take, in seconds; beyond it everything in its namespace is killed.
: "${STRATA_TEST_LIMIT:=300}"

if [ -z "$STRATA_TEST_NAMESPACE" ]; then
	enter="unshare --net --mount --pid --fork --kill-child --mount-proc"
	[ "$(id -u)" = 0 ] || enter="unshare --user --map-root-user --net --mount --pid --fork --kill-child --mount-proc"
	# shellcheck disable=SC2086
	if ! why=$($enter sh -c 'ip link set lo up && ip tuntap add dev try0 mode tap' 2>&1); then
		echo "########################################################################"
		echo "# SKIPPED: $(basename "$0")"
		echo "# needs root, or a user namespace with /dev/net/tun: $why"
		echo "########################################################################"
		skip "$(basename "$0" .sh)" "no privileges for a network namespace with a TAP"
		exit 77
	fi
	work=$(mktemp -d "${TMPDIR:-/tmp}/strata-test.XXXXXX") || exit 1
	STRATA_TEST_NAMESPACE=1 work=$work
	export STRATA_TEST_NAMESPACE work abs_top_srcdir abs_top_builddir
	trap 'rm -rf "$work"' EXIT
	trap 'exit 1' INT TERM
	# shellcheck disable=SC2086
	timeout --foreground -k 5 "$STRATA_TEST_LIMIT" $enter bash "$0" "$@"
	status=$?
	[ $status -ne 124 ] || fail "$(basename "$0" .sh) ends within $STRATA_TEST_LIMIT s"
	exit $status
fi

mount -t tmpfs tmpfs /run
ip link set lo up
cd "$work" || exit 1

# ---- the daemon ----

stratad=$abs_top_builddir/tools/stratad
strata=$abs_top_builddir/tools/strata

# write_manifest [MODULE…] >FILE: a stack 192.0.2.2/24 on a TAP strata0 whose host's end is 192.0.2.1, with
# tap, ethernet and these modules; without any: all of them with the echo service. A module may be
# followed by its options: write_manifest arp ipv4 icmp 'echo udp=7 tcp=7 discard=9'.
write_manifest() {
	[ $# -gt 0 ] || set -- arp ipv4 icmp udp cubic tcp 'echo udp=7 tcp=7'
	printf 'strata: 1\nmodules:\n  - name: tap\n  - name: ethernet\n'
	for entry in "$@"; do
		options=${entry#"${entry%% *}"}
		printf '  - name: %s\n' "${entry%% *}"
		[ -z "$options" ] || printf '    options:\n'
		for option in $options; do printf '      %s: %s\n' "${option%%=*}" "${option#*=}"; done
	done
	printf 'interfaces:\n  - name: st0\n    driver: tap\n'
	printf '    options:\n      device: strata0\n      host: 192.0.2.1/24\n'
	printf '    mac: 02:00:00:00:00:02\n'
	case " $* " in *' ipv4 '*) printf '    addresses: [192.0.2.2/24]\n' ;; esac
}

# with_shards SHARDS MANIFEST: the manifest with so many shards.
with_shards() { sed "s/^strata: 1\$/&\nstack:\n  shards: $1/" "$2"; }

# stratad_start MANIFEST [ARGUMENT…]: starts it and returns when it is ready, 1 when it ends before. Its
# output goes to $work/stratad.log, its number to $stratad_pid, its run directory is $work/run.
stratad_start() {
	manifest=$1
	shift
	rm -f ready
	mkfifo ready
	mkdir -p run
	: >stratad.log
	"$stratad" -c "$manifest" --run-dir "$work/run" "$@" >ready 2>&1 &
	stratad_pid=$!
	exec 9<ready
	while IFS= read -r line <&9; do
		printf '%s\n' "$line" >>stratad.log
		case $line in *'stratad: ready'*)
			cat <&9 >>stratad.log &
			exec 9<&-
			return 0
			;;
		esac
	done
	exec 9<&-
	wait "$stratad_pid"
	stratad_status=$?
	stratad_pid=
	return 1
}

# stratad_stop: ends it as an operator would; returns its status, 0 when all is well.
stratad_stop() {
	kill -TERM "$stratad_pid"
	wait "$stratad_pid"
	stratad_status=$?
	stratad_pid=
	return $stratad_status
}

# stratad_runs: whether it is still there.
stratad_runs() { kill -0 "$stratad_pid" 2>/dev/null; }

# begin MANIFEST: starts it, or ends the script telling why it does not start.
begin() {
	stratad_start "$@" && return
	fail "stratad starts with $1" "$(cat stratad.log)"
	finish
}

# end: stops it; a case of its own.
end() {
	if stratad_stop; then pass 'stratad ends with status 0 on SIGTERM'; else
		fail 'stratad ends with status 0 on SIGTERM' "status $stratad_status" "$(tail -n 40 stratad.log)"
	fi
}

# ---- asking ----

# needs PROGRAM…: skips the whole script where one is missing.
needs() {
	for program in "$@"; do
		command -v "$program" >/dev/null && continue
		skip "$(basename "$0" .sh)" "$program is not installed"
		finish
	done
}

# eventually SECONDS COMMAND…: whether it succeeds within that time, asked ten times a second.
eventually() {
	tries=$(($1 * 10))
	shift
	while ! "$@" >/dev/null 2>&1; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		read -r -t 0.1 <> <(:)
	done
	return 0
}

# capture_start FILE [FILTER…], capture_stop: tcpdump on strata0, running when capture_start returns.
capture_start() {
	capture=$1
	shift
	rm -f listening
	mkfifo listening
	tcpdump -i strata0 -U -w "$capture" "$@" 2>listening &
	capture_pid=$!
	exec 8<listening
	while IFS= read -r line <&8; do case $line in *'listening on'*) break ;; esac; done
	cat <&8 >/dev/null &
	exec 8<&-
}
capture_stop() {
	kill -INT "$capture_pid"
	wait "$capture_pid"
}
