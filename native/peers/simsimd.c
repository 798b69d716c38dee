/* simsimd.c: cosines by SimSIMD, pair by pair, as its interface is.
 *
 * `simsimd` multiplies rows and queries of unit length, the quickest that it has for stored rows; `simsimd_cosine` takes its own cosine of
 * the rows as they came, which adds up both norms again for each pair. The functions are those that SimSIMD itself chooses for the
 * processor; they are called by pointer, as through its dispatch. */
#include <simsimd/simsimd.h>
#include <stdio.h>

#include "rows.h"

static simsimd_metric_dense_punned_t dot_of;
static simsimd_metric_dense_punned_t cosine_of;

/* Asks once: what it finds is the same for every state. */
static int32_t supported(char *reason, size_t reason_size) {
    simsimd_capability_t used = simsimd_cap_serial_k;
    simsimd_find_kernel_punned(simsimd_metric_dot_k, simsimd_datatype_f32_k, simsimd_capabilities(), simsimd_cap_any_k,
                               (simsimd_kernel_punned_t *)(void *)&dot_of, &used);
    simsimd_find_kernel_punned(simsimd_metric_cos_k, simsimd_datatype_f32_k, simsimd_capabilities(), simsimd_cap_any_k,
                               (simsimd_kernel_punned_t *)(void *)&cosine_of, &used);
    if (dot_of == NULL || cosine_of == NULL || used == simsimd_cap_serial_k) {
        snprintf(reason, reason_size, "SimSIMD has no SIMD code for this processor");
        return DM_ERROR_UNSUPPORTED;
    }
    return DM_OK;
}

static void scan_dot(const peer_rows *rows, const float *query, float *cosines) {
    const simsimd_metric_dense_punned_t dot = dot_of;
    for (uint32_t row = 0; row < rows->count; row++) {
        simsimd_distance_t product;
        dot(query, rows->values + row * rows->stride, rows->dim, &product);
        cosines[row] = (float)product;
    }
}

/* Its result is a distance. */
static void scan_cosine(const peer_rows *rows, const float *query, float *cosines) {
    const simsimd_metric_dense_punned_t cosine = cosine_of;
    for (uint32_t row = 0; row < rows->count; row++) {
        simsimd_distance_t distance;
        cosine(query, rows->values + row * rows->stride, rows->dim, &distance);
        cosines[row] = (float)(1.0 - distance);
    }
}

static int32_t setup_dot(const dm_case *work, dm_state **state, char *error, size_t error_size) {
    static const peer_way way = {.unit = 1, .scan = scan_dot};
    return peer_similarity_setup(work, &way, state, error, error_size);
}

static int32_t setup_cosine(const dm_case *work, dm_state **state, char *error, size_t error_size) {
    static const peer_way way = {.unit = 0, .scan = scan_cosine};
    return peer_similarity_setup(work, &way, state, error, error_size);
}

static const dm_kernel similarity_dot = PEER_SIMILARITY(
    "simsimd", "cosines of one prepared query and `count` centroids: dot products of unit vectors", setup_dot, supported);
static const dm_kernel similarity_cosine =
    PEER_SIMILARITY("simsimd_cosine", "cosines of one query and `count` centroids, as they came", setup_cosine, supported);

static const dm_kernel *const kernels[] = {&similarity_dot, &similarity_cosine};

static const dm_library library = {
    .size = sizeof(dm_library),
    .abi_major = DM_ABI_MAJOR,
    .abi_minor = DM_ABI_MINOR,
    .name = "SimSIMD",
    .version = PEER_VERSION,
    .compiler = "",
    .flags = "",
    .revision = "",
    .kernels = kernels,
    .kernel_count = sizeof(kernels) / sizeof(kernels[0]),
};

const dm_library *dm_library_get(void) {
    return &library;
}
