/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who may do what over the control socket. The test becomes other users for the time of a connect(2), which
 * is when the system notes who the peer is; so it has to be root, in a namespace or not, else it is skipped.
 */
#include "house.h"

#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

/* Numbers that need not be in any list: what counts is the number. */
#define SOMEBODY 64001
#define READERS 64010
#define ADMINS 64011
#define OTHERS 64012

#define GROUPS_MANIFEST MANIFEST "    options:\n      group: 64010\n      admin_group: 64011\n"
#define SET_LEVEL "'method':'option.set','name':'stack.log','value':'warning'"

static int be_root_or_skip(void **state)
{
	gid_t none;

	*state = NULL;
	if (geteuid() != 0 || setgroups(0, &none) < 0) {
		print_message("only root can become other users; skipped\n");
		return -1;
	}
	return 0;
}

/* Connects as somebody of these groups; -1: was not let in. */
static int client_as(struct house *h, uid_t user, gid_t group, const gid_t *more, size_t count)
{
	struct stat status;
	int fd = -1;

	assert_int_equal(chmod(h->directory, 0755), 0);
	assert_int_equal(setgroups(count, more), 0);
	assert_int_equal(setegid(group), 0);
	assert_int_equal(seteuid(user), 0);
	if (access(h->path, F_OK) == 0 && euidaccess(h->path, W_OK) == 0)
		fd = client(h);
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(setegid(0), 0);
	assert_int_equal(setgroups(0, more), 0);
	assert_int_equal(stat(h->path, &status), 0);
	return fd;
}

static void expect_reader(struct house *h, int fd)
{
	assert_true(fd >= 0);
	json_decref(ask_ok(h, fd, "'method':'option.get','name':'stack.log'"));
	ask_refused(h, fd, SET_LEVEL, "forbidden", "`option.set` is for root");
	close(fd);
	settle(h);
}

static void expect_admin(struct house *h, int fd)
{
	assert_true(fd >= 0);
	json_decref(ask_ok(h, fd, SET_LEVEL));
	close(fd);
	settle(h);
}

static void readers_look_and_administrators_change(void **state)
{
	static const gid_t both[] = { OTHERS, ADMINS }, readers[] = { OTHERS, READERS };
	static const gid_t all[] = { OTHERS, READERS, ADMINS };
	struct house h;

	if (be_root_or_skip(state) < 0)
		skip();
	house_open(&h, GROUPS_MANIFEST);
	expect_admin(&h, client_as(&h, 0, 0, NULL, 0));
	expect_reader(&h, client_as(&h, SOMEBODY, READERS, NULL, 0));
	expect_reader(&h, client_as(&h, SOMEBODY, OTHERS, readers, 2));
	expect_admin(&h, client_as(&h, SOMEBODY, READERS, both, 2));
	expect_admin(&h, client_as(&h, SOMEBODY, OTHERS, all, 3));
	/* The file is the readers': administrators have to be let in as well. */
	assert_int_equal(client_as(&h, SOMEBODY, ADMINS, NULL, 0), -1);
	assert_int_equal(client_as(&h, SOMEBODY, OTHERS, NULL, 0), -1);
	assert_int_equal(counter(&h, "forbidden"), 2);
	house_close(&h);
}

static void an_administering_group_alone_owns_the_file(void **state)
{
	struct stat status;
	struct house h;

	if (be_root_or_skip(state) < 0)
		skip();
	house_open(&h, MANIFEST "    options:\n      admin_group: 64011\n");
	assert_int_equal(stat(h.path, &status), 0);
	assert_int_equal(status.st_gid, ADMINS);
	assert_int_equal(status.st_mode & 0777, 0660);
	expect_admin(&h, client_as(&h, SOMEBODY, ADMINS, NULL, 0));
	assert_int_equal(client_as(&h, SOMEBODY, READERS, NULL, 0), -1);
	house_close(&h);
}

static void without_an_administering_group_only_root_changes(void **state)
{
	struct house h;
	int fd;

	if (be_root_or_skip(state) < 0)
		skip();
	house_open(&h, MANIFEST "    options:\n      group: 64010\n");
	fd = client_as(&h, SOMEBODY, READERS, NULL, 0);
	ask_refused(&h, fd, SET_LEVEL, "forbidden", "option admin_group of module control");
	close(fd);
	settle(&h);
	expect_admin(&h, client_as(&h, 0, 0, NULL, 0));
	house_close(&h);
}

static void membership_in_thousands_of_groups_is_found(void **state)
{
	static gid_t many[3000];
	struct house h;
	size_t i;

	if (be_root_or_skip(state) < 0)
		skip();
	for (i = 0; i < STRATA_COUNT(many); i++)
		many[i] = (gid_t)(60000 + i);
	house_open(&h, MANIFEST "    options:\n      group: 59999\n      admin_group: 62990\n");
	expect_admin(&h, client_as(&h, SOMEBODY, 59999, many, STRATA_COUNT(many)));
	expect_reader(&h, client_as(&h, SOMEBODY, 59999, many, 2990));
	house_close(&h);
}

static void every_method_that_changes_is_forbidden_to_readers(void **state)
{
	static const char *const methods[] = {
		"'method':'option.set','name':'stack.log','value':'info'",
		"'method':'address.add','interface':'w0','address':'192.0.2.9/24'",
		"'method':'address.remove','interface':'w0','address':'192.0.2.2/24'",
		"'method':'route.add','to':'203.0.113.0/24','via':'192.0.2.1'",
		"'method':'route.remove','to':'203.0.113.0/24','via':'192.0.2.1'",
		"'method':'neighbour.add','interface':'w0','address':'192.0.2.1','mac':'02:00:00:00:00:01'",
		"'method':'neighbour.remove','interface':'w0','address':'192.0.2.1'",
		"'method':'module.enable','name':'udp'",
		"'method':'module.disable','name':'udp'",
		"'method':'module.load','name':'udp'",
		"'method':'module.unload','name':'udp'",
		"'method':'interface.set','name':'w0','up':false",
		"'method':'reload'",
		"'method':'reload','dry_run':true",
	};
	struct house h;
	size_t i;
	int fd;

	if (be_root_or_skip(state) < 0)
		skip();
	house_open(&h, MANIFEST "    options:\n      group: 64010\n");
	fd = client_as(&h, SOMEBODY, READERS, NULL, 0);
	for (i = 0; i < STRATA_COUNT(methods); i++)
		ask_refused(&h, fd, methods[i], "forbidden", "root");
	close(fd);
	settle(&h);
	house_close(&h);
}

static void a_group_that_is_not_there_is_told(void **state)
{
	struct strata_error error = { 0 };
	struct house h;

	(void)state;
	house_open(&h, MANIFEST);
	strata_stack_destroy(h.stack);
	h.stack = NULL;
	assert_true(house_start(&h, MANIFEST "    options:\n      group: no_such_group\n"
				"      admin_group: 99999999999\n", &error) < 0);
	assert_non_null(strstr(strata_error_text(&error), "option group: no group \"no_such_group\""));
	assert_non_null(strstr(strata_error_text(&error), "option admin_group"));
	strata_error_clear(&error);
	assert_int_equal(access(h.path, F_OK), -1);
	assert_int_equal(rmdir(h.directory), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(readers_look_and_administrators_change),
		cmocka_unit_test(an_administering_group_alone_owns_the_file),
		cmocka_unit_test(without_an_administering_group_only_root_changes),
		cmocka_unit_test(membership_in_thousands_of_groups_is_found),
		cmocka_unit_test(every_method_that_changes_is_forbidden_to_readers),
		cmocka_unit_test(a_group_that_is_not_there_is_told),
	};

	return fx_main(tests);
}
