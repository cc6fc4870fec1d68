# The laws of docs, as tests.
