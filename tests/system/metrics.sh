#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The metrics service over a TAP: curl as the scraper, an awk script as the checker of the format, nc for clients
# that send what is no request, and the shell itself for those that dribble or crowd.
. "$(dirname "$0")/lib.sh"
needs curl nc jq

url=http://192.0.2.2:9740/metrics
get() { curl -s -m 10 -o out -w '%{http_code}' "$@"; }
# value METRIC: of a sample in out, written as there.
value() { awk -v name="$1" 'index($0, name " ") == 1 { print $NF }' out; }
# answers TEXT PATTERN NAME: what the service says to these bytes.
answers() {
	printf '%b' "$1" | timeout 10 nc -w 5 192.0.2.2 9740 >raw 2>&1
	if grep -q -e "$2" raw; then pass "$3"; else fail "$3" "no '$2' in:" "$(head -n 20 raw)"; fi
}

# Of each metric HELP, TYPE and then its samples, each once; names, labels and values as the format has them.
cat >checker.awk <<'END'
function bad(why) { print NR ": " why ": " $0; faults++ }
/^# HELP / {
	name = $3
	if (name !~ /^[a-zA-Z_:][a-zA-Z0-9_:]*$/) bad("name")
	if (NF < 4) bad("no help text")
	if (seen[name]++) bad("metric told twice")
	helped = name
	next
}
/^# TYPE / {
	if ($3 != helped) bad("TYPE without its HELP")
	if ($4 != "counter" && $4 != "gauge") bad("type")
	if (($4 == "counter") != ($3 ~ /_total$/)) bad("a counter ends in _total, and nothing else")
	typed = $3
	next
}
/^#/ { bad("comment") ; next }
{
	if ($0 !~ /^[a-zA-Z_:][a-zA-Z0-9_:]*({([a-zA-Z_][a-zA-Z0-9_]*="([^"\\]|\\[\\"n])*",?)*})? [0-9]+$/) bad("sample")
	sample = $0
	sub(/[{ ].*/, "", sample)
	if (sample != typed) bad("sample outside of its metric")
	key = $0
	sub(/ [0-9]+$/, "", key)
	if (samples[key]++) bad("sample told twice")
	count++
}
END { if (count < 100) { print "only " count " samples"; faults++ } exit faults != 0 }
END

write_manifest arp ipv4 icmp udp cubic tcp 'echo udp=7 tcp=7' control \
	'metrics clients=4 header_limit=1KiB' >one.yaml
begin one.yaml
check 'ten echo requests are answered' ping -q -c 10 -i 0.002 192.0.2.2

check 'curl gets the metrics' test "$(get "$url")" = 200
check 'the format is right' awk -f checker.awk out
check 'what was pinged is counted' test "$(value 'strata_module_receive_packets_total{module="icmp"}')" = 10
check 'and so are the bytes of the interface' \
	test "$(value 'strata_interface_receive_bytes_total{interface="st0"}')" -ge 980
check 'curl is an established connection' \
	test "$(value 'strata_sockets{transport="tcp",state="ESTABLISHED"}')" = 1
"$strata" --run-dir "$work/run" show counters --all --json >counters
modules=$(grep -c '"counter":' counters)
check "every counter of the stack is there ($modules)" \
	test "$(grep -c '^strata_\(arp\|control\|cubic\|echo\|ethernet\|icmp\|ipv4\|kernel\|metrics\|tap\|tcp\|udp\)_[a-z0-9_]*_total ' out)" = "$modules"
check 'the header says which format' eval 'curl -s -m 10 -D - -o /dev/null "$url" | grep -qi "^content-type: text/plain; version=0.0.4"'
check 'HEAD has no body' test "$(curl -s -m 10 -I "$url" | tr -d '\r' | sed '1,/^$/d' | wc -c)" = 0
check 'HTTP/1.0 works' test "$(get -0 "$url")" = 200
check 'two requests share a connection' test "$(curl -s -m 10 -w '%{num_connects}' -o /dev/null "$url" -o /dev/null "$url")" = 10
check 'another path is 404' test "$(get http://192.0.2.2:9740/)" = 404
check 'another method is 405' test "$(get -X DELETE "$url")" = 405
check 'a head that is too long is 431' test "$(get -H "X: $(printf '%02000d' 0)" "$url")" = 431
check 'a body is answered too' test "$(get -d hello "$url")" = 405
answers 'nonsense\r\n\r\n' '^HTTP/1.1 400 ' 'nonsense is 400'
answers 'GET /metrics HTTP/1.1\r\n\r\n' '^HTTP/1.1 400 ' 'no Host is 400'
answers 'GET /metrics HTTP/3.0\r\nHost: s\r\n\r\n' '^HTTP/1.1 505 ' 'another version is 505'
answers '\0001\0002\0003\n\n' '^HTTP/1.1 400 ' 'bytes that are no text are 400'

# ---- clients that are slow, or many ----

# half_requests COUNT: connections that have begun a request, their descriptors in $halves; the shell is their client.
half_requests() {
	halves=()
	for ((i = 0; i < $1; i++)); do
		exec {half}<>/dev/tcp/192.0.2.2/9740 && printf 'GET /met' >&"$half"
		halves+=("$half")
	done
}
let_go() { for half in "${halves[@]}"; do exec {half}>&-; done; }
option() { "$strata" --run-dir "$work/run" option set "$@"; }
accepted() { "$strata" --run-dir "$work/run" show counters --all --json |
	jq -r '.[] | select(.module == "metrics" and .counter == "connections") | .value'; }
accepted_all() { test "$(accepted)" -ge "$1"; }
timed_out() { get "$url" >/dev/null; test "$(value strata_metrics_timeouts_total)" -ge "$1"; }

# Only here does a request have little time: what is asked of the service else must not hang on the machine's speed.
option metrics.timeout 500ms >/dev/null
half_requests 3
check 'half requests are ended in time' eventually 30 timed_out 3
check 'and the client sees that' eval 'read -r -t 30 -u "${halves[0]}"; test $? -eq 1'
let_go
# A time that none of them reaches, however slow the machine is.
option metrics.timeout 5min >/dev/null
before=$(accepted)
half_requests 4
check 'four clients are taken' eventually 30 accepted_all $((before + 4))
check 'then another is told 503' test "$(get "$url")" = 503
# Their requests come with the end of the handshake, or before the service has looked.
for ((i = 0; i < 60; i++)); do curl -s -m 30 -o /dev/null -w '%{http_code}\n' "$url" >>refused & askers+=($!); done
wait "${askers[@]}"
check 'and so are sixty at a time' test "$(sort refused | uniq -c | tr -d ' ')" = 60503
let_go
check 'and served when they have gone' eventually 30 eval 'test "$(get "$url")" = 200'

# ---- tcp goes and comes ----

check 'tcp is disabled' "$strata" --run-dir "$work/run" module disable tcp
check 'then nobody is served' eval '! curl -s -m 2 -o /dev/null "$url"'
check 'tcp is enabled' "$strata" --run-dir "$work/run" module enable tcp
check 'and the service is back' eventually 5 eval 'test "$(get "$url")" = 200'
check 'with its counters' awk -f checker.awk out
end

write_manifest arp ipv4 tcp 'metrics port=9000 path=/m address=192.0.2.2' >two.yaml
begin two.yaml
check 'port, path and address are options' test "$(get http://192.0.2.2:9000/m)" = 200
end
write_manifest arp ipv4 tcp 'metrics address=198.51.100.9' >three.yaml
check "an address that is not the stack's is an error" eval '! stratad_start three.yaml'
check 'that names the option' grep -q '`address` must be' stratad.log
finish
