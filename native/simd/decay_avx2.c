/* decay_avx2.c: eight factors at a time, one block at a time. */
#include "simd/decay.h"

#if defined(__AVX2__)

#include <immintrin.h>

#include "simd/exponential_avx2.h"

enum { LANES = 8 };

static const double LOG2_E = 1.4426950408889634;

/* Error: 1.6e-7 (exponential_avx2.h) and the product of the two parts, 2^-24. Exponents end at -126.5, whose power is below
 * FLT_MIN. */
static void exponential_factors(double amount, const float *modulations, uint32_t count, float *factors) {
    /* A rate of 0 would divide by 0 where the limits are made; this one leaves 1 of everything just as well. */
    double rate = amount > 1e-30 ? amount : 1e-30;
    const dm_exponential constant = dm_exponential_make(-rate * LOG2_E, 0.0, -126.5, 0.0);
    for (uint32_t i = 0; i < count; i += LANES) {
        dm_exponential_factors parts = dm_exponential_of(&constant, _mm256_load_ps(modulations + i));
        _mm256_store_ps(factors + i, _mm256_mul_ps(parts.polynomial, parts.power));
    }
}

/* The amount as two floats, so that what is left near the end, a small difference, keeps its digits: the first multiply-add is
 * exact there. */
static void linear_factors(double amount, const float *modulations, uint32_t count, float *factors) {
    const float high = (float)amount;
    const __m256 amount_high = _mm256_set1_ps(high);
    const __m256 amount_low = _mm256_set1_ps((float)(amount - (double)high));
    for (uint32_t i = 0; i < count; i += LANES) {
        __m256 modulation = _mm256_load_ps(modulations + i);
        __m256 left = _mm256_fnmadd_ps(modulation, amount_high, _mm256_set1_ps(1.0f));
        left = _mm256_fnmadd_ps(modulation, amount_low, left);
        _mm256_store_ps(factors + i, _mm256_max_ps(left, _mm256_setzero_ps()));
    }
}

void dm_decay_factors_avx2(const dm_decay_amount *amount, const float *modulations, uint32_t count, float *factors) {
    if (amount->mode == DM_DECAY_LINEAR) {
        linear_factors(amount->amount, modulations, count, factors);
    } else {
        exponential_factors(amount->amount, modulations, count, factors);
    }
}

/* A product stays if it is the mark or not below FLT_MIN, which with the sign bit turned over is one comparison of whole
 * numbers: the mark is the smallest float of all as bits go, and turned over it is 0, in the middle. */
void dm_decay_scale_avx2(uint32_t *strengths, const float *factors, uint32_t blocks) {
    const __m256i sign = _mm256_set1_epi32(INT32_MIN);
    const __m256i largest_flushed = _mm256_set1_epi32(INT32_MIN + 0x7fffff);
    for (uint32_t block = 0; block < blocks; block++) {
        float *places = (float *)(void *)(strengths + (size_t)block * DM_DECAY_BLOCK);
        __m256 product = _mm256_mul_ps(_mm256_load_ps(places), _mm256_broadcast_ss(factors + block));
        __m256i turned = _mm256_xor_si256(_mm256_castps_si256(product), sign);
        __m256 stays = _mm256_castsi256_ps(_mm256_cmpgt_epi32(turned, largest_flushed));
        _mm256_store_ps(places, _mm256_and_ps(product, stays));
    }
}

#endif
