/* concept_lookup_at_recall.c: the kernels `concept_lookup_at_recall` (dual store) and
 * `concept_lookup_at_recall_single` (its single-type twin).
 *
 * One operation as in concept_lookup.c, by an index that is told what share of the nearest it shall find and chooses
 * how. What is asked for is the parameter, so methods, sizes and data can be compared at equal worth. The index is
 * planned and built once per build and case (`prepare`), and what that took is kept beside it. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "index/index.h"
#include "kernels/kernels.h"
#include "kernels/lookup_queries.h"
#include "kernels/stored_case.h"
#include "kernels/workload.h"
#include "simd/codes.h"
#include "simd/isa.h"
#include "store/memory.h"
#include "store/poison.h"

enum { PARAMETER_K, PARAMETER_CONCEPTS, PARAMETER_RECALL, PARAMETER_THREADS };

/* What planning and building took. */
typedef struct seconds {
    double processor;
    double elapsed;
} seconds;

struct dm_state {
    dm_memory memory;   /* of the index and its scratch */
    dm_memory material; /* of what only a benchmark needs */
    dm_stored_case stored;
    dm_index *index;
    dm_index_scratch *scratch;
    seconds built;
    dm_lookup_queries queries;
};

/* Before the image of the index in a prepared file. */
typedef struct preface {
    char magic[8];
    seconds built;
    uint8_t padding[40]; /* 0: the image begins at a cache line */
} preface;

static const char MAGIC[8] = {'d', 'm', 'l', 'o', 'o', 'k', 'u', 'p'};

/* What a row of the table is. */
typedef struct choice {
    dm_method method;
    dm_isa most; /* DM_ISA_BASELINE: the best that the machine has */
    int32_t kind;
} choice;

static void teardown(dm_state *state) {
    if (state == NULL) {
        return;
    }
    dm_index_scratch_destroy(state->scratch, &state->memory);
    dm_index_destroy(state->index, &state->memory);
    dm_stored_case_destroy(&state->stored, &state->material);
    dm_lookup_queries_destroy(&state->queries, &state->material);
    dm_memory own = {0}; /* an account in the struct cannot outlive it */
    dm_memory_free(&own, state);
}

/* --- making ------------------------------------------------------------------------------------------------------- */

/* Of the index, not of the run: what was prepared is kept beyond the run, under a name without seed. */
enum { INDEX_SEED = 1 };

static dm_isa isa_of(choice chosen) {
    return chosen.most == DM_ISA_BASELINE ? dm_exact_best()->isa : chosen.most;
}

static double read_clock(clockid_t clock) {
    struct timespec now;
    (void)clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Other processes cost the processor time nothing; what a second thread is worth the elapsed time alone tells. */
static seconds seconds_now(void) {
    return (seconds){read_clock(CLOCK_PROCESS_CPUTIME_ID), read_clock(CLOCK_MONOTONIC)};
}

static int32_t build(dm_state *state, const dm_case *work, choice chosen, char *error, size_t error_size) {
    const dm_index_options options = {.method = chosen.method,
                                      .recall = work->parameters[PARAMETER_RECALL],
                                      .k = (uint32_t)work->parameters[PARAMETER_K],
                                      .capacity = state->stored.rows.count,
                                      .seed = INDEX_SEED,
                                      .placement = work->placement,
                                      .isa = isa_of(chosen)};
    const uint32_t threads = (uint32_t)work->parameters[PARAMETER_THREADS];
    dm_team *team = NULL;
    int32_t status = threads > 1 ? dm_workload_team(threads, &team, error, error_size) : DM_OK;
    if (status == DM_OK) {
        const seconds begin = seconds_now();
        status = dm_index_create(&state->stored.rows, &options, team, &state->memory, &state->index, error, error_size);
        const seconds end = seconds_now();
        state->built = (seconds){end.processor - begin.processor, end.elapsed - begin.elapsed};
    }
    dm_team_destroy(team);
    return status;
}

static int32_t load(dm_state *state, const dm_case *work, choice chosen, char *error, size_t error_size) {
    preface before;
    if (work->prepared_size < sizeof(before) || memcmp(work->prepared, MAGIC, sizeof(MAGIC)) != 0) {
        snprintf(error, error_size, "the prepared file is not one of this kernel; prepare it anew");
        return DM_ERROR_CORRUPT;
    }
    memcpy(&before, work->prepared, sizeof(before));
    state->built = before.built;
    return dm_index_from_image(&state->stored.rows, (const uint8_t *)work->prepared + sizeof(before),
                               work->prepared_size - sizeof(before), isa_of(chosen), work->placement, &state->memory,
                               &state->index, error, error_size);
}

/* The store, and the index over its concepts. */
static int32_t fill(dm_state *state, const dm_case *work, choice chosen, char *error, size_t error_size) {
    uint64_t concepts = 0;
    int32_t status = dm_lookup_concepts(work, work->parameters[PARAMETER_CONCEPTS],
                                        (uint32_t)work->parameters[PARAMETER_K], &concepts, error, error_size);
    if (status == DM_OK) {
        status = dm_stored_case_create(work, concepts, chosen.kind, &state->material, &state->stored, error,
                                       error_size);
    }
    if (status == DM_OK) {
        status = work->prepared == NULL ? build(state, work, chosen, error, error_size)
                                        : load(state, work, chosen, error, error_size);
    }
    return status == DM_OK ? dm_index_scratch_create(state->index, &state->memory, &state->scratch, error, error_size)
                           : status;
}

static int32_t make_state(const dm_case *work, choice chosen, dm_state **state, char *error, size_t error_size) {
    *state = NULL;
    int32_t status = dm_isa_require(chosen.most, error, error_size);
    if (status != DM_OK) {
        return status;
    }
    dm_memory own = {0};
    dm_state *made = dm_memory_allocate(&own, sizeof(*made), DM_CACHE_LINE, 0);
    if (made == NULL) {
        snprintf(error, error_size, "no memory for a state of %zu bytes", sizeof(*made));
        return DM_ERROR_MEMORY;
    }
    status = fill(made, work, chosen, error, error_size);
    if (status != DM_OK) {
        teardown(made);
        return status;
    }
    *state = made;
    return DM_OK;
}

static int32_t setup(const dm_case *work, choice chosen, dm_state **state, char *error, size_t error_size) {
    int32_t status = make_state(work, chosen, state, error, error_size);
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

/* The twin's rows are the same, so is its index. */
static int32_t prepare(const dm_case *work, choice chosen, const char *path, char *error, size_t error_size) {
    dm_state *state = NULL;
    dm_case plain = *work;
    plain.prepared = NULL;
    int32_t status = make_state(&plain, chosen, &state, error, error_size);
    if (status != DM_OK) {
        return status;
    }
    const size_t size = sizeof(preface) + dm_index_image_size(state->index);
    uint8_t *image = dm_memory_allocate(&state->memory, size, DM_CACHE_LINE, 0);
    if (image == NULL) {
        snprintf(error, error_size, "no memory for an image of %zu bytes; use less data", size);
        status = DM_ERROR_MEMORY;
    } else {
        memcpy(image, MAGIC, sizeof(MAGIC));
        memcpy(image + sizeof(MAGIC), &state->built, sizeof(seconds));
        dm_index_write_image(state->index, state->scratch, image + sizeof(preface));
        status = dm_lookup_write_file(path, image, size, error, error_size);
    }
    dm_memory_free(&state->memory, image);
    teardown(state);
    return status;
}

/* --- running ------------------------------------------------------------------------------------------------------ */

/* One operation. */
static inline uint64_t look_up(dm_state *state, uint32_t query, uint64_t checksum) {
    dm_neighbour found[DM_EXACT_K_MAX];
    uint32_t count = dm_index_search(state->index, state->scratch, dm_lookup_queries_at(&state->queries, query),
                                     state->queries.k, found);
    state->queries.compared[query] = dm_index_compared(state->scratch);
    state->queries.rescored[query] = dm_index_rescored(state->scratch);
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

enum {
    METRIC_POPULATION,
    METRIC_BYTES,
    METRIC_MEMORY,
    METRIC_INDEX,
    METRIC_COMPARED,
    METRIC_RESCORED,
    METRIC_EFFORT,
    METRIC_METHOD,
    METRIC_DIMS,
    METRIC_RECALL,
    METRIC_BUILD,
    METRIC_ELAPSED,
    METRIC_COUNT
};

static int32_t read_metrics(dm_state *state, double *values, size_t count) {
    const dm_plan *plan = dm_index_plan(state->index);
    const double dim = (double)state->stored.rows.dim;
    const double code = (double)dm_code_stride(plan->dims != 0 ? plan->dims : state->stored.rows.dim) + sizeof(float);
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
    all[METRIC_EFFORT] = (double)plan->effort;
    all[METRIC_METHOD] = (double)plan->method;
    all[METRIC_DIMS] = (double)plan->dims;
    all[METRIC_RECALL] = plan->recall;
    all[METRIC_BUILD] = state->built.processor;
    all[METRIC_ELAPSED] = state->built.elapsed;
    memcpy(values, all, (count < METRIC_COUNT ? count : METRIC_COUNT) * sizeof(double));
    return DM_OK;
}

static int32_t read_output(dm_state *state, double *values, size_t count, size_t *needed) {
    return dm_lookup_queries_read(&state->queries, values, count, needed);
}

/* --- the rows of the table ---------------------------------------------------------------------------------------- */

static const dm_parameter parameters[] = {
    [PARAMETER_K] = {sizeof(dm_parameter), "k", 10, 1, DM_EXACT_K_MAX, 1, "neighbours per query"},
    [PARAMETER_CONCEPTS] = {sizeof(dm_parameter), "concepts", 0, 0, 100000000, 1,
                            "rows of the data stored as concepts; 0: all"},
    [PARAMETER_RECALL] = {sizeof(dm_parameter), "recall", 0.95, 0, 1, 0,
                          "share of the true k nearest that the search shall find"},
    [PARAMETER_THREADS] = {sizeof(dm_parameter), "threads", 1, 1, 64, 1,
                           "threads that build the index; of more than one, which graph depends on who is first"},
};

static const dm_metric metrics[METRIC_COUNT] = {
    [METRIC_POPULATION] = {sizeof(dm_metric), "population", "count", DM_BETTER_NEITHER, DM_SCOPE_CASE,
                           "nodes in the store: the concepts and as many episodes"},
    [METRIC_BYTES] = {sizeof(dm_metric), "bytes_per_operation", "B", DM_BETTER_LOWER, DM_SCOPE_CASE,
                      "query, codes compared and rows rescored"},
    [METRIC_MEMORY] = {sizeof(dm_metric), "memory_bytes", "B", DM_BETTER_LOWER, DM_SCOPE_CASE,
                       "store, index and scratch"},
    [METRIC_INDEX] = {sizeof(dm_metric), "index_bytes_per_concept", "B", DM_BETTER_LOWER, DM_SCOPE_CASE,
                      "index and scratch, without the embeddings"},
    [METRIC_COMPARED] = {sizeof(dm_metric), "compared_per_operation", "count", DM_BETTER_LOWER, DM_SCOPE_CASE,
                         "rows whose codes were compared, mean over the queries"},
    [METRIC_RESCORED] = {sizeof(dm_metric), "reranked_per_operation", "count", DM_BETTER_LOWER, DM_SCOPE_CASE,
                         "rows whose exact cosine was computed, mean over the queries"},
    [METRIC_EFFORT] = {sizeof(dm_metric), "effort", "count", DM_BETTER_LOWER, DM_SCOPE_CASE,
                       "of the plan: ef of a graph, lists visited, 0 of an exact scan"},
    [METRIC_METHOD] = {sizeof(dm_metric), "method", "1", DM_BETTER_NEITHER, DM_SCOPE_CASE,
                       "of the plan: 0 none, 1 exact, 2 lists, 3 graph"},
    [METRIC_DIMS] = {sizeof(dm_metric), "projected_dims", "count", DM_BETTER_NEITHER, DM_SCOPE_CASE,
                     "dimensions that the codes are of; 0: all"},
    [METRIC_RECALL] = {sizeof(dm_metric), "held_out_recall", "1", DM_BETTER_HIGHER, DM_SCOPE_CASE,
                       "mean recall of rows held out when the plan was made"},
    [METRIC_BUILD] = {sizeof(dm_metric), "build_seconds", "s", DM_BETTER_LOWER, DM_SCOPE_MACHINE,
                      "planning and building, processor time of all threads"},
    [METRIC_ELAPSED] = {sizeof(dm_metric), "build_elapsed_seconds", "s", DM_BETTER_LOWER, DM_SCOPE_MACHINE,
                        "planning and building, from begin to end"},
};

/* A variant is a kernel of its own: its callbacks are the only ones that know which it is. */
#define CALLBACKS(name, method, most)                                                                           \
    static int32_t prepare_##name(const dm_case *work, const char *path, char *error, size_t error_size) {      \
        return prepare(work, (choice){method, most, DM_STORED_DUAL}, path, error, error_size);                  \
    }                                                                                                           \
    static int32_t setup_dual_##name(const dm_case *work, dm_state **state, char *error, size_t error_size) {   \
        return setup(work, (choice){method, most, DM_STORED_DUAL}, state, error, error_size);                   \
    }                                                                                                           \
    static int32_t setup_single_##name(const dm_case *work, dm_state **state, char *error, size_t error_size) { \
        return setup(work, (choice){method, most, DM_STORED_SINGLE}, state, error, error_size);                 \
    }
CALLBACKS(auto, DM_METHOD_AUTO, DM_ISA_BASELINE)
CALLBACKS(auto_avx2, DM_METHOD_AUTO, DM_ISA_AVX2)
CALLBACKS(exact, DM_METHOD_EXACT, DM_ISA_BASELINE)
CALLBACKS(lists, DM_METHOD_LISTS, DM_ISA_BASELINE)
CALLBACKS(graph, DM_METHOD_GRAPH, DM_ISA_BASELINE)

/* Tolerance 0: the same rows in the same order on every machine. */
#define KERNEL(kernel_name, kernel_variant, prepare_function, setup_function, supported_function)                   \
    {                                                                                                               \
        .size = sizeof(dm_kernel), .name = kernel_name, .variant = kernel_variant,                                  \
        .summary = "an asked share of the k nearest concepts of one query vector", .tolerance = 0.0,                \
        .output = DM_OUTPUT_NEIGHBOURS, .needs_data = 1, .parameters = parameters,                                  \
        .parameter_count = sizeof(parameters) / sizeof(parameters[0]), .metrics = metrics,                          \
        .metric_count = METRIC_COUNT, .supported = supported_function, .prepare = prepare_function,                 \
        .setup = setup_function, .run = run, .run_each = run_each, .read_metrics = read_metrics,                    \
        .read_output = read_output, .teardown = teardown                                                            \
    }

#define DUAL "concept_lookup_at_recall"
#define SINGLE "concept_lookup_at_recall_single"
static const dm_kernel dual_auto = KERNEL(DUAL, "auto", prepare_auto, setup_dual_auto, NULL);
static const dm_kernel dual_auto_avx2 = KERNEL(DUAL, "auto_avx2", prepare_auto_avx2, setup_dual_auto_avx2,
                                               dm_isa_supported_avx2);
static const dm_kernel dual_exact = KERNEL(DUAL, "exact", prepare_exact, setup_dual_exact, NULL);
static const dm_kernel dual_lists = KERNEL(DUAL, "lists", prepare_lists, setup_dual_lists, NULL);
static const dm_kernel dual_graph = KERNEL(DUAL, "graph", prepare_graph, setup_dual_graph, NULL);
static const dm_kernel single_auto = KERNEL(SINGLE, "auto", prepare_auto, setup_single_auto, NULL);
static const dm_kernel single_auto_avx2 =
    KERNEL(SINGLE, "auto_avx2", prepare_auto_avx2, setup_single_auto_avx2, dm_isa_supported_avx2);
static const dm_kernel single_exact = KERNEL(SINGLE, "exact", prepare_exact, setup_single_exact, NULL);
static const dm_kernel single_lists = KERNEL(SINGLE, "lists", prepare_lists, setup_single_lists, NULL);
static const dm_kernel single_graph = KERNEL(SINGLE, "graph", prepare_graph, setup_single_graph, NULL);

const dm_kernel *const dm_concept_lookup_at_recall_kernels[] = {
    &dual_auto,   &dual_auto_avx2,   &dual_exact,   &dual_lists,   &dual_graph,
    &single_auto, &single_auto_avx2, &single_exact, &single_lists, &single_graph,
};
const size_t dm_concept_lookup_at_recall_kernel_count =
    sizeof(dm_concept_lookup_at_recall_kernels) / sizeof(dm_concept_lookup_at_recall_kernels[0]);
