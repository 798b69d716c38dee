/* test_store.c: nodes against a plain model: ids, slots, rows, embeddings, activation, metadata, statistics. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dualmem/dualmem.h"
#include "store/ids.h"
#include "tests/support.h"

static char error[256];

static dm_id make_id(uint64_t number) {
    test_random random = {number};
    uint64_t low = test_random_next(&random);
    return (dm_id){low, test_random_next(&random)};
}

static dm_store *make_store(uint32_t dim, uint32_t concepts, uint32_t episodes, int32_t single_type, size_t placement) {
    dm_store_options options = {.size = sizeof(options),
                                .dim = dim,
                                .concept_capacity = concepts,
                                .episode_capacity = episodes,
                                .single_type = single_type,
                                .placement = placement};
    dm_store *store = NULL;
    REQUIRE(CHECK_STATUS(dm_store_create(&options, &store, error, sizeof(error)), DM_OK, error));
    return store;
}

static double squared(const float *values, uint32_t dim) {
    double sum = 0.0;
    for (uint32_t i = 0; i < dim; i++) {
        sum += (double)values[i] * (double)values[i];
    }
    return sum;
}

/* --- options ------------------------------------------------------------------------------------------------------ */

static void wrong_options_are_refused(void) {
    const dm_store_options right = {.size = sizeof(right), .dim = 8, .concept_capacity = 4, .episode_capacity = 4};
    dm_store_options wrong[10];
    for (int i = 0; i < 10; i++) {
        wrong[i] = right;
    }
    wrong[0].size = 4;
    wrong[1].dim = 0;
    wrong[2].dim = DM_DIM_MAX + 1;
    wrong[3].concept_capacity = wrong[3].episode_capacity = 0;
    wrong[4].concept_capacity = DM_CAPACITY_MAX + 1;
    wrong[5].episode_capacity = DM_CAPACITY_MAX + 1;
    wrong[6].single_type = 2;
    wrong[7].placement = 32;
    wrong[8].placement = 4096;
    wrong[9].single_type = 1;
    wrong[9].concept_capacity = wrong[9].episode_capacity = DM_CAPACITY_MAX;
    for (int i = 0; i < 10; i++) {
        dm_store *store = (dm_store *)&store;
        error[0] = '\0';
        CHECK_STATUS(dm_store_create(&wrong[i], &store, error, sizeof(error)), DM_ERROR_ARGUMENT, error);
        CHECK(store == NULL);
    }
    dm_store *store = NULL;
    CHECK_STATUS(dm_store_create(&right, &store, NULL, 0), DM_OK, NULL);
    dm_store_destroy(store);
    dm_store_destroy(NULL);
}

/* --- slots ---------------------------------------------------------------------------------------------------------- */

static void slots_carry_the_type(void) {
    static const uint32_t indices[] = {0, 1, 2, 1000, DM_CAPACITY_MAX - 1};
    for (size_t i = 0; i < sizeof(indices) / sizeof(indices[0]); i++) {
        CHECK(!dm_slot_is_concept(indices[i]));
        CHECK_EQUAL(dm_slot_index(indices[i]), indices[i]);
        CHECK(dm_slot_is_concept(dm_concept_slot(indices[i])));
        CHECK_EQUAL(dm_slot_index(dm_concept_slot(indices[i])), indices[i]);
        CHECK(dm_concept_slot(indices[i]) != DM_SLOT_NONE);
    }
}

/* --- random life against a model ------------------------------------------------------------------------------------ */

enum { MODEL_MAX = 400 };

typedef struct model_node {
    int live;
    int type; /* 0 episode or node, 1 concept */
    uint64_t number;
    uint32_t slot;
    float *values;
    float activation;
    uint64_t last;
} model_node;

typedef struct model {
    model_node nodes[MODEL_MAX];
    uint32_t live[2];
} model;

static int32_t add(dm_store *store, int single, int type, uint64_t number, const float *values, uint32_t *slot) {
    dm_id id = make_id(number);
    if (single) {
        return dm_store_add_node(store, id, values, slot, error, sizeof(error));
    }
    return type ? dm_store_add_concept(store, id, values, slot, error, sizeof(error))
                : dm_store_add_episode(store, id, values, slot, error, sizeof(error));
}

static void check_node(dm_store *store, const model_node *node, uint32_t dim, int single) {
    dm_id id = make_id(node->number);
    uint32_t found = dm_store_find(store, id);
    if (!node->live) {
        CHECK_EQUAL(found, DM_SLOT_NONE);
        return;
    }
    CHECK_EQUAL(found, node->slot);
    CHECK(dm_store_is_live(store, node->slot));
    CHECK_EQUAL(dm_slot_is_concept(node->slot), single ? 0 : node->type);
    dm_id back = {0, 0};
    CHECK_STATUS(dm_store_id(store, node->slot, &back, error, sizeof(error)), DM_OK, error);
    CHECK(back.low == id.low && back.high == id.high);
    dm_embedding embedding = dm_store_acquire_embedding(store, node->slot);
    REQUIRE(embedding.values != NULL);
    CHECK_EQUAL((uintptr_t)embedding.values % 64, 0);
    CHECK(memcmp(embedding.values, node->values, dim * sizeof(float)) == 0);
    for (uint32_t i = dim; i % 16 != 0; i++) {
        CHECK(embedding.values[i] == 0.0f);
    }
    double square = squared(node->values, dim);
    CHECK_NEAR(embedding.inverse_norm, square < (double)FLT_MIN ? 0.0 : 1.0 / sqrt(square), 1e-7);
    dm_store_release_embedding(store, embedding);
    CHECK(dm_store_activation(store, node->slot) == node->activation);
    CHECK_EQUAL(dm_store_last_access(store, node->slot), node->last);
}

static void check_rows(dm_store *store, const model *expected, dm_rows rows, int type, uint32_t dim) {
    CHECK_EQUAL((uintptr_t)rows.values % 64, 0);
    CHECK_EQUAL(rows.dim, dim);
    CHECK(rows.stride % 16 == 0 && rows.stride >= dim && rows.stride < dim + 16);
    uint32_t in_use = 0;
    for (uint32_t row = 0; row < rows.count; row++) {
        if (rows.slots[row] == DM_SLOT_NONE) {
            continue;
        }
        in_use++;
        int matched = 0;
        for (int i = 0; i < MODEL_MAX; i++) {
            const model_node *node = &expected->nodes[i];
            if (node->live && node->slot == rows.slots[row]) {
                const float *values = rows.values + row * rows.stride;
                double square = squared(values, dim);
                matched++;
                CHECK(memcmp(values, node->values, dim * sizeof(float)) == 0);
                CHECK_NEAR(rows.inverse_norms[row], square < (double)FLT_MIN ? 0.0 : 1.0 / sqrt(square), 1e-7);
            }
        }
        CHECK_EQUAL(matched, 1);
    }
    CHECK_EQUAL(in_use, expected->live[type]);
    (void)store;
}

static void step(dm_store *store, model *expected, test_random *random, uint32_t dim, int single, uint32_t capacity) {
    model_node *node = &expected->nodes[test_random_below(random, MODEL_MAX)];
    uint64_t action = test_random_below(random, 10);
    if (!node->live && action < 7) {
        int type = single ? 0 : (int)test_random_below(random, 2);
        float values[DM_DIM_MAX];
        test_random_fill(random, values, dim);
        if (test_random_below(random, 20) == 0) {
            memset(values, 0, sizeof(values));
        }
        uint32_t slot = 0;
        int32_t status = add(store, single, type, node->number, values, &slot);
        if (expected->live[type] == capacity) {
            CHECK_STATUS(status, DM_ERROR_MEMORY, error);
            CHECK_EQUAL(slot, DM_SLOT_NONE);
            return;
        }
        REQUIRE(CHECK_STATUS(status, DM_OK, error));
        memcpy(node->values, values, dim * sizeof(float));
        node->live = 1;
        node->type = type;
        node->slot = slot;
        node->activation = 0.0f;
        node->last = 0;
        expected->live[type]++;
    } else if (node->live && action == 0) {
        CHECK_STATUS(dm_store_remove(store, node->slot, error, sizeof(error)), DM_OK, error);
        node->live = 0;
        expected->live[node->type]--;
        CHECK_STATUS(dm_store_remove(store, node->slot, error, sizeof(error)), DM_ERROR_ARGUMENT, error);
    } else if (node->live && action < 4) {
        test_random_fill(random, node->values, dim);
        CHECK_STATUS(dm_store_update_embedding(store, node->slot, node->values, error, sizeof(error)), DM_OK, error);
    } else if (node->live && action < 8) {
        float delta = (float)test_random_uniform(random, -0.5, 0.5);
        float after = fminf(fmaxf(node->activation + delta, 0.0f), 1.0f);
        CHECK(dm_store_activate(store, node->slot, delta) == after);
        node->activation = after;
        uint64_t now = test_random_next(random) >> 40;
        dm_store_touch(store, node->slot, now);
        node->last = now > node->last ? now : node->last;
    } else if (node->live) {
        uint32_t slot = 0;
        CHECK_STATUS(add(store, single, node->type, node->number, node->values, &slot), DM_ERROR_ARGUMENT, error);
        CHECK_EQUAL(slot, DM_SLOT_NONE);
    }
}

static void random_life_matches_the_model(uint32_t dim, int single, uint32_t capacity, size_t placement, uint64_t seed) {
    static model expected;
    memset(&expected, 0, sizeof(expected));
    test_random random = {seed};
    dm_store *store = single ? make_store(dim, capacity / 2, capacity - capacity / 2, 1, placement)
                             : make_store(dim, capacity, capacity, 0, placement);
    for (uint64_t i = 0; i < MODEL_MAX; i++) {
        expected.nodes[i].number = seed * 1000 + i;
        expected.nodes[i].values = calloc(dim, sizeof(float));
        REQUIRE(expected.nodes[i].values != NULL);
    }
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 300; i++) {
            step(store, &expected, &random, dim, single, capacity);
        }
        for (int i = 0; i < MODEL_MAX; i++) {
            check_node(store, &expected.nodes[i], dim, single);
        }
        if (single) {
            check_rows(store, &expected, dm_store_node_rows(store), 0, dim);
            CHECK_EQUAL(dm_store_episode_rows(store).count + dm_store_concept_rows(store).count, 0);
        } else {
            check_rows(store, &expected, dm_store_episode_rows(store), 0, dim);
            check_rows(store, &expected, dm_store_concept_rows(store), 1, dim);
            CHECK_EQUAL(dm_store_node_rows(store).count, 0);
        }
        dm_population population = dm_store_population(store);
        CHECK_EQUAL(population.nodes, expected.live[0] + expected.live[1]);
        CHECK_EQUAL(population.concepts, expected.live[1]);
        CHECK_EQUAL(population.episodes, single ? 0 : expected.live[0]);
    }
    for (int i = 0; i < MODEL_MAX; i++) {
        free(expected.nodes[i].values);
    }
    dm_store_destroy(store);
}

/* --- what is refused -------------------------------------------------------------------------------------------------- */

static void not_numbers_are_refused(void) {
    dm_store *store = make_store(5, 4, 4, 0, 0);
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    uint32_t slot = 0;
    float values[5] = {1, 2, 3, 4, 5};
    REQUIRE(dm_store_add_concept(store, make_id(1), values, &slot, error, sizeof(error)) == DM_OK);
    uint32_t good = slot;
    for (size_t kind = 0; kind < 3; kind++) {
        for (size_t position = 0; position < 5; position++) {
            float wrong[5] = {1, 2, 3, 4, 5};
            wrong[position] = bad[kind];
            char where[32];
            (void)snprintf(where, sizeof(where), "position %zu", position);
            CHECK_STATUS(dm_store_add_concept(store, make_id(2), wrong, &slot, error, sizeof(error)), DM_ERROR_CORRUPT,
                         error);
            CHECK(strstr(error, where) != NULL);
            CHECK_STATUS(dm_store_add_episode(store, make_id(2), wrong, &slot, error, sizeof(error)), DM_ERROR_CORRUPT,
                         error);
            CHECK_STATUS(dm_store_update_embedding(store, good, wrong, error, sizeof(error)), DM_ERROR_CORRUPT, error);
        }
    }
    CHECK_EQUAL(dm_store_population(store).nodes, 1);
    CHECK_EQUAL(dm_store_find(store, make_id(2)), DM_SLOT_NONE);
    float large[5] = {FLT_MAX, -FLT_MAX, FLT_MAX, FLT_MAX, FLT_MAX}; /* finite, though its squared norm is no float */
    CHECK_STATUS(dm_store_add_concept(store, make_id(3), large, &slot, error, sizeof(error)), DM_OK, error);
    dm_store_destroy(store);
}

static void kinds_of_store_do_not_mix(void) {
    dm_store *dual = make_store(3, 2, 2, 0, 0);
    dm_store *single = make_store(3, 2, 2, 1, 0);
    float values[3] = {1, 0, 0};
    uint32_t slot = 0;
    CHECK_STATUS(dm_store_add_node(dual, make_id(1), values, &slot, error, sizeof(error)), DM_ERROR_ARGUMENT, error);
    CHECK_STATUS(dm_store_add_concept(single, make_id(1), values, &slot, error, sizeof(error)), DM_ERROR_ARGUMENT, error);
    CHECK_STATUS(dm_store_add_episode(single, make_id(1), values, &slot, error, sizeof(error)), DM_ERROR_ARGUMENT, error);
    for (uint64_t i = 0; i < 4; i++) {
        CHECK_STATUS(dm_store_add_node(single, make_id(i), values, &slot, error, sizeof(error)), DM_OK, error);
        CHECK_EQUAL(slot, i);
    }
    CHECK_STATUS(dm_store_add_node(single, make_id(4), values, &slot, error, sizeof(error)), DM_ERROR_MEMORY, error);
    CHECK_EQUAL(dm_store_fan(single, 0), 0);
    dm_memory_use use = dm_store_memory(single);
    CHECK_EQUAL(use.metadata + use.bindings, 0);
    CHECK_STATUS(dm_store_remove(dual, 0, error, sizeof(error)), DM_ERROR_ARGUMENT, error);
    CHECK_STATUS(dm_store_remove(dual, DM_SLOT_NONE, error, sizeof(error)), DM_ERROR_ARGUMENT, error);
    CHECK_STATUS(dm_store_remove(dual, dm_concept_slot(2), error, sizeof(error)), DM_ERROR_ARGUMENT, error);
    CHECK_STATUS(dm_store_remove(single, dm_concept_slot(2), error, sizeof(error)), DM_ERROR_ARGUMENT, error);
    dm_store_destroy(dual);
    dm_store_destroy(single);
}

/* --- references --------------------------------------------------------------------------------------------------------- */

static void references_keep_what_they_saw(void) {
    enum { DIM = 20 };
    dm_store *store = make_store(DIM, 4, 0, 0, 64);
    float values[DIM];
    uint32_t slot = 0;
    for (int i = 0; i < DIM; i++) {
        values[i] = 1.0f;
    }
    REQUIRE(dm_store_add_concept(store, make_id(1), values, &slot, error, sizeof(error)) == DM_OK);
    dm_embedding held[16];
    uint32_t count = 0;
    int32_t status = DM_OK;
    while (status == DM_OK && count < 16) { /* each update leaves a row that is held */
        held[count++] = dm_store_acquire_embedding(store, slot);
        for (int i = 0; i < DIM; i++) {
            values[i] += 1.0f;
        }
        status = dm_store_update_embedding(store, slot, values, error, sizeof(error));
    }
    CHECK_STATUS(status, DM_ERROR_MEMORY, error);
    CHECK(count > 2 && count < 16);
    dm_store_release_embedding(store, held[--count]); /* the current one */
    CHECK_STATUS(dm_store_remove(store, slot, error, sizeof(error)), DM_OK, error);
    CHECK(dm_store_acquire_embedding(store, slot).values == NULL);
    for (uint32_t i = 0; i < count; i++) {
        for (int j = 0; j < DIM; j++) {
            CHECK(held[i].values[j] == (float)(i + 1));
        }
        CHECK_NEAR(held[i].inverse_norm, 1.0 / ((i + 1) * sqrt(DIM)), 1e-7);
        dm_store_release_embedding(store, held[i]);
    }
    dm_store_release_embedding(store, (dm_embedding){NULL, 0, 0, slot});
    for (uint64_t i = 0; i < 4; i++) { /* all rows can be used again */
        CHECK_STATUS(dm_store_add_concept(store, make_id(10 + i), values, &slot, error, sizeof(error)), DM_OK, error);
    }
    for (int i = 0; i < 100; i++) {
        CHECK_STATUS(dm_store_update_embedding(store, slot, values, error, sizeof(error)), DM_OK, error);
    }
    dm_store_destroy(store);
}

/* --- the table of ids ----------------------------------------------------------------------------------------------------- */

/* Families of ids that a weak hash would pile up: counters in either word and in both, shifted, opposed, and the two words
 * that the hash multiplies by. */
static dm_id awkward_id(int family, uint64_t number) {
    switch (family) {
    case 0: return (dm_id){number, 0};
    case 1: return (dm_id){0, number};
    case 2: return (dm_id){number, number};
    case 3: return (dm_id){number << 48, 0};
    case 4: return (dm_id){0, number << 48};
    case 5: return (dm_id){UINT64_C(0x9fb21c651e98df25), number};
    case 6: return (dm_id){number, UINT64_C(0xd6e8feb86659fd93)};
    case 7: return (dm_id){number, UINT64_MAX - number};
    case 8: return (dm_id){number << 32, number << 32};
    case 9: return (dm_id){number << 32, number};
    case 10: return (dm_id){number, number << 40};
    case 11: return (dm_id){number * 1000003, 1};
    case 12: return (dm_id){number * 4096, 77};
    case 13: return (dm_id){number * UINT64_C(0x9e3779b97f4a7c15), number};
    default: return make_id(number);
    }
}

enum { FAMILIES = 15, TABLE_IDS = 20000 };

static void awkward_ids_stay_apart(int family) {
    dm_memory account = {0};
    dm_ids ids = {0};
    REQUIRE(dm_ids_create(&ids, TABLE_IDS, &account, 0));
    for (uint64_t i = 0; i < TABLE_IDS; i++) {
        dm_ids_insert(&ids, awkward_id(family, i), (uint32_t)i);
    }
    uint64_t overflowed = 0;
    for (uint64_t i = 0; i < ids.bucket_count; i++) {
        overflowed += atomic_load(&ids.buckets[i].overflow);
    }
    CHECK(overflowed < TABLE_IDS / 8); /* 8.7 % for a random function at 1.5 a bucket; here it is 1.2 */
    for (uint64_t i = 0; i < TABLE_IDS; i++) {
        CHECK_EQUAL(dm_ids_find(&ids, awkward_id(family, i)), i);
        CHECK_EQUAL(dm_ids_find(&ids, awkward_id(family, i + TABLE_IDS)), DM_SLOT_NONE);
    }
    for (uint64_t i = 0; i < TABLE_IDS; i += 2) {
        dm_ids_remove(&ids, awkward_id(family, i));
    }
    for (uint64_t i = 0; i < TABLE_IDS; i++) {
        CHECK_EQUAL(dm_ids_find(&ids, awkward_id(family, i)), i % 2 == 0 ? DM_SLOT_NONE : i);
    }
    for (uint64_t i = 1; i < TABLE_IDS; i += 2) {
        dm_ids_remove(&ids, awkward_id(family, i));
    }
    for (uint64_t i = 0; i < ids.bucket_count; i++) {
        CHECK_EQUAL(atomic_load(&ids.buckets[i].overflow), 0);
    }
    dm_ids_destroy(&ids, &account);
    CHECK_EQUAL(dm_memory_bytes(&account), 0);
}

/* A thousand ids that are all at home in the last bucket: the probe wraps around and crosses hundreds of full buckets. */
static void a_crowded_table_still_answers(void) {
    dm_memory account = {0};
    dm_ids ids = {0};
    REQUIRE(dm_ids_create(&ids, 1000, &account, 0));
    uint64_t buckets = ids.bucket_count;
    static dm_id crowd[1000];
    uint32_t count = 0;
    for (uint64_t number = 0; count < 1000; number++) {
        dm_id id = make_id(number);
        if (dm_ids_home(&ids, dm_id_hash(id)) == &ids.buckets[buckets - 1]) {
            crowd[count++] = id;
        }
    }
    for (int round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < count; i++) {
            dm_ids_insert(&ids, crowd[i], i);
        }
        for (uint32_t i = 0; i < count; i++) {
            CHECK_EQUAL(dm_ids_find(&ids, crowd[i]), i);
        }
        CHECK_EQUAL(dm_ids_find(&ids, (dm_id){1, 2}), DM_SLOT_NONE);
        for (uint32_t i = count; i-- > 0;) {
            dm_ids_remove(&ids, crowd[i]);
        }
        for (uint32_t i = 0; i < count; i++) { /* also with every count left standing: the probe comes round and ends */
            CHECK_EQUAL(dm_ids_find(&ids, crowd[i]), DM_SLOT_NONE);
        }
    }
    for (uint64_t i = 0; i < buckets; i++) {
        atomic_store(&ids.buckets[i].overflow, 1);
    }
    CHECK_EQUAL(dm_ids_find(&ids, crowd[0]), DM_SLOT_NONE);
    dm_ids_destroy(&ids, &account);
}

static void batches_find_what_single_look_ups_find(void) {
    enum { COUNT = 1000 };
    dm_store *store = make_store(2, COUNT, COUNT, 0, 0);
    static dm_id ids[2 * COUNT];
    static uint32_t slots[2 * COUNT];
    float values[2] = {1, 2};
    for (uint64_t i = 0; i < 2 * COUNT; i++) {
        ids[i] = make_id(i);
        uint32_t slot;
        if (i % 3 != 0) {
            int32_t status = i % 2 == 0 ? dm_store_add_concept(store, ids[i], values, &slot, error, sizeof(error))
                                        : dm_store_add_episode(store, ids[i], values, &slot, error, sizeof(error));
            REQUIRE(status == DM_OK);
        }
    }
    for (size_t count = 0; count <= 40; count++) {
        slots[count] = 12345;
        dm_store_find_batch(store, ids, count, slots);
        CHECK_EQUAL(slots[count], 12345);
    }
    dm_store_find_batch(store, ids, 2 * COUNT, slots);
    for (size_t i = 0; i < 2 * COUNT; i++) {
        CHECK_EQUAL(slots[i], dm_store_find(store, ids[i]));
        CHECK_EQUAL(slots[i] == DM_SLOT_NONE, i % 3 == 0);
    }
    dm_store_destroy(store);
}

/* --- strength, formation, statistics, memory --------------------------------------------------------------------------------- */

static void strengths_and_formations_are_kept(void) {
    dm_store *store = make_store(1, 2, 2, 0, 0);
    float one[1] = {1};
    uint32_t concept_slot;
    uint32_t episode;
    REQUIRE(dm_store_add_concept(store, make_id(1), one, &concept_slot, error, sizeof(error)) == DM_OK);
    REQUIRE(dm_store_add_episode(store, make_id(2), one, &episode, error, sizeof(error)) == DM_OK);
    CHECK(dm_store_strength(store, episode) == 1.0f);
    dm_store_set_strength(store, episode, 0.25f);
    CHECK(dm_store_strength(store, episode) == 0.25f);
    dm_store_set_strength(store, episode, 2.0f);
    CHECK(dm_store_strength(store, episode) == 1.0f);
    dm_formation formation = dm_store_formation(store, concept_slot);
    CHECK(formation.coherence == 0.0f && formation.member_count == 0);
    dm_store_set_formation(store, concept_slot, (dm_formation){0.75f, 4000000000U});
    formation = dm_store_formation(store, concept_slot);
    CHECK(formation.coherence == 0.75f && formation.member_count == 4000000000U);
    dm_store_set_formation(store, concept_slot, (dm_formation){-0.5f, 1});
    CHECK(dm_store_formation(store, concept_slot).coherence == 0.0f);
    dm_store_destroy(store);
}

static void statistics_count_what_readers_did(void) {
    dm_store *store = make_store(4, 4, 4, 0, 0);
    CHECK(dm_store_statistics(store).hit_rate == 0.0);
    float values[4] = {1, 2, 3, 4};
    uint32_t slots[3];
    for (uint64_t i = 0; i < 3; i++) {
        REQUIRE(dm_store_add_concept(store, make_id(i), values, &slots[i], error, sizeof(error)) == DM_OK);
    }
    REQUIRE(dm_store_remove(store, slots[2], error, sizeof(error)) == DM_OK);
    dm_reader *first = NULL;
    dm_reader *second = NULL;
    REQUIRE(dm_store_reader_create(store, &first, error, sizeof(error)) == DM_OK);
    REQUIRE(dm_store_reader_create(store, &second, error, sizeof(error)) == DM_OK);
    CHECK(first != second);
    uint32_t fan = 9;
    CHECK_EQUAL(dm_reader_fan(first, slots[0]), 0);
    CHECK_EQUAL(dm_reader_fan(second, slots[2]), 0);
    CHECK_EQUAL(dm_reader_fan_by_id(first, make_id(1), &fan), 1);
    CHECK_EQUAL(dm_reader_fan_by_id(first, make_id(2), &fan), 0);
    CHECK_EQUAL(fan, 0);
    dm_store_release_embedding(store, dm_reader_acquire_embedding(second, slots[1]));
    CHECK(dm_reader_acquire_embedding(second, slots[2]).values == NULL);
    dm_store_reader_release(store, second);
    dm_store_reader_release(store, NULL);
    dm_statistics sum = dm_store_statistics(store);
    CHECK_EQUAL(sum.fan_hits, 2);
    CHECK_EQUAL(sum.fan_misses, 2);
    CHECK_EQUAL(sum.centroid_hits, 1);
    CHECK_EQUAL(sum.centroid_misses, 1);
    CHECK_EQUAL(sum.entries, 2);
    CHECK_NEAR(sum.hit_rate, 3.0 / 6.0, 1e-15);
    dm_reader *third = NULL;
    REQUIRE(dm_store_reader_create(store, &third, error, sizeof(error)) == DM_OK);
    CHECK(third == second); /* given back, used again */
    dm_store_destroy(store);
}

static void memory_is_told_apart(void) {
    enum { CONCEPTS = 3000, EPISODES = 5000, DIM = 768 };
    dm_store *dual = make_store(DIM, CONCEPTS, EPISODES, 0, 128);
    dm_store *single = make_store(DIM, CONCEPTS, EPISODES, 1, 128);
    dm_memory_use use = dm_store_memory(dual);
    dm_memory_use plain = dm_store_memory(single);
    CHECK(use.total >= use.embeddings + use.ids + use.nodes + use.metadata + use.bindings);
    CHECK(use.embeddings >= (uint64_t)(CONCEPTS + EPISODES) * DIM * 4);
    CHECK(use.embeddings < (uint64_t)(CONCEPTS + EPISODES) * DIM * 4 * 105 / 100);
    CHECK(use.metadata < use.total / 5);
    CHECK(use.metadata == 8 * (CONCEPTS + EPISODES));
    CHECK(plain.embeddings <= use.embeddings);
    CHECK_EQUAL(plain.nodes, 16 * (CONCEPTS + EPISODES));
    CHECK_EQUAL(use.nodes, plain.nodes + 8 * CONCEPTS);
    CHECK_EQUAL(use.ids, plain.ids);
    CHECK_EQUAL(plain.metadata + plain.bindings, 0);
    dm_store_destroy(dual);
    dm_store_destroy(single);
}

int main(void) {
    wrong_options_are_refused();
    slots_carry_the_type();
    random_life_matches_the_model(7, 0, 60, 0, 1);
    random_life_matches_the_model(16, 0, 150, 1984, 2);
    random_life_matches_the_model(33, 1, 200, 64, 3);
    random_life_matches_the_model(1, 1, 400, 0, 4);
    not_numbers_are_refused();
    kinds_of_store_do_not_mix();
    references_keep_what_they_saw();
    for (int family = 0; family < FAMILIES; family++) {
        awkward_ids_stay_apart(family);
    }
    a_crowded_table_still_answers();
    batches_find_what_single_look_ups_find();
    strengths_and_formations_are_kept();
    statistics_count_what_readers_did();
    memory_is_told_apart();
    return test_report();
}
