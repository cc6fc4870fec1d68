/* SPDX-License-Identifier: BSD-2-Clause */
/* Sockets of a transport under test: somebody who listens, takes what comes, and answers. */
#include <errno.h>
#include <string.h>

#include "kit.h"

socklen_t kit_sockaddr(const struct kit_rig *rig, uint8_t host, uint16_t port,
		       struct sockaddr_storage *out)
{
	const struct strata_address_ops *ops = kit_family(rig);
	struct strata_addr addr;
	socklen_t length;

	memset(out, 0, sizeof(*out));
	if (ops == NULL || ops->to_sockaddr == NULL)
		return 0;
	addr = kit_address(ops, host);
	length = ops->to_sockaddr(&addr, port, (struct sockaddr *)out, sizeof(*out));
	return length <= sizeof(*out) ? length : 0;
}

bool kit_has_sockets(const struct kit_rig *rig)
{
	const struct strata_module *module = rig->self != NULL ? rig->self->module : NULL;

	return module != NULL && module->kind == STRATA_TRANSPORT && module->transport->socket_size != 0 &&
	       kit_family(rig) != NULL;
}

int kit_socket(struct kit_rig *rig)
{
	return strata_socket(rig->stack, kit_family(rig)->af, rig->self->module->transport->type,
			     (int)rig->self->number);
}

void kit_listen(struct kit_rig *rig)
{
	struct sockaddr_storage addr;
	socklen_t length = kit_sockaddr(rig, 1, KIT_PORT, &addr);
	int result;

	if (!kit_has_sockets(rig) || length == 0)
		return;
	rig->listener = kit_socket(rig);
	if (rig->listener < 0)
		return;
	result = strata_bind(rig->stack, rig->listener, (struct sockaddr *)&addr, length);
	if (result == 0 && rig->self->module->transport->type == SOCK_STREAM)
		result = strata_listen(rig->stack, rig->listener, 4);
	if (result == 0)
		rig->port = KIT_PORT;
}

/* Echoes what a socket has. Returns the last result: 0 is the stream's end. */
static ssize_t echo(struct kit_rig *rig, int s)
{
	struct sockaddr_storage from;
	uint8_t buf[2048];
	ssize_t n = 0;
	int i;

	for (i = 0; i < 16; i++) {
		socklen_t length = sizeof(from);

		n = strata_recvfrom(rig->stack, s, buf, sizeof(buf), 0, (struct sockaddr *)&from, &length);
		if (n <= 0)
			break;
		strata_sendto(rig->stack, s, buf, (size_t)n, 0,
			      rig->self->module->transport->type == SOCK_STREAM ? NULL :
			      (struct sockaddr *)&from,
			      rig->self->module->transport->type == SOCK_STREAM ? 0 : length);
	}
	return n;
}

static void serve_streams(struct kit_rig *rig)
{
	size_t i;

	for (i = 0; i < STRATA_COUNT(rig->fds); i++) {
		ssize_t n;

		if (rig->fds[i] < 0)
			rig->fds[i] = strata_accept(rig->stack, rig->listener, NULL, NULL);
		if (rig->fds[i] < 0)
			continue;
		n = echo(rig, rig->fds[i]);
		if (n > 0 || n == -EAGAIN)
			continue;
		strata_close(rig->stack, rig->fds[i]);
		rig->fds[i] = -1;
	}
}

void kit_serve(struct kit_rig *rig)
{
	if (rig->listener < 0)
		return;
	if (rig->self->module->transport->type == SOCK_STREAM)
		serve_streams(rig);
	else
		echo(rig, rig->listener);
}

void kit_hang_up(struct kit_rig *rig)
{
	size_t i;

	for (i = 0; i < STRATA_COUNT(rig->fds); i++) {
		if (rig->fds[i] >= 0)
			strata_close(rig->stack, rig->fds[i]);
		rig->fds[i] = -1;
	}
	if (rig->listener >= 0)
		strata_close(rig->stack, rig->listener);
	rig->listener = -1;
}
