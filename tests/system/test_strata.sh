#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# strata against a stack on a TAP device: each table and each change, for people and as JSON, with what comes of it on
# the wire.
. "$(dirname "$0")/lib.sh"
needs ping perl script

cat >stack.yaml <<'END'
strata: 1
stack:
  name: testing
modules:
  - name: tap
  - name: ethernet
  - name: loopback
  - name: arp
  - name: ipv4
  - name: icmp
  - name: udp
  - name: cubic
  - name: newreno
  - name: tcp
  - name: echo
    options:
      udp: 7
      tcp: 7
interfaces:
  - name: st0
    driver: tap
    options:
      device: strata0
      host: 192.0.2.1/24
    mac: 02:00:00:00:00:02
    addresses: [192.0.2.2/24]
routes:
  - to: 0.0.0.0/0
    via: 192.0.2.1
  - to: 203.0.113.0/24
    via: 192.0.2.7
    metric: 20
    mtu: 1400
END
begin stack.yaml
s() { "$strata" --run-dir run "$@"; }

# gives STATUS WORD…: strata ends so; what it says is in out and err.
gives() {
	wanted=$1
	shift
	s "$@" >out 2>err </dev/null
	got=$?
	if [ $got = "$wanted" ]; then pass "strata $* ends with $wanted"; else
		fail "strata $* ends with $wanted" "status $got" "$(cat out err)"
	fi
}
# silent: what was given last said nothing, as one that succeeds.
silent() { empty '  and says nothing' "$(cat out err)"; }
# refused PATTERN: it said one line, which has the pattern.
refused() {
	check "  and says $1" grep -q -e "$1" err
	check '  in one line' test "$(wc -l <err)" = 1
}
# shows TABLE: what the last of it has to be, from the standard input.
shows() {
	s "$@" >out 2>err
	diff -u - out >difference
	empty "strata $* is as drawn" "$(cat difference)"
}

# json CODE: runs Perl with the JSON of out in $_; json_lines CODE: with that of its lines in @_.
json() { perl -MJSON::PP -0777 -ne "\$_ = decode_json(\$_); $1" out; }
json_lines() { perl -MJSON::PP -e "@ARGV = ('out'); @_ = map { decode_json(\$_) } <>; $1"; }

# ---- tables ----

shows show addresses <<'END'
INTERFACE  ADDRESS    PREFIX  MASK           BROADCAST    STATE
st0        192.0.2.2      24  255.255.255.0  192.0.2.255  valid
END
shows show routes <<'END'
DESTINATION     VIA        INTERFACE  SOURCE  METRIC   MTU  ORIGIN
192.0.2.0/24    -          st0        -            0     -  address
203.0.113.0/24  192.0.2.7  st0        -           20  1400  manifest
0.0.0.0/0       192.0.2.1  st0        -            0     -  manifest
END
shows show routes 203.0.113.0/24 192.0.2.0/24 <<'END'
DESTINATION     VIA        INTERFACE  SOURCE  METRIC   MTU  ORIGIN
192.0.2.0/24    -          st0        -            0     -  address
203.0.113.0/24  192.0.2.7  st0        -           20  1400  manifest
END
shows show groups <<'END'
INTERFACE  GROUP      MEMBERS
st0        224.0.0.1        1
END
shows show sockets <<'END'
TRANSPORT  STATE        FD  RX BYTES  TX BYTES  LOCAL      REMOTE
udp        UNCONNECTED   0         0         0  0.0.0.0:7  *:*
tcp        LISTEN        1         0      1024  0.0.0.0:7  *:*
END
shows show sockets --tcp -l <<'END'
TRANSPORT  STATE   FD  RX BYTES  TX BYTES  LOCAL      REMOTE
tcp        LISTEN   1         0      1024  0.0.0.0:7  *:*
END
shows show sockets -c <<'END'
no sockets
END
shows show neighbours <<'END'
no neighbours
END
COLUMNS=60 shows show modules udp tcp <<'END'
NAME        tcp
KIND        transport
NUMBER      6
VERSION     0.1.0
STATE       running
RX PACKETS  0
TX PACKETS  0
SUMMARY     Transmission Control Protocol (RFC 9293)

NAME        udp
KIND        transport
NUMBER      17
VERSION     1.0
STATE       running
RX PACKETS  0
TX PACKETS  0
SUMMARY     User Datagram Protocol (RFC 768)
END
ping -n -q -c 3 -i 0.1 192.0.2.2 >/dev/null
shows show counters icmp <<'END'
MODULE  COUNTER        VALUE  MEANING
icmp    in_msgs            3  messages received, bad ones included
icmp    in_echos           3  echo requests received
icmp    out_msgs           3  messages sent or tried to
icmp    out_echo_reps      3  echo replies sent
END
COLUMNS=50 shows show counters in_msgs <<'END'
MODULE  COUNTER  VALUE  MEANING
icmp    in_msgs      3  messages received, bad
                        ones included
END

# Every table: aligned, without blanks at the ends of lines, valid as JSON, with as many entries.
for table in $(s complete -- show '' | cut -f 1); do
	gives 0 show "$table"
	check '  without blanks at the ends of lines' sh -c '! grep -q "[[:space:]]$" out'
	check '  and without colours' sh -c '! grep -q "$(printf "\033")" out'
	s show "$table" --json >out
	check "strata show $table --json is an array of objects" json '
		ref $_ eq "ARRAY" or die "no array"; ref $_ eq "HASH" or die "no object" for @$_'
done
# Columns of numbers end where their titles do.
s show counters --all >out
check 'numbers stand to the right, under the end of their title' perl -ne '
	if ($. == 1) { $end = index($_, "VALUE") + 5; $start = index($_, "MEANING"); next }
	substr($_, $end - 1, 1) =~ /[0-9]/ && substr($_, $end, $start - $end) eq "  " &&
		substr($_, $start, 1) ne " " or die $_;
	END { $. > 100 or die "only $. lines" }' out
lines=$(wc -l <out)
s show counters --json >out
check 'strata show counters --json has those that are 0 as well' json "
	@\$_ == $lines - 1 or die scalar @\$_"
gives 1 show counters icpm
refused "show counters: no module or counter 'icpm', did you mean 'icmp'?"
gives 1 show interfaces st1
refused "no interface 'st1', did you mean 'st0'? There are st0"
script -qec "'$strata' --run-dir run show modules udp" /dev/null >out 2>&1 </dev/null
check 'on a terminal titles are bold' grep -q "$(printf '\033\[1mNAME\033\[0m')" out
NO_COLOR=1 script -qec "'$strata' --run-dir run show modules udp" /dev/null >out 2>&1 </dev/null
check 'but not with NO_COLOR' sh -c '! grep -q "$(printf "\033\133")" out'

# ---- --watch ----

# watched COMMAND…: what it prints until SIGINT after three screens; its status in $got.
watched() {
	: >watch
	"$strata" --run-dir run "$@" >watch 2>err &
	watch_pid=$!
	eventually 20 sh -c 'test $(grep -c "^every\|^{" watch) -ge 3'
	ping -n -q -c 5 -i 0.002 192.0.2.2 >/dev/null
	eventually 20 sh -c 'test $(grep -c "^every\|^{" watch) -ge 6'
	kill -INT "$watch_pid"
	wait "$watch_pid"
	got=$?
}
# A shell's background jobs are born deaf to SIGINT.
set -m
watched show counters icmp --watch=0.1
check 'strata show --watch ends with 0 on SIGINT' test "$got" = 0
check '  and has rates' grep -q '^MODULE  COUNTER *VALUE *PER S  MEANING$' watch
check '  of what came meanwhile' grep -Eq '^icmp *in_echos *[0-9]+ *[1-9][0-9.]* ' watch
watched --json show interfaces -w 0.1
check 'strata show --json --watch ends with 0 on SIGINT' test "$got" = 0
mv watch out
check '  and is one object a line, with rates' json_lines '
	@_ >= 6 or die "only a few";
	$_->{table} eq "interfaces" or die "another table" for @_;
	defined $_[0]{entries}[0]{rx_packets_per_second} and die "a rate of nothing";
	grep { ($_->{entries}[0]{rx_packets_per_second} // 0) > 0 } @_ or die "no rate";
	$_[-1]{time} > $_[0]{time} or die "no time"'
set +m

# ---- changes ----

gives 0 address add 192.0.2.9/24 dev st0
silent
check 'the new address answers' ping -n -q -c 1 -W 2 192.0.2.9
gives 1 address add 192.0.2.9/24 dev st0
refused 'interface st0 has it already'
gives 1 address add 192.0.2.10 dev st0
refused 'has no prefix length'
gives 1 address add 192.0.2.10/24 dev st1
refused "no interface 'st1'; did you mean \"st0\"?"
gives 1 address delete 192.0.2.99/24 dev st0
refused 'does not have it'
gives 0 address delete 192.0.2.9/24 dev st0
silent
check 'the address is gone' sh -c '! ping -n -q -c 1 -W 1 192.0.2.9'
shows address show <<'END'
INTERFACE  ADDRESS    PREFIX  MASK           BROADCAST    STATE
st0        192.0.2.2      24  255.255.255.0  192.0.2.255  valid
END

gives 0 route add 198.51.100.0/24 via 192.0.2.1 metric 5 mtu 1300 congestion newreno
silent
gives 0 route add default dev st0 metric 9 src 192.0.2.2
shows route <<'END'
DESTINATION      VIA        INTERFACE  SOURCE     METRIC   MTU  ORIGIN
192.0.2.0/24     -          st0        -               0     -  address
198.51.100.0/24  192.0.2.1  st0        -               5  1300  added
203.0.113.0/24   192.0.2.7  st0        -              20  1400  manifest
0.0.0.0/0        192.0.2.1  st0        -               0     -  manifest
0.0.0.0/0        -          st0        192.0.2.2       9     -  added
END
gives 1 route add 198.51.100.0/24 via 192.0.2.1 metric 5
refused 'is there already'
gives 1 route add 198.51.100.0/24
refused 'needs `via`'
gives 1 route add 198.51.100.0/24 via 192.0.2.1 congestion cubik
refused "no module 'cubik'"
gives 1 route delete 198.51.100.0/24 via 192.0.2.1
refused 'no route to 198.51.100.0/24'
gives 0 route del to 198.51.100.0/24 via 192.0.2.1 metric 5
silent
gives 0 route remove default dev st0 metric 9

gives 0 neighbour add 192.0.2.7 lladdr 02:00:00:00:00:07 dev st0
silent
shows neighbour show PERMANENT <<'END'
ADDRESS    INTERFACE  MAC                STATE      WAITING  CONFIRMED
192.0.2.7  st0        02:00:00:00:00:07  PERMANENT        0      never
END
gives 1 neighbour add 192.0.2.7 mac 02:00:00:00:07 dev st0
refused 'is no link address'
gives 0 neighbour delete 192.0.2.7 dev st0
gives 1 neighbour delete 192.0.2.7 dev st0
refused 'has no neighbour'

gives 0 option get tcp.sack
check '  and tells it' test "$(cat out)" = true
gives 0 option set tcp.sack off
silent
check 'it is off now' test "$(s option get tcp.sack)" = false
gives 0 option set tcp.sack=on --json
check '  and tells it as JSON' grep -q '"value": "true"' out
gives 1 option set tcp.sakc off
refused 'did you mean "sack"?'
gives 1 option set tcp.sack perhaps
refused 'expected true or false'

gives 0 module disable udp
silent
check 'udp is disabled' sh -c "'$strata' --run-dir run show modules udp | grep -q disabled"
check 'and completion offers it to be enabled' test \
	"$(s complete -- --run-dir run module enable '' | cut -f 1)" = udp
gives 0 module enable udp
silent
gives 1 module disable control
refused 'answers this very request'
gives 1 module enable udb
refused 'udb'

gives 1 module load tpc
refused 'did you mean "tcp"?'
gives 1 module load tcp
refused 'is there already'
gives 1 module disable tap
refused 'needed by interface "st0"'
gives 0 module unload newreno
silent
gives 1 module unload newreno
refused 'newreno'
gives 0 module load newreno
silent
check 'newreno is running' sh -c "'$strata' --run-dir run show modules newreno | grep -q running"

gives 0 interface set st0 mtu 1400
silent
check 'the MTU is another' sh -c "'$strata' --run-dir run show interfaces -b | grep -q ' 1400 '"
gives 1 interface set st0 mtu 20
refused 'expected at least 68'
gives 0 interface set st0 down
silent
check 'it does not answer' sh -c '! ping -n -q -c 1 -W 1 192.0.2.2'
gives 0 interface set st0 up mtu 1500
silent
check 'it answers again' ping -n -q -c 1 -W 5 192.0.2.2

gives 0 module load page file metrics option 'path=/m:' option port=9999
silent
gives 0 option get page.path
check 'a value may look like the syntax of a manifest' grep -qx '/m:' out
gives 0 module unload page
silent

# ---- reload ----

shows reload --dry-run <<'END'
nothing to change
END
sed -i 's,192.0.2.2/24,192.0.2.3/24,; s,metric: 20,metric: 30,' stack.yaml
cp stack.yaml good.yaml
exec 5<>/dev/tcp/192.0.2.2/7
echo hello >&5
read -r -t 5 answer <&5
check 'a connection that would end answers' test "$answer" = hello
s show sockets ESTABLISHED --details >out
check "--details: a connection's line" grep -q \
	'^tcp  ESTABLISHED  fd [0-9]*  rx bytes 0  tx bytes 0  192.0.2.2:7  192.0.2.1:[0-9]*$' out
for detail in 'congestion cubic' 'rtt [0-9.]* ms' 'cwnd [1-9][0-9]*' 'mss 14[0-9]*' 'received 6 bytes' 'acked 6 bytes' \
	'segments in [1-9][0-9]*' 'delivery rate [1-9][0-9.]* .*B\{0,1\}.*/s'; do
	check "--details has $detail" grep -q -e "\(^ *\|, \)$detail\(,\|\$\)" out
done
check '--details of a listener has none' test "$(s show sockets -tl --details | wc -l)" = 1
check '--details folds its lines' eval 'COLUMNS=60 s show sockets -cd | awk "/^ / && length > 60 { exit 1 }"'
check '--details in JSON has numbers' eval 's show sockets -cd --json | grep -q "\"rtt_us\": [1-9]"'
check 'without --details there are none' eval '! s show sockets -c --json | grep -q rtt'
port=$(s show sockets ESTABLISHED --json | sed -n 's/.*"port": \([0-9]\{5\}\).*/\1/p')
shows reload -n <<END
   WHAT     NAME                                            ACTION  ENDS  VALUE
-  address  192.0.2.2/24 on st0                             remove     1
+  address  192.0.2.3/24 on st0                             add        0
-  route    203.0.113.0/24 via 192.0.2.7 dev st0 metric 20  remove     0
+  route    203.0.113.0/24 via 192.0.2.7 dev st0 metric 30  add        0

1 socket would end:
TRANSPORT  STATE        LOCAL        REMOTE           BY
tcp        ESTABLISHED  192.0.2.2:7  192.0.2.1:$port  192.0.2.2/24 on st0
END
check 'and still does after --dry-run' sh -c 'echo again >&5 && read -r answer <&5 && test "$answer" = again'
printf 'interfaces:\n' >>stack.yaml
gives 1 reload
refused 'stack.yaml:[0-9]*:[0-9]*: '
check 'a manifest with a fault changes nothing' ping -n -q -c 1 -W 2 192.0.2.2
cp good.yaml stack.yaml
gives 0 reload --json
check '  and tells it as JSON' json '$_->{applied} or die; @{$_->{changes}} >= 2 or die "few changes"'
check 'the manifest is what runs' ping -n -q -c 1 -W 2 192.0.2.3
exec 5>&-
shows reload <<'END'
nothing to change
END

# ---- names from the running stack ----

check 'completion knows interfaces' test "$(s complete -- --run-dir run show interfaces '' | cut -f 1)" = st0
check 'and modules' test "$(s complete -- --run-dir=run show counters ne | cut -f 1)" = newreno
check 'and options' test "$(s complete -- --run-dir run option get tcp.dsack_u | cut -f 1)" = tcp.dsack_undo
check 'and those of interfaces' test "$(s complete -- --run-dir run option get st0.off | cut -f 1)" = st0.offload
check 'and what they may be set to' test \
	"$(s complete -- --run-dir run option set tcp.sack '' | cut -f 1 | tr '\n' ' ')" = 'true false '
check 'by name where there are several' sh -c "'$strata' complete -- --run-dir run option set arp.defend '' | grep -q '^yield'"

end
finish
