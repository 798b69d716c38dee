/* test_lookup.c: every variant of the exact index against a brute-force search in long double, by cosine and by inner
 * product, on data made to break it: near ties, duplicates, outliers, tiny rows, rows not in use. */
#include "index/exact.h"
#include "tests/lookup_case.h"
#include "tests/variants.h"

/* --- cases -------------------------------------------------------------------------------------------------------- */

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

/* The row that wins has all of its advantage in what its codes leave out: 0.45 of a step in every component, all
 * along the query, while the codes of the others are exact and their cosines lie between a half and three quarters of
 * the winner's. A radius that is an estimate, or half the true one, loses the winner. */
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

/* One component dwarfs the rest of the query, so its codes keep next to nothing of what orders the rows, while those
 * of the rows, all plus or minus one, are exact: the query's radius alone keeps the search honest. */
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
    check_similarity(&made, DM_SIMILARITY_COSINE, 1);
    check_similarity(&made, DM_SIMILARITY_INNER_PRODUCT, 1);
    const dm_rows rows = {made.values, made.stride, made.inverse_norms, made.slots, made.count, made.dim};
    for (size_t v = 0; v < dm_exact_variant_count; v++) {
        const dm_exact_variant *variant = &dm_exact_variants[v];
        if (!dm_isa_has(variant->isa) || variant->codes != NULL) {
            continue;
        }
        for (int by = DM_SIMILARITY_COSINE; by <= DM_SIMILARITY_INNER_PRODUCT; by++) {
            dm_memory account = {0};
            dm_exact *index = NULL;
            char error[200] = "";
            int32_t status =
                dm_exact_create(variant, &rows, (dm_similarity)by, 0, &account, &index, error, sizeof(error));
            CHECK_STATUS(status, DM_ERROR_ARGUMENT, error);
            CHECK(index == NULL);
            CHECK_EQUAL(dm_memory_bytes(&account), 0);
        }
    }
    free_field(&made);
}

/* Rescoring everything would be exact too. Where the data is spread, few rows may be needed. */
static void check_rescored(field *made, dm_similarity by) {
    const dm_rows rows = {made->values, made->stride, made->inverse_norms, made->slots, made->count, made->dim};
    for (size_t v = 0; v < dm_exact_variant_count; v++) {
        const dm_exact_variant *variant = &dm_exact_variants[v];
        if (!dm_isa_has(variant->isa)) {
            continue;
        }
        dm_memory account = {0};
        dm_exact *index = NULL;
        dm_exact_scratch *scratch = NULL;
        char error[200] = "";
        int32_t status = dm_exact_create(variant, &rows, by, 0, &account, &index, error, sizeof(error));
        CHECK_STATUS(status, DM_OK, error);
        REQUIRE(index != NULL);
        status = dm_exact_scratch_create(index, &account, &scratch, error, sizeof(error));
        CHECK_STATUS(status, DM_OK, error);
        REQUIRE(scratch != NULL);
        dm_neighbour found[10];
        (void)dm_exact_search(index, scratch, made->query, 10, found);
        CHECK(dm_exact_rescored(scratch) <= (variant->codes ? 200u : 12u));
        dm_exact_scratch_destroy(scratch, &account);
        dm_exact_destroy(index, &account);
    }
}

static void test_few_are_rescored(void) {
    test_random random = {30};
    field made = make_field(2000, 768);
    test_random_fill(&random, made.query, 768);
    for (uint32_t row = 0; row < 2000; row++) {
        test_random_fill(&random, row_of(&made, row), 768);
    }
    set_norms(&made);
    check_rescored(&made, DM_SIMILARITY_COSINE);
    check_rescored(&made, DM_SIMILARITY_INNER_PRODUCT);
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
