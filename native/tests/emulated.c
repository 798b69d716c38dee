/* emulated.c: what a test executable answers about AVX-512 when its AVX-512 code is SIMDe's: yes, on every processor. The
 * linker puts these functions in the place of isa.c's (--wrap); everything else goes on to them. */
#include "dualmem/dm_kernel.h"
#include "simd/isa.h"

/* The names are the linker's. */
int32_t __real_dm_isa_has(dm_isa isa);
int32_t __real_dm_isa_require(dm_isa isa, char *reason, size_t reason_size);
const char *__real_dm_isa_name(dm_isa isa);
int32_t __wrap_dm_isa_has(dm_isa isa);
int32_t __wrap_dm_isa_require(dm_isa isa, char *reason, size_t reason_size);
const char *__wrap_dm_isa_name(dm_isa isa);

static int is_emulated(dm_isa isa) {
    return isa == DM_ISA_AVX512 || isa == DM_ISA_AVX512_VNNI;
}

int32_t __wrap_dm_isa_has(dm_isa isa) {
    return is_emulated(isa) || __real_dm_isa_has(isa);
}

int32_t __wrap_dm_isa_require(dm_isa isa, char *reason, size_t reason_size) {
    return is_emulated(isa) ? DM_OK : __real_dm_isa_require(isa, reason, reason_size);
}

const char *__wrap_dm_isa_name(dm_isa isa) {
    return is_emulated(isa) ? "emulated by SIMDe" : __real_dm_isa_name(isa);
}
