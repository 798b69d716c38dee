/* test_crc32c.c: every variant against the definition, bit by bit, between guard pages; the examples of RFC 3720. */
#include <stdlib.h>
#include <string.h>

#include "simd/crc32c.h"
#include "tests/support.h"
#include "tests/variants.h"

static dm_crc32c_tables tables;

/* The definition, with the polynomial as the standard writes it: bit 31 is x^31, message bits lowest first. */
static uint32_t by_definition(const unsigned char *bytes, size_t size) {
    uint32_t remainder = UINT32_MAX; /* reflected: what is shifted out is the lowest bit */
    for (size_t i = 0; i < size; i++) {
        for (int bit = 0; bit < 8; bit++) {
            uint32_t out = (remainder ^ (uint32_t)(bytes[i] >> bit)) & 1;
            remainder >>= 1;
            for (int k = 0; out && k < 32; k++) {
                remainder ^= (UINT32_C(0x1EDC6F41) >> k & 1) << (31 - k);
            }
        }
    }
    return ~remainder;
}

static void examples_of_the_standard(const dm_crc32c_variant *variant) {
    unsigned char bytes[32];
    memset(bytes, 0, sizeof(bytes));
    CHECK_EQUAL(variant->update(&tables, 0, bytes, 32), 0x8A9136AA);
    memset(bytes, 0xFF, sizeof(bytes));
    CHECK_EQUAL(variant->update(&tables, 0, bytes, 32), 0x62A8AB43);
    for (unsigned char i = 0; i < 32; i++) {
        bytes[i] = i;
    }
    CHECK_EQUAL(variant->update(&tables, 0, bytes, 32), 0x46DD794E);
    for (unsigned char i = 0; i < 32; i++) {
        bytes[i] = (unsigned char)(31 - i);
    }
    CHECK_EQUAL(variant->update(&tables, 0, bytes, 32), 0x113FDB5C);
    CHECK_EQUAL(variant->update(&tables, 0, "123456789", 9), 0xE3069283);
    CHECK_EQUAL(variant->update(&tables, 0, bytes, 0), 0);
}

/* Every short length, and around each whole number of rounds of three lanes of 8 KiB; at every offset of a word. */
static void lengths_and_offsets(const dm_crc32c_variant *variant, test_random *random) {
    static const size_t rounds[] = {8192, 16384, 24576, 32768, 49152, 73728};
    for (size_t i = 0; i < 200 + 6 * 5; i++) {
        size_t size = i < 200 ? i : rounds[(i - 200) / 5] + (i - 200) % 5 * 7 - 14;
        for (int side = TEST_GUARD_AFTER; side <= TEST_GUARD_BEFORE; side++) {
            size_t offset = side == TEST_GUARD_BEFORE ? 0 : i % 8;
            unsigned char *bytes = test_guard_allocate(size + offset, side);
            for (size_t k = 0; k < size + offset; k++) {
                bytes[k] = (unsigned char)test_random_next(random);
            }
            CHECK_EQUAL(variant->update(&tables, 0, bytes + offset, size), by_definition(bytes + offset, size));
            size_t cut = test_random_below(random, size + 1);
            uint32_t first = variant->update(&tables, 0, bytes + offset, cut);
            CHECK_EQUAL(variant->update(&tables, first, bytes + offset + cut, size - cut),
                        by_definition(bytes + offset, size));
            test_guard_free(bytes);
        }
    }
}

/* One bit in a field of zeros, in every place that a lane, a join or a tail treats in a way of its own. */
static void a_single_bit_counts(const dm_crc32c_variant *variant, test_random *random) {
    enum { SIZE = 2 * 24576 + 21 };
    static unsigned char bytes[SIZE];
    uint32_t zeros = variant->update(&tables, 0, bytes, SIZE);
    CHECK_EQUAL(zeros, by_definition(bytes, SIZE));
    for (int i = 0; i < 60; i++) {
        size_t at = i < 12 ? (size_t)i * 4096 : i < 33 ? (size_t)SIZE - 1 - (size_t)(i - 12) : test_random_below(random, SIZE);
        bytes[at] = (unsigned char)(1u << test_random_below(random, 8));
        CHECK_EQUAL(variant->update(&tables, 0, bytes, SIZE), by_definition(bytes, SIZE));
        CHECK(variant->update(&tables, 0, bytes, SIZE) != zeros);
        bytes[at] = 0;
    }
}

int main(void) {
    test_random random = {20};
    dm_crc32c_prepare(&tables);
    for (size_t i = 0; i < dm_crc32c_variant_count; i++) {
        const dm_crc32c_variant *variant = &dm_crc32c_variants[i];
        test_report_variant("crc32c", variant->name, variant->isa);
        if (dm_isa_has(variant->isa)) {
            examples_of_the_standard(variant);
            lengths_and_offsets(variant, &random);
            a_single_bit_counts(variant, &random);
        }
    }
    CHECK(dm_isa_has(dm_crc32c_best()->isa));
    return test_report();
}
