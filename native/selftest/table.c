/* The kernel table of the self-test's library. */
#include "selftest.h"

#include "selftest_facts.h"

static const dm_kernel *const selftest_kernels[] = {&selftest_compute, &selftest_memory, &selftest_latency,
                                                    &selftest_nanosecond, &selftest_millisecond};

static const dm_library selftest_library = {.size = sizeof(dm_library),
                                            .abi_major = DM_ABI_MAJOR,
                                            .abi_minor = DM_ABI_MINOR,
                                            .name = "selftest",
                                            .version = "1",
                                            .compiler = SELFTEST_COMPILER,
                                            .flags = SELFTEST_FLAGS,
                                            .revision = "",
                                            .kernels = selftest_kernels,
                                            .kernel_count = sizeof selftest_kernels / sizeof *selftest_kernels};

const dm_library *dm_library_get(void) {
    return &selftest_library;
}
