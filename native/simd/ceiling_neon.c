/* ceiling_neon.c: 16 bytes, four floats at a time. */
#include "simd/ceiling.h"

#if defined(__aarch64__)

#include <arm_neon.h>

enum { STREAMS = 8 };

uint64_t dm_ceiling_read_neon(const uint64_t *words, size_t chunks) {
    uint64x2_t sums[STREAMS];
    for (int stream = 0; stream < STREAMS; stream++) {
        sums[stream] = vdupq_n_u64(0);
    }
    for (size_t i = 0; i < chunks * (DM_CEILING_CHUNK / sizeof(uint64_t)); i += (size_t)STREAMS * 2) {
        for (size_t stream = 0; stream < STREAMS; stream++) {
            sums[stream] = vaddq_u64(sums[stream], vld1q_u64(words + i + stream * 2));
        }
    }
    for (int stream = 1; stream < STREAMS; stream++) {
        sums[0] = vaddq_u64(sums[0], sums[stream]);
    }
    return vgetq_lane_u64(sums[0], 0) + vgetq_lane_u64(sums[0], 1);
}

double dm_ceiling_multiply_add_neon(float start, float factor, float term, uint64_t rounds) {
    const float32x4_t factors = vdupq_n_f32(factor);
    const float32x4_t terms = vdupq_n_f32(term);
    float32x4_t lanes[DM_CEILING_CHAINS_NEON];
    for (int chain = 0; chain < DM_CEILING_CHAINS_NEON; chain++) {
        lanes[chain] = vdupq_n_f32(start);
    }
    for (uint64_t round = 0; round < rounds; round++) {
        for (int chain = 0; chain < DM_CEILING_CHAINS_NEON; chain++) {
            lanes[chain] = vfmaq_f32(terms, lanes[chain], factors);
        }
    }
    double sum = 0.0;
    for (int chain = 0; chain < DM_CEILING_CHAINS_NEON; chain++) {
        float64x2_t two = vaddq_f64(vcvt_f64_f32(vget_low_f32(lanes[chain])), vcvt_high_f64_f32(lanes[chain]));
        sum += vgetq_lane_f64(two, 0) + vgetq_lane_f64(two, 1);
    }
    return sum;
}

#endif
