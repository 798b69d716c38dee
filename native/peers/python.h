/* python.h: an interpreter in the worker, for peers that are used from Python: numpy, scipy, faiss.
 *
 * A callable of python_peers.py gets addresses and counts and makes arrays of them, which it keeps: a user has arrays already. What is left
 * of the call, about a tenth of a microsecond, a user of the library from Python has too. One thread, no signal handlers, no
 * garbage collection while it runs. The interpreter is never ended: extension modules do not outlive it well, and the process ends soon. */
#ifndef DUALMEM_PEERS_PYTHON_H
#define DUALMEM_PEERS_PYTHON_H

#include <stddef.h>
#include <stdint.h>

typedef struct peer_function peer_function; /* a callable of python_peers.py */

/* Starts the interpreter if need be, and imports `module`. DM_OK, or DM_ERROR_UNSUPPORTED and how to get it. */
int32_t peer_python_require(const char *module, const char *package, char *reason, size_t reason_size);

/* The callable of that name; NULL if there is none. For setup. */
peer_function *peer_python_function(const char *name);

static inline uint64_t peer_address(const void *memory) {
    return (uint64_t)(uintptr_t)memory;
}

/* Calls it; an exception is printed and ends the process, for a timed call cannot fail. */
void peer_python_call(peer_function *function, const uint64_t *arguments, size_t count);

#endif
