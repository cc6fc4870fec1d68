# Tests of the loopback module.
