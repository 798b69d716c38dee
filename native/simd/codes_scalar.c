/* codes_scalar.c: the reference. */
#include <math.h>
#include <string.h>

#include "simd/codes.h"
#include "simd/similarity.h"

dm_code_facts dm_codes_encode_scalar(int8_t *codes, const float *unit, uint32_t dim, int32_t levels) {
    float largest = 0.0f;
    for (uint32_t i = 0; i < dim; i++) {
        largest = fmaxf(largest, fabsf(unit[i]));
    }
    memset(codes, 0, dm_code_stride(dim));
    if (largest == 0.0f) {
        return (dm_code_facts){.scale = 0.0f, .radius = dm_code_radius_of(0.0), .sum = 0};
    }
    const float steps = (float)levels / largest; /* a vector of norm 1 has a component of at least 1/64 */
    const float scale = largest / (float)levels;
    double residual = 0.0;
    int32_t sum = 0;
    for (uint32_t i = 0; i < dim; i++) {
        float code = rintf(unit[i] * steps); /* to nearest, ties to even, as vcvtps2dq does */
        double rest = (double)unit[i] - (double)scale * (double)code;
        codes[i] = (int8_t)code;
        sum += (int32_t)code;
        residual += rest * rest;
    }
    return (dm_code_facts){.scale = scale, .radius = dm_code_radius_of(sqrt(residual)), .sum = sum};
}

void dm_codes_scan_scalar(const dm_codes *codes, const int8_t *query, dm_code_facts facts, float *bounds,
                          int32_t direction) {
    const size_t stride = dm_code_stride(codes->dim);
    const dm_code_terms terms = dm_code_terms_of(facts.radius);
    for (uint32_t step = 0; step < codes->count; step++) {
        uint32_t row = direction == DM_SCAN_BACKWARD ? codes->count - 1 - step : step;
        const uint8_t *values = codes->values + row * stride;
        int32_t dot = 0;
        for (uint32_t i = 0; i < codes->dim; i++) {
            dot += ((int32_t)values[i] - DM_CODE_OFFSET) * query[i];
        }
        float product = (float)dot * (codes->scales[row] * facts.scale);
        bounds[row] = product + (codes->radii[row] * terms.growth + terms.lift);
    }
}
