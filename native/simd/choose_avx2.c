/* choose_avx2.c: 64 groups at a time in eight registers; 32 numbers per branch. */
#include "simd/choose.h"

#if defined(__AVX2__)

#include <immintrin.h>

enum { REGISTERS = 8, LANES = 8, STRIP = REGISTERS * LANES, BLOCK = 4 * LANES };

/* The peaks of 64 neighbouring groups. */
static inline void strip_peaks(const float *values, uint32_t count, float empty, float *peaks, uint32_t first,
                               uint32_t groups) {
    __m256 largest[REGISTERS];
    for (uint32_t r = 0; r < REGISTERS; r++) {
        largest[r] = _mm256_set1_ps(empty);
    }
    size_t i = first;
    for (; i + STRIP <= count; i += groups) {
        for (uint32_t r = 0; r < REGISTERS; r++) {
            largest[r] = _mm256_max_ps(largest[r], _mm256_load_ps(values + i + (size_t)r * LANES));
        }
    }
    for (uint32_t r = 0; r < REGISTERS; r++) {
        _mm256_storeu_ps(peaks + first + r * LANES, largest[r]);
    }
    for (uint32_t group = first; i < count; group++, i++) { /* the last, incomplete strip */
        peaks[group] = values[i] > peaks[group] ? values[i] : peaks[group];
    }
}

void dm_choose_peaks_avx2(const float *values, uint32_t count, float empty, float *peaks, uint32_t groups) {
    for (uint32_t first = 0; first < groups; first += STRIP) {
        strip_peaks(values, count, empty, peaks, first, groups);
    }
}

uint32_t dm_choose_at_least_avx2(const float *values, uint32_t count, float least, uint32_t *chosen) {
    const __m256 limit = _mm256_set1_ps(least);
    uint32_t size = 0;
    uint32_t i = 0;
    for (; i + BLOCK <= count; i += BLOCK) {
        uint32_t hits = 0;
        for (uint32_t r = 0; r < BLOCK / LANES; r++) {
            __m256 reached = _mm256_cmp_ps(_mm256_load_ps(values + i + r * LANES), limit, _CMP_GE_OQ);
            hits |= (uint32_t)_mm256_movemask_ps(reached) << (r * LANES);
        }
        for (; hits != 0; hits &= hits - 1) {
            chosen[size++] = i + (uint32_t)__builtin_ctz(hits);
        }
    }
    for (; i < count; i++) {
        if (values[i] >= least) {
            chosen[size++] = i;
        }
    }
    return size;
}

#endif
