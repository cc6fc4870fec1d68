# System tests: the daemon against Linux and real programs.
EXTRA_DIST += tests/system/lib.sh
