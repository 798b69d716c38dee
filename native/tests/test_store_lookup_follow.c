/* test_store_lookup_follow.c: dm_lookup_create_with, _search_types, _refresh and _plan against brute force over a model
 * of the store, by every method, while nodes come, go and change between the calls. */
#include <sys/resource.h>

#include "tests/follow_case.h"

static const int32_t methods[] = {DM_LOOKUP_EXACT, DM_LOOKUP_LISTS, DM_LOOKUP_GRAPH, DM_LOOKUP_AUTO};
static char error[256];

static double least(int32_t method) {
    return method == DM_LOOKUP_EXACT ? 1.0 : 0.93; /* of 0.95 asked for, on 600 neighbours */
}

/* --- making ------------------------------------------------------------------------------------------------------ */

static void check_options(dm_store *store, dm_lookup_options options, const char *sentence) {
    dm_lookup *lookup = (dm_lookup *)(void *)&options;
    CHECK_STATUS(dm_lookup_create_with(store, &options, NULL, &lookup, error, sizeof(error)), DM_ERROR_ARGUMENT, error);
    CHECK(lookup == NULL && strcmp(error, sentence) == 0);
}

static void test_refusals(void) {
    follow_case *made = follow_make(40, 40, 0, 1);
    dm_lookup_options options = dm_lookup_defaults();
    options.size = 8;
    check_options(made->store, options, "options of 8 bytes, this library knows 40: set .size");
    options = dm_lookup_defaults();
    options.method = 4;
    check_options(made->store, options,
                  "method 4 is none of DM_LOOKUP_AUTO, _EXACT, _LISTS, _GRAPH");
    options = dm_lookup_defaults();
    options.similarity = 2;
    check_options(made->store, options, "similarity 2 is none of DM_SIMILARITY_COSINE, _INNER_PRODUCT");
    options.similarity = DM_SIMILARITY_INNER_PRODUCT;
    options.method = DM_LOOKUP_LISTS; /* although there are no nodes yet */
    check_options(made->store, options,
                  "lists are for cosines; use DM_LOOKUP_AUTO, _EXACT or _GRAPH for inner products");
    options = dm_lookup_defaults();
    options.types = 4;
    check_options(made->store, options, "types 4 is none of DM_LOOKUP_CONCEPTS, _EPISODES and both");
    options.types = 0;
    check_options(made->store, options, "types 0 is none of DM_LOOKUP_CONCEPTS, _EPISODES and both");
    const double bad[] = {0.0, -0.5, 1.0001, NAN, INFINITY};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char sentence[100];
        options = dm_lookup_defaults();
        options.recall = bad[i];
        (void)snprintf(sentence, sizeof(sentence), "a recall of %g is not in (0, 1]", bad[i]);
        check_options(made->store, options, sentence);
    }
    options = dm_lookup_defaults();
    options.k = 101;
    check_options(made->store, options, "k 101 is not in 1..100");
    follow_add(made, 0, 20);
    dm_lookup *lookup = follow_lookup(made, DM_LOOKUP_EXACT, DM_LOOKUP_CONCEPTS, 1.0);
    uint32_t slot = 77;
    double cosine = 77.0;
    const uint32_t wrong[] = {0, DM_LOOKUP_EPISODES, DM_LOOKUP_BOTH, 8};
    for (size_t i = 0; i < 4; i++) {
        int32_t status = dm_lookup_search_types(lookup, wrong[i], made->types[0].values[0], FOLLOW_DIM, 1, 1, NULL,
                                                &slot, &cosine, error, 256);
        CHECK_STATUS(status, DM_ERROR_ARGUMENT, error);
        CHECK(slot == 77);
        CHECK(dm_lookup_plan(lookup, wrong[i]).method == 0 && dm_lookup_plan(lookup, wrong[i]).reason[0] != '\0');
    }
    dm_lookup_destroy(lookup);
    follow_free(made);
}

/* A lookup for both types finds for one what a lookup for that type alone finds, and for both the best of the two. */
static void test_types(int32_t method) {
    follow_case *made = follow_make(1500, 2000, 0, 2);
    follow_add(made, 0, 900);
    follow_add(made, 1, 1300);
    dm_lookup *both = follow_lookup(made, method, DM_LOOKUP_BOTH, 0.95);
    CHECK_EQUAL(dm_lookup_size(both), 2200);
    CHECK(follow_recall(made, both, DM_LOOKUP_BOTH, 5) >= least(method));
    for (uint32_t types = DM_LOOKUP_CONCEPTS; types <= DM_LOOKUP_EPISODES; types++) {
        dm_lookup *one = follow_lookup(made, method, types, 0.95);
        CHECK(follow_recall(made, both, types, 6) >= least(method));
        CHECK_EQUAL(dm_lookup_size(one), types == DM_LOOKUP_CONCEPTS ? 900 : 1300);
        dm_lookup_choice choice = dm_lookup_plan(one, types);
        CHECK(method == DM_LOOKUP_AUTO ? choice.method >= DM_LOOKUP_EXACT : choice.method == method);
        CHECK(choice.planned == dm_lookup_size(one) && choice.recall_low <= choice.recall && choice.reason[0] != '\0');
        for (int q = 0; q < 20; q++) {
            float query[FOLLOW_DIM];
            uint32_t slots[2][FOLLOW_K];
            double cosines[2][FOLLOW_K];
            follow_draw(&made->random, query);
            (void)dm_lookup_search(one, query, FOLLOW_DIM, 1, FOLLOW_K, NULL, slots[0], cosines[0], NULL, 0);
            (void)dm_lookup_search_types(both, types, query, FOLLOW_DIM, 1, FOLLOW_K, NULL, slots[1], cosines[1], NULL,
                                         0);
            CHECK(memcmp(slots[0], slots[1], sizeof(slots[0])) == 0 &&
                  memcmp(cosines[0], cosines[1], sizeof(cosines[0])) == 0);
        }
        dm_lookup_destroy(one);
    }
    dm_lookup_destroy(both);
    follow_free(made);
}

/* Equal vectors of both types: concepts come first, then smaller rows; more asked for than there is of one. */
static void test_equal_cosines(void) {
    follow_case *made = follow_make(40, 40, 0, 3);
    float values[FOLLOW_DIM];
    follow_draw(&made->random, values);
    for (int i = 0; i < 4; i++) {
        (void)follow_put(made, 1, values);
        (void)follow_put(made, 0, values);
    }
    dm_lookup *lookup = follow_lookup(made, DM_LOOKUP_EXACT, DM_LOOKUP_BOTH, 1.0);
    uint32_t slots[FOLLOW_K];
    double cosines[FOLLOW_K];
    for (uint32_t k = 1; k <= FOLLOW_K; k++) {
        int32_t status = dm_lookup_search(lookup, values, FOLLOW_DIM, 1, k, NULL, slots, cosines, error, sizeof(error));
        CHECK_STATUS(status, DM_OK, error);
        for (uint32_t i = 0; i < k; i++) {
            CHECK_EQUAL(slots[i], i < 4 ? dm_concept_slot(i) : i < 8 ? i - 4 : DM_SLOT_NONE);
        }
    }
    dm_lookup_destroy(lookup);
    follow_free(made);
}

/* --- following --------------------------------------------------------------------------------------------------- */

static void churn(follow_case *made, int type, uint32_t removals, uint32_t additions, uint32_t replacements) {
    float values[FOLLOW_DIM];
    for (uint32_t i = 0; i < removals; i++) {
        follow_remove(made, type, follow_pick(made, type));
    }
    follow_add(made, type, additions); /* into the slots of those removed */
    for (uint32_t i = 0; i < replacements; i++) {
        follow_draw(&made->random, values);
        CHECK_STATUS(follow_replace(made, type, follow_pick(made, type), values), DM_OK, "a row is free");
    }
}

static void refresh(dm_lookup *lookup, dm_team *team) {
    CHECK_STATUS(dm_lookup_refresh(lookup, team, error, sizeof(error)), DM_OK, error);
    CHECK(dm_lookup_is_current(lookup));
}

static void test_following(int32_t method, int single) {
    follow_case *made = follow_make(single ? 0 : 1000, 1000, single, 7);
    follow_add(made, 0, 700);
    follow_add(made, single ? 0 : 1, single ? 0 : 650);
    dm_lookup *lookup = follow_lookup(made, method, DM_LOOKUP_BOTH, 0.95);
    for (uint32_t round = 0; round < 12; round++) {
        refresh(lookup, NULL); /* nothing to do */
        churn(made, 0, 20, 20 + round % 3, 10);
        CHECK(!dm_lookup_is_current(lookup));
        refresh(lookup, NULL);
        if (!single) {
            churn(made, 1, 25, 20, 10);
            CHECK(!dm_lookup_is_current(lookup));
            refresh(lookup, NULL);
        }
        CHECK_EQUAL(dm_lookup_size(lookup), made->types[0].live_count + made->types[1].live_count);
        CHECK(follow_recall(made, lookup, DM_LOOKUP_CONCEPTS, 100 + round) >= least(method));
        CHECK(follow_recall(made, lookup, DM_LOOKUP_BOTH, 200 + round) >= least(method));
    }
    dm_lookup_destroy(lookup);
    follow_free(made);
}

/* Half of the rows exchanged, some at a time: the same graph, and no less recall than a new one's. */
static void test_half_exchanged(void) {
    follow_case *made = follow_make(1600, 0, 0, 8);
    follow_add(made, 0, 1500);
    dm_lookup *lookup = follow_lookup(made, DM_LOOKUP_GRAPH, DM_LOOKUP_CONCEPTS, 0.95);
    const dm_lookup_choice before = dm_lookup_plan(lookup, DM_LOOKUP_CONCEPTS);
    for (uint32_t round = 0; round < 30; round++) {
        churn(made, 0, 20, 20, 5);
        refresh(lookup, NULL);
    }
    dm_lookup *anew = follow_lookup(made, DM_LOOKUP_GRAPH, DM_LOOKUP_CONCEPTS, 0.95);
    const dm_lookup_choice after = dm_lookup_plan(lookup, DM_LOOKUP_CONCEPTS);
    CHECK(before.effort == after.effort && after.planned == 1500);
    const double recall = follow_recall(made, lookup, DM_LOOKUP_CONCEPTS, 9);
    printf("recall after half were exchanged %.3f, of a new graph %.3f\n", recall,
           follow_recall(made, anew, DM_LOOKUP_CONCEPTS, 9));
    CHECK(recall >= 0.95);
    dm_lookup_destroy(anew);
    dm_lookup_destroy(lookup);
    follow_free(made);
}

/* Lists take rows in where they are, by the plan that they have, until half as many came as were planned for. */
static void test_lists_follow(void) {
    follow_case *made = follow_make(1600, 0, 0, 13);
    dm_team *team = NULL;
    REQUIRE(CHECK_STATUS(dm_team_create(3, &team, error, sizeof(error)), DM_OK, error));
    follow_add(made, 0, 1500);
    dm_lookup *lookup = follow_lookup(made, DM_LOOKUP_LISTS, DM_LOOKUP_CONCEPTS, 0.95);
    dm_lookup_choice before = dm_lookup_plan(lookup, DM_LOOKUP_CONCEPTS);
    uint32_t planned = 0;
    for (uint32_t round = 0; round < 40; round++) { /* 35 rows a round */
        churn(made, 0, 20, 20, 15);
        refresh(lookup, round % 2 == 0 ? team : NULL);
        const dm_lookup_choice after = dm_lookup_plan(lookup, DM_LOOKUP_CONCEPTS);
        planned += after.recall != before.recall || after.effort != before.effort;
        CHECK(planned == (round >= 22)); /* 32 to 35 rows a round: some that came are replaced at once */
        CHECK(follow_recall(made, lookup, DM_LOOKUP_CONCEPTS, 300 + round) >= 0.93);
        before = after;
    }
    dm_lookup_destroy(lookup);
    dm_team_destroy(team);
    follow_free(made);
}

/* From nothing, to more than twice, to less than half: the plan is made anew when it is outgrown. */
static void test_growth(int32_t method) {
    follow_case *made = follow_make(2400, 0, 0, 10);
    dm_team *team = NULL;
    REQUIRE(CHECK_STATUS(dm_team_create(2, &team, error, sizeof(error)), DM_OK, error));
    dm_lookup *lookup = follow_lookup(made, method, DM_LOOKUP_CONCEPTS, 0.95);
    CHECK(dm_lookup_size(lookup) == 0 && dm_lookup_is_current(lookup));
    CHECK(follow_recall(made, lookup, DM_LOOKUP_CONCEPTS, 11) == 1.0);
    CHECK(strcmp(dm_lookup_plan(lookup, DM_LOOKUP_CONCEPTS).reason, "there are no nodes yet") == 0);
    const uint32_t sizes[] = {1, 3, 700, 1390, 1410, 700, 640, 0, 5};
    const uint32_t planned[] = {1, 3, 700, 700, 1410, 700, 700, 0, 5};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        while (made->types[0].live_count > sizes[i]) {
            follow_remove(made, 0, follow_pick(made, 0));
        }
        follow_add(made, 0, sizes[i] - made->types[0].live_count);
        refresh(lookup, team);
        CHECK_EQUAL(dm_lookup_size(lookup), sizes[i]);
        CHECK_EQUAL(dm_lookup_plan(lookup, DM_LOOKUP_CONCEPTS).planned, planned[i]);
        CHECK(follow_recall(made, lookup, DM_LOOKUP_CONCEPTS, 12 + i) >= least(method));
    }
    dm_lookup_destroy(lookup);
    dm_team_destroy(team);
    follow_free(made);
}

/* A full store: every spare row is used by a replacement, then none is left; a refresh frees them all. */
static void test_rows_are_let_go(int32_t method) {
    follow_case *made = follow_make(800, 0, 0, 20);
    float values[FOLLOW_DIM];
    follow_add(made, 0, 800);
    dm_lookup *lookup = follow_lookup(made, method, DM_LOOKUP_CONCEPTS, 0.95);
    uint64_t memory = 0;
    for (uint32_t round = 0; round < 6; round++) {
        uint32_t replaced = 0;
        for (int32_t status = DM_OK; status == DM_OK; replaced += status == DM_OK) {
            follow_draw(&made->random, values);
            status = follow_replace(made, 0, (replaced * 13 + round) % 800, values); /* 50 different ones */
            CHECK(status == DM_OK || status == DM_ERROR_MEMORY);
        }
        CHECK_EQUAL(replaced, 800 / 16);
        refresh(lookup, NULL);
        CHECK(follow_recall(made, lookup, DM_LOOKUP_CONCEPTS, round) >= least(method));
        memory = memory == 0 ? dm_lookup_memory(lookup) : memory;
        /* Lists of other rows are of other lengths. */
        CHECK(method == DM_LOOKUP_LISTS ? dm_lookup_memory(lookup) < memory * 3 / 2
                                        : dm_lookup_memory(lookup) == memory);
    }
    dm_lookup_destroy(lookup);
    for (uint32_t i = 0; i < 400; i++) { /* no reference is left */
        CHECK_STATUS(follow_replace(made, 0, i, values), DM_OK, "");
    }
    follow_free(made);
}

/* --- failure ----------------------------------------------------------------------------------------------------- */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static void test_failure(int32_t method) {
    (void)method;
    test_skip("a refresh without memory", "the sanitizer needs memory of its own");
}
static void test_failure_of_one_type(int32_t method) {
    test_failure(method);
}
#else
/* Memory for one type and none for the other: nothing has happened to either, and nothing is left behind. */
static void test_failure_of_one_type(int32_t method) {
    enum { ROWS = 700000, CONCEPTS = 64 };
    const dm_store_options options = {
        .size = sizeof(options), .dim = 1, .concept_capacity = CONCEPTS, .episode_capacity = ROWS};
    dm_store *store = NULL;
    dm_lookup *lookup = NULL;
    struct rlimit limit;
    uint32_t slot = 0;
    const float values[] = {1.0f, -1.0f};
    REQUIRE(CHECK_STATUS(dm_store_create(&options, &store, error, sizeof(error)), DM_OK, error));
    CHECK_STATUS(dm_store_add_episode(store, (dm_id){1, 0}, &values[0], &slot, error, sizeof(error)), DM_OK, error);
    CHECK_STATUS(dm_store_add_concept(store, (dm_id){2, 0}, &values[0], &slot, error, sizeof(error)), DM_OK, error);
    dm_lookup_options wanted = dm_lookup_defaults();
    wanted.method = method;
    wanted.types = DM_LOOKUP_BOTH;
    REQUIRE(CHECK_STATUS(dm_lookup_create_with(store, &wanted, NULL, &lookup, error, sizeof(error)), DM_OK, error));
    double cosine = 0.0;
    uint32_t found = DM_SLOT_NONE;
    CHECK_STATUS(dm_lookup_search(lookup, values, 1, 1, 1, NULL, &found, &cosine, error, sizeof(error)), DM_OK, error);
    const uint64_t memory = dm_lookup_memory(lookup); /* with what a search works in */
    CHECK_STATUS(dm_store_update_embedding(store, 0, &values[1], error, sizeof(error)), DM_OK, error);
    for (uint32_t round = 0; round < 2 * CONCEPTS; round++) { /* a reference that stays costs a row for each */
        if (dm_store_update_embedding(store, slot, &values[1], error, sizeof(error)) != DM_OK) {
            CHECK(round >= 3); /* the lookup's own rows */
        }
        REQUIRE(getrlimit(RLIMIT_AS, &limit) == 0);
        const struct rlimit small = {1 << 20, limit.rlim_max};
        REQUIRE(setrlimit(RLIMIT_AS, &small) == 0);
        int32_t status = dm_lookup_refresh(lookup, NULL, error, sizeof(error));
        REQUIRE(setrlimit(RLIMIT_AS, &limit) == 0);
        CHECK_STATUS(status, DM_ERROR_MEMORY, error);
        CHECK_STATUS(dm_lookup_search(lookup, values, 1, 1, 1, NULL, &found, &cosine, error, sizeof(error)), DM_OK,
                     error);
        CHECK(found == slot && cosine == 1.0 && !dm_lookup_is_current(lookup));
    }
    CHECK_EQUAL(dm_lookup_memory(lookup), memory);
    refresh(lookup, NULL);
    for (uint32_t round = 0; round < 4 * CONCEPTS; round++) {
        CHECK_STATUS(dm_store_update_embedding(store, slot, &values[1], error, sizeof(error)), DM_OK, error);
    }
    dm_lookup_destroy(lookup);
    dm_store_destroy(store);
}

/* No memory for a refresh: the lookup is as it was, and the next refresh does all that there is to do. */
static void test_failure(int32_t method) {
    enum { ROWS = 700000 }; /* the map of rows has a mapping of its own, which the limit refuses */
    const dm_store_options options = {
        .size = sizeof(options), .dim = 1, .concept_capacity = ROWS, .episode_capacity = 1};
    dm_store *store = NULL;
    dm_lookup *lookup = NULL;
    struct rlimit limit;
    REQUIRE(CHECK_STATUS(dm_store_create(&options, &store, error, sizeof(error)), DM_OK, error));
    uint32_t slot = 0;
    const float values[] = {1.0f, -1.0f};
    CHECK_STATUS(dm_store_add_concept(store, (dm_id){1, 0}, &values[0], &slot, error, sizeof(error)), DM_OK, error);
    dm_lookup_options wanted = dm_lookup_defaults();
    wanted.method = method;
    REQUIRE(CHECK_STATUS(dm_lookup_create_with(store, &wanted, NULL, &lookup, error, sizeof(error)), DM_OK, error));
    const uint64_t memory = dm_lookup_memory(lookup);
    CHECK_STATUS(dm_store_update_embedding(store, slot, &values[1], error, sizeof(error)), DM_OK, error);
    REQUIRE(getrlimit(RLIMIT_AS, &limit) == 0);
    const struct rlimit small = {1 << 20, limit.rlim_max};
    REQUIRE(setrlimit(RLIMIT_AS, &small) == 0);
    int32_t status = dm_lookup_refresh(lookup, NULL, error, sizeof(error));
    REQUIRE(setrlimit(RLIMIT_AS, &limit) == 0);
    CHECK_STATUS(status, DM_ERROR_MEMORY, error);
    CHECK(!dm_lookup_is_current(lookup) && dm_lookup_size(lookup) == 1);
    CHECK_EQUAL(dm_lookup_memory(lookup), memory);
    double cosine = 0.0;
    uint32_t found = DM_SLOT_NONE;
    CHECK_STATUS(dm_lookup_search(lookup, values, 1, 1, 1, NULL, &found, &cosine, error, sizeof(error)), DM_OK, error);
    CHECK(found == slot && cosine == 1.0);
    refresh(lookup, NULL);
    CHECK_STATUS(dm_lookup_search(lookup, values, 1, 1, 1, NULL, &found, &cosine, error, sizeof(error)), DM_OK, error);
    CHECK(found == slot && cosine == -1.0);
    dm_lookup_destroy(lookup);
    dm_store_destroy(store);
}
#endif

int main(void) {
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        test_growth(methods[i]);
    }
    test_lists_follow();
    if (TEST_THREADS_ONLY) {
        return test_report();
    }
    test_refusals();
    test_equal_cosines();
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        test_types(methods[i]);
        test_following(methods[i], 0);
        test_following(methods[i], 1);
        test_rows_are_let_go(methods[i]);
        test_failure(methods[i]);
        test_failure_of_one_type(methods[i]);
    }
    test_half_exchanged();
    return test_report();
}
