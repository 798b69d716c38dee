/* openblas.c: cosines by OpenBLAS, one thread: the rows are stored divided by their norms, so that one matrix-vector product gives all
 * cosines. That is the quickest way a user of a BLAS has; norms are paid for in setup, as in libdualmem. */
#include <cblas.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dualmem/dm_kernel.h"

/* The package prefixes every symbol, so that it can be mapped beside another BLAS. */
void scipy_openblas_set_num_threads(int threads);

struct dm_state {
    float *rows;  /* count x stride, of unit length */
    float *units; /* queries x stride, of unit length */
    float *cosines;
    size_t stride;
    uint32_t dim;
    uint32_t count;
    uint32_t query_count;
    uint32_t next_query;
};

static void teardown(dm_state *state) {
    if (state != NULL) {
        free(state->rows);
        free(state->units);
        free(state->cosines);
        free(state);
    }
}

/* `count` rows of a matrix, each divided by its norm, or zero where the norm is; 64-byte aligned rows. NULL: no memory. */
static float *unit_rows(const dm_matrix *matrix, size_t count, size_t stride) {
    float *rows = aligned_alloc(64, count * stride * sizeof(float));
    for (size_t row = 0; rows != NULL && row < count; row++) {
        const float *values = matrix->values + row * matrix->stride;
        double squared = 0.0;
        for (size_t i = 0; i < matrix->columns; i++) {
            squared += (double)values[i] * values[i];
        }
        double inverse = squared < 0x1p-126 ? 0.0 : 1.0 / sqrt(squared);
        memset(rows + row * stride, 0, stride * sizeof(float));
        for (size_t i = 0; i < matrix->columns; i++) {
            rows[row * stride + i] = (float)(values[i] * inverse);
        }
    }
    return rows;
}

static int32_t setup(const dm_case *work, dm_state **state, char *error, size_t error_size) {
    *state = NULL;
    uint64_t count = (uint64_t)work->parameters[0];
    if (work->data.rows < count || work->queries.rows == 0 || work->queries.columns != work->data.columns) {
        snprintf(error, error_size, "%llu centroids and queries of %llu columns are asked of %llu x %llu",
                 (unsigned long long)count, (unsigned long long)work->queries.columns, (unsigned long long)work->data.rows,
                 (unsigned long long)work->data.columns);
        return DM_ERROR_ARGUMENT;
    }
    scipy_openblas_set_num_threads(1);
    dm_state *made = calloc(1, sizeof(*made));
    if (made != NULL) {
        made->stride = (work->data.columns + 15) / 16 * 16;
        made->dim = (uint32_t)work->data.columns;
        made->count = (uint32_t)count;
        made->query_count = (uint32_t)work->queries.rows;
        made->rows = unit_rows(&work->data, count, made->stride);
        made->units = unit_rows(&work->queries, work->queries.rows, made->stride);
        made->cosines = aligned_alloc(64, (count * sizeof(float) + 63) / 64 * 64);
    }
    if (made == NULL || made->rows == NULL || made->units == NULL || made->cosines == NULL) {
        teardown(made);
        snprintf(error, error_size, "no memory for %llu rows", (unsigned long long)count);
        return DM_ERROR_MEMORY;
    }
    *state = made;
    return DM_OK;
}

static uint64_t run(dm_state *state, uint64_t iterations) {
    uint64_t checksum = 0;
    for (uint64_t i = 0; i < iterations; i++) {
        const float *unit = state->units + state->next_query * state->stride;
        scipy_cblas_sgemv(CblasRowMajor, CblasNoTrans, (int)state->count, (int)state->dim, 1.0f, state->rows, (int)state->stride, unit, 1,
                    0.0f, state->cosines, 1);
        state->next_query = state->next_query + 1 < state->query_count ? state->next_query + 1 : 0;
        for (uint32_t row = 0; row < state->count; row++) {
            uint32_t bits;
            memcpy(&bits, &state->cosines[row], sizeof(bits));
            checksum += bits;
        }
    }
    return checksum;
}

static int32_t read_metrics(dm_state *state, double *values, size_t count) {
    (void)state, (void)values, (void)count;
    return DM_OK;
}

static int32_t read_output(dm_state *state, double *values, size_t count, size_t *needed) {
    *needed = state->count;
    for (size_t i = 0; i < count && i < *needed; i++) {
        values[i] = state->cosines[i];
    }
    return DM_OK;
}

static const dm_parameter parameters[] = {
    {.size = sizeof(dm_parameter), .name = "count", .default_value = 16, .minimum = 1, .maximum = 1000000, .integer = 1,
     .meaning = "centroids that a query is compared with"},
};

static const dm_kernel similarity = {
    .size = sizeof(dm_kernel),
    .name = "similarity",
    .variant = "openblas",
    .summary = "cosines of one prepared query and `count` centroids: sgemv over rows of unit length, one thread",
    .tolerance = 1e-6,
    .output = DM_OUTPUT_VALUES,
    .needs_data = 1,
    .parameters = parameters,
    .parameter_count = 1,
    .setup = setup,
    .run = run,
    .read_metrics = read_metrics,
    .read_output = read_output,
    .teardown = teardown,
};

static const dm_kernel *const kernels[] = {&similarity};

static const dm_library library = {
    .size = sizeof(dm_library),
    .abi_major = DM_ABI_MAJOR,
    .abi_minor = DM_ABI_MINOR,
    .name = "OpenBLAS",
    .version = OPENBLAS_VERSION,
    .compiler = "",
    .flags = "",
    .revision = "",
    .kernels = kernels,
    .kernel_count = sizeof(kernels) / sizeof(kernels[0]),
};

const dm_library *dm_library_get(void) {
    return &library;
}
