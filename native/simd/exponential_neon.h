/* exponential_neon.h: exponential.h for four floats. */
#ifndef DUALMEM_SIMD_EXPONENTIAL_NEON_H
#define DUALMEM_SIMD_EXPONENTIAL_NEON_H

#include "simd/exponential.h"

#if defined(__aarch64__)

#include <arm_neon.h>

/* The terms, in every lane. */
typedef struct dm_exponential {
    float32x4_t least;
    float32x4_t most;
    float32x4_t high;
    float32x4_t low;
    float32x4_t eighths;
    uint8x16x2_t constants;
} dm_exponential;

/* four floats: exp2 = polynomial * power. Two factors, for a caller who goes on with a multiply-add. */
typedef struct dm_exponential_factors {
    float32x4_t polynomial;
    float32x4_t power;
} dm_exponential_factors;

static inline uint8x16x2_t dm_eight_words(const void *words) {
    return (uint8x16x2_t){{vld1q_u8(words), vld1q_u8((const uint8_t *)words + 16)}};
}

/* Word places[i] of eight, for each lane: the instruction looks up bytes, so the place is written as four of them. */
static inline uint32x4_t dm_look_up(uint8x16x2_t words, uint32x4_t places) {
    uint32x4_t bytes = vmlaq_n_u32(vdupq_n_u32(0x03020100u), places, 0x04040404u);
    return vreinterpretq_u32_u8(vqtbl2q_u8(words, vreinterpretq_u8_u32(bytes)));
}

static inline dm_exponential dm_exponential_make(dm_exponential_terms terms) {
    return (dm_exponential){
        .least = vdupq_n_f32(terms.least),
        .most = vdupq_n_f32(terms.most),
        .high = vdupq_n_f32(terms.high),
        .low = vdupq_n_f32(terms.low),
        .eighths = vdupq_n_f32(terms.eighths),
        .constants = dm_eight_words(terms.constants),
    };
}

/* A NaN in x gives a NaN: minimum and maximum hand it on. */
static inline dm_exponential_factors dm_exponential_of(const dm_exponential *constant, float32x4_t x) {
    x = vmaxq_f32(constant->least, vminq_f32(constant->most, x));
    float32x4_t sum = vfmaq_f32(constant->eighths, x, constant->high);
    float32x4_t r = vfmaq_f32(vsubq_f32(constant->eighths, sum), x, constant->high);
    r = vfmaq_f32(r, x, constant->low);
    float32x4_t polynomial =
        vfmaq_f32(vdupq_n_f32(DM_EXPONENTIAL_SQUARE), r, vdupq_n_f32(DM_EXPONENTIAL_CUBE));
    polynomial = vfmaq_f32(vdupq_n_f32(DM_EXPONENTIAL_LINEAR), polynomial, r);
    polynomial = vfmaq_f32(vdupq_n_f32(1.0f), polynomial, r);
    /* The sum's bits are k plus a constant that is 0 modulo 2^12: its last three choose, and k << 20 adds floor(k/8) to the
     * exponent and k % 8, subtracted above, to the bits behind it. */
    uint32x4_t k = vreinterpretq_u32_f32(sum);
    uint32x4_t chosen = dm_look_up(constant->constants, vandq_u32(k, vdupq_n_u32(7)));
    return (dm_exponential_factors){polynomial, vreinterpretq_f32_u32(vaddq_u32(chosen, vshlq_n_u32(k, 20)))};
}

#endif

#endif
