/* rows.c: see rows.h. */
#include "rows.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t whole_lines(size_t bytes) {
    return (bytes + 63) / 64 * 64;
}

static double inverse_norm(const float *values, uint64_t columns) {
    double squared = 0.0;
    for (uint64_t i = 0; i < columns; i++) {
        squared += (double)values[i] * (double)values[i];
    }
    return squared < 0x1p-126 ? 0.0 : 1.0 / sqrt(squared);
}

int peer_rows_create(peer_rows *rows, const dm_matrix *matrix, uint64_t count, int unit) {
    memset(rows, 0, sizeof(*rows));
    rows->stride = ((size_t)matrix->columns + 15) / 16 * 16;
    rows->count = (uint32_t)count;
    rows->dim = (uint32_t)matrix->columns;
    rows->values = aligned_alloc(64, count * rows->stride * sizeof(float));
    rows->wide = aligned_alloc(64, whole_lines(count * sizeof(double)));
    if (rows->values == NULL || rows->wide == NULL) {
        peer_rows_destroy(rows);
        return 0;
    }
    memset(rows->values, 0, count * rows->stride * sizeof(float));
    for (uint64_t row = 0; row < count; row++) {
        const float *from = matrix->values + row * matrix->stride;
        const double factor = unit ? inverse_norm(from, matrix->columns) : 1.0;
        for (uint64_t i = 0; i < matrix->columns; i++) {
            rows->values[row * rows->stride + i] = (float)((double)from[i] * factor);
        }
    }
    return 1;
}

void peer_rows_destroy(peer_rows *rows) {
    free(rows->values);
    free(rows->wide);
    free(rows->packed);
    memset(rows, 0, sizeof(*rows));
}

/* --- the kernel `similarity` ------------------------------------------------------------------------------------------ */

struct dm_state {
    peer_way way;
    peer_rows rows;
    peer_rows queries;
    float *cosines;
    uint32_t next_query;
};

void peer_similarity_teardown(dm_state *state) {
    if (state != NULL) {
        peer_rows_destroy(&state->rows);
        peer_rows_destroy(&state->queries);
        free(state->cosines);
        free(state);
    }
}

static int fill(dm_state *state, const dm_case *work, uint64_t count) {
    state->cosines = aligned_alloc(64, whole_lines(count * sizeof(float)));
    int complete = state->cosines != NULL && peer_rows_create(&state->rows, &work->data, count, state->way.unit) &&
                   peer_rows_create(&state->queries, &work->queries, work->queries.rows, state->way.unit);
    if (complete && state->way.pack != NULL) {
        state->rows.packed = aligned_alloc(64, whole_lines(state->way.packed_size(&state->rows)));
        complete = state->rows.packed != NULL;
    }
    if (complete && state->way.pack != NULL) {
        state->way.pack(&state->rows, state->rows.packed);
    }
    return complete;
}

int32_t peer_similarity_setup(const dm_case *work, const peer_way *way, dm_state **state, char *error, size_t error_size) {
    *state = NULL;
    const uint64_t count = (uint64_t)work->parameters[0];
    if (work->data.rows < count || work->queries.rows == 0 || work->queries.columns != work->data.columns) {
        snprintf(error, error_size, "%llu centroids and queries of %llu columns are asked of %llu x %llu",
                 (unsigned long long)count, (unsigned long long)work->queries.columns, (unsigned long long)work->data.rows,
                 (unsigned long long)work->data.columns);
        return DM_ERROR_ARGUMENT;
    }
    dm_state *made = calloc(1, sizeof(*made));
    if (made != NULL) {
        made->way = *way;
    }
    if (made == NULL || !fill(made, work, count)) {
        peer_similarity_teardown(made);
        snprintf(error, error_size, "no memory for %llu rows", (unsigned long long)count);
        return DM_ERROR_MEMORY;
    }
    *state = made;
    return DM_OK;
}

uint64_t peer_similarity_run(dm_state *state, uint64_t iterations) {
    uint64_t checksum = 0;
    for (uint64_t i = 0; i < iterations; i++) {
        state->way.scan(&state->rows, state->queries.values + state->next_query * state->queries.stride, state->cosines);
        state->next_query = state->next_query + 1 < state->queries.count ? state->next_query + 1 : 0;
        for (uint32_t row = 0; row < state->rows.count; row++) {
            uint32_t bits;
            memcpy(&bits, &state->cosines[row], sizeof(bits));
            checksum += bits;
        }
    }
    return checksum;
}

int32_t peer_similarity_output(dm_state *state, double *values, size_t count, size_t *needed) {
    *needed = state->rows.count;
    for (size_t i = 0; i < count && i < *needed; i++) {
        values[i] = (double)state->cosines[i];
    }
    return DM_OK;
}

int32_t peer_no_metrics(dm_state *state, double *values, size_t count) {
    (void)state, (void)values, (void)count;
    return DM_OK;
}

const dm_parameter peer_similarity_parameters[PEER_SIMILARITY_PARAMETERS] = {
    {.size = sizeof(dm_parameter), .name = "count", .default_value = 16, .minimum = 1, .maximum = 1000000, .integer = 1,
     .meaning = "centroids that a query is compared with"},
};
