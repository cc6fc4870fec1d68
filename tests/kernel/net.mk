# Tests of the kernel: net.
