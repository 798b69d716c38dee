/* gram.c: the table of variants, the layout of a panel, and the proofs of the two bounds.
 *
 * Reach. As in codes.c, x = X + e with X = s c and |e| <= R gives for two unit vectors
 *
 *     cos <= s_a s_b (c_a . c_b) + R_a (1 + R_b) + R_b,
 *
 * the first term of which is computed from whole numbers (at most 4096 x 22^2 < 2^24, so exact as a float32 too).
 * With 22 levels R <= sqrt(4096) / (2 x 22) + 1e-3 < 1.46, so |X| < 2.46 and |first term| < 6.1. Rounding (u =
 * 2^-24): that term two products, the radii's three operations, one sum, the floor's two differences, of numbers
 * below 10 each: less than 80 u < 2^-17, which the floor is lowered by.
 *
 * Dots. Each unit vector is within u (1 + 2^-16) of the true one, each lane a chain of ceil(dim/16) roundings, the
 * lanes 4 more: at most (2 + ceil(dim/16) + 4) u, with 1 % for the products of errors (gamma_n; Higham, Accuracy and
 * Stability of Numerical Algorithms, 2nd ed., section 3.1) and norms that exceed 1 by rounding. Products and sums
 * below FLT_MIN: 4096 x 2^-149. */
#include "simd/gram.h"

#include <string.h>

const dm_gram_variant dm_gram_variants[] = {
    {"scalar", DM_ISA_BASELINE, dm_gram_dots_scalar, dm_gram_reach_scalar, dm_gram_weigh_scalar,
     dm_gram_largest_scalar, dm_gram_next_scalar},
#if defined(__x86_64__)
    {"avx2", DM_ISA_AVX2, dm_gram_dots_avx2, dm_gram_reach_avx2, dm_gram_weigh_avx2, dm_gram_largest_avx2,
     dm_gram_next_avx2},
    {"avx512", DM_ISA_AVX512, dm_gram_dots_avx512, dm_gram_reach_avx512, dm_gram_weigh_avx512, dm_gram_largest_avx512,
     dm_gram_next_avx512},
#elif defined(__aarch64__)
    {"neon", DM_ISA_NEON, dm_gram_dots_neon, dm_gram_reach_neon, dm_gram_weigh_neon, dm_gram_largest_neon,
     dm_gram_next_neon},
#endif
};
const size_t dm_gram_variant_count = sizeof(dm_gram_variants) / sizeof(dm_gram_variants[0]);

const dm_gram_variant *dm_gram_best(void) {
    size_t best = dm_gram_variant_count - 1;
    while (!dm_isa_has(dm_gram_variants[best].isa)) {
        best--; /* ends at the latest at the scalar row */
    }
    return &dm_gram_variants[best];
}

const dm_gram_variant *dm_gram_find(const char *name) {
    for (size_t i = 0; i < dm_gram_variant_count; i++) {
        if (strcmp(dm_gram_variants[i].name, name) == 0) {
            return &dm_gram_variants[i];
        }
    }
    return NULL;
}

void dm_gram_pack(int8_t *panel, uint8_t *lifted_panel, uint32_t row, const int8_t *codes, size_t words) {
    for (size_t w = 0; w < words; w++) {
        const size_t place = (w * DM_GRAM_PANEL + row) * DM_GRAM_WORD;
        uint8_t lifted[DM_GRAM_WORD];
        for (size_t i = 0; i < DM_GRAM_WORD; i++) {
            lifted[i] = (uint8_t)(codes[w * DM_GRAM_WORD + i] + DM_GRAM_LEVELS);
        }
        memcpy(panel + place, codes + w * DM_GRAM_WORD, DM_GRAM_WORD);
        memcpy(lifted_panel + place, lifted, DM_GRAM_WORD);
    }
}

double dm_gram_error_bound(uint32_t dim) {
    uint32_t chain = (dim + DM_GRAM_LANES - 1) / DM_GRAM_LANES;
    return 1.01 * (2.0 + (double)chain + 4.0) * 0x1.0p-24;
}

float dm_gram_floor(float least, float radius) {
    return least - radius - 0x1.0p-17f;
}
