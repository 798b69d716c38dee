/* panels_avx2.c: two panels at once, which share the query's words: four chains of additions. */
#include "simd/panels.h"

#if defined(__AVX2__)

#include <immintrin.h>
#include <string.h>

#include "simd/codes.h"

static inline __m256i multiply_add(__m256i sums, const uint8_t *values, __m256i weights) {
    __m256i pairs = _mm256_maddubs_epi16(_mm256_load_si256((const __m256i *)(const void *)values), weights);
    return _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

static inline void finish(const __m256i sums[2], const uint8_t *scales, const dm_weights *weights, float *estimates) {
    const __m256i offset = _mm256_set1_epi32(DM_CODE_OFFSET * weights->sum);
    for (size_t half = 0; half < 2; half++) {
        __m256 factors = _mm256_load_ps((const float *)(const void *)(scales + 32 * half));
        __m256 dots = _mm256_cvtepi32_ps(_mm256_sub_epi32(sums[half], offset));
        factors = _mm256_mul_ps(factors, _mm256_set1_ps(weights->scale));
        _mm256_storeu_ps(estimates + 8 * half, _mm256_mul_ps(dots, factors));
    }
}

/* together: 1 or 2, a constant in the caller. */
static inline __attribute__((always_inline)) void scan_some(const uint8_t *panel, size_t together, size_t words,
                                                            const dm_weights *weights, float *estimates) {
    const size_t bytes = (words + 1) * DM_PANEL_LINE;
    __m256i sums[2][2];
    for (size_t p = 0; p < together; p++) {
        sums[p][0] = _mm256_setzero_si256();
        sums[p][1] = _mm256_setzero_si256();
    }
    for (size_t w = 0; w < words; w++) {
        int32_t word;
        memcpy(&word, weights->values + w * DM_PANEL_WORD, sizeof(word));
        __m256i four = _mm256_set1_epi32(word);
        for (size_t p = 0; p < together; p++) {
            const uint8_t *line = panel + p * bytes + w * DM_PANEL_LINE;
            sums[p][0] = multiply_add(sums[p][0], line, four);
            sums[p][1] = multiply_add(sums[p][1], line + 32, four);
        }
    }
    for (size_t p = 0; p < together; p++) {
        finish(sums[p], panel + p * bytes + words * DM_PANEL_LINE, weights, estimates + p * DM_PANEL_ROWS);
    }
}

void dm_panels_scan_avx2(const uint8_t *panels, size_t count, size_t words, const dm_weights *weights,
                         float *estimates) {
    const size_t bytes = (words + 1) * DM_PANEL_LINE;
    size_t p = 0;
    for (; p + 2 <= count; p += 2) {
        scan_some(panels + p * bytes, 2, words, weights, estimates + p * DM_PANEL_ROWS);
    }
    if (p < count) {
        scan_some(panels + p * bytes, 1, words, weights, estimates + p * DM_PANEL_ROWS);
    }
}

#endif
