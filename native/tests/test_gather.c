/* test_gather.c: dot products of gathered rows, every variant against sums of 64 bits, between guard pages. */
#include <stdio.h>
#include <string.h>

#include "simd/codes.h"
#include "simd/gather.h"
#include "tests/support.h"
#include "tests/variants.h"

enum { ROWS = 70 };

typedef struct field {
    size_t stride;
    size_t step;
    uint8_t *codes;
    int8_t *weights;
    int32_t sum;
} field;

static field make_field(uint32_t dim, size_t gap, int side) {
    field made = {.stride = dm_code_stride(dim)};
    made.step = made.stride + gap;
    made.codes = test_guard_allocate((ROWS - 1) * made.step + made.stride, side);
    made.weights = test_guard_allocate(made.stride, side);
    memset(made.codes, 0xEE, (ROWS - 1) * made.step + made.stride); /* what lies between rows must not count */
    for (uint32_t row = 0; row < ROWS; row++) {
        memset(made.codes + row * made.step, DM_CODE_OFFSET, made.stride);
    }
    memset(made.weights, 0, made.stride);
    return made;
}

static void free_field(field *made) {
    test_guard_free(made->codes);
    test_guard_free(made->weights);
}

static int64_t true_dot(const field *made, uint32_t row) {
    int64_t dot = 0;
    for (size_t i = 0; i < made->stride; i++) {
        dot += ((int64_t)made->codes[row * made->step + i] - DM_CODE_OFFSET) * made->weights[i];
    }
    return dot;
}

static void check_field(field *made) {
    const uint32_t counts[] = {0, 1, 2, 3, 4, 5, 7, 8, 16, 31, 32, 33, 64};
    made->sum = 0;
    for (size_t i = 0; i < made->stride; i++) {
        made->sum += made->weights[i];
    }
    const dm_gathered from = {.codes = made->codes, .step = made->step, .stride = made->stride};
    const dm_weights weights = {.values = made->weights, .sum = made->sum, .scale = 1.0f};
    test_random random = {3};
    for (size_t v = 0; v < dm_gather_variant_count; v++) {
        if (!dm_isa_has(dm_gather_variants[v].isa)) {
            continue;
        }
        for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
            uint32_t *rows = test_guard_allocate(counts[c] * sizeof(uint32_t) + 4, TEST_GUARD_BEFORE);
            int32_t *dots = test_guard_allocate(counts[c] * sizeof(int32_t) + 4, TEST_GUARD_AFTER);
            for (uint32_t i = 0; i < counts[c]; i++) {
                rows[i] = i == 0 ? ROWS - 1 : (uint32_t)test_random_below(&random, ROWS);
            }
            dots[counts[c]] = 77;
            dm_gather_variants[v].dots(&from, rows, counts[c], &weights, dots);
            for (uint32_t i = 0; i < counts[c]; i++) {
                CHECK_EQUAL((int64_t)dots[i], true_dot(made, rows[i]));
            }
            CHECK_EQUAL(dots[counts[c]], 77);
            test_guard_free(rows);
            test_guard_free(dots);
        }
    }
}

static void test_random_codes(void) {
    const uint32_t dims[] = {1, 2, 31, 64, 65, 127, 128, 200, 768, 4096};
    test_random random = {5};
    for (size_t d = 0; d < sizeof(dims) / sizeof(dims[0]); d++) {
        for (int side = TEST_GUARD_AFTER; side <= TEST_GUARD_BEFORE; side++) {
            field made = make_field(dims[d], d % 2 == 0 ? 0 : 128, side);
            for (uint32_t i = 0; i < dims[d]; i++) {
                made.weights[i] = (int8_t)((int64_t)test_random_below(&random, 129) - 64);
                for (uint32_t row = 0; row < ROWS; row++) {
                    made.codes[row * made.step + i] = (uint8_t)(1 + test_random_below(&random, 255));
                }
            }
            check_field(&made);
            free_field(&made);
        }
    }
}

/* One code and one weight at a time, in every place; then all at their ends, where 16 bits would overflow. */
static void test_places_and_ends(void) {
    for (uint32_t i = 0; i < 192; i++) {
        field made = make_field(192, 64, TEST_GUARD_AFTER);
        made.weights[i] = (int8_t)(i % 2 == 0 ? 64 : -64);
        for (uint32_t row = 0; row < ROWS; row++) {
            made.codes[row * made.step + i] = (uint8_t)(1 + row * 3);
            made.codes[row * made.step + (i + 1) % 192] = 255; /* under a weight of 0 */
        }
        check_field(&made);
        free_field(&made);
    }
    const int8_t ends[] = {-64, 64};
    for (size_t e = 0; e < 2; e++) {
        field made = make_field(4096, 0, TEST_GUARD_AFTER);
        memset(made.weights, ends[e], 4096);
        for (uint32_t row = 0; row < ROWS; row++) {
            memset(made.codes + row * made.step, row % 2 == 0 ? 1 : 255, 4096);
        }
        check_field(&made);
        free_field(&made);
    }
}

/* A row's code halved: within half a step of it, without bias, zero where it is zero. */
static void test_weights_of_row(void) {
    field made = make_field(256, 0, TEST_GUARD_AFTER);
    int32_t sum = 0;
    int32_t rounding = 0;
    for (uint32_t i = 0; i < 256; i++) {
        made.codes[i] = (uint8_t)(i < 1 ? 1 : i < 255 ? i : 255);
    }
    int32_t said = dm_weights_of_row(made.weights, made.codes, made.stride);
    for (uint32_t i = 0; i < 256; i++) {
        int32_t code = (int32_t)made.codes[i] - DM_CODE_OFFSET;
        int32_t rest = 2 * made.weights[i] - code;
        CHECK(rest >= -1 && rest <= 1 && made.weights[i] >= -64 && made.weights[i] <= 64);
        CHECK(code % 2 != 0 || rest == 0);
        sum += made.weights[i];
    }
    CHECK_EQUAL((int64_t)said, (int64_t)sum);
    memset(made.codes, DM_CODE_OFFSET + 1, 256); /* an odd code everywhere: as often up as down */
    (void)dm_weights_of_row(made.weights, made.codes, made.stride);
    for (uint32_t i = 0; i < 256; i++) {
        rounding += 2 * made.weights[i] - 1;
    }
    CHECK_EQUAL((int64_t)rounding, 0);
    free_field(&made);
}

int main(void) {
    for (size_t v = 0; v < dm_gather_variant_count; v++) {
        test_report_variant("gather", dm_gather_variants[v].name, dm_gather_variants[v].isa);
        CHECK(dm_gather_find(dm_gather_variants[v].name) == &dm_gather_variants[v]);
    }
    CHECK(dm_gather_find("none") == NULL);
    test_random_codes();
    test_places_and_ends();
    test_weights_of_row();
    return test_report();
}
