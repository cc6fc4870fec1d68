// SPDX-License-Identifier: BSD-2-Clause

// gVisor's netstack as a contender, over a TAP device that is there: with its own link endpoint for
// descriptors (--gso off), or with super-frames (--gso on, see link.go). TCP 7 echo, 9 discard, 19 chargen;
// UDP 7 echo; a goroutine a connection through the sockets that netstack offers Go programs.
package main

import (
	"flag"
	"fmt"
	"io"
	"net"
	"os"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/fdbased"
	"gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
)

const (
	nic = 1
	mtu = 1500
	// What one call of an application reads or writes.
	applicationSize = 256 * 1024
)

func fail(what string, err interface{}) {
	fmt.Fprintf(os.Stderr, "netstack: %s: %v\n", what, err)
	os.Exit(1)
}

func newLink(device string, gso bool) (stack.LinkEndpoint, error) {
	fd, err := openDevice(device, gso)
	if err != nil {
		return nil, err
	}
	if gso {
		return newSuperLink(fd, mtu)
	}
	return fdbased.New(&fdbased.Options{FDs: []int{fd}, MTU: mtu, EthernetHeader: true, Address: ownHardware})
}

// tune opens the windows: bulk needs more than the defaults, and selective acknowledgements are off in them.
func tune(s *stack.Stack) {
	sack := tcpip.TCPSACKEnabled(true)
	moderate := tcpip.TCPModerateReceiveBufferOption(true)
	send := tcpip.TCPSendBufferSizeRangeOption{Min: 4096, Default: 1 << 20, Max: 4 << 20}
	receive := tcpip.TCPReceiveBufferSizeRangeOption{Min: 4096, Default: 1 << 20, Max: 4 << 20}

	for _, option := range []tcpip.SettableTransportProtocolOption{&sack, &moderate, &send, &receive} {
		if err := s.SetTransportProtocolOption(tcp.ProtocolNumber, option); err != nil {
			fail("options of TCP", err)
		}
	}
}

func newStack(link stack.LinkEndpoint, address tcpip.Address, prefix int, gateway tcpip.Address) *stack.Stack {
	s := stack.New(stack.Options{
		NetworkProtocols: []stack.NetworkProtocolFactory{ipv4.NewProtocol, arp.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol, udp.NewProtocol,
			icmp.NewProtocol4},
	})
	own := tcpip.AddressWithPrefix{Address: address, PrefixLen: prefix}
	tune(s)
	if err := s.CreateNIC(nic, link); err != nil {
		fail("interface", err)
	}
	if err := s.AddProtocolAddress(nic, tcpip.ProtocolAddress{Protocol: ipv4.ProtocolNumber,
		AddressWithPrefix: own}, stack.AddressProperties{}); err != nil {
		fail("address", err)
	}
	routes := []tcpip.Route{{Destination: own.Subnet(), NIC: nic}}
	if gateway != "" {
		routes = append(routes, tcpip.Route{Destination: header.IPv4EmptySubnet, Gateway: gateway, NIC: nic})
	}
	s.SetRouteTable(routes)
	return s
}

func echo(conn net.Conn) {
	buffer := make([]byte, 16*1024)
	for {
		n, err := conn.Read(buffer)
		if err != nil {
			return
		}
		if _, err = conn.Write(buffer[:n]); err != nil {
			return
		}
	}
}

func discard(conn net.Conn) {
	buffer := make([]byte, applicationSize)
	for {
		if _, err := conn.Read(buffer); err != nil {
			return
		}
	}
}

func chargen(conn net.Conn) {
	buffer := make([]byte, applicationSize)
	go func() {
		// The client closes first; what it sends is of no interest.
		io.Copy(io.Discard, conn)
		conn.Close()
	}()
	for {
		if _, err := conn.Write(buffer); err != nil {
			return
		}
	}
}

func serve(s *stack.Stack, port uint16, service func(net.Conn)) {
	listener, err := gonet.ListenTCP(s, tcpip.FullAddress{NIC: nic, Port: port}, ipv4.ProtocolNumber)
	if err != nil {
		fail("listen", err)
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				fail("accept", err)
			}
			go func() {
				service(conn)
				conn.Close()
			}()
		}
	}()
}

func echoDatagrams(conn *gonet.UDPConn) {
	buffer := make([]byte, 64*1024)
	for {
		n, from, err := conn.ReadFrom(buffer)
		if err != nil {
			fail("receive", err)
		}
		// One that cannot be sent is lost, as datagrams may be.
		conn.WriteTo(buffer[:n], from)
	}
}

func main() {
	device := flag.String("device", "", "TAP device")
	text := flag.String("address", "", "own address with the prefix's length")
	via := flag.String("gateway", "", "gateway")
	gso := flag.String("gso", "on", "on or off")
	flag.Parse()

	address, network, err := net.ParseCIDR(*text)
	if err != nil || address.To4() == nil || *device == "" {
		fmt.Fprintln(os.Stderr, "usage: netstack --device TAP --address A/PREFIX [--gateway G] [--gso on|off]")
		os.Exit(2)
	}
	link, err := newLink(*device, *gso != "off")
	if err != nil {
		fail("link", err)
	}
	prefix, _ := network.Mask.Size()
	s := newStack(link, tcpip.Address(address.To4()), prefix, tcpip.Address(net.ParseIP(*via).To4()))
	serve(s, 7, echo)
	serve(s, 9, discard)
	serve(s, 19, chargen)
	datagrams, err := gonet.DialUDP(s, &tcpip.FullAddress{NIC: nic, Port: 7}, nil, ipv4.ProtocolNumber)
	if err != nil {
		fail("UDP", err)
	}
	fmt.Println("ready")
	echoDatagrams(datagrams)
}
