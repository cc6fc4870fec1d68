# Tests of the tap module.
