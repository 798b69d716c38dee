/* query_neon.c: 16 lanes are eight vectors of two doubles; see query.h for why the bits equal those of the scalar
 * variant. */
#include "simd/query.h"

#if defined(__aarch64__)

#include <arm_neon.h>
#include <float.h>
#include <math.h>
#include <string.h>

enum { VECTORS = 8, LANES = 16 };

static inline void clear_lanes(float64x2_t lanes[VECTORS]) {
    for (int v = 0; v < VECTORS; v++) {
        lanes[v] = vdupq_n_f64(0.0);
    }
}

static inline double sum_lanes(const float64x2_t lanes[VECTORS]) {
    float64x2_t four[4];
    for (int v = 0; v < 4; v++) {
        four[v] = vaddq_f64(lanes[v], lanes[v + 4]);
    }
    float64x2_t two = vaddq_f64(vaddq_f64(four[0], four[2]), vaddq_f64(four[1], four[3]));
    return vgetq_lane_f64(two, 0) + vgetq_lane_f64(two, 1);
}

/* 16 floats as doubles. */
static inline void widen(const float *values, float64x2_t wide[VECTORS]) {
    for (int v = 0; v < VECTORS; v += 2) {
        float32x4_t four = vld1q_f32(values + 2 * v);
        wide[v] = vcvt_f64_f32(vget_low_f32(four));
        wide[v + 1] = vcvt_high_f64_f32(four);
    }
}

/* 16 floats at any address, as doubles, squared into the lanes. */
static inline void take(double *wide, const float *values, float64x2_t lanes[VECTORS]) {
    float64x2_t taken[VECTORS];
    widen(values, taken);
    for (int v = 0; v < VECTORS; v++) {
        vst1q_f64(wide + 2 * v, taken[v]);
        lanes[v] = vfmaq_f64(lanes[v], taken[v], taken[v]);
    }
}

void dm_query_prepare_neon(dm_query *query, const float *values) {
    const uint32_t whole = query->dim / LANES * LANES;
    float64x2_t lanes[VECTORS];
    clear_lanes(lanes);
    for (uint32_t i = 0; i < whole; i += LANES) {
        take(query->wide + i, values + i, lanes);
    }
    if (whole < query->dim) {
        float rest[LANES] = {0.0f};
        memcpy(rest, values + whole, (query->dim - whole) * sizeof(float));
        take(query->wide + whole, rest, lanes);
    }
    double squared_norm = sum_lanes(lanes);
    query->squared_norm = squared_norm < (double)FLT_MIN ? 0.0 : squared_norm;
    const double inverse_norm = squared_norm < (double)FLT_MIN ? 0.0 : 1.0 / sqrt(squared_norm);
    const size_t padded = dm_padded_dim(query->dim);
    for (size_t i = 0; i < padded; i += 4) {
        float32x2_t low = vcvt_f32_f64(vmulq_n_f64(vld1q_f64(query->wide + i), inverse_norm));
        vst1q_f32(query->unit + i, vcvt_high_f32_f64(low, vmulq_n_f64(vld1q_f64(query->wide + i + 2), inverse_norm)));
    }
}

double dm_query_cosine_neon(const dm_query *query, const float *row) {
    const size_t padded = dm_padded_dim(query->dim);
    float64x2_t dots[VECTORS];
    float64x2_t squares[VECTORS];
    clear_lanes(dots);
    clear_lanes(squares);
    for (size_t i = 0; i < padded; i += LANES) {
        float64x2_t values[VECTORS];
        widen(row + i, values);
        for (int v = 0; v < VECTORS; v++) {
            dots[v] = vfmaq_f64(dots[v], values[v], vld1q_f64(query->wide + i + 2 * (size_t)v));
            squares[v] = vfmaq_f64(squares[v], values[v], values[v]);
        }
    }
    double product = sum_lanes(squares) * query->squared_norm;
    return product > 0.0 ? sum_lanes(dots) / sqrt(product) : 0.0;
}

double dm_query_product_neon(const dm_query *query, const float *row) {
    const size_t padded = dm_padded_dim(query->dim);
    float64x2_t dots[VECTORS];
    clear_lanes(dots);
    for (size_t i = 0; i < padded; i += LANES) {
        float64x2_t values[VECTORS];
        widen(row + i, values);
        for (int v = 0; v < VECTORS; v++) {
            dots[v] = vfmaq_f64(dots[v], values[v], vld1q_f64(query->wide + i + 2 * (size_t)v));
        }
    }
    return sum_lanes(dots);
}

#endif
