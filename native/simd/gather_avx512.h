/* gather_avx512.h: what gather_avx512.c and gather_avx512vnni.c share: four rows at once, 64 codes of each per step.
 * They differ in one step, how 64 products are added to 16 sums, which each hands in; it is inlined. */
#ifndef DUALMEM_SIMD_GATHER_AVX512_H
#define DUALMEM_SIMD_GATHER_AVX512_H

#include "simd/codes_avx512.h"
#include "simd/gather.h"

#if defined(DM_AVX512_CODE)

/* Rows of the four from `first` on; behind the last row comes the last row again. */
DM_INLINE void dm_take_four(const dm_gathered *from, const uint32_t *rows, uint32_t count, uint32_t first,
                            const uint8_t *taken[4]) {
    for (uint32_t r = 0; r < 4; r++) {
        uint32_t place = first + r < count ? first + r : count - 1;
        taken[r] = from->codes + rows[place] * from->step;
    }
}

DM_INLINE __m128i dm_gather_four(dm_multiply_add *multiply_add, const uint8_t *const row[4], const uint8_t *const next[4],
                                 const int8_t *weights, size_t stride) {
    __m512i sums[4];
    for (int r = 0; r < 4; r++) {
        sums[r] = _mm512_setzero_si512();
    }
    for (size_t i = 0; i < stride; i += 64) {
        __m512i weight = _mm512_load_si512((const void *)(weights + i));
        for (int r = 0; r < 4; r++) {
            __builtin_prefetch(next[r] + i, 0, 3);
            sums[r] = multiply_add(sums[r], _mm512_load_si512((const void *)(row[r] + i)), weight);
        }
    }
    __m256i ab = _mm256_hadd_epi32(dm_fold_halves(sums[0]), dm_fold_halves(sums[1]));
    __m256i cd = _mm256_hadd_epi32(dm_fold_halves(sums[2]), dm_fold_halves(sums[3]));
    __m256i abcd = _mm256_hadd_epi32(ab, cd);
    return _mm_add_epi32(_mm256_castsi256_si128(abcd), _mm256_extracti128_si256(abcd, 1));
}

DM_INLINE void dm_gather_dots(dm_multiply_add *multiply_add, const dm_gathered *from, const uint32_t *rows, uint32_t count,
                              const dm_weights *weights, int32_t *dots) {
    const __m128i offset = _mm_set1_epi32(DM_CODE_OFFSET * weights->sum);
    const uint8_t *row[4];
    const uint8_t *next[4];
    if (count == 0) {
        return;
    }
    dm_take_four(from, rows, count, 0, next);
    for (uint32_t first = 0; first < count; first += 4) {
        for (int r = 0; r < 4; r++) {
            row[r] = next[r];
        }
        dm_take_four(from, rows, count, first + 4, next);
        int32_t four[4];
        __m128i found = dm_gather_four(multiply_add, row, next, weights->values, from->stride);
        _mm_storeu_si128((__m128i *)(void *)four, _mm_sub_epi32(found, offset));
        for (uint32_t r = 0; r < 4 && first + r < count; r++) {
            dots[first + r] = four[r];
        }
    }
}

#endif

#endif
