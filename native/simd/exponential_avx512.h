/* exponential_avx512.h: exponential.h for sixteen floats. */
#ifndef DUALMEM_SIMD_EXPONENTIAL_AVX512_H
#define DUALMEM_SIMD_EXPONENTIAL_AVX512_H

#include "simd/avx512.h"
#include "simd/exponential.h"

#if defined(DM_AVX512_CODE)

/* The terms, in every lane; the eight constants twice. */
typedef struct dm_exponential {
    __m512 least;
    __m512 most;
    __m512 high;
    __m512 low;
    __m512 eighths;
    __m512 constants;
} dm_exponential;

/* sixteen floats: exp2 = polynomial * power. Two factors, for a caller who goes on with a multiply-add. */
typedef struct dm_exponential_factors {
    __m512 polynomial;
    __m512 power;
} dm_exponential_factors;

static inline dm_exponential dm_exponential_make(dm_exponential_terms terms) {
    __m256i eight = _mm256_loadu_si256((const __m256i *)(const void *)terms.constants);
    return (dm_exponential){
        .least = _mm512_set1_ps(terms.least),
        .most = _mm512_set1_ps(terms.most),
        .high = _mm512_set1_ps(terms.high),
        .low = _mm512_set1_ps(terms.low),
        .eighths = _mm512_set1_ps(terms.eighths),
        .constants = _mm512_castsi512_ps(_mm512_broadcast_i64x4(eight)),
    };
}

/* A NaN in x gives a NaN. */
static inline dm_exponential_factors dm_exponential_of(const dm_exponential *constant, __m512 x) {
    /* The second operand is what comes out when one is NaN. */
    x = _mm512_max_ps(constant->least, _mm512_min_ps(constant->most, x));
    __m512 sum = dm_fused(x, constant->high, constant->eighths);
    __m512 r = dm_fused(x, constant->high, _mm512_sub_ps(constant->eighths, sum));
    r = dm_fused(x, constant->low, r);
    __m512 polynomial = dm_fused(_mm512_set1_ps(DM_EXPONENTIAL_CUBE), r, _mm512_set1_ps(DM_EXPONENTIAL_SQUARE));
    polynomial = dm_fused(polynomial, r, _mm512_set1_ps(DM_EXPONENTIAL_LINEAR));
    polynomial = dm_fused(polynomial, r, _mm512_set1_ps(1.0f));
    /* The sum's bits are k plus a constant that is 0 modulo 2^12: its last four choose among the constants, which are there
     * twice, and k << 20 adds floor(k/8) to the exponent and k % 8, subtracted above, to the bits behind it. */
    __m512i k = _mm512_castps_si512(sum);
    __m512i chosen = _mm512_castps_si512(_mm512_permutexvar_ps(k, constant->constants));
    return (dm_exponential_factors){polynomial, _mm512_castsi512_ps(_mm512_add_epi32(chosen, _mm512_slli_epi32(k, 20)))};
}

#endif

#endif
