/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finds a module's file, decides whether it may be trusted, has elf.c read it, and only then
 * opens it with libltdl. docs/adr says why the file is read first, and what trust means.
 */
#include <ctype.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <ltdl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loader.h"
#include "option.h"
#include "text.h"

/* What a build with --enable-static-modules has: written by libtool, else not there. The second is of a
 * program that libstrata is linked into as an archive. */
extern const lt_dlsymlist lt_libstrata_LTX_preloaded_symbols[] __attribute__((weak));
extern const lt_dlsymlist lt__PROGRAM__LTX_preloaded_symbols[] __attribute__((weak));

#define SUFFIX ".so"
#define NAME_SIZE 256
/* Local choice: how far below a build tree's top its programs lie. */
#define BUILD_TREE_DEPTH 4

struct strata_module_file {
	lt_dlhandle handle;
	int fd;				/* -1, or what the module was loaded from, kept as long */
	const struct strata_module *module;
	struct strata_module *widened;	/* copy of an older, shorter descriptor; else NULL */
	bool counted;			/* holds a loader_begin() */
	char path[PATH_MAX];
};

/* ---- faults ---- */

/* What all steps of opening one module share. */
struct opening {
	const struct loader_request *request;
	struct strata_error *error;
	char base[NAME_SIZE];		/* file name without directory and .so */
	char symbol[NAME_SIZE + 16];
	char path[PATH_MAX];		/* "" until found */
};

STRATA_PRINTF(2, 3)
static int refuse(const struct opening *o, const char *format, ...)
{
	char text[2 * PATH_MAX];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	strata_error_add(o->error, "%s: %s%s%s", o->request->where, o->path,
			 o->path[0] != '\0' ? ": " : "", text);
	return -EINVAL;
}

/* ---- names ---- */

static bool ends_with(const char *s, const char *suffix)
{
	size_t length = strlen(s), n = strlen(suffix);
	return length > n && strcmp(s + length - n, suffix) == 0;
}

/* base and symbol of a name or path; libltdl writes all but letters and digits '_'. */
static int name_parts(struct opening *o)
{
	const char *slash = strrchr(o->request->file, '/');
	const char *name = slash != NULL ? slash + 1 : o->request->file;
	size_t length = strlen(name) - (ends_with(name, SUFFIX) ? strlen(SUFFIX) : 0);
	if (length == 0 || length >= sizeof(o->base))
		return refuse(o, "expected a module's name or path, found \"%.60s\"",
			      o->request->file);
	memcpy(o->base, name, length);
	o->base[length] = '\0';
	snprintf(o->symbol, sizeof(o->symbol), "%s_LTX_module", o->base);
	for (char *c = o->symbol; *c != '\0'; c++)
		if (!isalnum((unsigned char)*c))
			*c = '_';
	return 0;
}

/* The table of built-in modules; NULL: there is none. */
static const lt_dlsymlist *preloaded_table(void)
{
	return lt_libstrata_LTX_preloaded_symbols != NULL ? lt_libstrata_LTX_preloaded_symbols :
							    lt__PROGRAM__LTX_preloaded_symbols;
}

/* Its first module; it ends with an unnamed entry. NULL: there is none. */
static const lt_dlsymlist *first_preloaded(void)
{
	const lt_dlsymlist *table = preloaded_table();
	/* The first entry names the library or program itself. */
	return table != NULL ? table + 1 : NULL;
}

/* Name in the table of built-in modules ("wire.a") of `base`; NULL: none. */
static const char *preloaded_name(const char *base)
{
	const lt_dlsymlist *entry = first_preloaded();
	size_t length = strlen(base);
	for (; entry != NULL && entry->name != NULL; entry++)
		if (entry->address == NULL && strncmp(entry->name, base, length) == 0 &&
		    strcmp(entry->name + length, ".a") == 0)
			return entry->name;
	return NULL;
}

/* ---- the module path ---- */

/* Top of the build tree that the running program lies in, into `top`; false: in none. */
static bool build_tree(char top[PATH_MAX])
{
	char probe[PATH_MAX + 32];
	struct stat st;
	ssize_t n = readlink("/proc/self/exe", top, PATH_MAX - 1);
	if (n <= 0)
		return false;
	top[n] = '\0';
	for (int i = 0; i < BUILD_TREE_DEPTH + 1; i++) {
		char *slash = strrchr(top, '/');
		if (slash == NULL || slash == top)
			return false;
		*slash = '\0';
		snprintf(probe, sizeof(probe), "%s/config.status", top);
		if (stat(probe, &st) < 0)
			continue;
		snprintf(probe, sizeof(probe), "%s/modules/.libs", top);
		return stat(probe, &st) == 0 && S_ISDIR(st.st_mode);
	}
	return false;
}

const char *strata_default_module_path(char *buf, size_t size)
{
	char top[PATH_MAX];
	if (build_tree(top))
		snprintf(buf, size, "%s/modules/.libs:%s", top, STRATA_MODULEDIR);
	else
		snprintf(buf, size, "%s", STRATA_MODULEDIR);
	return buf;
}

/* Next directory of a path, NULL at its end; empty ones are passed over. */
static const char *path_next(const char *path, char dir[PATH_MAX])
{
	path += strspn(path, ":");
	size_t length = strcspn(path, ":");
	if (length == 0)
		return NULL;
	snprintf(dir, PATH_MAX, "%.*s", (int)length, path);
	return path + length;
}

/* Whether something is there, though perhaps not readable. */
static bool is_there(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

/* The file that the request means, into o->path. Returns 0 or -ENOENT. */
static int find_file(struct opening *o, const char *module_path)
{
	const struct loader_request *r = o->request;
	char dir[PATH_MAX];
	int n;
	if (strchr(r->file, '/') != NULL) {
		bool relative = r->file[0] != '/' && r->directory != NULL;
		n = snprintf(o->path, sizeof(o->path), "%s%s%s%s", relative ? r->directory : "",
			     relative ? "/" : "", r->file,
			     ends_with(r->file, SUFFIX) ? "" : SUFFIX);
		if (n > 0 && (size_t)n < sizeof(o->path) && is_there(o->path))
			return 0;
		return -ENOENT;
	}
	while ((module_path = path_next(module_path, dir)) != NULL) {
		n = snprintf(o->path, sizeof(o->path), "%s/%s%s", dir, o->base, SUFFIX);
		if (n > 0 && (size_t)n < sizeof(o->path) && is_there(o->path))
			return 0;
	}
	o->path[0] = '\0';
	return -ENOENT;
}

struct offering {
	struct text_nearest nearest;
	char best[NAME_SIZE];
};

static void offer(void *ctx, const char *name)
{
	struct offering *offering = ctx;
	text_nearest_offer(&offering->nearest, name);
	if (offering->nearest.best == name) {
		snprintf(offering->best, sizeof(offering->best), "%s", name);
		offering->nearest.best = offering->best;
	}
}

static int not_found(struct opening *o, const char *module_path)
{
	struct offering offering = { .nearest.word = o->base };
	char hint[TEXT_HINT_SIZE];
	if (strchr(o->request->file, '/') != NULL) {
		refuse(o, "expected a module file, found none; check `file:`");
		return -ENOENT;
	}
	strata_module_list(module_path, offer, &offering);
	text_nearest_hint(&offering.nearest, hint);
	refuse(o, "expected %s%s in %s, found none%s", o->base, SUFFIX, module_path,
	       hint[0] != '\0' ? hint : "; install it, or say where it is with `file:`");
	return -ENOENT;
}

/* ---- trust ---- */

/* Directories and files may belong to root, or to whoever owns the running program. */
static bool trusted_owner(uid_t uid)
{
	struct stat st;
	return uid == 0 || (stat("/proc/self/exe", &st) == 0 && uid == st.st_uid);
}

/* `parent`: not the directory of the module itself, so others may write beside it where the
 * sticky bit keeps them from replacing what is not theirs. */
static bool trusted(const struct stat *st, bool parent)
{
	bool writable = (st->st_mode & (S_IWGRP | S_IWOTH)) != 0;
	bool sticky = parent && st->st_uid == 0 && (st->st_mode & S_ISVTX) != 0;
	return trusted_owner(st->st_uid) && (!writable || sticky);
}

static int distrust(struct opening *o, const char *what, const struct stat *st)
{
	if (!trusted_owner(st->st_uid))
		return refuse(o, "expected %s to belong to root or to the owner of this program, "
			      "found user %u; chown it", what, (unsigned int)st->st_uid);
	return refuse(o, "expected %s to be writable by its owner alone, found mode %04o; chmod "
		      "go-w it",
		      what, (unsigned int)(st->st_mode & 07777));
}

/* Replaces o->path by the file's true path, all of whose directories are trusted. */
static int check_directories(struct opening *o)
{
	char real[PATH_MAX], dir[PATH_MAX];
	struct stat st;
	if (realpath(o->path, real) == NULL)
		return refuse(o, "cannot be opened: %s", strerror(errno));
	memcpy(o->path, real, sizeof(real));
	memcpy(dir, real, sizeof(dir));
	for (bool parent = false; dir[1] != '\0'; parent = true) {
		char *slash = strrchr(dir, '/');
		slash[slash == dir ? 1 : 0] = '\0';
		if (lstat(dir, &st) < 0)
			return refuse(o, "directory %s cannot be read: %s", dir, strerror(errno));
		if (!trusted(&st, parent))
			return distrust(o, dir, &st);
	}
	return 0;
}

/* ---- opening a file ---- */

static const char *file_type(mode_t mode)
{
	return S_ISDIR(mode) ? "a directory" : S_ISFIFO(mode) ? "a FIFO" :
	       S_ISSOCK(mode) ? "a socket" : "a device";
}

/* Opens the file found and checks what it is. Returns the descriptor or -EINVAL. */
static int open_file(struct opening *o)
{
	bool trust_check = o->request->trust_check;
	struct stat st;
	if (trust_check && check_directories(o) < 0)
		return -EINVAL;
	int fd = open(o->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY |
		      (trust_check ? O_NOFOLLOW : 0));
	if (fd < 0 || fstat(fd, &st) < 0) {
		refuse(o, "cannot be opened: %s", strerror(errno));
	} else if (!S_ISREG(st.st_mode)) {
		refuse(o, "expected a shared object, found %s", file_type(st.st_mode));
	} else if (trust_check && !trusted(&st, false)) {
		distrust(o, "it", &st);
	} else {
		return fd;
	}
	if (fd >= 0)
		close(fd);
	return -EINVAL;
}

static int check_abi(struct opening *o, const struct elf_descriptor *d)
{
	static const uint32_t full = sizeof(struct strata_module);
	if (d->magic != STRATA_MODULE_MAGIC)
		return refuse(o, "is no Strata module: expected %s to begin with "
			      "STRATA_MODULE_HEADER, found 0x%08x", o->symbol, d->magic);
	if (d->abi_major != STRATA_ABI_MAJOR || d->abi_minor > STRATA_ABI_MINOR)
		return refuse(o, "expected binary interface %d.%d or an older minor, found %u.%u; "
			      "build the module with this libstrata's headers", STRATA_ABI_MAJOR,
			      STRATA_ABI_MINOR, d->abi_major, d->abi_minor);
	bool older = d->abi_minor != STRATA_ABI_MINOR;
	if (d->size > full || (d->size < full && !older) ||
	    d->size < offsetof(struct strata_module, kind))
		return refuse(o, "expected a descriptor of %u bytes, found %u; build the module "
			      "with this libstrata's headers", full, d->size);
	return 0;
}

/* dlopen(3)'s own words tell more than libltdl's; those it has for the usual faults become ours. */
static int refuse_dlopen(struct opening *o, const char *told)
{
	static const char undefined[] = "undefined symbol: ";
	static const char missing[] = ": cannot open shared object file";
	const char *at;
	if (told == NULL)
		return refuse(o, "cannot be loaded");
	if ((at = strstr(told, undefined)) != NULL) {
		at += strlen(undefined);
		return refuse(o, "undefined symbol %.*s: expected it in libstrata or a library "
			      "the module is linked with; link that library, or build the module "
			      "with this libstrata's headers", (int)strcspn(at, ", "), at);
	}
	if ((at = strstr(told, missing)) != NULL && told[0] != '/')
		return refuse(o, "expected library %.*s, found none; install it", (int)(at - told),
			      told);
	return refuse(o, "cannot be loaded: %s", told);
}

static lt_dlhandle ltdl_open(const char *path)
{
	lt_dlhandle handle = NULL;
	lt_dladvise advise;
	if (lt_dladvise_init(&advise) != 0)
		return NULL;
	if (lt_dladvise_local(&advise) == 0)
		handle = lt_dlopenadvise(path, advise);
	lt_dladvise_destroy(&advise);
	return handle;
}

/* "/proc/self/fd" with the file's identity, a step a bit, and the descriptor. */
#define IDENTITY_BITS 128
#define BY_FD_SIZE (IDENTITY_BITS * sizeof("/../fd") + 48)

/* A path to the open file that no other file ever has. The dynamic loader remembers each name that a loaded
 * object was asked for by, and a descriptor's number comes again: so the name says which file it is, in
 * steps that lead nowhere. (Not in slashes: libltdl makes several of them one.) */
static int name_by_fd(int fd, char path[BY_FD_SIZE])
{
	uint64_t identity[2];
	struct stat st;
	char *end = path + sprintf(path, "/proc/self/fd");
	if (fstat(fd, &st) < 0)
		return -1;
	identity[0] = st.st_dev;
	identity[1] = st.st_ino;
	for (unsigned int bit = 0; bit < IDENTITY_BITS; bit++)
		end = stpcpy(end, (identity[bit / 64] >> bit % 64 & 1) != 0 ? "/../fd" : "/.");
	sprintf(end, "/%d", fd);
	return 0;
}

/* Maps the module. By its path, so that debuggers find it; by the descriptor that was checked,
 * where trust depends on it, or where libltdl would take a built-in module of that name instead. */
static int map_file(struct opening *o, struct strata_module_file *file)
{
	char by_fd[BY_FD_SIZE];
	const char *path = o->path;
	bool keep = o->request->trust_check || preloaded_name(o->base) != NULL;
	if (keep) {
		if (name_by_fd(file->fd, by_fd) < 0)
			return refuse(o, "cannot be read: %s", strerror(errno));
		path = by_fd;
	}
	/* All symbols now (libltdl binds them when they are first called), and a diagnosis. */
	void *probe = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (probe == NULL)
		return refuse_dlopen(o, dlerror());
	file->handle = ltdl_open(path);
	dlclose(probe);
	if (file->handle == NULL)
		return refuse(o, "cannot be loaded: %s", lt_dlerror());
	if (!keep) {
		close(file->fd);
		file->fd = -1;
	}
	return 0;
}

/* ---- the descriptor ---- */

/* The ops structure of the module's kind. */
static const void *ops_of(const struct strata_module *m)
{
	switch ((enum strata_kind)m->kind) {
	case STRATA_LINK:
		return m->link;
	case STRATA_NETWORK:
		return m->network;
	case STRATA_TRANSPORT:
		return m->transport;
	case STRATA_CONGESTION:
		return m->congestion;
	case STRATA_SERVICE:
		return m->service;
	default:
		return NULL;
	}
}

/* What a module's author may have forgotten. */
static int check_descriptor(struct opening *o, const struct strata_module *m)
{
	struct option_schema schema = { m->options, m->option_count, m->config_size,
					o->request->where };
	struct option_schema iface = { m->iface_options, m->iface_option_count,
				       m->iface_config_size, o->request->where };
	if (m->kind >= STRATA_KINDS)
		return refuse(o, "expected a kind from 0 to %d in its descriptor, found %u",
			      STRATA_KINDS - 1, m->kind);
	if (m->name == NULL || !text_is_name(m->name) || m->version == NULL || m->summary == NULL)
		return refuse(o, "expected a name, a version and a summary in its descriptor, "
			      "found one missing");
	if (m->kind != STRATA_SERVICE && ops_of(m) == NULL)
		return refuse(o, "expected operations of a %s module in its descriptor, found none",
			      strata_kind_name((enum strata_kind)m->kind));
	if ((m->option_count > 0 && m->options == NULL) ||
	    (m->iface_option_count > 0 && m->iface_options == NULL) ||
	    (m->counter_count > 0 && m->counters == NULL) ||
	    (m->drop_count > 0 && m->drops == NULL))
		return refuse(o, "expected tables for the counts in its descriptor, found none");
	if (option_check_schema(&schema, o->error) < 0 || option_check_schema(&iface, o->error) < 0)
		return -EINVAL;
	return 0;
}

static int take_descriptor(struct opening *o, struct strata_module_file *file)
{
	file->module = lt_dlsym(file->handle, o->symbol);
	if (file->module == NULL)
		return refuse(o, "is no Strata module: expected it to export %s, found no such "
			      "symbol",
			      o->symbol);
	if (file->module->size < sizeof(*file->module)) {
		file->widened = calloc(1, sizeof(*file->widened));
		if (file->widened == NULL)
			return refuse(o, "out of memory");
		memcpy(file->widened, file->module, file->module->size);
		file->module = file->widened;
	}
	return check_descriptor(o, file->module);
}

/* ---- the whole ---- */

static int open_preloaded(struct opening *o, struct strata_module_file *file, const char *name)
{
	const struct strata_module *m;
	struct elf_descriptor d;
	snprintf(o->path, sizeof(o->path), "(built in)");
	file->handle = ltdl_open(name);
	if (file->handle == NULL)
		return refuse(o, "cannot be opened: %s", lt_dlerror());
	m = lt_dlsym(file->handle, o->symbol);
	if (m == NULL)
		return refuse(o, "expected %s, found no such symbol", o->symbol);
	d = (struct elf_descriptor){ m->magic, m->abi_major, m->abi_minor, m->size };
	return check_abi(o, &d);
}

static int open_found(struct opening *o, struct strata_module_file *file)
{
	struct elf_descriptor descriptor;
	char why[ELF_WHY_SIZE];
	file->fd = open_file(o);
	if (file->fd < 0)
		return -EINVAL;
	if (elf_read_descriptor(file->fd, o->symbol, &descriptor, why) < 0)
		return refuse(o, "%s", why);
	int result = check_abi(o, &descriptor);
	return result < 0 ? result : map_file(o, file);
}

void loader_close(struct strata_module_file *file)
{
	if (file == NULL)
		return;
	if (file->handle != NULL)
		lt_dlclose(file->handle);
	if (file->fd >= 0)
		close(file->fd);
	free(file->widened);
	free(file);
}

int loader_open(const struct loader_request *request, struct strata_module_file **out,
		struct strata_error *error)
{
	struct opening o = { .request = request, .error = error };
	char fallback[2 * PATH_MAX];
	const char *module_path = request->module_path != NULL ? request->module_path :
		strata_default_module_path(fallback, sizeof(fallback));
	struct strata_module_file *file = calloc(1, sizeof(*file));
	int result;
	if (file == NULL)
		return refuse(&o, "out of memory");
	file->fd = -1;
	result = name_parts(&o);
	if (result < 0)
		goto out_close;
	const char *built_in = strchr(request->file, '/') == NULL ? preloaded_name(o.base) : NULL;
	if (built_in != NULL) {
		result = open_preloaded(&o, file, built_in);
	} else if (find_file(&o, module_path) < 0) {
		result = not_found(&o, module_path);
	} else {
		result = open_found(&o, file);
	}
	if (result == 0)
		result = take_descriptor(&o, file);
	if (result < 0)
		goto out_close;
	memcpy(file->path, o.path, sizeof(file->path));
	*out = file;
	return 0;
out_close:
	loader_close(file);
	return result;
}

bool loader_exists(const struct loader_request *request)
{
	struct opening o = { .request = request };
	char fallback[2 * PATH_MAX];
	const char *module_path = request->module_path != NULL ? request->module_path :
		strata_default_module_path(fallback, sizeof(fallback));
	return name_parts(&o) == 0 &&
	       (preloaded_name(o.base) != NULL || find_file(&o, module_path) == 0);
}

int loader_begin(struct strata_error *error)
{
	if (lt_dlinit() == 0 && (preloaded_table() == NULL || lt_dlpreload(preloaded_table()) == 0))
		return 0;
	strata_error_add(error, "module loader: %s", lt_dlerror());
	return -EINVAL;
}

void loader_end(void)
{
	lt_dlexit();
}

/* ---- without a stack ---- */

static struct strata_module_file *open_alone(const char *file, const char *module_path,
					     bool trust_check, struct strata_error *error)
{
	char where[NAME_SIZE];
	struct strata_module_file *opened = NULL;
	struct loader_request request = {
		.where = where,
		.file = file,
		.module_path = module_path,
		.trust_check = trust_check,
	};
	snprintf(where, sizeof(where), "module \"%.200s\"", file);
	if (loader_begin(error) < 0)
		return NULL;
	if (loader_open(&request, &opened, error) < 0) {
		loader_end();
		return NULL;
	}
	opened->counted = true;
	return opened;
}

struct strata_module_file *strata_module_open(const char *file, const char *module_path,
					      struct strata_error *error)
{
	return open_alone(file, module_path, false, error);
}

struct strata_module_file *strata_module_open_trusted(const char *file, const char *module_path,
						      struct strata_error *error)
{
	return open_alone(file, module_path, true, error);
}

const struct strata_module *strata_module_of(const struct strata_module_file *file)
{
	return file->module;
}

const char *strata_module_path(const struct strata_module_file *file)
{
	return file->path;
}

void strata_module_close(struct strata_module_file *file)
{
	bool counted = file != NULL && file->counted;
	loader_close(file);
	if (counted)
		loader_end();
}

struct name_list {
	char **names;
	size_t count, room;
};

static int add_name(struct name_list *list, const char *name, size_t length)
{
	for (size_t i = 0; i < list->count; i++)
		if (strlen(list->names[i]) == length && strncmp(list->names[i], name, length) == 0)
			return 0;
	if (list->count == list->room) {
		size_t room = list->room * 2 + 16;
		char **names = realloc(list->names, room * sizeof(*names));
		if (names == NULL)
			return -ENOMEM;
		list->names = names;
		list->room = room;
	}
	list->names[list->count] = strndup(name, length);
	return list->names[list->count] != NULL ? (list->count++, 0) : -ENOMEM;
}

static int add_directory(struct name_list *list, const char *dir)
{
	int result = 0;
	struct dirent *entry;
	DIR *d = opendir(dir);
	while (result == 0 && d != NULL && (entry = readdir(d)) != NULL)
		if (ends_with(entry->d_name, SUFFIX) && entry->d_name[0] != '.')
			result = add_name(list, entry->d_name,
					  strlen(entry->d_name) - strlen(SUFFIX));
	if (d != NULL)
		closedir(d);
	return result;
}

static int add_preloaded(struct name_list *list)
{
	const lt_dlsymlist *entry = first_preloaded();
	int result = 0;
	for (; entry != NULL && entry->name != NULL; entry++)
		if (result == 0 && entry->address == NULL && ends_with(entry->name, ".a"))
			result = add_name(list, entry->name, strlen(entry->name) - 2);
	return result;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int strata_module_list(const char *module_path, void (*each)(void *ctx, const char *name),
		       void *ctx)
{
	struct name_list list = { 0 };
	char fallback[2 * PATH_MAX], dir[PATH_MAX];
	const char *path = module_path != NULL ? module_path :
		strata_default_module_path(fallback, sizeof(fallback));
	int result = add_preloaded(&list);
	while (result == 0 && (path = path_next(path, dir)) != NULL)
		result = add_directory(&list, dir);
	if (list.count > 0)
		qsort(list.names, list.count, sizeof(*list.names), compare_names);
	for (size_t i = 0; i < list.count; i++) {
		if (result == 0)
			each(ctx, list.names[i]);
		free(list.names[i]);
	}
	free(list.names);
	return result < 0 ? result : (int)list.count;
}
