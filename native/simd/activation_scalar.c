/* activation_scalar.c: the reference: the formulas as they stand, in double; built with vectorisation off. */
#include "simd/activation.h"

#include <math.h>

static double sigmoid_of(float similarity, const dm_sigmoid *sigmoid) {
    return 1.0 / (1.0 + exp(-((double)similarity - sigmoid->threshold) / sigmoid->temperature));
}

static double at_least_one(uint32_t fan) {
    return fan > 1 ? (double)fan : 1.0;
}

void dm_activation_sigmoid_scalar(const float *similarities, size_t count, const dm_sigmoid *sigmoid, float *results) {
    for (size_t i = 0; i < count; i++) {
        results[i] = (float)sigmoid_of(similarities[i], sigmoid);
    }
}

void dm_activation_fan_linear_scalar(const float *activations, const uint32_t *fans, size_t count, float *results) {
    for (size_t i = 0; i < count; i++) {
        results[i] = (float)((double)activations[i] / at_least_one(fans[i]));
    }
}

void dm_activation_fan_sqrt_scalar(const float *activations, const uint32_t *fans, size_t count, float *results) {
    for (size_t i = 0; i < count; i++) {
        results[i] = (float)((double)activations[i] / sqrt(at_least_one(fans[i])));
    }
}

void dm_activation_fan_actr_scalar(const float *activations, const uint32_t *fans, size_t count, float *results) {
    for (size_t i = 0; i < count; i++) {
        double strength = DM_ASSOCIATIVE_STRENGTH - log(at_least_one(fans[i]));
        results[i] = (float)((double)activations[i] * (strength > 0.0 ? strength : 0.0));
    }
}

void dm_activation_fused_scalar(const float *similarities, const uint32_t *fans, size_t count, const dm_sigmoid *sigmoid,
                                float *results) {
    for (size_t i = 0; i < count; i++) {
        results[i] = (float)(sigmoid_of(similarities[i], sigmoid) / sqrt(at_least_one(fans[i])));
    }
}
