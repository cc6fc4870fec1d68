/* SPDX-License-Identifier: BSD-2-Clause */
/* Short forms of the socket calls for tests. */
#include "fixture.h"

struct sockaddr_in fx_sockaddr(uint32_t ip, uint16_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(ip),
	};
}

/* Gives `result` back; fails the test when it is a -errno. */
static int must(struct fixture *fx, int result, const char *what)
{
	if (result < 0)
		fx_fail(fx, __FILE__, __LINE__, "%s: %s", what, strerror(-result));
	return result;
}

int fx_socket(struct fixture *fx, int type, int protocol)
{
	return must(fx, strata_socket(fx->stack, AF_INET, type, protocol), "strata_socket");
}

void fx_bind(struct fixture *fx, int s, uint32_t ip, uint16_t port)
{
	struct sockaddr_in to = fx_sockaddr(ip, port);

	must(fx, strata_bind(fx->stack, s, (struct sockaddr *)&to, sizeof(to)), "strata_bind");
}

void fx_listen(struct fixture *fx, int s, int backlog)
{
	must(fx, strata_listen(fx->stack, s, backlog), "strata_listen");
}

int fx_connect(struct fixture *fx, int s, uint32_t ip, uint16_t port)
{
	struct sockaddr_in to = fx_sockaddr(ip, port);

	return strata_connect(fx->stack, s, (struct sockaddr *)&to, sizeof(to));
}

int fx_accept(struct fixture *fx, int s)
{
	return strata_accept(fx->stack, s, NULL, NULL);
}

ssize_t fx_send(struct fixture *fx, int s, const void *data, size_t length)
{
	return strata_send(fx->stack, s, data, length, 0);
}

ssize_t fx_recv(struct fixture *fx, int s, void *buf, size_t size)
{
	return strata_recv(fx->stack, s, buf, size, 0);
}

ssize_t fx_sendto(struct fixture *fx, int s, const void *data, size_t length, uint32_t ip,
		  uint16_t port)
{
	struct sockaddr_in to = fx_sockaddr(ip, port);

	return strata_sendto(fx->stack, s, data, length, 0, (struct sockaddr *)&to, sizeof(to));
}

void fx_close_socket(struct fixture *fx, int s)
{
	must(fx, strata_close(fx->stack, s), "strata_close");
}

int fx_setsockopt(struct fixture *fx, int s, int level, int name, int value)
{
	return strata_setsockopt(fx->stack, s, level, name, &value, sizeof(value));
}

int fx_getsockopt(struct fixture *fx, int s, int level, int name)
{
	int value = 0;
	socklen_t length = sizeof(value);
	int result = strata_getsockopt(fx->stack, s, level, name, &value, &length);

	return result < 0 ? result : value;
}

uint16_t fx_local_port(struct fixture *fx, int s)
{
	struct sockaddr_in at;
	socklen_t length = sizeof(at);

	must(fx, strata_getsockname(fx->stack, s, (struct sockaddr *)&at, &length),
	     "strata_getsockname");
	return ntohs(at.sin_port);
}

int fx_listen_on(struct fixture *fx, uint16_t port)
{
	int s = fx_socket(fx, SOCK_STREAM, 0);

	fx_bind(fx, s, 0, port);
	fx_listen(fx, s, 128);
	return s;
}

int fx_udp_on(struct fixture *fx, uint16_t port)
{
	int s = fx_socket(fx, SOCK_DGRAM, 0);

	fx_bind(fx, s, 0, port);
	return s;
}
