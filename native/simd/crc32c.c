/* crc32c.c: the table of variants. */
#include "simd/crc32c.h"

const dm_crc32c_variant dm_crc32c_variants[] = {
    {"scalar", DM_ISA_BASELINE, dm_crc32c_update_scalar},
#if defined(__x86_64__)
    {"avx2", DM_ISA_AVX2, dm_crc32c_update_avx2},
#endif
};
const size_t dm_crc32c_variant_count = sizeof(dm_crc32c_variants) / sizeof(dm_crc32c_variants[0]);

const dm_crc32c_variant *dm_crc32c_best(void) {
    size_t best = dm_crc32c_variant_count - 1;
    while (best > 0 && !dm_isa_has(dm_crc32c_variants[best].isa)) {
        best--;
    }
    return &dm_crc32c_variants[best];
}

void dm_crc32c_prepare(dm_crc32c_tables *tables) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (DM_CRC32C_POLYNOMIAL & -(crc & 1));
        }
        tables->of[0][byte] = crc;
    }
    for (uint32_t byte = 0; byte < 256; byte++) {
        for (int k = 1; k < 8; k++) {
            uint32_t before = tables->of[k - 1][byte];
            tables->of[k][byte] = before >> 8 ^ tables->of[0][before & 255];
        }
    }
}
