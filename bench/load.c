/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The client of all servers that are compared: the host's own TCP and UDP, one thread, epoll(7).
 *
 *	load [OPTION…] ADDRESS bulk-in|bulk-out|rr|connect|udp|hold
 *
 * The server has echo (RFC 862) on TCP and UDP port 7, discard (RFC 863) on TCP 9 and chargen (RFC 864)
 * on TCP 19. Prints one JSON object; `bulk-in` is into the server. See bench/README.md.
 */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "cpu.h"

#define NS 1000000000ull

/* Local choice: a client that hears nothing for so long after the end of its run gives up. */
#define PATIENCE 5

static const struct workload {
	const char *name, *unit;
	void (*run)(struct load *load);
	bool bytes, times;		/* what is counted are bytes; each exchange has its time */
	unsigned int connections, outstanding;
} workloads[] = {
	{ "bulk-in", "bit/s", load_bulk_in, true, false, 1, 1 },
	{ "bulk-out", "bit/s", load_bulk_out, true, false, 1, 1 },
	{ "rr", "exchanges/s", load_exchange, false, true, 1, 1 },
	{ "connect", "connections/s", load_connections, false, true, 1, 1 },
	{ "udp", "echoes/s", load_datagrams, false, true, 1, 32 },
	{ "hold", "connections", load_hold, false, false, 1000, 1 },
};

uint64_t load_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS + (uint64_t)now.tv_nsec;
}

void load_fail(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

int load_connect(const struct load *load, int type, uint16_t port, bool wait)
{
	struct sockaddr_in to = load->to;
	int fd = socket(AF_INET, type | SOCK_CLOEXEC | (wait ? 0 : SOCK_NONBLOCK), 0), one = 1;

	to.sin_port = htons(port);
	if (fd < 0)
		load_fail("socket");
	if (type == SOCK_STREAM)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (load->from.sin_family != 0 &&
	    (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one)) < 0 ||
	     bind(fd, (const struct sockaddr *)&load->from, sizeof(load->from)) < 0))
		load_fail("--from");
	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0 && errno != EINPROGRESS)
		load_fail("connect");
	return fd;
}

/* ---- times ---- */

static unsigned int times_class(uint64_t ns)
{
	unsigned int power = 63 - (unsigned int)__builtin_clzll(ns | TIMES_STEPS);
	unsigned int class = (power - 4) * TIMES_STEPS + (unsigned int)(ns >> (power - 4));

	return class < TIMES ? class : TIMES - 1;
}

/* The least time of a class. */
static double times_least(unsigned int class)
{
	unsigned int power = class / TIMES_STEPS;

	if (power == 0)
		return class;
	return (double)((uint64_t)(TIMES_STEPS + class % TIMES_STEPS) << (power - 1));
}

void load_took(struct load *load, uint64_t ns)
{
	load->times[times_class(ns)]++;
	load->done++;
}

/* The time in µs that `part` of all exchanges did not exceed; between the ends of a class by proportion. */
static double times_part(const struct load *load, double part)
{
	double wanted = part * (double)load->done, seen = 0;

	for (unsigned int i = 0; i < TIMES; i++) {
		double here = (double)load->times[i];

		if (here > 0 && seen + here >= wanted)
			return (times_least(i) + (times_least(i + 1) - times_least(i)) * (wanted - seen) / here) / 1e3;
		seen += here;
	}
	return 0;
}

/* ---- the run ---- */

static struct cpu_use cpu_begun;
static pid_t servers[CPU_OTHERS + 1];

bool load_over(struct load *load)
{
	uint64_t now = load_now();

	if (!load->counting && now - load->begun >= load->warm_up) {
		load->counting = true;
		load->begun = now;
		load->done = load->lost = 0;
		memset(load->times, 0, sizeof(load->times));
		cpu_begun = cpu_use(servers);
	}
	return load->counting && now - load->begun >= load->seconds_ns;
}

static void report(const struct load *load, const struct workload *w)
{
	struct cpu_use cpu = cpu_since(servers, &cpu_begun);
	double took = (double)(load_now() - load->begun) / 1e9;

	printf("{\"workload\": \"%s\", \"connections\": %u, \"outstanding\": %u, \"seconds\": %.3f, "
	       "\"rate\": %.1f, \"unit\": \"%s\", \"lost\": %llu", w->name, load->connections,
	       load->outstanding, took, (double)load->done * (w->bytes ? 8 : 1) / took, w->unit,
	       (unsigned long long)load->lost);
	if (w->times)
		printf(", \"p50_us\": %.2f, \"p99_us\": %.2f", times_part(load, 0.5), times_part(load, 0.99));
	if (w->bytes)
		printf(", \"bytes\": %llu", (unsigned long long)load->done);
	printf(", \"cpu_s\": %.4f, \"client_cpu_s\": %.4f", cpu.machine, cpu.self);
	if (servers[0] != 0)
		printf(", \"server_cpu_s\": %.4f", cpu.other);
	printf("}\n");
}

static void silence(int number)
{
	static const char text[] = "load: the server fell silent\n";

	(void)number;
	if (write(2, text, sizeof(text) - 1) < 0)
		_exit(2);
	_exit(1);
}

static void pin(const char *cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((unsigned int)atoi(cpu), &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		load_fail("--pin");
}

static void allow_descriptors(void)
{
	struct rlimit limit = { .rlim_cur = 1 << 20, .rlim_max = 1 << 20 };

	if (setrlimit(RLIMIT_NOFILE, &limit) == 0 || getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int usage(void)
{
	fprintf(stderr,
		"usage: load [OPTION…] ADDRESS bulk-in|bulk-out|rr|connect|udp|hold\n"
		"  --connections N   streams at once (1; hold: 1000)\n"
		"  --outstanding N   connects, or datagrams, under way at once (1; udp: 32)\n"
		"  --seconds S       how long is counted (1)\n"
		"  --warm-up S       how long not, before (0.2)\n"
		"  --block BYTES     of one system call of a bulk workload (262144)\n"
		"  --server-pid PID  tells the CPU time of that process too; may be given again\n"
		"  --from ADDRESS    of the client\n"
		"  --pin CPU         the one processor to run on\n");
	return 2;
}

static void server_add(pid_t pid)
{
	for (unsigned int i = 0; i < CPU_OTHERS; i++)
		if (servers[i] == 0) {
			servers[i] = pid;
			return;
		}
	fprintf(stderr, "load: more than %d servers\n", CPU_OTHERS);
	exit(2);
}

static int options(struct load *load, int argc, char **argv)
{
	enum { CONNECTIONS, OUTSTANDING, SECONDS, WARM_UP, BLOCK, SERVER, FROM, PIN };
	static const struct option names[] = {
		{ "connections", required_argument, NULL, CONNECTIONS },
		{ "outstanding", required_argument, NULL, OUTSTANDING },
		{ "seconds", required_argument, NULL, SECONDS },
		{ "warm-up", required_argument, NULL, WARM_UP },
		{ "block", required_argument, NULL, BLOCK },
		{ "server-pid", required_argument, NULL, SERVER },
		{ "from", required_argument, NULL, FROM },
		{ "pin", required_argument, NULL, PIN },
		{ 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", names, NULL)) >= 0) {
		switch (option) {
		case CONNECTIONS: load->connections = (unsigned int)strtoul(optarg, NULL, 10); break;
		case OUTSTANDING: load->outstanding = (unsigned int)strtoul(optarg, NULL, 10); break;
		case SECONDS: load->seconds_ns = (uint64_t)(strtod(optarg, NULL) * 1e9); break;
		case WARM_UP: load->warm_up = (uint64_t)(strtod(optarg, NULL) * 1e9); break;
		case BLOCK: load->block = strtoul(optarg, NULL, 10); break;
		case SERVER: server_add((pid_t)strtol(optarg, NULL, 10)); break;
		case FROM:
			load->from.sin_family = AF_INET;
			if (inet_pton(AF_INET, optarg, &load->from.sin_addr) != 1)
				return -1;
			break;
		case PIN: pin(optarg); break;
		default: return -1;
		}
	}
	return optind + 2 == argc ? optind : -1;
}

int main(int argc, char **argv)
{
	static struct load load = {
		.to.sin_family = AF_INET, .warm_up = NS / 5, .seconds_ns = NS, .block = 1 << 18,
	};
	const struct workload *w = workloads, *end = workloads + sizeof(workloads) / sizeof(*workloads);
	int at = options(&load, argc, argv);

	if (at < 0 || inet_pton(AF_INET, argv[at], &load.to.sin_addr) != 1)
		return usage();
	while (w < end && strcmp(w->name, argv[at + 1]) != 0)
		w++;
	if (w == end || load.block == 0)
		return usage();
	if (load.connections == 0)
		load.connections = w->connections;
	if (load.outstanding == 0)
		load.outstanding = w->outstanding;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGALRM, silence);
	alarm((unsigned int)((load.warm_up + load.seconds_ns) / NS) + PATIENCE +
	      (w->run == load_hold ? load.connections / 1000 : 0));
	allow_descriptors();
	load.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (load.epoll < 0)
		load_fail("epoll_create1");
	load.begun = load_now();
	w->run(&load);
	if (w->run == load_hold)
		return 0;
	if (load.done == 0) {
		fprintf(stderr, "load: nothing came back\n");
		return 1;
	}
	report(&load, w);
	return 0;
}
