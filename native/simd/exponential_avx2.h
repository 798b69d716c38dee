/* exponential_avx2.h: exp2(rate * x + offset) of eight floats, for rates and offsets that are constant over many of them.
 *
 * rate * x + offset = k/8 + r with a whole number k and |r| <= 1/16, so exp2 is 2^floor(k/8) times one of eight constants,
 * which fit a register (vpermps looks them up), times a polynomial of degree 3. The usual split at whole numbers needs
 * degree 5 and a separate rounding: 0.29 instead of 0.21 ns an element for the whole sigmoid on Zen 4.
 *
 * The error comes from the argument first: an exponent of 100 rounded to float32 makes a relative error of 2.6e-6. So
 *   rate    is two floats, high + low (to 2^-48);
 *   offset  is a multiple of 1/8, which goes into k without rounding, and a rest whose power goes into the eight
 *           constants;
 *   k       is found by adding a number whose last bit counts eighths, in one fused multiply-add, and taken off again
 *           exactly: r = fma(x, low, fma(x, high, -k/8)), each rounded at 2^-29.
 * Relative error of the result, at most:
 *   constants rounded                                                     2^-24    6.0e-8
 *   polynomial (minimax with c0 = 1, coefficients rounded, |r| <= 1/16 + 2^-15)    2.6e-8
 *   its evaluation (the last sum rounds at 2^-24, those before at 2^-28)           6.6e-8
 *   r: two roundings at 2^-29, the rate's 2^-48 of 256; times ln 2                 2.7e-9
 * together 1.6e-7. c0 = 1 costs 7e-9 against the best polynomial; for it exp2(0) is exactly 1 where the offset is 0. */
#ifndef DUALMEM_SIMD_EXPONENTIAL_AVX2_H
#define DUALMEM_SIMD_EXPONENTIAL_AVX2_H

#if defined(__AVX2__)

#include <float.h>
#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

/* Largest |offset|: with results between 2^-127 and 2^128 everything above is exact. */
#define DM_EXPONENTIAL_OFFSET_MAX 128.0

typedef struct dm_exponential {
    __m256 least;    /* x is clamped to [least, most] */
    __m256 most;
    __m256 high;     /* of the rate */
    __m256 low;
    __m256 eighths;  /* 1.5 * 2^20, whose last bit is 1/8, plus the offset's multiple of 1/8 */
    __m256 constants; /* bits of 2^(j/8 + rest of the offset), less j in the bits where k % 8 will be added */
} dm_exponential;

/* eight floats: exp2 = polynomial * power. Two factors, for a caller who goes on with a multiply-add. */
typedef struct dm_exponential_factors {
    __m256 polynomial;
    __m256 power;
} dm_exponential_factors;

static inline float dm_within_floats(double value) {
    return (float)(value < -(double)FLT_MAX ? -(double)FLT_MAX : value > (double)FLT_MAX ? (double)FLT_MAX : value);
}

/* rate not 0, |offset| <= DM_EXPONENTIAL_OFFSET_MAX. Exponents are clamped to [lowest, highest], which lie in
 * [-126.5, 127.75]: powers below 2^-126 come out as some number below FLT_MIN, and none is infinite. */
static inline dm_exponential dm_exponential_make(double rate, double offset, double lowest, double highest) {
    const double step = 0.125;
    double whole = rint(offset / step) * step;
    double rest = exp2(offset - whole);
    float first = dm_within_floats((lowest - offset) / rate);
    float second = dm_within_floats((highest - offset) / rate);
    float high = (float)rate;
    float powers[8];
    uint32_t constants[8];
    const double roots[8] = {1.0,
                             1.0905077326652577,
                             1.189207115002721,
                             1.2968395546510096,
                             1.4142135623730951,
                             1.5422108254079407,
                             1.681792830507429,
                             1.8340080864093424};
    for (uint32_t j = 0; j < 8; j++) {
        powers[j] = (float)(roots[j] * rest);
    }
    memcpy(constants, powers, sizeof(constants));
    for (uint32_t j = 0; j < 8; j++) {
        constants[j] -= j << 20;
    }
    return (dm_exponential){.least = _mm256_set1_ps(first < second ? first : second),
                            .most = _mm256_set1_ps(first < second ? second : first),
                            .high = _mm256_set1_ps(high),
                            .low = _mm256_set1_ps((float)(rate - (double)high)),
                            .eighths = _mm256_set1_ps((float)(0x1.8p20 + whole)),
                            .constants = _mm256_castsi256_ps(_mm256_loadu_si256((const __m256i *)(const void *)constants))};
}

/* A NaN in x gives a NaN. */
static inline dm_exponential_factors dm_exponential_of(const dm_exponential *constant, __m256 x) {
    /* The second operand is what comes out when one is NaN. */
    x = _mm256_max_ps(constant->least, _mm256_min_ps(constant->most, x));
    __m256 sum = _mm256_fmadd_ps(x, constant->high, constant->eighths);
    __m256 r = _mm256_fmadd_ps(x, constant->high, _mm256_sub_ps(constant->eighths, sum));
    r = _mm256_fmadd_ps(x, constant->low, r);
    __m256 polynomial = _mm256_fmadd_ps(_mm256_set1_ps(0x1.c690e2p-5f), r, _mm256_set1_ps(0x1.ec0c26p-3f));
    polynomial = _mm256_fmadd_ps(polynomial, r, _mm256_set1_ps(0x1.62e432p-1f));
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
