/* gather.c: the table of variants, and weights made of a row. */
#include "simd/gather.h"

#include <string.h>

#include "simd/codes.h"

const dm_gather_variant dm_gather_variants[] = {
    {"scalar", DM_ISA_BASELINE, dm_gather_dots_scalar},
#if defined(__x86_64__)
    {"avx2", DM_ISA_AVX2, dm_gather_dots_avx2},
    {"avx512", DM_ISA_AVX512, dm_gather_dots_avx512},
    {"avx512vnni", DM_ISA_AVX512_VNNI, dm_gather_dots_avx512vnni},
#elif defined(__aarch64__)
    {"neon", DM_ISA_NEON, dm_gather_dots_neon},
#endif
};
const size_t dm_gather_variant_count = sizeof(dm_gather_variants) / sizeof(dm_gather_variants[0]);

const dm_gather_variant *dm_gather_find(const char *name) {
    for (size_t i = 0; i < dm_gather_variant_count; i++) {
        if (strcmp(dm_gather_variants[i].name, name) == 0) {
            return &dm_gather_variants[i];
        }
    }
    return NULL;
}

int32_t dm_weights_of_row(int8_t *weights, const uint8_t *codes, size_t stride) {
    int32_t sum = 0;
    for (size_t i = 0; i < stride; i++) {
        int32_t weight = (((int32_t)codes[i] + (int32_t)(i & 1)) >> 1) - DM_CODE_OFFSET / 2;
        weights[i] = (int8_t)weight;
        sum += weight;
    }
    return sum;
}
