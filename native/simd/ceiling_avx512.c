/* ceiling_avx512.c: 64 bytes, sixteen floats at a time. */
#include "simd/ceiling.h"

#include "simd/avx512.h"

#if defined(DM_AVX512_CODE)

enum { STREAMS = 8, WIDTH = 16 };

uint64_t dm_ceiling_read_avx512(const uint64_t *words, size_t chunks) {
    __m512i sums[STREAMS];
    for (int stream = 0; stream < STREAMS; stream++) {
        sums[stream] = _mm512_setzero_si512();
    }
    for (size_t i = 0; i < chunks * (DM_CEILING_CHUNK / sizeof(uint64_t)); i += (size_t)STREAMS * 8) {
        for (size_t stream = 0; stream < STREAMS; stream++) {
            sums[stream] = _mm512_add_epi64(sums[stream], _mm512_loadu_si512(words + i + stream * 8));
        }
    }
    for (int stream = 1; stream < STREAMS; stream++) {
        sums[0] = _mm512_add_epi64(sums[0], sums[stream]);
    }
    uint64_t parts[8];
    _mm512_storeu_si512(parts, sums[0]);
    uint64_t sum = 0;
    for (int part = 0; part < 8; part++) {
        sum += parts[part];
    }
    return sum;
}

double dm_ceiling_multiply_add_avx512(float start, float factor, float term, uint64_t rounds) {
    const __m512 factors = _mm512_set1_ps(factor);
    const __m512 terms = _mm512_set1_ps(term);
    __m512 lanes[DM_CEILING_CHAINS_AVX512];
    for (int chain = 0; chain < DM_CEILING_CHAINS_AVX512; chain++) {
        lanes[chain] = _mm512_set1_ps(start);
    }
    for (uint64_t round = 0; round < rounds; round++) {
        for (int chain = 0; chain < DM_CEILING_CHAINS_AVX512; chain++) {
            lanes[chain] = _mm512_fmadd_ps(lanes[chain], factors, terms);
        }
    }
    double sum = 0.0;
    for (int chain = 0; chain < DM_CEILING_CHAINS_AVX512; chain++) {
        float values[WIDTH];
        _mm512_storeu_ps(values, lanes[chain]);
        for (int lane = 0; lane < WIDTH; lane++) {
            sum += (double)values[lane];
        }
    }
    return sum;
}

#endif
