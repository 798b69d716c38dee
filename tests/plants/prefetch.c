/* prefetch.c: work on records that lie anywhere in 256 MB; planted is that the next one is no longer asked for in time.
 *
 * The chain of multiplications after each record is longer than what a processor looks ahead, so without the prefetch
 * it waits for every record. */
#include "plant.h"

enum { LINE = 8, RECORDS = 1 << 22, ORDER = 1 << 16, AHEAD = 2, STEPS = 160 };

struct dm_state {
    uint64_t *records; /* LINE words each: a cache line */
    uint32_t order[ORDER];
    uint64_t position;
};

static int32_t setup(const dm_case *work, dm_state **state, char *error, size_t error_size) {
    (void)error, (void)error_size;
    dm_state *made = calloc(1, sizeof *made);
    uint64_t *records = aligned_alloc(64, (size_t)RECORDS * LINE * sizeof *records);
    if (made == NULL || records == NULL) {
        free(made);
        free(records);
        return DM_ERROR_MEMORY;
    }
    uint64_t random = work->seed;
    for (size_t i = 0; i < (size_t)RECORDS * LINE; i++) {
        records[i] = i;
    }
    for (size_t i = 0; i < ORDER; i++) {
        made->order[i] = (uint32_t)(plant_next(&random) % RECORDS);
    }
    made->records = records;
    *state = made;
    return DM_OK;
}

static __attribute__((noinline)) uint64_t visit(const dm_state *state, uint64_t position) {
#if !PLANTED
    __builtin_prefetch(&state->records[(size_t)state->order[(position + AHEAD) % ORDER] * LINE]);
#endif
    uint64_t value = state->records[(size_t)state->order[position % ORDER] * LINE];
    for (int step = 0; step < STEPS; step++) {
        value = value * 6364136223846793005u + 1442695040888963407u;
        __asm__ volatile("" : "+r"(value));
    }
    return value;
}

static uint64_t run(dm_state *state, uint64_t iterations) {
    uint64_t checksum = 0;
    for (uint64_t i = 0; i < iterations; i++) {
        checksum += visit(state, state->position++);
    }
    return checksum;
}

static void teardown(dm_state *state) {
    free(state->records);
    free(state);
}

PLANT_LIBRARY("prefetch", NULL, 0)
