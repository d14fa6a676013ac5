/* SPDX-License-Identifier: Apache-2.0 */
/* The container's terminal (pty(7)), and standard streams that nobody gave. */
#include "stub.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
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
 * The multiplexer of the container's own devpts.  The image could have put
 * anything at that path, so it must be c 5:2 on a devpts (CVE-2025-52565).
 */
static int open_multiplexer(int root)
{
	u64 filesystem[16];
	struct stat found;
	int fd = path_open(root, "dev/pts/ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW, 0);
	long error;

	if (fd < 0)
		return fd;
	error = sys2(SYS_fstat, fd, &found) ?: sys2(SYS_fstatfs, fd, filesystem);
	if (!error && (!S_ISCHR(found.st_mode) || found.st_rdev != makedev(5, 2) ||
	               filesystem[0] != DEVPTS_MAGIC))
		error = -ENOTTY;
	if (error) {
		sys_close(fd);
		return (int)error;
	}
	return fd;
}

/* The terminal itself, mounted over /dev/console by its descriptor. */
static int mount_console(int root, int terminal)
{
	int target = path_make(root, "dev/console", 1);
	long tree, error;

	if (target < 0)
		return target;
	error = path_refuse_proc(target);
	if (error) {
		sys_close(target);
		return (int)error;
	}
	tree = sys3(SYS_open_tree, terminal, "",
	            OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	error = tree;
	if (tree >= 0) {
		error = sys(SYS_move_mount, tree, "", target, "",
		            MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
		sys_close((int)tree);
	}
	sys_close(target);
	return error < 0 ? (int)error : 0;
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
 * NULL_STDIO ROOT: standard streams that are the host's null device become the
 * container's, so that what it does to the node is not done to the host's.
 */
int op_NULL_STDIO(struct stub *stub, const u64 *arg)
{
	int null = path_open(slot_get(stub, arg[0]), "dev/null", O_RDWR | O_NOFOLLOW, 0);
	long error = null < 0 ? null : is_null(null) ? 0 : -ENODEV;

	for (int fd = 0; fd < 3 && error >= 0; fd++)
		if (is_null(fd))
			error = sys3(SYS_dup3, null, fd, 0);
	if (null >= 0)
		sys_close(null);
	return error < 0 ? (int)error : 0;
}
