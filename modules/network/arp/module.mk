# The arp module.
