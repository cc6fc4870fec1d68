#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The demonstrations of docs/demos.md, each with its manifest of conf/demo on a real TAP.

. "$(dirname "$0")/lib.sh"
needs ping nc ip

demos=$abs_top_srcdir/conf/demo
host=192.0.2.1 card=192.0.2.2

show() { "$strata" --run-dir "$work/run" show "$@"; }
# shows TABLE PATTERN: whether the running stack's table has such a line.
shows() { show "$1" | grep -q -e "$2"; }
traced() { grep -q -e "$1" stratad.log; }
# answered SIZE [COUNT]
answered() { ping -q -c "${2:-1}" -W 2 -s "$1" $card; }
unanswered() { ! ping -q -c 1 -W 1 $card; }
neighbour_is() { ip neigh show $card dev tap0 | grep -q "$1"; }

# capture_on DEVICE FILE, capture_end: tcpdump, running when capture_on returns.
capture_on() {
	tcpdump -i "$1" -U -w "$2" 2>capture.log &
	capture_pid=$!
	eventually 5 grep -q 'listening on' capture.log
}
capture_end() {
	kill -INT "$capture_pid"
	wait "$capture_pid"
}

# ---- link: a bare card ----

begin "$demos/link.yaml" --trace
check 'link: the TAP is up' sh -c 'ip link show tap0 | grep -q "[<,]UP[,>]"'
check 'link: the host has its address' sh -c "ip addr show dev tap0 | grep -q 'inet $host/24'"
check 'link: the route leads to it' sh -c "ip route get $card | grep -q 'dev tap0'"
check 'link: a ping gets no answer' unanswered
check 'link: the frame is traced with its ends and type' eventually 2 traced 'ff:ff:ff:ff:ff:ff, type 0x0806, 42 bytes'
check 'link: and the verdict that nothing is bound to it' traced 'DROP no_network: no network module bound'
check 'link: nothing but tap and ethernet is there' \
	test "$(show modules | awk 'NR > 1 && $2 != "service" { print $1 }' | sort | xargs)" = 'ethernet tap'
check 'card: name, type, state and MTU' shows interfaces '^st0: type tap, .*state up, mtu 1500 bytes'
check 'card: MAC' shows interfaces 'mac  *02:00:00:00:00:02'
check 'card: counters' shows interfaces 'received  *[1-9]'
end
check 'link: the TAP is gone afterwards' sh -c '! ip link show tap0'

# ---- arp ----

begin "$demos/arp.yaml" --trace
check 'arp: a ping stays unanswered' unanswered
check "arp: the host's neighbour entry is REACHABLE" eventually 2 neighbour_is '02:00:00:00:00:02 .*REACHABLE'
mac=$(ip -o link show tap0 | sed 's|.*link/ether \([0-9a-f:]*\) .*|\1|')
check 'arp: the stack has learnt the host' shows neighbours "^$host  *st0  *$mac"
check 'arp: the trace has the request and the reply' traced "request: who has $card? tell $host"
check 'arp: and why the ping goes no further' traced 'network number 0x0800'
check 'card: address, mask and broadcast' \
	shows interfaces "address  $card/24  mask 255.255.255.0  broadcast 192.0.2.255"
end

# ---- ping ----

begin "$demos/ping.yaml"
for size in 0 56 1472 1473 4000 65507; do
	check "ping: $size bytes are answered" answered $size 3
done
check 'ping: a flood loses nothing' sh -c "ping -q -c 1000 -i 0.002 $card | grep -q '1000 received'"
end

# ---- udp ----

begin "$demos/udp.yaml"
check 'udp: the port is bound' shows sockets '^udp .* 0.0.0.0:7 '
check 'udp: a line comes back' test "$(echo 'hello, strata' | nc -u -w 1 $card 7)" = 'hello, strata'
head -c 8000 /dev/urandom >datagram
nc -u -w 1 $card 7 <datagram >returned
check 'udp: 8000 bytes in fragments come back' cmp datagram returned
check 'udp: tcp is not there' sh -c "! nc -z -w 1 $card 7"
end

# ---- tcp ----

begin "$demos/tcp.yaml"
check 'tcp: the port listens' shows sockets '^tcp  *LISTEN .* 0.0.0.0:7 '
command -v tcpdump >/dev/null && capture_on tap0 tcp.pcap
check 'tcp: a line comes back' test "$(echo 'hello, strata' | nc -N -w 5 $card 7)" = 'hello, strata'
if command -v curl >/dev/null; then
	check 'tcp: curl telnet:// gets it back too' \
		test "$(echo 'hello, strata' | timeout 5 curl -s --max-time 2 telnet://$card:7)" = 'hello, strata'
fi
head -c 1000000 /dev/urandom >bytes
nc -N -w 10 $card 7 <bytes >returned
check 'tcp: a million bytes come back' cmp bytes returned
if [ -n "$capture_pid" ]; then
	capture_end
	tcpdump -nn -vv -r tcp.pcap "src $card and greater 0 and less 1515" >decoded 2>/dev/null
	check 'tcp: tcpdump decodes the handshake' grep -q 'Flags \[S\.\]' decoded
	check 'tcp: and the orderly close' grep -q 'Flags \[F\.\]' decoded
	check 'tcp: and finds no bad checksum' sh -c '! grep -E "incorrect|bad|\[\|" decoded'
fi
end

# ---- one port, two transports ----

begin "$abs_top_srcdir/conf/strata.yaml"
check 'port: bound by UDP' shows sockets '^udp .* 0.0.0.0:7 '
check 'port: and the same by TCP' shows sockets '^tcp .* 0.0.0.0:7 '
check 'port: UDP answers on it' test "$(echo one | nc -u -w 1 $card 7)" = one
check 'port: and TCP' test "$(echo two | nc -N -w 5 $card 7)" = two
check 'port: the default route is there' shows routes '^0.0.0.0/0  *192.0.2.1  *st0'
end

# ---- loopback ----

if [ -x "$abs_top_builddir/examples/tcp-loopback" ]; then
	"$abs_top_builddir/examples/tcp-loopback" "$demos/loopback.yaml" >loopback 2>&1
	check 'loopback: the program ends well' test $? -eq 0
	for word in SYN ACK FIN; do
		check "loopback: $word is to be seen" grep -q "$word" loopback
	done
else
	skip 'loopback' 'examples/tcp-loopback is not built'
fi

finish
