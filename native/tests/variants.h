/* variants.h: how a test says which variants of a family it ran. native/tests/variants.py reads these lines. */
#ifndef DUALMEM_TESTS_VARIANTS_H
#define DUALMEM_TESTS_VARIANTS_H

#include <stdio.h>

#include "simd/isa.h"
#include "tests/support.h"

/* "ran similarity avx2 (AVX2 with FMA and BMI2)"; or a SKIP, where the machine lacks what the variant takes. family: the
 * name of the file that holds the table, without ".c". */
static inline void test_report_variant(const char *family, const char *variant, dm_isa isa) {
    char what[100];
    char reason[200];
    snprintf(what, sizeof(what), "%s %s", family, variant);
    if (dm_isa_require(isa, reason, sizeof(reason)) == 0) {
        printf("ran %s (%s)\n", what, dm_isa_name(isa));
    } else {
        test_skip(what, reason);
    }
}

#endif
