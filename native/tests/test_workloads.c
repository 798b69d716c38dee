/* test_workloads.c: the laws of dm_workload.h for every workload of the table, and `mixed` against a model that computes cosines in
 * double and keeps its bindings in arrays. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/resident.h"
#include "tests/support.h"
#include "tests/workload_case.h"
#include "workloads/workloads.h"

/* --- declarations ---------------------------------------------------------------------------------------------------------- */

static int is_identifier(const char *text) {
    return text != NULL && text[0] >= 'a' && text[0] <= 'z' &&
           strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(text);
}

static int is_line(const char *text) {
    return text != NULL && text[0] != '\0' && strchr(text, '\n') == NULL;
}

static void test_parameters(const dm_workload *workload) {
    for (size_t i = 0; i < workload->parameter_count; i++) {
        const dm_parameter *parameter = &workload->parameters[i];
        CHECK_EQUAL(parameter->size, sizeof(dm_parameter));
        CHECK(is_identifier(parameter->name) && is_line(parameter->meaning));
        CHECK(parameter->minimum <= parameter->default_value && parameter->default_value <= parameter->maximum);
        CHECK(!parameter->integer || parameter->default_value == floor(parameter->default_value));
        for (size_t j = 0; j < i; j++) {
            CHECK(strcmp(workload->parameters[j].name, parameter->name) != 0);
        }
    }
}

static int has_metric(const dm_workload *workload, const char *name) {
    for (size_t i = 0; i < workload->metric_count; i++) {
        if (strcmp(workload->metrics[i].name, name) == 0) {
            return 1;
        }
    }
    return 0;
}

static void test_metrics_declared(const dm_workload *workload) {
    for (size_t i = 0; i < workload->metric_count; i++) {
        const dm_metric *metric = &workload->metrics[i];
        CHECK_EQUAL(metric->size, sizeof(dm_metric));
        CHECK(is_identifier(metric->name) && is_line(metric->unit) && is_line(metric->meaning));
        for (size_t j = 0; j < i; j++) {
            CHECK(strcmp(workload->metrics[j].name, metric->name) != 0);
        }
    }
    const char *const promised[] = {"population", "episodes", "concepts", "bindings", "index_rows", "memory_bytes"};
    for (size_t i = 0; i < sizeof(promised) / sizeof(promised[0]); i++) {
        CHECK(has_metric(workload, promised[i]));
    }
}

static void test_operations_declared(const dm_workload *workload) {
    CHECK(workload->operation_count > 0 && workload->operation_count <= 64);
    for (size_t i = 0; i < workload->operation_count; i++) {
        const dm_operation *operation = &workload->operations[i];
        CHECK_EQUAL(operation->size, sizeof(dm_operation));
        CHECK(is_identifier(operation->name) && is_line(operation->meaning));
        CHECK(operation->key >= DM_KEY_NONE && operation->key <= DM_KEY_DATA);
        CHECK(operation->inserts >= DM_KEY_NONE && operation->inserts <= DM_KEY_DATA);
        for (size_t j = 0; j < i; j++) {
            CHECK(strcmp(workload->operations[j].name, operation->name) != 0);
        }
    }
}

static void test_table(const dm_workload_library *library) {
    CHECK_EQUAL(library->size, sizeof(dm_workload_library));
    CHECK_EQUAL(library->abi_major, DM_WORKLOAD_ABI_MAJOR);
    CHECK_EQUAL(library->abi_minor, DM_WORKLOAD_ABI_MINOR);
    CHECK(is_line(library->name) && is_line(library->version) && library->revision != NULL);
    CHECK(library == dm_workload_library_get());
    CHECK_EQUAL(library->workload_count, 2);
    for (size_t i = 0; i < library->workload_count; i++) {
        const dm_workload *workload = library->workloads[i];
        CHECK_EQUAL(workload->size, sizeof(dm_workload));
        CHECK(is_identifier(workload->name) && is_identifier(workload->variant) && is_line(workload->summary));
        CHECK(workload->setup != NULL && workload->operate != NULL && workload->read_metrics != NULL &&
              workload->teardown != NULL);
        test_parameters(workload);
        test_metrics_declared(workload);
        test_operations_declared(workload);
        for (size_t j = 0; j < i; j++) {
            CHECK(strcmp(library->workloads[j]->name, workload->name) != 0 ||
                  strcmp(library->workloads[j]->variant, workload->variant) != 0);
        }
    }
}

/* --- calls ------------------------------------------------------------------------------------------------------------------ */

static void check_counts(const dm_workload *workload, dm_state *state, uint64_t episodes, uint64_t concepts, uint64_t bindings) {
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

static void check_fans(const dm_workload *workload, dm_state *state, uint64_t nodes, uint64_t bindings) {
    uint64_t counts[1024];
    size_t needed = 0;
    CHECK_EQUAL(workload->read_fans(state, counts, 1024, &needed), DM_OK);
    REQUIRE(needed > 1 && needed < 1024);
    uint64_t sum = 0;
    uint64_t ends = 0;
    for (size_t f = 0; f < 1024; f++) {
        sum += counts[f];
        ends += f * counts[f];
    }
    CHECK_EQUAL(sum, nodes);
    CHECK_EQUAL(ends, 2 * bindings);
    CHECK(counts[needed - 1] > 0);
    uint64_t few[3] = {99, 99, 99};
    CHECK_EQUAL(workload->read_fans(state, few, 2, &needed), DM_OK); /* the last one takes all that are above */
    CHECK(few[0] == counts[0] && few[1] == nodes - counts[0] && few[2] == 99);
    CHECK_EQUAL(workload->read_fans(state, NULL, 0, &needed), DM_OK);
}

/* The same results in two states, in each other's turn. */
static void test_equal_states(const dm_workload *workload) {
    workload_case made;
    make_workload_case(&made);
    dm_state *first = set_up(workload, &made, 1);
    dm_state *second = set_up(workload, &made, 3);
    check_counts(workload, first, EPISODES, CONCEPTS, BINDINGS);
    check_fans(workload, first, EPISODES + CONCEPTS, BINDINGS);
    test_random random = {5};
    uint64_t differing = 0;
    uint64_t last = 0;
    for (int i = 0; i < 3000; i++) {
        const uint32_t operation = (uint32_t)test_random_below(&random, workload->operation_count);
        const uint64_t key = test_random_next(&random) >> 8;
        if (operation == INSERT && atomic_load(&first->episode_count) == first->episode_capacity) {
            continue;
        }
        const uint64_t result = perform(workload, first, operation, key);
        uint64_t other = 0;
        CHECK_EQUAL(workload->operate(second, (uint32_t)i % 3, operation, key, &other), DM_OK);
        CHECK_EQUAL(other, result);
        differing += result != last;
        last = result;
    }
    CHECK(differing > 2500);
    for (size_t m = 0; m < workload->metric_count; m++) {
        if (m != DM_MIXED_METRIC_MEMORY) { /* three threads need more */
            CHECK_NEAR(metric_of(workload, first, m), metric_of(workload, second, m), 0.0);
        }
    }
    workload->teardown(first);
    workload->teardown(second);
    workload->teardown(NULL);
    free_workload_case(&made);
}

static void expect_refusal(const dm_workload *workload, const dm_case *work, uint32_t threads, int32_t expected) {
    char error[300] = "";
    dm_state *state = NULL;
    CHECK_STATUS(workload->setup(work, threads, &state, error, sizeof(error)), expected, error);
    CHECK(state == NULL);
    CHECK(is_line(error) && error[strlen(error) - 1] != '.');
}

static void test_refusals(const dm_workload *workload) {
    workload_case made;
    make_workload_case(&made);
    dm_case bad = made.work;
    bad.data = bad.queries = (dm_matrix){NULL, 0, 0, 0};
    expect_refusal(workload, &bad, 1, DM_ERROR_ARGUMENT);
    bad = made.work;
    bad.queries.columns = DIM - 1;
    expect_refusal(workload, &bad, 1, DM_ERROR_ARGUMENT);
    expect_refusal(workload, &made.work, 0, DM_ERROR_ARGUMENT);
    expect_refusal(workload, &made.work, 257, DM_ERROR_ARGUMENT);
    const struct {
        size_t parameter;
        double value;
    } wrong[] = {{DM_MIXED_BINDINGS, (double)EPISODES * CONCEPTS + 1}, {DM_MIXED_FORMATION_EPISODES, EPISODES + 1},
                 {DM_MIXED_CONSOLIDATION_CONCEPTS, CONCEPTS + 1}};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        const double kept = made.parameters[wrong[i].parameter];
        made.parameters[wrong[i].parameter] = wrong[i].value;
        expect_refusal(workload, &made.work, 1, DM_ERROR_ARGUMENT);
        made.parameters[wrong[i].parameter] = kept;
    }
    made.data[(CONCEPTS + 50) * STRIDE] = NAN; /* an episode in the middle: everything made so far goes again */
    expect_refusal(workload, &made.work, 1, DM_ERROR_CORRUPT);
    free_workload_case(&made);
}

static void test_errors(const dm_workload *workload) {
    workload_case made;
    make_workload_case(&made);
    made.parameters[DM_MIXED_BINDINGS] = 0;
    made.parameters[DM_MIXED_INSERTIONS] = 3;
    dm_state *state = set_up(workload, &made, 2);
    uint64_t result = 0;
    CHECK_EQUAL(workload->operate(state, 2, READ, 0, &result), DM_ERROR_ARGUMENT);
    CHECK_EQUAL(workload->operate(state, 0, (uint32_t)workload->operation_count, 0, &result), DM_ERROR_ARGUMENT);
    CHECK_EQUAL(workload->operate(state, 0, UPDATE, 0, &result), DM_ERROR_ARGUMENT); /* nothing to update */
    for (uint64_t i = 0; i < 3; i++) {
        (void)perform(workload, state, INSERT, i);
    }
    CHECK_EQUAL(workload->operate(state, 0, INSERT, 0, &result), DM_ERROR_MEMORY);
    CHECK_EQUAL(metric_of(workload, state, DM_MIXED_METRIC_EPISODES), EPISODES + 3);
    CHECK_EQUAL(metric_of(workload, state, DM_MIXED_METRIC_BINDINGS), 0);
    CHECK(isnan(metric_of(workload, state, DM_MIXED_METRIC_WITHIN)));
    workload->teardown(state);
    free_workload_case(&made);
}

/* --- against a model --------------------------------------------------------------------------------------------------------- */

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
        float strength;
        int turn;
    } binding[BINDINGS + 3 * INSERTIONS];
    int concept_turns[CONCEPTS];
    uint64_t episodes;
} model;

static void model_insert(model *known, const workload_case *made, const float *values, uint32_t bindings) {
    uint32_t numbers[CONCEPTS];
    double cosines[CONCEPTS];
    nearest_concepts(made, values, bindings, numbers, cosines);
    for (uint32_t i = 0; i < bindings; i++) {
        known->fans[numbers[i]]++;
        known->binding[known->bindings].concept_number = numbers[i];
        known->binding[known->bindings].strength =
            (float)(256.0 + rint(512.0 * fmax(cosines[i], 0.0))) / 1024.0f;
        known->binding[known->bindings++].turn = 0;
    }
    known->episodes++;
}

static void model_set_up(model *known, const workload_case *made) {
    memset(known, 0, sizeof(*known));
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

static void model_update(model *known, const dm_workload *workload, dm_state *state, uint64_t key) {
    const uint64_t b = key % known->bindings;
    known->binding[b].strength += known->binding[b].turn ? -DM_MIXED_DELTA : DM_MIXED_DELTA;
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
            known->binding[b].strength += known->binding[b].concept_number == number ? amount : 0.0f;
        }
    }
}

static void test_against_model(const dm_workload *workload) {
    static model expected;
    workload_case made;
    make_workload_case(&made);
    dm_state *state = set_up(workload, &made, 1);
    model_set_up(&expected, &made);
    CHECK_EQUAL(expected.bindings, BINDINGS);
    check_lookups(workload, state, &made);
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

/* --- the twin ------------------------------------------------------------------------------------------------------------------ */

/* The same work: equal results of everything but the type. Sums of activations are in the order of slots, which insertions make
 * different in the last bits. */
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
        CHECK_EQUAL(perform(&dm_mixed_dual, dual, CONSOLIDATE, i * 3), perform(&dm_mixed_single, single, CONSOLIDATE, i * 3));
        CHECK_EQUAL(dual->formed_count, single->formed_count);
        formed += dual->formed_count;
        for (size_t m = DM_MIXED_METRIC_POPULATION; m <= DM_MIXED_METRIC_INDEX_ROWS; m++) {
            CHECK_EQUAL(metric_of(&dm_mixed_dual, dual, m), metric_of(&dm_mixed_single, single, m));
        }
    }
    CHECK(formed > 0);
    uint64_t fans[2][512];
    size_t needed = 0;
    CHECK_EQUAL(dm_mixed_dual.read_fans(dual, fans[0], 512, &needed), DM_OK);
    CHECK_EQUAL(dm_mixed_single.read_fans(single, fans[1], 512, &needed), DM_OK);
    CHECK(memcmp(fans[0], fans[1], sizeof(fans[0])) == 0);
    dm_mixed_dual.teardown(dual);
    dm_mixed_single.teardown(single);
    free_workload_case(&made);
}

/* --- steadiness ------------------------------------------------------------------------------------------------------------------- */

static void test_no_drift(const dm_workload *workload) {
    workload_case made;
    make_workload_case(&made);
    made.parameters[DM_MIXED_FORMATION_EPISODES] = 20;
    dm_state *state = set_up(workload, &made, 1);
    uint64_t count = 0;
    float *originals = strengths_of(state, &count);
    test_random random = {9};
    for (int i = 0; i < 100000; i++) {
        (void)perform(workload, state, UPDATE, test_random_next(&random) >> 8);
    }
    check_strengths(state, originals, count);
    double memory = 0;
    uint64_t resident = 0;
    for (int i = 0; i < 12000; i++) {
        if (i == 2000) {
            memory = metric_of(workload, state, DM_MIXED_METRIC_MEMORY);
            resident = resident_bytes();
        }
        (void)perform(workload, state, FORM, test_random_next(&random) >> 8);
        (void)perform(workload, state, CONSOLIDATE, test_random_next(&random) >> 8);
        (void)perform(workload, state, UPDATE, test_random_next(&random) >> 8);
    }
    check_strengths(state, originals, count);
    /* An index is a little larger or smaller with the number of concepts formed last and the rows that they got. */
    CHECK(fabs(metric_of(workload, state, DM_MIXED_METRIC_MEMORY) - memory) < 4096);
    CHECK(resident_bytes() <= resident + (1 << 20));
    check_counts(workload, state, EPISODES, CONCEPTS + state->formed_count,
                 (uint64_t)metric_of(workload, state, DM_MIXED_METRIC_BINDINGS));
    free(originals);
    workload->teardown(state);
    free_workload_case(&made);
}

/* --- a wrong store -------------------------------------------------------------------------------------------------------------- */

/* What is missing from the store is missing from the counts: nothing is remembered. */
static void test_wrong_store(void) {
    workload_case made;
    make_workload_case(&made);
    const dm_workload *workload = &dm_mixed_dual;
    dm_state *state = set_up(workload, &made, 1);
    const dm_mixed_binding *binding = &state->bindings[0];
    CHECK(dm_store_unbind(state->store, binding->episode, binding->concept_slot));
    CHECK_EQUAL(metric_of(workload, state, DM_MIXED_METRIC_BINDINGS), BINDINGS - 1);
    char error[300];
    const uint32_t fan = dm_store_fan(state->store, state->episode_slots[5]);
    CHECK_STATUS(dm_store_remove(state->store, state->episode_slots[5], error, sizeof(error)), DM_OK, error);
    CHECK_EQUAL(metric_of(workload, state, DM_MIXED_METRIC_EPISODES), EPISODES - 1);
    CHECK_EQUAL(metric_of(workload, state, DM_MIXED_METRIC_BINDINGS), BINDINGS - 1 - fan);
    CHECK_STATUS(dm_store_remove(state->store, state->concept_slots[3], error, sizeof(error)), DM_OK, error);
    CHECK_EQUAL(metric_of(workload, state, DM_MIXED_METRIC_CONCEPTS), CONCEPTS - 1);
    CHECK_EQUAL(metric_of(workload, state, DM_MIXED_METRIC_INDEX_ROWS), CONCEPTS - 1);
    CHECK_STATUS(dm_store_update_embedding(state->store, state->concept_slots[4], made.data, error, sizeof(error)), DM_OK,
                 error);
    CHECK_EQUAL(metric_of(workload, state, DM_MIXED_METRIC_INDEX_ROWS), CONCEPTS - 2); /* the index has the old row */
    CHECK_EQUAL(metric_of(workload, state, DM_MIXED_METRIC_POPULATION), EPISODES + CONCEPTS - 2);
    uint64_t result = 0;
    CHECK_EQUAL(workload->operate(state, 0, READ, 5, &result), DM_ERROR_CORRUPT);
    workload->teardown(state);
    free_workload_case(&made);
}

int main(void) {
    const dm_workload_library *library = dm_workload_library_get();
    test_table(library);
    for (size_t i = 0; i < library->workload_count; i++) {
        const dm_workload *workload = library->workloads[i];
        test_equal_states(workload);
        test_refusals(workload);
        test_errors(workload);
        test_against_model(workload);
        test_no_drift(workload);
        printf("ran %s %s\n", workload->name, workload->variant);
    }
    test_types();
    test_twin();
    test_wrong_store();
    return test_report();
}
