/* vectors.h: kernels that need data, written as plainly as possible.
 *
 *   dot       one query against every row, in double; output: the products of the last query
 *   cosine    the same, divided by norms that prepare wrote
 *   nearest   the k rows with the largest products; output: their numbers, for every query. VECTORS_WORST defined: the
 * k smallest, which is what a broken index looks like
 */
#include "dualmem/dm_kernel.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct dm_state {
    dm_matrix data, queries;
    const double *norms;
    size_t k;
    uint64_t position;
    double *products;   /* data.rows */
    double *neighbours; /* queries.rows x k */
};

static double vectors_dot(const float *a, const float *b, uint64_t count) {
    double sum = 0;
    for (uint64_t i = 0; i < count; i++) {
        sum += (double)a[i] * (double)b[i];
    }
    return sum;
}

static void vectors_teardown(dm_state *state) {
    if (state == NULL) {
        return;
    }
    free(state->products);
    free(state->neighbours);
    free(state);
}

static int32_t vectors_setup(const dm_case *work, dm_state **state, char *error, size_t error_size) {
    if (work->queries.rows == 0) {
        (void)snprintf(error, error_size, "there is nothing to look up: the queries have no rows");
        return DM_ERROR_ARGUMENT;
    }
    if (work->prepared != NULL && work->prepared_size != work->data.rows * sizeof(double)) {
        (void)snprintf(error, error_size, "the prepared file was made for other data");
        return DM_ERROR_CORRUPT;
    }
    dm_state *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return DM_ERROR_MEMORY;
    }
    made->data = work->data;
    made->queries = work->queries;
    made->norms = work->prepared;
    made->k = work->parameter_count > 0 ? (size_t)work->parameters[0] : 0;
    made->products = calloc(work->data.rows, sizeof(double));
    made->neighbours = calloc(work->queries.rows * made->k + 1, sizeof(double));
    if (made->products == NULL || made->neighbours == NULL || made->k > work->data.rows) {
        vectors_teardown(made);
        (void)snprintf(error, error_size, "k is above the number of rows, or memory ran out");
        return DM_ERROR_ARGUMENT;
    }
    *state = made;
    return DM_OK;
}

static uint64_t vectors_mix(uint64_t checksum, double value) {
    uint64_t bits = 0;
    memcpy(&bits, &value, sizeof bits);
    return (checksum ^ bits) * 0x9e3779b97f4a7c15u;
}

static const float *vectors_row(const dm_matrix *matrix, uint64_t row) {
    return matrix->values + row * matrix->stride;
}

static uint64_t vectors_products(dm_state *state) {
    const float *query = vectors_row(&state->queries, state->position % state->queries.rows);
    uint64_t checksum = 0;
    for (uint64_t row = 0; row < state->data.rows; row++) {
        double product = vectors_dot(query, vectors_row(&state->data, row), state->data.columns);
        state->products[row] = state->norms != NULL ? product / state->norms[row] : product;
        checksum = vectors_mix(checksum, state->products[row]);
    }
    return checksum;
}

static uint64_t vectors_run_products(dm_state *state, uint64_t iterations) {
    uint64_t checksum = 0;
    for (uint64_t i = 0; i < iterations; i++) {
        checksum += vectors_products(state);
        state->position++;
    }
    return checksum;
}

#ifdef VECTORS_WORST
#define VECTORS_BEFORE <
#define VECTORS_LAST HUGE_VAL
#else
#define VECTORS_BEFORE >
#define VECTORS_LAST (-HUGE_VAL)
#endif

static uint64_t vectors_run_nearest(dm_state *state, uint64_t iterations) {
    uint64_t checksum = 0;
    for (uint64_t i = 0; i < iterations; i++) {
        (void)vectors_products(state);
        double *neighbours = state->neighbours + state->position % state->queries.rows * state->k;
        for (size_t rank = 0; rank < state->k; rank++) { /* selection: k passes */
            uint64_t best = 0;
            for (uint64_t row = 1; row < state->data.rows; row++) {
                if (state->products[row] VECTORS_BEFORE state->products[best]) {
                    best = row;
                }
            }
            neighbours[rank] = (double)best;
            state->products[best] = VECTORS_LAST;
            checksum = vectors_mix(checksum, neighbours[rank]);
        }
        state->position++;
    }
    return checksum;
}

static uint64_t vectors_each_nearest(dm_state *state, uint64_t iterations, dm_recorder *recorder) {
    uint64_t checksum = 0;
    for (uint64_t i = 0; i < iterations; i++) {
        uint64_t item = state->position % state->queries.rows, begin = recorder->now();
        checksum ^= vectors_run_nearest(state, 1);
        recorder->record(recorder, item, recorder->now() - begin);
    }
    return checksum;
}

static int32_t vectors_prepare(const dm_case *work, const char *path, char *error, size_t error_size) {
    FILE *file = fopen(path, "wb");
    if (file == NULL) {
        (void)snprintf(error, error_size, "cannot write %s", path);
        return DM_ERROR_IO;
    }
    for (uint64_t row = 0; row < work->data.rows; row++) {
        const float *values = vectors_row(&work->data, row);
        double norm = sqrt(vectors_dot(values, values, work->data.columns));
        (void)fwrite(&norm, sizeof norm, 1, file);
    }
    return fclose(file) == 0 ? DM_OK : DM_ERROR_IO;
}

static int32_t vectors_copy(const double *from, size_t have, double *values, size_t count, size_t *needed) {
    *needed = have;
    if (count > 0) {
        memcpy(values, from, (count < have ? count : have) * sizeof *values);
    }
    return DM_OK;
}

static int32_t vectors_read_products(dm_state *state, double *values, size_t count, size_t *needed) {
    return vectors_copy(state->products, state->data.rows, values, count, needed);
}

static int32_t vectors_read_nearest(dm_state *state, double *values, size_t count, size_t *needed) {
    return vectors_copy(state->neighbours, state->queries.rows * state->k, values, count, needed);
}

static const dm_parameter vectors_parameters[] = {{.size = sizeof(dm_parameter),
                                                   .name = "k",
                                                   .default_value = 10,
                                                   .minimum = 1,
                                                   .maximum = 100,
                                                   .integer = 1,
                                                   .meaning = "neighbours per query"}};

static const dm_kernel vectors_dot_kernel = {.size = sizeof(dm_kernel),
                                             .name = "dot",
                                             .variant = "plain",
                                             .summary = "one query against every row",
                                             .tolerance = 1e-6,
                                             .output = DM_OUTPUT_VALUES,
                                             .needs_data = 1,
                                             .setup = vectors_setup,
                                             .run = vectors_run_products,
                                             .read_output = vectors_read_products,
                                             .teardown = vectors_teardown};
static const dm_kernel vectors_cosine_kernel = {.size = sizeof(dm_kernel),
                                                .name = "cosine",
                                                .variant = "plain",
                                                .summary = "one query against every row",
                                                .tolerance = 1e-6,
                                                .output = DM_OUTPUT_VALUES,
                                                .needs_data = 1,
                                                .prepare = vectors_prepare,
                                                .setup = vectors_setup,
                                                .run = vectors_run_products,
                                                .read_output = vectors_read_products,
                                                .teardown = vectors_teardown};
static const dm_kernel vectors_nearest_kernel = {.size = sizeof(dm_kernel),
                                                 .name = "nearest",
                                                 .variant = "plain",
                                                 .summary = "one query",
                                                 .output = DM_OUTPUT_NEIGHBOURS,
                                                 .needs_data = 1,
                                                 .parameters = vectors_parameters,
                                                 .parameter_count = 1,
                                                 .setup = vectors_setup,
                                                 .run = vectors_run_nearest,
                                                 .run_each = vectors_each_nearest,
                                                 .read_output = vectors_read_nearest,
                                                 .teardown = vectors_teardown};
static const dm_kernel *const vectors_kernels[] = {&vectors_dot_kernel, &vectors_cosine_kernel,
                                                   &vectors_nearest_kernel};

static const dm_library vectors_library = {.size = sizeof(dm_library),
                                           .abi_major = DM_ABI_MAJOR,
                                           .abi_minor = DM_ABI_MINOR,
                                           .name = "vectors",
                                           .version = "1",
                                           .compiler = __VERSION__,
                                           .flags = "",
                                           .revision = "",
                                           .kernels = vectors_kernels,
                                           .kernel_count = 3};

const dm_library *dm_library_get(void) {
    return &vectors_library;
}
