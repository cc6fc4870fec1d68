# System tests: the daemon against Linux and real programs.
