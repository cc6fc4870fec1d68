#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The packet driver on one end of a veth pair, against Linux and real programs at the other; and what it does
# when the device goes down, goes away, or is not to be had.

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/veth.sh"
needs ping ip nc curl tcpdump

# The daemon is in this namespace, on v1; the host it talks to is in another, on v0.
counter() { show counters packet | awk -v name="$1" '$2 == name { n = $3 } END { print n + 0 }'; }
drops() { show drops | grep -c '^packet'; }

link() {
	ip link add v1 type veth peer name v0 netns far &&
		far ip addr add 192.0.2.1/24 dev v0 && far ip link set v0 up && ip link set v1 up
}

# manifest [DEVICE [OPTION…]]
manifest() { manifest_on packet "${@:-v1}"; }

ip netns add far 2>/dev/null || {
	skip 'the packet driver' 'no named namespaces here'
	finish
}
far ip link set lo up
link
manifest >plain.yaml

# ---- traffic ----

begin plain.yaml
check 'the card answers pings' eventually 5 answers
check 'and large ones, in fragments' far ping -q -c 3 -i 0.1 -W 1 -s 20000 $card
head -c 3000000 /dev/urandom >sent
far nc -N -w 5 $card 7 <sent >back
check '3 MB of TCP come back as they were' cmp sent back
check 'over super-packets in' test "$(counter rx_super_packets)" -gt 0
check 'and out' test "$(counter tx_super_packets)" -gt 0
check 'UDP too' test "$(echo datagram | far nc -u -w 1 $card 7)" = datagram
check 'curl speaks to it' sh -c "echo hello | ip netns exec far curl -s -m 2 telnet://$card:7 | grep -q hello"

rm -f listening
tcpdump -i v1 -U -w seen.pcap -c 20 icmp 2>listening &
capture_pid=$!
eventually 3 grep -q 'listening on' listening
far ping -q -c 10 -i 0.02 -W 1 -s 1000 $card >/dev/null
check 'tcpdump on the same device sees both ways' \
	eventually 3 sh -c '[ "$(tcpdump -nr seen.pcap 2>/dev/null | grep -c "echo reply")" -gt 5 ]'
kill -INT "$capture_pid" 2>/dev/null
wait "$capture_pid" 2>/dev/null
check 'with right checksums' sh -c '! tcpdump -nvvr seen.pcap 2>/dev/null | grep -qi "bad cksum\|wrong"'

timeout 5 "$strata" --run-dir run trace --count 6 >traced 2>&1 &
trace_pid=$!
read -r -t 0.3 <> <(:)
answers >/dev/null
answers >/dev/null
wait $trace_pid
check 'a trace shows what leaves for the device' grep -q 'packet .*→ v1' traced
timeout 5 "$strata" --run-dir run capture -c 4 -w own.pcapng >/dev/null 2>&1 &
capture_pid=$!
read -r -t 0.3 <> <(:)
far ping -q -c 3 -i 0.1 -W 1 $card >/dev/null
wait $capture_pid
check 'a capture has the frames' sh -c 'tcpdump -nr own.pcapng 2>/dev/null | grep -q "echo request"'
check 'the graph has the driver' sh -c "'$strata' --run-dir '$work/run' graph --interval 0 | grep -q packet"

# ---- what the host does with the same device ----

check 'what is for the host is none of ours' sh -c '
	ip addr add 198.51.100.2/24 dev v1 && ip netns exec far ip addr add 198.51.100.1/24 dev v0 &&
	ip netns exec far ping -q -c 3 -i 0.1 -W 1 198.51.100.2'
check 'and it does not reach the stack' sh -c "! '$strata' --run-dir '$work/run' show drops | grep -q other_host"
check 'nothing was dropped by the driver' test "$(drops)" -eq 0

# Tagged frames: the host takes the tag off, the driver puts it back, and the stack, which has no VLANs, says so.
if far ip link add link v0 name v0.5 type vlan id 5 2>/dev/null; then
	far ip addr add 203.0.113.1/24 dev v0.5 && far ip link set v0.5 up
	far ping -q -c 1 -W 1 203.0.113.2 >/dev/null
	check 'a VLAN tag is put back' test "$(counter rx_tagged)" -gt 0
	far ip link del v0.5
else
	skip 'a VLAN tag is put back' 'no VLAN devices here'
fi

# ---- a link that flaps, a device that goes ----

ip link set v1 down
check 'a device set down is noticed' eventually 2 state_is 'no carrier'
ip link set v1 up
check 'and set up again' eventually 2 state_is up
check 'the card answers' eventually 5 answers
far ip link set v0 down
check 'a link whose other end is down has no carrier' eventually 2 state_is 'no carrier'
far ip link set v0 up
check 'and gets it back' eventually 3 answers
for _ in $(seq 20); do
	ip link set v1 down
	ip link set v1 up
done
check 'after 20 flaps the card answers' eventually 5 answers
ip link del v1
check 'a device that goes is noticed' eventually 2 state_is 'no carrier'
check 'the log says so' eventually 2 grep -q 'device v1 is gone' stratad.log
check 'and that there is none' eventually 3 grep -q 'the host has none of that name' stratad.log
link
check 'a new one of its name is taken' eventually 7 answers
check 'the reason was logged once' test "$(grep -c 'none of that name' stratad.log)" -eq 1
end

# ---- as the manifest says ----

manifest v1 checksum=device ring=1MiB send_buffer=0 backlog=16 fanout=7 >options.yaml
begin options.yaml
check 'with every option given the card answers' eventually 5 answers
far nc -N -w 5 $card 7 <sent >back
check 'and 3 MB come back as they were' cmp sent back
end

manifest | sed "s/^strata: 1\$/&\nstack:\n  busy_poll: 20ms/" >polled.yaml
begin polled.yaml
check 'with busy_poll the card answers' eventually 5 answers
far nc -N -w 5 $card 7 <sent >back
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

# Two stacks in one group: the flows of a device shared between them.
manifest v1 fanout=9 >group.yaml
begin group.yaml
mkdir other
"$stratad" -c group.yaml --run-dir other >other.log 2>&1 &
other=$!
check 'another stack joins the group' eventually 5 grep -q 'stratad: ready' other.log
kill $other
wait $other
check 'and leaves it' test $? -eq 0
end

# ---- several shards ----


with_shards 2 plain.yaml >shards.yaml
begin shards.yaml
check 'with two shards there are two threads' test "$(ls "/proc/$stratad_pid/task" | wc -l)" -eq 2
check 'and two sockets' test "$(wc -l </proc/net/packet)" -eq 3
check 'the card answers' eventually 5 answers
check 'a ping once' sh -c '! ip netns exec far ping -c 5 -i 0.05 -W 1 192.0.2.2 | grep -q DUP'
for i in 0 1; do eval "shown$i=\$(of_shard $i kernel shard_out)"; done
exchange '32 connections and 16 datagrams get back what they sent'
for i in 0 1; do
	check "connections belong to shard $i" test "$(of_shard $i tcp passive_opens)" -gt 0
done
total() { echo $(($(of_shard 0 "$1" "$2") + $(of_shard 1 "$1" "$2"))); }
check 'each connection and each datagram to one' test "$(total tcp passive_opens) $(total udp in_datagrams)" = '32 16'
# What is handed over yet: shard 0 shows the other what is told to all, such as who asks for the address.
check 'shard 1 hands nothing over' test "$(of_shard 1 kernel shard_out)" -eq "$shown1"
check 'and shard 0 no flows' test "$(($(of_shard 0 kernel shard_out) - shown0))" -lt 20
check 'fragments are put together' far ping -q -c 3 -i 0.1 -W 1 -s 20000 $card
check 'nothing was dropped by the driver' test "$(drops)" -eq 0

# Another daemon of several shards, with an address of its own, is none of the first one's business.
sed 's/192.0.2.2/192.0.2.3/; s/02:00:00:00:00:02/02:00:00:00:00:03/' shards.yaml >beside.yaml
mkdir -p beside
"$stratad" -c beside.yaml --run-dir beside >beside.log 2>&1 &
beside=$!
check 'another daemon beside it starts' eventually 5 grep -q 'stratad: ready' beside.log
check 'answers' eventually 5 far ping -q -c 1 -W 1 192.0.2.3
for i in $(seq 16); do
	[ "$(echo "beside $i" | far nc -N -w 5 192.0.2.3 7)" = "beside $i" ] || echo "beside $i" >>wrong
done
check 'and echoes' test ! -e wrong
exchange 'and the first one goes on'
kill $beside
wait $beside
check 'it ends' test $? -eq 0

both_up() { [ "$(show interfaces --json | grep -o '"state": *"up"' | wc -l)" -eq 2 ]; }
far nc -N -w 20 $card 7 <sent >back &
transfer=$!
sed 's,192.0.2.2/24,&\, 192.0.2.88/24,' shards.yaml >next.yaml
cp next.yaml shards.yaml
kill -HUP "$stratad_pid"
check 'a reload gives all an address' eventually 5 far ping -q -c 1 -W 1 192.0.2.88
sed 's/      device: v1/&\n      backlog: 100/' next.yaml >shards.yaml
kill -HUP "$stratad_pid"
check 'and another option of the interface' eventually 5 sh -c "'$strata' --run-dir '$work/run' show options |
	grep -c 'backlog.* 100' | grep -qx '[12]'"
wait $transfer
check 'a connection does not notice' cmp sent back
ip link set v1 down
ip link set v1 up
check 'a device that was down comes back to both' eventually 5 both_up
check 'and answers' eventually 5 answers
ip link del v1
check 'a device that goes is noticed' eventually 2 state_is 'no carrier'
link
check 'a new one of its name is taken by both' eventually 10 both_up
check 'and answers' eventually 5 answers
exchange 'connections and datagrams get back what they sent'
end
check 'no socket is left on the device' test "$(wc -l </proc/net/packet)" -eq 1
check 'nor what it was asked for' sh -c '! ip -d link show v1 | grep -qE "promiscuity [1-9]|allmulti [1-9]"'

# A group's hash knows no owners: what is another shard's is handed over.
manifest v1 fanout=9 >group.yaml
with_shards 2 group.yaml >shards.yaml
begin shards.yaml
check 'shards in a group answer' eventually 5 answers
exchange 'connections and datagrams get back what they sent'
check 'by handing over' test "$(total kernel shard_out)" -gt 32
end

# ---- bad input ----

manifest nothere >missing.yaml
check 'a device that is not there is refused' refused missing.yaml 'device nothere: the host has none of that name'
manifest v1 | sed 's/^    mac:/    mtu: 9000\n    mac:/' >jumbo.yaml
check 'an MTU larger than the device has too' refused jumbo.yaml 'MTU of 9000 is larger than 1500, the MTU of device v1'
manifest v1/2 >invalid.yaml
check 'and what is no device name' refused invalid.yaml 'is no device name'
manifest v1 ring=1500KiB >odd.yaml
check 'and a ring that is no multiple of a block' refused odd.yaml 'no multiple of 1MiB'
if ip tuntap add dev tun0 mode tun 2>/dev/null; then
	manifest tun0 >tun.yaml
	check 'and a device without Ethernet frames' refused tun.yaml 'does not carry Ethernet frames'
fi
if command -v setpriv >/dev/null; then
	check 'without authority it says what is missing' sh -c "
		! setpriv --bounding-set -net_raw --inh-caps -net_raw '$stratad' -c plain.yaml --run-dir run2 >refused 2>&1 &&
		grep -q 'needs CAP_NET_RAW' refused"
fi

# The host has the interface's address too.
ip addr add $card/24 dev v1
begin plain.yaml
check 'an address that the host has too is told' eventually 2 grep -q 'both will answer' stratad.log
end

finish
