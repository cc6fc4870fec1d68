# The loopback module.
