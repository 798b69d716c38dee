/* follow_case.h: what the tests of following share: a store of clustered vectors beside a model of it, and brute force.
 */
#ifndef DUALMEM_TESTS_FOLLOW_CASE_H
#define DUALMEM_TESTS_FOLLOW_CASE_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dualmem/dualmem.h"
#include "tests/support.h"

enum { FOLLOW_DIM = 24, FOLLOW_MOST = 2400 };

/* One type of a store: what lives in it, by index. */
typedef struct follow_type {
    uint32_t capacity;
    uint32_t live_count;
    unsigned char live[FOLLOW_MOST];
    float values[FOLLOW_MOST][FOLLOW_DIM];
} follow_type;

typedef struct follow_case {
    dm_store *store;
    int single;
    int32_t similarity;   /* by which it is looked up; of the inner product, norms are drawn far apart */
    follow_type types[2]; /* concepts (or nodes), episodes */
    uint64_t next_id;
    test_random random;
} follow_case;

/* A vector of one of 20 clusters in 8 inner dimensions. */
static inline void follow_draw(test_random *random, float *values) {
    double point[8];
    test_random centre = {1000 + test_random_below(random, 20)};
    test_random map = {77};
    for (int j = 0; j < 8; j++) {
        double middle = test_random_normal(&centre);
        point[j] = middle + 0.6 * test_random_normal(random);
    }
    for (int i = 0; i < FOLLOW_DIM; i++) {
        double sum = 0.0;
        for (int j = 0; j < 8; j++) {
            sum += point[j] * test_random_uniform(&map, -1.0, 1.0);
        }
        values[i] = (float)sum;
    }
}

static inline uint32_t follow_slot(const follow_case *made, int type, uint32_t index) {
    return !made->single && type == 0 ? dm_concept_slot(index) : index;
}

static inline follow_case *follow_make(uint32_t concepts, uint32_t episodes, int single, uint64_t seed) {
    char error[256] = "";
    follow_case *made = calloc(1, sizeof(*made));
    REQUIRE(made != NULL);
    made->single = single;
    made->types[0].capacity = single ? concepts + episodes : concepts;
    made->types[1].capacity = single ? 0 : episodes;
    made->next_id = 1;
    made->random.state = seed;
    const dm_store_options options = {.size = sizeof(options),
                                      .dim = FOLLOW_DIM,
                                      .concept_capacity = concepts,
                                      .episode_capacity = episodes,
                                      .single_type = single};
    REQUIRE(CHECK_STATUS(dm_store_create(&options, &made->store, error, sizeof(error)), DM_OK, error));
    return made;
}

static inline void follow_free(follow_case *made) {
    dm_store_destroy(made->store);
    free(made);
}

static inline uint32_t follow_put(follow_case *made, int type, const float *values) {
    char error[256] = "";
    uint32_t slot = DM_SLOT_NONE;
    const dm_id id = {made->next_id++, 5};
    int32_t status = made->single ? dm_store_add_node(made->store, id, values, &slot, error, sizeof(error))
                     : type == 0  ? dm_store_add_concept(made->store, id, values, &slot, error, sizeof(error))
                                  : dm_store_add_episode(made->store, id, values, &slot, error, sizeof(error));
    REQUIRE(CHECK_STATUS(status, DM_OK, error));
    follow_type *of = &made->types[type];
    of->live[dm_slot_index(slot)] = 1;
    of->live_count++;
    memcpy(of->values[dm_slot_index(slot)], values, sizeof(of->values[0]));
    return dm_slot_index(slot);
}

/* What a node of this store embeds. */
static inline void follow_draw_node(follow_case *made, float *values) {
    follow_draw(&made->random, values);
    if (made->similarity == DM_SIMILARITY_INNER_PRODUCT) {
        const float norm = (float)exp(test_random_normal(&made->random));
        for (int i = 0; i < FOLLOW_DIM; i++) {
            values[i] *= norm;
        }
    }
}

static inline void follow_add(follow_case *made, int type, uint32_t count) {
    float values[FOLLOW_DIM];
    for (uint32_t i = 0; i < count; i++) {
        follow_draw_node(made, values);
        (void)follow_put(made, type, values);
    }
}

/* A random live index. */
static inline uint32_t follow_pick(follow_case *made, int type) {
    const follow_type *of = &made->types[type];
    uint32_t index = (uint32_t)test_random_below(&made->random, of->capacity);
    while (!of->live[index]) {
        index = (index + 1) % of->capacity;
    }
    return index;
}

static inline void follow_remove(follow_case *made, int type, uint32_t index) {
    char error[256] = "";
    CHECK_STATUS(dm_store_remove(made->store, follow_slot(made, type, index), error, sizeof(error)), DM_OK, error);
    made->types[type].live[index] = 0;
    made->types[type].live_count--;
}

static inline int32_t follow_replace(follow_case *made, int type, uint32_t index, const float *values) {
    char error[256] = "";
    int32_t status =
        dm_store_update_embedding(made->store, follow_slot(made, type, index), values, error, sizeof(error));
    if (status == DM_OK) {
        memcpy(made->types[type].values[index], values, sizeof(made->types[type].values[index]));
    }
    return status;
}

/* By long double. *scale: what rounding is relative to. */
static inline double follow_similarity(const follow_case *made, const float *a, const float *b, double *scale) {
    long double ab = 0.0L;
    long double aa = 0.0L;
    long double bb = 0.0L;
    for (int i = 0; i < FOLLOW_DIM; i++) {
        ab += (long double)a[i] * (long double)b[i];
        aa += (long double)a[i] * (long double)a[i];
        bb += (long double)b[i] * (long double)b[i];
    }
    const int is_product = made->similarity == DM_SIMILARITY_INNER_PRODUCT;
    const long double norms = sqrtl(aa * bb);
    *scale = is_product ? (double)norms : 1.0;
    return (double)(is_product ? ab : ab / norms);
}

static inline int follow_larger_first(const void *left, const void *right) {
    const double *a = left;
    const double *b = right;
    return *a > *b ? -1 : *a < *b;
}

enum { FOLLOW_K = 10, FOLLOW_QUERIES = 60 };

/* Searches for queries of the kind, and checks that what is found lives, is found once, best first, with the similarity
 * that it has. Returns the share of the true nearest that is found. types: the mask that is searched. */
static inline double follow_recall(follow_case *made, dm_lookup *lookup, uint32_t types, uint64_t seed) {
    char error[256] = "";
    static double all[2 * FOLLOW_MOST];
    test_random random = {seed};
    uint32_t hits = 0;
    uint32_t wanted = 0;
    for (int q = 0; q < FOLLOW_QUERIES; q++) {
        float query[FOLLOW_DIM];
        uint32_t slots[FOLLOW_K];
        double similarities[FOLLOW_K];
        double scale = 1.0;
        uint32_t count = 0;
        follow_draw(&random, query);
        for (int type = 0; type < 2; type++) {
            const follow_type *of = &made->types[type];
            for (uint32_t index = 0; index < of->capacity && (made->single || (types >> type & 1)); index++) {
                if (of->live[index]) {
                    all[count++] = follow_similarity(made, query, of->values[index], &scale);
                }
            }
        }
        qsort(all, count, sizeof(all[0]), follow_larger_first);
        int32_t status = dm_lookup_search_types(lookup, types, query, FOLLOW_DIM, 1, FOLLOW_K, NULL, slots,
                                                similarities, error, 256);
        CHECK_STATUS(status, DM_OK, error);
        const uint32_t most = count < FOLLOW_K ? count : FOLLOW_K;
        wanted += most;
        for (uint32_t i = 0; i < FOLLOW_K; i++) {
            if (i >= most) {
                CHECK_EQUAL(slots[i], DM_SLOT_NONE);
                continue;
            }
            if (!CHECK(slots[i] != DM_SLOT_NONE)) {
                continue;
            }
            const int type = !made->single && !dm_slot_is_concept(slots[i]);
            const uint32_t index = dm_slot_index(slots[i]);
            CHECK(made->single || (types >> type & 1));
            CHECK(index < made->types[type].capacity && made->types[type].live[index]);
            const double is = follow_similarity(made, query, made->types[type].values[index], &scale);
            CHECK_NEAR(similarities[i], is, 1e-14 * scale);
            CHECK(i == 0 || similarities[i - 1] >= similarities[i]);
            for (uint32_t j = 0; j < i; j++) {
                CHECK(slots[j] != slots[i]);
            }
            hits += similarities[i] >= all[most - 1] - 1e-14 * scale;
        }
    }
    return wanted == 0 ? 1.0 : (double)hits / (double)wanted;
}

static inline dm_lookup *follow_lookup(follow_case *made, int32_t method, uint32_t types, double recall) {
    char error[256] = "";
    dm_lookup *lookup = NULL;
    dm_lookup_options options = dm_lookup_defaults();
    options.method = method;
    options.similarity = made->similarity;
    options.types = types;
    options.recall = recall;
    int32_t status = dm_lookup_create_with(made->store, &options, NULL, &lookup, error, sizeof(error));
    REQUIRE(CHECK_STATUS(status, DM_OK, error));
    return lookup;
}

#endif
