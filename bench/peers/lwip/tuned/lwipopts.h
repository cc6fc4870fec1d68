/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lwIP's options for the tuned contender: one thread without locks, memory from the C library, windows that
 * hold what the device's queue holds. What each means is in lwip/opt.h.
 */
#ifndef LWIPOPTS_H
#define LWIPOPTS_H

#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_NETCONN 0
#define LWIP_SOCKET 0
#define LWIP_NETIF_API 0

#define MEM_LIBC_MALLOC 1
#define MEMP_MEM_MALLOC 1
#define MEM_ALIGNMENT 16
#define PBUF_POOL_BUFSIZE 1600

#define LWIP_IPV4 1
#define LWIP_IPV6 0
#define LWIP_ARP 1
#define LWIP_ICMP 1
#define LWIP_UDP 1
#define LWIP_TCP 1
#define LWIP_DHCP 0
#define LWIP_DNS 0
#define IP_REASSEMBLY 1

#define TCP_MSS 1460
#define LWIP_WND_SCALE 1
#define TCP_RCV_SCALE 5
#define TCP_WND (700 * TCP_MSS)
#define TCP_SND_BUF (176 * TCP_MSS)
#define TCP_SND_QUEUELEN 1024
#define TCP_SNDLOWAT (16 * TCP_MSS)
#define TCP_SNDQUEUELOWAT 512
#define MEMP_NUM_TCP_SEG 16384
#define TCP_LISTEN_BACKLOG 0
#define LWIP_TCP_TIMESTAMPS 0

#define LWIP_CHECKSUM_ON_COPY 1
#define LWIP_CHKSUM port_checksum

#define LWIP_STATS 0
#define LWIP_NOASSERT 1
#define LWIP_RAND() ((u32_t)rand())

#include <stdint.h>
#include <stdlib.h>

/** The Internet checksum, not complemented, of `length` bytes in memory order. */
uint16_t port_checksum(const void *bytes, int length);

#endif
