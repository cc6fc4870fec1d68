/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * As much HTTP/1.1 as a scraper needs: the head of a request, the head of a response. Read RFC 9112 2, 3, 5, 6
 * and 9, and RFC 9110 9.3 and 15, before editing.
 */
#include <stdio.h>
#include <strings.h>
#include <time.h>

#include "metrics_int.h"

/* RFC 9110 5.6.2: tchar. */
static bool is_token_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_token(const char *text, size_t length)
{
	size_t i;

	for (i = 0; i < length; i++)
		if (!is_token_char(text[i]))
			return false;
	return length != 0;
}

static bool is(const char *text, size_t length, const char *word)
{
	return length == strlen(word) && strncasecmp(text, word, length) == 0;
}

/* RFC 9112 2.2: empty lines before a request are ignored, and a line may end in LF alone. */
static size_t skip_empty_lines(const char *bytes, size_t length)
{
	size_t i = 0;

	while (i < length && (bytes[i] == '\n' || (bytes[i] == '\r' && i + 1 < length && bytes[i + 1] == '\n')))
		i++;
	return i;
}

size_t metrics_head_length(const char *bytes, size_t length)
{
	size_t i = skip_empty_lines(bytes, length);

	for (; i < length; i++) {
		if (bytes[i] != '\n')
			continue;
		if (i + 1 < length && bytes[i + 1] == '\n')
			return i + 2;
		if (i + 2 < length && bytes[i + 1] == '\r' && bytes[i + 2] == '\n')
			return i + 3;
	}
	return 0;
}

/* The next line of the head without its end; moves `*at` behind it. */
static const char *next_line(const char *head, size_t length, size_t *at, size_t *line_length)
{
	const char *line = head + *at, *end = memchr(line, '\n', length - *at);

	if (end == NULL)
		end = head + length;
	*at = (size_t)(end - head) + (end < head + length);
	*line_length = (size_t)(end - line);
	if (*line_length != 0 && line[*line_length - 1] == '\r')
		(*line_length)--;
	return line;
}

/* The path of a request-target in origin-form or absolute-form, RFC 9112 3.2. */
static bool parse_target(const char *target, size_t length, struct metrics_request *request)
{
	const char *query;

	if (length >= 7 && strncasecmp(target, "http://", 7) == 0) {
		const char *slash = memchr(target + 7, '/', length - 7);

		request->path = slash != NULL ? slash : "/";
		request->path_length = slash != NULL ? length - (size_t)(slash - target) : 1;
	} else {
		request->path = target;
		request->path_length = length;
	}
	query = memchr(request->path, '?', request->path_length);
	if (query != NULL)
		request->path_length = (size_t)(query - request->path);
	return request->path_length != 0 && request->path[0] == '/';
}

/* RFC 9112 3: method SP request-target SP HTTP-version. Returns the status of an error, else 0. */
static unsigned int parse_request_line(const char *line, size_t length, struct metrics_request *request,
				       bool *old)
{
	const char *first = memchr(line, ' ', length), *second, *end = line + length;

	if (first == NULL || !is_token(line, (size_t)(first - line)))
		return 400;
	second = memchr(first + 1, ' ', (size_t)(end - first - 1));
	if (second == NULL || second == first + 1)
		return 400;
	if (end - second != 9 || memcmp(second + 1, "HTTP/", 5) != 0 || second[7] != '.' ||
	    second[6] < '0' || second[6] > '9' || second[8] < '0' || second[8] > '9')
		return 400;
	if (second[6] != '1')
		return 505;
	*old = second[8] == '0';
	request->head = first - line == 4 && memcmp(line, "HEAD", 4) == 0;
	if (!parse_target(first + 1, (size_t)(second - first - 1), request))
		return 400;
	if (!request->head && (first - line != 3 || memcmp(line, "GET", 3) != 0))
		return 405;
	return 0;
}

/* True when the list of tokens has the word. */
static bool has_token(const char *value, size_t length, const char *word)
{
	size_t begin = 0, i;

	for (i = 0; i <= length; i++) {
		if (i < length && value[i] != ',' && value[i] != ' ' && value[i] != '\t')
			continue;
		if (is(value + begin, i - begin, word))
			return true;
		begin = i + 1;
	}
	return false;
}

struct fields {
	unsigned int hosts, lengths;
	bool body;			/* more bytes follow the head */
	bool close;
};

/* One field line, RFC 9112 5. Returns false when it is malformed. */
static bool parse_field(const char *line, size_t length, struct fields *fields)
{
	const char *colon = memchr(line, ':', length), *value;
	size_t name, i;

	/* RFC 9112 5.1: no white space before the colon; 5.2: no folded lines. */
	if (colon == NULL || !is_token(line, (size_t)(colon - line)))
		return false;
	name = (size_t)(colon - line);
	value = colon + 1;
	length -= name + 1;
	while (length != 0 && (*value == ' ' || *value == '\t')) {
		value++;
		length--;
	}
	while (length != 0 && (value[length - 1] == ' ' || value[length - 1] == '\t'))
		length--;
	for (i = 0; i < length; i++)
		if ((unsigned char)value[i] < ' ' && value[i] != '\t')
			return false;
	fields->hosts += is(line, name, "Host");
	if (is(line, name, "Connection"))
		fields->close |= has_token(value, length, "close");
	if (is(line, name, "Transfer-Encoding"))
		fields->body = true;
	if (!is(line, name, "Content-Length"))
		return true;
	for (i = 0; i < length; i++) {
		if (value[i] < '0' || value[i] > '9')
			return false;
		fields->body |= value[i] != '0';
	}
	return length != 0 && ++fields->lengths == 1;
}

void metrics_request_parse(const char *head, size_t length, struct metrics_request *request)
{
	size_t at = skip_empty_lines(head, length), n;
	struct fields fields = { 0 };
	bool old = false;
	const char *line;

	memset(request, 0, sizeof(*request));
	line = next_line(head, length, &at, &n);
	request->status = parse_request_line(line, n, request, &old);
	while (at < length && (request->status == 0 || request->status == 405)) {
		line = next_line(head, length, &at, &n);
		if (n != 0 && !parse_field(line, n, &fields))
			request->status = 400;
	}
	/* RFC 9112 3.2: a request of version 1.1 has exactly one Host. */
	if ((request->status == 0 || request->status == 405) && (fields.hosts > 1 || (!old && fields.hosts == 0)))
		request->status = 400;
	/* A body is not read, so nothing that follows it can be: RFC 9112 9.6. */
	request->close = old || fields.close || fields.body ||
			 (request->status != 0 && request->status != 405);
}

const char *metrics_status_text(unsigned int status)
{
	switch (status) {
	case 200: return "OK";
	case 404: return "Not Found";
	case 405: return "Method Not Allowed";
	case 431: return "Request Header Fields Too Large";
	case 500: return "Internal Server Error";
	case 503: return "Service Unavailable";
	case 505: return "HTTP Version Not Supported";
	default: return "Bad Request";
	}
}

/* RFC 9110 5.6.7: IMF-fixdate, in English whatever the locale. */
static void write_date(char *out, size_t size, uint64_t wall)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t seconds = (time_t)(wall / STRATA_SEC);
	struct tm tm = { .tm_mday = 1 };

	gmtime_r(&seconds, &tm);
	snprintf(out, size, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT", days + 3 * tm.tm_wday, tm.tm_mday,
		 months + 3 * tm.tm_mon, tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

size_t metrics_head_write(char *out, unsigned int status, size_t length, bool close, uint64_t wall)
{
	char date[64];
	int n;

	write_date(date, sizeof(date), wall);
	n = snprintf(out, METRICS_HEAD_ROOM,
		     "HTTP/1.1 %u %s\r\n"
		     "Date: %s\r\n"
		     "Content-Type: %s; charset=utf-8\r\n"
		     "Content-Length: %zu\r\n"
		     "%s%s"
		     "Connection: %s\r\n\r\n",
		     status, metrics_status_text(status), date,
		     status == 200 ? "text/plain; version=0.0.4" : "text/plain", length,
		     status == 405 ? "Allow: GET, HEAD\r\n" : "", status == 503 ? "Retry-After: 1\r\n" : "",
		     close ? "close" : "keep-alive");
	return n > 0 ? (size_t)n : 0;
}
