/* SPDX-License-Identifier: BSD-2-Clause */
#include "world.h"

struct world_frame {
	struct world_frame *next;
	struct strata_iface *to;
	size_t length;
	uint8_t bytes[];
};

/* ---- environment ---- */

static int env_random(void *ctx, void *buf, size_t length)
{
	struct world *world = ctx;
	uint8_t *to = buf;

	while (length-- > 0)
		*to++ = (uint8_t)(fx_random(&world->rng) >> 24);
	return 0;
}

static void *env_alloc(void *ctx, size_t size)
{
	((struct world *)ctx)->bytes += size;
	return malloc(size);
}

static void env_free(void *ctx, void *ptr, size_t size)
{
	((struct world *)ctx)->bytes -= size;
	free(ptr);
}

static void env_log(void *ctx, enum strata_log_level level, const char *module, const char *line)
{
	struct world *world = ctx;
	size_t used = strlen(world->log);

	(void)level;
	snprintf(world->log + used, sizeof(world->log) - used, "%s: %s\n", module, line);
}

/* ---- the wire ---- */

static void enqueue(struct world *world, struct strata_iface *to, const void *bytes, size_t length)
{
	struct world_frame *frame = malloc(sizeof(*frame) + length);

	assert_non_null(frame);
	frame->next = NULL;
	frame->to = to;
	frame->length = length;
	memcpy(frame->bytes, bytes, length);
	*world->end = frame;
	world->end = &frame->next;
}

static void from_shard(void *ctx, struct strata_iface *iface, const void *frame, size_t length)
{
	struct world *world = ctx;
	const uint8_t *bytes = frame;

	world->sent[strata_shard(iface->stack)]++;
	if (length > 21 && strata_get_be16(bytes + 12) == 0x0806 && bytes[21] == 2)
		world->arp_replies++;
	enqueue(world, strata_iface_by_index(world->peer, 1), frame, length);
}

unsigned int world_fixed(struct world *world, const uint8_t *frame, size_t length)
{
	(void)frame;
	(void)length;
	return world->fixed;
}

static void from_peer(void *ctx, struct strata_iface *iface, const void *frame, size_t length)
{
	struct world *world = ctx;
	unsigned int queue;

	(void)iface;
	if (world->queue != NULL)
		queue = world->queue(world, frame, length);
	else
		queue = (unsigned int)(fx_random(&world->rng) % world->count);
	enqueue(world, strata_iface_by_index(world_shard(world, queue), 1), frame, length);
}

/* ---- life ---- */

static struct strata_config config_of(const char *text, const struct strata_env *env)
{
	return (struct strata_config){ .manifest_text = text, .module_path = fx_module_path(),
				       .env = env };
}

static void manifest(char *text, size_t size, const char *address, const char *stack,
		     const char *extra)
{
	snprintf(text, size,
		 "strata: 1\nstack:\n  name: world\n  log: info\n%s"
		 "modules:\n- name: wire\n- name: ethernet\n- name: arp\n- name: ipv4\n"
		 "- name: icmp\n- name: udp\n- name: newreno\n- name: tcp\n"
		 "  options:\n    congestion: newreno\n%s"
		 "interfaces:\n- name: w0\n  driver: wire\n  addresses: [%s/24]\n",
		 stack, extra, address);
}

static void must(int result, const struct strata_error *error)
{
	if (result < 0)
		fail_msg("%s", strata_error_text(error));
}

void world_open(struct world *world, unsigned int count, const char *stack, const char *extra)
{
	const struct strata_env env = {
		.ctx = world, .random = env_random, .alloc = env_alloc, .free = env_free,
		.log = env_log,
	};
	struct strata_error error = { 0 };
	struct strata_config config;
	char text[2048], settings[256];
	unsigned int i;

	memset(world, 0, sizeof(*world));
	world->rng = 7;
	world->count = count;
	world->end = &world->first;
	world->now = 1000 * STRATA_SEC;
	snprintf(settings, sizeof(settings), "  shards: %u\n%s", count, stack);
	manifest(text, sizeof(text), "192.0.2.2", settings, extra);
	config = config_of(text, &env);
	must(strata_shards_create(&config, &world->shards, &error), &error);
	manifest(text, sizeof(text), "192.0.2.1", "", "");
	config = config_of(text, &env);
	must(strata_stack_create(&config, &world->peer, &error), &error);
	for (i = 0; i < count; i++)
		strata_iface_set_output(strata_iface_by_index(world_shard(world, i), 1), from_shard,
					world);
	strata_iface_set_output(strata_iface_by_index(world->peer, 1), from_peer, world);
	world_run(world, 5000);
	world->arp_replies = 0;
	memset(world->sent, 0, sizeof(world->sent));
}

void world_close(struct world *world)
{
	struct world_frame *frame;
	unsigned int i;

	/* What they say in their end nobody hears. */
	for (i = 0; i < world->count; i++)
		strata_iface_set_output(strata_iface_by_index(world_shard(world, i), 1), NULL, NULL);
	strata_iface_set_output(strata_iface_by_index(world->peer, 1), NULL, NULL);
	strata_shards_destroy(world->shards);
	strata_stack_destroy(world->peer);
	while ((frame = world->first) != NULL) {
		world->first = frame->next;
		free(frame);
	}
	assert_int_equal(world->bytes, 0);
}

struct strata_stack *world_shard(const struct world *world, unsigned int shard)
{
	struct strata_stack *stack = strata_shards_stack(world->shards, shard);

	assert_non_null(stack);
	return stack;
}

/* ---- time ---- */

static struct strata_stack *stack_of(const struct world *world, unsigned int i)
{
	return i < world->count ? world_shard(world, i) : world->peer;
}

bool world_deliver(struct world *world)
{
	struct world_frame *frame = world->first;

	if (frame == NULL)
		return false;
	world->first = frame->next;
	if (world->first == NULL)
		world->end = &world->first;
	strata_input(frame->to, frame->bytes, frame->length, world->now);
	free(frame);
	return true;
}

/* Runs whoever wants to now; `*next` is when the next one does. */
static bool run_due(struct world *world, uint64_t *next)
{
	bool any = false;
	unsigned int i;

	*next = STRATA_NEVER;
	for (i = 0; i <= world->count; i++) {
		struct strata_stack *stack = stack_of(world, i);
		uint64_t due = strata_next_timer(stack);

		if (due <= world->now) {
			strata_run(stack, world->now);
			any = true;
		} else if (due < *next) {
			*next = due;
		}
	}
	return any;
}

void world_run(struct world *world, uint64_t ms)
{
	const uint64_t end = world->now + ms * STRATA_MS;
	uint64_t next;
	unsigned int i;

	for (;;) {
		bool moved = world_deliver(world);

		if (run_due(world, &next) || moved)
			continue;
		if (next > end)
			break;
		world->now = next;
	}
	world->now = end;
	for (i = 0; i <= world->count; i++)
		strata_run(stack_of(world, i), end);
}

/* ---- counters ---- */

struct wanted {
	const char *module, *name;
	bool drop;
	uint64_t sum;
	bool found;
};

static void add_value(void *ctx, const struct strata_module_view *view)
{
	const struct strata_module *module = view->instance->module;
	struct wanted *wanted = ctx;
	size_t i;

	if (strcmp(view->instance->name, wanted->module) != 0)
		return;
	for (i = 0; !wanted->drop && i < module->counter_count; i++) {
		if (strcmp(module->counters[i].name, wanted->name) == 0) {
			wanted->sum += view->instance->counters[i];
			wanted->found = true;
		}
	}
	for (i = 0; wanted->drop && i < module->drop_count; i++) {
		if (strcmp(module->drops[i].name, wanted->name) == 0) {
			wanted->sum += view->instance->drops[i];
			wanted->found = true;
		}
	}
}

uint64_t world_counter(const struct world *world, unsigned int shard, const char *module,
		       const char *counter)
{
	struct wanted wanted = { .module = module, .name = counter };

	strata_inspect_modules(world_shard(world, shard), add_value, &wanted);
	assert_true(wanted.found);
	return wanted.sum;
}

uint64_t world_counters(const struct world *world, const char *module, const char *counter)
{
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < world->count; i++)
		sum += world_counter(world, i, module, counter);
	return sum;
}

uint64_t world_drops(const struct world *world, const char *module, const char *reason)
{
	struct wanted wanted = { .module = module, .name = reason, .drop = true };
	unsigned int i;

	for (i = 0; i < world->count; i++)
		strata_inspect_modules(world_shard(world, i), add_value, &wanted);
	assert_true(wanted.found);
	return wanted.sum;
}

/* ---- sockets ---- */

int world_socket(struct strata_stack *stack, int type, int protocol)
{
	int s = strata_socket(stack, AF_INET, type, protocol);

	assert_true(s >= 0);
	return s;
}

void world_bind(struct strata_stack *stack, int s, uint32_t ip, uint16_t port)
{
	struct sockaddr_in to = fx_sockaddr(ip, port);

	assert_int_equal(strata_bind(stack, s, (struct sockaddr *)&to, sizeof(to)), 0);
}

int world_listener(struct strata_stack *stack, uint16_t port)
{
	int s = world_socket(stack, SOCK_STREAM, 0);

	world_bind(stack, s, 0, port);
	assert_int_equal(strata_listen(stack, s, 64), 0);
	return s;
}

int world_connect(struct strata_stack *stack, int s, uint32_t ip, uint16_t port)
{
	struct sockaddr_in to = fx_sockaddr(ip, port);

	return strata_connect(stack, s, (struct sockaddr *)&to, sizeof(to));
}

ssize_t world_sendto(struct strata_stack *stack, int s, const char *text, uint32_t ip, uint16_t port)
{
	struct sockaddr_in to = fx_sockaddr(ip, port);

	return strata_sendto(stack, s, text, strlen(text), 0, (struct sockaddr *)&to, sizeof(to));
}

const char *world_recv(struct strata_stack *stack, int s, char buf[2048])
{
	ssize_t n = strata_recv(stack, s, buf, 2047, 0);

	buf[n > 0 ? n : 0] = '\0';
	return buf;
}
