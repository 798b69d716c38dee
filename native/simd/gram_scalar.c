/* gram_scalar.c: the reference; built with vectorisation off. */
#include "simd/gram.h"

#include <math.h>

#include "simd/recency.h"

static float dot(const float *a, const float *b, size_t padded) {
    float lanes[DM_GRAM_LANES] = {0.0f};
    for (size_t k = 0; k < padded; k++) {
        lanes[k % DM_GRAM_LANES] = fmaf(a[k], b[k], lanes[k % DM_GRAM_LANES]);
    }
    for (size_t half = DM_GRAM_LANES / 2; half > 0; half /= 2) {
        for (size_t lane = 0; lane < half; lane++) {
            lanes[lane] += lanes[lane + half];
        }
    }
    return lanes[0];
}

void dm_gram_dots_scalar(const float *const *a, uint32_t a_count, const float *const *b, uint32_t b_count, size_t padded,
                         float *dots, size_t stride) {
    for (uint32_t i = 0; i < a_count; i++) {
        for (uint32_t j = 0; j < b_count; j++) {
            dots[i * stride + j] = dot(a[i], b[j], padded);
        }
    }
}

static int32_t code_dot(const int8_t *a, const int8_t *b, size_t words) {
    int32_t sum = 0;
    for (size_t w = 0; w < words; w++) {
        for (size_t i = 0; i < DM_GRAM_WORD; i++) {
            sum += a[w * DM_GRAM_PANEL * DM_GRAM_WORD + i] * b[w * DM_GRAM_PANEL * DM_GRAM_WORD + i];
        }
    }
    return sum;
}

uint32_t dm_gram_reach_scalar(const dm_gram_panel *a, const dm_gram_panel *b, size_t words, float least,
                              uint16_t masks[DM_GRAM_PANEL]) {
    uint32_t any = 0;
    for (uint32_t i = 0; i < DM_GRAM_PANEL; i++) {
        const float needed = dm_gram_floor(least, a->radii[i]);
        uint32_t mask = 0;
        for (uint32_t j = 0; j < DM_GRAM_PANEL; j++) {
            float sum = (float)code_dot(a->codes + DM_GRAM_WORD * i, b->codes + DM_GRAM_WORD * j, words);
            float bound = sum * b->scales[j] * a->scales[i] + b->radii[j] * (1.0f + a->radii[i]);
            mask |= (uint32_t)(bound >= needed) << j;
        }
        masks[i] = (uint16_t)mask;
        any |= mask;
    }
    return any;
}

void dm_gram_weigh_scalar(const float *dots, const double *times, uint32_t count, double time, double half_lives,
                          double *similarities) {
    for (uint32_t j = 0; j < count; j++) {
        similarities[j] = dm_similarity_of(dots[j], dm_recency(times[j], time, half_lives));
    }
}

double dm_gram_largest_scalar(const double *sums, const double *weights, size_t count) {
    double largest = 0.0;
    for (size_t i = 0; i < count; i++) {
        double value = sums[i] * weights[i];
        largest = value > largest ? value : largest;
    }
    return largest;
}

size_t dm_gram_next_scalar(const double *sums, const double *weights, size_t count, size_t from, double least) {
    size_t i = from;
    while (i < count && !(sums[i] * weights[i] >= least)) {
        i++;
    }
    return i;
}
