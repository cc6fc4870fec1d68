/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The conformance kit, `strata module test`: what its files promise each other. Each check runs in a
 * process of its own, so that a module that crashes, loops or eats memory gives a finding and no more.
 */
#ifndef STRATA_KIT_H
#define STRATA_KIT_H

#include <limits.h>
#include <stdio.h>
#include <strata/congestion.h>
#include <strata/embed.h>
#include <strata/network.h>
#include <strata/service.h>
#include <strata/transport.h>
#include "strata_cli.h"

/* Local choices: enough to see a pattern in what goes wrong, and no flood of it. */
#define KIT_FINDINGS 8
#define KIT_MODULES 24
#define KIT_OPTIONS 16
/* Largest packet that is made: a full network packet with an Ethernet header in front. */
#define KIT_PACKET_MAX 65550

struct kit;

/* ---- results (kit.c) ---- */

struct kit_finding {
	bool remark;			/* for information: nothing failed */
	char what[400], place[400], remedy[320];
};

/* A check's outcome; in memory that its process shares with the one that reports. */
struct kit_result {
	unsigned int count;		/* findings kept */
	unsigned int faults;		/* of all: those that are no remarks */
	struct kit_finding findings[KIT_FINDINGS];
	char skipped[320];		/* why it was not run; "": it was */
	char done[160];			/* what it did, for people */
	char step[400];			/* what it is doing now */
	uint64_t steps;			/* grows with each step: it is not stuck */
	char crash[640];		/* what the crash handler could tell */
	bool ended;
	unsigned int leak_rig;		/* which stack's, and which allocation, was never given back; 0: none */
	uint64_t leak_number;
};

/* What the file is, found by the first check that opens it. Shared as well. */
struct kit_subject {
	bool known;
	bool built_in;
	uint32_t kind, number;
	char path[PATH_MAX];		/* of the file */
	char name[64], version[64], summary[160];
};

struct kit {
	const struct cli *cli;
	const char *file;		/* as it was given */
	uint64_t seed;
	unsigned int cycles, packets;
	unsigned int timeout;		/* seconds of processor time that one step may take */
	const char *only;		/* name of the one check that is wanted; NULL: all */
	const char *options[KIT_OPTIONS], *iface_options[KIT_OPTIONS];	/* "name=value" */
	unsigned int option_count, iface_option_count;
	bool list, in_process;
	bool trust;			/* as root: refuse what another user could have changed */

	struct kit_subject *subject;
	struct kit_result *result;	/* of the check that runs */

	/* In the check's process: */
	const struct strata_module *module;	/* the subject's descriptor; NULL: it is not held open */
	struct strata_module_file *held[KIT_MODULES + 1];	/* the subject's first */
	char modules[KIT_MODULES][64];	/* what it needs beside it, loaded with it */
	unsigned int module_count;
	bool isolated;			/* in a network namespace of its own */
	char run_dir[64];		/* "" until made */
	char *manifest;			/* of all stacks, while the subject is not held open; else NULL */
	unsigned int rigs;		/* stacks made so far */
	/* Once a leak is known the check is made again, to see where that block was allocated. */
	unsigned int trap_rig;
	uint64_t trap_number;
};

struct kit_check {
	const char *name;
	const char *summary;
	void (*run)(struct kit *kit);
	unsigned int kinds;		/* bits 1 << enum strata_kind; 0: all */
	bool raw;			/* looks at the file: the module is not opened before */
};

/* Tells what is wrong, where, and what to do. A finding that was told already is told once. */
void kit_fault(struct kit *kit, const char *place, const char *remedy, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
void kit_remark(struct kit *kit, const char *place, const char *remedy, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* The check cannot be made here. */
void kit_skip(struct kit *kit, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* What is being done now: told when it goes wrong, and watched so that nothing hangs. */
void kit_step(struct kit *kit, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* What was done, for the report. */
void kit_done(struct kit *kit, const char *format, ...) __attribute__((format(printf, 2, 3)));
static inline bool kit_failed(const struct kit *kit)
{
	return kit->result->faults != 0;
}

/* ---- the environment: time, chance, memory that is watched (kit_env.c) ---- */

struct kit_env {
	struct kit *kit;
	uint64_t now;
	uint64_t rng;
	uint8_t fill;			/* what new memory holds */
	uint64_t allocs;		/* calls of alloc */
	uint64_t fail_at;		/* the call that fails; 0: none */
	bool forever;			/* and all after it */
	uint64_t failed;
	size_t blocks, bytes, peak;
	uint64_t trap;			/* the call whose place is wanted */
	char trapped[256];
	char complaint[256];		/* the first error that was logged */
};

/* Every block ends at a page that cannot be touched, nor can it be once it was given back. */
struct strata_env kit_env_make(struct kit_env *env);
/* The k-th allocation from now on fails; 0: none. */
void kit_env_fail(struct kit_env *env, uint64_t k, bool forever);
/* Number of the oldest block that was never given back; 0: all were. */
uint64_t kit_env_oldest(const struct kit_env *env, size_t *size);
/* The same as of the memory of a packet: `size` bytes of which the last is the last that may be read. */
void *kit_env_tight(struct kit_env *env, size_t size);
void kit_env_release(struct kit_env *env, void *ptr, size_t size);
/* Makes the process tell what it died of. */
void kit_env_catch_crashes(struct kit *kit);
uint64_t kit_random(uint64_t *state);
static inline uint32_t kit_below(uint64_t *state, uint32_t bound)
{
	return (uint32_t)(kit_random(state) % bound);
}
static inline bool kit_chance(uint64_t *state, uint32_t one_in)
{
	return kit_below(state, one_in) == 0;
}

/* ---- a stack with the module (kit_rig.c) ---- */

struct kit_frame {
	struct kit_frame *next;
	uint32_t length;
	uint8_t bytes[];
};

/* How a stack is wanted. */
struct kit_setup {
	uint8_t host;			/* last byte of its address; 0: 1 */
	uint8_t fill;			/* 0: 0xa5 */
	uint64_t seed;			/* 0: the kit's */
	const char *options;		/* YAML of the subject's options, "      name: value\n"; NULL: none */
	const char *iface_options;	/* of its interface's */
	bool without;			/* all but the subject */
	bool check;			/* validate, load and bind alone: there will be no stack */
	uint64_t fail_at;		/* an allocation that fails while it is made */
};

struct kit_rig {
	struct kit *kit;
	struct kit_env env;
	struct strata_stack *stack;
	struct strata_iface *iface;	/* NULL: none */
	struct strata_instance *self;	/* the subject's; NULL: not there */
	struct strata_error error;
	uint64_t frames, digest;	/* what it sent */
	bool keep;			/* frames in a list, too: */
	struct kit_frame *first, **end;
	unsigned int kept;
	struct kit_corpus *learns;	/* gets what it sends; NULL: nobody */
	uint16_t port;			/* that its socket listens on */
	int listener, fds[8];		/* the socket, and those that it accepted; -1: none */
};

/* Opens a module by the trust rule in force. */
struct strata_module_file *kit_module_open(const struct kit *kit, const char *file,
					   struct strata_error *error);
/* Opens the subject, finds what it needs, keeps all open. False: told why. */
bool kit_open(struct kit *kit);
/* Lets go of the subject's file. */
void kit_let_go(struct kit *kit);
void kit_close(struct kit *kit);
/* Makes a stack. Returns 0 or -errno with rig->error; kit_rig_close() either way. */
int kit_rig_open(struct kit *kit, struct kit_rig *rig, const struct kit_setup *setup);
/* The same where it must succeed: false, having told that it did not. */
bool kit_rig_must(struct kit *kit, struct kit_rig *rig, const struct kit_setup *setup);
/* Ends the stack and tells what was never given back. */
void kit_rig_close(struct kit_rig *rig);
/* Lets time pass, timers firing at their times. */
void kit_rig_pass(struct kit_rig *rig, uint64_t ns);
void kit_rig_discard(struct kit_rig *rig);
/* Carries what each sent to the other until both are silent, for at most `ns`. */
void kit_rig_exchange(struct kit_rig *a, struct kit_rig *b, uint64_t ns);
/* The link address of a stack's interface, and of the other end. */
void kit_rig_mac(uint8_t host, uint8_t mac[6]);
/* The address ops of the family that the stack's interface has an address of; NULL: none. */
const struct strata_address_ops *kit_family(const struct kit_rig *rig);
struct strata_addr kit_address(const struct strata_address_ops *ops, uint8_t host);

/* ---- what can be seen of a stack (kit_rig.c) ---- */

/* All counters and drops, in order; and what it sent. */
struct kit_view {
	size_t count;
	struct kit_value {
		const char *module, *name;
		bool drop, own;		/* own: of the subject */
		uint64_t value;
	} values[1024];
	uint64_t frames, digest;
};
void kit_view_take(const struct kit_rig *rig, struct kit_view *view);
/* Whether both saw the same; `why` receives the first difference. */
bool kit_view_same(const struct kit_view *a, const struct kit_view *b, char why[200]);
uint64_t kit_view_drops(const struct kit_view *view);
/* Whether the subject counted nothing, nobody dropped anything, and nothing was sent. */
bool kit_view_idle(const struct kit_view *before, const struct kit_view *after);

/* ---- packets (kit_packet.c) ---- */

/** A packet's bytes as the interface receives them; the subject's own header begins at `offset`. */
struct kit_packet {
	uint32_t length, offset;
	uint8_t bytes[KIT_PACKET_MAX];
};

/* Packets that modules sent to each other, which made-up ones are derived from. */
struct kit_corpus {
	unsigned int count;
	struct {
		uint16_t length;
		uint8_t bytes[256];	/* from the subject's header on */
	} entries[64];
	uint16_t port;			/* that something listens on; 0: nothing does */
};
void kit_corpus_learn(struct kit *kit, struct kit_corpus *corpus);
/* A made-up packet of at most `most` bytes of the subject's. */
void kit_packet_make(struct kit *kit, const struct kit_corpus *corpus, uint64_t *rng, uint32_t most,
		     struct kit_packet *packet);
/* Sets the length of the subject's bytes, and the headers below it right. `sum`: where in them the Internet
 * checksum of all shall be set right, an odd one: with a transport's pseudo-header; UINT32_MAX: nowhere. */
void kit_packet_finish(struct kit *kit, struct kit_packet *packet, uint32_t length, uint32_t sum);
void kit_corpus_add(struct kit *kit, struct kit_corpus *corpus, const uint8_t *frame, size_t length);
/* Gives it to the interface: linear, its last byte the last that may be read, or where `split` is not
 *  UINT32_MAX, from there on in fragments of at most `piece` bytes. */
enum strata_verdict kit_packet_input(struct kit_rig *rig, const struct kit_packet *packet,
				     uint32_t split, uint32_t piece);
/* The same with a packet that is already built. Consumes. */
enum strata_verdict kit_packet_give(struct kit_rig *rig, struct strata_pkt *pkt);
/* A packet of `length` bytes in the same forms, for other uses; NULL: memory is short. */
struct strata_pkt *kit_packet_build(struct kit_rig *rig, const uint8_t *bytes, uint32_t length,
				    uint32_t split, uint32_t piece);
/* "40 bytes 4500…" */
const char *kit_packet_text(const struct kit_packet *packet, char buf[160]);

/* ---- sockets of the subject, a transport (kit_serve.c) ---- */

enum { KIT_PORT = 4242 };
/* A socket address of a host of the kit's network. */
socklen_t kit_sockaddr(const struct kit_rig *rig, uint8_t host, uint16_t port,
		       struct sockaddr_storage *out);
/* Whether the subject has sockets that this stack can open. */
bool kit_has_sockets(const struct kit_rig *rig);
int kit_socket(struct kit_rig *rig);
/* Opens a socket on KIT_PORT, so that there is somebody to receive. */
void kit_listen(struct kit_rig *rig);
/* Reads and answers what came in. */
void kit_serve(struct kit_rig *rig);
void kit_hang_up(struct kit_rig *rig);

/* ---- the checks ---- */

void kit_check_load(struct kit *kit);		/* kit_file.c */
void kit_check_file(struct kit *kit);
void kit_check_symbols(struct kit *kit);
void kit_check_calls(struct kit *kit);
void kit_check_globals(struct kit *kit);
void kit_check_descriptor(struct kit *kit);	/* kit_descriptor.c */
void kit_check_number(struct kit *kit);
void kit_check_options(struct kit *kit);	/* kit_options.c */
void kit_check_values(struct kit *kit);
void kit_check_bounds(struct kit *kit);
void kit_check_runtime(struct kit *kit);
void kit_check_start(struct kit *kit);		/* kit_life.c */
void kit_check_cycles(struct kit *kit);
void kit_check_toggle(struct kit *kit);
void kit_check_start_memory(struct kit *kit);
void kit_check_stacks(struct kit *kit);
void kit_check_fuzz(struct kit *kit);		/* kit_input.c */
void kit_check_truncated(struct kit *kit);
void kit_check_fragments(struct kit *kit);
void kit_check_large(struct kit *kit);
void kit_check_memory(struct kit *kit);
void kit_check_address(struct kit *kit);	/* kit_ops.c */
void kit_check_output(struct kit *kit);
void kit_check_errors(struct kit *kit);
void kit_check_congestion(struct kit *kit);
void kit_check_xmit(struct kit *kit);
void kit_check_sockets(struct kit *kit);	/* kit_sockets.c */
void kit_check_service(struct kit *kit);

#endif
