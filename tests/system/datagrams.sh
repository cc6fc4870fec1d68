#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# UDP_SEGMENT and UDP_GRO between the stack and Linux, cut and joined by the device or in software; and bursts of
# single datagrams.
STRATA_TEST_LIMIT=${STRATA_TEST_LIMIT:-60}
. "$(dirname "$0")/lib.sh"

# both OFFLOAD JOINED: with the TAP's offloads or without.
both() {
	write_manifest arp ipv4 icmp udp | sed "s/^      device: .*/&\n      offload: $1/" >stack.yaml
	"$abs_top_builddir/tests/system/datagrams" "$abs_top_builddir/modules/.libs" stack.yaml "$2"
}

check 'with super-packets between the stack and the device' both true 8
check 'with each datagram by itself' both false 2
finish
