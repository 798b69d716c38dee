/* query_avx2.c: 16 lanes are four vectors of doubles; see query.h for why the bits equal those of the scalar
 * variant. */
#include "simd/query.h"

#if defined(__AVX2__)

#include <float.h>
#include <immintrin.h>
#include <math.h>
#include <string.h>

enum { VECTORS = 4, LANES = 16 };

static inline double sum_lanes(const __m256d lanes[VECTORS]) {
    __m256d four = _mm256_add_pd(_mm256_add_pd(lanes[0], lanes[2]), _mm256_add_pd(lanes[1], lanes[3]));
    __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}

/* 16 floats at any address, as doubles, squared into the lanes. */
static inline void widen(double *wide, const float *values, __m256d lanes[VECTORS]) {
    for (int v = 0; v < VECTORS; v++) {
        __m256d four = _mm256_cvtps_pd(_mm_loadu_ps(values + 4 * v));
        _mm256_store_pd(wide + 4 * v, four);
        lanes[v] = _mm256_fmadd_pd(four, four, lanes[v]);
    }
}

void dm_query_prepare_avx2(dm_query *query, const float *values) {
    const uint32_t whole = query->dim / LANES * LANES;
    __m256d lanes[VECTORS];
    for (int v = 0; v < VECTORS; v++) {
        lanes[v] = _mm256_setzero_pd();
    }
    for (uint32_t i = 0; i < whole; i += LANES) {
        widen(query->wide + i, values + i, lanes);
    }
    if (whole < query->dim) {
        float rest[LANES] = {0.0f};
        memcpy(rest, values + whole, (query->dim - whole) * sizeof(float));
        widen(query->wide + whole, rest, lanes);
    }
    double squared_norm = sum_lanes(lanes);
    query->squared_norm = squared_norm < (double)FLT_MIN ? 0.0 : squared_norm;
    __m256d inverse_norm = _mm256_set1_pd(squared_norm < (double)FLT_MIN ? 0.0 : 1.0 / sqrt(squared_norm));
    const size_t padded = dm_padded_dim(query->dim);
    for (size_t i = 0; i < padded; i += 4) {
        _mm_store_ps(query->unit + i, _mm256_cvtpd_ps(_mm256_mul_pd(_mm256_load_pd(query->wide + i), inverse_norm)));
    }
}

double dm_query_cosine_avx2(const dm_query *query, const float *row) {
    const size_t padded = dm_padded_dim(query->dim);
    __m256d dots[VECTORS];
    __m256d squares[VECTORS];
    for (int v = 0; v < VECTORS; v++) {
        dots[v] = _mm256_setzero_pd();
        squares[v] = _mm256_setzero_pd();
    }
    for (size_t i = 0; i < padded; i += LANES) {
        for (int v = 0; v < VECTORS; v++) {
            __m256d values = _mm256_cvtps_pd(_mm_load_ps(row + i + 4 * (size_t)v));
            dots[v] = _mm256_fmadd_pd(values, _mm256_load_pd(query->wide + i + 4 * (size_t)v), dots[v]);
            squares[v] = _mm256_fmadd_pd(values, values, squares[v]);
        }
    }
    double product = sum_lanes(squares) * query->squared_norm;
    return product > 0.0 ? sum_lanes(dots) / sqrt(product) : 0.0;
}

double dm_query_product_avx2(const dm_query *query, const float *row) {
    const size_t padded = dm_padded_dim(query->dim);
    __m256d dots[VECTORS];
    for (int v = 0; v < VECTORS; v++) {
        dots[v] = _mm256_setzero_pd();
    }
    for (size_t i = 0; i < padded; i += LANES) {
        for (int v = 0; v < VECTORS; v++) {
            __m256d values = _mm256_cvtps_pd(_mm_load_ps(row + i + 4 * (size_t)v));
            dots[v] = _mm256_fmadd_pd(values, _mm256_load_pd(query->wide + i + 4 * (size_t)v), dots[v]);
        }
    }
    return sum_lanes(dots);
}

#endif
