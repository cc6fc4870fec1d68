# The icmp module.
