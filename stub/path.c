/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths below a container's root.
 *
 * The image and everything that runs beside us may change the tree at any moment
 * and put a symbolic link where a directory was.  So each path is resolved by the
 * kernel below a held descriptor (openat2(2), RESOLVE_IN_ROOT), and afterwards
 * only the descriptor is used.  CVE-2019-16884, CVE-2021-30465, CVE-2024-45310
 * and CVE-2026-41579 are what happens otherwise.
 */
#include "stub.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <sys/stat.h>

#define LINKS_MAX 40

int path_open(int root, const char *path, u64 flags, u64 extra_resolve)
{
	struct open_how how = {
		.flags = flags | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | extra_resolve,
	};
	long fd;

	/* "/" and "" are the root itself. */
	while (*path == '/')
		path++;
	if (!*path)
		path = ".";
	do {
		/* EAGAIN: something was renamed while ".." was resolved */
		fd = sys4(SYS_openat2, root, path, &how, sizeof(how));
	} while (fd == -EAGAIN || fd == -EINTR);
	return (int)fd;
}

/* One name below `parent`, never a symbolic link. */
static int open_name(int parent, const char *name)
{
	struct open_how how = {
		.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH,
	};

	int fd = (int)sys4(SYS_openat2, parent, name, &how, sizeof(how));
	struct stat found;

	/* With O_PATH a link is not refused but opened, as itself. */
	if (fd >= 0 && (sys2(SYS_fstat, fd, &found) || S_ISLNK(found.st_mode))) {
		sys_close(fd);
		return -ELOOP;
	}
	return fd;
}

static int make_name(int parent, const char *name, int make_file)
{
	long made;

	if (!make_file) {
		made = sys3(SYS_mkdirat, parent, name, 0755);
		return made == -EEXIST ? 0 : (int)made;
	}
	made = sys4(SYS_openat, parent, name, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC,
	            0644);
	if (made < 0)
		/* Two containers may share the root and race for the same mount point. */
		return made == -EEXIST ? 0 : (int)made;
	sys_close((int)made);
	return 0;
}

/* A path that is rewritten while links in it are followed by hand. */
struct walk {
	char path[PATH_MAX];
	char scratch[PATH_MAX];
	int links;
};

static int append(char *to, size_t *at, const char *from, size_t length)
{
	if (*at + length >= PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(to + *at, from, length);
	*at += length;
	to[*at] = '\0';
	return 0;
}

/*
 * The name at [start, end) of walk->path is a link to something that is not there.
 * Put its target in its place, as the kernel would have followed it.
 */
static int follow_dangling(struct walk *walk, int parent, size_t start, size_t end)
{
	char target[PATH_MAX], name[NAME_MAX + 1];
	size_t at = 0;
	long length;
	int error;

	if (++walk->links > LINKS_MAX)
		return -ELOOP;
	if (end - start > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(name, walk->path + start, end - start);
	name[end - start] = '\0';
	length = sys4(SYS_readlinkat, parent, name, target, sizeof(target) - 1);
	if (length < 0)
		return (int)length;
	error = target[0] == '/' ? 0 : append(walk->scratch, &at, walk->path, start);
	if (!error)
		error = append(walk->scratch, &at, target, (size_t)length);
	if (!error)
		error = append(walk->scratch, &at, walk->path + end, strlen(walk->path + end));
	if (!error)
		memcpy(walk->path, walk->scratch, at + 1);
	return error;
}

/* Opens walk->path up to `end`, from the root. */
static int open_prefix(int root, struct walk *walk, size_t end)
{
	char kept = walk->path[end];
	int fd;

	walk->path[end] = '\0';
	fd = path_open(root, walk->path, O_PATH, 0);
	walk->path[end] = kept;
	return fd;
}

/* Makes the name that ends at `end` below the directory that ends at `start`. */
static int make_missing(int root, struct walk *walk, size_t start, size_t end, int make_file)
{
	char kept = walk->path[end];
	int parent = open_prefix(root, walk, start);
	int fd, error;

	if (parent < 0)
		return parent;
	walk->path[end] = '\0';
	error = make_name(parent, walk->path + start, make_file);
	fd = error ? error : open_name(parent, walk->path + start);
	walk->path[end] = kept;
	if (fd == -ELOOP)
		/* It was a link all the while; the caller starts again behind it. */
		fd = follow_dangling(walk, parent, start, end) ?: -EAGAIN;
	sys_close(parent);
	return fd;
}

static size_t skip(const char *path, size_t at, int slashes)
{
	while (path[at] && (path[at] == '/') == slashes)
		at++;
	return at;
}

/*
 * Opens `path` below `root` with O_PATH and makes what is missing of it:
 * directories, and at the end a file if `make_file`.
 */
int path_make(int root, const char *path, int make_file)
{
	/* Static: two pages of stack less, and only one thread is here. */
	static struct walk walk;
	size_t at = 0, start, end;
	int fd;

	walk.links = 0;
	if (append(walk.path, &at, path, strlen(path)))
		return -ENAMETOOLONG;
again:
	for (end = 0;;) {
		int last;

		start = skip(walk.path, end, 1);
		end = skip(walk.path, start, 0);
		last = !walk.path[skip(walk.path, end, 1)];
		fd = open_prefix(root, &walk, end);
		if (fd == -ENOENT) {
			fd = make_missing(root, &walk, start, end, last && make_file);
			if (fd == -EAGAIN)
				goto again;
		}
		if (fd < 0 || last)
			return fd;
		sys_close(fd);
	}
}

/* Opens the directory of `path`, making it if need be; *ret_name is the rest. */
int path_parent(int root, const char *path, const char **ret_name)
{
	static char directory[PATH_MAX];
	size_t length = strlen(path);

	while (length && path[length - 1] != '/')
		length--;
	if (length >= sizeof(directory))
		return -ENAMETOOLONG;
	if (!path[length])
		return -EINVAL;
	memcpy(directory, path, length);
	directory[length] = '\0';
	*ret_name = path + length;
	return path_make(root, directory, 0);
}

/* RESOLVE SLOT ROOT PATH FLAGS: a descriptor of what is there. */
int op_RESOLVE(struct stub *stub, const u64 *arg)
{
	const char *path = plan_text(stub, arg[2]);
	int root = slot_get(stub, arg[1]);
	int fd;

	if (!path || root < 0)
		return -EPROTO;
	fd = path_open(root, path, O_PATH, 0);
	if ((fd == -ENOENT || fd == -ENOTDIR) && arg[3] & RESOLVE_OPTIONAL)
		return slot_get(stub, arg[0]) < 0 ? 0 : slot_set(stub, arg[0], -1);
	return fd < 0 ? fd : slot_set(stub, arg[0], fd);
}

static int target_open(int root, const char *path, u64 flags, int make_file, int *ret_made)
{
	u64 resolve = flags & TARGET_ORDINARY ? RESOLVE_NO_SYMLINKS : 0;
	int fd = path_open(root, path, O_PATH, resolve);

	*ret_made = fd == -ENOENT;
	if (*ret_made)
		fd = path_make(root, path, make_file);
	return fd;
}

/*
 * What lies over an entry of /proc can make the runtime, or a container's LSM, believe
 * a forged one (CVE-2019-16884).  Asked of the place itself: a link may lead there.
 */
int path_refuse_proc(int fd)
{
	u64 filesystem[16];
	long error = sys2(SYS_fstatfs, fd, filesystem);

	return !error && filesystem[0] == 0x9fa0 /* PROC_SUPER_MAGIC */ ? -EXDEV : (int)error;
}

/*
 * TARGET SLOT ROOT PATH LIKE FLAGS: the mount point, made if it is missing: a file
 * or a directory as the flags say, or like what is in the slot LIKE.
 */
int op_TARGET(struct stub *stub, const u64 *arg)
{
	const char *path = plan_text(stub, arg[2]);
	int root = slot_get(stub, arg[1]), like = slot_get(stub, arg[3]);
	int make_file = !!(arg[4] & TARGET_FILE);
	struct stat target, top;
	int fd, made;
	long error;

	if (!path || root < 0 || arg[0] >= WIRE_SLOTS)
		return -EPROTO;
	if (like >= 0) {
		error = sys2(SYS_fstat, like, &target);
		if (error)
			return (int)error;
		make_file = !S_ISDIR(target.st_mode);
	}
	fd = target_open(root, path, arg[4], make_file, &made);
	if (fd < 0)
		return fd;
	error = sys2(SYS_fstat, fd, &target) ?: sys2(SYS_fstat, root, &top);
	if (!error && target.st_dev == top.st_dev && target.st_ino == top.st_ino)
		/* A link to "/": mounting here would take the root out of our hands. */
		error = -EBUSY;
	if (!error && arg[4] & TARGET_ORDINARY && !S_ISDIR(target.st_mode))
		error = -ENOTDIR;
	if (!error && !(arg[4] & TARGET_IN_PROC))
		error = path_refuse_proc(fd);
	if (error) {
		sys_close(fd);
		return (int)error;
	}
	stub->mode[arg[0]] = made ? 0 : target.st_mode;
	return slot_set(stub, arg[0], fd);
}

/* MKDIR ROOT PATH: with its parents, if it is missing. */
int op_MKDIR(struct stub *stub, const u64 *arg)
{
	const char *path = plan_text(stub, arg[1]);
	int fd = path ? path_make(slot_get(stub, arg[0]), path, 0) : -EPROTO;

	if (fd < 0)
		return fd;
	sys_close(fd);
	return 0;
}
