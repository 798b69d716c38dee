/* activation.c: the table of variants. */
#include "simd/activation.h"

#include <pthread.h>
#include <string.h>

const dm_activation_variant dm_activation_variants[] = {
    {"scalar",
     DM_ISA_BASELINE,
     dm_activation_sigmoid_scalar,
     {[DM_FAN_LINEAR] = dm_activation_fan_linear_scalar,
      [DM_FAN_SQRT] = dm_activation_fan_sqrt_scalar,
      [DM_FAN_ACTR] = dm_activation_fan_actr_scalar},
     dm_activation_fused_scalar},
#if defined(__x86_64__)
    {"avx2",
     DM_ISA_AVX2,
     dm_activation_sigmoid_avx2,
     {[DM_FAN_LINEAR] = dm_activation_fan_linear_avx2,
      [DM_FAN_SQRT] = dm_activation_fan_sqrt_avx2,
      [DM_FAN_ACTR] = dm_activation_fan_actr_avx2},
     dm_activation_fused_avx2},
    {"avx512",
     DM_ISA_AVX512,
     dm_activation_sigmoid_avx512,
     {[DM_FAN_LINEAR] = dm_activation_fan_linear_avx512,
      [DM_FAN_SQRT] = dm_activation_fan_sqrt_avx512,
      [DM_FAN_ACTR] = dm_activation_fan_actr_avx512},
     dm_activation_fused_avx512},
#elif defined(__aarch64__)
    {"neon",
     DM_ISA_NEON,
     dm_activation_sigmoid_neon,
     {[DM_FAN_LINEAR] = dm_activation_fan_linear_neon,
      [DM_FAN_SQRT] = dm_activation_fan_sqrt_neon,
      [DM_FAN_ACTR] = dm_activation_fan_actr_neon},
     dm_activation_fused_neon},
#endif
};
const size_t dm_activation_variant_count = sizeof(dm_activation_variants) / sizeof(dm_activation_variants[0]);

static const dm_activation_variant *best_variant;

static void choose_best(void) {
    size_t best = dm_activation_variant_count - 1;
    while (!dm_isa_has(dm_activation_variants[best].isa)) {
        best--; /* ends at the latest at the scalar row */
    }
    best_variant = &dm_activation_variants[best];
}

const dm_activation_variant *dm_activation_best(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, choose_best);
    return best_variant;
}

const dm_activation_variant *dm_activation_find(const char *name) {
    for (size_t i = 0; i < dm_activation_variant_count; i++) {
        if (strcmp(dm_activation_variants[i].name, name) == 0) {
            return &dm_activation_variants[i];
        }
    }
    return NULL;
}
