/* similarity_avx2.c: four rows at once, two accumulators each.
 *
 * Eight chains of fused multiply-adds cover latency 4 x throughput 2. Four rows share the loads of the query: 10 loads
 * for 8 multiply-adds, where one row at a time needs 16. Four streams also keep the prefetchers of L2 and L3 busier
 * than one (1.5 x at 8 MiB). Eight rows with one accumulator each were no faster at 16 rows and lose the short chains.
 *
 * The accumulators are folded into a total every FOLD floats. The additions hide behind the loads, and no chain of
 * roundings is longer than FOLD / 16 + dim / FOLD + 4. It matters for constant vectors, whose rounding errors all have one
 * sign: 2.8e-7 instead of 8.0e-7 for 768 dimensions, 5.4e-7 instead of 3.9e-6 for 4,096. */
#include "simd/similarity.h"

#if defined(__AVX2__)

#include <immintrin.h>

enum { FOLD = 192 }; /* floats; the bound in similarity.c uses it */

/* The sums of the lanes of four vectors. */
static inline __m128 sum_lanes(__m256 a, __m256 b, __m256 c, __m256 d) {
    __m256 abcd = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
    return _mm_add_ps(_mm256_castps256_ps128(abcd), _mm256_extractf128_ps(abcd, 1));
}

/* The dot products of four rows with the query; all padded to a multiple of 16 floats. */
static inline __m128 dot_four(const float *const row[4], const float *unit, size_t padded) {
    __m256 total[4];
    for (int r = 0; r < 4; r++) {
        total[r] = _mm256_setzero_ps();
    }
    size_t i = 0;
    do {
        size_t end = padded - i < FOLD ? padded : i + FOLD;
        __m256 low[4];
        __m256 high[4];
        for (int r = 0; r < 4; r++) {
            low[r] = _mm256_setzero_ps();
            high[r] = _mm256_setzero_ps();
        }
        for (; i < end; i += 16) {
            __m256 unit_low = _mm256_load_ps(unit + i);
            __m256 unit_high = _mm256_load_ps(unit + i + 8);
            for (int r = 0; r < 4; r++) {
                low[r] = _mm256_fmadd_ps(unit_low, _mm256_load_ps(row[r] + i), low[r]);
                high[r] = _mm256_fmadd_ps(unit_high, _mm256_load_ps(row[r] + i + 8), high[r]);
            }
        }
        for (int r = 0; r < 4; r++) {
            total[r] = _mm256_add_ps(total[r], _mm256_add_ps(low[r], high[r]));
        }
    } while (i < padded);
    return sum_lanes(total[0], total[1], total[2], total[3]);
}

static inline __m128 clamp(__m128 cosines) {
    return _mm_max_ps(_mm_min_ps(cosines, _mm_set1_ps(1.0f)), _mm_set1_ps(-1.0f));
}

/* The last one to three rows: the block is filled up with the last row, so that the arithmetic, and with it every bit
 * of a result, is that of a full block. */
static void scan_rest(const dm_rows *rows, const float *unit, float *cosines, uint32_t first) {
    const float *row[4];
    float inverse_norms[4];
    for (uint32_t r = 0; r < 4; r++) {
        uint32_t there = first + r < rows->count ? first + r : rows->count - 1;
        row[r] = rows->values + there * rows->stride;
        inverse_norms[r] = rows->inverse_norms[there];
    }
    float block[4];
    __m128 dots = dot_four(row, unit, dm_padded_dim(rows->dim));
    _mm_storeu_ps(block, clamp(_mm_mul_ps(dots, _mm_loadu_ps(inverse_norms))));
    for (uint32_t r = 0; first + r < rows->count; r++) {
        cosines[first + r] = block[r];
    }
}

void dm_similarity_scan_avx2(const dm_rows *rows, const float *unit, float *cosines, int32_t direction) {
    const size_t padded = dm_padded_dim(rows->dim);
    const uint32_t blocks = rows->count / 4;
    const uint32_t rest = rows->count % 4;
    if (rest != 0 && direction == DM_SCAN_BACKWARD) {
        scan_rest(rows, unit, cosines, 4 * blocks);
    }
    for (uint32_t step = 0; step < blocks; step++) {
        uint32_t first = 4 * (direction == DM_SCAN_BACKWARD ? blocks - 1 - step : step);
        const float *begin = rows->values + first * rows->stride;
        const float *const row[4] = {begin, begin + rows->stride, begin + 2 * rows->stride, begin + 3 * rows->stride};
        __m128 inverse_norms = _mm_loadu_ps(rows->inverse_norms + first);
        _mm_storeu_ps(cosines + first, clamp(_mm_mul_ps(dot_four(row, unit, padded), inverse_norms)));
    }
    if (rest != 0 && direction != DM_SCAN_BACKWARD) {
        scan_rest(rows, unit, cosines, 4 * blocks);
    }
}

#endif
