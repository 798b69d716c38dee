/* table.c: the one exported symbol. Concatenates the rows of every family in kernels.h.
 *
 * The lengths of the families are known to the linker's input only, not to the compiler, so the array is put together
 * on the first call, under pthread_once. The alternative, one list of every kernel in one place, would make each new
 * variant touch two files. */
#include <pthread.h>

#include "build_facts.h"
#include "kernels/kernels.h"

typedef struct family {
    const dm_kernel *const *kernels;
    const size_t *count;
} family;

static const family families[] = {
    {dm_type_discrimination_kernels, &dm_type_discrimination_kernel_count},
    {dm_node_access_kernels, &dm_node_access_kernel_count},
    {dm_fan_kernels, &dm_fan_kernel_count},
    {dm_binding_update_kernels, &dm_binding_update_kernel_count},
    {dm_similarity_kernels, &dm_similarity_kernel_count},
    {dm_concept_lookup_kernels, &dm_concept_lookup_kernel_count},
    {dm_concept_lookup_graph_kernels, &dm_concept_lookup_graph_kernel_count},
    {dm_concept_lookup_at_recall_kernels, &dm_concept_lookup_at_recall_kernel_count},
    {dm_concept_lookup_batch_kernels, &dm_concept_lookup_batch_kernel_count},
    {dm_activation_kernels, &dm_activation_kernel_count},
    {dm_decay_kernels, &dm_decay_kernel_count},
    {dm_concept_formation_kernels, &dm_concept_formation_kernel_count},
    {dm_mixed_kernels, &dm_mixed_kernel_count},
    {dm_spreading_kernels, &dm_spreading_kernel_count},
    {dm_fan_effect_anderson_kernels, &dm_fan_effect_anderson_kernel_count},
    {dm_ceiling_kernels, &dm_ceiling_kernel_count},
};

/* Far above what there is; a table that outgrew it would miss rows, which tests/test_table.c notices. */
enum { CAPACITY = 512 };

static const dm_kernel *table[CAPACITY];

static dm_library library = {
    .size = sizeof(dm_library),
    .abi_major = DM_ABI_MAJOR,
    .abi_minor = DM_ABI_MINOR,
    .name = "libdualmem",
    .version = DM_BUILD_VERSION,
    .compiler = DM_BUILD_COMPILER,
    .flags = DM_BUILD_FLAGS,
    .revision = DM_BUILD_REVISION,
    .kernels = table,
    .kernel_count = 0,
};

static void fill_table(void) {
    for (size_t f = 0; f < sizeof(families) / sizeof(families[0]); f++) {
        for (size_t i = 0; i < *families[f].count && library.kernel_count < CAPACITY; i++) {
            table[library.kernel_count++] = families[f].kernels[i];
        }
    }
}

const dm_library *dm_library_get(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, fill_table);
    return &library;
}
