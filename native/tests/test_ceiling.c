/* test_ceiling.c: a ceiling that skips work would be too high, and every kernel's distance from it too large: each loop must have
 * read every word and computed in every lane. */
#include <math.h>
#include <string.h>

#include "simd/ceiling.h"
#include "tests/support.h"
#include "tests/variants.h"

enum { WORDS = DM_CEILING_CHUNK / sizeof(uint64_t) };

static void reads_every_word(const dm_ceiling_variant *variant) {
    test_random random = {11};
    for (size_t chunks = 0; chunks <= 3; chunks++) {
        uint64_t *words = test_guard_allocate(chunks * DM_CEILING_CHUNK + 64, TEST_GUARD_AFTER);
        memset(words, 0, chunks * DM_CEILING_CHUNK + 64);
        words += 8; /* the last word is the last before the guard page */
        CHECK_EQUAL(variant->read(words, chunks), 0);
        uint64_t sum = 0;
        for (size_t i = 0; i < chunks * WORDS; i++) {
            words[i] = UINT64_C(1) << (i % 64);
            CHECK_EQUAL(variant->read(words, chunks), words[i]);
            words[i] = 0;
        }
        for (size_t i = 0; i < chunks * WORDS; i++) {
            words[i] = test_random_next(&random) >> 12; /* SIMDe adds with a sign, and must not overflow */
            sum += words[i];
        }
        CHECK_EQUAL(variant->read(words, chunks), sum);
        test_guard_free(words - 8);
    }
}

/* A power of two more every round: exact, so a round or a lane too few shows. */
static void computes_in_every_lane(const dm_ceiling_variant *variant) {
    for (uint64_t rounds = 0; rounds <= 40; rounds++) {
        CHECK(variant->multiply_add(3.0f, 2.0f, 0.0f, rounds) == ldexp(3.0, (int)rounds) * variant->lanes);
        CHECK(variant->multiply_add(0.0f, 1.0f, 1.0f, rounds) == (double)rounds * variant->lanes);
    }
    CHECK(fabs(variant->multiply_add(2.5f, 0.5f, 0.5f, 100) / variant->lanes - 1.0) < 1e-6);
}

int main(void) {
    for (size_t i = 0; i < dm_ceiling_variant_count; i++) {
        const dm_ceiling_variant *variant = &dm_ceiling_variants[i];
        test_report_variant("ceiling", variant->name, variant->isa);
        CHECK(dm_ceiling_find(variant->name) == variant);
        if (dm_isa_has(variant->isa)) {
            reads_every_word(variant);
            computes_in_every_lane(variant);
        }
    }
    CHECK(dm_ceiling_find("none") == NULL);
    CHECK(dm_isa_has(dm_ceiling_best()->isa));
    return test_report();
}
