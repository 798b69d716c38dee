/* isa.c: see isa.h. Leaves and bits: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, CPUID, and
 * volume 1, section 14.3 (detection of AVX). */
#include "simd/isa.h"

#include <stdio.h>

#include "dualmem/dm_kernel.h"

#if defined(__AVX__)
#error "isa.c must be built for the baseline: with AVX enabled, the question would crash where the answer is no"
#endif

#if defined(__x86_64__)

#include <cpuid.h>

/* What the operating system saves on a context switch: bit 1 SSE, bit 2 the upper halves of the AVX registers. */
static uint64_t saved_registers(void) {
    uint32_t low = 0;
    uint32_t high = 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return ((uint64_t)high << 32) | low;
}

static int32_t has_avx2(void) {
    const uint32_t leaf1_ecx = (1u << 12) | (1u << 27) | (1u << 28); /* FMA, OSXSAVE, AVX */
    const uint32_t leaf7_ebx = (1u << 5) | (1u << 8);                /* AVX2, BMI2 */
    const uint64_t saved = (1u << 1) | (1u << 2);
    uint32_t eax = 0;
    uint32_t ebx = 0;
    uint32_t ecx = 0;
    uint32_t edx = 0;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || (ecx & leaf1_ecx) != leaf1_ecx) {
        return 0;
    }
    if ((saved_registers() & saved) != saved) { /* xgetbv exists: OSXSAVE was seen above */
        return 0;
    }
    return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (ebx & leaf7_ebx) == leaf7_ebx;
}

#else

static int32_t has_avx2(void) {
    return 0;
}

#endif

int32_t dm_isa_has(dm_isa isa) {
    switch (isa) {
    case DM_ISA_BASELINE:
        return 1;
    case DM_ISA_AVX2:
        return has_avx2();
    }
    return 0;
}

const char *dm_isa_name(dm_isa isa) {
    switch (isa) {
    case DM_ISA_BASELINE:
        return "baseline";
    case DM_ISA_AVX2:
        return "AVX2 with FMA and BMI2";
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
