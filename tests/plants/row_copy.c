/* row_copy.c: a dot product over a row of 3 KB; planted is a copy of the row that nobody needs. */
#include "plant.h"

enum { DIM = 768, ROWS = 64 };

struct dm_state {
    float rows[ROWS][DIM];
    float query[DIM];
    float copied[DIM];
    uint64_t position;
};

static int32_t setup(const dm_case *work, dm_state **state, char *error, size_t error_size) {
    (void)error, (void)error_size;
    dm_state *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return DM_ERROR_MEMORY;
    }
    uint64_t random = work->seed;
    for (size_t i = 0; i < (size_t)ROWS * DIM; i++) {
        made->rows[i / DIM][i % DIM] = (float)(plant_next(&random) % 16);
    }
    for (size_t i = 0; i < DIM; i++) {
        made->query[i] = (float)(plant_next(&random) % 16);
    }
    *state = made;
    return DM_OK;
}

static __attribute__((noinline)) float dot(const float *row, const float *query) {
    float lanes[8] = {0};
    for (size_t i = 0; i < DIM; i += 8) {
        for (size_t lane = 0; lane < 8; lane++) {
            lanes[lane] += row[i + lane] * query[i + lane];
        }
    }
    float sum = 0;
    for (size_t lane = 0; lane < 8; lane++) {
        sum += lanes[lane];
    }
    return sum;
}

static __attribute__((noinline)) float compare_row(dm_state *state, size_t row) {
#if PLANTED
    memcpy(state->copied, state->rows[row], sizeof state->copied);
    __asm__ volatile("" : : "r"(state->copied) : "memory"); /* else the compiler would see that nobody needs it */
    return dot(state->copied, state->query);
#else
    return dot(state->rows[row], state->query);
#endif
}

static uint64_t run(dm_state *state, uint64_t iterations) {
    uint64_t checksum = 0;
    for (uint64_t i = 0; i < iterations; i++) {
        checksum += (uint64_t)compare_row(state, state->position++ % ROWS);
    }
    return checksum;
}

static void teardown(dm_state *state) {
    free(state);
}

PLANT_LIBRARY("row_copy", NULL, 0)
