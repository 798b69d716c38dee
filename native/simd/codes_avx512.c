/* codes_avx512.c: encoding 16 floats at a time; the scan of codes_avx512.h with the multiply-adds of AVX-512 BW: three
 * instructions per 64 codes, as in codes_avx2.c. */
#include "simd/codes_avx512.h"

#if defined(DM_AVX512_CODE)

#include <math.h>
#include <string.h>

static inline float largest_float(__m512 lanes) {
    __m256 upper = _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(lanes), 1));
    __m256 eight = _mm256_max_ps(_mm512_castps512_ps256(lanes), upper);
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_shuffle_ps(two, two, 1)));
}

static inline float sum_floats(__m512 lanes) {
    __m256 upper = _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(lanes), 1));
    __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(lanes), upper);
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}

static inline int32_t sum_whole(__m512i lanes) {
    __m256i eight = dm_fold_halves(lanes);
    __m128i four = _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
    __m128i two = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
    return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 1)));
}

dm_code_facts dm_codes_encode_avx512(int8_t *codes, const float *unit, uint32_t dim, int32_t levels) {
    const size_t padded = dm_padded_dim(dim);
    __m512 largest_lanes = _mm512_setzero_ps();
    for (size_t i = 0; i < padded; i += 16) {
        largest_lanes = _mm512_max_ps(largest_lanes, _mm512_abs_ps(_mm512_load_ps(unit + i)));
    }
    const float largest = largest_float(largest_lanes);
    memset(codes + padded, 0, dm_code_stride(dim) - padded);
    if (largest == 0.0f) {
        memset(codes, 0, padded);
        return (dm_code_facts){.scale = 0.0f, .radius = dm_code_radius_of(0.0), .sum = 0};
    }
    const float scale = largest / (float)levels;
    const __m512 steps = _mm512_set1_ps((float)levels / largest);
    const __m512 scales = _mm512_set1_ps(scale);
    __m512 residuals = _mm512_setzero_ps();
    __m512i sums = _mm512_setzero_si512();
    for (size_t i = 0; i < padded; i += 16) {
        __m512 values = _mm512_load_ps(unit + i);
        __m512i code = _mm512_cvtps_epi32(_mm512_mul_ps(values, steps));
        __m512 rest = _mm512_fnmadd_ps(scales, _mm512_cvtepi32_ps(code), values);
        residuals = _mm512_fmadd_ps(rest, rest, residuals);
        sums = _mm512_add_epi32(sums, code);
        _mm_store_si128((__m128i *)(void *)(codes + i), _mm512_cvtsepi32_epi8(code));
    }
    const double residual = (double)sum_floats(residuals);
    return (dm_code_facts){.scale = scale, .radius = dm_code_radius_of(sqrt(residual)), .sum = sum_whole(sums)};
}

DM_INLINE __m512i multiply_add(__m512i sums, __m512i values, __m512i weights) {
    __m512i pairs = _mm512_maddubs_epi16(values, weights);
    return _mm512_add_epi32(sums, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
}

void dm_codes_scan_avx512(const dm_codes *codes, const int8_t *query, dm_code_facts facts, float *bounds,
                          int32_t direction) {
    dm_scan_codes(multiply_add, codes, query, facts, bounds, direction);
}

#endif
