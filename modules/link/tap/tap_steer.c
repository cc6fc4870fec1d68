/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Of several shards, each with a queue of the device: a program in the host's kernel that chooses the queue of
 * the shard which owns a packet's flow, by the same hash as the stack's (<strata/shard.h>), so that packets are
 * seldom handed over. Read tun_ebpf_select_queue(), tun_attach() and __tun_detach() of the Linux kernel (tun.c), its
 * Documentation/bpf/standardization/instruction-set.rst, and docs/adr/0020 before editing.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_tun.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <strata/shard.h>
#include <strata/shards.h>
#include "tap_int.h"

/* A frame, from its first byte. */
enum {
	FRAME_TYPE = 12,
	FRAME_IP = ETH_HLEN,
	/* RFC 791 3.1 */
	IP_FRAGMENT = FRAME_IP + 6, IP_PROTOCOL = FRAME_IP + 9, IP_SOURCE = FRAME_IP + 12,
	IP_DESTINATION = FRAME_IP + 16,
};
/* RFC 791 3.1: more fragments, or not the first. */
#define IP_FRAGMENTED 0x3fff
/* Instructions there are at most: those of the hash, and three for each queue. */
#define PROGRAM_MOST (64 + 3 * STRATA_SHARDS_MAX)
/* Where a jump goes that is not known yet: a packet of no flow. */
#define TO_OTHER INT16_MAX

/** The device's queues, in the host's order; common to all shards. */
struct tap_queues {
	unsigned int ifindex;		/* of the device that has them */
	unsigned int count;
	uint8_t shard[STRATA_SHARDS_MAX];
};

struct program {
	struct bpf_insn code[PROGRAM_MOST];
	unsigned int count;
};

/* ---- the program ---- */

static struct bpf_insn *add(struct program *program, int code, unsigned int to, unsigned int from,
			    uint32_t immediate)
{
	struct bpf_insn *one = &program->code[program->count++];

	*one = (struct bpf_insn){ .code = (uint8_t)code, .dst_reg = to & 0xf, .src_reg = from & 0xf,
				  .imm = (int32_t)immediate };
	return one;
}

/* R0 = `size` bytes of the frame at `offset`, the first being the highest. Beyond its end the program is over,
 * with 0. */
static void load(struct program *program, int size, uint32_t offset)
{
	add(program, BPF_LD | BPF_ABS | size, 0, 0, offset);
}

/* 32-bit arithmetic: the upper half becomes 0. */
static void alu(struct program *program, int operation, unsigned int to, uint32_t immediate)
{
	add(program, BPF_ALU | BPF_K | operation, to, 0, immediate);
}

static void alu_reg(struct program *program, int operation, unsigned int to, unsigned int from)
{
	add(program, BPF_ALU | BPF_X | operation, to, from, 0);
}

/* Jumps if the test of R0 holds. */
static void jump(struct program *program, int test, uint32_t immediate, int16_t offset)
{
	add(program, BPF_JMP | BPF_K | test, BPF_REG_0, 0, immediate)->off = offset;
}

/* Goes on behind where the frame has ports, with the bytes of its network header in R7. */
static void add_has_ports(struct program *program)
{
	load(program, BPF_H, FRAME_TYPE);
	jump(program, BPF_JNE, ETH_P_IP, TO_OTHER);
	load(program, BPF_B, IP_PROTOCOL);
	jump(program, BPF_JEQ, IPPROTO_TCP, 1);
	jump(program, BPF_JNE, IPPROTO_UDP, TO_OTHER);
	load(program, BPF_H, IP_FRAGMENT);
	jump(program, BPF_JSET, IP_FRAGMENTED, TO_OTHER);
	load(program, BPF_B, FRAME_IP);
	alu(program, BPF_AND, BPF_REG_0, 0xf);
	alu(program, BPF_LSH, BPF_REG_0, 2);
	alu_reg(program, BPF_MOV, BPF_REG_7, BPF_REG_0);
}

/* R0 ^= R0 >> bits; changes R9. */
static void add_xor_shifted(struct program *program, uint32_t bits)
{
	alu_reg(program, BPF_MOV, BPF_REG_9, BPF_REG_0);
	alu(program, BPF_RSH, BPF_REG_9, bits);
	alu_reg(program, BPF_XOR, BPF_REG_0, BPF_REG_9);
}

/* R0 = strata_steering_end() of the address and the port there. */
static void add_end(struct program *program, const struct strata_steering *steering, uint32_t address,
		    uint32_t port)
{
	add(program, BPF_LD | BPF_IND | BPF_H, 0, BPF_REG_7, FRAME_IP + port);
	alu(program, BPF_MUL, BPF_REG_0, 0x10001);	/* into both halves */
	alu_reg(program, BPF_MOV, BPF_REG_9, BPF_REG_0);
	load(program, BPF_W, address);
	alu_reg(program, BPF_XOR, BPF_REG_0, BPF_REG_9);
	alu(program, BPF_XOR, BPF_REG_0, steering->key[0]);
	alu(program, BPF_MUL, BPF_REG_0, STRATA_STEERING_END);
	add_xor_shifted(program, 15);
}

/* R0 = strata_steering_owner() of the frame's flow. */
static void add_owner(struct program *program, const struct strata_steering *steering)
{
	add_end(program, steering, IP_SOURCE, 0);
	alu_reg(program, BPF_MOV, BPF_REG_8, BPF_REG_0);
	add_end(program, steering, IP_DESTINATION, 2);
	alu_reg(program, BPF_ADD, BPF_REG_0, BPF_REG_8);
	alu(program, BPF_XOR, BPF_REG_0, steering->key[1]);
	alu(program, BPF_MUL, BPF_REG_0, STRATA_STEERING_BOTH);
	add_xor_shifted(program, 16);
	alu(program, BPF_AND, BPF_REG_0, 0xffff);
	alu(program, BPF_MUL, BPF_REG_0, steering->count);
	alu(program, BPF_RSH, BPF_REG_0, 16);
}

/* Ends with the queue of the shard in R0. That of one which has none is any: the host takes the remainder. */
static void add_queue(struct program *program, const struct tap_queues *queues)
{
	unsigned int i;

	for (i = 0; i < queues->count; i++) {
		if (queues->shard[i] == i)
			continue;
		jump(program, BPF_JNE, queues->shard[i], 2);
		alu(program, BPF_MOV, BPF_REG_0, i);
		add(program, BPF_JMP | BPF_EXIT, 0, 0, 0);
	}
	add(program, BPF_JMP | BPF_EXIT, 0, 0, 0);
}

static void program_make(struct program *program, const struct strata_steering *steering,
			 const struct tap_queues *queues)
{
	unsigned int i, other;

	program->count = 0;
	add(program, BPF_ALU64 | BPF_X | BPF_MOV, BPF_REG_6, BPF_REG_1, 0);	/* where loads find the packet */
	add_has_ports(program);
	add_owner(program, steering);
	add(program, BPF_JMP | BPF_JA, 0, 0, 0)->off = 1;
	other = program->count;
	alu(program, BPF_MOV, BPF_REG_0, 0);	/* of no flow: the first shard's */
	for (i = 0; i < other; i++)
		if (program->code[i].off == TO_OTHER)
			program->code[i].off = (int16_t)(other - i - 1);
	add_queue(program, queues);
}

/* Gives the device the program, in place of the one it has. Returns 0 or -errno. */
static int program_set(const struct program *program, int device)
{
	union bpf_attr attr;
	int fd, result;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
	attr.insns = (uintptr_t)program->code;
	attr.insn_cnt = program->count;
	attr.license = (uintptr_t)"BSD-2-Clause";
	fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
	if (fd < 0)
		return -errno;
	result = ioctl(device, TUNSETSTEERINGEBPF, &fd) < 0 ? -errno : 0;
	close(fd);
	return result;
}

/* ---- the queues ---- */

static void tap_steer_tell(struct tap *tap, int error)
{
	if (tap->told_steering)
		return;
	tap->told_steering = true;
	strata_log(tap->iface->stack, tap->iface->driver, STRATA_LOG_INFO,
		   "%s: the host takes no program that steers packets to their shards (%s%s); they are handed over",
		   tap->device, strerror(error), error == EPERM ? ": needs CAP_BPF" : "");
}

/* The program follows the queues; the lock is held. Returns 0 or -errno. */
static int tap_steer_update(struct tap *tap)
{
	const struct tap_config *config = tap->iface->config;
	struct strata_steering steering;
	struct program program;
	int none = -1;

	/* A device that outlives the stack may have one from its last user, and keeps what it has. */
	if (!config->steering || tap->common->count == 0)
		return ioctl(tap->fd, TUNSETSTEERINGEBPF, &none) < 0 ? -errno : 0;
	strata_shard_steering(tap->iface->stack, &steering);
	program_make(&program, &steering, tap->common);
	return program_set(&program, tap->fd);
}

/* FNV-1a. Devices whose names had one key would share a record, and be refused. */
static uint64_t tap_steer_key(const char *device)
{
	uint64_t key = UINT64_C(0xcbf29ce484222325);

	for (; *device != '\0'; device++)
		key = (key ^ (uint8_t)*device) * UINT64_C(0x100000001b3);
	return key;
}

int tap_steer_init(struct tap *tap)
{
	if (strata_shard_count(tap->iface->stack) == 1)
		return 0;
	tap->common = strata_common_get(tap->iface->driver, tap_steer_key(tap->device), sizeof(*tap->common));
	return tap->common != NULL ? 0 : -ENOMEM;
}

void tap_steer_fini(struct tap *tap)
{
	if (tap->common != NULL)
		strata_common_put(tap->iface->driver, tap->common);
}

void tap_steer_lock(struct tap *tap)
{
	if (tap->common != NULL)
		strata_common_lock(tap->common);
}

void tap_steer_unlock(struct tap *tap)
{
	if (tap->common != NULL)
		strata_common_unlock(tap->common);
}

/* The place of the stack's queue among the first `count`; `count`: it has none. */
static unsigned int tap_steer_place(const struct tap *tap, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		if (tap->common->shard[i] == strata_shard(tap->iface->stack))
			break;
	return i;
}

int tap_steer_attached(struct tap *tap, unsigned int present)
{
	const struct tap_config *config = tap->iface->config;
	struct tap_queues *queues = tap->common;
	/* What is recorded of a device that is gone says nothing of this one. */
	const unsigned int own = queues->ifindex == tap->ifindex && present != 1 ? queues->count : 0;
	int result;

	if (present > own + 1 || tap_steer_place(tap, own) < own)
		return -EBUSY;
	queues->ifindex = tap->ifindex;
	queues->count = own;
	queues->shard[queues->count++] = (uint8_t)strata_shard(tap->iface->stack);
	result = tap_steer_update(tap);
	if (result < 0 && config->steering)
		tap_steer_tell(tap, -result);
	return 0;
}

void tap_steer_detaching(struct tap *tap)
{
	struct tap_queues *queues = tap->common;
	unsigned int place;

	if (queues == NULL || queues->ifindex != tap->ifindex)
		return;
	place = tap_steer_place(tap, queues->count);
	if (place == queues->count)
		return;
	queues->shard[place] = queues->shard[--queues->count];
	tap_steer_update(tap);	/* of a device that is gone it fails */
}
