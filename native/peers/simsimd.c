/* simsimd.c: cosines by SimSIMD, pair by pair, as its interface is.
 *
 * The kernel is libdualmem's own (kernels/similarity.c) around this scan: the same rows, queries and norms, in the same order. Its dot product and
 * the stored norms, because its cosine adds up both norms again for every pair. SimSIMD is built with its dispatcher, which
 * takes the best instruction set of the processor; the function is asked for once and called by pointer. Rows are always read
 * forward: reading them in turns is libdualmem's idea. */
#include <simsimd/simsimd.h>
#include <string.h>

#include "around.h"
#include "simd/similarity.h"

static simsimd_metric_dense_punned_t dot_product;

static void scan(const dm_rows *rows, const float *unit, float *cosines, int32_t direction) {
    (void)direction;
    for (uint32_t row = 0; row < rows->count; row++) {
        simsimd_distance_t dot;
        dot_product(unit, rows->values + row * rows->stride, rows->dim, &dot);
        cosines[row] = (float)dot * rows->inverse_norms[row];
    }
}

static const dm_similarity_variant variant = {"simsimd", DM_ISA_BASELINE, scan};

/* Under a name of its own (CMakeLists.txt), in place of that of simd/similarity.c. Called by setup. */
const dm_similarity_variant *dm_similarity_find(const char *name) {
    (void)name;
    simsimd_kernel_punned_t found = NULL;
    simsimd_capability_t used = simsimd_cap_serial_k;
    simsimd_find_kernel_punned(simsimd_metric_dot_k, simsimd_datatype_f32_k, simsimd_capabilities(), simsimd_cap_any_k, &found,
                               &used);
    memcpy(&dot_product, &found, sizeof(dot_product)); /* ISO C casts functions to functions only with a warning */
    return found == NULL ? NULL : &variant;
}

static const peer_family families[] = {{dm_similarity_kernels, &dm_similarity_kernel_count}};

const peer_identity peer_identity_of_this = {.name = "SimSIMD",
                                             .version = SIMSIMD_VERSION,
                                             .flags = "-O3, dispatched at run time",
                                             .variant = "simsimd",
                                             .families = families,
                                             .family_count = sizeof(families) / sizeof(families[0])};
