/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Options: text to the fields of a module's configuration structure and back, by the module's own
 * schema. A structure and the strings it points to are one block of the stack's memory.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "option.h"
#include "text.h"

#define SHOWN 192

/* Why a value was refused. */
struct refusal {
	char expected[160];
	char hint[96];
};

/* Where the strings of a structure go. */
struct pool {
	char *at, *end;
};

/* Types whose value is a string of its own. */
static bool is_text(const struct strata_option *option)
{
	return option->type == STRATA_OPT_STRING || option->type == STRATA_OPT_MODULE;
}

size_t strata_option_size(const struct strata_option *option)
{
	static const size_t sizes[] = {
		[STRATA_OPT_BOOL] = sizeof(bool),
		[STRATA_OPT_UINT] = sizeof(uint64_t),
		[STRATA_OPT_SIZE] = sizeof(uint64_t),
		[STRATA_OPT_TIME] = sizeof(uint64_t),
		[STRATA_OPT_STRING] = sizeof(const char *),
		[STRATA_OPT_CHOICE] = sizeof(uint32_t),
		[STRATA_OPT_PREFIX] = sizeof(struct strata_prefix),
		[STRATA_OPT_LLADDR] = sizeof(struct strata_lladdr),
		[STRATA_OPT_LIST] = sizeof(struct strata_list),
		[STRATA_OPT_MODULE] = sizeof(const char *),
		[STRATA_OPT_CHANCE] = sizeof(uint64_t),
	};
	return (size_t)option->type < STRATA_COUNT(sizes) ? sizes[option->type] : 0;
}

const struct strata_option *option_find(const struct option_schema *schema, const char *name)
{
	for (size_t i = 0; i < schema->count; i++)
		if (strcmp(schema->options[i].name, name) == 0)
			return &schema->options[i];
	return NULL;
}

const char *option_hint(const struct option_schema *schema, const char *name, char *buf)
{
	struct text_nearest nearest = { .word = name };
	for (size_t i = 0; i < schema->count; i++)
		text_nearest_offer(&nearest, schema->options[i].name);
	return text_nearest_hint(&nearest, buf);
}

/* ---- what is expected, in words ---- */

static bool has_range(const struct strata_option *option)
{
	return option->min != 0 || option->max != 0;
}

static void expect_range(const struct strata_option *option, const char *what, struct refusal *why)
{
	char min[32], max[32];
	switch (option->type) {
	case STRATA_OPT_SIZE:
		text_format_size(option->min, min, sizeof(min));
		text_format_size(option->max, max, sizeof(max));
		break;
	case STRATA_OPT_TIME:
		text_format_time(option->min, min, sizeof(min));
		text_format_time(option->max, max, sizeof(max));
		break;
	case STRATA_OPT_CHANCE:
		text_format_chance(option->min, min, sizeof(min));
		text_format_chance(option->max, max, sizeof(max));
		break;
	default:
		snprintf(min, sizeof(min), "%" PRIu64, option->min);
		snprintf(max, sizeof(max), "%" PRIu64, option->max);
		break;
	}
	if (has_range(option))
		snprintf(why->expected, sizeof(why->expected), "%s from %s to %s", what, min, max);
	else
		snprintf(why->expected, sizeof(why->expected), "%s", what);
}

static void expect_choice(const struct strata_option *option, const char *text, struct refusal *why)
{
	struct text_nearest nearest = { .word = text };
	char hint[TEXT_HINT_SIZE];
	size_t at = (size_t)snprintf(why->expected, sizeof(why->expected), "one of");
	for (size_t i = 0; option->choices[i] != NULL && at < sizeof(why->expected); i++) {
		at += (size_t)snprintf(why->expected + at, sizeof(why->expected) - at, "%s %s",
				       i > 0 ? "," : "", option->choices[i]);
		text_nearest_offer(&nearest, option->choices[i]);
	}
	text_nearest_hint(&nearest, hint);
	if (hint[0] != '\0')
		snprintf(why->hint, sizeof(why->hint), "%s", hint + 2);
}

/* ---- text to values ---- */

int option_parse_lladdr(const char *text, struct strata_lladdr *out)
{
	struct strata_lladdr lladdr = { 0 };
	for (;;) {
		unsigned int byte = 0;
		for (int i = 0; i < 2; i++, text++) {
			char c = *text;
			unsigned int digit = c >= '0' && c <= '9' ? (unsigned int)(c - '0') :
				c >= 'a' && c <= 'f' ? (unsigned int)(c - 'a' + 10) :
				c >= 'A' && c <= 'F' ? (unsigned int)(c - 'A' + 10) : 16;
			if (digit == 16)
				return -EINVAL;
			byte = byte << 4 | digit;
		}
		if (lladdr.length == STRATA_LLADDR_MAX)
			return -EINVAL;
		lladdr.bytes[lladdr.length++] = (uint8_t)byte;
		if (*text == '\0')
			break;
		if (*text++ != ':')
			return -EINVAL;
	}
	*out = lladdr;
	return 0;
}

static int parse_number(const struct strata_option *option, const char *text, uint64_t *out,
			struct refusal *why)
{
	struct text_fault fault;
	uint64_t value = 0;
	int result = option->type == STRATA_OPT_SIZE ? text_size(text, &value, &fault) :
		     option->type == STRATA_OPT_TIME ? text_time(text, &value, &fault) :
		     option->type == STRATA_OPT_CHANCE ? text_chance(text, &value, &fault) :
						       text_uint(text, &value, &fault);
	bool fits = !has_range(option) || (value >= option->min && value <= option->max);
	if (result == 0 && fits) {
		*out = value;
		return 0;
	}
	expect_range(option, option->type == STRATA_OPT_UINT && has_range(option) ? "a number" :
		     fault.expected, why);
	snprintf(why->hint, sizeof(why->hint), "%s", result < 0 ? fault.hint : "");
	return -EINVAL;
}

static int parse_choice(const struct strata_option *option, const char *text, uint32_t *out,
			struct refusal *why)
{
	for (uint32_t i = 0; option->choices[i] != NULL; i++) {
		if (strcmp(option->choices[i], text) == 0) {
			*out = i;
			return 0;
		}
	}
	expect_choice(option, text, why);
	return -EINVAL;
}

/* All types whose values need no memory of their own. */
static int parse_plain(struct kernel *k, const struct strata_option *option, const char *text,
		       bool lenient, void *field, struct refusal *why)
{
	struct text_fault fault;
	switch (option->type) {
	case STRATA_OPT_BOOL:
		if (text_bool(text, lenient, field, &fault) == 0)
			return 0;
		snprintf(why->expected, sizeof(why->expected), "%s", fault.expected);
		snprintf(why->hint, sizeof(why->hint), "%s", fault.hint);
		return -EINVAL;
	case STRATA_OPT_UINT:
	case STRATA_OPT_SIZE:
	case STRATA_OPT_TIME:
	case STRATA_OPT_CHANCE:
		return parse_number(option, text, field, why);
	case STRATA_OPT_CHOICE:
		return parse_choice(option, text, field, why);
	case STRATA_OPT_PREFIX:
		if (strata_prefix_parse(&k->pub, text, field) == 0)
			return 0;
		snprintf(why->expected, sizeof(why->expected),
			 "address/bits of an enabled network module");
		return -EINVAL;
	case STRATA_OPT_LLADDR:
		if (option_parse_lladdr(text, field) == 0)
			return 0;
		snprintf(why->expected, sizeof(why->expected),
			 "a link address such as 02:00:00:00:00:01");
		return -EINVAL;
	default:
		return -EINVAL;
	}
}

/* ---- strings and lists ---- */

static char *pool_string(struct pool *pool, const char *text, size_t length)
{
	char *copy = pool->at;
	pool->at += length + 1;
	assert(pool->at <= pool->end);
	memcpy(copy, text, length);
	copy[length] = '\0';
	return copy;
}

static const char **pool_pointers(struct pool *pool, size_t count)
{
	size_t over = (uintptr_t)pool->at % sizeof(char *);
	if (over != 0)
		pool->at += sizeof(char *) - over;
	const char **items = (void *)pool->at;
	pool->at += count * sizeof(*items);
	assert(pool->at <= pool->end);
	return items;
}

/* Next item of "a, b" or "[a, b]": NULL at the end. */
static const char *list_next(const char *text, const char **item, size_t *length)
{
	text += strspn(text, " ,[]");
	if (*text == '\0')
		return NULL;
	*item = text;
	*length = strcspn(text, ",]");
	text += *length;
	while (*length > 0 && (*item)[*length - 1] == ' ')
		--*length;
	return text;
}

/* Bytes that text_to_list() takes from a pool. */
static size_t list_room(const char *text)
{
	const char *item;
	size_t length, room = sizeof(char *);
	while ((text = list_next(text, &item, &length)) != NULL)
		room += length + 1 + sizeof(char *);
	return room;
}

static void text_to_list(const char *text, struct pool *pool, struct strata_list *out)
{
	const char *item, *p = text;
	size_t length, count = 0;
	while ((p = list_next(p, &item, &length)) != NULL)
		count++;
	const char **items = pool_pointers(pool, count);
	for (size_t i = 0; (text = list_next(text, &item, &length)) != NULL; i++)
		items[i] = pool_string(pool, item, length);
	*out = (struct strata_list){ .items = items, .count = count };
}

static void node_to_list(const struct node *list, struct pool *pool, struct strata_list *out)
{
	size_t i = 0;
	const char **items = pool_pointers(pool, list->count);
	for (const struct node *item = list->first; item != NULL; item = item->next)
		items[i++] = pool_string(pool, item->text, strlen(item->text));
	*out = (struct strata_list){ .items = items, .count = list->count };
}

/* ---- a whole structure ---- */

struct filling {
	struct kernel *k;
	const struct option_schema *schema;
	const struct manifest *manifest;
	struct strata_error *error;
	struct pool pool;
	char *config;
};

static void refuse(const struct filling *f, const struct strata_option *option,
		   const struct node *value, const struct refusal *why)
{
	char shown[SHOWN];
	if (value->faulty)
		return;
	manifest_fault(f->manifest, value, f->error, "option \"%s\" of %s: expected %s, found "
		       "%s%s%s",
		       option->name, f->schema->owner, why->expected,
		       node_shown(value, shown, sizeof(shown)), why->hint[0] != '\0' ? "; " : "",
		       why->hint);
}

/* Whether the node has the shape that the option's type wants. */
static bool check_shape(const struct filling *f, const struct strata_option *option,
			const struct node *value)
{
	struct refusal why = { .expected = "a value" };
	if (option->type == STRATA_OPT_LIST) {
		if (value->type != NODE_LIST) {
			snprintf(why.expected, sizeof(why.expected), "a list");
			refuse(f, option, value, &why);
			return false;
		}
		for (const struct node *item = value->first; item != NULL; item = item->next) {
			if (item->faulty || (item->type == NODE_SCALAR && !node_is_nothing(item)))
				continue;
			refuse(f, option, item, &why);
			return false;
		}
		return true;
	}
	if (value->faulty)
		return false;
	if (value->type != NODE_SCALAR || node_is_nothing(value)) {
		refuse(f, option, value, &why);
		return false;
	}
	if (value->quoted && (option->type == STRATA_OPT_BOOL || option->type == STRATA_OPT_UINT)) {
		snprintf(why.expected, sizeof(why.expected), "a %s",
			 option->type == STRATA_OPT_BOOL ? "bool" : "number");
		snprintf(why.hint, sizeof(why.hint), "leave the quotes out");
		refuse(f, option, value, &why);
		return false;
	}
	return true;
}

static void fill_value(struct filling *f, const struct strata_option *option,
		       const struct node *value)
{
	struct refusal why = { .expected = "" };
	void *field = f->config + option->offset;
	if (!check_shape(f, option, value))
		return;
	if (option->type == STRATA_OPT_LIST) {
		node_to_list(value, &f->pool, field);
	} else if (is_text(option)) {
		const char *copy = pool_string(&f->pool, value->text, strlen(value->text));
		memcpy(field, &copy, sizeof(copy));
	} else if (parse_plain(f->k, option, value->text, false, field, &why) < 0) {
		refuse(f, option, value, &why);
	}
}

static int fill_default(struct filling *f, const struct strata_option *option, struct refusal *why)
{
	void *field = f->config + option->offset;
	if (option->fallback == NULL)
		return 0;
	if (is_text(option)) {
		/* The descriptor stays in memory as long as the configuration. */
		memcpy(field, &option->fallback, sizeof(option->fallback));
		return 0;
	}
	if (option->type == STRATA_OPT_LIST) {
		text_to_list(option->fallback, &f->pool, field);
		return 0;
	}
	return parse_plain(f->k, option, option->fallback, false, field, why);
}

const struct node *option_value(const struct node *map, const char *name)
{
	const struct node *value = map != NULL ? map->first : NULL;
	while (value != NULL && strcmp(value->key->text, name) != 0)
		value = value->next;
	return value;
}

/* Bytes for the strings of all values. */
static size_t pool_room(const struct option_schema *schema, const struct node *map)
{
	size_t room = 0;
	for (size_t i = 0; i < schema->count; i++)
		if (schema->options[i].type == STRATA_OPT_LIST &&
		    schema->options[i].fallback != NULL)
			room += list_room(schema->options[i].fallback);
	for (const struct node *v = map != NULL ? map->first : NULL; v != NULL; v = v->next) {
		if (v->type == NODE_SCALAR) {
			room += strlen(v->text) + 1;
			continue;
		}
		room += sizeof(char *);
		for (const struct node *item = v->first; item != NULL; item = item->next) {
			room += sizeof(char *);
			if (item->type == NODE_SCALAR)
				room += strlen(item->text) + 1;
		}
	}
	return room;
}

static void check_unknown(const struct filling *f, const struct node *map)
{
	char shown[TEXT_SHOWN_SIZE], hint[TEXT_HINT_SIZE];
	for (const struct node *v = map != NULL ? map->first : NULL; v != NULL; v = v->next) {
		if (v->key->faulty || option_find(f->schema, v->key->text) != NULL)
			continue;
		manifest_fault(f->manifest, v->key, f->error, "unknown option %s: %s %s%s",
			       text_shown(v->key->text, shown), f->schema->owner,
			       f->schema->count == 0 ? "takes none" : "has none of that name",
			       option_hint(f->schema, v->key->text, hint));
	}
}

static void fill_all(struct filling *f, const struct node *map, const struct node *node)
{
	for (size_t i = 0; i < f->schema->count; i++) {
		const struct strata_option *option = &f->schema->options[i];
		const struct node *value = option_value(map, option->name);
		struct refusal why = { .expected = "" };
		if (value != NULL)
			fill_value(f, option, value);
		else if (option->required)
			manifest_fault(f->manifest, node, f->error,
				       "missing option \"%s\": expected in options of %s",
				       option->name, f->schema->owner);
		else if (fill_default(f, option, &why) < 0)
			manifest_fault(f->manifest, node, f->error,
				       "option \"%s\" of %s: expected %s, found the default \"%s\"",
				       option->name, f->schema->owner, why.expected,
				       option->fallback);
	}
}

int option_fill(struct kernel *k, const struct option_schema *schema,
		const struct manifest *manifest,
		const struct node *map, const struct node *node, void **out,
		struct strata_error *error)
{
	struct filling f = { .k = k, .schema = schema, .manifest = manifest, .error = error };
	unsigned int before = error->count;
	size_t room = pool_room(schema, map);
	*out = NULL;
	check_unknown(&f, map);
	if (schema->size != 0) {
		f.config = strata_alloc(&k->pub, schema->size + room);
		if (f.config == NULL) {
			strata_error_add(error, "%s: out of memory", schema->owner);
			return -ENOMEM;
		}
		f.pool = (struct pool){ .at = f.config + schema->size,
					.end = f.config + schema->size + room };
		fill_all(&f, map, node);
	}
	if (error->count != before) {
		strata_free(&k->pub, f.config);
		return -EINVAL;
	}
	*out = f.config;
	return 0;
}

/* ---- one option of a running module ---- */

static int refuse_text(struct strata_error *error, const struct strata_option *option,
		       const char *text, const struct refusal *why)
{
	char shown[TEXT_SHOWN_SIZE];
	strata_error_add(error, "option \"%s\": expected %s, found %s%s%s", option->name,
			 why->expected,
			 text_shown(text, shown), why->hint[0] != '\0' ? "; " : "", why->hint);
	return -EINVAL;
}

int option_parse(struct kernel *k, const struct strata_option *option, const char *text,
		 void *config, void **owned, struct strata_error *error)
{
	struct refusal why = { .expected = "" };
	void *field = (char *)config + option->offset;
	*owned = NULL;
	if (!is_text(option) && option->type != STRATA_OPT_LIST) {
		union {
			bool flag;
			uint64_t number;
			uint32_t choice;
			struct strata_prefix prefix;
			struct strata_lladdr lladdr;
		} value;
		memset(&value, 0, sizeof(value));
		if (parse_plain(k, option, text, true, &value, &why) < 0)
			return refuse_text(error, option, text, &why);
		memcpy(field, &value, strata_option_size(option));
		return 0;
	}
	size_t room = option->type == STRATA_OPT_LIST ? list_room(text) : strlen(text) + 1;
	char *block = strata_alloc(&k->pub, room);
	if (block == NULL) {
		strata_error_add(error, "option \"%s\": out of memory", option->name);
		return -ENOMEM;
	}
	struct pool pool = { .at = block, .end = block + room };
	*owned = block;
	if (option->type == STRATA_OPT_LIST) {
		text_to_list(text, &pool, field);
	} else {
		const char *copy = pool_string(&pool, text, strlen(text));
		memcpy(field, &copy, sizeof(copy));
	}
	return 0;
}

/* ---- values to text ---- */

static int format_prefix(struct kernel *k, const struct strata_prefix *prefix, char *buf,
			 size_t size)
{
	char text[STRATA_ADDR_TEXT] = "?";
	const struct strata_address_ops *ops = strata_address_ops(&k->pub, prefix->addr.family);
	if (!strata_addr_is_set(&prefix->addr))
		return snprintf(buf, size, "%s", "");
	if (ops != NULL)
		ops->format(&prefix->addr, text, sizeof(text));
	return snprintf(buf, size, "%s/%u", text, prefix->bits);
}

static int format_lladdr(const struct strata_lladdr *lladdr, char *buf, size_t size)
{
	size_t at = 0;
	buf[0] = '\0';
	for (uint8_t i = 0; i < lladdr->length && at < size; i++)
		at += (size_t)snprintf(buf + at, size - at, "%s%02x", i > 0 ? ":" : "",
				       lladdr->bytes[i]);
	return (int)at;
}

static int format_list(const struct strata_list *list, char *buf, size_t size)
{
	size_t at = (size_t)snprintf(buf, size, "[");
	for (size_t i = 0; i < list->count && at < size; i++)
		at += (size_t)snprintf(buf + at, size - at, "%s%s", i > 0 ? ", " : "",
				       list->items[i]);
	if (at < size)
		at += (size_t)snprintf(buf + at, size - at, "]");
	return (int)at;
}

int option_format(struct kernel *k, const struct strata_option *option, const void *config,
		  char *buf, size_t size)
{
	const void *field = (const char *)config + option->offset;
	const char *text;
	uint64_t number;
	uint32_t choice;
	int n = 0;
	if (size == 0)
		return -ENOSPC;
	switch (option->type) {
	case STRATA_OPT_BOOL:
		n = snprintf(buf, size, "%s", *(const bool *)field ? "true" : "false");
		break;
	case STRATA_OPT_UINT:
	case STRATA_OPT_SIZE:
	case STRATA_OPT_TIME:
	case STRATA_OPT_CHANCE:
		memcpy(&number, field, sizeof(number));
		n = option->type == STRATA_OPT_SIZE ? text_format_size(number, buf, size) :
		    option->type == STRATA_OPT_TIME ? text_format_time(number, buf, size) :
		    option->type == STRATA_OPT_CHANCE ? text_format_chance(number, buf, size) :
		    snprintf(buf, size, "%" PRIu64, number);
		break;
	case STRATA_OPT_STRING:
	case STRATA_OPT_MODULE:
		memcpy(&text, field, sizeof(text));
		n = snprintf(buf, size, "%s", text != NULL ? text : "");
		break;
	case STRATA_OPT_CHOICE:
		memcpy(&choice, field, sizeof(choice));
		n = snprintf(buf, size, "%s", option->choices[choice]);
		break;
	case STRATA_OPT_PREFIX:
		n = format_prefix(k, field, buf, size);
		break;
	case STRATA_OPT_LLADDR:
		n = format_lladdr(field, buf, size);
		break;
	case STRATA_OPT_LIST:
		n = format_list(field, buf, size);
		break;
	}
	return (size_t)n < size ? 0 : -ENOSPC;
}

/* ---- the schema itself ---- */

int option_check_schema(const struct option_schema *schema, struct strata_error *error)
{
	int result = 0;
	for (size_t i = 0; i < schema->count; i++) {
		const struct strata_option *option = &schema->options[i];
		size_t size = option->name != NULL ? strata_option_size(option) : 0;
		if (option->name == NULL || size == 0)
			strata_error_add(error, "%s: option %zu of its descriptor has no name or "
					 "an unknown type", schema->owner, i);
		else if (option->offset > schema->size || schema->size - option->offset < size)
			strata_error_add(error, "%s: option \"%s\" lies outside its structure",
					 schema->owner, option->name);
		else if (option->type == STRATA_OPT_CHOICE && option->choices == NULL)
			strata_error_add(error, "%s: option \"%s\" has no choices", schema->owner,
					 option->name);
		else
			continue;
		result = -EINVAL;
	}
	return result;
}
