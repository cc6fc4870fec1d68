/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The words a test is written in, in the manner of packetdrill: what the peer sends (rx…), what the
 * stack must send (expect…), and when. All work on a variable `struct fixture *fx` in scope; each
 * expect… takes the oldest frame that the stack has sent and returns it taken apart.
 *
 *	at(0);
 *	rx(SYN, .mss = 1460);
 *	expect_tx(SYN | ACK, .mss = 1460);
 *	rx(ACK);
 *	int s = fx_accept(fx, listener);
 *	rx(ACK, .text = "ping");
 *	expect_tx(ACK, .ack = 5, .within = 500);
 *
 * Sequence numbers are relative: those of the peer to its initial one, those of the stack to the one
 * in its SYN; so a SYN is 0 and the first byte 1.
 */
#ifndef TEST_SCENARIO_H
#define TEST_SCENARIO_H

#include "fixture.h"

/* The words fill defaults in before the fields that a test gives. */
#pragma GCC diagnostic ignored "-Woverride-init"

/* rx: the natural value. expect: any value. */
#define FX_AUTO INT64_MIN

/* A TCP segment. */
struct fx_tcp {
	uint8_t flags;
	/* rx, AUTO: what the connection expects next. expect, AUTO: any. */
	int64_t seq, ack;
	bool absolute;			/* seq and ack are not relative */
	int64_t win;			/* as on the wire, not scaled; rx, AUTO: 65535 */
	uint16_t urg;
	/* Payload: `text`, or `len` bytes of `data`, or without data `len` bytes of fx_pattern() from position
	 * seq - 1 on (expect: compared too, unless any_data). expect, len AUTO: any length. */
	const char *text;
	const void *data;
	int64_t len;
	bool any_data;
	/* Options. expect: those given must be there so; others may. */
	uint16_t mss;
	int wscale;			/* -1: none (rx) or any (expect) */
	bool sack_ok;
	bool ts;
	int64_t tsval, tsecr;		/* giving one sends or wants the option; expect, AUTO: any */
	struct {
		uint32_t left, right;	/* relative to the data's sender; right 0 ends */
	} sack[4];
	bool no_sack;			/* expect: no SACK option */
	const uint8_t *options;		/* rx: raw options instead, padded with zeros to 4 bytes */
	size_t options_len;
	struct fx_conn *conn;		/* NULL: fx->conn */
	struct fx_ip ip;
	/* rx, faults */
	bool bad_checksum;
	int data_offset;		/* words; 0: right; -1: zero */
	size_t cut;			/* bytes taken off the segment before IP is put around it */
	/* expect */
	uint64_t within;		/* ms to wait for it; 0: must have been sent */
	int64_t at;			/* ms since the start, to 1 ms; AUTO: any time */
};

/* A UDP datagram. expect: a port or address of 0 is any; text or data is compared; len AUTO is any. */
struct fx_udp {
	uint16_t sport, dport;		/* rx, 0: 40000, 7 */
	const char *text;
	const void *data;		/* NULL: fx_pattern() from 0 */
	int64_t len;
	bool any_data;
	struct fx_ip ip;		/* expect: src and dst are compared where not 0 */
	bool no_checksum;		/* rx: sends 0. expect: wants 0 */
	bool bad_checksum;
	int length;			/* rx: of the UDP header; 0: right; -1: zero */
	size_t cut;			/* rx: bytes taken off before IP */
	uint64_t within;
	int64_t at;
};

/* An ICMP message. expect: `rest`, id, seq AUTO are any; len AUTO any. */
struct fx_icmp {
	int type, code;			/* expect: always compared */
	int64_t rest;			/* bytes 4 to 7 as a number; else id and seq */
	int64_t id, seq;
	const char *text;
	const void *data;		/* NULL: fx_pattern() from 0 */
	int64_t len;
	bool any_data;
	struct fx_ip ip;
	bool bad_checksum;
	size_t cut;
	uint64_t within;
	int64_t at;
};

/* An ARP packet. rx, NULL or 0: from the peer about the stack. expect: NULL, 0 are any. */
struct fx_arp {
	uint16_t op;			/* 1 request, 2 reply */
	const uint8_t *sha, *tha;
	int64_t spa, tpa;		/* AUTO: rx: PEER_IP, STACK_IP. expect: any */
	const uint8_t *to_mac, *from_mac;	/* of the frame; rx, NULL: broadcast for a request, STACK_MAC;
						 * sha */
	/* rx, faults: written instead of the right values when not 0 */
	uint16_t htype, ptype;
	uint8_t hlen, plen;
	size_t cut, pad;
	uint64_t within;
	int64_t at;
};

/* ---- the peer sends ---- */

#define rx(flags_, ...) \
	fx_rx_tcp(fx, &(const struct fx_tcp){ .flags = (flags_), .seq = FX_AUTO, .ack = FX_AUTO, \
		.win = FX_AUTO, .wscale = -1, .tsval = FX_AUTO, .tsecr = FX_AUTO, ##__VA_ARGS__ })
#define rx_udp(...) fx_rx_udp(fx, &(const struct fx_udp){ .len = 0, ##__VA_ARGS__ })
#define rx_icmp(...) \
	fx_rx_icmp(fx, &(const struct fx_icmp){ .rest = FX_AUTO, ##__VA_ARGS__ })
/* An ICMP error about `about`, a packet that the stack has sent: its IP header and `quote` bytes more. */
#define rx_icmp_error(type, code, info, about, quote) \
	fx_rx_icmp_error(fx, type, code, info, about, quote)
#define rx_arp(op_, ...) \
	fx_rx_arp(fx, &(const struct fx_arp){ .op = (op_), .spa = FX_AUTO, .tpa = FX_AUTO, ##__VA_ARGS__ })
/* Any IPv4 packet: rx_ip(proto, bytes, length, .ttl = 1 …). */
#define rx_ip(proto_, payload, length, ...) \
	fx_rx_ip(fx, &(const struct fx_ip){ .proto = (proto_), ##__VA_ARGS__ }, payload, length)
/* Any frame. */
#define rx_frame(bytes, length) fx_rx_frame(fx, bytes, length)

/* ---- the stack must send ---- */

#define expect_tx(flags_, ...) \
	fx_expect_tcp(fx, &(const struct fx_tcp){ .flags = (flags_), .seq = FX_AUTO, .ack = FX_AUTO, \
		.win = FX_AUTO, .wscale = -1, .tsval = FX_AUTO, .tsecr = FX_AUTO, .at = FX_AUTO, \
		##__VA_ARGS__ }, __FILE__, __LINE__)
#define expect_udp(...) \
	fx_expect_udp(fx, &(const struct fx_udp){ .at = FX_AUTO, ##__VA_ARGS__ }, __FILE__, __LINE__)
#define expect_icmp(...) \
	fx_expect_icmp(fx, &(const struct fx_icmp){ .rest = FX_AUTO, .id = FX_AUTO, .seq = FX_AUTO, \
		.at = FX_AUTO, ##__VA_ARGS__ }, __FILE__, __LINE__)
#define expect_arp(op_, ...) \
	fx_expect_arp(fx, &(const struct fx_arp){ .op = (op_), .spa = FX_AUTO, .tpa = FX_AUTO, \
		.at = FX_AUTO, ##__VA_ARGS__ }, __FILE__, __LINE__)
/* Any IPv4 packet, a fragment included. */
#define expect_ip() fx_expect_ip(fx, 0, __FILE__, __LINE__)
#define expect_ip_within(ms) fx_expect_ip(fx, ms, __FILE__, __LINE__)
/* Nothing has been sent, nor is for `ms`. */
#define expect_silence(ms) fx_expect_silence(fx, ms, __FILE__, __LINE__)
/* Since the last rx_… exactly one packet was discarded, by `module` for `reason`. */
#define expect_drop(module, reason) fx_expect_drop(fx, module, reason, __FILE__, __LINE__)
/* … none was. */
#define expect_no_drop() fx_expect_drop(fx, NULL, NULL, __FILE__, __LINE__)
/* The events of a socket, EPOLL…, are exactly these. */
#define expect_events(s, events) fx_expect_events(fx, s, events, __FILE__, __LINE__)

/* Passes time until `ms` after the start. */
#define at(ms) fx_at(fx, ms, __FILE__, __LINE__)

/* ---- connections in one word ---- */

/* The peer connects to the listening socket: three-way handshake with these fields in its SYN; returns
 * the accepted socket. E.g. accept_one(listener, .mss = 1000, .sack_ok = true). */
#define accept_one(listener, ...) \
	fx_accept_one(fx, listener, &(const struct fx_tcp){ .flags = SYN, .seq = FX_AUTO, .ack = FX_AUTO, \
		.win = FX_AUTO, .wscale = -1, .tsval = FX_AUTO, .tsecr = FX_AUTO, ##__VA_ARGS__ }, \
		__FILE__, __LINE__)
/* A socket of the stack connects to the peer's `port`; the fields are of the peer's SYN-ACK. */
#define connect_one(port, ...) \
	fx_connect_one(fx, port, &(const struct fx_tcp){ .flags = SYN | ACK, .seq = FX_AUTO, \
		.ack = FX_AUTO, .win = FX_AUTO, .wscale = -1, .tsval = FX_AUTO, .tsecr = FX_AUTO, \
		##__VA_ARGS__ }, __FILE__, __LINE__)
/* A listening TCP socket on `port`. */
#define listen_on(port) fx_listen_on(fx, port)
/* A UDP socket bound to `port` of any address. */
#define udp_on(port) fx_udp_on(fx, port)

/* ---- behind the words ---- */

void fx_rx_tcp(struct fixture *fx, const struct fx_tcp *segment);
void fx_rx_udp(struct fixture *fx, const struct fx_udp *datagram);
void fx_rx_icmp(struct fixture *fx, const struct fx_icmp *message);
void fx_rx_icmp_error(struct fixture *fx, int type, int code, uint32_t info,
		      const struct fx_pkt *about, size_t quote);
void fx_rx_arp(struct fixture *fx, const struct fx_arp *packet);
void fx_rx_ip(struct fixture *fx, const struct fx_ip *ip, const void *payload, size_t length);
void fx_rx_frame(struct fixture *fx, const void *frame, size_t length);
const struct fx_pkt *fx_expect_tcp(struct fixture *fx, const struct fx_tcp *want, const char *file,
				   int line);
const struct fx_pkt *fx_expect_udp(struct fixture *fx, const struct fx_udp *want, const char *file,
				   int line);
const struct fx_pkt *fx_expect_icmp(struct fixture *fx, const struct fx_icmp *want, const char *file,
				    int line);
const struct fx_pkt *fx_expect_arp(struct fixture *fx, const struct fx_arp *want, const char *file,
				   int line);
const struct fx_pkt *fx_expect_ip(struct fixture *fx, uint64_t within, const char *file, int line);
void fx_expect_silence(struct fixture *fx, uint64_t ms, const char *file, int line);
void fx_expect_drop(struct fixture *fx, const char *module, const char *reason, const char *file,
		    int line);
void fx_expect_events(struct fixture *fx, int s, uint32_t events, const char *file, int line);
void fx_at(struct fixture *fx, uint64_t ms, const char *file, int line);
int fx_accept_one(struct fixture *fx, int listener, const struct fx_tcp *syn, const char *file,
		  int line);
int fx_connect_one(struct fixture *fx, uint16_t port, const struct fx_tcp *syn_ack, const char *file,
		   int line);
int fx_listen_on(struct fixture *fx, uint16_t port);
int fx_udp_on(struct fixture *fx, uint16_t port);

#endif
