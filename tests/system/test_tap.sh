#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What the TAP driver does when the host's end goes down, goes away, moves, or is not to be had; and
# that the device is set up as the manifest says.

. "$(dirname "$0")/lib.sh"
needs ping ip tc

card=192.0.2.2
answers() { ping -q -c 1 -W 1 $card; }
show() { "$strata" --run-dir "$work/run" show "$@"; }
qdisc_is() { ip link show strata0 | grep -q " qdisc $1 "; }
state_is() { show interfaces | grep -q "^st0: .*state $1,"; }
switches() { grep ctxt_switches "/proc/$stratad_pid/status"; }

# quiet NAME: the daemon is not woken up for a second.
quiet() {
	before=$(switches)
	read -r -t 1 <> <(:)
	if [ "$before" = "$(switches)" ]; then pass "$1"; else fail "$1" "$before" "$(switches)"; fi
}

write_manifest arp ipv4 icmp udp 'echo tcp=0' >plain.yaml
sed 's/^    mac:.*/    mtu: 9000/; s/^      host:.*/&\n      queue_length: 77/' plain.yaml >jumbo.yaml
sed 's/^      host:.*/&\n      offload: false/' plain.yaml >plainer.yaml

# ---- a link that flaps ----

begin plain.yaml
check 'the card answers' answers
check 'nothing waits before the queue of a device that is made' qdisc_is noqueue
ip link set strata0 down
check 'a link set down is noticed' eventually 2 state_is 'no carrier'
quiet 'and costs nothing meanwhile'
ip link set strata0 up
check 'a link set up again too' eventually 2 state_is up
check 'and the card answers' eventually 5 answers
for _ in $(seq 20); do
	ip link set strata0 down
	ip link set strata0 up
done
check 'after 20 flaps the card answers' eventually 5 answers

# ---- a device that goes ----

ip link del strata0
check 'a deleted device is made again' eventually 3 ip link show strata0
check 'it has its address again' eventually 2 sh -c 'ip addr show dev strata0 | grep -q 192.0.2.1/24'
check 'the card answers again' eventually 5 answers
check 'nor of one that is made again' qdisc_is noqueue
check 'the log says so' grep -q 'is gone' stratad.log

# While the name is taken by a device of another kind it cannot be had back.
ip link del strata0
ip tuntap add dev strata0 mode tun
check 'the interface is down while the device is not to be had' eventually 2 state_is 'no carrier'
read -r -t 2 <> <(:)
cpu=$(awk '{ print $14 + $15 }' "/proc/$stratad_pid/stat")
check "and the daemon does not spin ($cpu ticks)" test "$cpu" -lt 50
check 'the reason is logged once' test "$(grep -c 'not a TAP device' stratad.log)" -eq 1
ip link del strata0
check 'it is taken back within 5 s' eventually 7 answers
end

# ---- a device that was there before ----

ip tuntap add dev strata0 mode tap
tc qdisc replace dev strata0 root pfifo limit 50
begin plain.yaml
check 'a device that is there is used' answers
check 'and keeps its queueing discipline' qdisc_is pfifo
end
check 'and stays' ip link show strata0
ip link del strata0

ip tuntap add dev strata0 mode tun
check 'one of another kind is refused' sh -c "! '$stratad' -c plain.yaml --run-dir run >refused 2>&1"
check 'and the message says which' grep -q 'strata0: .*not a TAP device' refused
ip link del strata0

# ---- as the manifest says ----

begin jumbo.yaml
check 'the host has the MTU' sh -c 'ip link show strata0 | grep -q "mtu 9000"'
check 'and the queue length' sh -c 'ip link show strata0 | grep -q "qlen 77"'
check 'a ping of the MTU is answered in one piece' ping -q -c 1 -W 1 -M do -s 8972 $card
end
begin plainer.yaml
check 'without offload the card answers' ping -q -c 3 -i 0.1 -W 1 -s 4000 $card
end

# ---- without authority ----

if [ "$(awk '{ print $3 }' /proc/self/uid_map)" -gt 65534 ] && id nobody >/dev/null 2>&1; then
	chmod 755 .	# so that it still gets to its run directory
	begin plain.yaml --user nobody
	check 'with --user it runs as that user' \
		test "$(awk '/^Uid:/ { print $2 $3 $4 $5 }' "/proc/$stratad_pid/status")" = "$(u=$(id -u nobody); echo "$u$u$u$u")"
	check 'without a capability' grep -q '^CapEff:[^0-9]*0000000000000000$' "/proc/$stratad_pid/status"
	check 'and none to be had again' grep -q '^NoNewPrivs:[^0-9]*1$' "/proc/$stratad_pid/status"
	check 'the card answers all the same' answers
	check 'and the control socket' show version
	end
	check 'the socket is removed' test ! -e run/control.sock
else
	skip 'the daemon as another user' 'one user alone in this namespace'
fi

# ---- moved to another namespace, as containers do ----

begin plain.yaml
ip netns add far 2>/dev/null && ip link set strata0 netns far
if ip netns exec far ip link show strata0 >/dev/null 2>&1; then
	ip netns exec far ip link set strata0 up
	ip netns exec far ip addr add 192.0.2.1/24 dev strata0
	check 'a device that moved to another namespace goes on' \
		eventually 5 ip netns exec far ping -q -c 1 -W 1 $card
else
	skip 'a device that moves' 'no named namespaces here'
fi
end

finish
