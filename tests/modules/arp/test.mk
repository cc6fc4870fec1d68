# Tests of the arp module.
