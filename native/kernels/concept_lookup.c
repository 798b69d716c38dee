/* concept_lookup.c: the kernels `concept_lookup` (dual store) and `concept_lookup_single` (its single-type twin).
 *
 * One operation: the k nearest concepts of one query vector, as it came from the user: its norm, its codes and
 * everything else that a search needs are part of the operation. The queries take turns in a shuffled order, each once
 * per pass. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "index/exact.h"
#include "kernels/kernels.h"
#include "kernels/lookup_queries.h"
#include "kernels/stored_case.h"
#include "simd/codes.h"
#include "simd/isa.h"
#include "store/memory.h"
#include "store/poison.h"

enum { PARAMETER_K, PARAMETER_CONCEPTS };

struct dm_state {
    dm_memory memory;    /* of the index and its scratch */
    dm_memory material;  /* of the order, the results and the row map: what only a benchmark needs */
    dm_stored_case stored;
    const dm_exact_variant *variant;
    dm_exact *index;
    dm_exact_scratch *scratch;
    dm_lookup_queries queries;
};

static void teardown(dm_state *state) {
    if (state == NULL) {
        return;
    }
    dm_exact_scratch_destroy(state->scratch, &state->memory);
    dm_exact_destroy(state->index, &state->memory);
    dm_stored_case_destroy(&state->stored, &state->material);
    dm_lookup_queries_destroy(&state->queries, &state->material);
    dm_memory own = {0}; /* an account in the struct cannot outlive it */
    dm_memory_free(&own, state);
}

static int32_t fill(dm_state *state, const dm_case *work, int32_t kind, char *error, size_t error_size) {
    const uint32_t k = (uint32_t)work->parameters[PARAMETER_K];
    uint64_t concepts = 0;
    int32_t status = dm_lookup_concepts(work, work->parameters[PARAMETER_CONCEPTS], k, &concepts, error, error_size);
    if (status == DM_OK) {
        status = dm_stored_case_create(work, concepts, kind, &state->material, &state->stored, error, error_size);
    }
    if (status == DM_OK) {
        status = dm_exact_create(state->variant, &state->stored.rows, DM_SIMILARITY_COSINE, work->placement,
                                 &state->memory, &state->index, error, error_size);
    }
    if (status == DM_OK) {
        status = dm_exact_scratch_create(state->index, &state->memory, &state->scratch, error, error_size);
    }
    return status == DM_OK
               ? dm_lookup_queries_create(work, k, &state->material, &state->queries, error, error_size)
               : status;
}

static int32_t setup(const dm_case *work, const dm_exact_variant *variant, int32_t kind, dm_state **state, char *error,
                     size_t error_size) {
    *state = NULL;
    if (variant == NULL || !dm_isa_has(variant->isa)) { /* NULL: this build is for another processor */
        snprintf(error, error_size,
                 "this machine cannot run that variant; choose one of those that `dualmem kernels` says run");
        return DM_ERROR_UNSUPPORTED;
    }
    dm_memory own = {0};
    dm_state *made = dm_memory_allocate(&own, sizeof(*made), DM_CACHE_LINE, 0);
    if (made == NULL) {
        snprintf(error, error_size, "no memory for a state of %zu bytes", sizeof(*made));
        return DM_ERROR_MEMORY;
    }
    made->variant = variant;
    int32_t status = fill(made, work, kind, error, error_size);
    if (status != DM_OK) {
        teardown(made);
        return status;
    }
    *state = made;
    return DM_OK;
}

/* One operation. */
static inline uint64_t look_up(dm_state *state, uint32_t query, uint64_t checksum) {
    dm_neighbour found[DM_EXACT_K_MAX];
    uint32_t count = dm_exact_search(state->index, state->scratch, dm_lookup_queries_at(&state->queries, query),
                                     state->queries.k, found);
    state->queries.compared[query] = state->stored.rows.count;
    state->queries.rescored[query] = dm_exact_rescored(state->scratch);
    return dm_lookup_queries_keep(&state->queries, &state->stored, query, found, count, checksum);
}

static uint64_t run(dm_state *state, uint64_t iterations) {
    uint64_t checksum = DM_LOOKUP_CHECKSUM;
    for (uint64_t i = 0; i < iterations; i++) {
        checksum = look_up(state, dm_lookup_queries_take(&state->queries), checksum);
    }
    return checksum;
}

static uint64_t run_each(dm_state *state, uint64_t iterations, dm_recorder *recorder) {
    uint64_t checksum = DM_LOOKUP_CHECKSUM;
    for (uint64_t i = 0; i < iterations; i++) {
        uint32_t query = dm_lookup_queries_take(&state->queries);
        uint64_t begin = recorder->now();
        checksum = look_up(state, query, checksum);
        recorder->record(recorder, query, recorder->now() - begin);
    }
    return checksum;
}

enum { METRIC_POPULATION, METRIC_FLOPS, METRIC_BYTES, METRIC_SET, METRIC_MEMORY, METRIC_RESCORED, METRIC_COUNT };

static int32_t read_metrics(dm_state *state, double *values, size_t count) {
    const double rows = (double)state->stored.rows.count;
    const double dim = (double)state->stored.rows.dim;
    const double rescored = dm_lookup_queries_mean(&state->queries, state->queries.rescored);
    double all[METRIC_COUNT];
    all[METRIC_POPULATION] = (double)state->stored.population;
    all[METRIC_RESCORED] = rescored;
    /* Rescoring: two multiply-adds a component. The query: its norm and its quotient, three operations. */
    all[METRIC_FLOPS] = dim * (4.0 * rescored + 3.0);
    all[METRIC_BYTES] = dim * (double)sizeof(float) * (rescored + 1.0);
    if (state->variant->codes != NULL) {
        all[METRIC_FLOPS] += rows * 6.0 + dim * 5.0; /* the bounds; encoding the query */
        all[METRIC_BYTES] += rows * ((double)dm_code_stride(state->stored.rows.dim) + 3.0 * (double)sizeof(float));
    } else {
        all[METRIC_FLOPS] += rows * (2.0 * dim + 1.0);
        all[METRIC_BYTES] += rows * (dim + 2.0) * (double)sizeof(float);
    }
    all[METRIC_SET] = all[METRIC_BYTES]; /* nearly all of it is the scan, the same for every query */
    all[METRIC_MEMORY] = (double)(dm_store_memory(state->stored.store).total + dm_memory_bytes(&state->memory));
    memcpy(values, all, (count < METRIC_COUNT ? count : METRIC_COUNT) * sizeof(double));
    return DM_OK;
}

static int32_t read_output(dm_state *state, double *values, size_t count, size_t *needed) {
    return dm_lookup_queries_read(&state->queries, values, count, needed);
}

static const dm_parameter parameters[] = {
    [PARAMETER_K] = {sizeof(dm_parameter), "k", 10, 1, DM_EXACT_K_MAX, 1, "neighbours per query"},
    [PARAMETER_CONCEPTS] = {sizeof(dm_parameter), "concepts", 0, 0, 100000000, 1,
                            "rows of the data stored as concepts; 0: all"},
};

static const dm_metric metrics[METRIC_COUNT] = {
    [METRIC_POPULATION] = {sizeof(dm_metric), "population", "count", DM_BETTER_NEITHER, DM_SCOPE_CASE,
                           "nodes in the store: the concepts and as many episodes"},
    [METRIC_FLOPS] = {sizeof(dm_metric), "flops_per_operation", "count", DM_BETTER_NEITHER, DM_SCOPE_CASE,
                      "floating-point operations of scan and rescoring; multiplications of 8-bit codes are not "
                       "among them"},
    [METRIC_BYTES] = {sizeof(dm_metric), "bytes_per_operation", "B", DM_BETTER_LOWER, DM_SCOPE_CASE,
                      "query, codes or rows scanned, bounds written, rows rescored"},
    [METRIC_SET] = {sizeof(dm_metric), "working_set_bytes", "B", DM_BETTER_NEITHER, DM_SCOPE_CASE,
                    "what every query reads again"},
    [METRIC_MEMORY] = {sizeof(dm_metric), "memory_bytes", "B", DM_BETTER_LOWER, DM_SCOPE_CASE,
                       "store, index and scratch"},
    [METRIC_RESCORED] = {sizeof(dm_metric), "reranked_per_operation", "count", DM_BETTER_LOWER, DM_SCOPE_CASE,
                         "rows whose exact cosine was computed, mean over the queries"},
};

/* A variant is a kernel of its own: its setup is the only thing that knows which it is. */
#define SETUP(function, variant, kind)                                                               \
    static int32_t function(const dm_case *work, dm_state **state, char *error, size_t error_size) { \
        return setup(work, variant, kind, state, error, error_size);                                 \
    }
SETUP(setup_dual_scalar, dm_exact_find("exact_scalar"), DM_STORED_DUAL)
SETUP(setup_dual_int8_scalar, dm_exact_find("exact_int8_scalar"), DM_STORED_DUAL)
SETUP(setup_dual_avx2, dm_exact_find("exact_avx2"), DM_STORED_DUAL)
SETUP(setup_dual_int8_avx2, dm_exact_find("exact_int8_avx2"), DM_STORED_DUAL)
SETUP(setup_dual_avx512, dm_exact_find("exact_avx512"), DM_STORED_DUAL)
SETUP(setup_dual_int8_avx512, dm_exact_find("exact_int8_avx512"), DM_STORED_DUAL)
SETUP(setup_dual_int8_avx512vnni, dm_exact_find("exact_int8_avx512vnni"), DM_STORED_DUAL)
SETUP(setup_dual_neon, dm_exact_find("exact_neon"), DM_STORED_DUAL)
SETUP(setup_dual_int8_neon, dm_exact_find("exact_int8_neon"), DM_STORED_DUAL)
SETUP(setup_dual_auto, dm_exact_best(), DM_STORED_DUAL)
SETUP(setup_single_scalar, dm_exact_find("exact_scalar"), DM_STORED_SINGLE)
SETUP(setup_single_int8_scalar, dm_exact_find("exact_int8_scalar"), DM_STORED_SINGLE)
SETUP(setup_single_avx2, dm_exact_find("exact_avx2"), DM_STORED_SINGLE)
SETUP(setup_single_int8_avx2, dm_exact_find("exact_int8_avx2"), DM_STORED_SINGLE)
SETUP(setup_single_avx512, dm_exact_find("exact_avx512"), DM_STORED_SINGLE)
SETUP(setup_single_int8_avx512, dm_exact_find("exact_int8_avx512"), DM_STORED_SINGLE)
SETUP(setup_single_int8_avx512vnni, dm_exact_find("exact_int8_avx512vnni"), DM_STORED_SINGLE)
SETUP(setup_single_neon, dm_exact_find("exact_neon"), DM_STORED_SINGLE)
SETUP(setup_single_int8_neon, dm_exact_find("exact_int8_neon"), DM_STORED_SINGLE)
SETUP(setup_single_auto, dm_exact_best(), DM_STORED_SINGLE)

/* Tolerance 0: every exact variant returns the same rows in the same order. */
#define KERNEL(kernel_name, kernel_variant, setup_function, supported_function)                                     \
    {                                                                                                               \
        .size = sizeof(dm_kernel), .name = kernel_name, .variant = kernel_variant,                                  \
        .summary = "the k nearest concepts of one query vector, by cosine", .tolerance = 0.0,                       \
        .output = DM_OUTPUT_NEIGHBOURS, .needs_data = 1, .parameters = parameters,                                  \
        .parameter_count = sizeof(parameters) / sizeof(parameters[0]), .metrics = metrics,                          \
        .metric_count = METRIC_COUNT, .supported = supported_function, .setup = setup_function, .run = run,         \
        .run_each = run_each, .read_metrics = read_metrics, .read_output = read_output, .teardown = teardown        \
    }

/* Every build lists every variant, so that a scenario may name them all: those of another processor are not
 * supported. */
#define DUAL "concept_lookup"
#define SINGLE "concept_lookup_single"
static const dm_kernel dual_scalar = KERNEL(DUAL, "exact_scalar", setup_dual_scalar, NULL);
static const dm_kernel dual_int8_scalar = KERNEL(DUAL, "exact_int8_scalar", setup_dual_int8_scalar, NULL);
static const dm_kernel dual_avx2 = KERNEL(DUAL, "exact_avx2", setup_dual_avx2, dm_isa_supported_avx2);
static const dm_kernel dual_int8_avx2 = KERNEL(DUAL, "exact_int8_avx2", setup_dual_int8_avx2, dm_isa_supported_avx2);
static const dm_kernel dual_avx512 = KERNEL(DUAL, "exact_avx512", setup_dual_avx512, dm_isa_supported_avx512);
static const dm_kernel dual_int8_avx512 = KERNEL(DUAL, "exact_int8_avx512", setup_dual_int8_avx512,
                                                 dm_isa_supported_avx512);
static const dm_kernel dual_int8_avx512vnni =
    KERNEL(DUAL, "exact_int8_avx512vnni", setup_dual_int8_avx512vnni, dm_isa_supported_avx512vnni);
static const dm_kernel dual_neon = KERNEL(DUAL, "exact_neon", setup_dual_neon, dm_isa_supported_neon);
static const dm_kernel dual_int8_neon = KERNEL(DUAL, "exact_int8_neon", setup_dual_int8_neon, dm_isa_supported_neon);
static const dm_kernel dual_auto = KERNEL(DUAL, "auto", setup_dual_auto, NULL);
static const dm_kernel single_scalar = KERNEL(SINGLE, "exact_scalar", setup_single_scalar, NULL);
static const dm_kernel single_int8_scalar = KERNEL(SINGLE, "exact_int8_scalar", setup_single_int8_scalar, NULL);
static const dm_kernel single_avx2 = KERNEL(SINGLE, "exact_avx2", setup_single_avx2, dm_isa_supported_avx2);
static const dm_kernel single_int8_avx2 = KERNEL(SINGLE, "exact_int8_avx2", setup_single_int8_avx2,
                                                 dm_isa_supported_avx2);
static const dm_kernel single_avx512 = KERNEL(SINGLE, "exact_avx512", setup_single_avx512, dm_isa_supported_avx512);
static const dm_kernel single_int8_avx512 =
    KERNEL(SINGLE, "exact_int8_avx512", setup_single_int8_avx512, dm_isa_supported_avx512);
static const dm_kernel single_int8_avx512vnni =
    KERNEL(SINGLE, "exact_int8_avx512vnni", setup_single_int8_avx512vnni, dm_isa_supported_avx512vnni);
static const dm_kernel single_neon = KERNEL(SINGLE, "exact_neon", setup_single_neon, dm_isa_supported_neon);
static const dm_kernel single_int8_neon = KERNEL(SINGLE, "exact_int8_neon", setup_single_int8_neon,
                                                 dm_isa_supported_neon);
static const dm_kernel single_auto = KERNEL(SINGLE, "auto", setup_single_auto, NULL);

const dm_kernel *const dm_concept_lookup_kernels[] = {
    &dual_scalar,   &dual_int8_scalar,   &dual_avx2,   &dual_int8_avx2,   &dual_avx512,   &dual_int8_avx512,
    &dual_int8_avx512vnni,   &dual_neon,   &dual_int8_neon,   &dual_auto,
    &single_scalar, &single_int8_scalar, &single_avx2, &single_int8_avx2, &single_avx512, &single_int8_avx512,
    &single_int8_avx512vnni, &single_neon, &single_int8_neon, &single_auto,
};
const size_t dm_concept_lookup_kernel_count = sizeof(dm_concept_lookup_kernels) / sizeof(dm_concept_lookup_kernels[0]);
