/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a module's file says without running it: System V ABI, chapters 4 and 5. What libstrata itself would
 * refuse it says in its own words, in the check `load`.
 */
#include <ctype.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kit.h"

#define SUFFIX ".so"
#define NEEDED_MOST 16

/* ---- the file ---- */

struct object {
	struct kit *kit;
	char path[PATH_MAX];
	int fd;
	Elf *elf;
	GElf_Ehdr header;
	bool sanitized;			/* by the compiler, which adds symbols of its own */
	const char *needed[NEEDED_MOST];
	unsigned int needed_count;
};

static bool has_suffix(const char *name)
{
	size_t length = strlen(name), n = strlen(SUFFIX);

	return length > n && strcmp(name + length - n, SUFFIX) == 0;
}

/* Looks for it as the loader does. */
static bool find_file(const struct kit *kit, char path[PATH_MAX])
{
	const char *suffix = has_suffix(kit->file) ? "" : SUFFIX, *dirs;
	char fallback[2 * PATH_MAX];

	if (strchr(kit->file, '/') != NULL) {
		snprintf(path, PATH_MAX, "%s%s", kit->file, suffix);
		return access(path, F_OK) == 0;
	}
	dirs = kit->cli->module_path != NULL ? kit->cli->module_path :
		strata_default_module_path(fallback, sizeof(fallback));
	while (*dirs != '\0') {
		int length = (int)strcspn(dirs, ":");

		if (length != 0) {
			snprintf(path, PATH_MAX, "%.*s/%s%s", length, dirs, kit->file, suffix);
			if (access(path, F_OK) == 0)
				return true;
		}
		dirs += length + (dirs[length] == ':');
	}
	return false;
}

static Elf_Scn *find_section(const struct object *o, uint32_t type, GElf_Shdr *header)
{
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(o->elf, section)) != NULL)
		if (gelf_getshdr(section, header) != NULL && header->sh_type == type)
			return section;
	return NULL;
}

/* Calls `each` for every symbol of a table. */
static void each_symbol(struct object *o, uint32_t table,
			void (*each)(struct object *o, const char *name, const GElf_Sym *sym))
{
	GElf_Shdr header;
	Elf_Scn *section = find_section(o, table, &header);
	Elf_Data *data = section != NULL ? elf_getdata(section, NULL) : NULL;
	uint64_t i, count = section != NULL && header.sh_entsize != 0 ? header.sh_size / header.sh_entsize : 0;

	for (i = 1; data != NULL && i < count; i++) {
		GElf_Sym sym;
		const char *name;

		if (gelf_getsym(data, (int)i, &sym) == NULL)
			continue;
		name = elf_strptr(o->elf, header.sh_link, sym.st_name);
		if (name != NULL)
			each(o, name, &sym);
	}
}

/* The value of a dynamic tag; false: it is not there. Strings of DT_NEEDED are collected beside. */
static bool dynamic(struct object *o, int64_t tag, uint64_t *value)
{
	GElf_Shdr header;
	Elf_Scn *section = find_section(o, SHT_DYNAMIC, &header);
	Elf_Data *data = section != NULL ? elf_getdata(section, NULL) : NULL;
	GElf_Dyn entry;
	int i;

	for (i = 0; data != NULL && gelf_getdyn(data, i, &entry) != NULL && entry.d_tag != DT_NULL; i++) {
		if (entry.d_tag == DT_NEEDED && tag == DT_NEEDED && o->needed_count < NEEDED_MOST) {
			const char *name = elf_strptr(o->elf, header.sh_link, entry.d_un.d_val);

			if (name != NULL)
				o->needed[o->needed_count++] = name;
		} else if (entry.d_tag == tag) {
			*value = entry.d_un.d_val;
			return true;
		}
	}
	return false;
}

static void look_for_sanitizer(struct object *o, const char *name, const GElf_Sym *sym)
{
	(void)sym;
	if (strncmp(name, "__asan", 6) == 0 || strncmp(name, "__ubsan", 7) == 0 ||
	    strncmp(name, "__tsan", 6) == 0)
		o->sanitized = true;
}

static void object_close(struct object *o)
{
	elf_end(o->elf);
	if (o->fd >= 0)
		close(o->fd);
}

/* Opens the file; false: it is none that can be read so, and load says why. */
static bool object_open(struct kit *kit, struct object *o)
{
	struct stat st;

	*o = (struct object){ .kit = kit, .fd = -1 };
	if (!find_file(kit, o->path)) {
		kit_skip(kit, "no file of its own: built in, or not found, see load");
		return false;
	}
	elf_version(EV_CURRENT);
	o->fd = open(o->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (o->fd >= 0 && fstat(o->fd, &st) == 0 && S_ISREG(st.st_mode))
		o->elf = elf_begin(o->fd, ELF_C_READ, NULL);
	if (o->elf == NULL || elf_kind(o->elf) != ELF_K_ELF ||
	    gelf_getehdr(o->elf, &o->header) == NULL || o->header.e_type != ET_DYN) {
		kit_skip(kit, "%.200s is no shared object, see load", o->path);
		object_close(o);
		return false;
	}
	each_symbol(o, SHT_DYNSYM, look_for_sanitizer);
	dynamic(o, DT_NEEDED, &(uint64_t){ 0 });
	return true;
}

/* The same for what a sanitizer's additions would hide. */
static bool object_open_plain(struct kit *kit, struct object *o)
{
	if (!object_open(kit, o))
		return false;
	if (!o->sanitized)
		return true;
	kit_skip(kit, "built with a sanitizer, which adds symbols of its own");
	object_close(o);
	return false;
}

/* ---- file ---- */

static void check_segments(struct object *o)
{
	bool relro = false, stack = false;
	GElf_Phdr segment;
	int i;

	for (i = 0; i < o->header.e_phnum && gelf_getphdr(o->elf, i, &segment) != NULL; i++) {
		relro |= segment.p_type == PT_GNU_RELRO;
		stack |= segment.p_type == PT_GNU_STACK && (segment.p_flags & PF_X) != 0;
		if (segment.p_type == PT_LOAD && (segment.p_flags & PF_W) != 0 && (segment.p_flags & PF_X) != 0)
			kit_fault(o->kit, o->path, "link it without -N and without a linker script",
				  "has a segment that is both writable and executable");
	}
	if (stack)
		kit_fault(o->kit, o->path, "link it with -Wl,-z,noexecstack",
			  "asks for an executable stack");
	if (!relro)
		kit_remark(o->kit, o->path, "link it with -Wl,-z,relro",
			   "its tables stay writable after it was loaded (no RELRO)");
}

void kit_check_file(struct kit *kit)
{
	uint64_t flags = 0, flags_1 = 0, value;
	struct object o;

	if (!object_open(kit, &o))
		return;
	dynamic(&o, DT_FLAGS, &flags);
	dynamic(&o, DT_FLAGS_1, &flags_1);
	if ((flags & DF_BIND_NOW) == 0 && (flags_1 & DF_1_NOW) == 0 && !dynamic(&o, DT_BIND_NOW, &value))
		kit_remark(kit, o.path, "link it with -Wl,-z,now", "its symbols are bound lazily");
	if ((flags & DF_TEXTREL) != 0 || dynamic(&o, DT_TEXTREL, &value))
		kit_fault(kit, o.path, "compile it with -fPIC", "has text relocations");
	if ((flags_1 & DF_1_NODELETE) != 0)
		kit_fault(kit, o.path, "link it without -z nodelete", "cannot be unloaded");
	check_segments(&o);
	kit_done(kit, "%.140s", o.path);
	object_close(&o);
}

/* ---- load ---- */

/* Every sentence of the loader is a finding; it names thing, place and remedy itself. */
static void tell_faults(struct kit *kit, const struct strata_error *error, bool remark)
{
	const char *line = strata_error_text(error);

	while (*line != '\0') {
		int length = (int)strcspn(line, "\n");

		if (remark)
			kit_remark(kit, "", "", "stratad would refuse it here as root: %.*s", length, line);
		else
			kit_fault(kit, "", "", "%.*s", length, line);
		line += length + (line[length] == '\n');
	}
}

void kit_check_load(struct kit *kit)
{
	struct strata_error error = { 0 };
	struct strata_module_file *file;

	kit_step(kit, "it is opened");
	file = kit_module_open(kit, kit->file, &error);
	tell_faults(kit, &error, false);
	strata_error_clear(&error);
	strata_module_close(file);
	if (file == NULL)
		return;
	file = strata_module_open_trusted(kit->file, kit->cli->module_path, &error);
	tell_faults(kit, &error, true);
	strata_error_clear(&error);
	strata_module_close(file);
	kit_open(kit);
}

/* ---- symbols ---- */

/* What the loader looks for: <base name>_LTX_module. */
static void own_symbol(const char *path, char *buf, size_t size)
{
	const char *slash = strrchr(path, '/');
	char *c;

	snprintf(buf, size, "%.255s", slash != NULL ? slash + 1 : path);
	if (has_suffix(buf))
		buf[strlen(buf) - strlen(SUFFIX)] = '\0';
	for (c = buf; *c != '\0'; c++)
		if (!isalnum((unsigned char)*c))
			*c = '_';
	snprintf(c, size - (size_t)(c - buf), "_LTX_module");
}

static void check_exported(struct object *o, const char *name, const GElf_Sym *sym)
{
	static const char *const linkers[] = { "_init", "_fini", "_edata", "_end", "__bss_start", "_fbss" };
	char own[NAME_MAX + 32];
	size_t i;

	if (sym->st_shndx == SHN_UNDEF || sym->st_shndx == SHN_ABS || name[0] == '\0' ||
	    GELF_ST_BIND(sym->st_info) == STB_LOCAL)
		return;
	for (i = 0; i < STRATA_COUNT(linkers); i++)
		if (strcmp(name, linkers[i]) == 0)
			return;
	own_symbol(o->path, own, sizeof(own));
	if (strcmp(name, own) != 0)
		kit_fault(o->kit, name, "make it static, or compile with -fvisibility=hidden",
			  "exports %s, though a module exports its descriptor %s alone", name, own);
}

/* Symbols must come from what it was linked with, not from whatever else the process has. */
static void check_undefined(struct object *o, const char *name, const GElf_Sym *sym)
{
	unsigned int i;

	if (sym->st_shndx != SHN_UNDEF || GELF_ST_BIND(sym->st_info) == STB_WEAK || name[0] == '\0')
		return;
	for (i = 0; i < o->needed_count; i++) {
		void *library = dlopen(o->needed[i], RTLD_LAZY | RTLD_LOCAL);
		bool found = library == NULL || dlsym(library, name) != NULL;

		/* One that is found nowhere but by the module's own path cannot be asked. */
		if (library != NULL)
			dlclose(library);
		if (found)
			return;
	}
	kit_fault(o->kit, name, "link it with -Wl,-z,defs and the library that has it; what another module has "
		  "is reached through libstrata's tables",
		  "needs %s, which no library has that it was linked with", name);
}

void kit_check_symbols(struct kit *kit)
{
	struct object o;
	char list[120] = "";
	unsigned int i;

	if (!object_open_plain(kit, &o))
		return;
	each_symbol(&o, SHT_DYNSYM, check_exported);
	each_symbol(&o, SHT_DYNSYM, check_undefined);
	for (i = 0; i < o.needed_count; i++) {
		size_t at = strlen(list);

		snprintf(list + at, sizeof(list) - at, "%s%s", i != 0 ? ", " : "", o.needed[i]);
	}
	kit_done(kit, "linked with %s", list[0] != '\0' ? list : "nothing");
	object_close(&o);
}

/* ---- calls ---- */

/* Law: time, chance, memory, output and the process are the stack's. */
static const struct {
	const char *functions;		/* between spaces */
	const char *what, *remedy;
	bool io;			/* that link modules and services may do */
} forbidden[] = {
	{ " clock_gettime gettimeofday time times ftime timespec_get clock ", "asks the system's clock",
	  "use strata_now(), or strata_wall_clock() for what people see", false },
	{ " random srandom rand srand rand_r drand48 lrand48 mrand48 getrandom getentropy arc4random "
	  "arc4random_uniform ", "draws random numbers of its own", "use strata_random()", false },
	{ " getenv secure_getenv setenv putenv unsetenv setlocale ", "reads or changes the environment",
	  "make it an option", false },
	{ " printf vprintf fprintf vfprintf dprintf vdprintf puts putchar fputs fputc fwrite perror syslog "
	  "vsyslog warn err warnx errx ", "prints", "use strata_log(), or trace it", false },
	{ " exit _exit _Exit quick_exit abort atexit raise kill ", "ends the process",
	  "return an error: a module does not end its host", false },
	{ " malloc calloc realloc reallocarray free strdup strndup asprintf vasprintf posix_memalign "
	  "aligned_alloc brk sbrk ", "has memory that no stack accounts for",
	  "use strata_alloc() or a cache: strata_cache_create()", false },
	/* A link module may share memory with its device. */
	{ " mmap ", "has memory that no stack accounts for",
	  "use strata_alloc() or a cache: strata_cache_create()", true },
	{ " sleep usleep nanosleep clock_nanosleep poll ppoll select pselect epoll_wait epoll_pwait wait waitpid ",
	  "waits", "start a timer, or let the loop wait: strata_watch_add()", false },
	{ " fork vfork clone system popen execve execv execvp execl posix_spawn ", "starts processes",
	  "leave that to a program that embeds the stack", false },
	{ " pthread_create thrd_create signal sigaction sigprocmask pthread_sigmask dlopen dlsym strtok ",
	  "changes what belongs to the whole process", "one thread owns a stack, and its host the rest", false },
	{ " socket connect bind listen accept accept4 send sendto sendmsg recv recvfrom recvmsg open openat creat "
	  "fopen read write readv writev pread pwrite ioctl unlink rename mkdir stat fstat ", "does input or output",
	  "only link modules and services may", true },
};

/* __printf_chk is printf, __isoc99_sscanf is sscanf. */
static void plain_name(const char *name, char *buf, size_t size)
{
	size_t length;

	if (strncmp(name, "__isoc99_", 9) == 0 || strncmp(name, "__isoc23_", 9) == 0)
		name += 9;
	length = strlen(name);
	if (strncmp(name, "__", 2) == 0 && length > 6 && strcmp(name + length - 4, "_chk") == 0) {
		name += 2;
		length -= 6;
	}
	if (length > 2 && strcmp(name + length - 2, "64") == 0)
		length -= 2;
	snprintf(buf, size, " %.*s ", (int)length, name);
}

static void check_call(struct object *o, const char *name, const GElf_Sym *sym)
{
	const struct kit_subject *subject = o->kit->subject;
	bool may_io = !subject->known || subject->kind == STRATA_LINK || subject->kind == STRATA_SERVICE;
	char plain[128];
	size_t i;

	if (sym->st_shndx != SHN_UNDEF || name[0] == '\0')
		return;
	plain_name(name, plain, sizeof(plain));
	for (i = 0; i < STRATA_COUNT(forbidden); i++)
		if (strstr(forbidden[i].functions, plain) != NULL && !(forbidden[i].io && may_io))
			kit_fault(o->kit, name, forbidden[i].remedy, "calls %s: it %s", name,
				  forbidden[i].what);
}

void kit_check_calls(struct kit *kit)
{
	struct object o;

	if (!object_open_plain(kit, &o))
		return;
	each_symbol(&o, SHT_DYNSYM, check_call);
	object_close(&o);
}

/* ---- globals ---- */

/* Sections that are written to while it is loaded, and then no more. */
static bool is_relro(const char *section)
{
	static const char *const names[] = { ".data.rel.ro", ".init_array", ".fini_array", ".preinit_array",
					     ".dynamic", ".got", ".ctors", ".dtors", ".jcr", ".tm_clone_table" };
	size_t i;

	for (i = 0; i < STRATA_COUNT(names); i++)
		if (strncmp(section, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

/* What the compiler's own start-up code keeps; gcc and clang. */
static bool is_compilers(const char *name)
{
	return name[0] == '_' || name[0] == '.' || name[0] == '\0' || strncmp(name, "completed.", 10) == 0;
}

/* Name of the section when it is one that can be written to for good, else NULL. */
static const char *writable_section(const struct object *o, size_t index)
{
	Elf_Scn *section = elf_getscn(o->elf, index);
	size_t names;
	GElf_Shdr header;
	const char *name;

	if (section == NULL || gelf_getshdr(section, &header) == NULL ||
	    (header.sh_flags & (SHF_WRITE | SHF_ALLOC)) != (SHF_WRITE | SHF_ALLOC) ||
	    elf_getshdrstrndx(o->elf, &names) < 0)
		return NULL;
	name = elf_strptr(o->elf, names, header.sh_name);
	return name != NULL && !is_relro(name) ? name : NULL;
}

static void check_global(struct object *o, const char *name, const GElf_Sym *sym)
{
	const char *section = sym->st_shndx == SHN_COMMON ? "*COM*" :
		sym->st_shndx == SHN_UNDEF || sym->st_shndx >= SHN_LORESERVE ? NULL :
		writable_section(o, sym->st_shndx);
	unsigned int type = GELF_ST_TYPE(sym->st_info);

	if (section != NULL && (type == STT_OBJECT || type == STT_TLS || type == STT_NOTYPE) &&
	    sym->st_size != 0 && !is_compilers(name))
		kit_fault(o->kit, section, "keep it behind self->state, or make it const",
			  "%s is a writable variable of %llu bytes that all stacks of a process share", name,
			  (unsigned long long)sym->st_size);
}

/* Without symbols the sizes must do; the compiler's own is a pointer and a flag. */
static void check_sizes(struct object *o)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;

	while ((section = elf_nextscn(o->elf, section)) != NULL) {
		const char *name = writable_section(o, elf_ndxscn(section));

		if (name != NULL && gelf_getshdr(section, &header) != NULL && header.sh_size > 16)
			kit_fault(o->kit, name, "keep state behind self->state; a build that is not stripped "
				  "has the variables' names", "has %llu bytes of writable variables",
				  (unsigned long long)header.sh_size);
	}
}

void kit_check_globals(struct kit *kit)
{
	struct object o;
	GElf_Shdr header;

	if (!object_open_plain(kit, &o))
		return;
	if (find_section(&o, SHT_SYMTAB, &header) != NULL)
		each_symbol(&o, SHT_SYMTAB, check_global);
	else
		check_sizes(&o);
	object_close(&o);
}
