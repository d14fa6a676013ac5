/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stub: carries out a plan as the first process of a container.
 *
 * It is started as `stub CHANNEL PLAN`, two descriptor numbers.  It knows the
 * wire format and the kernel; it knows neither JSON nor OCI.  Every decision was
 * made by the engine before the plan was written.
 *
 * Only one thread ever runs here, and nothing is called but what is in these
 * files.  A failed operation is reported as numbers; the engine has the words.
 */
#include "stub.h"

#include <fcntl.h>
#include <linux/prctl.h>

void *memset(void *to, int byte, size_t count)
{
	char *t = to;

	while (count--)
		*t++ = (char)byte;
	return to;
}

void *memcpy(void *restrict to, const void *restrict from, size_t count)
{
	char *t = to;
	const char *f = from;

	while (count--)
		*t++ = *f++;
	return to;
}

size_t strlen(const char *text)
{
	size_t length = 0;

	while (text[length])
		length++;
	return length;
}

_Noreturn void stub_exit(int status)
{
	for (;;)
		(void)sys1(SYS_exit_group, status);
}

/* A decimal number of at most nine digits, or -1. */
long number_from(const char *text)
{
	long number = 0;
	int digits = 0;

	for (; *text; text++) {
		if (*text < '0' || *text > '9' || ++digits > 9)
			return -1;
		number = number * 10 + (*text - '0');
	}
	return digits ? number : -1;
}

/* Writes the number so that it ends before `end`; returns its first character. */
char *number_to(char *end, u64 number)
{
	do {
		*--end = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	return end;
}

static int stub_main(int argc, char **argv)
{
	/* Static: a zeroed page costs nothing until it is touched. */
	static struct stub stub;
	long channel, plan;
	int error;

	if (argc != 3)
		return 2;
	channel = number_from(argv[1]);
	plan = number_from(argv[2]);
	if (channel < 0 || plan < 0)
		return 2;
	stub.channel = (int)channel;
	stub.evidence = -1;
	(void)sys3(SYS_fcntl, channel, F_SETFD, FD_CLOEXEC);
	for (size_t i = 0; i < WIRE_SLOTS; i++)
		stub.slot[i] = -1;
	/* The name is how `ps` and the engine tell a waiting container from a started one. */
	(void)sys2(SYS_prctl, PR_SET_NAME, "ocirun:[init]");
	/* Modes in the plan are meant as they are. */
	(void)sys1(SYS_umask, 0);
	error = plan_map(&stub, (int)plan);
	if (!error)
		error = plan_run(&stub);
	(void)channel_send(&stub, WIRE_ERROR, -error, stub.detail, stub.evidence);
	return 1;
}

#ifdef HOSTED
int main(int argc, char **argv)
{
	return stub_main(argc, argv);
}
#else
_Noreturn __attribute__((used)) void stub_start(long *stack);

_Noreturn void stub_start(long *stack)
{
	stub_exit(stub_main((int)stack[0], (char **)(stack + 1)));
}

#ifdef __x86_64__
__asm__(".globl _start\n"
        "_start:\n"
        "	xor %ebp, %ebp\n"
        "	mov %rsp, %rdi\n"
        "	and $-16, %rsp\n"
        "	call stub_start\n");
#else
__asm__(".globl _start\n"
        "_start:\n"
        "	mov x29, #0\n"
        "	mov x0, sp\n"
        "	bl stub_start\n");
#endif
#endif
