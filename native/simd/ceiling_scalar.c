/* ceiling_scalar.c: one word, one float at a time. */
#include "simd/ceiling.h"

enum { STREAMS = 8 };

uint64_t dm_ceiling_read_scalar(const uint64_t *words, size_t chunks) {
    uint64_t sums[STREAMS] = {0};
    for (size_t i = 0; i < chunks * (DM_CEILING_CHUNK / sizeof(uint64_t)); i += STREAMS) {
        for (size_t stream = 0; stream < STREAMS; stream++) {
            sums[stream] += words[i + stream];
        }
    }
    uint64_t sum = 0;
    for (size_t stream = 0; stream < STREAMS; stream++) {
        sum += sums[stream];
    }
    return sum;
}

double dm_ceiling_multiply_add_scalar(float start, float factor, float term, uint64_t rounds) {
    float lanes[DM_CEILING_CHAINS];
    for (int chain = 0; chain < DM_CEILING_CHAINS; chain++) {
        lanes[chain] = start;
    }
    for (uint64_t round = 0; round < rounds; round++) {
        for (int chain = 0; chain < DM_CEILING_CHAINS; chain++) {
            lanes[chain] = lanes[chain] * factor + term;
        }
    }
    double sum = 0.0;
    for (int chain = 0; chain < DM_CEILING_CHAINS; chain++) {
        sum += (double)lanes[chain];
    }
    return sum;
}
