# The laws of the architecture, as tests.
test_scripts += tests/laws/source.sh tests/laws/objects.sh tests/laws/headers.sh tests/laws/docs.sh
EXTRA_DIST += tests/laws/exceptions

test_programs += tests/laws/test_modules_load
tests_laws_test_modules_load_SOURCES = tests/laws/test_modules_load.c
tests_laws_test_modules_load_CPPFLAGS = $(test_cppflags) \
	-DSTRATA_MODULES='$(strata_modules:modules/%.la="%",)'
tests_laws_test_modules_load_LDFLAGS = $(test_ldflags)
tests_laws_test_modules_load_LDADD = $(test_libs)
