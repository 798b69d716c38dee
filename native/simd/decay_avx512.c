/* decay_avx512.c: sixteen factors at a time; two blocks at a time, whose products below FLT_MIN a mask leaves out. */
#include "simd/forgetting.h"

#include "simd/exponential_avx512.h"

#if defined(DM_AVX512_CODE)

enum { LANES = 16, PAIR = 2, LINE = 64 };

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

enum { STRIP = 16 }; /* blocks */

static inline __mmask16 not_flushed(__m512i products) {
    return _mm512_cmpge_epu32_mask(products, _mm512_set1_epi32(DM_FLT_MIN_BITS));
}

/* One block, for the ends. */
static void scale_one(uint32_t *places, float factor) {
    float *eight = (float *)(void *)places;
    __m256 product = _mm256_mul_ps(_mm256_load_ps(eight), _mm256_set1_ps(factor));
    uint8_t stays = _mm256_cmpge_epu32_mask(_mm256_castps_si256(product), _mm256_set1_epi32(DM_FLT_MIN_BITS));
    _mm256_store_ps(eight, _mm256_maskz_mov_ps(stays, product));
}

/* Sets the products below FLT_MIN to +0.0. */
static void flush(uint32_t *products, uint32_t blocks) {
    for (uint32_t block = 0; block < blocks; block += PAIR) {
        uint32_t *places = products + (size_t)block * DM_DECAY_BLOCK;
        __m512i product = _mm512_load_si512((const void *)places);
        _mm512_store_si512((void *)places, _mm512_maskz_mov_epi32(not_flushed(product), product));
    }
}

/* An even number of blocks, a constant in the caller where it can be, at a 64-byte boundary. Their factors are loaded once, and
 * a permutation spreads two of them at a time: to load and spread each pair takes a quarter more time. See decay_avx2.c for why
 * a strip is looked at once. */
static inline __attribute__((always_inline)) void scale_strip(uint32_t *strengths, const float *factors, uint32_t blocks) {
    const __m512 all = dm_load_first(factors, blocks);
    const __m512i next = _mm512_set1_epi32(PAIR);
    __m512i spread = _mm512_setr_epi32(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
    __m512i smallest = _mm512_set1_epi32(DM_FLT_MIN_BITS);
    for (uint32_t block = 0; block < blocks; block += PAIR) {
        uint32_t *places = strengths + (size_t)block * DM_DECAY_BLOCK;
        __m512 product = _mm512_mul_ps(_mm512_load_ps(places), _mm512_permutexvar_ps(spread, all));
        smallest = _mm512_min_epu32(smallest, _mm512_castps_si512(product));
        _mm512_store_ps(places, product);
        spread = _mm512_add_epi32(spread, next);
    }
    if (not_flushed(smallest) != UINT16_MAX) {
        flush(strengths, blocks);
    }
}

/* Blocks lie at 32-byte boundaries; the first one goes alone where the others would straddle cache lines. */
void dm_decay_scale_avx512(uint32_t *strengths, const float *factors, uint32_t blocks) {
    uint32_t block = 0;
    if ((uintptr_t)strengths % LINE != 0 && blocks > 0) {
        scale_one(strengths, factors[0]);
        block = 1;
    }
    for (; blocks - block >= STRIP; block += STRIP) {
        scale_strip(strengths + (size_t)block * DM_DECAY_BLOCK, factors + block, STRIP);
    }
    if (blocks - block >= PAIR) {
        const uint32_t left = (blocks - block) / PAIR * PAIR;
        scale_strip(strengths + (size_t)block * DM_DECAY_BLOCK, factors + block, left);
        block += left;
    }
    if (block < blocks) {
        scale_one(strengths + (size_t)block * DM_DECAY_BLOCK, factors[block]);
    }
}

#endif
