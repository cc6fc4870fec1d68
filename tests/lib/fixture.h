/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The fixture of module tests: a stack on a `wire` interface in virtual time, with seeded randomness, an
 * allocator that counts and can fail, and every frame it sends checked and kept. Closing it asserts that
 * nothing is left. In a test:
 *
 *	static void answers_an_echo_request(void **state)
 *	{
 *		struct fixture *fx = fx_open(.modules = "ethernet arp ipv4 icmp");
 *
 *		rx_icmp(.type = 8, .id = 7, .seq = 1, .text = "hello");
 *		expect_icmp(.type = 0, .id = 7, .seq = 1, .text = "hello");
 *		expect_silence(1000);
 *		fx_close(fx);
 *	}
 *
 * The words of scenario.h (rx, expect_tx, at …) work on a variable named `fx`. The stack is 192.0.2.2/24,
 * 02:00:00:00:00:02; its peer 192.0.2.1, 02:00:00:00:00:01, is a permanent neighbour unless `.resolve`
 * is set. A program's main is `return fx_main(tests);` with an array of cmocka tests.
 */
#ifndef TEST_FIXTURE_H
#define TEST_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strata/embed.h>

#include "frame.h"

/* What a fixture is made from. Zeroed fields take their defaults. */
struct fx_config {
	/* Modules beside `wire`, names separated by spaces. NULL: the manifest's default,
	 * "ethernet arp ipv4 icmp udp newreno tcp". A congestion module named here is tcp's. */
	const char *modules;
	/* Options of modules, "tcp.mss=500 ipv4.ttl=3": each into its module's entry. */
	const char *options;
	/* Further lines of an entry of `interfaces:`, indented by four, each ended by a newline. */
	const char *interface;
	/* Lines put at the end of the manifest (routes:, another interface is not possible here). */
	const char *extra;
	/* A whole manifest instead of all that; its first interface must be a `wire`. */
	const char *manifest;
	const char *address;		/* of w0, "192.0.2.2/24"; "" for none */
	const char *mac;		/* "02:00:00:00:00:02" */
	unsigned int mtu;		/* 1500 */
	bool bare;			/* `medium: ip`: frames are bare IP packets */
	bool resolve;			/* no permanent neighbour: the test sees ARP (announcements of the stack's
					 * own addresses too, which are left out otherwise) and answers it */
	bool answer_arp;		/* with `resolve`: requests for other addresses are answered by PEER_MAC,
					 * unseen, at the next step */
	bool large;			/* frames may exceed the MTU (an interface with offloads) */
	bool super;			/* the interface takes packets of up to 64 KiB, and what it cuts them into is
					 * what is sent; not with options of its own in `interface` */
	bool unsettled;			/* does not wait for the addresses to become valid */
	uint64_t seed;			/* of the stack's randomness; 0: 1 */
	uint64_t start;			/* virtual time of creation in ns; 0: 1000 s */
	uint64_t fail_at;		/* as fx_fail_at(), from before the stack is made */
	bool fail_forever;
	bool uncached;			/* each object of a cache is an allocation of its own */
	bool random_fails;
	const char *run_dir;
	bool may_fail;			/* fx_open gives a fixture whose stack is NULL; see ->result, ->error */
};

/* One TCP connection as the peer sees it: what relative sequence numbers are relative to. */
struct fx_conn {
	uint32_t peer_ip, stack_ip;	/* 0: PEER_IP, STACK_IP */
	uint16_t peer_port, stack_port;	/* stack_port 0: learnt from the first SYN that is expected */
	uint32_t peer_isn, stack_isn;	/* the stack's is learnt from its SYN */
	uint32_t peer_nxt;		/* relative: what the peer sends next by default */
	uint32_t stack_nxt;		/* relative: what the peer acknowledges by default */
	bool peer_ts;			/* the peer's SYN had timestamps */
	bool ts;			/* so had the stack's: the peer sends them in each segment */
	uint32_t ts_recent;		/* last of the stack's, to be echoed */
};

struct fx_frame {
	struct fx_frame *next;
	uint64_t time;
	size_t length;
	uint8_t bytes[];
};

struct fx_block;
struct fx_join;

struct fixture {
	struct strata_stack *stack;
	struct strata_iface *iface;	/* w0, or the first of the manifest */
	int result;			/* of strata_stack_create() */
	struct strata_error error;	/* its faults */
	uint64_t now;			/* virtual time, ns */
	uint64_t epoch;			/* at(0): when the stack had settled */
	struct fx_config config;
	struct fx_conn conn;		/* the connection meant when a segment names none:
					 * peer port 40000, stack port 80, peer's ISN 1000 */

	/* Memory. */
	uint64_t allocs;		/* calls so far, failed ones included */
	uint64_t failed;		/* of them, by fail_at */
	uint64_t fail_at;		/* the call that fails; 0: none */
	bool fail_forever;		/* and all after it */
	size_t blocks, bytes;		/* held by the stack */
	struct fx_block *held;

	uint64_t rng;			/* state of the seeded generator */
	char *log;			/* all lines of log, "level module: line\n" */
	size_t log_len;

	struct fx_frame *first, **end;	/* sent by the stack and not yet expected */
	struct fx_frame *inbound, **inbound_end;	/* answers of answer_arp on their way in */
	bool batched;			/* set by a test: frames given are of one batch, until fx_run() */
	size_t frames;			/* sent in all */
	size_t supers;			/* packets that were cut into them, with `super` */
	uint16_t ip_id;			/* of the next packet that is built */
	char fault[256];		/* what was wrong with a frame sent; told at the next step */
	struct fx_frame *last;		/* behind what the last expect_… returned */
	uint8_t *reassembled;
	struct fx_pkt pkt;
	struct fx_join *join;		/* set while another stack is at the other end */

	struct fx_drop_mark {
		char module[32];
		unsigned int count;
		uint64_t *drops;
	} marks[32];
	unsigned int mark_count;
};

/* ---- life ---- */

#define fx_open(...) \
	fx_open_config(&(const struct fx_config){ __VA_ARGS__ }, __FILE__, __LINE__)
struct fixture *fx_open_config(const struct fx_config *config, const char *file, int line);
/* Destroys the stack; asserts that it gave back every byte, that no frame was malformed. NULL is allowed. */
#define fx_close(fx) fx_close_at(fx, __FILE__, __LINE__)
void fx_close_at(struct fixture *fx, const char *file, int line);
/* The module path of tests: $STRATA_MODULE_PATH, which only this library reads. */
const char *fx_module_path(void);
/* Runs cmocka tests as one group named by the program; for `return` in main. */
#define fx_main(tests) cmocka_run_group_tests_name(__FILE__, tests, NULL, NULL)

/* ---- time ---- */

/* Passes time; every timer runs exactly when it is due. */
#define fx_advance(fx, ms) fx_advance_ns(fx, (uint64_t)(ms) * STRATA_MS)
void fx_advance_ns(struct fixture *fx, uint64_t ns);
/* Runs timers until a frame is there or `ns` have passed; returns whether one is. */
bool fx_wait_frame(struct fixture *fx, uint64_t ns);
/* Works off what is due now. */
void fx_run(struct fixture *fx);
/* ms since the stack had settled. */
static inline uint64_t fx_ms(const struct fixture *fx)
{
	return (fx->now - fx->epoch) / STRATA_MS;
}

/* ---- memory, log, randomness ---- */

/* The k-th allocation from now fails (1: the next), and with `forever` all after it; 0: none fails. */
void fx_fail_at(struct fixture *fx, uint64_t k, bool forever);
/* Whether a line of log contains `text`. */
bool fx_logged(const struct fixture *fx, const char *text);
/* A seeded generator for the test's own use, apart from the stack's. */
uint64_t fx_random(uint64_t *state);

/* ---- counters and drops ---- */

/* The running instance of that name ("kernel" included), of any kind; fails the test when not there. */
const struct strata_instance *fx_instance(struct fixture *fx, const char *name);
/* Value of a counter by its name. */
uint64_t fx_counter(struct fixture *fx, const char *module, const char *counter);
/* Packets discarded for a reason by its name, in any case of letters. */
uint64_t fx_drops(struct fixture *fx, const char *module, const char *reason);
/* Remembers all drops: expect_drop() looks for what came since. Every rx… does it first. */
void fx_mark(struct fixture *fx);

/* ---- sockets: short forms that assert success unless they return a result ---- */

struct sockaddr_in fx_sockaddr(uint32_t ip, uint16_t port);
int fx_socket(struct fixture *fx, int type, int protocol);
void fx_bind(struct fixture *fx, int s, uint32_t ip, uint16_t port);
void fx_listen(struct fixture *fx, int s, int backlog);
/* The raw result of strata_connect(), strata_accept(). */
int fx_connect(struct fixture *fx, int s, uint32_t ip, uint16_t port);
int fx_accept(struct fixture *fx, int s);
ssize_t fx_send(struct fixture *fx, int s, const void *data, size_t length);
ssize_t fx_recv(struct fixture *fx, int s, void *buf, size_t size);
ssize_t fx_sendto(struct fixture *fx, int s, const void *data, size_t length, uint32_t ip,
		  uint16_t port);
void fx_close_socket(struct fixture *fx, int s);
int fx_setsockopt(struct fixture *fx, int s, int level, int name, int value);
/* The integer value, or -errno. */
int fx_getsockopt(struct fixture *fx, int s, int level, int name);
uint16_t fx_local_port(struct fixture *fx, int s);

/* ---- frames below the words of scenario.h ---- */

/* Gives a frame to the stack. Returns strata_input()'s result. */
int fx_input(struct fixture *fx, const void *frame, size_t length);
/* Builds and gives an IPv4 packet (or its fragments). `proto` where ip->proto is 0. */
void fx_input_ip(struct fixture *fx, const struct fx_ip *ip, uint8_t proto, const void *payload,
		 size_t length);
/* Takes the oldest frame off, whatever it is; NULL when there is none. Valid until the next such call. */
const struct fx_pkt *fx_next(struct fixture *fx);
/* How many frames wait. */
size_t fx_waiting(const struct fixture *fx);
/* Forgets the frames that wait. */
void fx_discard(struct fixture *fx);
/* Fails the test, told at file:line, with a message and the log's end. */
void fx_fail(struct fixture *fx, const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 4, 5), noreturn));
/* Tells what the stack did wrong since the last step. */
void fx_check(struct fixture *fx, const char *file, int line);

#include "scenario.h"
#include "join.h"

#endif
