# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# The whole test suite, `./quickstart check`, which reads this file. Each configuration is built in a folder of its own
# and runs the tests that it can say something new about; the release and an installed prefix are tried too. A
# build goes on at a low priority while the tests of another configuration wait for their packets and timers.

passed=0 failed=0 skipped=0

# Tests that a configuration neither builds nor runs, as others have them (make's patterns).
declare -A without=(
	[gcc]=''
	[gcc-sanitizers]='tests/laws/docs.sh tests/laws/source.sh tests/laws/headers.sh tests/sim/test_theory tests/sim/test_super.sh'
	# What another compiler, or another way of linking, makes a difference to. Each test runs with one of
	# clang's two builds.
	[clang]='tests/laws/docs.sh tests/sweep/% tests/sim/test_theory tests/sim/test_replay.sh
		tests/lib/% tests/kernel/% tests/modules/%'
	[clang-sanitizers]='tests/laws/% tests/kit/% tests/tools/% tests/sweep/% tests/sim/%'
	[static]='tests/laws/docs.sh tests/laws/source.sh tests/laws/headers.sh tests/sweep/% tests/sim/%
		tests/kit/broken.sh tests/modules/tcp/test_%'
)

left_out() { printf '%s' "${without[$1]}" | tr -s '\n\t' ' '; }

# make_in NAME ARGUMENT…: make in the folder of that configuration.
make_in() { make -C "$scratch/$1" -j"$jobs" WITHOUT="$(left_out "$1")" "${@:2}"; }

# step NAME COMMAND…: a step that is itself a test.
step() {
	local name=$1 before=$SECONDS log
	shift
	log=$(mktemp "$scratch/step.XXXXXX")
	if "$@" >"$log" 2>&1; then
		passed=$((passed + 1))
		good "$name ($((SECONDS - before)) s)"
	else
		failed=$((failed + 1))
		bad "$name ($((SECONDS - before)) s)"
		tail -n 40 "$log" | sed 's/^/        /'
		return 1
	fi
}

skip_or_fail() {
	if [ "${CI:-}" = true ]; then
		failed=$((failed + 1))
		bad "$1: no privileges, and in CI nothing may be skipped"
	else
		skipped=$((skipped + 1))
		say " skip  $1: no privileges"
	fi
}

# ---- builds ----

# build NAME CFLAGS ARGUMENT…: a configuration with its test programs; CFLAGS, where not empty, are for these.
build() {
	local name=$1 cflags=$2 build=$scratch/$1
	shift 2
	mkdir -p "$build"
	step "$name: configure" sh -c 'cd "$0" && "$@"' "$build" "$source/configure" --enable-werror \
		--prefix="$scratch/prefix-$name" "$@" &&
		step "$name: make without a warning" make_in "$name" &&
		step "$name: test programs without a warning" make_in "$name" check-programs ${cflags:+CFLAGS="$cflags"}
}

# ahead NAME …: build, and then for built() what there is to tell, and what was counted.
ahead() {
	passed=0 failed=0
	build "$@" >"$scratch/$1.told"
	echo "$1 $? $passed $failed"
}

# All builds but the first, a line on the standard output after each.
build_ahead() {
	renice -n 10 -p "$BASHPID" >/dev/null
	# What they do most is start shells, of which this is the quicker one.
	export CONFIG_SHELL=/bin/sh
	# Line numbers are enough for a report, and at -O2 checks cost the compiler three times as much.
	ahead gcc-sanitizers '-O0 -g1' CC=gcc CFLAGS='-O1 -g1' --enable-sanitizers
	ahead clang-sanitizers '-O0 -g1' CC=clang CFLAGS='-O1 -g1' --enable-sanitizers
	ahead static '' CC=gcc CFLAGS=-O0 --enable-static-modules
}

# Begins build_ahead, with what it prints at descriptor 7.
start_builder() {
	mkfifo "$scratch/built"
	set -m	# for a process group that can be ended
	build_ahead >"$scratch/built" 2>"$scratch/builder.log" &
	builder=$!
	set +m
	exec 7<"$scratch/built"
}

# built NAME: waits for that configuration, the next of build_ahead, and tells; whether it can be tested.
built() {
	local name status p f
	read -r name status p f <&7
	if [ "$name" != "$1" ]; then
		failed=$((failed + 1))
		bad "$1: not built"
		cat "$scratch/builder.log"
		return 1
	fi
	cat "$scratch/$1.told"
	passed=$((passed + p)) failed=$((failed + f))
	return "$status"
}

# ---- tests ----

# counts LOG: how many cases have passed, failed, and were skipped for want of what CI has, and otherwise. Test programs
# are cmocka's, scripts those of tests/lib/cases.sh.
counts() {
	# The harness itself ends each log with a line "FAIL name (exit status: 1)".
	awk '/^\[  PASSED  \] [0-9]+ test/ { p += $4 }
		/^\[  FAILED  \] [0-9]+ test/ { f += $4 }
		/^\[  SKIPPED \] [0-9]+ test/ { k += $4 }
		/^ok / { p++ }
		/^FAIL / && !/\(exit status: [0-9]*\)$/ { f++ }
		/^skip / { if (/privileges|not installed/) w++; else k++ }
		END { print p + 0, f + 0, w + 0, k + 0 }' "$1"
}

# Adds the cases of the tests in build directory $1 to the sums, and shows what failed. A test that ended otherwise than
# its cases say counts once.
count_tests() {
	local trs log result p f wanting k
	here_passed=0 here_failed=0 here_skipped=0
	while read -r trs; do
		log=${trs%.trs}.log
		result=$(sed -n 's/^:global-test-result: //p' "$trs")
		read -r p f wanting k < <(counts "$log")
		if [ "${CI:-}" = true ] && [ "$wanting" -gt 0 ]; then
			f=$((f + wanting))
			result=FAIL
			say "        in CI nothing may be skipped for this: $(grep '^skip ' "$log" | grep -E 'privileges|not installed' | head -n 3)"
		else
			k=$((k + wanting))
		fi
		case $result in
		PASS | XFAIL) ;;
		SKIP) [ $((p + f + k)) -gt 0 ] || k=1 ;;
		*)
			[ "$f" -gt 0 ] || f=1
			bad "$(basename "$1"): ${log#"$1"/}"
			grep -vE '^ok |^\[ RUN|^\[       OK' "$log" | tail -n 40 | sed 's/^/        /'
			;;
		esac
		here_passed=$((here_passed + p)) here_failed=$((here_failed + f))
		here_skipped=$((here_skipped + k))
	done < <(find "$1" -name '*.trs' | sort)
	passed=$((passed + here_passed)) failed=$((failed + here_failed))
	skipped=$((skipped + here_skipped))
}

# tests NAME COMMAND…: a command that runs the tests of a configuration, and leaves their logs in its folder.
tests() {
	local name=$1 before=$SECONDS log=$scratch/$1.check made told=good
	shift
	"$@" >"$log" 2>&1
	made=$?
	count_tests "$scratch/$name"
	if [ $made -ne 0 ] && [ $here_failed -eq 0 ]; then
		failed=$((failed + 1))
		bad "$name: $* ($((SECONDS - before)) s)"
		tail -n 40 "$log" | sed 's/^/        /'
		return
	fi
	[ $here_failed -eq 0 ] || told=bad
	$told "$name: $here_passed cases passed, $here_failed failed, $here_skipped skipped ($((SECONDS - before)) s)"
}

# ---- the installed prefix ----

# The installed prefix: what is in it, a module and programs built against it, and nothing left after.
nothing_left() {
	left=$(find "$1" \( -type f -o -type l -o -name 'strata*' \) -print)
	[ -z "$left" ] || { echo "left behind:" "$left"; return 1; }
}

installed_files() {
	missing=
	for file in sbin/stratad bin/strata lib/libstrata.so lib/pkgconfig/strata.pc include/strata/module.h \
		lib/libstrata-sim.so lib/pkgconfig/strata-sim.pc include/strata/sim.h share/man/man7/strata-sim.7 \
		include/strata/embed.h etc/strata/strata.yaml etc/strata/demo/ping.yaml \
		share/man/man8/stratad.8 share/man/man1/strata.1 share/man/man5/strata.yaml.5 \
		share/man/man7/strata-module.7 lib/systemd/system/stratad.service; do
		[ -e "$1/$file" ] || missing="$missing $file"
	done
	for module in "$source"/modules/*/*/; do
		[ -e "$1/lib/strata/modules/$(basename "$module").so" ] || missing="$missing $module"
	done
	[ -z "$missing" ] || { echo "not installed:$missing"; return 1; }
	! ls "$1"/lib/strata/modules/*.la 2>/dev/null
}

installation() {
	build=$scratch/gcc prefix=$scratch/prefix-gcc
	export PKG_CONFIG_PATH=$prefix/lib/pkgconfig LD_LIBRARY_PATH=$prefix/lib
	step 'install: make install' make -C "$build" install || return
	step 'install: everything is there' installed_files "$prefix"
	installed=$scratch/installed
	mkdir -p "$installed"
	if how=$(namespace_command 2>/dev/null); then
		# shellcheck disable=SC2086
		step 'docs/write-a-module.md: followed word for word, it ends with a module running' env \
			abs_top_srcdir="$source" PATH="$prefix/bin:$prefix/sbin:$PATH" \
			timeout 300 $how bash "$source/tests/tools/tutorial" "$scratch/tutorial"
		# Where the daemon ran.
		rmdir "$prefix/var/run/strata/default" "$prefix/var/run/strata" 2>/dev/null
	else
		skip_or_fail 'docs/write-a-module.md: followed word for word'
	fi
	step 'new-module: a project of each kind builds and passes its own check' env abs_top_srcdir="$source" \
		prefix="$prefix" bash "$source/tests/tools/new_modules" "$scratch/new-modules"
	cp -R "$source/examples" "$scratch/examples"
	step 'examples: build with pkg-config alone' make -C "$scratch/examples" CFLAGS='-O2 -Wall -Wextra -Werror'
	step 'examples: a connection to itself, without root' "$scratch/examples/tcp-loopback" "$prefix/etc/strata/demo/loopback.yaml"
	step 'examples: two simulated hosts, the same each time' sh -c '
		"$0" 10 7 >"$1/one" && "$0" 10 7 >"$1/two" && grep -q "1000000 bytes" "$1/one" && diff "$1/one" "$1/two"' \
		"$scratch/examples/sim-two-hosts" "$installed"
	step 'install: make uninstall' make -C "$build" uninstall
	step 'install: uninstall leaves nothing' nothing_left "$prefix"
	unset PKG_CONFIG_PATH LD_LIBRARY_PATH
}

# ---- the release ----

# make distcheck, with the tests of configuration clang.
release_tests() {
	XZ_OPT=-1 CONFIG_SHELL=/bin/sh make_in gcc check-release WITHOUT="$(left_out clang)" LOGS="$scratch/clang" \
		DISTCHECK_CONFIGURE_FLAGS='--enable-werror CC=clang CFLAGS=-O1' && return
	cp -R "$scratch"/gcc/strata-*/_build/sub/tests "$scratch/clang" 2>/dev/null
	return 1
}

# Each file that git has is in the archive.
release_is_whole() {
	local files missing
	files=$(tar -tf "$scratch"/gcc/strata-*.tar.xz | sed 's,^[^/]*/,,') || return
	missing=$(git -C "$top" ls-files | grep -vx '\.gitignore' | grep -vxF "$files")
	[ -z "$missing" ] || { echo 'not in the release:' "$missing"; return 1; }
}

# ---- everything ----

everything() {
	title 'gcc, everything'
	build gcc '' CC=gcc || return	# without it there is no installation and no release
	start_builder
	tests gcc make_in gcc check
	installation
	title 'the release, by clang'
	mkdir "$scratch/clang"
	tests clang release_tests
	! git -C "$top" ls-files --error-unmatch quickstart >/dev/null 2>&1 ||
		step 'release: every file is in it' release_is_whole
	title 'gcc with AddressSanitizer and UBSan'
	built gcc-sanitizers && tests gcc-sanitizers make_in gcc-sanitizers check-quick
	title 'clang with AddressSanitizer and UBSan'
	built clang-sanitizers && tests clang-sanitizers make_in clang-sanitizers check-units
	title 'modules linked in'
	built static && tests static make_in static check-quick
	wait "$builder"
	builder=
}

check() {
	started=$SECONDS
	title 'Strata: the whole test suite'
	# shellcheck disable=SC2086
	install_packages $build_packages $demo_packages $check_packages
	prepare_source
	namespace_command >/dev/null 2>&1 || {
		printf '%s########################################################################\n' "$red"
		say '# No network namespaces with a TAP here: the system tests are SKIPPED. Run as root.'
		printf '########################################################################%s\n' "$plain"
	}
	everything
	note "took $((SECONDS - started)) s"
	say
	say "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" -eq 0 ]
}
