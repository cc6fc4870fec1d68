# Tests of the kernel: manifests, options, modules and the life of a stack. They go through the public
# interface, with small modules of their own, mod_*.c, which call nothing of libstrata.
if HAVE_CMOCKA
mod_flags = $(library_ldflags) -module -avoid-version -shared -rpath $(abs_builddir)/tests/kernel
made = tests/kernel/made.c tests/kernel/made.h

check_LTLIBRARIES += tests/kernel/mod_low.la
tests_kernel_mod_low_la_SOURCES = tests/kernel/mod_low.c tests/kernel/mod.h
tests_kernel_mod_low_la_LDFLAGS = $(mod_flags)

check_LTLIBRARIES += tests/kernel/mod_mid.la
tests_kernel_mod_mid_la_SOURCES = tests/kernel/mod_mid.c tests/kernel/mod.h
tests_kernel_mod_mid_la_LDFLAGS = $(mod_flags)

check_LTLIBRARIES += tests/kernel/mod_naming.la
tests_kernel_mod_naming_la_SOURCES = tests/kernel/mod_naming.c tests/kernel/mod.h
tests_kernel_mod_naming_la_LDFLAGS = $(mod_flags)

check_LTLIBRARIES += tests/kernel/mod_top.la
tests_kernel_mod_top_la_SOURCES = tests/kernel/mod_top.c tests/kernel/mod.h
tests_kernel_mod_top_la_LDFLAGS = $(mod_flags)

check_LTLIBRARIES += tests/kernel/mod_a.la
tests_kernel_mod_a_la_SOURCES = tests/kernel/mod_a.c tests/kernel/mod.h
tests_kernel_mod_a_la_LDFLAGS = $(mod_flags)

check_LTLIBRARIES += tests/kernel/mod_b.la
tests_kernel_mod_b_la_SOURCES = tests/kernel/mod_b.c tests/kernel/mod.h
tests_kernel_mod_b_la_LDFLAGS = $(mod_flags)

check_LTLIBRARIES += tests/kernel/mod_c.la
tests_kernel_mod_c_la_SOURCES = tests/kernel/mod_c.c tests/kernel/mod.h
tests_kernel_mod_c_la_LDFLAGS = $(mod_flags)

check_LTLIBRARIES += tests/kernel/mod_self.la
tests_kernel_mod_self_la_SOURCES = tests/kernel/mod_self.c tests/kernel/mod.h
tests_kernel_mod_self_la_LDFLAGS = $(mod_flags)

check_LTLIBRARIES += tests/kernel/mod_number.la
tests_kernel_mod_number_la_SOURCES = tests/kernel/mod_number.c tests/kernel/mod.h
tests_kernel_mod_number_la_LDFLAGS = $(mod_flags)

check_LTLIBRARIES += tests/kernel/mod_net.la
tests_kernel_mod_net_la_SOURCES = tests/kernel/mod_net.c tests/kernel/mod.h
tests_kernel_mod_net_la_LDFLAGS = $(mod_flags)

check_LTLIBRARIES += tests/kernel/mod_service.la
tests_kernel_mod_service_la_SOURCES = tests/kernel/mod_service.c tests/kernel/mod.h
tests_kernel_mod_service_la_LDFLAGS = $(mod_flags)

check_LTLIBRARIES += tests/kernel/mod_needy.la
tests_kernel_mod_needy_la_SOURCES = tests/kernel/mod_needy.c tests/kernel/mod.h
tests_kernel_mod_needy_la_LDFLAGS = $(mod_flags)

check_LTLIBRARIES += tests/kernel/mod_undefined.la
tests_kernel_mod_undefined_la_SOURCES = tests/kernel/mod_undefined.c tests/kernel/mod.h
tests_kernel_mod_undefined_la_LDFLAGS = $(mod_flags)

check_LTLIBRARIES += tests/kernel/mod_eager.la
tests_kernel_mod_eager_la_SOURCES = tests/kernel/mod_eager.c tests/kernel/mod.h
tests_kernel_mod_eager_la_LDFLAGS = $(mod_flags)

check_LTLIBRARIES += tests/kernel/mod_none.la
tests_kernel_mod_none_la_SOURCES = tests/kernel/mod_none.c
tests_kernel_mod_none_la_LDFLAGS = $(mod_flags)

check_LTLIBRARIES += tests/kernel/mod_empty.la
tests_kernel_mod_empty_la_SOURCES = tests/kernel/mod_empty.c tests/kernel/mod.h
tests_kernel_mod_empty_la_LDFLAGS = $(mod_flags)

check_LTLIBRARIES += tests/kernel/mod_schema.la
tests_kernel_mod_schema_la_SOURCES = tests/kernel/mod_schema.c tests/kernel/mod.h
tests_kernel_mod_schema_la_LDFLAGS = $(mod_flags)

check_LTLIBRARIES += tests/kernel/mod_options.la
tests_kernel_mod_options_la_SOURCES = tests/kernel/mod_options.c tests/kernel/mod.h
tests_kernel_mod_options_la_LDFLAGS = $(mod_flags)

endif

test_programs += tests/kernel/test_manifest
tests_kernel_test_manifest_SOURCES = tests/kernel/test_manifest.c $(made)
tests_kernel_test_manifest_CPPFLAGS = $(test_cppflags)
tests_kernel_test_manifest_LDFLAGS = $(test_ldflags)
tests_kernel_test_manifest_LDADD = $(test_libs)

test_programs += tests/kernel/test_option
tests_kernel_test_option_SOURCES = tests/kernel/test_option.c $(made)
tests_kernel_test_option_CPPFLAGS = $(test_cppflags)
tests_kernel_test_option_LDFLAGS = $(test_ldflags)
tests_kernel_test_option_LDADD = $(test_libs)

test_programs += tests/kernel/test_loader
tests_kernel_test_loader_SOURCES = tests/kernel/test_loader.c $(made)
tests_kernel_test_loader_CPPFLAGS = $(test_cppflags)
tests_kernel_test_loader_LDFLAGS = $(test_ldflags)
tests_kernel_test_loader_LDADD = $(test_libs)

test_programs += tests/kernel/test_registry
tests_kernel_test_registry_SOURCES = tests/kernel/test_registry.c $(made)
tests_kernel_test_registry_CPPFLAGS = $(test_cppflags)
tests_kernel_test_registry_LDFLAGS = $(test_ldflags)
tests_kernel_test_registry_LDADD = $(test_libs)

test_programs += tests/kernel/test_reload
tests_kernel_test_reload_SOURCES = tests/kernel/test_reload.c $(made)
tests_kernel_test_reload_CPPFLAGS = $(test_cppflags)
tests_kernel_test_reload_LDFLAGS = $(test_ldflags)
tests_kernel_test_reload_LDADD = $(test_libs)

test_programs += tests/kernel/test_live
tests_kernel_test_live_SOURCES = tests/kernel/test_live.c
tests_kernel_test_live_CPPFLAGS = $(test_cppflags)
tests_kernel_test_live_LDFLAGS = $(test_ldflags)
tests_kernel_test_live_LDADD = $(test_libs)

test_programs += tests/kernel/test_toggle
tests_kernel_test_toggle_SOURCES = tests/kernel/test_toggle.c
tests_kernel_test_toggle_CPPFLAGS = $(test_cppflags)
tests_kernel_test_toggle_LDFLAGS = $(test_ldflags)
tests_kernel_test_toggle_LDADD = $(test_libs)
