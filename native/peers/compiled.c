/* compiled.c: what a compiler makes of plain loops when it may: -O3 -march=native -ffast-math, exponentials from the C library's vector
 * functions (libmvec). Activation mapping and decay have no better peer that we know of: numpy and scipy take 4 to 20 times as long.
 *
 * The kernels are libdualmem's own (kernels/activation.c, kernels/decay.c), with these loops in place of its variants: the same elements in
 * the same order. Decay's loop is that over a store's blocks; a product below FLT_MIN stays what it is here, which
 * no strength of this kernel comes near. */
#include <math.h>

#include "around.h"
#include "simd/activation.h"
#include "simd/decay.h"

/* -ffast-math knows no infinity; none is among the inputs of these kernels. */
static void sigmoid(const float *similarities, size_t count, const dm_sigmoid *options, float *results) {
    const float threshold = (float)options->threshold;
    const float slope = (float)(-1.0 / options->temperature);
    for (size_t i = 0; i < count; i++) {
        results[i] = 1.0f / (1.0f + expf((similarities[i] - threshold) * slope));
    }
}

static inline float at_least_one(uint32_t fan) {
    return (float)(int32_t)(fan > 1 ? fan : 1); /* signed: AVX2 converts those alone */
}

static void fan_linear(const float *activations, const uint32_t *fans, size_t count, float *results) {
    for (size_t i = 0; i < count; i++) {
        results[i] = activations[i] / at_least_one(fans[i]);
    }
}

static void fan_sqrt(const float *activations, const uint32_t *fans, size_t count, float *results) {
    for (size_t i = 0; i < count; i++) {
        results[i] = activations[i] / sqrtf(at_least_one(fans[i]));
    }
}

static void fan_actr(const float *activations, const uint32_t *fans, size_t count, float *results) {
    for (size_t i = 0; i < count; i++) {
        float strength = (float)DM_ASSOCIATIVE_STRENGTH - logf(at_least_one(fans[i]));
        results[i] = activations[i] * (strength > 0.0f ? strength : 0.0f);
    }
}

static void fused(const float *similarities, const uint32_t *fans, size_t count, const dm_sigmoid *options, float *results) {
    const float threshold = (float)options->threshold;
    const float slope = (float)(-1.0 / options->temperature);
    for (size_t i = 0; i < count; i++) {
        float activation = 1.0f / (1.0f + expf((similarities[i] - threshold) * slope));
        results[i] = activation / sqrtf(at_least_one(fans[i]));
    }
}

static void factors(const dm_decay_amount *amount, const float *modulations, uint32_t count, float *results) {
    const float forgotten = (float)amount->amount;
    for (uint32_t i = 0; i < count; i++) {
        results[i] = expf(-forgotten * modulations[i]); /* the kernel's mode is the exponential one */
    }
}

static void scale(uint32_t *strengths, const float *block_factors, uint32_t blocks) {
    float *values = (float *)(void *)strengths;
    for (uint32_t block = 0; block < blocks; block++) {
        for (uint32_t i = 0; i < DM_DECAY_BLOCK; i++) {
            values[(size_t)block * DM_DECAY_BLOCK + i] *= block_factors[block];
        }
    }
}

static const dm_activation_variant activation = {
    "compiled", DM_ISA_BASELINE, sigmoid,
    {[DM_FAN_LINEAR] = fan_linear, [DM_FAN_SQRT] = fan_sqrt, [DM_FAN_ACTR] = fan_actr}, fused};
static const dm_decay_variant decay = {"compiled", DM_ISA_BASELINE, factors, scale};

/* Under names of their own (CMakeLists.txt), in place of those of simd/activation.c and simd/decay.c. */
const dm_activation_variant *dm_activation_find(const char *name) {
    (void)name;
    return &activation;
}

const dm_decay_variant *dm_decay_find(const char *name) {
    (void)name;
    return &decay;
}

static const peer_family families[] = {
    {dm_activation_kernels, &dm_activation_kernel_count},
    {dm_decay_kernels, &dm_decay_kernel_count},
};

const peer_identity peer_identity_of_this = {.name = "plain loops",
                                             .version = __VERSION__,
                                             .flags = "-O3 -march=native -ffast-math",
                                             .variant = "compiled",
                                             .families = families,
                                             .family_count = sizeof(families) / sizeof(families[0])};
