/* gather_avx2.c: four rows at once, 32 codes of each per step, with the multiply-adds of codes_avx2.c. */
#include "simd/gather.h"

#if defined(__AVX2__)

#include <immintrin.h>

#include "simd/codes.h"

/* Rows of the four from `first` on; behind the last row comes the last row again. */
static inline void take_four(const dm_gathered *from, const uint32_t *rows, uint32_t count, uint32_t first,
                             const uint8_t *taken[4]) {
    for (uint32_t r = 0; r < 4; r++) {
        uint32_t place = first + r < count ? first + r : count - 1;
        taken[r] = from->codes + rows[place] * from->step;
    }
}

static inline __m128i dot_four(const uint8_t *const row[4], const uint8_t *const next[4], const int8_t *weights,
                               size_t stride) {
    const __m256i ones = _mm256_set1_epi16(1);
    __m256i sums[4];
    for (int r = 0; r < 4; r++) {
        sums[r] = _mm256_setzero_si256();
    }
    for (size_t i = 0; i < stride; i += 64) {
        for (int r = 0; r < 4; r++) {
            _mm_prefetch((const char *)(next[r] + i), _MM_HINT_T0);
        }
        for (size_t half = i; half < i + 64; half += 32) {
            __m256i weight = _mm256_load_si256((const __m256i *)(const void *)(weights + half));
            for (int r = 0; r < 4; r++) {
                __m256i values = _mm256_load_si256((const __m256i *)(const void *)(row[r] + half));
                __m256i pairs = _mm256_maddubs_epi16(values, weight);
                sums[r] = _mm256_add_epi32(sums[r], _mm256_madd_epi16(pairs, ones));
            }
        }
    }
    __m256i ab = _mm256_hadd_epi32(sums[0], sums[1]);
    __m256i cd = _mm256_hadd_epi32(sums[2], sums[3]);
    __m256i abcd = _mm256_hadd_epi32(ab, cd);
    return _mm_add_epi32(_mm256_castsi256_si128(abcd), _mm256_extracti128_si256(abcd, 1));
}

void dm_gather_dots_avx2(const dm_gathered *from, const uint32_t *rows, uint32_t count, const dm_weights *weights,
                         int32_t *dots) {
    const __m128i offset = _mm_set1_epi32(DM_CODE_OFFSET * weights->sum);
    const uint8_t *row[4];
    const uint8_t *next[4];
    if (count == 0) {
        return;
    }
    take_four(from, rows, count, 0, next);
    for (uint32_t first = 0; first < count; first += 4) {
        for (int r = 0; r < 4; r++) {
            row[r] = next[r];
        }
        take_four(from, rows, count, first + 4, next);
        int32_t four[4];
        __m128i found = dot_four(row, next, weights->values, from->stride);
        _mm_storeu_si128((__m128i *)(void *)four, _mm_sub_epi32(found, offset));
        for (uint32_t r = 0; r < 4 && first + r < count; r++) {
            dots[first + r] = four[r];
        }
    }
}

#endif
