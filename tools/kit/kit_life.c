/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A module's life: loaded, started, stopped and unloaded as often as one likes, switched off and on, and started
 * without memory. Nothing is left behind by any of it.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <string.h>

#include "kit.h"

/* Local choices. */
enum {
	WARM = 20,			/* cycles before anything is measured */
	TOGGLES = 50,
	STARVED_MOST = 500,		/* starts without memory */
};
/* Local choice: what the C library may keep after many cycles that it did not keep after few. */
#define HEAP_SLACK (64 * 1024)

/* ---- one start ---- */

/* What is known to keep a sound module from starting here. */
static bool is_surroundings(const struct kit *kit, int result)
{
	return kit->subject->kind == STRATA_LINK &&
	       (result == -EPERM || result == -EACCES || result == -ENODEV || result == -ENOENT ||
		result == -ENXIO || result == -ENOTSUP);
}

/* An option that it cannot do without, and that nobody gave; NULL: none. */
static const char *missing_option(const struct kit *kit)
{
	const struct strata_module *m = kit->module;
	size_t i;

	for (i = 0; i < m->option_count; i++)
		if (m->options[i].required && kit->option_count == 0)
			return m->options[i].name;
	for (i = 0; i < m->iface_option_count; i++)
		if (m->iface_options[i].required && kit->iface_option_count == 0)
			return m->iface_options[i].name;
	return NULL;
}

/* The kernel names the module; what comes after is the module's own, or where it says nothing, errno's. */
static bool is_silent(const struct strata_error *error, int result)
{
	static const char kernels[] = " could not start: ";
	const char *text = strata_error_text(error), *own = strstr(text, kernels);
	size_t length = strlen(strerror(-result));

	if (text[0] == '\0')
		return true;
	return own != NULL && strncmp(own + strlen(kernels), strerror(-result), length) == 0 &&
	       own[strlen(kernels) + length] == '\n';
}

static void tell_start(struct kit *kit, const struct kit_rig *rig, int result)
{
	const char *text = strata_error_text(&rig->error);
	const char *missing = missing_option(kit);
	int length = (int)strcspn(text, "\n");

	if (missing != NULL && result == -EINVAL)
		kit_skip(kit, "needs option %s: give it with --option or --interface-option", missing);
	else if (is_surroundings(kit, result))
		kit_skip(kit, "cannot be started here: %.*s", length, text);
	else if (is_silent(&rig->error, result))
		kit_fault(kit, "start()", "say with strata_error_add() what is wrong, and what to do",
			  "does not start, and does not say why (%s)", strerror(-result));
	else
		kit_fault(kit, "start()", "it must start with its defaults; or make the options required that "
			  "it cannot do without", "does not start: %.*s", length, text);
}

void kit_check_start(struct kit *kit)
{
	struct kit_rig rig;
	int result;

	kit_step(kit, "it is started with its defaults");
	result = kit_rig_open(kit, &rig, &(struct kit_setup){ 0 });
	if (result < 0) {
		tell_start(kit, &rig, result);
		kit_rig_close(&rig);
		return;
	}
	if (rig.self == NULL)
		kit_fault(kit, "start()", "", "was started, and is not running");
	kit_rig_pass(&rig, 60 * STRATA_SEC);
	kit_step(kit, "it is drained and stopped");
	strata_stack_drain(rig.stack);
	kit_rig_pass(&rig, STRATA_SEC);
	kit_done(kit, "%zu KiB of memory, %llu allocations", rig.env.peak / 1024,
		 (unsigned long long)rig.env.allocs);
	kit_rig_close(&rig);
}

/* ---- cycles ---- */

static unsigned int count_descriptors(void)
{
	unsigned int n = 0;
	DIR *dir = opendir("/proc/self/fd");

	while (dir != NULL && readdir(dir) != NULL)
		n++;
	if (dir != NULL)
		closedir(dir);
	return n;
}

static bool is_loaded(const struct kit *kit)
{
	void *handle = kit->subject->built_in ? NULL :
		dlopen(kit->subject->path, RTLD_NOLOAD | RTLD_LAZY | RTLD_LOCAL);

	if (handle != NULL)
		dlclose(handle);
	return handle != NULL;
}

/* What the process has of what a module may not take. */
struct holdings {
	unsigned int descriptors;
	size_t heap;
};

static struct holdings take_stock(void)
{
	return (struct holdings){ count_descriptors(), mallinfo2().uordblks };
}

static void compare(struct kit *kit, const struct holdings *before, unsigned int cycles)
{
	struct holdings now = take_stock();

	if (now.descriptors > before->descriptors)
		kit_fault(kit, "file descriptors", "close in stop() or close() what start() or open() opened",
			  "%u more descriptors are open after %u cycles",
			  now.descriptors - before->descriptors, cycles);
	if (now.heap > before->heap + HEAP_SLACK + 16 * (size_t)cycles)
		kit_fault(kit, "memory of the C library", "free what libraries gave; its own memory is the "
			  "stack's: strata_alloc()", "%zu KiB more are in use after %u cycles",
			  (now.heap - before->heap) / 1024, cycles);
}

static bool cycle(struct kit *kit, unsigned int number)
{
	struct kit_rig rig;

	kit_step(kit, "cycle %u", number);
	if (!kit_rig_must(kit, &rig, &(struct kit_setup){ .seed = kit->seed + number }))
		return false;
	strata_run(rig.stack, rig.env.now);
	kit_rig_close(&rig);
	if (is_loaded(kit)) {
		kit_fault(kit, kit->subject->path, "link it without -z nodelete, and leave no thread_local or "
			  "unique symbol in it", "stays in the process after its stack ended");
		return false;
	}
	return !kit_failed(kit);
}

void kit_check_cycles(struct kit *kit)
{
	struct holdings before = { 0 };
	unsigned int i;

	kit_let_go(kit);
	for (i = 0; i < kit->cycles; i++) {
		if (i == WARM)
			before = take_stock();
		if (!cycle(kit, i))
			return;
	}
	if (kit->cycles > WARM)
		compare(kit, &before, kit->cycles - WARM);
	kit_done(kit, "%u times", kit->cycles);
}

/* ---- off and on ---- */

static bool switch_off(struct kit *kit, struct kit_rig *rig)
{
	struct strata_error error = { 0 };
	int result = strata_module_disable(rig->stack, kit->subject->name, &error);

	if (result == -EBUSY)
		kit_skip(kit, "cannot be switched off here: %.*s",
			 (int)strcspn(strata_error_text(&error), "\n"), strata_error_text(&error));
	else if (result < 0)
		kit_fault(kit, "stop()", "", "cannot be disabled: %.*s",
			  (int)strcspn(strata_error_text(&error), "\n"), strata_error_text(&error));
	strata_error_clear(&error);
	strata_run(rig->stack, rig->env.now);
	return result == 0;
}

static int switch_on(struct kit *kit, struct kit_rig *rig, bool must)
{
	struct strata_error error = { 0 };
	int result = strata_module_enable(rig->stack, kit->subject->name, &error);

	if (result < 0 && (must || error.count == 0))
		kit_fault(kit, "start()", "start() begins from nothing each time: stop() undoes all of it",
			  "cannot be enabled again: %.*s", (int)strcspn(strata_error_text(&error), "\n"),
			  error.count != 0 ? strata_error_text(&error) : strerror(-result));
	strata_error_clear(&error);
	strata_run(rig->stack, rig->env.now);
	return result;
}

void kit_check_toggle(struct kit *kit)
{
	struct kit_rig rig;
	size_t blocks = 0;
	unsigned int i;

	if (!kit_rig_must(kit, &rig, &(struct kit_setup){ 0 }))
		return;
	kit_listen(&rig);
	for (i = 0; i < TOGGLES && !kit_failed(kit); i++) {
		kit_step(kit, "it is disabled, for the %u. time", i + 1);
		if (!switch_off(kit, &rig))
			break;
		/* The first time ends what was there from the beginning, sockets for one. */
		if (i == 0)
			kit_hang_up(&rig);
		kit_rig_pass(&rig, 120 * STRATA_SEC);
		if (i == 1)
			blocks = rig.env.blocks;
		if (i > 1 && rig.env.blocks > blocks)
			kit_fault(kit, "stop()", "free in stop() all that start() and its work brought",
				  "%zu blocks more are in use after it was enabled and disabled",
				  rig.env.blocks - blocks);
		kit_step(kit, "it is enabled, for the %u. time", i + 1);
		if (switch_on(kit, &rig, true) < 0)
			break;
	}
	kit_hang_up(&rig);
	kit_step(kit, "the stack ends after it was disabled and enabled");
	kit_rig_close(&rig);
	kit_done(kit, "%u times", i);
}

/* ---- without memory ---- */

static void starve_stacks(struct kit *kit, uint64_t total)
{
	uint64_t stride = total / STARVED_MOST + 1, k;
	struct kit_rig rig;

	for (k = 1; k <= total && !kit_failed(kit); k += stride) {
		int result;

		kit_step(kit, "allocation %llu of %llu fails while the stack starts", (unsigned long long)k,
			 (unsigned long long)total);
		result = kit_rig_open(kit, &rig, &(struct kit_setup){ .fail_at = k });
		if (result < 0 && rig.error.count == 0)
			kit_fault(kit, NULL, "say with strata_error_add() what is wrong",
				  "the start fails and does not say why");
		if (result == 0)
			kit_rig_pass(&rig, STRATA_SEC);
		kit_rig_close(&rig);
	}
}

/* The same of its own start alone, in a stack that runs. Returns how many allocations that makes. */
static unsigned int starve_enable(struct kit *kit, struct kit_rig *rig)
{
	unsigned int k;
	size_t blocks;

	for (k = 1; k < STARVED_MOST && !kit_failed(kit); k++) {
		uint64_t failed = rig->env.failed;
		int result;

		kit_step(kit, "it is disabled");
		if (!switch_off(kit, rig))
			break;
		blocks = rig->env.blocks;
		kit_step(kit, "allocation %u fails while it is enabled", k);
		kit_env_fail(&rig->env, k, false);
		result = switch_on(kit, rig, false);
		kit_env_fail(&rig->env, 0, false);
		if (result < 0 && rig->env.blocks > blocks)
			kit_fault(kit, NULL, "undo in start() all that it did when it fails",
				  "a start that failed left %zu blocks of memory", rig->env.blocks - blocks);
		kit_step(kit, "it is enabled after an allocation failed");
		if (result < 0 && switch_on(kit, rig, true) < 0)
			break;
		if (rig->env.failed == failed)
			break;
	}
	return k - 1;
}

void kit_check_start_memory(struct kit *kit)
{
	struct kit_rig rig;
	uint64_t total;
	unsigned int own;

	if (!kit_rig_must(kit, &rig, &(struct kit_setup){ 0 }))
		return;
	total = rig.env.allocs;
	own = starve_enable(kit, &rig);
	kit_step(kit, "the stack ends");
	kit_rig_close(&rig);
	/* That it cannot be switched off alone is no reason to leave the rest out. */
	kit->result->skipped[0] = '\0';
	if (!kit_failed(kit))
		starve_stacks(kit, total);
	kit_done(kit, "%u allocations of its own, %llu of a whole start", own, (unsigned long long)total);
}
