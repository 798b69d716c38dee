/* plant.h: the table around a kernel that is written twice: as it should be, and with PLANTED as somebody spoilt it.
 *
 * What is spoilt is known, so a report that explains a regression can be asked whether it names it (plants.py). */
#include "dualmem/dm_kernel.h"

#include <stdlib.h>
#include <string.h>

#ifndef PLANTED
#define PLANTED 0
#endif

static inline uint64_t plant_next(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

#define PLANT_LIBRARY(plant_name, plant_parameters, plant_count)               \
    static const dm_kernel plant_kernel = {.size = sizeof(dm_kernel),          \
                                           .name = plant_name,                 \
                                           .variant = "plain",                 \
                                           .summary = "a planted slowdown",    \
                                           .parameters = plant_parameters,     \
                                           .parameter_count = plant_count,     \
                                           .setup = setup,                     \
                                           .run = run,                         \
                                           .teardown = teardown};              \
    static const dm_kernel *const plant_kernels[] = {&plant_kernel};           \
    static const dm_library plant_library = {.size = sizeof(dm_library),       \
                                             .abi_major = DM_ABI_MAJOR,        \
                                             .abi_minor = DM_ABI_MINOR,        \
                                             .name = "plant",                  \
                                             .version = "1",                   \
                                             .kernels = plant_kernels,         \
                                             .kernel_count = 1};               \
    const dm_library *dm_library_get(void) {                                   \
        return &plant_library;                                                 \
    }
