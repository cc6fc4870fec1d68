/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every state × every combination of the six flags × sequence positions × ACK positions × text or none,
 * one segment each against a connection that came into its state as connections do. What the stack makes
 * of it is compared with the model of RFC 9293 3.10.7 in test_tcp_model.c.
 */
#include "fixture.h"
#include "test_tcp_model.h"

enum {
	TEXT = 10,		/* bytes of a segment that has text */
	GAP = 100,		/* between RCV.NXT and a segment out of order */
	FAR = 1000,
	PORT = 80,		/* where the stack listens */
	CLOSED_PORT = 81,
	FLAG_SETS = 64,
};

/* Where a segment begins, and what it acknowledges. */
enum position { SEQ_OLD, SEQ_OVERLAP, SEQ_NEXT, SEQ_AHEAD, SEQ_LAST, SEQ_EDGE, SEQ_BEYOND, SEQS };
enum ack_position { ACK_BLIND, ACK_OLD, ACK_UNA, ACK_NXT, ACK_UNSENT, ACKS };

static const char *const seq_names[SEQS] = {
	"RCV.NXT-100", "RCV.NXT-1", "RCV.NXT", "RCV.NXT+100", "RCV.NXT+RCV.WND-1", "RCV.NXT+RCV.WND",
	"RCV.NXT+RCV.WND+1000",
};
static const char *const ack_names[ACKS] = {
	"SND.UNA-MAX.SND.WND-100", "SND.UNA-1", "SND.UNA", "SND.NXT", "SND.NXT+1000",
};

/* A row of the matrix: a state and the way into it. */
struct row {
	enum model_state state;
	bool passive;
};

struct test {
	struct fixture *fx;
	struct row row;
	struct fx_conn conn;
	int listener;
	int s;			/* -1: the connection has no socket yet, or none any more */
	unsigned int number;	/* of the case, from 0: its ports and sequence numbers */
	uint32_t received;	/* bytes of the peer's stream that the user has read */
	struct model_tcb tcb;
	struct model_segment segment;
	struct model_result want;
	unsigned int flags, seq, ack;
};

/* ---- telling ---- */

static const char *flags_text(unsigned int flags, char *buf)
{
	static const char *const names[] = { "FIN", "SYN", "RST", "PSH", "ACK", "URG" };

	buf[0] = '\0';
	for (unsigned int i = 0; i < STRATA_COUNT(names); i++)
		if ((flags >> i & 1) != 0) {
			strcat(buf, buf[0] != '\0' ? "," : "");
			strcat(buf, names[i]);
		}
	return buf[0] != '\0' ? buf : "none";
}

__attribute__((format(printf, 2, 3), noreturn))
static void differs(const struct test *t, const char *format, ...)
{
	char text[256], flags[32];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fx_fail(t->fx, __FILE__, __LINE__,
		"case %u: %s%s, flags %s, SEG.SEQ = %s, SEG.ACK = %s, %u bytes of text; RFC 9293 %s: %s",
		t->number, model_state_name(t->row.state),
		t->row.state != MODEL_SYN_RECEIVED && t->row.state != MODEL_TIME_WAIT ? ""
		: t->row.passive ? " (passive)" : " (active)",
		flags_text(t->flags, flags), seq_names[t->seq], ack_names[t->ack], t->segment.text,
		t->want.step, text);
}

/* ---- the stack's side ---- */

struct flows {
	const struct test *t;
	unsigned int connections;
	const char *state;	/* of the one with the case's peer port */
};

static void look(void *ctx, const struct strata_socket_view *view)
{
	struct flows *flows = ctx;

	/* A socket whose connection has gone is a socket still. */
	if (view->flow == NULL || view->flow->key.remote_port == 0 || strcmp(view->state, "CLOSED") == 0)
		return;
	flows->connections++;
	if (view->flow->key.remote_port == flows->t->conn.peer_port)
		flows->state = view->state;
}

/* That of the case's connection; CLOSED where there is none, whether somebody listens or not. */
static enum model_state current_state(const struct test *t)
{
	struct flows flows = { .t = t };
	unsigned int state;

	strata_inspect_sockets(t->fx->stack, look, &flows);
	if (flows.connections > 1)
		differs(t, "%u connections", flows.connections);
	if (flows.state == NULL)
		return MODEL_CLOSED;
	for (state = 0; state < MODEL_STATES; state++)
		if (strcmp(flows.state, model_state_name(state)) == 0)
			return state;
	differs(t, "no state has the name %s", flows.state);
}

static bool in_state(const struct test *t, enum model_state state)
{
	return current_state(t) == (state == MODEL_LISTEN ? MODEL_CLOSED : state);
}

/* ---- the peer's side ---- */

static void give(struct test *t, uint8_t flags, uint32_t seq, uint32_t ack, uint32_t text)
{
	struct fixture *fx = t->fx;
	const uint32_t first = seq + ((flags & SYN) != 0) - (t->tcb.irs + 1);
	uint8_t bytes[GAP + TEXT];

	for (uint32_t i = 0; i < text; i++)
		bytes[i] = fx_pattern((uint32_t)(first + i));
	rx(flags, .absolute = true, .seq = seq, .ack = ack, .data = bytes, .len = text,
	   .conn = &t->conn);
}

/* Takes the one frame that must have been sent. */
static const struct fx_pkt *one_frame(struct test *t, uint8_t flags)
{
	const struct fx_pkt *pkt = fx_next(t->fx);
	char text[160];

	if (pkt == NULL)
		differs(t, "nothing was sent");
	if ((pkt->tcp.flags & ~PSH) != flags || pkt->tcp.dport != t->conn.peer_port)
		differs(t, "sent instead: %s", fx_describe(pkt, text, sizeof(text)));
	t->tcb.snd_nxt = pkt->tcp.seq + (uint32_t)pkt->payload_len +
			 ((flags & SYN) != 0) + ((flags & FIN) != 0);
	if ((flags & SYN) == 0)
		t->tcb.rcv_wnd = pkt->tcp.win;
	return pkt;
}

/* ---- into the state ---- */

static void peer_opens(struct test *t)
{
	give(t, SYN, t->tcb.irs, 0, 0);
	t->tcb.rcv_nxt = t->tcb.irs + 1;
	t->tcb.iss = one_frame(t, SYN | ACK)->tcp.seq;
	t->tcb.rcv_wnd = t->fx->pkt.tcp.win;
	t->tcb.snd_una = t->tcb.iss;
}

static void stack_opens(struct test *t)
{
	t->s = fx_socket(t->fx, SOCK_STREAM, 0);
	fx_bind(t->fx, t->s, 0, t->conn.stack_port);
	if (fx_connect(t->fx, t->s, PEER_IP, t->conn.peer_port) != -EINPROGRESS)
		differs(t, "connect");
	t->tcb.iss = one_frame(t, SYN)->tcp.seq;
	t->tcb.snd_una = t->tcb.iss;
	t->tcb.rcv_wnd = t->fx->pkt.tcp.win;
}

/* The stack sends text, which the peer has not acknowledged yet. */
static void stack_sends(struct test *t, uint32_t length)
{
	uint8_t bytes[TEXT] = { 0 };

	if (fx_send(t->fx, t->s, bytes, length) != (ssize_t)length)
		differs(t, "send");
	one_frame(t, ACK);
}

static void peer_acknowledges(struct test *t)
{
	give(t, ACK, t->tcb.rcv_nxt, t->tcb.snd_nxt, 0);
	t->tcb.snd_una = t->tcb.snd_nxt;
}

/* Bytes have gone both ways, so that there is an old number on either side. */
static void establish(struct test *t)
{
	uint8_t bytes[TEXT];

	peer_opens(t);
	peer_acknowledges(t);
	t->s = fx_accept(t->fx, t->listener);
	if (t->s < 0)
		differs(t, "accept");
	stack_sends(t, TEXT);
	give(t, ACK, t->tcb.rcv_nxt, t->tcb.snd_nxt, TEXT);
	t->tcb.snd_una = t->tcb.snd_nxt;
	t->tcb.rcv_nxt += TEXT;
	if (fx_recv(t->fx, t->s, bytes, TEXT) != TEXT)
		differs(t, "recv");
	fx_advance(t->fx, 2);
	one_frame(t, ACK);
	t->received = TEXT;
}

static void stack_closes(struct test *t)
{
	if (strata_shutdown(t->fx->stack, t->s, SHUT_WR) != 0)
		differs(t, "shutdown");
	one_frame(t, FIN | ACK);
}

static void peer_closes(struct test *t)
{
	give(t, FIN | ACK, t->tcb.rcv_nxt, t->tcb.snd_una, 0);
	t->tcb.rcv_nxt++;
	one_frame(t, ACK);
}

static void enter(struct test *t)
{
	switch (t->row.state) {
	case MODEL_SYN_SENT:
		stack_opens(t);
		break;
	case MODEL_SYN_RECEIVED:
		if (!t->row.passive)
			stack_opens(t);
		peer_opens(t);
		break;
	case MODEL_ESTABLISHED:
		establish(t);
		stack_sends(t, TEXT);
		break;
	case MODEL_FIN_WAIT_1:
		establish(t);
		stack_closes(t);
		break;
	case MODEL_FIN_WAIT_2:
		establish(t);
		stack_closes(t);
		peer_acknowledges(t);
		break;
	case MODEL_CLOSE_WAIT:
		establish(t);
		peer_closes(t);
		stack_sends(t, TEXT);
		break;
	case MODEL_CLOSING:
		establish(t);
		stack_closes(t);
		peer_closes(t);
		break;
	case MODEL_LAST_ACK:
		establish(t);
		peer_closes(t);
		stack_closes(t);
		break;
	case MODEL_TIME_WAIT:
		establish(t);
		stack_closes(t);
		peer_acknowledges(t);
		peer_closes(t);
		break;
	default:
		break;
	}
	t->tcb.state = t->row.state;
	if (fx_next(t->fx) != NULL)
		differs(t, "the way into the state left a frame");
	if (!in_state(t, t->row.state))
		differs(t, "the state is %s at first", model_state_name(current_state(t)));
}

/* ---- one case ---- */

static uint32_t sequence_number(const struct test *t)
{
	const uint32_t next = t->tcb.rcv_nxt, edge = next + t->tcb.rcv_wnd;
	const uint32_t at[SEQS] = {
		[SEQ_OLD] = next - GAP, [SEQ_OVERLAP] = next - 1, [SEQ_NEXT] = next,
		[SEQ_AHEAD] = next + GAP, [SEQ_LAST] = edge - 1, [SEQ_EDGE] = edge,
		[SEQ_BEYOND] = edge + FAR,
	};

	return at[t->seq];
}

static uint32_t ack_number(const struct test *t)
{
	const uint32_t at[ACKS] = {
		[ACK_BLIND] = t->tcb.snd_una - t->tcb.max_snd_wnd - 100, [ACK_OLD] = t->tcb.snd_una - 1,
		[ACK_UNA] = t->tcb.snd_una, [ACK_NXT] = t->tcb.snd_nxt,
		[ACK_UNSENT] = t->tcb.snd_nxt + FAR,
	};

	return at[t->ack];
}

static void check_reply(struct test *t)
{
	static const uint8_t flags[] = {
		[MODEL_SEND_ACK] = ACK, [MODEL_SEND_RST] = RST, [MODEL_SEND_RST_ACK] = RST | ACK,
		[MODEL_SEND_SYN_ACK] = SYN | ACK,
	};
	const struct model_result *want = &t->want;
	const struct fx_pkt *pkt;
	char text[160];

	/* RFC 9293 3.8.6.3: the ACK of text may wait; here, 1 ms. */
	if (want->reply == MODEL_SEND_ACK && t->fx->first == NULL)
		fx_advance(t->fx, 2);
	pkt = fx_next(t->fx);
	if (want->reply == MODEL_SILENCE) {
		if (pkt != NULL)
			differs(t, "sent: %s", fx_describe(pkt, text, sizeof(text)));
		return;
	}
	if (pkt == NULL)
		differs(t, "nothing was sent");
	if (pkt->tcp.flags != flags[want->reply] || pkt->tcp.dport != t->conn.peer_port ||
	    pkt->payload_len != 0)
		differs(t, "sent: %s", fx_describe(pkt, text, sizeof(text)));
	/* A new connection chooses its number. */
	if (want->reply == MODEL_SEND_SYN_ACK && t->row.state != MODEL_SYN_SENT)
		t->tcb.iss = pkt->tcp.seq;
	else if (pkt->tcp.seq != want->reply_seq)
		differs(t, "the answer's sequence number is %d off", (int)(pkt->tcp.seq - want->reply_seq));
	if ((pkt->tcp.flags & ACK) != 0 && pkt->tcp.ack != want->reply_ack)
		differs(t, "the answer's ACK is %d off", (int)(pkt->tcp.ack - want->reply_ack));
	pkt = fx_next(t->fx);
	if (pkt != NULL)
		differs(t, "a second answer: %s", fx_describe(pkt, text, sizeof(text)));
}

/* The reasons that fit what the model discards a segment for. */
static const char *const reasons[][3] = {
	[MODEL_TAKEN] = { NULL },
	[MODEL_NO_CONNECTION] = { "NO_CONNECTION" },
	[MODEL_STRAY_RST] = { "RST_IGNORED", "NO_CONNECTION" },
	[MODEL_NO_CONTROL] = { "BAD_FLAGS" },
	[MODEL_UNACCEPTABLE_SEQ] = { "OUT_OF_WINDOW", "DUPLICATE", "SYN_IN_WINDOW" },
	[MODEL_RST_OUTSIDE] = { "RST_OUT_OF_WINDOW" },
	[MODEL_RST_INEXACT] = { "RST_CHALLENGED" },
	[MODEL_SYN_UNEXPECTED] = { "SYN_IN_WINDOW" },
	[MODEL_SYN_AGAIN] = { "SYN_RECEIVED_DUPLICATE" },
	[MODEL_NO_ACK] = { "NO_ACK" },
	[MODEL_UNACCEPTABLE_ACK] = { "BAD_ACK", "NO_CONNECTION" },
	[MODEL_IGNORED] = { "TIME_WAIT" },
	[MODEL_AFTER_FIN] = { "DATA_AFTER_FIN" },
};

struct drops {
	uint64_t total;
	char name[64];
};

static void add_drops(void *ctx, const struct strata_module_view *view)
{
	const struct strata_instance *instance = view->instance;
	struct drops *drops = ctx;

	for (size_t i = 0; i < instance->module->drop_count; i++)
		drops->total += instance->drops[i];
}

static void name_drop(struct test *t, const uint64_t *before, struct drops *drops)
{
	const struct strata_instance *tcp = fx_instance(t->fx, "tcp");

	for (size_t i = 0; i < tcp->module->drop_count; i++)
		if (tcp->drops[i] != before[i])
			snprintf(drops->name, sizeof(drops->name), "%s", tcp->module->drops[i].name);
}

static void check_drop(struct test *t, uint64_t total, const struct drops *drops)
{
	const char *const *reason = reasons[t->want.discard];

	if (t->want.discard == MODEL_TAKEN) {
		if (total != 0)
			differs(t, "discarded for %s", drops->name);
		return;
	}
	if (total != 1)
		differs(t, "%llu reasons for its discard", (unsigned long long)total);
	/* In TIME-WAIT there is but one. */
	if (t->row.state == MODEL_TIME_WAIT && strcmp(drops->name, "TIME_WAIT") == 0)
		return;
	for (unsigned int i = 0; i < STRATA_COUNT(reasons[0]) && reason[i] != NULL; i++)
		if (strcmp(reason[i], drops->name) == 0)
			return;
	differs(t, "discarded for %s", drops->name);
}

/* Bytes of the stream that are there to be read, in order; returns how many. */
static uint32_t read_all(struct test *t)
{
	uint8_t bytes[4 * GAP];
	ssize_t n = fx_recv(t->fx, t->s, bytes, sizeof(bytes));

	for (ssize_t i = 0; i < n; i++)
		if (bytes[i] != fx_pattern(t->received + (uint64_t)i))
			differs(t, "byte %zd of what was delivered is wrong", i);
	t->received += n > 0 ? (uint32_t)n : 0;
	return n > 0 ? (uint32_t)n : 0;
}

/* What the user has of it: bytes of the peer's stream, errors. */
static void check_user(struct test *t)
{
	static const int errors[] = {
		[MODEL_NO_SIGNAL] = 0, [MODEL_REFUSED] = ECONNREFUSED, [MODEL_RESET] = ECONNRESET,
	};
	uint32_t delivered;
	int error;

	/* The socket of the connection that was in TIME-WAIT before the new one. */
	if (t->row.state == MODEL_TIME_WAIT && t->want.state == MODEL_SYN_RECEIVED) {
		fx_close_socket(t->fx, t->s);
		t->s = -1;
		t->received = 0;
	}
	if (t->s < 0 && t->want.state >= MODEL_ESTABLISHED)
		t->s = fx_accept(t->fx, t->listener);
	if (t->s < 0) {
		if (t->want.state >= MODEL_ESTABLISHED && t->want.state != MODEL_TIME_WAIT)
			differs(t, "accept: %s", strerror(-t->s));
		return;
	}
	error = fx_getsockopt(t->fx, t->s, SOL_SOCKET, SO_ERROR);
	/* As on Linux: who has read the end writes into a broken pipe. */
	if (t->row.state == MODEL_CLOSE_WAIT && error == EPIPE)
		error = ECONNRESET;
	if (error != errors[t->want.signal])
		differs(t, "the user is told: %s", strerror(error));
	delivered = read_all(t);
	if (delivered != t->want.delivered)
		differs(t, "%u bytes were delivered instead of %u", delivered, t->want.delivered);
}

/* ---- what is left of the connection works ---- */

/* A segment below the window brings an ACK with RCV.NXT and SND.NXT (3.10.7.4 first). */
static void probe(struct test *t)
{
	const uint32_t snd_nxt = t->tcb.snd_nxt;
	const struct fx_pkt *pkt;

	give(t, ACK, t->tcb.rcv_nxt - 5 * FAR, snd_nxt, 0);
	pkt = one_frame(t, ACK);
	if (pkt->tcp.ack != t->tcb.rcv_nxt)
		differs(t, "RCV.NXT is %d off", (int)(pkt->tcp.ack - t->tcb.rcv_nxt));
	if (pkt->tcp.seq != snd_nxt)
		differs(t, "SND.NXT is %d off", (int)(pkt->tcp.seq - snd_nxt));
}

/* Fills the hole before what is held, or sends new text where there is none. */
static void peer_sends(struct test *t)
{
	const bool joins = t->want.held_seq == t->tcb.rcv_nxt + GAP &&
			   t->want.held_text + t->want.held_fin != 0;
	const uint32_t text = GAP + (joins ? t->want.held_text : 0);
	const bool fin = joins && t->want.held_fin;

	give(t, ACK, t->tcb.rcv_nxt, t->tcb.snd_nxt, GAP);
	t->tcb.rcv_nxt += text + fin;
	if (t->fx->first == NULL)
		fx_advance(t->fx, 2);
	if (one_frame(t, ACK)->tcp.ack != t->tcb.rcv_nxt)
		differs(t, "further text is acknowledged %d off",
		     (int)(t->fx->pkt.tcp.ack - t->tcb.rcv_nxt));
	if (read_all(t) != text)
		differs(t, "further text is not delivered");
	if (t->want.state == MODEL_ESTABLISHED)
		t->want.state = fin ? MODEL_CLOSE_WAIT : MODEL_ESTABLISHED;
	else
		t->want.state = fin ? MODEL_TIME_WAIT : MODEL_FIN_WAIT_2;
	if (!in_state(t, t->want.state))
		differs(t, "after further text the state is %s instead of %s",
		     model_state_name(current_state(t)), model_state_name(t->want.state));
}

/* The handshake can still be ended well. */
static void complete(struct test *t)
{
	if (t->want.state == MODEL_SYN_SENT) {
		give(t, SYN | ACK, t->tcb.irs, t->tcb.iss + 1, 0);
		t->tcb.rcv_nxt = t->tcb.irs + 1;
		one_frame(t, ACK);
	} else {
		t->tcb.snd_nxt = t->tcb.iss + 1;
		probe(t);
		give(t, ACK, t->tcb.rcv_nxt, t->tcb.iss + 1, 0);
	}
	t->want.state = MODEL_ESTABLISHED;
	if (!in_state(t, MODEL_ESTABLISHED))
		differs(t, "the handshake cannot be completed any more");
	if (t->s < 0)
		t->s = fx_accept(t->fx, t->listener);
	if (t->s < 0)
		differs(t, "accept: %s", strerror(-t->s));
}

static void still_usable(struct test *t)
{
	const enum model_state state = t->want.state;

	if (state == MODEL_SYN_SENT || state == MODEL_SYN_RECEIVED) {
		complete(t);
	} else if (state == MODEL_CLOSED || state == MODEL_LISTEN) {
		/* Nothing is left that would know the number. */
		give(t, ACK, t->tcb.rcv_nxt, t->tcb.snd_nxt, 0);
		if (one_frame(t, RST)->tcp.seq != t->tcb.snd_nxt)
			differs(t, "the reset is not that of a port without a connection");
		return;
	} else {
		probe(t);
	}
	if (t->want.state == MODEL_ESTABLISHED || t->want.state == MODEL_CLOSE_WAIT)
		stack_sends(t, TEXT);
	if (t->want.state == MODEL_ESTABLISHED || t->want.state == MODEL_FIN_WAIT_1 ||
	    t->want.state == MODEL_FIN_WAIT_2)
		peer_sends(t);
}

static void leave(struct test *t)
{
	if (t->want.state != MODEL_CLOSED && t->want.state != MODEL_LISTEN)
		give(t, RST, t->tcb.rcv_nxt, 0, 0);
	if (t->s >= 0)
		fx_close_socket(t->fx, t->s);
	if (t->fx->first != NULL)
		differs(t, "a reset was answered");
	if (current_state(t) != MODEL_CLOSED)
		differs(t, "a reset left it in %s", model_state_name(current_state(t)));
}

/* ---- the matrix ---- */

static void count_drops(struct test *t, struct drops *drops)
{
	drops->total = 0;
	strata_inspect_modules(t->fx->stack, add_drops, drops);
}

static void run_case(struct test *t)
{
	const struct strata_instance *tcp = fx_instance(t->fx, "tcp");
	struct drops drops = { 0 };
	uint64_t before[128], total;

	enter(t);
	t->segment.flags = (uint8_t)t->flags;
	t->segment.seq = sequence_number(t);
	t->segment.ack = ack_number(t);
	t->want = model_arrives(&t->tcb, &t->segment);
	if (t->want.reply == MODEL_SEND_SYN_ACK || t->row.state == MODEL_SYN_SENT)
		t->tcb.irs = t->segment.seq;
	assert_true(tcp->module->drop_count <= STRATA_COUNT(before));
	memcpy(before, tcp->drops, tcp->module->drop_count * sizeof(before[0]));
	count_drops(t, &drops);
	total = drops.total;
	give(t, t->segment.flags, t->segment.seq, t->segment.ack, t->segment.text);
	count_drops(t, &drops);
	name_drop(t, before, &drops);
	check_reply(t);
	if (!in_state(t, t->want.state))
		differs(t, "the state is %s instead of %s", model_state_name(current_state(t)),
		     model_state_name(t->want.state));
	check_drop(t, drops.total - total, &drops);
	check_user(t);
	t->tcb.rcv_nxt = t->want.rcv_nxt;
	still_usable(t);
	leave(t);
}

/* A new connection for the case, with numbers of its own: they wrap in some. */
static void begin(struct test *t)
{
	const uint32_t scattered = t->number * 2654435761u;

	t->s = -1;
	t->received = 0;
	t->conn = (struct fx_conn){ .peer_port = (uint16_t)(1024 + t->number % 60000),
				    .stack_port = t->row.state == MODEL_CLOSED ? CLOSED_PORT : PORT };
	if (t->row.state == MODEL_SYN_SENT || (t->row.state == MODEL_SYN_RECEIVED && !t->row.passive))
		t->conn.stack_port = (uint16_t)(2048 + t->number % 128);
	t->tcb = (struct model_tcb){
		.passive = t->row.passive, .irs = scattered, .rcv_nxt = scattered + 1,
		.rcv_wnd = 65535, .iss = ~scattered, .snd_una = ~scattered, .snd_nxt = ~scattered + 1,
		.max_snd_wnd = 65535,
	};
}

static void run_flags(struct test *t)
{
	for (t->seq = 0; t->seq < SEQS; t->seq++)
		for (t->ack = 0; t->ack < ACKS; t->ack++)
			for (unsigned int text = 0; text <= TEXT; text += TEXT) {
				t->segment.text = text;
				begin(t);
				run_case(t);
				t->number++;
			}
}

/* All cases of a state on one stack, which may hold no byte more for it. */
static void check_row(enum model_state state, bool passive)
{
	struct test t = { .row = { state, passive }, .s = -1 };
	size_t held = 0;

	t.fx = fx_open(.options = "tcp.nagle=false tcp.challenge_ack_interval=0 tcp.delayed_ack=1ms "
				  "tcp.rto_initial=10s tcp.rto_min=10s tcp.tail_loss_probe=false");
	t.listener = fx_listen_on(t.fx, PORT);
	for (t.flags = 0; t.flags < FLAG_SETS; t.flags++) {
		run_flags(&t);
		/* The caches have filled by then. */
		if (t.flags == FLAG_SETS / 2)
			held = t.fx->bytes;
	}
	assert_int_equal(t.number, FLAG_SETS * SEQS * ACKS * 2);
	assert_int_equal(t.fx->bytes, held);
	fx_close(t.fx);
}

static void closed_is_as_the_model_has_it(void **state)
{
	(void)state;
	check_row(MODEL_CLOSED, false);
}

static void listen_is_as_the_model_has_it(void **state)
{
	(void)state;
	check_row(MODEL_LISTEN, true);
}

static void syn_sent_is_as_the_model_has_it(void **state)
{
	(void)state;
	check_row(MODEL_SYN_SENT, false);
}

static void syn_received_of_a_listener_is_as_the_model_has_it(void **state)
{
	(void)state;
	check_row(MODEL_SYN_RECEIVED, true);
}

static void syn_received_of_a_simultaneous_open_is_as_the_model_has_it(void **state)
{
	(void)state;
	check_row(MODEL_SYN_RECEIVED, false);
}

static void established_is_as_the_model_has_it(void **state)
{
	(void)state;
	check_row(MODEL_ESTABLISHED, true);
}

static void fin_wait_1_is_as_the_model_has_it(void **state)
{
	(void)state;
	check_row(MODEL_FIN_WAIT_1, true);
}

static void fin_wait_2_is_as_the_model_has_it(void **state)
{
	(void)state;
	check_row(MODEL_FIN_WAIT_2, true);
}

static void close_wait_is_as_the_model_has_it(void **state)
{
	(void)state;
	check_row(MODEL_CLOSE_WAIT, true);
}

static void closing_is_as_the_model_has_it(void **state)
{
	(void)state;
	check_row(MODEL_CLOSING, true);
}

static void last_ack_is_as_the_model_has_it(void **state)
{
	(void)state;
	check_row(MODEL_LAST_ACK, true);
}

static void time_wait_is_as_the_model_has_it(void **state)
{
	(void)state;
	check_row(MODEL_TIME_WAIT, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(closed_is_as_the_model_has_it),
		cmocka_unit_test(listen_is_as_the_model_has_it),
		cmocka_unit_test(syn_sent_is_as_the_model_has_it),
		cmocka_unit_test(syn_received_of_a_listener_is_as_the_model_has_it),
		cmocka_unit_test(syn_received_of_a_simultaneous_open_is_as_the_model_has_it),
		cmocka_unit_test(established_is_as_the_model_has_it),
		cmocka_unit_test(fin_wait_1_is_as_the_model_has_it),
		cmocka_unit_test(fin_wait_2_is_as_the_model_has_it),
		cmocka_unit_test(close_wait_is_as_the_model_has_it),
		cmocka_unit_test(closing_is_as_the_model_has_it),
		cmocka_unit_test(last_ack_is_as_the_model_has_it),
		cmocka_unit_test(time_wait_is_as_the_model_has_it),
	};

	return fx_main(tests);
}
