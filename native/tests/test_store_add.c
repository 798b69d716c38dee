/* test_store_add.c: nodes added in batches: all or none. */
#include <math.h>
#include <string.h>

#include "dualmem/dualmem.h"
#include "tests/support.h"

enum { DIM = 7, STRIDE = 9, COUNT = 20 };

typedef struct batch {
    dm_id ids[COUNT];
    float *values; /* the last float ends at a guard page */
    uint32_t slots[COUNT];
    char error[256];
} batch;

static batch make_batch(uint64_t high) {
    batch made = {.error = ""};
    size_t floats = (COUNT - 1) * STRIDE + DIM;
    made.values = test_guard_allocate(floats * sizeof(float), TEST_GUARD_AFTER);
    test_random random = {high};
    for (size_t i = 0; i < floats; i++) {
        made.values[i] = i % STRIDE < DIM ? (float)test_random_normal(&random) : NAN; /* what is between is not read */
    }
    for (uint32_t i = 0; i < COUNT; i++) {
        made.ids[i] = (dm_id){i, high};
    }
    return made;
}

static dm_store *make_store(uint32_t concepts, uint32_t episodes, int32_t single_type) {
    char error[256] = "";
    dm_store *store = NULL;
    const dm_store_options options = {.size = sizeof(options),
                                      .dim = DIM,
                                      .concept_capacity = concepts,
                                      .episode_capacity = episodes,
                                      .single_type = single_type};
    REQUIRE(CHECK_STATUS(dm_store_create(&options, &store, error, sizeof(error)), DM_OK, error));
    return store;
}

static void check_added(dm_store *store, const batch *made) {
    for (uint32_t i = 0; i < COUNT; i++) {
        CHECK_EQUAL(dm_store_find(store, made->ids[i]), made->slots[i]);
        dm_embedding embedding = dm_store_acquire_embedding(store, made->slots[i]);
        if (CHECK(embedding.values != NULL)) {
            CHECK(memcmp(embedding.values, made->values + (size_t)i * STRIDE, DIM * sizeof(float)) == 0);
        }
        dm_store_release_embedding(store, embedding);
    }
}

typedef int32_t add_many(dm_store *store, const dm_id *ids, const float *embeddings, size_t stride, size_t count,
                         uint32_t *slots, char *error, size_t error_size);

static int32_t add(dm_store *store, add_many *function, batch *made) {
    return function(store, made->ids, made->values, STRIDE, COUNT, made->slots, made->error, sizeof(made->error));
}

static void test_all(void) {
    dm_store *store = make_store(COUNT, COUNT, 0);
    batch concepts = make_batch(1);
    batch episodes = make_batch(2);
    CHECK_STATUS(add(store, dm_store_add_concepts, &concepts), DM_OK, concepts.error);
    CHECK_STATUS(add(store, dm_store_add_episodes, &episodes), DM_OK, episodes.error);
    check_added(store, &concepts);
    check_added(store, &episodes);
    dm_population population = dm_store_population(store);
    CHECK(population.concepts == COUNT && population.episodes == COUNT);
    CHECK_EQUAL(dm_slot_is_concept(concepts.slots[3]), 1);
    CHECK_EQUAL(dm_slot_is_concept(episodes.slots[3]), 0);
    CHECK_STATUS(dm_store_add_episodes(store, NULL, NULL, 0, 0, NULL, NULL, 0), DM_OK, "");
    CHECK_STATUS(add(store, dm_store_add_nodes, &episodes), DM_ERROR_ARGUMENT, episodes.error);
    dm_store_destroy(store);
    store = make_store(0, COUNT, 1);
    CHECK_STATUS(add(store, dm_store_add_nodes, &episodes), DM_OK, episodes.error);
    check_added(store, &episodes);
    dm_store_destroy(store);
    test_guard_free(concepts.values);
    test_guard_free(episodes.values);
}

/* What the store was before, it is again, and takes the same batch once the mistake is mended. */
static void check_none(dm_store *store, batch *made, size_t stride, int32_t expected, const char *sentence) {
    int32_t status = dm_store_add_episodes(store, made->ids, made->values, stride, COUNT, made->slots, made->error,
                                           sizeof(made->error));
    CHECK_STATUS(status, expected, made->error);
    CHECK(strcmp(made->error, sentence) == 0);
    CHECK_EQUAL(dm_store_population(store).nodes, 0);
    for (uint32_t i = 0; i < COUNT; i++) {
        CHECK_EQUAL(dm_store_find(store, made->ids[i]), DM_SLOT_NONE);
    }
}

static void test_none(void) {
    dm_store *store = make_store(1, COUNT, 0);
    batch made = make_batch(3);
    float kept = made.values[STRIDE * 13 + 4];
    made.values[STRIDE * 13 + 4] = INFINITY;
    check_none(store, &made, STRIDE, DM_ERROR_CORRUPT,
               "node 13 of 20: the embedding has an infinity at position 4; nothing was stored");
    made.values[STRIDE * 13 + 4] = kept;
    made.ids[19] = made.ids[2];
    check_none(store, &made, STRIDE, DM_ERROR_ARGUMENT,
               "node 19 of 20: id 00000000000000030000000000000002 is in the store already; remove its node or update "
               "the embedding");
    made.ids[19].low = 19;
    check_none(store, &made, DIM - 1, DM_ERROR_ARGUMENT, "a stride of 6 floats is less than the store's dim of 7");
    CHECK_STATUS(add(store, dm_store_add_episodes, &made), DM_OK, made.error);
    check_added(store, &made);
    for (uint32_t i = 0; i < COUNT; i++) {
        CHECK_EQUAL(made.slots[i], i); /* given back, and taken again in the same order */
    }
    dm_store_destroy(store);

    store = make_store(1, COUNT - 1, 0);
    check_none(store, &made, STRIDE, DM_ERROR_MEMORY, "node 19 of 20: the capacity of 19 episodes is reached");
    int32_t status = dm_store_add_episodes(store, made.ids, made.values, STRIDE, COUNT, made.slots, NULL, 0);
    CHECK_EQUAL(status, DM_ERROR_MEMORY);
    dm_store_destroy(store);
    test_guard_free(made.values);
}

static void test_shape(void) {
    dm_store *store = make_store(3, 8, 0);
    dm_shape shape = dm_store_shape(store);
    CHECK(shape.dim == DIM && shape.concept_capacity == 3 && shape.episode_capacity == 8 && shape.single_type == 0);
    dm_store_destroy(store);
    store = make_store(3, 8, 1);
    shape = dm_store_shape(store);
    CHECK(shape.dim == DIM && shape.concept_capacity == 0 && shape.episode_capacity == 11 && shape.single_type == 1);
    dm_store_destroy(store);
}

static int is_handed_out(dm_store *store, uint32_t binding) {
    dm_handed_out bounds = dm_store_handed_out(store);
    return binding < bounds.binding_end || (binding >= bounds.more_begin && binding < bounds.more_end);
}

/* Handles that were given out lie within the bounds, whether they fit a concept's own block or not; those of a concept that
 * never was do not. */
static void test_handed_out(void) {
    dm_store *store = make_store(3, COUNT, 0);
    batch made = make_batch(4);
    uint32_t concept_slot = 0;
    CHECK_EQUAL(dm_store_handed_out(store).concept_end, DM_CONCEPT_BASE);
    CHECK(!is_handed_out(store, 0) && !is_handed_out(store, 23) && !is_handed_out(store, 24));
    CHECK_STATUS(add(store, dm_store_add_episodes, &made), DM_OK, made.error);
    CHECK_STATUS(dm_store_add_concept(store, (dm_id){1, 1}, made.values, &concept_slot, made.error, 256), DM_OK,
                 made.error);
    for (uint32_t i = 0; i < COUNT; i++) {
        uint32_t binding = DM_BINDING_NONE;
        CHECK_STATUS(dm_store_bind(store, made.slots[i], concept_slot, 0.5f, &binding, made.error, 256), DM_OK,
                     made.error);
        CHECK(is_handed_out(store, binding));
    }
    dm_handed_out bounds = dm_store_handed_out(store);
    CHECK_EQUAL(bounds.concept_end, concept_slot + 1);
    CHECK_EQUAL(bounds.binding_end, 8);
    CHECK_EQUAL(bounds.more_begin, 24); /* the other two concepts' own blocks */
    CHECK_EQUAL(bounds.more_end, 40);   /* two blocks of eight beside the concept's own */
    CHECK_STATUS(dm_store_remove(store, concept_slot, made.error, 256), DM_OK, made.error);
    CHECK_EQUAL(dm_store_handed_out(store).concept_end, concept_slot + 1);
    dm_store_destroy(store);
    store = make_store(0, COUNT, 1);
    CHECK_EQUAL(dm_store_handed_out(store).concept_end, DM_CONCEPT_BASE);
    CHECK(!is_handed_out(store, 0));
    dm_store_destroy(store);
    test_guard_free(made.values);
}

int main(void) {
    test_all();
    test_none();
    test_shape();
    test_handed_out();
    return test_report();
}
