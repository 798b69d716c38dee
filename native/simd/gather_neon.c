/* gather_neon.c: four rows at once, 64 codes of each per step; the offset is taken off the bytes, as in codes_neon.c. */
#include "simd/gather.h"

#if defined(__aarch64__)

#include <arm_neon.h>

#include "simd/codes.h"

_Static_assert(4 * DM_CODE_ROW_LEVELS * DM_CODE_QUERY_LEVELS <= INT16_MAX, "four products fit 16 bits");

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

void dm_gather_dots_neon(const dm_gathered *from, const uint32_t *rows, uint32_t count, const dm_weights *weights,
                         int32_t *dots) {
    for (uint32_t first = 0; first < count; first += 4) {
        const uint8_t *row[4];
        int32x4_t sums[4];
        for (uint32_t r = 0; r < 4; r++) {
            row[r] = from->codes + rows[first + r < count ? first + r : count - 1] * from->step;
            sums[r] = vdupq_n_s32(0);
        }
        for (size_t i = 0; i < from->stride; i += 64) {
            const int8_t *values = weights->values + i;
            const int8x16_t quarters[4] = {vld1q_s8(values), vld1q_s8(values + 16), vld1q_s8(values + 32),
                                           vld1q_s8(values + 48)};
            for (int r = 0; r < 4; r++) {
                sums[r] = add_products(sums[r], row[r] + i, quarters);
            }
        }
        int32_t four[4];
        vst1q_s32(four, vpaddq_s32(vpaddq_s32(sums[0], sums[1]), vpaddq_s32(sums[2], sums[3])));
        for (uint32_t r = 0; r < 4 && first + r < count; r++) {
            dots[first + r] = four[r];
        }
    }
}

#endif
