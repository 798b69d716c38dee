/* gather_scalar.c: the reference. */
#include "simd/codes.h"
#include "simd/gather.h"

void dm_gather_dots_scalar(const dm_gathered *from, const uint32_t *rows, uint32_t count, const dm_weights *weights,
                           int32_t *dots) {
    for (uint32_t r = 0; r < count; r++) {
        const uint8_t *row = from->codes + rows[r] * from->step;
        int32_t dot = 0;
        for (size_t i = 0; i < from->stride; i++) {
            dot += ((int32_t)row[i] - DM_CODE_OFFSET) * weights->values[i];
        }
        dots[r] = dot;
    }
}
