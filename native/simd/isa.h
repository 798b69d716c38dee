/* isa.h: which instruction sets this machine can run.
 *
 * A question of its own, and not __builtin_cpu_supports, because the answer must be the same for gcc and clang, must
 * include the operating system's part (registers that are not saved on a context switch are unusable whatever the
 * processor says), and must exist on machines that are not x86. */
#ifndef DUALMEM_SIMD_ISA_H
#define DUALMEM_SIMD_ISA_H

#include <stddef.h>
#include <stdint.h>

typedef enum dm_isa {
    DM_ISA_BASELINE = 0,    /* what the compiler targets without flags: always there */
    DM_ISA_AVX2 = 1,        /* AVX2, FMA and BMI2, with the upper halves of the registers enabled */
    DM_ISA_AVX512 = 2,      /* that and AVX-512 F, BW and VL, with the masks and all 32 registers enabled */
    DM_ISA_AVX512_VNNI = 3, /* that and the multiply-add of bytes */
    DM_ISA_NEON = 4         /* Advanced SIMD of 64-bit ARM: always there when compiled for it */
} dm_isa;

/* 1 when this machine runs it, 0 otherwise. Microseconds in a virtual machine, where CPUID traps: ask in setup, never in a
 * hot call. */
int32_t dm_isa_has(dm_isa isa);

/* DM_OK, or DM_ERROR_UNSUPPORTED and the reason: the `supported` callback of a kernel that needs this instruction set. */
int32_t dm_isa_require(dm_isa isa, char *reason, size_t reason_size);

/* The `supported` callbacks themselves: dm_isa_require of one instruction set each. */
int32_t dm_isa_supported_avx2(char *reason, size_t reason_size);
int32_t dm_isa_supported_avx512(char *reason, size_t reason_size);
int32_t dm_isa_supported_avx512vnni(char *reason, size_t reason_size);
int32_t dm_isa_supported_neon(char *reason, size_t reason_size);

/* "baseline", "AVX2 with FMA and BMI2". Constant text. */
const char *dm_isa_name(dm_isa isa);

#endif
