#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# `strata trace` of a daemon on a TAP: a ping, a connection, filters, discards, and a reader that does not read.

. "$(dirname "$0")/lib.sh"
needs ping nc ip

card=192.0.2.2
# traced FILE ARGUMENT…: a trace into FILE, running when it returns; trace_pid is its process.
traced() {
	local file=$1
	shift
	"$strata" --run-dir "$work/run" trace "$@" >"$file" 2>"$file.err" &
	trace_pid=$!
	streams=$((streams + 1))
	eventually 5 listening
}
counter() { "$strata" --run-dir "$work/run" show counters | awk -v name="$1" '$1 == "control" && $2 == name { print $3 }'; }
listening() { [ "$(counter streams)" = "$streams" ]; }
streams=0
# told: ends the trace; its last words are on its standard error.
told() {
	kill -INT "$trace_pid"
	wait "$trace_pid"
}
says() { grep -q -e "$2" "$1"; }
silent() { ! grep -q -e "$2" "$1"; }
# in_order FILE PATTERN…: lines with these come one after the other.
in_order() {
	local file=$1 at=0 next pattern
	shift
	for pattern; do
		next=$(tail -n +$((at + 1)) "$file" | grep -n -m 1 -e "$pattern" | cut -d: -f1)
		[ -n "$next" ] || { echo "nothing with '$pattern' after line $at"; return 1; }
		at=$((at + next))
	done
}

begin "$abs_top_srcdir/conf/strata.yaml"

# ---- a ping, with a filter that leaves ARP and all else out ----

traced ping.txt icmp
check 'a ping is answered while it is traced' ping -q -c 1 -W 2 $card
told
check 'the walk of a ping has each layer and its decision' in_order ping.txt \
	'in  kernel  *in on st0, 98 bytes' 'in  ethernet .*type 0x0800' \
	'in  ipv4 .*192.0.2.1 → 192.0.2.2, protocol 1.*for this host' 'in  icmp .*echo request' \
	'out ipv4 .*192.0.2.2 → 192.0.2.1' 'out kernel .*neighbour 192.0.2.1 at' \
	'out ethernet' 'out tap .*→ tap0'
check 'the filter keeps ARP out' silent ping.txt ' arp '
check 'the end says how much was lost' says ping.txt.err ', 0 lost'
check 'lines keep to 100 columns' sh -c "! LC_ALL=C.UTF-8 grep -q '^.\{101\}' ping.txt"

# ---- a connection ----

traced follow.txt --follow $card:7-192.0.2.1:40007
check 'a connection works while it is followed' test "$(echo hello | nc -N -p 40007 -w 5 $card 7)" = hello
nc -z -w 1 $card 9
told
check 'a followed connection shows its segments and states' in_order follow.txt \
	'port 40007 → 7, SYN,' 'port 7 → 40007, SYN ACK,' 'SYN-RECEIVED → ESTABLISHED' 'ESTABLISHED → CLOSE-WAIT' \
	'LAST-ACK → CLOSED'
check 'and nothing of another' silent follow.txt '→ 9,'

# ---- discards ----

traced drops.txt --drops
ping -q -c 1 -W 2 $card >/dev/null
nc -z -w 1 $card 9
told
check 'a discard is told with its walk and its reason' in_order drops.txt \
	'in  ipv4 .*protocol 6' 'in  tcp .*SYN' 'DROP no_connection: '
check 'what is not discarded is not told' silent drops.txt 'echo request'

# ---- for programs ----

traced steps.json --json --module icmp --count 1 icmp
ping -q -c 2 -i 0.2 -W 2 $card >/dev/null
wait "$trace_pid"
check 'the trace ends by itself after so many packets' test $? -eq 0
check 'steps are objects, one a line' says steps.json '^{"time":[0-9]*,"packet":[0-9]*,.*"module":"icmp".*}$'
check 'of one packet and one module' sh -c \
	"test \$(sed 's/.*\"packet\":\([0-9]*\).*/\1/' steps.json | sort -u | wc -l) -eq 1 && ! grep -v '\"module\":\"icmp\"' steps.json"
"$strata" --run-dir "$work/run" trace -m icpm >/dev/null 2>wrong.err
check 'a module that is not there is named, with the nearest' says wrong.err 'icpm.*did you mean "icmp"'

# ---- a reader that does not read ----

traced slow.json --json
kill -STOP "$trace_pid"
head -c 40000000 /dev/urandom >bytes
nc -N -w 20 $card 7 <bytes >returned
check 'forty million bytes come back though nobody reads the trace' cmp bytes returned
check 'steps were lost, and counted' test "$(counter stream_lost)" -gt 0
kill -CONT "$trace_pid"
kill -INT "$trace_pid"
wait "$trace_pid"
check 'and the daemon is as well as before' ping -q -c 1 -W 2 $card
end

finish
