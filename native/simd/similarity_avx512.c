/* similarity_avx512.c: four rows at once, two accumulators each, as in similarity_avx2.c, with twice the lanes.
 *
 * The chains are half as long, so FOLD is the same and the sum of the lanes is one step longer: FOLD / 32 + dim / FOLD + 5
 * roundings. Rows that are an odd number of cache lines long end with one line for the first accumulator alone. */
#include "simd/similarity.h"

#include "simd/avx512.h"

#if defined(DM_AVX512_CODE)

enum { FOLD = 192 }; /* floats; the bound in similarity.c uses it */

static inline __m256 fold_halves(__m512 lanes) {
    __m256 upper = _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(lanes), 1));
    return _mm256_add_ps(_mm512_castps512_ps256(lanes), upper);
}

/* The sums of the lanes of four vectors. */
static inline __m128 sum_lanes(const __m512 four[4]) {
    __m256 ab = _mm256_hadd_ps(fold_halves(four[0]), fold_halves(four[1]));
    __m256 cd = _mm256_hadd_ps(fold_halves(four[2]), fold_halves(four[3]));
    __m256 abcd = _mm256_hadd_ps(ab, cd);
    return _mm_add_ps(_mm256_castps256_ps128(abcd), _mm256_extractf128_ps(abcd, 1));
}

/* The dot products of four rows with the query; all padded to a multiple of 16 floats. */
static inline __m128 dot_four(const float *const row[4], const float *unit, size_t padded) {
    __m512 total[4];
    for (int r = 0; r < 4; r++) {
        total[r] = _mm512_setzero_ps();
    }
    size_t i = 0;
    do {
        size_t end = padded - i < FOLD ? padded : i + FOLD;
        __m512 even[4];
        __m512 odd[4];
        for (int r = 0; r < 4; r++) {
            even[r] = _mm512_setzero_ps();
            odd[r] = _mm512_setzero_ps();
        }
        for (; i + 32 <= end; i += 32) {
            __m512 unit_even = _mm512_load_ps(unit + i);
            __m512 unit_odd = _mm512_load_ps(unit + i + 16);
            for (int r = 0; r < 4; r++) {
                even[r] = _mm512_fmadd_ps(unit_even, _mm512_load_ps(row[r] + i), even[r]);
                odd[r] = _mm512_fmadd_ps(unit_odd, _mm512_load_ps(row[r] + i + 16), odd[r]);
            }
        }
        if (i < end) {
            __m512 unit_last = _mm512_load_ps(unit + i);
            for (int r = 0; r < 4; r++) {
                even[r] = _mm512_fmadd_ps(unit_last, _mm512_load_ps(row[r] + i), even[r]);
            }
            i += 16;
        }
        for (int r = 0; r < 4; r++) {
            total[r] = _mm512_add_ps(total[r], _mm512_add_ps(even[r], odd[r]));
        }
    } while (i < padded);
    return sum_lanes(total);
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

void dm_similarity_scan_avx512(const dm_rows *rows, const float *unit, float *cosines, int32_t direction) {
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
