/* recency.h: how similar two episodes are to concept formation: cos(a, b) exp(-|dt| / time constant).
 *
 * A similarity is a whole number of units of 2^-24, rounded to the nearest, kept in a double. That is as fine as the
 * float32 cosine it comes from, and makes every sum of similarities exact, in any order: the linkage
 * (formation/linkage.h) rests on it.
 *
 * The exponential is written out because the results of libm's depend on its version and on the processor. No
 * multiply-add is fused (the compiler may not contract), so every instruction set computes the same bits. */
#ifndef DUALMEM_SIMD_RECENCY_H
#define DUALMEM_SIMD_RECENCY_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define DM_SIMILARITY_ONE 0x1.0p24
#define DM_LN_2 0x1.62e42fefa39efp-1

/* exp(t) by its Taylor series, highest power first; the first term left out is 0.347^10 / 10! = 7e-12. */
#define DM_HALF_POWER_TERMS \
    1.0 / 362880.0, 1.0 / 40320.0, 1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0

/* 2^-x for x >= 0 (infinity included), relative error below 1e-11; exactly 1 at 0; 2^-64 from 64 on, where every
 * similarity rounds to 0. */
static inline double dm_half_power(double x) {
    x = x < 64.0 ? x : 64.0;
    const int32_t whole = (int32_t)(x + 0.5);
    const double t = ((double)whole - x) * DM_LN_2; /* |t| <= 0.347 */
    static const double terms[] = {DM_HALF_POWER_TERMS};
    double sum = terms[0];
    for (size_t i = 1; i < sizeof(terms) / sizeof(terms[0]); i++) {
        sum = sum * t + terms[i];
    }
    const int64_t bits = (int64_t)(1023 - whole) << 52;
    double scale;
    memcpy(&scale, &bits, sizeof(scale));
    return sum * scale;
}

/* exp(-|a - b| / time constant). Times: of nanoseconds, rounded to doubles. half_lives: 1 / (ln 2 x time constant in
 * ns). */
static inline double dm_recency(double a_ns, double b_ns, double half_lives) {
    return dm_half_power(fabs(a_ns - b_ns) * half_lives);
}

/* dot: of the two unit vectors. */
static inline double dm_similarity_of(float dot, double recency) {
    const float below = dot < 1.0f ? dot : 1.0f;
    const float cosine = below > -1.0f ? below : -1.0f;
    const double units = (double)cosine * recency * DM_SIMILARITY_ONE;
    return units + 0x1.8p52 - 0x1.8p52; /* to the nearest whole number: none other fits beside 2^52 */
}

#endif
