# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2154
# For system tests of drivers that stand on an interface of the host: the daemon is in the test's namespace, on v1 of
# a veth pair, and Linux in the namespace `far` at the other end, on v0. Sourced behind lib.sh.

card=192.0.2.2
far() { ip netns exec far "$@"; }
answers() { far ping -q -c 1 -W 1 $card; }
show() { "$strata" --run-dir "$work/run" show "$@"; }
state_is() { show interfaces | grep -q "^st0: .*state $1,"; }

# manifest_on DRIVER DEVICE [OPTION…]: a stack on a device, without the host's end that write_manifest gives a TAP.
manifest_on() {
	driver=$1 device=$2
	shift 2
	write_manifest | sed "s/name: tap/name: $driver/; s/driver: tap/driver: $driver/; /host:/d
		s|device: .*|device: $device|" | awk -v more="$*" '{ print } /device:/ {
			n = split(more, option, " ")
			for (i = 1; i <= n; i++) { split(option[i], a, "="); print "      " a[1] ": " a[2] } }'
}

# refused MANIFEST PATTERN: the daemon does not start, and says why.
refused() {
	"$stratad" -c "$1" --run-dir run2 >refused 2>&1 && return 1
	grep -q "$2" refused
}

# of_shard SHARD MODULE NAME: a counter of one.
of_shard() {
	show counters "$2" --shard "$1" | awk -v name="$3" '$2 == name { n = $3 } END { print n + 0 }'
}

# exchange NAME: 16 connections and 16 datagrams at a time, each of which gets back what it sent; then 16
# connections more.
exchange() {
	[ -e sent.16 ] || head -c 200000 /dev/urandom >sent.16
	rm -f wrong
	pids=
	for i in $(seq 16); do
		(far nc -N -w 10 $card 7 <sent.16 | cmp -s - sent.16 || echo "connection $i" >>wrong) &
		pids="$pids $!"
		([ "$(echo "datagram $i" | far nc -u -W 1 -w 5 $card 7)" = "datagram $i" ] || echo "datagram $i" >>wrong) &
		pids="$pids $!"
	done
	# shellcheck disable=SC2086
	wait $pids
	for i in $(seq 16); do
		[ "$(echo "line $i" | far nc -N -w 5 $card 7)" = "line $i" ] || echo "line $i" >>wrong
	done
	check "$1" sh -c "! cat wrong"
}
