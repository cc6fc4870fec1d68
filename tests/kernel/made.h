/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stacks made from a manifest, for tests of how that goes: memory is counted and can fail, the
 * log is kept, and modules are found among the small ones of tests/kernel (mod_*.c) and the
 * built ones.
 */
#ifndef TEST_MADE_H
#define TEST_MADE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strata/embed.h>

struct made {
	struct strata_env env;
	struct strata_config config;	/* may be changed before made_from() */
	struct strata_stack *stack;
	struct strata_error error;
	char path[8192];		/* the module path */
	size_t blocks, bytes;		/* held by the stack */
	uint64_t allocs;		/* calls so far */
	uint64_t fail_at;		/* the call that fails; 0: none */
	bool fail_forever;		/* and all after it */
	char log[8192];			/* "level module: line\n" */
};

/* Sets everything up; nothing is made yet. */
void made_init(struct made *made);
/* Makes a stack from the text, called "m.yaml". Returns strata_stack_create()'s result. */
int made_from(struct made *made, const char *text);
/* Destroys what there is, and asserts that all memory came back. Can be used again. */
void made_end(struct made *made);

/* Asserts that the manifest is refused with -EINVAL, nothing left, and `told` among its faults. */
void made_refused(const char *text, const char *told);
/* The same, and that these are all faults: `told` is the whole text. Either may write PATH for
 * the module path. */
void made_refused_exactly(const char *text, const char *told);
/* Asserts that the manifest passes a check without starting. */
void made_accepted(const char *text);

/* The tests' own modules: "$abs_top_builddir/tests/kernel/.libs". */
const char *made_directory(void);
/* The recording of mod_*.c: a manifest gives its address to the modules' option `record`. */
#define RECORD_SIZE 256
struct record {
	char text[RECORD_SIZE];		/* "+name" a start, "-name" a stop, "=name" a changed option */
};
/* Expands `%R` in a manifest to the record's address. Returned text: free(). */
char *made_text(const char *format, const struct record *record);

/* A directory of its own under $TMPDIR, and files in it. All assert success. */
char *made_tmpdir(void);
void made_write(const char *dir, const char *name, const void *bytes, size_t length);
void made_remove(char *dir);
/* All bytes of a file; free(). */
void *made_read(const char *path, size_t *length);

#endif
