/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mounts, by descriptors: fsopen(2), open_tree(2), mount_setattr(2), move_mount(2).
 *
 * A mount is made where nobody can see it, gets its attributes, and is then put
 * on a mount point that is already open; no name is looked up twice.
 */
#include "stub.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/stat.h>
#include <sys/stat.h>

/* From <sys/mount.h>, which clashes with <linux/mount.h>. */
#define MNT_DETACH 2

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

static int set_attributes(int fd, struct mount_attr *attr, u64 flags)
{
	return (int)sys(SYS_mount_setattr, fd, "", AT_EMPTY_PATH | flags, attr, sizeof(*attr));
}

static int attach(int mount, int target)
{
	return (int)sys(SYS_move_mount, mount, "", target, "",
	                MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

/* Binds what is open to the place `target`. */
int mount_copy(int fd, int target)
{
	const u32 flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH;
	long copy = sys3(SYS_open_tree, fd, "", flags);
	int error;

	if (copy < 0)
		return (int)copy;
	error = attach((int)copy, target);
	sys_close((int)copy);
	return error;
}

/* OPEN SLOT PATH: a path of the host, before the root is changed. */
int op_OPEN(struct stub *stub, const u64 *arg)
{
	const char *path = plan_text(stub, arg[1]);
	long fd = path ? sys4(SYS_openat, AT_FDCWD, path, O_PATH | O_CLOEXEC, 0) : -EPROTO;

	return fd < 0 ? (int)fd : slot_set(stub, arg[0], (int)fd);
}

/* OPEN_PROC SLOT PATH: the root of a real procfs, and nothing that only looks like it. */
int op_OPEN_PROC(struct stub *stub, const u64 *arg)
{
	u64 filesystem[16];
	struct stat found;
	int error = op_OPEN(stub, arg);
	int fd = slot_get(stub, arg[0]);

	if (!error)
		error = (int)sys2(SYS_fstatfs, fd, filesystem);
	if (!error)
		error = (int)sys2(SYS_fstat, fd, &found);
	/* Only the root of a procfs has the inode number 1 (linux/proc_ns.h). */
	if (!error && (filesystem[0] != 0x9fa0 || found.st_ino != 1))
		error = -ENODEV;
	return error;
}

static int take_tree(struct stub *stub, const u64 *arg, int from, const char *path, u64 flags)
{
	long fd = sys3(SYS_open_tree, from, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags);

	return fd < 0 ? (int)fd : slot_set(stub, arg[0], (int)fd);
}

/* OPEN_TREE SLOT PATH FLAGS: a detached copy of a tree of the host. */
int op_OPEN_TREE(struct stub *stub, const u64 *arg)
{
	const char *path = plan_text(stub, arg[1]);

	return path ? take_tree(stub, arg, AT_FDCWD, path, arg[2]) : -EPROTO;
}

/* CLONE_TREE SLOT FROM FLAGS: the same, of what is open in the slot FROM. */
int op_CLONE_TREE(struct stub *stub, const u64 *arg)
{
	int from = slot_get(stub, arg[1]);

	return from < 0 ? 0 : take_tree(stub, arg, from, "", AT_EMPTY_PATH | arg[2]);
}

/* What a filesystem says about its refusal is worth more than the errno. */
static int explain(struct stub *stub, int fd, int error)
{
	long got = sys3(SYS_read, fd, stub->detail, sizeof(stub->detail) - 1);

	stub->detail[got > 0 ? got : 0] = '\0';
	return error;
}

int op_FSOPEN(struct stub *stub, const u64 *arg)
{
	const char *type = plan_text(stub, arg[1]);
	long fd = type ? sys2(SYS_fsopen, type, FSOPEN_CLOEXEC) : -EPROTO;

	return fd < 0 ? (int)fd : slot_set(stub, arg[0], (int)fd);
}

/* FSCONFIG SLOT KEY VALUE: without a value (offset 0) the key is a flag. */
int op_FSCONFIG(struct stub *stub, const u64 *arg)
{
	const char *key = plan_text(stub, arg[1]), *value = plan_text(stub, arg[2]);
	int fd = slot_get(stub, arg[0]);
	long error;

	if (!key)
		return -EPROTO;
	error = sys(SYS_fsconfig, fd, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, key, value,
	            0);
	return error ? explain(stub, fd, (int)error) : 0;
}

/* FSMODE SLOT TARGET: a tmpfs over a directory looks like that directory. */
int op_FSMODE(struct stub *stub, const u64 *arg)
{
	char digits[8];
	u32 mode = arg[1] < WIRE_SLOTS ? stub->mode[arg[1]] & 07777 : 0;
	int fd = slot_get(stub, arg[0]);
	long error;

	if (arg[1] >= WIRE_SLOTS || !stub->mode[arg[1]])
		return 0;
	for (int i = 4; i >= 0; i--, mode >>= 3)
		digits[i] = (char)('0' + (mode & 7));
	digits[5] = '\0';
	error = sys(SYS_fsconfig, fd, FSCONFIG_SET_STRING, "mode", digits, 0);
	return error ? explain(stub, fd, (int)error) : 0;
}

/* FSMOUNT SLOT FROM ATTRIBUTES: the filesystem, mounted nowhere yet. */
int op_FSMOUNT(struct stub *stub, const u64 *arg)
{
	int from = slot_get(stub, arg[1]);
	long fd = sys(SYS_fsconfig, from, FSCONFIG_CMD_CREATE, 0, 0, 0);

	if (fd < 0)
		return explain(stub, from, (int)fd);
	fd = sys3(SYS_fsmount, from, FSMOUNT_CLOEXEC, arg[2]);
	if (fd < 0)
		return explain(stub, from, (int)fd);
	(void)slot_set(stub, arg[1], -1);
	return slot_set(stub, arg[0], (int)fd);
}

/*
 * SETATTR SLOT SET CLEAR INHERITED PROPAGATION FLAGS: `INHERITED` are attributes
 * that nobody asked to clear; in a user namespace the kernel may have locked
 * them, and then they stay.
 */
int op_SETATTR(struct stub *stub, const u64 *arg)
{
	struct mount_attr attr = {
		.attr_set = arg[1],
		.attr_clr = arg[2] | arg[3],
		.propagation = arg[4],
	};
	int fd = slot_get(stub, arg[0]), error;

	if (fd < 0)
		return 0;
	error = set_attributes(fd, &attr, arg[5]);
	if (error == -EPERM && arg[3]) {
		attr.attr_clr = arg[2];
		error = set_attributes(fd, &attr, arg[5]);
	}
	return error;
}

/* IDMAP SLOT USERNS FLAGS: files get the owners that the user namespace maps theirs to. */
int op_IDMAP(struct stub *stub, const u64 *arg)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP };
	int fd = slot_get(stub, arg[0]), userns = slot_get(stub, arg[1]);

	if (fd < 0 || userns < 0)
		return -EPROTO;
	attr.userns_fd = (__u64)userns;
	return set_attributes(fd, &attr, arg[2]);
}

/* ATTACH SLOT TARGET: from now on the mount can be seen. */
int op_ATTACH(struct stub *stub, const u64 *arg)
{
	int mount = slot_get(stub, arg[0]), target = slot_get(stub, arg[1]);

	return mount < 0 || target < 0 ? 0 : attach(mount, target);
}

static u64 mount_id(int fd, const char *path)
{
	struct statx found;

	if (sys(SYS_statx, fd, path, AT_EMPTY_PATH | AT_NO_AUTOMOUNT, STATX_MNT_ID, &found))
		return 0;
	return found.stx_mnt_id;
}

/*
 * PARENT_PRIVATE SLOT: makes the mount in which the slot lies private: pivot_root(2)
 * refuses a shared parent, and what is mounted there would reach the host.
 */
int op_PARENT_PRIVATE(struct stub *stub, const u64 *arg)
{
	struct mount_attr attr = { .propagation = 1 << 18 /* MS_PRIVATE */ };
	int fd = slot_get(stub, arg[0]);
	long here = sys4(SYS_openat, fd, ".", O_PATH | O_CLOEXEC, 0);
	u64 id;
	int error;

	if (here < 0)
		return (int)here;
	/* Up to the root of the mount: mount_setattr(2) takes nothing else. */
	for (id = mount_id((int)here, ""); id && id == mount_id((int)here, "..");) {
		struct stat one, other;
		long up = sys4(SYS_openat, here, "..", O_PATH | O_CLOEXEC, 0);

		if (up < 0 || sys2(SYS_fstat, here, &one) || sys2(SYS_fstat, up, &other)) {
			sys_close((int)here);
			return up < 0 ? (int)up : -EIO;
		}
		sys_close((int)here);
		here = up;
		if (one.st_dev == other.st_dev && one.st_ino == other.st_ino)
			break;
	}
	error = set_attributes((int)here, &attr, 0);
	sys_close((int)here);
	/* EINVAL: the caller lives in a chroot, whose top is no mount; then pivot_root says so. */
	return error == -EINVAL ? 0 : error;
}

/*
 * MASK TARGET NULL EMPTY: hides a path: a file behind the null device, a directory
 * behind one empty read-only filesystem that all of them share.
 */
int op_MASK(struct stub *stub, const u64 *arg)
{
	int target = slot_get(stub, arg[0]);
	int cover = slot_get(stub, arg[1]), empty = slot_get(stub, arg[2]);
	struct stat found;
	long error;

	if (target < 0)
		return 0;
	error = sys2(SYS_fstat, target, &found);
	if (error)
		return (int)error;
	if (S_ISDIR(found.st_mode)) {
		if (!stub->mask_attached) {
			stub->mask_attached = 1;
			return attach(empty, target);
		}
		cover = empty;
	}
	return mount_copy(cover, target);
}

/*
 * PIVOT_ROOT ROOT: the tree becomes "/", and the old root goes.  Both arguments of
 * pivot_root(2) are ".": the old root then lies on top of the new one and can be
 * unmounted from there, so that no directory for it is needed in the image.
 */
int op_PIVOT_ROOT(struct stub *stub, const u64 *arg)
{
	struct mount_attr slave = { .propagation = 1 << 19 /* MS_SLAVE */ };
	long old = sys4(SYS_openat, AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	long error = old < 0 ? old : sys1(SYS_fchdir, slot_get(stub, arg[0]));

	if (!error)
		error = sys2(SYS_pivot_root, ".", ".");
	if (!error)
		error = sys1(SYS_fchdir, old);
	/* Slave first: the unmounting below must not propagate to the host. */
	if (!error)
		error = set_attributes((int)old, &slave, AT_RECURSIVE);
	if (!error)
		error = sys2(SYS_umount2, ".", MNT_DETACH);
	if (!error)
		error = sys1(SYS_chdir, "/");
	if (old >= 0)
		sys_close((int)old);
	return (int)error;
}

/*
 * HIDE PATH: takes a mount of the host away from our namespace; one that came locked
 * from an outer user namespace is covered instead.
 */
int op_HIDE(struct stub *stub, const u64 *arg)
{
	const char *path = plan_text(stub, arg[0]);
	long error = path ? sys2(SYS_umount2, path, MNT_DETACH) : -EPROTO;

	if (error == -EINVAL || error == -EPERM)
		error = sys(SYS_mount, "tmpfs", path, "tmpfs", 0, 0);
	return error == -ENOENT ? 0 : (int)error;
}

int op_CHROOT(struct stub *stub, const u64 *arg)
{
	long error = sys1(SYS_fchdir, slot_get(stub, arg[0]));

	if (!error)
		error = sys1(SYS_chroot, ".");
	return error ? (int)error : (int)sys1(SYS_chdir, "/");
}
