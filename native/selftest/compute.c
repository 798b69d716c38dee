/* compute: arithmetic on data that stays in L1. A step is four multiply-adds, two of integers and two of doubles, with
 * what one cache line holds. */
#include "selftest.h"

#include <string.h>

enum { COMPUTE_LINES = 64 }; /* 4 KiB; a power of two */

static int32_t compute_setup(const dm_case *work, dm_state **state, char *error, size_t error_size) {
    return selftest_open(work, (uint64_t)work->parameters[0], COMPUTE_LINES, true, state, error, error_size);
}

static uint64_t compute_run(dm_state *state, uint64_t iterations) {
    const uint64_t steps = selftest_steps(state, iterations), begin = state->cursor;
    const uint64_t *words = state->words;
    uint64_t a = state->chain, b = ~a;
    double c = 1.0, d = 2.0;
    for (uint64_t step = 0; step < steps; step++) {
        const uint64_t *line = words + (begin + step) % COMPUTE_LINES * SELFTEST_LINE_WORDS;
        a = a * 6364136223846793005u + line[0];
        b = b * 3935559000370003845u + line[1];
        /* Factor below 1 and a bounded summand: neither overflow nor denormals, however long it runs. */
        c = c * 0.75 + (double)(line[2] >> 40);
        d = d * 0.625 + (double)(line[3] >> 40);
    }
    uint64_t c_bits, d_bits;
    memcpy(&c_bits, &c, sizeof c_bits);
    memcpy(&d_bits, &d, sizeof d_bits);
    state->cursor = begin + steps;
    return selftest_close(state, iterations, steps, a ^ b ^ c_bits ^ d_bits);
}

static const dm_parameter compute_parameters[] = {
    SELFTEST_PARAMETER("steps", 500, 1, 1e6, "inner steps per operation, before any extra share"),
};

const dm_kernel selftest_compute =
    SELFTEST_KERNEL("compute", "multiply-adds on 4 KiB that stay in L1", compute_parameters, compute_setup, compute_run);
