/* openblas.c: cosines by OpenBLAS, one thread: the rows are stored divided by their norms, so that one matrix-vector product gives all
 * cosines. That is the quickest way a user of a BLAS has; norms are paid for in setup, as in libdualmem. A lookup is that product and a
 * selection of the k largest: a bound that rises as better rows are found, which few rows pass. The query's own length does not change the
 * order, so it is taken as it is. */
#include <cblas.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dualmem/dm_kernel.h"
#include "kernels/stored_case.h"

/* The package prefixes every symbol, so that it can be mapped beside another BLAS. */
void scipy_openblas_set_num_threads(int threads);

struct dm_state {
    float *rows;  /* count x stride, of unit length */
    float *units; /* of cosines: queries x stride, of unit length */
    float *cosines;
    size_t stride;
    uint32_t dim;
    uint32_t count;
    uint32_t query_count;
    uint32_t next_query;
    uint32_t k;          /* of a lookup */
    dm_matrix queries;   /* of a lookup, as they came */
    uint32_t *order;     /* every query once; a lookup takes them in the order of libdualmem's own */
    double *neighbours;  /* queries x k rows, best first */
};

static void teardown(dm_state *state) {
    if (state != NULL) {
        free(state->rows);
        free(state->units);
        free(state->cosines);
        free(state->order);
        free(state->neighbours);
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

/* k: of a lookup, 0 for all cosines. */
static int32_t setup_rows(const dm_case *work, uint64_t count, uint32_t k, dm_state **state, char *error, size_t error_size) {
    *state = NULL;
    if (work->data.rows < count || count < k || work->queries.rows == 0 || work->queries.columns != work->data.columns) {
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
        made->k = k;
        made->queries = work->queries;
        made->rows = unit_rows(&work->data, count, made->stride);
        made->units = unit_rows(&work->queries, work->queries.rows, made->stride);
        made->cosines = aligned_alloc(64, (count * sizeof(float) + 63) / 64 * 64);
        made->order = malloc(work->queries.rows * sizeof(uint32_t));
        made->neighbours = calloc(work->queries.rows * (size_t)(k > 0 ? k : 1), sizeof(double));
    }
    if (made == NULL || made->rows == NULL || made->units == NULL || made->cosines == NULL || made->order == NULL ||
        made->neighbours == NULL) {
        teardown(made);
        snprintf(error, error_size, "no memory for %llu rows", (unsigned long long)count);
        return DM_ERROR_MEMORY;
    }
    dm_stored_case_shuffle(made->order, made->query_count, work->seed);
    *state = made;
    return DM_OK;
}

static int32_t setup(const dm_case *work, dm_state **state, char *error, size_t error_size) {
    return setup_rows(work, (uint64_t)work->parameters[0], 0, state, error, error_size);
}

static inline void multiply(dm_state *state, const float *query) {
    scipy_cblas_sgemv(CblasRowMajor, CblasNoTrans, (int)state->count, (int)state->dim, 1.0f, state->rows, (int)state->stride, query, 1,
                      0.0f, state->cosines, 1);
}

static inline uint32_t take_query(dm_state *state) {
    uint32_t query = state->next_query;
    state->next_query = query + 1 < state->query_count ? query + 1 : 0;
    return query;
}

static uint64_t run(dm_state *state, uint64_t iterations) {
    uint64_t checksum = 0;
    for (uint64_t i = 0; i < iterations; i++) {
        multiply(state, state->units + take_query(state) * state->stride);
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

/* --- lookup -------------------------------------------------------------------------------------------------------------- */

enum { PARAMETER_K, PARAMETER_CONCEPTS, PARAMETER_RECALL, PARAMETER_THREADS, K_MOST = 100 };

static int32_t setup_lookup(const dm_case *work, dm_state **state, char *error, size_t error_size) {
    const uint64_t asked = (uint64_t)work->parameters[PARAMETER_CONCEPTS];
    return setup_rows(work, asked == 0 ? work->data.rows : asked, (uint32_t)work->parameters[PARAMETER_K], state, error, error_size);
}

/* Best first; of equal cosines the smaller row. */
static uint64_t look_up(dm_state *state, uint32_t query, uint64_t checksum) {
    multiply(state, state->queries.values + query * state->queries.stride);
    const uint32_t k = state->k;
    float best[K_MOST];
    uint32_t rows[K_MOST];
    uint32_t found = 0;
    for (uint32_t row = 0; row < state->count; row++) {
        const float cosine = state->cosines[row];
        if (found == k && !(cosine > best[k - 1])) {
            continue;
        }
        uint32_t place = found < k ? found++ : k - 1;
        for (; place > 0 && cosine > best[place - 1]; place--) {
            best[place] = best[place - 1];
            rows[place] = rows[place - 1];
        }
        best[place] = cosine;
        rows[place] = row;
    }
    for (uint32_t i = 0; i < k; i++) {
        state->neighbours[(size_t)query * k + i] = rows[i];
        checksum = (checksum ^ rows[i]) * UINT64_C(0x100000001b3);
    }
    return checksum;
}

static uint64_t run_lookup(dm_state *state, uint64_t iterations) {
    uint64_t checksum = UINT64_C(0xcbf29ce484222325);
    for (uint64_t i = 0; i < iterations; i++) {
        checksum = look_up(state, state->order[take_query(state)], checksum);
    }
    return checksum;
}

static uint64_t run_each_lookup(dm_state *state, uint64_t iterations, dm_recorder *recorder) {
    uint64_t checksum = UINT64_C(0xcbf29ce484222325);
    for (uint64_t i = 0; i < iterations; i++) {
        const uint32_t query = state->order[take_query(state)];
        const uint64_t begin = recorder->now();
        checksum = look_up(state, query, checksum);
        recorder->record(recorder, query, recorder->now() - begin);
    }
    return checksum;
}

static int32_t read_neighbours(dm_state *state, double *values, size_t count, size_t *needed) {
    *needed = (size_t)state->query_count * state->k;
    memcpy(values, state->neighbours, (count < *needed ? count : *needed) * sizeof(double));
    return DM_OK;
}

enum { METRIC_POPULATION, METRIC_MEMORY, METRIC_INDEX_BYTES, METRIC_COUNT };

static int32_t read_lookup_metrics(dm_state *state, double *values, size_t count) {
    double all[METRIC_COUNT];
    all[METRIC_POPULATION] = state->count;
    all[METRIC_INDEX_BYTES] = (double)(state->stride * sizeof(float));
    all[METRIC_MEMORY] = state->count * (all[METRIC_INDEX_BYTES] + (double)sizeof(float));
    memcpy(values, all, (count < METRIC_COUNT ? count : METRIC_COUNT) * sizeof(double));
    return DM_OK;
}

/* --- the table ------------------------------------------------------------------------------------------------------------ */

static const dm_parameter lookup_parameters[] = {
    [PARAMETER_K] = {.size = sizeof(dm_parameter), .name = "k", .default_value = 10, .minimum = 1, .maximum = K_MOST, .integer = 1,
                     .meaning = "neighbours per query"},
    [PARAMETER_CONCEPTS] = {.size = sizeof(dm_parameter), .name = "concepts", .default_value = 0, .minimum = 0, .maximum = 100000000,
                            .integer = 1, .meaning = "rows of the data stored; 0: all"},
    [PARAMETER_RECALL] = {.size = sizeof(dm_parameter), .name = "recall", .default_value = 0.95, .minimum = 0, .maximum = 1,
                          .meaning = "share of the true k nearest that the search shall find; a scan finds all"},
    [PARAMETER_THREADS] = {.size = sizeof(dm_parameter), .name = "threads", .default_value = 1, .minimum = 1, .maximum = 64,
                           .integer = 1, .meaning = "threads that build the index, of which a scan has none"},
};

static const dm_metric lookup_metrics[METRIC_COUNT] = {
    [METRIC_POPULATION] = {sizeof(dm_metric), "population", "count", DM_BETTER_NEITHER, DM_SCOPE_CASE, "rows scanned"},
    [METRIC_MEMORY] = {sizeof(dm_metric), "memory_bytes", "B", DM_BETTER_LOWER, DM_SCOPE_CASE, "rows and cosines"},
    [METRIC_INDEX_BYTES] = {sizeof(dm_metric), "index_bytes_per_concept", "B", DM_BETTER_LOWER, DM_SCOPE_CASE, "of a row"},
};

static const dm_kernel lookup = {
    .size = sizeof(dm_kernel),
    .name = "concept_lookup",
    .variant = "openblas",
    .summary = "sgemv over all rows of unit length, then the k largest; one thread",
    .tolerance = 0.0,
    .output = DM_OUTPUT_NEIGHBOURS,
    .needs_data = 1,
    .parameters = lookup_parameters,
    .parameter_count = PARAMETER_RECALL, /* without it and what follows */
    .setup = setup_lookup,
    .run = run_lookup,
    .run_each = run_each_lookup,
    .read_metrics = read_metrics,
    .read_output = read_neighbours,
    .teardown = teardown,
};

static const dm_kernel lookup_at_recall = {
    .size = sizeof(dm_kernel),
    .name = "concept_lookup_at_recall",
    .variant = "openblas",
    .summary = "one lookup: sgemv over all rows of unit length, then the k largest",
    .tolerance = 0.0,
    .output = DM_OUTPUT_NEIGHBOURS,
    .needs_data = 1,
    .parameters = lookup_parameters,
    .parameter_count = sizeof(lookup_parameters) / sizeof(lookup_parameters[0]),
    .metrics = lookup_metrics,
    .metric_count = METRIC_COUNT,
    .setup = setup_lookup,
    .run = run_lookup,
    .run_each = run_each_lookup,
    .read_metrics = read_lookup_metrics,
    .read_output = read_neighbours,
    .teardown = teardown,
};

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

static const dm_kernel *const kernels[] = {&similarity, &lookup, &lookup_at_recall};

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
