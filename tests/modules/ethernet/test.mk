# Tests of the ethernet module.
