/* SPDX-License-Identifier: BSD-2-Clause */
/* The log: lines for people, by level, each under the name of the instance that says it. */
#include "kernel.h"

#include <stdarg.h>
#include <stdio.h>

/* Local choice: longest message; what is beyond is cut. */
#define LOG_MAX 2048
#define NAME_MAX_SHOWN 160

/* What came from outside may end up in a message: it must not write lines or terminal codes. */
static void make_printable(char *line)
{
	for (; *line != '\0'; line++) {
		if ((unsigned char)*line < 0x20 || *line == 0x7f)
			*line = '?';
	}
}

void strata_log(struct strata_stack *stack, const struct strata_instance *self,
		enum strata_log_level level, const char *format, ...)
{
	struct kernel *k = kernel_of(stack);
	const bool own = self == NULL || self == &k->self;
	char text[LOG_MAX], *line, *rest = text;
	const char *name = own ? "kernel" : self->name;
	char with_shard[NAME_MAX_SHOWN];
	va_list args;

	if (level > (own ? k->settings.log_level : self->log_level))
		return;
	if (strata_unlikely(k->shard != NULL)) {
		snprintf(with_shard, sizeof(with_shard), "shard %u: %s", strata_shard(stack), name);
		name = with_shard;
	}
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	while ((line = strsep(&rest, "\n")) != NULL) {
		if (*line == '\0')
			continue;
		make_printable(line);
		if (!env_log(&k->env, level, name, line))
			strata_count(&k->self, KERNEL_COUNT_LOG_LINES_LOST, 1);
	}
}
