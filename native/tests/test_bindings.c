/* test_bindings.c: bindings against a plain matrix of strengths: fans, versions, traversal, strengths to the last bit. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dualmem/dualmem.h"
#include "store/binding_access.h"
#include "tests/support.h"

static char error[256];

static dm_id episode_id(uint32_t number) {
    return (dm_id){number, 1};
}

static dm_id concept_id(uint32_t number) {
    return (dm_id){number, 2};
}

static dm_store *make_store(uint32_t dim, uint32_t concepts, uint32_t episodes) {
    dm_store_options options = {
        .size = sizeof(options), .dim = dim, .concept_capacity = concepts, .episode_capacity = episodes};
    dm_store *store = NULL;
    REQUIRE(CHECK_STATUS(dm_store_create(&options, &store, error, sizeof(error)), DM_OK, error));
    return store;
}

/* --- a model: the full matrix -------------------------------------------------------------------------------------- */

enum { CONCEPTS = 40, EPISODES = 60 };

typedef struct model {
    float strength[CONCEPTS][EPISODES]; /* -1: not bound */
    uint32_t binding[CONCEPTS][EPISODES];
    uint32_t concept_slot[CONCEPTS];    /* DM_SLOT_NONE: not in the store */
    uint32_t episode_slot[EPISODES];
    uint32_t concept_changes[CONCEPTS]; /* changes of the fan since the slot was taken */
    uint32_t first_version[CONCEPTS];
} model;

static uint32_t fan_of_concept(const model *expected, uint32_t c) {
    uint32_t fan = 0;
    for (uint32_t e = 0; e < EPISODES; e++) {
        fan += expected->strength[c][e] >= 0.0f;
    }
    return fan;
}

static uint32_t fan_of_episode(const model *expected, uint32_t e) {
    uint32_t fan = 0;
    for (uint32_t c = 0; c < CONCEPTS; c++) {
        fan += expected->strength[c][e] >= 0.0f;
    }
    return fan;
}

static void check_concept(dm_store *store, const model *expected, uint32_t c) {
    uint32_t slot = expected->concept_slot[c];
    uint32_t fan = fan_of_concept(expected, c);
    CHECK_EQUAL(dm_store_fan(store, slot), fan);
    uint32_t by_id = 999;
    CHECK_EQUAL(dm_store_fan_by_id(store, concept_id(c), &by_id), 1);
    CHECK_EQUAL(by_id, fan);
    CHECK_NEAR(dm_store_decay_factor(store, slot), 1.0 / (1.0 + 0.25 * log(fan > 1 ? fan : 1)), 1e-7);
    CHECK_EQUAL(dm_store_version(store, slot) - expected->first_version[c], expected->concept_changes[c]);
    dm_edge edges[EPISODES + 1];
    edges[fan].binding = 12345;
    CHECK_EQUAL(dm_store_edges(store, slot, edges, EPISODES), fan);
    CHECK_EQUAL(edges[fan].binding, 12345);
    uint32_t seen = 0;
    for (uint32_t i = 0; i < fan; i++) {
        for (uint32_t e = 0; e < EPISODES; e++) {
            if (expected->episode_slot[e] == edges[i].slot) {
                seen++;
                CHECK(edges[i].strength == expected->strength[c][e]);
                CHECK_EQUAL(edges[i].binding, expected->binding[c][e]);
            }
        }
    }
    CHECK_EQUAL(seen, fan);
    if (fan > 3) { /* a short buffer gets what fits */
        edges[3].binding = 54321;
        CHECK_EQUAL(dm_store_edges(store, slot, edges, 3), fan);
        CHECK_EQUAL(edges[3].binding, 54321);
    }
}

static void check_episode(dm_store *store, const model *expected, uint32_t e) {
    uint32_t slot = expected->episode_slot[e];
    uint32_t fan = fan_of_episode(expected, e);
    CHECK_EQUAL(dm_store_fan(store, slot), fan);
    dm_edge edges[CONCEPTS];
    CHECK_EQUAL(dm_store_edges(store, slot, edges, CONCEPTS), fan);
    uint32_t seen = 0;
    for (uint32_t i = 0; i < fan; i++) {
        for (uint32_t c = 0; c < CONCEPTS; c++) {
            if (expected->concept_slot[c] == edges[i].slot) {
                seen++;
                CHECK(edges[i].strength == expected->strength[c][e]);
                CHECK_EQUAL(edges[i].binding, expected->binding[c][e]);
            }
        }
    }
    CHECK_EQUAL(seen, fan);
}

static void check_all(dm_store *store, const model *expected) {
    uint64_t bindings = 0;
    for (uint32_t c = 0; c < CONCEPTS; c++) {
        if (expected->concept_slot[c] != DM_SLOT_NONE) {
            check_concept(store, expected, c);
            bindings += fan_of_concept(expected, c);
        }
        for (uint32_t e = 0; e < EPISODES; e++) {
            float wanted = expected->strength[c][e];
            CHECK(dm_store_binding_strength_by_id(store, episode_id(e), concept_id(c)) == wanted);
            if (expected->concept_slot[c] != DM_SLOT_NONE && expected->episode_slot[e] != DM_SLOT_NONE) {
                uint32_t found = dm_store_find_binding(store, expected->episode_slot[e], expected->concept_slot[c]);
                CHECK_EQUAL(found, wanted < 0.0f ? DM_BINDING_NONE : expected->binding[c][e]);
            }
            if (wanted >= 0.0f) {
                CHECK(dm_store_binding_strength(store, expected->binding[c][e]) == wanted);
                CHECK_EQUAL(dm_store_is_weak(store, expected->binding[c][e]), wanted < 0.1f);
            }
        }
    }
    for (uint32_t e = 0; e < EPISODES; e++) {
        if (expected->episode_slot[e] != DM_SLOT_NONE) {
            check_episode(store, expected, e);
        }
    }
    CHECK_EQUAL(dm_store_population(store).bindings, bindings);
}

static float clamp(float value) {
    return fminf(fmaxf(value, 0.0f), 1.0f);
}

static void add_or_remove_node(dm_store *store, model *expected, test_random *random) {
    static const float values[3] = {1.0f, 2.0f, 3.0f};
    uint32_t number = (uint32_t)test_random_below(random, CONCEPTS + EPISODES);
    int is_concept = number < CONCEPTS;
    uint32_t *slot = is_concept ? &expected->concept_slot[number] : &expected->episode_slot[number - CONCEPTS];
    if (*slot == DM_SLOT_NONE) {
        int32_t status = is_concept
                             ? dm_store_add_concept(store, concept_id(number), values, slot, error, sizeof(error))
                             : dm_store_add_episode(store, episode_id(number - CONCEPTS), values, slot, error, sizeof(error));
        REQUIRE(CHECK_STATUS(status, DM_OK, error));
        CHECK_EQUAL(dm_store_fan(store, *slot), 0);
        if (is_concept) {
            expected->first_version[number] = dm_store_version(store, *slot);
            expected->concept_changes[number] = 0;
        }
        return;
    }
    CHECK_STATUS(dm_store_remove(store, *slot, error, sizeof(error)), DM_OK, error);
    *slot = DM_SLOT_NONE;
    for (uint32_t i = 0; i < (is_concept ? EPISODES : CONCEPTS); i++) {
        uint32_t c = is_concept ? number : i;
        uint32_t e = is_concept ? i : number - CONCEPTS;
        expected->concept_changes[c] += expected->strength[c][e] >= 0.0f;
        expected->strength[c][e] = -1.0f;
    }
}

static void change_binding(dm_store *store, model *expected, test_random *random) {
    uint32_t c = (uint32_t)test_random_below(random, CONCEPTS);
    uint32_t e = (uint32_t)test_random_below(random, EPISODES);
    uint32_t cs = expected->concept_slot[c];
    uint32_t es = expected->episode_slot[e];
    float *strength = &expected->strength[c][e];
    int by_id = (int)test_random_below(random, 2);
    uint64_t action = test_random_below(random, 6);
    if (action < 2) {
        float wanted = (float)test_random_uniform(random, 0.0, 1.0);
        uint32_t binding = DM_BINDING_NONE;
        int32_t status =
            by_id ? dm_store_bind_by_id(store, episode_id(e), concept_id(c), wanted, &binding, error, sizeof(error))
                  : dm_store_bind(store, es, cs, wanted, &binding, error, sizeof(error));
        if (cs == DM_SLOT_NONE || es == DM_SLOT_NONE) {
            CHECK_STATUS(status, DM_ERROR_ARGUMENT, error);
            return;
        }
        REQUIRE(CHECK_STATUS(status, DM_OK, error));
        if (*strength >= 0.0f) {
            CHECK_EQUAL(binding, expected->binding[c][e]); /* the same binding, not a second one */
        } else {
            expected->concept_changes[c]++;
        }
        *strength = wanted;
        expected->binding[c][e] = binding;
    } else if (action == 2) {
        int removed = by_id ? dm_store_unbind_by_id(store, episode_id(e), concept_id(c)) : dm_store_unbind(store, es, cs);
        CHECK_EQUAL(removed, *strength >= 0.0f);
        if (removed) {
            CHECK(dm_store_binding_strength(store, expected->binding[c][e]) == -1.0f);
            CHECK(dm_store_strengthen(store, expected->binding[c][e], 0.5f) == -1.0f);
            CHECK_EQUAL(dm_store_is_weak(store, expected->binding[c][e]), 0);
            expected->concept_changes[c]++;
        }
        *strength = -1.0f;
    } else if (by_id || *strength >= 0.0f) {
        float amount = (float)test_random_uniform(random, action == 3 ? 0.0 : -0.4, action == 3 ? 1.3 : 0.4);
        float after = *strength < 0.0f ? -1.0f : clamp(action == 3 ? *strength * amount : *strength + amount);
        float got;
        if (action == 3) {
            got = by_id ? dm_store_scale_by_id(store, episode_id(e), concept_id(c), amount)
                        : dm_store_scale(store, expected->binding[c][e], amount);
        } else {
            got = by_id ? dm_store_strengthen_by_id(store, episode_id(e), concept_id(c), amount)
                        : dm_store_strengthen(store, expected->binding[c][e], amount);
        }
        CHECK(got == after);
        *strength = after;
    }
}

static void random_changes_match_the_matrix(uint64_t seed, uint64_t node_changes) {
    static model expected;
    test_random random = {seed};
    dm_store *store = make_store(3, CONCEPTS, EPISODES);
    for (uint32_t c = 0; c < CONCEPTS; c++) {
        expected.concept_slot[c] = DM_SLOT_NONE;
        for (uint32_t e = 0; e < EPISODES; e++) {
            expected.strength[c][e] = -1.0f;
            expected.episode_slot[e] = DM_SLOT_NONE;
        }
    }
    for (int i = 0; i < 20000; i++) {
        if (i < 600 || test_random_below(&random, 1000) < node_changes) {
            add_or_remove_node(store, &expected, &random);
        } else {
            change_binding(store, &expected, &random);
        }
        if (i % 500 == 0) {
            check_all(store, &expected);
        }
    }
    check_all(store, &expected);
    dm_store_destroy(store);
}

/* --- initial strength ------------------------------------------------------------------------------------------------ */

static void initial_strength_is_the_clamped_cosine(void) {
    enum { DIM = 19, PAIRS = 50 };
    test_random random = {5};
    dm_store *store = make_store(DIM, PAIRS, PAIRS);
    int negative = 0;
    for (uint32_t i = 0; i < PAIRS; i++) {
        float a[DIM];
        float b[DIM];
        test_random_fill(&random, a, DIM);
        test_random_fill(&random, b, DIM);
        if (i == 7) {
            memset(a, 0, sizeof(a)); /* no direction: cosine 0 */
        }
        if (i == 8) {
            memcpy(a, b, sizeof(a));
        }
        double dot = 0;
        double aa = 0;
        double bb = 0;
        for (int j = 0; j < DIM; j++) {
            dot += (double)a[j] * (double)b[j];
            aa += (double)a[j] * (double)a[j];
            bb += (double)b[j] * (double)b[j];
        }
        double cosine = aa == 0 ? 0 : dot / sqrt(aa * bb);
        negative += cosine < 0;
        uint32_t es;
        uint32_t cs;
        uint32_t binding;
        REQUIRE(dm_store_add_episode(store, episode_id(i), a, &es, error, sizeof(error)) == DM_OK);
        REQUIRE(dm_store_add_concept(store, concept_id(i), b, &cs, error, sizeof(error)) == DM_OK);
        REQUIRE(dm_store_bind(store, es, cs, DM_STRENGTH_INITIAL, &binding, error, sizeof(error)) == DM_OK);
        CHECK_NEAR(dm_store_binding_strength(store, binding), fmin(fmax(cosine, 0), 1), 1e-7);
    }
    CHECK(negative > 5);
    dm_store_destroy(store);
}

/* --- edges of the range ------------------------------------------------------------------------------------------------ */

static uint32_t one_binding(dm_store *store, float strength) {
    static const float one[1] = {1.0f};
    uint32_t es;
    uint32_t cs;
    uint32_t binding = DM_BINDING_NONE;
    REQUIRE(dm_store_add_episode(store, episode_id(0), one, &es, error, sizeof(error)) == DM_OK);
    REQUIRE(dm_store_add_concept(store, concept_id(0), one, &cs, error, sizeof(error)) == DM_OK);
    REQUIRE(dm_store_bind(store, es, cs, strength, &binding, error, sizeof(error)) == DM_OK);
    return binding;
}

static void strengths_stay_in_their_range(void) {
    dm_store *store = make_store(1, 2, 2);
    uint32_t binding = one_binding(store, 0.1f);
    CHECK(!dm_store_is_weak(store, binding)); /* strictly below */
    CHECK(dm_store_scale(store, binding, 0.999f) < 0.1f);
    CHECK(dm_store_is_weak(store, binding));
    for (int i = 0; i < 100; i++) {
        CHECK(dm_store_strengthen(store, binding, 0.3f) <= 1.0f);
    }
    CHECK(dm_store_binding_strength(store, binding) == 1.0f); /* exactly */
    CHECK(dm_store_strengthen(store, binding, -2.0f) == 0.0f);
    CHECK(dm_store_strengthen(store, binding, -0.0f) == 0.0f); /* the bits of -0.0 would mean that it is gone */
    CHECK(dm_store_scale(store, binding, 0.0f) == 0.0f);
    CHECK(dm_store_binding_strength(store, binding) == 0.0f);
    CHECK(dm_store_strengthen(store, binding, 0.5f) == 0.5f);
    uint32_t es = dm_store_find(store, episode_id(0));
    uint32_t cs = dm_store_find(store, concept_id(0));
    uint32_t again = 0;
    CHECK_STATUS(dm_store_bind(store, es, cs, -0.0f, &again, error, sizeof(error)), DM_OK, error);
    CHECK(again == binding && dm_store_binding_strength(store, binding) == 0.0f);
    CHECK_EQUAL(dm_store_fan(store, es), 1);
    CHECK_EQUAL(dm_store_fan(store, cs), 1);
    static const float wrong[] = {-0.5f, 1.0001f, NAN, INFINITY};
    for (size_t i = 0; i < 4; i++) {
        CHECK_STATUS(dm_store_bind(store, es, cs, wrong[i], NULL, error, sizeof(error)), DM_ERROR_ARGUMENT, error);
    }
    CHECK_STATUS(dm_store_bind(store, cs, es, 0.5f, NULL, error, sizeof(error)), DM_ERROR_ARGUMENT, error);
    CHECK_STATUS(dm_store_bind(store, es, es, 0.5f, NULL, error, sizeof(error)), DM_ERROR_ARGUMENT, error);
    CHECK_STATUS(dm_store_bind(store, es, dm_concept_slot(1), 0.5f, NULL, error, sizeof(error)), DM_ERROR_ARGUMENT, error);
    CHECK_STATUS(dm_store_bind(store, es, DM_SLOT_NONE, 0.5f, NULL, error, sizeof(error)), DM_ERROR_ARGUMENT, error);
    CHECK_EQUAL(dm_store_unbind(store, cs, es), 0);
    CHECK_EQUAL(dm_store_unbind(store, DM_SLOT_NONE, DM_SLOT_NONE), 0);
    CHECK(dm_store_strengthen_by_id(store, concept_id(0), episode_id(0), 0.1f) == -1.0f); /* swapped */
    CHECK(dm_store_strengthen_by_id(store, episode_id(0), concept_id(9), 0.1f) == -1.0f);
    dm_store_destroy(store);
}

/* --- hubs: more than eight, and far more ---------------------------------------------------------------------------------- */

static void hubs_on_both_sides(void) {
    enum { HUB = 5000 };
    static const float one[1] = {1.0f};
    dm_store *store = make_store(1, HUB, HUB);
    static uint32_t concepts[HUB];
    static uint32_t episodes[HUB];
    static dm_edge edges[HUB];
    for (uint32_t i = 0; i < HUB; i++) {
        REQUIRE(dm_store_add_episode(store, episode_id(i), one, &episodes[i], error, sizeof(error)) == DM_OK);
        REQUIRE(dm_store_add_concept(store, concept_id(i), one, &concepts[i], error, sizeof(error)) == DM_OK);
    }
    for (int round = 0; round < 3; round++) {
        uint64_t before = dm_store_memory(store).bindings;
        for (uint32_t i = 0; i < HUB; i++) { /* concept 0 with every episode, episode 0 with every concept */
            REQUIRE(dm_store_bind(store, episodes[i], concepts[0], 0.5f, NULL, error, sizeof(error)) == DM_OK);
            REQUIRE(dm_store_bind(store, episodes[0], concepts[i], 0.5f, NULL, error, sizeof(error)) == DM_OK);
        }
        CHECK_EQUAL(dm_store_fan(store, concepts[0]), HUB);
        CHECK_EQUAL(dm_store_fan(store, episodes[0]), HUB);
        CHECK_EQUAL(dm_store_population(store).bindings, 2 * HUB - 1);
        CHECK_EQUAL(dm_store_edges(store, concepts[0], edges, HUB), HUB);
        uint64_t sum = 0;
        for (uint32_t i = 0; i < HUB; i++) {
            sum += edges[i].slot;
        }
        CHECK_EQUAL(sum, (uint64_t)HUB * (HUB - 1) / 2);
        for (uint32_t i = 0; i < HUB; i++) {
            CHECK(dm_store_strengthen_by_id(store, episode_id(i), concept_id(0), 0.25f) == 0.75f);
            CHECK(dm_store_binding_strength_by_id(store, episode_id(0), concept_id(i)) == (i == 0 ? 0.75f : 0.5f));
        }
        uint64_t used = dm_store_memory(store).bindings - before;
        if (round > 0) {
            CHECK_EQUAL(used, 0); /* blocks are used again */
        } else {
            CHECK(used > 0 && used <= 2 * HUB * 20); /* 9 bytes a binding and the rest of the last step */
        }
        if (round == 0) {
            for (uint32_t i = HUB; i-- > 0;) {
                CHECK_EQUAL(dm_store_unbind(store, episodes[i], concepts[0]), 1);
            }
            CHECK_STATUS(dm_store_remove(store, episodes[0], error, sizeof(error)), DM_OK, error);
            REQUIRE(dm_store_add_episode(store, episode_id(0), one, &episodes[0], error, sizeof(error)) == DM_OK);
        } else {
            CHECK_STATUS(dm_store_remove(store, concepts[0], error, sizeof(error)), DM_OK, error);
            CHECK_STATUS(dm_store_remove(store, episodes[0], error, sizeof(error)), DM_OK, error);
            REQUIRE(dm_store_add_concept(store, concept_id(0), one, &concepts[0], error, sizeof(error)) == DM_OK);
            REQUIRE(dm_store_add_episode(store, episode_id(0), one, &episodes[0], error, sizeof(error)) == DM_OK);
        }
        for (uint32_t i = 1; i < HUB; i++) {
            CHECK_EQUAL(dm_store_fan(store, episodes[i]), 0);
            CHECK_EQUAL(dm_store_fan(store, concepts[i]), 0);
        }
        CHECK_EQUAL(dm_store_population(store).bindings, 0);
    }
    dm_store_destroy(store);
}

/* Eight of each need no block beyond the inline ones. */
static void eight_are_inline(void) {
    static const float one[1] = {1.0f};
    dm_store *store = make_store(1, 8, 8);
    uint64_t before = dm_store_memory(store).bindings;
    for (uint32_t i = 0; i < 8; i++) {
        uint32_t slot;
        REQUIRE(dm_store_add_episode(store, episode_id(i), one, &slot, error, sizeof(error)) == DM_OK);
        REQUIRE(dm_store_add_concept(store, concept_id(i), one, &slot, error, sizeof(error)) == DM_OK);
    }
    for (uint32_t i = 0; i < 64; i++) {
        REQUIRE(dm_store_bind_by_id(store, episode_id(i % 8), concept_id(i / 8), 0.5f, NULL, error, sizeof(error)) == DM_OK);
    }
    CHECK_EQUAL(dm_store_memory(store).bindings, before);
    CHECK_EQUAL(dm_store_population(store).bindings, 64);
    dm_store_destroy(store);
}

/* --- batches ------------------------------------------------------------------------------------------------------------- */

static void batches_do_what_single_calls_do(void) {
    enum { COUNT = 300, NODES = 20 };
    static const float one[1] = {1.0f};
    test_random random = {9};
    dm_store *stores[3];
    uint32_t bindings[NODES * NODES] = {0};
    for (int s = 0; s < 3; s++) {
        stores[s] = make_store(1, NODES, NODES);
        for (uint32_t i = 0; i < NODES; i++) {
            uint32_t slot;
            REQUIRE(dm_store_add_episode(stores[s], episode_id(i), one, &slot, error, sizeof(error)) == DM_OK);
            REQUIRE(dm_store_add_concept(stores[s], concept_id(i), one, &slot, error, sizeof(error)) == DM_OK);
        }
        for (uint32_t i = 0; i < NODES * NODES; i += 1 + (i % 3)) {
            REQUIRE(dm_store_bind_by_id(stores[s], episode_id(i % NODES), concept_id(i / NODES), 0.5f, &bindings[i], error,
                                        sizeof(error)) == DM_OK);
        }
    }
    for (size_t count = 0; count <= COUNT; count += 1 + count / 3) {
        uint32_t handles[COUNT];
        dm_pair pairs[COUNT];
        float deltas[COUNT];
        float by_handle[COUNT + 1];
        float by_id[COUNT + 1];
        by_handle[count] = by_id[count] = 77.0f;
        for (size_t i = 0; i < count; i++) {
            uint32_t e = (uint32_t)test_random_below(&random, NODES + 1); /* one beyond: not in the store */
            uint32_t c = (uint32_t)test_random_below(&random, NODES);
            pairs[i] = (dm_pair){episode_id(e), concept_id(c)};
            deltas[i] = (float)test_random_uniform(&random, -0.3, 0.3);
            uint32_t first = (uint32_t)test_random_below(&random, 4); /* few, so that some come again and again */
            handles[i] = bindings[first];
        }
        handles[0] = bindings[0];
        dm_store_strengthen_batch(stores[0], handles, deltas, count, by_handle);
        dm_store_strengthen_batch_by_id(stores[0], pairs, deltas, count, by_id);
        dm_store_strengthen_batch(stores[2], handles, deltas, count, NULL);
        dm_store_strengthen_batch_by_id(stores[2], pairs, deltas, count, NULL);
        for (size_t i = 0; i < count; i++) {
            CHECK(dm_store_strengthen(stores[1], handles[i], deltas[i]) == by_handle[i]);
        }
        for (size_t i = 0; i < count; i++) {
            CHECK(dm_store_strengthen_by_id(stores[1], pairs[i].episode, pairs[i].concept_id, deltas[i]) == by_id[i]);
        }
        CHECK(by_handle[count] == 77.0f && by_id[count] == 77.0f);
    }
    for (uint32_t i = 0; i < NODES * NODES; i++) {
        dm_id e = episode_id(i % NODES);
        dm_id c = concept_id(i / NODES);
        float strength = dm_store_binding_strength_by_id(stores[0], e, c);
        CHECK(strength == dm_store_binding_strength_by_id(stores[1], e, c));
        CHECK(strength == dm_store_binding_strength_by_id(stores[2], e, c));
    }
    for (int s = 0; s < 3; s++) {
        dm_store_destroy(stores[s]);
    }
}

/* --- the search of a block --------------------------------------------------------------------------------------------------- */

static void the_quick_search_is_the_plain_one(void) {
    _Atomic uint32_t *entries = test_guard_allocate(DM_BLOCK_ENTRIES * sizeof(uint32_t), TEST_GUARD_AFTER);
    test_random random = {3};
    for (int i = 0; i < 20000; i++) {
        for (int j = 0; j < DM_BLOCK_ENTRIES; j++) { /* distinct in what the search takes as distinct: low and high halves */
            uint32_t value = (uint32_t)(j + 1) << (test_random_below(&random, 2) ? 16 : 0);
            atomic_store(&entries[j], test_random_below(&random, 3) == 0 ? value | DM_PARTNER_HOLE : value);
        }
        uint32_t wanted = (uint32_t)(1 + test_random_below(&random, 9)) << (test_random_below(&random, 2) ? 16 : 0);
        CHECK_EQUAL(dm_block_search(entries, wanted), dm_block_search_plain(entries, wanted));
    }
    test_guard_free((void *)entries);
}

/* --- a reader whom changes overtake ------------------------------------------------------------------------------------------ */

static void a_reader_locks_in_the_end(void) {
    dm_links links = {0};
    dm_links_read read = {.links = &links};
    for (uint32_t fan = 1; fan <= DM_LINKS_LOOKS; fan++) {
        dm_links_read_begin(&read);
        CHECK_EQUAL(atomic_load(&links.version) & 1, 0);
        dm_links_lock(&links);
        CHECK(!dm_links_read_end(&read));
        dm_links_unlock_changed(&links, fan);
        CHECK(!dm_links_read_end(&read));
    }
    dm_links_read_begin(&read);
    CHECK_EQUAL(atomic_load(&links.version), 2 * DM_LINKS_LOOKS + 1);
    CHECK(dm_links_unmoved(&links, read.version));
    CHECK(dm_links_read_end(&read));
    CHECK_EQUAL(atomic_load(&links.version), 2 * DM_LINKS_LOOKS);
}

int main(void) {
    a_reader_locks_in_the_end();
    random_changes_match_the_matrix(1, 20);
    random_changes_match_the_matrix(2, 200);
    random_changes_match_the_matrix(3, 2);
    initial_strength_is_the_clamped_cosine();
    strengths_stay_in_their_range();
    hubs_on_both_sides();
    eight_are_inline();
    batches_do_what_single_calls_do();
    the_quick_search_is_the_plain_one();
    return test_report();
}
