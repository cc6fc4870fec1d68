# System tests: the daemon against Linux and real programs.
EXTRA_DIST += tests/system/lib.sh tests/system/skeleton
test_scripts += tests/system/ping.sh tests/system/ports.sh
quick_scripts += tests/system/ping.sh tests/system/ports.sh
test_scripts += tests/system/test_cli.sh tests/system/test_demos.sh tests/system/test_tap.sh
