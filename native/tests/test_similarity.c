/* test_similarity.c: every variant of the query and similarity families against a long double loop written here, between
 * guard pages: every lane, every tail, every magnitude. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "simd/query.h"
#include "simd/similarity.h"
#include "tests/support.h"
#include "tests/variants.h"

/* --- the oracle ------------------------------------------------------------------------------------------------------ */

static long double dot(const float *a, const float *b, uint32_t dim) {
    long double sum = 0.0L;
    for (uint32_t i = 0; i < dim; i++) {
        sum += (long double)a[i] * (long double)b[i];
    }
    return sum;
}

static double true_cosine(const float *a, const float *b, uint32_t dim) {
    long double aa = dot(a, a, dim);
    long double bb = dot(b, b, dim);
    if (aa < (long double)FLT_MIN || bb < (long double)FLT_MIN) {
        return 0.0;
    }
    long double cosine = dot(a, b, dim) / (sqrtl(aa) * sqrtl(bb));
    return (double)(cosine > 1.0L ? 1.0L : cosine < -1.0L ? -1.0L : cosine);
}

/* --- rows and queries between guard pages ------------------------------------------------------------------------------- */

typedef struct field {
    dm_rows rows;
    float *values;
    float *inverse_norms;
    float *raw; /* the query, unpadded, at an address of its own choosing */
    dm_query query;
} field;

static field make_field(uint32_t count, uint32_t dim, int side) {
    field made;
    const size_t padded = dm_padded_dim(dim);
    made.values = test_guard_allocate(count * padded * sizeof(float), side);
    made.inverse_norms = test_guard_allocate(count * sizeof(float), side);
    made.raw = test_guard_allocate(dim * sizeof(float), side);
    made.query.dim = dim;
    made.query.wide = test_guard_allocate(padded * sizeof(double), side);
    made.query.unit = test_guard_allocate(padded * sizeof(float), side);
    made.rows = (dm_rows){.values = made.values,
                          .stride = padded,
                          .inverse_norms = made.inverse_norms,
                          .slots = NULL,
                          .count = count,
                          .dim = dim};
    return made;
}

static void free_field(field *made) {
    test_guard_free(made->values);
    test_guard_free(made->inverse_norms);
    test_guard_free(made->raw);
    test_guard_free(made->query.wide);
    test_guard_free(made->query.unit);
}

static float *row_of(field *made, uint32_t row) {
    return made->values + row * made->rows.stride;
}

/* As the store computes them. */
static void set_norms(field *made) {
    for (uint32_t row = 0; row < made->rows.count; row++) {
        double squared = (double)dot(row_of(made, row), row_of(made, row), made->rows.dim);
        made->inverse_norms[row] = squared < (double)FLT_MIN ? 0.0f : (float)(1.0 / sqrt(squared));
    }
}

/* --- checks -------------------------------------------------------------------------------------------------------------- */

static double worst_error[8]; /* per variant, dim <= 768 */

static void check_variant(field *made, size_t v, int side) {
    const dm_similarity_variant *variant = &dm_similarity_variants[v];
    const uint32_t count = made->rows.count;
    const uint32_t dim = made->rows.dim;
    const double tolerance = dim <= 768 ? 1e-6 : dm_similarity_error_bound(dim);
    float *forward = test_guard_allocate(count * sizeof(float), side);
    float *backward = test_guard_allocate(count * sizeof(float), side);
    variant->scan(&made->rows, made->query.unit, forward, DM_SCAN_FORWARD);
    variant->scan(&made->rows, made->query.unit, backward, DM_SCAN_BACKWARD);
    for (uint32_t row = 0; row < count; row++) {
        double expected = true_cosine(made->raw, row_of(made, row), dim);
        double error = fabs((double)forward[row] - expected);
        if (!CHECK_NEAR(forward[row], expected, tolerance) || !CHECK(error <= dm_similarity_error_bound(dim))) {
            fprintf(stderr, "  %s, row %u of %u x %u\n", variant->name, row, count, dim);
        }
        CHECK(forward[row] >= -1.0f && forward[row] <= 1.0f);
        if (dim <= 768 && error > worst_error[v]) {
            worst_error[v] = error;
        }
    }
    CHECK(memcmp(forward, backward, count * sizeof(float)) == 0);
    test_guard_free(forward);
    test_guard_free(backward);
}

/* The query's two forms and its cosine with every row: the same bits from every variant, and close to the truth. */
static void check_query_variants(field *made, int side) {
    const size_t padded = dm_padded_dim(made->rows.dim);
    dm_query other = {.dim = made->rows.dim};
    other.wide = test_guard_allocate(padded * sizeof(double), side);
    other.unit = test_guard_allocate(padded * sizeof(float), side);
    dm_query_variants[0].prepare(&made->query, made->raw);
    for (size_t v = 0; v < dm_query_variant_count; v++) {
        if (!dm_isa_has(dm_query_variants[v].isa)) {
            continue;
        }
        memset(other.wide, 0xFF, padded * sizeof(double));
        memset(other.unit, 0xFF, padded * sizeof(float));
        dm_query_variants[v].prepare(&other, made->raw);
        CHECK(memcmp(other.wide, made->query.wide, padded * sizeof(double)) == 0);
        CHECK(memcmp(other.unit, made->query.unit, padded * sizeof(float)) == 0);
        CHECK(memcmp(&other.squared_norm, &made->query.squared_norm, sizeof(double)) == 0);
        for (uint32_t row = 0; row < made->rows.count; row++) {
            double reference = dm_query_variants[0].cosine(&made->query, row_of(made, row));
            double cosine = dm_query_variants[v].cosine(&other, row_of(made, row));
            CHECK(memcmp(&cosine, &reference, sizeof(double)) == 0);
            if (made->inverse_norms[row] > 0.0f) { /* the zero rule for rows is the searcher's */
                CHECK_NEAR(cosine, true_cosine(made->raw, row_of(made, row), made->rows.dim), 1e-14);
            }
        }
    }
    test_guard_free(other.wide);
    test_guard_free(other.unit);
}

static void check_field(field *made, int side) {
    set_norms(made);
    check_query_variants(made, side);
    for (size_t v = 0; v < dm_similarity_variant_count; v++) {
        if (dm_isa_has(dm_similarity_variants[v].isa)) {
            check_variant(made, v, side);
        }
    }
}

/* --- cases ------------------------------------------------------------------------------------------------------------------ */

static const uint32_t long_dims[] = {127, 128, 129, 191, 192, 193, 384, 767, 768, 1000, 1536, 4095, 4096};

static void test_random_rows(void) {
    test_random random = {1};
    for (uint32_t pick = 0; pick < 70 + sizeof(long_dims) / sizeof(long_dims[0]); pick++) {
        uint32_t dim = pick < 70 ? pick + 1 : long_dims[pick - 70];
        for (uint32_t count = 1; count <= 9; count++) {
            int side = (int)(count % 2);
            field made = make_field(count, dim, side);
            test_random_fill(&random, made.raw, dim);
            for (uint32_t row = 0; row < count; row++) {
                test_random_fill(&random, row_of(&made, row), dim);
            }
            check_field(&made, side);
            free_field(&made);
        }
    }
}

/* Rows of the unit matrix: the cosines are the components of the query, so each lane of each row is seen alone. */
static void test_one_hot(void) {
    test_random random = {2};
    const uint32_t dims[] = {1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 70, 200, 768};
    for (size_t d = 0; d < sizeof(dims) / sizeof(dims[0]); d++) {
        uint32_t dim = dims[d];
        field made = make_field(dim, dim, TEST_GUARD_AFTER);
        for (uint32_t i = 0; i < dim; i++) {
            row_of(&made, i)[i] = i % 3 == 0 ? -2.0f : 3.0f;
            made.raw[i] = (float)(test_random_uniform(&random, 0.5, 1.5)); /* no lane may pass for a missing one */
        }
        check_field(&made, TEST_GUARD_AFTER);
        free_field(&made);
    }
}

/* Magnitudes from subnormal to huge, zeros, opposite and equal vectors, constants, in one field. */
static void fill_hard_rows(field *made, test_random *random) {
    const uint32_t dim = made->rows.dim;
    const float scales[] = {0.0f, 1e-42f, 1e-30f, 3e-19f, 1e-15f, 1.0f, 1e15f, 1e30f};
    uint32_t row = 0;
    for (size_t s = 0; s < sizeof(scales) / sizeof(scales[0]); s++) {
        for (uint32_t i = 0; i < dim; i++) {
            row_of(made, row)[i] = scales[s] * (float)test_random_normal(random);
        }
        row++;
    }
    for (uint32_t i = 0; i < dim; i++) {
        row_of(made, row)[i] = made->raw[i];
        row_of(made, row + 1)[i] = -made->raw[i];
        row_of(made, row + 2)[i] = 0.1f;
        row_of(made, row + 3)[i] = i % 2 == 0 ? 0.3f : -0.3f;
        row_of(made, row + 4)[i] = i == 0 ? 1e10f : 1.0f;
        row_of(made, row + 5)[i] = (i % 5 == 0 ? 1e8f : 1e-8f) * (float)test_random_normal(random);
        row_of(made, row + 6)[i] = i % 2 == 0 ? made->raw[i] : -made->raw[i]; /* cancellation */
    }
}

enum { HARD_ROWS = 15 };

static void test_hard_rows(void) {
    test_random random = {3};
    const uint32_t dims[] = {1, 2, 3, 13, 16, 29, 64, 384, 768, 1000, 1536, 4096};
    const float query_scales[] = {1.0f, 0.0f, 1e-41f, 2e-19f, 1e30f};
    for (size_t d = 0; d < sizeof(dims) / sizeof(dims[0]); d++) {
        for (size_t q = 0; q <= sizeof(query_scales) / sizeof(query_scales[0]); q++) {
            field made = make_field(HARD_ROWS, dims[d], (int)(q % 2));
            for (uint32_t i = 0; i < dims[d]; i++) { /* the last query is a constant */
                made.raw[i] = q < sizeof(query_scales) / sizeof(query_scales[0])
                                  ? query_scales[q] * (float)test_random_normal(&random)
                                  : 0.7f;
            }
            fill_hard_rows(&made, &random);
            check_field(&made, (int)(q % 2));
            free_field(&made);
        }
    }
}

/* Constant vectors round the same way in every step: the worst a sum can do. */
static void test_constant_rows(void) {
    test_random random = {4};
    for (uint32_t trial = 0; trial < 200; trial++) {
        uint32_t dim = trial % 2 == 0 ? DM_DIM_MAX : 1 + (uint32_t)test_random_below(&random, 768);
        field made = make_field(5, dim, TEST_GUARD_AFTER);
        for (uint32_t i = 0; i < dim; i++) {
            made.raw[i] = 1.0f;
        }
        for (uint32_t row = 0; row < 5; row++) {
            float value = (float)test_random_uniform(&random, 0.1, 10.0);
            for (uint32_t i = 0; i < dim; i++) {
                row_of(&made, row)[i] = value;
            }
        }
        check_field(&made, TEST_GUARD_AFTER);
        free_field(&made);
    }
}

/* Equal rows have equal bits wherever they lie: a search that breaks ties by row number relies on it. */
static void test_equal_rows(void) {
    test_random random = {5};
    enum { DIM = 100, COUNT = 11 };
    field made = make_field(COUNT, DIM, TEST_GUARD_AFTER);
    test_random_fill(&random, made.raw, DIM);
    test_random_fill(&random, row_of(&made, 0), DIM);
    for (uint32_t row = 1; row < COUNT; row++) {
        memcpy(row_of(&made, row), row_of(&made, 0), DIM * sizeof(float));
    }
    set_norms(&made);
    dm_query_variants[0].prepare(&made.query, made.raw);
    for (size_t v = 0; v < dm_similarity_variant_count; v++) {
        if (!dm_isa_has(dm_similarity_variants[v].isa)) {
            continue;
        }
        float cosines[COUNT];
        dm_similarity_variants[v].scan(&made.rows, made.query.unit, cosines, DM_SCAN_FORWARD);
        for (uint32_t row = 1; row < COUNT; row++) {
            CHECK(memcmp(&cosines[row], &cosines[0], sizeof(float)) == 0);
        }
    }
    free_field(&made);
}

static void test_itself_is_one(void) {
    test_random random = {6};
    for (uint32_t dim = 1; dim <= 70; dim++) {
        field made = make_field(1, dim, TEST_GUARD_AFTER);
        test_random_fill(&random, made.raw, dim);
        memcpy(row_of(&made, 0), made.raw, dim * sizeof(float));
        check_field(&made, TEST_GUARD_AFTER); /* rounding goes beyond 1 for some of them, clamping must not */
        dm_query_best()->prepare(&made.query, made.raw);
        double cosine = dm_query_best()->cosine(&made.query, row_of(&made, 0));
        CHECK_NEAR(cosine, 1.0, 0.0);
        free_field(&made);
    }
}

static void test_tables(void) {
    CHECK(strcmp(dm_similarity_variants[0].name, "scalar") == 0);
    CHECK(strcmp(dm_query_variants[0].name, "scalar") == 0);
    CHECK(dm_isa_has(dm_similarity_best()->isa) && dm_isa_has(dm_query_best()->isa));
    CHECK(dm_similarity_find("scalar") == &dm_similarity_variants[0] && dm_similarity_find("none") == NULL);
    CHECK(dm_query_find("scalar") == &dm_query_variants[0] && dm_query_find("none") == NULL);
    char reason[200] = "";
    CHECK_STATUS(dm_isa_require(DM_ISA_BASELINE, reason, sizeof(reason)), DM_OK, reason);
    CHECK_STATUS(dm_isa_require((dm_isa)99, reason, sizeof(reason)), DM_ERROR_UNSUPPORTED, reason);
#if defined(__x86_64__) && defined(__GNUC__) && !defined(DM_EMULATE_AVX512)
    /* Another opinion on the same processor. */
    int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
    int avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                 __builtin_cpu_supports("avx512vl");
    CHECK_EQUAL(dm_isa_has(DM_ISA_AVX2), avx2 != 0);
    CHECK_EQUAL(dm_isa_has(DM_ISA_AVX512), avx512 != 0);
    CHECK_EQUAL(dm_isa_has(DM_ISA_AVX512_VNNI), avx512 && __builtin_cpu_supports("avx512vnni"));
    CHECK_EQUAL(dm_isa_has(DM_ISA_NEON), 0);
#elif defined(__aarch64__)
    CHECK(dm_isa_has(DM_ISA_NEON) && !dm_isa_has(DM_ISA_AVX2) && !dm_isa_has(DM_ISA_AVX512_VNNI));
#endif
}

int main(void) {
    test_tables();
    test_random_rows();
    test_one_hot();
    test_hard_rows();
    test_constant_rows();
    test_equal_rows();
    test_itself_is_one();
    for (size_t v = 0; v < dm_similarity_variant_count; v++) {
        test_report_variant("similarity", dm_similarity_variants[v].name, dm_similarity_variants[v].isa);
        if (dm_isa_has(dm_similarity_variants[v].isa)) {
            printf("  largest error up to 768 dimensions %.2g\n", worst_error[v]);
        }
    }
    for (size_t v = 0; v < dm_query_variant_count; v++) {
        test_report_variant("query", dm_query_variants[v].name, dm_query_variants[v].isa);
    }
    return test_report();
}
