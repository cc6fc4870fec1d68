# The conformance kit: modules that break one rule each, built as authors build theirs, and the tree's own.
test_scripts += tests/kit/broken.sh tests/kit/conform.sh
EXTRA_DIST += tests/kit/bad.h \
	tests/kit/bad_good.c \
	tests/kit/bad_leak.c \
	tests/kit/bad_kept.c \
	tests/kit/bad_twice.c \
	tests/kit/bad_vanish.c \
	tests/kit/bad_short.c \
	tests/kit/bad_linear.c \
	tests/kit/bad_memory.c \
	tests/kit/bad_starved.c \
	tests/kit/bad_undone.c \
	tests/kit/bad_shared.c \
	tests/kit/bad_export.c \
	tests/kit/bad_call.c \
	tests/kit/bad_default.c \
	tests/kit/bad_limit.c \
	tests/kit/bad_range.c \
	tests/kit/bad_runtime.c \
	tests/kit/bad_silent.c \
	tests/kit/bad_loop.c \
	tests/kit/bad_abi.c \
	tests/kit/bad_number.c \
	tests/kit/bad_words.c \
	tests/kit/bad_exit.c \
	tests/kit/bad_load.c
