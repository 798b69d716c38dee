/* lookup_case.h: what the tests of the exact index share: rows and a query, a search by brute force in long double, and
 * every variant checked against it and against each other. */
#ifndef DUALMEM_TESTS_LOOKUP_CASE_H
#define DUALMEM_TESTS_LOOKUP_CASE_H

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "index/exact.h"
#include "simd/query.h"
#include "tests/support.h"

typedef struct field {
    uint32_t count;
    uint32_t dim;
    size_t stride;
    float *values;
    float *inverse_norms;
    uint32_t *slots;
    float *query; /* dim floats, at the end of their page: not aligned, not padded */
} field;

static inline field make_field(uint32_t count, uint32_t dim) {
    field made = {.count = count, .dim = dim, .stride = dm_padded_dim(dim)};
    made.values = test_guard_allocate(count * made.stride * sizeof(float), TEST_GUARD_AFTER);
    made.inverse_norms = test_guard_allocate(count * sizeof(float), TEST_GUARD_AFTER);
    made.slots = test_guard_allocate(count * sizeof(uint32_t), TEST_GUARD_AFTER);
    made.query = test_guard_allocate(dim * sizeof(float), TEST_GUARD_AFTER);
    for (uint32_t row = 0; row < count; row++) {
        made.slots[row] = dm_concept_slot(row);
    }
    return made;
}

static inline void free_field(field *made) {
    test_guard_free(made->values);
    test_guard_free(made->inverse_norms);
    test_guard_free(made->slots);
    test_guard_free(made->query);
}

static inline float *row_of(field *made, uint32_t row) {
    return made->values + row * made->stride;
}

static inline long double dot(const float *a, const float *b, uint32_t dim) {
    long double sum = 0.0L;
    for (uint32_t i = 0; i < dim; i++) {
        sum += (long double)a[i] * (long double)b[i];
    }
    return sum;
}

static inline void set_norms(field *made) {
    for (uint32_t row = 0; row < made->count; row++) {
        double squared = (double)dot(row_of(made, row), row_of(made, row), made->dim);
        made->inverse_norms[row] = squared < (double)FLT_MIN ? 0.0f : (float)(1.0 / sqrt(squared));
    }
}

typedef struct truth {
    long double similarity;
    long double rounding; /* a double sum may lie this far from it */
    uint32_t row;
} truth;

static inline int better_first(const void *left, const void *right) {
    const truth *a = left;
    const truth *b = right;
    if (a->similarity != b->similarity) {
        return a->similarity > b->similarity ? -1 : 1;
    }
    return a->row < b->row ? -1 : a->row > b->row;
}

static inline truth similarity_by_force(field *made, dm_similarity by, uint32_t row) {
    const long double query_square = dot(made->query, made->query, made->dim);
    const long double row_square = dot(row_of(made, row), row_of(made, row), made->dim);
    const long double product = dot(made->query, row_of(made, row), made->dim);
    const long double norms = sqrtl(query_square) * sqrtl(row_square);
    if (by == DM_SIMILARITY_INNER_PRODUCT) {
        return (truth){product, 1e-14L * norms, row};
    }
    const int zero = query_square < (long double)FLT_MIN || row_square < (long double)FLT_MIN;
    return (truth){zero ? 0.0L : product / norms, 1e-14L, row};
}

/* All rows in use, best first. Returns their number. */
static inline uint32_t search_by_force(field *made, dm_similarity by, truth *all) {
    uint32_t size = 0;
    for (uint32_t row = 0; row < made->count; row++) {
        if (made->slots[row] != DM_SLOT_NONE) {
            all[size++] = similarity_by_force(made, by, row);
        }
    }
    qsort(all, size, sizeof(*all), better_first);
    return size;
}

/* Sums in double may order two rows differently from long double where they are as near as the rounding. */
static inline void check_neighbours(field *made, dm_similarity by, const dm_neighbour *found, uint32_t count,
                                    const truth *all, uint32_t all_count, uint32_t k) {
    if (!CHECK_EQUAL(count, k < all_count ? k : all_count)) {
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!CHECK(found[i].row < made->count && made->slots[found[i].row] != DM_SLOT_NONE)) {
            continue;
        }
        const truth mine = similarity_by_force(made, by, found[i].row);
        CHECK(fabsl((long double)found[i].similarity - mine.similarity) <= mine.rounding);
        CHECK(mine.row == all[i].row ||
              fabsl(mine.similarity - all[i].similarity) <= mine.rounding + all[i].rounding);
        if (i > 0) {
            CHECK(found[i - 1].similarity > found[i].similarity ||
                  (found[i - 1].similarity == found[i].similarity && found[i - 1].row < found[i].row));
        }
    }
}

static inline void check_variant(field *made, dm_similarity by, const dm_exact_variant *variant, const truth *all,
                                 uint32_t all_count, uint32_t k, dm_neighbour *reference, int is_reference) {
    dm_memory account = {0};
    dm_exact *index = NULL;
    dm_exact_scratch *scratch = NULL;
    char error[200] = "";
    const dm_rows rows = {made->values, made->stride, made->inverse_norms, made->slots, made->count, made->dim};
    int32_t status = dm_exact_create(variant, &rows, by, 64, &account, &index, error, sizeof(error));
    CHECK_STATUS(status, DM_OK, error);
    REQUIRE(index != NULL);
    status = dm_exact_scratch_create(index, &account, &scratch, error, sizeof(error));
    CHECK_STATUS(status, DM_OK, error);
    REQUIRE(scratch != NULL);
    for (uint32_t pass = 0; pass < 2; pass++) { /* forward, then backward */
        dm_neighbour *found = test_guard_allocate(k * sizeof(*found), TEST_GUARD_AFTER);
        uint32_t count = dm_exact_search(index, scratch, made->query, k, found);
        uint32_t rescored = dm_exact_rescored(scratch);
        check_neighbours(made, by, found, count, all, all_count, k);
        CHECK(rescored >= count && rescored <= all_count);
        if (is_reference && pass == 0) {
            memset(reference, 0, k * sizeof(*reference));
            memcpy(reference, found, count * sizeof(*found));
        }
        for (uint32_t i = 0; i < count; i++) { /* the same rows and bits as the reference */
            CHECK_EQUAL(found[i].row, reference[i].row);
            CHECK(memcmp(&found[i].similarity, &reference[i].similarity, sizeof(double)) == 0);
        }
        test_guard_free(found);
    }
    dm_exact_scratch_destroy(scratch, &account);
    dm_exact_destroy(index, &account);
    CHECK_EQUAL(dm_memory_bytes(&account), 0);
}

/* Every variant that the machine runs, or those with codes only. The inverse norms are there. */
static inline void check_variants(field *made, dm_similarity by, int codes_only) {
    const uint32_t ks[] = {1, 2, 10, 100};
    truth *all = malloc((made->count + 1) * sizeof(*all));
    REQUIRE(all != NULL);
    uint32_t all_count = search_by_force(made, by, all);
    for (size_t i = 0; i < sizeof(ks) / sizeof(ks[0]); i++) {
        dm_neighbour reference[DM_EXACT_K_MAX];
        int is_first = 1;
        for (size_t v = 0; v < dm_exact_variant_count; v++) {
            const dm_exact_variant *variant = &dm_exact_variants[v];
            if (dm_isa_has(variant->isa) && (variant->codes != NULL || !codes_only)) {
                check_variant(made, by, variant, all, all_count, ks[i], reference, is_first);
                is_first = 0;
            }
        }
    }
    free(all);
}

static inline void check_similarity(field *made, dm_similarity by, int codes_only) {
    set_norms(made);
    check_variants(made, by, codes_only);
}

static inline void check_field(field *made) {
    check_similarity(made, DM_SIMILARITY_COSINE, 0);
    check_similarity(made, DM_SIMILARITY_INNER_PRODUCT, 0);
}

#endif
