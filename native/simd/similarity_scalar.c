/* similarity_scalar.c: the reference. Double accumulation in the order of the elements; built with vectorisation off. */
#include "simd/similarity.h"

void dm_similarity_scan_scalar(const dm_rows *rows, const float *unit, float *cosines, int32_t direction) {
    for (uint32_t step = 0; step < rows->count; step++) {
        uint32_t row = direction == DM_SCAN_BACKWARD ? rows->count - 1 - step : step;
        const float *values = rows->values + row * rows->stride;
        double sum = 0.0;
        for (uint32_t i = 0; i < rows->dim; i++) {
            sum += (double)values[i] * (double)unit[i];
        }
        sum *= (double)rows->inverse_norms[row];
        cosines[row] = (float)(sum > 1.0 ? 1.0 : sum < -1.0 ? -1.0 : sum);
    }
}
