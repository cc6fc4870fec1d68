/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Scenarios: short plays in virtual time, each of which shows one behaviour that was asked for. A program is
 * a list of them; each is played on a fixture of its own, which is opened before and closed after it, so
 * that nothing may be left, and once more on an interface that takes super-packets, whose cuts must be what the
 * stack sends else. docs/scenarios.md tells how to write one.
 *
 *	static void a_reset_in_the_window_is_challenged(struct fixture *fx) { … rx(RST, .seq = 2); … }
 *
 *	static const struct fx_scenario scenarios[] = {
 *		SCENARIO("26", a_reset_in_the_window_is_challenged),
 *		SCENARIO("30", an_old_stamp_is_taken_without_paws, .options = "tcp.timestamps=false"),
 *		SCENARIOS("29", an_unacceptable_ack_is_answered, acks),
 *	};
 *
 *	int main(int argc, char **argv) { return fx_play(argc, argv, scenarios); }
 *
 * A table makes each of its rows a scenario of its own: the first member of a row is its name. With --list
 * the program prints a line for each scenario, "REQUIREMENT<tab>PROGRAM<tab>NAME", and plays none; with a
 * part of a name it plays those alone.
 */
#ifndef TEST_PLAY_H
#define TEST_PLAY_H

#include "fixture.h"

struct fx_scenario {
	const char *shows;		/* the requirement it shows: a number or a word */
	const char *name;
	void (*play)(struct fixture *fx);
	/* Or, with a table: */
	void (*play_row)(struct fixture *fx, const void *row);
	const void *rows;
	size_t row_size, row_count;
	struct fx_config config;
};

/* Further arguments are fields of struct fx_config. */
#define SCENARIO(shows_, play_, ...) \
	{ .shows = (shows_), .name = #play_, .play = (play_), .config = { .seed = 1, ##__VA_ARGS__ } }
/* The same play under another name: with another configuration. */
#define SCENARIO_AS(shows_, name_, play_, ...) \
	{ .shows = (shows_), .name = #name_, .play = (play_), .config = { .seed = 1, ##__VA_ARGS__ } }
#define SCENARIOS(shows_, play_, table, ...) \
	{ .shows = (shows_), .name = #play_, .play_row = (play_), .rows = (table), \
	  .row_size = sizeof((table)[0]), .row_count = STRATA_COUNT(table), \
	  .config = { .seed = 1, ##__VA_ARGS__ } }

#define fx_play(argc, argv, scenarios) \
	fx_play_all(argc, argv, __FILE__, scenarios, STRATA_COUNT(scenarios))
int fx_play_all(int argc, char **argv, const char *file, const struct fx_scenario *scenarios,
		size_t count);

/* ---- further words ---- */

/* Changes an option while the stack runs: option("tcp.sack", "off"). */
#define option(name, value) fx_option(fx, name, value)
/* The application sends `length` bytes of the pattern from `position` on, all of them. */
#define app_sends(s, position, length) fx_app_sends(fx, s, position, length)
/* The application reads `length` bytes of the pattern from `position` on; `length` is all there are. */
#define app_reads(s, position, length) fx_app_reads(fx, s, position, length)
/* Reading gives this result: -EAGAIN, 0 (the end), -ECONNRESET … */
#define expect_read(s, result) fx_expect_read(fx, s, result, __FILE__, __LINE__)
/* A socket has begun to connect to the peer's `port`: its SYN has been sent. */
#define connecting(port) fx_connecting(fx, port)

void fx_option(struct fixture *fx, const char *name, const char *value);
void fx_app_sends(struct fixture *fx, int s, uint64_t position, size_t length);
void fx_app_reads(struct fixture *fx, int s, uint64_t position, size_t length);
void fx_expect_read(struct fixture *fx, int s, ssize_t result, const char *file, int line);
int fx_connecting(struct fixture *fx, uint16_t port);

#endif
