#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The pcap driver: what was captured is received, at its pace or at once, and what the stack answers is written;
# files that are broken.

. "$(dirname "$0")/lib.sh"
needs ping ip tcpdump nc

show() { "$strata" --run-dir "$work/run" show "$@"; }
counter() { show counters pcap | awk -v name="$1" '$2 == name { n = $3 } END { print n + 0 }'; }
reads() { [ "$(counter read)" -eq "$1" ]; }
ended() { grep -q 'end of ' stratad.log; }
drop() { show drops | awk -v name="$1" '$1 == "pcap" && $2 == name { n = $3 } END { print n + 0 }'; }

# manifest [OPTION…]
manifest() {
	write_manifest arp ipv4 icmp udp 'echo udp=7' | sed "s/name: tap/name: pcap/; s/driver: tap/driver: pcap/; /host:/d" |
		awk -v more="$*" '/device:/ {
			n = split(more, option, " ")
			for (i = 1; i <= n; i++) { split(option[i], a, "="); print "      " a[1] ": " a[2] }
			if (n == 0) print "      loop: 1"
			next } { print }'
}

refused() {
	"$stratad" -c "$1" --run-dir run2 >refused 2>&1 && return 1
	grep -q "$2" refused
}

# ---- a capture to begin with: pings of the TAP driver ----

write_manifest arp ipv4 icmp >tap.yaml
begin tap.yaml
capture_start seen.pcap --immediate-mode 'dst host 192.0.2.2 or arp'
ping -q -c 5 -i 0.1 192.0.2.2 >/dev/null
eventually 3 sh -c '[ "$(tcpdump -nr seen.pcap icmp 2>/dev/null | wc -l)" -eq 5 ]'
capture_stop
end
requests=$(tcpdump -nr seen.pcap 'icmp[icmptype] == 8' 2>/dev/null | wc -l)
packets=$(tcpdump -nr seen.pcap 2>/dev/null | wc -l)
check 'there is a capture to begin with' test "$requests" -eq 5

# ---- received ----

manifest read=seen.pcap write=answers.pcap speed=max linger=200ms >max.yaml
begin max.yaml
check 'the end of the file is told' eventually 5 ended
check 'all its packets were read' reads "$packets"
check 'and the link went' sh -c "'$strata' --run-dir '$work/run' show interfaces | grep -q 'state no carrier'"
end
check 'each request was answered, in the other file' \
	test "$(tcpdump -nr answers.pcap 'icmp[icmptype] == 0' 2>/dev/null | wc -l)" -eq 5
check 'with right checksums' sh -c '! tcpdump -nvvr answers.pcap 2>/dev/null | grep -qi "bad cksum\|wrong"'

manifest read=seen.pcap speed=max loop=20 linger=100ms >loop.yaml
begin loop.yaml
check 'a file is received as often as asked for' eventually 5 reads $((packets * 20))
check 'what is sent without a file has its reason' test "$(drop no_file)" -gt 0
check 'then it ends' eventually 3 ended
end

# Five requests 100 ms apart at half the pace take 800 ms and more.
manifest read=seen.pcap speed=0.5 linger=0 >slow.yaml
started=$(date +%s%N)
begin slow.yaml
check 'at half the pace it is received too' eventually 10 ended
took=$((($(date +%s%N) - started) / 1000000))
check "and takes its time ($took ms)" test "$took" -ge 800
end

manifest write=nothing.pcap >none.yaml
begin none.yaml
check 'without a file to read the interface is up' sh -c "'$strata' --run-dir '$work/run' show interfaces | grep -q 'state up'"
end

if command -v editcap >/dev/null; then
	editcap -F pcapng seen.pcap seen.pcapng
	manifest read=seen.pcapng speed=max linger=0 >ng.yaml
	begin ng.yaml
	check 'a pcapng file is received too' eventually 5 reads "$packets"
	end
	editcap -s 60 seen.pcap snapped.pcap
	manifest read=snapped.pcap speed=max linger=3s >snapped.yaml
	begin snapped.yaml
	eventually 5 reads "$packets"
	check 'snapped packets are dropped with a reason' sh -c "'$strata' --run-dir '$work/run' show drops | grep -q 'pcap .*snapped'"
	end
	editcap -T rawip seen.pcap raw.pcap
	manifest read=raw.pcap >raw.yaml
	check 'another link type is refused' refused raw.yaml 'link type .*; expected Ethernet'
else
	skip 'pcapng, snapped packets, other link types' 'editcap is not installed'
fi

# ---- checksums that a device was to complete ----

write_manifest arp ipv4 icmp udp 'echo udp=7' >tap.yaml
begin tap.yaml
capture_start open.pcap --immediate-mode 'udp dst port 7 or arp'
echo datagram | nc -u -w 1 192.0.2.2 7 >/dev/null
eventually 3 sh -c '[ "$(tcpdump -nr open.pcap udp 2>/dev/null | wc -l)" -eq 1 ]'
capture_stop
end
check 'a capture has a checksum that is not complete' sh -c 'tcpdump -nvvr open.pcap udp 2>/dev/null | grep -q "bad udp cksum"'
replies() { tcpdump -nr answers.pcap 'udp src port 7' 2>/dev/null | wc -l; }
manifest read=open.pcap write=answers.pcap speed=max linger=200ms >verify.yaml
begin verify.yaml
eventually 5 ended
check 'the datagram is discarded as damaged' sh -c "'$strata' --run-dir '$work/run' show drops | grep -q 'udp .*checksum'"
end
check 'and not answered' test "$(replies)" -eq 0
manifest read=open.pcap write=answers.pcap speed=max linger=200ms checksum=trust >trust.yaml
begin trust.yaml
eventually 5 ended
end
check 'a file that is trusted is answered' test "$(replies)" -eq 1
check 'with a right checksum' sh -c '! tcpdump -nvvr answers.pcap 2>/dev/null | grep -qi "bad .*cksum"'

# ---- bad input ----

head -c 150 seen.pcap >cut.pcap
manifest read=cut.pcap speed=max linger=0 >cut.yaml
begin cut.yaml
check 'a file that is cut off ends there' eventually 5 ended
check 'and the log has the place' grep -q 'cut.pcap: behind packet [0-9]*, at byte [0-9]*: ' stratad.log
end
head -c 5000 /dev/urandom >noise.pcap
manifest read=noise.pcap >noise.yaml
check 'a file of another kind is refused' refused noise.yaml 'noise.pcap: '
: >empty.pcap
manifest read=empty.pcap >empty.yaml
check 'and an empty one' refused empty.yaml 'empty.pcap: '
manifest read=nothere.pcap >missing.yaml
check 'and one that is not there' refused missing.yaml 'nothere.pcap: No such file'
mkfifo pipe
manifest read=pipe >pipe.yaml
check 'and what is no file' refused pipe.yaml 'is no file'
manifest read=seen.pcap write=seen.pcap >same.yaml
check 'and to write what is read' refused same.yaml 'is the file that it reads'
check 'which is as it was' test "$(tcpdump -nr seen.pcap 2>/dev/null | wc -l)" -eq "$packets"
manifest read=seen.pcap speed=fast >fast.yaml
check 'and a speed that is none' refused fast.yaml 'speed: fast. is none'

finish
