/* concept_lookup_graph.c: the kernels `concept_lookup_graph` (dual store) and `concept_lookup_graph_single` (its
 * single-type twin).
 *
 * One operation as in concept_lookup.c, with the graph in place of the exact scan. A kernel of its own, because it has
 * a parameter that a scan has no use for, `ef`, and an answer that is right only in part: recall is measured. The
 * graph is built once per build and case (`prepare`), not in every worker; one that is set up without a prepared file
 * builds its own. */
#include <stdio.h>
#include <string.h>

#include "index/graph.h"
#include "kernels/kernels.h"
#include "kernels/lookup_queries.h"
#include "kernels/stored_case.h"
#include "simd/codes.h"
#include "simd/isa.h"
#include "store/memory.h"
#include "store/poison.h"

enum { PARAMETER_K, PARAMETER_CONCEPTS, PARAMETER_EF };

struct dm_state {
    dm_memory memory;   /* of the graph and its scratch */
    dm_memory material; /* of the order, the results and the row map: what only a benchmark needs */
    dm_stored_case stored;
    const dm_graph_variant *variant;
    dm_graph *graph;
    dm_graph_scratch *scratch;
    uint32_t ef;
    dm_lookup_queries queries;
};

static void teardown(dm_state *state) {
    if (state == NULL) {
        return;
    }
    dm_graph_scratch_destroy(state->scratch, &state->memory);
    dm_graph_destroy(state->graph, &state->memory);
    dm_stored_case_destroy(&state->stored, &state->material);
    dm_lookup_queries_destroy(&state->queries, &state->material);
    dm_memory own = {0}; /* an account in the struct cannot outlive it */
    dm_memory_free(&own, state);
}

/* --- making ------------------------------------------------------------------------------------------------------- */

/* Levels are drawn from a seed of the index, not of the run: what was prepared is kept beyond the run, under a name
 * without seed. */
enum { LEVEL_SEED = 1 };

static int32_t build(dm_state *state, const dm_case *work, char *error, size_t error_size) {
    const dm_graph_options options = {.capacity = state->stored.rows.count,
                                      .ef_construction = DM_GRAPH_EF_CONSTRUCTION,
                                      .seed = LEVEL_SEED,
                                      .placement = work->placement};
    int32_t status = dm_graph_create(state->variant, &state->stored.rows, &options, &state->memory, &state->graph,
                                     error, error_size);
    return status == DM_OK ? dm_graph_build(state->graph, &state->stored.rows, NULL, &state->memory, error, error_size)
                           : status;
}

/* The store, and the graph over its concepts. */
static int32_t fill(dm_state *state, const dm_case *work, int32_t kind, char *error, size_t error_size) {
    uint64_t concepts = 0;
    int32_t status = dm_lookup_concepts(work, work->parameters[PARAMETER_CONCEPTS],
                                        (uint32_t)work->parameters[PARAMETER_K], &concepts, error, error_size);
    if (status == DM_OK) {
        status = dm_stored_case_create(work, concepts, kind, &state->material, &state->stored, error, error_size);
    }
    if (status == DM_OK) {
        status = work->prepared == NULL
                     ? build(state, work, error, error_size)
                     : dm_graph_from_image(state->variant, &state->stored.rows, work->prepared, work->prepared_size,
                                           work->placement, &state->memory, &state->graph, error, error_size);
    }
    if (status == DM_OK && dm_graph_size(state->graph) != state->stored.rows.count) {
        snprintf(error, error_size, "the prepared graph has %u rows, the case %u; prepare it anew",
                 dm_graph_size(state->graph), state->stored.rows.count);
        status = DM_ERROR_CORRUPT;
    }
    return status == DM_OK ? dm_graph_scratch_create(state->graph, &state->memory, &state->scratch, error, error_size)
                           : status;
}

static int32_t make_state(const dm_case *work, const dm_graph_variant *variant, int32_t kind, dm_state **state,
                          char *error, size_t error_size) {
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
    made->ef = (uint32_t)work->parameters[PARAMETER_EF];
    int32_t status = fill(made, work, kind, error, error_size);
    if (status != DM_OK) {
        teardown(made);
        return status;
    }
    *state = made;
    return DM_OK;
}

static int32_t setup(const dm_case *work, const dm_graph_variant *variant, int32_t kind, dm_state **state, char *error,
                     size_t error_size) {
    int32_t status = make_state(work, variant, kind, state, error, error_size);
    if (status == DM_OK) {
        status = dm_lookup_queries_create(work, (uint32_t)work->parameters[PARAMETER_K], &(*state)->material,
                                          &(*state)->queries, error, error_size);
    }
    if (status != DM_OK) {
        teardown(*state);
        *state = NULL;
    }
    return status;
}

/* --- preparing ---------------------------------------------------------------------------------------------------- */

/* Every variant makes the same graph; the machine's best makes it soonest. The twin's rows are the same, so is its
 * graph. */
static int32_t prepare(const dm_case *work, const char *path, char *error, size_t error_size) {
    dm_state *state = NULL;
    dm_case plain = *work;
    plain.prepared = NULL;
    int32_t status = make_state(&plain, dm_graph_best(), DM_STORED_DUAL, &state, error, error_size);
    if (status != DM_OK) {
        return status;
    }
    const size_t size = dm_graph_image_size(state->graph);
    uint8_t *image = dm_memory_allocate(&state->memory, size, DM_CACHE_LINE, 0);
    if (image == NULL) {
        snprintf(error, error_size, "no memory for an image of %zu bytes; use less data", size);
        status = DM_ERROR_MEMORY;
    } else {
        dm_graph_write_image(state->graph, state->scratch, image);
        status = dm_lookup_write_file(path, image, size, error, error_size);
    }
    dm_memory_free(&state->memory, image);
    teardown(state);
    return status;
}

/* --- running ------------------------------------------------------------------------------------------------------ */

/* One operation. */
static inline uint64_t look_up(dm_state *state, uint32_t query, uint64_t checksum) {
    dm_neighbour found[DM_GRAPH_K_MAX];
    uint32_t count = dm_graph_search(state->graph, state->scratch, dm_lookup_queries_at(&state->queries, query),
                                     state->queries.k, state->ef, found);
    state->queries.compared[query] = dm_graph_compared(state->scratch);
    state->queries.rescored[query] = dm_graph_rescored(state->scratch);
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

enum { METRIC_POPULATION, METRIC_BYTES, METRIC_MEMORY, METRIC_INDEX, METRIC_COMPARED, METRIC_RESCORED, METRIC_COUNT };

static int32_t read_metrics(dm_state *state, double *values, size_t count) {
    const double dim = (double)state->stored.rows.dim;
    const double code = (double)dm_code_stride(state->stored.rows.dim) + sizeof(float);
    const double compared = dm_lookup_queries_mean(&state->queries, state->queries.compared);
    const double rescored = dm_lookup_queries_mean(&state->queries, state->queries.rescored);
    const double index = (double)dm_memory_bytes(&state->memory);
    double all[METRIC_COUNT];
    all[METRIC_POPULATION] = (double)state->stored.population;
    all[METRIC_BYTES] = dim * (double)sizeof(float) * (rescored + 1.0) + compared * code;
    all[METRIC_MEMORY] = (double)dm_store_memory(state->stored.store).total + index;
    all[METRIC_INDEX] = index / (double)state->stored.rows.count;
    all[METRIC_COMPARED] = compared;
    all[METRIC_RESCORED] = rescored;
    memcpy(values, all, (count < METRIC_COUNT ? count : METRIC_COUNT) * sizeof(double));
    return DM_OK;
}

static int32_t read_output(dm_state *state, double *values, size_t count, size_t *needed) {
    return dm_lookup_queries_read(&state->queries, values, count, needed);
}

/* --- the rows of the table ---------------------------------------------------------------------------------------- */

static const dm_parameter parameters[] = {
    [PARAMETER_K] = {sizeof(dm_parameter), "k", 10, 1, DM_GRAPH_K_MAX, 1, "neighbours per query"},
    [PARAMETER_CONCEPTS] = {sizeof(dm_parameter), "concepts", 0, 0, 100000000, 1,
                            "rows of the data stored as concepts; 0: all"},
    [PARAMETER_EF] = {sizeof(dm_parameter), "ef", 64, 1, DM_GRAPH_EF_MAX, 1,
                      "candidates kept by the walk, at least k: more of them cost time and raise the recall"},
};

static const dm_metric metrics[METRIC_COUNT] = {
    [METRIC_POPULATION] = {sizeof(dm_metric), "population", "count", DM_BETTER_NEITHER, DM_SCOPE_CASE,
                           "nodes in the store: the concepts and as many episodes"},
    [METRIC_BYTES] = {sizeof(dm_metric), "bytes_per_operation", "B", DM_BETTER_LOWER, DM_SCOPE_CASE,
                      "query, codes compared and rows rescored"},
    [METRIC_MEMORY] = {sizeof(dm_metric), "memory_bytes", "B", DM_BETTER_LOWER, DM_SCOPE_CASE,
                       "store, graph and scratch"},
    [METRIC_INDEX] = {sizeof(dm_metric), "index_bytes_per_concept", "B", DM_BETTER_LOWER, DM_SCOPE_CASE,
                      "graph and scratch, without the embeddings"},
    [METRIC_COMPARED] = {sizeof(dm_metric), "compared_per_operation", "count", DM_BETTER_LOWER, DM_SCOPE_CASE,
                         "rows whose codes the walk compared, mean over the queries"},
    [METRIC_RESCORED] = {sizeof(dm_metric), "reranked_per_operation", "count", DM_BETTER_LOWER, DM_SCOPE_CASE,
                         "rows whose exact cosine was computed, mean over the queries"},
};

/* A variant is a kernel of its own: its setup is the only thing that knows which it is. */
#define SETUP(function, variant, kind)                                                               \
    static int32_t function(const dm_case *work, dm_state **state, char *error, size_t error_size) { \
        return setup(work, variant, kind, state, error, error_size);                                 \
    }
SETUP(setup_dual_scalar, dm_graph_find("scalar"), DM_STORED_DUAL)
SETUP(setup_dual_avx2, dm_graph_find("avx2"), DM_STORED_DUAL)
SETUP(setup_dual_avx512, dm_graph_find("avx512"), DM_STORED_DUAL)
SETUP(setup_dual_avx512vnni, dm_graph_find("avx512vnni"), DM_STORED_DUAL)
SETUP(setup_dual_neon, dm_graph_find("neon"), DM_STORED_DUAL)
SETUP(setup_dual_auto, dm_graph_best(), DM_STORED_DUAL)
SETUP(setup_single_scalar, dm_graph_find("scalar"), DM_STORED_SINGLE)
SETUP(setup_single_avx2, dm_graph_find("avx2"), DM_STORED_SINGLE)
SETUP(setup_single_avx512, dm_graph_find("avx512"), DM_STORED_SINGLE)
SETUP(setup_single_avx512vnni, dm_graph_find("avx512vnni"), DM_STORED_SINGLE)
SETUP(setup_single_neon, dm_graph_find("neon"), DM_STORED_SINGLE)
SETUP(setup_single_auto, dm_graph_best(), DM_STORED_SINGLE)

/* Tolerance 0: every variant returns the same rows in the same order. */
#define KERNEL(kernel_name, kernel_variant, setup_function, supported_function)                                     \
    {                                                                                                               \
        .size = sizeof(dm_kernel), .name = kernel_name, .variant = kernel_variant,                                  \
        .summary = "about the k nearest concepts of one query vector, by a graph", .tolerance = 0.0,                \
        .output = DM_OUTPUT_NEIGHBOURS, .needs_data = 1, .parameters = parameters,                                  \
        .parameter_count = sizeof(parameters) / sizeof(parameters[0]), .metrics = metrics,                          \
        .metric_count = METRIC_COUNT, .supported = supported_function, .prepare = prepare, .setup = setup_function, \
        .run = run, .run_each = run_each, .read_metrics = read_metrics, .read_output = read_output,                 \
        .teardown = teardown                                                                                        \
    }

/* Every build lists every variant, so that a scenario may name them all: those of another processor are not
 * supported. */
#define DUAL "concept_lookup_graph"
#define SINGLE "concept_lookup_graph_single"
static const dm_kernel dual_scalar = KERNEL(DUAL, "scalar", setup_dual_scalar, NULL);
static const dm_kernel dual_avx2 = KERNEL(DUAL, "avx2", setup_dual_avx2, dm_isa_supported_avx2);
static const dm_kernel dual_avx512 = KERNEL(DUAL, "avx512", setup_dual_avx512, dm_isa_supported_avx512);
static const dm_kernel dual_avx512vnni = KERNEL(DUAL, "avx512vnni", setup_dual_avx512vnni, dm_isa_supported_avx512vnni);
static const dm_kernel dual_neon = KERNEL(DUAL, "neon", setup_dual_neon, dm_isa_supported_neon);
static const dm_kernel dual_auto = KERNEL(DUAL, "auto", setup_dual_auto, NULL);
static const dm_kernel single_scalar = KERNEL(SINGLE, "scalar", setup_single_scalar, NULL);
static const dm_kernel single_avx2 = KERNEL(SINGLE, "avx2", setup_single_avx2, dm_isa_supported_avx2);
static const dm_kernel single_avx512 = KERNEL(SINGLE, "avx512", setup_single_avx512, dm_isa_supported_avx512);
static const dm_kernel single_avx512vnni = KERNEL(SINGLE, "avx512vnni", setup_single_avx512vnni,
                                                  dm_isa_supported_avx512vnni);
static const dm_kernel single_neon = KERNEL(SINGLE, "neon", setup_single_neon, dm_isa_supported_neon);
static const dm_kernel single_auto = KERNEL(SINGLE, "auto", setup_single_auto, NULL);

const dm_kernel *const dm_concept_lookup_graph_kernels[] = {
    &dual_scalar,   &dual_avx2,   &dual_avx512,   &dual_avx512vnni,   &dual_neon,   &dual_auto,
    &single_scalar, &single_avx2, &single_avx512, &single_avx512vnni, &single_neon, &single_auto,
};
const size_t dm_concept_lookup_graph_kernel_count =
    sizeof(dm_concept_lookup_graph_kernels) / sizeof(dm_concept_lookup_graph_kernels[0]);
