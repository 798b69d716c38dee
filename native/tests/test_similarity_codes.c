/* test_similarity_codes.c: the 8-bit codes. The variants agree to the bit, and every bound is a bound: checked in long
 * double on random vectors and on vectors built to reach it. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "simd/codes.h"
#include "simd/query.h"
#include "simd/similarity.h"
#include "tests/support.h"
#include "tests/variants.h"

/* Rows, their codes and one query, all between guard pages. */
typedef struct field {
    uint32_t count;
    uint32_t dim;
    size_t padded;
    size_t stride;
    float *values; /* count x padded */
    float *query;  /* padded */
    uint8_t *codes;
    int8_t *query_codes;
    float *scales;
    float *radii;
    float *unit;
    double *wide;
    float *bounds;
    float *reference;
} field;

static field make_field(uint32_t count, uint32_t dim, int side) {
    field made = {.count = count, .dim = dim, .padded = dm_padded_dim(dim), .stride = dm_code_stride(dim)};
    made.values = test_guard_allocate(count * made.padded * sizeof(float), side);
    made.query = test_guard_allocate(made.padded * sizeof(float), side);
    made.codes = test_guard_allocate(count * made.stride, side);
    made.query_codes = test_guard_allocate(made.stride, side);
    made.scales = test_guard_allocate(count * sizeof(float), side);
    made.radii = test_guard_allocate(count * sizeof(float), side);
    made.unit = test_guard_allocate(made.padded * sizeof(float), side);
    made.wide = test_guard_allocate(made.padded * sizeof(double), side);
    made.bounds = test_guard_allocate(count * sizeof(float), side);
    made.reference = test_guard_allocate(count * sizeof(float), side);
    return made;
}

static void free_field(field *made) {
    void *buffers[] = {made->values, made->query, made->codes, made->query_codes, made->scales,
                       made->radii,  made->unit,  made->wide,  made->bounds,      made->reference};
    for (size_t i = 0; i < sizeof(buffers) / sizeof(buffers[0]); i++) {
        test_guard_free(buffers[i]);
    }
}

static float *row_of(field *made, uint32_t row) {
    return made->values + row * made->padded;
}

static long double norm_of(const float *values, uint32_t dim) {
    long double sum = 0.0L;
    for (uint32_t i = 0; i < dim; i++) {
        sum += (long double)values[i] * (long double)values[i];
    }
    return sum < (long double)FLT_MIN ? 0.0L : sqrtl(sum);
}

/* The residual of the codes, and that it is within the radius; the radius is not much larger either. */
static long double check_facts(const float *values, const int8_t *codes, dm_code_facts facts, uint32_t dim,
                               int32_t levels) {
    long double norm = norm_of(values, dim);
    long double residual = 0.0L;
    int32_t sum = 0;
    int32_t largest = 0;
    for (uint32_t i = 0; i < dim; i++) {
        long double unit = norm > 0.0L ? (long double)values[i] / norm : 0.0L;
        long double rest = unit - (long double)facts.scale * codes[i];
        residual += rest * rest;
        sum += codes[i];
        int32_t size = codes[i] < 0 ? -codes[i] : codes[i];
        largest = size > largest ? size : largest;
    }
    residual = sqrtl(residual);
    CHECK(residual <= (long double)facts.radius);
    CHECK((long double)facts.radius <= residual * 1.001L + 1e-6L);
    CHECK_EQUAL(facts.sum, sum);
    CHECK_EQUAL(largest, norm > 0.0L ? levels : 0); /* the levels are used, and never exceeded */
    for (size_t i = dim; i < dm_code_stride(dim); i++) {
        CHECK(codes[i] == 0);
    }
    return residual;
}

static dm_code_facts encode(field *made, const dm_codes_variant *variant, const float *values, int8_t *codes,
                            int32_t levels) {
    dm_query work = {.dim = made->dim, .wide = made->wide, .unit = made->unit};
    dm_query_variants[0].prepare(&work, values);
    memset(codes, 0x55, made->stride);
    dm_code_facts facts = variant->encode(codes, made->unit, made->dim, levels);
    check_facts(values, codes, facts, made->dim, levels);
    int8_t *reference = test_guard_allocate(made->stride, TEST_GUARD_AFTER);
    (void)dm_codes_variants[0].encode(reference, made->unit, made->dim, levels);
    CHECK(memcmp(codes, reference, made->stride) == 0);
    test_guard_free(reference);
    return facts;
}

static double slimmest = 1.0; /* smallest (bound - cosine): how close the tests come to the bound */

static void check_variant(field *made, size_t v) {
    const dm_codes_variant *variant = &dm_codes_variants[v];
    dm_code_facts query = encode(made, variant, made->query, made->query_codes, DM_CODE_QUERY_LEVELS);
    for (uint32_t row = 0; row < made->count; row++) {
        uint8_t *codes = made->codes + row * made->stride;
        dm_code_facts facts = encode(made, variant, row_of(made, row), (int8_t *)codes, DM_CODE_ROW_LEVELS);
        made->scales[row] = facts.scale;
        made->radii[row] = facts.radius;
        for (size_t i = 0; i < made->stride; i++) {
            codes[i] = (uint8_t)((int8_t)codes[i] + DM_CODE_OFFSET);
        }
    }
    dm_codes codes = {made->codes, made->scales, made->radii, made->count, made->dim};
    long double query_norm = norm_of(made->query, made->dim);
    dm_codes_variants[0].scan(&codes, made->query_codes, query, made->reference, DM_SCAN_FORWARD);
    for (int32_t direction = DM_SCAN_FORWARD; direction <= DM_SCAN_BACKWARD; direction++) {
        memset(made->bounds, 0xFF, made->count * sizeof(float));
        variant->scan(&codes, made->query_codes, query, made->bounds, direction);
        CHECK(memcmp(made->bounds, made->reference, made->count * sizeof(float)) == 0);
    }
    for (uint32_t row = 0; row < made->count; row++) {
        long double norms = query_norm * norm_of(row_of(made, row), made->dim);
        long double cosine = 0.0L;
        for (uint32_t i = 0; norms > 0.0L && i < made->dim; i++) {
            cosine += (long double)made->query[i] * (long double)row_of(made, row)[i] / norms;
        }
        double room = (double)((long double)made->bounds[row] - cosine);
        double width = 2.0 * ((double)query.radius * (1.0 + (double)made->radii[row]) + (double)made->radii[row]);
        slimmest = room < slimmest ? room : slimmest;
        if (!CHECK(room >= 0.0) || !CHECK(room <= width + 1e-5)) {
            fprintf(stderr, "  %s, row %u of %u x %u: room %g, width %g\n", variant->name, row, made->count, made->dim, room,
                    width);
        }
    }
}

static void check_field(field *made) {
    for (size_t v = 0; v < dm_codes_variant_count; v++) {
        if (dm_isa_has(dm_codes_variants[v].isa)) {
            check_variant(made, v);
        }
    }
}

static const uint32_t long_dims[] = {127, 128, 129, 255, 384, 768, 1000, 1536, 4095, 4096};

static void test_random_rows(void) {
    test_random random = {11};
    for (uint32_t pick = 0; pick < 70 + sizeof(long_dims) / sizeof(long_dims[0]); pick++) {
        uint32_t dim = pick < 70 ? pick + 1 : long_dims[pick - 70];
        for (uint32_t count = 1; count <= 9; count++) {
            field made = make_field(count, dim, (int)(count % 2));
            test_random_fill(&random, made.query, dim);
            for (uint32_t row = 0; row < count; row++) {
                test_random_fill(&random, row_of(&made, row), dim);
            }
            check_field(&made);
            free_field(&made);
        }
    }
}

/* More than L1, where the scan asks for rows ahead; the last rows must not reach behind the end. */
static void test_many_rows(void) {
    test_random random = {12};
    field made = make_field(333, 200, TEST_GUARD_AFTER);
    test_random_fill(&random, made.query, 200);
    for (uint32_t row = 0; row < 333; row++) {
        test_random_fill(&random, row_of(&made, row), 200);
    }
    check_field(&made);
    free_field(&made);
}

/* All codes at their ends, of one sign or of two: what would saturate 16 bits, were the levels larger. */
static void test_largest_codes(void) {
    const uint32_t dims[] = {1, 2, 32, 33, 64, 768, 4096};
    for (size_t d = 0; d < sizeof(dims) / sizeof(dims[0]); d++) {
        field made = make_field(4, dims[d], TEST_GUARD_AFTER);
        for (uint32_t i = 0; i < dims[d]; i++) {
            made.query[i] = 0.25f;
            row_of(&made, 0)[i] = 3.0f;
            row_of(&made, 1)[i] = -3.0f;
            row_of(&made, 2)[i] = i % 2 == 0 ? 1e-3f : -1e-3f;
            row_of(&made, 3)[i] = i % 3 == 0 ? 1.0f : 0.999f;
        }
        check_field(&made);
        free_field(&made);
    }
}

/* One component that dwarfs the others leaves them a code or two: the radius must grow with it. Zeros and tiny rows. */
static void test_outliers(void) {
    test_random random = {13};
    const uint32_t dims[] = {2, 16, 100, 768, 4096};
    const float outliers[] = {10.0f, 127.0f, 254.1f, 1e4f, 1e12f};
    for (size_t d = 0; d < sizeof(dims) / sizeof(dims[0]); d++) {
        field made = make_field(8, dims[d], TEST_GUARD_AFTER);
        test_random_fill(&random, made.query, dims[d]);
        for (uint32_t row = 0; row < 5; row++) {
            test_random_fill(&random, row_of(&made, row), dims[d]);
            row_of(&made, row)[test_random_below(&random, dims[d])] = outliers[row];
        }
        for (uint32_t i = 0; i < dims[d]; i++) {
            row_of(&made, 5)[i] = 1e-18f * (float)test_random_normal(&random); /* row 6 stays zero */
            row_of(&made, 7)[i] = i == 0 ? 1.0f : 0.5f / 127.0f;                  /* ties of the rounding */
        }
        check_field(&made);
        made.query[0] = 300.0f; /* and in the query */
        check_field(&made);
        memset(made.query, 0, dims[d] * sizeof(float));
        check_field(&made);
        free_field(&made);
    }
}

/* A query along the residual of a row's codes, and rows along the residual of the query's: Cauchy & Schwarz with equality.
 * An estimate of the residual (step / sqrt 12, say) or one that forgets a term fails here. */
static void test_aligned_residuals(void) {
    test_random random = {14};
    const uint32_t dims[] = {3, 24, 65, 384, 768, 1536};
    for (uint32_t trial = 0; trial < 60; trial++) {
        uint32_t dim = dims[trial % (sizeof(dims) / sizeof(dims[0]))];
        field made = make_field(4, dim, TEST_GUARD_AFTER);
        for (uint32_t row = 0; row < 4; row++) {
            test_random_fill(&random, row_of(&made, row), dim);
        }
        dm_code_facts facts = encode(&made, &dm_codes_variants[0], row_of(&made, 0), (int8_t *)made.codes, DM_CODE_ROW_LEVELS);
        for (uint32_t i = 0; i < dim; i++) {
            made.query[i] = made.unit[i] - facts.scale * (float)((int8_t *)made.codes)[i];
        }
        check_field(&made);
        facts = encode(&made, &dm_codes_variants[0], made.query, made.query_codes, DM_CODE_QUERY_LEVELS);
        for (uint32_t i = 0; i < dim; i++) {
            float rest = made.unit[i] - facts.scale * (float)made.query_codes[i];
            row_of(&made, 1)[i] = rest;
            row_of(&made, 2)[i] = -rest;
            row_of(&made, 3)[i] = rest > 0.0f ? 1.0f : -1.0f; /* coded without a residual of its own */
        }
        check_field(&made);
        free_field(&made);
    }
}

int main(void) {
    CHECK(strcmp(dm_codes_variants[0].name, "scalar") == 0);
    CHECK(dm_codes_find("scalar") == &dm_codes_variants[0] && dm_codes_find("none") == NULL);
    test_random_rows();
    test_many_rows();
    test_largest_codes();
    test_outliers();
    test_aligned_residuals();
    for (size_t v = 0; v < dm_codes_variant_count; v++) {
        test_report_variant("codes", dm_codes_variants[v].name, dm_codes_variants[v].isa);
    }
    printf("smallest room between bound and cosine %.3g\n", slimmest);
    return test_report();
}
