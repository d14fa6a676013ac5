/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting a program from a process that may have threads and much memory.
 *
 * vfork(2): the child borrows our memory until it executes.  All that it needs is
 * prepared before; in the child only system calls are made, nothing is allocated,
 * and no Python runs (the rule of CPython's own _posixsubprocess.c).
 */
#include "module.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct start {
	int fd;             /* execute this file, or `path` if -1 */
	const char *path;
	char **argv;
	char **env;
	int *keep;          /* ends with -1 */
	int stdio[3];
	int cwd;
	int first;          /* from this descriptor on only those in `keep` are inherited */
	sigset_t mask;      /* the caller's, restored in the child */
	int error;          /* written by the child, which shares our memory */
};

/* Borrows the bytes of a tuple: it outlives the call. */
static char **strings_from(PyObject *tuple)
{
	Py_ssize_t count = PyTuple_Size(tuple);
	char **strings;

	if (count < 0)
		return NULL;
	strings = calloc((size_t)count + 1, sizeof(*strings));
	if (!strings)
		return (char **)PyErr_NoMemory();
	for (Py_ssize_t i = 0; i < count; i++) {
		strings[i] = PyBytes_AsString(PyTuple_GetItem(tuple, i));
		if (!strings[i]) {
			free(strings);
			return NULL;
		}
	}
	return strings;
}

static int *numbers_from(PyObject *tuple)
{
	Py_ssize_t count = PyTuple_Size(tuple);
	int *numbers;

	if (count < 0)
		return NULL;
	numbers = calloc((size_t)count + 1, sizeof(*numbers));
	if (!numbers)
		return (int *)PyErr_NoMemory();
	for (Py_ssize_t i = 0; i < count; i++)
		numbers[i] = (int)PyLong_AsLong(PyTuple_GetItem(tuple, i));
	numbers[count] = -1;
	if (PyErr_Occurred()) {
		free(numbers);
		return NULL;
	}
	return numbers;
}

/* In the child: returns only if something failed. */
static int execute(const struct start *start)
{
	/* Python ignores these two, and an ignored signal stays ignored over exec. */
	const struct sigaction usual = { .sa_handler = SIG_DFL };

	if (sigaction(SIGPIPE, &usual, NULL) || sigaction(SIGXFSZ, &usual, NULL))
		return errno;
	/* The mask goes before the exec does away with them, and they would run on our memory. */
	for (int number = 1; number < NSIG; number++) {
		struct sigaction found;

		if (!sigaction(number, NULL, &found) && found.sa_handler != SIG_IGN &&
		    found.sa_handler != SIG_DFL)
			(void)sigaction(number, &usual, NULL);
	}
	if (start->cwd >= 0 && fchdir(start->cwd))
		return errno;
	for (int i = 0; i < 3; i++) {
		if (start->stdio[i] == i ? fcntl(i, F_SETFD, 0) < 0
		                         : start->stdio[i] >= 0 && dup2(start->stdio[i], i) < 0)
			return errno;
	}
	if (close_range((unsigned int)start->first, ~0U, CLOSE_RANGE_CLOEXEC))
		return errno;
	for (const int *fd = start->keep; *fd >= 0; fd++) {
		if (fcntl(*fd, F_SETFD, 0))
			return errno;
	}
	if (sigprocmask(SIG_SETMASK, &start->mask, NULL))
		return errno;
	if (start->fd >= 0)
		syscall(SYS_execveat, start->fd, "", start->argv, start->env, AT_EMPTY_PATH);
	else
		execve(start->path, start->argv, start->env);
	return errno;
}

static pid_t fork_and_execute(struct start *start)
{
	sigset_t all, none;
	pid_t pid;

	sigfillset(&all);
	sigemptyset(&none);
	/* No handler of ours may run in the child on our memory. */
	if (pthread_sigmask(SIG_SETMASK, &all, &start->mask))
		return -1;
	{
		sigset_t kept = start->mask;

		/* The program starts with nothing blocked, whatever the caller had. */
		start->mask = none;
		pid = vfork();
		if (pid == 0) {
			start->error = execute(start);
			_exit(127);
		}
		pthread_sigmask(SIG_SETMASK, &kept, NULL);
	}
	return pid;
}

PyObject *linux_spawn(PyObject *module, PyObject *args)
{
	PyObject *argv, *env, *keep;
	struct start start = { .fd = -1 };
	pid_t pid = -1;

	(void)module;
	if (!PyArg_ParseTuple(args, "izO!O!O!(iii)ii", &start.fd, &start.path, &PyTuple_Type, &argv,
	                      &PyTuple_Type, &env, &PyTuple_Type, &keep, &start.stdio[0],
	                      &start.stdio[1], &start.stdio[2], &start.cwd, &start.first))
		return NULL;
	start.argv = strings_from(argv);
	start.env = start.argv ? strings_from(env) : NULL;
	start.keep = start.env ? numbers_from(keep) : NULL;
	if (start.keep) {
		Py_BEGIN_ALLOW_THREADS
		pid = fork_and_execute(&start);
		if (pid < 0)
			start.error = errno;
		else if (start.error)
			/* It told us through our own memory, and is gone. */
			while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
				;
		Py_END_ALLOW_THREADS
		if (start.error) {
			errno = start.error;
			PyErr_SetFromErrnoWithFilename(PyExc_OSError, start.path);
		}
	}
	free(start.argv);
	free(start.env);
	free(start.keep);
	return PyErr_Occurred() ? NULL : PyLong_FromLong(pid);
}
