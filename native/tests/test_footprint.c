/* test_footprint.c: what a node, a binding and the hot metadata take, from the allocator; and that what comes and goes leaves nothing. The
 * long form of the latter is soak.c (`make soak`). */
#include <string.h>

#include "dualmem/dualmem.h"
#include "tests/resident.h"
#include "tests/support.h"

static char error[256];

static dm_store *make_store(uint32_t dim, uint32_t concepts, uint32_t episodes) {
    dm_store_options options = {
        .size = sizeof(options), .dim = dim, .concept_capacity = concepts, .episode_capacity = episodes};
    dm_store *store = NULL;
    REQUIRE(CHECK_STATUS(dm_store_create(&options, &store, error, sizeof(error)), DM_OK, error));
    return store;
}

static void add(dm_store *store, int is_concept, uint32_t number, const float *values, uint32_t *slot) {
    dm_id id = {number, 1 + (uint64_t)is_concept};
    int32_t status = is_concept ? dm_store_add_concept(store, id, values, slot, error, sizeof(error))
                                : dm_store_add_episode(store, id, values, slot, error, sizeof(error));
    REQUIRE(CHECK_STATUS(status, DM_OK, error));
}

static void fill(dm_store *store, uint32_t concepts, uint32_t episodes) {
    float values[DM_DIM_MAX] = {1.0f};
    uint32_t slot;
    for (uint32_t i = 0; i < concepts + episodes; i++) {
        add(store, i < concepts, i, values, &slot);
    }
}

/* --- bytes per node ----------------------------------------------------------------------------------------------------- */

static uint64_t total(uint32_t dim, uint32_t concepts, uint32_t episodes) {
    dm_store *store = make_store(dim, concepts, episodes);
    uint64_t bytes = dm_store_memory(store).total;
    dm_store_destroy(store);
    return bytes;
}

/* Beside its embedding, an episode takes 100 bytes and a concept 148, and each 43 to 85 in the table of ids. */
static void a_node_takes_little(void) {
    static const uint32_t dims[] = {1, 16, 100, 768, 4096};
    for (size_t i = 0; i < sizeof(dims) / sizeof(dims[0]); i++) {
        uint64_t embedding = (dims[i] + 15) / 16 * 64;
        /* 14,000 and 24,000 nodes have the same table of ids: 16,384 buckets serve 12,289 to 24,576. */
        uint64_t base = total(dims[i], 4000, 10000);
        double of_episode = (double)(total(dims[i], 4000, 20000) - base) / 10000;
        double of_concept = (double)(total(dims[i], 14000, 10000) - base) / 10000;
        CHECK(of_episode >= (double)embedding + 99 && of_episode <= (double)embedding + 101);
        CHECK(of_concept >= (double)embedding + 147 && of_concept <= (double)embedding + 149);
    }
}

/* --- bytes per binding -------------------------------------------------------------------------------------------------- */

static void a_binding_takes_little(void) {
    enum { SIDE = 240 };
    dm_store *store = make_store(1, SIDE, SIDE);
    fill(store, SIDE, SIDE);
    uint64_t empty = dm_store_memory(store).total;
    for (uint32_t c = 0; c < SIDE; c++) {
        for (uint32_t i = 0; i < 8; i++) {
            CHECK(dm_store_bind(store, (c + i) % SIDE, dm_concept_slot(c), 0.5f, NULL, error, sizeof(error)) == DM_OK);
        }
    }
    CHECK_EQUAL(dm_store_memory(store).total, empty); /* eight on each side have their places ready */
    for (uint32_t c = 0; c < SIDE; c++) {
        for (uint32_t e = 0; e < SIDE; e++) {
            CHECK(dm_store_bind(store, e, dm_concept_slot(c), 0.5f, NULL, error, sizeof(error)) == DM_OK);
        }
    }
    /* 9 bytes on the concept's side (72 per block of eight) and 4.5 on the episode's; memory comes in 512 blocks. */
    double more = (double)(dm_store_memory(store).total - empty);
    double per_binding = more / (SIDE * (SIDE - 8));
    CHECK(per_binding >= 13.5 && per_binding <= 14.5);
    dm_store_destroy(store);
}

/* --- hot metadata --------------------------------------------------------------------------------------------------------- */

/* Fan and version, and even with the node's record (activation, last access, decay factor), below a fifth of the store. */
static void metadata_is_a_small_share(void) {
    static const uint32_t dims[] = {1, 16, 32, 128, 768, 4096};
    for (size_t i = 0; i < sizeof(dims) / sizeof(dims[0]); i++) {
        dm_store *store = make_store(dims[i], 5000, 5000);
        dm_memory_use use = dm_store_memory(store);
        CHECK(use.metadata > 0 && use.metadata * 5 < use.total);
        CHECK((use.metadata + use.nodes) * 5 < use.total);
        dm_store_destroy(store);
    }
}

/* --- coming and going ------------------------------------------------------------------------------------------------------- */

enum { CYCLES = 20000, WARM = 2000, PARTNERS = 20 };

/* A concept and an episode come, are bound to those that stay and to each other, change, and go in turns. */
static void cycle(dm_store *store, uint32_t number) {
    const float values[4] = {1, (float)(number % 7), 0, 2};
    uint32_t concept_slot;
    uint32_t episode;
    add(store, 1, 1000000 + number, values, &concept_slot);
    add(store, 0, 1000000 + number, values, &episode);
    CHECK(dm_store_bind(store, episode, concept_slot, DM_STRENGTH_INITIAL, NULL, error, sizeof(error)) == DM_OK);
    for (uint32_t i = 0; i < PARTNERS; i++) { /* beyond the eight places on both sides */
        CHECK(dm_store_bind(store, i, concept_slot, 0.5f, NULL, error, sizeof(error)) == DM_OK);
        CHECK(dm_store_bind(store, episode, dm_concept_slot(i), 0.5f, NULL, error, sizeof(error)) == DM_OK);
    }
    dm_embedding held = dm_store_acquire_embedding(store, concept_slot);
    CHECK(dm_store_update_embedding(store, concept_slot, values, error, sizeof(error)) == DM_OK);
    if (number % 3 == 0) {
        CHECK(dm_store_unbind(store, episode, dm_concept_slot(number % PARTNERS)));
    }
    CHECK(dm_store_remove(store, number % 2 ? concept_slot : episode, error, sizeof(error)) == DM_OK);
    CHECK(dm_store_remove(store, number % 2 ? episode : concept_slot, error, sizeof(error)) == DM_OK);
    dm_store_release_embedding(store, held);
}

static void nothing_is_left_of_what_went(void) {
    dm_store *store = make_store(4, PARTNERS + 2, PARTNERS + 2);
    fill(store, PARTNERS, PARTNERS);
    uint64_t bytes = 0;
    uint64_t resident = 0;
    for (uint32_t number = 0; number < CYCLES; number++) {
        cycle(store, number);
        if (number == WARM) {
            bytes = dm_store_memory(store).total;
            resident = resident_bytes();
        }
    }
    CHECK_EQUAL(dm_store_memory(store).total, bytes);
    CHECK_EQUAL(dm_store_population(store).bindings, 0);
    CHECK_EQUAL(dm_store_population(store).nodes, 2 * PARTNERS);
    if (resident == 0) {
        test_skip("resident memory", "the system does not tell");
    } else {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
        test_skip("resident memory", "a sanitizer keeps memory of its own");
#else
        CHECK(resident_bytes() < resident + 512 * 1024);
#endif
    }
    dm_store_destroy(store);
}

/* Whole stores, too: what was mapped is given back. */
static void nothing_is_left_of_stores(void) {
    uint64_t resident = 0;
    for (int i = 0; i < 300; i++) {
        dm_store *store = make_store(64, 2000, 2000);
        fill(store, 2000, 100);
        dm_reader *reader;
        CHECK(dm_store_reader_create(store, &reader, error, sizeof(error)) == DM_OK);
        dm_store_destroy(store);
        resident = i == 30 ? resident_bytes() : resident;
    }
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    CHECK(resident_bytes() < resident + 1024 * 1024); /* one store is 2 MB */
#endif
}

int main(void) {
    a_node_takes_little();
    a_binding_takes_little();
    metadata_is_a_small_share();
    nothing_is_left_of_what_went();
    nothing_is_left_of_stores();
    return test_report();
}
