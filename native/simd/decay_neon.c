/* decay_neon.c: four factors at a time; a block is two vectors, and every product is compared, since that costs two instructions. */
#include "simd/forgetting.h"

#if defined(__aarch64__)

#include <arm_neon.h>

#include "simd/exponential_neon.h"

enum { LANES = 4 };

static void exponential_factors(double amount, const float *modulations, uint32_t count, float *factors) {
    const dm_exponential constant = dm_exponential_make(dm_forgetting_terms(amount));
    for (uint32_t i = 0; i < count; i += LANES) {
        dm_exponential_factors parts = dm_exponential_of(&constant, vld1q_f32(modulations + i));
        vst1q_f32(factors + i, vmulq_f32(parts.polynomial, parts.power));
    }
}

/* See decay_avx2.c for why the amount is two floats. */
static void linear_factors(double amount, const float *modulations, uint32_t count, float *factors) {
    const float high = (float)amount;
    const float32x4_t amount_high = vdupq_n_f32(high);
    const float32x4_t amount_low = vdupq_n_f32((float)(amount - (double)high));
    for (uint32_t i = 0; i < count; i += LANES) {
        float32x4_t modulation = vld1q_f32(modulations + i);
        float32x4_t left = vfmsq_f32(vdupq_n_f32(1.0f), modulation, amount_high);
        left = vfmsq_f32(left, modulation, amount_low);
        vst1q_f32(factors + i, vmaxq_f32(left, vdupq_n_f32(0.0f)));
    }
}

void dm_decay_factors_neon(const dm_decay_amount *amount, const float *modulations, uint32_t count, float *factors) {
    if (amount->mode == DM_DECAY_LINEAR) {
        linear_factors(amount->amount, modulations, count, factors);
    } else {
        exponential_factors(amount->amount, modulations, count, factors);
    }
}

void dm_decay_scale_neon(uint32_t *strengths, const float *factors, uint32_t blocks) {
    const uint32x4_t least = vdupq_n_u32(DM_FLT_MIN_BITS);
    for (uint32_t block = 0; block < blocks; block++) {
        for (uint32_t half = 0; half < DM_DECAY_BLOCK; half += LANES) {
            uint32_t *places = strengths + (size_t)block * DM_DECAY_BLOCK + half;
            float32x4_t four = vmulq_n_f32(vreinterpretq_f32_u32(vld1q_u32(places)), factors[block]);
            uint32x4_t product = vreinterpretq_u32_f32(four);
            vst1q_u32(places, vandq_u32(product, vcgeq_u32(product, least)));
        }
    }
}

#endif
