/* concept_lookup_batch.c: the kernel `concept_lookup_batch`: the public search (dm_lookup_search) over many queries at
 * once, divided among the threads of a team. One operation is a batch; batches walk over the queries, over the end and
 * on from the first. */
#include <string.h>

#include "kernels/kernels.h"
#include "kernels/stored_case.h"
#include "kernels/workload.h"

#include "store/poison.h"

enum { PARAMETER_K, PARAMETER_BATCH, PARAMETER_THREADS, PARAMETER_COUNT };

struct dm_state {
    dm_memory material;
    dm_stored_case stored;
    dm_lookup *lookup;
    dm_team *team;
    dm_matrix queries;
    float *repeated;    /* the queries and the first of them again, so that every batch is in one piece */
    uint32_t *slots;    /* batch x k */
    double *cosines;
    double *neighbours; /* queries x k rows of the data; -1: not searched yet */
    uint32_t k;
    uint32_t batch;
    uint64_t next;      /* the first query of the next batch */
};

static void teardown(dm_state *state) {
    if (state == NULL) {
        return;
    }
    dm_team_destroy(state->team);
    dm_lookup_destroy(state->lookup);
    dm_stored_case_destroy(&state->stored, &state->material);
    dm_memory_free(&state->material, state->repeated);
    dm_memory_free(&state->material, state->slots);
    dm_memory_free(&state->material, state->cosines);
    dm_memory_free(&state->material, state->neighbours);
    dm_workload_free_state(state, sizeof(*state));
}

static int32_t make_material(dm_state *state, const dm_case *work, char *error, size_t error_size) {
    const size_t queries = (size_t)work->queries.rows;
    const size_t stride = (size_t)work->queries.stride;
    state->queries = work->queries;
    state->repeated = dm_memory_allocate(&state->material, (queries + state->batch) * stride * sizeof(float),
                                         DM_CACHE_LINE, work->placement);
    state->slots = dm_memory_allocate(&state->material, (size_t)state->batch * state->k * sizeof(uint32_t),
                                      DM_CACHE_LINE, 0);
    state->cosines = dm_memory_allocate(&state->material, (size_t)state->batch * state->k * sizeof(double),
                                        DM_CACHE_LINE, 0);
    state->neighbours = dm_memory_allocate(&state->material, queries * state->k * sizeof(double), DM_CACHE_LINE, 0);
    if (state->repeated == NULL || state->slots == NULL || state->cosines == NULL || state->neighbours == NULL) {
        return dm_fail(DM_ERROR_MEMORY, error, error_size, "no memory for %zu queries; use fewer", queries);
    }
    for (size_t i = 0; i < queries + state->batch; i++) {
        memcpy(state->repeated + i * stride, work->queries.values + i % queries * stride, stride * sizeof(float));
    }
    for (size_t i = 0; i < queries * state->k; i++) {
        state->neighbours[i] = -1.0;
    }
    return DM_OK;
}

static int32_t fill(dm_state *state, const dm_case *work, char *error, size_t error_size) {
    const uint32_t threads = (uint32_t)work->parameters[PARAMETER_THREADS];
    state->k = (uint32_t)work->parameters[PARAMETER_K];
    state->batch = (uint32_t)work->parameters[PARAMETER_BATCH];
    if (work->data.rows < state->k) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size,
                       "k is %u and there are %llu concepts; lower k or give more data",
                       state->k, (unsigned long long)work->data.rows);
    }
    int32_t status = dm_stored_case_create(work, work->data.rows, DM_STORED_DUAL, &state->material, &state->stored,
                                           error, error_size);
    if (status == DM_OK) {
        status = make_material(state, work, error, error_size);
    }
    if (status == DM_OK) {
        status = dm_lookup_create(state->stored.store, &state->lookup, error, error_size);
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

static uint64_t run(dm_state *state, uint64_t iterations) {
    uint64_t checksum = UINT64_C(0xcbf29ce484222325);
    const size_t stride = (size_t)state->queries.stride;
    for (uint64_t i = 0; i < iterations; i++) {
        char error[1];
        int32_t status = dm_lookup_search(state->lookup, state->repeated + state->next * stride, stride, state->batch,
                                          state->k, state->team, state->slots, state->cosines, error, sizeof(error));
        checksum = (checksum ^ (uint64_t)(uint32_t)status) * UINT64_C(0x100000001b3); /* FNV-1a, a number at a time */
        for (size_t at = 0; at < (size_t)state->batch * state->k; at++) {
            uint32_t row = state->stored.data_row[dm_slot_index(state->slots[at])];
            uint64_t query = (state->next + at / state->k) % state->queries.rows;
            state->neighbours[query * state->k + at % state->k] = row;
            checksum = (checksum ^ row) * UINT64_C(0x100000001b3);
        }
        state->next = (state->next + state->batch) % state->queries.rows;
    }
    return checksum;
}

static int32_t read_metrics(dm_state *state, double *values, size_t count) {
    const double all[] = {(double)state->stored.population,
                          (double)(dm_store_memory(state->stored.store).total + dm_lookup_memory(state->lookup)),
                          (double)dm_team_size(state->team)};
    memcpy(values, all, (count < 3 ? count : 3) * sizeof(double));
    return DM_OK;
}

static int32_t read_output(dm_state *state, double *values, size_t count, size_t *needed) {
    *needed = (size_t)state->queries.rows * state->k;
    memcpy(values, state->neighbours, (count < *needed ? count : *needed) * sizeof(double));
    return DM_OK;
}

static const dm_parameter parameters[PARAMETER_COUNT] = {
    [PARAMETER_K] = {sizeof(dm_parameter), "k", 10, 1, DM_LOOKUP_K_MAX, 1, "neighbours per query"},
    [PARAMETER_BATCH] = {sizeof(dm_parameter), "batch", 64, 1, 65536, 1, "queries that are searched together"},
    [PARAMETER_THREADS] = {sizeof(dm_parameter), "threads", 1, 1, 64, 1, "threads of the team"},
};

static const dm_metric metrics[] = {
    {sizeof(dm_metric), "population", "count", DM_BETTER_NEITHER, DM_SCOPE_CASE,
     "nodes in the store: the concepts and as many episodes"},
    {sizeof(dm_metric), "memory_bytes", "B", DM_BETTER_LOWER, DM_SCOPE_CASE, "store, index and what searches work in"},
    {sizeof(dm_metric), "team", "count", DM_BETTER_NEITHER, DM_SCOPE_CASE, "threads that searched"},
};

static const dm_kernel batch_auto = {
    .size = sizeof(dm_kernel), .name = "concept_lookup_batch", .variant = "auto",
    .summary = "the k nearest concepts of each of `batch` queries", .tolerance = 0.0, .output = DM_OUTPUT_NEIGHBOURS,
    .needs_data = 1, .parameters = parameters, .parameter_count = PARAMETER_COUNT, .metrics = metrics,
    .metric_count = sizeof(metrics) / sizeof(metrics[0]), .setup = setup, .run = run, .read_metrics = read_metrics,
    .read_output = read_output, .teardown = teardown,
};

const dm_kernel *const dm_concept_lookup_batch_kernels[] = {&batch_auto};
const size_t dm_concept_lookup_batch_kernel_count = 1;
