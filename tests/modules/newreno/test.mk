# Tests of the newreno module.
