/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver of the allocation sweep; see sweep.h. */
#include "sweep.h"

#include <signal.h>
#include <unistd.h>

/* Where each run costs ten times as much, of the modes but the first every so many-th allocation fails. */
enum { MODES = 4, SANITIZED_STRIDE = 6 };

/* What one program has done. */
struct totals {
	uint64_t scenarios, failures, refusals;
	uint64_t stride;		/* of the modes but the first */
};

struct sweeping {
	const struct sweep_scenario *scenario;
	struct totals *totals;
	struct sweep run;		/* the one under way */
	bool finished;
};

/* ---- for scenarios ---- */

void sweep_begin(struct sweep *sw, struct fixture *fx)
{
	assert_false(sw->begun);
	sw->begun = true;
	sw->fx = fx;
	sw->allocs = fx->allocs;
	sw->failed = fx->failed;
	fx_fail_at(fx, sw->k, sw->forever);
}

void sweep_end(struct sweep *sw)
{
	assert_true(sw->begun && !sw->ended);
	sw->ended = true;
	fx_fail_at(sw->fx, 0, false);
	sw->allocs = sw->fx->allocs - sw->allocs;
	sw->failed = sw->fx->failed - sw->failed;
}

bool sweep_failed(const struct sweep *sw)
{
	return sw->begun && (sw->ended ? sw->failed : sw->fx->failed - sw->failed) != 0;
}

ssize_t sweep_result_at(const struct sweep *sw, ssize_t result, const char *file, int line)
{
	if (result < 0 && !(sweep_failed(sw) && (result == -ENOBUFS || result == -ENOMEM)))
		fx_fail(sw->fx, file, line, "%s", strerror((int)-result));
	return result;
}

void sweep_usable(struct fixture *fx)
{
	const char *modules = fx->config.modules;
	char buf[8];

	fx_discard(fx);
	if (modules == NULL || strstr(modules, "icmp") != NULL) {
		rx_icmp(.type = 8, .id = 9, .seq = 1, .text = "still here");
		expect_icmp(.type = 0, .id = 9, .seq = 1, .text = "still here", .within = 10);
	}
	if (modules == NULL || strstr(modules, "udp") != NULL) {
		int s = udp_on(7777);

		rx_udp(.dport = 7777, .text = "here");
		assert_int_equal(fx_recv(fx, s, buf, sizeof(buf)), 4);
		assert_int_equal(fx_sendto(fx, s, "too", 3, PEER_IP, 40000), 3);
		expect_udp(.sport = 7777, .text = "too", .within = 10);
		fx_close_socket(fx, s);
	}
}

/* ---- the sweep ---- */

static const char *mode_name(const struct sweep *run)
{
	return run->forever ? "good" : "once";
}

/* For the one line that tells where it happened, whatever happens. */
static const struct sweeping *under_way;

static void told_at(const struct sweep *run)
{
	char line[160];
	int n = snprintf(line, sizeof(line), "replay with SWEEP=%s:%llu:%s%s\n", run->name,
			 (unsigned long long)run->k, mode_name(run), run->uncached ? "" : ":cached");

	if (n > 0 && write(STDERR_FILENO, line, (size_t)n) < 0)
		return;
}

static void aborted(int number)
{
	(void)number;
	if (under_way != NULL)
		told_at(&under_way->run);
}

static uint64_t run_one(struct sweeping *s, uint64_t k, bool forever, bool uncached)
{
	s->run = (struct sweep){ .name = s->scenario->name, .arg = s->scenario->arg, .k = k,
				 .forever = forever, .uncached = uncached };
	if (getenv("SWEEP_VERBOSE") != NULL)
		told_at(&s->run);
	s->scenario->run(&s->run);
	assert_true(s->run.ended);
	/* The run before the failure is the one that was counted: it has come to pass. */
	assert_true(k == 0 ? s->run.failed == 0 : s->run.failed != 0);
	s->totals->failures += k != 0;
	s->totals->refusals += s->run.failed;
	return s->run.allocs;
}

/* What SWEEP asks for: all, one scenario, one allocation of it. */
static bool asked_for(const char *name, uint64_t *k, bool *forever, bool *uncached)
{
	const char *asked = getenv("SWEEP"), *rest;
	size_t n = strlen(name);

	*k = 0;
	if (asked == NULL)
		return true;
	if (strncmp(asked, name, n) != 0 || (asked[n] != '\0' && asked[n] != ':'))
		return false;
	rest = asked + n;
	if (*rest == ':')
		*k = strtoull(rest + 1, NULL, 10);
	*forever = strstr(rest, ":good") != NULL;
	*uncached = strstr(rest, ":cached") == NULL;
	return true;
}

static void sweep_scenario(void **state)
{
	struct sweeping *s = *state;
	uint64_t k, total, failures = s->totals->failures;
	bool forever, uncached;

	if (!asked_for(s->scenario->name, &k, &forever, &uncached))
		skip();
	under_way = s;
	if (k != 0) {
		run_one(s, k, forever, uncached);
	} else {
		for (unsigned int mode = 0; mode < MODES; mode++) {
			uncached = (mode & 2) == 0;
			forever = (mode & 1) != 0;
			total = run_one(s, 0, forever, uncached);
			/* Each mode begins elsewhere, so that together they leave out none. */
			for (k = 1 + mode % s->totals->stride; k <= total; k += mode == 0 ? 1 : s->totals->stride)
				run_one(s, k, forever, uncached);
		}
	}
	/* A scenario that asks for no memory at all is none. */
	assert_true(s->totals->failures > failures);
	s->totals->scenarios++;
	s->finished = true;
	under_way = NULL;
}

static int tell(void **state)
{
	const struct sweeping *s = *state;

	if (!s->finished && under_way == s)
		told_at(&s->run);
	under_way = NULL;
	return 0;
}

int sweep_main(const struct sweep_scenario *scenarios, size_t count, uint64_t least_failures)
{
	struct CMUnitTest *tests = calloc(count, sizeof(*tests));
	struct sweeping *each = calloc(count, sizeof(*each));
	const char *sanitizers = getenv("STRATA_TEST_SANITIZERS");
	struct totals totals = { .stride = 1 };
	struct fixture *loaded;
	size_t i;
	int result;

	if (tests == NULL || each == NULL)
		return 1;
	if (sanitizers != NULL && strcmp(sanitizers, "yes") == 0) {
		totals.stride = SANITIZED_STRIDE;
		least_failures /= 3;
	}
	signal(SIGABRT, aborted);
	/* Keeps the modules' files open, so that making a stack is quick. */
	loaded = fx_open(.modules = "ethernet arp ipv4 icmp udp newreno cubic bbr tcp echo");
	for (i = 0; i < count; i++) {
		each[i] = (struct sweeping){ .scenario = &scenarios[i], .totals = &totals };
		tests[i] = (struct CMUnitTest){ .name = scenarios[i].name, .test_func = sweep_scenario,
						.teardown_func = tell, .initial_state = &each[i] };
	}
	result = _cmocka_run_group_tests("sweep", tests, count, NULL, NULL);
	print_message("%llu scenarios, %llu runs with a failure injected, %llu allocations refused\n",
		      (unsigned long long)totals.scenarios, (unsigned long long)totals.failures,
		      (unsigned long long)totals.refusals);
	if (result == 0 && getenv("SWEEP") == NULL &&
	    (totals.scenarios != count || totals.failures < least_failures)) {
		print_error("at least %llu failures were to be injected\n",
			    (unsigned long long)least_failures);
		result = 1;
	}
	fx_close(loaded);
	free(tests);
	free(each);
	return result;
}
