# Tests of the kernel: sockets.
