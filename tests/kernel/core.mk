# Tests of the kernel: memory, packets, checksums, timers, batches and the loop, chance, log and trace.
core_rig = tests/kernel/rig.c tests/kernel/rig.h

test_programs += tests/kernel/test_mem
tests_kernel_test_mem_SOURCES = tests/kernel/test_mem.c $(core_rig)
tests_kernel_test_mem_CPPFLAGS = $(kernel_test_cppflags)
tests_kernel_test_mem_LDFLAGS = $(kernel_test_ldflags)
tests_kernel_test_mem_LDADD = $(kernel_test_libs)

test_programs += tests/kernel/test_pkt
tests_kernel_test_pkt_SOURCES = tests/kernel/test_pkt.c $(core_rig)
tests_kernel_test_pkt_CPPFLAGS = $(kernel_test_cppflags)
tests_kernel_test_pkt_LDFLAGS = $(kernel_test_ldflags)
tests_kernel_test_pkt_LDADD = $(kernel_test_libs)

test_programs += tests/kernel/test_checksum
tests_kernel_test_checksum_SOURCES = tests/kernel/test_checksum.c $(core_rig)
tests_kernel_test_checksum_CPPFLAGS = $(kernel_test_cppflags)
tests_kernel_test_checksum_LDFLAGS = $(kernel_test_ldflags)
tests_kernel_test_checksum_LDADD = $(kernel_test_libs)

test_programs += tests/kernel/test_timer
tests_kernel_test_timer_SOURCES = tests/kernel/test_timer.c $(core_rig)
tests_kernel_test_timer_CPPFLAGS = $(kernel_test_cppflags)
tests_kernel_test_timer_LDFLAGS = $(kernel_test_ldflags)
tests_kernel_test_timer_LDADD = $(kernel_test_libs)

test_programs += tests/kernel/test_work
tests_kernel_test_work_SOURCES = tests/kernel/test_work.c $(core_rig)
tests_kernel_test_work_CPPFLAGS = $(kernel_test_cppflags)
tests_kernel_test_work_LDFLAGS = $(kernel_test_ldflags)
tests_kernel_test_work_LDADD = $(kernel_test_libs)

test_programs += tests/kernel/test_loop
tests_kernel_test_loop_SOURCES = tests/kernel/test_loop.c $(core_rig)
tests_kernel_test_loop_CPPFLAGS = $(kernel_test_cppflags)
tests_kernel_test_loop_LDFLAGS = $(kernel_test_ldflags)
tests_kernel_test_loop_LDADD = $(kernel_test_libs)

test_programs += tests/kernel/test_random
tests_kernel_test_random_SOURCES = tests/kernel/test_random.c $(core_rig)
tests_kernel_test_random_CPPFLAGS = $(kernel_test_cppflags)
tests_kernel_test_random_LDFLAGS = $(kernel_test_ldflags)
tests_kernel_test_random_LDADD = $(kernel_test_libs)

test_programs += tests/kernel/test_trace
tests_kernel_test_trace_SOURCES = tests/kernel/test_trace.c $(core_rig)
tests_kernel_test_trace_CPPFLAGS = $(kernel_test_cppflags)
tests_kernel_test_trace_LDFLAGS = $(kernel_test_ldflags)
tests_kernel_test_trace_LDADD = $(kernel_test_libs)
