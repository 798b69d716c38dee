/* test_lists_threads.c: many threads search the same lists, each with a scratch of its own, and find what one finds. For
 * the thread sanitizer too, as is the building by a team. */
#include <pthread.h>

#include "tests/lists_case.h"

enum { SEARCHERS = 4, QUERIES = 60, K = 10, VISITS = 12, DIM = 80 };

typedef struct contest {
    const lists_case *made;
    float queries[QUERIES][DIM];
    dm_neighbour expected[QUERIES][K];
} contest;

static void *search(void *argument) {
    const contest *shared = argument;
    char error[300] = "";
    dm_memory account = {0};
    dm_lists_scratch *scratch = NULL;
    CHECK_STATUS(dm_lists_scratch_create(shared->made->lists, &account, &scratch, error, sizeof(error)), DM_OK, error);
    REQUIRE(scratch != NULL);
    for (uint32_t turn = 0; turn < 5; turn++) {
        for (uint32_t i = 0; i < QUERIES; i++) {
            dm_neighbour found[K];
            CHECK_EQUAL(dm_lists_search(shared->made->lists, scratch, shared->queries[i], K, VISITS, found), K);
            for (uint32_t j = 0; j < K; j++) {
                CHECK(found[j].row == shared->expected[i][j].row && found[j].similarity == shared->expected[i][j].similarity);
            }
        }
    }
    dm_lists_scratch_destroy(scratch, &account);
    CHECK_EQUAL(dm_memory_bytes(&account), 0);
    return NULL;
}

int main(void) {
    static contest shared;
    lists_case made = lists_case_make(1000, DIM);
    test_random random = {5};
    char error[300] = "";
    dm_team *team = NULL;
    pthread_t threads[SEARCHERS];
    CHECK_STATUS(dm_team_create(SEARCHERS, &team, error, sizeof(error)), DM_OK, error);
    lists_case_fill(&made, &random, 16, 12, 0.0);
    lists_case_open(&made, 0, 0, team);
    lists_case_check(&made);
    shared.made = &made;
    for (uint32_t i = 0; i < QUERIES; i++) {
        lists_case_draw(&random, DIM, 16, 12, 0.0, shared.queries[i]);
        CHECK_EQUAL(dm_lists_search(made.lists, made.scratch, shared.queries[i], K, VISITS, shared.expected[i]), K);
    }
    for (uint32_t t = 0; t < SEARCHERS; t++) {
        REQUIRE(pthread_create(&threads[t], NULL, search, &shared) == 0);
    }
    for (uint32_t t = 0; t < SEARCHERS; t++) {
        REQUIRE(pthread_join(threads[t], NULL) == 0);
    }
    dm_team_destroy(team);
    lists_case_close(&made);
    lists_case_free(&made);
    return test_report();
}
