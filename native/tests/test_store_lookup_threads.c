/* test_store_lookup_threads.c: four threads search while one adds, replaces and removes nodes, one refreshes and one
 * saves. Made for the thread sanitizer as much as for its own checks: every result must be a node with exactly the
 * cosine of an embedding that it had. */
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "tests/follow_case.h"

enum {
    STAYING = 100,
    HOT = 8,
    CONCEPTS = 400,
    EPISODES = 300,
    SEARCHERS = 4,
    SEARCHES = 600,
    BATCH = 4,
    CHANGES = 1200,
    K = 5
};

/* Every embedding that a slot ever had, one after the other; read when the threads have ended. */
typedef struct past {
    uint32_t slot;
    float values[FOLLOW_DIM];
} past;

typedef struct found {
    float query[FOLLOW_DIM];
    uint32_t slots[K];
    double cosines[K];
} found;

typedef struct contest {
    follow_case *made;
    dm_lookup *lookup;
    int32_t method;
    past *history;
    uint32_t history_size;
    found *results; /* the last SEARCHES of each searcher */
    _Atomic int changing;
    uint32_t refused; /* changes for want of a row */
    _Atomic uint32_t refreshes;
} contest;

typedef struct searcher {
    contest *shared;
    uint32_t number;
    pthread_t thread;
} searcher;

static void note(contest *shared, uint32_t slot, const float *values) {
    REQUIRE(shared->history_size < CONCEPTS + EPISODES + 2 * CHANGES);
    past *to = &shared->history[shared->history_size++];
    to->slot = slot;
    memcpy(to->values, values, sizeof(to->values));
}

/* The concepts behind those that stay are replaced most often, each by what is nearly the same: beside a search for it
 * a graph may hold both. */
static void draw_hot(uint32_t number, test_random *random, float *values) {
    test_random base = {5000 + number};
    follow_draw(&base, values);
    for (int i = 0; random != NULL && i < FOLLOW_DIM; i++) {
        values[i] *= 1.0f + 1e-3f * (float)test_random_normal(random);
    }
}

/* No node is found twice for one query. */
static void check_once(const uint32_t *slots, uint32_t queries) {
    for (uint32_t place = 0; place < queries * K; place++) {
        for (uint32_t other = place / K * K; other < place; other++) {
            CHECK(slots[other] != slots[place] || slots[place] == DM_SLOT_NONE);
        }
    }
}

/* Three searches in four are for an embedding that never changes. */
static void *search(void *argument) {
    searcher *self = argument;
    contest *shared = self->shared;
    test_random random = {self->number + 1};
    uint32_t missed = 0;
    uint32_t searches = 0;
    for (uint32_t i = 0; i < SEARCHES || atomic_load(&shared->changing); i++, searches++) {
        char error[256] = "";
        float queries[BATCH][FOLLOW_DIM];
        uint32_t slots[BATCH][K];
        double cosines[BATCH][K];
        const uint32_t types = self->number % 2 ? DM_LOOKUP_CONCEPTS : DM_LOOKUP_BOTH;
        const uint32_t stays = (uint32_t)test_random_below(&random, STAYING);
        if (i % 4 == 0) {
            draw_hot((uint32_t)test_random_below(&random, HOT), NULL, queries[0]);
        } else {
            memcpy(queries[0], shared->made->types[0].values[stays], sizeof(queries[0]));
        }
        for (uint32_t b = 1; b < BATCH; b++) {
            memcpy(queries[b], queries[0], sizeof(queries[0]));
        }
        int32_t status = dm_lookup_search_types(shared->lookup, types, queries[0], FOLLOW_DIM, BATCH, K, NULL, slots[0],
                                                cosines[0], error, sizeof(error));
        CHECK_STATUS(status, DM_OK, error);
        for (uint32_t b = 1; b < BATCH && shared->method != DM_LOOKUP_GRAPH;
             b++) { /* one state for all queries of a call */
            CHECK(memcmp(slots[b], slots[0], sizeof(slots[0])) == 0 &&
                  memcmp(cosines[b], cosines[0], sizeof(cosines[0])) == 0);
        }
        check_once(slots[0], BATCH);
        missed += i % 4 != 0 && slots[0][0] != dm_concept_slot(stays);
        found *to = &shared->results[self->number * SEARCHES + i % SEARCHES];
        memcpy(to->query, queries[0], sizeof(to->query));
        memcpy(to->slots, slots[0], sizeof(to->slots));
        memcpy(to->cosines, cosines[0], sizeof(to->cosines));
    }
    CHECK(missed <= (shared->method == DM_LOOKUP_EXACT ? 0 : searches / 20));
    return NULL;
}

/* One change; beyond those that stay. 0: no row was free. */
static int change(contest *shared) {
    follow_case *made = shared->made;
    char error[256] = "";
    float values[FOLLOW_DIM];
    const int is_hot = test_random_below(&made->random, 2) == 0;
    const int type = !is_hot && test_random_below(&made->random, 3) == 0;
    follow_type *of = &made->types[type];
    const uint32_t span = is_hot ? HOT : of->capacity - STAYING;
    const uint32_t index = STAYING + (uint32_t)test_random_below(&made->random, span);
    const uint32_t slot = follow_slot(made, type, index);
    int32_t status = DM_OK;
    follow_draw(&made->random, values);
    if (is_hot) {
        draw_hot(index - STAYING, &made->random, values);
    }
    if (!of->live[index]) {
        uint32_t given = DM_SLOT_NONE;
        const dm_id id = {made->next_id++, 5};
        status = type == 0 ? dm_store_add_concept(made->store, id, values, &given, error, sizeof(error))
                           : dm_store_add_episode(made->store, id, values, &given, error, sizeof(error));
        if (status == DM_OK) {
            of->live[dm_slot_index(given)] = 1;
            of->live_count++;
            memcpy(of->values[dm_slot_index(given)], values, sizeof(of->values[0]));
            note(shared, given, values);
        }
    } else if (is_hot || test_random_below(&made->random, 2) == 0) {
        status = follow_replace(made, type, index, values);
        if (status == DM_OK) {
            note(shared, slot, values);
        }
    } else {
        follow_remove(made, type, index);
    }
    CHECK(status == DM_OK || status == DM_ERROR_MEMORY);
    return status == DM_OK;
}

static void await_refresh(contest *shared) {
    const uint32_t seen = atomic_load(&shared->refreshes);
    while (atomic_load(&shared->refreshes) < seen + 2) { /* the next one may have begun before the change */
        (void)usleep(50);
    }
}

static void *change_often(void *argument) {
    contest *shared = argument;
    for (uint32_t i = 0; i < CHANGES; i++) {
        const int is_changed = change(shared);
        shared->refused += !is_changed;
        if (!is_changed || i % 16 == 0) {
            await_refresh(shared);
        }
    }
    atomic_store(&shared->changing, 0);
    return NULL;
}

static void *refresh_often(void *argument) {
    contest *shared = argument;
    char error[256] = "";
    while (atomic_load(&shared->changing)) {
        CHECK_STATUS(dm_lookup_refresh(shared->lookup, NULL, error, sizeof(error)), DM_OK, error);
        atomic_fetch_add(&shared->refreshes, 1);
        (void)usleep(20);
    }
    return NULL;
}

/* Meanwhile somebody asks, and saves. */
static void *ask_often(void *argument) {
    contest *shared = argument;
    char error[256] = "";
    char path[64];
    (void)snprintf(path, sizeof(path), "/tmp/dm_lookup_threads.%ld", (long)getpid());
    while (atomic_load(&shared->changing)) {
        const uint32_t size = dm_lookup_size(shared->lookup);
        CHECK(size >= STAYING && size <= CONCEPTS + EPISODES);
        CHECK(dm_lookup_plan(shared->lookup, DM_LOOKUP_CONCEPTS).method == shared->method);
        (void)dm_lookup_is_current(shared->lookup);
        int32_t status = dm_lookup_save(shared->lookup, path, error, sizeof(error));
        CHECK(status == DM_OK || status == DM_ERROR_ARGUMENT); /* not current */
        (void)usleep(1000);
    }
    (void)unlink(path);
    return NULL;
}

static void check_results(const contest *shared) {
    for (uint32_t i = 0; i < SEARCHERS * SEARCHES; i++) {
        const found *result = &shared->results[i];
        for (uint32_t place = 0; place < K; place++) {
            if (!CHECK(result->slots[place] != DM_SLOT_NONE || shared->method == DM_LOOKUP_GRAPH) ||
                result->slots[place] == DM_SLOT_NONE) {
                continue;
            }
            int had = 0;
            double scale = 1.0;
            for (uint32_t h = 0; h < shared->history_size && !had; h++) {
                const past *then = &shared->history[h];
                had = then->slot == result->slots[place] &&
                      fabs(follow_similarity(shared->made, result->query, then->values, &scale) -
                           result->cosines[place]) < 1e-14;
            }
            CHECK(had);
        }
    }
}

static void test_searches_beside_refreshes(int32_t method) {
    follow_case *made = follow_make(CONCEPTS, EPISODES, 0, 30);
    contest shared = {.made = made, .method = method, .changing = 1};
    shared.history = calloc(CONCEPTS + EPISODES + 2 * CHANGES, sizeof(*shared.history));
    shared.results = calloc(SEARCHERS * SEARCHES, sizeof(*shared.results));
    REQUIRE(shared.history != NULL && shared.results != NULL);
    follow_add(made, 0, 350);
    follow_add(made, 1, 250);
    for (int type = 0; type < 2; type++) {
        for (uint32_t index = 0; index < made->types[type].live_count; index++) {
            note(&shared, follow_slot(made, type, index), made->types[type].values[index]);
        }
    }
    shared.lookup = follow_lookup(made, method, DM_LOOKUP_BOTH, 0.95);
    searcher searchers[SEARCHERS];
    pthread_t others[3];
    for (uint32_t i = 0; i < SEARCHERS; i++) {
        searchers[i] = (searcher){.shared = &shared, .number = i};
        REQUIRE(pthread_create(&searchers[i].thread, NULL, search, &searchers[i]) == 0);
    }
    REQUIRE(pthread_create(&others[0], NULL, change_often, &shared) == 0);
    REQUIRE(pthread_create(&others[1], NULL, refresh_often, &shared) == 0);
    REQUIRE(pthread_create(&others[2], NULL, ask_often, &shared) == 0);
    for (uint32_t i = 0; i < SEARCHERS; i++) {
        REQUIRE(pthread_join(searchers[i].thread, NULL) == 0);
    }
    for (uint32_t i = 0; i < 3; i++) {
        REQUIRE(pthread_join(others[i], NULL) == 0);
    }
    printf("method %d: %u states of nodes, %u refreshes, %u changes waited for a row\n", method, shared.history_size,
           atomic_load(&shared.refreshes), shared.refused);
    check_results(&shared);
    char error[256] = "";
    CHECK_STATUS(dm_lookup_refresh(shared.lookup, NULL, error, sizeof(error)), DM_OK, error);
    CHECK(dm_lookup_is_current(shared.lookup));
    CHECK(follow_recall(made, shared.lookup, DM_LOOKUP_BOTH, 31) >= (method == DM_LOOKUP_EXACT ? 1.0 : 0.93));
    dm_lookup_destroy(shared.lookup);
    free(shared.history);
    free(shared.results);
    follow_free(made);
}

/* --- is it current? ----------------------------------------------------------------------------------------------- */

typedef struct overtaking {
    follow_case *made;
    float values[FOLLOW_DIM];
    uint32_t delay;
    _Atomic int is_begun;
} overtaking;

static void *overtake(void *argument) {
    overtaking *work = argument;
    while (!atomic_load(&work->is_begun)) {
    }
    for (uint32_t i = 0; i < work->delay; i++) {
        (void)atomic_load(&work->is_begun);
    }
    CHECK_STATUS(follow_replace(work->made, 0, 5, work->values), DM_OK, "");
    return NULL;
}

/* A change falls somewhere into a refresh: afterwards the lookup shows it, or says that it is not current. */
static void test_truth(int32_t method) {
    enum { ROUNDS = 200 };
    follow_case *made = follow_make(CONCEPTS, EPISODES, 0, 32);
    uint32_t shown = 0;
    follow_add(made, 0, 350);
    dm_lookup *lookup = follow_lookup(made, method, DM_LOOKUP_CONCEPTS, 0.95);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        char error[256] = "";
        pthread_t thread;
        overtaking work = {.made = made, .delay = (uint32_t)test_random_below(&made->random, 100000)};
        float values[FOLLOW_DIM];
        follow_draw(&made->random, values);
        CHECK_STATUS(follow_replace(made, 0, 200, values), DM_OK, ""); /* something to refresh for */
        follow_draw(&made->random, work.values);
        REQUIRE(pthread_create(&thread, NULL, overtake, &work) == 0);
        atomic_store(&work.is_begun, 1);
        if (round % 2 == 0) {
            (void)usleep((useconds_t)test_random_below(&made->random, 300));
        }
        CHECK_STATUS(dm_lookup_refresh(lookup, NULL, error, sizeof(error)), DM_OK, error);
        REQUIRE(pthread_join(thread, NULL) == 0);
        if (dm_lookup_is_current(lookup)) {
            uint32_t slots[1];
            double cosines[1];
            int32_t status =
                dm_lookup_search(lookup, work.values, FOLLOW_DIM, 1, 1, NULL, slots, cosines, error, sizeof(error));
            CHECK_STATUS(status, DM_OK, error);
            CHECK(slots[0] == dm_concept_slot(5) && cosines[0] > 1.0 - 1e-12);
            shown++;
        }
    }
    printf("method %d: shown %u times of %d\n", method, shown, ROUNDS);
    dm_lookup_destroy(lookup);
    follow_free(made);
}

int main(void) {
    test_truth(DM_LOOKUP_EXACT);
    test_truth(DM_LOOKUP_GRAPH);
    test_searches_beside_refreshes(DM_LOOKUP_EXACT);
    test_searches_beside_refreshes(DM_LOOKUP_LISTS);
    test_searches_beside_refreshes(DM_LOOKUP_GRAPH);
    return test_report();
}
