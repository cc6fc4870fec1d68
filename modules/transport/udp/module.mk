# The udp module.
