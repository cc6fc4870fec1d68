#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Laws that the built objects must keep: what a module resolves and exports, which functions of libc it
# leaves alone, and that neither it nor the kernel has mutable globals.
. "${abs_top_srcdir:?}/tests/lib/cases.sh"
cd "${abs_top_builddir:?}" || exit 1
export LC_ALL=C

if [ "$STRATA_TEST_SANITIZERS" = yes ]; then
	echo "# not for this build: sanitizers add symbols of their own to every object"
	exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

undefined() { nm -D --undefined-only "$1" | awk '$1 != "w" && $1 != "v" { sub(/@.*/, "", $2); print $2 }' | sort -u; }
defined() { nm -D --defined-only "$@" | awk 'NF == 3 { sub(/@.*/, "", $3); print $3 }' | sort -u; }

# Libraries whose symbols a module may use: those its module.mk names, by the variables of configure.
libraries_of() {
	echo libc.so.6
	echo ld-linux
	echo libstrata.so
	grep '_LIBADD' "$1" | grep -q 'MNL_LIBS' && echo libmnl.so
	grep '_LIBADD' "$1" | grep -q 'XDP_LIBS' && printf 'libxdp.so\nlibbpf.so\n'
	grep '_LIBADD' "$1" | grep -q 'PCAP_LIBS' && echo libpcap.so
	grep '_LIBADD' "$1" | grep -q 'JANSSON_LIBS' && echo libjansson.so
}

# Functions that a module must not call: time, chance, memory, output and the process are the stack's.
forbidden='clock_gettime gettimeofday time times ftime random srandom rand srand rand_r drand48 lrand48
getrandom getentropy arc4random getenv secure_getenv setenv putenv printf vprintf fprintf vfprintf dprintf
vdprintf puts putchar fputs fputc fwrite perror syslog vsyslog warn err exit _exit _Exit quick_exit abort atexit
malloc calloc realloc reallocarray free strdup strndup asprintf vasprintf posix_memalign aligned_alloc sleep
usleep nanosleep clock_nanosleep poll ppoll select pselect epoll_wait fork vfork system popen execve
pthread_create signal sigaction dlopen dlsym strtok setlocale'

check_module() {
	so=$1
	name=$(basename "$so" .so)
	fragment=$(ls "$abs_top_srcdir"/modules/*/"$name"/module.mk 2>/dev/null)
	if [ -z "$fragment" ]; then
		fail "$name has a makefile fragment in modules/*/$name"
		return
	fi
	undefined "$so" >"$work/undefined"
	libraries_of "$fragment" >"$work/may"
	needed=$(readelf -dW "$so" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
	empty "$name needs only libstrata, libc and the libraries its module.mk names" \
		"$(for n in $needed; do grep -qxF "${n%%.so*}" "$work/may" ||
			grep -q "^${n%%.so*}" "$work/may" || echo "$n"; done)"
	: >"$work/all"
	LD_LIBRARY_PATH=$abs_top_builddir/.libs ldd "$so" | awk '/=> \// { print $3 } $1 ~ /^\// { print $1 }' |
		while read -r library; do
			while read -r may; do
				case $(basename "$library") in "$may"*) defined "$library" >>"$work/all" ;; esac
			done <"$work/may"
		done
	sort -u "$work/all" -o "$work/all"
	empty "$name resolves no symbol outside of them" "$(comm -23 "$work/undefined" "$work/all")"
	exported=$(defined "$so" | tr '\n' ' ')
	[ "$exported" = "${name}_LTX_module " ] && pass "$name exports its descriptor alone" ||
		fail "$name exports its descriptor alone" "exported: $exported"
	sed -n "s/^${name}[[:space:]]\{1,\}\([a-z_0-9]*\).*/\1/p" "$abs_top_srcdir/tests/laws/exceptions" |
		sort -u >"$work/excepted"
	sed 's/^__\(.*\)_chk$/\1/; s/^__isoc99_//' "$work/undefined" | sort -u >"$work/called"
	empty "$name calls nothing that is the stack's to do" "$(printf '%s\n' $forbidden | sort -u |
		comm -12 - "$work/called" | comm -23 - "$work/excepted")"
	empty "$name is bound at once and has no text relocation" "$(
		readelf -dW "$so" | grep -q 'BIND_NOW\|NOW' || echo "not bound at once"
		readelf -dW "$so" | grep -q 'TEXTREL' && echo "text relocations")"
}

# Objects in writable memory, but for constants that only relocation writes (.data.rel.ro).
writable() {
	for object in "$@"; do
		objdump -tw "$object" | awk -v file="$object" '
			{ section = ""; for (i = 1; i <= NF; i++) if ($i ~ /^(\.(data|bss|tdata|tbss)|\*COM\*)/) section = $i }
			section != "" && section !~ /^\.data\.rel\.ro/ && $NF !~ /^\./ { print file ": " $NF " in " section }'
	done
}

objects() { find "$@" -path '*/.libs/*.o' 2>/dev/null | sort; }

# shellcheck disable=SC2046
empty 'the kernel has no mutable globals' "$(writable $(objects kernel))"
# shellcheck disable=SC2046
empty 'no module has mutable globals' "$(writable $(objects modules))"

library=.libs/libstrata.so
empty 'libstrata exports only names that begin with strata_' "$(defined "$library" | grep -v '^strata_')"
if [ "$STRATA_TEST_STATIC" != yes ]; then
	for so in modules/.libs/*.so; do check_module "$so"; done
	built=$(cd modules/.libs && ls ./*.so | wc -l)
	# A module may be left out where its library is missing.
	listed=$(for fragment in "$abs_top_srcdir"/modules/*/*/module.mk; do
		name=$(basename "$(dirname "$fragment")")
		[ ! -e "modules/.libs/$name.so" ] && grep -q '^if HAVE_' "$fragment" || echo "$name"
	done | wc -l)
	[ "$built" -eq "$listed" ] && pass 'every module of the tree is built' ||
		fail 'every module of the tree is built' "$listed folders, $built shared objects"
fi

empty 'libstrata documents each function that it exports in a header' "$(
	cat "$abs_top_srcdir"/include/strata/*.h >"$work/headers"
	defined "$library" | while read -r symbol; do
		grep -qw "$symbol" "$work/headers" || echo "$symbol"
	done)"
empty 'each function of the headers is there' "$(
	sed -n '/^STRATA_API/,/;/p' "$work/headers" | tr '\n' ' ' | tr ';' '\n' |
		sed -n 's/.*STRATA_API[^(]*[ *]\(strata_[a-z0-9_]*\)(.*/\1/p' | sort -u >"$work/promised"
	defined "$library" | comm -13 - "$work/promised")"
finish
