/* similarity.c: the kernels `similarity` (dual store) and `similarity_single` (its single-type twin).
 *
 * One operation: the cosines of one query and `count` centroids, written to a buffer. The queries take turns, made ready
 * in setup (divided by their norm, as a caller with several sets of centroids does once). Every second operation reads
 * the rows backward; simd/similarity.h says what that gains. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernels/kernels.h"
#include "kernels/stored_case.h"
#include "simd/isa.h"
#include "simd/query.h"
#include "simd/similarity.h"
#include "store/memory.h"
#include "store/poison.h"

enum { PARAMETER_COUNT_OF_CENTROIDS = 0 };

struct dm_state {
    dm_memory memory; /* all but the store and this struct */
    dm_stored_case stored;
    dm_similarity_scan *scan;
    float *units; /* dm_query.unit of every query */
    size_t stride;
    uint32_t query_count;
    uint32_t next_query;
    int32_t direction;
    float *cosines;
};

static void teardown(dm_state *state) {
    if (state == NULL) {
        return;
    }
    dm_stored_case_destroy(&state->stored, &state->memory);
    dm_memory_free(&state->memory, state->units);
    dm_memory_free(&state->memory, state->cosines);
    dm_memory own = {0}; /* the account in the struct cannot outlive it */
    dm_memory_free(&own, state);
}

/* Makes all queries ready. 1: done; 0: no memory. */
static int prepare_queries(dm_state *state, const dm_case *work) {
    const uint32_t dim = state->stored.rows.dim;
    const dm_query_variant *variant = dm_query_best();
    state->query_count = (uint32_t)work->queries.rows;
    state->stride = dm_padded_dim(dim);
    state->units = dm_memory_allocate(&state->memory, state->query_count * state->stride * sizeof(float), DM_CACHE_LINE, 0);
    dm_query query = {.dim = dim};
    query.wide = dm_memory_allocate(&state->memory, state->stride * sizeof(double), DM_CACHE_LINE, 0);
    int complete = state->units != NULL && query.wide != NULL;
    for (uint32_t row = 0; complete && row < state->query_count; row++) {
        query.unit = state->units + row * state->stride;
        variant->prepare(&query, work->queries.values + row * work->queries.stride);
    }
    dm_memory_free(&state->memory, query.wide);
    return complete;
}

static int32_t setup(const dm_case *work, const dm_similarity_variant *variant, int32_t kind, dm_state **state, char *error,
                     size_t error_size) {
    *state = NULL;
    if (variant == NULL || !dm_isa_has(variant->isa)) { /* NULL: this build is for another processor */
        snprintf(error, error_size, "this machine cannot run that variant; choose one of those that `dualmem kernels` says run");
        return DM_ERROR_UNSUPPORTED;
    }
    dm_memory own = {0};
    dm_state *made = dm_memory_allocate(&own, sizeof(*made), DM_CACHE_LINE, 0);
    if (made == NULL) {
        snprintf(error, error_size, "no memory for a state of %zu bytes", sizeof(*made));
        return DM_ERROR_MEMORY;
    }
    const uint64_t count = (uint64_t)work->parameters[PARAMETER_COUNT_OF_CENTROIDS];
    made->scan = variant->scan;
    int32_t status = dm_stored_case_create(work, count, kind, &made->memory, &made->stored, error, error_size);
    if (status == DM_OK) {
        made->cosines = dm_memory_allocate(&made->memory, count * sizeof(float), DM_CACHE_LINE, work->placement);
        if (made->cosines == NULL || !prepare_queries(made, work)) {
            snprintf(error, error_size, "no memory for the queries and %llu results; use less data",
                     (unsigned long long)count);
            status = DM_ERROR_MEMORY;
        }
    }
    if (status != DM_OK) {
        teardown(made);
        return status;
    }
    *state = made;
    return DM_OK;
}

/* Depends on the bits and, through its caller, on the order of the operations. */
static uint64_t sum_of_bits(const float *values, uint32_t count) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof(bits));
        sum += bits;
    }
    return sum;
}

static uint64_t run(dm_state *state, uint64_t iterations) {
    uint64_t checksum = 0;
    for (uint64_t i = 0; i < iterations; i++) {
        state->scan(&state->stored.rows, state->units + state->next_query * state->stride, state->cosines, state->direction);
        state->direction = DM_SCAN_FORWARD + DM_SCAN_BACKWARD - state->direction;
        state->next_query = state->next_query + 1 < state->query_count ? state->next_query + 1 : 0;
        checksum = checksum * 31 + sum_of_bits(state->cosines, state->stored.rows.count);
    }
    return checksum;
}

enum { METRIC_POPULATION, METRIC_FLOPS, METRIC_BYTES, METRIC_SET, METRIC_MEMORY, METRIC_COUNT };

static int32_t read_metrics(dm_state *state, double *values, size_t count) {
    const double rows = (double)state->stored.rows.count;
    const double dim = (double)state->stored.rows.dim;
    double all[METRIC_COUNT];
    all[METRIC_POPULATION] = (double)state->stored.population;
    all[METRIC_FLOPS] = rows * (2.0 * dim + 1.0);
    /* The rows, their norms and the query are read, the cosines written. */
    all[METRIC_BYTES] = (double)sizeof(float) * (rows * (dim + 2.0) + dim);
    all[METRIC_SET] = all[METRIC_BYTES]; /* every operation reads it all */
    all[METRIC_MEMORY] = (double)(dm_store_memory(state->stored.store).total + dm_memory_bytes(&state->memory));
    memcpy(values, all, (count < METRIC_COUNT ? count : METRIC_COUNT) * sizeof(double));
    return DM_OK;
}

static int32_t read_output(dm_state *state, double *values, size_t count, size_t *needed) {
    *needed = state->stored.rows.count;
    for (size_t i = 0; i < count && i < *needed; i++) {
        values[i] = (double)state->cosines[i];
    }
    return DM_OK;
}

static const dm_parameter parameters[] = {
    [PARAMETER_COUNT_OF_CENTROIDS] = {.size = sizeof(dm_parameter),
                                      .name = "count",
                                      .default_value = 16,
                                      .minimum = 1,
                                      .maximum = 1000000,
                                      .integer = 1,
                                      .meaning = "centroids that a query is compared with"},
};

static const dm_metric metrics[METRIC_COUNT] = {
    [METRIC_POPULATION] = {sizeof(dm_metric), "population", "count", DM_BETTER_NEITHER, DM_SCOPE_CASE,
                           "nodes in the store: the centroids and as many episodes"},
    [METRIC_FLOPS] = {sizeof(dm_metric), "flops_per_operation", "count", DM_BETTER_NEITHER, DM_SCOPE_CASE,
                      "a multiplication and an addition per component, a multiplication per centroid"},
    [METRIC_BYTES] = {sizeof(dm_metric), "bytes_per_operation", "B", DM_BETTER_LOWER, DM_SCOPE_CASE,
                      "embeddings, norms and query read, cosines written"},
    [METRIC_SET] = {sizeof(dm_metric), "working_set_bytes", "B", DM_BETTER_NEITHER, DM_SCOPE_CASE,
                    "what every operation reads again: embeddings, norms, cosines"},
    [METRIC_MEMORY] = {sizeof(dm_metric), "memory_bytes", "B", DM_BETTER_LOWER, DM_SCOPE_CASE,
                       "store, prepared queries and results"},
};

/* A variant is a kernel of its own: its setup is the only thing that knows which it is. */
#define SETUP(function, variant, kind)                                                                  \
    static int32_t function(const dm_case *work, dm_state **state, char *error, size_t error_size) {    \
        return setup(work, variant, kind, state, error, error_size);                                    \
    }
SETUP(setup_dual_scalar, dm_similarity_find("scalar"), DM_STORED_DUAL)
SETUP(setup_dual_avx2, dm_similarity_find("avx2"), DM_STORED_DUAL)
SETUP(setup_dual_avx512, dm_similarity_find("avx512"), DM_STORED_DUAL)
SETUP(setup_dual_neon, dm_similarity_find("neon"), DM_STORED_DUAL)
SETUP(setup_dual_auto, dm_similarity_best(), DM_STORED_DUAL)
SETUP(setup_single_scalar, dm_similarity_find("scalar"), DM_STORED_SINGLE)
SETUP(setup_single_avx2, dm_similarity_find("avx2"), DM_STORED_SINGLE)
SETUP(setup_single_avx512, dm_similarity_find("avx512"), DM_STORED_SINGLE)
SETUP(setup_single_neon, dm_similarity_find("neon"), DM_STORED_SINGLE)
SETUP(setup_single_auto, dm_similarity_best(), DM_STORED_SINGLE)

/* tolerance: the proven bound for 768 dimensions is 1.7e-6 (simd/similarity.c) for worst-case rounding; what was found on
 * random, constant and adversarial vectors is below 4e-7. */
#define KERNEL(kernel_name, kernel_variant, setup_function, supported_function)                         \
    {                                                                                                   \
        .size = sizeof(dm_kernel), .name = kernel_name, .variant = kernel_variant,                      \
        .summary = "cosines of one prepared query and `count` centroids", .tolerance = 1e-6,           \
        .output = DM_OUTPUT_VALUES, .needs_data = 1, .parameters = parameters,                          \
        .parameter_count = sizeof(parameters) / sizeof(parameters[0]), .metrics = metrics,              \
        .metric_count = METRIC_COUNT, .supported = supported_function, .setup = setup_function,         \
        .run = run, .read_metrics = read_metrics, .read_output = read_output, .teardown = teardown      \
    }

/* Every build lists every variant, so that a scenario may name them all: those of another processor are not supported. */
#define DUAL "similarity"
#define SINGLE "similarity_single"
static const dm_kernel dual_scalar = KERNEL(DUAL, "scalar", setup_dual_scalar, NULL);
static const dm_kernel dual_avx2 = KERNEL(DUAL, "avx2", setup_dual_avx2, dm_isa_supported_avx2);
static const dm_kernel dual_avx512 = KERNEL(DUAL, "avx512", setup_dual_avx512, dm_isa_supported_avx512);
static const dm_kernel dual_neon = KERNEL(DUAL, "neon", setup_dual_neon, dm_isa_supported_neon);
static const dm_kernel dual_auto = KERNEL(DUAL, "auto", setup_dual_auto, NULL);
static const dm_kernel single_scalar = KERNEL(SINGLE, "scalar", setup_single_scalar, NULL);
static const dm_kernel single_avx2 = KERNEL(SINGLE, "avx2", setup_single_avx2, dm_isa_supported_avx2);
static const dm_kernel single_avx512 = KERNEL(SINGLE, "avx512", setup_single_avx512, dm_isa_supported_avx512);
static const dm_kernel single_neon = KERNEL(SINGLE, "neon", setup_single_neon, dm_isa_supported_neon);
static const dm_kernel single_auto = KERNEL(SINGLE, "auto", setup_single_auto, NULL);

const dm_kernel *const dm_similarity_kernels[] = {
    &dual_scalar,   &dual_avx2,   &dual_avx512,   &dual_neon,   &dual_auto,
    &single_scalar, &single_avx2, &single_avx512, &single_neon, &single_auto,
};
const size_t dm_similarity_kernel_count = sizeof(dm_similarity_kernels) / sizeof(dm_similarity_kernels[0]);
