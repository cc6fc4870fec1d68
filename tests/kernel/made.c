/* SPDX-License-Identifier: BSD-2-Clause */
/* Stacks made from a manifest, for tests of how that goes. */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "made.h"

static void *env_alloc(void *ctx, size_t size)
{
	struct made *made = ctx;
	void *p;

	made->allocs++;
	if (made->fail_at != 0 &&
	    (made->allocs == made->fail_at || (made->fail_forever && made->allocs > made->fail_at)))
		return NULL;
	p = malloc(size);
	assert_non_null(p);
	memset(p, 0xa5, size);
	made->blocks++;
	made->bytes += size;
	return p;
}

static void env_free(void *ctx, void *ptr, size_t size)
{
	struct made *made = ctx;

	made->blocks--;
	made->bytes -= size;
	free(ptr);
}

static int env_random(void *ctx, void *buf, size_t len)
{
	(void)ctx;
	memset(buf, 0x5a, len);
	return 0;
}

static void env_log(void *ctx, enum strata_log_level level, const char *module, const char *line)
{
	struct made *made = ctx;
	size_t at = strlen(made->log);

	snprintf(made->log + at, sizeof(made->log) - at, "%d %s: %s\n", (int)level, module, line);
}

const char *made_directory(void)
{
	static char path[4096];
	const char *top = getenv("abs_top_builddir");

	snprintf(path, sizeof(path), "%s/tests/kernel/.libs", top != NULL ? top : ".");
	return path;
}

void made_init(struct made *made)
{
	char buf[4096];
	const char *built = getenv("STRATA_MODULE_PATH");

	memset(made, 0, sizeof(*made));
	made->env = (struct strata_env){
		.ctx = made,
		.random = env_random,
		.alloc = env_alloc,
		.free = env_free,
		.log = env_log,
	};
	snprintf(made->path, sizeof(made->path), "%s:%s", made_directory(),
		 built != NULL ? built : strata_default_module_path(buf, sizeof(buf)));
	made->config = (struct strata_config){
		.manifest_name = "m.yaml",
		.module_path = made->path,
		.env = &made->env,
	};
}

int made_from(struct made *made, const char *text)
{
	made->config.manifest_text = text;
	return strata_stack_create(&made->config, &made->stack, &made->error);
}

void made_end(struct made *made)
{
	strata_stack_destroy(made->stack);
	made->stack = NULL;
	strata_error_clear(&made->error);
	assert_int_equal(made->blocks, 0);
	assert_int_equal(made->bytes, 0);
}

/* The faults, with the module path written PATH. */
static char *faults(const struct made *made)
{
	const char *from = strata_error_text(&made->error), *found;
	char *text = malloc(strlen(from) + 1), *to = text;

	assert_non_null(text);
	while ((found = strstr(from, made->path)) != NULL) {
		memcpy(to, from, (size_t)(found - from));
		to += found - from;
		to += sprintf(to, "PATH");
		from = found + strlen(made->path);
	}
	strcpy(to, from);
	return text;
}

static void refused(const char *text, const char *told, bool exactly)
{
	struct made made;
	char *found;

	made_init(&made);
	if (made_from(&made, text) != -EINVAL || made.stack != NULL)
		fail_msg("not refused:\n%s", text);
	found = faults(&made);
	if (exactly ? strcmp(found, told) != 0 : strstr(found, told) == NULL)
		fail_msg("manifest:\n%s\nexpected to be told: %s\ntold:\n%s", text, told, found);
	free(found);
	made_end(&made);
}

void made_refused(const char *text, const char *told)
{
	refused(text, told, false);
}

void made_refused_exactly(const char *text, const char *told)
{
	refused(text, told, true);
}

void made_accepted(const char *text)
{
	struct made made;

	made_init(&made);
	made.config.check_only = true;
	if (made_from(&made, text) != 0)
		fail_msg("refused:\n%s\n%s", text, strata_error_text(&made.error));
	assert_null(made.stack);
	made_end(&made);
}

char *made_text(const char *format, const struct record *record)
{
	size_t length = strlen(format), at = 0;
	char *text = malloc(length * 12 + 1);

	assert_non_null(text);
	for (const char *c = format; *c != '\0'; c++) {
		if (c[0] == '%' && c[1] == 'R') {
			at += (size_t)sprintf(text + at, "0x%" PRIxPTR, (uintptr_t)record);
			c++;
		} else {
			text[at++] = *c;
		}
	}
	text[at] = '\0';
	return text;
}

char *made_tmpdir(void)
{
	const char *tmp = getenv("TMPDIR");
	char path[4096];

	snprintf(path, sizeof(path), "%s/strata-test-XXXXXX", tmp != NULL ? tmp : "/tmp");
	assert_non_null(mkdtemp(path));
	return strdup(path);
}

void made_write(const char *dir, const char *name, const void *bytes, size_t length)
{
	char path[8192];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, length), length);
	close(fd);
}

void made_remove(char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	char path[8192];

	assert_non_null(d);
	while ((entry = readdir(d)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		if (unlink(path) < 0)
			rmdir(path);
	}
	closedir(d);
	assert_int_equal(rmdir(dir), 0);
	free(dir);
}

void *made_read(const char *path, size_t *length)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *bytes;

	if (fd < 0)
		fail_msg("%s: %s", path, strerror(errno));
	assert_int_equal(fstat(fd, &st), 0);
	*length = (size_t)st.st_size;
	bytes = malloc(*length + 1);
	assert_non_null(bytes);
	assert_int_equal(read(fd, bytes, *length), *length);
	close(fd);
	return bytes;
}
