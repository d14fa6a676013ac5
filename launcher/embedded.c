/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interpreter linked into the launcher: no second program is executed, and only
 * the first half of CPython's start is run.
 *
 * That half makes the types, `sys`, `builtins` and the import of what is built in or
 * frozen; it opens no file.  The second half reads the standard library's `encodings`,
 * computes paths and opens `sys.stdin` and its like, which a command of ours has no use
 * for; the first import of something else makes up for it (`Rest` in ocirun/packed.py).
 * "Multi-phase initialization" in CPython's documentation of PyConfig.
 *
 * Whatever is not as it was at the build, embedded_run() returns, and the launcher
 * executes the interpreter.
 */
#include "embedded.h"

#include <Python.h>
#include <marshal.h>

#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* CPython's own, in the static library; what no header for embedders declares. */
int _PySignal_Init(int install_signal_handlers);
PyMODINIT_FUNC PyInit__linux(void);

/* The bytecode of ocirun/packed.py, a file that setup.py makes. */
extern const char loader[], loader_end[];
__asm__(".pushsection .rodata\n"
        "loader: .incbin \"" LOADER "\"\n"
        "loader_end:\n"
        ".popsection\n");

/* The linker's: where the program's data are. */
extern char __data_start[], _end[];

/* Whether the interpreter is the one whose library is linked in, and has had no update. */
static int is_unchanged(const char *python)
{
	struct stat found;

	return stat(python, &found) == 0 && found.st_size == INTERPRETER_SIZE &&
	       found.st_mtime == INTERPRETER_TIME;
}

/*
 * The start writes to three quarters of the interpreter's data, types and code objects:
 * one system call instead of three hundred page faults.
 */
static void touch_data(void)
{
	const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	const uintptr_t start = (uintptr_t)__data_start & ~(page - 1);

	/* kernel < 5.14: it is not known, and not needed */
	(void)madvise((void *)start, (uintptr_t)_end - start, MADV_POPULATE_WRITE);
}

static int set_paths(PyConfig *config, const char *directory)
{
	/* The order of the interpreter's own sys.path, and at its end the package's directory. */
	static const wchar_t *const paths[] = { L"" STANDARD_LIBRARY, L"" SHARED_LIBRARY };
	struct {
		wchar_t **field;
		const char *value;
	} const texts[] = {
		{ &config->prefix, PREFIX },
		{ &config->base_prefix, PREFIX },
		{ &config->exec_prefix, EXEC_PREFIX },
		{ &config->base_exec_prefix, EXEC_PREFIX },
		{ &config->executable, INTERPRETER },
		{ &config->base_executable, INTERPRETER },
		{ &config->program_name, INTERPRETER },
		{ &config->stdlib_dir, STANDARD_LIBRARY },
	};
	wchar_t *place;
	int failed = 0;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		failed |= PyStatus_Exception(
			PyConfig_SetBytesString(config, texts[i].field, texts[i].value));
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		failed |= PyStatus_Exception(
			PyWideStringList_Append(&config->module_search_paths, paths[i]));
	place = Py_DecodeLocale(directory, NULL);
	if (!place)
		return -1;
	failed |= PyStatus_Exception(PyWideStringList_Append(&config->module_search_paths, place));
	PyMem_RawFree(place);
	config->module_search_paths_set = 1;
	return failed ? -1 : 0;
}

/* As the flags of the other way in, -I -S -P -B -X utf8. */
static int initialize(const char *directory, int argc, char **argv)
{
	PyPreConfig before;
	PyConfig config;
	PyStatus status;
	int failed;

	PyPreConfig_InitIsolatedConfig(&before);
	before.utf8_mode = 1;
	if (PyStatus_Exception(Py_PreInitialize(&before)) ||
	    PyImport_AppendInittab("ocirun._linux", PyInit__linux))
		return -1;
	PyConfig_InitIsolatedConfig(&config);
	config.site_import = 0;
	config.write_bytecode = 0;
	config.parse_argv = 0;
	config._init_main = 0;
	failed = set_paths(&config, directory) ||
	         PyStatus_Exception(PyConfig_SetBytesArgv(&config, argc, argv));
	if (!failed) {
		status = Py_InitializeFromConfig(&config);
		failed = PyStatus_Exception(status);
	}
	PyConfig_Clear(&config);
	/* Of the second half, the part that a command needs: Python's signal handlers. */
	return failed || _PySignal_Init(1) ? -1 : 0;
}

/* The second half; Python calls it, once, when something is imported that is not in the pack. */
static PyObject *complete(PyObject *self, PyObject *args)
{
	PyStatus status = _Py_InitializeMain();

	(void)self;
	(void)args;
	if (!PyStatus_Exception(status))
		Py_RETURN_NONE;
	PyErr_SetString(PyExc_ImportError, status.err_msg ? status.err_msg : "start of Python");
	return NULL;
}

static int set_argv(int argc, char **argv)
{
	PyObject *list = PyList_New(argc);
	int failed = !list;

	for (int i = 0; !failed && i < argc; i++) {
		PyObject *word = PyUnicode_DecodeUTF8(argv[i], (Py_ssize_t)strlen(argv[i]),
		                                      "surrogateescape");

		failed = !word || PyList_SetItem(list, i, word);
	}
	failed = failed || PySys_SetObject("argv", list);
	Py_XDECREF(list);
	return failed ? -1 : 0;
}

/* Calls start() of ocirun/packed.py, which ends the process. */
static void start(const char *directory)
{
	static PyMethodDef method = { "complete", complete, METH_NOARGS, NULL };
	PyObject *code, *names, *result = NULL;

	code = PyMarshal_ReadObjectFromString(loader, loader_end - loader);
	names = Py_BuildValue("{ssss}", "__name__", "ocirun.packed", "__file__", "packed.py");
	if (code && names && !PyDict_SetItemString(names, "__builtins__", PyEval_GetBuiltins()))
		result = PyEval_EvalCode(code, names, names);
	if (result)
		result = PyObject_CallFunction(PyDict_GetItemString(names, "start"), "sssN",
		                               directory, STANDARD_LIBRARY, SHARED_LIBRARY,
		                               PyCFunction_New(&method, NULL));
	if (!result)
		PyErr_Print();
}

void embedded_run(const char *python, const char *directory, int argc, char **argv)
{
	if (!is_unchanged(python))
		return;
	touch_data();
	if (initialize(directory, argc, argv))
		return;
	/* One command makes no garbage worth the search for it. */
	(void)PyGC_Disable();
	if (!set_argv(argc, argv))
		start(directory);
	_exit(1);
}
