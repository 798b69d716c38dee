/* nanosecond: the smallest operation. A step is one update of one of 64 counters, and an operation one step. */
#include "selftest.h"

enum { NANOSECOND_LINES = 8, NANOSECOND_SHIFT = 58 }; /* 64 counters: the upper 6 bits choose */

static int32_t nanosecond_setup(const dm_case *work, dm_state **state, char *error, size_t error_size) {
    return selftest_open(work, (uint64_t)work->parameters[0], NANOSECOND_LINES, true, state, error, error_size);
}

static uint64_t nanosecond_run(dm_state *state, uint64_t iterations) {
    const uint64_t steps = selftest_steps(state, iterations);
    uint64_t *counters = state->words;
    uint64_t chain = state->chain;
    for (uint64_t step = 0; step < steps; step++) {
        chain = chain * 6364136223846793005u + 1442695040888963407u;
        __asm__ volatile("" : "+r"(chain)); /* no unrolling into powers: every step waits for the one before */
        counters[chain >> NANOSECOND_SHIFT]++;
    }
    return selftest_close(state, iterations, steps, chain);
}

static const dm_parameter nanosecond_parameters[] = {
    SELFTEST_PARAMETER("steps", 1, 1, 1e6, "counter updates per operation, before any extra share"),
};

const dm_kernel selftest_nanosecond =
    SELFTEST_KERNEL("nanosecond", "one counter update", nanosecond_parameters, nanosecond_setup, nanosecond_run);
