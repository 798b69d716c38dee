/* panels_neon.c: one panel at a time; two lanes a row, added at the end. The offset is taken off the bytes, as in
 * codes_neon.c. */
#include "simd/panels.h"

#if defined(__aarch64__)

#include <arm_neon.h>
#include <string.h>

#include "simd/codes.h"

enum { QUARTERS = 4 }; /* of a line: four rows each */

void dm_panels_scan_neon(const uint8_t *panels, size_t count, size_t words, const dm_weights *weights,
                         float *estimates) {
    const uint8x16_t offset = vdupq_n_u8(DM_CODE_OFFSET);
    for (size_t p = 0; p < count; p++) {
        const uint8_t *panel = panels + p * (words + 1) * DM_PANEL_LINE;
        int32x4_t sums[QUARTERS][2];
        for (size_t q = 0; q < QUARTERS; q++) {
            sums[q][0] = vdupq_n_s32(0);
            sums[q][1] = vdupq_n_s32(0);
        }
        for (size_t w = 0; w < words; w++) {
            int32_t word;
            memcpy(&word, weights->values + w * DM_PANEL_WORD, sizeof(word));
            const int8x16_t four = vreinterpretq_s8_s32(vdupq_n_s32(word));
            for (size_t q = 0; q < QUARTERS; q++) {
                uint8x16_t bytes = vld1q_u8(panel + w * DM_PANEL_LINE + 16 * q);
                int8x16_t values = vreinterpretq_s8_u8(veorq_u8(bytes, offset));
                sums[q][0] = vpadalq_s16(sums[q][0], vmull_s8(vget_low_s8(values), vget_low_s8(four)));
                sums[q][1] = vpadalq_s16(sums[q][1], vmull_high_s8(values, four));
            }
        }
        for (size_t q = 0; q < QUARTERS; q++) {
            float scales[4];
            memcpy(scales, panel + words * DM_PANEL_LINE + 16 * q, sizeof(scales));
            float32x4_t dots = vcvtq_f32_s32(vpaddq_s32(sums[q][0], sums[q][1]));
            float32x4_t factors = vmulq_n_f32(vld1q_f32(scales), weights->scale);
            vst1q_f32(estimates + p * DM_PANEL_ROWS + 4 * q, vmulq_f32(dots, factors));
        }
    }
}

#endif
