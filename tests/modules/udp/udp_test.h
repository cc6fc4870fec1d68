/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of UDP share. */
#ifndef UDP_TEST_H
#define UDP_TEST_H

#include "fixture.h"

#define UDP_MODULES "ethernet arp ipv4 icmp udp"
#define OTHER_IP IP4(192, 0, 2, 9)
#define BROADCAST_IP IP4(192, 0, 2, 255)
#define GROUP_IP IP4(224, 0, 1, 5)

#define udp_open(...) fx_open(.modules = UDP_MODULES, ##__VA_ARGS__)

/* Receives one datagram and compares all of it. */
static inline void expect_recv(struct fixture *fx, int s, const char *text, uint32_t ip,
			       uint16_t port)
{
	struct sockaddr_in from;
	socklen_t length = sizeof(from);
	char buf[2048];
	ssize_t n = strata_recvfrom(fx->stack, s, buf, sizeof(buf), 0, (struct sockaddr *)&from,
				    &length);

	assert_int_equal(n, strlen(text));
	assert_memory_equal(buf, text, (size_t)n);
	assert_int_equal(length, sizeof(from));
	assert_int_equal(from.sin_family, AF_INET);
	assert_int_equal(ntohl(from.sin_addr.s_addr), ip);
	assert_int_equal(ntohs(from.sin_port), port);
}

static inline void expect_nothing(struct fixture *fx, int s)
{
	char buf[16];

	assert_int_equal(fx_recv(fx, s, buf, sizeof(buf)), -EAGAIN);
}

static inline int udp_socket(struct fixture *fx)
{
	return fx_socket(fx, SOCK_DGRAM, 0);
}

#endif
