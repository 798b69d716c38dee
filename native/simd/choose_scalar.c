/* choose_scalar.c: the reference. */
#include "simd/choose.h"

void dm_choose_peaks_scalar(const float *values, uint32_t count, float empty, float *peaks, uint32_t groups) {
    for (uint32_t group = 0; group < groups; group++) {
        peaks[group] = empty;
    }
    for (uint32_t i = 0; i < count; i++) {
        float *peak = &peaks[i % groups];
        *peak = values[i] > *peak ? values[i] : *peak;
    }
}

uint32_t dm_choose_at_least_scalar(const float *values, uint32_t count, float least, uint32_t *chosen) {
    uint32_t size = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (values[i] >= least) {
            chosen[size++] = i;
        }
    }
    return size;
}
