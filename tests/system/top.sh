#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# `strata top`: in a real terminal, whose screen is read back through tmux, and as text for scripts. The terminal
# is given back however it ends.
. "$(dirname "$0")/lib.sh"

unset COLUMNS
export LC_ALL=C.UTF-8
top="$strata --run-dir $work/run top"

write_manifest arp ipv4 icmp udp cubic tcp 'echo udp=7 tcp=7' control >one.yaml
begin one.yaml

# ---- text ----

(ping -q -i 0.01 192.0.2.2 >/dev/null) &
check 'strata top --batch ends by itself' eval '$top --batch -n 2 -i 0.3 >out 2>err'
check 'it prints as often as it is told' test "$(grep -c '^stack default, Strata .* up .* memory ' out)" = 2
for pane in interfaces modules sockets drops; do
	check "with $pane" test "$(grep -c "^$pane\$" out)" = 2
done
rate=$(sed -n 's/^icmp  *transport  *running  *\([0-9]*\).*/\1/p' out | tail -n 1)
check "the rate is that of the requests that come ($rate)" test "${rate:-0}" -ge 10 -a "${rate:-0}" -le 250
check 'the interface has bits a second' grep -q '^st0  *up  *[0-9.]*[kM]  ' out
check 'without a terminal it wants --batch' eval '! $top </dev/null >out 2>err && grep -q -e --batch err'
check '-n without --batch is refused' eval '! $top -n 3 2>err && grep -q -e --batch err'
check 'a stack that is not there is told' eval \
	'! "$strata" --run-dir "$work/none" top --batch -n 1 2>err && grep -q "no stack answers" err'

# ---- the screen ----

command -v tmux >/dev/null || {
	skip 'the full screen' 'tmux is not installed'
	end
	finish
}
runs=0
tm() { tmux -S "$work/tmux.$runs" -f /dev/null "$@" 2>/dev/null; }
screen() { tm capture-pane -p -t top; }
shows() { screen | grep -q -e "$1"; }
# sees PATTERN NAME: a case; the screen may take a while.
sees() {
	if eventually 10 shows "$1"; then pass "$2"; else fail "$2" "no '$1' on:" "$(screen)"; fi
}
# run COMMAND: in a terminal of 80 by 24, with what stty says before and after in files.
run() {
	tm kill-server
	runs=$((runs + 1))	# a server that ends takes a while
	tm new-session -d -s top -x 80 -y 24 "stty -g >before; $1; echo \$? >status; stty -g >after; echo ENDED; read -r _"
}
given_back() {
	sees '^ENDED' "$1 ends it"
	check 'the terminal is as before' cmp before after
	check 'and the screen is not its own any more' eval '! shows "bit/s"'
}

run "$top -i 0.2"
sees '^stack default, Strata .*sockets$' 'the screen has a heading'
sees '^INTERFACE  *STATE  *IN bit/s' 'and the interfaces first'
sees '^st0  *up  *[0-9.]*k  ' 'with their rates'
tm send-keys -t top 2
sees '^icmp  *transport  *running  *[1-9]' '2 shows modules, the busy ones first'
tm send-keys -t top Tab
sees '^udp  *.* \*:7\|^udp .*0.0.0.0:7\|^udp ' 'tab shows sockets'
tm send-keys -t top 4
sees '^MODULE  *REASON  *COUNT' '4 shows drops'
sees 'sorted by PER SECOND' 'sorted by their rate'
tm send-keys -t top s
sees 'sorted by SEVERITY' 's sorts by the next column'
tm send-keys -t top h
sees '^q  *end$' 'h is help'
tm send-keys -t top h 1 p
sees '^PAUSED, every 0.2 s' 'p pauses'
tm send-keys -t top p
sees '^every 0.2 s' 'and goes on'
tm resize-window -t top -x 34 -y 7
sees '^INTERFACE  STATE  IN bit/s  IN pk' 'a narrow screen has what finds room'
check 'in its lines' test "$(screen | wc -l)" -le 7
tm resize-window -t top -x 12 -y 3
sees '^too small' 'a tiny one says so'
tm resize-window -t top -x 100 -y 30
sees '192.0.2.2 *$' 'a larger one has all'
tm send-keys -t top 2
tm resize-window -t top -x 80 -y 8
sees '^MODULE' 'modules find no room in eight lines'
tm send-keys -t top End
sees '^tcp \|^tap \|^udp ' 'but can be scrolled to'
tm send-keys -t top 1
stratad_stop
sees '^the stack does not answer' 'a stack that went is told'
begin one.yaml
sees '^every 0.2 s' 'and found again'
tm send-keys -t top q
given_back 'q'
check 'with status 0' test "$(cat status)" = 0

for signal in INT TERM HUP; do
	run "sh -c 'echo \$\$ >pid; exec $top -i 0.2'"
	sees '^INTERFACE' "it runs again, for SIG$signal"
	kill -$signal "$(cat pid)"
	given_back "SIG$signal"
done
run "TERM=nothing $top"
sees "terminal type 'nothing' is not known" 'an unknown terminal is an error that names it'
tm kill-server
end
finish
