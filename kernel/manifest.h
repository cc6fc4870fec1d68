/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A manifest as a tree of nodes with their positions, and what the schema makes of it. Plain
 * malloc: it is read before there is a stack and forgotten once the stack runs.
 */
#ifndef STRATA_KERNEL_MANIFEST_H
#define STRATA_KERNEL_MANIFEST_H

#include <strata/error.h>
#include <strata/module.h>

#include "kernel.h"

/* Local choices: no manifest a person writes comes near them, and they bound what one that nobody
 * wrote costs in time and memory. */
#define MANIFEST_BYTES_MAX (1u << 20)
#define MANIFEST_DEPTH_MAX 32
#define MANIFEST_NODES_MAX 65536
#define MANIFEST_ITEMS_MAX 4096		/* in one map or list */

enum node_type {
	NODE_SCALAR,
	NODE_MAP,
	NODE_LIST,
};

struct node {
	uint8_t type;			/* enum node_type */
	bool quoted;			/* scalar: written in quotes or as a block */
	bool faulty;			/* a fault was told: no more about this node */
	uint32_t line, column;		/* from 1; columns count characters */
	const char *text;		/* scalar: UTF-8 without NUL */
	const struct node *key;		/* the scalar this is the value of; NULL in a list */
	struct node *first;		/* map or list: items in the order written */
	struct node *next;
	struct node *last;
	uint32_t count;			/* items */
};

struct manifest;

/* Reads a manifest: NULL with the faults in `error`. A tree may come along with faults: those
 * that let reading go on. `name` is what faults call it; copied. */
struct manifest *manifest_read_file(const char *path, struct strata_error *error);
struct manifest *manifest_read_text(const char *text, size_t length, const char *name,
				    struct strata_error *error);
void manifest_free(struct manifest *manifest);

const char *manifest_name(const struct manifest *manifest);
/* Path of the file without its last part ("." when it has none); NULL for a text. */
const char *manifest_directory(const struct manifest *manifest);
/* What was read. */
const char *manifest_text(const struct manifest *manifest, size_t *length);
/* Where a text came from after all; copied, NULL is allowed. Returns 0 or -ENOMEM. */
int manifest_set_directory(struct manifest *manifest, const char *directory);
const struct node *manifest_root(const struct manifest *manifest);
/* Zeroed memory that lives as long as the manifest; NULL when there is none. */
void *manifest_alloc(struct manifest *manifest, size_t size);

/* Adds `name:line:column: …` to `error`. */
void manifest_fault(const struct manifest *manifest, const struct node *node,
		    struct strata_error *error, const char *format, ...) STRATA_PRINTF(4, 5);
/* "name:line:column" into `buf`, which is returned. */
#define MANIFEST_PLACE_SIZE 320
const char *manifest_place(const struct manifest *manifest, const struct node *node,
			   char buf[MANIFEST_PLACE_SIZE]);
/* What a node is, for "found …": its text in quotes, "a list", "a map" or "nothing". */
const char *node_shown(const struct node *node, char *buf, size_t size);
/* True for a scalar that says "nothing": empty, ~ or null, not in quotes. */
bool node_is_nothing(const struct node *node);

/* ---- the schema (config.c) ---- */

struct config_module {
	struct config_module *next;
	const struct node *node;
	const char *name;		/* NULL: faulty */
	const struct node *name_node;
	const char *file;		/* NULL: by name */
	const struct node *file_node;
	int kind;			/* -1: not said */
	const struct node *kind_node;
	uint32_t number;
	const struct node *number_node;	/* NULL: the module's own */
	bool enabled;
	const struct node *options;	/* map or NULL */
};

struct config_iface {
	struct config_iface *next;
	const struct node *node;
	const char *name;
	const struct node *name_node;
	const char *driver;
	const struct node *driver_node;
	const struct node *options;
	uint32_t mtu;			/* 0: default */
	const struct node *mtu_node;
	const char *mac;		/* NULL: random */
	const struct node *mac_node;
	const struct node *addresses;	/* list of scalars or NULL */
	bool down;			/* up: false */

	/* What stack.c makes of it. */
	struct strata_iface *iface;	/* NULL: faulty */
	struct strata_prefix *prefixes;	/* one for each of addresses; unset where faulty */
};

struct config_route {
	struct config_route *next;
	const struct node *node;
	const struct node *to, *via, *interface, *src, *congestion;	/* scalars or NULL */
	uint32_t metric;
	uint32_t mtu;

	/* What stack.c makes of it. */
	struct strata_route made;
	bool good;
};

struct config {
	struct manifest *manifest;
	struct stack_settings settings;
	const struct node *shards;	/* `shards:`, or NULL */
	const struct node *log;		/* map of levels per module, or NULL */
	struct config_module *modules;
	struct config_iface *ifaces;
	struct config_route *routes;
};

/* Applies the schema; every fault goes to `error`. The result lives in the manifest's memory and is
 * usable as far as it was faultless. Returns 0 or -ENOMEM. */
int config_read(struct manifest *manifest, struct config *config, struct strata_error *error);
/* A log level by its name. Returns 0 or -EINVAL. */
int config_log_level(const char *text, uint8_t *level);
const char *config_log_level_name(uint8_t level);
/* The enabled module of that name; NULL: none. */
const struct config_module *config_module_find(const struct config *config, const char *name);

#endif
