# SPDX-License-Identifier: BSD-2-Clause
# What bash offers at the end of a line: complete.bash COMPLETION LINE prints a candidate a line, as readline puts it
# in the place of the last word. Words are cut as readline does, at '=' and ':' too.
. "$1"
COMP_LINE=$2 COMP_POINT=${#2} COMP_WORDS=()
set -f
rest=${2//=/ = }
rest=${rest//:/ : }
# shellcheck disable=SC2206
COMP_WORDS=($rest)
case $2 in *' ') COMP_WORDS+=('') ;; esac
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
set +f
_strata strata "${COMP_WORDS[COMP_CWORD]}" ''
printf '%s\n' "${COMPREPLY[@]}"
