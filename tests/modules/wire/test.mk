# Tests of the wire module.
