#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Command lines of stratad and strata: options, exit statuses, messages, signals, the service manager,
# the run directory. Needs no privileges: the stack has a loopback alone.

abs_top_srcdir=${abs_top_srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
abs_top_builddir=${abs_top_builddir:-$PWD}
. "$abs_top_srcdir/tests/lib/cases.sh"

stratad=$abs_top_builddir/tools/stratad
strata=$abs_top_builddir/tools/strata
work=$(mktemp -d "${TMPDIR:-/tmp}/strata-cli.XXXXXX") || exit 1
stratad_pid=
trap '[ -z "$stratad_pid" ] || kill -KILL "$stratad_pid" 2>/dev/null; rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
cd "$work" || exit 1

cat >good.yaml <<'END'
strata: 1
modules:
  - name: loopback
  - name: arp
  - name: ethernet
interfaces:
  - name: lo
    driver: loopback
END

# status WANTED COMMAND…: runs it with output in out and err; a case named by what it is told in $name. What
# should have ended and has not is killed.
status() {
	wanted=$1
	shift
	timeout -k 1 30 "$@" >out 2>err </dev/null
	got=$?
	if [ "$got" -eq "$wanted" ]; then pass "$name"; else
		fail "$name" "status $got, expected $wanted" "$(cat out err)"
	fi
}

# says FILE PATTERN NAME: a case; FILE is out or err.
says() {
	if grep -q -e "$2" "$1"; then pass "$3"; else fail "$3" "no '$2' in:" "$(cat "$1")"; fi
}

# silent FILE NAME
silent() { empty "$2" "$(cat "$1")"; }

# eventually SECONDS COMMAND…
eventually() {
	tries=$(($1 * 20))
	shift
	while ! "$@" >/dev/null 2>&1; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		read -r -t 0.05 <> <(:)
	done
	return 0
}

# start [ARGUMENT…]: the daemon in the background, its streams in daemon.out and daemon.err.
start() {
	: >daemon.out
	: >daemon.err
	"$stratad" -c good.yaml --run-dir "$work/run" "$@" >daemon.out 2>daemon.err &
	stratad_pid=$!
	eventually 5 grep -q '^stratad: ready$' daemon.err
}

# started NAME [ARGUMENT…]: the same as a case.
started() {
	start_name=$1
	shift
	if start "$@"; then pass "$start_name"; else fail "$start_name" "$(cat daemon.err)"; fi
}

# stop SIGNAL: ends it; its status in $got.
stop() {
	kill -"$1" "$stratad_pid"
	wait "$stratad_pid"
	got=$?
	stratad_pid=
}

# ---- stratad's command line ----

name='stratad --help is no failure' status 0 "$stratad" --help
says out '^usage: stratad' 'stratad --help tells the usage'
name='stratad --version is no failure' status 0 "$stratad" --version
says out '^stratad [0-9]' 'stratad --version tells the version'
name='stratad with an unknown option ends with 2' status 2 "$stratad" --chekc
says err '^usage: stratad' 'an unknown option shows the usage'
name='stratad with an argument too many ends with 2' status 2 "$stratad" good.yaml
says err "unexpected argument 'good.yaml'" 'the argument is named'
name='stratad with an unknown log level ends with 2' status 2 "$stratad" -c good.yaml --log-level loud
says err "found 'loud'" 'the log level is named'

# ---- manifests ----

name='a good manifest passes --check' status 0 "$stratad" -c good.yaml --check --run-dir "$work/run"
says out '^good.yaml: ok$' '--check says that it is'
silent err '--check says nothing else'
check '--check makes no run directory' test ! -e run
name='a missing manifest ends with 2' status 2 "$stratad" -c nowhere.yaml
says err 'nowhere.yaml' 'the missing manifest is named'
printf 'strata: 1\nmodules:\n  - name: loopbak\n  - name: arp\n    nmuber: 1\ninterfaces:\n  - name: lo\n    driver: nothing\n' >bad.yaml
name='a bad manifest ends with 2' status 2 "$stratad" -c bad.yaml --run-dir "$work/run"
says err '^bad.yaml:3:[0-9]*:.*loopbak' 'its first fault is told with its place'
says err '^bad.yaml:5:[0-9]*:.*nmuber' 'and its second'
says err 'number' 'with the nearest name'
check 'and nothing was started' test ! -e run
name='a bad manifest fails --check with 2' status 2 "$stratad" -c bad.yaml --check
if [ "${STRATA_TEST_STATIC:-no}" = yes ]; then
	name='a module path without modules passes where they are built in' \
		status 0 "$stratad" --check -c good.yaml --module-path "$work"
else
	name='a module path without modules ends with 2' status 2 "$stratad" -c good.yaml --module-path "$work"
fi
name='a run directory that cannot be made ends with 1' status 1 "$stratad" -c good.yaml --run-dir /proc/none
says err '/proc/none' 'the run directory is named'

# ---- life ----

started 'stratad starts'
check 'it is ready on standard error, once' test "$(grep -c '^stratad: ready$' daemon.err)" = 1
check 'and on standard output, which has nothing else' test "$(cat daemon.out)" = 'stratad: ready'
check 'the control socket is there' test -S run/control.sock
check 'it is not for everyone' test "$(stat -c %a run/control.sock)" = 660
name='a second stratad in its place ends with 1' status 1 "$stratad" -c good.yaml --run-dir "$work/run"
says err 'another stratad' 'and says why'
check 'the first one still answers' "$strata" --run-dir run show version

kill -HUP "$stratad_pid"
check 'SIGHUP with the same manifest changes nothing' eventually 5 grep -q 'says what runs already' daemon.err
cp good.yaml kept.yaml
sed 's/^strata: 1$/&\nstack:\n  sockets: 1000/' kept.yaml >good.yaml
kill -HUP "$stratad_pid"
check 'SIGHUP with another one takes it over' eventually 5 grep -q 'stack.sockets: 65536 → 1000' daemon.err
cp bad.yaml good.yaml
kill -HUP "$stratad_pid"
check 'SIGHUP with a bad one keeps the old one' eventually 5 grep -q 'goes on as it is' daemon.err
cp kept.yaml good.yaml
kill -PIPE "$stratad_pid"
check 'SIGPIPE does no harm' "$strata" --run-dir run show version
kill -STOP "$stratad_pid"
kill -CONT "$stratad_pid"
check 'nor do SIGSTOP and SIGCONT' "$strata" --run-dir run show version

switches() { grep ctxt_switches "/proc/$stratad_pid/status"; }
before=$(switches)
read -r -t 1.5 <> <(:)
check 'an idle daemon does not wake up' test "$before" = "$(switches)"
rss=$(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$stratad_pid/status")
if [ "$STRATA_TEST_SANITIZERS" = yes ]; then
	skip 'an idle daemon takes at most 8 MiB' 'sanitizers'
else
	check "an idle daemon takes at most 8 MiB ($rss KiB)" test "$rss" -le 8192
fi

stop TERM
check 'SIGTERM ends it with 0' test "$got" = 0
check 'and its run directory is gone' test ! -e run
start
stop INT
check 'SIGINT ends it with 0' test "$got" = 0
start
stop KILL 2>/dev/null
check 'SIGKILL leaves the socket' test -S run/control.sock
started 'the next start is not held up by it'
check 'and answers' "$strata" --run-dir run show version
stop TERM
check 'and ends with 0' test "$got" = 0

"$stratad" -c good.yaml --run-dir "$work/run" >both 2>&1 &
stratad_pid=$!
eventually 5 grep -q '^stratad: ready$' both
stop TERM
check 'with both streams in one file it is ready once' test "$(grep -c '^stratad: ready$' both)" = 1

# ---- the service manager ----

if command -v socat >/dev/null; then
	for place in "$work/notify" "@strata-test-$$"; do
		: >states
		case $place in
		/*) socat -u "UNIX-RECV:$place" STDOUT >states & ;;
		*) socat -u "ABSTRACT-RECV:${place#@}" STDOUT >states & ;;
		esac
		socat_pid=$!
		case $place in
		/*) eventually 5 test -S "$place" ;;
		*) eventually 5 grep -q "$place" /proc/net/unix ;;
		esac
		NOTIFY_SOCKET=$place start
		check "the service manager is told READY=1 (${place%%[^@/]*}…)" \
			eventually 5 grep -q 'READY=1' states
		stop TERM
		check 'and STOPPING=1' eventually 5 grep -q 'STOPPING=1' states
		kill "$socat_pid"
		wait "$socat_pid" 2>/dev/null
	done
else
	skip 'the service manager is told' 'socat is not installed'
fi

# ---- strata ----

name='strata without a subcommand ends with 2' status 2 "$strata"
name='strata --help is no failure' status 0 "$strata" --help
name='strata with an unknown option ends with 2' status 2 "$strata" show modules --jsno
name='strata with an unknown subcommand ends with 2' status 2 "$strata" shwo modules
says err "did you mean 'show'" 'and tells the nearest one'
name='strata with an unknown table ends with 2' status 2 "$strata" show neigbours
says err "did you mean 'neighbours'" 'and tells the nearest one'
name='without a stack strata show ends with 1' status 1 "$strata" --run-dir "$work/none" show modules
says err "$work/none/control.sock" 'and names the socket'
check 'in one line' test "$(wc -l <err)" = 1
silent out 'and prints nothing'
name='strata check passes a good manifest' status 0 "$strata" check good.yaml
name='strata check fails a bad one with 2' status 2 "$strata" check bad.yaml
says err '^bad.yaml:3:' 'and tells its faults'
name='strata check --json fails it too' status 2 "$strata" check --json bad.yaml
says out '"ok": false' 'and tells it as JSON'
name='strata module list works' status 0 "$strata" module list
says out '^loopback *link ' 'it has the loopback'
says out '^arp *network *0x0806 ' 'and arp with its number'
name='strata module info works' status 0 "$strata" module info wire
says out '^medium  *choice  *ethernet  *ethernet, ip' 'it has the options'
says out '^queue_full ' 'and the drop reasons'
name='strata module info --json works' status 0 "$strata" module info wire --json
says out '"name": "medium"' 'and has the options'
name='strata module info of none ends with 1' status 1 "$strata" module info wrie
says err 'wire' 'and tells the nearest name'
name='strata module with an unknown verb ends with 2' status 2 "$strata" module infos wire

start
for table in modules interfaces addresses routes neighbours sockets groups counters drops version; do
	name="strata show $table works" status 0 "$strata" --run-dir run show "$table"
	name="strata show $table --json works" status 0 "$strata" --run-dir run show "$table" --json
	says out '^\[' "strata show $table --json is an array"
done
"$strata" --run-dir run show modules >out
says out '^loopback *link *- ' 'strata show modules has the loopback'
says out '^control *service ' 'and the control service, which the manifest does not name'
"$strata" --run-dir run show interfaces >out
says out '^lo: type loopback, state up, mtu 65535 bytes' 'strata show interfaces has it too'
stop TERM
check 'stratad ends with 0' test "$got" = 0

# ---- without standard streams ----

"$stratad" -c good.yaml --run-dir "$work/run" <&- >&- 2>&- &
stratad_pid=$!
check 'stratad starts without standard streams' eventually 5 "$strata" --run-dir run show version
for stream in 0 1 2; do
	readlink "/proc/$stratad_pid/fd/$stream"
done >out
says out '^/dev/null$' 'the null device stands for them'
empty 'no module, device or socket of the daemon does' "$(grep -vx '/dev/null' out)"
stop TERM
check 'it ends with 0' test "$got" = 0

# ---- the unit ----

run_files=$("$strata" --help | sed -n 's,.*(default \(.*\)/<stack name>).*,\1,p')
cp "$abs_top_builddir/conf/stratad.service" out
says out "^ReadWritePaths=-$run_files\$" 'the unit may write where stratad keeps its run files'
says out "^ExecStartPre=+/bin/mkdir -p $run_files\$" 'and has that directory'

# ---- quickstart ----

name='quickstart without a command ends with 2' status 2 "$abs_top_srcdir/quickstart"
says err 'quickstart demo' 'and tells its commands'
name='quickstart with an unknown command ends with 2' status 2 "$abs_top_srcdir/quickstart" domo
says err "no command 'domo'" 'and tells the command'
name='quickstart with an argument too many ends with 2' status 2 "$abs_top_srcdir/quickstart" demo --help
says err "unexpected argument '--help'" 'and tells the argument'

finish
