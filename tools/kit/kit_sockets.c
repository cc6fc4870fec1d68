/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Socket calls in any order on a transport, with another stack at the other end; and services, which are given
 * garbage on whatever they listen on: transports' ports and Unix sockets of the run directory.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "kit.h"

/* Local choices. */
enum { SOCKETS = 8, CALLS = 4000, LISTENERS = 16, ROUNDS = 40, GARBAGE = 3000 };

/* ---- socket calls ---- */

struct caller {
	struct kit *kit;
	struct kit_rig *a, *b;
	uint64_t rng;
	int fds[SOCKETS];		/* of a; -1: none */
};

/* A result is at least 0, or -errno; and errno is the caller's. */
static ssize_t judge(const struct caller *c, const char *call, ssize_t result)
{
	if (result < -4095)
		kit_fault(c->kit, call, "return 0, a length, or -errno", "%s() returned %zd", call, result);
	if (errno != 0)
		kit_fault(c->kit, call, "call nothing that sets errno, or put it back",
			  "%s() changed errno", call);
	errno = 0;
	return result;
}

static socklen_t any_address(struct caller *c, struct sockaddr_storage *addr)
{
	static const uint16_t ports[] = { KIT_PORT, KIT_PORT, KIT_PORT, 0, 1, 40000, 65535 };
	static const uint8_t hosts[] = { 1, 2, 2, 2, 9, 255 };
	socklen_t length = kit_sockaddr(c->a, hosts[kit_below(&c->rng, STRATA_COUNT(hosts))],
					ports[kit_below(&c->rng, STRATA_COUNT(ports))], addr);

	if (kit_chance(&c->rng, 16))
		addr->ss_family = (sa_family_t)kit_below(&c->rng, 20);
	return kit_chance(&c->rng, 16) ? (socklen_t)kit_below(&c->rng, sizeof(*addr) + 1) : length;
}

/* Options of any level and number, with values of any length. */
static void any_option(struct caller *c, int s)
{
	static const int levels[] = { SOL_SOCKET, 0, 6, 17, 255 };
	struct strata_stack *stack = c->a->stack;
	int level = kit_chance(&c->rng, 2) ? c->kit->module->transport->sockopt_level :
		levels[kit_below(&c->rng, STRATA_COUNT(levels))];
	int name = (int)kit_below(&c->rng, 64);
	socklen_t length = kit_below(&c->rng, 33), i;
	uint8_t *value = kit_env_tight(&c->a->env, length);

	for (i = 0; i < length; i++)
		value[i] = (uint8_t)(kit_chance(&c->rng, 2) ? 0 : kit_below(&c->rng, 256));
	kit_step(c->kit, "socket option %d of level %d, %u bytes", name, level, length);
	if (kit_chance(&c->rng, 2))
		judge(c, "setsockopt", strata_setsockopt(stack, s, level, name, value, length));
	else
		judge(c, "getsockopt", strata_getsockopt(stack, s, level, name, value,
							 &(socklen_t){ length }));
	kit_env_release(&c->a->env, value, length);
}

static void any_send(struct caller *c, int s)
{
	static const int flags[] = { 0, 0, MSG_NOSIGNAL, MSG_MORE, MSG_OOB, MSG_DONTWAIT, MSG_EOR };
	uint32_t length = kit_below(&c->rng, kit_chance(&c->rng, 8) ? 70000 : 1500);
	uint8_t *bytes = kit_env_tight(&c->a->env, length);
	struct sockaddr_storage to;
	socklen_t to_length = any_address(c, &to);
	bool addressed = kit_chance(&c->rng, 2);
	ssize_t n;

	kit_step(c->kit, "send of %u bytes", length);
	n = judge(c, "send", strata_sendto(c->a->stack, s, bytes, length,
					   flags[kit_below(&c->rng, STRATA_COUNT(flags))],
					   addressed ? (struct sockaddr *)&to : NULL,
					   addressed ? to_length : 0));
	if (n > (ssize_t)length)
		kit_fault(c->kit, "send", "return what was taken", "send() of %u bytes returned %zd", length, n);
	kit_env_release(&c->a->env, bytes, length);
}

static void any_recv(struct caller *c, int s)
{
	static const int flags[] = { 0, 0, MSG_PEEK, MSG_TRUNC, MSG_OOB, MSG_DONTWAIT, MSG_ERRQUEUE };
	uint32_t length = kit_below(&c->rng, 3000);
	uint8_t *bytes = kit_env_tight(&c->a->env, length);
	struct sockaddr_storage from;
	socklen_t from_length = sizeof(from);
	int flag = flags[kit_below(&c->rng, STRATA_COUNT(flags))];
	ssize_t n;

	kit_step(c->kit, "recv of %u bytes", length);
	n = judge(c, "recv", strata_recvfrom(c->a->stack, s, bytes, length, flag, (struct sockaddr *)&from,
					     &from_length));
	if (n > (ssize_t)length && flag != MSG_TRUNC)
		kit_fault(c->kit, "recv", "return what was copied", "recv() into %u bytes returned %zd",
			  length, n);
	kit_env_release(&c->a->env, bytes, length);
}

static void any_call(struct caller *c, unsigned int number)
{
	int *slot = &c->fds[kit_below(&c->rng, SOCKETS)], s = *slot, value;
	struct strata_stack *stack = c->a->stack;
	struct sockaddr_storage addr;
	socklen_t length = any_address(c, &addr);
	uint32_t call = kit_below(&c->rng, 24);

	kit_step(c->kit, "call %u, kind %u", number, call);
	errno = 0;
	if (s < 0) {
		*slot = (int)judge(c, "socket", kit_socket(c->a));
		return;
	}
	if (call < 6)
		any_send(c, s);
	else if (call < 12)
		any_recv(c, s);
	else if (call < 15)
		any_option(c, s);
	else if (call == 15)
		judge(c, "bind", strata_bind(stack, s, (struct sockaddr *)&addr, length));
	else if (call == 16)
		judge(c, "listen", strata_listen(stack, s, (int)kit_below(&c->rng, 8) - 1));
	else if (call < 19)
		judge(c, "connect", strata_connect(stack, s, (struct sockaddr *)&addr, length));
	else if (call == 19)
		judge(c, "shutdown", strata_shutdown(stack, s, (int)kit_below(&c->rng, 4)));
	else if (call == 20)
		judge(c, "ioctl", strata_ioctl(stack, s, kit_chance(&c->rng, 2) ? 0x541b : 0x5411, &value));
	else if (call == 21)
		judge(c, "getpeername", strata_getpeername(stack, s, (struct sockaddr *)&addr,
							   &(socklen_t){ sizeof(addr) }));
	else if (call == 22)
		judge(c, "events", strata_events(stack, s));
	else {
		judge(c, "close", strata_close(stack, s));
		*slot = -1;
	}
}

/* Accepted ones take the place of none. */
static void accept_any(struct caller *c)
{
	unsigned int i, j;

	for (i = 0; i < SOCKETS; i++)
		for (j = 0; j < SOCKETS && c->fds[i] >= 0; j++)
			if (c->fds[j] < 0) {
				errno = 0;
				c->fds[j] = (int)judge(c, "accept", strata_accept(c->a->stack, c->fds[i], NULL,
										  NULL));
				break;
			}
}

static bool open_two(struct kit *kit, struct kit_rig *a, struct kit_rig *b)
{
	if (!kit_rig_must(kit, a, &(struct kit_setup){ .host = 1 }))
		return false;
	if (!kit_rig_must(kit, b, &(struct kit_setup){ .host = 2, .seed = kit->seed + 1,
						       .without = kit->subject->kind == STRATA_SERVICE })) {
		kit_rig_close(a);
		return false;
	}
	a->keep = b->keep = true;
	return true;
}

void kit_check_sockets(struct kit *kit)
{
	struct kit_rig a, b;
	struct caller c = { .kit = kit, .a = &a, .b = &b, .rng = kit->seed };
	unsigned int i;

	memset(c.fds, 0xff, sizeof(c.fds));
	if (!open_two(kit, &a, &b))
		return;
	/* The other end listens where the first one's calls go. */
	kit_serve(&b);
	if (kit_has_sockets(&a)) {
		kit_listen(&b);
		for (i = 0; i < CALLS && !kit_failed(kit); i++) {
			any_call(&c, i);
			if (i % 8 == 0)
				accept_any(&c);
			if (i % 4 == 0)
				kit_rig_exchange(&a, &b, kit_below(&c.rng, 100) * STRATA_MS);
			if (i % 16 == 0)
				kit_serve(&b);
		}
		kit_done(kit, "%u calls", CALLS);
	} else {
		kit_skip(kit, "it has no sockets");
	}
	kit_step(kit, "all is closed, and both stacks end");
	for (i = 0; i < SOCKETS; i++)
		if (c.fds[i] >= 0)
			strata_close(a.stack, c.fds[i]);
	kit_hang_up(&b);
	kit_rig_exchange(&a, &b, 600 * STRATA_SEC);
	kit_rig_close(&a);
	kit_rig_close(&b);
}

/* ---- services: ports ---- */

struct listener {
	int type, protocol;
	uint16_t port;
};

struct service {
	struct kit *kit;
	struct kit_rig a, b;		/* the service's, and its clients' */
	uint64_t rng;
	struct listener listeners[LISTENERS];
	unsigned int count, paths;
	uint8_t garbage[GARBAGE];
};

static void note_listener(void *ctx, const struct strata_socket_view *view)
{
	struct service *s = ctx;
	const struct strata_flow_key *key = &view->flow->key;

	if (strata_addr_is_set(&key->remote) || key->local_port == 0 || s->count == LISTENERS)
		return;
	s->listeners[s->count++] = (struct listener){ view->transport->module->transport->type,
						      (int)view->transport->number, key->local_port };
}

/* Words that protocols are made of, among bytes of any kind. */
static uint32_t make_garbage(struct service *s)
{
	static const char *const words[] = { "GET ", "POST / HTTP/1.1\r\n", "\r\n\r\n", "{", "}", "[[[[", "\"",
		"null", "\"v\":1,", "\"id\":", "\"method\":\"", "%s%n", "../../", "Content-Length: -1\r\n",
		"99999999999999999999", "\n", "\xff\xfe", "\xc0\x80" };
	uint32_t length = 0, most = 1 + kit_below(&s->rng, kit_chance(&s->rng, 4) ? GARBAGE : 200);

	while (length < most) {
		const char *word = words[kit_below(&s->rng, STRATA_COUNT(words))];
		size_t n = strlen(word);

		if (kit_chance(&s->rng, 2) && length + n <= most) {
			memcpy(s->garbage + length, word, n);
			length += (uint32_t)n;
		} else {
			s->garbage[length++] = (uint8_t)kit_random(&s->rng);
		}
	}
	return length;
}

static void turn(struct service *s)
{
	unsigned int i;

	kit_rig_exchange(&s->a, &s->b, 10 * STRATA_MS);
	for (i = 0; i < 64 && strata_loop_turn(s->a.stack, 0) > 0; i++)
		continue;
}

static void disturb_port(struct service *s, const struct listener *l, unsigned int round)
{
	struct sockaddr_storage addr;
	socklen_t length = kit_sockaddr(&s->b, 1, l->port, &addr);
	const struct strata_address_ops *ops = kit_family(&s->b);
	uint8_t buf[512];
	uint32_t n, at = 0;
	int fd;

	fd = ops != NULL ? strata_socket(s->b.stack, ops->af, l->type, l->protocol) : -1;
	if (fd < 0)
		return;
	n = make_garbage(s);
	kit_step(s->kit, "round %u: %u bytes to port %u of protocol %d", round, n, l->port, l->protocol);
	strata_connect(s->b.stack, fd, (struct sockaddr *)&addr, length);
	turn(s);
	while (at < n) {
		uint32_t part = kit_chance(&s->rng, 2) ? 1 + kit_below(&s->rng, 8) : n - at;
		ssize_t sent = strata_send(s->b.stack, fd, s->garbage + at, part < n - at ? part : n - at,
					   MSG_NOSIGNAL);

		turn(s);
		if (sent <= 0)
			break;
		at += (uint32_t)sent;
		if (kit_chance(&s->rng, 3))
			strata_recv(s->b.stack, fd, buf, sizeof(buf), 0);
	}
	if (kit_chance(&s->rng, 3))
		strata_shutdown(s->b.stack, fd, SHUT_WR);
	turn(s);
	strata_close(s->b.stack, fd);
	turn(s);
}

/* ---- services: Unix sockets ---- */

static void disturb_path(struct service *s, const char *path, unsigned int round)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	uint8_t buf[512];
	uint32_t n = make_garbage(s), at = 0;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(addr.sun_path) || fd < 0) {
		if (fd >= 0)
			close(fd);
		return;
	}
	memcpy(addr.sun_path, path, strlen(path));
	kit_step(s->kit, "round %u: %u bytes to %s", round, n, path);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0) {
		turn(s);
		while (at < n) {
			uint32_t part = kit_chance(&s->rng, 2) ? 1 + kit_below(&s->rng, 8) : n - at;
			ssize_t sent = send(fd, s->garbage + at, part < n - at ? part : n - at, MSG_NOSIGNAL);

			turn(s);
			if (sent <= 0)
				break;
			at += (uint32_t)sent;
			if (kit_chance(&s->rng, 3) && recv(fd, buf, sizeof(buf), MSG_DONTWAIT) == 0)
				break;
		}
	}
	close(fd);
	turn(s);
}

static void disturb_paths(struct service *s, unsigned int round)
{
	DIR *dir = opendir(s->kit->run_dir);
	struct dirent *entry;
	char path[512];

	s->paths = 0;
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		s->paths++;
		snprintf(path, sizeof(path), "%s/%s", s->kit->run_dir, entry->d_name);
		disturb_path(s, path, round);
	}
	if (dir != NULL)
		closedir(dir);
}

/* Its memory fails while it serves. */
static void starve(struct service *s, unsigned int round)
{
	kit_env_fail(&s->a.env, 1 + kit_below(&s->rng, 40), round % 2 != 0);
}

void kit_check_service(struct kit *kit)
{
	struct service *s = calloc(1, sizeof(*s));
	unsigned int round, i;

	if (s == NULL)
		abort();
	s->kit = kit;
	s->rng = kit->seed;
	if (!open_two(kit, &s->a, &s->b))
		return;
	turn(s);
	strata_inspect_sockets(s->a.stack, note_listener, s);
	for (round = 0; round < ROUNDS && !kit_failed(kit); round++) {
		if (round > ROUNDS / 2)
			starve(s, round);
		for (i = 0; i < s->count; i++)
			disturb_port(s, &s->listeners[i], round);
		disturb_paths(s, round);
		kit_env_fail(&s->a.env, 0, false);
	}
	kit_step(kit, "the service is drained and stopped");
	strata_stack_drain(s->a.stack);
	turn(s);
	kit_rig_exchange(&s->a, &s->b, 600 * STRATA_SEC);
	kit_rig_close(&s->a);
	kit_rig_close(&s->b);
	kit_done(kit, "%u rounds on %u ports and %u Unix sockets", ROUNDS, s->count, s->paths);
}
