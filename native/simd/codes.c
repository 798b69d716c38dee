/* codes.c: the table of variants, and the proof that the bounds are bounds.
 *
 * Let x and q be a row and a query of norm > 0, x' = x / |x| and q' = q / |q| exactly, and X = s_x c_x, Q = s_q c_q what
 * their codes stand for. Then
 *
 *     cos(q, x) = q'.x' = Q.X + (q' - Q).X + q'.(x' - X)
 *
 * and by Cauchy-Schwarz, with |q'| = 1, |q' - Q| <= R_q, |x' - X| <= R_x and |X| <= |x'| + |x' - X| <= 1 + R_x,
 *
 *     cos(q, x) <= s_x s_q (c_x.c_q) + R_q (1 + R_x) + R_x = s_x s_q (c_x.c_q) + R_x (1 + R_q) + R_q.
 *
 * The dot product of the codes is exact: whole numbers, at most 4096 x 255 x 64 < 2^31. It remains to account for rounding
 * (u = 2^-24):
 *
 *   The radius. The encoder sees unit = fl(x'), |unit - x'| <= u, and computes e = unit - s c with one rounding per element
 *   (|error| <= u |e|), then the norm of e, in float32 lanes at worst: a relative error below (4096/8 + 8) u < 4e-5.
 *   Squares that underflow lose at most 64 x 1e-19 of the norm. dm_code_radius_of adds 1e-4 of the norm and 2^-22, which
 *   covers all this and its own rounding: R bounds |x' - s c| truly.
 *
 *   The bound. R <= sqrt(4096) / (2 x 64) + 1e-3 < 0.51, as |e_i| <= scale / 2 <= max|unit| / (2 levels) (twice the half
 *   step for a tie that rounds the other way is far inside), so |s_x s_q (c_x.c_q)| <= |X| |Q| < 1.51^2 < 2.3. That term
 *   carries three roundings (the scales' product, the conversion of the whole number, the product of both), R_x (1 + R_q)
 *   two and the sums two, of numbers below 3.6: together less than (3 x 2.3 + 2 x 0.78 + 2 x 3.6) u < 16 u = 2^-20.
 *   `lift` contains 2^-19, the other half of which covers the rounding of lift itself and a cosine that was rounded up.
 *
 * A row or query of norm zero has codes, scale and cosine 0; its radius is positive, so the bound holds too. */
#include "simd/codes.h"

#include <string.h>

const dm_codes_variant dm_codes_variants[] = {
    {"scalar", DM_ISA_BASELINE, dm_codes_encode_scalar, dm_codes_scan_scalar},
#if defined(__x86_64__)
    {"avx2", DM_ISA_AVX2, dm_codes_encode_avx2, dm_codes_scan_avx2},
    {"avx512", DM_ISA_AVX512, dm_codes_encode_avx512, dm_codes_scan_avx512},
    {"avx512vnni", DM_ISA_AVX512_VNNI, dm_codes_encode_avx512, dm_codes_scan_avx512vnni},
#elif defined(__aarch64__)
    {"neon", DM_ISA_NEON, dm_codes_encode_neon, dm_codes_scan_neon},
#endif
};
const size_t dm_codes_variant_count = sizeof(dm_codes_variants) / sizeof(dm_codes_variants[0]);

const dm_codes_variant *dm_codes_find(const char *name) {
    for (size_t i = 0; i < dm_codes_variant_count; i++) {
        if (strcmp(dm_codes_variants[i].name, name) == 0) {
            return &dm_codes_variants[i];
        }
    }
    return NULL;
}

dm_code_terms dm_code_terms_of(float query_radius) {
    return (dm_code_terms){.growth = 1.0f + query_radius, .lift = query_radius + 0x1.0p-19f};
}

float dm_code_radius_of(double norm) {
    return (float)(norm * 1.0001 + 0x1.0p-22);
}
