/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads YAML 1.1 into a tree of nodes, from libyaml's events, so that every fault has its line
 * and column. What makes YAML surprising (anchors, aliases, tags, merge keys, several documents)
 * is refused.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml.h>

#include "manifest.h"
#include "text.h"

#define ARENA_BLOCK 16384

struct arena_block {
	struct arena_block *next;
	size_t used, room;
	max_align_t bytes[];
};

struct manifest {
	struct arena_block *blocks;
	const char *name;
	const char *directory;		/* NULL: not from a file */
	const char *text;		/* a copy of what was read */
	size_t length;
	struct node *root;
	unsigned int nodes;
};

/* ---- memory ---- */

void *manifest_alloc(struct manifest *manifest, size_t size)
{
	size = (size + sizeof(max_align_t) - 1) & ~(sizeof(max_align_t) - 1);
	struct arena_block *block = manifest->blocks;
	if (block == NULL || block->room - block->used < size) {
		size_t room = size > ARENA_BLOCK ? size : ARENA_BLOCK;
		block = calloc(1, sizeof(*block) + room);
		if (block == NULL)
			return NULL;
		block->room = room;
		block->next = manifest->blocks;
		manifest->blocks = block;
	}
	void *p = (char *)block->bytes + block->used;
	block->used += size;
	return p;
}

static char *manifest_copy(struct manifest *manifest, const char *text, size_t length)
{
	char *copy = manifest_alloc(manifest, length + 1);
	if (copy != NULL)
		memcpy(copy, text, length);
	return copy;
}

const char *manifest_text(const struct manifest *manifest, size_t *length)
{
	*length = manifest->length;
	return manifest->text;
}

int manifest_set_directory(struct manifest *manifest, const char *directory)
{
	if (directory == NULL)
		return 0;
	manifest->directory = manifest_copy(manifest, directory, strlen(directory));
	return manifest->directory != NULL ? 0 : -ENOMEM;
}

void manifest_free(struct manifest *manifest)
{
	if (manifest == NULL)
		return;
	while (manifest->blocks != NULL) {
		struct arena_block *block = manifest->blocks;
		manifest->blocks = block->next;
		free(block);
	}
	free(manifest);
}

static struct manifest *manifest_new(const char *name)
{
	struct manifest *manifest = calloc(1, sizeof(*manifest));
	if (manifest == NULL)
		return NULL;
	manifest->name = manifest_copy(manifest, name, strlen(name));
	if (manifest->name == NULL) {
		manifest_free(manifest);
		return NULL;
	}
	return manifest;
}

const char *manifest_name(const struct manifest *manifest)
{
	return manifest->name;
}

const char *manifest_directory(const struct manifest *manifest)
{
	return manifest->directory;
}

const struct node *manifest_root(const struct manifest *manifest)
{
	return manifest->root;
}

/* ---- faults ---- */

static void fault_at(const char *name, size_t line, size_t column, struct strata_error *error,
		     const char *format, va_list args)
{
	char *text = NULL;
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	strata_error_add(error, "%s:%zu:%zu: %s", name, line, column,
			 text != NULL ? text : "out of memory");
	free(text);
}

STRATA_PRINTF(5, 6)
static void fault(const char *name, size_t line, size_t column, struct strata_error *error,
		  const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fault_at(name, line, column, error, format, args);
	va_end(args);
}

void manifest_fault(const struct manifest *manifest, const struct node *node,
		    struct strata_error *error, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fault_at(manifest->name, node->line, node->column, error, format, args);
	va_end(args);
}

const char *manifest_place(const struct manifest *manifest, const struct node *node,
			   char buf[MANIFEST_PLACE_SIZE])
{
	snprintf(buf, MANIFEST_PLACE_SIZE, "%.256s:%u:%u", manifest->name, node->line,
		 node->column);
	return buf;
}

bool node_is_nothing(const struct node *node)
{
	return node->type == NODE_SCALAR && !node->quoted &&
	       (node->text[0] == '\0' || strcmp(node->text, "~") == 0 ||
		strcmp(node->text, "null") == 0 || strcmp(node->text, "Null") == 0 ||
		strcmp(node->text, "NULL") == 0);
}

const char *node_shown(const struct node *node, char *buf, size_t size)
{
	char shown[TEXT_SHOWN_SIZE];
	if (node->type == NODE_MAP)
		snprintf(buf, size, "a map");
	else if (node->type == NODE_LIST)
		snprintf(buf, size, "a list");
	else if (node_is_nothing(node) && node->text[0] == '\0')
		snprintf(buf, size, "nothing");
	else if (node_is_nothing(node))
		snprintf(buf, size, "%s, which is nothing", node->text);
	else
		snprintf(buf, size, "%s", text_shown(node->text, shown));
	return buf;
}

/* ---- bytes: what must hold before the text is read as YAML ---- */

/* Length of the UTF-8 sequence at `p` (RFC 3629 4), 0 where it is none. */
static size_t utf8_length(const unsigned char *p, size_t left)
{
	unsigned char c = p[0];
	size_t length = c < 0x80 ? 1 : c >= 0xc2 && c <= 0xdf ? 2 : c >= 0xe0 && c <= 0xef ? 3 :
			c >= 0xf0 && c <= 0xf4 ? 4 : 0;
	if (length == 0 || length > left)
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	/* Overlong forms, surrogates, beyond U+10FFFF. */
	if ((c == 0xe0 && p[1] < 0xa0) || (c == 0xed && p[1] > 0x9f) ||
	    (c == 0xf0 && p[1] < 0x90) || (c == 0xf4 && p[1] > 0x8f))
		return 0;
	return length;
}

static bool is_control(const unsigned char *p, size_t length)
{
	if (length == 1)
		return (p[0] < 0x20 && p[0] != '\t' && p[0] != '\n' && p[0] != '\r') ||
		       p[0] == 0x7f;
	return length == 2 && p[0] == 0xc2 && p[1] < 0xa0 && p[1] != 0x85;
}

/* A byte order mark says what an editor saved; each gets its own remedy. */
static bool check_mark(const char *name, const unsigned char *p, size_t length,
		       struct strata_error *error)
{
	if (length >= 2 && ((p[0] == 0xff && p[1] == 0xfe) || (p[0] == 0xfe && p[1] == 0xff))) {
		fault(name, 1, 1, error, "expected UTF-8, found UTF-16; save the file as UTF-8");
		return false;
	}
	if (length >= 3 && p[0] == 0xef && p[1] == 0xbb && p[2] == 0xbf) {
		fault(name, 1, 1, error, "expected UTF-8 without a byte order mark, found one; "
		      "save the file without it");
		return false;
	}
	return true;
}

static bool check_bytes(const char *name, const char *text, size_t length,
			struct strata_error *error)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t line = 1, column = 1;
	bool indenting = true;
	if (!check_mark(name, p, length, error))
		return false;
	for (size_t at = 0, n; at < length; at += n) {
		n = utf8_length(p + at, length - at);
		if (p[at] == '\0') {
			fault(name, line, column, error, "expected text, found a NUL byte; save "
			      "the file as UTF-8");
			return false;
		}
		if (n == 0) {
			fault(name, line, column, error, "expected UTF-8, found byte 0x%02x; save "
			      "the file as UTF-8", p[at]);
			return false;
		}
		if (is_control(p + at, n)) {
			fault(name, line, column, error, "expected text, found control character "
			      "0x%02x",
			      p[at + n - 1]);
			return false;
		}
		if (indenting && p[at] == '\t') {
			fault(name, line, column, error, "expected spaces for indentation, found "
			      "a tab");
			return false;
		}
		bool cr = p[at] == '\r' && at + 1 < length && p[at + 1] == '\n';
		if (!cr && (p[at] == '\n' || p[at] == '\r')) {
			line++;
			column = 1;
			indenting = true;
			continue;
		}
		indenting = indenting && p[at] == ' ';
		column++;
	}
	return true;
}

/* ---- events to nodes ---- */

struct level {
	struct node *parent;
	struct node *pending;		/* map: the key that waits for its value */
};

struct reader {
	struct manifest *manifest;
	struct strata_error *error;
	struct level levels[MANIFEST_DEPTH_MAX];
	unsigned int depth;
	unsigned int documents;
};

/* Results of taking an event. */
enum {
	READ_GO_ON,
	READ_DONE,
	READ_STOP,			/* a fault that makes the rest meaningless */
};

static struct node *node_new(struct reader *r, enum node_type type, const yaml_mark_t *mark)
{
	struct manifest *manifest = r->manifest;
	if (manifest->nodes >= MANIFEST_NODES_MAX) {
		fault(manifest->name, mark->line + 1, mark->column + 1, r->error,
		      "expected at most %u values, found more", MANIFEST_NODES_MAX);
		return NULL;
	}
	struct node *node = manifest_alloc(manifest, sizeof(*node));
	if (node == NULL) {
		strata_error_add(r->error, "%s: out of memory", manifest->name);
		return NULL;
	}
	manifest->nodes++;
	node->type = (uint8_t)type;
	node->line = (uint32_t)mark->line + 1;
	node->column = (uint32_t)mark->column + 1;
	return node;
}

static void check_key(struct reader *r, const struct node *map, struct node *key)
{
	char shown[TEXT_SHOWN_SIZE];
	if (key->faulty)
		return;
	if (node_is_nothing(key)) {
		manifest_fault(r->manifest, key, r->error, "expected a key, found nothing");
		key->faulty = true;
		return;
	}
	if (!key->quoted && strcmp(key->text, "<<") == 0) {
		manifest_fault(r->manifest, key, r->error,
			       "expected a key, found the merge key <<; write the keys out");
		key->faulty = true;
		return;
	}
	for (const struct node *other = map->first; other != NULL; other = other->next) {
		if (strcmp(other->key->text, key->text) != 0)
			continue;
		manifest_fault(r->manifest, key, r->error,
			       "duplicate key %s: expected it once, first found at line %u",
			       text_shown(key->text, shown), other->key->line);
		key->faulty = true;
		return;
	}
}

/* Puts the node where it belongs: the root, a list's item, a map's key or value. */
static int place_node(struct reader *r, struct node *node)
{
	if (r->depth == 0) {
		r->manifest->root = node;
		return READ_GO_ON;
	}
	struct level *level = &r->levels[r->depth - 1];
	struct node *parent = level->parent;
	if (parent->type == NODE_MAP && level->pending == NULL) {
		if (node->type != NODE_SCALAR) {
			manifest_fault(r->manifest, node, r->error, "expected a key, found %s",
				       node->type == NODE_MAP ? "a map" : "a list");
			return READ_STOP;
		}
		check_key(r, parent, node);
		level->pending = node;
		return READ_GO_ON;
	}
	if (parent->count >= MANIFEST_ITEMS_MAX) {
		manifest_fault(r->manifest, node, r->error,
			       "expected at most %u entries in one %s, found more",
			       MANIFEST_ITEMS_MAX, parent->type == NODE_MAP ? "map" : "list");
		return READ_STOP;
	}
	node->key = level->pending;
	level->pending = NULL;
	if (node->key != NULL && node->key->faulty)
		node->faulty = true;
	if (parent->last == NULL)
		parent->first = node;
	else
		parent->last->next = node;
	parent->last = node;
	parent->count++;
	return READ_GO_ON;
}

/* Anchors and tags: told, then read as if they were not there. */
static void check_properties(struct reader *r, const yaml_mark_t *mark, const yaml_char_t *anchor,
			     const yaml_char_t *tag)
{
	char shown[TEXT_SHOWN_SIZE];
	if (anchor != NULL)
		fault(r->manifest->name, mark->line + 1, mark->column + 1, r->error,
		      "expected a value, found anchor %s; anchors are not allowed, write the "
		      "value out",
		      text_shown((const char *)anchor, shown));
	if (tag != NULL)
		fault(r->manifest->name, mark->line + 1, mark->column + 1, r->error,
		      "expected a value, found tag %s; tags are not allowed, leave it out",
		      text_shown((const char *)tag, shown));
}

static int take_scalar(struct reader *r, const yaml_event_t *event)
{
	struct node *node = node_new(r, NODE_SCALAR, &event->start_mark);
	if (node == NULL)
		return READ_STOP;
	check_properties(r, &event->start_mark, event->data.scalar.anchor, event->data.scalar.tag);
	node->text = manifest_copy(r->manifest, (const char *)event->data.scalar.value,
				   event->data.scalar.length);
	if (node->text == NULL)
		return READ_STOP;
	node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	if (strlen(node->text) != event->data.scalar.length) {
		manifest_fault(r->manifest, node, r->error, "expected text, found an escaped NUL");
		node->faulty = true;
	}
	return place_node(r, node);
}

static int take_alias(struct reader *r, const yaml_event_t *event)
{
	char shown[TEXT_SHOWN_SIZE];
	struct node *node = node_new(r, NODE_SCALAR, &event->start_mark);
	if (node == NULL)
		return READ_STOP;
	node->text = "";
	node->faulty = true;
	manifest_fault(r->manifest, node, r->error,
		       "expected a value, found alias %s; aliases are not allowed, write the "
		       "value out",
		       text_shown((const char *)event->data.alias.anchor, shown));
	return place_node(r, node);
}

static int take_begin(struct reader *r, const yaml_event_t *event, enum node_type type)
{
	const yaml_mark_t *mark = &event->start_mark;
	if (r->depth == MANIFEST_DEPTH_MAX) {
		fault(r->manifest->name, mark->line + 1, mark->column + 1, r->error,
		      "expected at most %u levels, found more", MANIFEST_DEPTH_MAX);
		return READ_STOP;
	}
	if (type == NODE_MAP)
		check_properties(r, mark, event->data.mapping_start.anchor,
				 event->data.mapping_start.tag);
	else
		check_properties(r, mark, event->data.sequence_start.anchor,
				 event->data.sequence_start.tag);
	struct node *node = node_new(r, type, mark);
	if (node == NULL || place_node(r, node) == READ_STOP)
		return READ_STOP;
	r->levels[r->depth++] = (struct level){ .parent = node };
	return READ_GO_ON;
}

static int take_document(struct reader *r, const yaml_event_t *event)
{
	const yaml_mark_t *mark = &event->start_mark;
	if (r->documents++ > 0) {
		fault(r->manifest->name, mark->line + 1, mark->column + 1, r->error,
		      "expected one document, found the start of a second");
		return READ_STOP;
	}
	if (event->data.document_start.version_directive != NULL ||
	    event->data.document_start.tag_directives.start !=
	    event->data.document_start.tag_directives.end) {
		fault(r->manifest->name, mark->line + 1, mark->column + 1, r->error,
		      "expected a map, found a %% directive; leave it out");
		return READ_STOP;
	}
	return READ_GO_ON;
}

static int take_event(struct reader *r, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_STREAM_END_EVENT:
		return READ_DONE;
	case YAML_DOCUMENT_START_EVENT:
		return take_document(r, event);
	case YAML_SCALAR_EVENT:
		return take_scalar(r, event);
	case YAML_ALIAS_EVENT:
		return take_alias(r, event);
	case YAML_MAPPING_START_EVENT:
		return take_begin(r, event, NODE_MAP);
	case YAML_SEQUENCE_START_EVENT:
		return take_begin(r, event, NODE_LIST);
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		r->depth--;
		return READ_GO_ON;
	default:
		return READ_GO_ON;
	}
}

/* libyaml's words for what people get wrong, in ours. */
static const struct {
	const char *problem;
	const char *context;		/* NULL: any */
	const char *told;
	bool at_begin;			/* told where the construct begins, not where it breaks off */
} syntax_faults[] = {
	{ "found unexpected end of stream", "while scanning a quoted scalar",
	  "expected a closing quote, found the end of the file", true },
	{ "found unexpected document indicator", "while scanning a quoted scalar",
	  "expected a closing quote, found a document separator", true },
	{ "mapping values are not allowed in this context", NULL,
	  "expected a value on one line, found a second ':'; quote the value, or check the "
	  "indentation", false },
	{ "could not find expected ':'", NULL, "expected ':' after the key, found none", false },
	{ "did not find expected key", NULL,
	  "expected a key or the end of the map, found something else; check the indentation",
	  false },
	{ "did not find expected '-' indicator", NULL,
	  "expected '-' for the next entry or the end of the list, found something else; check the "
	  "indentation", false },
	{ "did not find expected ',' or ']'", NULL, "expected ',' or ']', found something else",
	  false },
	{ "did not find expected ',' or '}'", NULL, "expected ',' or '}', found something else",
	  false },
	{ "did not find expected <document start>", NULL,
	  "expected the end of the file, found more after the document", false },
	{ "found character that cannot start any token", NULL,
	  "expected a key or value, found a character that cannot begin one (a tab, '@', '`' or "
	  "'%'); quote it", false },
	{ "block sequence entries are not allowed in this context", NULL,
	  "expected a value, found '-'; put the list on lines of its own", false },
};

static void syntax_fault(struct reader *r, const yaml_parser_t *parser)
{
	const char *problem = parser->problem != NULL ? parser->problem : "not YAML";
	const char *context = parser->context != NULL ? parser->context : "";
	size_t line = parser->problem_mark.line + 1, column = parser->problem_mark.column + 1;
	char begun[64] = "";
	if (parser->error == YAML_MEMORY_ERROR) {
		strata_error_add(r->error, "%s: out of memory", r->manifest->name);
		return;
	}
	if (context[0] != '\0' && parser->context_mark.line != parser->problem_mark.line)
		snprintf(begun, sizeof(begun), " (begun at line %zu)",
			 parser->context_mark.line + 1);
	for (size_t i = 0; i < STRATA_COUNT(syntax_faults); i++) {
		if (strcmp(problem, syntax_faults[i].problem) != 0 ||
		    (syntax_faults[i].context != NULL &&
		     strcmp(context, syntax_faults[i].context) != 0))
			continue;
		if (syntax_faults[i].at_begin) {
			line = parser->context_mark.line + 1;
			column = parser->context_mark.column + 1;
			begun[0] = '\0';
		}
		fault(r->manifest->name, line, column, r->error, "%s%s", syntax_faults[i].told,
		      begun);
		return;
	}
	fault(r->manifest->name, line, column, r->error, "expected YAML, found a fault: %s%s%s%s",
	      problem, context[0] != '\0' ? ", " : "", context, begun);
}

static void read_events(struct reader *r, yaml_parser_t *parser)
{
	yaml_event_t event;
	int result;
	do {
		if (!yaml_parser_parse(parser, &event)) {
			syntax_fault(r, parser);
			r->manifest->root = NULL;
			return;
		}
		result = take_event(r, &event);
		yaml_event_delete(&event);
	} while (result == READ_GO_ON);
	if (result == READ_STOP) {
		r->manifest->root = NULL;
		return;
	}
	if (r->manifest->root == NULL || node_is_nothing(r->manifest->root)) {
		fault(r->manifest->name, 1, 1, r->error,
		      "expected a manifest that begins \"strata: 1\", found nothing but white "
		      "space or comments");
		r->manifest->root = NULL;
	}
}

static void read_bytes(struct manifest *manifest, const char *text, size_t length,
		       struct strata_error *error)
{
	struct reader reader = { .manifest = manifest, .error = error };
	yaml_parser_t parser;
	if (length > MANIFEST_BYTES_MAX) {
		fault(manifest->name, 1, 1, error, "expected at most 1 MiB, found more");
		return;
	}
	if (!check_bytes(manifest->name, text, length, error))
		return;
	if (!yaml_parser_initialize(&parser)) {
		strata_error_add(error, "%s: out of memory", manifest->name);
		return;
	}
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, length);
	read_events(&reader, &parser);
	yaml_parser_delete(&parser);
}

struct manifest *manifest_read_text(const char *text, size_t length, const char *name,
				    struct strata_error *error)
{
	struct manifest *manifest = manifest_new(name);
	if (manifest == NULL) {
		strata_error_add(error, "%s: out of memory", name);
		return NULL;
	}
	read_bytes(manifest, text, length, error);
	if (manifest->root == NULL) {
		manifest_free(manifest);
		return NULL;
	}
	manifest->text = manifest_copy(manifest, text, length);
	manifest->length = length;
	if (manifest->text == NULL) {
		strata_error_add(error, "%s: out of memory", name);
		manifest_free(manifest);
		return NULL;
	}
	return manifest;
}

/* ---- files ---- */

static const char *file_type(mode_t mode)
{
	return S_ISDIR(mode) ? "a directory" : S_ISFIFO(mode) ? "a FIFO" :
	       S_ISSOCK(mode) ? "a socket" : "a device";
}

/* Reads until the end, but no more than `room` bytes. Returns bytes or -errno. */
static ssize_t read_fully(int fd, char *buf, size_t room)
{
	size_t length = 0;
	while (length < room) {
		ssize_t n = read(fd, buf + length, room - length);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		length += (size_t)n;
	}
	return (ssize_t)length;
}

/* The file's bytes, at most one beyond the limit; NULL with a fault. */
static char *read_file(const char *path, size_t *length, struct strata_error *error)
{
	struct stat st;
	char *buf = NULL;
	/* O_NONBLOCK: opening a FIFO that nobody writes must not wait. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) < 0) {
		fault(path, 1, 1, error, "expected a manifest, found no readable file: %s",
		      strerror(errno));
		goto out_close;
	}
	if (!S_ISREG(st.st_mode)) {
		fault(path, 1, 1, error, "expected a regular file, found %s",
		      file_type(st.st_mode));
		goto out_close;
	}
	if (st.st_size > MANIFEST_BYTES_MAX) {
		fault(path, 1, 1, error, "expected at most 1 MiB, found %lld bytes",
		      (long long)st.st_size);
		goto out_close;
	}
	buf = malloc(MANIFEST_BYTES_MAX + 1);
	if (buf == NULL) {
		strata_error_add(error, "%s: out of memory", path);
		goto out_close;
	}
	ssize_t n = read_fully(fd, buf, MANIFEST_BYTES_MAX + 1);
	if (n < 0) {
		fault(path, 1, 1, error, "expected a manifest, found no readable file: %s",
		      strerror((int)-n));
		free(buf);
		buf = NULL;
		goto out_close;
	}
	*length = (size_t)n;
out_close:
	if (fd >= 0)
		close(fd);
	return buf;
}

struct manifest *manifest_read_file(const char *path, struct strata_error *error)
{
	size_t length;
	char *text = read_file(path, &length, error);
	if (text == NULL)
		return NULL;
	struct manifest *manifest = manifest_read_text(text, length, path, error);
	free(text);
	if (manifest == NULL)
		return NULL;
	const char *slash = strrchr(path, '/');
	manifest->directory = slash == NULL ? "." : slash == path ? "/" :
		manifest_copy(manifest, path, (size_t)(slash - path));
	if (manifest->directory == NULL) {
		strata_error_add(error, "%s: out of memory", path);
		manifest_free(manifest);
		return NULL;
	}
	return manifest;
}
