# The ipv4 module.
