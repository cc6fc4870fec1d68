#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What a stack owes to the tools that every host is tried with: ping, traceroute, nmap, tcpdump.
. "$(dirname "$0")/lib.sh"
needs ping traceroute nmap tcpdump socat

write_manifest >manifest.yaml
begin manifest.yaml
ping -q -c 1 192.0.2.2 >/dev/null

ping -q -c 1000 -i 0.002 192.0.2.2 >ping.out 2>&1
check 'a thousand pings, two milliseconds apart, lose none' grep -q ' 0% packet loss' ping.out
for size in 0 1472 1473 8000 65507; do
	check "ping with $size bytes is answered" ping -q -c 3 -i 0.05 -W 2 -s "$size" 192.0.2.2
done

# ---- the other way: a stack that pings Linux, on a TAP of its own ----

cat >pinger.yaml <<YAML
strata: 1
modules:
  - name: tap
  - name: ethernet
  - name: arp
  - name: ipv4
  - name: icmp
interfaces:
  - name: st0
    driver: tap
    options:
      device: pinger0
      host: 198.51.100.1/24
    addresses: [198.51.100.2/24]
YAML
ping_out() { "$abs_top_builddir/examples/ping" -m "$STRATA_MODULE_PATH" -s "$1" -c 4 pinger.yaml 198.51.100.1; }
ping_out 56 >out.56 2>&1
check "a stack's pings are answered by Linux" grep -q '4 sent, 4 answered' out.56
# Of the first one not all 45 fragments may wait for the neighbour's address (16 packets do).
ping_out 65507 >out.65507 2>&1
check "a stack's pings with 65507 bytes are answered by Linux once it knows the neighbour" \
	grep -q '4 sent, [34] answered' out.65507

# ---- the same questions to Linux and to Strata ----

# A Linux host with the echo service, at 203.0.113.2 behind a veth.
unshare --net sh -c 'exec tail -f /dev/null' &
peer=$!
eventually 5 test "$(readlink /proc/$peer/ns/net)" != "$(readlink /proc/self/ns/net)"
eventually 5 sh -c "[ \"\$(readlink /proc/$peer/ns/net)\" != \"\$(readlink /proc/self/ns/net)\" ]"
ip link add linux0 type veth peer name eth0 netns "$peer"
ip addr add 203.0.113.1/24 dev linux0
ip link set linux0 up
in_peer() { nsenter -t "$peer" -n "$@"; }
in_peer ip link set lo up
in_peer ip addr add 203.0.113.2/24 dev eth0
in_peer ip link set eth0 up
in_peer sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv4.icmp_msgs_per_sec=100000
in_peer socat TCP-LISTEN:7,fork,reuseaddr EXEC:cat 2>/dev/null &
in_peer socat UDP-LISTEN:7,fork,reuseaddr EXEC:cat 2>/dev/null &
eventually 5 ping -q -c 1 -W 1 203.0.113.2
eventually 5 sh -c 'echo | nc -q 0 -w 1 203.0.113.2 7'

# States of the ports as nmap names them, a line each.
ports() { nmap -n -Pn --max-retries 3 -oG - "$@" | tr ',' '\n' | sed -n 's/.*[ \t]\([0-9]*\)\/\([a-z|]*\)\/\([a-z]*\)\/.*/\1 \2 \3/p'; }

# same NAME COMMAND…: the command's output is the same with either host's address for HOST.
same() {
	name=$1
	shift
	"${@//HOST/203.0.113.2}" >linux.out 2>&1
	"${@//HOST/192.0.2.2}" >strata.out 2>&1
	if [ -s linux.out ] && cmp -s linux.out strata.out; then pass "$name"; else
		fail "$name" 'Linux:' "$(cat linux.out)" 'Strata:' "$(cat strata.out)"
	fi
}
same 'nmap -sT sees open and closed ports as it does of Linux' ports -sT -p 7,9,80,8080 HOST
same 'nmap -sS sees open and closed ports as it does of Linux' ports -sS -p 7,9,80,8080 HOST
same 'nmap -sU sees open and closed ports as it does of Linux' ports -sU -p 7,9,5353 HOST
same 'nmap -sA sees ports as it does of Linux' ports -sA -p 7,9 HOST
same 'nmap -sF sees ports as it does of Linux' ports -sF -p 7,9 HOST
same 'nmap -sN sees ports as it does of Linux' ports -sN -p 7,9 HOST

hops() { traceroute -n -q 1 -w 2 "$@" | awk 'NR > 1 { print $1, $2 == "*" ? "silent" : $NF ~ /^!/ ? $NF : "answers" }'; }
same 'traceroute by UDP ends as with Linux' hops HOST
same 'traceroute by ICMP echo ends as with Linux' hops -I HOST
same 'traceroute by TCP ends as with Linux' hops -T -p 7 HOST

# ---- a stranger's eye on every packet ----

# What is larger than the MTU has its checksum open, for the device, as Linux's own has.
capture_start seen.pcap src host 192.0.2.2 and less 1515
ping -q -c 3 -i 0.05 -s 4000 192.0.2.2 >/dev/null
echo question | nc -u -w 1 192.0.2.2 7 >/dev/null
echo question | nc -q 1 -w 3 192.0.2.2 7 >answer
"$abs_top_builddir/tests/system/stream" write 1048576 | nc -N 192.0.2.2 7 |
	"$abs_top_builddir/tests/system/stream" check 1048576
nc -z -w 1 192.0.2.2 80
nc -u -w 1 192.0.2.2 9 </dev/null
capture_stop
tcpdump -vv -n -r seen.pcap >seen.txt 2>/dev/null
check 'a line comes back from the TCP echo service' grep -qx question answer
check 'tcpdump saw the answers' grep -q 'Flags \[S\.\]' seen.txt
empty 'tcpdump -vv finds no bad checksum and nothing malformed' \
	"$(grep -iE '\bbad\b|incorrect|invalid|malformed|truncated' seen.txt)"
end

# ---- a reader of the trace that stops reading ----

mkfifo stuck
exec 7<>stuck
rm -f ready
mkfifo ready
"$stratad" -c manifest.yaml --run-dir "$work/run" --trace >ready 2>stuck &
stratad_pid=$!
read -r line <ready
check 'stratad is ready though nobody reads its trace' test "$line" = 'stratad: ready'
ping -q -c 500 -i 0.002 -W 2 192.0.2.2 >stuck.out 2>&1
check 'pings are answered though nobody reads the trace' grep -q ' 0% packet loss' stuck.out
end
finish
