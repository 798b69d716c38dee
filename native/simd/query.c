/* query.c: the table of variants. */
#include "simd/query.h"

#include <string.h>

const dm_query_variant dm_query_variants[] = {
    {"scalar", DM_ISA_BASELINE, dm_query_prepare_scalar, dm_query_cosine_scalar, dm_query_product_scalar},
#if defined(__x86_64__)
    {"avx2", DM_ISA_AVX2, dm_query_prepare_avx2, dm_query_cosine_avx2, dm_query_product_avx2},
    {"avx512", DM_ISA_AVX512, dm_query_prepare_avx512, dm_query_cosine_avx512, dm_query_product_avx512},
#elif defined(__aarch64__)
    {"neon", DM_ISA_NEON, dm_query_prepare_neon, dm_query_cosine_neon, dm_query_product_neon},
#endif
};
const size_t dm_query_variant_count = sizeof(dm_query_variants) / sizeof(dm_query_variants[0]);

const dm_query_variant *dm_query_best(void) {
    size_t best = dm_query_variant_count - 1;
    while (!dm_isa_has(dm_query_variants[best].isa)) {
        best--; /* ends at the latest at the scalar row */
    }
    return &dm_query_variants[best];
}

const dm_query_variant *dm_query_find(const char *name) {
    for (size_t i = 0; i < dm_query_variant_count; i++) {
        if (strcmp(dm_query_variants[i].name, name) == 0) {
            return &dm_query_variants[i];
        }
    }
    return NULL;
}
