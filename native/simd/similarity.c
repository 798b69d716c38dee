/* similarity.c: the table of variants, and the error bound that holds for all of them. */
#include "simd/similarity.h"

#include <math.h>
#include <string.h>

const dm_similarity_variant dm_similarity_variants[] = {
    {"scalar", DM_ISA_BASELINE, dm_similarity_scan_scalar},
#if defined(__x86_64__)
    {"avx2", DM_ISA_AVX2, dm_similarity_scan_avx2},
    {"avx512", DM_ISA_AVX512, dm_similarity_scan_avx512},
#elif defined(__aarch64__)
    {"neon", DM_ISA_NEON, dm_similarity_scan_neon},
#endif
};
const size_t dm_similarity_variant_count = sizeof(dm_similarity_variants) / sizeof(dm_similarity_variants[0]);

const dm_similarity_variant *dm_similarity_best(void) {
    size_t best = dm_similarity_variant_count - 1;
    while (!dm_isa_has(dm_similarity_variants[best].isa)) {
        best--; /* ends at the latest at the scalar row */
    }
    return &dm_similarity_variants[best];
}

const dm_similarity_variant *dm_similarity_find(const char *name) {
    for (size_t i = 0; i < dm_similarity_variant_count; i++) {
        if (strcmp(dm_similarity_variants[i].name, name) == 0) {
            return &dm_similarity_variants[i];
        }
    }
    return NULL;
}

/* Let u = 2^-24, x a row, q the query, and everything divided by |x| |q|, so that sum |x_i q_i| <= 1 (Cauchy-Schwarz).
 *   rounding q / |q| to float32           (1 + u)(1 + 2^-40) on every product            <= 1.01 u
 *   a chain of n roundings                gamma_n = n u / (1 - n u) (Higham, Accuracy and Stability of Numerical
 *                                         Algorithms, 2nd ed., section 3.1), n <= 16 + ceil(dim/192):
 *
 *                 floats a step   products   joins of accumulators   folds            sums of lanes
 *       AVX2                 16         12                       1   ceil(dim/192)                3
 *       AVX-512              32          6                       1   ceil(dim/192)                4
 *       NEON                 16         12                       2   ceil(dim/192)                2
 *
 *   the row's inverse norm                                                               <= 4 u  (2^-22)
 *   the product with it, the final rounding of the scalar variant                        <= 2 u
 *   products and sums below FLT_MIN       4096 x 2^-149 x inverse norm (<= 2^63.1)       < 2^-73
 * Clamping brings the result no farther from a true cosine. n + 8 with 1 % for the products of these errors covers all
 * of it: 1.7e-6 for 768. The scalar variant, with its double sums, is far inside. */
double dm_similarity_error_bound(uint32_t dim) {
    double roundings = 16.0 + ceil((double)dim / 192.0);
    return 1.01 * (roundings + 8.0) * 0x1.0p-24;
}
