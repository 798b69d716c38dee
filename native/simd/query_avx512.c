/* query_avx512.c: 16 lanes are two vectors of doubles; see query.h for why the bits equal those of the scalar
 * variant. */
#include "simd/query.h"

#include <float.h>
#include <math.h>

#include "simd/avx512.h"

#if defined(DM_AVX512_CODE)

enum { LANES = 16 };

typedef struct lanes {
    __m512d low; /* 0 to 7 */
    __m512d high;
} lanes;

static inline lanes zero_lanes(void) {
    return (lanes){_mm512_setzero_pd(), _mm512_setzero_pd()};
}

static inline double sum_lanes(lanes all) {
    __m512d eight = _mm512_add_pd(all.low, all.high);
    __m256d four = _mm256_add_pd(_mm512_castpd512_pd256(eight), _mm512_extractf64x4_pd(eight, 1));
    __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}

static inline lanes widen(__m512 values) {
    __m256 high = _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(values), 1));
    return (lanes){dm_widen(_mm512_castps512_ps256(values)), dm_widen(high)};
}

static inline lanes multiply_add(lanes a, lanes b, lanes sums) {
    return (lanes){_mm512_fmadd_pd(a.low, b.low, sums.low), _mm512_fmadd_pd(a.high, b.high, sums.high)};
}

static inline lanes load_lanes(const double *wide) {
    return (lanes){_mm512_load_pd(wide), _mm512_load_pd(wide + 8)};
}

void dm_query_prepare_avx512(dm_query *query, const float *values) {
    const size_t padded = dm_padded_dim(query->dim);
    lanes squares = zero_lanes();
    for (uint32_t i = 0; i < query->dim; i += LANES) {
        const uint32_t left = query->dim - i;
        lanes wide = widen(dm_load_first(values + i, left < LANES ? left : LANES));
        _mm512_store_pd(query->wide + i, wide.low);
        _mm512_store_pd(query->wide + i + 8, wide.high);
        squares = multiply_add(wide, wide, squares);
    }
    double squared_norm = sum_lanes(squares);
    query->squared_norm = squared_norm < (double)FLT_MIN ? 0.0 : squared_norm;
    __m512d inverse_norm = _mm512_set1_pd(squared_norm < (double)FLT_MIN ? 0.0 : 1.0 / sqrt(squared_norm));
    for (size_t i = 0; i < padded; i += 8) {
        _mm256_store_ps(query->unit + i, dm_narrow(_mm512_mul_pd(_mm512_load_pd(query->wide + i), inverse_norm)));
    }
}

double dm_query_cosine_avx512(const dm_query *query, const float *row) {
    const size_t padded = dm_padded_dim(query->dim);
    lanes dots = zero_lanes();
    lanes squares = zero_lanes();
    for (size_t i = 0; i < padded; i += LANES) {
        lanes values = {dm_widen(_mm256_load_ps(row + i)), dm_widen(_mm256_load_ps(row + i + 8))};
        dots = multiply_add(values, load_lanes(query->wide + i), dots);
        squares = multiply_add(values, values, squares);
    }
    double product = sum_lanes(squares) * query->squared_norm;
    return product > 0.0 ? sum_lanes(dots) / sqrt(product) : 0.0;
}

double dm_query_product_avx512(const dm_query *query, const float *row) {
    const size_t padded = dm_padded_dim(query->dim);
    lanes dots = zero_lanes();
    for (size_t i = 0; i < padded; i += LANES) {
        lanes values = {dm_widen(_mm256_load_ps(row + i)), dm_widen(_mm256_load_ps(row + i + 8))};
        dots = multiply_add(values, load_lanes(query->wide + i), dots);
    }
    return sum_lanes(dots);
}

#endif
