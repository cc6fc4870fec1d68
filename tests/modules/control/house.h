/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rig of the control service's tests: a stack with the service on a real Unix socket, whose loop is
 * turned by hand and whose clock is the test's, so nothing depends on how fast the machine is.
 */
#ifndef TEST_CONTROL_HOUSE_H
#define TEST_CONTROL_HOUSE_H

#include "fixture.h"

#include <jansson.h>

/** A stack with the service, its clock, and its directory. */
struct house {
	uint64_t now;
	struct strata_stack *stack;
	char directory[64];
	char path[96];
};

#define MANIFEST "strata: 1\nmodules:\n  - name: control\n"
/** The same with protocols and an interface w0, 192.0.2.2/24. */
extern const char house_network[];

/** Makes the stack in the directory that `h` names. Returns as strata_stack_create(). */
int house_start(struct house *h, const char *manifest, struct strata_error *error);
/** Makes the directory alone. */
void house_make(struct house *h);
/** Makes the stack of a manifest's file. */
void house_open_file(struct house *h, const char *path);
/** Makes the directory and the stack. */
void house_open(struct house *h, const char *manifest);
/** Ends it; nothing may be left of socket and directory. */
void house_close(struct house *h);
/** Turns the loop until nothing is left to do. Returns the turns it took. */
unsigned int settle(struct house *h);
/** Lets time pass, and settles. */
void pass(struct house *h, uint64_t ns);

/** A new connection. */
int client(struct house *h);
void say(int fd, const char *text);
/** One line of reply as JSON; NULL: the connection ended. A line must be there. */
json_t *hear(struct house *h, int fd);
/** The same, but NULL also where nothing has come. */
json_t *hear_any(struct house *h, int fd);
void expect_error(struct house *h, int fd, const char *code);
void expect_version(struct house *h, int fd, int id);
void expect_end(struct house *h, int fd);
void ask_version(int fd, int id);
/** Asks with JSON in single quotes, members alone: "'method':'show','what':'routes'". The reply. */
json_t *ask(struct house *h, int fd, const char *members);
/** Asks and expects a result, which it returns. */
json_t *ask_ok(struct house *h, int fd, const char *members);
/** Asks and expects the error `code` with a message that has `part` in it. */
void ask_refused(struct house *h, int fd, const char *members, const char *code, const char *part);
/** A counter of the service. */
uint64_t counter(struct house *h, const char *name);

#endif
