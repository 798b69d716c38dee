/* activation.c: the kernels `activation_sigmoid`, `fan_effect` and `activation_fused`.
 *
 * One operation is one element: batches of `count` elements are mapped one after the other, the last one in part where a
 * run ends. Inputs and results are arrays of their own, so nothing drifts. The checksum takes a sixteenth of each batch, the
 * next one each time: to add up all results would be a good part of what is measured; after sixteen batches it has seen
 * every one. */
#include <string.h>

#include "kernels/kernels.h"
#include "kernels/workload.h"
#include "simd/activation.h"

#include "store/poison.h"

enum { PARAMETER_COUNT_OF_ELEMENTS, PARAMETER_MODE };
enum { SHARES = 16 };

struct dm_state {
    dm_memory memory;
    const dm_activation_variant *variant;
    void (*map)(dm_state *state, uint64_t begin, uint64_t count);
    dm_sigmoid sigmoid;
    int32_t mode;
    float *inputs;
    uint32_t *fans; /* NULL where they are not needed */
    float *results;
    uint64_t count;
    uint64_t cursor; /* the next element */
    uint64_t batches;
};

typedef void map_batch(dm_state *state, uint64_t begin, uint64_t count);

static void map_sigmoid(dm_state *state, uint64_t begin, uint64_t count) {
    state->variant->sigmoid(state->inputs + begin, count, &state->sigmoid, state->results + begin);
}

static void map_fan(dm_state *state, uint64_t begin, uint64_t count) {
    state->variant->fan[state->mode](state->inputs + begin, state->fans + begin, count, state->results + begin);
}

static void map_fused(dm_state *state, uint64_t begin, uint64_t count) {
    state->variant->fused(state->inputs + begin, state->fans + begin, count, &state->sigmoid, state->results + begin);
}

/* --- setup ------------------------------------------------------------------------------------------------------------ */

static void teardown(dm_state *state) {
    if (state != NULL) {
        dm_memory_free(&state->memory, state->inputs);
        dm_memory_free(&state->memory, state->fans);
        dm_memory_free(&state->memory, state->results);
        dm_workload_free_state(state, sizeof(*state));
    }
}

/* Similarities in [-1, 1), or activations in [0, 1), multiples of 2^-20; fans below 1,000, one in a thousand 0. */
static void fill(dm_state *state, uint64_t seed, map_batch *map) {
    dm_workload draw = {.random = seed};
    for (uint64_t i = 0; i < state->count; i++) {
        float uniform = (float)dm_workload_random(&draw, 1 << 20) / (float)(1 << 20);
        state->inputs[i] = map == map_fan ? uniform : 2.0f * uniform - 1.0f;
        if (map != map_sigmoid) {
            state->fans[i] = (uint32_t)dm_workload_random(&draw, 1000);
        }
    }
}

static int32_t setup(const dm_case *work, const char *variant, map_batch *map, dm_state **result, char *error,
                     size_t error_size) {
    *result = NULL;
    const dm_activation_variant *found = dm_activation_find(variant);
    if (found == NULL || !dm_isa_has(found->isa)) { /* NULL: this build is for another processor */
        return dm_workload_refuse_variant(error, error_size);
    }
    dm_state *state = dm_workload_state(sizeof(*state), error, error_size);
    if (state == NULL) {
        return DM_ERROR_MEMORY;
    }
    state->variant = found;
    state->map = map;
    state->sigmoid = dm_sigmoid_make(DM_SIGMOID_THRESHOLD, DM_SIGMOID_TEMPERATURE);
    state->mode = map == map_fan ? (int32_t)work->parameters[PARAMETER_MODE] : DM_FAN_SQRT;
    state->count = (uint64_t)work->parameters[PARAMETER_COUNT_OF_ELEMENTS];
    size_t size = state->count * sizeof(float);
    state->inputs = dm_memory_allocate(&state->memory, size, DM_CACHE_LINE, work->placement);
    state->results = dm_memory_allocate(&state->memory, size, DM_CACHE_LINE, work->placement);
    if (map != map_sigmoid) {
        state->fans = dm_memory_allocate(&state->memory, size, DM_CACHE_LINE, work->placement);
    }
    if (state->inputs == NULL || state->results == NULL || (map != map_sigmoid && state->fans == NULL)) {
        teardown(state);
        return dm_fail(DM_ERROR_MEMORY, error, error_size, "no memory for %llu elements; lower the count",
                       (unsigned long long)work->parameters[PARAMETER_COUNT_OF_ELEMENTS]);
    }
    fill(state, work->seed, map);
    *result = state;
    return DM_OK;
}

/* --- run ---------------------------------------------------------------------------------------------------------------- */

/* The bits of one share of a batch. */
static uint64_t sum_of_share(const float *results, uint64_t count, uint64_t share) {
    uint64_t sum = 0;
    for (uint64_t i = count * share / SHARES; i < count * (share + 1) / SHARES; i++) {
        sum += dm_bits_from_float(results[i]);
    }
    return sum;
}

static uint64_t run(dm_state *state, uint64_t iterations) {
    uint64_t checksum = 0;
    while (iterations > 0) {
        uint64_t begin = state->cursor;
        uint64_t left = state->count - begin;
        uint64_t batch = iterations < left ? iterations : left;
        state->map(state, begin, batch);
        checksum = checksum * 31 + sum_of_share(state->results + begin, batch, state->batches++ % SHARES);
        state->cursor = batch == left ? 0 : begin + batch;
        iterations -= batch;
    }
    return checksum;
}

static int32_t read_metrics(dm_state *state, double *values, size_t count) {
    /* Inputs and fans read, results written. */
    double bytes = (double)sizeof(float) * (state->fans == NULL ? 2.0 : 3.0);
    const double all[] = {(double)state->count, (double)dm_memory_bytes(&state->memory), bytes, bytes * (double)state->count};
    memcpy(values, all, (count < 4 ? count : 4) * sizeof(double));
    return DM_OK;
}

static int32_t read_output(dm_state *state, double *values, size_t count, size_t *needed) {
    *needed = state->count;
    for (size_t i = 0; i < count && i < state->count; i++) {
        values[i] = (double)state->results[i];
    }
    return DM_OK;
}

/* --- the table ------------------------------------------------------------------------------------------------------------ */

static const dm_parameter parameters[] = {
    [PARAMETER_COUNT_OF_ELEMENTS] = {.size = sizeof(dm_parameter), .name = "count", .default_value = 1000, .minimum = 1,
                                     .maximum = 1e7, .integer = 1, .meaning = "elements of a batch"},
    [PARAMETER_MODE] = {.size = sizeof(dm_parameter), .name = "mode", .default_value = DM_FAN_SQRT, .minimum = 0,
                        .maximum = DM_FAN_MODES - 1, .integer = 1, .meaning = "0: a/fan, 1: a/sqrt(fan), 2: ACT-R"},
};

static const dm_metric metrics[] = {
    {sizeof(dm_metric), "population", "count", DM_BETTER_NEITHER, DM_SCOPE_CASE, "elements of a batch"},
    {sizeof(dm_metric), "memory_bytes", "B", DM_BETTER_LOWER, DM_SCOPE_CASE, "inputs, fans and results"},
    {sizeof(dm_metric), "bytes_per_operation", "B", DM_BETTER_NEITHER, DM_SCOPE_CASE, "bytes read and written an element"},
    {sizeof(dm_metric), "working_set_bytes", "B", DM_BETTER_NEITHER, DM_SCOPE_CASE, "inputs, fans and results of a batch"},
};

#define SETUP(function, variant, map)                                                                   \
    static int32_t function(const dm_case *work, dm_state **state, char *error, size_t error_size) {    \
        return setup(work, variant, map, state, error, error_size);                                     \
    }
SETUP(setup_sigmoid_scalar, "scalar", map_sigmoid)
SETUP(setup_sigmoid_avx2, "avx2", map_sigmoid)
SETUP(setup_sigmoid_avx512, "avx512", map_sigmoid)
SETUP(setup_sigmoid_neon, "neon", map_sigmoid)
SETUP(setup_fan_scalar, "scalar", map_fan)
SETUP(setup_fan_avx2, "avx2", map_fan)
SETUP(setup_fan_avx512, "avx512", map_fan)
SETUP(setup_fan_neon, "neon", map_fan)
SETUP(setup_fused_scalar, "scalar", map_fused)
SETUP(setup_fused_avx2, "avx2", map_fused)
SETUP(setup_fused_avx512, "avx512", map_fused)
SETUP(setup_fused_neon, "neon", map_fused)

#define KERNEL(NAME, VARIANT, SUMMARY, PARAMETERS, SETUP, SUPPORTED)                                                  \
    {.size = sizeof(dm_kernel), .name = NAME, .variant = VARIANT, .summary = SUMMARY, .tolerance = 1e-6,              \
     .output = DM_OUTPUT_VALUES, .needs_data = 0, .parameters = parameters, .parameter_count = PARAMETERS,            \
     .metrics = metrics, .metric_count = sizeof(metrics) / sizeof(metrics[0]), .supported = SUPPORTED,                \
     .setup = SETUP, .run = run, .read_metrics = read_metrics, .read_output = read_output, .teardown = teardown}

#define SIGMOID_SUMMARY "map one of `count` similarities to an activation"
#define FAN_SUMMARY "divide one of `count` activations by its fan, as `mode` says"
#define FUSED_SUMMARY "map one of `count` similarities and divide it by the root of its fan"

/* Every build lists every variant, so that a scenario may name them all: those of another processor are not supported. */
static const dm_kernel sigmoid_scalar =
    KERNEL("activation_sigmoid", "scalar", SIGMOID_SUMMARY, 1, setup_sigmoid_scalar, NULL);
static const dm_kernel sigmoid_avx2 =
    KERNEL("activation_sigmoid", "avx2", SIGMOID_SUMMARY, 1, setup_sigmoid_avx2, dm_isa_supported_avx2);
static const dm_kernel sigmoid_avx512 =
    KERNEL("activation_sigmoid", "avx512", SIGMOID_SUMMARY, 1, setup_sigmoid_avx512, dm_isa_supported_avx512);
static const dm_kernel sigmoid_neon =
    KERNEL("activation_sigmoid", "neon", SIGMOID_SUMMARY, 1, setup_sigmoid_neon, dm_isa_supported_neon);
static const dm_kernel fan_scalar = KERNEL("fan_effect", "scalar", FAN_SUMMARY, 2, setup_fan_scalar, NULL);
static const dm_kernel fan_avx2 = KERNEL("fan_effect", "avx2", FAN_SUMMARY, 2, setup_fan_avx2, dm_isa_supported_avx2);
static const dm_kernel fan_avx512 = KERNEL("fan_effect", "avx512", FAN_SUMMARY, 2, setup_fan_avx512, dm_isa_supported_avx512);
static const dm_kernel fan_neon = KERNEL("fan_effect", "neon", FAN_SUMMARY, 2, setup_fan_neon, dm_isa_supported_neon);
static const dm_kernel fused_scalar = KERNEL("activation_fused", "scalar", FUSED_SUMMARY, 1, setup_fused_scalar, NULL);
static const dm_kernel fused_avx2 =
    KERNEL("activation_fused", "avx2", FUSED_SUMMARY, 1, setup_fused_avx2, dm_isa_supported_avx2);
static const dm_kernel fused_avx512 =
    KERNEL("activation_fused", "avx512", FUSED_SUMMARY, 1, setup_fused_avx512, dm_isa_supported_avx512);
static const dm_kernel fused_neon =
    KERNEL("activation_fused", "neon", FUSED_SUMMARY, 1, setup_fused_neon, dm_isa_supported_neon);

const dm_kernel *const dm_activation_kernels[] = {
    &sigmoid_scalar, &sigmoid_avx2, &sigmoid_avx512, &sigmoid_neon,
    &fan_scalar, &fan_avx2, &fan_avx512, &fan_neon,
    &fused_scalar, &fused_avx2, &fused_avx512, &fused_neon,
};
const size_t dm_activation_kernel_count = sizeof(dm_activation_kernels) / sizeof(dm_activation_kernels[0]);
