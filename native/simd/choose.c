/* choose.c: the table of variants. */
#include "simd/choose.h"

#include <string.h>

const dm_choose_variant dm_choose_variants[] = {
    {"scalar", DM_ISA_BASELINE, dm_choose_peaks_scalar, dm_choose_at_least_scalar},
#if defined(__x86_64__)
    {"avx2", DM_ISA_AVX2, dm_choose_peaks_avx2, dm_choose_at_least_avx2},
    {"avx512", DM_ISA_AVX512, dm_choose_peaks_avx512, dm_choose_at_least_avx512},
#elif defined(__aarch64__)
    {"neon", DM_ISA_NEON, dm_choose_peaks_neon, dm_choose_at_least_neon},
#endif
};
const size_t dm_choose_variant_count = sizeof(dm_choose_variants) / sizeof(dm_choose_variants[0]);

const dm_choose_variant *dm_choose_find(const char *name) {
    for (size_t i = 0; i < dm_choose_variant_count; i++) {
        if (strcmp(dm_choose_variants[i].name, name) == 0) {
            return &dm_choose_variants[i];
        }
    }
    return NULL;
}
