/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A main program over simulation cases: seeds, records of what failed, and the command that replays it.
 */
#include "sim_int.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

struct plan {
	const char *program;
	const char *name;		/* the only case; NULL: all */
	uint64_t seed;			/* the only seed; 0: each case's own */
	unsigned int seeds;		/* 0: each case's own */
	unsigned int scale;		/* per cent */
	const char *record;
	const char *module_path;
	bool hash, verbose, super;
};

static const struct option options[] = {
	{ "case", required_argument, NULL, 'c' },
	{ "seed", required_argument, NULL, 's' },
	{ "seeds", required_argument, NULL, 'n' },
	{ "scale", required_argument, NULL, 'p' },
	{ "record", required_argument, NULL, 'r' },
	{ "module-path", required_argument, NULL, 'm' },
	{ "super", no_argument, NULL, 'u' },
	{ "hash", no_argument, NULL, 'x' },
	{ "list", no_argument, NULL, 'l' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static int usage(const char *program, int status)
{
	fprintf(status == 0 ? stdout : stderr,
		"Usage: %s [OPTION]...\n"
		"Runs simulations, each from seeds in virtual time.\n"
		"  --case NAME         this one only\n"
		"  --seed N            with this seed only\n"
		"  --seeds N           with the seeds 1 to N\n"
		"  --scale PERCENT     larger or smaller than it is, where the case can (100)\n"
		"  --record PREFIX     write PREFIX.txt and PREFIX.pcapng of the last run\n"
		"  --module-path PATH  directories of modules ($STRATA_MODULE_PATH)\n"
		"  --super             with packets of up to 64 KiB between hosts and links\n"
		"  --hash              print the hash over all frames of each run\n"
		"  --verbose           the stacks' log on standard error\n"
		"  --list              print the names of the cases\n", program);
	return status;
}

static bool number(const char *text, uint64_t least, uint64_t most, uint64_t *out)
{
	char *end;

	*out = strtoull(text, &end, 0);
	return *text != '\0' && *text != '-' && *end == '\0' && *out >= least && *out <= most;
}

/* Returns the exit status that ends it at once, or -1. */
static int parse(struct plan *plan, int argc, char **argv, const struct strata_sim_case *cases)
{
	uint64_t value;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			plan->name = optarg;
			break;
		case 'r':
			plan->record = optarg;
			break;
		case 'm':
			plan->module_path = optarg;
			break;
		case 'u':
			plan->super = true;
			break;
		case 'x':
			plan->hash = true;
			break;
		case 'v':
			plan->verbose = true;
			break;
		case 's':
		case 'n':
		case 'p':
			if (!number(optarg, 1, c == 's' ? UINT64_MAX : 1000000000, &value)) {
				fprintf(stderr, "%s: expected a number from 1 on, found %s\n", argv[0],
					optarg);
				return 2;
			}
			if (c == 's')
				plan->seed = value;
			else
				*(c == 'n' ? &plan->seeds : &plan->scale) = (unsigned int)value;
			break;
		case 'l':
			for (; cases->name != NULL; cases++)
				puts(cases->name);
			return 0;
		case 'h':
			return usage(argv[0], 0);
		default:
			return usage(argv[0], 2);
		}
	}
	return optind == argc ? -1 : usage(argv[0], 2);
}

/* One run. Returns whether it had a fault. */
static bool run_one(const struct plan *plan, const struct strata_sim_case *one, uint64_t seed,
		    const char *record, uint64_t *hash)
{
	struct strata_sim_config config = {
		.seed = seed, .module_path = plan->module_path, .record = record,
		.verbose = plan->verbose, .super = plan->super,
	};
	struct strata_sim *sim = strata_sim_create(&config);

	if (sim == NULL)
		return true;
	one->run(sim, plan->scale);
	*hash = strata_sim_hash(sim);
	return strata_sim_destroy(sim) != 0;
}

/* Runs a seed that had a fault once more, recorded, and tells how anyone can. */
static void replay(const struct plan *plan, const struct strata_sim_case *one, uint64_t seed)
{
	char *prefix = NULL;
	uint64_t hash;

	if (asprintf(&prefix, "sim-%s-%llu", one->name, (unsigned long long)seed) < 0)
		return;
	printf("# replay: %s%s%s --case %s --seed %llu --scale %u%s --record %s\n", plan->program,
	       plan->module_path != NULL ? " --module-path " : "",
	       plan->module_path != NULL ? plan->module_path : "", one->name,
	       (unsigned long long)seed, plan->scale, plan->super ? " --super" : "", prefix);
	fflush(stdout);
	if (plan->record == NULL) {
		run_one(plan, one, seed, prefix, &hash);
		printf("# recorded: %s.txt %s.pcapng\n", prefix, prefix);
	}
	free(prefix);
}

static bool run_case(const struct plan *plan, const struct strata_sim_case *one)
{
	unsigned int seeds = plan->seeds != 0 ? plan->seeds : one->seeds != 0 ? one->seeds : 1;
	uint64_t first = plan->seed != 0 ? plan->seed : 1;
	uint64_t last = plan->seed != 0 ? plan->seed : seeds;

	for (uint64_t seed = first;; seed++) {
		uint64_t hash = 0;
		bool faulty = run_one(plan, one, seed, plan->record, &hash);

		if (plan->hash)
			printf("%s %llu %016llx\n", one->name, (unsigned long long)seed,
			       (unsigned long long)hash);
		if (faulty) {
			printf("FAIL %s: seed %llu\n", one->name, (unsigned long long)seed);
			replay(plan, one, seed);
			return false;
		}
		if (seed == last)
			break;
	}
	if (!plan->hash)
		printf("ok %s\n", one->name);
	fflush(stdout);
	return true;
}

int strata_sim_main(int argc, char **argv, const struct strata_sim_case *cases)
{
	struct plan plan = { .program = argv[0], .scale = 100,
			     .module_path = getenv("STRATA_MODULE_PATH") };
	int status = parse(&plan, argc, argv, cases), ran = 0;

	if (status >= 0)
		return status;
	status = 0;
	for (; cases->name != NULL; cases++) {
		if (plan.name != NULL && strcmp(plan.name, cases->name) != 0)
			continue;
		ran++;
		if (!run_case(&plan, cases))
			status = 1;
	}
	if (ran == 0) {
		fprintf(stderr, "%s: no case %s; --list names them\n", argv[0], plan.name);
		return 2;
	}
	return status;
}
