/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `strata new-module`: begins a module outside of this tree. Here the command line is checked against the
 * rules of modules and against those installed; the files are strata_new_files.c's.
 */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <strata/embed.h>
#include <unistd.h>
#include "strata_cli.h"
#include "strata_new.h"

/* Local choice: names become parts of C names and file names. */
#define NAME_LENGTH 31
#define AUTHOR_LENGTH 100

/* ---- kinds and their numbers ---- */

/* Numbers kept for experiments, which a module has until it is given one: RFC 3692 2.1 for IP protocols,
 * IEEE 802 9.2.4 for EtherTypes. */
static const struct kind {
	const char *name;
	enum strata_kind kind;
	uint32_t least, most;		/* of the number; 0: has none */
	uint32_t experimental[2];
	const char *format;		/* how the number is written */
} kinds[] = {
	{ "link", STRATA_LINK, 0, 0, { 0, 0 }, "%u" },
	{ "network", STRATA_NETWORK, 0x0600, 0xffff, { 0x88b5, 0x88b6 }, "0x%04x" },
	{ "transport", STRATA_TRANSPORT, 1, 255, { 253, 254 }, "%u" },
	{ "congestion", STRATA_CONGESTION, 0, 0, { 0, 0 }, "%u" },
	{ "service", STRATA_SERVICE, 0, 0, { 0, 0 }, "%u" },
};

static const struct kind *find_kind(const struct cli *cli)
{
	const char *names[STRATA_COUNT(kinds) + 1] = { NULL }, *name = cli_option(cli, "kind");
	char near[64];

	if (name == NULL) {
		cli_usage_error(cli, "expected --kind link, network, transport, congestion or service");
		return NULL;
	}
	for (size_t i = 0; i < STRATA_COUNT(kinds); i++) {
		names[i] = kinds[i].name;
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	}
	cli_usage_error(cli, "--kind: expected link, network, transport, congestion or service, found '%s'%s",
			name, cli_suggestion(name, names, near, sizeof(near)));
	return NULL;
}

/* ---- names ---- */

static bool is_name(const char *name)
{
	size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");

	return name[length] == '\0' && length > 0 && length <= NAME_LENGTH && name[0] >= 'a';
}

static bool check_name(const struct cli *cli, const char *name)
{
	char mended[NAME_LENGTH + 1] = "";
	size_t length = strlen(name);

	if (is_name(name) && strcmp(name, "strata") != 0 && strncmp(name, "strata_", 7) != 0)
		return true;
	if (is_name(name)) {
		cli_usage_error(cli, "'%s': names of the kernel begin so; choose another", name);
		return false;
	}
	/* What is probably meant: "My-Proto" is my_proto. */
	for (size_t i = 0; i < length && length <= NAME_LENGTH; i++) {
		char c = name[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		mended[i] = c == '-' || c == '.' || c == ' ' ? '_' : c;
	}
	cli_usage_error(cli, "a module's name is a part of C names: expected a letter, then letters, digits and "
			"'_', all in lower case and %d at most, found '%s'%s%s%s", NAME_LENGTH, name,
			is_name(mended) ? ", did you mean '" : "", is_name(mended) ? mended : "",
			is_name(mended) ? "'?" : "");
	return false;
}

/* Stands in comments of C, in a man page, and in strings of neither. */
static bool is_author(const char *author)
{
	if (author[0] == '\0' || author[0] == '.' || author[0] == '\'' || strlen(author) > AUTHOR_LENGTH)
		return false;
	for (const char *c = author; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f || *c == '\\')
			return false;
	return strstr(author, "*/") == NULL;
}

/* As given, or the name that the system knows the user by. Into `buf`. Returns false having told why. */
static bool find_author(const struct cli *cli, char *buf, size_t size)
{
	const char *given = cli_option(cli, "author");
	const struct passwd *user = given == NULL ? getpwuid(getuid()) : NULL;

	if (given != NULL && !is_author(given)) {
		cli_usage_error(cli, "--author: expected a name for a comment's line, found '%s'", given);
		return false;
	}
	snprintf(buf, size, "%s", given != NULL ? given : user != NULL && user->pw_gecos != NULL ? user->pw_gecos : "");
	/* What follows the first comma is no name but a room and telephones. */
	if (given == NULL)
		buf[strcspn(buf, ",")] = '\0';
	if (!is_author(buf))
		snprintf(buf, size, "%s", user != NULL && is_author(user->pw_name) ? user->pw_name : "the author");
	return true;
}

/* ---- against the modules that are installed ---- */

struct search {
	const struct cli *cli;
	const char *name;		/* of the new module */
	const struct kind *kind;
	uint32_t number;
	char holder[NAME_MAX];		/* who has the number; "": nobody */
	char path[PATH_MAX];		/* of the module found */
	bool taken;			/* the name is */
};

static void search_one(void *ctx, const char *name)
{
	struct search *s = ctx;
	struct strata_error error = { 0 };
	struct strata_module_file *file;
	const struct strata_module *module;

	if (s->taken || (strcmp(name, s->name) != 0 && s->number == 0))
		return;
	file = strata_module_open(name, s->cli->module_path, &error);
	/* A file that is no module is in nobody's way but by its name. */
	strata_error_clear(&error);
	if (strcmp(name, s->name) == 0) {
		s->taken = true;
		snprintf(s->path, sizeof(s->path), "%s", file != NULL ? strata_module_path(file) : name);
	}
	module = file != NULL ? strata_module_of(file) : NULL;
	if (module != NULL && !s->taken && module->kind == (uint32_t)s->kind->kind &&
	    module->number == s->number) {
		snprintf(s->holder, sizeof(s->holder), "%s", name);
		snprintf(s->path, sizeof(s->path), "%s", strata_module_path(file));
	}
	strata_module_close(file);
}

/* Who has the name, or the number. Returns false having told that the module path cannot be read. */
static bool search_modules(struct search *s)
{
	int result;

	s->holder[0] = '\0';
	result = strata_module_list(s->cli->module_path, search_one, s);
	/* Where nothing is installed yet nothing is taken; a path that was given ought to be there. */
	if (result >= 0 || s->cli->module_path == NULL)
		return true;
	cli_error("new-module: module path %s: %s", s->cli->module_path, strerror(-result));
	return false;
}

/* Finds the number and sees that it and the name are free. Returns 0, or an exit status having told why. */
static int find_number(struct search *s)
{
	const char *given = cli_option(s->cli, "number");
	const struct kind *kind = s->kind;
	uint64_t number = kind->experimental[0];
	char least[16], most[16];

	if (given != NULL && kind->most == 0)
		return cli_usage_error(s->cli, "--number: a %s module is bound by its name and has no number",
				       kind->name);
	snprintf(least, sizeof(least), kind->format, kind->least);
	snprintf(most, sizeof(most), kind->format, kind->most);
	if (given != NULL && !cli_number(given, kind->least, kind->most, &number))
		return cli_usage_error(s->cli, "--number: expected a number from %s to %s, found '%s'", least,
				       most, given);
	s->number = (uint32_t)number;
	if (!search_modules(s))
		return CLI_FAILURE;
	if (given == NULL && s->holder[0] != '\0' && !s->taken) {
		s->number = kind->experimental[1];
		search_modules(s);
	}
	if (s->taken)
		return cli_usage_error(s->cli, "there is a module '%s' already, %s; choose another name", s->name,
				       s->path);
	if (s->holder[0] == '\0')
		return 0;
	snprintf(least, sizeof(least), kind->format, s->number);
	return cli_usage_error(s->cli, "--number: %s number %s is that of module %s, %s; give another one",
			       kind->name, least, s->holder, s->path);
}

/* ---- the command ---- */

static int report(const struct cli *cli, const struct new_project *project, bool numbered, json_t *files)
{
	const json_t *file;
	size_t i;

	if (cli->json)
		return cli_print_json(json_pack("{s:s, s:s, s:o, s:s, s:o}", "name", project->name, "kind",
			project->kind, "number", numbered ? json_string(project->number) : json_null(),
			"directory", project->directory, "files", files));
	printf("%s: a %s module%s%s, in %s\n", project->name, project->kind, numbered ? ", number " : "",
	       numbered ? project->number : "", project->directory);
	json_array_foreach(files, i, file)
		printf("  %s\n", json_string_value(file));
	printf("Next: cd %s && autoreconf -fi && ./configure && make && make check\n", project->directory);
	json_decref(files);
	return 0;
}

static int run_new(const struct cli *cli, int argc, char **argv)
{
	struct search search = { .cli = cli, .name = argv[0], .kind = find_kind(cli) };
	char templates[PATH_MAX], author[AUTHOR_LENGTH + 1];
	struct new_project project = {
		.templates = cli_option(cli, "templates"),
		.directory = cli_option(cli, "directory"),
		.name = argv[0],
		.author = author,
	};
	json_t *files;
	int status;

	(void)argc;
	if (search.kind == NULL || !check_name(cli, argv[0]) || !find_author(cli, author, sizeof(author)))
		return CLI_USAGE;
	status = find_number(&search);
	if (status != 0)
		return status;
	project.kind = search.kind->name;
	snprintf(project.number, sizeof(project.number), search.kind->format, search.number);
	if (project.templates == NULL)
		project.templates = new_templates(templates);
	if (project.directory == NULL)
		project.directory = argv[0];
	files = new_write(&project);
	return files != NULL ? report(cli, &project, search.kind->most != 0, files) : CLI_FAILURE;
}

static const struct cli_option options[] = {
	{ "kind", 'k', "KIND", "link, network, transport, congestion or service", CLI_TEXT },
	{ "number", 'n', "NUMBER", "EtherType or IP protocol number (default: an experimental one)", CLI_TEXT },
	{ "directory", 'd', "DIR", "directory that is made (default: the module's name)", CLI_DIRECTORY },
	{ "author", 'a', "NAME", "who stands in the files (default: you)", CLI_TEXT },
	{ "templates", 0, "DIR", "templates of your own, in the manner of the installed ones", CLI_DIRECTORY },
	{ NULL, 0, NULL, NULL, CLI_TEXT },
};

const struct cli_command cli_command_new_module = {
	.name = "new-module",
	.run = run_new,
	.summary = "Begin a module of your own: a complete project with a test",
	.operands = "NAME",
	.least = 1,
	.most = 1,
	.value = CLI_TEXT,
	.options = options,
	.help = "Writes configure.ac, Makefile.am, a module that works, its tables, its test in virtual\n"
		"time, its man page and a manifest. It builds against the installed Strata by pkg-config\n"
		"and passes its own `make check` as it is.",
	.examples = "strata new-module rudp --kind transport --number 253\n"
		    "strata new-module beacon --kind network --directory src/beacon\n"
		    "cd rudp && autoreconf -fi && ./configure && make && make check",
};
