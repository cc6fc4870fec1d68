# The test library.
