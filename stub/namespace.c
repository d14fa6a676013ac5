/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors, cgroups, namespaces, and writes to cgroupfs and procfs. */
#include "stub.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <linux/sockios.h>
#include <sys/socket.h>

/* FD SLOT FD: an inherited descriptor gets a slot, and does not outlive an exec. */
int op_FD(struct stub *stub, const u64 *arg)
{
	long error = sys3(SYS_fcntl, arg[1], F_SETFD, FD_CLOEXEC);

	return error ? (int)error : slot_set(stub, arg[0], (int)arg[1]);
}

int op_CLOSE(struct stub *stub, const u64 *arg)
{
	return slot_get(stub, arg[0]) < 0 ? 0 : slot_set(stub, arg[0], -1);
}

/* Files of cgroupfs and procfs take a value in one write or not at all. */
static int write_whole(int fd, const char *text)
{
	size_t length = strlen(text);
	long written = sys3(SYS_write, fd, text, length);

	if (written < 0)
		return (int)written;
	return (size_t)written == length ? 0 : -EIO;
}

/* WRITE SLOT TEXT */
int op_WRITE(struct stub *stub, const u64 *arg)
{
	const char *text = plan_text(stub, arg[1]);
	int fd = slot_get(stub, arg[0]);

	if (fd < 0)
		return 0;
	return text ? write_whole(fd, text) : -EPROTO;
}

/*
 * Opens a file below the slot's directory, which OPEN_PROC proved to be a procfs, or which
 * is one that we mounted ourselves: no mount is crossed, and the only links there are "self"
 * and its like, so the file is the kernel's (CVE-2019-19921, CVE-2025-52881).
 */
static int open_at(const struct stub *stub, const u64 *arg, u64 flags)
{
	struct open_how how = {
		.flags = flags | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
	};
	const char *path = plan_text(stub, arg[1]);

	return path ? (int)sys4(SYS_openat2, slot_get(stub, arg[0]), path, &how, sizeof(how))
	            : -EPROTO;
}

/* WRITE_AT SLOT PATH TEXT */
int op_WRITE_AT(struct stub *stub, const u64 *arg)
{
	const char *text = plan_text(stub, arg[2]);
	int fd = text ? open_at(stub, arg, O_WRONLY) : -EPROTO, error;

	if (fd < 0)
		return fd;
	error = write_whole(fd, text);
	sys_close(fd);
	return error;
}

/* READ_AT SLOT PATH POINT: the engine looks at what the file says, and lets us go on or not. */
int op_READ_AT(struct stub *stub, const u64 *arg)
{
	static char text[WIRE_TEXT];
	int fd = open_at(stub, arg, O_RDONLY);
	long got;

	if (fd < 0)
		return fd;
	got = sys3(SYS_read, fd, text, sizeof(text) - 1);
	sys_close(fd);
	/* Where there is nothing to be read some files say so by an errno. */
	text[got > 0 ? got : 0] = '\0';
	return channel_send(stub, WIRE_SYNC, (int)arg[2], text, -1) ?: channel_wait(stub, NULL, 0);
}

/*
 * CLONE FLAGS CGROUP: the rest of the plan is carried out by a new process in new
 * namespaces, a sibling of ours and so a child of the engine.  We tell its pid,
 * as we see it, and end.
 *
 * Made here and not by the engine, because by now we are in the container's
 * cgroup: what the namespaces cost is charged to it, not to the caller.  Born into
 * a cgroup of version 2 (slot CGROUP), the process pays no RCU grace period, as
 * writing a pid to cgroup.procs would.
 */
int op_CLONE(struct stub *stub, const u64 *arg)
{
	struct clone_args args = { .flags = arg[0] | CLONE_PARENT };
	int cgroup = slot_get(stub, arg[1]);
	long pid;

	if (cgroup >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (__u64)cgroup;
	}
	pid = sys2(SYS_clone3, &args, sizeof(args));
	if (pid <= 0)
		return (int)pid;
	stub_exit(channel_send(stub, WIRE_PID, (int)pid, NULL, -1) ? 1 : 0);
}

/* LOOPBACK: a new network namespace has one, but down. */
int op_LOOPBACK(struct stub *stub, const u64 *arg)
{
	struct ifreq request = { .ifr_name = "lo" };
	long fd = sys3(SYS_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	long error;

	(void)stub;
	(void)arg;
	if (fd < 0)
		return (int)fd;
	error = sys3(SYS_ioctl, fd, SIOCGIFFLAGS, &request);
	if (!error) {
		request.ifr_flags |= IFF_UP;
		error = sys3(SYS_ioctl, fd, SIOCSIFFLAGS, &request);
	}
	sys_close((int)fd);
	return (int)error;
}
