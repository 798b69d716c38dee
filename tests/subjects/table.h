/* table.h: a kernel that does next to nothing, for subjects whose table is the point. `struct dm_state` is one counter.
 */
#include "dualmem/dm_kernel.h"

#include <stdlib.h>

struct dm_state {
    uint64_t position;
    double parameters[4];
};

static inline int32_t table_setup(const dm_case *work, dm_state **state, char *error, size_t error_size) {
    (void)error;
    (void)error_size;
    *state = calloc(1, sizeof **state);
    if (*state == NULL) {
        return DM_ERROR_MEMORY;
    }
    for (size_t i = 0; i < work->parameter_count && i < 4; i++) {
        (*state)->parameters[i] = work->parameters[i];
    }
    return DM_OK;
}

static inline uint64_t table_run(dm_state *state, uint64_t iterations) {
    uint64_t checksum = 0;
    for (uint64_t i = 0; i < iterations; i++) {
        checksum ^= ++state->position * 0x9e3779b97f4a7c15u;
        __asm__ volatile("" : "+r"(checksum));
    }
    return checksum;
}

static inline int32_t table_read_metrics(dm_state *state, double *values, size_t count) {
    for (size_t i = 0; i < count && i < 4; i++) {
        values[i] = state->parameters[i];
    }
    return DM_OK;
}

static inline void table_teardown(dm_state *state) {
    free(state);
}

#define TABLE_LIBRARY(table_minor, table_kernels, table_count)             \
    static const dm_library table_library = {.size = sizeof(dm_library),   \
                                             .abi_major = DM_ABI_MAJOR,    \
                                             .abi_minor = table_minor,     \
                                             .name = "table",              \
                                             .version = "1",               \
                                             .kernels = table_kernels,     \
                                             .kernel_count = table_count}; \
    const dm_library *dm_library_get(void) {                               \
        return &table_library;                                             \
    }
