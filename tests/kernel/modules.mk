# Tests of the kernel: modules.
