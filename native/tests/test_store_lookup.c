/* test_store_lookup.c: dm_lookup_* against a brute-force search in long double over a model of the store: any team,
 * batches of many sizes, while and after concepts come, change and go. The thread sanitizer runs it too. */
#include <float.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dualmem/dualmem.h"
#include "tests/support.h"

enum { CAPACITY = 320, MOST_THREADS = 8 };

/* A store and what it should hold, by concept index (of a single-type store: by slot). */
typedef struct model {
    dm_store *store;
    uint32_t dim;
    int single_type;
    int live[CAPACITY];
    float *values; /* [index * dim] */
    uint64_t next_id;
    test_random random;
} model;

static model make_model(uint32_t dim, int single_type, uint64_t seed) {
    model made = {.dim = dim, .single_type = single_type, .next_id = 1, .random = {seed}};
    char error[256] = "";
    const dm_store_options options = {.size = sizeof(options),
                                      .dim = dim,
                                      .concept_capacity = single_type ? 0 : CAPACITY,
                                      .episode_capacity = single_type ? CAPACITY : 4,
                                      .single_type = single_type};
    REQUIRE(CHECK_STATUS(dm_store_create(&options, &made.store, error, sizeof(error)), DM_OK, error));
    made.values = calloc((size_t)CAPACITY * dim, sizeof(float));
    REQUIRE(made.values != NULL);
    return made;
}

static void free_model(model *made) {
    dm_store_destroy(made->store);
    free(made->values);
}

static uint32_t index_of(const model *made, uint32_t slot) {
    return made->single_type ? slot : dm_slot_index(slot);
}

static float *values_of(const model *made, uint32_t index) {
    return made->values + (size_t)index * made->dim;
}

/* A vector of some kind: normal, equal to the one before or near it (cosines that float32 cannot tell apart), zero,
 * tiny, huge. */
static void draw(model *made, float *values) {
    uint64_t kind = test_random_below(&made->random, 12);
    float scale = kind == 9 ? 0.0f : kind == 10 ? 1e-18f : kind == 11 ? 1e16f : 1.0f;
    static float before[4096];
    for (uint32_t i = 0; i < made->dim; i++) {
        float normal = (float)test_random_normal(&made->random);
        values[i] = kind < 2 ? before[i] * (kind == 0 ? 1.0f : 1.0f + 1e-6f * normal) : scale * normal;
    }
    memcpy(before, values, made->dim * sizeof(float));
}

static uint32_t add(model *made, const float *values) {
    char error[256] = "";
    uint32_t slot = DM_SLOT_NONE;
    dm_id id = {made->next_id++, 7};
    int32_t status = made->single_type ? dm_store_add_node(made->store, id, values, &slot, error, sizeof(error))
                                       : dm_store_add_concept(made->store, id, values, &slot, error, sizeof(error));
    REQUIRE(CHECK_STATUS(status, DM_OK, error));
    made->live[index_of(made, slot)] = 1;
    memcpy(values_of(made, index_of(made, slot)), values, made->dim * sizeof(float));
    return slot;
}

static void add_drawn(model *made, uint32_t count) {
    float *values = malloc(made->dim * sizeof(float));
    REQUIRE(values != NULL);
    for (uint32_t i = 0; i < count; i++) {
        draw(made, values);
        (void)add(made, values);
    }
    free(values);
}

static void remove_slot(model *made, uint32_t slot) {
    char error[256] = "";
    CHECK_STATUS(dm_store_remove(made->store, slot, error, sizeof(error)), DM_OK, error);
    made->live[index_of(made, slot)] = 0;
}

static uint32_t slot_of(const model *made, uint32_t index) {
    return made->single_type ? index : dm_concept_slot(index);
}

static uint32_t live_count(const model *made) {
    uint32_t count = 0;
    for (uint32_t index = 0; index < CAPACITY; index++) {
        count += made->live[index] != 0;
    }
    return count;
}

static dm_lookup *make_lookup(model *made) {
    char error[256] = "";
    dm_lookup *lookup = NULL;
    REQUIRE(CHECK_STATUS(dm_lookup_create(made->store, &lookup, error, sizeof(error)), DM_OK, error));
    return lookup;
}

static long double dot(const float *a, const float *b, uint32_t dim) {
    long double sum = 0.0L;
    for (uint32_t i = 0; i < dim; i++) {
        sum += (long double)a[i] * (long double)b[i];
    }
    return sum;
}

static long double cosine(const float *a, const float *b, uint32_t dim) {
    long double a_square = dot(a, a, dim);
    long double b_square = dot(b, b, dim);
    if (a_square < (long double)FLT_MIN || b_square < (long double)FLT_MIN) {
        return 0.0L;
    }
    return dot(a, b, dim) / sqrtl(a_square * b_square);
}

static int larger_first(const void *left, const void *right) {
    const long double *a = left;
    const long double *b = right;
    return *a > *b ? -1 : *a < *b;
}

/* Double against long double. */
#define ROUNDING 1e-14L

/* The k best cosines are found, each under a live slot that has it, no slot twice; then nothing. */
static void check_query(const model *made, const float *query, uint32_t k, const uint32_t *slots,
                        const double *cosines) {
    long double all[CAPACITY];
    uint32_t count = 0;
    for (uint32_t index = 0; index < CAPACITY; index++) {
        if (made->live[index]) {
            all[count++] = cosine(query, values_of(made, index), made->dim);
        }
    }
    qsort(all, count, sizeof(all[0]), larger_first);
    unsigned char seen[CAPACITY] = {0};
    for (uint32_t i = 0; i < k; i++) {
        if (i >= count) {
            CHECK_EQUAL(slots[i], DM_SLOT_NONE);
            CHECK(cosines[i] == 0.0);
            continue;
        }
        CHECK(fabsl((long double)cosines[i] - all[i]) <= ROUNDING);
        uint32_t index = index_of(made, slots[i]);
        if (CHECK(index < CAPACITY && made->live[index] && !seen[index] && slots[i] == slot_of(made, index))) {
            seen[index] = 1;
            CHECK(fabsl((long double)cosines[i] - cosine(query, values_of(made, index), made->dim)) <= ROUNDING);
        }
        CHECK(i == 0 || cosines[i - 1] >= cosines[i]);
    }
}

typedef struct answer {
    uint32_t *slots;
    double *cosines;
    size_t count;
} answer;

static answer search(dm_lookup *lookup, const float *queries, size_t stride, size_t count, uint32_t k, dm_team *team) {
    char error[256] = "";
    answer given = {.slots = test_guard_allocate(count * k * sizeof(uint32_t), TEST_GUARD_AFTER),
                    .cosines = test_guard_allocate(count * k * sizeof(double), TEST_GUARD_AFTER),
                    .count = count * k};
    int32_t status =
        dm_lookup_search(lookup, queries, stride, count, k, team, given.slots, given.cosines, error, sizeof(error));
    CHECK_STATUS(status, DM_OK, error);
    return given;
}

static void free_answer(answer *given) {
    test_guard_free(given->slots);
    test_guard_free(given->cosines);
}

static int same(const answer *a, const answer *b) {
    return a->count == b->count && memcmp(a->slots, b->slots, a->count * sizeof(uint32_t)) == 0 &&
           memcmp(a->cosines, b->cosines, a->count * sizeof(double)) == 0;
}

static dm_team *make_team(uint32_t threads) {
    char error[256] = "";
    dm_team *team = NULL;
    REQUIRE(CHECK_STATUS(dm_team_create(threads, &team, error, sizeof(error)), DM_OK, error));
    return team;
}

/* --- cases ------------------------------------------------------------------------------------------------------ */

/* The queries end where a guard page begins; their stride leaves a gap that must not be read as part of a query. */
static float *draw_queries(model *made, size_t count, size_t stride) {
    size_t floats = count == 0 ? 0 : (count - 1) * stride + made->dim;
    float *queries = test_guard_allocate(floats * sizeof(float), TEST_GUARD_AFTER);
    for (size_t i = 0; i < floats; i++) {
        queries[i] = NAN;
    }
    for (size_t i = 0; i < count; i++) {
        draw(made, queries + i * stride);
    }
    return queries;
}

static void check_against_model(model *made, size_t count, uint32_t k, dm_team **teams) {
    size_t stride = made->dim + test_random_below(&made->random, 3);
    float *queries = draw_queries(made, count, stride);
    dm_lookup *lookup = make_lookup(made);
    CHECK_EQUAL(dm_lookup_size(lookup), live_count(made));
    CHECK(dm_lookup_is_current(lookup));
    answer alone = search(lookup, queries, stride, count, k, NULL);
    for (size_t i = 0; i < count; i++) {
        check_query(made, queries + i * stride, k, alone.slots + i * k, alone.cosines + i * k);
    }
    for (uint32_t threads = 1; threads <= MOST_THREADS; threads++) {
        answer together = search(lookup, queries, stride, count, k, teams[threads - 1]);
        CHECK(same(&alone, &together));
        free_answer(&together);
    }
    free_answer(&alone);
    dm_lookup_destroy(lookup);
    test_guard_free(queries);
}

static void test_against_model(dm_team **teams) {
    const uint32_t dims[] = {1, 3, 16, 33, 100, 768};
    const size_t counts[] = {0, 1, 2, 7, 40};
    const uint32_t ks[] = {1, 10, DM_LOOKUP_K_MAX};
    for (int single_type = 0; single_type <= 1; single_type++) {
        for (size_t d = 0; d < sizeof(dims) / sizeof(dims[0]); d++) {
            model made = make_model(dims[d], single_type, 41 + d);
            check_against_model(&made, 5, 3, teams); /* nothing is there yet */
            for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
                add_drawn(&made, c == 0 ? 1 : 45);
                for (uint32_t index = (uint32_t)c; index < CAPACITY; index += 19) { /* rows without a node */
                    if (made.live[index]) {
                        remove_slot(&made, slot_of(&made, index));
                    }
                }
                add_drawn(&made, (uint32_t)(c * 2));
                check_against_model(&made, counts[c], ks[c % 3], teams);
            }
            free_model(&made);
        }
    }
}

/* Enough queries for several tasks a thread even where a task takes many. */
static void test_many_queries(dm_team **teams) {
    model made = make_model(8, 0, 50);
    add_drawn(&made, 12);
    check_against_model(&made, 3000, 4, teams);
    free_model(&made);
}

/* What a search works in is kept for the next, one for each thread that ever searched at once. */
static void test_memory_of_searches(void) {
    model made = make_model(16, 0, 56);
    add_drawn(&made, 50);
    float *queries = draw_queries(&made, 2000, 16);
    dm_lookup *lookup = make_lookup(&made);
    uint64_t bare = dm_lookup_memory(lookup);
    uint64_t one = 0;
    for (uint32_t threads = 1; threads <= MOST_THREADS; threads++) {
        dm_team *team = make_team(threads);
        for (int again = 0; again <= 1; again++) {
            answer given = search(lookup, queries, 16, 2000, 3, team);
            free_answer(&given);
            one = one == 0 ? dm_lookup_memory(lookup) - bare : one;
            CHECK_EQUAL(dm_lookup_memory(lookup), bare + threads * one);
        }
        dm_team_destroy(team);
    }
    CHECK(bare > 50 * 16 && one > 50 * sizeof(float));
    dm_lookup_destroy(lookup);
    test_guard_free(queries);
    free_model(&made);
}

/* What the index found, it goes on finding, under the slots of then. */
static void test_index_is_a_state(void) {
    model made = make_model(24, 0, 51);
    char error[256] = "";
    add_drawn(&made, 100);
    float *queries = draw_queries(&made, 20, 24);
    dm_lookup *lookup = make_lookup(&made);
    answer before = search(lookup, queries, 24, 20, 10, NULL);
    float other[24];
    for (uint32_t i = 0; i < 24; i++) {
        other[i] = queries[i] + 1.0f; /* finite, and near the first query */
    }
    CHECK(dm_lookup_is_current(lookup));
    CHECK_STATUS(dm_store_update_embedding(made.store, before.slots[0], other, error, sizeof(error)), DM_OK, error);
    CHECK(!dm_lookup_is_current(lookup));
    remove_slot(&made, before.slots[1] == before.slots[0] ? before.slots[2] : before.slots[1]);
    (void)add(&made, queries);
    answer after = search(lookup, queries, 24, 20, 10, NULL);
    CHECK(same(&before, &after));
    free_answer(&after);
    dm_lookup_destroy(lookup);
    memcpy(values_of(&made, index_of(&made, before.slots[0])), other, sizeof(other));
    lookup = make_lookup(&made);
    CHECK(dm_lookup_is_current(lookup));
    after = search(lookup, queries, 24, 20, 10, NULL);
    for (size_t i = 0; i < 20; i++) {
        check_query(&made, queries + i * 24, 10, after.slots + i * 10, after.cosines + i * 10);
    }
    free_answer(&after);
    free_answer(&before);
    dm_lookup_destroy(lookup);
    test_guard_free(queries);
    free_model(&made);
}

/* Each of the changes that count, and those that do not. */
static void test_currency(void) {
    char error[256] = "";
    model made = make_model(5, 0, 52);
    add_drawn(&made, 10);
    float values[5] = {1, 2, 3, 4, 5};
    uint32_t episode = 0;
    dm_lookup *lookup = make_lookup(&made);
    CHECK_STATUS(dm_store_add_episode(made.store, (dm_id){1, 1}, values, &episode, error, 256), DM_OK, error);
    CHECK_STATUS(dm_store_bind(made.store, episode, dm_concept_slot(0), 0.5f, NULL, error, 256), DM_OK, error);
    CHECK_STATUS(dm_store_update_embedding(made.store, episode, values, error, 256), DM_OK, error);
    (void)dm_store_activate(made.store, dm_concept_slot(0), 0.5f);
    CHECK(dm_lookup_is_current(lookup));
    int32_t status = dm_store_add_concept(made.store, (dm_id){1, 1}, values, &episode, error, sizeof(error));
    CHECK_STATUS(status, DM_ERROR_ARGUMENT, error); /* so nothing changed */
    CHECK(dm_lookup_is_current(lookup));
    (void)add(&made, values);
    CHECK(!dm_lookup_is_current(lookup));
    dm_lookup_destroy(lookup);
    lookup = make_lookup(&made);
    remove_slot(&made, dm_concept_slot(3));
    CHECK(!dm_lookup_is_current(lookup));
    dm_lookup_destroy(lookup);
    free_model(&made);
}

/* An index keeps the rows it decides by: as many replacements as there are spare rows, then a refusal. Then it is
 * destroyed. */
static void test_rows_are_held_and_released(void) {
    char error[256] = "";
    model made = make_model(5, 0, 53);
    add_drawn(&made, CAPACITY);
    float values[5] = {1, 2, 3, 4, 5};
    dm_lookup *lookup = make_lookup(&made);
    uint32_t replaced = 0;
    while (dm_store_update_embedding(made.store, dm_concept_slot(replaced), values, error, sizeof(error)) == DM_OK) {
        replaced++;
    }
    CHECK_EQUAL(replaced, CAPACITY / 16);
    dm_lookup_destroy(lookup);
    for (uint32_t round = 0; round < 3 * CAPACITY; round++) {
        uint32_t slot = dm_concept_slot(round % CAPACITY);
        CHECK_STATUS(dm_store_update_embedding(made.store, slot, values, error, sizeof(error)), DM_OK, error);
    }
    free_model(&made);
}

static void check_refused(dm_lookup *lookup, const float *queries, size_t stride, uint32_t k, int32_t expected,
                          const char *sentence) {
    char error[256] = "";
    uint32_t slots[3] = {77, 77, 77};
    double cosines[3] = {77, 77, 77};
    int32_t status = dm_lookup_search(lookup, queries, stride, 3, k, NULL, slots, cosines, error, sizeof(error));
    CHECK_STATUS(status, expected, error);
    CHECK(strcmp(error, sentence) == 0);
    CHECK(slots[0] == 77 && cosines[0] == 77.0); /* nothing was written */
}

static void test_refusals(void) {
    model made = make_model(6, 0, 54);
    add_drawn(&made, 10);
    dm_lookup *lookup = make_lookup(&made);
    float queries[18];
    for (uint32_t i = 0; i < 18; i++) {
        queries[i] = 1.0f;
    }
    check_refused(lookup, queries, 6, 0, DM_ERROR_ARGUMENT, "k 0 is not in 1..100");
    check_refused(lookup, queries, 6, 101, DM_ERROR_ARGUMENT, "k 101 is not in 1..100");
    check_refused(lookup, queries, 5, 1, DM_ERROR_ARGUMENT, "a stride of 5 floats is less than the store's dim of 6");
    for (uint32_t place = 0; place < 18; place++) {
        char sentence[100];
        (void)snprintf(sentence, sizeof(sentence), "query %u has NaN or an infinity at position %u", place / 6,
                       place % 6);
        const float bad[] = {NAN, -NAN, INFINITY, -INFINITY};
        queries[place] = bad[place % 4];
        check_refused(lookup, queries, 6, 1, DM_ERROR_CORRUPT, sentence);
        queries[place] = place % 2 ? -FLT_MAX : FLT_MAX; /* finite */
    }
    answer given = search(lookup, queries, 6, 3, 1, NULL);
    free_answer(&given);
    dm_lookup_destroy(lookup);
    dm_lookup_destroy(NULL);
    free_model(&made);
}

/* --- threads ---------------------------------------------------------------------------------------------------- */

typedef struct shared {
    model *made;
    dm_lookup *lookup;
    const float *queries;
    const answer *expected;
    _Atomic int stop;
} shared;

static void *search_often(void *argument) {
    shared *both = argument;
    for (uint32_t round = 0; round < 60; round++) {
        answer given = search(both->lookup, both->queries, 40, 6, 5, NULL);
        CHECK(same(&given, both->expected));
        free_answer(&given);
    }
    return NULL;
}

/* Adds, replaces and removes concepts for as long as rows are left, over and over. */
static void *change_often(void *argument) {
    shared *both = argument;
    dm_store *store = both->made->store;
    float values[40];
    for (uint32_t i = 0; i < 40; i++) {
        values[i] = (float)i - 20.0f;
    }
    for (uint64_t round = 1; !atomic_load(&both->stop); round++) {
        uint32_t slot = DM_SLOT_NONE;
        if (dm_store_add_concept(store, (dm_id){round, 99}, values, &slot, NULL, 0) == DM_OK) {
            (void)dm_store_update_embedding(store, slot, values, NULL, 0);
            (void)dm_store_remove(store, slot, NULL, 0);
        }
        (void)dm_store_update_embedding(store, dm_concept_slot((uint32_t)(round % 100)), values, NULL, 0);
        dm_lookup *other = NULL;
        if (round % 16 == 0 && dm_lookup_create(store, &other, NULL, 0) == DM_OK) {
            dm_lookup_destroy(other);
        }
    }
    return NULL;
}

static void test_searches_beside_changes(void) {
    model made = make_model(40, 0, 55);
    add_drawn(&made, 200);
    for (uint32_t index = 0; index < 200; index += 3) { /* rows for the other thread to write while this one scans */
        remove_slot(&made, dm_concept_slot(index));
    }
    float *queries = draw_queries(&made, 6, 40);
    dm_lookup *lookup = make_lookup(&made);
    answer expected = search(lookup, queries, 40, 6, 5, NULL);
    shared both = {.made = &made, .lookup = lookup, .queries = queries, .expected = &expected};
    pthread_t searcher;
    pthread_t changer;
    REQUIRE(pthread_create(&changer, NULL, change_often, &both) == 0);
    REQUIRE(pthread_create(&searcher, NULL, search_often, &both) == 0);
    (void)search_often(&both);
    REQUIRE(pthread_join(searcher, NULL) == 0);
    atomic_store(&both.stop, 1);
    REQUIRE(pthread_join(changer, NULL) == 0);
    free_answer(&expected);
    dm_lookup_destroy(lookup);
    test_guard_free(queries);
    free_model(&made);
}

int main(void) {
    dm_team *teams[MOST_THREADS];
    for (uint32_t threads = 1; threads <= MOST_THREADS; threads++) {
        teams[threads - 1] = make_team(threads);
    }
    test_against_model(teams);
    test_many_queries(teams);
    for (uint32_t threads = 1; threads <= MOST_THREADS; threads++) {
        dm_team_destroy(teams[threads - 1]);
    }
    test_memory_of_searches();
    test_index_is_a_state();
    test_currency();
    test_rows_are_held_and_released();
    test_refusals();
    test_searches_beside_changes();
    return test_report();
}
