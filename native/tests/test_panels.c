/* test_panels.c: estimates of rows in panels, every variant against sums of 64 bits, between guard pages. */
#include <stdio.h>
#include <string.h>

#include "simd/codes.h"
#include "simd/panels.h"
#include "tests/support.h"
#include "tests/variants.h"

enum { PANELS = 5, ROWS = PANELS * DM_PANEL_ROWS };

typedef struct field {
    uint32_t dim;
    size_t words;
    uint8_t *panels;
    int8_t *rows; /* codes as they were put in, 4 words a row */
    float scales[ROWS];
    int8_t *weights;
    float weight_scale;
} field;

static field make_field(uint32_t dim, int side) {
    field made = {.dim = dim, .words = (dim + 15) / 16 * 4, .weight_scale = 0.0125f};
    made.panels = test_guard_allocate(PANELS * (made.words + 1) * 64, side);
    made.rows = test_guard_allocate(ROWS * made.words * 4, TEST_GUARD_AFTER);
    made.weights = test_guard_allocate(made.words * 4 + 64 - made.words * 4 % 64, TEST_GUARD_BEFORE);
    memset(made.rows, 0, ROWS * made.words * 4);
    memset(made.weights, 0, made.words * 4);
    for (uint32_t row = 0; row < ROWS; row++) {
        made.scales[row] = 0.001f * (float)(row + 1);
    }
    CHECK_EQUAL(dm_panel_words(dim), made.words);
    CHECK_EQUAL(dm_panel_bytes(dim), (made.words + 1) * 64);
    return made;
}

static void free_field(field *made) {
    test_guard_free(made->panels);
    test_guard_free(made->rows);
    test_guard_free(made->weights);
}

/* Puts all rows but the last three, which stay clear. */
static void fill_panels(field *made) {
    for (uint32_t p = 0; p < PANELS; p++) {
        dm_panel_clear(made->panels + p * dm_panel_bytes(made->dim), made->words);
    }
    for (uint32_t row = 0; row < ROWS - 3; row++) {
        uint8_t *panel = made->panels + row / 16 * dm_panel_bytes(made->dim);
        dm_panel_put(panel, row % 16, made->rows + row * made->words * 4, made->scales[row], made->words);
    }
}

static float true_estimate(const field *made, uint32_t row) {
    int64_t dot = 0;
    if (row >= ROWS - 3) {
        return 0.0f;
    }
    for (size_t i = 0; i < made->words * 4; i++) {
        dot += (int64_t)made->rows[row * made->words * 4 + i] * made->weights[i];
    }
    return (float)dot * (made->scales[row] * made->weight_scale);
}

static void check_field(field *made) {
    int32_t sum = 0;
    fill_panels(made);
    for (size_t i = 0; i < made->words * 4; i++) {
        sum += made->weights[i];
    }
    const dm_weights weights = {.values = made->weights, .sum = sum, .scale = made->weight_scale};
    for (size_t v = 0; v < dm_panels_variant_count; v++) {
        if (!dm_isa_has(dm_panels_variants[v].isa)) {
            continue;
        }
        for (uint32_t count = 0; count <= PANELS; count++) {
            /* One float more in front, so that the estimates lie at no boundary. */
            float *estimates = test_guard_allocate((count * 16 + 1) * sizeof(float), TEST_GUARD_AFTER);
            estimates[0] = 77.0f;
            dm_panels_variants[v].scan(made->panels, count, made->words, &weights, estimates + 1);
            CHECK(estimates[0] == 77.0f);
            for (uint32_t row = 0; row < count * 16; row++) {
                CHECK_NEAR(estimates[row + 1], true_estimate(made, row), 0.0);
            }
            test_guard_free(estimates);
        }
    }
}

static void test_random_codes(void) {
    const uint32_t dims[] = {1, 2, 16, 17, 32, 48, 63, 64, 65, 128, 200, 768, 4096};
    test_random random = {5};
    for (size_t d = 0; d < sizeof(dims) / sizeof(dims[0]); d++) {
        for (int side = TEST_GUARD_AFTER; side <= TEST_GUARD_BEFORE; side++) {
            field made = make_field(dims[d], side);
            for (uint32_t i = 0; i < dims[d]; i++) {
                made.weights[i] = (int8_t)((int64_t)test_random_below(&random, 129) - 64);
                for (uint32_t row = 0; row < ROWS; row++) {
                    made.rows[row * made.words * 4 + i] = (int8_t)((int64_t)test_random_below(&random, 255) - 127);
                }
            }
            check_field(&made);
            free_field(&made);
        }
    }
}

/* One code and one weight at a time, in every place; then all at their ends, where 16 bits would overflow. */
static void test_places_and_ends(void) {
    for (uint32_t i = 0; i < 64; i++) {
        field made = make_field(64, TEST_GUARD_AFTER);
        made.weights[i] = (int8_t)(i % 2 == 0 ? 64 : -64);
        for (uint32_t row = 0; row < ROWS; row++) {
            made.rows[row * 64 + i] = (int8_t)((int32_t)row * 3 - 120);
            made.rows[row * 64 + (i + 1) % 64] = 127; /* under a weight of 0 */
        }
        check_field(&made);
        free_field(&made);
    }
    const int8_t ends[] = {-64, 64};
    for (size_t e = 0; e < 2; e++) {
        field made = make_field(4096, TEST_GUARD_AFTER);
        memset(made.weights, ends[e], 4096);
        for (uint32_t row = 0; row < ROWS; row++) {
            memset(made.rows + row * 4096, row % 2 == 0 ? -127 : 127, 4096);
        }
        check_field(&made);
        free_field(&made);
    }
}

static void test_put_and_take(void) {
    field made = make_field(40, TEST_GUARD_AFTER);
    test_random random = {7};
    int8_t codes[48];
    for (uint32_t i = 0; i < ROWS * 48; i++) {
        made.rows[i] = (int8_t)((int64_t)test_random_below(&random, 255) - 127);
    }
    fill_panels(&made);
    for (uint32_t row = 0; row < ROWS - 3; row++) {
        float scale = dm_panel_take(made.panels + row / 16 * dm_panel_bytes(40), row % 16, codes, made.words);
        CHECK(scale == made.scales[row] && memcmp(codes, made.rows + row * 48, 48) == 0);
    }
    free_field(&made);
}

int main(void) {
    for (size_t v = 0; v < dm_panels_variant_count; v++) {
        test_report_variant("panels", dm_panels_variants[v].name, dm_panels_variants[v].isa);
        CHECK(dm_panels_find(dm_panels_variants[v].name) == &dm_panels_variants[v]);
    }
    CHECK(dm_panels_find("none") == NULL);
    test_random_codes();
    test_places_and_ends();
    test_put_and_take();
    return test_report();
}
