/* SPDX-License-Identifier: BSD-2-Clause */
/* Modules of the running stack that come and go. */
#include <errno.h>
#include <strata/embed.h>
#include "control_int.h"

/* Length of an error reply where the module is this one, in the middle of a call; 0: it is another. */
static size_t refuse_self(struct control_request *request, const char *name)
{
	if (strcmp(name, request->control->self->name) != 0)
		return 0;
	return control_fail(request, "busy_module", "module \"%s\" answers this very request, and nothing "
			    "could bring it back over its own socket; write `enabled: false` in the manifest "
			    "and reload", name);
}

size_t control_module_enable(struct control_request *request)
{
	struct strata_error error = { 0 };
	int result = strata_module_enable(request->control->self->stack, control_text(request, "name"),
					  &error);

	return result < 0 ? control_fail_errno(request, result, &error) :
			    control_result(request, json_object());
}

size_t control_module_disable(struct control_request *request)
{
	const char *name = control_text(request, "name");
	struct strata_error error = { 0 };
	size_t refused = refuse_self(request, name);
	int result;

	if (refused != 0)
		return refused;
	result = strata_module_disable(request->control->self->stack, name, &error);
	return result < 0 ? control_fail_errno(request, result, &error) :
			    control_result(request, json_object());
}
