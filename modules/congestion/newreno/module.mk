# The newreno module.
