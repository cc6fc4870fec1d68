#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What strata says of itself: the help of each subcommand, examples that are right, mistakes answered with the nearest
# name, and completion in bash and zsh. Needs no stack.

abs_top_srcdir=${abs_top_srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
abs_top_builddir=${abs_top_builddir:-$PWD}
. "$abs_top_srcdir/tests/lib/cases.sh"

strata=$abs_top_builddir/tools/strata
completions=$abs_top_srcdir/tools/completions
work=$(mktemp -d "${TMPDIR:-/tmp}/strata-help.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
cd "$work" || exit 1
mkdir bin && ln -s "$strata" bin/strata
PATH=$work/bin:$PATH
unset COLUMNS

# first: the candidates alone.
first() { cut -f 1; }

# paths: every subcommand and verb, one a line, groups too.
paths() {
	"$strata" complete -- '' | first | while read -r name; do
		echo "$name"
		"$strata" complete -- help "$name" '' | first | sed "s/^/$name /"
	done
}

# ---- help ----

paths >paths
check 'there are subcommands with verbs' test "$(grep -c ' ' paths)" -gt 10
while read -r path; do
	# shellcheck disable=SC2086
	"$strata" $path --help >out 2>err
	status=$?
	wrong=
	[ $status = 0 ] || wrong="status $status; "
	[ ! -s err ] || wrong="${wrong}standard error: $(cat err); "
	head -n 1 out | grep -q "^usage: strata \[OPTION\.\.\.\] $path\b" || wrong="${wrong}no usage; "
	sed -n '/^$/{n;p;q}' out | grep -q '^[A-Z`].*\.$' || wrong="${wrong}no summary; "
	[ "$(sed -n '/^Examples:$/,/^$/p' out | grep -c '^  strata ')" -ge 2 ] || wrong="${wrong}fewer than two examples; "
	grep -q '^Exit status: ' out || wrong="${wrong}no exit status; "
	awk 'length($0) > 100 { exit 1 }' out || wrong="${wrong}a line longer than 100 columns; "
	! grep -q '[[:space:]]$' out || wrong="${wrong}blanks at the end of a line; "
	# shellcheck disable=SC2086
	"$strata" help $path >again
	cmp -s out again || wrong="${wrong}strata help says something else; "
	empty "strata $path --help: usage, summary, examples, exit status" "$wrong"
done <paths

# Each example is a command line that strata can read: with --help it reads all of it, and does nothing.
while read -r path; do
	# shellcheck disable=SC2086
	"$strata" $path --help | sed -n '/^Examples:$/,/^$/s/^  strata //p' | sed 's/ *#.*//; s/ *|.*//; s/ *>.*//'
done <paths | sort -u >examples
wrong=
while read -r example; do
	eval "set -- $example"
	"$strata" "$@" --help >out 2>err || wrong="$wrong$example: $(cat err)
"
done <examples
empty "each of the $(wc -l <examples) examples is understood" "$wrong"
"$strata" --help | sed -n '/^Subcommands/,/^$/s/^  \([a-z-]*\)  *[A-Z].*/\1/p' >listed
grep -v ' ' paths | diff - listed >out
empty 'strata --help lists each subcommand' "$(cat out)"

# ---- mistakes ----

# mistake STATUS PATTERN WORD…: one line on standard error that has the pattern, nothing on standard output.
mistake() {
	wanted=$1 pattern=$2
	shift 2
	"$strata" "$@" >out 2>err </dev/null
	got=$?
	wrong=
	[ $got = "$wanted" ] || wrong="status $got, expected $wanted; "
	[ "$(wc -l <err)" = 1 ] || wrong="${wrong}$(wc -l <err) lines; "
	[ ! -s out ] || wrong="${wrong}standard output is not empty; "
	grep -q -e "$pattern" err || wrong="${wrong}no '$pattern' in: $(cat err)"
	empty "strata $*: $pattern" "$wrong"
}

mistake 2 "^strata: expected a subcommand: check, show"
mistake 2 "no subcommand 'shwo', did you mean 'show'?" shwo
mistake 2 "no subcommand 'xyzzy'; there are check, show" xyzzy
mistake 2 "'r' may mean reload, route" r
mistake 2 "^strata: show: expected a table: modules" show
mistake 2 "show: no table 'sokets', did you mean 'sockets'?" show sokets
mistake 2 "show modules: no option '--jsno', did you mean '--json'?" show modules --jsno
mistake 2 "no option '-Z'" show modules -Z
mistake 2 "show modules: --run-dir: expected DIR" show modules --run-dir
mistake 2 "show modules: --json takes no value" show modules --json=yes
mistake 2 "show modules: --stack: expected a stack's name, found '../x'" show modules --stack ../x
mistake 2 "show sockets: --port: expected 1 to 65535, found '70000'" show sockets -p 70000
mistake 2 "show counters: --watch: expected seconds, found '0'" show counters --watch=0
mistake 2 "show counters: --watch: expected seconds, found 'often'" show counters --watch=often
mistake 2 "module: no verb 'enabel', did you mean 'enable'?" module enabel udp
mistake 2 "module info: expected NAME|FILE" module info
mistake 2 "module enable: unexpected argument 'tcp'" module enable udp tcp
mistake 2 "module load: option: expected OPTION=VALUE" module load udp option ttl
mistake 2 "reload: unexpected argument 'now'" reload now
mistake 2 "option get: expected MODULE.OPTION" option get
mistake 2 "option set: expected a value for tcp.sack" option set tcp.sack
mistake 2 "address add: expected dev INTERFACE" address add 192.0.2.9/24
mistake 2 "address add: unexpected argument 'dve', did you mean 'dev'?" address add 192.0.2.9/24 dve st0
mistake 2 "address add: dev: expected INTERFACE" address add 192.0.2.9/24 dev
mistake 2 "address add: 'dev' stands there twice" address add 192.0.2.9/24 dev a dev b
mistake 2 "route add: expected PREFIX" route add via 192.0.2.1
mistake 2 "route add: metric: expected a number, found '-1'" route add default via 192.0.2.1 metric -- -1
mistake 2 "route add: metric: expected a number, found '010'" route add default via 192.0.2.1 metric 010
mistake 2 "neighbour add: expected lladdr MAC" neighbour add 192.0.2.1 dev st0
mistake 2 "interface set: expected up, down or mtu BYTES" interface set st0
mistake 2 "interface set: 'down' stands there twice" interface set st0 up down
mistake 2 "no subcommand 'nothing'" help nothing
mistake 1 "no stack answers at $work/none/control.sock: No such file.*stratad -c FILE.*--run-dir" \
	--run-dir "$work/none" show modules
mistake 1 "run directory's path is too long" --run-dir "$(printf '/%0200d' 0)" show modules

# What may be cut short, and what options may stand where.
same() {
	"$strata" $1 --help >out 2>&1
	"$strata" $2 --help >err 2>&1
	check "strata $1 is strata $2" cmp out err
}
same 'sh mod' 'show modules'
same 'show interface' 'show interfaces'
same 'show neighbors' 'show neighbours'
same 'addr del' 'address delete'
same 'address remove' 'address delete'
same 'neighbor add' 'neighbour add'
mistake 2 "'re' is too short for 'reload', which changes the stack" re
mistake 2 "module: 'dis' is too short for 'disable'" module dis udp
mistake 2 "address: 'rem' is too short for 'delete'" address rem 192.0.2.9/24 dev st0
mistake 2 "option: 'se' is too short for 'set'" option se tcp.sack off
same '--stack x show --json sockets' 'show sockets'
same 'show -t sockets' 'show sockets'
same 'show --watch 2 sockets' 'show sockets'

# ---- completion ----

# offers LINE EXPECTED…: what strata itself says may follow, in this order.
offers() {
	line=$1
	shift
	read -ra words <<<"$line"
	case $line in *' ') words+=('') ;; esac
	got=$("$strata" complete -- "${words[@]}" | first | tr '\n' ' ')
	check "strata complete: '$line' goes on with $*" test "$got" = "$*${*:+ }"
}
offers 'sh' show
offers 'show so' sockets
offers 'show sockets --p' --port
offers 'show sockets --port ' 
offers 'check ' :file
offers '--run-dir ' :directory
offers '--run-dir=x' :directory
offers 'help mod' module
offers 'help module e' enable
offers 'route add default ' via dev src metric mtu congestion
offers 'route add default via 192.0.2.1 me' metric
offers 'interface set st0 ' up down mtu
offers 'module info loopb' loopback :file
offers 'nothing ' 

if command -v bash >/dev/null; then
	mkdir -p some/where
	: >some/file
	bash_offers() {
		got=$(bash "$abs_top_srcdir/tests/system/complete.bash" "$completions/strata" "$1" | tr '\n' ' ')
		check "bash: '$1' goes on with $2" test "$got" = "$2 "
	}
	bash_offers 'strata sh' 'show'
	bash_offers 'strata show c' 'counters'
	bash_offers 'strata check some/f' 'some/file'
	bash_offers 'strata --run-dir some/' 'some/where'
	bash_offers 'strata --run-dir=some/' 'some/where'
	bash_offers 'strata neigh add 192.0.2.1 lladdr 02:00:00:00:00:01 d' 'dev'
fi
if command -v zsh >/dev/null; then
	check 'zsh reads its file' zsh -n "$completions/_strata"
	zsh_makes() {
		got=$(timeout 20 zsh -f "$abs_top_srcdir/tests/system/complete.zsh" "$completions" "$1")
		check "zsh: Tab makes '$1' to '$2'" test "$got" = "$2"
	}
	zsh_makes 'strata sh' 'strata show '
	zsh_makes 'strata show sockets --lis' 'strata show sockets --listening '
	zsh_makes 'strata check some/f' 'strata check some/file '
	zsh_makes 'strata --run-dir=some/' 'strata --run-dir=some/where/'
	zsh_makes 'strata neigh add 192.0.2.1 ll' 'strata neigh add 192.0.2.1 lladdr '
else
	skip 'zsh completes' 'zsh is not installed'
fi

finish
