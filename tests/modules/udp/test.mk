# Tests of the udp module.
