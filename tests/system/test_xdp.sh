#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The XDP driver on one end of a veth pair, against Linux at the other: traffic, a device that goes, a daemon that
# is killed, and what is refused.

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/veth.sh"
needs ping ip nc ethtool

attached() { ip link show v1 | grep -q 'prog/xdp'; }

# link [QUEUES]: a veth leaves checksums open for whoever needs none; here nobody would complete them.
link() {
	ip link add v1 numrxqueues "${1:-1}" numtxqueues "${1:-1}" type veth peer name v0 netns far numtxqueues "${1:-1}" &&
		far ip addr add 192.0.2.1/24 dev v0 && far ip link set v0 up && ip link set v1 up &&
		far ethtool -K v0 tx off >/dev/null 2>&1
}

# manifest [OPTION…]
manifest() { manifest_on xdp v1 "$@"; }

if ! "$strata" module info xdp >/dev/null 2>&1; then
	skip 'the XDP driver' 'built without libxdp'
	finish
fi
ip netns add far 2>/dev/null || {
	skip 'the XDP driver' 'no named namespaces here'
	finish
}
far ip link set lo up
link || {
	skip 'the XDP driver' 'no veth with a checksum that can be turned off'
	finish
}
manifest >plain.yaml
if ! stratad_start plain.yaml; then
	if grep -qE 'needs CAP_NET_ADMIN|no AF_XDP sockets|Operation not supported' stratad.log; then
		skip 'the XDP driver' "$(grep -o 'device v1: .*' stratad.log | head -n 1)"
		finish
	fi
	fail 'stratad starts' "$(cat stratad.log)"
	finish
fi

# ---- traffic ----

check 'its program is on the device' attached
check 'the card answers pings' eventually 5 answers
check 'and large ones, in fragments' far ping -q -c 3 -i 0.1 -W 1 -s 20000 $card
head -c 3000000 /dev/urandom >sent
far nc -N -w 5 $card 7 <sent >back
check '3 MB of TCP come back as they were' cmp sent back
check 'UDP too' test "$(echo datagram | far nc -u -w 1 $card 7)" = datagram
timeout 5 "$strata" --run-dir run trace --count 6 >traced 2>&1 &
trace_pid=$!
read -r -t 0.3 <> <(:)
answers >/dev/null
answers >/dev/null
wait $trace_pid
check 'a trace shows what leaves for the device' grep -q 'xdp .*→ v1' traced
check 'the log tells the mode' grep -q 'device v1, queue 0: ' stratad.log

# ---- a link that flaps, a device that goes ----

ip link set v1 down
check 'a device set down is noticed' eventually 2 state_is 'no carrier'
ip link set v1 up
check 'the card answers when it is up again' eventually 5 answers
ip link del v1
check 'a device that goes is noticed' eventually 2 state_is 'no carrier'
link
check 'a new one of its name is taken' eventually 7 answers
far nc -N -w 5 $card 7 <sent >back
check 'and 3 MB come back as they were' cmp sent back
check 'no frame was taken for another' test "$(show drops | grep -c 'total_length_beyond\|bad_checksum')" -eq 0
end
check 'its program goes with the daemon' sh -c '! ip link show v1 | grep -q prog/xdp'

# ---- as the manifest says ----

manifest mode=zerocopy frames=64 backlog=4 >small.yaml
begin small.yaml
check 'without zero-copy mode it says so, or has it' grep -qE 'copy mode, since|zero-copy mode' stratad.log
check 'with few frames the card answers' eventually 5 answers
far nc -N -w 10 $card 7 <sent >back
check 'and 3 MB come back as they were' cmp sent back
manifest >second.yaml
check 'a queue that is taken is refused' refused second.yaml 'another process has the queue\|has another XDP program'
kill -KILL "$stratad_pid"
wait "$stratad_pid" 2>/dev/null
stratad_pid=
check 'its program goes with a daemon that is killed' eventually 2 sh -c '! ip link show v1 | grep -q prog/xdp'

manifest | sed "s/^strata: 1\$/&\nstack:\n  busy_poll: 20ms/" >polled.yaml
begin polled.yaml
check 'with busy_poll the card answers' eventually 5 answers
far nc -N -w 10 $card 7 <sent >back
check 'and 3 MB come back as they were' cmp sent back
ticks() { awk '{ print $14 + $15 }' "/proc/$stratad_pid/stat"; }
before=$(ticks)
far ping -q -c 100 -i 0.01 -W 1 $card >/dev/null
check 'while it does not sleep' test $(($(ticks) - before)) -gt 20
ip link del v1
check 'a device that is polled may go' eventually 2 state_is 'no carrier'
link
check 'and come back' eventually 7 answers
end

# ---- several shards ----

# total MODULE NAME: a counter of both shards.
total() { echo $(($(of_shard 0 "$1" "$2") + $(of_shard 1 "$1" "$2"))); }
with_shards 2 plain.yaml >shards.yaml
check 'a device with a queue too few is refused, with the remedy' refused shards.yaml \
	'2 shards want queues 0 to 1, counted from 0, and it has 1; `ethtool -L v1 rx 2 tx 2`'
ip link del v1
link 2
begin shards.yaml
check 'with two queues two shards have theirs' grep -q 'shard 1: xdp: st0: device v1, queue 1: ' stratad.log
check 'the card answers' eventually 5 answers
check 'a ping once' sh -c '! ip netns exec far ping -c 5 -i 0.05 -W 1 192.0.2.2 | grep -q DUP'
exchange '32 connections and 16 datagrams get back what they sent'
for i in 0 1; do
	check "connections belong to shard $i" test "$(of_shard $i tcp passive_opens)" -gt 0
done
check 'each connection and each datagram to one' test "$(total tcp passive_opens) $(total udp in_datagrams)" = '32 16'
check 'what was handed over arrived' test "$(total kernel shard_out)" -eq "$(total kernel shard_in)"
check 'fragments are put together' far ping -q -c 3 -i 0.1 -W 1 -s 20000 $card
check 'there is one program' test "$(ip link show v1 | grep -c 'prog/xdp')" -eq 1
both_up() { [ "$(show interfaces --json | grep -o '"state": *"up"' | wc -l)" -eq 2 ]; }
sed 's/      device: v1/&\n      backlog: 100/' shards.yaml >next.yaml
cp next.yaml shards.yaml
kill -HUP "$stratad_pid"
check 'a reload changes all' eventually 5 sh -c "'$strata' --run-dir '$work/run' show options | grep -q 'backlog.* 100'"
check 'and the card answers' eventually 5 answers
ip link del v1
check 'a device that goes is noticed' eventually 2 state_is 'no carrier'
link 2
check 'a new one of its name is taken by both' eventually 10 both_up
check 'and answers' eventually 5 answers
exchange 'connections and datagrams get back what they sent'
check 'over one program' test "$(ip link show v1 | grep -c 'prog/xdp')" -eq 1
end
check 'which goes with the daemon' sh -c '! ip link show v1 | grep -q prog/xdp'
begin shards.yaml
kill -KILL "$stratad_pid"
wait "$stratad_pid" 2>/dev/null
stratad_pid=
check 'and with one that is killed' eventually 2 sh -c '! ip link show v1 | grep -q prog/xdp'

# Several interfaces of one stack on queues of one device.
awk '{ print } /^    addresses:/ { print "  - name: st1\n    driver: xdp\n    options:\n      device: v1\n      queue: 1\n" \
	"    addresses: [198.51.100.2/24]" }' plain.yaml >both.yaml
begin both.yaml
check 'an interface on each queue' grep -q 'st1: device v1, queue 1: ' stratad.log
check 'is up' eventually 5 sh -c "'$strata' --run-dir '$work/run' show interfaces | grep -q '^st1: .*state up,'"
cp plain.yaml both.yaml
kill -HUP "$stratad_pid"
check 'and one that is taken away' eventually 5 sh -c "! '$strata' --run-dir '$work/run' show interfaces | grep -q '^st1:'"
check 'leaves the program to the other' attached
end
check 'which takes it along' sh -c '! ip link show v1 | grep -q prog/xdp'
ip link del v1
link

# ---- bad input ----

manifest queue=77 >queue.yaml
check 'a queue that is not there is refused' refused queue.yaml 'device v1: queue 77 is wanted, counted from 0, and it has 1'
sed 's/device: v1/device: nothere/' plain.yaml >missing.yaml
check 'and a device that is not there' refused missing.yaml 'device nothere: the host has none of that name'
manifest frames=100 >odd.yaml
check 'and frames that are no power of two' refused odd.yaml 'no power of two'
sed 's/^    mac:/    mtu: 3000\n    mac:/' plain.yaml >jumbo.yaml
check 'and an MTU larger than the device has' refused jumbo.yaml 'MTU of 3000 is larger than 1500'
if command -v setpriv >/dev/null; then
	check 'without authority it says what is missing' sh -c "
		! setpriv --bounding-set -net_raw,-bpf,-sys_admin --inh-caps -net_raw '$stratad' -c plain.yaml \
			--run-dir run2 >refused 2>&1 && grep -q 'needs CAP_' refused"
fi
check 'and nothing is left on the device' sh -c '! ip link show v1 | grep -q prog/xdp'

finish
