/* lists_case.h: what the tests of coarse lists share: rows, clustered or not, and a search by brute force. */
#ifndef DUALMEM_TESTS_LISTS_CASE_H
#define DUALMEM_TESTS_LISTS_CASE_H

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "index/lists_parts.h"
#include "tests/support.h"

typedef struct lists_case {
    uint32_t count;
    uint32_t dim;
    size_t stride;
    float *values;
    float *inverse_norms;
    uint32_t *slots;
    dm_isa isa; /* the most that may be used */
    dm_memory account;
    dm_lists *lists;
    dm_lists_scratch *scratch;
} lists_case;

static inline dm_isa lists_case_best(void) {
    dm_isa best = DM_ISA_BASELINE;
    for (size_t v = 0; v < dm_lists_variant_count; v++) {
        best = dm_isa_has(dm_lists_variants[v].isa) ? dm_lists_variants[v].isa : best;
    }
    return best;
}

static inline dm_rows lists_case_rows(const lists_case *made) {
    return (dm_rows){made->values, made->stride, made->inverse_norms, made->slots, made->count, made->dim};
}

static inline float *lists_case_row(const lists_case *made, uint32_t row) {
    return made->values + row * made->stride;
}

static inline lists_case lists_case_make(uint32_t count, uint32_t dim) {
    lists_case made = {.count = count, .dim = dim, .stride = dm_padded_dim(dim), .isa = lists_case_best()};
    made.values = test_guard_allocate(count * made.stride * sizeof(float), TEST_GUARD_AFTER);
    made.inverse_norms = test_guard_allocate(count * sizeof(float), TEST_GUARD_AFTER);
    made.slots = test_guard_allocate(count * sizeof(uint32_t), TEST_GUARD_AFTER);
    memset(made.values, 0, count * made.stride * sizeof(float));
    for (uint32_t row = 0; row < count; row++) {
        made.slots[row] = row;
    }
    return made;
}

static inline void lists_case_free(lists_case *made) {
    test_guard_free(made->values);
    test_guard_free(made->inverse_norms);
    test_guard_free(made->slots);
}

static inline void lists_case_set_norms(lists_case *made) {
    for (uint32_t row = 0; row < made->count; row++) {
        double squares = 0.0;
        for (uint32_t i = 0; i < made->dim; i++) {
            squares += (double)lists_case_row(made, row)[i] * (double)lists_case_row(made, row)[i];
        }
        made->inverse_norms[row] = squares < (double)FLT_MIN ? 0.0f : (float)(1.0 / sqrt(squares));
    }
}

/* A vector of a mixture: one of `clusters` centres in `inner` <= 64 dimensions and noise, spread over dim by a fixed
 * random map, and `blur` of noise in every dimension. */
static inline void lists_case_draw(test_random *random, uint32_t dim, uint32_t inner, uint32_t clusters, double blur,
                                   float *values) {
    double point[64];
    test_random centre = {1000 + test_random_below(random, clusters)};
    for (uint32_t j = 0; j < inner; j++) {
        double middle = test_random_normal(&centre);
        point[j] = middle + 0.65 * test_random_normal(random);
    }
    test_random map = {77};
    for (uint32_t i = 0; i < dim; i++) {
        double sum = blur > 0.0 ? blur * test_random_normal(random) : 0.0;
        for (uint32_t j = 0; j < inner; j++) {
            sum += point[j] * test_random_uniform(&map, -1.0, 1.0);
        }
        values[i] = (float)sum;
    }
}

static inline void lists_case_fill(lists_case *made, test_random *random, uint32_t inner, uint32_t clusters, double blur) {
    for (uint32_t row = 0; row < made->count; row++) {
        lists_case_draw(random, made->dim, inner, clusters, blur, lists_case_row(made, row));
    }
    lists_case_set_norms(made);
}

static inline void lists_case_open_scratch(lists_case *made) {
    char error[300] = "";
    CHECK_STATUS(dm_lists_scratch_create(made->lists, &made->account, &made->scratch, error, sizeof(error)), DM_OK, error);
    REQUIRE(made->scratch != NULL);
}

static inline void lists_case_open(lists_case *made, uint32_t list_count, uint32_t dims, dm_team *team) {
    char error[300] = "";
    const dm_rows rows = lists_case_rows(made);
    const dm_lists_options options = {
        .list_count = list_count, .dims = dims, .seed = 9, .placement = 128, .isa = made->isa};
    CHECK_STATUS(dm_lists_create(&rows, &options, team, &made->account, &made->lists, error, sizeof(error)), DM_OK, error);
    REQUIRE(made->lists != NULL);
    lists_case_open_scratch(made);
}

static inline void lists_case_close(lists_case *made) {
    dm_lists_scratch_destroy(made->scratch, &made->account);
    dm_lists_destroy(made->lists, &made->account);
    CHECK_EQUAL(dm_memory_bytes(&made->account), 0);
    made->lists = NULL;
}

/* --- truth -------------------------------------------------------------------------------------------------------- */

static inline double lists_case_cosine(const lists_case *made, const float *query, uint32_t row) {
    double ab = 0.0;
    double aa = 0.0;
    double bb = 0.0;
    const float *values = lists_case_row(made, row);
    for (uint32_t i = 0; i < made->dim; i++) {
        ab += (double)query[i] * (double)values[i];
        aa += (double)query[i] * (double)query[i];
        bb += (double)values[i] * (double)values[i];
    }
    return aa < (double)FLT_MIN || bb < (double)FLT_MIN ? 0.0 : ab / sqrt(aa * bb);
}

/* The best k cosines of rows in use, falling. Returns how many there are. */
static inline uint32_t lists_case_best_cosines(const lists_case *made, const float *query, uint32_t k, double *best) {
    uint32_t size = 0;
    for (uint32_t row = 0; row < made->count; row++) {
        if (made->slots[row] == DM_SLOT_NONE) {
            continue;
        }
        const double cosine = lists_case_cosine(made, query, row);
        if (size == k && cosine <= best[k - 1]) {
            continue;
        }
        uint32_t place = size < k ? size++ : k - 1;
        for (; place > 0 && best[place - 1] < cosine; place--) {
            best[place] = best[place - 1];
        }
        best[place] = cosine;
    }
    return size;
}

/* Searches, checks everything but the recall, and returns how many of the answers are right. */
static inline uint32_t lists_case_hits(const lists_case *made, const float *query, uint32_t k, uint32_t visits) {
    dm_neighbour *found = test_guard_allocate(k * sizeof(*found), TEST_GUARD_AFTER);
    double best[DM_EXACT_K_MAX];
    const uint32_t there = lists_case_best_cosines(made, query, k, best);
    const uint32_t count = dm_lists_search(made->lists, made->scratch, query, k, visits, found);
    uint32_t hits = 0;
    CHECK(count <= there);
    CHECK(visits < dm_lists_count(made->lists) || count == there);
    CHECK(dm_lists_compared(made->scratch) >= dm_lists_rescored(made->scratch));
    CHECK(dm_lists_rescored(made->scratch) >= count);
    for (uint32_t i = 0; i < count; i++) {
        if (!CHECK(found[i].row < made->count && made->slots[found[i].row] != DM_SLOT_NONE)) {
            continue;
        }
        CHECK_NEAR(found[i].similarity, lists_case_cosine(made, query, found[i].row), 1e-12);
        CHECK(i == 0 || found[i - 1].similarity > found[i].similarity ||
              (found[i - 1].similarity == found[i].similarity && found[i - 1].row < found[i].row));
        hits += found[i].similarity >= best[there - 1] - 1e-12;
    }
    test_guard_free(found);
    return hits;
}

/* Every row in use is in exactly one list, in ascending order, and its code is in the place that belongs to it. */
static inline void lists_case_check(const lists_case *made) {
    const dm_lists *lists = made->lists;
    uint8_t *met = calloc(made->count, 1);
    uint32_t used = 0;
    REQUIRE(met != NULL);
    for (uint32_t list = 0; list < lists->list_count; list++) {
        CHECK(lists->begins[list] <= lists->begins[list + 1]);
        CHECK_EQUAL(lists->panel_begins[list + 1] - lists->panel_begins[list],
                    (lists->begins[list + 1] - lists->begins[list] + 15) / 16);
        for (uint32_t at = lists->begins[list]; at < lists->begins[list + 1]; at++) {
            const uint32_t row = lists->members[at];
            if (!CHECK(row < made->count && !met[row] && made->slots[row] != DM_SLOT_NONE)) {
                continue;
            }
            CHECK(at == lists->begins[list] || lists->members[at - 1] < row);
            met[row] = 1;
        }
    }
    for (uint32_t row = 0; row < made->count; row++) {
        used += made->slots[row] != DM_SLOT_NONE;
        CHECK_EQUAL(met[row], made->slots[row] != DM_SLOT_NONE);
    }
    CHECK_EQUAL(lists->begins[lists->list_count], used);
    free(met);
}

#endif
