/* SPDX-License-Identifier: Apache-2.0 */
/* The last steps: the working directory, the home, finding the program, exec. */
#include "stub.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

/*
 * CHDIR PATH FLAGS.  Afterwards the kernel must be able to name where we are from
 * the root down: a path like /proc/self/fd/7 can lead out of the container, and
 * getcwd(2) then begins with "(unreachable)" (CVE-2024-21626).
 */
int op_CHDIR(struct stub *stub, const u64 *arg)
{
	static char here[PATH_MAX];
	const char *path = plan_text(stub, arg[0]);
	long error;

	if (!path)
		return -EPROTO;
	if (arg[1] & CHDIR_IF_NEEDED && stub->chdir_done)
		return 0;
	error = sys1(SYS_chdir, path);
	if (error == -EACCES && arg[1] & CHDIR_IF_ALLOWED)
		return 0;
	if (error)
		return (int)error;
	error = sys2(SYS_getcwd, here, sizeof(here));
	if (error < 0)
		return (int)error;
	if (here[0] != '/')
		return -EXDEV;
	stub->chdir_done = 1;
	return 0;
}

/*
 * HOME POINT ENTRY: asks the engine for the user's home.  It gets the container's
 * own /etc/passwd, opened from the inside, and answers with a whole "HOME=…",
 * which takes the place of the empty entry of the environment at offset ENTRY.
 */
int op_HOME(struct stub *stub, const u64 *arg)
{
	u64 *entry = plan_array(stub, arg[1], 1, sizeof(*entry));
	long fd;
	int error;

	if (!entry || arg[1] % sizeof(*entry))
		return -EPROTO;
	/* PATH: it could be a device; the engine looks at the type before it opens it. */
	fd = sys4(SYS_openat, AT_FDCWD, "/etc/passwd", O_PATH | O_CLOEXEC, 0);
	error = channel_send(stub, WIRE_FD, (int)arg[0], NULL, fd < 0 ? -1 : (int)fd);
	if (fd >= 0)
		sys_close((int)fd);
	if (!error)
		error = channel_wait(stub, stub->home, sizeof(stub->home));
	if (!error && stub->home[0])
		*entry = WIRE_HOME;
	return error;
}

/*
 * PROGRAM CANDIDATES: the first that is an executable file, as execvp(3) would
 * choose.  Asked before the start, so that a missing program fails the creation.
 */
int op_PROGRAM(struct stub *stub, const u64 *arg)
{
	char **candidate = plan_table(stub, arg[0]);
	int error = -ENOENT;

	if (!candidate)
		return -EPROTO;
	for (; *candidate; candidate++) {
		struct stat found;
		long wrong = sys4(SYS_newfstatat, AT_FDCWD, *candidate, &found, 0);

		if (!wrong && S_ISDIR(found.st_mode))
			wrong = -EISDIR;
		if (!wrong)
			wrong = sys4(SYS_faccessat2, AT_FDCWD, *candidate, 1 /* X_OK */,
			             AT_EACCESS);
		if (!wrong) {
			stub->program = *candidate;
			return 0;
		}
		/* Not there is the weakest reason: another entry may have a better one. */
		if (wrong != -ENOENT && wrong != -ENOTDIR)
			error = (int)wrong;
		else if (error == -ENOENT)
			error = (int)wrong;
	}
	return error;
}

/* EXEC ARGV ENVP */
int op_EXEC(struct stub *stub, const u64 *arg)
{
	char **argv = plan_table(stub, arg[0]), **envp = plan_table(stub, arg[1]);

	if (!argv || !envp || !stub->program)
		return -EPROTO;
	return (int)sys3(SYS_execve, stub->program, argv, envp);
}
