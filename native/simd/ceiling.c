/* ceiling.c: the table of variants. */
#include "simd/ceiling.h"

#include <string.h>

const dm_ceiling_variant dm_ceiling_variants[] = {
    {"scalar", DM_ISA_BASELINE, dm_ceiling_read_scalar, dm_ceiling_multiply_add_scalar, DM_CEILING_CHAINS},
#if defined(__x86_64__)
    {"avx2", DM_ISA_AVX2, dm_ceiling_read_avx2, dm_ceiling_multiply_add_avx2, 8 * DM_CEILING_CHAINS},
    {"avx512", DM_ISA_AVX512, dm_ceiling_read_avx512, dm_ceiling_multiply_add_avx512, 16 * DM_CEILING_CHAINS_AVX512},
#elif defined(__aarch64__)
    {"neon", DM_ISA_NEON, dm_ceiling_read_neon, dm_ceiling_multiply_add_neon, 4 * DM_CEILING_CHAINS_NEON},
#endif
};
const size_t dm_ceiling_variant_count = sizeof(dm_ceiling_variants) / sizeof(dm_ceiling_variants[0]);

const dm_ceiling_variant *dm_ceiling_best(void) {
    size_t best = dm_ceiling_variant_count - 1;
    while (!dm_isa_has(dm_ceiling_variants[best].isa)) {
        best--; /* ends at the latest at the scalar row */
    }
    return &dm_ceiling_variants[best];
}

const dm_ceiling_variant *dm_ceiling_find(const char *name) {
    for (size_t i = 0; i < dm_ceiling_variant_count; i++) {
        if (strcmp(dm_ceiling_variants[i].name, name) == 0) {
            return &dm_ceiling_variants[i];
        }
    }
    return NULL;
}
