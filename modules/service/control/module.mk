# The control module.
