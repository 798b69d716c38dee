/* similarity_neon.c: four rows at once, four accumulators each: 16 chains of fused multiply-adds, what latency 4 on four
 * units takes (Neoverse V1), in 28 of the 32 registers. The accumulators are folded into a total as in similarity_avx2.c;
 * 16 lanes in all, so FOLD / 16 + dim / FOLD + 4 roundings here too. */
#include "simd/similarity.h"

#if defined(__aarch64__)

#include <arm_neon.h>

enum { FOLD = 192 }; /* floats; the bound in similarity.c uses it */

/* The sums of the lanes of four vectors. */
static inline float32x4_t sum_lanes(const float32x4_t four[4]) {
    return vpaddq_f32(vpaddq_f32(four[0], four[1]), vpaddq_f32(four[2], four[3]));
}

/* The dot products of four rows with the query; all padded to a multiple of 16 floats. */
static inline float32x4_t dot_four(const float *const row[4], const float *unit, size_t padded) {
    float32x4_t total[4];
    for (int r = 0; r < 4; r++) {
        total[r] = vdupq_n_f32(0.0f);
    }
    size_t i = 0;
    do {
        size_t end = padded - i < FOLD ? padded : i + FOLD;
        float32x4_t sums[4][4]; /* [row][quarter of 16 floats] */
        for (int r = 0; r < 4; r++) {
            for (int q = 0; q < 4; q++) {
                sums[r][q] = vdupq_n_f32(0.0f);
            }
        }
        for (; i < end; i += 16) {
            for (int q = 0; q < 4; q++) {
                float32x4_t part = vld1q_f32(unit + i + 4 * q);
                for (int r = 0; r < 4; r++) {
                    sums[r][q] = vfmaq_f32(sums[r][q], part, vld1q_f32(row[r] + i + 4 * q));
                }
            }
        }
        for (int r = 0; r < 4; r++) {
            float32x4_t low = vaddq_f32(sums[r][0], sums[r][1]);
            float32x4_t high = vaddq_f32(sums[r][2], sums[r][3]);
            total[r] = vaddq_f32(total[r], vaddq_f32(low, high));
        }
    } while (i < padded);
    return sum_lanes(total);
}

static inline float32x4_t clamp(float32x4_t cosines) {
    return vmaxq_f32(vminq_f32(cosines, vdupq_n_f32(1.0f)), vdupq_n_f32(-1.0f));
}

/* The last one to three rows: the block is filled up with the last row, so that the arithmetic, and with it every bit
 * of a result, is that of a full block. */
static void scan_rest(const dm_rows *rows, const float *unit, float *cosines, uint32_t first) {
    const float *row[4];
    float inverse_norms[4];
    for (uint32_t r = 0; r < 4; r++) {
        uint32_t there = first + r < rows->count ? first + r : rows->count - 1;
        row[r] = rows->values + there * rows->stride;
        inverse_norms[r] = rows->inverse_norms[there];
    }
    float block[4];
    float32x4_t dots = dot_four(row, unit, dm_padded_dim(rows->dim));
    vst1q_f32(block, clamp(vmulq_f32(dots, vld1q_f32(inverse_norms))));
    for (uint32_t r = 0; first + r < rows->count; r++) {
        cosines[first + r] = block[r];
    }
}

void dm_similarity_scan_neon(const dm_rows *rows, const float *unit, float *cosines, int32_t direction) {
    const size_t padded = dm_padded_dim(rows->dim);
    const uint32_t blocks = rows->count / 4;
    const uint32_t rest = rows->count % 4;
    if (rest != 0 && direction == DM_SCAN_BACKWARD) {
        scan_rest(rows, unit, cosines, 4 * blocks);
    }
    for (uint32_t step = 0; step < blocks; step++) {
        uint32_t first = 4 * (direction == DM_SCAN_BACKWARD ? blocks - 1 - step : step);
        const float *begin = rows->values + first * rows->stride;
        const float *const row[4] = {begin, begin + rows->stride, begin + 2 * rows->stride, begin + 3 * rows->stride};
        float32x4_t inverse_norms = vld1q_f32(rows->inverse_norms + first);
        vst1q_f32(cosines + first, clamp(vmulq_f32(dot_four(row, unit, padded), inverse_norms)));
    }
    if (rest != 0 && direction != DM_SCAN_BACKWARD) {
        scan_rest(rows, unit, cosines, 4 * blocks);
    }
}

#endif
