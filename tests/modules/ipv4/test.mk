# Tests of the ipv4 module.
