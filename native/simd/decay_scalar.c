/* decay_scalar.c: the reference: the formulas as they stand, in double; built with vectorisation off. */
#include "simd/decay.h"

#include <math.h>

void dm_decay_factors_scalar(const dm_decay_amount *amount, const float *modulations, uint32_t count, float *factors) {
    for (uint32_t i = 0; i < count; i++) {
        double forgotten = amount->amount * (double)modulations[i];
        factors[i] = (float)(amount->mode == DM_DECAY_LINEAR ? fmax(0.0, 1.0 - forgotten) : exp(-forgotten));
    }
}

void dm_decay_scale_scalar(uint32_t *strengths, const float *factors, uint32_t blocks) {
    for (uint32_t block = 0; block < blocks; block++) {
        uint32_t *places = strengths + (size_t)block * DM_DECAY_BLOCK;
        for (uint32_t i = 0; i < DM_DECAY_BLOCK; i++) {
            places[i] = dm_decay_strength(places[i], factors[block]);
        }
    }
}
