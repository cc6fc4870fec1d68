# SPDX-License-Identifier: BSD-2-Clause
# Takes the fenced blocks of a Markdown document apart, into $dir: 001.sh (commands), 002.text (what they say), and
# 003.file with the name in 003.name (a file's contents; the name is followed by '+' where it is added to a file).
# Blocks of other kinds are ignored; a fence that is not closed is an error.
/^```/ && !open {
	open = 1
	split($0, word, " ")
	language = substr(word[1], 4)
	kind = language == "sh" || language == "text" ? language : word[2] != "" ? "file" : ""
	out = ""
	if (kind != "") {
		out = sprintf("%s/%03d.%s", dir, ++count, kind)
		printf "" >out
		if (kind == "file")
			print word[2] word[3] >sprintf("%s/%03d.name", dir, count)
	}
	next
}
/^```$/ && open {
	open = 0
	if (out != "")
		close(out)
	next
}
open && out != "" { print >out }
END {
	if (open || count == 0) {
		print "a fence is not closed, or there is none" >"/dev/stderr"
		exit 1
	}
}
