/* panels_avx512.h: what panels_avx512.c and panels_avx512vnni.c share: two panels at once, which share the query's words,
 * and two chains each for even and odd words. They differ in one step, how 64 products are added to 16 sums, which each
 * hands in; it is inlined. */
#ifndef DUALMEM_SIMD_PANELS_AVX512_H
#define DUALMEM_SIMD_PANELS_AVX512_H

#include <string.h>

#include "simd/codes_avx512.h"
#include "simd/panels.h"

#if defined(DM_AVX512_CODE)

DM_INLINE __m512i dm_weight_word(const dm_weights *weights, size_t w) {
    int32_t word;
    memcpy(&word, weights->values + w * DM_PANEL_WORD, sizeof(word));
    return _mm512_set1_epi32(word);
}

/* together: 1 or 2, a constant in the caller. */
DM_INLINE void dm_scan_some(dm_multiply_add *multiply_add, const uint8_t *panel, size_t together, size_t words,
                            const dm_weights *weights, float *estimates) {
    const size_t bytes = (words + 1) * DM_PANEL_LINE;
    __m512i sums[2][2];
    for (size_t p = 0; p < together; p++) {
        sums[p][0] = _mm512_set1_epi32(-DM_CODE_OFFSET * weights->sum);
        sums[p][1] = _mm512_setzero_si512();
    }
    for (size_t w = 0; w < words; w += 2) {
        const __m512i even = dm_weight_word(weights, w);
        const __m512i odd = dm_weight_word(weights, w + 1);
        for (size_t p = 0; p < together; p++) {
            const uint8_t *line = panel + p * bytes + w * DM_PANEL_LINE;
            sums[p][0] = multiply_add(sums[p][0], _mm512_load_si512((const void *)line), even);
            sums[p][1] = multiply_add(sums[p][1], _mm512_load_si512((const void *)(line + DM_PANEL_LINE)), odd);
        }
    }
    for (size_t p = 0; p < together; p++) {
        __m512 scales = _mm512_load_ps((const void *)(panel + p * bytes + words * DM_PANEL_LINE));
        __m512 dots = _mm512_cvtepi32_ps(_mm512_add_epi32(sums[p][0], sums[p][1]));
        scales = _mm512_mul_ps(scales, _mm512_set1_ps(weights->scale));
        _mm512_storeu_ps(estimates + p * DM_PANEL_ROWS, _mm512_mul_ps(dots, scales));
    }
}

DM_INLINE void dm_scan_panels(dm_multiply_add *multiply_add, const uint8_t *panels, size_t count, size_t words,
                              const dm_weights *weights, float *estimates) {
    const size_t bytes = (words + 1) * DM_PANEL_LINE;
    size_t p = 0;
    for (; p + 2 <= count; p += 2) {
        dm_scan_some(multiply_add, panels + p * bytes, 2, words, weights, estimates + p * DM_PANEL_ROWS);
    }
    if (p < count) {
        dm_scan_some(multiply_add, panels + p * bytes, 1, words, weights, estimates + p * DM_PANEL_ROWS);
    }
}

#endif

#endif
