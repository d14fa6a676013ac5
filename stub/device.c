/* SPDX-License-Identifier: Apache-2.0 */
/* Device nodes and symbolic links inside the container's root. */
#include "stub.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* Something is there already: good if it is the same device, refused otherwise. */
static int same_device(int parent, const char *name, u64 mode, u64 device)
{
	struct stat found;
	long error = sys4(SYS_newfstatat, parent, name, &found, AT_SYMLINK_NOFOLLOW);

	if (error)
		return (int)error;
	if ((found.st_mode & S_IFMT) != (mode & S_IFMT))
		return -EEXIST;
	return S_ISFIFO(mode) || found.st_rdev == device ? 0 : -EEXIST;
}

/* MKNOD ROOT PATH MODE DEVICE UID GID */
int op_MKNOD(struct stub *stub, const u64 *arg)
{
	const char *path = plan_text(stub, arg[1]), *name;
	int root = slot_get(stub, arg[0]), parent;
	long error;

	if (!path || root < 0)
		return -EPROTO;
	parent = path_parent(root, path, &name);
	if (parent < 0)
		return parent;
	error = sys4(SYS_mknodat, parent, name, arg[2], arg[3]);
	if (error == -EEXIST)
		error = same_device(parent, name, arg[2], arg[3]);
	else if (!error)
		error = sys(SYS_fchownat, parent, name, arg[4], arg[5], AT_SYMLINK_NOFOLLOW);
	sys_close(parent);
	return (int)error;
}

/* SYMLINK ROOT TARGET PATH REPLACE: what is there already stays, unless REPLACE. */
int op_SYMLINK(struct stub *stub, const u64 *arg)
{
	const char *target = plan_text(stub, arg[1]), *path = plan_text(stub, arg[2]), *name;
	int root = slot_get(stub, arg[0]), parent;
	long error = 0;

	if (!target || !path || root < 0)
		return -EPROTO;
	parent = path_parent(root, path, &name);
	if (parent < 0)
		return parent;
	if (arg[3])
		error = sys3(SYS_unlinkat, parent, name, 0);
	if (!error || error == -ENOENT)
		error = sys3(SYS_symlinkat, target, parent, name);
	sys_close(parent);
	return error == -EEXIST ? 0 : (int)error;
}
