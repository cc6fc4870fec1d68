/* SPDX-License-Identifier: BSD-2-Clause */
/* What the stack must do: the words that take its frames, compare them, and tell the difference. */
#include <strings.h>
#include <sys/socket.h>

#include "fixture_int.h"

/* The first difference found, as a sentence; empty while there is none. */
struct diff {
	char text[256];
};

__attribute__((format(printf, 2, 3)))
static void differ(struct diff *diff, const char *format, ...)
{
	va_list args;

	if (diff->text[0] != '\0')
		return;
	va_start(args, format);
	vsnprintf(diff->text, sizeof(diff->text), format, args);
	va_end(args);
}

static void number(struct diff *diff, const char *what, int64_t found, int64_t wanted)
{
	if (wanted != FX_AUTO && found != wanted)
		differ(diff, "%s is %lld, expected %lld", what, (long long)found, (long long)wanted);
}

static void address(struct diff *diff, const char *what, uint32_t found, uint32_t wanted)
{
	if (wanted != 0 && found != wanted)
		differ(diff, "%s is %u.%u.%u.%u, expected %u.%u.%u.%u", what, found >> 24,
		       found >> 16 & 255, found >> 8 & 255, found & 255, wanted >> 24,
		       wanted >> 16 & 255, wanted >> 8 & 255, wanted & 255);
}

static void mac(struct diff *diff, const char *what, const uint8_t *found, const uint8_t *wanted)
{
	if (wanted != NULL && memcmp(found, wanted, 6) != 0)
		differ(diff, "%s is …:%02x:%02x, expected …:%02x:%02x", what, found[4], found[5],
		       wanted[4], wanted[5]);
}

/* The payload against text, bytes, or the pattern from `position` on. */
static void payload(struct diff *diff, const struct fx_pkt *pkt, const char *text, const void *data,
		    int64_t len, bool any, uint64_t position)
{
	int64_t length = text != NULL ? (int64_t)strlen(text) : len;
	const uint8_t *bytes = text != NULL ? (const uint8_t *)text : data;

	number(diff, "payload length", (int64_t)pkt->payload_len, length);
	if (any || length == FX_AUTO || diff->text[0] != '\0')
		return;
	for (size_t i = 0; i < pkt->payload_len; i++) {
		uint8_t wanted = bytes != NULL ? bytes[i] : fx_pattern(position + i);

		if (pkt->payload[i] != wanted) {
			differ(diff, "payload byte %zu is 0x%02x, expected 0x%02x", i, pkt->payload[i],
			       wanted);
			return;
		}
	}
}

static void when(struct diff *diff, const struct fixture *fx, const struct fx_pkt *pkt, int64_t ms)
{
	int64_t found = (int64_t)(pkt->time - fx->epoch) / (int64_t)STRATA_MS;

	if (ms != FX_AUTO && (found < ms - 1 || found > ms + 1))
		differ(diff, "sent at %lld ms, expected at %lld ms", (long long)found, (long long)ms);
}

/* The next packet, put together from its fragments; fails the test when there is none in `within` ms. */
static const struct fx_pkt *take(struct fixture *fx, uint64_t within, const char *kind,
				 const char *file, int line)
{
	const char *what = NULL;
	const struct fx_pkt *pkt;

	fx_check(fx, file, line);
	if (fx->first == NULL && within != 0)
		fx_wait_frame(fx, within * STRATA_MS);
	fx_check(fx, file, line);
	pkt = fx_next_whole(fx, &what);
	if (what != NULL)
		fx_fail(fx, file, line, "expected %s: %s", kind, what);
	if (pkt == NULL)
		fx_fail(fx, file, line, "expected %s, nothing was sent%s", kind,
			within != 0 ? " in time" : "");
	return pkt;
}

static void conclude(struct fixture *fx, const struct fx_pkt *pkt, const struct diff *diff,
		     const char *kind, const char *file, int line)
{
	char text[256];

	if (diff->text[0] != '\0')
		fx_fail(fx, file, line, "expected %s: %s\n  sent: %s", kind, diff->text,
			fx_describe(pkt, text, sizeof(text)));
}

static void protocol(struct diff *diff, const struct fx_pkt *pkt, uint8_t proto)
{
	if (pkt->ethertype != FX_ETH_IP || pkt->ip.proto != proto)
		differ(diff, "it is of another protocol");
}

/* ---- TCP ---- */

static const char *flags_text(uint8_t flags, char *buf)
{
	static const char letters[] = "FSRPAUEC";
	char *o = buf;

	for (unsigned int i = 0; i < 8; i++)
		if ((flags >> i & 1) != 0)
			*o++ = letters[i];
	*o = '\0';
	return buf;
}

static void tcp_options(struct diff *diff, const struct fx_pkt *pkt, const struct fx_tcp *want,
			const struct fx_conn *conn)
{
	unsigned int sacks = 0;

	if (want->mss != 0)
		number(diff, "MSS option", pkt->tcp.mss, want->mss);
	if (want->wscale >= 0)
		number(diff, "window scale option", pkt->tcp.wscale, want->wscale);
	if (want->sack_ok && !pkt->tcp.sack_ok)
		differ(diff, "SACK-permitted option is missing");
	if ((want->ts || want->tsval != FX_AUTO || want->tsecr != FX_AUTO) && !pkt->tcp.ts)
		differ(diff, "timestamps option is missing");
	number(diff, "TSval", pkt->tcp.tsval, want->tsval);
	number(diff, "TSecr", pkt->tcp.tsecr, want->tsecr);
	if (want->no_sack)
		number(diff, "number of SACK blocks", pkt->tcp.sacks, 0);
	while (sacks < STRATA_COUNT(want->sack) && want->sack[sacks].right != 0)
		sacks++;
	if (sacks == 0)
		return;
	number(diff, "number of SACK blocks", pkt->tcp.sacks, sacks);
	for (unsigned int i = 0; i < sacks && i < pkt->tcp.sacks; i++) {
		number(diff, "SACK left edge", (uint32_t)(pkt->tcp.sack[i].left - conn->peer_isn),
		       want->sack[i].left);
		number(diff, "SACK right edge", (uint32_t)(pkt->tcp.sack[i].right - conn->peer_isn),
		       want->sack[i].right);
	}
}

static void tcp_ends(struct diff *diff, const struct fx_pkt *pkt, struct fx_conn *conn)
{
	address(diff, "source", pkt->ip.src, conn->stack_ip != 0 ? conn->stack_ip : 0);
	address(diff, "destination", pkt->ip.dst, conn->peer_ip != 0 ? conn->peer_ip : 0);
	number(diff, "destination port", pkt->tcp.dport, conn->peer_port);
	if (conn->stack_port == 0 && (pkt->tcp.flags & (SYN | ACK)) == SYN)
		conn->stack_port = pkt->tcp.sport;
	number(diff, "source port", pkt->tcp.sport, conn->stack_port);
}

/* The stack's side of the connection moves on. */
static void tcp_learn(const struct fx_pkt *pkt, struct fx_conn *conn)
{
	uint32_t end = pkt->tcp.seq - conn->stack_isn + (uint32_t)pkt->payload_len +
		       ((pkt->tcp.flags & SYN) != 0) + ((pkt->tcp.flags & FIN) != 0);

	if ((pkt->tcp.flags & RST) != 0)
		return;
	if ((pkt->tcp.flags & SYN) != 0) {
		conn->stack_nxt = end;
		/* RFC 7323 3.2: used when both SYNs had them */
		conn->ts = pkt->tcp.ts && (conn->peer_ts || (pkt->tcp.flags & ACK) == 0);
	} else if ((int32_t)(end - conn->stack_nxt) > 0) {
		conn->stack_nxt = end;
	}
	if (pkt->tcp.ts)
		conn->ts_recent = pkt->tcp.tsval;
}

static int64_t absolute(int64_t number, bool is_absolute, uint32_t isn)
{
	if (number == FX_AUTO)
		return number;
	return is_absolute ? (int64_t)(uint32_t)((uint32_t)number - isn) : (int64_t)(uint32_t)number;
}

const struct fx_pkt *fx_expect_tcp(struct fixture *fx, const struct fx_tcp *want, const char *file,
				   int line)
{
	struct fx_conn *conn = want->conn != NULL ? want->conn : &fx->conn;
	struct diff diff = { "" };
	char kind[32] = "TCP [", found[9], wanted[9];
	uint8_t ignored = (want->flags & PSH) != 0 ? 0 : PSH;
	const struct fx_pkt *pkt;
	uint32_t seq;

	snprintf(kind, sizeof(kind), "TCP [%s]", flags_text(want->flags, wanted));
	pkt = take(fx, want->within, kind, file, line);
	protocol(&diff, pkt, FX_IP_TCP);
	if (diff.text[0] == '\0' && ((pkt->tcp.flags ^ want->flags) & ~ignored) != 0)
		differ(&diff, "flags are %s", flags_text(pkt->tcp.flags, found));
	conclude(fx, pkt, &diff, kind, file, line);
	tcp_ends(&diff, pkt, conn);
	if ((pkt->tcp.flags & SYN) != 0)
		conn->stack_isn = pkt->tcp.seq;
	seq = pkt->tcp.seq - conn->stack_isn;
	number(&diff, "seq", seq, absolute(want->seq, want->absolute, conn->stack_isn));
	number(&diff, "ack", (uint32_t)(pkt->tcp.ack - conn->peer_isn),
	       absolute(want->ack, want->absolute, conn->peer_isn));
	number(&diff, "window", pkt->tcp.win, want->win);
	if (want->urg != 0)
		number(&diff, "urgent pointer", pkt->tcp.urg, want->urg);
	tcp_options(&diff, pkt, want, conn);
	payload(&diff, pkt, want->text, want->data, want->len, want->any_data, seq - 1);
	when(&diff, fx, pkt, want->at);
	conclude(fx, pkt, &diff, kind, file, line);
	tcp_learn(pkt, conn);
	return pkt;
}

/* ---- UDP, ICMP, ARP, IP ---- */

const struct fx_pkt *fx_expect_udp(struct fixture *fx, const struct fx_udp *want, const char *file,
				   int line)
{
	const struct fx_pkt *pkt = take(fx, want->within, "UDP", file, line);
	struct diff diff = { "" };

	protocol(&diff, pkt, FX_IP_UDP);
	conclude(fx, pkt, &diff, "UDP", file, line);
	address(&diff, "source", pkt->ip.src, want->ip.src);
	address(&diff, "destination", pkt->ip.dst, want->ip.dst);
	if (want->sport != 0)
		number(&diff, "source port", pkt->udp.sport, want->sport);
	if (want->dport != 0)
		number(&diff, "destination port", pkt->udp.dport, want->dport);
	if (pkt->udp.checksum == want->no_checksum)
		differ(&diff, "a checksum is %s", want->no_checksum ? "there" : "missing");
	payload(&diff, pkt, want->text, want->data, want->len, want->any_data, 0);
	when(&diff, fx, pkt, want->at);
	conclude(fx, pkt, &diff, "UDP", file, line);
	return pkt;
}

const struct fx_pkt *fx_expect_icmp(struct fixture *fx, const struct fx_icmp *want, const char *file,
				    int line)
{
	struct diff diff = { "" };
	const struct fx_pkt *pkt;
	char kind[48];

	snprintf(kind, sizeof(kind), "ICMP type %d code %d", want->type, want->code);
	pkt = take(fx, want->within, kind, file, line);
	protocol(&diff, pkt, FX_IP_ICMP);
	conclude(fx, pkt, &diff, kind, file, line);
	number(&diff, "type", pkt->icmp.type, want->type);
	number(&diff, "code", pkt->icmp.code, want->code);
	address(&diff, "source", pkt->ip.src, want->ip.src);
	address(&diff, "destination", pkt->ip.dst, want->ip.dst);
	number(&diff, "rest of the header", pkt->icmp.rest, want->rest);
	number(&diff, "identifier", pkt->icmp.id, want->id);
	number(&diff, "sequence number", pkt->icmp.seq, want->seq);
	payload(&diff, pkt, want->text, want->data, want->len, want->any_data, 0);
	when(&diff, fx, pkt, want->at);
	conclude(fx, pkt, &diff, kind, file, line);
	return pkt;
}

const struct fx_pkt *fx_expect_arp(struct fixture *fx, const struct fx_arp *want, const char *file,
				   int line)
{
	const struct fx_pkt *pkt = take(fx, want->within, "ARP", file, line);
	struct diff diff = { "" };

	if (pkt->ethertype != FX_ETH_ARP)
		differ(&diff, "it is of another protocol");
	conclude(fx, pkt, &diff, "ARP", file, line);
	number(&diff, "operation", pkt->arp.op, want->op);
	mac(&diff, "destination of the frame", pkt->eth_dst, want->to_mac);
	mac(&diff, "sender hardware address", pkt->arp.sha, want->sha);
	mac(&diff, "target hardware address", pkt->arp.tha, want->tha);
	number(&diff, "sender protocol address", pkt->arp.spa, want->spa);
	number(&diff, "target protocol address", pkt->arp.tpa, want->tpa);
	when(&diff, fx, pkt, want->at);
	conclude(fx, pkt, &diff, "ARP", file, line);
	return pkt;
}

const struct fx_pkt *fx_expect_ip(struct fixture *fx, uint64_t within, const char *file, int line)
{
	const struct fx_pkt *pkt;

	if (fx->first == NULL && within != 0)
		fx_wait_frame(fx, within * STRATA_MS);
	fx_check(fx, file, line);
	pkt = fx_next(fx);
	if (pkt == NULL)
		fx_fail(fx, file, line, "expected an IP packet, nothing was sent");
	if (pkt->ethertype != FX_ETH_IP)
		fx_fail(fx, file, line, "expected an IP packet, EtherType is 0x%04x", pkt->ethertype);
	return pkt;
}

/* ---- nothing, discarded, ready ---- */

void fx_expect_silence(struct fixture *fx, uint64_t ms, const char *file, int line)
{
	fx_check(fx, file, line);
	if (fx->first != NULL || fx_wait_frame(fx, ms * STRATA_MS))
		fx_fail(fx, file, line, "expected silence");
	fx_check(fx, file, line);
}

struct dropped {
	const struct fixture *fx;
	uint64_t total, wanted;
	const char *module, *reason;
	bool known;
	char list[256];
};

static const uint64_t *marked(const struct fixture *fx, const char *module)
{
	for (unsigned int i = 0; i < fx->mark_count; i++)
		if (strcmp(fx->marks[i].module, module) == 0)
			return fx->marks[i].drops;
	return NULL;
}

static void count_drops(void *ctx, const struct strata_module_view *view)
{
	struct dropped *dropped = ctx;
	const struct strata_instance *instance = view->instance;
	const uint64_t *before = marked(dropped->fx, instance->name);

	for (size_t i = 0; i < instance->module->drop_count; i++) {
		uint64_t more = instance->drops[i] - (before != NULL ? before[i] : 0);
		const char *name = instance->module->drops[i].name;
		size_t at = strlen(dropped->list);

		if (dropped->module != NULL && strcmp(instance->name, dropped->module) == 0 &&
		    strcasecmp(name, dropped->reason) == 0) {
			dropped->wanted += more;
			dropped->known = true;
		}
		dropped->total += more;
		if (more != 0)
			snprintf(dropped->list + at, sizeof(dropped->list) - at, " %s:%s (%llu)",
				 instance->name, name, (unsigned long long)more);
	}
}

void fx_expect_drop(struct fixture *fx, const char *module, const char *reason, const char *file,
		    int line)
{
	struct dropped dropped = { .fx = fx, .module = module, .reason = reason };

	fx_check(fx, file, line);
	strata_inspect_modules(fx->stack, count_drops, &dropped);
	if (module != NULL && !dropped.known)
		fx_fail(fx, file, line, "no module %s with a drop reason %s; found%s", module, reason,
			dropped.total == 0 ? " no drop" : dropped.list);
	if (module == NULL && dropped.total != 0)
		fx_fail(fx, file, line, "expected no drop; found%s", dropped.list);
	if (module != NULL && (dropped.total != 1 || dropped.wanted != 1))
		fx_fail(fx, file, line, "expected one drop %s:%s; found%s", module, reason,
			dropped.total == 0 ? " none" : dropped.list);
	fx_mark(fx);
}

void fx_expect_events(struct fixture *fx, int s, uint32_t events, const char *file, int line)
{
	int found = strata_events(fx->stack, s);

	if (found < 0 || (uint32_t)found != events)
		fx_fail(fx, file, line, "events of socket %d are 0x%x, expected 0x%x", s, found, events);
}

/* ---- connections in one word ---- */

int fx_accept_one(struct fixture *fx, int listener, const struct fx_tcp *syn, const char *file,
		  int line)
{
	struct fx_conn *conn = syn->conn != NULL ? syn->conn : &fx->conn;
	struct fx_tcp blank = { .seq = FX_AUTO, .ack = FX_AUTO, .win = FX_AUTO, .wscale = -1,
				.tsval = FX_AUTO, .tsecr = FX_AUTO, .at = FX_AUTO, .conn = conn };
	int s;

	conn->stack_port = fx_local_port(fx, listener);
	fx_rx_tcp(fx, syn);
	blank.flags = SYN | ACK;
	fx_expect_tcp(fx, &blank, file, line);
	blank.flags = ACK;
	blank.win = syn->win;
	fx_rx_tcp(fx, &blank);
	s = fx_accept(fx, listener);
	if (s < 0)
		fx_fail(fx, file, line, "no connection to accept: %s", strerror(-s));
	return s;
}

int fx_connect_one(struct fixture *fx, uint16_t port, const struct fx_tcp *syn_ack, const char *file,
		   int line)
{
	struct fx_conn *conn = syn_ack->conn != NULL ? syn_ack->conn : &fx->conn;
	struct fx_tcp blank = { .seq = FX_AUTO, .ack = FX_AUTO, .win = FX_AUTO, .wscale = -1,
				.tsval = FX_AUTO, .tsecr = FX_AUTO, .at = FX_AUTO, .conn = conn };
	int s = fx_socket(fx, SOCK_STREAM, 0), result;

	conn->peer_port = port;
	conn->stack_port = 0;
	conn->peer_ts = false;
	result = fx_connect(fx, s, conn->peer_ip != 0 ? conn->peer_ip : PEER_IP, port);
	if (result != -EINPROGRESS)
		fx_fail(fx, file, line, "connect gave %d, expected -EINPROGRESS", result);
	blank.flags = SYN;
	fx_expect_tcp(fx, &blank, file, line);
	fx_rx_tcp(fx, syn_ack);
	conn->ts = conn->ts && conn->peer_ts;
	blank.flags = ACK;
	fx_expect_tcp(fx, &blank, file, line);
	return s;
}
