/* latency: a pointer chase beyond L2. A step loads the number of the next line from the present one; the position moves on
 * from call to call. The buffer belongs to one state, for the reason that memory.c gives.
 *
 * The cycle is drawn by shuffling line numbers in an array that fits L2 and written down from there: a shuffle of the lines
 * themselves would miss the cache at every exchange, and a worker lives 30 ms. */
#include "selftest.h"

#include <stdio.h>
#include <stdlib.h>

static int32_t latency_setup(const dm_case *work, dm_state **state, char *error, size_t error_size) {
    const uint64_t lines = selftest_lines((uint64_t)work->parameters[1]);
    uint32_t *order = calloc((size_t)lines, sizeof *order);
    if (order == NULL) {
        (void)snprintf(error, error_size, "no memory to draw a cycle of %llu lines", (unsigned long long)lines);
        return DM_ERROR_MEMORY;
    }
    int32_t status = selftest_open(work, (uint64_t)work->parameters[0], lines, false, state, error, error_size);
    if (status != DM_OK) {
        free(order);
        return status;
    }
    uint64_t drawn = work->seed;
    for (uint64_t i = 0; i < lines; i++) {
        drawn = drawn * 6364136223846793005u + 1442695040888963407u;
        const uint64_t other = (drawn >> 32) * (i + 1) >> 32; /* 0 to i */
        order[i] = order[other];
        order[other] = (uint32_t)i;
    }
    uint64_t *words = (*state)->words;
    for (uint64_t i = 0; i < lines; i++) {
        words[(uint64_t)order[i] * SELFTEST_LINE_WORDS] = order[i + 1 < lines ? i + 1 : 0];
    }
    free(order);
    return DM_OK;
}

static uint64_t latency_run(dm_state *state, uint64_t iterations) {
    const uint64_t steps = selftest_steps(state, iterations);
    const uint64_t *words = state->words;
    uint64_t cursor = state->cursor;
    for (uint64_t step = 0; step < steps; step++) {
        cursor = words[cursor * SELFTEST_LINE_WORDS];
    }
    state->cursor = cursor;
    return selftest_close(state, iterations, steps, cursor);
}

static const dm_parameter latency_parameters[] = {
    SELFTEST_PARAMETER("steps", 16, 1, 1e6, "loads per operation, before any extra share"),
    SELFTEST_PARAMETER("mebibytes", 8, 1, 1024, "size of the buffer in MiB, before any extra share; well beyond L2"),
};

const dm_kernel selftest_latency =
    SELFTEST_KERNEL("latency", "a pointer chase beyond L2", latency_parameters, latency_setup, latency_run);
