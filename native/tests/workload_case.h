/* workload_case.h: a small case of the workload `mixed` for its tests: clustered vectors, enough rows for every
 * node, so that none is moved, and the operations by name. */
#ifndef DUALMEM_TESTS_WORKLOAD_CASE_H
#define DUALMEM_TESTS_WORKLOAD_CASE_H

#include <stdlib.h>
#include <string.h>

#include "dualmem/dm_workload.h"
#include "tests/support.h"
#include "workloads/mixed.h"

enum { CONCEPTS = 40, EPISODES = 300, BINDINGS = 700, INSERTIONS = 200, QUERIES = 30, DIM = 24, STRIDE = 32 };
enum { ROWS = CONCEPTS + EPISODES };
enum { LOOKUP, READ, FAN, DISCRIMINATE, SPREAD_CONCEPT, SPREAD_EPISODE, UPDATE, INSERT, FORM, CONSOLIDATE, DECAY };

typedef struct workload_case {
    dm_case work;
    double parameters[DM_MIXED_PARAMETERS];
    float *data;
    float *queries;
} workload_case;

/* Noise around one of `clusters` centres. */
static inline float *clustered_rows(uint64_t seed, size_t rows, size_t clusters) {
    float *values = aligned_alloc(64, rows * STRIDE * sizeof(float));
    REQUIRE(values != NULL);
    memset(values, 0, rows * STRIDE * sizeof(float));
    test_random random = {seed};
    for (size_t row = 0; row < rows; row++) {
        test_random centre = {1000 + test_random_below(&random, clusters)};
        for (size_t k = 0; k < DIM; k++) {
            values[row * STRIDE + k] = (float)(test_random_normal(&centre) + 0.6 * test_random_normal(&random));
        }
    }
    return values;
}

static inline void make_workload_case(workload_case *made) {
    const double parameters[DM_MIXED_PARAMETERS] = {[DM_MIXED_EPISODES] = EPISODES,
                                                    [DM_MIXED_CONCEPTS] = CONCEPTS,
                                                    [DM_MIXED_BINDINGS] = BINDINGS,
                                                    [DM_MIXED_INSERTIONS] = INSERTIONS,
                                                    [DM_MIXED_FORMATION_EPISODES] = 60,
                                                    [DM_MIXED_FORMATION_CUT] = 0.5,
                                                    [DM_MIXED_CONSOLIDATION_CONCEPTS] = 7,
                                                    [DM_MIXED_DECAY_CONCEPTS] = 5,
                                                    [DM_MIXED_HOPS] = 4,
                                                    [DM_MIXED_RECALL] = 1};
    memcpy(made->parameters, parameters, sizeof(parameters));
    made->data = clustered_rows(31, ROWS, 12);
    made->queries = clustered_rows(32, QUERIES, 12);
    made->work = (dm_case){.size = sizeof(dm_case),
                           .seed = 77,
                           .parameters = made->parameters,
                           .parameter_count = DM_MIXED_PARAMETERS,
                           .data = {made->data, ROWS, DIM, STRIDE},
                           .queries = {made->queries, QUERIES, DIM, STRIDE},
                           .placement = 192};
}

static inline void free_workload_case(workload_case *made) {
    free(made->data);
    free(made->queries);
}

static inline dm_state *set_up(const dm_workload *workload, const workload_case *made, uint32_t threads) {
    char error[300] = "";
    dm_state *state = NULL;
    REQUIRE(CHECK_STATUS(workload->setup(&made->work, threads, &state, error, sizeof(error)), DM_OK, error));
    REQUIRE(state != NULL);
    return state;
}

/* The result of an operation that must succeed. */
static inline uint64_t perform(const dm_workload *workload, dm_state *state, uint32_t operation, uint64_t key) {
    uint64_t result = 0;
    CHECK_EQUAL(workload->operate(state, 0, operation, key, &result), DM_OK);
    return result;
}

static inline double metric_of(const dm_workload *workload, dm_state *state, size_t metric) {
    double values[DM_MIXED_METRICS];
    CHECK_EQUAL(workload->read_metrics(state, values, workload->metric_count), DM_OK);
    return values[metric];
}

/* A binding's strength, in either store. */
static inline float strength_at(const dm_state *state, const dm_mixed_binding *binding) {
    return state->graph == &dm_mixed_dual_graph
               ? dm_store_binding_strength(state->store, binding->handle)
               : dm_store_association_weight(state->store, binding->episode, binding->concept_slot);
}

/* The strengths of all bindings there are; to be freed. */
static inline float *strengths_of(dm_state *state, uint64_t *count) {
    *count = atomic_load(&state->binding_count);
    float *strengths = malloc((*count + 1) * sizeof(float));
    REQUIRE(strengths != NULL);
    for (uint64_t b = 0; b < *count; b++) {
        strengths[b] = strength_at(state, &state->bindings[b]);
    }
    return strengths;
}

/* Every concept is learned anew: what decays took is given back. */
static inline void learn_anew(dm_state *state) {
    for (uint32_t number = 0; number < state->concepts; number++) {
        dm_mixed_relearn(state, number);
    }
}

/* Every binding that was there after set-up has the strength that its turns say, to the bit. */
static inline void check_strengths(dm_state *state, const float *originals, uint64_t original_count) {
    for (uint64_t b = 0; b < original_count; b++) {
        const dm_mixed_binding *binding = &state->bindings[b];
        uint32_t number = 0;
        while (state->concept_slots[number] != binding->concept_slot) {
            number++;
        }
        const uint32_t turns = atomic_load(&binding->turn) + atomic_load(&state->concept_turns[number]);
        CHECK(strength_at(state, binding) == originals[b] + (float)turns * DM_MIXED_DELTA);
    }
    const uint64_t count = atomic_load(&state->binding_count);
    for (uint64_t b = original_count; b < count; b++) { /* came while a concept was strengthened: weakened first */
        const float strength = strength_at(state, &state->bindings[b]);
        CHECK(strength >= 0.25f - DM_MIXED_DELTA && strength <= 0.75f + 2.0f * DM_MIXED_DELTA);
    }
}

/* What the walk finds. */
static inline void check_counts(const dm_workload *workload, dm_state *state, uint64_t episodes, uint64_t concepts,
                                uint64_t bindings) {
    double values[DM_MIXED_METRICS + 1];
    values[workload->metric_count] = -12345.0;
    CHECK_EQUAL(workload->read_metrics(state, values, workload->metric_count), DM_OK);
    CHECK(values[workload->metric_count] == -12345.0);
    CHECK_EQUAL(values[DM_MIXED_METRIC_POPULATION], episodes + concepts);
    CHECK_EQUAL(values[DM_MIXED_METRIC_EPISODES], episodes);
    CHECK_EQUAL(values[DM_MIXED_METRIC_CONCEPTS], concepts);
    CHECK_EQUAL(values[DM_MIXED_METRIC_BINDINGS], bindings);
    CHECK_EQUAL(values[DM_MIXED_METRIC_INDEX_ROWS], concepts);
    CHECK(values[DM_MIXED_METRIC_WITHIN] > values[DM_MIXED_METRIC_BETWEEN] + 0.3); /* 12 clusters, far apart */
    CHECK(values[DM_MIXED_METRIC_MEMORY] > (double)(episodes + concepts) * DIM * sizeof(float));
}

static inline void check_fans(const dm_workload *workload, dm_state *state, uint64_t nodes, uint64_t bindings) {
    uint64_t counts[1024];
    size_t needed = 0;
    CHECK_EQUAL(workload->read_fans(state, counts, 1024, &needed), DM_OK);
    REQUIRE(needed > 1 && needed < 1024);
    uint64_t sum = 0;
    uint64_t ends = 0;
    for (size_t f = 0; f < 1024; f++) {
        sum += counts[f];
        ends += f * counts[f];
        CHECK(f < needed || counts[f] == 0);
    }
    CHECK_EQUAL(sum, nodes);
    CHECK_EQUAL(ends, 2 * bindings);
    CHECK(counts[needed - 1] > 0);
    uint64_t few[3] = {99, 99, 99};
    CHECK_EQUAL(workload->read_fans(state, few, 2, &needed), DM_OK); /* the last one takes all that are above */
    CHECK(few[0] == counts[0] && few[1] == nodes - counts[0] && few[2] == 99);
    CHECK_EQUAL(workload->read_fans(state, NULL, 0, &needed), DM_OK);
}

#endif
