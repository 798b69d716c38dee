/* avx512.h: the instructions of the *_avx512*.c files, from the processor or, for the tests on machines without them, from
 * SIMDe (-DDM_EMULATE_AVX512; native/cmake/emulated.cmake). Included by those files alone.
 *
 * A few operations have a name of their own here, because SIMDe 0.8.2 lacks them (the conversions between float and double,
 * the estimate of 1 / sqrt), because it does more (its masked loads and stores touch the whole vector, where the real ones do
 * not touch what the mask leaves out), or because it does less: its multiply-add rounds twice. dm_fused rounds once, for
 * code whose result rests on that; _mm512_fmadd_ps serves the rest. */
#ifndef DUALMEM_SIMD_AVX512_H
#define DUALMEM_SIMD_AVX512_H

#include <stdint.h>

#if defined(DM_EMULATE_AVX512)

#define DM_AVX512_CODE 1
#define SIMDE_NO_NATIVE /* plain C, so that it runs everywhere and clang's own types of these names stay out */
#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>
#include <simde/x86/fma.h>
#include <math.h>
#include <string.h>

/* The first `count` words of 32 bits and zeros; count <= 16. */
static inline __m512 dm_load_first(const void *words, uint32_t count) {
    float whole[16] = {0.0f};
    memcpy(whole, words, count * sizeof(float));
    return _mm512_loadu_ps(whole);
}

static inline void dm_store_first(void *words, uint32_t count, __m512 values) {
    float whole[16];
    _mm512_storeu_ps(whole, values);
    memcpy(words, whole, count * sizeof(float));
}

/* a b + c, rounded once. */
static inline __m512 dm_fused(__m512 a, __m512 b, __m512 c) {
    float factors[16];
    float others[16];
    float sums[16];
    _mm512_storeu_ps(factors, a);
    _mm512_storeu_ps(others, b);
    _mm512_storeu_ps(sums, c);
    for (int lane = 0; lane < 16; lane++) {
        sums[lane] = fmaf(factors[lane], others[lane], sums[lane]);
    }
    return _mm512_loadu_ps(sums);
}

/* 1 / sqrt, as far off as the processor's estimate may be. */
static inline __m512 dm_inverse_root_estimate(__m512 values) {
    float all[16];
    _mm512_storeu_ps(all, values);
    for (int lane = 0; lane < 16; lane++) {
        all[lane] = (lane % 2 == 0 ? 1.0f + 0x1.0p-14f : 1.0f - 0x1.0p-14f) / sqrtf(all[lane]);
    }
    return _mm512_loadu_ps(all);
}

static inline __m512d dm_widen(__m256 narrow) {
    float from[8];
    double to[8];
    _mm256_storeu_ps(from, narrow);
    for (int lane = 0; lane < 8; lane++) {
        to[lane] = (double)from[lane];
    }
    return _mm512_loadu_pd(to);
}

static inline __m256 dm_narrow(__m512d wide) {
    double from[8];
    float to[8];
    _mm512_storeu_pd(from, wide);
    for (int lane = 0; lane < 8; lane++) {
        to[lane] = (float)from[lane];
    }
    return _mm256_loadu_ps(to);
}

#elif defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__)

#define DM_AVX512_CODE 1
#include <immintrin.h>

static inline __m512 dm_load_first(const void *words, uint32_t count) {
    return _mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1u), words);
}

static inline void dm_store_first(void *words, uint32_t count, __m512 values) {
    _mm512_mask_storeu_ps(words, (__mmask16)((1u << count) - 1u), values);
}

static inline __m512 dm_fused(__m512 a, __m512 b, __m512 c) {
    return _mm512_fmadd_ps(a, b, c);
}

static inline __m512 dm_inverse_root_estimate(__m512 values) {
    return _mm512_rsqrt14_ps(values);
}

static inline __m512d dm_widen(__m256 narrow) {
    return _mm512_cvtps_pd(narrow);
}

static inline __m256 dm_narrow(__m512d wide) {
    return _mm512_cvtpd_ps(wide);
}

#endif

#endif
