#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# `strata new-module`: what it writes, and what it refuses. That projects build is tests/tools/new_modules, which
# needs an installed Strata.
. "${abs_top_srcdir:?}/tests/lib/cases.sh"
strata=$abs_top_builddir/tools/strata
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1

# What is installed on this machine is not to matter.
new() { "$strata" new-module --module-path "$abs_top_builddir/modules/.libs" "$@"; }

# refuses NAME STATUS TEXT ARGUMENT…: with that exit status and one line that has TEXT, and nothing is made.
refuses() {
	local name=$1 wanted=$2 text=$3 said status before
	shift 3
	before=$(find . | sort)
	said=$(new "$@" 2>&1)
	status=$?
	if [ $status -ne "$wanted" ]; then
		fail "$name" "status $status: $said"
	elif [[ $said != *"$text"* ]] || [ "$(printf '%s\n' "$said" | wc -l)" -ne 1 ]; then
		fail "$name" "$said"
	elif [ "$(find . | sort)" != "$before" ]; then
		fail "$name" "it made $(find . | sort)"
	else
		pass "$name"
	fi
}

for kind in link network transport congestion service; do
	check "a $kind project is written" new "my_$kind" --kind $kind --author 'Ann Author'
	empty "nothing is left to be put in in a $kind project" "$(grep -rnE '@(NAME|UPPER|KIND|NUMBER|AUTHOR|TABLES)@' "my_$kind")"
	empty "a $kind project is complete" "$(for file in configure.ac Makefile.am README.md .gitignore \
		"my_$kind.c" "my_${kind}_counters.def" "test_my_$kind.c" "strata-my_$kind.7" "my_$kind.yaml"; do
		[ -s "my_$kind/$file" ] || echo "no $file"
	done)"
	empty "the author stands in a $kind project" "$(grep -L 'Ann Author' "my_$kind/my_$kind.c" "my_$kind/strata-my_$kind.7")"
	empty "lines of a $kind project are of a width that is read" "$(expand -t8 "my_$kind/my_$kind.c" | awk 'length > 132')"
done
check 'all numbers are those kept for experiments' grep -q 'number = 253' my_transport/my_transport.c
check 'EtherTypes are hexadecimal' grep -q 'number: 0x88b5' my_network/my_network.yaml
check 'a number and a directory can be given' new other --kind transport --number 0xfe --directory elsewhere
check 'the number is put in' grep -q 'number: 254' elsewhere/other.yaml
check 'JSON tells what was made' sh -c '"$0" new-module --module-path "$1" js --kind link --json | grep -q "\"directory\": \"js\""' "$strata" "$abs_top_builddir/modules/.libs"

echo precious >precious
mkdir full && echo precious >full/file
refuses 'a directory that is there is left alone' 1 'full exists' x --kind link --directory full
refuses 'a file in the place of the directory too' 1 'precious exists' x --kind link --directory precious
check 'nothing of it is lost' grep -q precious full/file precious
refuses 'a directory that cannot be made' 1 'cannot make nowhere/x' x --kind link --directory nowhere/x
refuses 'a kind with a spelling mistake gets the nearest' 2 "did you mean 'transport'?" x --kind trasport
refuses 'a kind must be given' 2 'expected --kind' x
refuses 'a name must be given' 2 'expected NAME' --kind link
refuses 'a name that is no C name gets one that is' 2 "did you mean 'my_proto'?" My-Proto --kind link
refuses 'a name that begins with a digit' 2 "found '9lives'" 9lives --kind link
refuses 'a name with a slash' 2 "found '../x'" ../x --kind link
refuses 'an empty name' 2 "found ''" '' --kind link
refuses 'a name of 32 letters' 2 'at most' abcdefghijklmnopqrstuvwxyzabcdef --kind link
refuses 'a name of the kernel' 2 'names of the kernel' strata --kind link
refuses 'a name that a module has' 2 "there is a module 'tcp' already" tcp --kind service
refuses 'a number that a module has, which is named' 2 'that of module udp' x --kind transport --number 17
refuses 'an EtherType that a module has' 2 'that of module ipv4' x --kind network --number 0x0800
refuses 'a number out of range' 2 'from 1 to 255' x --kind transport --number 256
refuses 'a number of 0' 2 'from 1 to 255' x --kind transport --number 0
refuses 'an EtherType below 0x0600' 2 'from 0x0600 to 0xffff' x --kind network --number 0x05ff
refuses 'a number that is none' 2 "found '12x'" x --kind transport --number 12x
refuses 'a number for a kind without' 2 'has no number' x --kind service --number 9
refuses 'an author who would end a comment' 2 '--author' x --kind link --author 'x */ int y;'
refuses 'templates that are not there' 1 'no templates in' x --kind link --templates "$dir"

# A template that cannot be read, after others were written: what was made is taken back.
cp -R "$abs_top_srcdir/tools/templates" broken && chmod -R u+w broken
rm broken/link/NAME.yaml.in && mkdir broken/link/NAME.yaml.in
refuses 'a project that fails half way is taken back' 1 'cannot read' x --kind link --templates broken

# The experimental numbers may be taken: by a copy of udp's file that claims 253.
mkdir modules
# shellcheck disable=SC2086
if ${STRATA_TEST_CC:-cc} -shared -fPIC -I"$abs_top_srcdir/include" -o modules/first.so -xc - 2>cc.log <<'END'
#include <strata/transport.h>
static enum strata_verdict input(struct strata_instance *self, struct strata_pkt *pkt)
{
	(void)self;
	strata_pkt_free(pkt);
	return STRATA_ACCEPTED;
}
static const struct strata_transport_ops ops = { .input = input };
STRATA_MODULE(first) = { STRATA_MODULE_HEADER, .kind = STRATA_TRANSPORT, .number = 253, .name = "first",
			 .version = "1", .summary = "has 253", .transport = &ops };
END
then
	check 'with 253 taken the next experimental number is chosen' new second --kind transport --module-path modules
	check 'and put in' grep -q 'number = 254' second/second.c
	refuses 'and 253 is refused with its holder' 2 'that of module first' third --kind transport --number 253 \
		--module-path modules
else
	fail 'a module with number 253 is built' "$(cat cc.log)"
fi
finish
