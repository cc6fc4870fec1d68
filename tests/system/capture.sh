#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# strata capture of the real daemon: what tshark and tcpdump make of it, and what it may not disturb.
. "$(dirname "$0")/lib.sh"
needs ping nc tcpdump tshark

stream=$abs_top_builddir/tests/system/stream
mib=32
[ "${STRATA_TEST_SANITIZERS:-no}" != yes ] || mib=4

# started ERR: the capture whose messages go there runs, or has ended.
started() { eventually 20 grep -qE 'capturing|strata:' "$1" && grep -q capturing "$1"; }

# taken FILE [ARGUMENT…]: starts a capture to FILE; messages in its name with .err, its number in $taken_pid.
taken() {
	file=$1
	shift
	err=${file##*/}.err
	"$strata" --run-dir run capture -w "$file" "$@" 2>"$err" &
	taken_pid=$!
	started "$err" || fail "capture to $file starts" "$(cat "$err")"
}

# ended FILE: ends it as Ctrl-C does; a case of its own.
ended() {
	kill -INT "$taken_pid"
	wait "$taken_pid"
	status=$?
	if [ $status -eq 0 ] && grep -qE '^[0-9]+ packets? captured, [0-9]+ lost$' "$1.err"; then
		pass "SIGINT ends the capture to $1 in good order"
	else
		fail "SIGINT ends the capture to $1 in good order" "status $status" "$(cat "$1.err")"
	fi
}

# shark FILE [ARGUMENT…]: tshark, with checksums checked; what it has to say about itself goes to shark.err.
shark() {
	file=$1
	shift
	tshark -n -r "$file" -o ip.check_checksum:TRUE -o tcp.check_checksum:TRUE -o udp.check_checksum:TRUE \
		"$@" 2>shark.err
	status=$?
	grep -v 'This could be dangerous' shark.err
	return $status
}

# sound FILE: tshark reads it without a complaint, and no checksum is wrong.
sound() {
	empty "tshark opens $1 without a complaint, no checksum is wrong, no packet malformed" "$(shark "$1" \
		-Y 'ip.checksum.status==0 || tcp.checksum.status==0 || udp.checksum.status==0 ||
			icmp.checksum.status==0 || _ws.malformed || _ws.expert.severity==error')"
}

count() { shark "$@" -T fields -e frame.number | grep -c .; }

# ---- beside tcpdump ----

write_manifest arp ipv4 icmp udp cubic tcp 'echo udp=7 tcp=7' >manifest.yaml
printf '  - name: lo\n    driver: loopback\n' >>manifest.yaml
sed -i 's/^  - name: tap$/  - name: tap\n  - name: loopback/' manifest.yaml
begin manifest.yaml
ping -q -c 1 192.0.2.2 >/dev/null
capture_start beside.pcap --immediate-mode icmp or tcp port 7 or udp port 7
taken beside.pcapng -i st0 icmp or tcp port 7 or udp port 7
ping -q -c 5 -i 0.02 192.0.2.2 >/dev/null
printf 'one line\n' | nc -N 192.0.2.2 7 >/dev/null
# Its socket is there until the answer is: an error that it had gone might come after the end.
exec 7<>/dev/udp/192.0.2.2/7
printf 'a datagram' >&7
read -r -n 10 -t 5 <&7
exec 7<&-
ended beside.pcapng
capture_stop
sound beside.pcapng
ours=$(count beside.pcapng) theirs=$(tcpdump -n -r beside.pcap 2>/dev/null | grep -c .)
check "it has the $theirs packets that tcpdump has ($ours)" test "$ours" -eq "$theirs" -a "$ours" -gt 15
check 'and says so' grep -q "^$ours packets captured, 0 lost" beside.pcapng.err
check 'in the same order, with the same bytes' diff \
	<(tcpdump -n -t -x -r beside.pcap ip proto 1 2>/dev/null) \
	<(tcpdump -n -t -x -r beside.pcapng ip proto 1 2>/dev/null)
check 'directions are told' test "$(count beside.pcapng -Y 'frame.packet_flags_direction==1 && icmp.type==8')" -eq 5
check 'the interface and the program are told' sh -c \
	"capinfos beside.pcapng | grep -q 'Name = st0' && capinfos beside.pcapng | grep -q 'Strata'"
check 'the filter is told' sh -c "capinfos beside.pcapng | grep -q 'icmp or tcp port 7'"

# ---- discards ----

taken drops.pcapng --drops udp port 99
printf 'nobody listens' | nc -u -q 0 -w 1 192.0.2.2 99 >/dev/null
printf 'a datagram' | nc -u -q 0 -w 1 192.0.2.2 7 >/dev/null
ended drops.pcapng
sound drops.pcapng
comments=$(shark drops.pcapng -T fields -e frame.comment)
check "what discards a packet is its comment ($comments)" test "$comments" = \
	'dropped by kernel: no_flow (no socket for this port)'

# ---- bulk, with super-packets and open checksums; a reader that does not read ----

mkfifo hung
"$strata" --run-dir run capture -w hung 2>hung.err &
hung_pid=$!
exec 7<hung
taken bulk.pcapng -i st0 -s 200 tcp
taken_bulk=$taken_pid
started hung.err || fail 'capture to a pipe starts' "$(cat hung.err)"
bytes=$((mib * 1048576))
memory() { "$strata" --run-dir run show version --json | sed -n 's/.*"memory": \([0-9]*\).*/\1/p'; }
check "$mib MiB come back exact while a capture's reader does not read" sh -c \
	"'$stream' write $bytes 1 | nc -N 192.0.2.2 7 | '$stream' check $bytes 1"
memory=$(memory)
check "memory is bounded ($memory bytes)" test "$memory" -lt $((24 << 20))
taken_pid=$taken_bulk
ended bulk.pcapng
sound bulk.pcapng
check 'the bulk is in it' test "$(count bulk.pcapng)" -gt $((mib * 10))
cat <&7 >hung.pcapng &
cat_pid=$!
exec 7<&-
kill -INT "$hung_pid"
wait "$hung_pid"
wait "$cat_pid"
check 'the one that did not read has lost packets, and is told how many' \
	grep -qE '^[0-9]+ packets captured, [1-9][0-9]* lost$' hung.err
check 'what it has is whole' test "$(count hung.pcapng)" -eq "$(sed -n 's/^\([0-9]*\) packets.*/\1/p' hung.err)"
sound hung.pcapng
check 'super-packets are there, with whole checksums' test "$(count hung.pcapng -Y 'frame.len > 1514')" -gt 0

# ---- clients that go ----

taken killed.pcapng
kill -KILL "$taken_pid"
wait "$taken_pid" 2>/dev/null
check 'a capture that is killed is forgotten' eventually 10 sh -c \
	"'$strata' --run-dir run capture -c 1 -w one.pcapng 2>one.err & ping -q -c 1 -W 1 192.0.2.2 && wait"
check 'a reader that goes ends it' timeout 20 sh -c \
	"ping -q -c 100 -i 0.05 192.0.2.2 >/dev/null & '$strata' --run-dir run capture | head -c 1000 >/dev/null"
mkdir full
mount -t tmpfs -o size=16k tmpfs full
taken full/full.pcapng
taken_full=$taken_pid
ping -q -c 100 -i 0.002 -s 1000 192.0.2.2 >/dev/null
wait "$taken_full"
status=$?
check "a full disk ends it with status 1 ($status)" test $status -eq 1
check 'and is told' grep -q 'No space left on device' full.pcapng.err
check 'what the disk has room for can be read without a complaint' eval \
	'tshark -r full/full.pcapng 2>tshark.err >tshark.out && ! grep -q "cut short" tshark.err'
check 'and is as many packets as were told' grep -q "after $(wc -l <tshark.out) packets" full.pcapng.err
check 'the stack does not notice' ping -q -c 1 -W 1 192.0.2.2

# ---- refusals ----

# refused PATTERN ARGUMENT…: status 1 or 2, the message has the pattern, no file is made.
refused() {
	pattern=$1
	shift
	rm -f refused
	"$strata" --run-dir run capture -w refused "$@" 2>err
	status=$?
	if [ $status -ne 0 ] && grep -q -e "$pattern" err && [ ! -e refused ]; then
		pass "refused: $*"
	else
		fail "refused: $*" "status $status" "$(cat err)"
	fi
}
refused 'did you mean "st0"' -i st1
refused 'syntax error' tcp prot 80
refused 'for bare IP packets' -i lo ether broadcast
refused 'loops' ip6 protochain 6
refused 'in or out' -d up
refused 'expected a number' -c 0
check 'a terminal is no place for it' sh -c \
	"script -qec \"'$strata' --run-dir run capture\" /dev/null | grep -q 'no text for a terminal'"
end

# ---- other interfaces: a loopback, and one that stands on another ----

write_manifest arp ipv4 icmp udp cubic tcp 'echo udp=7 tcp=7' fault loopback |
	sed 's/^  - name: st0$/  - name: dev0/; /^    addresses:/d' >manifest.yaml
cat >>manifest.yaml <<'END'
  - name: st0
    driver: fault
    addresses: [192.0.2.2/24]
    options:
      over: dev0
      seed: 7
      rx_loss: 20%
  - name: lo
    driver: loopback
    addresses: [127.0.0.1/8]
END
begin manifest.yaml
ping -q -c 5 -i 0.02 -W 1 192.0.2.2 >/dev/null
taken fault.pcapng icmp
ping -q -c 100 -i 0.005 -W 1 192.0.2.2 >ping.out
ended fault.pcapng
sound fault.pcapng
received=$(sed -n 's/.* \([0-9]*\) received.*/\1/p' ping.out)
check "each ping is on dev0, with its fate: $((100 - received)) lost" test \
	"$(count fault.pcapng -Y 'frame.interface_name=="dev0" && icmp.type==8')" -eq 100 -a \
	"$(count fault.pcapng -Y 'frame.interface_name=="dev0" && frame.comment contains "dropped by fault: lost"')" \
	-eq $((100 - received)) -a "$received" -lt 100
check "$received are on st0" test \
	"$(count fault.pcapng -Y 'frame.interface_name=="st0" && icmp.type==8')" -eq "$received"
taken last.pcapng icmp
ping -q -c 3 -i 0.02 -W 1 192.0.2.2 >/dev/null
end
wait "$taken_pid"
status=$?
check 'a stack that ends has sent all, and is told' sh -c \
	"test $status -eq 1 && grep -q 'the stack ended the capture' last.pcapng.err"
check 'with its statistics' sh -c "capinfos last.pcapng | grep -q 'Number of stat entries = 1'"
finish
