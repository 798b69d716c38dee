/* decay.c: the table of variants. */
#include "simd/decay.h"

#include <pthread.h>

const dm_decay_variant dm_decay_variants[] = {
    {"scalar", DM_ISA_BASELINE, dm_decay_factors_scalar, dm_decay_scale_scalar},
#if defined(__x86_64__)
    {"avx2", DM_ISA_AVX2, dm_decay_factors_avx2, dm_decay_scale_avx2},
    {"avx512", DM_ISA_AVX512, dm_decay_factors_avx512, dm_decay_scale_avx512},
#elif defined(__aarch64__)
    {"neon", DM_ISA_NEON, dm_decay_factors_neon, dm_decay_scale_neon},
#endif
};
const size_t dm_decay_variant_count = sizeof(dm_decay_variants) / sizeof(dm_decay_variants[0]);

static const dm_decay_variant *best_variant;

static void choose_best(void) {
    size_t best = dm_decay_variant_count - 1;
    while (!dm_isa_has(dm_decay_variants[best].isa)) {
        best--; /* ends at the latest at the scalar row */
    }
    best_variant = &dm_decay_variants[best];
}

const dm_decay_variant *dm_decay_best(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, choose_best);
    return best_variant;
}

const dm_decay_variant *dm_decay_find(const char *name) {
    for (size_t i = 0; i < dm_decay_variant_count; i++) {
        if (strcmp(dm_decay_variants[i].name, name) == 0) {
            return &dm_decay_variants[i];
        }
    }
    return NULL;
}
