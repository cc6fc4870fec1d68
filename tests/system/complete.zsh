# SPDX-License-Identifier: BSD-2-Clause
# What zsh makes of a line when Tab is struck: complete.zsh DIRECTORY LINE prints the line as it is then. A shell on a
# pseudo-terminal is typed to, as a person would; DIRECTORY has the completion.
zmodload zsh/zpty || exit 77
home=$(mktemp -d) || exit 1
trap 'rm -rf $home' EXIT
cat >$home/.zshrc <<END
PROMPT= RPROMPT=
unset zle_bracketed_paste
unsetopt prompt_cr prompt_sp
setopt no_beep
fpath=(${(q)1} \$fpath)
autoload -Uz compinit && compinit -D -u
show() { print -r -- "<<\$BUFFER>>"; BUFFER= }
zle -N show
bindkey '^X' show
print READY
END
zpty shell "ZDOTDIR=${(q)home} TERM=dumb zsh -d -i"
zpty -r shell line '*READY*' || exit 1
zpty -n -w shell "$2"$'\t\x18'
zpty -r shell line '*<<*>>*' || exit 1
print -r -- "${${line##*<<}%%>>*}"
zpty -d shell
