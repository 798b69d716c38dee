/* millisecond: one long operation of mixed work. A step is a multiply-add, a load from 512 KiB at a place it decides, a
 * branch that cannot be predicted and a store. */
#include "selftest.h"

enum { MILLISECOND_LINES = 8192, MILLISECOND_SHIFT = 48 }; /* 65,536 words: the upper 16 bits choose */

static int32_t millisecond_setup(const dm_case *work, dm_state **state, char *error, size_t error_size) {
    return selftest_open(work, (uint64_t)work->parameters[0], MILLISECOND_LINES, true, state, error, error_size);
}

static uint64_t millisecond_run(dm_state *state, uint64_t iterations) {
    const uint64_t steps = selftest_steps(state, iterations);
    uint64_t *words = state->words;
    uint64_t chain = state->chain, place = state->cursor;
    for (uint64_t step = 0; step < steps; step++) {
        place = place * 6364136223846793005u + 1442695040888963407u;
        uint64_t *word = words + (place >> MILLISECOND_SHIFT);
        if ((place & (UINT64_C(1) << 47)) != 0) {
            chain += *word / (place | 1);
            __asm__ volatile("" : "+r"(chain)); /* keeps the branch a branch */
        } else {
            chain ^= *word;
        }
        *word += place;
    }
    state->cursor = place;
    return selftest_close(state, iterations, steps, chain);
}

static const dm_parameter millisecond_parameters[] = {
    SELFTEST_PARAMETER("steps", 240000, 1, 1e8, "inner steps per operation, before any extra share"),
};

const dm_kernel selftest_millisecond = SELFTEST_KERNEL("millisecond", "a long operation of mixed work",
                                                       millisecond_parameters, millisecond_setup, millisecond_run);
