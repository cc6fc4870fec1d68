/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Values as people write them, and the nearest known name to a mistaken one (Damerau 1964,
 * Levenshtein 1966).
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strata/error.h>

#include "text.h"

/* Local choice: longer words have no near names, which bounds the cost of looking for them. */
#define NEAREST_LONGEST 64
/* Local choice: characters of a value that a message shows. */
#define SHOWN_LONGEST 60
/* Parts per million in one per cent. */
#define CHANCE_PERCENT 10000

static int digit_value(char c, unsigned int base)
{
	int v = c >= '0' && c <= '9' ? c - '0' :
		c >= 'a' && c <= 'f' ? c - 'a' + 10 :
		c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
	return v >= 0 && (unsigned int)v < base ? v : -1;
}

static bool add_digit(uint64_t *value, unsigned int base, unsigned int digit)
{
	return !__builtin_mul_overflow(*value, base, value) &&
	       !__builtin_add_overflow(*value, digit, value);
}

/* Reads the digits at `s`; `*end` is the first byte after them, `s` itself where there are none. */
static int read_number(const char *s, const char **end, uint64_t *out, struct text_fault *fault)
{
	unsigned int base = 10;
	const char *p = s;
	uint64_t value = 0;
	if (p[0] == '0' && p[1] == 'x') {
		base = 16;
		p += 2;
	}
	const char *digits = p;
	for (int d; (d = digit_value(*p, base)) >= 0; p++) {
		if (!add_digit(&value, base, (unsigned int)d)) {
			snprintf(fault->hint, sizeof(fault->hint), "it does not fit 64 bits");
			return -EINVAL;
		}
	}
	if (base == 10 && p - digits > 1 && digits[0] == '0') {
		snprintf(fault->hint, sizeof(fault->hint),
			 "write it without leading zeros, or 0x for hex");
		return -EINVAL;
	}
	*end = p == digits ? s : p;
	*out = value;
	return 0;
}

int text_uint(const char *s, uint64_t *out, struct text_fault *fault)
{
	const char *end;
	*fault = (struct text_fault){ .expected = "a number, decimal or 0x hex" };
	if (read_number(s, &end, out, fault) < 0)
		return -EINVAL;
	return end == s || *end != '\0' ? -EINVAL : 0;
}

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit size_units[] = {
	{ "GiB", UINT64_C(1) << 30 },
	{ "MiB", UINT64_C(1) << 20 },
	{ "KiB", UINT64_C(1) << 10 },
	{ "", 1 },
};

static const struct unit time_units[] = {
	{ "min", 60 * STRATA_SEC },
	{ "s", STRATA_SEC },
	{ "ms", STRATA_MS },
	{ "us", STRATA_US },
};

static int read_quantity(const char *s, const struct unit *units, size_t count, uint64_t *out,
			 struct text_fault *fault)
{
	const char *end;
	uint64_t value;
	if (read_number(s, &end, &value, fault) < 0 || end == s)
		return -EINVAL;
	while (*end == ' ')
		end++;
	for (size_t i = 0; i < count; i++) {
		if (strcmp(end, units[i].name) != 0)
			continue;
		if (!__builtin_mul_overflow(value, units[i].factor, out))
			return 0;
		snprintf(fault->hint, sizeof(fault->hint), "it does not fit 64 bits");
		return -EINVAL;
	}
	for (size_t i = 0; i < count; i++)
		if (strncasecmp(end, units[i].name, 1) == 0 && *end != '\0')
			snprintf(fault->hint, sizeof(fault->hint), "write %" PRIu64 "%s", value,
				 units[i].name);
	return -EINVAL;
}

int text_size(const char *s, uint64_t *out, struct text_fault *fault)
{
	*fault = (struct text_fault){ .expected = "a size in bytes, KiB, MiB or GiB" };
	return read_quantity(s, size_units, STRATA_COUNT(size_units), out, fault);
}

int text_time(const char *s, uint64_t *out, struct text_fault *fault)
{
	*fault = (struct text_fault){ .expected = "a time in us, ms, s or min" };
	if (strcmp(s, "0") == 0) {
		*out = 0;
		return 0;
	}
	return read_quantity(s, time_units, STRATA_COUNT(time_units), out, fault);
}

int text_chance(const char *s, uint64_t *out, struct text_fault *fault)
{
	uint64_t whole = 0, part = 0, weight = CHANCE_PERCENT;
	const char *at = s;
	*fault = (struct text_fault){ .expected = "a chance such as 5% or 0.25%" };
	for (; isdigit((unsigned char)*at) && whole <= 100; at++)
		whole = whole * 10 + (uint64_t)(*at - '0');
	if (at == s || (at - s > 1 && s[0] == '0'))
		return -EINVAL;
	if (*at == '.') {
		if (!isdigit((unsigned char)*++at))
			return -EINVAL;
		for (; isdigit((unsigned char)*at) && weight > 1; at++) {
			weight /= 10;
			part += (uint64_t)(*at - '0') * weight;
		}
	}
	part += whole * CHANCE_PERCENT;
	if (strcmp(at, "%") != 0 && !(*at == '\0' && part == 0)) {
		if (*at == '\0')
			snprintf(fault->hint, sizeof(fault->hint), "write %.20s%%", s);
		return -EINVAL;
	}
	if (part > CHANCE_PERCENT * 100)
		return -EINVAL;
	*out = part;
	return 0;
}

int text_bool(const char *s, bool lenient, bool *out, struct text_fault *fault)
{
	static const struct {
		const char *word;
		bool value;
	} others[] = {
		{ "yes", true }, { "no", false }, { "on", true }, { "off", false },
		{ "y", true }, { "n", false }, { "1", true }, { "0", false },
		{ "true", true }, { "false", false },
	};
	*fault = (struct text_fault){ .expected = "true or false" };
	if (strcmp(s, "true") == 0 || strcmp(s, "false") == 0) {
		*out = s[0] == 't';
		return 0;
	}
	for (size_t i = 0; i < STRATA_COUNT(others); i++) {
		if (strcasecmp(s, others[i].word) != 0)
			continue;
		if (lenient && i < 4) {
			*out = others[i].value;
			return 0;
		}
		snprintf(fault->hint, sizeof(fault->hint), "write %s",
			 others[i].value ? "true" : "false");
	}
	return -EINVAL;
}

static int format_quantity(uint64_t value, const struct unit *units, size_t count, char *buf,
			   size_t size)
{
	for (size_t i = 0; i < count; i++)
		if (value != 0 && value % units[i].factor == 0)
			return snprintf(buf, size, "%" PRIu64 "%s", value / units[i].factor,
					units[i].name);
	return -1;
}

int text_format_size(uint64_t bytes, char *buf, size_t size)
{
	int n = format_quantity(bytes, size_units, STRATA_COUNT(size_units), buf, size);
	return n >= 0 ? n : snprintf(buf, size, "0");
}

int text_format_time(uint64_t ns, char *buf, size_t size)
{
	int n = format_quantity(ns, time_units, STRATA_COUNT(time_units), buf, size);
	return n >= 0 ? n : snprintf(buf, size, "%" PRIu64 "%s", ns / STRATA_US,
				     ns == 0 ? "" : "us");
}

int text_format_chance(uint64_t ppm, char *buf, size_t size)
{
	unsigned int digits = 4, part = (unsigned int)(ppm % CHANCE_PERCENT);
	if (part == 0)
		return snprintf(buf, size, "%" PRIu64 "%s", ppm / CHANCE_PERCENT,
				ppm == 0 ? "" : "%");
	for (; part % 10 == 0; part /= 10)
		digits--;
	return snprintf(buf, size, "%" PRIu64 ".%0*u%%", ppm / CHANCE_PERCENT, (int)digits, part);
}

bool text_is_name(const char *s)
{
	if (*s == '\0')
		return false;
	for (; *s != '\0'; s++)
		if (!isalnum((unsigned char)*s) && *s != '_' && *s != '-')
			return false;
	return true;
}

static bool same_letter(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

static unsigned int least(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/* Edits (insert, delete, replace, swap of neighbours) that make `a` into `b`; letter case is free. */
static unsigned int edit_distance(const char *a, const char *b)
{
	unsigned int rows[3][NEAREST_LONGEST + 1];
	size_t columns = strlen(b), lines = strlen(a);
	for (unsigned int j = 0; j <= columns; j++)
		rows[0][j] = j;
	for (unsigned int i = 1; i <= lines; i++) {
		unsigned int *row = rows[i % 3];
		const unsigned int *last = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
		row[0] = i;
		for (size_t j = 1; j <= columns; j++) {
			unsigned int best = last[j - 1] + (same_letter(a[i - 1], b[j - 1]) ? 0 : 1);
			best = least(best, least(last[j] + 1, row[j - 1] + 1));
			if (i > 1 && j > 1 && same_letter(a[i - 1], b[j - 2]) &&
			    same_letter(a[i - 2], b[j - 1]))
				best = least(best, before[j - 2] + 1);
			row[j] = best;
		}
	}
	return rows[lines % 3][columns];
}

void text_nearest_offer(struct text_nearest *nearest, const char *candidate)
{
	size_t length = strlen(nearest->word), other = strlen(candidate);
	if (length < 2 || length > NEAREST_LONGEST || other > NEAREST_LONGEST)
		return;
	unsigned int distance = edit_distance(nearest->word, candidate);
	/* Local choice: a third of the letters may differ, one at least; abbreviations are near. */
	size_t limit = length < 6 ? 1 : length / 3;
	if (strncasecmp(nearest->word, candidate, length) == 0)
		distance = least(distance, 1);
	if (distance > limit || distance >= other)
		return;
	if (nearest->best == NULL || distance < nearest->distance) {
		nearest->best = candidate;
		nearest->distance = distance;
	}
}

const char *text_nearest_hint(const struct text_nearest *nearest, char buf[TEXT_HINT_SIZE])
{
	buf[0] = '\0';
	if (nearest->best != NULL)
		snprintf(buf, TEXT_HINT_SIZE, "; did you mean \"%s\"?", nearest->best);
	return buf;
}

const char *strata_nearest(const char *word, const char *const *candidates, size_t count)
{
	struct text_nearest nearest = { .word = word };
	for (size_t i = 0; i < count; i++)
		text_nearest_offer(&nearest, candidates[i]);
	return nearest.best;
}

const char *text_shown(const char *s, char buf[TEXT_SHOWN_SIZE])
{
	size_t at = 0;
	buf[at++] = '"';
	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;
		/* Never cut within a character: only where its first byte would begin. */
		if (at > SHOWN_LONGEST && (c & 0xc0) != 0x80)
			break;
		if (at > TEXT_SHOWN_SIZE - 16)
			break;
		if (c < 0x20 || c == 0x7f)
			at += (size_t)snprintf(buf + at, TEXT_SHOWN_SIZE - at, "\\x%02x", c);
		else
			buf[at++] = (char)c;
	}
	snprintf(buf + at, TEXT_SHOWN_SIZE - at, "%s\"", *s != '\0' ? "…" : "");
	return buf;
}
