/* codes_avx512vnni.c: the scan of codes_avx512.h with one instruction per 64 codes in place of three. Encoding needs none of
 * it: that is the AVX-512 variant's. */
#include "simd/codes_avx512.h"

#if defined(DM_AVX512_CODE) && (defined(__AVX512VNNI__) || defined(DM_EMULATE_AVX512))

DM_INLINE __m512i multiply_add(__m512i sums, __m512i values, __m512i weights) {
    return _mm512_dpbusd_epi32(sums, values, weights);
}

void dm_codes_scan_avx512vnni(const dm_codes *codes, const int8_t *query, dm_code_facts facts, float *bounds,
                              int32_t direction) {
    dm_scan_codes(multiply_add, codes, query, facts, bounds, direction);
}

#endif
