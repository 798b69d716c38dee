/* test_gram.c: every variant of the gram family against long double loops written here, between guard pages: every
 * lane, every tail, codes at both ends of their range. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "simd/codes.h"
#include "simd/gram.h"
#include "simd/query.h"
#include "simd/recency.h"
#include "tests/support.h"
#include "tests/variants.h"

static const dm_gram_variant *usable(size_t i) {
    return dm_isa_has(dm_gram_variants[i].isa) ? &dm_gram_variants[i] : NULL;
}

/* --- vectors ------------------------------------------------------------------------------------------------------ */

enum { NORMAL, ONE_HOT, CONSTANT, HEAVY, ALTERNATING, TINY, HUGE_VALUES, NEAR, ZERO, KINDS };

static void make_vector(test_random *random, float *values, uint32_t dim, int kind, uint32_t row) {
    for (uint32_t k = 0; k < dim; k++) {
        double normal = test_random_normal(random);
        switch (kind) {
        case ONE_HOT: values[k] = k == row % dim ? 1.0f : 0.0f; break;
        case CONSTANT: values[k] = row % 2 == 0 ? 1.0f : -1.0f; break;
        case HEAVY: values[k] = (float)(normal * normal * normal * normal * normal); break;
        case ALTERNATING: values[k] = (k + row) % 2 == 0 ? 3.0f : -3.0f; break;
        case TINY: values[k] = (float)normal * 1e-18f; break;
        case HUGE_VALUES: values[k] = (float)normal * 1e37f; break;
        case NEAR: values[k] = (float)(normal + 1.5); break;
        case ZERO: values[k] = 0.0f; break;
        default: values[k] = (float)normal; break;
        }
    }
}

static long double true_cosine(const float *a, const float *b, uint32_t dim) {
    long double ab = 0.0L;
    long double aa = 0.0L;
    long double bb = 0.0L;
    for (uint32_t k = 0; k < dim; k++) {
        ab += (long double)a[k] * (long double)b[k];
        aa += (long double)a[k] * (long double)a[k];
        bb += (long double)b[k] * (long double)b[k];
    }
    return aa < (long double)FLT_MIN || bb < (long double)FLT_MIN ? 0.0L : ab / (sqrtl(aa) * sqrtl(bb));
}

/* A panel's rows: raw, as unit vectors, and as codes. */
typedef struct field {
    uint32_t dim;
    size_t padded;
    size_t words;
    float *raw;
    float *units;
    const float *rows[DM_GRAM_PANEL];
    int8_t *codes;
    uint8_t *lifted;
    float scales[DM_GRAM_PANEL];
    float radii[DM_GRAM_PANEL];
    int32_t sums[DM_GRAM_PANEL];
} field;

static field make_field(uint64_t seed, uint32_t dim, int kind, int side) {
    field made = {.dim = dim, .padded = dm_padded_dim(dim), .words = dm_code_stride(dim) / DM_GRAM_WORD};
    test_random random = {seed};
    const size_t stride = dm_code_stride(dim);
    made.raw = test_guard_allocate(DM_GRAM_PANEL * dim * sizeof(float), side);
    made.units = test_guard_allocate(DM_GRAM_PANEL * made.padded * sizeof(float), side);
    made.codes = test_guard_allocate(DM_GRAM_PANEL * stride, side);
    made.lifted = test_guard_allocate(DM_GRAM_PANEL * stride, side);
    double *wide = aligned_alloc(64, made.padded * sizeof(double));
    int8_t *codes = aligned_alloc(64, stride);
    REQUIRE(wide != NULL && codes != NULL);
    for (uint32_t row = 0; row < DM_GRAM_PANEL; row++) {
        float *raw = made.raw + row * dim;
        make_vector(&random, raw, dim, kind, row);
        dm_query query = {.dim = dim, .wide = wide, .unit = made.units + row * made.padded};
        dm_query_find("scalar")->prepare(&query, raw);
        made.rows[row] = query.unit;
        dm_code_facts facts = dm_codes_find("scalar")->encode(codes, query.unit, dim, DM_GRAM_LEVELS);
        made.scales[row] = facts.scale;
        made.radii[row] = facts.radius;
        made.sums[row] = facts.sum;
        dm_gram_pack(made.codes, made.lifted, row, codes, made.words);
    }
    free(wide);
    free(codes);
    return made;
}

static void free_field(field *made) {
    test_guard_free(made->raw);
    test_guard_free(made->units);
    test_guard_free(made->codes);
    test_guard_free(made->lifted);
}

/* The cosines of a panel's rows with another's, in long double: slow where that is emulated (64-bit ARM), so once a pair. */
typedef struct grid {
    long double of[DM_GRAM_PANEL][DM_GRAM_PANEL];
} grid;

static grid true_cosines(const field *a, const field *b) {
    grid made;
    for (uint32_t i = 0; i < DM_GRAM_PANEL; i++) {
        for (uint32_t j = 0; j < DM_GRAM_PANEL; j++) {
            made.of[i][j] = true_cosine(a->raw + i * a->dim, b->raw + j * b->dim, a->dim);
        }
    }
    return made;
}

static dm_gram_panel panel_of(const field *made) {
    return (dm_gram_panel){made->codes, made->lifted, made->scales, made->radii, made->sums};
}

/* --- dots --------------------------------------------------------------------------------------------------------- */

static void check_dots(const field *a, const field *b, const grid *cosines, uint32_t a_count, uint32_t b_count, int side) {
    const size_t stride = b_count + 2; /* what lies between the rows must stay as it is */
    float *reference = test_guard_allocate((a_count * stride) * sizeof(float), side);
    dm_gram_variants[0].dots(a->rows, a_count, b->rows, b_count, a->padded, reference, stride);
    for (uint32_t i = 0; i < a_count; i++) {
        for (uint32_t j = 0; j < b_count; j++) {
            long double error = fabsl((long double)reference[i * stride + j] - cosines->of[i][j]);
            CHECK(error <= (long double)dm_gram_error_bound(a->dim));
        }
        CHECK(reference[i * stride + b_count] == 0.0f && reference[i * stride + b_count + 1] == 0.0f);
    }
    for (size_t v = 1; v < dm_gram_variant_count; v++) {
        if (usable(v) != NULL) {
            float *dots = test_guard_allocate((a_count * stride) * sizeof(float), side);
            dm_gram_variants[v].dots(a->rows, a_count, b->rows, b_count, a->padded, dots, stride);
            CHECK(memcmp(dots, reference, a_count * stride * sizeof(float)) == 0);
            test_guard_free(dots);
        }
    }
    test_guard_free(reference);
}

static void test_dots(void) {
    const uint32_t dims[] = {1, 15, 16, 17, 96, 768, 4096};
    for (size_t d = 0; d < sizeof(dims) / sizeof(dims[0]); d++) {
        for (int kind = 0; kind < KINDS; kind++) {
            const int side = (kind + (int)d) % 2;
            field a = make_field(1 + d, dims[d], kind, side);
            field b = make_field(100 + d, dims[d], kind == NEAR ? NORMAL : kind, 1 - side);
            const grid ab = true_cosines(&a, &b);
            const grid aa = true_cosines(&a, &a);
            for (uint32_t count = 1; count <= 8; count++) {
                check_dots(&a, &b, &ab, count, 1 + (count * 3) % 7, side);
            }
            check_dots(&a, &b, &ab, DM_GRAM_PANEL, DM_GRAM_PANEL, side);
            check_dots(&a, &a, &aa, DM_GRAM_PANEL, DM_GRAM_PANEL, side);
            free_field(&a);
            free_field(&b);
        }
    }
}

/* --- reach -------------------------------------------------------------------------------------------------------- */

/* least: about where the pairs' cosines are, so that some reach it and some miss it by little. */
static void check_reach(const field *a, const field *b, const grid *cosines, float least) {
    const dm_gram_panel left = panel_of(a);
    const dm_gram_panel right = panel_of(b);
    uint16_t reference[DM_GRAM_PANEL];
    uint32_t any = dm_gram_variants[0].reach(&left, &right, a->words, least, reference);
    uint32_t all = 0;
    for (uint32_t i = 0; i < DM_GRAM_PANEL; i++) {
        all |= reference[i];
        for (uint32_t j = 0; j < DM_GRAM_PANEL; j++) {
            const int let_through = reference[i] >> j & 1;
            const long double cosine = cosines->of[i][j];
            CHECK(let_through || cosine < (long double)least);
            /* The bound is no farther off than twice the radii. */
            float slack = 2.0f * (a->radii[i] + b->radii[j] * (1.0f + a->radii[i])) + 1e-4f;
            CHECK(!let_through || cosine >= (long double)(least - slack));
        }
    }
    CHECK_EQUAL(any, all);
    for (size_t v = 1; v < dm_gram_variant_count; v++) {
        if (usable(v) != NULL) {
            uint16_t masks[DM_GRAM_PANEL];
            CHECK_EQUAL(dm_gram_variants[v].reach(&left, &right, a->words, least, masks), any);
            CHECK(memcmp(masks, reference, sizeof(masks)) == 0);
        }
    }
}

static void test_reach(void) {
    const uint32_t dims[] = {1, 3, 16, 63, 64, 65, 768, 4096};
    for (size_t d = 0; d < sizeof(dims) / sizeof(dims[0]); d++) {
        for (int kind = 0; kind < KINDS; kind++) {
            for (int other = 0; other < KINDS; other += kind == other ? 1 : 3) {
                const int side = (kind + other + (int)d) % 2;
                field a = make_field(7 + d, dims[d], kind, side);
                field b = make_field(70 + d, dims[d], other, 1 - side);
                const grid ab = true_cosines(&a, &b);
                const grid aa = true_cosines(&a, &a);
                for (uint32_t i = 0; i < DM_GRAM_PANEL; i += 5) {
                    check_reach(&a, &b, &ab, (float)ab.of[i][i]);
                    check_reach(&a, &a, &aa, (float)ab.of[i][i]);
                }
                check_reach(&a, &b, &ab, 0.5201f);
                check_reach(&a, &a, &aa, 1.0f - 1e-6f);
                check_reach(&a, &b, &ab, -1.0f);
                free_field(&a);
                free_field(&b);
            }
        }
    }
}

/* In few dimensions the errors of two codes often point the same way, and the bound is nearly met. */
static void test_tight_bounds(void) {
    for (uint64_t seed = 0; seed < 400; seed++) {
        field a = make_field(1000 + seed, 1 + (uint32_t)(seed % 3), NORMAL, TEST_GUARD_AFTER);
        field b = make_field(2000 + seed, a.dim, NORMAL, TEST_GUARD_AFTER);
        const grid ab = true_cosines(&a, &b);
        const grid aa = true_cosines(&a, &a);
        for (uint32_t i = 0; i < DM_GRAM_PANEL; i++) {
            check_reach(&a, &b, &ab, (float)ab.of[i][(i + 1) % DM_GRAM_PANEL]);
            check_reach(&a, &a, &aa, (float)aa.of[i][(i + 1) % DM_GRAM_PANEL]);
        }
        free_field(&a);
        free_field(&b);
    }
}

/* Codes at both ends of their range in every place: the sums of 16 bits are as large as they get. */
static void test_reach_at_the_limits(void) {
    field a = make_field(1, 4096, CONSTANT, TEST_GUARD_AFTER);
    CHECK_EQUAL((uint32_t)abs(a.sums[0]), 4096 * DM_GRAM_LEVELS);
    const grid aa = true_cosines(&a, &a);
    check_reach(&a, &a, &aa, 0.999f);
    check_reach(&a, &a, &aa, -0.999f);
    free_field(&a);
    field b = make_field(1, 4096, ALTERNATING, TEST_GUARD_BEFORE);
    const grid bb = true_cosines(&b, &b);
    check_reach(&b, &b, &bb, 0.999f);
    free_field(&b);
}

/* A bound that equals what is needed is let through: codes of one word, radii of 0, numbers that floats hold exactly. */
static void test_reach_at_equality(void) {
    field a = make_field(1, 1, ZERO, TEST_GUARD_AFTER);
    int8_t codes[64] = {1};
    for (uint32_t row = 0; row < DM_GRAM_PANEL; row++) {
        dm_gram_pack(a.codes, a.lifted, row, codes, a.words);
        a.scales[row] = row % 2 == 0 ? 0.5f : 0.25f;
        a.radii[row] = 0.0f;
        a.sums[row] = 1;
    }
    REQUIRE(a.words * DM_GRAM_WORD == sizeof(codes));
    const dm_gram_panel panel = panel_of(&a);
    for (size_t v = 0; v < dm_gram_variant_count; v++) {
        if (usable(v) != NULL) {
            uint16_t masks[DM_GRAM_PANEL];
            CHECK_EQUAL(dm_gram_variants[v].reach(&panel, &panel, a.words, 0.25f + 0x1.0p-17f, masks), 0x5555);
            for (uint32_t row = 0; row < DM_GRAM_PANEL; row++) {
                CHECK_EQUAL(masks[row], row % 2 == 0 ? 0x5555 : 0);
            }
        }
    }
    free_field(&a);
}

/* --- similarities ------------------------------------------------------------------------------------------------- */

static void check_weigh(const float *dots, const double *times, uint32_t count, double time, double hours, int side) {
    const double half_lives = 1.0 / (DM_LN_2 * hours * 3600e9);
    double *reference = test_guard_allocate(count * sizeof(double), side);
    dm_gram_variants[0].weigh(dots, times, count, time, half_lives, reference);
    for (uint32_t j = 0; j < count; j++) {
        long double clamped = dots[j] > 1.0f ? 1.0L : dots[j] < -1.0f ? -1.0L : (long double)dots[j];
        long double between = fabsl((long double)times[j] - (long double)time);
        long double expected = clamped * expl(-between / ((long double)hours * 3600e9L));
        CHECK(reference[j] == floor(reference[j]));
        CHECK(fabsl((long double)reference[j] - expected * 0x1.0p24L) <= 0.5L + 0x1.0p24L * 1e-10L);
    }
    for (size_t v = 1; v < dm_gram_variant_count; v++) {
        if (usable(v) != NULL) {
            double *made = test_guard_allocate(count * sizeof(double), side);
            dm_gram_variants[v].weigh(dots, times, count, time, half_lives, made);
            CHECK(memcmp(made, reference, count * sizeof(double)) == 0);
            test_guard_free(made);
        }
    }
    test_guard_free(reference);
}

static void test_weigh(void) {
    test_random random = {3};
    const double spans[] = {0.0, 1.0, 1e9, 3600e9, 24 * 3600e9, 400 * 3600e9, 1e18, 1.8e19};
    const double constants[] = {1e-320, 1e-9, 1.0, 24.0, 1e6, (double)INFINITY}; /* hours; the first makes infinite exponents */
    for (size_t s = 0; s < sizeof(spans) / sizeof(spans[0]); s++) {
        for (size_t c = 0; c < sizeof(constants) / sizeof(constants[0]); c++) {
            for (uint32_t count = 1; count <= 33; count++) {
                float *dots = test_guard_allocate(count * sizeof(float), (int)(count % 2));
                double *times = test_guard_allocate(count * sizeof(double), (int)(count % 2));
                for (uint32_t j = 0; j < count; j++) {
                    dots[j] = (float)test_random_uniform(&random, -1.000001, 1.000001);
                    times[j] = floor(test_random_uniform(&random, 0.0, spans[s]));
                }
                dots[0] = 1.0000002f;
                check_weigh(dots, times, count, floor(spans[s] / 3.0), constants[c], (int)(count % 2));
                test_guard_free(dots);
                test_guard_free(times);
            }
        }
    }
    CHECK(dm_half_power(0.0) == 1.0 && dm_half_power(1.0) == 0.5 && dm_half_power(3.0) == 0.125);
    for (int i = 0; i < 20000; i++) {
        double x = test_random_uniform(&random, 0.0, 64.0);
        CHECK(fabsl((long double)dm_half_power(x) / exp2l(-(long double)x) - 1.0L) < 1e-11L);
    }
}

/* --- choosing ----------------------------------------------------------------------------------------------------- */

static void check_choice(const double *sums, const double *weights, size_t count) {
    double largest = 0.0;
    for (size_t i = 0; i < count; i++) {
        largest = fmax(largest, sums[i] * weights[i]);
    }
    for (size_t v = 0; v < dm_gram_variant_count; v++) {
        if (usable(v) == NULL) {
            continue;
        }
        CHECK(dm_gram_variants[v].largest(sums, weights, count) == largest);
        for (size_t from = 0; from <= count; from++) {
            size_t expected = from;
            while (expected < count && sums[expected] * weights[expected] < largest) {
                expected++;
            }
            CHECK_EQUAL(dm_gram_variants[v].next(sums, weights, count, from, largest), expected);
        }
    }
}

static void test_choice(void) {
    test_random random = {4};
    for (size_t count = 8; count <= 40; count += 8) {
        double *sums = test_guard_allocate(count * sizeof(double), TEST_GUARD_AFTER);
        double *weights = test_guard_allocate(count * sizeof(double), TEST_GUARD_AFTER);
        for (size_t hot = 0; hot < count; hot++) {
            for (size_t i = 0; i < count; i++) {
                sums[i] = floor(test_random_uniform(&random, -100.0, 100.0));
                weights[i] = 1.0 / (double)(1 + test_random_below(&random, 5));
            }
            check_choice(sums, weights, count);
            sums[hot] = 1000.0;
            weights[hot] = 1.0;
            check_choice(sums, weights, count);
            sums[(hot * 7 + 3) % count] = 1000.0;
            weights[(hot * 7 + 3) % count] = 1.0;
            check_choice(sums, weights, count);
        }
        for (size_t i = 0; i < count; i++) {
            sums[i] = -1.0;
        }
        check_choice(sums, weights, count);
        test_guard_free(sums);
        test_guard_free(weights);
    }
}

int main(void) {
    for (size_t v = 0; v < dm_gram_variant_count; v++) {
        CHECK(dm_gram_find(dm_gram_variants[v].name) == &dm_gram_variants[v]);
        test_report_variant("gram", dm_gram_variants[v].name, dm_gram_variants[v].isa);
    }
    CHECK(dm_gram_find("none") == NULL && dm_gram_best() != NULL);
    test_dots();
    test_reach();
    test_tight_bounds();
    test_reach_at_the_limits();
    test_reach_at_equality();
    test_weigh();
    test_choice();
    return test_report();
}
