#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A disk that is full, or a log directory that is gone, costs lines of the log and nothing else; what was
# lost is counted, and lines are written again as soon as there is room.
. "$(dirname "$0")/lib.sh"
needs ping

mkdir small
mount -t tmpfs -o size=64k tmpfs small
write_manifest >m.yaml
log_lines_lost() {
	"$strata" --run-dir "$work/run" --json --all show counters kernel |
		sed -n '/"log_lines_lost"/,/}/ s/.*"value": *\([0-9]*\).*/\1/p'
}
say_something() { "$strata" --run-dir "$work/run" option set icmp.log "$1" && "$strata" --run-dir "$work/run" option set tcp.sack "$2"; }
answers() { ping -n -q -c 5 -i 0.01 -W 2 192.0.2.2 | grep -q ' 0% packet loss'; }

"$stratad" -c m.yaml --run-dir "$work/run" >out 2>>small/stratad.log &
stratad_pid=$!
eventually 10 grep -q ready out || { fail 'stratad starts' "$(cat out small/stratad.log)"; finish; }
check 'it answers' answers
say_something info off
check 'with room, a change is a line of the log' grep -q 'tcp.sack' small/stratad.log
check 'none is lost' test "$(log_lines_lost)" = 0

cat /dev/zero >small/rest 2>/dev/null
size=$(stat -c %s small/stratad.log)
for n in $(seq 200); do say_something info on >/dev/null; say_something info off >/dev/null; [ "$(log_lines_lost)" = 0 ] || break; done
lost=$(log_lines_lost)
check "on a full disk lines are lost and counted ($lost)" test "$lost" -gt 0
check 'the stack answers as before' answers

rm small/rest
size=$(stat -c %s small/stratad.log)
say_something info on
check 'with room again lines are written' test "$(stat -c %s small/stratad.log)" -gt "$size"
check 'and no more are lost' test "$(log_lines_lost)" = "$lost"

umount -l small
rmdir small
say_something info off
check 'the directory gone, the stack answers' answers
end
finish
