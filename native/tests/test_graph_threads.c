/* test_graph_threads.c: searches beside changes, and a build by a team. For the thread sanitizer too: every vector has
 * its row's stamp in it, so a search that met a half-written row or one that was given away would return a cosine that
 * is none. */
#include <pthread.h>

#include "tests/graph_case.h"

enum { ROWS = 400, DIM = 24, SEARCHERS = 2, CHANGES = 600 };

typedef struct contest {
    graph_case *made;
    _Atomic uint32_t ending;
    _Atomic uint64_t searches;
} contest;

/* Rows below 100 stay: they are the vectors that a search must find, whatever happens to the others. */
static void *search(void *argument) {
    contest *shared = argument;
    graph_case *made = shared->made;
    char error[200] = "";
    dm_memory account = {0};
    dm_graph_scratch *scratch = NULL;
    CHECK_STATUS(dm_graph_scratch_create(made->graph, &account, &scratch, error, sizeof(error)), DM_OK, error);
    REQUIRE(scratch != NULL);
    const double widest = made->by == DM_SIMILARITY_COSINE ? 1.0 : 1e6;
    uint64_t good = 0; /* it found the row itself, or one that is better */
    uint64_t searches = 0;
    for (uint32_t row = 0; !atomic_load(&shared->ending) || searches < 100; row = (row + 1) % 100) {
        dm_neighbour found[10];
        uint32_t count = dm_graph_search(made->graph, scratch, graph_case_row(made, row), 10, 48, found);
        CHECK(count <= 10 && count > 0);
        for (uint32_t i = 0; i < count; i++) {
            CHECK(found[i].row < ROWS && found[i].similarity >= -widest && found[i].similarity <= widest);
            CHECK(i == 0 || found[i - 1].similarity >= found[i].similarity);
            CHECK(found[i].row >= 100 ||
                  fabs(found[i].similarity -
                       graph_case_similarity(made, graph_case_row(made, row), found[i].row)) < 1e-12 * widest);
        }
        const double itself = graph_case_similarity(made, graph_case_row(made, row), row);
        good += count > 0 && found[0].similarity >= itself - 1e-12 * widest;
        searches++;
    }
    CHECK((double)good >= 0.98 * (double)searches);
    atomic_fetch_add(&shared->searches, searches);
    dm_graph_scratch_destroy(scratch, &account);
    CHECK_EQUAL(dm_memory_bytes(&account), 0);
    return NULL;
}

static void change(graph_case *made, test_random *random) {
    char error[200] = "";
    for (uint32_t i = 0; i < CHANGES; i++) {
        uint32_t row = 100 + (uint32_t)test_random_below(random, ROWS - 100);
        if (made->slots[row] != DM_SLOT_NONE) {
            made->slots[row] = DM_SLOT_NONE;
            CHECK_STATUS(dm_graph_remove(made->graph, made->scratch, row, error, sizeof(error)), DM_OK, error);
        } else if (dm_graph_is_free(made->graph, made->scratch, row)) {
            graph_case_draw(random, DIM, 8, 10, graph_case_row(made, row));
            graph_case_set_norm(made, row);
            CHECK_STATUS(dm_graph_insert(made->graph, made->scratch, row, error, sizeof(error)), DM_OK, error);
            made->slots[row] = row;
        }
    }
}

static void test_search_beside_changes(dm_similarity by) {
    graph_case made = graph_case_make(ROWS, DIM);
    test_random random = {3};
    made.by = by;
    contest shared = {.made = &made};
    pthread_t threads[SEARCHERS];
    graph_case_fill(&made, &random, 8, 10);
    graph_case_open(&made, dm_graph_best(), 5);
    graph_case_build(&made, NULL);
    for (uint32_t i = 0; i < SEARCHERS; i++) {
        REQUIRE(pthread_create(&threads[i], NULL, search, &shared) == 0);
    }
    change(&made, &random);
    atomic_store(&shared.ending, 1);
    for (uint32_t i = 0; i < SEARCHERS; i++) {
        REQUIRE(pthread_join(threads[i], NULL) == 0);
    }
    CHECK(atomic_load(&shared.searches) >= 100 * SEARCHERS);
    graph_case_check(&made);
    CHECK(graph_case_recall(&made, &random, 8, 10, 40, 64) >= 0.95);
    graph_case_close(&made);
    graph_case_free(&made);
}

/* The row that a team places first. */
static uint32_t first_of(const graph_case *made) {
    uint32_t first = 0;
    for (uint32_t row = 0; row < made->capacity; row++) {
        first = made->graph->levels[row] > made->graph->levels[first] ? row : first;
    }
    return first;
}

/* Searches from the first row on, while the graph grows: none finds less than there was when it began. */
static void *search_growing(void *argument) {
    contest *shared = argument;
    graph_case *made = shared->made;
    char error[200] = "";
    dm_memory account = {0};
    dm_graph_scratch *scratch = NULL;
    CHECK_STATUS(dm_graph_scratch_create(made->graph, &account, &scratch, error, sizeof(error)), DM_OK, error);
    REQUIRE(scratch != NULL);
    const float *query = graph_case_row(made, first_of(made));
    while (!atomic_load(&shared->ending)) {
        dm_neighbour found[10];
        uint32_t before = dm_graph_size(made->graph);
        uint32_t count = dm_graph_search(made->graph, scratch, query, 10, 48, found);
        CHECK(count >= (before < 10 ? before : 10));
        CHECK(before == 0 || found[0].similarity > 1.0 - 1e-12);
    }
    dm_graph_scratch_destroy(scratch, &account);
    return NULL;
}

static void test_build_by_team(void) {
    graph_case made = graph_case_make(1200, 48);
    test_random random = {4};
    contest shared = {.made = &made};
    pthread_t thread;
    char error[200] = "";
    dm_team *team = NULL;
    graph_case_fill(&made, &random, 12, 10);
    graph_case_open(&made, dm_graph_best(), 5);
    CHECK_STATUS(dm_team_create(3, &team, error, sizeof(error)), DM_OK, error);
    REQUIRE(team != NULL);
    REQUIRE(pthread_create(&thread, NULL, search_growing, &shared) == 0);
    graph_case_build(&made, team);
    atomic_store(&shared.ending, 1);
    REQUIRE(pthread_join(thread, NULL) == 0);
    graph_case_check(&made);
    CHECK(graph_case_recall(&made, &random, 12, 10, 50, 64) >= 0.95);
    CHECK(graph_case_recall(&made, &random, 12, 10, 50, 256) >= 0.99);
    dm_team_destroy(team);
    graph_case_close(&made);
    graph_case_free(&made);
}

int main(void) {
    test_search_beside_changes(DM_SIMILARITY_COSINE);
    test_search_beside_changes(DM_SIMILARITY_INNER_PRODUCT);
    test_build_by_team();
    return test_report();
}
