/* test_workload_threads.c: operations of the workload `mixed` by several threads at once, and what must hold when
 * they have ended: every insertion is counted, every strength is what its turns say, and nothing else came or went. */
#include <pthread.h>
#include <stdio.h>

#include "tests/support.h"
#include "tests/workload_case.h"
#include "workloads/workloads.h"

enum { THREADS = 4, MOST_INSERTED = 900 };

typedef struct player {
    const dm_workload *workload;
    dm_state *state;
    uint32_t number;
    uint32_t operations;
    uint64_t inserted;
    uint64_t refused; /* insertions into a full store */
} player;

static void *play(void *argument) {
    player *self = argument;
    test_random random = {100 + self->number};
    for (uint32_t i = 0; i < self->operations; i++) {
        const uint32_t operation = (uint32_t)test_random_below(&random, self->workload->operation_count);
        uint64_t result = 0;
        int32_t status =
            self->workload->operate(self->state, self->number, operation, test_random_next(&random) >> 8, &result);
        if (operation == INSERT && status == DM_ERROR_MEMORY) {
            self->refused++;
        } else {
            CHECK_EQUAL(status, DM_OK);
            self->inserted += operation == INSERT;
        }
    }
    return NULL;
}

static uint64_t formed_members(const dm_state *state) {
    uint64_t members = 0;
    for (uint32_t i = 0; i < state->formed_count; i++) {
        members += state->graph->edges(state->store, state->formed[i], NULL, 0);
    }
    return members;
}

static void test_threads(const dm_workload *workload, uint32_t operations, double recall) {
    workload_case made;
    make_workload_case(&made);
    made.parameters[DM_MIXED_FORMATION_EPISODES] = 30;
    made.parameters[DM_MIXED_RECALL] = recall;
    made.parameters[DM_MIXED_INSERTIONS] = MOST_INSERTED;
    dm_state *state = set_up(workload, &made, THREADS);
    uint64_t count = 0;
    float *originals = strengths_of(state, &count);
    player players[THREADS];
    pthread_t handles[THREADS];
    for (uint32_t t = 0; t < THREADS; t++) {
        players[t] = (player){workload, state, t, operations, 0, 0};
        REQUIRE(pthread_create(&handles[t], NULL, play, &players[t]) == 0);
    }
    uint64_t inserted = 0;
    uint64_t refused = 0;
    for (uint32_t t = 0; t < THREADS; t++) {
        REQUIRE(pthread_join(handles[t], NULL) == 0);
        inserted += players[t].inserted;
        refused += players[t].refused;
    }
    CHECK(inserted > 0 && (refused == 0 || inserted == MOST_INSERTED));
    check_strengths(state, originals, count);
    const uint64_t each = (BINDINGS + EPISODES - 1) / EPISODES;
    CHECK_EQUAL(metric_of(workload, state, DM_MIXED_METRIC_EPISODES), EPISODES + inserted);
    CHECK_EQUAL(metric_of(workload, state, DM_MIXED_METRIC_CONCEPTS), CONCEPTS + state->formed_count);
    CHECK_EQUAL(metric_of(workload, state, DM_MIXED_METRIC_FORMED), state->formed_count);
    CHECK_EQUAL(metric_of(workload, state, DM_MIXED_METRIC_INDEX_ROWS), CONCEPTS + state->formed_count);
    CHECK_EQUAL(metric_of(workload, state, DM_MIXED_METRIC_BINDINGS),
                BINDINGS + inserted * each + formed_members(state));
    free(originals);
    workload->teardown(state);
    free_workload_case(&made);
    printf("%s: %llu inserted, %llu refused\n", workload->variant, (unsigned long long)inserted,
           (unsigned long long)refused);
}

int main(void) {
    test_threads(&dm_mixed_dual, 3000, 1.0);
    test_threads(&dm_mixed_single, 3000, 1.0);
    test_threads(&dm_mixed_dual, 300, 0.9); /* an index that is planned */
    return test_report();
}
