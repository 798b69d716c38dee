/* Allocates a kilobyte in each operation and frees it in teardown only. */
#include <stdlib.h>
#include <string.h>
#define SPIN_AFTER
#define SPIN_IN_OPERATION        \
    void **block = malloc(1024); \
    memset(block, 1, 1024);      \
    *block = state->kept;        \
    state->kept = block;
#define SPIN_TEARDOWN                              \
    while (state != NULL && state->kept != NULL) { \
        void *next = *(void **)state->kept;        \
        free(state->kept);                         \
        state->kept = next;                        \
    }                                              \
    free(state);
#include "spin.h"
