/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ocirun._linux: the system calls that CPython does not offer, and the start of
 * a process.  Numbers and bytes in, numbers out; every decision is made in Python.
 */
#include "module.h"

static PyMethodDef methods[] = {
	{ "spawn", linux_spawn, METH_VARARGS,
	  "spawn(fd, path, argv, env, keep, stdio, cwd_fd, first) -> pid\n\n"
	  "Start a program with vfork(2): the file of descriptor fd, or path if fd is -1.\n"
	  "argv and env are tuples of bytes, stdio three descriptors (-1: inherit).  From\n"
	  "the descriptor first on, only those in keep stay open.  The caller reaps it." },
	{ "openat2", linux_openat2, METH_VARARGS,
	  "openat2(dirfd, path, flags, mode, resolve) -> fd, close-on-exec" },
	{ "fstatfs_type", linux_fstatfs_type, METH_VARARGS,
	  "fstatfs_type(fd) -> f_type of fstatfs(2)" },
	{ "bpf", linux_bpf, METH_VARARGS, "bpf(command, attr) -> result; attr is a bytearray" },
	{ "prctl", linux_prctl, METH_VARARGS, "prctl(option, a2, a3, a4, a5) -> result" },
	{ "prlimit", linux_prlimit, METH_VARARGS, "prlimit(pid, resource, soft, hard)" },
	{ "unshare", linux_unshare, METH_VARARGS, "unshare(flags)" },
	{ "setns", linux_setns, METH_VARARGS, "setns(fd, flags)" },
	{ "mount", linux_mount, METH_VARARGS, "mount(source, target, flags)" },
	{ "umount2", linux_umount2, METH_VARARGS, "umount2(path, flags)" },
	{ "socket_in", linux_socket_in, METH_VARARGS,
	  "socket_in(netns_fd, family, type, protocol) -> fd, close-on-exec\n\n"
	  "Make a socket in another network namespace; no thread of the caller enters it." },
	{ NULL, NULL, 0, NULL },
};

static struct PyModuleDef definition = {
	PyModuleDef_HEAD_INIT, "ocirun._linux", NULL, 0, methods, NULL, NULL, NULL, NULL,
};

/* The interpreter finds it by its name; no header declares it. */
PyMODINIT_FUNC PyInit__linux(void);

PyMODINIT_FUNC PyInit__linux(void)
{
	return PyModuleDef_Init(&definition);
}
