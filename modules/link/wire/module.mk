# The wire module.
