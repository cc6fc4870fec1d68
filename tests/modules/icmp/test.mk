# Tests of the icmp module.
