/* exponential_avx2.h: exponential.h for eight floats. */
#ifndef DUALMEM_SIMD_EXPONENTIAL_AVX2_H
#define DUALMEM_SIMD_EXPONENTIAL_AVX2_H

#include "simd/exponential.h"

#if defined(__AVX2__)

#include <immintrin.h>

/* The terms, in every lane. */
typedef struct dm_exponential {
    __m256 least;
    __m256 most;
    __m256 high;
    __m256 low;
    __m256 eighths;
    __m256 constants;
} dm_exponential;

/* eight floats: exp2 = polynomial * power. Two factors, for a caller who goes on with a multiply-add. */
typedef struct dm_exponential_factors {
    __m256 polynomial;
    __m256 power;
} dm_exponential_factors;

static inline dm_exponential dm_exponential_make(dm_exponential_terms terms) {
    return (dm_exponential){
        .least = _mm256_set1_ps(terms.least),
        .most = _mm256_set1_ps(terms.most),
        .high = _mm256_set1_ps(terms.high),
        .low = _mm256_set1_ps(terms.low),
        .eighths = _mm256_set1_ps(terms.eighths),
        .constants = _mm256_castsi256_ps(_mm256_loadu_si256((const __m256i *)(const void *)terms.constants)),
    };
}

/* A NaN in x gives a NaN. */
static inline dm_exponential_factors dm_exponential_of(const dm_exponential *constant, __m256 x) {
    /* The second operand is what comes out when one is NaN. */
    x = _mm256_max_ps(constant->least, _mm256_min_ps(constant->most, x));
    __m256 sum = _mm256_fmadd_ps(x, constant->high, constant->eighths);
    __m256 r = _mm256_fmadd_ps(x, constant->high, _mm256_sub_ps(constant->eighths, sum));
    r = _mm256_fmadd_ps(x, constant->low, r);
    __m256 polynomial =
        _mm256_fmadd_ps(_mm256_set1_ps(DM_EXPONENTIAL_CUBE), r, _mm256_set1_ps(DM_EXPONENTIAL_SQUARE));
    polynomial = _mm256_fmadd_ps(polynomial, r, _mm256_set1_ps(DM_EXPONENTIAL_LINEAR));
    polynomial = _mm256_fmadd_ps(polynomial, r, _mm256_set1_ps(1.0f));
    /* The sum's bits are k plus a constant that is 0 modulo 2^12: its last three choose, and k << 20 adds floor(k/8) to the
     * exponent and k % 8, subtracted above, to the bits behind it. */
    __m256i k = _mm256_castps_si256(sum);
    __m256i power = _mm256_add_epi32(_mm256_castps_si256(_mm256_permutevar8x32_ps(constant->constants, k)),
                                     _mm256_slli_epi32(k, 20));
    return (dm_exponential_factors){polynomial, _mm256_castsi256_ps(power)};
}

#endif

#endif
