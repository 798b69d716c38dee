/* activation_avx512.c: sixteen elements at a time, by the method of activation_avx2.c; the tail behind a mask, in the same
 * arithmetic.
 *
 * Sigmoid: 2.8e-7, as there. Fan: the estimate of 1 / sqrt(fan) is within 2^-14, so one Newton step leaves 1.5 * 2^-28, and five
 * roundings at most 3.1e-7. Fans are converted without a sign, in one rounding. */
#include "simd/sigmoid.h"

#include "simd/exponential_avx512.h"

#if defined(DM_AVX512_CODE)

enum { LANES = 16 };

/* --- sixteen elements ---------------------------------------------------------------------------------------------- */

static inline __m512 fans_to_floats(__m512i fans) {
    return _mm512_cvtepu32_ps(_mm512_max_epu32(fans, _mm512_set1_epi32(1)));
}

/* a / sqrt(fan) = (a w) (3 - F w^2) for F = 4 fan and w ~ 1 / sqrt(F): the halves of the Newton step are in the 4, and an
 * estimate that is too large takes no activation beyond FLT_MAX. */
static inline __m512 root_of_sixteen(__m512 activations, __m512i fans) {
    __m512 four_fans = _mm512_mul_ps(fans_to_floats(fans), _mm512_set1_ps(4.0f));
    __m512 estimate = dm_inverse_root_estimate(four_fans);
    __m512 correction = _mm512_fnmadd_ps(_mm512_mul_ps(four_fans, estimate), estimate, _mm512_set1_ps(3.0f));
    return _mm512_mul_ps(_mm512_mul_ps(activations, estimate), correction);
}

static inline __m512 quotient_of_sixteen(__m512 activations, __m512i fans) {
    return _mm512_div_ps(activations, fans_to_floats(fans));
}

static inline __m512 associative_of_sixteen(__m512 activations, __m512i fans) {
    __m512i place = _mm512_min_epu32(fans, _mm512_set1_epi32(DM_STRENGTHS - 1));
    return _mm512_mul_ps(activations, _mm512_permutexvar_ps(place, dm_load_first(dm_strengths, DM_STRENGTHS)));
}

/* 1 + exp(-(s - threshold) / temperature). */
static inline __m512 denominator_of_sixteen(const dm_exponential *constant, __m512 similarities) {
    dm_exponential_factors e = dm_exponential_of(constant, similarities);
    return dm_fused(e.polynomial, e.power, _mm512_set1_ps(1.0f));
}

static inline __m512 sigmoid_of_sixteen(const dm_exponential *constant, __m512 similarities) {
    return _mm512_div_ps(_mm512_set1_ps(1.0f), denominator_of_sixteen(constant, similarities));
}

/* The product overflows only where the result is below 2^-128. */
static inline __m512 fused_of_sixteen(const dm_exponential *constant, __m512 similarities, __m512i fans) {
    __m512 root = _mm512_sqrt_ps(fans_to_floats(fans));
    return _mm512_div_ps(_mm512_set1_ps(1.0f), _mm512_mul_ps(denominator_of_sixteen(constant, similarities), root));
}

/* --- arrays -------------------------------------------------------------------------------------------------------------- */

static inline __m512i load_fans(const uint32_t *fans) {
    return _mm512_loadu_si512((const void *)fans);
}

static inline __m512i load_first_fans(const uint32_t *fans, uint32_t count) {
    return _mm512_castps_si512(dm_load_first(fans, count));
}

/* `of_sixteen` is a constant of each caller, so it is compiled into the loop. */
static inline void map_fans(const float *activations, const uint32_t *fans, size_t count, float *results,
                            __m512 (*of_sixteen)(__m512, __m512i)) {
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        _mm512_storeu_ps(results + i, of_sixteen(_mm512_loadu_ps(activations + i), load_fans(fans + i)));
    }
    if (i < count) {
        const uint32_t rest = (uint32_t)(count - i);
        __m512 mapped = of_sixteen(dm_load_first(activations + i, rest), load_first_fans(fans + i, rest));
        dm_store_first(results + i, rest, mapped);
    }
}

void dm_activation_fan_linear_avx512(const float *activations, const uint32_t *fans, size_t count, float *results) {
    map_fans(activations, fans, count, results, quotient_of_sixteen);
}

void dm_activation_fan_sqrt_avx512(const float *activations, const uint32_t *fans, size_t count, float *results) {
    map_fans(activations, fans, count, results, root_of_sixteen);
}

void dm_activation_fan_actr_avx512(const float *activations, const uint32_t *fans, size_t count, float *results) {
    map_fans(activations, fans, count, results, associative_of_sixteen);
}

void dm_activation_sigmoid_avx512(const float *similarities, size_t count, const dm_sigmoid *sigmoid, float *results) {
    if (!dm_sigmoid_is_near(sigmoid)) {
        dm_activation_sigmoid_scalar(similarities, count, sigmoid, results);
        return;
    }
    const dm_exponential constant = dm_exponential_make(dm_sigmoid_terms(sigmoid));
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        _mm512_storeu_ps(results + i, sigmoid_of_sixteen(&constant, _mm512_loadu_ps(similarities + i)));
    }
    if (i < count) {
        const uint32_t rest = (uint32_t)(count - i);
        dm_store_first(results + i, rest, sigmoid_of_sixteen(&constant, dm_load_first(similarities + i, rest)));
    }
}

void dm_activation_fused_avx512(const float *similarities, const uint32_t *fans, size_t count, const dm_sigmoid *sigmoid,
                                float *results) {
    if (!dm_sigmoid_is_near(sigmoid)) {
        dm_activation_fused_scalar(similarities, fans, count, sigmoid, results);
        return;
    }
    const dm_exponential constant = dm_exponential_make(dm_sigmoid_terms(sigmoid));
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        __m512 values = _mm512_loadu_ps(similarities + i);
        _mm512_storeu_ps(results + i, fused_of_sixteen(&constant, values, load_fans(fans + i)));
    }
    if (i < count) {
        const uint32_t rest = (uint32_t)(count - i);
        __m512 values = dm_load_first(similarities + i, rest);
        dm_store_first(results + i, rest, fused_of_sixteen(&constant, values, load_first_fans(fans + i, rest)));
    }
}

#endif
