/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flows over one bottleneck in the simulator: two hosts, a link with a rate, a queue and losses, and
 * what became of the windows. What bench/theory prints and tests/sim/test_theory judges.
 */
#ifndef DUMBBELL_H
#define DUMBBELL_H

#include <strata/sim.h>

enum { DUMBBELL_FLOWS = 4 };

/* Zeroed fields: none, or what is said. */
struct dumbbell {
	uint64_t seed;
	uint64_t rtt;			/* ns, both ways together */
	uint64_t rate;			/* bits a second of the way forth; 0: no limit */
	uint64_t queue;			/* bytes in front of it */
	uint32_t loss;			/* at random, of STRATA_PPM */
	uint64_t every;			/* each so many-th data packet is lost, the first after `first` */
	uint64_t first;
	uint64_t buffers;		/* bytes of send and receive buffer each; 0: 64 MiB */
	const char *options;		/* further ones, of any module */
	unsigned int flows;
	struct {
		const char *algorithm;
		uint64_t starts;	/* ns after the beginning */
	} flow[DUMBBELL_FLOWS];
	/* Measured from `warmup` to `duration`, ns; where `every` is set, from the loss numbered
	 * `warmup_losses` to that numbered `losses`, if it comes before. */
	uint64_t warmup, duration;
	unsigned int warmup_losses, losses;
	uint64_t sample;		/* time between looks at the windows; 0: a quarter of the RTT */
	bool super;			/* with packets of up to 64 KiB between hosts and links */
};

struct dumbbell_point {
	float time;			/* s */
	float window;			/* segments */
};

struct dumbbell_flow {
	double window;			/* mean, in segments */
	double goodput;			/* bits a second that the receiver's application read */
	double srtt;			/* mean, ms */
	unsigned long retransmitted;	/* segments, in all */
	struct dumbbell_point *points;
	unsigned int point_count;
};

struct dumbbell_result {
	struct dumbbell_flow flow[DUMBBELL_FLOWS];
	unsigned int mss;		/* payload of a full segment */
	unsigned int losses;		/* by `every`, while measured */
	unsigned long sent;		/* data packets, while measured */
	double used;			/* payload through the bottleneck, of what it could carry */
	double jain;			/* Jain's index of the goodputs */
	double seconds;			/* of virtual time measured */
};

/* Runs it. Returns 0, or 1 after a fault of the simulation, told on standard error. */
int dumbbell_run(const struct dumbbell *d, struct dumbbell_result *result);
void dumbbell_free(struct dumbbell_result *result);
/* The most payload that the way carries, bits a second: headers of frames of 1500 bytes taken off. */
double dumbbell_capacity(const struct dumbbell *d, const struct dumbbell_result *result);
/* The mean window in segments that theory gives `newreno` (Mathis) or `cubic` (RFC 9438 5.1) where each
 * 1/p-th packet is lost and the round-trip time is `rtt` seconds. */
double dumbbell_expected(const char *algorithm, double p, double rtt);

#endif
