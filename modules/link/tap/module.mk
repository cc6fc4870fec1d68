# The tap module.
