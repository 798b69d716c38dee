/* isa.c: see isa.h. Leaves and bits: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, CPUID, and
 * volume 1, sections 14.3 (detection of AVX) and 15.2 (detection of AVX-512). */
#include "simd/isa.h"

#include <stdio.h>

#include "dualmem/dm_kernel.h"

#if defined(__AVX__)
#error "isa.c must be built for the baseline: with AVX enabled, the question would crash where the answer is no"
#endif

#if defined(__x86_64__)

#include <cpuid.h>

/* What the processor has, and what the operating system saves on a context switch (XCR0). */
typedef struct features {
    uint32_t leaf1_ecx;
    uint32_t leaf7_ebx;
    uint32_t leaf7_ecx;
    uint32_t saved;
} features;

static const uint32_t osxsave = 1u << 27; /* leaf 1, ECX: xgetbv exists */

/* Everything that an instruction set takes. */
static features needs_of(dm_isa isa) {
    features needs = {
        .leaf1_ecx = osxsave | (1u << 12) | (1u << 28), /* FMA, AVX */
        .leaf7_ebx = (1u << 5) | (1u << 8),             /* AVX2, BMI2 */
        .saved = (1u << 1) | (1u << 2),                 /* SSE; upper halves of the AVX registers */
    };
    if (isa == DM_ISA_AVX512 || isa == DM_ISA_AVX512_VNNI) {
        needs.leaf7_ebx |= (1u << 16) | (1u << 30) | (1u << 31); /* F, BW, VL */
        needs.saved |= (1u << 5) | (1u << 6) | (1u << 7);        /* masks; upper halves of 0 to 15; 16 to 31 */
    }
    if (isa == DM_ISA_AVX512_VNNI) {
        needs.leaf7_ecx |= 1u << 11;
    }
    return needs;
}

static features read_features(void) {
    features found = {0, 0, 0, 0};
    uint32_t eax = 0;
    uint32_t ebx = 0;
    uint32_t edx = 0;
    (void)__get_cpuid(1, &eax, &ebx, &found.leaf1_ecx, &edx);
    (void)__get_cpuid_count(7, 0, &eax, &found.leaf7_ebx, &found.leaf7_ecx, &edx);
    if ((found.leaf1_ecx & osxsave) != 0) {
        __asm__ volatile("xgetbv" : "=a"(found.saved), "=d"(edx) : "c"(0));
    }
    return found;
}

static int32_t has_vectors(dm_isa isa) {
    if (isa == DM_ISA_NEON) {
        return 0;
    }
    const features needs = needs_of(isa);
    const features found = read_features();
    return (found.leaf1_ecx & needs.leaf1_ecx) == needs.leaf1_ecx && (found.leaf7_ebx & needs.leaf7_ebx) == needs.leaf7_ebx &&
           (found.leaf7_ecx & needs.leaf7_ecx) == needs.leaf7_ecx && (found.saved & needs.saved) == needs.saved;
}

#elif defined(__aarch64__)

static int32_t has_vectors(dm_isa isa) {
    return isa == DM_ISA_NEON;
}

#else

static int32_t has_vectors(dm_isa isa) {
    (void)isa;
    return 0;
}

#endif

int32_t dm_isa_has(dm_isa isa) {
    switch (isa) {
    case DM_ISA_BASELINE:
        return 1;
    case DM_ISA_AVX2:
    case DM_ISA_AVX512:
    case DM_ISA_AVX512_VNNI:
    case DM_ISA_NEON:
        return has_vectors(isa);
    }
    return 0;
}

const char *dm_isa_name(dm_isa isa) {
    switch (isa) {
    case DM_ISA_BASELINE:
        return "baseline";
    case DM_ISA_AVX2:
        return "AVX2 with FMA and BMI2";
    case DM_ISA_AVX512:
        return "AVX-512 F, BW and VL";
    case DM_ISA_AVX512_VNNI:
        return "AVX-512 F, BW, VL and VNNI";
    case DM_ISA_NEON:
        return "NEON";
    }
    return "unknown";
}

int32_t dm_isa_require(dm_isa isa, char *reason, size_t reason_size) {
    if (dm_isa_has(isa)) {
        return DM_OK;
    }
    snprintf(reason, reason_size, "this processor or operating system lacks %s", dm_isa_name(isa));
    return DM_ERROR_UNSUPPORTED;
}
