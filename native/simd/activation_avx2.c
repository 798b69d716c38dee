/* activation_avx2.c: eight elements at a time. No loop needs to be unrolled: elements are independent, and the processor
 * works on the next ones while the last one's chain is finished (measured: unrolled by two and by four, the same).
 *
 * Sigmoid. 1 / (1 + e) with e = exp2((threshold - s) / temperature * log2 e): a sum and a division, each rounded at 2^-24, on
 * top of e's 1.6e-7 (exponential.h): 2.8e-7. A real division, because an estimate with a Newton step is slower here:
 * 0.32 instead of 0.29 ns.
 *
 * Fan. 1 / sqrt(fan) by estimate (relative error <= 1.5 * 2^-12 on every x86 processor) and one Newton step, which squares the
 * error: 1.5 * (1.5 * 2^-12)^2 = 2.1e-7, with five roundings at most 5.1e-7. 0.12 ns, against 0.28 for the exact root and
 * quotient. Beside the sigmoid the root is exact, since it shares the one division: 1 / ((1 + e) * sqrt(fan)). */
#include "simd/sigmoid.h"

#if defined(__AVX2__)

#include <immintrin.h>
#include <string.h>

#include "simd/exponential_avx2.h"

enum { LANES = 8 };

_Static_assert((int)LANES == (int)DM_STRENGTHS, "one register holds ACT-R's strengths");

/* --- eight elements ------------------------------------------------------------------------------------------------ */

/* max(fan, 1) * scale, for a power of two. A conversion takes fans from 2^31 on for fan - 2^32; that is put right. Two
 * roundings, at 2^-24 each, from there on; one below. */
static inline __m256 fans_to_floats(__m256i fans, float scale) {
    __m256i large = _mm256_srai_epi32(fans, 31);
    __m256 missing = _mm256_and_ps(_mm256_castsi256_ps(large), _mm256_set1_ps(0x1p32f * scale));
    __m256 floats = _mm256_fmadd_ps(_mm256_cvtepi32_ps(fans), _mm256_set1_ps(scale), missing);
    return _mm256_max_ps(floats, _mm256_set1_ps(scale));
}

/* a / sqrt(fan) = (a w) (3 - F w^2) for F = 4 fan and w ~ 1 / sqrt(F): the halves of the Newton step are in the 4. */
static inline __m256 root_of_eight(__m256 activations, __m256i fans) {
    __m256 four_fans = fans_to_floats(fans, 4.0f);
    __m256 estimate = _mm256_rsqrt_ps(four_fans);
    __m256 correction = _mm256_fnmadd_ps(_mm256_mul_ps(four_fans, estimate), estimate, _mm256_set1_ps(3.0f));
    return _mm256_mul_ps(_mm256_mul_ps(activations, estimate), correction);
}

static inline __m256 quotient_of_eight(__m256 activations, __m256i fans) {
    return _mm256_div_ps(activations, fans_to_floats(fans, 1.0f));
}

static inline __m256 associative_of_eight(__m256 activations, __m256i fans) {
    __m256i place = _mm256_min_epu32(fans, _mm256_set1_epi32(DM_STRENGTHS - 1));
    return _mm256_mul_ps(activations, _mm256_permutevar8x32_ps(_mm256_loadu_ps(dm_strengths), place));
}

/* 1 + exp(-(s - threshold) / temperature). */
static inline __m256 denominator_of_eight(const dm_exponential *constant, __m256 similarities) {
    dm_exponential_factors e = dm_exponential_of(constant, similarities);
    return _mm256_fmadd_ps(e.polynomial, e.power, _mm256_set1_ps(1.0f));
}

static inline __m256 sigmoid_of_eight(const dm_exponential *constant, __m256 similarities) {
    return _mm256_div_ps(_mm256_set1_ps(1.0f), denominator_of_eight(constant, similarities));
}

/* The product overflows only where the result is below 2^-128. */
static inline __m256 fused_of_eight(const dm_exponential *constant, __m256 similarities, __m256i fans) {
    __m256 root = _mm256_sqrt_ps(fans_to_floats(fans, 1.0f));
    return _mm256_div_ps(_mm256_set1_ps(1.0f), _mm256_mul_ps(denominator_of_eight(constant, similarities), root));
}

/* --- arrays -------------------------------------------------------------------------------------------------------------- */

static inline __m256 load(const float *values) {
    return _mm256_loadu_ps(values);
}

static inline __m256i load_fans(const uint32_t *fans) {
    return _mm256_loadu_si256((const __m256i *)(const void *)fans);
}

/* The last one to seven elements go through buffers, so that nothing beyond the arrays is touched and the arithmetic is
 * that of a full vector. */
static inline __m256 load_rest(const float *values, size_t count) {
    float buffer[LANES] = {0};
    memcpy(buffer, values, count * sizeof(float));
    return load(buffer);
}

static inline __m256i load_rest_of_fans(const uint32_t *fans, size_t count) {
    uint32_t buffer[LANES] = {0};
    memcpy(buffer, fans, count * sizeof(uint32_t));
    return load_fans(buffer);
}

static inline void store_rest(float *results, size_t count, __m256 values) {
    float buffer[LANES];
    _mm256_storeu_ps(buffer, values);
    memcpy(results, buffer, count * sizeof(float));
}

/* `of_eight` is a constant of each caller, so it is compiled into the loop. */
static inline void map_fans(const float *activations, const uint32_t *fans, size_t count, float *results,
                            __m256 (*of_eight)(__m256, __m256i)) {
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        _mm256_storeu_ps(results + i, of_eight(load(activations + i), load_fans(fans + i)));
    }
    if (i < count) {
        __m256 rest = of_eight(load_rest(activations + i, count - i), load_rest_of_fans(fans + i, count - i));
        store_rest(results + i, count - i, rest);
    }
}

void dm_activation_fan_linear_avx2(const float *activations, const uint32_t *fans, size_t count, float *results) {
    map_fans(activations, fans, count, results, quotient_of_eight);
}

void dm_activation_fan_sqrt_avx2(const float *activations, const uint32_t *fans, size_t count, float *results) {
    map_fans(activations, fans, count, results, root_of_eight);
}

void dm_activation_fan_actr_avx2(const float *activations, const uint32_t *fans, size_t count, float *results) {
    map_fans(activations, fans, count, results, associative_of_eight);
}

void dm_activation_sigmoid_avx2(const float *similarities, size_t count, const dm_sigmoid *sigmoid, float *results) {
    if (!dm_sigmoid_is_near(sigmoid)) {
        dm_activation_sigmoid_scalar(similarities, count, sigmoid, results);
        return;
    }
    const dm_exponential constant = dm_exponential_make(dm_sigmoid_terms(sigmoid));
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        _mm256_storeu_ps(results + i, sigmoid_of_eight(&constant, load(similarities + i)));
    }
    if (i < count) {
        store_rest(results + i, count - i, sigmoid_of_eight(&constant, load_rest(similarities + i, count - i)));
    }
}

void dm_activation_fused_avx2(const float *similarities, const uint32_t *fans, size_t count, const dm_sigmoid *sigmoid,
                              float *results) {
    if (!dm_sigmoid_is_near(sigmoid)) {
        dm_activation_fused_scalar(similarities, fans, count, sigmoid, results);
        return;
    }
    const dm_exponential constant = dm_exponential_make(dm_sigmoid_terms(sigmoid));
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        _mm256_storeu_ps(results + i, fused_of_eight(&constant, load(similarities + i), load_fans(fans + i)));
    }
    if (i < count) {
        __m256i rest_of_fans = load_rest_of_fans(fans + i, count - i);
        store_rest(results + i, count - i, fused_of_eight(&constant, load_rest(similarities + i, count - i), rest_of_fans));
    }
}

#endif
