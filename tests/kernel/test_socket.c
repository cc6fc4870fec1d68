/* SPDX-License-Identifier: BSD-2-Clause */
/* Sockets as the kernel keeps them: descriptors, arguments, binding, options, readiness, endings. */
#include "fixture.h"

#define MODULES "ethernet arp ipv4 icmp udp"
#define GROUP_IP IP4(224, 0, 1, 5)
#define ALL_GONE (EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLRDHUP)

#define sockets_open(...) fx_open(.modules = MODULES, ##__VA_ARGS__)

static int dgram(struct fixture *fx)
{
	return strata_socket(fx->stack, AF_INET, SOCK_DGRAM, 0);
}

static int bind_to(struct fixture *fx, int s, uint32_t ip, uint16_t port)
{
	struct sockaddr_in to = fx_sockaddr(ip, port);

	return strata_bind(fx->stack, s, (struct sockaddr *)&to, sizeof(to));
}

/* ---- descriptors ---- */

static void a_new_socket_has_the_lowest_free_number(void **state)
{
	struct fixture *fx = sockets_open();
	int i;

	(void)state;
	for (i = 0; i < 200; i++)
		assert_int_equal(dgram(fx), i);
	fx_close_socket(fx, 150);
	fx_close_socket(fx, 3);
	fx_close_socket(fx, 70);
	assert_int_equal(dgram(fx), 3);
	assert_int_equal(dgram(fx), 70);
	assert_int_equal(dgram(fx), 150);
	assert_int_equal(dgram(fx), 200);
	fx_close(fx);
}

/* Against a plain array of what is taken, while the table grows and its beginning, middle and end free up. */
static void among_thousands_too_the_lowest_free_number_is_found(void **state)
{
	struct fixture *fx = sockets_open();
	static bool taken[20000];
	uint64_t rng = 5;
	int i, lowest = 0, highest = 0;

	(void)state;
	memset(taken, 0, sizeof(taken));
	for (i = 0; i < 30000; i++) {
		const int s = (int)(fx_random(&rng) % (uint64_t)(highest + 1));

		/* Fewer and fewer are closed, then more. */
		if ((int)(fx_random(&rng) % 30000) < (i < 20000 ? 8000 - i / 3 : i) && taken[s]) {
			fx_close_socket(fx, s);
			taken[s] = false;
			lowest = s < lowest ? s : lowest;
			continue;
		}
		assert_int_equal(dgram(fx), lowest);
		taken[lowest] = true;
		highest = lowest > highest ? lowest : highest;
		while (taken[lowest])
			lowest++;
	}
	assert_true(highest > 5000);
	fx_close(fx);
}

static void the_stacks_limit_is_emfile_until_one_closes(void **state)
{
	struct fixture *fx = fx_open(.manifest =
		"strata: 1\n"
		"stack:\n"
		"  sockets: 3\n"
		"modules:\n"
		"  - name: wire\n"
		"  - name: ipv4\n"
		"  - name: udp\n"
		"interfaces:\n"
		"  - name: w0\n"
		"    driver: wire\n"
		"    options:\n"
		"      medium: ip\n", .bare = true);
	int i;

	(void)state;
	for (i = 0; i < 3; i++)
		assert_int_equal(dgram(fx), i);
	assert_int_equal(dgram(fx), -EMFILE);
	assert_int_equal(fx_counter(fx, "kernel", "sockets_refused"), 1);
	fx_close_socket(fx, 1);
	assert_int_equal(dgram(fx), 1);
	fx_close(fx);
}

static void what_is_no_socket_is_ebadf_everywhere(void **state)
{
	struct fixture *fx = sockets_open();
	static const int numbers[] = { -1, 0, 1, 63, 64, 100000, INT32_MAX, INT32_MIN };
	struct sockaddr_in a = fx_sockaddr(STACK_IP, 1);
	struct sockaddr *sa = (struct sockaddr *)&a;
	socklen_t length = sizeof(a);
	struct msghdr msg = { 0 };
	int value = 0;
	char byte;
	size_t i;

	(void)state;
	for (i = 0; i < STRATA_COUNT(numbers); i++) {
		int s = numbers[i];

		assert_int_equal(strata_bind(fx->stack, s, sa, length), -EBADF);
		assert_int_equal(strata_listen(fx->stack, s, 1), -EBADF);
		assert_int_equal(strata_accept(fx->stack, s, sa, &length), -EBADF);
		assert_int_equal(strata_connect(fx->stack, s, sa, length), -EBADF);
		assert_int_equal(strata_send(fx->stack, s, "x", 1, 0), -EBADF);
		assert_int_equal(strata_recv(fx->stack, s, &byte, 1, 0), -EBADF);
		assert_int_equal(strata_sendto(fx->stack, s, "x", 1, 0, sa, length), -EBADF);
		assert_int_equal(strata_recvfrom(fx->stack, s, &byte, 1, 0, sa, &length), -EBADF);
		assert_int_equal(strata_sendmsg(fx->stack, s, &msg, 0), -EBADF);
		assert_int_equal(strata_recvmsg(fx->stack, s, &msg, 0), -EBADF);
		assert_int_equal(strata_shutdown(fx->stack, s, SHUT_WR), -EBADF);
		assert_int_equal(strata_close(fx->stack, s), -EBADF);
		assert_int_equal(strata_getsockname(fx->stack, s, sa, &length), -EBADF);
		assert_int_equal(strata_getpeername(fx->stack, s, sa, &length), -EBADF);
		assert_int_equal(strata_ioctl(fx->stack, s, 0, &value), -EBADF);
		assert_int_equal(strata_events(fx->stack, s), -EBADF);
		assert_int_equal(strata_notify(fx->stack, s, NULL, NULL), -EBADF);
		assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_TYPE), -EBADF);
		assert_int_equal(fx_setsockopt(fx, s, SOL_SOCKET, SO_REUSEADDR, 1), -EBADF);
	}
	fx_close(fx);
}

static void domain_type_and_protocol_must_be_there(void **state)
{
	struct fixture *fx = sockets_open();
	static const struct {
		int domain, type, protocol, result;
	} cases[] = {
		{ AF_INET6, SOCK_DGRAM, 0, -EAFNOSUPPORT },
		{ AF_UNIX, SOCK_DGRAM, 0, -EAFNOSUPPORT },
		{ -1, SOCK_DGRAM, 0, -EAFNOSUPPORT },
		{ AF_INET, SOCK_STREAM, 0, -EPROTONOSUPPORT },
		{ AF_INET, SOCK_STREAM, 17, -EPROTONOSUPPORT },
		{ AF_INET, SOCK_DGRAM, 99, -EPROTONOSUPPORT },
		{ AF_INET, SOCK_DGRAM, 256, -EINVAL },
		{ AF_INET, SOCK_DGRAM, -1, -EINVAL },
		{ AF_INET, SOCK_SEQPACKET, 0, -ESOCKTNOSUPPORT },
		{ AF_INET, SOCK_RAW, 1, -ESOCKTNOSUPPORT },
		{ AF_INET, 77, 0, -EINVAL },
		{ AF_INET, SOCK_DGRAM, 0, 0 },
		{ AF_INET, SOCK_DGRAM, 17, 1 },
		{ AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, 2 },
		{ AF_INET, SOCK_DGRAM, IPPROTO_ICMP, 3 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < STRATA_COUNT(cases); i++)
		assert_int_equal(strata_socket(fx->stack, cases[i].domain, cases[i].type,
					       cases[i].protocol), cases[i].result);
	assert_int_equal(fx_getsockopt(fx, 0, SOL_SOCKET, SO_PROTOCOL), 17);
	assert_int_equal(fx_getsockopt(fx, 3, SOL_SOCKET, SO_PROTOCOL), 1);
	assert_int_equal(fx_getsockopt(fx, 0, SOL_SOCKET, SO_TYPE), SOCK_DGRAM);
	assert_int_equal(fx_getsockopt(fx, 0, SOL_SOCKET, SO_DOMAIN), AF_INET);
	assert_int_equal(fx_getsockopt(fx, 0, SOL_SOCKET, SO_ACCEPTCONN), 0);
	fx_close(fx);
}

static void null_pointers_are_efault_and_bad_vectors_are_refused(void **state)
{
	struct fixture *fx = sockets_open();
	struct sockaddr_in a = fx_sockaddr(PEER_IP, 7);
	struct sockaddr *sa = (struct sockaddr *)&a;
	struct iovec huge[2] = { { &a, SIZE_MAX / 2 }, { &a, SIZE_MAX / 2 } }, null = { NULL, 1 };
	struct msghdr msg = { .msg_iov = huge, .msg_iovlen = 2 };
	socklen_t length = sizeof(a), negative = (socklen_t)-1;
	int s = dgram(fx), value;
	char byte;

	(void)state;
	assert_int_equal(strata_bind(fx->stack, s, NULL, 16), -EFAULT);
	assert_int_equal(strata_connect(fx->stack, s, NULL, 16), -EFAULT);
	assert_int_equal(strata_getsockname(fx->stack, s, NULL, &length), -EFAULT);
	assert_int_equal(strata_getsockname(fx->stack, s, sa, NULL), -EFAULT);
	assert_int_equal(strata_getsockname(fx->stack, s, sa, &negative), -EINVAL);
	assert_int_equal(strata_sendmsg(fx->stack, s, NULL, 0), -EFAULT);
	assert_int_equal(strata_recvmsg(fx->stack, s, NULL, 0), -EFAULT);
	assert_int_equal(strata_send(fx->stack, s, NULL, 1, 0), -EFAULT);
	assert_int_equal(strata_recv(fx->stack, s, NULL, 1, 0), -EFAULT);
	assert_int_equal(strata_recvfrom(fx->stack, s, &byte, 1, 0, sa, NULL), -EFAULT);
	assert_int_equal(strata_ioctl(fx->stack, s, 0, NULL), -EFAULT);
	assert_int_equal(strata_setsockopt(fx->stack, s, SOL_SOCKET, SO_REUSEADDR, NULL, 4),
			 -EFAULT);
	assert_int_equal(strata_setsockopt(fx->stack, s, SOL_SOCKET, SO_REUSEADDR, &value,
					   negative), -EINVAL);
	assert_int_equal(strata_getsockopt(fx->stack, s, SOL_SOCKET, SO_TYPE, &value, NULL),
			 -EFAULT);
	assert_int_equal(strata_getsockopt(fx->stack, s, SOL_SOCKET, SO_TYPE, NULL, &length),
			 -EFAULT);
	assert_int_equal(strata_sendmsg(fx->stack, s, &msg, 0), -EINVAL);
	msg.msg_iovlen = 1025;
	assert_int_equal(strata_sendmsg(fx->stack, s, &msg, 0), -EMSGSIZE);
	msg = (struct msghdr){ .msg_iov = NULL, .msg_iovlen = 1 };
	assert_int_equal(strata_sendmsg(fx->stack, s, &msg, 0), -EFAULT);
	msg.msg_iov = &null;
	assert_int_equal(strata_recvmsg(fx->stack, s, &msg, 0), -EFAULT);
	msg = (struct msghdr){ .msg_controllen = 16 };
	assert_int_equal(strata_recvmsg(fx->stack, s, &msg, 0), -EFAULT);
	assert_int_equal(strata_bind(fx->stack, s, sa, 1), -EINVAL);
	assert_int_equal(strata_bind(fx->stack, s, sa, 15), -EINVAL);
	assert_int_equal(strata_connect(fx->stack, s, sa, 1), -EINVAL);
	fx_close(fx);
}

/* ---- binding ---- */

static void binding_takes_own_any_group_and_broadcast_addresses_only(void **state)
{
	struct fixture *fx = sockets_open();
	static const struct {
		uint32_t ip;
		int result;
	} cases[] = {
		{ 0, 0 }, { STACK_IP, 0 }, { GROUP_IP, 0 }, { IP4(192, 0, 2, 255), 0 },
		{ IP4(255, 255, 255, 255), 0 }, { PEER_IP, -EADDRNOTAVAIL },
		{ IP4(203, 0, 113, 1), -EADDRNOTAVAIL }, { IP4(127, 0, 0, 1), -EADDRNOTAVAIL },
		{ IP4(240, 0, 0, 1), -EADDRNOTAVAIL },
	};
	struct sockaddr_in name;
	socklen_t length;
	size_t i;

	(void)state;
	for (i = 0; i < STRATA_COUNT(cases); i++) {
		int s = dgram(fx);

		assert_int_equal(bind_to(fx, s, cases[i].ip, 4000), cases[i].result);
		length = sizeof(name);
		assert_int_equal(strata_getsockname(fx->stack, s, (struct sockaddr *)&name,
						    &length), 0);
		assert_int_equal(ntohl(name.sin_addr.s_addr), cases[i].result == 0 ? cases[i].ip : 0);
		assert_int_equal(ntohs(name.sin_port), cases[i].result == 0 ? 4000 : 0);
		fx_close_socket(fx, s);
	}
	fx_close(fx);
}

static void a_socket_binds_once_and_a_port_to_one(void **state)
{
	struct fixture *fx = sockets_open();
	int a = dgram(fx), b = dgram(fx);

	(void)state;
	assert_int_equal(bind_to(fx, a, 0, 4000), 0);
	assert_int_equal(bind_to(fx, a, 0, 4001), -EINVAL);
	assert_int_equal(bind_to(fx, b, STACK_IP, 4000), -EADDRINUSE);
	assert_int_equal(fx_setsockopt(fx, b, SOL_SOCKET, SO_REUSEADDR, 1), 0);
	assert_int_equal(bind_to(fx, b, STACK_IP, 4000), -EADDRINUSE);
	/* As on Linux, the option may be set after binding. */
	assert_int_equal(fx_setsockopt(fx, a, SOL_SOCKET, SO_REUSEADDR, 1), 0);
	assert_int_equal(bind_to(fx, b, STACK_IP, 4000), 0);
	fx_close_socket(fx, a);
	fx_close_socket(fx, b);
	a = dgram(fx);
	assert_int_equal(bind_to(fx, a, 0, 4000), 0);
	fx_close(fx);
}

static void binding_to_port_0_gives_an_ephemeral_one(void **state)
{
	struct fixture *fx = sockets_open();
	int a = dgram(fx), b = dgram(fx);

	(void)state;
	fx_bind(fx, a, 0, 0);
	fx_bind(fx, b, 0, 0);
	assert_in_range(fx_local_port(fx, a), 32768, 60999);
	assert_int_not_equal(fx_local_port(fx, a), fx_local_port(fx, b));
	fx_close(fx);
}

static void a_name_is_cut_at_the_room_and_its_length_told(void **state)
{
	struct fixture *fx = sockets_open();
	uint8_t buf[16];
	socklen_t length = 4;
	int s = dgram(fx);

	(void)state;
	memset(buf, 0xee, sizeof(buf));
	fx_bind(fx, s, STACK_IP, 0x1234);
	assert_int_equal(strata_getsockname(fx->stack, s, (struct sockaddr *)(void *)buf, &length), 0);
	assert_int_equal(length, sizeof(struct sockaddr_in));
	assert_int_equal(buf[3], 0x34);
	assert_int_equal(buf[4], 0xee);
	fx_close(fx);
}

static void a_socket_bound_to_a_device_hears_that_one_only(void **state)
{
	struct fixture *fx = sockets_open();
	char name[IFNAMSIZ] = "";
	socklen_t length = sizeof(name);
	int s = dgram(fx);

	(void)state;
	assert_int_equal(strata_setsockopt(fx->stack, s, SOL_SOCKET, SO_BINDTODEVICE, "nope", 5),
			 -ENODEV);
	assert_int_equal(strata_setsockopt(fx->stack, s, SOL_SOCKET, SO_BINDTODEVICE, "w0", 2), 0);
	assert_int_equal(strata_getsockopt(fx->stack, s, SOL_SOCKET, SO_BINDTODEVICE, name, &length),
			 0);
	assert_string_equal(name, "w0");
	assert_int_equal(length, 3);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_BINDTOIFINDEX), fx->iface->index);
	fx_bind(fx, s, 0, 7);
	rx_udp(.dport = 7, .text = "x");
	expect_events(s, EPOLLIN | EPOLLOUT);
	assert_int_equal(strata_setsockopt(fx->stack, s, SOL_SOCKET, SO_BINDTODEVICE, "", 0), 0);
	length = sizeof(name);
	assert_int_equal(strata_getsockopt(fx->stack, s, SOL_SOCKET, SO_BINDTODEVICE, name, &length),
			 0);
	assert_int_equal(length, 0);
	assert_int_equal(fx_setsockopt(fx, s, SOL_SOCKET, SO_BINDTOIFINDEX, 99), -ENODEV);
	fx_close(fx);
}

/* ---- options ---- */

static void flags_are_off_go_on_and_off(void **state)
{
	static const int names[] = {
		SO_REUSEADDR, SO_REUSEPORT, SO_KEEPALIVE, SO_BROADCAST, SO_OOBINLINE, SO_DONTROUTE,
		SO_TIMESTAMP, SO_TIMESTAMPNS,
	};
	struct fixture *fx = sockets_open();
	int s = dgram(fx);
	char one = 1;
	size_t i;

	(void)state;
	for (i = 0; i < STRATA_COUNT(names); i++) {
		assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, names[i]), 0);
		assert_int_equal(fx_setsockopt(fx, s, SOL_SOCKET, names[i], 5), 0);
		assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, names[i]), 1);
		assert_int_equal(fx_setsockopt(fx, s, SOL_SOCKET, names[i], 0), 0);
		assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, names[i]), 0);
		assert_int_equal(strata_setsockopt(fx->stack, s, SOL_SOCKET, names[i], &one, 1),
				 -EINVAL);
	}
	fx_close(fx);
}

static void buffers_are_doubled_and_kept_in_bounds(void **state)
{
	struct fixture *fx = sockets_open();
	int s = dgram(fx);

	(void)state;
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_RCVBUF), 208 << 10);
	assert_int_equal(fx_setsockopt(fx, s, SOL_SOCKET, SO_RCVBUF, 50000), 0);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_RCVBUF), 100000);
	assert_int_equal(fx_setsockopt(fx, s, SOL_SOCKET, SO_RCVBUF, 0), 0);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_RCVBUF), 2304);
	assert_int_equal(fx_setsockopt(fx, s, SOL_SOCKET, SO_SNDBUF, 1), 0);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_SNDBUF), 4608);
	assert_int_equal(fx_setsockopt(fx, s, SOL_SOCKET, SO_SNDBUF, -1), 0);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_SNDBUF), 8 << 20);
	assert_int_equal(fx_setsockopt(fx, s, SOL_SOCKET, SO_RCVBUF, INT32_MAX), 0);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_RCVBUF), 8 << 20);
	fx_close(fx);
}

static void the_other_options_keep_their_values(void **state)
{
	struct fixture *fx = sockets_open();
	struct linger linger = { .l_onoff = 1, .l_linger = 100000 };
	struct timeval tv = { .tv_sec = 1, .tv_usec = 5 }, bad = { .tv_usec = 1000000 };
	socklen_t length = sizeof(linger);
	uint8_t cut[4] = { 0, 0, 0xee, 0xee };
	int s = dgram(fx);

	(void)state;
	assert_int_equal(strata_setsockopt(fx->stack, s, SOL_SOCKET, SO_LINGER, &linger, 8), 0);
	linger = (struct linger){ 0 };
	assert_int_equal(strata_getsockopt(fx->stack, s, SOL_SOCKET, SO_LINGER, &linger, &length), 0);
	assert_int_equal(linger.l_onoff, 1);
	assert_int_equal(linger.l_linger, 65535);
	assert_int_equal(fx_setsockopt(fx, s, SOL_SOCKET, SO_LINGER, 0), -EINVAL);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_RCVLOWAT), 1);
	assert_int_equal(fx_setsockopt(fx, s, SOL_SOCKET, SO_RCVLOWAT, 0), 0);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_RCVLOWAT), 1);
	assert_int_equal(fx_setsockopt(fx, s, SOL_SOCKET, SO_RCVLOWAT, 99), 0);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_RCVLOWAT), 99);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_SNDLOWAT), 1);
	assert_int_equal(strata_setsockopt(fx->stack, s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)),
			 0);
	assert_int_equal(strata_setsockopt(fx->stack, s, SOL_SOCKET, SO_SNDTIMEO, &bad, sizeof(bad)),
			 -EDOM);
	assert_int_equal(fx_setsockopt(fx, s, SOL_SOCKET, SO_PRIORITY, 6), 0);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_PRIORITY), 6);
	assert_int_equal(fx_setsockopt(fx, s, SOL_SOCKET, SO_PRIORITY, 7), -EPERM);
	assert_int_equal(fx_setsockopt(fx, s, SOL_SOCKET, SO_MARK, 42), 0);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_MARK), 42);
	assert_int_equal(fx_setsockopt(fx, s, SOL_SOCKET, 999, 1), -ENOPROTOOPT);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, 999), -ENOPROTOOPT);
	assert_int_equal(fx_setsockopt(fx, s, 12345, 1, 1), -ENOPROTOOPT);
	assert_int_equal(fx_getsockopt(fx, s, 17, 12345), -ENOPROTOOPT);
	/* A short buffer gets what it holds. */
	length = 2;
	assert_int_equal(strata_getsockopt(fx->stack, s, SOL_SOCKET, SO_RCVLOWAT, cut, &length), 0);
	assert_int_equal(length, 2);
	assert_memory_equal(cut, "\x63\x00\xee\xee", 4);
	fx_close(fx);
}

static void a_pacing_rate_is_kept_in_either_width(void **state)
{
	struct fixture *fx = sockets_open();
	int s = dgram(fx);
	uint64_t wide = 0;
	socklen_t length = sizeof(wide);

	(void)state;
	assert_int_equal(strata_getsockopt(fx->stack, s, SOL_SOCKET, SO_MAX_PACING_RATE, &wide,
					   &length), 0);
	assert_int_equal(length, 8);
	assert_true(wide == UINT64_MAX);
	assert_int_equal(fx_setsockopt(fx, s, SOL_SOCKET, SO_MAX_PACING_RATE, 125000), 0);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_MAX_PACING_RATE), 125000);
	wide = UINT64_C(1) << 40;
	assert_int_equal(strata_setsockopt(fx->stack, s, SOL_SOCKET, SO_MAX_PACING_RATE, &wide,
					   sizeof(wide)), 0);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_MAX_PACING_RATE), -1);
	wide = 0;
	assert_int_equal(strata_getsockopt(fx->stack, s, SOL_SOCKET, SO_MAX_PACING_RATE, &wide,
					   &length), 0);
	assert_true(wide == UINT64_C(1) << 40);
	/* All bits of the narrow one: no limit. */
	assert_int_equal(fx_setsockopt(fx, s, SOL_SOCKET, SO_MAX_PACING_RATE, -1), 0);
	assert_int_equal(strata_getsockopt(fx->stack, s, SOL_SOCKET, SO_MAX_PACING_RATE, &wide,
					   &length), 0);
	assert_true(wide == UINT64_MAX);
	assert_int_equal(strata_setsockopt(fx->stack, s, SOL_SOCKET, SO_MAX_PACING_RATE, &wide, 3),
			 -EINVAL);
	fx_close(fx);
}

static void a_socket_joins_at_most_64_groups(void **state)
{
	struct fixture *fx = sockets_open();
	int s = dgram(fx), t = dgram(fx), i;

	(void)state;
	for (i = 0; i <= 64; i++) {
		struct ip_mreqn group = {
			.imr_multiaddr.s_addr = htonl(GROUP_IP + (uint32_t)i),
			.imr_ifindex = (int)fx->iface->index,
		};

		assert_int_equal(strata_setsockopt(fx->stack, s, IPPROTO_IP, IP_ADD_MEMBERSHIP,
						   &group, sizeof(group)), i < 64 ? 0 : -ENOBUFS);
		assert_int_equal(strata_setsockopt(fx->stack, t, IPPROTO_IP, IP_ADD_MEMBERSHIP,
						   &group, sizeof(group)), i < 64 ? 0 : -ENOBUFS);
	}
	assert_int_equal(fx_counter(fx, "kernel", "groups_refused"), 2);
	fx_close(fx);
}

/* ---- readiness ---- */

struct told {
	struct fixture *fx;
	unsigned int calls;
	uint32_t events;
	int other;		/* closed when told; -1: none */
	bool close_itself;
	bool inside;		/* the test is inside a call into the stack */
};

static void notified(struct strata_stack *stack, int s, uint32_t events, void *arg)
{
	struct told *told = arg;

	assert_false(told->inside);
	told->calls++;
	told->events = events;
	if (told->other >= 0) {
		assert_int_equal(strata_close(stack, told->other), 0);
		told->other = -1;
	}
	if (told->close_itself)
		assert_int_equal(strata_close(stack, s), 0);
}

static void what_already_holds_is_told_once_and_then_what_is_new(void **state)
{
	struct fixture *fx = sockets_open();
	struct told told = { .fx = fx, .other = -1 };
	int s = dgram(fx);
	char buf[8];

	(void)state;
	fx_bind(fx, s, 0, 7);
	assert_int_equal(strata_notify(fx->stack, s, notified, &told), 0);
	assert_int_equal(told.calls, 1);
	assert_int_equal(told.events, EPOLLOUT);
	fx_run(fx);
	assert_int_equal(told.calls, 1);
	rx_udp(.dport = 7, .text = "1");
	assert_int_equal(told.calls, 2);
	assert_int_equal(told.events, EPOLLIN);
	/* More of the same is told again, since it is new. */
	rx_udp(.dport = 7, .text = "2");
	assert_int_equal(told.calls, 3);
	fx_recv(fx, s, buf, sizeof(buf));
	fx_recv(fx, s, buf, sizeof(buf));
	assert_int_equal(told.calls, 3);
	rx_udp(.dport = 7, .text = "3");
	assert_int_equal(told.calls, 4);
	/* Set anew: what holds is told anew. */
	assert_int_equal(strata_notify(fx->stack, s, notified, &told), 0);
	assert_int_equal(told.calls, 5);
	assert_int_equal(told.events, EPOLLIN | EPOLLOUT);
	assert_int_equal(strata_notify(fx->stack, s, NULL, NULL), 0);
	rx_udp(.dport = 7, .text = "4");
	assert_int_equal(told.calls, 5);
	fx_close(fx);
}

static void several_frames_of_a_batch_are_told_once_at_its_end(void **state)
{
	struct fixture *fx = sockets_open();
	struct told told = { .fx = fx, .other = -1 };
	uint8_t frame[64];
	static const uint8_t datagram[] = { 0x0f, 0xa0, 0, 7, 0, 9, 0, 0, 'x' };
	const struct fx_ip ip = { .proto = 17 };
	size_t n;
	int s = dgram(fx), i;

	(void)state;
	fx_bind(fx, s, 0, 7);
	strata_notify(fx->stack, s, notified, &told);
	n = fx_build_ip(frame + 14, &ip, 1, datagram, sizeof(datagram));
	fx_build_eth(frame, STACK_MAC, PEER_MAC, FX_ETH_IP);
	told.calls = 0;
	told.inside = true;
	for (i = 0; i < 5; i++)
		assert_int_equal(strata_input_batched(fx->iface, frame, n + 14, fx->now), 0);
	told.inside = false;
	strata_run(fx->stack, fx->now);
	assert_int_equal(told.calls, 1);
	fx_close(fx);
}

static void a_callback_may_close_its_own_socket_and_another(void **state)
{
	struct fixture *fx = sockets_open();
	struct told a = { .fx = fx, .other = -1 }, b = a;
	int s = dgram(fx), t = dgram(fx);

	(void)state;
	fx_setsockopt(fx, s, SOL_SOCKET, SO_REUSEADDR, 1);
	fx_setsockopt(fx, t, SOL_SOCKET, SO_REUSEADDR, 1);
	fx_bind(fx, s, 0, 7);
	fx_bind(fx, t, 0, 7);
	strata_notify(fx->stack, s, notified, &a);
	strata_notify(fx->stack, t, notified, &b);
	a.calls = b.calls = 0;
	/* Both will be told in one batch; whichever is first closes both. */
	a.other = t;
	b.other = s;
	a.close_itself = b.close_itself = true;
	rx_udp(.dport = 7, .text = "x", .ip = { .dst = IP4(192, 0, 2, 255), .to_mac = BROADCAST_MAC });
	assert_int_equal(a.calls + b.calls, 1);
	assert_int_equal(strata_events(fx->stack, s), -EBADF);
	assert_int_equal(strata_events(fx->stack, t), -EBADF);
	fx_close(fx);
}

/* Told of a datagram, answers it: the answer to itself makes the next batch. */
static void answer(struct strata_stack *stack, int s, uint32_t events, void *arg)
{
	struct told *told = arg;
	struct sockaddr_in from;
	socklen_t length = sizeof(from);
	char buf[16];
	ssize_t n;

	(void)events;
	assert_false(told->inside);
	told->inside = true;
	n = strata_recvfrom(stack, s, buf, sizeof(buf), 0, (struct sockaddr *)&from, &length);
	if (n >= 0 && ++told->calls < 10)
		strata_sendto(stack, s, buf, (size_t)n, 0, (struct sockaddr *)&from, length);
	told->inside = false;
}

static void callbacks_never_nest(void **state)
{
	struct fixture *fx = sockets_open();
	struct told told = { .fx = fx, .other = -1 };
	int s = dgram(fx);

	(void)state;
	fx_bind(fx, s, STACK_IP, 7);
	strata_notify(fx->stack, s, answer, &told);
	assert_int_equal(fx_sendto(fx, s, "ball", 4, STACK_IP, 7), 4);
	assert_int_equal(told.calls, 10);
	fx_close(fx);
}

/* ---- endings ---- */

static void an_address_that_goes_ends_the_sockets_bound_to_it(void **state)
{
	struct fixture *fx = sockets_open(.address = "192.0.2.2/24, 192.0.2.3/24");
	const struct strata_addr gone = strata_addr_make(0x0800, "\xc0\x00\x02\x03", 4);
	int bound = dgram(fx), any = dgram(fx), other = dgram(fx);

	(void)state;
	fx_bind(fx, bound, IP4(192, 0, 2, 3), 7);
	fx_bind(fx, any, 0, 8);
	fx_bind(fx, other, STACK_IP, 7);
	assert_int_equal(strata_ifaddr_remove(fx->iface, &gone), 0);
	expect_events(bound, EPOLLOUT | EPOLLERR);
	assert_int_equal(fx_getsockopt(fx, bound, SOL_SOCKET, SO_ERROR), EADDRNOTAVAIL);
	expect_events(any, EPOLLOUT);
	expect_events(other, EPOLLOUT);
	fx_close(fx);
}

static void a_module_that_goes_leaves_descriptors_that_say_so(void **state)
{
	struct fixture *fx = sockets_open();
	struct strata_error error = { 0 };
	struct told told = { .fx = fx, .other = -1 };
	int unbound = dgram(fx), bound = dgram(fx), echo = strata_socket(fx->stack, AF_INET,
									 SOCK_DGRAM, 1);

	(void)state;
	fx_bind(fx, bound, 0, 7);
	strata_notify(fx->stack, bound, notified, &told);
	told.calls = 0;
	assert_int_equal(strata_module_disable(fx->stack, "udp", &error), 0);
	assert_int_equal(told.calls, 1);
	assert_int_equal(told.events, ALL_GONE);
	expect_events(unbound, ALL_GONE);
	assert_false(strata_events(fx->stack, echo) & EPOLLHUP);
	assert_int_equal(fx_getsockopt(fx, unbound, SOL_SOCKET, SO_REUSEADDR), -ENETDOWN);
	assert_int_equal(bind_to(fx, unbound, 0, 9), -ENETDOWN);
	/* The numbers are still taken. */
	assert_int_equal(strata_module_enable(fx->stack, "udp", &error), 0);
	assert_int_equal(dgram(fx), 3);
	fx_close_socket(fx, unbound);
	assert_int_equal(dgram(fx), 0);
	fx_close(fx);
}

static void a_network_that_goes_ends_all_sockets_of_its_family(void **state)
{
	struct fixture *fx = sockets_open();
	struct strata_error error = { 0 };
	int s = dgram(fx), echo = strata_socket(fx->stack, AF_INET, SOCK_DGRAM, 1);

	(void)state;
	fx_bind(fx, s, 0, 7);
	assert_int_equal(fx_sendto(fx, s, "x", 1, PEER_IP, 7), 1);
	fx_discard(fx);
	assert_int_equal(strata_module_disable(fx->stack, "icmp", &error), 0);
	assert_int_equal(strata_module_disable(fx->stack, "ipv4", &error), 0);
	expect_events(s, ALL_GONE);
	expect_events(echo, ALL_GONE);
	assert_int_equal(fx_sendto(fx, s, "x", 1, PEER_IP, 7), -ENETDOWN);
	assert_int_equal(dgram(fx), -EAFNOSUPPORT);
	assert_int_equal(strata_module_enable(fx->stack, "ipv4", &error), 0);
	fx_advance(fx, 20000);
	fx_discard(fx);
	fx_close_socket(fx, s);
	s = dgram(fx);
	assert_int_equal(s, 0);
	fx_bind(fx, s, 0, 7);
	rx_udp(.sport = 4000, .dport = 7, .text = "back");
	expect_events(s, EPOLLIN | EPOLLOUT);
	fx_close(fx);
}

static void sockets_nobody_closed_go_with_the_stack(void **state)
{
	struct fixture *fx = sockets_open();
	struct ip_mreqn group = {
		.imr_multiaddr.s_addr = htonl(GROUP_IP), .imr_ifindex = (int)fx->iface->index,
	};
	int i;

	(void)state;
	for (i = 0; i < 20; i++) {
		int s = dgram(fx);

		if (i % 4 != 0)
			fx_bind(fx, s, 0, 0);
		if (i % 4 == 2)
			assert_int_equal(fx_connect(fx, s, PEER_IP, 7), 0);
		if (i % 4 == 3)
			assert_int_equal(strata_setsockopt(fx->stack, s, IPPROTO_IP,
							   IP_ADD_MEMBERSHIP, &group,
							   sizeof(group)), 0);
	}
	fx_bind(fx, 0, 0, 7);
	rx_udp(.dport = 7, .text = "unread");
	fx_close(fx);
}

/* ---- inspection ---- */

struct census {
	unsigned int bound, connected, unbound;
	uint32_t queued;
};

static void count(void *ctx, const struct strata_socket_view *view)
{
	struct census *census = ctx;

	assert_true(view->fd >= 0);
	assert_non_null(view->transport);
	assert_non_null(view->state);
	if (strata_addr_is_set(&view->flow->key.remote))
		census->connected++;
	else if (view->flow->key.local_port != 0)
		census->bound++;
	else
		census->unbound++;
	census->queued += view->rx_queue;
}

static void every_socket_is_seen_once(void **state)
{
	struct fixture *fx = sockets_open();
	struct census census = { 0 };
	int s[6], i;

	(void)state;
	for (i = 0; i < 6; i++)
		s[i] = dgram(fx);
	for (i = 1; i < 4; i++)
		fx_bind(fx, s[i], 0, (uint16_t)(6 + i));
	assert_int_equal(fx_connect(fx, s[4], PEER_IP, 7), 0);
	rx_udp(.dport = 7, .text = "queued");
	strata_inspect_sockets(fx->stack, count, &census);
	assert_int_equal(census.bound, 3);
	assert_int_equal(census.connected, 1);
	assert_int_equal(census.unbound, 2);
	assert_true(census.queued >= 6);
	fx_close(fx);
}

static void without_memory_a_socket_is_enobufs_and_nothing_is_lost(void **state)
{
	struct fixture *fx = sockets_open();
	uint64_t k;
	int s;

	(void)state;
	/* Each allocation on the way fails in turn, until none does. */
	for (k = 1; k < 50; k++) {
		fx_fail_at(fx, k, true);
		s = dgram(fx);
		fx_fail_at(fx, 0, false);
		if (s >= 0)
			break;
		assert_int_equal(s, -ENOBUFS);
	}
	assert_int_equal(s, 0);
	fx_close(fx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_socket_has_the_lowest_free_number),
		cmocka_unit_test(among_thousands_too_the_lowest_free_number_is_found),
		cmocka_unit_test(the_stacks_limit_is_emfile_until_one_closes),
		cmocka_unit_test(what_is_no_socket_is_ebadf_everywhere),
		cmocka_unit_test(domain_type_and_protocol_must_be_there),
		cmocka_unit_test(null_pointers_are_efault_and_bad_vectors_are_refused),
		cmocka_unit_test(binding_takes_own_any_group_and_broadcast_addresses_only),
		cmocka_unit_test(a_socket_binds_once_and_a_port_to_one),
		cmocka_unit_test(binding_to_port_0_gives_an_ephemeral_one),
		cmocka_unit_test(a_name_is_cut_at_the_room_and_its_length_told),
		cmocka_unit_test(a_socket_bound_to_a_device_hears_that_one_only),
		cmocka_unit_test(flags_are_off_go_on_and_off),
		cmocka_unit_test(buffers_are_doubled_and_kept_in_bounds),
		cmocka_unit_test(the_other_options_keep_their_values),
		cmocka_unit_test(a_pacing_rate_is_kept_in_either_width),
		cmocka_unit_test(a_socket_joins_at_most_64_groups),
		cmocka_unit_test(what_already_holds_is_told_once_and_then_what_is_new),
		cmocka_unit_test(several_frames_of_a_batch_are_told_once_at_its_end),
		cmocka_unit_test(a_callback_may_close_its_own_socket_and_another),
		cmocka_unit_test(callbacks_never_nest),
		cmocka_unit_test(an_address_that_goes_ends_the_sockets_bound_to_it),
		cmocka_unit_test(a_module_that_goes_leaves_descriptors_that_say_so),
		cmocka_unit_test(a_network_that_goes_ends_all_sockets_of_its_family),
		cmocka_unit_test(sockets_nobody_closed_go_with_the_stack),
		cmocka_unit_test(every_socket_is_seen_once),
		cmocka_unit_test(without_memory_a_socket_is_enobufs_and_nothing_is_lost),
	};

	return fx_main(tests);
}
