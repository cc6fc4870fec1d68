#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The fault module over a TAP: what Linux sees of an imperfect link.
. "$(dirname "$0")/lib.sh"
needs ping nc tcpdump

stream=$abs_top_builddir/tests/system/stream
mib=4
[ "${STRATA_TEST_SANITIZERS:-no}" != yes ] || mib=1

# faulty OPTION…: a manifest with the stack on fault over a TAP, with these options of the fault.
faulty() {
	write_manifest arp ipv4 icmp udp cubic tcp 'echo udp=7 tcp=7' fault |
		sed 's/^  - name: st0$/  - name: dev0/; /^    addresses:/d'
	printf '  - name: st0\n    driver: fault\n    addresses: [192.0.2.2/24]\n    options:\n'
	printf '      over: dev0\n      seed: 20\n'
	for option in "$@"; do printf '      %s: %s\n' "${option%%=*}" "${option#*=}"; done
}

# replies: how many of 400 pings are answered.
replies() {
	ping -n -q -c 400 -i 0.002 -W 1 192.0.2.2 | sed -n 's/.* \([0-9]*\) received.*/\1/p'
}

faulty >manifest.yaml
begin manifest.yaml
check 'without options every ping is answered' ping -n -q -c 20 -i 0.01 192.0.2.2
end

faulty rx_loss=10% tx_loss=10% >manifest.yaml
begin manifest.yaml
n=$(replies)
check "about 81 % of pings survive 10 % loss each way ($n of 400)" test "${n:-0}" -ge 290 -a "${n:-0}" -le 355
end

faulty rx_delay=20ms tx_delay=20ms >manifest.yaml
begin manifest.yaml
least=$(ping -n -q -c 5 -i 0.1 192.0.2.2 | sed -n 's,^rtt [^=]*= \([0-9]*\).*,\1,p')
check "a ping takes the delays of both ways ($least ms)" test "${least:-0}" -ge 40 -a "${least:-0}" -lt 200
end

faulty rx_duplicate=100% >manifest.yaml
begin manifest.yaml
check 'a duplicated request is answered twice' sh -c 'ping -n -c 2 -i 0.2 192.0.2.2 | grep -q DUP'
end

faulty rx_loss=5% tx_loss=5% rx_duplicate=2% rx_reorder=5% tx_reorder=5% rx_corrupt=0.5% tx_corrupt=0.5% \
	rx_jitter=2ms tx_jitter=2ms >manifest.yaml
begin manifest.yaml
capture_start strata0.pcap
bytes=$((mib * 1048576))
check "$mib MiB through 5 % loss, reordering and corruption come back exact" sh -c \
	"'$stream' write $bytes 3 | nc -N 192.0.2.2 7 | '$stream' check $bytes 3"
capture_stop
check 'faults hit packets as they are on the wire' sh -c \
	"tcpdump -n -r strata0.pcap 'ip and greater 1515' 2>/dev/null | grep -c . | grep -qx 0"
end

# The device goes, and comes back: so does what stands on it.
faulty rx_loss=1% >manifest.yaml
begin manifest.yaml
ip link delete strata0
check 'the daemon outlives its device' stratad_runs
eventually 10 ip link show strata0
ip link set strata0 up
ip addr show strata0 | grep -q 192.0.2.1 || ip addr add 192.0.2.1/24 dev strata0
check 'and answers on the new one' eventually 20 ping -n -q -c 1 -W 1 192.0.2.2
end
finish
