/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads a module's descriptor from its file, without mapping or running anything of it: System V
 * ABI, chapters 4 and 5. Each way in which a file can be no module has its own sentence.
 */
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loader.h"

#define DESCRIPTOR_SUFFIX "_LTX_module"

/* Local choice: several times what a linker writes; dlopen(3) believes every one of them. */
#define PROGRAM_HEADERS_MAX 64

struct elf_file {
	int fd;
	uint64_t size;
	Elf *elf;
	GElf_Ehdr header;
	char *why;
};

STRATA_PRINTF(2, 3)
static int refuse(const struct elf_file *f, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(f->why, ELF_WHY_SIZE, format, args);
	va_end(args);
	return -EINVAL;
}

static const char *machine_name(unsigned int machine, char buf[24])
{
	static const struct {
		unsigned int machine;
		const char *name;
	} names[] = {
		{ EM_386, "i386" },	{ EM_X86_64, "x86-64" },	{ EM_ARM, "arm" },
		{ EM_AARCH64, "aarch64" }, { EM_RISCV, "riscv" },	{ EM_PPC64, "ppc64" },
		{ EM_S390, "s390" },	{ EM_MIPS, "mips" },		{ EM_PPC, "ppc" },
		{ EM_SPARCV9, "sparc64" },
	};
	for (size_t i = 0; i < STRATA_COUNT(names); i++)
		if (names[i].machine == machine)
			return names[i].name;
	snprintf(buf, 24, "machine %u", machine);
	return buf;
}

static const char *type_name(unsigned int type)
{
	return type == ET_REL ? "an object file (.o)" : type == ET_EXEC ? "a program" :
	       type == ET_CORE ? "a core dump" : "another type of ELF file";
}

/* What the running program is made for. */
static bool own_header(GElf_Ehdr *out)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	Elf *elf = fd >= 0 ? elf_begin(fd, ELF_C_READ, NULL) : NULL;
	bool ok = elf != NULL && gelf_getehdr(elf, out) != NULL;
	elf_end(elf);
	if (fd >= 0)
		close(fd);
	return ok;
}

/* The first bytes, before libelf is asked: most files that are no module end here. */
static int check_magic(const struct elf_file *f)
{
	unsigned char head[4];
	ssize_t n = pread(f->fd, head, sizeof(head), 0);
	if (n < 0)
		return refuse(f, "cannot be read: %s", strerror(errno));
	if (n == 0)
		return refuse(f, "is empty; install the module again");
	if (memcmp(head, ELFMAG, (size_t)n) != 0)
		return refuse(f, "expected a shared object (ELF), found another type of file; "
			      "give the module's .so");
	if ((size_t)n < sizeof(head))
		return refuse(f, "is truncated after %zd bytes; install the module again", n);
	return 0;
}

static int check_header(struct elf_file *f)
{
	GElf_Ehdr own, *h = &f->header;
	char theirs[24], ours[24];
	f->elf = elf_begin(f->fd, ELF_C_READ, NULL);
	if (f->elf == NULL || elf_kind(f->elf) != ELF_K_ELF || gelf_getehdr(f->elf, h) == NULL)
		return refuse(f, "is truncated after %llu bytes, within its ELF header; install "
			      "the module again", (unsigned long long)f->size);
	if (own_header(&own) &&
	    (h->e_ident[EI_CLASS] != own.e_ident[EI_CLASS] ||
	     h->e_ident[EI_DATA] != own.e_ident[EI_DATA] || h->e_machine != own.e_machine))
		return refuse(f, "expected a shared object for %s (%d bits), found one for %s (%d "
			      "bits); build the module for this machine",
			      machine_name(own.e_machine, ours),
			      own.e_ident[EI_CLASS] == ELFCLASS64 ? 64 : 32,
			      machine_name(h->e_machine, theirs),
			      h->e_ident[EI_CLASS] == ELFCLASS64 ? 64 : 32);
	if (h->e_type != ET_DYN)
		return refuse(f, "expected a shared object, found %s; link the module with -shared",
			      type_name(h->e_type));
	return 0;
}

/* All that the headers speak of lies within the file; dlopen(3) would fault on what does not. */
static int check_extent(const struct elf_file *f)
{
	const GElf_Ehdr *h = &f->header;
	uint64_t end, whole = h->e_phoff + (uint64_t)h->e_phnum * h->e_phentsize, loaded = 0;
	if (h->e_phnum > PROGRAM_HEADERS_MAX)
		return refuse(f, "expected at most %d program headers, found %u; install the module "
			      "again", PROGRAM_HEADERS_MAX, h->e_phnum);
	if (h->e_shoff != 0 &&
	    !__builtin_add_overflow(h->e_shoff, (uint64_t)h->e_shnum * h->e_shentsize, &end) &&
	    end > whole)
		whole = end;
	for (int i = 0; i < h->e_phnum; i++) {
		GElf_Phdr segment;
		if (gelf_getphdr(f->elf, i, &segment) == NULL)
			break;
		if (__builtin_add_overflow(segment.p_offset, segment.p_filesz, &end))
			return refuse(f, "has a segment of impossible size; install the module "
				      "again");
		if (segment.p_type != PT_LOAD)
			continue;
		if (segment.p_filesz > segment.p_memsz || segment.p_vaddr < loaded ||
		    __builtin_add_overflow(segment.p_vaddr, segment.p_memsz, &loaded))
			return refuse(f, "has a segment in an impossible place; install the module "
				      "again");
		if (end > whole)
			whole = end;
	}
	if (whole > f->size)
		return refuse(f, "is truncated: expected %llu bytes, found %llu; install the "
			      "module again",
			      (unsigned long long)whole, (unsigned long long)f->size);
	return 0;
}

/* Where in the file a virtual address is. Returns false where it is in no segment's file part. */
static bool file_offset(const struct elf_file *f, uint64_t address, uint64_t length, uint64_t *out)
{
	for (int i = 0; i < f->header.e_phnum; i++) {
		GElf_Phdr s;
		if (gelf_getphdr(f->elf, i, &s) == NULL || s.p_type != PT_LOAD ||
		    address < s.p_vaddr || address - s.p_vaddr > s.p_filesz ||
		    s.p_filesz - (address - s.p_vaddr) < length)
			continue;
		*out = s.p_offset + (address - s.p_vaddr);
		return true;
	}
	return false;
}

static int read_descriptor(const struct elf_file *f, const GElf_Sym *found, const char *symbol,
			   struct elf_descriptor *out)
{
	uint64_t offset;
	unsigned char bytes[12];
	_Static_assert(sizeof(*out) == sizeof(bytes), "as the beginning of struct strata_module");
	_Static_assert(offsetof(struct strata_module, size) ==
		       offsetof(struct elf_descriptor, size),
		       "as the beginning of struct strata_module");
	if (!file_offset(f, found->st_value, sizeof(bytes), &offset))
		return refuse(f, "%s is not initialised data; begin it with STRATA_MODULE_HEADER",
			      symbol);
	if (pread(f->fd, bytes, sizeof(bytes), (off_t)offset) != sizeof(bytes))
		return refuse(f, "cannot be read: %s", strerror(errno));
	memcpy(out, bytes, sizeof(*out));
	return 0;
}

/* Looks through the dynamic symbols. `other`: a descriptor of another name. */
static bool find_symbol(const struct elf_file *f, const char *symbol, GElf_Sym *out,
			const char **other)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	while ((section = elf_nextscn(f->elf, section)) != NULL) {
		if (gelf_getshdr(section, &header) == NULL || header.sh_type != SHT_DYNSYM ||
		    header.sh_entsize == 0)
			continue;
		Elf_Data *data = elf_getdata(section, NULL);
		uint64_t count = header.sh_size / header.sh_entsize;
		for (int i = 0; data != NULL && i < (int)count; i++) {
			GElf_Sym sym;
			const char *name;
			if (gelf_getsym(data, i, &sym) == NULL || sym.st_shndx == SHN_UNDEF)
				continue;
			name = elf_strptr(f->elf, header.sh_link, sym.st_name);
			if (name == NULL)
				continue;
			if (strcmp(name, symbol) == 0) {
				*out = sym;
				return true;
			}
			size_t length = strlen(name), suffix = strlen(DESCRIPTOR_SUFFIX);
			/* No dot: not one that a sanitizer made. */
			if (length > suffix && strchr(name, '.') == NULL &&
			    strcmp(name + length - suffix, DESCRIPTOR_SUFFIX) == 0)
				*other = name;
		}
	}
	return false;
}

int elf_read_descriptor(int fd, const char *symbol, struct elf_descriptor *out,
			char why[ELF_WHY_SIZE])
{
	struct elf_file f = { .fd = fd, .why = why };
	struct stat st;
	GElf_Sym found;
	const char *other = NULL;
	if (elf_version(EV_CURRENT) == EV_NONE)
		return refuse(&f, "cannot be read: libelf is of another version");
	if (fstat(fd, &st) < 0)
		return refuse(&f, "cannot be read: %s", strerror(errno));
	f.size = (uint64_t)st.st_size;
	int result = check_magic(&f);
	if (result == 0)
		result = check_header(&f);
	if (result == 0)
		result = check_extent(&f);
	if (result < 0)
		goto out_end;
	if (find_symbol(&f, symbol, &found, &other))
		result = read_descriptor(&f, &found, symbol, out);
	else if (other != NULL)
		result = refuse(&f, "expected it to export %s, found %s; name the file after its "
				"module",
				symbol, other);
	else
		result = refuse(&f, "is no Strata module: expected it to export %s, found no such "
				"symbol",
				symbol);
out_end:
	elf_end(f.elf);
	return result;
}
