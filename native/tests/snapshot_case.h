/* snapshot_case.h: what the tests of snapshots share: a store with a past, files, and two stores compared to the bit. */
#ifndef DUALMEM_TESTS_SNAPSHOT_CASE_H
#define DUALMEM_TESTS_SNAPSHOT_CASE_H

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dualmem/dualmem.h"
#include "tests/support.h"

/* --- files ---------------------------------------------------------------------------------------------------------- */

typedef struct file_bytes {
    unsigned char *bytes;
    size_t size;
} file_bytes;

static inline file_bytes read_file(const char *path) {
    file_bytes got = {NULL, 0};
    FILE *file = fopen(path, "rb");
    REQUIRE(file != NULL && fseek(file, 0, SEEK_END) == 0);
    got.size = (size_t)ftell(file);
    rewind(file);
    got.bytes = malloc(got.size + 1);
    REQUIRE(got.bytes != NULL && fread(got.bytes, 1, got.size, file) == got.size);
    fclose(file);
    return got;
}

static inline void write_file(const char *path, const void *bytes, size_t size) {
    FILE *file = fopen(path, "wb");
    REQUIRE(file != NULL && (size == 0 || fwrite(bytes, 1, size, file) == size) && fclose(file) == 0);
}

/* In memory where there is such a place: on a disk, the flushes of thousands of saves would be most of the test. */
static inline void make_folder(char folder[64]) {
    const char *parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : P_tmpdir;
    (void)snprintf(folder, 64, "%s/dualmem-snapshot-XXXXXX", parent);
    REQUIRE(mkdtemp(folder) != NULL);
}

static inline const char *path_in(const char *folder, const char *name) {
    static _Thread_local char path[2][PATH_MAX];
    static _Thread_local int turn;
    turn = !turn;
    (void)snprintf(path[turn], PATH_MAX, "%s/%s", folder, name);
    return path[turn];
}

/* --- stores ---------------------------------------------------------------------------------------------------------- */

static inline dm_id case_id(uint64_t number) {
    test_random random = {number};
    uint64_t low = test_random_next(&random);
    return (dm_id){low, test_random_next(&random)};
}

static inline dm_store *case_store(uint32_t dim, uint32_t concepts, uint32_t episodes, int32_t single_type) {
    char error[256];
    dm_store_options options = {.size = sizeof(options),
                                .dim = dim,
                                .concept_capacity = concepts,
                                .episode_capacity = episodes,
                                .single_type = single_type};
    dm_store *store = NULL;
    REQUIRE(CHECK_STATUS(dm_store_create(&options, &store, error, sizeof(error)), DM_OK, error));
    return store;
}

/* A random live slot of a type, or DM_SLOT_NONE. */
static inline uint32_t case_pick(const dm_store *store, test_random *random, uint32_t capacity, int is_concept) {
    for (int i = 0; i < 20 && capacity > 0; i++) {
        uint32_t index = (uint32_t)test_random_below(random, capacity);
        uint32_t slot = is_concept ? dm_concept_slot(index) : index;
        if (dm_store_is_live(store, slot)) {
            return slot;
        }
    }
    return DM_SLOT_NONE;
}

static inline void case_add(dm_store *store, test_random *random, uint32_t dim, int single, int is_concept) {
    char error[256];
    float values[DM_DIM_MAX];
    uint32_t slot;
    test_random_fill(random, values, dim);
    switch (test_random_below(random, 8)) { /* bits that a careless copy would lose */
    case 0: memset(values, 0, sizeof(values)); break;
    case 1: values[0] = -0.0f; break;
    case 2: values[dim - 1] = 1e-42f; break;
    case 3: values[0] = 3.4e38f; break;
    default: break;
    }
    dm_id id = case_id(test_random_next(random));
    int32_t status = single       ? dm_store_add_node(store, id, values, &slot, error, sizeof(error))
                     : is_concept ? dm_store_add_concept(store, id, values, &slot, error, sizeof(error))
                                  : dm_store_add_episode(store, id, values, &slot, error, sizeof(error));
    CHECK(status == DM_OK || status == DM_ERROR_MEMORY);
}

/* Random operations of every kind. A few concepts and episodes are preferred, so that lists grow beyond their inline blocks. */
static inline void case_live(dm_store *store, test_random *random, uint32_t dim, uint32_t concepts, uint32_t episodes, int single,
                             int steps) {
    char error[256];
    for (int i = 0; i < steps; i++) {
        uint64_t action = test_random_below(random, 24);
        int is_concept = !single && test_random_below(random, 2) == 0;
        uint32_t slot = case_pick(store, random, is_concept ? concepts : episodes, is_concept);
        if (action < 4 || slot == DM_SLOT_NONE) {
            case_add(store, random, dim, single, is_concept);
        } else if (action < 6) {
            CHECK_STATUS(dm_store_remove(store, slot, error, sizeof(error)), DM_OK, error);
        } else if (action < 7) {
            float values[DM_DIM_MAX];
            test_random_fill(random, values, dim);
            CHECK_STATUS(dm_store_update_embedding(store, slot, values, error, sizeof(error)), DM_OK, error);
        } else if (action < 9) {
            (void)dm_store_activate(store, slot, (float)test_random_uniform(random, -0.2, 0.5));
            dm_store_touch(store, slot, test_random_next(random));
        } else if (is_concept && action < 10) {
            dm_store_set_formation(store, slot, (dm_formation){(float)test_random_uniform(random, 0, 1), (uint32_t)test_random_next(random)});
        } else if (!is_concept && action < 10) {
            dm_store_set_strength(store, slot, (float)test_random_uniform(random, 0, 1));
        } else if (!single && action >= 20) {
            uint32_t capacity = is_concept ? concepts : episodes;
            uint32_t other = case_pick(store, random, test_random_below(random, 2) ? capacity : 1 + capacity / 10, is_concept);
            if (other != DM_SLOT_NONE && other != slot && action < 23) {
                float weight = (float)test_random_uniform(random, 0, 1);
                CHECK_STATUS(dm_store_associate(store, slot, other, weight, error, sizeof(error)), DM_OK, error);
            } else if (other != DM_SLOT_NONE && other != slot) {
                (void)dm_store_dissociate(store, slot, other);
            }
        } else if (!single) {
            uint32_t e = case_pick(store, random, test_random_below(random, 2) ? episodes : 1 + episodes / 10, 0);
            uint32_t c = case_pick(store, random, test_random_below(random, 2) ? concepts : 1 + concepts / 10, 1);
            if (e != DM_SLOT_NONE && c != DM_SLOT_NONE && action < 19) {
                CHECK_STATUS(dm_store_bind(store, e, c, (float)test_random_uniform(random, 0, 1), NULL, error, sizeof(error)), DM_OK,
                             error);
            } else if (e != DM_SLOT_NONE && c != DM_SLOT_NONE) {
                (void)dm_store_unbind(store, e, c);
            }
        }
    }
}

/* --- both ends of every edge agree ----------------------------------------------------------------------------------- */

static inline int by_handle(const void *left, const void *right) {
    uint32_t a = ((const dm_edge *)left)->binding;
    uint32_t b = ((const dm_edge *)right)->binding;
    return (a > b) - (a < b);
}

/* The bindings of a node, by handle; the caller frees them. */
static inline dm_edge *sorted_edges(const dm_store *store, uint32_t slot, uint32_t *count) {
    *count = dm_store_fan(store, slot);
    dm_edge *edges = calloc((size_t)*count + 1, sizeof(*edges));
    REQUIRE(edges != NULL);
    CHECK_EQUAL(dm_store_edges(store, slot, edges, *count), *count);
    qsort(edges, *count, sizeof(*edges), by_handle);
    return edges;
}

static inline uint64_t check_ends(const dm_store *store, uint32_t slot) {
    uint32_t count;
    dm_edge *edges = sorted_edges(store, slot, &count);
    int is_concept = dm_slot_is_concept(slot);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t other = edges[i].slot;
        CHECK(dm_store_is_live(store, other));
        CHECK_EQUAL(dm_store_find_binding(store, is_concept ? other : slot, is_concept ? slot : other), edges[i].binding);
        uint32_t back_count;
        dm_edge *back = sorted_edges(store, other, &back_count);
        const dm_edge *found = bsearch(&edges[i], back, back_count, sizeof(*back), by_handle);
        CHECK(found != NULL && found->slot == slot);
        CHECK(i == 0 || edges[i].binding != edges[i - 1].binding);
        free(back);
    }
    free(edges);
    return count;
}

static inline int by_slot(const void *left, const void *right) {
    uint32_t a = ((const dm_edge *)left)->slot;
    uint32_t b = ((const dm_edge *)right)->slot;
    return (a > b) - (a < b);
}

/* The associations of a node, by partner; the caller frees them. */
static inline dm_edge *sorted_associations(const dm_store *store, uint32_t slot, uint32_t *count) {
    *count = dm_store_associations(store, slot, NULL, 0);
    dm_edge *edges = calloc((size_t)*count + 1, sizeof(*edges));
    REQUIRE(edges != NULL);
    CHECK_EQUAL(dm_store_associations(store, slot, edges, *count), *count);
    qsort(edges, *count, sizeof(*edges), by_slot);
    return edges;
}

static inline int same_bits(float a, float b) {
    return memcmp(&a, &b, sizeof(a)) == 0;
}

static inline uint64_t check_partners(const dm_store *store, uint32_t slot) {
    uint32_t count;
    dm_edge *edges = sorted_associations(store, slot, &count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t other = edges[i].slot;
        REQUIRE(other != slot && dm_slot_is_concept(other) == dm_slot_is_concept(slot) && dm_store_is_live(store, other));
        uint32_t back_count;
        dm_edge wanted = {slot, DM_BINDING_NONE, 0.0f};
        dm_edge *back = sorted_associations(store, other, &back_count);
        const dm_edge *found = bsearch(&wanted, back, back_count, sizeof(*back), by_slot);
        CHECK(found != NULL && same_bits(found->strength, edges[i].strength));
        CHECK(edges[i].strength >= 0.0f && edges[i].strength <= 1.0f);
        CHECK(i == 0 || other != edges[i - 1].slot);
        free(back);
    }
    free(edges);
    return count;
}

static inline void check_symmetry(dm_store *store, uint32_t concepts, uint32_t episodes) {
    uint64_t sums[2] = {0, 0};
    uint64_t associations = 0;
    for (uint32_t i = 0; i < concepts + episodes; i++) {
        uint32_t slot = i < concepts ? dm_concept_slot(i) : i - concepts;
        if (dm_store_is_live(store, slot)) {
            sums[i < concepts] += check_ends(store, slot);
            associations += check_partners(store, slot);
        }
    }
    CHECK_EQUAL(sums[0], sums[1]);
    CHECK_EQUAL(sums[0], dm_store_population(store).bindings);
    CHECK_EQUAL(associations, 2 * dm_store_population(store).associations);
}

/* --- two stores, to the bit --------------------------------------------------------------------------------------------- */

static inline void check_same_edges(const dm_edge *a, const dm_edge *b, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        CHECK(a[i].binding == b[i].binding && a[i].slot == b[i].slot && same_bits(a[i].strength, b[i].strength));
    }
}

static inline void check_same_lists(const dm_store *a, const dm_store *b, uint32_t slot) {
    uint32_t counts[2];
    dm_edge *edges[2] = {sorted_edges(a, slot, &counts[0]), sorted_edges(b, slot, &counts[1])};
    CHECK_EQUAL(counts[0], counts[1]);
    check_same_edges(edges[0], edges[1], counts[0] == counts[1] ? counts[0] : 0);
    for (uint32_t i = 0; i < counts[1]; i++) {
        CHECK(same_bits(dm_store_binding_strength(b, edges[1][i].binding), edges[1][i].strength));
    }
    free(edges[0]);
    free(edges[1]);
    edges[0] = sorted_associations(a, slot, &counts[0]);
    edges[1] = sorted_associations(b, slot, &counts[1]);
    CHECK_EQUAL(counts[0], counts[1]);
    check_same_edges(edges[0], edges[1], counts[0] == counts[1] ? counts[0] : 0);
    free(edges[0]);
    free(edges[1]);
}

static inline void check_same_node(dm_store *a, dm_store *b, uint32_t slot, uint32_t dim, int single) {
    char error[256];
    dm_id ids[2] = {{0, 0}, {0, 0}};
    CHECK_STATUS(dm_store_id(a, slot, &ids[0], error, sizeof(error)), DM_OK, error);
    CHECK_STATUS(dm_store_id(b, slot, &ids[1], error, sizeof(error)), DM_OK, error);
    CHECK(ids[0].low == ids[1].low && ids[0].high == ids[1].high);
    CHECK_EQUAL(dm_store_find(b, ids[0]), slot);
    dm_embedding first = dm_store_acquire_embedding(a, slot);
    dm_embedding second = dm_store_acquire_embedding(b, slot);
    REQUIRE(first.values != NULL && second.values != NULL);
    CHECK(memcmp(first.values, second.values, (dim + 15) / 16 * 16 * sizeof(float)) == 0);
    CHECK(same_bits(first.inverse_norm, second.inverse_norm));
    CHECK_EQUAL((uintptr_t)second.values % 64, 0);
    dm_store_release_embedding(a, first);
    dm_store_release_embedding(b, second);
    CHECK(same_bits(dm_store_activation(a, slot), dm_store_activation(b, slot)));
    CHECK_EQUAL(dm_store_last_access(a, slot), dm_store_last_access(b, slot));
    CHECK_EQUAL(dm_store_version(a, slot), dm_store_version(b, slot));
    CHECK_EQUAL(dm_store_fan(a, slot), dm_store_fan(b, slot));
    if (dm_slot_is_concept(slot)) {
        CHECK(same_bits(dm_store_formation(a, slot).coherence, dm_store_formation(b, slot).coherence));
        CHECK_EQUAL(dm_store_formation(a, slot).member_count, dm_store_formation(b, slot).member_count);
        CHECK(same_bits(dm_store_decay_factor(a, slot), dm_store_decay_factor(b, slot)));
    } else {
        CHECK(same_bits(dm_store_strength(a, slot), dm_store_strength(b, slot)));
    }
    if (!single) {
        check_same_lists(a, b, slot);
    }
}

/* concepts 0 for a single-type store, whose nodes are `episodes`. */
static inline void check_same(dm_store *a, dm_store *b, uint32_t dim, uint32_t concepts, uint32_t episodes, int single) {
    dm_population populations[2] = {dm_store_population(a), dm_store_population(b)};
    CHECK_EQUAL(populations[0].concepts, populations[1].concepts);
    CHECK_EQUAL(populations[0].episodes, populations[1].episodes);
    CHECK_EQUAL(populations[0].nodes, populations[1].nodes);
    CHECK_EQUAL(populations[0].bindings, populations[1].bindings);
    CHECK_EQUAL(populations[0].associations, populations[1].associations);
    for (uint32_t i = 0; i < concepts + episodes; i++) {
        uint32_t slot = i < concepts ? dm_concept_slot(i) : i - concepts;
        CHECK_EQUAL(dm_store_is_live(b, slot), dm_store_is_live(a, slot));
        if (dm_store_is_live(a, slot) && dm_store_is_live(b, slot)) {
            check_same_node(a, b, slot, dim, single);
        }
    }
}

#endif
