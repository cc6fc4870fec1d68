#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The daemon's handshakes against Linux's: Fast Open with data in the SYN, ECN, SYN cookies.

. "$(dirname "$0")/lib.sh"
needs sysctl

opener=$abs_top_builddir/tests/system/opener
card=192.0.2.2

# opens NAME WANT: a connection from Linux whose handshake becomes WANT.
opens() {
	got=$("$opener" $card 7 'what comes goes' 2>&1)
	if [ "$got" = "$2" ]; then pass "$1"; else fail "$1" "wanted: $2" "got: $got"; fi
}

if ! sysctl -qw net.ipv4.tcp_fastopen=1 net.ipv4.tcp_ecn=1 2>/dev/null; then
	skip handshake 'no sysctl net.ipv4.tcp_fastopen here'
	finish
fi

write_manifest arp ipv4 icmp cubic 'tcp fastopen=0x402' 'echo tcp=7' >fast.yaml
begin fast.yaml
opens 'Linux asks for a Fast Open cookie, and both agree on ECN' 'asked ecn'
opens 'it shows the cookie, and the data of its SYN is taken' 'taken ecn'
sysctl -qw net.ipv4.tcp_ecn=0
opens 'without ECN as well' 'taken'
end

sysctl -qw net.ipv4.tcp_ecn=1
write_manifest arp ipv4 icmp cubic 'tcp syncookies=2 ecn=0' 'echo tcp=7' >cookie.yaml
begin cookie.yaml
opens 'Linux completes a handshake by SYN cookie' 'asked'
case $("$strata" --run-dir "$work/run" show counters) in
*syn_cookies_received*' 1'*) pass 'the cookie was what completed it' ;;
*) fail 'the cookie was what completed it' "$("$strata" --run-dir "$work/run" show counters | grep cookies)" ;;
esac
end
finish
