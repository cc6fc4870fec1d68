#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Laws that the source itself must keep: the kernel names no protocol, a module sees only the SDK and its
# own folder, and what the house style fixes for every file.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib/cases.sh"
cd "$abs_top_srcdir" || exit 1

# Prints "file:line:text" of each file with its comments taken out, lines kept.
without_comments() {
	perl -e '
		for my $file (@ARGV) {
			open my $in, "<", $file or die "$file: $!";
			local $/; my $text = <$in>;
			$text =~ s{("(?:\\.|[^"\\\n])*"|\x27(?:\\.|[^\x27\\\n])*\x27)|(/\*.*?\*/)|//[^\n]*}
				{defined $1 ? $1 : defined $2 ? "\n" x ($2 =~ tr/\n//) : ""}gse;
			my $n = 0;
			print "$file:", ++$n, ":$_\n" for split /\n/, $text, -1;
		}' "$@"
}

kernel=$(find kernel -name '*.[ch]' -o -name '*.def' | sort)
# shellcheck disable=SC2086
kernel_code=$(without_comments $kernel)

empty 'the kernel names no protocol' "$(printf '%s\n' "$kernel_code" | sed 's/^\([^:]*\):/\1 :/' |
	grep -iE ':.*(^|[^a-z])(tcp|udp|arp|icmp|ipv4|ipv6|ethernet)([^a-z]|$)')"
empty 'no file of the kernel is named after a protocol' "$(find kernel |
	grep -iE '(^|[^a-z])(tcp|udp|arp|icmp|ipv4|ipv6|ethernet)([^a-z]|$)')"
empty 'the kernel knows no address family and no number of a protocol' "$(printf '%s\n' "$kernel_code" |
	grep -E '\b(AF_INET6?|sockaddr_in6?|in6?_addr|IPPROTO_[A-Z0-9]+|SOL_IPV?6?|ETH_P_[A-Z0-9]+|0x0?800|0x0?806|0x86[dD][dD])\b')"

for folder in modules/*/*/; do
	own=$(for include in $(cat "$folder"*.[ch] 2>/dev/null |
			sed -n 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*"\(.*\)".*/\1/p' | sort -u); do
		case $include in */*) echo "$include" ;; *) [ -f "$folder$include" ] || echo "$include" ;; esac
	done)
	empty "$folder includes only the SDK and its own folder" "$own"
	name=$(basename "$folder")
	empty "$folder is a module with a makefile fragment, a descriptor and a man page" "$(
		[ -f "${folder}module.mk" ] || echo "no module.mk"
		grep -qs "STRATA_MODULE($name)" "$folder"*.c || echo "no STRATA_MODULE($name)"
		[ -f "${folder}strata-$name.7" ] || echo "no strata-$name.7")"
done

sources=$(find kernel modules tools include tests bench examples -name '*.[ch]' | sort)
empty 'every C file opens with its SPDX line' "$(for f in $sources; do
	head -n 1 "$f" | grep -q '^/\* SPDX-License-Identifier: BSD-2-Clause \*/$' || echo "$f"
done)"
empty 'no conditional compilation in the C files of kernel and modules' \
	"$(grep -nE '^[[:space:]]*#[[:space:]]*if' kernel/*.c modules/*/*/*.c)"
empty 'no C file has more than 1000 lines' "$(for f in $sources; do
	n=$(wc -l <"$f")
	[ "$n" -le 1000 ] || echo "$f: $n"
done)"
empty 'no structure is packed and none has bit-fields in kernel and modules' \
	"$(grep -nE '__attribute__ *\(\(.*packed' kernel/*.[ch] modules/*/*/*.[ch] include/strata/*.h)"
empty 'the decision records are numbered without a gap, in their names and in their titles' "$(
	n=0
	for f in docs/adr/*.md; do
		n=$((n + 1))
		case $f in docs/adr/$(printf '%04d' $n)-*) ;; *) echo "$f: not number $n" ;; esac
		head -n 1 "$f" | grep -q "^# $n\\. " || echo "$f: its title is not number $n"
	done)"
empty 'nothing is left to be done later' "$(
	# shellcheck disable=SC2086
	grep -nE '\b(TO''DO|FIX''ME|X''XX)\b' $sources)"
finish
