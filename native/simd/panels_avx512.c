/* panels_avx512.c: the scan of panels_avx512.h with the multiply-adds of AVX-512 BW. */
#include "simd/panels_avx512.h"

#if defined(DM_AVX512_CODE)

DM_INLINE __m512i multiply_add(__m512i sums, __m512i values, __m512i weights) {
    __m512i pairs = _mm512_maddubs_epi16(values, weights);
    return _mm512_add_epi32(sums, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
}

void dm_panels_scan_avx512(const uint8_t *panels, size_t count, size_t words, const dm_weights *weights,
                           float *estimates) {
    dm_scan_panels(multiply_add, panels, count, words, weights, estimates);
}

#endif
