/* test_snapshot_associations.c: associations in snapshots against a plain matrix of weights: in the file, in the loaded store, and there
 * and back again; the bytes do not tell in which order they came; memory, and its limit. */
#include "tests/snapshot_case.h"

static char folder[64];
static char error[512];

static void save(dm_store *store, const char *name) {
    REQUIRE(CHECK_STATUS(dm_store_save(store, path_in(folder, name), error, sizeof(error)), DM_OK, error));
}

static dm_store *load(const char *name) {
    dm_store *store = NULL;
    REQUIRE(CHECK_STATUS(dm_store_load(path_in(folder, name), NULL, &store, error, sizeof(error)), DM_OK, error));
    return store;
}

static int same_files(const char *left, const char *right) {
    file_bytes files[2] = {read_file(path_in(folder, left)), read_file(path_in(folder, right))};
    int same = files[0].size == files[1].size && memcmp(files[0].bytes, files[1].bytes, files[0].size) == 0;
    free(files[0].bytes);
    free(files[1].bytes);
    return same;
}

static uint32_t add(dm_store *store, int is_concept, uint64_t number) {
    static const float values[3] = {1.0f, 2.0f, 3.0f};
    uint32_t slot = DM_SLOT_NONE;
    int32_t status = is_concept ? dm_store_add_concept(store, case_id(number), values, &slot, error, sizeof(error))
                                : dm_store_add_episode(store, case_id(number), values, &slot, error, sizeof(error));
    REQUIRE(CHECK_STATUS(status, DM_OK, error));
    return slot;
}

static void associate(dm_store *store, uint32_t slot, uint32_t other, float weight) {
    CHECK_STATUS(dm_store_associate(store, slot, other, weight, error, sizeof(error)), DM_OK, error);
}

/* --- the model ----------------------------------------------------------------------------------------------------------------- */

enum { CONCEPTS = 40, EPISODES = 70, MOST = 70 };

/* By type and index of the slot. */
typedef struct model {
    float weight[2][MOST][MOST]; /* symmetric; -1: none */
} model;

static uint32_t count_of(int is_concept) {
    return is_concept ? CONCEPTS : EPISODES;
}

static uint32_t slot_of(int is_concept, uint32_t index) {
    return is_concept ? dm_concept_slot(index) : index;
}

static void set(model *expected, int is_concept, uint32_t one, uint32_t other, float weight) {
    expected->weight[is_concept][one][other] = expected->weight[is_concept][other][one] = weight;
}

static void clear(model *expected) {
    for (int is_concept = 0; is_concept < 2; is_concept++) {
        for (uint32_t one = 0; one < MOST; one++) {
            for (uint32_t other = 0; other < MOST; other++) {
                set(expected, is_concept, one, other, -1.0f);
            }
        }
    }
}

/* Adds, removes, associates and dissociates at random, in the store and in the model. `dense` of 16 changes of a pair associate it. */
static void change(dm_store *store, model *expected, test_random *random, int steps, uint64_t dense) {
    for (int step = 0; step < steps; step++) {
        int is_concept = (int)test_random_below(random, 2);
        uint32_t one = (uint32_t)test_random_below(random, count_of(is_concept));
        uint32_t other = (uint32_t)test_random_below(random, count_of(is_concept));
        uint32_t slot = slot_of(is_concept, one);
        if (!dm_store_is_live(store, slot)) {
            (void)add(store, is_concept, test_random_next(random)); /* in another slot, perhaps */
        } else if (test_random_below(random, 150) == 0) {
            CHECK_STATUS(dm_store_remove(store, slot, error, sizeof(error)), DM_OK, error);
            for (uint32_t i = 0; i < MOST; i++) {
                set(expected, is_concept, one, i, -1.0f);
            }
        } else if (one != other && dm_store_is_live(store, slot_of(is_concept, other))) {
            if (test_random_below(random, 16) < dense) {
                float weight = test_random_below(random, 8) == 0 ? (float)test_random_below(random, 2)
                                                                 : (float)test_random_uniform(random, 0.0, 1.0);
                associate(store, slot, slot_of(is_concept, other), weight);
                set(expected, is_concept, one, other, weight);
            } else {
                CHECK_EQUAL(dm_store_dissociate(store, slot, slot_of(is_concept, other)), expected->weight[is_concept][one][other] >= 0.0f);
                set(expected, is_concept, one, other, -1.0f);
            }
        }
    }
}

static void check_store(dm_store *store, const model *expected) {
    uint64_t total = 0;
    for (int is_concept = 0; is_concept < 2; is_concept++) {
        for (uint32_t one = 0; one < count_of(is_concept); one++) {
            dm_edge edges[MOST];
            uint32_t slot = slot_of(is_concept, one);
            uint32_t listed = 0;
            if (dm_store_is_live(store, slot)) {
                listed = dm_store_associations(store, slot, edges, MOST);
            }
            for (uint32_t i = 0; i < listed; i++) {
                uint32_t other = dm_slot_index(edges[i].slot);
                CHECK(edges[i].slot == slot_of(is_concept, other) && other != one);
                CHECK(same_bits(edges[i].strength, expected->weight[is_concept][one][other]));
            }
            for (uint32_t other = 0; other < count_of(is_concept); other++) {
                float weight = expected->weight[is_concept][one][other];
                CHECK(other == one || same_bits(dm_store_association_weight(store, slot, slot_of(is_concept, other)), weight));
                listed -= weight >= 0.0f;
                total += weight >= 0.0f;
            }
            CHECK_EQUAL(listed, 0);
        }
    }
    CHECK_EQUAL(dm_store_population(store).associations, total / 2);
}

/* The section, byte for byte, as docs/reference/snapshot.md describes it: number 4, records of 16 bytes. */
static void check_file(const char *name, const model *expected) {
    file_bytes file = read_file(path_in(folder, name));
    uint32_t number;
    uint64_t place[3]; /* offset, size, count */
    memcpy(&number, file.bytes + 48 + 4 * 32, sizeof(number));
    memcpy(place, file.bytes + 48 + 4 * 32 + 8, sizeof(place));
    CHECK_EQUAL(number, 4);
    uint64_t seen = 0;
    for (uint32_t is_concept = 0; is_concept < 2; is_concept++) {
        for (uint32_t one = 0; one < MOST; one++) {
            for (uint32_t other = one + 1; other < MOST; other++) {
                uint32_t record[4] = {is_concept, one, other, 0};
                memcpy(&record[3], &expected->weight[is_concept][one][other], 4);
                if (expected->weight[is_concept][one][other] >= 0.0f) {
                    CHECK(seen < place[2] && memcmp(file.bytes + place[0] + 16 * seen, record, 16) == 0);
                    seen++;
                }
            }
        }
    }
    CHECK(place[2] == seen && place[1] == 16 * seen);
    free(file.bytes);
}

/* --- there and back ------------------------------------------------------------------------------------------------------------ */

static void the_matrix_comes_back(void) {
    static model expected;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        test_random random = {seed};
        dm_store *store = case_store(3, CONCEPTS, EPISODES, 0);
        clear(&expected);
        for (int stage = 0; stage < 6; stage++) {
            change(store, &expected, &random, seed < 4 ? 200 : 4000, 4 + 2 * (uint64_t)stage);
            save(store, "first");
            check_file("first", &expected);
            dm_store *loaded = load("first");
            check_store(loaded, &expected);
            check_same(store, loaded, 3, CONCEPTS, EPISODES, 0); /* versions as well */
            check_symmetry(loaded, CONCEPTS, EPISODES);
            save(loaded, "second");
            CHECK(same_files("first", "second"));
            dm_store_destroy(store);
            store = loaded; /* and life goes on */
        }
        dm_store_destroy(store);
    }
}

/* --- the same content, the same bytes ----------------------------------------------------------------------------------------- */

typedef struct pair {
    uint32_t one;
    uint32_t other;
    float weight;
} pair;

static void shuffle(pair *pairs, uint32_t count, test_random *random) {
    for (uint32_t i = count; i > 1; i--) {
        uint32_t j = (uint32_t)test_random_below(random, i);
        pair held = pairs[i - 1];
        pairs[i - 1] = pairs[j];
        pairs[j] = held;
    }
}

/* Every third pair of either type. Associated, dissociated and associated with its weight, each time in an order of its own: so versions,
 * which are content, agree. */
static dm_store *in_some_order(uint64_t seed, float last_weight) {
    enum { NODES = 30, PAIRS = 2 * (NODES * (NODES - 1) / 2) / 3 };
    static pair pairs[PAIRS + 2];
    test_random random = {seed};
    dm_store *store = case_store(3, NODES + 1, NODES + 1, 0);
    for (uint32_t i = 0; i < 2 * (NODES + 1); i++) {
        (void)add(store, i % 2, i);
    }
    uint32_t count = 0;
    for (uint32_t i = 0; i < NODES * NODES; i++) {
        for (int is_concept = 0; is_concept < 2 && i / NODES < i % NODES && i % 3 == 0; is_concept++) {
            REQUIRE(count < PAIRS + 2);
            pairs[count++] = (pair){slot_of(is_concept, i / NODES), slot_of(is_concept, i % NODES), (float)(i % 7) / 6.0f};
        }
    }
    pairs[count - 1].weight = last_weight;
    uint32_t passing[2] = {slot_of(0, NODES), slot_of(1, NODES)}; /* come and go, with associations of their own */
    for (int round = 0; round < 3; round++) {
        shuffle(pairs, count, &random);
        for (uint32_t i = 0; i < count; i++) {
            int swap = (int)test_random_below(&random, 2);
            uint32_t one = swap ? pairs[i].other : pairs[i].one;
            uint32_t other = swap ? pairs[i].one : pairs[i].other;
            if (round == 1) {
                CHECK_EQUAL(dm_store_dissociate(store, one, other), 1);
            } else {
                associate(store, one, other, round == 0 ? 0.5f : pairs[i].weight);
            }
        }
        if (round == (int)(seed % 3)) {
            for (uint32_t i = 0; i < 2 * NODES; i++) {
                associate(store, passing[i % 2], slot_of((int)i % 2, i / 2), 0.75f);
            }
            CHECK_STATUS(dm_store_remove(store, passing[0], error, sizeof(error)), DM_OK, error);
            CHECK_STATUS(dm_store_remove(store, passing[1], error, sizeof(error)), DM_OK, error);
        }
    }
    return store;
}

static void bytes_follow_from_the_content(void) {
    dm_store *first = in_some_order(0, 0.5f);
    save(first, "first");
    for (uint64_t seed = 1; seed < 9; seed++) {
        dm_store *other = in_some_order(seed, 0.5f);
        save(other, "second");
        CHECK(same_files("first", "second"));
        dm_store_destroy(other);
    }
    dm_store *different = in_some_order(0, 0.50000006f); /* one bit of one weight */
    save(different, "second");
    CHECK(!same_files("first", "second"));
    dm_store_destroy(different);
    dm_store_destroy(first);
}

/* --- memory --------------------------------------------------------------------------------------------------------------------- */

static void a_store_without_any_stays_without(void) {
    dm_store *store = case_store(3, 5, 5, 0);
    for (uint32_t i = 0; i < 10; i++) {
        (void)add(store, i % 2, i);
    }
    save(store, "first");
    dm_store *loaded = load("first");
    CHECK_EQUAL(dm_store_memory(loaded).associations, 0);
    associate(loaded, 0, 1, 0.5f);
    CHECK(dm_store_memory(loaded).associations > 0);
    CHECK_EQUAL(dm_store_dissociate(loaded, 1, 0), 1);
    save(loaded, "second"); /* had one: of that the versions tell, and nothing else does */
    CHECK(!same_files("first", "second"));
    dm_store *again = load("second");
    CHECK_EQUAL(dm_store_memory(again).associations, 0);
    CHECK_EQUAL(dm_store_version(again, 0), 2);
    dm_store_destroy(again);
    dm_store_destroy(loaded);
    dm_store_destroy(store);

    dm_store *single = case_store(3, 5, 5, 1); /* has none, ever */
    save(single, "first");
    loaded = load("first");
    CHECK_EQUAL(dm_store_memory(loaded).associations, 0);
    CHECK(dm_store_associate(loaded, 0, 1, 0.5f, error, sizeof(error)) == DM_ERROR_ARGUMENT);
    dm_store_destroy(loaded);
    dm_store_destroy(single);
}

/* `partners` higher episodes for each of a ring of NODES: with one, every block has two entries; with 20, nearly all are full. */
static void the_limit_holds(uint32_t partners) {
    enum { NODES = 4000 };
    dm_store *store = case_store(3, 1, NODES, 0);
    for (uint32_t i = 0; i < NODES; i++) {
        (void)add(store, 0, i);
    }
    for (uint32_t i = 0; i < NODES * partners; i++) {
        associate(store, i % NODES, (i % NODES + 1 + i / NODES) % NODES, 0.5f);
    }
    save(store, "first");
    dm_memory_use use = dm_store_memory(store);
    dm_load_options options = {.size = sizeof(options), .memory_limit = use.total};
    dm_store *loaded = NULL;
    REQUIRE(CHECK_STATUS(dm_store_load(path_in(folder, "first"), &options, &loaded, error, sizeof(error)), DM_OK, error));
    CHECK_EQUAL(dm_store_memory(loaded).associations, use.associations);
    dm_store_destroy(loaded);
    options.memory_limit = use.total - 1;
    CHECK_STATUS(dm_store_load(path_in(folder, "first"), &options, &loaded, error, sizeof(error)), DM_ERROR_MEMORY, error);
    CHECK(loaded == NULL && strstr(error, "memory_limit") != NULL);
    options.memory_limit = use.total - use.associations * 9 / 10;
    CHECK_STATUS(dm_store_load(path_in(folder, "first"), &options, &loaded, error, sizeof(error)), DM_ERROR_MEMORY, error);
    CHECK(loaded == NULL && strstr(error, "memory_limit") != NULL);
    dm_store_destroy(store);
}

int main(void) {
    make_folder(folder);
    the_matrix_comes_back();
    bytes_follow_from_the_content();
    a_store_without_any_stays_without();
    the_limit_holds(1);
    the_limit_holds(20);
    unlink(path_in(folder, "first"));
    unlink(path_in(folder, "second"));
    CHECK(rmdir(folder) == 0);
    return test_report();
}
