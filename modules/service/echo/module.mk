# The echo module.
