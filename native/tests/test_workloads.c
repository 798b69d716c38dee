/* test_workloads.c: the laws of dm_workload.h for every workload of the table, and that a long run changes nothing that
 * it should not. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/resident.h"
#include "tests/support.h"
#include "tests/workload_case.h"
#include "workloads/workloads.h"

/* --- declarations ------------------------------------------------------------------------------------------------- */

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

/* --- calls -------------------------------------------------------------------------------------------------------- */

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
    } wrong[] = {{DM_MIXED_BINDINGS, (double)EPISODES * CONCEPTS + 1},
                 {DM_MIXED_FORMATION_EPISODES, EPISODES + 1},
                 {DM_MIXED_CONSOLIDATION_CONCEPTS, CONCEPTS + 1},
                 {DM_MIXED_DECAY_CONCEPTS, CONCEPTS + 1}};
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

/* --- steadiness --------------------------------------------------------------------------------------------------- */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) /* they keep what was freed */
enum { ALLOWED_GROWTH = 1 << 29 };
#else
enum { ALLOWED_GROWTH = 1 << 20 };
#endif

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
    for (int i = 0; i < 20000; i++) {
        (void)perform(workload, state, DECAY, test_random_next(&random) >> 8);
        (void)perform(workload, state, UPDATE, test_random_next(&random) >> 8);
    }
    for (uint64_t b = 0; b < count; b++) { /* however often: a concept forgets 31 minutes at most */
        CHECK(strength_at(state, &state->bindings[b]) > 0.97f * (originals[b] - DM_MIXED_DELTA));
    }
    learn_anew(state);
    check_strengths(state, originals, count);
    /* An index is a little larger or smaller with the number of concepts formed last and the rows that they got. */
    CHECK(fabs(metric_of(workload, state, DM_MIXED_METRIC_MEMORY) - memory) < 4096);
    CHECK(resident_bytes() <= resident + ALLOWED_GROWTH);
    check_counts(workload, state, EPISODES, CONCEPTS + state->formed_count,
                 (uint64_t)metric_of(workload, state, DM_MIXED_METRIC_BINDINGS));
    free(originals);
    workload->teardown(state);
    free_workload_case(&made);
}

/* Fewer rows than nodes: mixtures of two rows, none of them twice, nor a row at another length. */
static void test_few_rows(const dm_workload *workload) {
    workload_case made;
    make_workload_case(&made);
    made.work.data.rows = 100;
    dm_state *state = set_up(workload, &made, 1);
    check_counts(workload, state, EPISODES, CONCEPTS, BINDINGS);
    for (uint32_t e = 0; e < EPISODES; e++) {
        const dm_embedding one = dm_store_acquire_embedding(state->store, state->episode_slots[e]);
        for (uint32_t before = 0; before < e; before++) {
            const dm_embedding other = dm_store_acquire_embedding(state->store, state->episode_slots[before]);
            double cosine = 0.0;
            for (size_t k = 0; k < DIM; k++) {
                cosine += (double)one.values[k] * (double)other.values[k];
            }
            CHECK(cosine * (double)one.inverse_norm * (double)other.inverse_norm < 0.99999);
            dm_store_release_embedding(state->store, other);
        }
        dm_store_release_embedding(state->store, one);
    }
    workload->teardown(state);
    free_workload_case(&made);
}

/* --- a wrong store ------------------------------------------------------------------------------------------------ */

/* What is missing from the store is missing from the counts: nothing is remembered. */
static int never(const dm_store *store, uint32_t concept_slot, const dm_edge *edge) {
    (void)store;
    (void)concept_slot;
    (void)edge;
    return 0;
}

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
    CHECK_STATUS(dm_store_update_embedding(state->store, state->concept_slots[4], made.data, error, sizeof(error)),
                 DM_OK, error);
    CHECK_EQUAL(metric_of(workload, state, DM_MIXED_METRIC_INDEX_ROWS), CONCEPTS - 2); /* the index has the old row */
    CHECK_EQUAL(metric_of(workload, state, DM_MIXED_METRIC_POPULATION), EPISODES + CONCEPTS - 2);
    dm_mixed_graph one_sided = *state->graph; /* as if no episode knew of its bindings */
    one_sided.is_mutual = never;
    state->graph = &one_sided;
    CHECK_EQUAL(metric_of(workload, state, DM_MIXED_METRIC_BINDINGS), 0);
    state->graph = &dm_mixed_dual_graph;
    uint64_t result = 0;
    CHECK_EQUAL(workload->operate(state, 0, READ, 5, &result), DM_ERROR_CORRUPT);
    /* An insertion that cannot be bound leaves nothing behind: concept 3 is gone, and the index still has it. */
    CHECK_EQUAL(workload->operate(state, 0, INSERT, 3, &result), DM_ERROR_ARGUMENT);
    CHECK_EQUAL(metric_of(workload, state, DM_MIXED_METRIC_EPISODES), EPISODES - 1);
    CHECK_EQUAL(atomic_load(&state->episode_count), EPISODES);
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
        test_no_drift(workload);
        test_few_rows(workload);
        printf("ran %s %s\n", workload->name, workload->variant);
    }
    test_wrong_store();
    return test_report();
}
