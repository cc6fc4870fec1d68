#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The Linux kernel's ping and traceroute against the daemon, and the stack's own ping against Linux.
. "$(dirname "$0")/lib.sh"
needs ping

# unanswered OUTPUT: nothing when ping lost nothing and saw nothing strange, else its output.
all_answered() {
	output=$(ping -n "$@" 192.0.2.2 2>&1)
	printf '%s\n' "$output" | grep -q ' 0% packet loss' || { printf '%s\n' "$output" | tail -n 5; return; }
	printf '%s\n' "$output" | grep -E 'DUP|wrong|errors|truncated' | head -n 5
}

write_manifest arp ipv4 icmp >m.yaml
begin m.yaml
empty 'a ping is answered' "$(all_answered -c 1 -W 2)"
empty '1000 pings in 2 ms steps lose nothing' "$(all_answered -q -c 1000 -i 0.002)"
for size in 0 1 1471 1472 1473 8000 65507; do
	empty "a ping of $size bytes is answered, byte for byte" "$(all_answered -c 3 -i 0.01 -W 2 -s $size)"
done
empty 'a ping with a record route option is answered' "$(all_answered -c 1 -W 2 -R)"
check 'the host has learnt the hardware address of the stack' \
	sh -c 'ip neigh show 192.0.2.2 | grep -q "02:00:00:00:00:02"'
if command -v traceroute >/dev/null; then
	check 'traceroute by ICMP ends at the stack in one hop' \
		sh -c 'traceroute -n -I -q 1 -w 2 -m 3 192.0.2.2 | grep -Eq "^ 1  192\.0\.2\.2 "'
	check 'traceroute by UDP ends at the stack in one hop, though there is no UDP' \
		sh -c 'traceroute -n -q 1 -w 2 -m 3 192.0.2.2 | grep -Eq "^ 1  192\.0\.2\.2 "'
else
	skip 'traceroute' 'traceroute is not installed'
fi
check 'the daemon still runs' stratad_runs
end

sed 's/strata0/strata1/; s/192\.0\.2\./198.51.100./g' m.yaml >n.yaml
for size in 0 56 1472 1473 20000; do
	check "the stack pings Linux with $size bytes" \
		"$abs_top_builddir/examples/ping" -c 3 -s $size n.yaml 198.51.100.1
done
# The first of these needs 45 packets, and 16 may wait while the host's hardware address is asked for.
check 'the stack pings Linux with 65507 bytes, once it knows its address' \
	sh -c '"$0" -c 4 -s 65507 n.yaml 198.51.100.1 | grep "4 sent, [34] answered"' "$abs_top_builddir/examples/ping"
finish
