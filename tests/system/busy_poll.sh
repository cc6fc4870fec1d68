#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A daemon that polls its TAP before it sleeps: it answers as ever, sleeps when nothing comes, and ceases to poll when
# told so while it runs.

. "$(dirname "$0")/lib.sh"
needs ping nc

card=192.0.2.2
strata() { "$strata" --run-dir "$work/run" "$@"; }
ticks() { awk '{ print $14 + $15 }' "/proc/$stratad_pid/stat"; }
echoes() { [ "$(echo "$1" | timeout 5 nc -N $card 7)" = "$1" ]; }
udp_echoes() { [ "$(echo "$1" | timeout 5 nc -u -w 1 $card 7)" = "$1" ]; }

# cost: processor time, in hundredths of a second, while ten pings come a fifth of a second apart.
cost() {
	before=$(ticks)
	ping -q -c 10 -i 0.2 -W 1 $card >/dev/null
	echo $(($(ticks) - before))
}
polls() { [ "$(cost)" -gt 40 ]; }
# sleeps: whether less than a tenth of half a second is used while nothing comes.
sleeps() {
	before=$(ticks)
	read -r -t 0.5 <> <(:)
	[ $(($(ticks) - before)) -lt 5 ]
}

write_manifest arp ipv4 icmp udp cubic tcp 'echo udp=7 tcp=7' >plain.yaml
polling() { sed "s/^strata: 1\$/&\nstack:\n  busy_poll: $1/" plain.yaml; }

for wrong in -1s 2s soon; do
	polling "$wrong" >bad.yaml
	"$stratad" --check -c bad.yaml >out 2>&1
	check "busy_poll: $wrong is refused with status 2" test $? -eq 2
	check 'with the place' grep -q '^[^ ]*bad.yaml:3:14: ' out
done

polling 300ms >strata.yaml
begin strata.yaml
check 'a stack that polls answers pings' ping -q -c 20 -i 0.01 -W 1 $card
check 'and connections' echoes hello
check 'and datagrams' udp_echoes hello
head -c 5000000 /dev/urandom >sent
timeout 60 nc -N $card 7 <sent >got
check '5 MB come back as they were' cmp sent got
check 'it answers those who look, too' strata show interfaces
# Where other programs want the processors too, not at each look.
check 'it is busy between packets' eventually 1 polls
check 'and sleeps when nothing comes' eventually 10 sleeps

cp plain.yaml strata.yaml
check 'a reload takes it back' strata reload
check 'the answers go on' echoes again
slept=$(cost)
check 'and no processor is used between packets' test "$slept" -lt 20
polling 300ms >strata.yaml
kill -HUP "$stratad_pid"
check 'SIGHUP brings it again' eventually 3 polls
end
finish
