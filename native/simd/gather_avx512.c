/* gather_avx512.c: the gathering of gather_avx512.h with the multiply-adds of AVX-512 BW. */
#include "simd/gather_avx512.h"

#if defined(DM_AVX512_CODE)

DM_INLINE __m512i multiply_add(__m512i sums, __m512i values, __m512i weights) {
    __m512i pairs = _mm512_maddubs_epi16(values, weights);
    return _mm512_add_epi32(sums, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
}

void dm_gather_dots_avx512(const dm_gathered *from, const uint32_t *rows, uint32_t count, const dm_weights *weights,
                           int32_t *dots) {
    dm_gather_dots(multiply_add, from, rows, count, weights, dots);
}

#endif
