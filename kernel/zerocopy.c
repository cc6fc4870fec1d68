/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * MSG_ZEROCOPY: an application's buffer as chunks, and the report through the error queue when the last
 * reference to it is gone. Read msg_zerocopy.rst of Linux's documentation before editing.
 */
#include <errno.h>

#include "socket_int.h"

/* Bytes of a buffer in one chunk: what a slice of it counts for stays in proportion. */
#define PIECE_MAX 65536
/* local choice, for what Linux bounds by optmem_max: calls of a socket whose buffers are still in use. */
#define CALLS_MAX 1024

/* One call of send(2). */
struct strata_zerocopy {
	struct strata_stack *stack;
	struct strata_socket *sock;	/* NULL: it is gone, and nobody is told */
	struct strata_zerocopy *next, **link;	/* of the socket */
	struct report *report;		/* made beforehand: its end can always be told */
	uint32_t id;
	uint32_t refs;			/* chunks, and the call itself */
	bool copied;
};

struct piece {
	struct strata_chunk chunk;
	struct strata_zerocopy *call;
};

static void call_put(struct strata_zerocopy *call)
{
	struct strata_socket *sock = call->sock;

	if (--call->refs != 0)
		return;
	if (sock != NULL) {
		*call->link = call->next;
		if (call->next != NULL)
			call->next->link = call->link;
		sock->extra->zerocopy_count--;
		socket_report_done(sock, call->report, call->id, call->copied);
	} else {
		strata_free(call->stack, call->report);
	}
	strata_free(call->stack, call);
}

static void piece_release(struct strata_chunk *chunk)
{
	struct piece *piece = strata_container_of(chunk, struct piece, chunk);
	struct strata_zerocopy *call = piece->call;

	strata_free(chunk->stack, piece);
	call_put(call);
}

int strata_zerocopy_begin(struct strata_socket *sock, struct strata_zerocopy **out)
{
	struct strata_socket_extra *extra = socket_extra(sock);
	struct strata_zerocopy *call;

	if (extra == NULL || extra->zerocopy_count >= CALLS_MAX)
		return -ENOBUFS;
	call = strata_alloc(sock->stack, sizeof(*call));
	if (call == NULL)
		return -ENOBUFS;
	call->report = socket_report_reserve(sock);
	if (call->report == NULL) {
		strata_free(sock->stack, call);
		return -ENOBUFS;
	}
	call->stack = sock->stack;
	call->sock = sock;
	call->id = extra->zerocopy_next++;
	call->refs = 1;
	call->next = extra->zerocopies;
	if (call->next != NULL)
		call->next->link = &call->next;
	call->link = &extra->zerocopies;
	extra->zerocopies = call;
	extra->zerocopy_count++;
	*out = call;
	return 0;
}

struct strata_chunk *strata_zerocopy_chunk(struct strata_zerocopy *call, const void *data,
					   uint32_t *length)
{
	struct piece *piece = strata_alloc(call->stack, sizeof(*piece));

	if (piece == NULL)
		return NULL;
	*length = *length < PIECE_MAX ? *length : PIECE_MAX;
	piece->chunk.stack = call->stack;
	piece->chunk.refs = 1;
	piece->chunk.size = *length;
	/* Never written to: nothing but what allocates a chunk writes to it. */
	piece->chunk.data = (uint8_t *)(uintptr_t)data;
	piece->chunk.release = piece_release;
	piece->call = call;
	call->refs++;
	return &piece->chunk;
}

void strata_zerocopy_copied(struct strata_zerocopy *call)
{
	call->copied = true;
}

void strata_zerocopy_end(struct strata_zerocopy *call, bool used)
{
	struct strata_socket *sock = call->sock;

	if (!used && sock != NULL) {
		/* Nothing was taken: the call does not count (as Linux). */
		*call->link = call->next;
		if (call->next != NULL)
			call->next->link = call->link;
		sock->extra->zerocopy_count--;
		sock->extra->zerocopy_next--;
		call->sock = NULL;
	}
	call_put(call);
}

void socket_zerocopy_detach(struct strata_socket *sock)
{
	struct strata_zerocopy *call;

	if (sock->extra == NULL)
		return;
	for (call = sock->extra->zerocopies; call != NULL; call = call->next)
		call->sock = NULL;
	sock->extra->zerocopies = NULL;
	sock->extra->zerocopy_count = 0;
}
