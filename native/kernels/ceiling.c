/* ceiling.c: the kernels `ceiling_read` and `ceiling_fma`: what this machine's memory and arithmetic give at most. Every other
 * kernel's distance from them is the headroom that is left (docs/explanation/limits.md). */
#include <string.h>

#include "kernels/kernels.h"
#include "kernels/workload.h"
#include "simd/ceiling.h"

#include "store/poison.h"

struct dm_state {
    dm_memory memory;
    const dm_ceiling_variant *variant;
    uint64_t *words; /* of ceiling_read */
    uint64_t chunks;
    uint64_t cursor; /* the next chunk */
    float value;     /* of ceiling_fma: where its lanes are */
};

static void teardown(dm_state *state) {
    if (state != NULL) {
        dm_memory_free(&state->memory, state->words);
        dm_workload_free_state(state, sizeof(*state));
    }
}

/* --- reading -------------------------------------------------------------------------------------------------------------- */

static int32_t setup_read(const dm_case *work, const dm_ceiling_variant *variant, dm_state **result, char *error,
                          size_t error_size) {
    *result = NULL;
    dm_state *state = dm_workload_state(sizeof(*state), error, error_size);
    if (state == NULL) {
        return DM_ERROR_MEMORY;
    }
    state->variant = variant;
    state->chunks = (uint64_t)work->parameters[0] / DM_CEILING_CHUNK;
    state->words = dm_memory_allocate(&state->memory, state->chunks * DM_CEILING_CHUNK, DM_CACHE_LINE, work->placement);
    if (state->words == NULL) {
        teardown(state);
        return dm_fail(DM_ERROR_MEMORY, error, error_size, "no memory for %llu bytes; lower `bytes`",
                       (unsigned long long)work->parameters[0]);
    }
    dm_workload draw = {.random = work->seed};
    for (uint64_t i = 0; i < state->chunks * (DM_CEILING_CHUNK / sizeof(uint64_t)); i++) {
        state->words[i] = dm_workload_random(&draw, UINT32_MAX);
    }
    *result = state;
    return DM_OK;
}

static uint64_t run_read(dm_state *state, uint64_t iterations) {
    uint64_t checksum = 0;
    while (iterations > 0) {
        uint64_t left = state->chunks - state->cursor;
        uint64_t batch = iterations < left ? iterations : left;
        checksum += state->variant->read(state->words + state->cursor * (DM_CEILING_CHUNK / sizeof(uint64_t)), batch);
        state->cursor = batch == left ? 0 : state->cursor + batch;
        iterations -= batch;
    }
    return checksum;
}

static int32_t read_metrics_read(dm_state *state, double *values, size_t count) {
    const double all[] = {(double)state->chunks, (double)dm_memory_bytes(&state->memory), DM_CEILING_CHUNK,
                          (double)state->chunks * DM_CEILING_CHUNK};
    memcpy(values, all, (count < 4 ? count : 4) * sizeof(double));
    return DM_OK;
}

static const dm_parameter read_parameters[] = {
    {.size = sizeof(dm_parameter), .name = "bytes", .default_value = 16384, .minimum = DM_CEILING_CHUNK, .maximum = 0x1p36,
     .integer = 1, .meaning = "bytes read again and again, rounded down to 4 KiB: decides which cache they come from"},
};

static const dm_metric read_metrics_of[] = {
    {sizeof(dm_metric), "population", "count", DM_BETTER_NEITHER, DM_SCOPE_CASE, "chunks of 4 KiB"},
    {sizeof(dm_metric), "memory_bytes", "B", DM_BETTER_NEITHER, DM_SCOPE_CASE, "the buffer"},
    {sizeof(dm_metric), "bytes_per_operation", "B", DM_BETTER_NEITHER, DM_SCOPE_CASE, "read"},
    {sizeof(dm_metric), "working_set_bytes", "B", DM_BETTER_NEITHER, DM_SCOPE_CASE, "the buffer as it is read"},
};

/* --- multiplying and adding ----------------------------------------------------------------------------------------------- */

static int32_t setup_fma(const dm_case *work, const dm_ceiling_variant *variant, dm_state **result, char *error,
                         size_t error_size) {
    dm_state *state = dm_workload_state(sizeof(*state), error, error_size);
    if (state != NULL) {
        state->variant = variant;
        state->value = 2.0f + (float)(work->seed % 1024) / 1024.0f;
    }
    *result = state;
    return state != NULL ? DM_OK : DM_ERROR_MEMORY;
}

/* Towards 1, and then for ever 1: the units do not look at what they multiply. */
static uint64_t run_fma(dm_state *state, uint64_t iterations) {
    double sum = state->variant->multiply_add(state->value, 0.5f, 0.5f, iterations);
    state->value = (float)(sum / state->variant->lanes);
    return dm_bits_from_float(state->value);
}

static int32_t read_metrics_fma(dm_state *state, double *values, size_t count) {
    const double all[] = {1.0, sizeof(*state), 2.0 * state->variant->lanes};
    memcpy(values, all, (count < 3 ? count : 3) * sizeof(double));
    return DM_OK;
}

static int32_t read_output_fma(dm_state *state, double *values, size_t count, size_t *needed) {
    *needed = 1;
    if (count > 0) {
        values[0] = (double)state->value;
    }
    return DM_OK;
}

static const dm_metric fma_metrics_of[] = {
    {sizeof(dm_metric), "population", "count", DM_BETTER_NEITHER, DM_SCOPE_CASE, "one value"},
    {sizeof(dm_metric), "memory_bytes", "B", DM_BETTER_NEITHER, DM_SCOPE_CASE, "the state"},
    {sizeof(dm_metric), "flops_per_operation", "count", DM_BETTER_NEITHER, DM_SCOPE_CASE,
     "a multiplication and an addition in every lane"},
};

/* --- the table ------------------------------------------------------------------------------------------------------------ */

/* A variant is a kernel of its own: its setup is the only thing that knows which it is. */
#define SETUP(function, variant, kind)                                                                  \
    static int32_t function(const dm_case *work, dm_state **state, char *error, size_t error_size) {    \
        return kind(work, variant, state, error, error_size);                                           \
    }
SETUP(setup_read_scalar, dm_ceiling_find("scalar"), setup_read)
SETUP(setup_read_avx2, dm_ceiling_find("avx2"), setup_read)
SETUP(setup_read_avx512, dm_ceiling_find("avx512"), setup_read)
SETUP(setup_read_neon, dm_ceiling_find("neon"), setup_read)
SETUP(setup_read_auto, dm_ceiling_best(), setup_read)
SETUP(setup_fma_scalar, dm_ceiling_find("scalar"), setup_fma)
SETUP(setup_fma_avx2, dm_ceiling_find("avx2"), setup_fma)
SETUP(setup_fma_avx512, dm_ceiling_find("avx512"), setup_fma)
SETUP(setup_fma_neon, dm_ceiling_find("neon"), setup_fma)
SETUP(setup_fma_auto, dm_ceiling_best(), setup_fma)

#define READ(kernel_variant, setup_function, supported_function)                                        \
    {.size = sizeof(dm_kernel), .name = "ceiling_read", .variant = kernel_variant,                      \
     .summary = "read 4 KiB of a buffer from which nothing else is asked", .tolerance = 0.0,            \
     .output = DM_OUTPUT_NONE, .parameters = read_parameters,                                           \
     .parameter_count = sizeof(read_parameters) / sizeof(read_parameters[0]),                           \
     .metrics = read_metrics_of, .metric_count = sizeof(read_metrics_of) / sizeof(read_metrics_of[0]),  \
     .supported = supported_function, .setup = setup_function, .run = run_read,                         \
     .read_metrics = read_metrics_read, .read_output = dm_workload_no_output, .teardown = teardown}

/* Operations of variants are not alike (as many lanes as they have): compare flops, not times. */
#define FMA(kernel_variant, setup_function, supported_function)                                         \
    {.size = sizeof(dm_kernel), .name = "ceiling_fma", .variant = kernel_variant,                       \
     .summary = "one float32 multiply-add in as many registers as are there", .tolerance = 1e-6,        \
     .output = DM_OUTPUT_VALUES, .metrics = fma_metrics_of,                                             \
     .metric_count = sizeof(fma_metrics_of) / sizeof(fma_metrics_of[0]),                                \
     .supported = supported_function, .setup = setup_function, .run = run_fma,                          \
     .read_metrics = read_metrics_fma, .read_output = read_output_fma, .teardown = teardown}

static const dm_kernel read_scalar = READ("scalar", setup_read_scalar, NULL);
static const dm_kernel read_avx2 = READ("avx2", setup_read_avx2, dm_isa_supported_avx2);
static const dm_kernel read_avx512 = READ("avx512", setup_read_avx512, dm_isa_supported_avx512);
static const dm_kernel read_neon = READ("neon", setup_read_neon, dm_isa_supported_neon);
static const dm_kernel read_auto = READ("auto", setup_read_auto, NULL);
static const dm_kernel fma_scalar = FMA("scalar", setup_fma_scalar, NULL);
static const dm_kernel fma_avx2 = FMA("avx2", setup_fma_avx2, dm_isa_supported_avx2);
static const dm_kernel fma_avx512 = FMA("avx512", setup_fma_avx512, dm_isa_supported_avx512);
static const dm_kernel fma_neon = FMA("neon", setup_fma_neon, dm_isa_supported_neon);
static const dm_kernel fma_auto = FMA("auto", setup_fma_auto, NULL);

const dm_kernel *const dm_ceiling_kernels[] = {
    &read_scalar, &read_avx2, &read_avx512, &read_neon, &read_auto,
    &fma_scalar,  &fma_avx2,  &fma_avx512,  &fma_neon,  &fma_auto,
};
const size_t dm_ceiling_kernel_count = sizeof(dm_ceiling_kernels) / sizeof(dm_ceiling_kernels[0]);
