#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Streams through the TCP echo service, every byte of which is known by its place.
STRATA_TEST_LIMIT=${STRATA_TEST_LIMIT:-900}
. "$(dirname "$0")/lib.sh"
needs nc iptables

stream=$abs_top_builddir/tests/system/stream
# Sizes in MiB: those of the requirement, or less where a build is slow by its nature.
if [ "${STRATA_TEST_SANITIZERS:-no}" = yes ]; then
	: "${bulk:=64}" "${lossy:=4}" "${many:=1}"
else
	: "${bulk:=1024}" "${lossy:=64}" "${many:=10}"
fi

# echoed MIB [KEY]: sends that many and checks what comes back.
echoed() {
	bytes=$(($1 * 1048576))
	"$stream" write "$bytes" "${2:-1}" | nc -N 192.0.2.2 7 | "$stream" check "$bytes" "${2:-1}"
}

write_manifest >manifest.yaml
begin manifest.yaml
ping -q -c 1 192.0.2.2 >/dev/null
check "$bulk MiB through nc come back exact" echoed "$bulk"

# ---- a hundred at once ----

for key in $(seq 1 100); do
	echoed "$many" "$key" >"many.$key" 2>&1 &
	pids[key]=$!
done
wrong=
for key in $(seq 1 100); do
	wait "${pids[key]}" || wrong="$wrong
connection $key: $(cat "many.$key")"
done
empty "100 connections at once bring $many MiB each back exact" "$wrong"

# ---- loss on the way there and on the way back ----

iptables -A OUTPUT -o strata0 -p tcp -m statistic --mode random --probability 0.02 -j DROP
iptables -A INPUT -i strata0 -p tcp -m statistic --mode random --probability 0.02 -j DROP
check "$lossy MiB come back exact with 2 % loss each way" echoed "$lossy"
check 'packets were lost both ways' \
	test "$(iptables -nvxL | awk '/statistic/ && $1 > 0 { ways++ } END { print ways + 0 }')" = 2
iptables -F

check 'a ping is answered afterwards' ping -q -c 1 -W 1 192.0.2.2
end
finish
