/* test_workload_threads.c: operations of the workload `mixed` by several threads at once, and what must hold when
 * they have ended: every insertion is counted, every strength is what its turns say, and nothing else came or went. */
#include <pthread.h>
#include <stdio.h>

#include "tests/support.h"
#include "tests/workload_case.h"
#include "workloads/workloads.h"

enum { THREADS = 4, MOST_INSERTED = 900 };

static const uint32_t ANY = UINT32_MAX; /* but decays, after which strengths are not what turns say */
static const uint32_t ALL = UINT32_MAX - 1;

typedef struct player {
    const dm_workload *workload;
    dm_state *state;
    uint32_t number;
    uint32_t operations;
    uint32_t only; /* an operation, or ANY, or ALL */
    uint64_t keys; /* below */
    uint64_t inserted;
    uint64_t refused; /* insertions into a full store */
} player;

static void *play(void *argument) {
    player *self = argument;
    test_random random = {100 + self->number};
    for (uint32_t i = 0; i < self->operations; i++) {
        const uint64_t kinds = self->only == ANY ? DECAY : self->workload->operation_count;
        const uint32_t operation = self->only >= ALL ? (uint32_t)test_random_below(&random, kinds) : self->only;
        const uint64_t key = test_random_below(&random, self->keys);
        uint64_t result = 0;
        int32_t status = self->workload->operate(self->state, self->number, operation, key, &result);
        if (operation == INSERT && status == DM_ERROR_MEMORY) {
            self->refused++;
        } else {
            CHECK_EQUAL(status, DM_OK);
            self->inserted += operation == INSERT;
        }
    }
    return NULL;
}

/* Plays on THREADS threads; the sums of what each counted. */
static player play_all(player each) {
    player players[THREADS];
    pthread_t handles[THREADS];
    for (uint32_t t = 0; t < THREADS; t++) {
        players[t] = each;
        players[t].number = t;
        REQUIRE(pthread_create(&handles[t], NULL, play, &players[t]) == 0);
    }
    for (uint32_t t = 0; t < THREADS; t++) {
        REQUIRE(pthread_join(handles[t], NULL) == 0);
        each.inserted += players[t].inserted;
        each.refused += players[t].refused;
    }
    return each;
}

static uint64_t formed_members(const dm_state *state) {
    uint64_t members = 0;
    for (uint32_t i = 0; i < state->formed_count; i++) {
        members += state->graph->edges(state->store, state->formed[i], NULL, 0);
    }
    return members;
}

static void test_threads(player each, double recall) {
    const dm_workload *workload = each.workload;
    workload_case made;
    make_workload_case(&made);
    made.parameters[DM_MIXED_FORMATION_EPISODES] = 30;
    made.parameters[DM_MIXED_RECALL] = recall;
    made.parameters[DM_MIXED_INSERTIONS] = MOST_INSERTED;
    dm_state *state = set_up(workload, &made, THREADS);
    uint64_t count = 0;
    float *originals = strengths_of(state, &count);
    each.state = state;
    const player all = play_all(each);
    CHECK(all.refused == 0 || all.inserted == MOST_INSERTED);
    if (each.only == ALL || each.only == DECAY) {
        learn_anew(state);
    }
    check_strengths(state, originals, count);
    const uint64_t bindings = BINDINGS + all.inserted * ((BINDINGS + EPISODES - 1) / EPISODES);
    double values[DM_MIXED_METRICS];
    CHECK_EQUAL(workload->read_metrics(state, values, workload->metric_count), DM_OK);
    CHECK_EQUAL(values[DM_MIXED_METRIC_EPISODES], EPISODES + all.inserted);
    CHECK_EQUAL(values[DM_MIXED_METRIC_CONCEPTS], CONCEPTS + state->formed_count);
    CHECK_EQUAL(values[DM_MIXED_METRIC_FORMED], state->formed_count);
    CHECK_EQUAL(values[DM_MIXED_METRIC_INDEX_ROWS], CONCEPTS + state->formed_count);
    CHECK_EQUAL(values[DM_MIXED_METRIC_BINDINGS], bindings + formed_members(state));
    free(originals);
    workload->teardown(state);
    free_workload_case(&made);
    printf("%s: %llu inserted, %llu refused\n", workload->variant, (unsigned long long)all.inserted,
           (unsigned long long)all.refused);
}

int main(void) {
    const dm_workload *const workloads[] = {&dm_mixed_dual, &dm_mixed_single};
    for (size_t w = 0; w < 2; w++) {
        test_threads((player){.workload = workloads[w], .operations = 2000, .only = ANY, .keys = 1 << 20}, 1.0);
        test_threads((player){.workload = workloads[w], .operations = 2000, .only = ALL, .keys = 1 << 20}, 1.0);
        test_threads((player){.workload = workloads[w], .operations = 20000, .only = UPDATE, .keys = 2}, 1.0);
        test_threads((player){.workload = workloads[w], .operations = 300, .only = INSERT, .keys = 1 << 20}, 1.0);
        test_threads((player){.workload = workloads[w], .operations = 1000, .only = CONSOLIDATE, .keys = 2}, 1.0);
        test_threads((player){.workload = workloads[w], .operations = 2000, .only = DECAY, .keys = 2}, 1.0);
    }
    test_threads((player){.workload = &dm_mixed_dual, .operations = 300, .only = ANY, .keys = 1 << 20},
                 0.9); /* planned */
    return test_report();
}
