/* codes_neon.c: four rows at once, 64 codes of each per step.
 *
 * The multiply-adds of the baseline take two signed bytes, so the offset is taken off a row's bytes (one exclusive or per 16)
 * and the dot product has none. Their sums have 16 bits: four products of at most 127 x 64 fit (32,512), then they are
 * added, in pairs, to 32 bits. */
#include "simd/codes.h"

#if defined(__aarch64__)

#include <arm_neon.h>
#include <math.h>
#include <string.h>

#include "simd/similarity.h"

_Static_assert(4 * DM_CODE_ROW_LEVELS * DM_CODE_QUERY_LEVELS <= INT16_MAX, "four products fit 16 bits");

dm_code_facts dm_codes_encode_neon(int8_t *codes, const float *unit, uint32_t dim, int32_t levels) {
    const size_t padded = dm_padded_dim(dim);
    float32x4_t largest_lanes = vdupq_n_f32(0.0f);
    for (size_t i = 0; i < padded; i += 4) {
        largest_lanes = vmaxq_f32(largest_lanes, vabsq_f32(vld1q_f32(unit + i)));
    }
    const float largest = vmaxvq_f32(largest_lanes);
    memset(codes + padded, 0, dm_code_stride(dim) - padded);
    if (largest == 0.0f) {
        memset(codes, 0, padded);
        return (dm_code_facts){.scale = 0.0f, .radius = dm_code_radius_of(0.0), .sum = 0};
    }
    const float scale = largest / (float)levels;
    const float32x4_t steps = vdupq_n_f32((float)levels / largest);
    const float32x4_t scales = vdupq_n_f32(scale);
    float32x4_t residuals[2] = {vdupq_n_f32(0.0f), vdupq_n_f32(0.0f)};
    int32x4_t sums = vdupq_n_s32(0);
    for (size_t i = 0; i < padded; i += 8) {
        int32x4_t code[2];
        for (int half = 0; half < 2; half++) {
            float32x4_t values = vld1q_f32(unit + i + 4 * half);
            code[half] = vcvtnq_s32_f32(vmulq_f32(values, steps)); /* to nearest, ties to even */
            float32x4_t rest = vfmsq_f32(values, scales, vcvtq_f32_s32(code[half]));
            residuals[half] = vfmaq_f32(residuals[half], rest, rest);
            sums = vaddq_s32(sums, code[half]);
        }
        vst1_s8(codes + i, vmovn_s16(vcombine_s16(vmovn_s32(code[0]), vmovn_s32(code[1]))));
    }
    const double residual = (double)vaddvq_f32(vaddq_f32(residuals[0], residuals[1]));
    return (dm_code_facts){.scale = scale, .radius = dm_code_radius_of(sqrt(residual)), .sum = vaddvq_s32(sums)};
}

/* The sums of the products of 64 codes, added to four sums. */
static inline int32x4_t add_products(int32x4_t sums, const uint8_t *row, const int8x16_t weights[4]) {
    const uint8x16_t offset = vdupq_n_u8(DM_CODE_OFFSET);
    int8x16_t values = vreinterpretq_s8_u8(veorq_u8(vld1q_u8(row), offset));
    int16x8_t low = vmull_s8(vget_low_s8(values), vget_low_s8(weights[0]));
    int16x8_t high = vmull_high_s8(values, weights[0]);
    for (int quarter = 1; quarter < 4; quarter++) {
        values = vreinterpretq_s8_u8(veorq_u8(vld1q_u8(row + 16 * quarter), offset));
        low = vmlal_s8(low, vget_low_s8(values), vget_low_s8(weights[quarter]));
        high = vmlal_high_s8(high, values, weights[quarter]);
    }
    return vpadalq_s16(vpadalq_s16(sums, low), high);
}

/* The dot products of four rows. */
static inline int32x4_t dot_four(const uint8_t *const row[4], const int8_t *query, size_t stride) {
    int32x4_t sums[4];
    for (int r = 0; r < 4; r++) {
        sums[r] = vdupq_n_s32(0);
    }
    for (size_t i = 0; i < stride; i += 64) {
        const int8x16_t weights[4] = {vld1q_s8(query + i), vld1q_s8(query + i + 16), vld1q_s8(query + i + 32),
                                      vld1q_s8(query + i + 48)};
        for (int r = 0; r < 4; r++) {
            sums[r] = add_products(sums[r], row[r] + i, weights);
        }
    }
    return vpaddq_s32(vpaddq_s32(sums[0], sums[1]), vpaddq_s32(sums[2], sums[3]));
}

/* Multiplications and additions apart, not fused: the same bits as the scalar variant. */
static inline float32x4_t bounds_of(int32x4_t dots, float32x4_t scales, float32x4_t radii, float query_scale,
                                    dm_code_terms terms) {
    float32x4_t product = vmulq_f32(vcvtq_f32_s32(dots), vmulq_n_f32(scales, query_scale));
    return vaddq_f32(product, vaddq_f32(vmulq_n_f32(radii, terms.growth), vdupq_n_f32(terms.lift)));
}

/* The last one to three rows: a block filled up with the last row. */
static void scan_rest(const dm_codes *codes, const int8_t *query, float query_scale, dm_code_terms terms, float *bounds,
                      uint32_t first) {
    const size_t stride = dm_code_stride(codes->dim);
    const uint8_t *row[4];
    float scales[4];
    float radii[4];
    for (uint32_t r = 0; r < 4; r++) {
        uint32_t there = first + r < codes->count ? first + r : codes->count - 1;
        row[r] = codes->values + there * stride;
        scales[r] = codes->scales[there];
        radii[r] = codes->radii[there];
    }
    float block[4];
    vst1q_f32(block, bounds_of(dot_four(row, query, stride), vld1q_f32(scales), vld1q_f32(radii), query_scale, terms));
    for (uint32_t r = 0; first + r < codes->count; r++) {
        bounds[first + r] = block[r];
    }
}

void dm_codes_scan_neon(const dm_codes *codes, const int8_t *query, dm_code_facts facts, float *bounds,
                        int32_t direction) {
    const size_t stride = dm_code_stride(codes->dim);
    const dm_code_terms terms = dm_code_terms_of(facts.radius);
    const uint32_t blocks = codes->count / 4;
    const uint32_t rest = codes->count % 4;
    const int backward = direction == DM_SCAN_BACKWARD;
    if (rest != 0 && backward) {
        scan_rest(codes, query, facts.scale, terms, bounds, 4 * blocks);
    }
    for (uint32_t step = 0; step < blocks; step++) {
        uint32_t first = 4 * (backward ? blocks - 1 - step : step);
        const uint8_t *begin = codes->values + first * stride;
        const uint8_t *const row[4] = {begin, begin + stride, begin + 2 * stride, begin + 3 * stride};
        float32x4_t scales = vld1q_f32(codes->scales + first);
        float32x4_t radii = vld1q_f32(codes->radii + first);
        vst1q_f32(bounds + first, bounds_of(dot_four(row, query, stride), scales, radii, facts.scale, terms));
    }
    if (rest != 0 && !backward) {
        scan_rest(codes, query, facts.scale, terms, bounds, 4 * blocks);
    }
}

#endif
