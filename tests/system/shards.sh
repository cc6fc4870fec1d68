#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Several shards on a TAP with a queue for each: what Linux, ping, nc and curl see is one host; strata sees all of them.

. "$(dirname "$0")/lib.sh"
needs ping ip nc curl jq

card=192.0.2.2
strata() { "$strata" --run-dir "$work/run" "$@"; }
# of TABLE FILTER: what jq makes of a table's entries.
of() { strata show "$1" --json | jq -r "$2"; }
echoes() { [ "$(echo "$1" | timeout 5 nc -N $card 7)" = "$1" ]; }
udp_echoes() { [ "$(echo "$1" | timeout 5 nc -u -w 1 $card 7)" = "$1" ]; }
total() { of counters "[.[] | select(.counter == \"$1\") | .value] | add"; }

write_manifest arp ipv4 'icmp echo_broadcast=true' udp cubic tcp 'echo udp=7 tcp=7' metrics >one.yaml
with_shards 3 one.yaml >three.yaml

# ---- what cannot be ----

for n in 0 65 -1 many; do
	with_shards "$n" one.yaml >bad.yaml
	"$stratad" --check -c bad.yaml >out 2>&1
	check "shards: $n is refused with status 2" test $? -eq 2
	check 'and with what can be' grep -q 'bad.yaml:3:11: "shards": expected a number from 1 to 64' out
done
ip tuntap add dev strata0 mode tap
stratad_start three.yaml
check 'a device of one queue is refused' test "$stratad_status" -ne 0
check 'with the remedy' grep -q 'mode tap multi_queue' stratad.log
check 'and nothing is left behind' sh -c "! ls run/control*.sock"
ip link del strata0
ip tuntap add dev strata0 mode tap multi_queue
begin three.yaml
check 'one made with several is taken' echoes hello
end
ip link del strata0

# ---- at work ----

begin three.yaml
check 'all have their thread' test "$(ls "/proc/$stratad_pid/task" | wc -l)" -eq 3
check 'the log tells the shard' grep -q '^shard 2: kernel: interface st0: running' stratad.log
check 'the host has its address once' test "$(ip -4 -o addr show dev strata0 | wc -l)" -eq 1
check 'a ping is answered once' sh -c "ping -c 20 -i 0.01 $card | grep -q '20 received' && ! ping -c 3 -i 0.1 $card | grep -q DUP"
check 'a ping to all is answered once' sh -c "! ping -b -c 5 -i 0.1 192.0.2.255 | grep -q DUP"
check 'fragments are put together' ping -c 5 -i 0.05 -s 20000 $card

failed=0
for i in $(seq 64); do echoes "line $i" || failed=$((failed + 1)); done
check '64 connections one after the other get their echo' test $failed -eq 0
check 'and belong to all shards' test "$(of counters '[.[] | select(.counter == "passive_opens" and .value > 0)] | length')" -eq 3
for i in $(seq 64); do (echoes "line $i" || echo "$i" >>failed) & echoers="$echoers $!"; done
# shellcheck disable=SC2086
wait $echoers
check '64 connections at a time too' test ! -e failed
head -c 20000000 /dev/urandom >sent
timeout 60 nc -N $card 7 <sent >got
check '20 MB through one connection come back as they were' cmp sent got
for i in 1 2 3 4 5 6 7 8; do udp_echoes "datagram $i" || echo "$i" >>failed; done
check 'datagrams come back too' test ! -e failed
check 'what was handed over arrived' test "$(total shard_out)" = "$(total shard_in)"
check 'and was not lost' test "$(of drops '[.[] | select(.reason == "shard_ring_full") | .count] | add')" -eq 0

# ---- who gets a packet ----

# handed_over: of 30 connections and 30 datagrams, how many packets went from one shard to another. The neighbour is
# known: what is sent to resolve addresses goes to all.
handed_over() {
	ping -q -c 1 -W 1 $card >/dev/null
	before=$(total shard_out)
	for i in $(seq 30); do echoes "line $i" || return; done
	for i in $(seq 30); do
		exec 3<>"/dev/udp/$card/7"
		echo "datagram $i" >&3 && read -r -n 1 -t 5 -u 3 _ || return
	done
	exec 3>&-
	echo $(($(total shard_out) - before))
}
all_up() { [ "$(of interfaces '[.[] | select(.state == "up")] | length')" -eq 3 ]; }

if grep -q 'takes no program' stratad.log; then
	skip 'the host steers packets to their shards' 'no privileges for a program in the kernel'
else
	check 'the host brings each packet to the shard that owns its flow' test "$(handed_over)" -eq 0
	ip link del strata0
	check 'a device that was deleted is made again' eventually 10 all_up
	check 'with a program for the queues in their new order' test "$(handed_over)" -eq 0
	end
	sed 's/device: strata0/&\n      steering: false/' three.yaml >plain.yaml
	begin plain.yaml
	check 'steering: false leaves it to the host, and shards hand packets over' test "$(handed_over)" -gt 10
	end
	ip tuntap add dev strata0 mode tap multi_queue
	begin three.yaml
	check 'a device that was made beforehand is steered too' test "$(handed_over)" -eq 0
	end
	begin plain.yaml
	check 'and keeps no program' test "$(handed_over)" -gt 10
	end
	ip link del strata0
	# Root without CAP_BPF, as of an older host's limits.
	daemon=$stratad
	stratad="setpriv --bounding-set -bpf,-sys_admin,-perfmon --inh-caps -bpf,-sys_admin,-perfmon $daemon"
	cat >without-bpf <<-EOT
		#!/bin/sh
		exec $stratad "\$@"
	EOT
	chmod +x without-bpf
	stratad=$work/without-bpf
	begin three.yaml
	check 'a host that takes no program is told once for each shard' test "$(grep -c 'takes no program.*needs CAP_BPF' stratad.log)" -eq 3
	check 'and shards hand packets over' test "$(handed_over)" -gt 10
	end
	stratad=$daemon
	begin three.yaml
fi

# ---- another on the same device ----

mkdir second
timeout 20 "$stratad" -c three.yaml --run-dir "$work/second" >second.log 2>&1
check 'a second daemon is refused' test $? -eq 1
check 'since the first has the device' grep -q 'TAP device strata0: .*another process, or another interface, has it open' second.log
check 'and leaves the first as it was' all_up
if ! grep -q 'takes no program' stratad.log; then
	check 'with the program of the first' test "$(handed_over)" -eq 0
fi
{ cat three.yaml; sed '1,/^interfaces:/d; s/st0/st1/; s/00:02$/00:03/; s,192.0.2.2/24,198.51.100.2/24,' three.yaml; } >twice.yaml
cp three.yaml once.yaml
cp twice.yaml three.yaml
strata reload >out 2>&1
check 'so is a second interface' grep -q 'another process, or another interface, has it open' out
cp once.yaml three.yaml
strata reload
check 'and the first goes on' eventually 10 echoes still

# ---- looking ----

check 'sockets tell their shard' sh -c "'$strata' --run-dir '$work/run' show sockets | grep -q '^SHARD *TRANSPORT'"
check 'of one shard they do not' sh -c "! '$strata' --run-dir '$work/run' show sockets --shard 2 | grep -q SHARD"
check 'an interface is shown once, with all counters' sh -c "'$strata' --run-dir '$work/run' show interfaces st0 | grep -c '^st0:' | grep -qx 1"
check 'as JSON once for each' test "$(of interfaces length)" -eq 3
for i in 0 1 2; do
	curl -s -m 5 "http://$card:$((9740 + i))/metrics" >"metrics$i"
	check "the metrics of shard $i are at their port" grep -q "^strata_uptime_seconds{shard=\"$i\"}" "metrics$i"
done
strata trace >out 2>&1
check 'a trace wants one shard named' grep -q -e '--shard' out
strata trace --shard 1 --count 1 >out 2>&1 &
tracer=$!
for i in $(seq 20); do echoes "traced $i"; done
check 'and has that one' eventually 5 sh -c "! kill -0 $tracer"
strata show sockets --shard 9 >out 2>&1
check 'a shard that is not there is told' test $? -eq 1

# ---- changing ----

strata address add 192.0.2.77/24 dev st0
check 'an address comes to all' test "$(of addresses '[.[] | select(.address == "192.0.2.77")] | length')" -eq 3
check 'and answers' ping -q -c 3 -i 0.1 -W 1 192.0.2.77
strata address del 192.0.2.77/24 dev st0
check 'it goes from all' test "$(of addresses '[.[] | select(.address == "192.0.2.77")] | length')" -eq 0
strata option set tcp.sack off
check 'so does an option' test "$(of options '[.[] | select(.module == "tcp" and .option == "sack") | .value] | unique | join(" ")')" = false
strata option set tcp.sack off --shard 1 >out 2>&1
check 'a change of one alone is refused' grep -q 'changes all shards' out
strata module disable echo
check 'a module stops in all' sh -c "! echo x | timeout 2 nc -N $card 7 | grep -q x"
strata module enable echo
check 'and starts in all' echoes again

timeout 60 nc -N $card 7 <sent >got &
transfer=$!
sed 's,192.0.2.2/24,&\, 192.0.2.88/24,' three.yaml >next.yaml
cp next.yaml three.yaml
kill -HUP "$stratad_pid"
has() { [ "$(of addresses "[.[] | select(.address == \"$1\")] | length")" -eq 3 ]; }
check 'SIGHUP brings what is new to all' eventually 5 has 192.0.2.88
sed 's/shards: 3/shards: 2/' next.yaml >three.yaml
strata reload >out 2>&1
check 'another number of shards is refused' grep -q 'a running stack keeps its shards' out
cp next.yaml three.yaml
echo 'nonsense:' >>three.yaml
strata reload >out 2>&1
check 'so is a faulty manifest' grep -q 'unknown key "nonsense"' out
cp next.yaml three.yaml
wait $transfer
check 'a connection does not notice reloads' cmp sent got

# Each shard opens its queue again while those of the others are still there.
for offload in false true; do
	sed "s/device: strata0/&\n      offload: $offload/" next.yaml >three.yaml
	strata reload
	check "a reload with offload: $offload leaves all shards in touch" ping -q -c 20 -i 0.01 -W 1 $card
	failed=0
	for i in 1 2 3 4 5 6 7 8; do echoes "line $i" || failed=$((failed + 1)); done
	check 'for connections too' test $failed -eq 0
	check 'and nothing is discarded as malformed' test "$(of drops '[.[] | select(.reason | startswith("vnet_")) | .count] | add')" -eq 0
	before=$(total rx_super_packets)
	head -c 1000000 sent | timeout 20 nc -N $card 7 >got
	check 'a transfer comes back as it was' cmp -n 1000000 sent got
	check 'in packets larger than the MTU where they are wanted' \
		test "$([ "$(total rx_super_packets)" -gt "$before" ] && echo true || echo false)" = $offload
done
cp next.yaml three.yaml
strata reload

# ---- a device that goes ----

ip link del strata0
check 'a deleted device is made again with all its queues' eventually 10 echoes back
check 'in every shard' eventually 10 all_up
end
check 'no socket is left' sh -c '! ls run/control*.sock'
finish
