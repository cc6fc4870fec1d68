/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The full screen of `strata top`. The terminal is given back however it ends: signals come through a
 * descriptor, and there is one way out.
 */
#include <errno.h>
#include <fcntl.h>
#include <ncurses.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>
#include "strata_top.h"

/* Smaller than this nothing can be read. */
#define LINES_MIN 4
#define COLUMNS_MIN 20
/* Lines that are not the pane's: heading, tabs, titles, the last line. */
#define FRAME 4

struct screen {
	const struct cli *cli;
	double interval;
	double next;			/* when to look again, monotonic seconds */
	struct top_sample before, now;
	struct top_pane panes[PANES];
	size_t pane, first;		/* the one shown, and its first row on the screen */
	bool paused, help, lost, leave;
	int lines, columns;
};

static double monotonic(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- looking ---- */

/* What is left of a stack that went is of no use for rates. */
static void look(struct screen *s)
{
	struct top_sample sample;

	s->next = monotonic() + s->interval;
	s->lost = !top_sample_read(s->cli, &sample);
	if (s->lost)
		return;
	top_sample_free(&s->before);
	s->before = s->now;
	s->now = sample;
	top_panes_fill(s->panes, &s->before, &s->now);
}

/* ---- drawing ---- */

/* Writes one line, cut at the screen's edge. */
static void put_line(const struct screen *s, int line, int attributes, const char *text)
{
	if (line < 0 || line >= s->lines)
		return;
	attrset(attributes);
	mvaddnstr(line, 0, text, s->columns);
	attrset(A_NORMAL);
}

static void put_tabs(const struct screen *s)
{
	int column = 0;
	size_t i;

	move(1, 0);
	for (i = 0; i < PANES; i++) {
		char tab[40];
		int n = snprintf(tab, sizeof(tab), " %zu %s (%zu) ", i + 1, s->panes[i].name,
				 s->panes[i].row_count);

		if (column + n > s->columns)
			break;
		attrset(i == s->pane ? A_REVERSE : A_NORMAL);
		mvaddstr(1, column, tab);
		column += n;
	}
	attrset(A_NORMAL);
}

static void column_widths(const struct top_pane *pane, size_t widths[TOP_COLUMNS])
{
	size_t i, k;

	for (k = 0; k < pane->column_count; k++) {
		widths[k] = strlen(pane->columns[k].title);
		for (i = 0; i < pane->row_count; i++)
			if (strlen(pane->rows[i].cells[k]) > widths[k])
				widths[k] = strlen(pane->rows[i].cells[k]);
	}
}

/* A line of cells, aligned; columns that find no room are cut. `mark` is the column that bears a sign. */
static void put_cells(const struct screen *s, int line, int attributes, const char *const cells[TOP_COLUMNS],
		      const size_t widths[TOP_COLUMNS])
{
	const struct top_pane *pane = &s->panes[s->pane];
	char text[TOP_COLUMNS * (TOP_CELL + 2) + 1];
	size_t k, length = 0;

	for (k = 0; k < pane->column_count; k++)
		length += (size_t)snprintf(text + length, sizeof(text) - length,
					   pane->columns[k].right ? "%*s  " : "%-*s  ", (int)widths[k],
					   cells[k]);
	put_line(s, line, attributes, text);
}

static void put_pane(struct screen *s)
{
	const struct top_pane *pane = &s->panes[s->pane];
	size_t room = (size_t)(s->lines - FRAME), widths[TOP_COLUMNS], i, k;
	const char *cells[TOP_COLUMNS];
	int line = 3;

	if (s->first + room > pane->row_count)
		s->first = pane->row_count > room ? pane->row_count - room : 0;
	column_widths(pane, widths);
	for (k = 0; k < pane->column_count; k++)
		cells[k] = pane->columns[k].title;
	put_cells(s, 2, A_BOLD, cells, widths);
	for (i = s->first; i < pane->row_count && i < s->first + room; i++) {
		for (k = 0; k < pane->column_count; k++)
			cells[k] = pane->rows[i].cells[k];
		put_cells(s, line++, A_NORMAL, cells, widths);
	}
	if (pane->row_count == 0)
		put_line(s, line, A_NORMAL, "none");
}

static void put_help(const struct screen *s)
{
	static const char *const text[] = {
		"q          end",
		"1 2 3 4    interfaces, modules, sockets, drops",
		"tab        the next of them",
		"s          sort by the next column",
		"arrows, page up and down, home, end    move",
		"p, space   pause, and go on",
		"h, ?       this, and back",
	};
	size_t i;

	for (i = 0; i < sizeof(text) / sizeof(text[0]); i++)
		if (3 + (int)i < s->lines - 1)
			put_line(s, 3 + (int)i, A_NORMAL, text[i]);
}

static void put_last_line(const struct screen *s)
{
	const struct top_pane *pane = &s->panes[s->pane];
	char text[256];

	if (s->lost)
		snprintf(text, sizeof(text), "the stack does not answer; it is looked for every %g s",
			 s->interval);
	else
		snprintf(text, sizeof(text), "%severy %g s, sorted by %s; q ends, h is help",
			 s->paused ? "PAUSED, " : "", s->interval, pane->columns[pane->sort].title);
	put_line(s, s->lines - 1, s->lost || s->paused ? A_REVERSE : A_DIM, text);
}

static void draw(struct screen *s)
{
	char heading[160];

	getmaxyx(stdscr, s->lines, s->columns);
	erase();
	if (s->lines < LINES_MIN || s->columns < COLUMNS_MIN) {
		put_line(s, 0, A_NORMAL, "too small");
		refresh();
		return;
	}
	if (s->now.tables[TOP_VERSION] != NULL)
		top_heading(&s->now, heading, sizeof(heading));
	else
		snprintf(heading, sizeof(heading), "no stack yet");
	put_line(s, 0, A_BOLD, heading);
	put_tabs(s);
	if (s->help)
		put_help(s);
	else
		put_pane(s);
	put_last_line(s);
	refresh();
}

/* ---- keys ---- */

static void show_pane(struct screen *s, size_t pane)
{
	s->pane = pane;
	s->first = 0;
	s->help = false;
}

static void scroll_by(struct screen *s, long lines)
{
	if (lines < 0 && s->first < (size_t)-lines)
		s->first = 0;
	else
		s->first += (size_t)lines;	/* put_pane() keeps it within the rows */
}

static void sort_next(struct screen *s)
{
	struct top_pane *pane = &s->panes[s->pane];

	pane->sort = (pane->sort + 1) % pane->column_count;
	top_pane_sort(pane);
}

static void pause_toggle(struct screen *s)
{
	s->paused = !s->paused;
	s->next = monotonic();
}

static void press(struct screen *s, int key)
{
	long page = s->lines > FRAME ? s->lines - FRAME : 1;

	switch (key) {
	case 'q': case 'Q':
		s->leave = true;
		break;
	case '1': case '2': case '3': case '4':
		show_pane(s, (size_t)(key - '1'));
		break;
	case '\t': case KEY_RIGHT:
		show_pane(s, (s->pane + 1) % PANES);
		break;
	case KEY_BTAB: case KEY_LEFT:
		show_pane(s, (s->pane + PANES - 1) % PANES);
		break;
	case 's':
		sort_next(s);
		break;
	case 'p': case ' ':
		pause_toggle(s);
		break;
	case 'h': case '?':
		s->help = !s->help;
		break;
	case KEY_UP:
		scroll_by(s, -1);
		break;
	case KEY_DOWN:
		scroll_by(s, 1);
		break;
	case KEY_PPAGE:
		scroll_by(s, -page);
		break;
	case KEY_NPAGE:
		scroll_by(s, page);
		break;
	case KEY_HOME:
		s->first = 0;
		break;
	case KEY_END:
		s->first = s->panes[s->pane].row_count;
		break;
	default:	/* KEY_RESIZE too: it is drawn anew anyway */
		break;
	}
}

/* ---- the loop ---- */

/* Waits for a key, a signal, another size or the next look. */
static void wait_for(struct screen *s, int signals)
{
	struct pollfd fds[] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = signals, .events = POLLIN },
	};
	double left = s->next - monotonic();
	int limit = s->paused && !s->lost ? -1 : left > 0 ? (int)(left * 1000) + 1 : 0, key;

	if (poll(fds, 2, limit) < 0 && errno != EINTR)
		s->leave = true;
	if ((fds[1].revents & POLLIN) != 0 || (fds[0].revents & (POLLHUP | POLLERR | POLLNVAL)) != 0)
		s->leave = true;
	while (!s->leave && (key = getch()) != ERR)
		press(s, key);
}

static void loop(struct screen *s, int signals)
{
	while (!s->leave) {
		if ((!s->paused || s->lost) && monotonic() >= s->next)
			look(s);
		draw(s);
		wait_for(s, signals);
	}
}

/* What would end the program without giving the terminal back comes through a descriptor instead. */
static int catch_signals(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		cli_error("top: signals: %s", strerror(errno));
	return fd;
}

int top_screen(const struct cli *cli, double interval)
{
	struct screen s = { .cli = cli, .interval = interval };
	json_t *probe;
	SCREEN *terminal;
	int signals;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return cli_usage_error(cli, "expected a terminal; without one use --batch");
	/* Where nothing answers it is told as by any subcommand, before the screen is taken. */
	probe = cli_fetch(cli, "version");
	if (probe == NULL)
		return CLI_FAILURE;
	json_decref(probe);
	signals = catch_signals();
	if (signals < 0)
		return CLI_FAILURE;
	terminal = newterm(NULL, stdout, stdin);
	if (terminal == NULL) {
		const char *type = getenv("TERM");

		cli_error("top: terminal type '%s' is not known here; set TERM, or use --batch",
			  type != NULL ? type : "");
		close(signals);
		return CLI_FAILURE;
	}
	cbreak();
	noecho();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	curs_set(0);
	top_panes_init(s.panes);
	loop(&s, signals);
	endwin();
	delscreen(terminal);
	top_sample_free(&s.before);
	top_sample_free(&s.now);
	top_panes_free(s.panes);
	close(signals);
	return 0;
}
