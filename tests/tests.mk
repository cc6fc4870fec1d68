# All tests. A folder's own list is in its fragment.
include tests/sim/sim.mk
include tests/sim/theory.mk
include tests/lib/lib.mk
include tests/laws/laws.mk

include tests/kernel/modules.mk
include tests/kernel/core.mk
include tests/kernel/net.mk
include tests/kernel/sockets.mk

include tests/modules/ethernet/test.mk
include tests/modules/fault/test.mk
include tests/modules/loopback/test.mk
include tests/modules/packet/test.mk
include tests/modules/pcap/test.mk
include tests/modules/tap/test.mk
include tests/modules/wire/test.mk
include tests/modules/xdp/test.mk
include tests/modules/arp/test.mk
include tests/modules/ipv4/test.mk
include tests/modules/icmp/test.mk
include tests/modules/metrics/test.mk
include tests/modules/tcp/test.mk
include tests/modules/tcp/scen.mk
include tests/modules/trace/test.mk
include tests/modules/udp/test.mk
include tests/modules/newreno/test.mk
include tests/modules/cubic/test.mk
include tests/modules/bbr/test.mk
include tests/modules/control/test.mk
include tests/modules/echo/test.mk
include tests/modules/steady/test.mk
include tests/modules/shards/test.mk
include tests/modules/malformed/test.mk

include tests/kit/kit.mk
include tests/tools/tools.mk
include tests/sweep/sweep.mk
include tests/system/system.mk
