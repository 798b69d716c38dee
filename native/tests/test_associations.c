/* test_associations.c: associations against a plain matrix of weights: lists from both sides, versions, fans untouched,
 * memory. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dualmem/dualmem.h"
#include "store/store.h"
#include "tests/support.h"

static char error[256];

static dm_store *make_store(uint32_t concepts, uint32_t episodes, int single_type) {
    dm_store_options options = {.size = sizeof(options), .dim = 3, .concept_capacity = concepts,
                                .episode_capacity = episodes, .single_type = single_type};
    dm_store *store = NULL;
    REQUIRE(CHECK_STATUS(dm_store_create(&options, &store, error, sizeof(error)), DM_OK, error));
    return store;
}

static uint32_t add(dm_store *store, int is_concept, uint64_t number) {
    static const float values[3] = {1.0f, 2.0f, 3.0f};
    uint32_t slot = DM_SLOT_NONE;
    dm_id id = {number, (uint64_t)is_concept};
    int32_t status = is_concept ? dm_store_add_concept(store, id, values, &slot, error, sizeof(error))
                                : dm_store_add_episode(store, id, values, &slot, error, sizeof(error));
    REQUIRE(CHECK_STATUS(status, DM_OK, error));
    return slot;
}

static int32_t associate(dm_store *store, uint32_t slot, uint32_t other, float weight) {
    return dm_store_associate(store, slot, other, weight, error, sizeof(error));
}

/* --- a model: the full matrix -------------------------------------------------------------------------------------- */

enum { CONCEPTS = 30, EPISODES = 50, NODES = CONCEPTS + EPISODES };

typedef struct model {
    float weight[NODES][NODES]; /* symmetric; -1: none */
    uint32_t slot[NODES];       /* concepts first; DM_SLOT_NONE: not in the store */
    uint32_t version[NODES];
    uint32_t fan[NODES];
} model;

static int is_concept(uint32_t node) {
    return node < CONCEPTS;
}

static void check_node(const dm_store *store, const model *expected, uint32_t node) {
    dm_edge edges[NODES];
    uint32_t slot = expected->slot[node];
    uint32_t count = 0;
    for (uint32_t other = 0; other < NODES; other++) {
        count += expected->weight[node][other] >= 0.0f;
    }
    memset(edges, 0xee, sizeof(edges));
    CHECK_EQUAL(dm_store_associations(store, slot, edges, NODES), count);
    CHECK_EQUAL(edges[count].slot, 0xeeeeeeee);
    uint32_t seen = 0;
    for (uint32_t i = 0; i < count; i++) {
        CHECK_EQUAL(edges[i].binding, DM_BINDING_NONE);
        for (uint32_t other = 0; other < NODES; other++) {
            if (expected->weight[node][other] >= 0.0f && expected->slot[other] == edges[i].slot) {
                seen++;
                CHECK(edges[i].strength == expected->weight[node][other]);
            }
        }
        for (uint32_t j = 0; j < i; j++) {
            CHECK(edges[i].slot != edges[j].slot);
        }
    }
    CHECK_EQUAL(seen, count);
    if (count > 3) {
        edges[3].slot = 12345;
        CHECK_EQUAL(dm_store_associations(store, slot, edges, 3), count);
        CHECK_EQUAL(edges[3].slot, 12345);
    }
    CHECK_EQUAL(dm_store_version(store, slot), expected->version[node]);
    CHECK_EQUAL(dm_store_fan(store, slot), expected->fan[node]);
}

static void check_all(dm_store *store, const model *expected) {
    uint64_t total = 0;
    for (uint32_t node = 0; node < NODES; node++) {
        if (expected->slot[node] == DM_SLOT_NONE) {
            continue;
        }
        check_node(store, expected, node);
        for (uint32_t other = 0; other < NODES; other++) {
            if (other != node && expected->slot[other] != DM_SLOT_NONE) {
                CHECK(dm_store_association_weight(store, expected->slot[node], expected->slot[other]) ==
                      expected->weight[node][other]);
                total += expected->weight[node][other] >= 0.0f;
            }
        }
    }
    CHECK_EQUAL(dm_store_population(store).associations, total / 2);
}

static void change_node(dm_store *store, model *expected, uint32_t node) {
    if (expected->slot[node] == DM_SLOT_NONE) {
        expected->slot[node] = add(store, is_concept(node), node);
        expected->version[node] = dm_store_version(store, expected->slot[node]);
        expected->fan[node] = 0;
        return;
    }
    CHECK_STATUS(dm_store_remove(store, expected->slot[node], error, sizeof(error)), DM_OK, error);
    dm_edge edge;
    CHECK_EQUAL(dm_store_associations(store, expected->slot[node], &edge, 1), 0);
    expected->slot[node] = DM_SLOT_NONE;
    for (uint32_t other = 0; other < NODES; other++) {
        expected->version[other] += expected->weight[node][other] >= 0.0f;
        expected->weight[node][other] = expected->weight[other][node] = -1.0f;
    }
    for (uint32_t other = 0; other < NODES; other++) { /* bindings come and go as well: see change_pair */
        if (expected->slot[other] != DM_SLOT_NONE) {
            expected->version[other] = dm_store_version(store, expected->slot[other]);
            expected->fan[other] = dm_store_fan(store, expected->slot[other]);
        }
    }
}

static void change_pair(dm_store *store, model *expected, test_random *random) {
    uint32_t one = (uint32_t)test_random_below(random, NODES);
    uint32_t two = (uint32_t)test_random_below(random, NODES);
    uint32_t slot = expected->slot[one];
    uint32_t other = expected->slot[two];
    uint64_t action = test_random_below(random, 4);
    float *weight = &expected->weight[one][two];
    if (slot == DM_SLOT_NONE || other == DM_SLOT_NONE || one == two) {
        CHECK_STATUS(associate(store, slot, other, 0.5f), DM_ERROR_ARGUMENT, error);
        CHECK_EQUAL(dm_store_dissociate(store, slot, other), 0);
    } else if (is_concept(one) != is_concept(two)) {
        CHECK_STATUS(associate(store, slot, other, 0.5f), DM_ERROR_ARGUMENT, error);
        CHECK_EQUAL(dm_store_dissociate(store, slot, other), 0);
        CHECK(dm_store_association_weight(store, slot, other) == -1.0f);
        uint32_t fan = dm_store_fan(store, slot);
        REQUIRE(dm_store_bind(store, is_concept(one) ? other : slot, is_concept(one) ? slot : other, 0.5f, NULL, error,
                              sizeof(error)) == DM_OK);
        uint32_t grown = dm_store_fan(store, slot) - fan;
        expected->fan[one] += grown;
        expected->fan[two] += grown;
        expected->version[one] += grown;
        expected->version[two] += grown;
    } else if (action == 0) {
        CHECK_EQUAL(dm_store_dissociate(store, slot, other), *weight >= 0.0f);
        expected->version[one] += *weight >= 0.0f;
        expected->version[two] += *weight >= 0.0f;
        *weight = expected->weight[two][one] = -1.0f;
    } else {
        float wanted = action == 1 ? (float)test_random_below(random, 2) : (float)test_random_uniform(random, 0.0, 1.0);
        CHECK_STATUS(associate(store, slot, other, wanted), DM_OK, error);
        *weight = expected->weight[two][one] = wanted;
        expected->version[one]++;
        expected->version[two]++;
    }
}

static void random_changes_match_the_model(void) {
    static model expected;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        test_random random = {seed};
        dm_store *store = make_store(CONCEPTS, EPISODES, 0);
        for (uint32_t node = 0; node < NODES; node++) {
            expected.slot[node] = DM_SLOT_NONE;
            for (uint32_t other = 0; other < NODES; other++) {
                expected.weight[node][other] = -1.0f;
            }
        }
        for (uint32_t node = 0; node < NODES; node++) {
            change_node(store, &expected, node);
        }
        uint64_t rarity = seed % 2 ? 100 : 8; /* long lists, and short ones of nodes that come and go */
        for (int step = 0; step < 6000; step++) {
            if (test_random_below(&random, rarity) == 0) {
                change_node(store, &expected, (uint32_t)test_random_below(&random, NODES));
            } else {
                change_pair(store, &expected, &random);
            }
            if (step % 500 == 499) {
                check_all(store, &expected);
            }
        }
        dm_store_destroy(store);
    }
}

/* --- lists of every length ------------------------------------------------------------------------------------------- */

/* A hub grows to `most` associations and loses them, from the front, the back, and in between. */
static void lists_of_every_length(void) {
    enum { MOST = 70 };
    for (int hub_is_concept = 0; hub_is_concept < 2; hub_is_concept++) {
        for (uint32_t order = 0; order < 3; order++) {
            dm_store *store = make_store(MOST + 1, MOST + 1, 0);
            uint32_t hub = add(store, hub_is_concept, 1000);
            uint32_t partners[MOST];
            for (uint32_t i = 0; i < MOST; i++) {
                partners[i] = add(store, hub_is_concept, i);
                float weight = (float)i / MOST;
                CHECK_STATUS(i % 2 ? associate(store, hub, partners[i], weight) : associate(store, partners[i], hub, weight),
                             DM_OK, error);
                dm_edge edges[MOST + 1];
                CHECK_EQUAL(dm_store_associations(store, hub, edges, MOST + 1), i + 1);
            }
            for (uint32_t left = MOST; left > 0; left--) {
                uint32_t which = order == 0 ? 0 : order == 1 ? left - 1 : left / 2;
                CHECK_EQUAL(dm_store_dissociate(store, hub, partners[which]), 1);
                memmove(&partners[which], &partners[which + 1], (left - which - 1) * sizeof(partners[0]));
                dm_edge edges[MOST + 1];
                CHECK_EQUAL(dm_store_associations(store, hub, edges, MOST + 1), left - 1);
                for (uint32_t i = 0; i + 1 < left; i++) {
                    int found = 0;
                    for (uint32_t j = 0; j + 1 < left; j++) {
                        found += edges[j].slot == partners[i];
                    }
                    CHECK_EQUAL(found, 1);
                }
            }
            dm_store_destroy(store);
        }
    }
}

/* --- refusals, memory -------------------------------------------------------------------------------------------------- */

static void what_is_refused(void) {
    dm_store *store = make_store(3, 3, 0);
    uint32_t concept_slot = add(store, 1, 1);
    uint32_t other = add(store, 1, 2);
    uint32_t episode = add(store, 0, 1);
    uint32_t gone = add(store, 0, 2);
    REQUIRE(dm_store_remove(store, gone, error, sizeof(error)) == DM_OK);
    CHECK_STATUS(associate(store, concept_slot, concept_slot, 0.5f), DM_ERROR_ARGUMENT, error);
    CHECK(strstr(error, "itself") != NULL);
    CHECK_STATUS(associate(store, concept_slot, episode, 0.5f), DM_ERROR_ARGUMENT, error);
    CHECK_STATUS(associate(store, episode, gone, 0.5f), DM_ERROR_ARGUMENT, error);
    CHECK_STATUS(associate(store, gone, episode, 0.5f), DM_ERROR_ARGUMENT, error);
    CHECK_STATUS(associate(store, episode, DM_SLOT_NONE, 0.5f), DM_ERROR_ARGUMENT, error);
    CHECK_STATUS(associate(store, concept_slot, dm_concept_slot(3), 0.5f), DM_ERROR_ARGUMENT, error);
    CHECK_STATUS(associate(store, episode, 3, 0.5f), DM_ERROR_ARGUMENT, error);
    const float weights[] = {-0x1p-149f, 1.0f + 0x1p-23f, NAN, INFINITY, -1.0f};
    for (size_t i = 0; i < sizeof(weights) / sizeof(weights[0]); i++) {
        CHECK_STATUS(associate(store, concept_slot, other, weights[i]), DM_ERROR_ARGUMENT, error);
    }
    CHECK_EQUAL(dm_store_population(store).associations, 0);
    CHECK_STATUS(associate(store, concept_slot, other, -0.0f), DM_OK, error);
    CHECK(!signbit(dm_store_association_weight(store, other, concept_slot)));
    CHECK(dm_store_association_weight(store, concept_slot, episode) == -1.0f);
    CHECK(dm_store_association_weight(store, concept_slot, DM_SLOT_NONE) == -1.0f);
    dm_store_destroy(store);

    store = make_store(2, 2, 1);
    static const float values[3] = {1.0f, 2.0f, 3.0f};
    uint32_t slots[2];
    for (uint64_t i = 0; i < 2; i++) {
        REQUIRE(dm_store_add_node(store, (dm_id){i, 0}, values, &slots[i], error, sizeof(error)) == DM_OK);
    }
    CHECK_STATUS(associate(store, slots[0], slots[1], 0.5f), DM_ERROR_ARGUMENT, error);
    CHECK_EQUAL(dm_store_dissociate(store, slots[0], slots[1]), 0);
    dm_edge edge;
    CHECK_EQUAL(dm_store_associations(store, slots[0], &edge, 1), 0);
    CHECK_EQUAL(dm_store_memory(store).associations, 0);
    dm_store_destroy(store);
}

static void memory_comes_with_the_first(void) {
    dm_store *store = make_store(1000, 2000, 0);
    uint32_t slots[1000];
    for (uint32_t i = 0; i < 1000; i++) {
        slots[i] = add(store, 1, i);
    }
    uint32_t episode = add(store, 0, 1);
    REQUIRE(dm_store_bind(store, episode, slots[0], 0.5f, NULL, error, sizeof(error)) == DM_OK);
    dm_edge edge;
    CHECK_EQUAL(dm_store_associations(store, slots[0], &edge, 1), 0);
    CHECK_EQUAL(dm_store_dissociate(store, slots[0], slots[1]), 0);
    CHECK(dm_store_association_weight(store, slots[0], slots[1]) == -1.0f);
    dm_memory_use before = dm_store_memory(store);
    CHECK_EQUAL(before.associations, 0);
    CHECK_STATUS(associate(store, slots[0], slots[1], 0.5f), DM_OK, error);
    dm_memory_use first = dm_store_memory(store);
    CHECK_EQUAL(first.associations, 3000 * 8 + 512 * 68); /* heads, and the first blocks with their chain */
    CHECK_EQUAL(first.total, before.total + first.associations);
    for (uint32_t i = 2; i < 1000; i++) {
        CHECK_STATUS(associate(store, slots[0], slots[i], 0.5f), DM_OK, error);
    }
    dm_memory_use full = dm_store_memory(store);
    CHECK_EQUAL(full.associations, 3000 * 8 + 3 * 512 * 68); /* 999 blocks of one entry and 125 of the hub */
    for (int round = 0; round < 3; round++) { /* blocks come back */
        CHECK_STATUS(dm_store_remove(store, slots[0], error, sizeof(error)), DM_OK, error);
        CHECK_EQUAL(dm_store_population(store).associations, 0);
        slots[0] = add(store, 1, 0);
        CHECK_EQUAL(dm_store_associations(store, slots[0], &edge, 1), 0);
        for (uint32_t i = 1; i < 1000; i++) {
            CHECK_STATUS(associate(store, slots[i], slots[0], 0.25f), DM_OK, error);
        }
    }
    CHECK_EQUAL(dm_store_memory(store).associations, full.associations);
    dm_store_destroy(store);
}

int main(void) {
    random_changes_match_the_model();
    lists_of_every_length();
    what_is_refused();
    memory_comes_with_the_first();
    return test_report();
}
