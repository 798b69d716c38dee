/* python.c: see python.h. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "dualmem/dm_kernel.h"
#include "python.h"

enum { ARGUMENTS_MOST = 8 };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static PyObject *peers;       /* the module python_peers; NULL: `failure` says why */
static char failure[256];

static int fail(PyStatus status) {
    snprintf(failure, sizeof(failure), "the interpreter does not start: %s",
             status.err_msg == NULL ? "no reason given" : status.err_msg);
    return -1;
}

static int start_interpreter(void) {
    PyConfig config;
    PyConfig_InitPythonConfig(&config);
    config.install_signal_handlers = 0; /* the worker has its own */
    config.write_bytecode = 0;
    PyStatus status = PyConfig_SetBytesString(&config, &config.executable, PEER_PYTHON); /* with it come the venv's packages */
    if (!PyStatus_Exception(status)) {
        status = Py_InitializeFromConfig(&config);
    }
    PyConfig_Clear(&config);
    return PyStatus_Exception(status) ? fail(status) : 0;
}

/* Extension modules find the interpreter among the process's symbols, where dlopen(RTLD_LOCAL) of this library has not put it. */
static void start(void) {
    setenv("OPENBLAS_NUM_THREADS", "1", 1);
    setenv("OMP_NUM_THREADS", "1", 1);
    if (dlopen(PEER_LIBPYTHON, RTLD_NOW | RTLD_GLOBAL) == NULL) {
        snprintf(failure, sizeof(failure), "cannot load the interpreter: %s", dlerror());
        return;
    }
    if (!Py_IsInitialized() && start_interpreter() != 0) { /* another peer of the run may have started it */
        return;
    }
    PyObject *path = PySys_GetObject("path");
    PyObject *folder = PyUnicode_DecodeFSDefault(PEER_FOLDER);
    if (path != NULL && folder != NULL) {
        PyList_Append(path, folder);
        peers = PyImport_ImportModule("python_peers");
    }
    Py_XDECREF(folder);
    if (peers == NULL) {
        PyErr_Print();
        snprintf(failure, sizeof(failure), "python_peers.py cannot be imported");
    }
}

int32_t peer_python_require(const char *module, const char *package, char *reason, size_t reason_size) {
    pthread_once(&once, start);
    if (peers == NULL) {
        snprintf(reason, reason_size, "%s", failure);
        return DM_ERROR_UNSUPPORTED;
    }
    PyObject *imported = PyImport_ImportModule(module);
    if (imported == NULL) {
        PyErr_Clear();
        snprintf(reason, reason_size, "%s cannot be imported; run make peers with a network, or pip install %s", module, package);
        return DM_ERROR_UNSUPPORTED;
    }
    Py_DECREF(imported);
    return DM_OK;
}

peer_function *peer_python_function(const char *name) {
    PyObject *function = peers == NULL ? NULL : PyObject_GetAttrString(peers, name);
    PyErr_Clear();
    return (peer_function *)(void *)function;
}

void peer_python_call(peer_function *function, const uint64_t *arguments, size_t count) {
    PyObject *values[ARGUMENTS_MOST];
    int complete = count <= ARGUMENTS_MOST;
    for (size_t i = 0; complete && i < count; i++) {
        values[i] = PyLong_FromUnsignedLongLong(arguments[i]);
        complete = values[i] != NULL;
    }
    PyObject *result = complete ? PyObject_Vectorcall((PyObject *)(void *)function, values, count, NULL) : NULL;
    if (result == NULL) {
        PyErr_Print();
        abort();
    }
    for (size_t i = 0; i < count; i++) {
        Py_DECREF(values[i]);
    }
    Py_DECREF(result);
}
