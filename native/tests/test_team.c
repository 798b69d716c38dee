/* test_team.c: every task is done once, by one member at a time, and what it wrote is there when the call returns. Made for the
 * thread sanitizer as much as for its own checks. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "parallel/team.h"
#include "tests/support.h"

enum { MOST = 5000 };

typedef struct record {
    uint32_t done[MOST];        /* plain: two members at one task would be a race */
    uint32_t by_member[16];     /* plain: so would two threads with one number */
    uint32_t weight;
} record;

static void note(void *context, uint32_t task, uint32_t member) {
    record *seen = context;
    seen->done[task] += 1;
    seen->by_member[member] += 1;
    for (volatile uint32_t i = 0; i < seen->weight; i++) {
    }
}

static dm_team *make_team(uint32_t threads) {
    char error[256] = "";
    dm_team *team = NULL;
    REQUIRE(CHECK_STATUS(dm_team_create(threads, &team, error, sizeof(error)), DM_OK, error));
    CHECK_EQUAL(dm_team_size(team), threads);
    return team;
}

static void check_round(dm_team *team, uint32_t tasks, uint32_t weight) {
    record *seen = calloc(1, sizeof(*seen));
    REQUIRE(seen != NULL);
    seen->weight = weight;
    dm_team_run(team, tasks, note, seen);
    uint32_t once = 0;
    for (uint32_t task = 0; task < MOST; task++) {
        once += seen->done[task] == (task < tasks);
    }
    CHECK_EQUAL(once, MOST);
    uint32_t sum = 0;
    for (uint32_t member = 0; member < 16; member++) {
        CHECK(member < dm_team_size(team) || seen->by_member[member] == 0);
        sum += seen->by_member[member];
    }
    CHECK_EQUAL(sum, tasks);
    free(seen);
}

static void test_every_task_once(void) {
    const uint32_t tasks[] = {0, 1, 2, 3, 7, 64, 1000, MOST};
    check_round(NULL, 10, 0);
    for (uint32_t threads = 1; threads <= 8; threads++) {
        dm_team *team = make_team(threads);
        for (size_t t = 0; t < sizeof(tasks) / sizeof(tasks[0]); t++) {
            check_round(team, tasks[t], 0);
            check_round(team, tasks[t], 200);
        }
        dm_team_destroy(team);
    }
}

/* Short calls one after the other: a member that is late for a round must neither miss it nor do it twice. */
static void test_many_short_rounds(void) {
    dm_team *team = make_team(3);
    record *seen = calloc(1, sizeof(*seen));
    REQUIRE(seen != NULL);
    for (uint32_t round = 0; round < 3000; round++) {
        dm_team_run(team, 2 + round % 5, note, seen);
    }
    CHECK_EQUAL(seen->done[0], 3000);
    CHECK_EQUAL(seen->done[1], 3000);
    CHECK_EQUAL(seen->done[5], 600);
    free(seen);
    dm_team_destroy(team);
}

/* One member must do more than its share when another is held up: a team that dealt the tasks out ahead would stand still. */
typedef struct held {
    _Atomic uint32_t others;
    uint32_t tasks;
} held;

static void hold_first(void *context, uint32_t task, uint32_t member) {
    held *state = context;
    (void)member;
    if (task == 0) {
        while (atomic_load(&state->others) + 1 < state->tasks) {
        }
        return;
    }
    atomic_fetch_add(&state->others, 1);
}

static void test_a_slow_task_holds_nobody_up(void) {
    dm_team *team = make_team(2);
    held state = {0, 100};
    dm_team_run(team, state.tasks, hold_first, &state);
    CHECK_EQUAL(atomic_load(&state.others), 99);
    dm_team_destroy(team);
}

static void *call_often(void *argument) {
    record *seen = calloc(1, sizeof(*seen));
    REQUIRE(seen != NULL);
    for (uint32_t round = 0; round < 300; round++) {
        dm_team_run(argument, 20, note, seen);
    }
    CHECK_EQUAL(seen->done[0], 300);
    CHECK_EQUAL(seen->done[19], 300);
    free(seen);
    return NULL;
}

static void test_two_callers_take_turns(void) {
    dm_team *team = make_team(2);
    pthread_t other;
    REQUIRE(pthread_create(&other, NULL, call_often, team) == 0);
    call_often(team);
    REQUIRE(pthread_join(other, NULL) == 0);
    dm_team_destroy(team);
}

static void test_bad_sizes(void) {
    char error[256] = "";
    dm_team *team = (dm_team *)error;
    CHECK_STATUS(dm_team_create(0, &team, error, sizeof(error)), DM_ERROR_ARGUMENT, error);
    CHECK(team == NULL);
    CHECK_STATUS(dm_team_create(257, &team, error, sizeof(error)), DM_ERROR_ARGUMENT, error);
    CHECK_EQUAL(dm_team_size(NULL), 1);
    dm_team_destroy(NULL);
}

int main(void) {
    test_every_task_once();
    test_many_short_rounds();
    test_a_slow_task_holds_nobody_up();
    test_two_callers_take_turns();
    test_bad_sizes();
    return test_report();
}
