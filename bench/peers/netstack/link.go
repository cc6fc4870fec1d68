// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/bufferv2"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/rawfile"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

const (
	superSize   = 65535
	vnetSize    = 10
	needsCsum   = 1
	gsoTCPv4    = 1
	maxVectors  = 1024
	linkHeader  = header.EthernetMinimumSize
	tunFCsum    = 1
	tunFTSO4    = 2
	ownHardware = tcpip.LinkAddress("\x02\x00\x00\x00\x11\x04")
)

// Of the buffers a frame is read into; the sum holds the largest.
var pieces = []int{128, 2048, 16384, 16384, 16384, 16384}

// ioctl on the device.
func ioctl(fd int, request uintptr, argument uintptr) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, argument); errno != 0 {
		return errno
	}
	return nil
}

// openDevice attaches to a TAP device that is there, with the header of virtio in front of frames or without.
func openDevice(name string, vnet bool) (int, error) {
	var request struct {
		name  [unix.IFNAMSIZ]byte
		flags uint16
		_     [22]byte
	}
	offloads, size := uintptr(0), int32(vnetSize)

	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	copy(request.name[:unix.IFNAMSIZ-1], name)
	request.flags = unix.IFF_TAP | unix.IFF_NO_PI
	if vnet {
		request.flags |= unix.IFF_VNET_HDR
		offloads = tunFCsum | tunFTSO4
	}
	if err = ioctl(fd, unix.TUNSETIFF, uintptr(unsafe.Pointer(&request))); err == nil && vnet {
		err = ioctl(fd, unix.TUNSETVNETHDRSZ, uintptr(unsafe.Pointer(&size)))
	}
	if err == nil {
		err = ioctl(fd, unix.TUNSETOFFLOAD, offloads)
	}
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("TAP device %s: %w", name, err)
	}
	return fd, nil
}

// superLink is a link endpoint of frames with the header of virtio: netstack's own for descriptors has
// segmentation offload for packet sockets only.
type superLink struct {
	fd, stop   int
	mtu        uint32
	dispatcher stack.NetworkDispatcher
	views      []*bufferv2.View
	vectors    []unix.Iovec
	vnet       [vnetSize]byte
}

var _ stack.LinkEndpoint = (*superLink)(nil)
var _ stack.GSOEndpoint = (*superLink)(nil)

func newSuperLink(fd int, mtu uint32) (*superLink, error) {
	stop, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	return &superLink{fd: fd, stop: stop, mtu: mtu, views: make([]*bufferv2.View, len(pieces)),
		vectors: make([]unix.Iovec, len(pieces)+1)}, nil
}

func (l *superLink) MTU() uint32                             { return l.mtu }
func (l *superLink) MaxHeaderLength() uint16                 { return linkHeader }
func (l *superLink) LinkAddress() tcpip.LinkAddress          { return ownHardware }
func (l *superLink) IsAttached() bool                        { return l.dispatcher != nil }
func (l *superLink) Wait()                                   {}
func (l *superLink) ARPHardwareType() header.ARPHardwareType { return header.ARPHardwareEther }
func (l *superLink) GSOMaxSize() uint32                      { return superSize - 255 }
func (l *superLink) SupportedGSO() stack.SupportedGSO        { return stack.HostGSOSupported }
func (l *superLink) Capabilities() stack.LinkEndpointCapabilities {
	return stack.CapabilityRXChecksumOffload | stack.CapabilityResolutionRequired
}

func (l *superLink) AddHeader(pkt stack.PacketBufferPtr) {
	header.Ethernet(pkt.LinkHeader().Push(linkHeader)).Encode(&header.EthernetFields{
		SrcAddr: pkt.EgressRoute.LocalLinkAddress,
		DstAddr: pkt.EgressRoute.RemoteLinkAddress,
		Type:    pkt.NetworkProtocolNumber,
	})
}

func (l *superLink) Attach(dispatcher stack.NetworkDispatcher) {
	if dispatcher != nil && l.dispatcher == nil {
		l.dispatcher = dispatcher
		go l.receive()
	}
}

// read gives the next frame, whose buffers it takes from those that the last one left over.
func (l *superLink) read() (bufferv2.Buffer, bool) {
	var frame bufferv2.Buffer

	l.vectors[0] = rawfile.IovecFromBytes(l.vnet[:])
	for i := range l.views {
		if l.views[i] == nil {
			l.views[i] = bufferv2.NewViewSize(pieces[i])
			l.vectors[i+1] = rawfile.IovecFromBytes(l.views[i].AsSlice())
		}
	}
	n, err := rawfile.BlockingReadvUntilStopped(l.stop, l.fd, l.vectors)
	if err != nil || n < vnetSize+linkHeader {
		return frame, false
	}
	n -= vnetSize
	for i := 0; n > 0 && i < len(l.views); i++ {
		view := l.views[i]
		if n < view.Size() {
			view.CapLength(n)
		}
		n -= view.Size()
		frame.Append(view)
		l.views[i] = nil
	}
	return frame, true
}

func (l *superLink) receive() {
	for {
		frame, ok := l.read()
		if !ok {
			continue
		}
		pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: frame})
		if hdr, ok := pkt.LinkHeader().Consume(linkHeader); ok {
			l.dispatcher.DeliverNetworkPacket(header.Ethernet(hdr).Type(), pkt)
		}
		pkt.DecRef()
	}
}

func (l *superLink) WritePackets(pkts stack.PacketBufferList) (int, tcpip.Error) {
	for i, pkt := range pkts.AsSlice() {
		if err := l.write(pkt); err != nil {
			return i, err
		}
	}
	return pkts.Len(), nil
}

func (l *superLink) write(pkt stack.PacketBufferPtr) tcpip.Error {
	var vnet [vnetSize]byte
	var space [16]unix.Iovec

	if gso := &pkt.GSOOptions; gso.Type != stack.GSONone {
		binary.LittleEndian.PutUint16(vnet[2:], uint16(pkt.HeaderSize()))
		if gso.NeedsCsum {
			vnet[0] = needsCsum
			binary.LittleEndian.PutUint16(vnet[6:], linkHeader+gso.L3HdrLen)
			binary.LittleEndian.PutUint16(vnet[8:], gso.CsumOffset)
		}
		if pkt.Data().Size() > int(gso.MSS) {
			vnet[1] = gsoTCPv4
			binary.LittleEndian.PutUint16(vnet[4:], gso.MSS)
		}
	}
	vectors := append(space[:0], rawfile.IovecFromBytes(vnet[:]))
	for _, piece := range pkt.AsSlices() {
		vectors = rawfile.AppendIovecFromBytes(vectors, piece, maxVectors)
	}
	return rawfile.NonBlockingWriteIovec(l.fd, vectors)
}
