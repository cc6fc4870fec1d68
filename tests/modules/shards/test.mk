# Several stacks of one manifest, in one thread and in virtual time, and with threads.
test_programs += tests/modules/shards/test_shards
tests_modules_shards_test_shards_SOURCES = \
	tests/modules/shards/test_shards.c \
	tests/modules/shards/world.c \
	tests/modules/shards/world.h
tests_modules_shards_test_shards_CPPFLAGS = $(test_cppflags)
tests_modules_shards_test_shards_LDFLAGS = $(test_ldflags)
tests_modules_shards_test_shards_LDADD = $(test_libs)

test_programs += tests/modules/shards/test_threads
tests_modules_shards_test_threads_SOURCES = tests/modules/shards/test_threads.c
tests_modules_shards_test_threads_CPPFLAGS = $(test_cppflags)
tests_modules_shards_test_threads_LDFLAGS = $(test_ldflags)
tests_modules_shards_test_threads_LDADD = $(test_libs)
