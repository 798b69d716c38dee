/* test_workload_model.c: the workload `mixed` against a model that computes cosines in double and keeps its bindings in
 * arrays, and against its twin. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support.h"
#include "tests/workload_case.h"
#include "workloads/workloads.h"

static double exact_cosine(const float *one, const float *other) {
    double dot = 0.0;
    double norms[2] = {0.0, 0.0};
    for (size_t k = 0; k < DIM; k++) {
        dot += (double)one[k] * (double)other[k];
        norms[0] += (double)one[k] * (double)one[k];
        norms[1] += (double)other[k] * (double)other[k];
    }
    return dot / (sqrt(norms[0]) * sqrt(norms[1]));
}

/* The numbers of the `count` nearest concepts, best first. */
static void nearest_concepts(const workload_case *made, const float *values, uint32_t count, uint32_t *numbers,
                             double *cosines) {
    int taken[CONCEPTS] = {0};
    for (uint32_t i = 0; i < count; i++) {
        cosines[i] = -2.0;
        for (uint32_t c = 0; c < CONCEPTS; c++) {
            const double cosine = exact_cosine(values, made->data + (size_t)c * STRIDE);
            if (!taken[c] && cosine > cosines[i]) {
                numbers[i] = c;
                cosines[i] = cosine;
            }
        }
        taken[numbers[i]] = 1;
    }
}

static const uint64_t START = UINT64_C(0xcbf29ce484222325);

static uint64_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

typedef struct model {
    uint32_t fans[CONCEPTS];
    uint64_t bindings;
    struct {
        uint32_t concept_number;
        const float *episode;
        float strength; /* if nothing were ever forgotten */
        double now;
        int turn;
    } binding[BINDINGS + 3 * INSERTIONS];
    int concept_turns[CONCEPTS];
    int decays[CONCEPTS];
    uint64_t episodes;
} model;

static void model_insert(model *known, const workload_case *made, const float *values, uint32_t bindings) {
    uint32_t numbers[CONCEPTS];
    double cosines[CONCEPTS];
    nearest_concepts(made, values, bindings, numbers, cosines);
    for (uint32_t i = 0; i < bindings; i++) {
        known->fans[numbers[i]]++;
        known->binding[known->bindings].concept_number = numbers[i];
        known->binding[known->bindings].episode = values;
        known->binding[known->bindings].strength = (float)(256.0 + rint(512.0 * fmax(cosines[i], 0.0))) / 1024.0f;
        known->binding[known->bindings].now = (double)known->binding[known->bindings].strength;
        known->binding[known->bindings++].turn = 0;
    }
    known->episodes++;
}

static void model_set_up(model *known, const workload_case *made) {
    memset(known, 0, sizeof(*known));
    for (int c = 0; c < CONCEPTS; c++) {
        known->decays[c] = c % 32;
    }
    for (uint32_t e = 0; e < EPISODES; e++) {
        const uint32_t bindings = BINDINGS * (e + 1) / EPISODES - BINDINGS * e / EPISODES;
        model_insert(known, made, made->data + (size_t)(CONCEPTS + e) * STRIDE, bindings);
    }
}

static void check_lookups(const dm_workload *workload, dm_state *state, const workload_case *made) {
    for (uint64_t q = 0; q < QUERIES; q++) {
        uint32_t numbers[DM_MIXED_NEAREST];
        double cosines[DM_MIXED_NEAREST];
        nearest_concepts(made, made->queries + q * STRIDE, DM_MIXED_NEAREST, numbers, cosines);
        uint64_t expected = START;
        for (int i = 0; i < DM_MIXED_NEAREST; i++) {
            expected = dm_mixed_in(expected, bits_of((float)cosines[i]) << 32 | numbers[i]);
        }
        CHECK_EQUAL(perform(workload, state, LOOKUP, q), expected);
        CHECK_EQUAL(perform(workload, state, LOOKUP, q + 7 * QUERIES), expected);
    }
}

/* What an update or a consolidation adds. */
static void model_add(model *known, uint64_t binding, float amount) {
    known->binding[binding].strength += amount;
    known->binding[binding].now += (double)amount;
}

static void model_update(model *known, const dm_workload *workload, dm_state *state, uint64_t key) {
    const uint64_t b = key % known->bindings;
    model_add(known, b, known->binding[b].turn ? -DM_MIXED_DELTA : DM_MIXED_DELTA);
    known->binding[b].turn ^= 1;
    CHECK_EQUAL(perform(workload, state, UPDATE, key), dm_mixed_in(START, bits_of(known->binding[b].strength)));
}

static void model_consolidate(model *known, const dm_workload *workload, dm_state *state, uint64_t key) {
    (void)perform(workload, state, CONSOLIDATE, key);
    for (uint64_t i = 0; i < 7; i++) {
        const uint32_t number = (uint32_t)((key + i) % CONCEPTS);
        const float amount = known->concept_turns[number] ? -DM_MIXED_DELTA : DM_MIXED_DELTA;
        known->concept_turns[number] ^= 1;
        for (uint64_t b = 0; b < known->bindings; b++) {
            model_add(known, b, known->binding[b].concept_number == number ? amount : 0.0f);
        }
    }
}

/* A minute of exp(-t / a day / (1 + ln(fan) / 4)); the 32nd time the concept is learned anew. */
static void model_decay(model *known, uint64_t key) {
    for (uint64_t i = 0; i < 5; i++) {
        const uint64_t number = (key + i) % CONCEPTS;
        const double left = exp(-60.0 / 86400.0 / (1.0 + 0.25 * log(fmax(known->fans[number], 1.0))));
        const int anew = ++known->decays[number] == 32;
        known->decays[number] %= 32;
        for (uint64_t b = 0; b < known->bindings; b++) {
            if (known->binding[b].concept_number == number) {
                known->binding[b].now = anew ? (double)known->binding[b].strength : known->binding[b].now * left;
            }
        }
    }
}

/* Decays among updates and consolidations: strengths as the formula has them, and exact again when all is learned
 * anew. */
static void check_decays(model *known, const dm_workload *workload, dm_state *state, test_random *random) {
    double least = 1.0;
    for (int i = 0; i < 600; i++) {
        const uint64_t key = test_random_next(random) >> 8;
        if (i % 4 == 1) {
            uint64_t result;
            CHECK_EQUAL(workload->operate(state, 0, UPDATE, key, &result), DM_OK);
            const uint64_t b = key % known->bindings;
            model_add(known, b, known->binding[b].turn ? -DM_MIXED_DELTA : DM_MIXED_DELTA);
            known->binding[b].turn ^= 1;
        } else if (i % 16 == 2) {
            model_consolidate(known, workload, state, key);
        } else {
            (void)perform(workload, state, DECAY, key);
            model_decay(known, key);
        }
        for (uint64_t b = (uint64_t)i % 7; b < known->bindings; b += 7) {
            CHECK_NEAR((double)strength_at(state, &state->bindings[b]), known->binding[b].now, 5e-6);
            least = fmin(least, known->binding[b].now / (double)known->binding[b].strength);
        }
    }
    CHECK(least > 0.97 && least < 0.99); /* some were decayed often, and none for ever */
    learn_anew(state);
    for (uint64_t b = 0; b < known->bindings; b++) {
        CHECK(strength_at(state, &state->bindings[b]) == known->binding[b].strength);
    }
}

/* Mean over the concepts, and over the pairs of two members each: what the walk samples. */
static double similarity_within(const model *known) {
    double sum = 0.0;
    uint32_t concepts = 0;
    for (uint32_t c = 0; c < CONCEPTS; c++) {
        double of_concept = 0.0;
        uint32_t pairs = 0;
        for (uint64_t a = 0; a < known->bindings; a++) {
            for (uint64_t b = 0; b < a && known->binding[a].concept_number == c; b++) {
                if (known->binding[b].concept_number == c) {
                    of_concept += exact_cosine(known->binding[a].episode, known->binding[b].episode);
                    pairs++;
                }
            }
        }
        sum += pairs > 0 ? of_concept / pairs : 0.0;
        concepts += pairs > 0;
    }
    return sum / concepts;
}

static void test_against_model(const dm_workload *workload) {
    static model expected;
    workload_case made;
    make_workload_case(&made);
    dm_state *state = set_up(workload, &made, 1);
    model_set_up(&expected, &made);
    CHECK_EQUAL(expected.bindings, BINDINGS);
    check_lookups(workload, state, &made);
    CHECK_NEAR(metric_of(workload, state, DM_MIXED_METRIC_WITHIN), similarity_within(&expected), 0.015);
    test_random random = {8};
    uint64_t inserted = 0;
    for (int i = 0; i < 2000; i++) {
        const uint64_t key = test_random_next(&random) >> 8;
        const uint64_t choice = test_random_below(&random, 8);
        if (choice < 4) {
            model_update(&expected, workload, state, key);
        } else if (choice == 4) {
            model_consolidate(&expected, workload, state, key);
        } else if (choice == 5 && inserted < INSERTIONS) {
            CHECK_EQUAL(perform(workload, state, INSERT, key), dm_mixed_in(START, key % ROWS));
            model_insert(&expected, &made, made.data + key % ROWS * STRIDE, (BINDINGS + EPISODES - 1) / EPISODES);
            inserted++;
        } else {
            CHECK_EQUAL(perform(workload, state, FAN, key), dm_mixed_in(START, expected.fans[key % CONCEPTS]));
        }
    }
    CHECK_EQUAL(inserted, INSERTIONS);
    check_lookups(workload, state, &made);
    check_counts(workload, state, expected.episodes, CONCEPTS, expected.bindings);
    check_fans(workload, state, expected.episodes + CONCEPTS, expected.bindings);
    for (uint64_t b = 0; b < expected.bindings; b++) {
        CHECK(strength_at(state, &state->bindings[b]) == expected.binding[b].strength);
    }
    check_decays(&expected, workload, state, &random);
    check_counts(workload, state, expected.episodes, CONCEPTS, expected.bindings);
    check_fans(workload, state, expected.episodes + CONCEPTS, expected.bindings);
    workload->teardown(state);
    free_workload_case(&made);
}

/* Types: an episode's for even keys, a concept's for odd ones; in the twin all are one. */
static void test_types(void) {
    workload_case made;
    make_workload_case(&made);
    dm_state *dual = set_up(&dm_mixed_dual, &made, 1);
    dm_state *single = set_up(&dm_mixed_single, &made, 1);
    for (uint64_t key = 0; key < 50; key++) {
        CHECK_EQUAL(perform(&dm_mixed_dual, dual, DISCRIMINATE, key), dm_mixed_in(START, key % 2));
        CHECK_EQUAL(perform(&dm_mixed_single, single, DISCRIMINATE, key), dm_mixed_in(START, 0));
    }
    dm_mixed_dual.teardown(dual);
    dm_mixed_single.teardown(single);
    free_workload_case(&made);
}

/* --- formation ---------------------------------------------------------------------------------------------------- */

static int has_member(const dm_cluster *cluster, uint32_t slot) {
    uint32_t m = 0;
    while (m < cluster->member_count && cluster->members[m] != slot) {
        m++;
    }
    return m < cluster->member_count;
}

/* What stands after a formation is what the library finds in the episodes from the key on, bound to its members. */
static void test_formation(const dm_workload *workload) {
    char error[300];
    workload_case made;
    make_workload_case(&made);
    const uint32_t count = (uint32_t)made.parameters[DM_MIXED_FORMATION_EPISODES];
    dm_former_options options = dm_former_defaults(DIM, count);
    options.cut = options.least_coherence = made.parameters[DM_MIXED_FORMATION_CUT];
    dm_former *former = NULL;
    REQUIRE(CHECK_STATUS(dm_former_create(&options, &former, error, sizeof(error)), DM_OK, error));
    dm_state *state = set_up(workload, &made, 1);
    uint64_t formed = 0;
    for (uint32_t key = 0; key < EPISODES; key += 17) {
        uint32_t window[EPISODES];
        for (uint32_t i = 0; i < count; i++) {
            window[i] = dm_store_find(state->store, (dm_id){(key + i) % EPISODES, DM_MIXED_ID_EPISODE});
        }
        dm_clustering expected;
        CHECK_STATUS(dm_former_cluster(former, state->store, window, count, NULL, &expected, error, sizeof(error)),
                     DM_OK, error);
        (void)perform(workload, state, FORM, key);
        REQUIRE(CHECK_EQUAL(state->formed_count, expected.cluster_count));
        for (uint32_t c = 0; c < expected.cluster_count; c++) {
            dm_edge edges[EPISODES];
            CHECK_EQUAL(state->graph->edges(state->store, state->formed[c], edges, EPISODES),
                        expected.clusters[c].member_count);
            for (uint32_t m = 0; m < expected.clusters[c].member_count; m++) {
                CHECK(has_member(&expected.clusters[c], edges[m].slot));
                CHECK(edges[m].strength > 0.5f && edges[m].strength <= 1.0f); /* a cosine with the mean */
            }
        }
        formed += expected.cluster_count;
    }
    CHECK(formed > 18);
    workload->teardown(state);
    dm_former_destroy(former);
    free_workload_case(&made);
}

/* --- the twin ----------------------------------------------------------------------------------------------------- */

/* The same work: equal results of everything but the type. Sums of activations are in the order of slots, which
 * insertions make different in the last bits. */
static void test_twin(void) {
    workload_case made;
    make_workload_case(&made);
    dm_state *dual = set_up(&dm_mixed_dual, &made, 1);
    dm_state *single = set_up(&dm_mixed_single, &made, 1);
    test_random random = {6};
    for (int i = 0; i < 5000; i++) {
        const int later = i >= 1500;
        const uint32_t operation = (uint32_t)test_random_below(&random, FORM);
        const uint64_t key = test_random_next(&random) >> 8;
        if (operation == DISCRIMINATE || (later && (operation == SPREAD_CONCEPT || operation == SPREAD_EPISODE)) ||
            (operation == INSERT && (!later || atomic_load(&dual->episode_count) == dual->episode_capacity))) {
            continue;
        }
        CHECK_EQUAL(perform(&dm_mixed_dual, dual, operation, key), perform(&dm_mixed_single, single, operation, key));
    }
    CHECK_EQUAL(dual->episode_count, dual->episode_capacity);
    uint64_t formed = 0;
    for (uint64_t i = 0; i < 40; i++) {
        CHECK_EQUAL(perform(&dm_mixed_dual, dual, FORM, i * 37), perform(&dm_mixed_single, single, FORM, i * 37));
        CHECK_EQUAL(perform(&dm_mixed_dual, dual, CONSOLIDATE, i * 3),
                    perform(&dm_mixed_single, single, CONSOLIDATE, i * 3));
        CHECK_EQUAL(perform(&dm_mixed_dual, dual, DECAY, i), perform(&dm_mixed_single, single, DECAY, i));
        CHECK_EQUAL(perform(&dm_mixed_dual, dual, UPDATE, i), perform(&dm_mixed_single, single, UPDATE, i));
        CHECK_EQUAL(dual->formed_count, single->formed_count);
        formed += dual->formed_count;
        double counts[2][DM_MIXED_METRIC_INDEX_ROWS + 1]; /* all counts, up to this one */
        CHECK_EQUAL(dm_mixed_dual.read_metrics(dual, counts[0], DM_MIXED_METRIC_INDEX_ROWS + 1), DM_OK);
        CHECK_EQUAL(dm_mixed_single.read_metrics(single, counts[1], DM_MIXED_METRIC_INDEX_ROWS + 1), DM_OK);
        CHECK(memcmp(counts[0], counts[1], sizeof(counts[0])) == 0);
    }
    CHECK(formed > 0);
    for (uint64_t b = 0; b < dual->binding_count; b++) { /* to the bit, decayed as they are */
        CHECK(strength_at(dual, &dual->bindings[b]) == strength_at(single, &single->bindings[b]));
    }
    uint64_t fans[2][512];
    size_t needed = 0;
    CHECK_EQUAL(dm_mixed_dual.read_fans(dual, fans[0], 512, &needed), DM_OK);
    CHECK_EQUAL(dm_mixed_single.read_fans(single, fans[1], 512, &needed), DM_OK);
    CHECK(memcmp(fans[0], fans[1], sizeof(fans[0])) == 0);
    dm_mixed_dual.teardown(dual);
    dm_mixed_single.teardown(single);
    free_workload_case(&made);
}

int main(void) {
    test_against_model(&dm_mixed_dual);
    test_against_model(&dm_mixed_single);
    test_formation(&dm_mixed_dual);
    test_formation(&dm_mixed_single);
    test_types();
    test_twin();
    return test_report();
}
