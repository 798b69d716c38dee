/* panels_avx512vnni.c: the scan of panels_avx512.h with one instruction per 64 codes in place of three. */
#include "simd/panels_avx512.h"

#if defined(DM_AVX512_CODE) && (defined(__AVX512VNNI__) || defined(DM_EMULATE_AVX512))

DM_INLINE __m512i multiply_add(__m512i sums, __m512i values, __m512i weights) {
    return _mm512_dpbusd_epi32(sums, values, weights);
}

void dm_panels_scan_avx512vnni(const uint8_t *panels, size_t count, size_t words, const dm_weights *weights,
                               float *estimates) {
    dm_scan_panels(multiply_add, panels, count, words, weights, estimates);
}

#endif
