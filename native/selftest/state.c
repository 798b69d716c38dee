/* The state that all five kernels share: made, read and freed. */
#include "selftest.h"

#include <stdio.h>
#include <stdlib.h>

const dm_metric selftest_metrics[1] = {{.size = sizeof(dm_metric),
                                        .name = "steps",
                                        .unit = "count",
                                        .better = DM_BETTER_NEITHER,
                                        .scope = DM_SCOPE_MACHINE, /* grows with the run, and runs differ in length */
                                        .meaning = "inner steps done since setup"}};

int32_t selftest_open(const dm_case *work, uint64_t steps, uint64_t lines, bool fill, dm_state **state,
                      char *error, size_t error_size) {
    enum { PAGE = 4096 };
    const size_t bytes = (size_t)lines * SELFTEST_LINE_WORDS * sizeof(uint64_t);
    const size_t whole = (bytes + PAGE - 1) / PAGE * PAGE + PAGE; /* one page more than needed: room for `placement` */
    dm_state *made = calloc(1, sizeof *made);
    /* Small pages: the few huge ones of a buffer lie each somewhere else in a large L3, and a chase then differs by 5 % from worker to
     * worker by where they lie; thousands of small ones average that (memory: 0.4 instead of 1.1 %, latency: 2 to 3.5 instead of 4 to 7). */
    void *allocation = made == NULL ? NULL : aligned_alloc(PAGE, whole);
    if (allocation == NULL) {
        free(made);
        (void)snprintf(error, error_size, "no memory for a buffer of %zu bytes; make it smaller", bytes);
        return DM_ERROR_MEMORY;
    }
    *made = (dm_state){.seed = work->seed,
                       .rate = steps * (100 + selftest_extra_percent),
                       .chain = work->seed | 1,
                       .words = (uint64_t *)((char *)allocation + work->placement),
                       .lines = lines,
                       .allocation = allocation};
    for (uint64_t i = 0; fill && i < lines * SELFTEST_LINE_WORDS; i++) {
        made->words[i] = work->seed + i * 0x9e3779b97f4a7c15u; /* one addition each: set-up is short */
    }
    *state = made;
    return DM_OK;
}

int32_t selftest_read_metrics(dm_state *state, double *values, size_t count) {
    if (count > 0) {
        values[0] = (double)state->steps;
    }
    return DM_OK;
}

int32_t selftest_read_output(dm_state *state, double *values, size_t count, size_t *needed) {
    (void)state;
    (void)values;
    (void)count;
    *needed = 0;
    return DM_OK;
}

void selftest_teardown(dm_state *state) {
    if (state != NULL) {
        free(state->allocation);
        free(state);
    }
}
