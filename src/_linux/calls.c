/* SPDX-License-Identifier: Apache-2.0 */
/* One function for each system call, named as its man page. */
#include "module.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

static PyObject *number_or_error(long result)
{
	if (result < 0)
		return PyErr_SetFromErrno(PyExc_OSError);
	return PyLong_FromLong(result);
}

PyObject *linux_openat2(PyObject *module, PyObject *args)
{
	struct open_how how = { 0 };
	unsigned long long flags, mode, resolve;
	PyObject *path;
	int dirfd;
	long fd;

	(void)module;
	if (!PyArg_ParseTuple(args, "iO&KKK", &dirfd, PyUnicode_FSConverter, &path, &flags, &mode,
	                      &resolve))
		return NULL;
	how.flags = flags | O_CLOEXEC;
	how.mode = mode;
	how.resolve = resolve;
	do {
		/* EAGAIN: something was renamed while ".." was resolved */
		fd = syscall(SYS_openat2, dirfd, PyBytes_AsString(path), &how, sizeof(how));
	} while (fd < 0 && (errno == EINTR || errno == EAGAIN));
	if (fd < 0) {
		PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, path);
		Py_DECREF(path);
		return NULL;
	}
	Py_DECREF(path);
	return PyLong_FromLong(fd);
}

PyObject *linux_fstatfs_type(PyObject *module, PyObject *args)
{
	struct statfs found;
	int fd;

	(void)module;
	if (!PyArg_ParseTuple(args, "i", &fd))
		return NULL;
	if (fstatfs(fd, &found))
		return PyErr_SetFromErrno(PyExc_OSError);
	return PyLong_FromLong((long)found.f_type);
}

PyObject *linux_bpf(PyObject *module, PyObject *args)
{
	Py_buffer attr;
	long result;
	int command;

	(void)module;
	if (!PyArg_ParseTuple(args, "iw*", &command, &attr))
		return NULL;
	Py_BEGIN_ALLOW_THREADS
	result = syscall(SYS_bpf, command, attr.buf, attr.len);
	Py_END_ALLOW_THREADS
	PyBuffer_Release(&attr);
	return number_or_error(result);
}

PyObject *linux_prctl(PyObject *module, PyObject *args)
{
	unsigned long a2 = 0, a3 = 0, a4 = 0, a5 = 0;
	int option;

	(void)module;
	if (!PyArg_ParseTuple(args, "i|kkkk", &option, &a2, &a3, &a4, &a5))
		return NULL;
	return number_or_error(prctl(option, a2, a3, a4, a5));
}

PyObject *linux_prlimit(PyObject *module, PyObject *args)
{
	unsigned long long soft, hard;
	struct rlimit limit;
	int pid, resource;

	(void)module;
	if (!PyArg_ParseTuple(args, "iiKK", &pid, &resource, &soft, &hard))
		return NULL;
	limit.rlim_cur = soft;
	limit.rlim_max = hard;
	if (prlimit(pid, (enum __rlimit_resource)resource, &limit, NULL))
		return PyErr_SetFromErrno(PyExc_OSError);
	Py_RETURN_NONE;
}

PyObject *linux_unshare(PyObject *module, PyObject *args)
{
	int flags;

	(void)module;
	if (!PyArg_ParseTuple(args, "i", &flags))
		return NULL;
	if (unshare(flags))
		return PyErr_SetFromErrno(PyExc_OSError);
	Py_RETURN_NONE;
}

PyObject *linux_setns(PyObject *module, PyObject *args)
{
	int fd, flags;

	(void)module;
	if (!PyArg_ParseTuple(args, "ii", &fd, &flags))
		return NULL;
	if (setns(fd, flags))
		return PyErr_SetFromErrno(PyExc_OSError);
	Py_RETURN_NONE;
}

PyObject *linux_mount(PyObject *module, PyObject *args)
{
	PyObject *source, *target = NULL;
	unsigned long flags;
	int result;

	(void)module;
	if (!PyArg_ParseTuple(args, "O&O&k", PyUnicode_FSConverter, &source, PyUnicode_FSConverter,
	                      &target, &flags))
		return NULL;
	result = (int)syscall(SYS_mount, PyBytes_AsString(source), PyBytes_AsString(target), NULL,
	                      flags, NULL);
	if (result)
		PyErr_SetFromErrnoWithFilenameObjects(PyExc_OSError, source, target);
	Py_DECREF(source);
	Py_DECREF(target);
	if (result)
		return NULL;
	Py_RETURN_NONE;
}

PyObject *linux_umount2(PyObject *module, PyObject *args)
{
	PyObject *path;
	int flags, result;

	(void)module;
	if (!PyArg_ParseTuple(args, "O&i", PyUnicode_FSConverter, &path, &flags))
		return NULL;
	result = (int)syscall(SYS_umount2, PyBytes_AsString(path), flags);
	if (result)
		PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, path);
	Py_DECREF(path);
	if (result)
		return NULL;
	Py_RETURN_NONE;
}

struct socket_in {
	int netns, family, type, protocol;
	int fd, error;
};

static void *make_socket_in(void *data)
{
	struct socket_in *wanted = data;

	wanted->fd = -1;
	if (!setns(wanted->netns, CLONE_NEWNET))
		wanted->fd = socket(wanted->family, wanted->type | SOCK_CLOEXEC, wanted->protocol);
	wanted->error = errno;
	return NULL;
}

/*
 * A network namespace belongs to a thread, and a socket stays where it was made.  So a
 * thread that ends at once goes there: whatever fails, none of Python's is left inside.
 */
PyObject *linux_socket_in(PyObject *module, PyObject *args)
{
	struct socket_in wanted = { 0 };
	pthread_t thread;
	int error;

	(void)module;
	if (!PyArg_ParseTuple(args, "iiii", &wanted.netns, &wanted.family, &wanted.type,
	                      &wanted.protocol))
		return NULL;
	Py_BEGIN_ALLOW_THREADS
	error = pthread_create(&thread, NULL, make_socket_in, &wanted);
	if (!error)
		error = pthread_join(thread, NULL);
	Py_END_ALLOW_THREADS
	errno = error ? error : wanted.error;
	return number_or_error(error ? -1 : wanted.fd);
}
