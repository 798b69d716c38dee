/* gram_neon.c: see gram.h for why the dots have the bits of the scalar variant.
 *
 * Dots: sixteen lanes are four vectors, so a tile of two rows by three is 24 chains. Reach: two rows by sixteen. The multiply-adds
 * of the baseline take two signed bytes, so nothing is lifted: a sum of 16 bits gets one product of at most 22 x 22 a word. */
#include "simd/gram.h"

#if defined(__aarch64__)

#include <arm_neon.h>
#include <string.h>

#include "simd/recency.h"

/* B_GROUP rows of 768 floats stay in a first-level cache of 32 KiB while all rows of a pass by. */
enum { A_ROWS = 2, B_ROWS = 3, B_GROUP = 6, REACH_ROWS = 2, VECTORS = DM_GRAM_LANES / 4 };

_Static_assert(DM_GRAM_FOLD * DM_GRAM_LEVELS * DM_GRAM_LEVELS <= INT16_MAX, "the products between two widenings fit 16 bits");

static inline float sum_lanes(const float32x4_t lanes[VECTORS]) {
    float32x4_t four = vaddq_f32(vaddq_f32(lanes[0], lanes[2]), vaddq_f32(lanes[1], lanes[3]));
    float32x2_t two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
    return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
}

/* a_count and b_count are constants in the caller. */
static inline __attribute__((always_inline)) void tile(const float *const *a, int a_count, const float *const *b,
                                                       int b_count, size_t padded, float *dots, size_t stride) {
    float32x4_t sums[A_ROWS][B_ROWS][VECTORS];
    for (int i = 0; i < a_count; i++) {
        for (int j = 0; j < b_count; j++) {
            for (int v = 0; v < VECTORS; v++) {
                sums[i][j][v] = vdupq_n_f32(0.0f);
            }
        }
    }
    for (size_t k = 0; k < padded; k += DM_GRAM_LANES) {
        for (int v = 0; v < VECTORS; v++) {
            float32x4_t columns[B_ROWS];
            for (int j = 0; j < b_count; j++) {
                columns[j] = vld1q_f32(b[j] + k + 4 * v);
            }
            for (int i = 0; i < a_count; i++) {
                float32x4_t row = vld1q_f32(a[i] + k + 4 * v);
                for (int j = 0; j < b_count; j++) {
                    sums[i][j][v] = vfmaq_f32(sums[i][j][v], row, columns[j]);
                }
            }
        }
    }
    for (int i = 0; i < a_count; i++) {
        for (int j = 0; j < b_count; j++) {
            dots[(size_t)i * stride + (size_t)j] = sum_lanes(sums[i][j]);
        }
    }
}

static inline void dots_of_tile(const float *const *a, uint32_t a_count, const float *const *b, uint32_t b_count,
                                size_t padded, float *dots, size_t stride) {
    switch ((a_count > 1 ? 3 : 0) + b_count) {
    case 1: tile(a, 1, b, 1, padded, dots, stride); break;
    case 2: tile(a, 1, b, 2, padded, dots, stride); break;
    case 3: tile(a, 1, b, 3, padded, dots, stride); break;
    case 4: tile(a, 2, b, 1, padded, dots, stride); break;
    case 5: tile(a, 2, b, 2, padded, dots, stride); break;
    default: tile(a, 2, b, 3, padded, dots, stride); break;
    }
}

void dm_gram_dots_neon(const float *const *a, uint32_t a_count, const float *const *b, uint32_t b_count, size_t padded,
                       float *dots, size_t stride) {
    for (uint32_t begin = 0; begin < b_count; begin += B_GROUP) {
        const uint32_t end = b_count - begin < B_GROUP ? b_count : begin + B_GROUP;
        for (uint32_t i = 0; i < a_count; i += A_ROWS) {
            const uint32_t a_left = a_count - i < A_ROWS ? a_count - i : A_ROWS;
            for (uint32_t j = begin; j < end; j += B_ROWS) {
                const uint32_t b_left = end - j < B_ROWS ? end - j : B_ROWS;
                dots_of_tile(a + i, a_left, b + j, b_left, padded, dots + i * stride + j, stride);
            }
        }
    }
}

/* totals[r][v]: of row r, lanes 2i and 2i+1 added up are the dot product with column 2v + i. */
static inline void code_dots(const int8_t *rows, const int8_t *columns, size_t words, int32x4_t totals[REACH_ROWS][8]) {
    for (int r = 0; r < REACH_ROWS; r++) {
        for (int v = 0; v < 8; v++) {
            totals[r][v] = vdupq_n_s32(0);
        }
    }
    for (size_t begin = 0; begin < words; begin += DM_GRAM_FOLD) {
        int16x8_t sums[REACH_ROWS][8];
        for (int r = 0; r < REACH_ROWS; r++) {
            for (int v = 0; v < 8; v++) {
                sums[r][v] = vdupq_n_s16(0);
            }
        }
        for (size_t w = 0; w < DM_GRAM_FOLD; w++) {
            int8x16_t word[REACH_ROWS];
            for (int r = 0; r < REACH_ROWS; r++) {
                int32_t four;
                memcpy(&four, rows + DM_GRAM_WORD * r, sizeof(four));
                word[r] = vreinterpretq_s8_s32(vdupq_n_s32(four));
            }
            for (int quarter = 0; quarter < 4; quarter++) {
                int8x16_t values = vld1q_s8(columns + 16 * quarter);
                for (int r = 0; r < REACH_ROWS; r++) {
                    int16x8_t *pair = &sums[r][2 * quarter];
                    pair[0] = vmlal_s8(pair[0], vget_low_s8(values), vget_low_s8(word[r]));
                    pair[1] = vmlal_high_s8(pair[1], values, word[r]);
                }
            }
            columns += DM_GRAM_PANEL * DM_GRAM_WORD;
            rows += DM_GRAM_PANEL * DM_GRAM_WORD;
        }
        for (int r = 0; r < REACH_ROWS; r++) {
            for (int v = 0; v < 8; v++) {
                totals[r][v] = vpadalq_s16(totals[r][v], sums[r][v]);
            }
        }
    }
}

uint32_t dm_gram_reach_neon(const dm_gram_panel *a, const dm_gram_panel *b, size_t words, float least,
                            uint16_t masks[DM_GRAM_PANEL]) {
    const uint32x4_t bits = {1, 2, 4, 8};
    uint32_t any = 0;
    for (uint32_t first = 0; first < DM_GRAM_PANEL; first += REACH_ROWS) {
        int32x4_t totals[REACH_ROWS][8];
        code_dots(a->codes + DM_GRAM_WORD * first, b->codes, words, totals);
        for (uint32_t r = 0; r < REACH_ROWS; r++) {
            const uint32_t i = first + r;
            const float32x4_t needed = vdupq_n_f32(dm_gram_floor(least, a->radii[i]));
            uint32_t mask = 0;
            for (uint32_t v = 0; v < 4; v++) {
                float32x4_t sums = vcvtq_f32_s32(vpaddq_s32(totals[r][2 * v], totals[r][2 * v + 1]));
                float32x4_t product = vmulq_n_f32(vmulq_f32(sums, vld1q_f32(b->scales + 4 * v)), a->scales[i]);
                float32x4_t bound = vaddq_f32(product, vmulq_n_f32(vld1q_f32(b->radii + 4 * v), 1.0f + a->radii[i]));
                mask |= vaddvq_u32(vandq_u32(vcgeq_f32(bound, needed), bits)) << 4 * v;
            }
            masks[i] = (uint16_t)mask;
            any |= mask;
        }
    }
    return any;
}

size_t dm_gram_next_neon(const double *sums, const double *weights, size_t count, size_t from, double least) {
    const float64x2_t needed = vdupq_n_f64(least);
    for (size_t i = from & ~(size_t)7; i < count; i += 8) {
        uint64x2_t found = vdupq_n_u64(0);
        for (size_t v = 0; v < 8; v += 2) {
            float64x2_t value = vmulq_f64(vld1q_f64(sums + i + v), vld1q_f64(weights + i + v));
            found = vorrq_u64(found, vcgeq_f64(value, needed));
        }
        if ((vgetq_lane_u64(found, 0) | vgetq_lane_u64(found, 1)) != 0) {
            for (size_t at = i < from ? from : i; at < i + 8; at++) {
                if (sums[at] * weights[at] >= least) {
                    return at;
                }
            }
        }
    }
    return count;
}

/* dm_half_power of recency.h in two lanes: the same operations in the same order, none fused. */
static inline float64x2_t half_powers(float64x2_t x) {
    static const double terms[] = {DM_HALF_POWER_TERMS};
    x = vminq_f64(x, vdupq_n_f64(64.0));
    const int64x2_t whole = vcvtq_s64_f64(vaddq_f64(x, vdupq_n_f64(0.5)));
    const float64x2_t t = vmulq_n_f64(vsubq_f64(vcvtq_f64_s64(whole), x), DM_LN_2);
    float64x2_t sum = vdupq_n_f64(terms[0]);
    for (size_t i = 1; i < sizeof(terms) / sizeof(terms[0]); i++) {
        sum = vaddq_f64(vmulq_f64(sum, t), vdupq_n_f64(terms[i]));
    }
    const int64x2_t exponents = vsubq_s64(vdupq_n_s64(1023), whole);
    return vmulq_f64(sum, vreinterpretq_f64_s64(vshlq_n_s64(exponents, 52)));
}

/* dm_similarity_of and dm_recency in two lanes. */
static inline float64x2_t similarities_of(float32x2_t dots, float64x2_t times, double time, double half_lives) {
    const float64x2_t recencies = half_powers(vmulq_n_f64(vabdq_f64(times, vdupq_n_f64(time)), half_lives));
    const float32x2_t clamped = vmax_f32(vmin_f32(dots, vdup_n_f32(1.0f)), vdup_n_f32(-1.0f));
    const float64x2_t units = vmulq_n_f64(vmulq_f64(vcvt_f64_f32(clamped), recencies), DM_SIMILARITY_ONE);
    const float64x2_t rounder = vdupq_n_f64(0x1.8p52);
    return vsubq_f64(vaddq_f64(units, rounder), rounder);
}

void dm_gram_weigh_neon(const float *dots, const double *times, uint32_t count, double time, double half_lives,
                        double *similarities) {
    const uint32_t whole = count / 2 * 2;
    for (uint32_t j = 0; j < whole; j += 2) {
        vst1q_f64(similarities + j, similarities_of(vld1_f32(dots + j), vld1q_f64(times + j), time, half_lives));
    }
    for (uint32_t j = whole; j < count; j++) {
        similarities[j] = dm_similarity_of(dots[j], dm_recency(times[j], time, half_lives));
    }
}

double dm_gram_largest_neon(const double *sums, const double *weights, size_t count) {
    float64x2_t largest[2] = {vdupq_n_f64(0.0), vdupq_n_f64(0.0)};
    for (size_t i = 0; i < count; i += 4) {
        for (size_t half = 0; half < 2; half++) {
            const size_t at = i + 2 * half;
            largest[half] = vmaxq_f64(largest[half], vmulq_f64(vld1q_f64(sums + at), vld1q_f64(weights + at)));
        }
    }
    return vmaxvq_f64(vmaxq_f64(largest[0], largest[1]));
}

#endif
