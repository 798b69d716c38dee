/* concept_formation.c: one clustering call over episodes of a store.
 *
 * The episodes are the first rows of the data, last accessed at seeded times within `hours`. Each operation gets the
 * same slots in a seeded order, begun one place further than the last time, as a caller's list has no order to count
 * on. Labels and clusters are part of the checksum, by place in the list. */
#include <string.h>

#include "formation/former.h"
#include "kernels/kernels.h"
#include "kernels/workload.h"
#include "simd/isa.h"

#include "store/poison.h"

enum { PARAMETER_EPISODES, PARAMETER_HOURS, PARAMETER_THREADS };

struct dm_state {
    dm_workload workload;
    dm_former *former;
    dm_team *team;
    uint32_t *slots; /* the list twice, so that every rotation of it lies in one piece */
    uint32_t count;
    uint32_t first;
    uint32_t most_concepts;
    dm_clustering result; /* of the last operation */
    char error[128];
};

static void teardown(dm_state *state) {
    if (state != NULL) {
        dm_former_destroy(state->former);
        dm_team_destroy(state->team);
        dm_memory_free(&state->workload.memory, state->slots);
        dm_workload_destroy(&state->workload);
        dm_workload_free_state(state, sizeof(*state));
    }
}

static int32_t list_episodes(dm_state *state, double hours, char *error, size_t error_size) {
    dm_workload *workload = &state->workload;
    const uint32_t count = state->count;
    state->slots = dm_memory_allocate(&workload->memory, 2 * (size_t)count * sizeof(uint32_t), DM_CACHE_LINE, 0);
    if (state->slots == NULL) {
        return dm_fail(DM_ERROR_MEMORY, error, error_size, "no memory for a list of %u episodes", count);
    }
    for (uint32_t i = 0; i < count; i++) { /* Fisher & Yates, inside out */
        const uint32_t other = (uint32_t)dm_workload_random(workload, i + 1);
        state->slots[i] = state->slots[other];
        state->slots[other] = i;
        const uint64_t seconds = 1 + (uint64_t)(hours * 3600.0);
        dm_store_touch(workload->store, i, dm_workload_random(workload, seconds) * UINT64_C(1000000000));
    }
    memcpy(state->slots + count, state->slots, count * sizeof(uint32_t));
    return DM_OK;
}

static int32_t fill(dm_state *state, const dm_case *work, const char *variant, char *error, size_t error_size) {
    const uint64_t asked = (uint64_t)work->parameters[PARAMETER_EPISODES];
    const uint64_t count = asked == 0 ? work->data.rows : asked;
    const uint32_t threads = (uint32_t)work->parameters[PARAMETER_THREADS];
    if (count < 1 || count > work->data.rows || count > DM_FORMER_EPISODES_MAX) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size,
                       "%llu episodes from %llu rows: give at least as many rows, and at most %d episodes",
                       (unsigned long long)count, (unsigned long long)work->data.rows, DM_FORMER_EPISODES_MAX);
    }
    state->count = (uint32_t)count;
    int32_t status = dm_workload_create(&state->workload, work, 0, state->count, 0, error, error_size);
    if (status == DM_OK) {
        status = list_episodes(state, work->parameters[PARAMETER_HOURS], error, error_size);
    }
    if (status == DM_OK) {
        dm_former_options options = dm_former_defaults((uint32_t)work->data.columns, state->count);
        options.placement = work->placement;
        state->most_concepts = options.most_concepts;
        status = dm_former_create_as(&options, variant, &state->former, error, error_size);
    }
    if (status == DM_OK && threads > 1) {
        status = dm_workload_team(threads, &state->team, error, error_size);
    }
    return status;
}

static int32_t setup(const dm_case *work, const char *variant, dm_state **result, char *error, size_t error_size) {
    *result = NULL;
    const dm_gram_variant *found = dm_gram_find(variant);
    if (found == NULL || !dm_isa_has(found->isa)) { /* NULL: this build is for another processor */
        return dm_workload_refuse_variant(error, error_size);
    }
    dm_state *state = dm_workload_state(sizeof(*state), error, error_size);
    if (state == NULL) {
        return DM_ERROR_MEMORY;
    }
    int32_t status = fill(state, work, variant, error, error_size);
    if (status != DM_OK) {
        teardown(state);
        return status;
    }
    *result = state;
    return DM_OK;
}

static uint64_t fold(uint64_t checksum, uint64_t value) {
    return (checksum ^ value) * UINT64_C(0x100000001b3); /* FNV-1a, a number at a time */
}

static uint64_t run(dm_state *state, uint64_t iterations) {
    uint64_t checksum = 0;
    for (uint64_t i = 0; i < iterations; i++) {
        const int32_t status =
            dm_former_cluster(state->former, state->workload.store, state->slots + state->first, state->count, state->team,
                              &state->result, state->error, sizeof(state->error));
        state->first = state->first + 1 < state->count ? state->first + 1 : 0;
        checksum = fold(checksum, (uint64_t)status);
        for (uint32_t episode = 0; status == DM_OK && episode < state->count; episode++) {
            checksum = fold(checksum, state->result.labels[episode]);
        }
        for (uint32_t c = 0; c < state->result.cluster_count; c++) {
            uint64_t bits;
            memcpy(&bits, &state->result.clusters[c].coherence, sizeof(bits));
            checksum = fold(fold(checksum, state->result.clusters[c].label), bits);
        }
    }
    return checksum;
}

enum { METRIC_POPULATION, METRIC_MEMORY, METRIC_CLUSTERS, METRIC_CONCEPTS, METRIC_COUNT };

static int32_t read_metrics(dm_state *state, double *values, size_t count) {
    double all[METRIC_COUNT];
    all[METRIC_POPULATION] = (double)dm_store_population(state->workload.store).nodes;
    all[METRIC_MEMORY] = (double)dm_store_memory(state->workload.store).total + (double)dm_former_memory(state->former);
    all[METRIC_CLUSTERS] = (double)state->result.label_count;
    all[METRIC_CONCEPTS] = (double)state->result.cluster_count;
    memcpy(values, all, (count < METRIC_COUNT ? count : METRIC_COUNT) * sizeof(double));
    return DM_OK;
}

/* The label of each episode, by row of the data; then the coherences of what would become concepts, best first, and zeros. */
static int32_t read_output(dm_state *state, double *values, size_t count, size_t *needed) {
    const uint32_t last = state->first > 0 ? state->first - 1 : state->count - 1;
    *needed = state->count + state->most_concepts;
    for (size_t c = 0; c < state->most_concepts && state->count + c < count; c++) {
        values[state->count + c] = c < state->result.cluster_count ? state->result.clusters[c].coherence : 0.0;
    }
    for (uint32_t i = 0; i < state->count; i++) {
        const uint32_t row = state->slots[last + i];
        if (row < count && state->result.labels != NULL) {
            values[row] = state->result.labels[i];
        }
    }
    return DM_OK;
}

static const dm_parameter parameters[] = {
    [PARAMETER_EPISODES] = {.size = sizeof(dm_parameter), .name = "episodes", .default_value = 0, .minimum = 0,
                            .maximum = DM_FORMER_EPISODES_MAX, .integer = 1,
                            .meaning = "episodes clustered; 0: every row of the data"},
    [PARAMETER_HOURS] = {.size = sizeof(dm_parameter), .name = "hours", .default_value = 24, .minimum = 0, .maximum = 1e6,
                         .meaning = "the last accesses are spread over so many hours"},
    [PARAMETER_THREADS] = {.size = sizeof(dm_parameter), .name = "threads", .default_value = 1, .minimum = 1, .maximum = 64,
                           .integer = 1, .meaning = "threads of the team"},
};

static const dm_metric metrics[METRIC_COUNT] = {
    [METRIC_POPULATION] = {sizeof(dm_metric), "population", "count", DM_BETTER_NEITHER, DM_SCOPE_CASE, "episodes stored"},
    [METRIC_MEMORY] = {sizeof(dm_metric), "memory_bytes", "B", DM_BETTER_LOWER, DM_SCOPE_CASE,
                       "store and workspace; most of the latter is address space that this data does not use"},
    [METRIC_CLUSTERS] = {sizeof(dm_metric), "clusters", "count", DM_BETTER_NEITHER, DM_SCOPE_CASE,
                         "clusters, those of one episode included"},
    [METRIC_CONCEPTS] = {sizeof(dm_metric), "concepts", "count", DM_BETTER_NEITHER, DM_SCOPE_CASE,
                         "clusters that would become concepts"},
};

#define SETUP(function, variant)                                                                      \
    static int32_t function(const dm_case *work, dm_state **state, char *error, size_t error_size) { \
        return setup(work, variant, state, error, error_size);                                       \
    }
SETUP(setup_scalar, "scalar")
SETUP(setup_avx2, "avx2")
SETUP(setup_avx512, "avx512")
SETUP(setup_neon, "neon")
SETUP(setup_auto, dm_gram_best()->name)

#define KERNEL(kernel_variant, most_difference, setup_function, supported_function)                                   \
    {                                                                                                                 \
        .size = sizeof(dm_kernel), .name = "concept_formation", .variant = kernel_variant,                            \
        .summary = "cluster the episodes by average linkage, from vectors to labels", .tolerance = most_difference,   \
        .output = DM_OUTPUT_VALUES, .needs_data = 1, .parameters = parameters,                                        \
        .parameter_count = sizeof(parameters) / sizeof(parameters[0]), .metrics = metrics,                            \
        .metric_count = METRIC_COUNT, .supported = supported_function, .setup = setup_function, .run = run,           \
        .read_metrics = read_metrics, .read_output = read_output, .teardown = teardown                                \
    }

/* Every build lists every variant, so that a scenario may name them all: those of another processor are not supported. */
static const dm_kernel scalar = KERNEL("scalar", 0.0, setup_scalar, NULL);
static const dm_kernel avx2 = KERNEL("avx2", 0.0, setup_avx2, dm_isa_supported_avx2);
static const dm_kernel avx512 = KERNEL("avx512", 0.0, setup_avx512, dm_isa_supported_avx512);
static const dm_kernel neon = KERNEL("neon", 0.0, setup_neon, dm_isa_supported_neon);
/* For comparison with a library whose float32 cosines differ in the last bits: labels must still be equal, coherences nearly so. */
static const dm_kernel by_value = KERNEL("by_value", 1e-6, setup_auto, NULL);
static const dm_kernel automatic = KERNEL("auto", 0.0, setup_auto, NULL);

const dm_kernel *const dm_concept_formation_kernels[] = {&scalar, &avx2, &avx512, &neon, &by_value, &automatic};
const size_t dm_concept_formation_kernel_count =
    sizeof(dm_concept_formation_kernels) / sizeof(dm_concept_formation_kernels[0]);
