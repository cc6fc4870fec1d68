/* SPDX-License-Identifier: BSD-2-Clause */
/* Filters of streams, as they come in a request. The client has compiled them: names in them may take it
 * long to look up, and here nothing waits. */
#include "control_filter.h"

#include <errno.h>
#include <stdio.h>
#include "control_bpf.h"

/* Local choice: link types that a filter has programs for, and bytes of its text. */
#define PROGRAMS 4
#define TEXT_MAX 4096

struct program {
	uint16_t link_type;
	struct sock_filter *code;
};

struct control_filter {
	struct program programs[PROGRAMS];
	size_t count;
	char *text;
};

void control_filter_free(struct strata_stack *stack, struct control_filter *filter)
{
	size_t i;

	if (filter == NULL)
		return;
	for (i = 0; i < filter->count; i++)
		strata_free(stack, filter->programs[i].code);
	strata_free(stack, filter->text);
	strata_free(stack, filter);
}

static bool read_number(const json_t *json, json_int_t most, json_int_t *out)
{
	*out = json_integer_value(json);
	return json_is_integer(json) && *out >= 0 && *out <= most;
}

static bool read_instruction(const json_t *json, struct sock_filter *out)
{
	json_int_t code, jt, jf, k;

	if (json_array_size(json) != 4 || !read_number(json_array_get(json, 0), UINT16_MAX, &code) ||
	    !read_number(json_array_get(json, 1), UINT8_MAX, &jt) ||
	    !read_number(json_array_get(json, 2), UINT8_MAX, &jf) ||
	    !read_number(json_array_get(json, 3), UINT32_MAX, &k))
		return false;
	out->code = (uint16_t)code;
	out->jt = (uint8_t)jt;
	out->jf = (uint8_t)jf;
	out->k = (uint32_t)k;
	return true;
}

/* Reads a program of the right form into memory of its own, and checks it. */
static int read_code(struct strata_stack *stack, const json_t *json, struct program *program,
		     char *message, size_t size)
{
	size_t count = json_array_size(json), where, i;
	const char *why;

	if (count == 0 || count > CONTROL_BPF_MAX) {
		snprintf(message, size, "`filter`: a program is an array of 1 to %d instructions, "
			 "found %zu", CONTROL_BPF_MAX, count);
		return -EINVAL;
	}
	program->code = strata_alloc(stack, count * sizeof(*program->code));
	if (program->code == NULL) {
		snprintf(message, size, "out of memory");
		return -ENOMEM;
	}
	for (i = 0; i < count; i++) {
		if (!read_instruction(json_array_get(json, i), &program->code[i])) {
			snprintf(message, size, "`filter`: instruction %zu: expected "
				 "[code,jt,jf,k] of 16, 8, 8 and 32 bits", i);
			return -EINVAL;
		}
	}
	why = control_bpf_fault(program->code, count, &where);
	if (why == NULL)
		return 0;
	snprintf(message, size, "`filter`: instruction %zu %s", where, why);
	return -EINVAL;
}

static int read_program(struct strata_stack *stack, const json_t *json, struct control_filter *filter,
			char *message, size_t size)
{
	struct program *program;
	json_int_t type;

	if (!read_number(json_object_get(json, "link_type"), UINT16_MAX, &type)) {
		snprintf(message, size, "`filter`: a program has a `link_type` of 0 to 65535 and `code`");
		return -EINVAL;
	}
	if (filter->count == PROGRAMS || control_filter_knows(filter, (uint16_t)type)) {
		snprintf(message, size, "`filter`: at most %d programs, each of another `link_type`",
			 PROGRAMS);
		return -EINVAL;
	}
	program = &filter->programs[filter->count++];
	program->link_type = (uint16_t)type;
	return read_code(stack, json_object_get(json, "code"), program, message, size);
}

static int read_text(struct strata_stack *stack, const json_t *json, struct control_filter *filter,
		     char *message, size_t size)
{
	const char *text = json_string_value(json);
	size_t length = json_string_length(json);

	if (text == NULL || length > TEXT_MAX) {
		snprintf(message, size, "`filter`: expected `text`, at most %d bytes", TEXT_MAX);
		return -EINVAL;
	}
	filter->text = strata_alloc(stack, length + 1);
	if (filter->text == NULL) {
		snprintf(message, size, "out of memory");
		return -ENOMEM;
	}
	memcpy(filter->text, text, length);
	return 0;
}

int control_filter_read(struct strata_stack *stack, const json_t *request,
			struct control_filter **out, char *message, size_t size)
{
	const json_t *json = json_object_get(request, "filter");
	const json_t *programs = json_object_get(json, "programs");
	struct control_filter *filter;
	size_t i;
	int result;

	*out = NULL;
	if (json == NULL || json_is_null(json))
		return 0;
	if (json_array_size(programs) == 0) {
		snprintf(message, size, "`filter`: expected an object with `text` and `programs`");
		return -EINVAL;
	}
	filter = strata_alloc(stack, sizeof(*filter));
	if (filter == NULL) {
		snprintf(message, size, "out of memory");
		return -ENOMEM;
	}
	result = read_text(stack, json_object_get(json, "text"), filter, message, size);
	for (i = 0; result == 0 && i < json_array_size(programs); i++)
		result = read_program(stack, json_array_get(programs, i), filter, message, size);
	if (result == 0)
		*out = filter;
	else
		control_filter_free(stack, filter);
	return result;
}

/* ---- asking ---- */

static const struct program *find(const struct control_filter *filter, uint16_t link_type)
{
	size_t i;

	for (i = 0; i < filter->count; i++)
		if (filter->programs[i].link_type == link_type)
			return &filter->programs[i];
	return NULL;
}

bool control_filter_knows(const struct control_filter *filter, uint16_t link_type)
{
	return filter == NULL || find(filter, link_type) != NULL;
}

bool control_filter_wants(const struct control_filter *filter, const struct strata_pkt *pkt,
			  uint16_t link_type)
{
	const struct program *program;

	if (filter == NULL)
		return true;
	program = find(filter, link_type);
	return program != NULL && control_bpf_run(program->code, pkt) != 0;
}

const char *control_filter_text(const struct control_filter *filter)
{
	return filter != NULL ? filter->text : NULL;
}
