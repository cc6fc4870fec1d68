# The tcp module.
