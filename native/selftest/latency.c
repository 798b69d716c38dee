/* latency: a pointer chase beyond L2. A step loads the number of the next line from the present one; the position moves on
 * from call to call. The buffer belongs to one state, for the reason that memory.c gives.
 *
 * The cycle is that of a full-period congruential generator (Hull & Dobell 1962: odd increment, multiplier = 1 modulo 4),
 * which visits every line once. It is written down in address order, in a few milliseconds; a shuffled cycle would miss
 * the cache at every write. The generator's low bits are regular: they are turned into the high bits of the line number, so
 * that within a page the order shows no stride that hardware could follow. */
#include "selftest.h"

#include <stdio.h>

static uint64_t latency_turn(uint64_t value, unsigned bits, unsigned by) {
    return ((value << by) | (value >> (bits - by))) & ((UINT64_C(1) << bits) - 1);
}

static int32_t latency_setup(const dm_case *work, dm_state **state, char *error, size_t error_size) {
    const uint64_t mebibytes = (uint64_t)work->parameters[1];
    if ((mebibytes & (mebibytes - 1)) != 0) {
        (void)snprintf(error, error_size, "mebibytes: %llu is not a power of two", (unsigned long long)mebibytes);
        return DM_ERROR_ARGUMENT;
    }
    const uint64_t lines = mebibytes * (1024 * 1024 / 64);
    int32_t status = selftest_open(work, (uint64_t)work->parameters[0], lines, state, error, error_size);
    if (status != DM_OK) {
        return status;
    }
    const unsigned bits = (unsigned)__builtin_ctzll(lines), by = bits / 2;
    const uint64_t increment = selftest_mix(work->seed) | 1;
    for (uint64_t line = 0; line < lines; line++) {
        const uint64_t drawn = latency_turn(line, bits, bits - by);
        const uint64_t next = (drawn * 6364136223846793005u + increment) % lines;
        (*state)->words[line * SELFTEST_LINE_WORDS] = latency_turn(next, bits, by);
    }
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
    SELFTEST_PARAMETER("mebibytes", 16, 1, 1024, "size of the buffer in MiB, a power of two; well beyond L2"),
};

const dm_kernel selftest_latency =
    SELFTEST_KERNEL("latency", "a pointer chase beyond L2", latency_parameters, latency_setup, latency_run);
