/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The BSD packet filter's machine (McCanne, Jacobson, "The BSD Packet Filter", USENIX 1993, section 3).
 * Jumps go forward alone, so every program ends; every load is checked, in packets in pieces too.
 */
#include "control_bpf.h"

/* An accumulator, an index register and the scratch memory. */
struct machine {
	uint32_t a, x, memory[BPF_MEMWORDS];
};

/* ---- checking ---- */

static bool is_load(uint16_t code)
{
	switch (code) {
	case BPF_LD | BPF_W | BPF_ABS:
	case BPF_LD | BPF_H | BPF_ABS:
	case BPF_LD | BPF_B | BPF_ABS:
	case BPF_LD | BPF_W | BPF_IND:
	case BPF_LD | BPF_H | BPF_IND:
	case BPF_LD | BPF_B | BPF_IND:
	case BPF_LD | BPF_W | BPF_LEN:
	case BPF_LD | BPF_IMM:
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_W | BPF_LEN:
	case BPF_LDX | BPF_IMM:
	case BPF_LDX | BPF_MEM:
	case BPF_LDX | BPF_B | BPF_MSH:
		return true;
	}
	return false;
}

static bool is_alu(uint16_t code)
{
	switch (code & ~BPF_X) {
	case BPF_ALU | BPF_ADD:
	case BPF_ALU | BPF_SUB:
	case BPF_ALU | BPF_MUL:
	case BPF_ALU | BPF_DIV:
	case BPF_ALU | BPF_MOD:
	case BPF_ALU | BPF_AND:
	case BPF_ALU | BPF_OR:
	case BPF_ALU | BPF_XOR:
	case BPF_ALU | BPF_LSH:
	case BPF_ALU | BPF_RSH:
		return true;
	}
	return code == (BPF_ALU | BPF_NEG);
}

static bool is_branch(uint16_t code)
{
	switch (code & ~BPF_X) {
	case BPF_JMP | BPF_JEQ:
	case BPF_JMP | BPF_JGT:
	case BPF_JMP | BPF_JGE:
	case BPF_JMP | BPF_JSET:
		return true;
	}
	return false;
}

static bool is_other(uint16_t code)
{
	return code == BPF_ST || code == BPF_STX || code == (BPF_MISC | BPF_TAX) ||
	       code == (BPF_MISC | BPF_TXA) || code == (BPF_RET | BPF_K) || code == (BPF_RET | BPF_A);
}

static bool uses_memory(uint16_t code)
{
	return code == BPF_ST || code == BPF_STX || code == (BPF_LD | BPF_MEM) ||
	       code == (BPF_LDX | BPF_MEM);
}

/* Why an instruction with `left` others behind it is refused; NULL: it is not. */
static const char *fault(const struct sock_filter *i, size_t left)
{
	if (is_branch(i->code))
		return i->jt < left && i->jf < left ? NULL : "jumps beyond the end";
	if (i->code == (BPF_JMP | BPF_JA))
		return i->k < left ? NULL : "jumps back or beyond the end; loops, such as "
					    "protochain makes, are not run";
	if (uses_memory(i->code))
		return i->k < BPF_MEMWORDS ? NULL : "uses scratch memory that is not there";
	if (i->code == (BPF_ALU | BPF_DIV | BPF_K) || i->code == (BPF_ALU | BPF_MOD | BPF_K))
		return i->k != 0 ? NULL : "divides by 0";
	return is_load(i->code) || is_alu(i->code) || is_other(i->code) ? NULL :
	       "is no instruction of the machine";
}

const char *control_bpf_fault(const struct sock_filter *code, size_t count, size_t *where)
{
	size_t i;

	*where = 0;
	if (count == 0 || count > CONTROL_BPF_MAX)
		return "belongs to a program of none or of more than 4096";
	for (i = 0; i < count; i++) {
		const char *why = fault(&code[i], count - i - 1);

		*where = i;
		if (why != NULL)
			return why;
	}
	return BPF_CLASS(code[count - 1].code) == BPF_RET ? NULL : "is the last and does not return";
}

/* ---- running ---- */

/* Reads 1, 2 or 4 bytes at an offset in network order. Returns false beyond the packet's end. */
static bool load(const struct strata_pkt *pkt, uint64_t offset, uint32_t size, uint32_t *value)
{
	uint8_t copy[4];
	const uint8_t *bytes = copy;

	if (offset + size > strata_pkt_length(pkt))
		return false;
	if (strata_likely(offset + size <= pkt->len))
		bytes = pkt->data + offset;
	else
		strata_pkt_read(pkt, (uint32_t)offset, copy, size);
	*value = size == 4 ? strata_get_be32(bytes) : size == 2 ? strata_get_be16(bytes) : bytes[0];
	return true;
}

/* The two ways to index: a load into the accumulator, and RFC 791's header length into X. */
static bool load_packet(struct machine *m, const struct sock_filter *i, const struct strata_pkt *pkt)
{
	const uint32_t size = BPF_SIZE(i->code) == BPF_W ? 4 : BPF_SIZE(i->code) == BPF_H ? 2 : 1;
	uint32_t value;

	if (BPF_CLASS(i->code) == BPF_LDX) {
		if (!load(pkt, i->k, 1, &value))
			return false;
		m->x = (value & 0xf) << 2;
		return true;
	}
	return load(pkt, BPF_MODE(i->code) == BPF_IND ? (uint64_t)m->x + i->k : i->k, size, &m->a);
}

/* Returns false where the packet ends before the load does. */
static bool run_load(struct machine *m, const struct sock_filter *i, const struct strata_pkt *pkt)
{
	uint32_t value;

	switch (BPF_MODE(i->code)) {
	case BPF_IMM:
		value = i->k;
		break;
	case BPF_MEM:
		value = m->memory[i->k];
		break;
	case BPF_LEN:
		value = strata_pkt_length(pkt);
		break;
	default:
		return load_packet(m, i, pkt);
	}
	if (BPF_CLASS(i->code) == BPF_LD)
		m->a = value;
	else
		m->x = value;
	return true;
}

/* Returns false on a division by 0. A shift by more than the word leaves nothing. */
static bool run_alu(struct machine *m, const struct sock_filter *i)
{
	const uint32_t by = BPF_SRC(i->code) == BPF_X ? m->x : i->k;
	const uint16_t op = BPF_OP(i->code);

	if ((op == BPF_DIV || op == BPF_MOD) && by == 0)
		return false;
	switch (op) {
	case BPF_ADD: m->a += by; break;
	case BPF_SUB: m->a -= by; break;
	case BPF_MUL: m->a *= by; break;
	case BPF_DIV: m->a /= by; break;
	case BPF_MOD: m->a %= by; break;
	case BPF_AND: m->a &= by; break;
	case BPF_OR: m->a |= by; break;
	case BPF_XOR: m->a ^= by; break;
	case BPF_LSH: m->a = by < 32 ? m->a << by : 0; break;
	case BPF_RSH: m->a = by < 32 ? m->a >> by : 0; break;
	case BPF_NEG: m->a = 0 - m->a; break;
	}
	return true;
}

/* Instructions to leave out. */
static uint32_t run_jump(const struct machine *m, const struct sock_filter *i)
{
	const uint32_t with = BPF_SRC(i->code) == BPF_X ? m->x : i->k;
	bool holds = false;

	switch (BPF_OP(i->code)) {
	case BPF_JA: return i->k;
	case BPF_JEQ: holds = m->a == with; break;
	case BPF_JGT: holds = m->a > with; break;
	case BPF_JGE: holds = m->a >= with; break;
	case BPF_JSET: holds = (m->a & with) != 0; break;
	}
	return holds ? i->jt : i->jf;
}

uint32_t control_bpf_run(const struct sock_filter *code, const struct strata_pkt *pkt)
{
	struct machine m = { 0 };
	const struct sock_filter *i;

	for (i = code;; i++) {
		switch (BPF_CLASS(i->code)) {
		case BPF_LD:
		case BPF_LDX:
			if (!run_load(&m, i, pkt))
				return 0;
			break;
		case BPF_ST:
			m.memory[i->k] = m.a;
			break;
		case BPF_STX:
			m.memory[i->k] = m.x;
			break;
		case BPF_ALU:
			if (!run_alu(&m, i))
				return 0;
			break;
		case BPF_JMP:
			i += run_jump(&m, i);
			break;
		case BPF_RET:
			return BPF_RVAL(i->code) == BPF_A ? m.a : i->k;
		case BPF_MISC:
			if (BPF_MISCOP(i->code) == BPF_TAX)
				m.x = m.a;
			else
				m.a = m.x;
			break;
		}
	}
}
