/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes system calls in a container and prints what came of them, one line each.
 *
 *   probe call NUMBER[,ARGUMENT...]...   the value, or minus the errno
 *   probe i386 NUMBER[,ARGUMENT...]...   the same by the 32-bit ABI (int 0x80)
 *   probe trap NUMBER                    what SIGSYS tells its handler
 *   probe thread NUMBER                  in a second thread; whether the first one outlives it
 *   probe trace NUMBER                   in a child that is traced; what the tracer is told
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

struct call {
	long number;
	long arg[6];
};

static struct call parse(const char *text)
{
	struct call call = {0};
	char *end;
	int count;

	call.number = strtol(text, &end, 0);
	for (count = 0; *end == ',' && count < 6; count++)
		call.arg[count] = (long)strtoull(end + 1, &end, 0);
	return call;
}

static long native(struct call call)
{
	const long *arg = call.arg;
	long result = syscall(call.number, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);

	return result < 0 ? -errno : result;
}

#ifdef __x86_64__
static long i386(struct call call)
{
	long result;

	asm volatile("int $0x80"
		     : "=a"(result)
		     : "a"(call.number), "b"(call.arg[0]), "c"(call.arg[1]), "d"(call.arg[2])
		     : "memory", "r8", "r9", "r10", "r11");
	return (int)result;
}
#else
#define i386 native
#endif

static void trapped(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	printf("SIGSYS code %d errno %d syscall %d\n", info->si_code, info->si_errno,
	       info->si_syscall);
}

static void trap(struct call call)
{
	struct sigaction action = {.sa_sigaction = trapped, .sa_flags = SA_SIGINFO};

	sigaction(SIGSYS, &action, NULL);
	native(call);
}

static void *run(void *call)
{
	native(*(struct call *)call);
	return (void *)1;
}

static void thread(struct call call)
{
	pthread_t other;
	void *result = NULL;

	pthread_create(&other, NULL, run, &call);
	pthread_join(other, &result);
	printf("the other thread %s\n", result == (void *)1 ? "came back" : "was killed");
}

static void trace(struct call call)
{
	unsigned long message = 0;
	pid_t child = fork();
	int status;

	if (!child) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		_exit(native(call) == -ENOSYS);
	}
	waitpid(child, &status, 0);
	ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL);
	ptrace(PTRACE_CONT, child, 0, 0);
	waitpid(child, &status, 0);
	if (status >> 8 == (SIGTRAP | PTRACE_EVENT_SECCOMP << 8)) {
		ptrace(PTRACE_GETEVENTMSG, child, 0, &message);
		printf("event %lu\n", message);
	}
	ptrace(PTRACE_CONT, child, 0, 0);
	waitpid(child, &status, 0);
}

int main(int argc, char **argv)
{
	int index;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (index = 2; index < argc; index++) {
		struct call call = parse(argv[index]);

		if (!strcmp(argv[1], "call"))
			printf("%ld\n", native(call));
		else if (!strcmp(argv[1], "i386"))
			printf("%ld\n", i386(call));
		else if (!strcmp(argv[1], "trap"))
			trap(call);
		else if (!strcmp(argv[1], "thread"))
			thread(call);
		else if (!strcmp(argv[1], "trace"))
			trace(call);
	}
	return 0;
}
