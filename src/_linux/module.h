/* SPDX-License-Identifier: Apache-2.0 */
/* The limited API, so that one build serves every CPython from 3.11 on. */
#ifndef OCIRUN_MODULE_H
#define OCIRUN_MODULE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#define PY_SSIZE_T_CLEAN
#ifndef Py_LIMITED_API
#define Py_LIMITED_API 0x030B0000
#endif
#include <Python.h>

/* Each returns a new reference, or NULL with OSError set. */
PyObject *linux_spawn(PyObject *module, PyObject *args);
PyObject *linux_openat2(PyObject *module, PyObject *args);
PyObject *linux_fstatfs_type(PyObject *module, PyObject *args);
PyObject *linux_bpf(PyObject *module, PyObject *args);
PyObject *linux_prctl(PyObject *module, PyObject *args);
PyObject *linux_prlimit(PyObject *module, PyObject *args);
PyObject *linux_unshare(PyObject *module, PyObject *args);
PyObject *linux_setns(PyObject *module, PyObject *args);
PyObject *linux_mount(PyObject *module, PyObject *args);
PyObject *linux_umount2(PyObject *module, PyObject *args);
PyObject *linux_socket_in(PyObject *module, PyObject *args);

#endif
