# System tests: the daemon against Linux and real programs.
EXTRA_DIST += tests/system/lib.sh

check_PROGRAMS += tests/system/stream
tests_system_stream_SOURCES = tests/system/stream.c

test_scripts += tests/system/traffic.sh tests/system/bulk.sh tests/system/disable.sh
