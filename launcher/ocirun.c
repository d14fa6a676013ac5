/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The `ocirun` command: starts the interpreter on the package, and nothing else.
 *
 * A script with a #! line would pay for `site` and would obey PYTHONPATH, and the
 * scripts that pip writes lose their flags.  So this is a program.  It looks for
 * nothing in $PATH or in the working directory: all is found from its own place,
 *
 *	PREFIX/bin/ocirun       this file, as /proc/self/exe names it
 *	PREFIX/pyvenv.cfg       says which interpreter made the environment
 *	PREFIX/LIBRARY/ocirun   the package; LIBRARY is fixed when it is built
 *
 * so a moved or copied environment goes on working.  Without a pyvenv.cfg, it is
 * PREFIX/bin/PYTHON, and at last the interpreter that it was built with.
 */
#include "embedded.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>

#define PAGE    4096
#define PACKAGE "/" LIBRARY "/ocirun/__main__.py"

/* What stands between `python` and the path of the package. */
static const char *const flags[] = {
	"-I", /* no PYTHON* variable, no user site, no script's directory on sys.path */
	"-S", /* no `site`: it costs a third of the start */
	"-P", /* no working directory on sys.path, in so many words */
	"-B", /* write no bytecode: a caller's umask 0 would leave it writable to all */
	"-X", "utf8", /* config.json is UTF-8 under every locale */
};

static size_t length(const char *text)
{
	size_t n = 0;

	while (text[n])
		n++;
	return n;
}

/* Appends to a path; what does not fit makes it empty, and so not found. */
static void append(char *path, const char *text, size_t count)
{
	size_t used = length(path);

	if (used + count >= PATH_MAX) {
		path[0] = 0;
		return;
	}
	for (size_t i = 0; i < count; i++)
		path[used + i] = text[i];
	path[used + count] = 0;
}

static _Noreturn void leave(int status)
{
	for (;;)
		(void)sys1(SYS_exit_group, status);
}

static _Noreturn void fail(const char *path, const char *why)
{
	char line[PATH_MAX];

	line[0] = 0;
	append(line, "ocirun: ", 8);
	append(line, path, length(path));
	append(line, ": ", 2);
	append(line, why, length(why));
	append(line, "\n", 1);
	(void)sys3(SYS_write, 2, line, length(line));
	leave(1);
}

static int exists(const char *path)
{
	return path[0] && sys3(SYS_faccessat, AT_FDCWD, path, 0) == 0;
}

/* Cuts `levels` names off the end: 2 leave PREFIX of PREFIX/bin/ocirun. */
static void parent(char *path, int levels)
{
	size_t end = length(path);

	while (levels-- && end)
		while (end && path[--end] != '/')
			;
	path[end] = 0;
}

/* The value of the line `key = value`, or its length 0. */
static const char *setting(const char *text, const char *key, size_t *ret_length)
{
	const size_t count = length(key);
	const char *end;

	*ret_length = 0;
	while (*text) {
		size_t same = 0;

		while (same < count && text[same] == key[same])
			same++;
		for (end = text; *end && *end != '\n'; end++)
			;
		if (same == count) {
			*ret_length = (size_t)(end - text) - count;
			return text + count;
		}
		text = *end ? end + 1 : end;
	}
	return text;
}

/* Puts the environment's interpreter into `path`, from pyvenv.cfg; empty if there is none. */
static void configured(char *path, const char *prefix)
{
	char text[4096];
	const char *value;
	size_t count;
	long fd, size;

	path[0] = 0;
	append(path, prefix, length(prefix));
	append(path, "/pyvenv.cfg", 11);
	fd = sys4(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NOCTTY, 0);
	path[0] = 0;
	if (fd < 0)
		return;
	size = sys3(SYS_read, fd, text, sizeof(text) - 1);
	(void)sys1(SYS_close, fd);
	text[size < 0 ? 0 : size] = 0;
	value = setting(text, "home = ", &count);
	if (!count || value[0] != '/')
		return;
	append(path, value, count);
	append(path, "/" PYTHON, sizeof(PYTHON));
}

static void interpreter(char *path, const char *prefix)
{
	configured(path, prefix);
	if (path[0])
		return;
	append(path, prefix, length(prefix));
	append(path, "/bin/" PYTHON, sizeof("/bin/" PYTHON) - 1);
	if (exists(path))
		return;
	path[0] = 0;
	append(path, INTERPRETER, sizeof(INTERPRETER) - 1);
}

/* python, flags, package, arguments; there is no heap, and argv may be of any length. */
static const char **arguments(const char *python, const char *package, int argc, char **argv)
{
	size_t size = ((size_t)argc + ARRAY_SIZE(flags) + 3) * sizeof(char *), n = 0;
	long memory = sys6(SYS_mmap, 0, (long)size, PROT_READ | PROT_WRITE,
	                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const char **list = (const char **)memory;

	if (memory < 0 && memory > -PAGE)
		fail(python, "there is no memory for the argument list");
	list[n++] = python;
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		list[n++] = flags[i];
	list[n++] = package;
	for (int i = 1; i < argc; i++)
		list[n++] = argv[i];
	list[n] = NULL;
	return list;
}

/*
 * Before anything is opened: a file of ours that got the number of a closed standard
 * descriptor would be taken for it, and close it again for the container.
 */
static void occupy_standard_fds(void)
{
	/* The lowest free number is fd, for those below it are open. */
	for (int fd = 0; fd < 3; fd++)
		if (sys3(SYS_fcntl, fd, F_GETFD, 0) < 0)
			(void)sys4(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR, 0);
}

static _Noreturn void launch(int argc, char **argv)
{
	char prefix[PATH_MAX], python[PATH_MAX], package[PATH_MAX];
	long size;

	occupy_standard_fds();
	size = sys4(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", prefix, sizeof(prefix) - 1);
	if (size < 0)
		fail("/proc/self/exe", "cannot be read: is /proc mounted?");
	prefix[size] = 0;
	parent(prefix, 2);
	package[0] = 0;
	append(package, prefix, length(prefix));
	append(package, PACKAGE, sizeof(PACKAGE) - 1);
	if (!exists(package))
		fail(package, "is missing: install ocirun again");
	interpreter(python, prefix);
#ifdef EMBEDDED
	append(prefix, "/" LIBRARY, sizeof("/" LIBRARY) - 1);
	embedded_run(python, prefix, argc, argv);
#endif
#ifdef TRIAL
	fail(python, "is not the one that was linked in");
#endif
	size = sys3(SYS_execve, python, arguments(python, package, argc, argv), argv + argc + 1);
	if (size == -E2BIG)
		fail(python, "the argument list is too long");
	fail(python, size == -ENOENT ? "the interpreter is missing: install ocirun again"
	                             : "the interpreter cannot be started");
}

#ifdef EMBEDDED
int main(int argc, char **argv)
{
	launch(argc, argv);
}
#else
_Noreturn __attribute__((used)) void launcher_start(long *stack);

_Noreturn void launcher_start(long *stack)
{
	launch((int)stack[0], (char **)(stack + 1));
}

#ifdef __x86_64__
__asm__(".globl _start\n"
        "_start:\n"
        "	xor %ebp, %ebp\n"
        "	mov %rsp, %rdi\n"
        "	and $-16, %rsp\n"
        "	call launcher_start\n");
#else
__asm__(".globl _start\n"
        "_start:\n"
        "	mov x29, #0\n"
        "	mov x0, sp\n"
        "	bl launcher_start\n");
#endif
#endif
