/* SPDX-License-Identifier: BSD-2-Clause */
/* Results of checks: how a check tells them, and how they are printed, for people and for programs. */
#include <stdarg.h>
#include <string.h>

#include "kit_int.h"

/* ---- told by a check ---- */

static void add(struct kit *kit, const struct kit_finding *finding)
{
	struct kit_result *result = kit->result;
	unsigned int i;

	for (i = 0; i < result->count; i++)
		if (strcmp(result->findings[i].what, finding->what) == 0)
			return;
	if (!finding->remark)
		result->faults++;
	if (result->count < KIT_FINDINGS)
		result->findings[result->count++] = *finding;
}

static void tell(struct kit *kit, bool remark, const char *place, const char *remedy,
		 const char *format, va_list args)
{
	struct kit_finding finding = { .remark = remark };

	vsnprintf(finding.what, sizeof(finding.what), format, args);
	snprintf(finding.place, sizeof(finding.place), "%s",
		 place != NULL ? place : kit->result->step);
	snprintf(finding.remedy, sizeof(finding.remedy), "%s", remedy);
	add(kit, &finding);
}

void kit_fault(struct kit *kit, const char *place, const char *remedy, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	tell(kit, false, place, remedy, format, args);
	va_end(args);
}

void kit_remark(struct kit *kit, const char *place, const char *remedy, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	tell(kit, true, place, remedy, format, args);
	va_end(args);
}

void kit_skip(struct kit *kit, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(kit->result->skipped, sizeof(kit->result->skipped), format, args);
	va_end(args);
}

void kit_step(struct kit *kit, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(kit->result->step, sizeof(kit->result->step), format, args);
	va_end(args);
	kit->result->steps++;
}

void kit_done(struct kit *kit, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(kit->result->done, sizeof(kit->result->done), format, args);
	va_end(args);
}

/* ---- printed ---- */

static const char *status_of(const struct kit_result *result)
{
	return result->faults != 0 ? "failed" : result->skipped[0] != '\0' ? "skipped" : "ok";
}

static void print_findings(const struct kit_result *result)
{
	unsigned int i;

	for (i = 0; i < result->count; i++) {
		const struct kit_finding *f = &result->findings[i];

		printf("             %s%s\n", f->remark ? "(remark) " : "", f->what);
		if (f->place[0] != '\0')
			printf("               where:  %s\n", f->place);
		if (f->remedy[0] != '\0')
			printf("               remedy: %s\n", f->remedy);
	}
	if (result->faults > result->count)
		printf("             … and %u more\n", result->faults - result->count);
}

void kit_report_begin(struct kit_report *report)
{
	if (report->kit->cli->json)
		report->json = json_array();
}

static json_t *json_finding(const struct kit_finding *f)
{
	json_t *entry = json_pack("{s:s, s:s, s:s, s:s}", "severity", f->remark ? "remark" : "fault",
				  "what", f->what, "where", f->place, "remedy", f->remedy);

	return entry != NULL ? entry : json_pack("{s:s}", "what", "(not UTF-8)");
}

static void json_check(struct kit_report *report, const struct kit_check *check,
		       const struct kit_result *result)
{
	json_t *findings = json_array(), *entry;
	unsigned int i;

	for (i = 0; i < result->count; i++)
		json_array_append_new(findings, json_finding(&result->findings[i]));
	entry = json_pack("{s:s, s:s, s:s, s:o}", "check", check->name, "summary", check->summary,
			  "result", status_of(result), "findings", findings);
	if (result->skipped[0] != '\0')
		json_object_set_new(entry, "why", json_string(result->skipped));
	if (result->done[0] != '\0')
		json_object_set_new(entry, "done", json_string(result->done));
	json_array_append_new(report->json, entry);
}

/* The module's name, once it is known. */
static void print_title(struct kit_report *report)
{
	const struct kit_subject *subject = report->kit->subject;

	if (report->titled || !subject->known)
		return;
	report->titled = true;
	printf("%s: %s %s, %s", report->kit->file, subject->name, subject->version,
	       strata_kind_name((enum strata_kind)subject->kind));
	if (subject->number != 0)
		printf(subject->kind == STRATA_NETWORK ? " 0x%04x" : " %u", subject->number);
	printf(": %s\n", subject->summary);
}

void kit_report_check(struct kit_report *report, const struct kit_check *check,
		      const struct kit_result *result)
{
	const char *status = status_of(result);

	if (result->faults != 0)
		report->failed++;
	else if (result->skipped[0] != '\0')
		report->skipped++;
	else
		report->ok++;
	if (report->json != NULL) {
		json_check(report, check, result);
		return;
	}
	print_title(report);
	printf("  %-8s %-13s %s\n", status, check->name,
	       result->faults != 0 ? check->summary :
	       result->skipped[0] != '\0' ? result->skipped :
	       result->done[0] != '\0' ? result->done : check->summary);
	print_findings(result);
	fflush(stdout);
}

int kit_report_end(struct kit_report *report)
{
	const struct kit *kit = report->kit;
	const struct kit_subject *subject = kit->subject;
	int status = report->failed != 0 ? CLI_FAILURE : 0, printed;
	json_t *module = json_null();

	if (report->json == NULL) {
		if (!subject->known && kit->only == NULL)
			puts("  the rest is for a module that can be opened");
		printf("%u ok, %u failed, %u skipped; seed %llu\n", report->ok, report->failed,
		       report->skipped, (unsigned long long)kit->seed);
		return status;
	}
	if (subject->known)
		module = json_pack("{s:s, s:s, s:s, s:s, s:I}", "name", subject->name, "version",
				   subject->version, "summary", subject->summary, "kind",
				   strata_kind_name((enum strata_kind)subject->kind), "number",
				   (json_int_t)subject->number);
	printed = cli_print_json(json_pack("{s:s, s:o, s:s, s:I, s:b, s:i, s:i, s:i, s:o}",
		"file", kit->file, "module", module, "path", subject->path,
		"seed", (json_int_t)kit->seed, "ok", report->failed == 0, "passed", (int)report->ok,
		"failed", (int)report->failed, "skipped", (int)report->skipped,
		"checks", report->json));
	return status != 0 ? status : printed;
}
