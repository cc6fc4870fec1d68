/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The list of faults a control path fills. Plain malloc: faults are told before a stack exists
 * and after it is gone.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernel.h"

/* Room for `more` bytes beyond the length, and a NUL. */
static bool error_reserve(struct strata_error *error, size_t more)
{
	size_t want = error->length + more + 1;
	if (want <= error->room)
		return true;
	size_t room = error->room * 2 > want ? error->room * 2 : want + 128;
	char *text = realloc(error->text, room);
	if (text == NULL)
		return false;
	error->text = text;
	error->room = room;
	return true;
}

void strata_error_add(struct strata_error *error, const char *format, ...)
{
	if (error == NULL)
		return;
	error->count++;
	va_list args;
	va_start(args, format);
	int length = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (length < 0 || !error_reserve(error, (size_t)length + 1))
		return;
	va_start(args, format);
	vsnprintf(error->text + error->length, (size_t)length + 1, format, args);
	va_end(args);
	error->length += (size_t)length;
	error->text[error->length++] = '\n';
	error->text[error->length] = '\0';
}

const char *strata_error_text(const struct strata_error *error)
{
	return error != NULL && error->text != NULL ? error->text : "";
}

void strata_error_clear(struct strata_error *error)
{
	free(error->text);
	*error = (struct strata_error){ 0 };
}

void error_move(struct strata_error *to, struct strata_error *from)
{
	if (to != NULL && from->count != 0) {
		strata_error_add(to, "%.*s", (int)(from->length > 0 ? from->length - 1 : 0),
				 strata_error_text(from));
		to->count += from->count - 1;
	}
	strata_error_clear(from);
}
