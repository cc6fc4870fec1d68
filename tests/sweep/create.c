/* SPDX-License-Identifier: BSD-2-Clause */
/* Stacks made, changed and ended while memory is short. */
#include "scenes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- making a stack ---- */

/* The whole life of a stack from its manifest, arg; its allocations fail from the first on. */
void sweep_create(struct sweep *sw)
{
	struct fixture *fx, *other;
	struct fx_config config = *(const struct fx_config *)sw->arg;

	config.uncached = sw->uncached;
	config.unsettled = config.resolve = true;
	config.may_fail = sw->k != 0;
	config.fail_at = sw->k;
	config.fail_forever = sw->forever;
	fx = fx_open_config(&config, __FILE__, __LINE__);
	sw->begun = sw->ended = true;
	sw->fx = fx;
	sw->allocs = fx->allocs;
	sw->failed = fx->failed;
	fx_fail_at(fx, 0, false);
	if (fx->result < 0) {
		sweep_result(sw, fx->result);
		/* A reason is told, unless there was no memory for it either. */
		assert_true(fx->error.text == NULL || fx->error.text[0] != '\0');
	} else {
		fx_advance(fx, 20000);
	}
	fx_close(fx);
	/* With memory back the next one is made. */
	if (sw->k != 0) {
		config = *(const struct fx_config *)sw->arg;
		config.uncached = sw->uncached;
		other = fx_open_config(&config, __FILE__, __LINE__);
		fx_close(other);
	}
}

/* ---- addresses, routes, neighbours ---- */

static struct strata_prefix prefix_of(struct fixture *fx, const char *text)
{
	struct strata_prefix prefix;

	assert_int_equal(strata_prefix_parse(fx->stack, text, &prefix), 0);
	return prefix;
}

void sweep_addresses(struct sweep *sw)
{
	static const char *const texts[] = {
		"198.51.100.1/24", "198.51.100.2/24", "203.0.113.1/28", "192.0.2.77/24",
		"203.0.113.33/30", "198.51.100.3/32", "198.51.100.4/24", "198.51.100.5/24",
		"198.51.100.6/24", "198.51.100.7/24", "198.51.100.8/24", "198.51.100.9/24",
	};
	struct fixture *fx = sweep_open(sw, .modules = "ethernet arp ipv4 icmp udp");
	bool added[STRATA_COUNT(texts)];
	size_t i;

	sweep_begin(sw, fx);
	for (i = 0; i < STRATA_COUNT(texts); i++) {
		struct strata_prefix prefix = prefix_of(fx, texts[i]);

		added[i] = sweep_result(sw, strata_ifaddr_add(fx->iface, &prefix)) == 0;
		fx_advance(fx, 100);
	}
	sweep_end(sw);
	for (i = 0; i < STRATA_COUNT(texts); i++) {
		struct strata_prefix prefix = prefix_of(fx, texts[i]);

		/* Those refused are not there; now they are taken. */
		assert_int_equal(strata_ifaddr_find(fx->stack, &prefix.addr) != NULL, added[i]);
		assert_int_equal(strata_ifaddr_add(fx->iface, &prefix), added[i] ? -EEXIST : 0);
	}
	fx_advance(fx, 5000);
	for (i = 0; i < STRATA_COUNT(texts); i++) {
		struct strata_prefix prefix = prefix_of(fx, texts[i]);

		assert_int_equal(strata_ifaddr_remove(fx->iface, &prefix.addr), 0);
	}
	sweep_usable(fx);
	fx_close(fx);
}

void sweep_routes(struct sweep *sw)
{
	enum { ROUTES = 40 };
	struct fixture *fx = sweep_open(sw, .modules = "ethernet arp ipv4 icmp udp newreno tcp");
	struct strata_prefix via = prefix_of(fx, "192.0.2.1/32");
	bool added[ROUTES];
	char text[32];
	int i;

	sweep_begin(sw, fx);
	for (i = 0; i < ROUTES; i++) {
		struct strata_route route = { .via = via.addr,
					      .congestion = i % 4 == 0 ? "newreno" : NULL };

		snprintf(text, sizeof(text), "10.%d.0.0/%d", i, 16 + i % 8);
		route.to = prefix_of(fx, text);
		added[i] = sweep_result(sw, strata_route_add(fx->stack, &route)) == 0;
	}
	sweep_end(sw);
	for (i = 0; i < ROUTES; i++) {
		struct strata_route route = { .via = via.addr };

		snprintf(text, sizeof(text), "10.%d.0.0/%d", i, 16 + i % 8);
		route.to = prefix_of(fx, text);
		assert_int_equal(strata_route_add(fx->stack, &route), added[i] ? -EEXIST : 0);
		assert_int_equal(strata_route_remove(fx->stack, &route), 0);
	}
	sweep_usable(fx);
	fx_close(fx);
}

void sweep_groups(struct sweep *sw)
{
	struct fixture *fx = sweep_open(sw, .modules = "ethernet arp ipv4 icmp udp");
	bool joined[30];
	int i;

	sweep_begin(sw, fx);
	for (i = 0; i < 30; i++) {
		struct strata_addr group = strata_addr_make(FX_ETH_IP, (uint8_t[]){ 224, 1, 2,
									(uint8_t)i }, 4);

		joined[i] = sweep_result(sw, strata_group_join(fx->iface, &group)) == 0;
	}
	sweep_end(sw);
	for (i = 0; i < 30; i++) {
		struct strata_addr group = strata_addr_make(FX_ETH_IP, (uint8_t[]){ 224, 1, 2,
									(uint8_t)i }, 4);

		assert_int_equal(strata_group_leave(fx->iface, &group), joined[i] ? 0 : -EADDRNOTAVAIL);
	}
	sweep_usable(fx);
	fx_close(fx);
}

void sweep_neighbours(struct sweep *sw)
{
	struct fixture *fx = sweep_open(sw, .modules = "ethernet arp ipv4 icmp udp");
	struct strata_lladdr lladdr = { .length = 6, .bytes = { 2, 0, 0, 0, 1, 0 } };
	int i;

	sweep_begin(sw, fx);
	for (i = 10; i < 60; i++) {
		struct strata_addr addr = strata_addr_make(FX_ETH_IP, (uint8_t[]){ 192, 0, 2,
								       (uint8_t)i }, 4);

		lladdr.bytes[5] = (uint8_t)i;
		if (i % 2)
			sweep_result(sw, strata_neigh_set(fx->iface, &addr, &lladdr));
		else
			strata_neigh_heard(fx->iface, &addr, &lladdr, true, true, true);
	}
	sweep_end(sw);
	for (i = 10; i < 60; i++) {
		struct strata_addr addr = strata_addr_make(FX_ETH_IP, (uint8_t[]){ 192, 0, 2,
								       (uint8_t)i }, 4);

		assert_int_equal(strata_neigh_set(fx->iface, &addr, &lladdr), 0);
		assert_int_equal(strata_neigh_remove(fx->iface, &addr), 0);
	}
	sweep_usable(fx);
	fx_close(fx);
}

/* ---- sockets and ports ---- */

void sweep_sockets(struct sweep *sw)
{
	enum { SOCKETS = 70 };
	struct fixture *fx = sweep_open(sw);
	int s[SOCKETS], i;

	sweep_begin(sw, fx);
	for (i = 0; i < SOCKETS; i++) {
		int type = i % 3 == 0 ? SOCK_STREAM : SOCK_DGRAM;
		struct sockaddr_in to = fx_sockaddr(0, (uint16_t)(i % 2 ? 2000 + i * 300 : 0));

		s[i] = (int)sweep_result(sw, strata_socket(fx->stack, AF_INET, type, 0));
		if (s[i] >= 0)
			sweep_result(sw, strata_bind(fx->stack, s[i], (struct sockaddr *)&to,
						     sizeof(to)));
	}
	sweep_end(sw);
	for (i = 0; i < SOCKETS; i++)
		if (s[i] >= 0)
			fx_close_socket(fx, s[i]);
	for (i = 0; i < SOCKETS; i++) {
		s[i] = fx_socket(fx, i % 3 == 0 ? SOCK_STREAM : SOCK_DGRAM, 0);
		fx_bind(fx, s[i], 0, (uint16_t)(i % 2 ? 2000 + i * 300 : 0));
	}
	for (i = 0; i < SOCKETS; i++)
		fx_close_socket(fx, s[i]);
	sweep_usable(fx);
	fx_close(fx);
}

/* ---- modules and options ---- */

void sweep_switching(struct sweep *sw)
{
	struct fixture *fx = sweep_open(sw, .modules = "ethernet arp ipv4 icmp udp newreno tcp echo");
	const char *name = sw->arg;
	struct strata_error error = { 0 };
	int result = 0;
	unsigned int i;

	sweep_begin(sw, fx);
	for (i = 0; i < 4 && result == 0; i++) {
		result = i % 2 == 0 ? strata_module_disable(fx->stack, name, &error)
				    : strata_module_enable(fx->stack, name, &error);
		strata_error_clear(&error);
		fx_advance(fx, 10);
	}
	sweep_result(sw, result);
	sweep_end(sw);
	if (result < 0 && (i - 1) % 2 == 0)
		assert_int_equal(strata_module_disable(fx->stack, name, NULL), 0);
	if (result < 0)
		assert_int_equal(strata_module_enable(fx->stack, name, NULL), 0);
	fx_advance(fx, 1000);
	sweep_usable(fx);
	fx_close(fx);
}

void sweep_option_values(struct sweep *sw)
{
	static const char *const values[][2] = {
		{ "ipv4.ttl", "9" }, { "stack.memory", "64 MiB" }, { "udp.rcvbuf", "100 KiB" },
		{ "tcp.congestion", "newreno" }, { "tcp.backlog_max", "7" }, { "stack.log", "warning" },
		{ "tcp.log", "error" }, { "tcp.rto_min", "nonsense" }, { "nobody.knows", "1" },
	};
	struct fixture *fx = sweep_open(sw);
	struct strata_error error = { 0 };
	char text[64];

	sweep_begin(sw, fx);
	for (size_t i = 0; i < STRATA_COUNT(values); i++) {
		strata_option_set(fx->stack, values[i][0], values[i][1], &error);
		strata_error_clear(&error);
		strata_option_get(fx->stack, values[i][0], text, sizeof(text));
		assert_int_equal(strata_option_set(fx->stack, "ipv4.ttl", "65536", &error), -EINVAL);
		strata_error_clear(&error);
	}
	sweep_end(sw);
	assert_int_equal(strata_option_set(fx->stack, "tcp.congestion", "newreno", &error), 0);
	sweep_usable(fx);
	fx_close(fx);
}

/* ---- the control service ---- */

static void turn(struct fixture *fx)
{
	for (int i = 0; i < 100 && strata_loop_turn(fx->stack, 0) > 0; i++)
		;
}

static int control_client(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	memcpy(address.sun_path, path, strlen(path));
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static size_t control_ask(struct fixture *fx, int fd, const char *request)
{
	static char reply[65536];
	size_t got = 0;
	ssize_t n;

	if (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0)
		return 0;
	turn(fx);
	while ((n = recv(fd, reply, sizeof(reply), 0)) > 0) {
		got += (size_t)n;
		turn(fx);
	}
	return got;
}

void sweep_control(struct sweep *sw)
{
	static const char *const requests[] = {
		"{\"v\":1,\"method\":\"show\",\"what\":\"modules\"}\n",
		"{\"v\":1,\"method\":\"show\",\"what\":\"interfaces\"}\n",
		"{\"v\":1,\"method\":\"show\",\"what\":\"routes\"}\n",
		"{\"v\":1,\"method\":\"show\",\"what\":\"counters\"}\n", "nonsense\n",
	};
	char directory[] = "/tmp/strata-sweep-XXXXXX", path[64];
	struct fixture *fx;
	int fd;

	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/control.sock", directory);
	fx = sweep_open(sw, .modules = "ethernet arp ipv4 icmp udp control", .run_dir = directory);
	sweep_begin(sw, fx);
	for (size_t i = 0; i < STRATA_COUNT(requests); i++) {
		fd = control_client(path);
		turn(fx);
		control_ask(fx, fd, requests[i]);
		close(fd);
		turn(fx);
	}
	sweep_end(sw);
	fd = control_client(path);
	turn(fx);
	assert_true(control_ask(fx, fd, requests[0]) > 20);
	close(fd);
	turn(fx);
	sweep_usable(fx);
	fx_close(fx);
	assert_int_equal(rmdir(directory), 0);
}
