/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who may do what. Whoever can open the socket's file may look; to change things one has to be root, the
 * daemon's own user, or a member of the administering group. unix(7), SO_PEERCRED, is the reference.
 */
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "control_int.h"

/* Local choice: a group of that many bytes is not read: it has some 100,000 members. */
#define GROUP_ENTRY_MAX ((size_t)1 << 20)
/* Local choice: groups of a client that are looked at without allocating. */
#define CLIENT_GROUPS 64

/* The number of a group given by name or number. Returns 0 or -errno. */
static int group_number(struct strata_stack *stack, const char *name, uint32_t *out)
{
	struct group entry, *found = NULL;
	size_t size = 1024;
	char *end, *buf;
	int result;

	if (name[0] >= '0' && name[0] <= '9') {
		unsigned long number = strtoul(name, &end, 10);

		if (*end != '\0' || number >= CONTROL_NO_GROUP)
			return -EINVAL;
		*out = (uint32_t)number;
		return 0;
	}
	do {
		buf = strata_alloc(stack, size);
		if (buf == NULL)
			return -ENOMEM;
		result = getgrnam_r(name, &entry, buf, size, &found);
		if (result == 0 && found != NULL)
			*out = entry.gr_gid;
		strata_free(stack, buf);
		size *= 4;
	} while (result == ERANGE && size <= GROUP_ENTRY_MAX);
	return result != 0 ? -result : found != NULL ? 0 : -ENOENT;
}

static int resolve(struct control *control, const char *option, const char *name, uint32_t *out,
		   struct strata_error *error)
{
	int result = 0;

	*out = CONTROL_NO_GROUP;
	if (name != NULL)
		result = group_number(control->self->stack, name, out);
	if (result < 0)
		strata_error_add(error, "control: option %s: %s \"%s\"; make it with groupadd(8), or name "
				 "another", option, result == -ENOENT ? "no group" : strerror(-result),
				 name);
	return result;
}

int control_access_init(struct control *control, struct strata_error *error)
{
	const struct control_config *config = control->self->config;
	int result = resolve(control, "group", config->group, &control->group, error);
	int second = resolve(control, "admin_group", config->admin_group, &control->admin_group, error);

	/* Administrators have to get in: the file is theirs when it is nobody else's. */
	if (control->group == CONTROL_NO_GROUP)
		control->group = control->admin_group;
	return result < 0 ? result : second;
}

/* Whether `group` is among the supplementary groups of the process at the other end. */
static bool has_group(struct strata_stack *stack, int fd, uint32_t group)
{
	gid_t few[CLIENT_GROUPS], *groups = few;
	socklen_t length = sizeof(few);
	bool found = false;
	size_t i;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &length) < 0) {
		if (errno != ERANGE)	/* which tells how long it is */
			return false;
		groups = strata_alloc(stack, length);
		if (groups == NULL ||
		    getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &length) < 0)
			length = 0;
	}
	for (i = 0; i < length / sizeof(*groups); i++)
		found |= groups[i] == group;
	if (groups != few)
		strata_free(stack, groups);
	return found;
}

bool control_access_admin(const struct control *control, int fd)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0)
		return false;
	if (peer.uid == 0 || peer.uid == geteuid())
		return true;
	return control->admin_group != CONTROL_NO_GROUP &&
	       (peer.gid == control->admin_group ||
		has_group(control->self->stack, fd, control->admin_group));
}

void control_access_names(const struct control *control, char *buf, size_t size)
{
	const struct control_config *config = control->self->config;
	char user[32] = "";

	if (geteuid() != 0)
		snprintf(user, sizeof(user), " and uid %u", (unsigned int)geteuid());
	if (config->admin_group != NULL)
		snprintf(buf, size, "root%s and members of group %s", user, config->admin_group);
	else
		snprintf(buf, size, "root%s; option admin_group of module control lets a group do it", user);
}
