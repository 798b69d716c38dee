/* test_lookup.c: every variant of the exact index against a brute-force search in long double, on data made to break it:
 * near ties, duplicates, outliers, tiny rows, rows not in use. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "index/exact.h"
#include "simd/query.h"
#include "tests/support.h"
#include "tests/variants.h"

typedef struct field {
    uint32_t count;
    uint32_t dim;
    size_t stride;
    float *values;
    float *inverse_norms;
    uint32_t *slots;
    float *query; /* dim floats, at the end of their page: not aligned, not padded */
} field;

static field make_field(uint32_t count, uint32_t dim) {
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

static void free_field(field *made) {
    test_guard_free(made->values);
    test_guard_free(made->inverse_norms);
    test_guard_free(made->slots);
    test_guard_free(made->query);
}

static float *row_of(field *made, uint32_t row) {
    return made->values + row * made->stride;
}

static long double dot(const float *a, const float *b, uint32_t dim) {
    long double sum = 0.0L;
    for (uint32_t i = 0; i < dim; i++) {
        sum += (long double)a[i] * (long double)b[i];
    }
    return sum;
}

static void set_norms(field *made) {
    for (uint32_t row = 0; row < made->count; row++) {
        double squared = (double)dot(row_of(made, row), row_of(made, row), made->dim);
        made->inverse_norms[row] = squared < (double)FLT_MIN ? 0.0f : (float)(1.0 / sqrt(squared));
    }
}

typedef struct truth {
    long double cosine;
    uint32_t row;
} truth;

static int better_first(const void *left, const void *right) {
    const truth *a = left;
    const truth *b = right;
    if (a->cosine != b->cosine) {
        return a->cosine > b->cosine ? -1 : 1;
    }
    return a->row < b->row ? -1 : a->row > b->row;
}

/* All rows in use, best first. Returns their number. */
static uint32_t search_by_force(field *made, truth *all) {
    uint32_t size = 0;
    long double query_square = dot(made->query, made->query, made->dim);
    for (uint32_t row = 0; row < made->count; row++) {
        if (made->slots[row] == DM_SLOT_NONE) {
            continue;
        }
        long double row_square = dot(row_of(made, row), row_of(made, row), made->dim);
        int zero = query_square < (long double)FLT_MIN || row_square < (long double)FLT_MIN;
        long double cosine = zero ? 0.0L : dot(made->query, row_of(made, row), made->dim) / sqrtl(query_square * row_square);
        all[size++] = (truth){cosine, row};
    }
    qsort(all, size, sizeof(*all), better_first);
    return size;
}

/* Cosines of double rounding may order two rows differently from those of long double: by this much. */
#define ROUNDING 1e-14L

static void check_neighbours(field *made, const dm_neighbour *found, uint32_t count, const truth *all, uint32_t all_count,
                             uint32_t k) {
    if (!CHECK_EQUAL(count, k < all_count ? k : all_count)) {
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        CHECK(fabsl((long double)found[i].similarity - all[i].cosine) <= ROUNDING);
        int same = found[i].row == all[i].row;
        for (uint32_t j = 0; !same && j < all_count; j++) { /* or another row within the rounding */
            same = all[j].row == found[i].row && fabsl(all[j].cosine - all[i].cosine) <= ROUNDING;
        }
        CHECK(same);
        CHECK(made->slots[found[i].row] != DM_SLOT_NONE);
        if (i > 0) {
            CHECK(found[i - 1].similarity > found[i].similarity ||
                  (found[i - 1].similarity == found[i].similarity && found[i - 1].row < found[i].row));
        }
    }
}

static void check_variant(field *made, const dm_exact_variant *variant, const truth *all, uint32_t all_count, uint32_t k,
                          dm_neighbour *reference, int is_reference) {
    dm_memory account = {0};
    dm_exact *index = NULL;
    dm_exact_scratch *scratch = NULL;
    char error[200] = "";
    const dm_rows rows = {made->values, made->stride, made->inverse_norms, made->slots, made->count, made->dim};
    CHECK_STATUS(dm_exact_create(variant, &rows, DM_SIMILARITY_COSINE, 64, &account, &index, error, sizeof(error)), DM_OK, error);
    REQUIRE(index != NULL);
    CHECK_STATUS(dm_exact_scratch_create(index, &account, &scratch, error, sizeof(error)), DM_OK, error);
    REQUIRE(scratch != NULL);
    for (uint32_t pass = 0; pass < 2; pass++) { /* forward, then backward */
        dm_neighbour *found = test_guard_allocate(k * sizeof(*found), TEST_GUARD_AFTER);
        uint32_t count = dm_exact_search(index, scratch, made->query, k, found);
        uint32_t rescored = dm_exact_rescored(scratch);
        check_neighbours(made, found, count, all, all_count, k);
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

static void check_field(field *made) {
    const uint32_t ks[] = {1, 2, 10, 100};
    truth *all = malloc((made->count + 1) * sizeof(*all));
    REQUIRE(all != NULL);
    set_norms(made);
    uint32_t all_count = search_by_force(made, all);
    for (size_t i = 0; i < sizeof(ks) / sizeof(ks[0]); i++) {
        dm_neighbour reference[DM_EXACT_K_MAX];
        for (size_t v = 0; v < dm_exact_variant_count; v++) {
            if (dm_isa_has(dm_exact_variants[v].isa)) {
                check_variant(made, &dm_exact_variants[v], all, all_count, ks[i], reference, v == 0);
            }
        }
    }
    free(all);
}

/* --- cases ---------------------------------------------------------------------------------------------------------- */

static void test_random_rows(void) {
    test_random random = {21};
    const uint32_t counts[] = {1, 2, 3, 9, 10, 11, 99, 100, 101, 500};
    const uint32_t dims[] = {1, 3, 17, 64, 100, 768};
    for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
        for (size_t d = 0; d < sizeof(dims) / sizeof(dims[0]); d++) {
            field made = make_field(counts[c], dims[d]);
            test_random_fill(&random, made.query, dims[d]);
            for (uint32_t row = 0; row < counts[c]; row++) {
                test_random_fill(&random, row_of(&made, row), dims[d]);
            }
            check_field(&made);
            free_field(&made);
        }
    }
}

/* Rows around one centre: spread 0 makes them all equal, a small one makes cosines that float32 cannot tell apart. */
static void test_near_ties(void) {
    test_random random = {22};
    const double spreads[] = {0.0, 1e-7, 1e-5, 1e-3, 0.05};
    for (size_t s = 0; s < sizeof(spreads) / sizeof(spreads[0]); s++) {
        field made = make_field(300, 96);
        test_random_fill(&random, made.query, 96);
        float centre[96];
        test_random_fill(&random, centre, 96);
        for (uint32_t row = 0; row < 300; row++) {
            for (uint32_t i = 0; i < 96; i++) {
                row_of(&made, row)[i] = (float)((double)centre[i] * (1.0 + spreads[s] * test_random_normal(&random)));
            }
        }
        check_field(&made);
        free_field(&made);
    }
}

/* Each of a few vectors many times, some scaled by powers of two: exact ties, which go to the smaller row. */
static void test_duplicates(void) {
    test_random random = {23};
    field made = make_field(200, 50);
    test_random_fill(&random, made.query, 50);
    for (uint32_t row = 0; row < 200; row++) {
        if (row < 7) {
            test_random_fill(&random, row_of(&made, row), 50);
            continue;
        }
        uint64_t original = test_random_below(&random, 7);
        float scale = ldexpf(1.0f, (int)test_random_below(&random, 40) - 20);
        for (uint32_t i = 0; i < 50; i++) {
            row_of(&made, row)[i] = scale * row_of(&made, (uint32_t)original)[i];
        }
    }
    check_field(&made);
    memcpy(made.query, row_of(&made, 3), 50 * sizeof(float)); /* cosine 1, many times over */
    check_field(&made);
    free_field(&made);
}

/* One component dwarfs the rest in every row: codes of 8 bits keep next to nothing of what orders the rows. */
static void test_outliers(void) {
    test_random random = {24};
    for (uint32_t trial = 0; trial < 4; trial++) {
        field made = make_field(250, 128);
        test_random_fill(&random, made.query, 128);
        made.query[5] = trial % 2 == 0 ? 0.0f : made.query[5];
        for (uint32_t row = 0; row < 250; row++) {
            test_random_fill(&random, row_of(&made, row), 128);
            row_of(&made, row)[trial < 2 ? 5 : row % 128] = 1000.0f;
        }
        check_field(&made);
        free_field(&made);
    }
}

/* The row that wins has all of its advantage in what its codes leave out: 0.45 of a step in every component, all along the
 * query, while the codes of the others are exact and their cosines lie between a half and three quarters of the winner's. A
 * radius that is an estimate, or half the true one, loses the winner. */
static void test_hidden_winner(void) {
    test_random random = {25};
    for (uint32_t trial = 0; trial < 20; trial++) {
        field made = make_field(400, 64);
        uint32_t winner = (uint32_t)test_random_below(&random, 400);
        for (uint32_t i = 1; i < 64; i++) {
            made.query[i] = test_random_below(&random, 2) == 0 ? 1.0f : -1.0f;
        }
        for (uint32_t row = 0; row < 400; row++) {
            uint32_t steps = 16 + row % 5; /* of 63 x 0.45 = 28.4 */
            row_of(&made, row)[0] = 127.0f;
            for (uint32_t i = 1; i < 64; i++) {
                float share = row == winner ? 0.45f : i <= steps ? 1.0f : 0.0f;
                row_of(&made, row)[i] = share * made.query[i];
            }
        }
        check_field(&made);
        free_field(&made);
    }
}

/* One component dwarfs the rest of the query, so its codes keep next to nothing of what orders the rows, while those of the
 * rows, all plus or minus one, are exact: the query's radius alone keeps the search honest. */
static void test_coarse_query(void) {
    test_random random = {31};
    for (uint32_t trial = 0; trial < 10; trial++) {
        field made = make_field(300, 64);
        test_random_fill(&random, made.query, 64);
        made.query[0] = trial % 2 == 0 ? 50.0f : -300.0f;
        for (uint32_t row = 0; row < 300; row++) {
            for (uint32_t i = 0; i < 64; i++) {
                row_of(&made, row)[i] = i == 0 || test_random_below(&random, 2) == 0 ? 1.0f : -1.0f;
            }
        }
        check_field(&made);
        free_field(&made);
    }
}

/* Zero rows have cosine 0 and may be neighbours; tiny rows count by their direction; a zero query ties everything. */
static void test_small_norms(void) {
    test_random random = {26};
    field made = make_field(60, 40);
    test_random_fill(&random, made.query, 40);
    for (uint32_t row = 0; row < 60; row++) {
        float scale = row % 4 == 0 ? 0.0f : row % 4 == 1 ? 1e-18f : row % 4 == 2 ? 1e-21f : 1e15f;
        for (uint32_t i = 0; i < 40; i++) {
            row_of(&made, row)[i] = scale * (float)test_random_normal(&random);
        }
    }
    check_field(&made);
    for (uint32_t i = 0; i < 40; i++) {
        made.query[i] *= 1e-18f;
    }
    check_field(&made);
    memset(made.query, 0, 40 * sizeof(float));
    check_field(&made);
    free_field(&made);
}

/* Rows not in use hold NaN, infinity or the best vector of all: none may be found or stand in a neighbour's way. */
static void test_unused_rows(void) {
    test_random random = {27};
    for (uint32_t used = 0; used <= 120; used += 12) {
        field made = make_field(120, 33);
        test_random_fill(&random, made.query, 33);
        for (uint32_t row = 0; row < 120; row++) {
            test_random_fill(&random, row_of(&made, row), 33);
        }
        set_norms(&made);
        for (uint32_t row = 0; row < 120; row++) {
            if (test_random_below(&random, 120) < used) {
                continue;
            }
            made.slots[row] = DM_SLOT_NONE;
            for (uint32_t i = 0; i < 33; i++) {
                row_of(&made, row)[i] = row % 3 == 0 ? NAN : row % 3 == 1 ? INFINITY : made.query[i];
            }
        }
        check_field(&made);
        free_field(&made);
    }
}

/* Bounds that rise, or fall, with the row number: every row, or none, enters the heap. */
static void test_sorted_rows(void) {
    test_random random = {28};
    for (int32_t rising = 0; rising <= 1; rising++) {
        field made = make_field(400, 24);
        test_random_fill(&random, made.query, 24);
        float other[24];
        test_random_fill(&random, other, 24);
        for (uint32_t row = 0; row < 400; row++) {
            float share = (float)(rising ? row : 400 - row) / 400.0f;
            for (uint32_t i = 0; i < 24; i++) {
                row_of(&made, row)[i] = share * made.query[i] + (1.0f - share) * other[i];
            }
        }
        check_field(&made);
        free_field(&made);
    }
}

/* Codes serve rows of any finite norm; a scan of float32 refuses those that it could get wrong. */
static void test_huge_norms(void) {
    test_random random = {29};
    field made = make_field(30, 20);
    test_random_fill(&random, made.query, 20);
    for (uint32_t row = 0; row < 30; row++) {
        for (uint32_t i = 0; i < 20; i++) {
            row_of(&made, row)[i] = (float)test_random_uniform(&random, -3.4e38, 3.4e38);
        }
    }
    set_norms(&made);
    truth all[30];
    uint32_t all_count = search_by_force(&made, all);
    const dm_rows rows = {made.values, made.stride, made.inverse_norms, made.slots, made.count, made.dim};
    dm_neighbour reference[DM_EXACT_K_MAX];
    int is_first = 1;
    for (size_t v = 0; v < dm_exact_variant_count; v++) {
        const dm_exact_variant *variant = &dm_exact_variants[v];
        if (!dm_isa_has(variant->isa)) {
            continue;
        }
        if (variant->codes) {
            check_variant(&made, variant, all, all_count, 10, reference, is_first);
            is_first = 0;
        } else {
            dm_memory account = {0};
            dm_exact *index = NULL;
            char error[200] = "";
            CHECK_STATUS(dm_exact_create(variant, &rows, DM_SIMILARITY_COSINE, 0, &account, &index, error, sizeof(error)), DM_ERROR_ARGUMENT, error);
            CHECK(index == NULL);
            CHECK_EQUAL(dm_memory_bytes(&account), 0);
        }
    }
    free_field(&made);
}

/* Rescoring everything would be exact too. Where the data is spread, few rows may be needed. */
static void test_few_are_rescored(void) {
    test_random random = {30};
    field made = make_field(2000, 768);
    test_random_fill(&random, made.query, 768);
    for (uint32_t row = 0; row < 2000; row++) {
        test_random_fill(&random, row_of(&made, row), 768);
    }
    set_norms(&made);
    const dm_rows rows = {made.values, made.stride, made.inverse_norms, made.slots, made.count, made.dim};
    for (size_t v = 0; v < dm_exact_variant_count; v++) {
        if (!dm_isa_has(dm_exact_variants[v].isa)) {
            continue;
        }
        dm_memory account = {0};
        dm_exact *index = NULL;
        dm_exact_scratch *scratch = NULL;
        char error[200] = "";
        CHECK_STATUS(dm_exact_create(&dm_exact_variants[v], &rows, DM_SIMILARITY_COSINE, 0, &account, &index, error, sizeof(error)), DM_OK, error);
        REQUIRE(index != NULL);
        CHECK_STATUS(dm_exact_scratch_create(index, &account, &scratch, error, sizeof(error)), DM_OK, error);
        REQUIRE(scratch != NULL);
        dm_neighbour found[10];
        (void)dm_exact_search(index, scratch, made.query, 10, found);
        CHECK(dm_exact_rescored(scratch) <= (dm_exact_variants[v].codes ? 200u : 12u));
        dm_exact_scratch_destroy(scratch, &account);
        dm_exact_destroy(index, &account);
    }
    free_field(&made);
}

int main(void) {
    CHECK(strcmp(dm_exact_variants[0].name, "exact_scalar") == 0);
    CHECK(dm_isa_has(dm_exact_best()->isa) && dm_exact_find("none") == NULL);
    test_random_rows();
    test_near_ties();
    test_duplicates();
    test_outliers();
    test_hidden_winner();
    test_coarse_query();
    test_small_norms();
    test_unused_rows();
    test_sorted_rows();
    test_huge_norms();
    test_few_are_rescored();
    for (size_t v = 0; v < dm_exact_variant_count; v++) {
        test_report_variant("exact", dm_exact_variants[v].name, dm_exact_variants[v].isa);
    }
    return test_report();
}
