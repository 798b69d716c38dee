/* panels.c: the table of variants, and the layout of a panel. */
#include "simd/panels.h"

#include <string.h>

#include "simd/codes.h"

const dm_panels_variant dm_panels_variants[] = {
    {"scalar", DM_ISA_BASELINE, dm_panels_scan_scalar},
#if defined(__x86_64__)
    {"avx2", DM_ISA_AVX2, dm_panels_scan_avx2},
    {"avx512", DM_ISA_AVX512, dm_panels_scan_avx512},
    {"avx512vnni", DM_ISA_AVX512_VNNI, dm_panels_scan_avx512vnni},
#elif defined(__aarch64__)
    {"neon", DM_ISA_NEON, dm_panels_scan_neon},
#endif
};
const size_t dm_panels_variant_count = sizeof(dm_panels_variants) / sizeof(dm_panels_variants[0]);

const dm_panels_variant *dm_panels_find(const char *name) {
    for (size_t i = 0; i < dm_panels_variant_count; i++) {
        if (strcmp(dm_panels_variants[i].name, name) == 0) {
            return &dm_panels_variants[i];
        }
    }
    return NULL;
}

void dm_panel_clear(uint8_t *panel, size_t words) {
    memset(panel, DM_CODE_OFFSET, words * DM_PANEL_LINE);
    memset(panel + words * DM_PANEL_LINE, 0, DM_PANEL_LINE);
}

void dm_panel_put(uint8_t *panel, uint32_t r, const int8_t *codes, float scale, size_t words) {
    for (size_t i = 0; i < words * DM_PANEL_WORD; i++) {
        const size_t place = i / DM_PANEL_WORD * DM_PANEL_LINE + r * DM_PANEL_WORD + i % DM_PANEL_WORD;
        panel[place] = (uint8_t)((uint8_t)codes[i] ^ DM_CODE_OFFSET); /* a signed byte plus 128, modulo 256 */
    }
    memcpy(panel + words * DM_PANEL_LINE + r * sizeof(float), &scale, sizeof(float));
}

float dm_panel_take(const uint8_t *panel, uint32_t r, int8_t *codes, size_t words) {
    float scale;
    for (size_t i = 0; i < words * DM_PANEL_WORD; i++) {
        const size_t place = i / DM_PANEL_WORD * DM_PANEL_LINE + r * DM_PANEL_WORD + i % DM_PANEL_WORD;
        codes[i] = (int8_t)((int32_t)panel[place] - DM_CODE_OFFSET);
    }
    memcpy(&scale, panel + words * DM_PANEL_LINE + r * sizeof(float), sizeof(float));
    return scale;
}
