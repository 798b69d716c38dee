/* panels_scalar.c: the reference. */
#include <string.h>

#include "simd/codes.h"
#include "simd/panels.h"

void dm_panels_scan_scalar(const uint8_t *panels, size_t count, size_t words, const dm_weights *weights,
                           float *estimates) {
    for (size_t p = 0; p < count; p++) {
        const uint8_t *panel = panels + p * (words + 1) * DM_PANEL_LINE;
        for (size_t r = 0; r < DM_PANEL_ROWS; r++) {
            int32_t dot = 0;
            for (size_t w = 0; w < words; w++) {
                const uint8_t *word = panel + w * DM_PANEL_LINE + r * DM_PANEL_WORD;
                for (size_t i = 0; i < DM_PANEL_WORD; i++) {
                    dot += ((int32_t)word[i] - DM_CODE_OFFSET) * weights->values[w * DM_PANEL_WORD + i];
                }
            }
            float scale;
            memcpy(&scale, panel + words * DM_PANEL_LINE + r * sizeof(float), sizeof(float));
            estimates[p * DM_PANEL_ROWS + r] = (float)dot * (scale * weights->scale);
        }
    }
}
