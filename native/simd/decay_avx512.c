/* decay_avx512.c: sixteen factors at a time; two blocks at a time, whose products below FLT_MIN a mask leaves out. */
#include "simd/forgetting.h"

#include "simd/exponential_avx512.h"

#if defined(DM_AVX512_CODE)

enum { LANES = 16, PAIR = 2 };

/* The arrays have room for a multiple of eight, so the last vector may be half of one. */
static inline __m512 load_factors(const float *values, uint32_t left) {
    return left > DM_DECAY_BLOCK ? _mm512_load_ps(values) : dm_load_first(values, DM_DECAY_BLOCK);
}

static inline void store_factors(float *factors, uint32_t left, __m512 values) {
    if (left > DM_DECAY_BLOCK) {
        _mm512_store_ps(factors, values);
    } else {
        dm_store_first(factors, DM_DECAY_BLOCK, values);
    }
}

static void exponential_factors(double amount, const float *modulations, uint32_t count, float *factors) {
    const dm_exponential constant = dm_exponential_make(dm_forgetting_terms(amount));
    for (uint32_t i = 0; i < count; i += LANES) {
        dm_exponential_factors parts = dm_exponential_of(&constant, load_factors(modulations + i, count - i));
        store_factors(factors + i, count - i, _mm512_mul_ps(parts.polynomial, parts.power));
    }
}

/* See decay_avx2.c for why the amount is two floats. */
static void linear_factors(double amount, const float *modulations, uint32_t count, float *factors) {
    const float high = (float)amount;
    const __m512 minus_high = _mm512_set1_ps(-high);
    const __m512 minus_low = _mm512_set1_ps((float)((double)high - amount));
    for (uint32_t i = 0; i < count; i += LANES) {
        __m512 modulation = load_factors(modulations + i, count - i);
        __m512 left = dm_fused(modulation, minus_high, _mm512_set1_ps(1.0f));
        left = dm_fused(modulation, minus_low, left);
        store_factors(factors + i, count - i, _mm512_max_ps(left, _mm512_setzero_ps()));
    }
}

void dm_decay_factors_avx512(const dm_decay_amount *amount, const float *modulations, uint32_t count, float *factors) {
    if (amount->mode == DM_DECAY_LINEAR) {
        linear_factors(amount->amount, modulations, count, factors);
    } else {
        exponential_factors(amount->amount, modulations, count, factors);
    }
}

static inline __m512 decayed(__m512 strengths, __m512 factors) {
    __m512 product = _mm512_mul_ps(strengths, factors);
    __mmask16 stays = _mm512_cmpge_epu32_mask(_mm512_castps_si512(product), _mm512_set1_epi32(DM_FLT_MIN_BITS));
    return _mm512_maskz_mov_ps(stays, product);
}

/* Blocks lie at 32-byte boundaries; the first one alone where the others would straddle cache lines. */
void dm_decay_scale_avx512(uint32_t *strengths, const float *factors, uint32_t blocks) {
    const __m512i spread = _mm512_setr_epi32(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
    uint32_t block = 0;
    if ((uintptr_t)strengths % 64 != 0 && blocks > 0) {
        __m512 one = decayed(dm_load_first(strengths, DM_DECAY_BLOCK), _mm512_set1_ps(factors[0]));
        dm_store_first(strengths, DM_DECAY_BLOCK, one);
        block = 1;
    }
    for (; block + PAIR <= blocks; block += PAIR) {
        uint32_t *places = strengths + (size_t)block * DM_DECAY_BLOCK;
        double two;
        memcpy(&two, factors + block, sizeof(two));
        __m512 pair = _mm512_permutexvar_ps(spread, _mm512_castpd_ps(_mm512_set1_pd(two)));
        _mm512_store_ps(places, decayed(_mm512_load_ps(places), pair));
    }
    if (block < blocks) {
        uint32_t *places = strengths + (size_t)block * DM_DECAY_BLOCK;
        __m512 one = decayed(dm_load_first(places, DM_DECAY_BLOCK), _mm512_set1_ps(factors[block]));
        dm_store_first(places, DM_DECAY_BLOCK, one);
    }
}

#endif
