/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finding, checking and opening module files. Nothing of a module runs before its file was read and
 * found fit.
 */
#ifndef STRATA_KERNEL_LOADER_H
#define STRATA_KERNEL_LOADER_H

#include <strata/embed.h>
#include <strata/module.h>

/* What is to be opened. All borrowed. */
struct loader_request {
	const char *where;		/* begins each fault: `m.yaml:4:5: module "wire"` */
	const char *file;		/* name, or with a '/' a path, with or without .so */
	const char *directory;		/* where a relative path begins; NULL: where the process is */
	const char *module_path;	/* directories; NULL: the default */
	bool trust_check;
};

/* libltdl belongs to the process and counts its users: each stack and each strata_module_open()
 * is one. Returns 0 or -EINVAL with a fault. */
int loader_begin(struct strata_error *error);
void loader_end(void);

/* Opens a module between begin and end. Returns 0; -EINVAL with a fault; -ENOENT with a fault
 * when there is no such file. */
int loader_open(const struct loader_request *request, struct strata_module_file **out,
		struct strata_error *error);
void loader_close(struct strata_module_file *file);
/* True when loader_open() would find a file, good or bad. */
bool loader_exists(const struct loader_request *request);

/* ---- reading the file (elf.c) ---- */

/* The first fields of struct strata_module, as they are in the file. */
struct elf_descriptor {
	uint32_t magic;
	uint16_t abi_major, abi_minor;
	uint32_t size;
};
#define ELF_WHY_SIZE 512
/* Reads the descriptor `symbol` from the open module file. Returns 0, or -EINVAL with what is
 * wrong, and what to do, in `why`. */
int elf_read_descriptor(int fd, const char *symbol, struct elf_descriptor *out,
			char why[ELF_WHY_SIZE]);

#endif
