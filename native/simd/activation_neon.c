/* activation_neon.c: four elements at a time, by the method of activation_avx2.c, with exact quotients and roots: every result
 * is as close as there or closer. Estimates with Newton steps may be faster; nothing here could show it. */
#include "simd/sigmoid.h"

#if defined(__aarch64__)

#include <arm_neon.h>
#include <string.h>

#include "simd/exponential_neon.h"

enum { LANES = 4 };

/* --- four elements ------------------------------------------------------------------------------------------------- */

static inline float32x4_t fans_to_floats(uint32x4_t fans) {
    return vcvtq_f32_u32(vmaxq_u32(fans, vdupq_n_u32(1)));
}

static inline float32x4_t root_of_four(float32x4_t activations, uint32x4_t fans) {
    return vdivq_f32(activations, vsqrtq_f32(fans_to_floats(fans)));
}

static inline float32x4_t quotient_of_four(float32x4_t activations, uint32x4_t fans) {
    return vdivq_f32(activations, fans_to_floats(fans));
}

static inline float32x4_t associative_of_four(float32x4_t activations, uint32x4_t fans) {
    uint32x4_t place = vminq_u32(fans, vdupq_n_u32(DM_STRENGTHS - 1));
    return vmulq_f32(activations, vreinterpretq_f32_u32(dm_look_up(dm_eight_words(dm_strengths), place)));
}

/* 1 + exp(-(s - threshold) / temperature). */
static inline float32x4_t denominator_of_four(const dm_exponential *constant, float32x4_t similarities) {
    dm_exponential_factors e = dm_exponential_of(constant, similarities);
    return vfmaq_f32(vdupq_n_f32(1.0f), e.polynomial, e.power);
}

static inline float32x4_t sigmoid_of_four(const dm_exponential *constant, float32x4_t similarities) {
    return vdivq_f32(vdupq_n_f32(1.0f), denominator_of_four(constant, similarities));
}

/* The product overflows only where the result is below 2^-128. */
static inline float32x4_t fused_of_four(const dm_exponential *constant, float32x4_t similarities, uint32x4_t fans) {
    float32x4_t root = vsqrtq_f32(fans_to_floats(fans));
    return vdivq_f32(vdupq_n_f32(1.0f), vmulq_f32(denominator_of_four(constant, similarities), root));
}

/* --- arrays -------------------------------------------------------------------------------------------------------------- */

/* The last one to three elements go through buffers, so that nothing beyond the arrays is touched and the arithmetic is that
 * of a full vector. */
static inline float32x4_t load_rest(const float *values, size_t count) {
    float buffer[LANES] = {0};
    memcpy(buffer, values, count * sizeof(float));
    return vld1q_f32(buffer);
}

static inline uint32x4_t load_rest_of_fans(const uint32_t *fans, size_t count) {
    uint32_t buffer[LANES] = {0};
    memcpy(buffer, fans, count * sizeof(uint32_t));
    return vld1q_u32(buffer);
}

static inline void store_rest(float *results, size_t count, float32x4_t values) {
    float buffer[LANES];
    vst1q_f32(buffer, values);
    memcpy(results, buffer, count * sizeof(float));
}

/* `of_four` is a constant of each caller, so it is compiled into the loop. */
static inline void map_fans(const float *activations, const uint32_t *fans, size_t count, float *results,
                            float32x4_t (*of_four)(float32x4_t, uint32x4_t)) {
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        vst1q_f32(results + i, of_four(vld1q_f32(activations + i), vld1q_u32(fans + i)));
    }
    if (i < count) {
        float32x4_t rest = of_four(load_rest(activations + i, count - i), load_rest_of_fans(fans + i, count - i));
        store_rest(results + i, count - i, rest);
    }
}

void dm_activation_fan_linear_neon(const float *activations, const uint32_t *fans, size_t count, float *results) {
    map_fans(activations, fans, count, results, quotient_of_four);
}

void dm_activation_fan_sqrt_neon(const float *activations, const uint32_t *fans, size_t count, float *results) {
    map_fans(activations, fans, count, results, root_of_four);
}

void dm_activation_fan_actr_neon(const float *activations, const uint32_t *fans, size_t count, float *results) {
    map_fans(activations, fans, count, results, associative_of_four);
}

void dm_activation_sigmoid_neon(const float *similarities, size_t count, const dm_sigmoid *sigmoid, float *results) {
    if (!dm_sigmoid_is_near(sigmoid)) {
        dm_activation_sigmoid_scalar(similarities, count, sigmoid, results);
        return;
    }
    const dm_exponential constant = dm_exponential_make(dm_sigmoid_terms(sigmoid));
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        vst1q_f32(results + i, sigmoid_of_four(&constant, vld1q_f32(similarities + i)));
    }
    if (i < count) {
        store_rest(results + i, count - i, sigmoid_of_four(&constant, load_rest(similarities + i, count - i)));
    }
}

void dm_activation_fused_neon(const float *similarities, const uint32_t *fans, size_t count, const dm_sigmoid *sigmoid,
                              float *results) {
    if (!dm_sigmoid_is_near(sigmoid)) {
        dm_activation_fused_scalar(similarities, fans, count, sigmoid, results);
        return;
    }
    const dm_exponential constant = dm_exponential_make(dm_sigmoid_terms(sigmoid));
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        vst1q_f32(results + i, fused_of_four(&constant, vld1q_f32(similarities + i), vld1q_u32(fans + i)));
    }
    if (i < count) {
        uint32x4_t rest_of_fans = load_rest_of_fans(fans + i, count - i);
        store_rest(results + i, count - i, fused_of_four(&constant, load_rest(similarities + i, count - i), rest_of_fans));
    }
}

#endif
