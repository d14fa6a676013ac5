/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the plan, and carrying it out one operation after the other.
 *
 * The plan comes from the engine, which is trusted; every offset is checked all
 * the same, so that a bug there is an error here and not a wild pointer.
 */
#include "stub.h"

#include <errno.h>
#include <sys/mman.h>

#define CALL_ARGUMENTS 5

struct handler {
	operation run; /* NULL: `call` is all there is to do */
	u32 argc;
	u32 call;
	u32 slots, texts; /* which arguments of the call are not plain numbers */
};

static const struct handler handlers[] = {
#define X(name, number, arguments) [number] = { op_##name, arguments, 0, 0, 0 },
	WIRE_OPERATIONS(X)
#undef X
#define Y(name, number, ...) [number] = { NULL, __VA_ARGS__ },
		WIRE_CALLS(Y)
#undef Y
};

int plan_map(struct stub *stub, int fd)
{
	const struct wire_plan *plan;
	long address, size;

	size = sys3(SYS_lseek, fd, 0, 2);
	if (size < (long)sizeof(*plan) || size > (1L << 30))
		return -EPROTO;
	/* Private and writable: tables of strings become pointers in place. */
	address = sys6(SYS_mmap, 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (address < 0 && address > -4096)
		return (int)address;
	sys_close(fd);
	stub->plan = (char *)address;
	stub->size = (u32)size;
	plan = (const struct wire_plan *)stub->plan;
	if (plan->magic != WIRE_MAGIC || plan->version != WIRE_VERSION)
		return -EPROTO;
	if (plan->size != stub->size || stub->plan[size - 1] != '\0')
		return -EPROTO;
	return 0;
}

/* Returns NULL for an offset outside of the plan; the last byte of a plan is NUL. */
const char *plan_text(const struct stub *stub, u64 offset)
{
	return offset && offset < stub->size ? stub->plan + offset : NULL;
}

/* Returns NULL unless all of the array is in the plan; no sum here can overflow. */
void *plan_array(const struct stub *stub, u64 offset, u64 count, size_t size)
{
	if (!offset || offset >= stub->size || count > (stub->size - offset) / size)
		return NULL;
	return stub->plan + offset;
}

/* Turns the offsets of a table into pointers, unless that has been done before. */
char **plan_table(struct stub *stub, u64 offset)
{
	const u64 plan = (u64)(uintptr_t)stub->plan, home = (u64)(uintptr_t)stub->home;
	u64 *table = plan_array(stub, offset, 1, sizeof(*table)), *entry;

	if (!table || offset % sizeof(*table))
		return NULL;
	for (entry = table; *entry; entry++) {
		if ((char *)(entry + 2) > stub->plan + stub->size)
			return NULL;
		if (*entry == WIRE_HOME)
			*entry = home;
		else if (*entry < stub->size)
			*entry += plan;
		else if (*entry != home && *entry - plan >= stub->size)
			return NULL;
	}
	return (char **)table;
}

int slot_get(const struct stub *stub, u64 slot)
{
	return slot < WIRE_SLOTS ? stub->slot[slot] : -1;
}

/* Gives the descriptor to the slot, which closes the one that it had. */
int slot_set(struct stub *stub, u64 slot, int fd)
{
	if (slot >= WIRE_SLOTS) {
		sys_close(fd);
		return -EPROTO;
	}
	if (stub->slot[slot] >= 0)
		sys_close(stub->slot[slot]);
	stub->slot[slot] = fd;
	return 0;
}

static int call(struct stub *stub, const struct handler *handler, const u64 *arg)
{
	long value[CALL_ARGUMENTS] = { 0 };
	long answer;

	for (u32 i = 0; i < handler->argc && i < CALL_ARGUMENTS; i++) {
		value[i] = (long)arg[i];
		if (handler->slots & 1U << i)
			value[i] = slot_get(stub, arg[i]);
		if (handler->texts & 1U << i && arg[i]) {
			value[i] = (long)(uintptr_t)plan_text(stub, arg[i]);
			if (!value[i])
				return -EPROTO;
		}
	}
	answer = sys(handler->call, value[0], value[1], value[2], value[3], value[4]);
	return answer < 0 ? (int)answer : 0;
}

static int carry_out(struct stub *stub, const struct wire_op *op)
{
	const struct handler *handler = &handlers[op->code];

	if (handler->argc != op->argc || !(handler->run || handler->call))
		return -EPROTO;
	return handler->run ? handler->run(stub, op->arg) : call(stub, handler, op->arg);
}

/* Of CLOCK_REALTIME, which is the same in every time namespace. */
static void record(u32 fd, u32 index)
{
	s64 entry[3] = { index };

	(void)sys2(SYS_clock_gettime, 0, &entry[1]);
	(void)sys3(SYS_write, fd, entry, sizeof(entry));
}

int plan_run(struct stub *stub)
{
	const struct wire_plan *plan = (const struct wire_plan *)stub->plan;
	u64 at = sizeof(*plan);

	for (stub->index = 0; stub->index < plan->ops; stub->index++) {
		const struct wire_op *op = (const struct wire_op *)(stub->plan + at);
		int error;

		if (at + sizeof(*op) > stub->size)
			return -EPROTO;
		at += sizeof(*op) + op->argc * sizeof(u64);
		if (at > stub->size || op->code >= ARRAY_SIZE(handlers))
			return -EPROTO;
		if (stub->index == plan->fail_at)
			return -EIO;
		if (plan->trace)
			record(plan->trace, stub->index);
		error = carry_out(stub, op);
		if (error < 0 && !op->optional)
			return error;
	}
	/* EXEC is the last operation of every plan and does not return. */
	return -EPROTO;
}
