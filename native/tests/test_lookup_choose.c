/* test_lookup_choose.c: every variant of the choosing family against loops written here, between guard pages. */
#include <float.h>
#include <string.h>

#include "simd/choose.h"
#include "tests/support.h"
#include "tests/variants.h"

enum { GROUPS_MAX = 512 };

/* `count` numbers at an aligned address; the rest of their last cache line, before the guard page, is larger than
 * all. */
static float *make_values(uint32_t count, float **buffer) {
    size_t padded = (count + 15u) / 16u * 16u;
    *buffer = test_guard_allocate(padded * sizeof(float), TEST_GUARD_AFTER);
    for (size_t i = count; i < padded; i++) {
        (*buffer)[i] = FLT_MAX; /* behind the end: must be neither a peak nor chosen */
    }
    return *buffer;
}

static void check_peaks(const dm_choose_variant *variant, const float *values, uint32_t count, uint32_t groups) {
    float *peaks = test_guard_allocate(groups * sizeof(float), TEST_GUARD_AFTER);
    memset(peaks, 0x7F, groups * sizeof(float));
    variant->peaks(values, count, -2.0f, peaks, groups);
    for (uint32_t group = 0; group < groups; group++) {
        float expected = -2.0f;
        for (uint32_t i = group; i < count; i += groups) {
            expected = values[i] > expected ? values[i] : expected;
        }
        CHECK(peaks[group] == expected);
    }
    test_guard_free(peaks);
}

static void check_at_least(const dm_choose_variant *variant, const float *values, uint32_t count, float least) {
    uint32_t *chosen = test_guard_allocate(count * sizeof(uint32_t), TEST_GUARD_AFTER);
    uint32_t size = variant->at_least(values, count, least, chosen);
    uint32_t expected = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (values[i] >= least) {
            CHECK(expected < size && chosen[expected] == i);
            expected++;
        }
    }
    CHECK_EQUAL(size, expected);
    test_guard_free(chosen);
}

static void check_variant(const dm_choose_variant *variant) {
    test_random random = {51};
    const uint32_t more[] = {127, 128, 129, 500, 511, 512, 513, 1000, 4099};
    for (uint32_t pick = 0; pick <= 70 + sizeof(more) / sizeof(more[0]) - 1; pick++) {
        uint32_t count = pick < 70 ? pick : more[pick - 70];
        float *buffer;
        float *values = make_values(count, &buffer);
        for (uint32_t i = 0; i < count; i++) {
            values[i] = i % 5 == 0 ? -FLT_MAX : (float)test_random_uniform(&random, -1.0, 1.0);
        }
        for (uint32_t groups = 64; groups <= GROUPS_MAX; groups *= 2) {
            check_peaks(variant, values, count, groups);
        }
        check_at_least(variant, values, count, -2.0f);
        check_at_least(variant, values, count, 0.0f);
        check_at_least(variant, values, count, 0.9f);
        check_at_least(variant, values, count, 2.0f);
        if (count > 0) { /* a number that is there: it is at least itself */
            check_at_least(variant, values, count, values[count / 2]);
        }
        test_guard_free(buffer);
    }
}

int main(void) {
    CHECK(strcmp(dm_choose_variants[0].name, "scalar") == 0 && dm_choose_find("none") == NULL);
    for (size_t v = 0; v < dm_choose_variant_count; v++) {
        if (dm_isa_has(dm_choose_variants[v].isa)) {
            check_variant(&dm_choose_variants[v]);
        }
        test_report_variant("choose", dm_choose_variants[v].name, dm_choose_variants[v].isa);
    }
    return test_report();
}
