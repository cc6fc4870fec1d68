#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Linux's clients at open and closed ports of the daemon: echo over UDP and TCP, what nmap sees, and that
# tcpdump finds nothing wrong with any packet.
. "$(dirname "$0")/lib.sh"
needs nc

udp_echo() { [ "$(echo "$1" | nc -u -w 1 192.0.2.2 7)" = "$1" ]; }
tcp_echo() { [ "$(echo "$1" | nc -N -w 5 192.0.2.2 7)" = "$1" ]; }

# refused PROTOCOL PORT: the error that a client of bash's gets.
refused() {
	(
		exec 3<>"/dev/$1/192.0.2.2/$2" || exit
		echo one >&3
		eventually 2 sh -c 'echo again >&3 || exit 0; exit 1' 2>&1
		echo more >&3
	) 2>&1
}

write_manifest arp ipv4 icmp udp newreno tcp 'echo udp=7 tcp=7' >m.yaml
begin m.yaml
! command -v tcpdump >/dev/null || capture_start all.pcap
check 'a line comes back over UDP' udp_echo 'hello over UDP'
check 'a line comes back over TCP' tcp_echo 'hello over TCP'
head -c 1048576 /dev/urandom >sent
nc -N -w 10 192.0.2.2 7 <sent >received
check 'a megabyte comes back over TCP, byte for byte' cmp sent received
check 'a connection to a closed TCP port is refused' sh -c '! nc -z -w 2 192.0.2.2 81'
case $(refused tcp 81) in *'Connection refused'*) pass 'with a reset, as Linux does it' ;;
	*) fail 'with a reset, as Linux does it' ;; esac
case $(refused udp 81) in *'Connection refused'*) pass 'a datagram to a closed UDP port brings port unreachable' ;;
	*) fail 'a datagram to a closed UDP port brings port unreachable' "$(refused udp 81)" ;; esac
if command -v nmap >/dev/null; then
	nmap -n -Pn -sT -p 7,81,82 --max-retries 1 192.0.2.2 >nmap.out 2>&1
	check 'nmap sees TCP 7 open' grep -Eq '^7/tcp +open' nmap.out
	check 'nmap sees TCP 81 and 82 closed' sh -c '[ $(grep -Ec "^8[12]/tcp +closed" nmap.out) = 2 ]'
	nmap -n -Pn -sU -p 7,81,82 --max-retries 1 192.0.2.2 >nmap.out 2>&1
	check 'nmap sees UDP 7 open' grep -Eq '^7/udp +open' nmap.out
	check 'nmap sees UDP 81 and 82 closed' sh -c '[ $(grep -Ec "^8[12]/udp +closed" nmap.out) = 2 ]'
else
	skip 'what nmap sees' 'nmap is not installed'
fi
if command -v tcpdump >/dev/null; then
	ping -n -q -c 2 -s 4000 192.0.2.2 >/dev/null
	capture_stop
	# What Linux sends has its checksum to be completed by a device that there is not.
	empty 'tcpdump finds no bad checksum in what the stack sent' "$(
		tcpdump -n -vv -r all.pcap ether src 02:00:00:00:00:02 2>/dev/null |
			grep -iE 'bad|incorrect|wrong|truncated' | head -n 5)"
	check 'and did see its packets' sh -c '[ $(tcpdump -n -r all.pcap ether src 02:00:00:00:00:02 2>/dev/null |
		wc -l) -gt 10 ]'
fi
check 'the daemon still runs' stratad_runs
end
finish
