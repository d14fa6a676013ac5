/* SPDX-License-Identifier: Apache-2.0 */
/* The container's terminal (pty(7)), and standard streams that nobody gave. */
#include "stub.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/tty.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif
#define DEVPTS_MAGIC 0x1cd1

/*
 * The multiplexer of the container's own devpts.  The image could have put anything
 * at that path (CVE-2025-52565), but what a devpts calls so is one; nothing is opened
 * before the directory is known to be a devpts, or that lies on top of it.
 */
static int open_multiplexer(int root)
{
	u64 filesystem[16];
	int directory = path_open(root, "dev/pts", O_PATH | O_DIRECTORY, 0);
	long fd;

	if (directory < 0)
		return directory;
	fd = sys2(SYS_fstatfs, directory, filesystem);
	if (!fd && filesystem[0] != DEVPTS_MAGIC)
		fd = -ENOTTY;
	if (!fd)
		fd = path_open(directory, "ptmx", O_RDWR | O_NOCTTY, RESOLVE_NO_XDEV);
	sys_close(directory);
	return (int)fd;
}

/* The terminal itself, mounted over /dev/console by its descriptor. */
static int mount_console(int root, int terminal)
{
	int target = path_make(root, "dev/console", 1), error;

	if (target < 0)
		return target;
	error = path_refuse_proc(target) ?: mount_copy(terminal, target);
	sys_close(target);
	return error;
}

static int send_multiplexer(const struct stub *stub, int fd)
{
	char name[32] = "/dev/pts/", digits[16], *number;
	int index;
	long error = sys3(SYS_ioctl, fd, TIOCGPTN, &index);

	if (error)
		return (int)error;
	digits[15] = '\0';
	number = number_to(digits + 15, (u64)index);
	memcpy(name + 9, number, strlen(number) + 1);
	return channel_send(stub, WIRE_FD, 0, name, fd);
}

static int become_terminal(int terminal)
{
	long error = 0;

	for (int fd = 0; fd < 3 && error >= 0; fd++)
		error = sys3(SYS_dup3, terminal, fd, 0);
	if (error >= 0)
		error = sys3(SYS_ioctl, 0, TIOCSCTTY, 0);
	return error < 0 ? (int)error : 0;
}

/*
 * CONSOLE ROOT MOUNT WIDTH HEIGHT: makes a terminal, makes it our standard streams
 * and our controlling terminal, and sends its other end to the engine.
 */
int op_CONSOLE(struct stub *stub, const u64 *arg)
{
	struct winsize size = { .ws_row = (unsigned short)arg[3],
	                        .ws_col = (unsigned short)arg[2] };
	int root = slot_get(stub, arg[0]), unlock = 0;
	int fd = open_multiplexer(root);
	long terminal, error;

	if (fd < 0)
		return fd;
	error = sys3(SYS_ioctl, fd, TIOCSPTLCK, &unlock);
	/* By the descriptor, not by /dev/pts/N, which could be another one by now. */
	terminal = error ?: sys3(SYS_ioctl, fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (terminal < 0) {
		sys_close(fd);
		return (int)terminal;
	}
	if (size.ws_row && size.ws_col)
		error = sys3(SYS_ioctl, terminal, TIOCSWINSZ, &size);
	if (!error && arg[1])
		error = mount_console(root, (int)terminal);
	if (!error)
		error = send_multiplexer(stub, fd);
	if (!error)
		error = become_terminal((int)terminal);
	sys_close(fd);
	sys_close((int)terminal);
	return error ? (int)error : channel_wait(stub, NULL, 0);
}

static int is_null(int fd)
{
	struct stat found;

	return !sys2(SYS_fstat, fd, &found) && S_ISCHR(found.st_mode) &&
	       found.st_rdev == makedev(1, 3);
}

/*
 * NULL_STDIO ROOT PROC: standard streams that are the host's null device become the
 * container's, so that what it does to the node is not done to the host's.  It is
 * looked at before it is opened, and then opened by our own procfs, not by its name.
 */
int op_NULL_STDIO(struct stub *stub, const u64 *arg)
{
	char path[] = "self/fd/0";
	int found = path_open(slot_get(stub, arg[0]), "dev/null", O_PATH | O_NOFOLLOW, 0);
	long error = found < 0 ? found : is_null(found) ? 0 : -ENODEV;

	for (int fd = 0; fd < 3 && error >= 0; fd++) {
		if (!is_null(fd))
			continue;
		path[8] = (char)('0' + fd);
		error = sys3(SYS_dup3, found, fd, 0);
		if (error >= 0)
			error = sys4(SYS_openat, slot_get(stub, arg[1]), path, O_RDWR | O_CLOEXEC,
			             0);
		if (error >= 0 && sys3(SYS_dup3, error, fd, 0) == fd)
			sys_close((int)error);
	}
	sys_close(found);
	return error < 0 ? (int)error : 0;
}
