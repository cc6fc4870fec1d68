#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Each module in turn gets `enabled: false`: what needs it is told or ends as on a host that does not
# have that protocol, and everything else goes on as before.
. "$(dirname "$0")/lib.sh"
needs ping nc nmap

pings() { ping -q -c 1 -W 1 192.0.2.2; }
echoes_tcp() { [ "$(echo line | nc -N -w 5 192.0.2.2 7)" = line ]; }
echoes_udp() { [ "$(echo line | nc -u -w 1 192.0.2.2 7)" = line ]; }
shows() { "$strata" --run-dir "$work/run" show modules; }
# state SCAN [PORT]: what nmap says of the port, 7 by default, and from what it knows.
state() { nmap -n -Pn --reason "$1" -p "${2:-7}" 192.0.2.2 | awk '/^[0-9]+\//{ print $2, $4 }'; }
# counter MODULE NAME: its value.
counter() {
	"$strata" --run-dir "$work/run" show counters |
		awk -v module="$1" -v name="$2" '$1 == module && $2 == name { n = $3 } END { print n + 0 }'
}
not() { ! "$@"; }
knows_neighbour() { ip neigh show dev strata0 | grep -q 192.0.2.2.*lladdr; }

# without MODULE…: a daemon whose manifest has these with `enabled: false`.
without() {
	write_manifest >whole.yaml
	pattern=$(IFS='|'; echo "$*")
	sed -E "s/^  - name: ($pattern)\$/&\n    enabled: false/" whole.yaml >manifest.yaml
	case " $* " in *' control '*) sed -i 's/^modules:/&\n  - name: control\n    enabled: false/' manifest.yaml ;; esac
	disabled=$*
	begin manifest.yaml
	ip neigh flush dev strata0
}

# refused MODULE WORD…: with that module disabled the daemon tells all these words, starts nothing, and
# exits with 2.
refused() {
	{
		write_manifest loopback wire arp ipv4 icmp udp cubic tcp 'echo udp=7 tcp=7'
		printf '  - name: lo\n    driver: loopback\n    addresses: [127.0.0.1/8]\n'
		printf '  - name: w0\n    driver: wire\n'
	} >whole.yaml
	sed -E "s/^  - name: $1\$/&\n    enabled: false/" whole.yaml >manifest.yaml
	if stratad_start manifest.yaml; then
		stratad_stop
		fail "without $1 the manifest is refused" 'it started'
		return
	fi
	missing=
	for word in "$@"; do grep -q -- "$word" stratad.log || missing="$missing $word"; done
	if [ "$stratad_status" = 2 ] && [ -z "$missing" ] && ! ip link show strata0 >/dev/null 2>&1; then
		pass "without $1 the manifest is refused with both sides named"
	else
		fail "without $1 the manifest is refused with both sides named" \
			"status $stratad_status, not told:$missing" "$(cat stratad.log)"
	fi
}

without none
check 'with everything, ping is answered' pings
check 'with everything, TCP echoes' echoes_tcp
check 'with everything, UDP echoes' echoes_udp
check 'with everything, strata shows the modules' shows
end

without udp
check 'without udp, ping is answered' pings
check 'without udp, TCP echoes' echoes_tcp
check 'without udp, its port answers protocol unreachable' \
	test "$(state -sU)" = 'filtered proto-unreach'
check 'without udp, strata shows the modules' shows
end

without tcp cubic
check 'without tcp, ping is answered' pings
check 'without tcp, UDP echoes' echoes_udp
check 'without tcp, its port answers protocol unreachable' \
	test "$(state -sS)" = 'filtered proto-unreach'
end

without icmp
check 'without icmp, a ping stays unanswered' not pings
check 'without icmp, TCP echoes' echoes_tcp
check 'without icmp, UDP echoes' echoes_udp
check 'without icmp, nothing tells of a closed port' test "$(state -sU 9)" = 'open|filtered no-response'
end

without echo
check 'without echo, ping is answered' pings
check 'without echo, its TCP port is closed' test "$(state -sS)" = 'closed reset'
check 'without echo, its UDP port is closed' test "$(state -sU)" = 'closed port-unreach'
end

without arp
check 'without arp, the neighbour is not found' not pings
check 'without arp, Linux knows no link address' not knows_neighbour
ip neigh replace 192.0.2.2 lladdr 02:00:00:00:00:02 dev strata0
check 'without arp, an answer finds no way though the host knows one' not pings
check 'without arp, packets still come in' test "$(counter icmp in_msgs)" -ge 1
end

without ipv4 icmp udp tcp cubic echo
ping -q -c 1 -W 1 192.0.2.2 >/dev/null
check 'without ipv4 and what stands on it, arp answers' knows_neighbour
check 'without ipv4, a ping stays unanswered' not pings
end

without ipv4
ping -q -c 1 -W 1 192.0.2.2 >/dev/null
check 'without ipv4 alone, arp answers' knows_neighbour
check 'without ipv4 alone, a ping stays unanswered' not pings
end

without cubic tcp
check 'without cubic and tcp, UDP echoes' echoes_udp
end

without control
check 'without control, ping is answered' pings
check 'without control, TCP echoes' echoes_tcp
check 'without control, strata says that nobody answers' not shows
end

refused tap st0
refused ethernet tap
refused loopback lo
refused wire w0
refused cubic tcp
finish
