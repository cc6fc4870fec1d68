# The ethernet module.
