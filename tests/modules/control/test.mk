# Tests of the control module.
