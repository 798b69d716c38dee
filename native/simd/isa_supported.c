/* isa_supported.c: dm_isa_require with the shape of a kernel's callback. Not in isa.c, so that the tests that emulate an instruction set
 * can put their own answer in its place (tests/emulated.c). */
#include "simd/isa.h"

int32_t dm_isa_supported_avx2(char *reason, size_t reason_size) {
    return dm_isa_require(DM_ISA_AVX2, reason, reason_size);
}

int32_t dm_isa_supported_avx512(char *reason, size_t reason_size) {
    return dm_isa_require(DM_ISA_AVX512, reason, reason_size);
}

int32_t dm_isa_supported_avx512vnni(char *reason, size_t reason_size) {
    return dm_isa_require(DM_ISA_AVX512_VNNI, reason, reason_size);
}

int32_t dm_isa_supported_neon(char *reason, size_t reason_size) {
    return dm_isa_require(DM_ISA_NEON, reason, reason_size);
}
