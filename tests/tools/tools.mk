# The programs' own tests. new_modules wants an installed Strata: quickstart runs it.
test_scripts += tests/tools/new_module.sh
EXTRA_DIST += tests/tools/new_modules
