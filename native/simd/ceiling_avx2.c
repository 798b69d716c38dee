/* ceiling_avx2.c: 32 bytes, eight floats at a time; all sixteen registers. */
#include "simd/ceiling.h"

#if defined(__AVX2__)

#include <immintrin.h>

enum { STREAMS = 8, WIDTH = 8 };

uint64_t dm_ceiling_read_avx2(const uint64_t *words, size_t chunks) {
    const __m256i *vectors = (const __m256i *)(const void *)words;
    __m256i sums[STREAMS];
    for (int stream = 0; stream < STREAMS; stream++) {
        sums[stream] = _mm256_setzero_si256();
    }
    for (size_t i = 0; i < chunks * (DM_CEILING_CHUNK / sizeof(__m256i)); i += STREAMS) {
        for (size_t stream = 0; stream < STREAMS; stream++) {
            sums[stream] = _mm256_add_epi64(sums[stream], _mm256_load_si256(vectors + i + stream));
        }
    }
    for (int stream = 1; stream < STREAMS; stream++) {
        sums[0] = _mm256_add_epi64(sums[0], sums[stream]);
    }
    uint64_t parts[4];
    _mm256_storeu_si256((__m256i *)(void *)parts, sums[0]);
    return parts[0] + parts[1] + parts[2] + parts[3];
}

double dm_ceiling_multiply_add_avx2(float start, float factor, float term, uint64_t rounds) {
    const __m256 factors = _mm256_set1_ps(factor);
    const __m256 terms = _mm256_set1_ps(term);
    __m256 lanes[DM_CEILING_CHAINS];
    for (int chain = 0; chain < DM_CEILING_CHAINS; chain++) {
        lanes[chain] = _mm256_set1_ps(start);
    }
    for (uint64_t round = 0; round < rounds; round++) {
        for (int chain = 0; chain < DM_CEILING_CHAINS; chain++) {
            lanes[chain] = _mm256_fmadd_ps(lanes[chain], factors, terms);
        }
    }
    double sum = 0.0;
    for (int chain = 0; chain < DM_CEILING_CHAINS; chain++) {
        float values[WIDTH];
        _mm256_storeu_ps(values, lanes[chain]);
        for (int lane = 0; lane < WIDTH; lane++) {
            sum += (double)values[lane];
        }
    }
    return sum;
}

#endif
