/* memory: a stream through a buffer far larger than L2. A step reads one cache line; the cursor moves on from call to
 * call, so a line comes back only after the whole buffer.
 *
 * The buffer belongs to one state. Mapped from one prepared file, it would be the same physical pages for both arms, and
 * the arm that runs second would find in the cache what the first had just read: less time for equal work. */
#include "selftest.h"

static int32_t memory_setup(const dm_case *work, dm_state **state, char *error, size_t error_size) {
    const uint64_t lines = selftest_lines((uint64_t)work->parameters[1]);
    return selftest_open(work, (uint64_t)work->parameters[0], lines, true, state, error, error_size);
}

static uint64_t memory_run(dm_state *state, uint64_t iterations) {
    const uint64_t steps = selftest_steps(state, iterations), lines = state->lines;
    const uint64_t *words = state->words;
    uint64_t cursor = state->cursor, sum = state->chain;
    for (uint64_t step = 0; step < steps; step++) {
        const uint64_t *line = words + cursor * SELFTEST_LINE_WORDS;
        sum += (line[0] + line[1]) ^ (line[2] + line[3]) ^ (line[4] + line[5]) ^ (line[6] + line[7]);
        cursor = cursor + 1 < lines ? cursor + 1 : 0;
    }
    state->cursor = cursor;
    return selftest_close(state, iterations, steps, sum);
}

static const dm_parameter memory_parameters[] = {
    SELFTEST_PARAMETER("steps", 64, 1, 1e6, "cache lines per operation, before any extra share"),
    SELFTEST_PARAMETER("mebibytes", 16, 1, 1024, "size of the buffer in MiB, before any extra share; well beyond L2"),
};

const dm_kernel selftest_memory =
    SELFTEST_KERNEL("memory", "a stream through a buffer beyond L2", memory_parameters, memory_setup, memory_run);
