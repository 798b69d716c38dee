/* choose_neon.c: 64 groups at a time in 16 registers; 16 numbers per branch. */
#include "simd/choose.h"

#if defined(__aarch64__)

#include <arm_neon.h>

enum { REGISTERS = 16, LANES = 4, STRIP = REGISTERS * LANES, BLOCK = 16 };

/* The peaks of 64 neighbouring groups. */
static inline void strip_peaks(const float *values, uint32_t count, float empty, float *peaks, uint32_t first,
                               uint32_t groups) {
    float32x4_t largest[REGISTERS];
    for (uint32_t r = 0; r < REGISTERS; r++) {
        largest[r] = vdupq_n_f32(empty);
    }
    size_t i = first;
    for (; i + STRIP <= count; i += groups) {
        for (uint32_t r = 0; r < REGISTERS; r++) {
            largest[r] = vmaxq_f32(largest[r], vld1q_f32(values + i + (size_t)r * LANES));
        }
    }
    for (uint32_t r = 0; r < REGISTERS; r++) {
        vst1q_f32(peaks + first + r * LANES, largest[r]);
    }
    for (uint32_t group = first; i < count; group++, i++) { /* the last, incomplete strip */
        peaks[group] = values[i] > peaks[group] ? values[i] : peaks[group];
    }
}

void dm_choose_peaks_neon(const float *values, uint32_t count, float empty, float *peaks, uint32_t groups) {
    for (uint32_t first = 0; first < groups; first += STRIP) {
        strip_peaks(values, count, empty, peaks, first, groups);
    }
}

/* Bit 4 i is set where values[i] >= limit: NEON has no instruction that collects one bit a lane, but narrowing leaves four. */
static inline uint64_t find_hits(const float *values, float32x4_t limit) {
    uint16x4_t quarters[4];
    for (int q = 0; q < 4; q++) {
        quarters[q] = vmovn_u32(vcgeq_f32(vld1q_f32(values + 4 * q), limit));
    }
    uint8x8_t low = vmovn_u16(vcombine_u16(quarters[0], quarters[1]));
    uint8x8_t high = vmovn_u16(vcombine_u16(quarters[2], quarters[3]));
    uint8x8_t nibbles = vshrn_n_u16(vreinterpretq_u16_u8(vcombine_u8(low, high)), 4);
    return vget_lane_u64(vreinterpret_u64_u8(nibbles), 0) & UINT64_C(0x1111111111111111);
}

uint32_t dm_choose_at_least_neon(const float *values, uint32_t count, float least, uint32_t *chosen) {
    const float32x4_t limit = vdupq_n_f32(least);
    uint32_t size = 0;
    uint32_t i = 0;
    for (; i + BLOCK <= count; i += BLOCK) {
        for (uint64_t hits = find_hits(values + i, limit); hits != 0; hits &= hits - 1) {
            chosen[size++] = i + (uint32_t)__builtin_ctzll(hits) / 4;
        }
    }
    for (; i < count; i++) {
        if (values[i] >= least) {
            chosen[size++] = i;
        }
    }
    return size;
}

#endif
