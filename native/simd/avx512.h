/* avx512.h: the instructions of the *_avx512*.c files, from the processor or, for the tests on machines without them, from
 * SIMDe (-DDM_EMULATE_AVX512; native/cmake/emulated.cmake). Included by those files alone.
 *
 * A few operations have a name of their own here, because SIMDe 0.8.2 lacks the conversions between float and double, and
 * because its masked load reads the whole vector, where the real one does not touch what the mask leaves out. */
#ifndef DUALMEM_SIMD_AVX512_H
#define DUALMEM_SIMD_AVX512_H

#include <stdint.h>

#if defined(DM_EMULATE_AVX512)

#define DM_AVX512_CODE 1
#define SIMDE_NO_NATIVE /* plain C, so that it runs everywhere and clang's own types of these names stay out */
#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>
#include <simde/x86/fma.h>
#include <string.h>

/* values[0 .. count) and zeros; count <= 16. */
static inline __m512 dm_load_first(const float *values, uint32_t count) {
    float whole[16] = {0.0f};
    memcpy(whole, values, count * sizeof(float));
    return _mm512_loadu_ps(whole);
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

static inline __m512 dm_load_first(const float *values, uint32_t count) {
    return _mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1u), values);
}

static inline __m512d dm_widen(__m256 narrow) {
    return _mm512_cvtps_pd(narrow);
}

static inline __m256 dm_narrow(__m512d wide) {
    return _mm512_cvtpd_ps(wide);
}

#endif

#endif
