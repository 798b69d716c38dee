/* gather_avx512vnni.c: the gathering of gather_avx512.h with one instruction per 64 codes in place of three. */
#include "simd/gather_avx512.h"

#if defined(DM_AVX512_CODE) && (defined(__AVX512VNNI__) || defined(DM_EMULATE_AVX512))

DM_INLINE __m512i multiply_add(__m512i sums, __m512i values, __m512i weights) {
    return _mm512_dpbusd_epi32(sums, values, weights);
}

void dm_gather_dots_avx512vnni(const dm_gathered *from, const uint32_t *rows, uint32_t count, const dm_weights *weights,
                               int32_t *dots) {
    dm_gather_dots(multiply_add, from, rows, count, weights, dots);
}

#endif
