/* recency.h: how similar two episodes are to concept formation: cos(a, b) exp(-|dt| / time constant).
 *
 * A similarity is a whole number of DM_SIMILARITY_ONE-ths, 2^-24, rounded to the nearest. That is as fine as the float32 cosine it comes
 * from, and makes every sum of similarities exact, in any order: the linkage (linkage.h) rests on it.
 *
 * The exponential is written out here because the results of libm's depend on its version and on the processor. */
#ifndef DUALMEM_FORMATION_RECENCY_H
#define DUALMEM_FORMATION_RECENCY_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#define DM_SIMILARITY_ONE 0x1.0p24

/* 2^-x for x >= 0, relative error below 1e-11; exactly 1 at 0; 0 from 64 on, where every similarity rounds to 0. */
static inline double dm_half_power(double x) {
    if (!(x < 64.0)) {
        return 0.0;
    }
    const double whole = (double)(int32_t)(x + 0.5);
    const double t = (whole - x) * 0x1.62e42fefa39efp-1; /* ln 2; |t| <= 0.347 */
    /* exp(t) by its Taylor series: the first term left out is 0.347^10 / 10! = 7e-12. */
    double sum = 1.0 / 362880.0;
    sum = sum * t + 1.0 / 40320.0;
    sum = sum * t + 1.0 / 5040.0;
    sum = sum * t + 1.0 / 720.0;
    sum = sum * t + 1.0 / 120.0;
    sum = sum * t + 1.0 / 24.0;
    sum = sum * t + 1.0 / 6.0;
    sum = sum * t + 0.5;
    sum = sum * t + 1.0;
    sum = sum * t + 1.0;
    const uint64_t bits = (uint64_t)(1023 - (int32_t)whole) << 52;
    double scale;
    memcpy(&scale, &bits, sizeof(scale));
    return sum * scale;
}

static inline uint64_t dm_time_between(uint64_t a, uint64_t b) {
    return a < b ? b - a : a - b;
}

/* exp(-|dt| / time constant). half_lives: 1 / (ln 2 x time constant in ns). */
static inline double dm_recency(uint64_t between_ns, double half_lives) {
    return dm_half_power((double)between_ns * half_lives);
}

/* In units of 2^-24. dot: of the two unit vectors. */
static inline int32_t dm_episode_similarity(float dot, uint64_t between_ns, double half_lives) {
    const double cosine = dot < -1.0f ? -1.0 : dot > 1.0f ? 1.0 : (double)dot;
    return (int32_t)lrint(cosine * dm_recency(between_ns, half_lives) * DM_SIMILARITY_ONE);
}

#endif
