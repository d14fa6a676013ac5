/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hooks that run inside the container's namespaces (runtime-spec, "POSIX-platform
 * Hooks").  The state arrives on standard input, as a file and not as a pipe: a
 * hook that does not read it cannot make us wait.
 */
#include "stub.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <linux/sched.h>
#include <linux/time_types.h>
#include <poll.h>
#include <signal.h>

/* The state document, in two parts with our pid, as we see it, between them. */
static int make_input(const char *before, const char *after)
{
	char digits[24];
	char *number;
	long fd = sys2(SYS_memfd_create, "state", MFD_CLOEXEC);
	const char *part[3];

	if (fd < 0)
		return (int)fd;
	digits[23] = '\0';
	number = number_to(digits + 23, (u64)sys0(SYS_getpid));
	part[0] = before;
	part[1] = number;
	part[2] = after;
	for (size_t i = 0; i < ARRAY_SIZE(part); i++) {
		long length = (long)strlen(part[i]);

		if (sys3(SYS_write, fd, part[i], length) != length) {
			sys_close((int)fd);
			return -EIO;
		}
	}
	(void)sys3(SYS_lseek, fd, 0, 0);
	return (int)fd;
}

/* In the hook's process: only what does not return, or an exit code to be reported. */
static _Noreturn void run_hook(const char *path, char **argv, char **envp, int in, int out)
{
	long error;

	(void)sys3(SYS_dup3, in, 0, 0);
	(void)sys3(SYS_dup3, out, 1, 0);
	(void)sys3(SYS_dup3, out, 2, 0);
	(void)sys3(SYS_close_range, 3, ~0U, 0);
	error = sys3(SYS_execve, path, argv, envp);
	(void)error;
	stub_exit(127);
}

/* Waits for the hook, for the time limit, and for the death of the engine. */
static int wait_hook(const struct stub *stub, int pidfd, s64 limit_ms)
{
	struct pollfd ready[2] = { { .fd = pidfd, .events = POLLIN }, { .fd = stub->channel } };
	struct __kernel_timespec limit = { limit_ms / 1000, (limit_ms % 1000) * 1000000L };
	long got;

	do {
		got = sys(SYS_ppoll, ready, 2, limit_ms ? &limit : NULL, NULL, 8);
	} while (got == -EINTR);
	if (got > 0 && ready[0].revents)
		return 0;
	(void)sys4(SYS_pidfd_send_signal, pidfd, SIGKILL, 0, 0);
	if (got < 0)
		return (int)got;
	return got ? -ECONNRESET : -ETIMEDOUT;
}

static int exit_status(struct stub *stub, int status)
{
	char digits[12], *number;

	if (!status)
		return 0;
	/* The engine reads the wait status as a number. */
	digits[11] = '\0';
	number = number_to(digits + 11, (u64)status);
	memcpy(stub->detail, number, strlen(number) + 1);
	return -ECHILD;
}

/* HOOK PATH ARGV ENVP BEFORE AFTER LIMIT_MS OUTPUT */
int op_HOOK(struct stub *stub, const u64 *arg)
{
	const char *path = plan_text(stub, arg[0]);
	char **argv = plan_table(stub, arg[1]), **envp = plan_table(stub, arg[2]);
	const char *before = plan_text(stub, arg[3]), *after = plan_text(stub, arg[4]);
	int pidfd = -1, status = 0, input, error;
	long pid;

	if (!path || !argv || !envp || !before || !after)
		return -EPROTO;
	input = make_input(before, after);
	if (input < 0)
		return input;
	/* Not clone3(2), whose flags no seccomp filter can see: engines' filters forbid it. */
	pid = sys3(SYS_clone, CLONE_PIDFD | SIGCHLD, 0, &pidfd);
	if (!pid)
		run_hook(path, argv, envp, input, slot_get(stub, arg[6]));
	sys_close(input);
	if (pid < 0)
		return (int)pid;
	error = wait_hook(stub, pidfd, (s64)arg[5]);
	(void)sys4(SYS_wait4, pid, &status, 0, 0);
	sys_close(pidfd);
	error = error ?: exit_status(stub, status);
	if (error)
		stub->evidence = slot_get(stub, arg[6]);
	return error;
}
