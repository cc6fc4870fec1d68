#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# `strata graph` of a stack with a TAP: every binding is in the picture, the rates are those of real packets, and
# the drawing stays in its lines with many modules, few columns and plain ASCII.
. "$(dirname "$0")/lib.sh"

unset COLUMNS
export LC_ALL=C.UTF-8

# graph [ARGUMENT…]: its output in out, its messages in err.
graph() { "$strata" --run-dir "$work/run" graph "$@" >out 2>err; }

# has PATTERN NAME [FILE]: a case.
has() {
	if grep -q -e "$1" "${3:-out}"; then pass "$2"; else fail "$2" "no '$1' in:" "$(cat "${3:-out}" err)"; fi
}

# widest: columns of the longest line of out.
widest() { wc -L <out; }

write_manifest arp ipv4 icmp udp cubic tcp 'echo udp=7 tcp=7' control >one.yaml
begin one.yaml
check 'twenty echo requests are answered' ping -q -c 20 -i 0.002 192.0.2.2

check 'strata graph works' graph --interval 0
has '^stack default, Strata [0-9.]*; packets, ▲ up, ▼ down$' 'the heading says what is drawn'
has '│ *icmp *│ │ *tcp *│ │ *udp *│' 'transports stand side by side'
has ' 1   *6   *17$' 'with their numbers'
has '20▲│▼20 ' 'and the packets there were'
has '0x0806   *0x0800' 'network modules have theirs'
has '│ *192.0.2.2/24 *│' 'the interface has its address'
has '│ *of tcp *│' 'the congestion control says of whom'
has '^tap requires ethernet$' 'what has no line is said'
check 'it fits 80 columns' test "$(widest)" -le 80
graph --interval 0 | cat
check 'it has no colours where no terminal is' test "$(grep -c "$(printf '\033')" out)" = 0

ping -q -i 0.01 192.0.2.2 >/dev/null &
ping_pid=$!
graph --interval 0.3 --json
kill "$ping_pid"
rate=$(sed -n '/"from": "kernel"/,/}/{/"to": "module:icmp"/,/}/s/.*"rx_rate": \([0-9]*\).*/\1/p}' out)
check "the rate is about the hundred a second that come ($rate)" \
	test "${rate:-0}" -ge 20 -a "${rate:-0}" -le 250

check 'strata graph --format dot works' graph --interval 0 --format dot
has '"module:icmp" -> "protocols" .label="1' 'the edge bears the number'
has '"interface:st0" -> "module:tap" .label="tap' 'and the driver its name'
has '"module:tcp" -> "module:cubic" .label="congestion"' 'and the option its name'
has '"module:tap" -> "module:ethernet" .label="requires"' 'and a need that it is one'
if command -v dot >/dev/null; then
	cp out stack.dot
	check 'graphviz takes it without a word' test -z "$(dot -Tsvg -o dot.svg stack.dot 2>&1)"
	check 'strata graph -o FILE.svg works' graph --interval 0 -o stack.svg
	has '<svg ' 'and it is SVG' stack.svg
	has '0x0800' 'with the numbers' stack.svg
else
	skip 'SVG is drawn' 'graphviz is not installed'
fi
mkdir bare
ln -s /usr/bin/* bare
rm -f bare/dot
check 'without graphviz SVG fails' eval '! PATH=$work/bare graph --interval 0 -f svg'
has 'apt-get install graphviz' 'and the remedy is told' err
check 'with nothing on standard output' test ! -s out
printf '#!/bin/sh\nexit 3\n' >bare/dot
chmod +x bare/dot
check 'a graphviz that fails is an error' eval '! PATH=$work/bare graph --interval 0 -o broken.svg'
check 'and leaves no file' test ! -e broken.svg
graph --interval 0 -f txet
has "found 'txet', did you mean 'text'" 'a wrong format is told with the nearest' err
graph --interval x
has "found 'x'" 'a wrong interval too' err
check 'a file that cannot be written is an error' eval '! graph --interval 0 -o nowhere/at/all.dot'
has 'nowhere/at/all.dot' 'and is named' err

LC_ALL=C graph --interval 0
check 'without UTF-8 it is ASCII' test "$(LC_ALL=C grep -c '[^ -~]' out)" = 0
has '[0-9]^|v[0-9]' 'with the same figures'
check 'udp is disabled' "$strata" --run-dir "$work/run" module disable udp
graph --interval 0
has '┆ 17, disabled ┆' 'what is disabled has a dashed frame'
check 'and no line to the kernel' test "$(grep '^╠═ IP protocols' out | grep -o '╧' | wc -l)" = 2
check 'the others have theirs' test "$(grep -c '^║ *1   *6 *$' out)" = 1
graph --interval 0 --format dot
has '^.*"module:udp" .*style="dashed"' 'for graphviz too'
end

# ---- thirty modules, one of them off ----

{
	write_manifest arp ipv4 icmp udp cubic newreno bbr tcp echo control | sed '/^interfaces:/,$d'
	for i in $(seq 1 17); do
		printf '  - name: experiment%s\n    file: udp\n    number: %s\n' "$i" "$((180 + i))"
	done
	write_manifest arp ipv4 | sed -n '/^interfaces:/,$p'
} >thirty.yaml
begin thirty.yaml
for columns in 40 80 132; do
	COLUMNS=$columns graph --interval 0
	check "thirty modules are drawn in $columns columns" test "$(grep -o 'experiment[0-9]*' out | sort -u | wc -l)" = 17
	check "and not a column more ($(widest))" test "$(widest)" -le "$columns"
	check 'each with its number' test "$(grep -o '\b1[89][0-9]\b' out | sort -u | wc -l)" = 17
	check 'and no line is broken' test "$(grep -o '┌' out | wc -l)" = "$(grep -o '┘' out | wc -l)"
done
end

finish
