/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The files of a new module project: each template of common/ and of the kind's folder, with names put in.
 * tools/templates/README.md tells how a template is written.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strata/base.h>
#include <sys/stat.h>
#include <unistd.h>
#include "strata_cli.h"
#include "strata_new.h"

#define SUFFIX ".in"
#define DOT "dot-"

/* ---- where templates are ---- */

static bool ends_with(const char *s, const char *suffix)
{
	size_t length = strlen(s), n = strlen(suffix);

	return length >= n && strcmp(s + length - n, suffix) == 0;
}

const char *new_templates(char *buf)
{
	ssize_t n = readlink("/proc/self/exe", buf, PATH_MAX - 1);
	char *slash;

	buf[n > 0 ? n : 0] = '\0';
	slash = strrchr(buf, '/');
	if (slash != NULL) {
		*slash = '\0';
		/* libtool keeps the program itself one directory further down. */
		if (ends_with(buf, "/.libs"))
			buf[strlen(buf) - strlen("/.libs")] = '\0';
		if (ends_with(buf, "/tools") && strlen(buf) + sizeof("/templates") <= PATH_MAX) {
			strcat(buf, "/templates");
			if (access(buf, R_OK) == 0)
				return buf;
		}
	}
	snprintf(buf, PATH_MAX, "%s", STRATA_TEMPLATEDIR);
	return buf;
}

/* ---- what is put in ---- */

/* Everything that holds for all files of one project. */
struct writing {
	const struct new_project *project;
	char upper[NAME_MAX];
	char tables[2 * NAME_MAX];	/* " NAME_counters.def NAME_drops.def", as far as there are templates */
	json_t *files;			/* written so far */
};

/* The value of the placeholder that begins at `p`, and its length; NULL: it is none. */
static const char *placeholder(const struct writing *w, const char *p, size_t *length)
{
	const struct {
		const char *key, *value;
	} keys[] = {
		{ "@NAME@", w->project->name },
		{ "@UPPER@", w->upper },
		{ "@KIND@", w->project->kind },
		{ "@NUMBER@", w->project->number },
		{ "@AUTHOR@", w->project->author },
		{ "@TABLES@", w->tables },
	};

	for (size_t i = 0; i < STRATA_COUNT(keys); i++) {
		*length = strlen(keys[i].key);
		if (strncmp(p, keys[i].key, *length) == 0)
			return keys[i].value;
	}
	return NULL;
}

static bool expand(const struct writing *w, const char *text, FILE *out)
{
	const char *value;
	size_t length;

	while (*text != '\0') {
		value = *text == '@' ? placeholder(w, text, &length) : NULL;
		if (value != NULL) {
			fputs(value, out);
			text += length;
		} else {
			fputc(*text++, out);
		}
	}
	return !ferror(out);
}

/* "NAME_drops.def.in" → "rudp_drops.def", "dot-gitignore.in" → ".gitignore". */
static void file_name(const struct writing *w, const char *template, char *buf, size_t size)
{
	const char *name = strstr(template, "NAME"), *rest;
	size_t n;

	if (strncmp(template, DOT, strlen(DOT)) == 0)
		n = (size_t)snprintf(buf, size, ".%s", template + strlen(DOT));
	else if (name != NULL && (rest = name + strlen("NAME")) != NULL)
		n = (size_t)snprintf(buf, size, "%.*s%s%s", (int)(name - template), template,
				     w->project->name, rest);
	else
		n = (size_t)snprintf(buf, size, "%s", template);
	if (n < size && n > strlen(SUFFIX))
		buf[n - strlen(SUFFIX)] = '\0';
}

/* ---- one file ---- */

/* A whole file as text, which the caller frees; NULL having told why. */
static char *read_template(const char *path)
{
	FILE *in = fopen(path, "re");
	char *text = NULL;
	size_t room = 0;

	/* Templates are text: all of it ends at the NUL that is not there. */
	if (in == NULL || (getdelim(&text, &room, '\0', in) < 0 && ferror(in))) {
		cli_error("new-module: cannot read %s: %s", path, strerror(errno));
		free(text);
		text = NULL;
	}
	if (in != NULL)
		fclose(in);
	return text;
}

static bool write_file(const struct writing *w, const char *path, const char *text)
{
	FILE *out = fopen(path, "wxe");
	bool good;

	if (out == NULL) {
		cli_error("new-module: cannot make %s: %s", path, strerror(errno));
		return false;
	}
	good = expand(w, text, out);
	if (fclose(out) != 0 || !good) {
		cli_error("new-module: cannot write %s: %s", path, strerror(errno));
		unlink(path);
		return false;
	}
	return true;
}

static bool make_file(struct writing *w, const char *folder, const char *template)
{
	char from[PATH_MAX], to[PATH_MAX], name[NAME_MAX + 1];
	char *text;
	bool good;

	file_name(w, template, name, sizeof(name));
	if (snprintf(from, sizeof(from), "%s/%s", folder, template) >= (int)sizeof(from) ||
	    snprintf(to, sizeof(to), "%s/%s", w->project->directory, name) >= (int)sizeof(to)) {
		cli_error("new-module: the path of %s is too long", name);
		return false;
	}
	text = read_template(from);
	good = text != NULL && write_file(w, to, text);
	free(text);
	if (good)
		json_array_append_new(w->files, json_string(name));
	return good;
}

/* ---- a folder of templates ---- */

static int is_template(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && ends_with(entry->d_name, SUFFIX);
}

/* Calls `each` with the templates of a folder, sorted, until it fails. */
static bool each_template(struct writing *w, const char *folder,
			  bool (*each)(struct writing *w, const char *path, const char *template))
{
	struct dirent **entries;
	char path[PATH_MAX];
	bool good = true;
	int count;

	snprintf(path, sizeof(path), "%s/%s", w->project->templates, folder);
	count = scandir(path, &entries, is_template, alphasort);
	if (count <= 0) {
		cli_error("new-module: no templates in %s: %s", path,
			  count < 0 ? strerror(errno) : "the folder is empty");
		return false;
	}
	for (int i = 0; i < count; i++) {
		good = good && each(w, path, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return good;
}

static bool note_table(struct writing *w, const char *path, const char *template)
{
	size_t length = strlen(w->tables);
	char name[NAME_MAX + 1];

	(void)path;
	file_name(w, template, name, sizeof(name));
	if (ends_with(name, ".def"))
		snprintf(w->tables + length, sizeof(w->tables) - length, " %s", name);
	return true;
}

/* ---- the project ---- */

/* Takes back what this run has made, and nothing else. */
static void unmake(const struct writing *w)
{
	char path[PATH_MAX];
	const json_t *name;
	size_t i;

	json_array_foreach(w->files, i, name) {
		snprintf(path, sizeof(path), "%s/%s", w->project->directory, json_string_value(name));
		unlink(path);
	}
	rmdir(w->project->directory);
}

json_t *new_write(const struct new_project *project)
{
	struct writing w = { .project = project };

	for (size_t i = 0; project->name[i] != '\0' && i + 1 < sizeof(w.upper); i++)
		w.upper[i] = (char)toupper((unsigned char)project->name[i]);
	if (!each_template(&w, project->kind, note_table))
		return NULL;
	/* The directory is made here or not at all, so that nobody's files are touched. */
	if (mkdir(project->directory, 0777) < 0) {
		cli_error(errno == EEXIST ? "new-module: %s exists; remove it, or give another --directory" :
					    "new-module: cannot make %s: %s",
			  project->directory, strerror(errno));
		return NULL;
	}
	w.files = json_array();
	if (w.files != NULL && each_template(&w, "common", make_file) &&
	    each_template(&w, project->kind, make_file))
		return w.files;
	unmake(&w);
	json_decref(w.files);
	return NULL;
}
