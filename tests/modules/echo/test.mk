# Tests of the echo module.
