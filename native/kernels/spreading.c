/* spreading.c: the kernel `spreading`: one operation is one spread of activation from a few concepts.
 *
 * The graph is the workload's (each concept bound to 1..fan episodes that follow one another) with two lateral associations
 * for each concept and a chain through the episodes in the order of their coming. The cues go through the concepts in
 * random order. A spread changes nothing in the store, so nothing drifts. */
#include <string.h>

#include "graph/spreading.h"
#include "kernels/kernels.h"
#include "kernels/workload.h"

#include "store/poison.h"

enum { PARAMETER_CONCEPTS, PARAMETER_FAN, PARAMETER_CUES, PARAMETER_THREADS, PARAMETER_COUNT };
enum { CUES_MOST = 64, LATERAL = 2 };

typedef dm_spread_result spread_function(dm_spreader *spreader, const dm_cue *cues, size_t count, dm_team *team);

struct dm_state {
    dm_workload workload;
    dm_spreader *spreader;
    dm_team *team;
    uint32_t cues;
};

static const dm_parameter parameters[PARAMETER_COUNT] = {
    [PARAMETER_CONCEPTS] = {.size = sizeof(dm_parameter), .name = "concepts", .default_value = 1000, .minimum = 3,
                            .maximum = 1e7, .integer = 1,
                            .meaning = "concepts stored, and as many episodes (or `fan` of them if that is more)"},
    [PARAMETER_FAN] = {.size = sizeof(dm_parameter), .name = "fan", .default_value = 8, .minimum = 1, .maximum = 256,
                       .integer = 1, .meaning = "most episodes bound to a concept; each has 1..fan"},
    [PARAMETER_CUES] = {.size = sizeof(dm_parameter), .name = "cues", .default_value = 2, .minimum = 1,
                        .maximum = CUES_MOST, .integer = 1, .meaning = "concepts that a spread begins from"},
    [PARAMETER_THREADS] = {.size = sizeof(dm_parameter), .name = "threads", .default_value = 1, .minimum = 1, .maximum = 64,
                           .integer = 1, .meaning = "threads of the team"},
};

static void teardown(dm_state *state) {
    if (state != NULL) {
        dm_spreader_destroy(state->spreader);
        dm_team_destroy(state->team);
        dm_workload_destroy(&state->workload);
        dm_workload_free_state(state, sizeof(*state));
    }
}

static float weight(dm_workload *workload) {
    return 0.25f + (float)dm_workload_random(workload, 512) / 1024.0f;
}

static int32_t associate(dm_workload *workload, char *error, size_t error_size) {
    int32_t status = DM_OK;
    for (uint32_t c = 0; status == DM_OK && c < workload->concepts; c++) {
        for (uint32_t j = 0; status == DM_OK && j < LATERAL; j++) {
            uint32_t other = (uint32_t)dm_workload_random(workload, workload->concepts - 1);
            other += other >= c; /* any but itself */
            status = dm_store_associate(workload->store, dm_concept_slot(c), dm_concept_slot(other), weight(workload), error,
                                        error_size);
        }
    }
    for (uint32_t e = 0; status == DM_OK && e + 1 < workload->episodes; e++) {
        status = dm_store_associate(workload->store, e, e + 1, weight(workload), error, error_size);
    }
    return status;
}

static int32_t fill(dm_state *state, const dm_case *work, char *error, size_t error_size) {
    dm_workload *workload = &state->workload;
    const uint32_t concepts = (uint32_t)work->parameters[PARAMETER_CONCEPTS];
    const uint32_t fan = (uint32_t)work->parameters[PARAMETER_FAN];
    const uint32_t threads = (uint32_t)work->parameters[PARAMETER_THREADS];
    state->cues = (uint32_t)work->parameters[PARAMETER_CUES];
    int32_t status = dm_workload_create(workload, work, concepts, concepts > fan ? concepts : fan, 0, error, error_size);
    if (status == DM_OK) {
        status = dm_workload_bind(workload, fan, 1, error, error_size);
    }
    if (status == DM_OK) {
        status = associate(workload, error, error_size);
    }
    if (status == DM_OK) {
        status = dm_workload_sequence(workload, concepts, error, error_size);
    }
    if (status == DM_OK) {
        dm_spread_options options = dm_spread_defaults();
        options.placement = work->placement;
        status = dm_spreader_create(workload->store, &options, &state->spreader, error, error_size);
    }
    if (status == DM_OK && threads > 1) {
        status = dm_workload_team(threads, &state->team, error, error_size);
    }
    return status;
}

static int32_t setup(const dm_case *work, dm_state **result, char *error, size_t error_size) {
    *result = NULL;
    dm_state *state = dm_workload_state(sizeof(*state), error, error_size);
    if (state == NULL) {
        return DM_ERROR_MEMORY;
    }
    int32_t status = fill(state, work, error, error_size);
    if (status != DM_OK) {
        teardown(state);
        return status;
    }
    *result = state;
    return DM_OK;
}

static dm_spread_result spread_at(dm_state *state, uint64_t cursor, spread_function *spread) {
    dm_cue cues[CUES_MOST];
    const dm_workload *workload = &state->workload;
    for (uint32_t i = 0; i < state->cues; i++) {
        cues[i] = (dm_cue){dm_concept_slot(workload->sequence[(cursor + i) & (workload->length - 1)]), 1.0f};
    }
    return spread(state->spreader, cues, state->cues, state->team);
}

static uint64_t run(dm_state *state, uint64_t iterations, spread_function *spread) {
    uint64_t checksum = 0;
    for (uint64_t i = 0; i < iterations; i++) {
        const dm_spread_result result = spread_at(state, state->workload.cursor, spread);
        for (uint32_t n = 0; n < result.count; n++) {
            const dm_spread_node *node = &result.nodes[n];
            checksum += ((uint64_t)node->slot << 8 | node->hop) * dm_bits_from_float(node->activation);
        }
        checksum += result.edges;
        state->workload.cursor += state->cues;
    }
    return checksum;
}

static uint64_t run_portable(dm_state *state, uint64_t iterations) {
    return run(state, iterations, dm_spread_plain);
}

static uint64_t run_auto(dm_state *state, uint64_t iterations) {
    return run(state, iterations, dm_spread);
}

static uint64_t run_prefetched(dm_state *state, uint64_t iterations) {
    return run(state, iterations, dm_spread_prefetched);
}

enum { METRIC_POPULATION, METRIC_MEMORY, METRIC_EDGES, METRIC_REACHED, METRIC_COUNT };

static const dm_metric metrics[METRIC_COUNT] = {
    [METRIC_POPULATION] = {sizeof(dm_metric), "population", "count", DM_BETTER_NEITHER, DM_SCOPE_CASE, "nodes stored"},
    [METRIC_MEMORY] = {sizeof(dm_metric), "memory_bytes", "B", DM_BETTER_LOWER, DM_SCOPE_CASE,
                       "bytes of the store and of what spreading works in; the access sequence is not in it"},
    [METRIC_EDGES] = {sizeof(dm_metric), "edges_per_operation", "count", DM_BETTER_NEITHER, DM_SCOPE_CASE,
                      "edges that a spread follows, mean of the first 64"},
    [METRIC_REACHED] = {sizeof(dm_metric), "reached_per_operation", "count", DM_BETTER_NEITHER, DM_SCOPE_CASE,
                        "nodes that a spread activates, mean of the first 64"},
};

static int32_t read_metrics(dm_state *state, double *values, size_t count) {
    enum { FIRST = 64 }; /* always the same ones, so that the mean does not depend on how long the kernel ran */
    double all[METRIC_COUNT] = {0};
    for (uint64_t i = 0; i < FIRST; i++) {
        const dm_spread_result result = spread_at(state, i * state->cues, dm_spread);
        all[METRIC_EDGES] += (double)result.edges / FIRST;
        all[METRIC_REACHED] += (double)result.count / FIRST;
    }
    all[METRIC_POPULATION] = (double)dm_store_population(state->workload.store).nodes;
    all[METRIC_MEMORY] = (double)(dm_store_memory(state->workload.store).total + dm_spreader_memory(state->spreader));
    memcpy(values, all, (count < METRIC_COUNT ? count : METRIC_COUNT) * sizeof(double));
    return DM_OK;
}

#define KERNEL(VARIANT, RUN)                                                                                            \
    {.size = sizeof(dm_kernel), .name = "spreading", .variant = VARIANT,                                              \
     .summary = "spread activation from a few concepts over four hops", .tolerance = 0, .output = DM_OUTPUT_NONE,     \
     .needs_data = 0, .parameters = parameters, .parameter_count = PARAMETER_COUNT, .metrics = metrics,               \
     .metric_count = METRIC_COUNT, .setup = setup, .run = RUN, .read_metrics = read_metrics,                          \
     .read_output = dm_workload_no_output, .teardown = teardown}

static const dm_kernel portable = KERNEL("portable", run_portable);
static const dm_kernel prefetched = KERNEL("prefetched", run_prefetched);
static const dm_kernel automatic = KERNEL("auto", run_auto);

const dm_kernel *const dm_spreading_kernels[] = {&portable, &prefetched, &automatic};
const size_t dm_spreading_kernel_count = sizeof(dm_spreading_kernels) / sizeof(dm_spreading_kernels[0]);
