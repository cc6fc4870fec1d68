/* SPDX-License-Identifier: BSD-2-Clause */
/* The files: read and written with libpcap, which knows pcap and pcapng. */
#include <ctype.h>
#include <errno.h>
#include <sys/stat.h>
#include <strata/stack.h>
#include "pcap_int.h"

/* ---- speed ---- */

bool replay_speed_parse(const char *text, uint64_t *out)
{
	uint64_t whole = 0, part = 0, unit = REPLAY_REALTIME;
	const char *p = text;

	if (strcmp(text, "realtime") == 0 || strcmp(text, "max") == 0) {
		*out = text[0] == 'm' ? REPLAY_MAX : REPLAY_REALTIME;
		return true;
	}
	if (!isdigit((unsigned char)*p))
		return false;
	for (; isdigit((unsigned char)*p); p++) {
		whole = whole * 10 + (uint64_t)(*p - '0');
		if (whole > 1000000)
			return false;
	}
	if (*p == '.') {
		for (p++; isdigit((unsigned char)*p) && unit > 1; p++) {
			unit /= 10;
			part += (uint64_t)(*p - '0') * unit;
		}
		if (unit == REPLAY_REALTIME)
			return false;
	}
	*out = whole * REPLAY_REALTIME + part;
	return *p == '\0' && *out >= REPLAY_REALTIME / 1000;
}

uint64_t replay_scale(uint64_t elapsed, uint64_t speed)
{
	if (speed == REPLAY_MAX)
		return 0;
	/* In two steps, so that nothing overflows: speed is at most 10^12. */
	return elapsed / speed * REPLAY_REALTIME + elapsed % speed * REPLAY_REALTIME / speed;
}

/* ---- reading ---- */

int replay_open_in(struct replay *replay, struct strata_error *error)
{
	const char *path = replay_config(replay)->read;
	char text[PCAP_ERRBUF_SIZE];
	struct stat status;
	int type;

	if (stat(path, &status) < 0) {
		int result = -errno;

		strata_error_add(error, "interface %s: %s: %s", replay->iface->name, path, strerror(-result));
		return result;
	}
	if (!S_ISREG(status.st_mode)) {	/* reading another kind could hold the stack up */
		strata_error_add(error, "interface %s: %s is no file to be read", replay->iface->name, path);
		return -EINVAL;
	}
	replay->in = pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, text);
	if (replay->in == NULL) {
		strata_error_add(error, "interface %s: %s: %s", replay->iface->name, path, text);
		return -EINVAL;
	}
	type = pcap_datalink(replay->in);
	if (type != DLT_EN10MB) {
		const char *name = pcap_datalink_val_to_name(type);

		strata_error_add(error, "interface %s: %s has packets of link type %s (%d); expected Ethernet",
				 replay->iface->name, path, name != NULL ? name : "unknown", type);
		replay_close_in(replay);
		return -EPROTONOSUPPORT;
	}
	replay->packets = 0;
	return 0;
}

void replay_close_in(struct replay *replay)
{
	if (replay->in != NULL)
		pcap_close(replay->in);
	replay->in = NULL;
	replay->header = NULL;
}

int replay_next(struct replay *replay)
{
	struct pcap_pkthdr *header;
	int result = pcap_next_ex(replay->in, &header, &replay->bytes);

	if (result == 1) {
		replay->header = header;
		replay->packets++;
		return 1;
	}
	replay->header = NULL;
	if (result == PCAP_ERROR_BREAK)
		return 0;
	strata_log(replay->iface->stack, replay->iface->driver, STRATA_LOG_ERROR,
		   "%s: %s: behind packet %llu, at byte %ld: %s", replay->iface->name,
		   replay_config(replay)->read, (unsigned long long)replay->packets,
		   ftell(pcap_file(replay->in)), pcap_geterr(replay->in));
	return -EIO;
}

/* ---- writing ---- */

int replay_open_out(struct replay *replay, struct strata_error *error)
{
	const struct replay_config *config = replay_config(replay);
	struct stat in, out;

	if (config->read != NULL && stat(config->read, &in) == 0 && stat(config->write, &out) == 0 &&
	    in.st_dev == out.st_dev && in.st_ino == out.st_ino) {
		strata_error_add(error, "interface %s: `write` is the file that it reads, %s",
				 replay->iface->name, config->read);
		return -EINVAL;
	}
	replay->shape = pcap_open_dead_with_tstamp_precision(DLT_EN10MB, REPLAY_FRAME_MAX,
							     PCAP_TSTAMP_PRECISION_NANO);
	if (replay->shape == NULL) {
		strata_error_add(error, "interface %s: out of memory", replay->iface->name);
		return -ENOMEM;
	}
	replay->out = pcap_dump_open(replay->shape, config->write);
	if (replay->out == NULL) {
		strata_error_add(error, "interface %s: %s", replay->iface->name, pcap_geterr(replay->shape));
		replay_close_out(replay);
		return -EIO;
	}
	return 0;
}

void replay_close_out(struct replay *replay)
{
	if (replay->out != NULL)
		pcap_dump_close(replay->out);
	if (replay->shape != NULL)
		pcap_close(replay->shape);
	replay->out = NULL;
	replay->shape = NULL;
}

/* Once is enough: what follows a hole would be read wrongly. */
static int replay_give_up(struct replay *replay)
{
	strata_log(replay->iface->stack, replay->iface->driver, STRATA_LOG_ERROR,
		   "%s: %s cannot be written (%s); no more is", replay->iface->name,
		   replay_config(replay)->write, strerror(errno));
	replay_close_out(replay);
	return -EIO;
}

int replay_write(struct replay *replay, const struct strata_pkt *pkt)
{
	uint64_t now = strata_wall_clock(replay->iface->stack);
	struct pcap_pkthdr header = {
		/* Nanoseconds, as the file's header says. */
		.ts = { .tv_sec = (time_t)(now / STRATA_SEC), .tv_usec = (suseconds_t)(now % STRATA_SEC) },
		.caplen = strata_pkt_length(pkt), .len = strata_pkt_length(pkt),
	};
	uint8_t bytes[REPLAY_FRAME_MAX];

	strata_pkt_read(pkt, 0, bytes, header.caplen);
	errno = 0;
	pcap_dump((u_char *)replay->out, &header, bytes);
	return ferror(pcap_dump_file(replay->out)) ? replay_give_up(replay) : 0;
}

void replay_flush(struct replay *replay)
{
	errno = 0;
	if (replay->out != NULL && pcap_dump_flush(replay->out) != 0)
		replay_give_up(replay);
}
