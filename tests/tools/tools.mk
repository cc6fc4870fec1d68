# The programs' own tests. new_modules and tutorial want an installed Strata: quickstart runs them.
test_scripts += tests/tools/new_module.sh tests/tools/tutorial.sh
EXTRA_DIST += tests/tools/new_modules tests/tools/tutorial tests/tools/blocks.awk
