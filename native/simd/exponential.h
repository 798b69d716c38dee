/* exponential.h: exp2(rate * x + offset) of floats, for rates and offsets that are constant over many of them: the method,
 * its error, and the constants that every instruction set needs. exponential_<variant>.h does it, all alike.
 *
 * rate * x + offset = k/8 + r with a whole number k and |r| <= 1/16, so exp2 is 2^floor(k/8) times one of eight constants,
 * which fit a register of AVX2 (vpermps looks them up), times a polynomial of degree 3. The usual split at whole numbers
 * needs degree 5 and a separate rounding: 0.29 instead of 0.21 ns an element for the whole sigmoid on Zen 4.
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
#ifndef DUALMEM_SIMD_EXPONENTIAL_H
#define DUALMEM_SIMD_EXPONENTIAL_H

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#define DM_LOG2_E 1.4426950408889634

/* Largest |offset|: with results between 2^-127 and 2^128 everything above is exact. */
#define DM_EXPONENTIAL_OFFSET_MAX 128.0

/* 1 + r (LINEAR + r (SQUARE + r CUBE)). */
#define DM_EXPONENTIAL_LINEAR 0x1.62e432p-1f
#define DM_EXPONENTIAL_SQUARE 0x1.ec0c26p-3f
#define DM_EXPONENTIAL_CUBE 0x1.c690e2p-5f

typedef struct dm_exponential_terms {
    float least; /* x is clamped to [least, most] */
    float most;
    float high; /* of the rate */
    float low;
    float eighths;         /* 1.5 * 2^20, whose last bit is 1/8, plus the offset's multiple of 1/8 */
    uint32_t constants[8]; /* bits of 2^(j/8 + rest of the offset), less j in the bits where k % 8 will be added */
} dm_exponential_terms;

static inline float dm_within_floats(double value) {
    return (float)(value < -(double)FLT_MAX ? -(double)FLT_MAX : value > (double)FLT_MAX ? (double)FLT_MAX : value);
}

/* rate not 0, |offset| <= DM_EXPONENTIAL_OFFSET_MAX. Exponents are clamped to [lowest, highest], which lie in
 * [-126.5, 127.75]: powers below 2^-126 come out as some number below FLT_MIN, and none is infinite. */
static inline dm_exponential_terms dm_exponential_terms_of(double rate, double offset, double lowest, double highest) {
    const double step = 0.125;
    double whole = rint(offset / step) * step;
    double rest = exp2(offset - whole);
    float first = dm_within_floats((lowest - offset) / rate);
    float second = dm_within_floats((highest - offset) / rate);
    float high = (float)rate;
    const double roots[8] = {1.0,
                             1.0905077326652577,
                             1.189207115002721,
                             1.2968395546510096,
                             1.4142135623730951,
                             1.5422108254079407,
                             1.681792830507429,
                             1.8340080864093424};
    dm_exponential_terms made = {.least = first < second ? first : second,
                                 .most = first < second ? second : first,
                                 .high = high,
                                 .low = (float)(rate - (double)high),
                                 .eighths = (float)(0x1.8p20 + whole)};
    for (uint32_t j = 0; j < 8; j++) {
        float power = (float)(roots[j] * rest);
        memcpy(&made.constants[j], &power, sizeof(power));
        made.constants[j] -= j << 20;
    }
    return made;
}

#endif
