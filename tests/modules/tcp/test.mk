# Tests of the tcp module.
