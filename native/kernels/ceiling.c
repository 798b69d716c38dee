/* ceiling.c: the kernels `ceiling_read` and `ceiling_fma`: what this machine's memory and arithmetic give at most. Every other
 * kernel's distance from them is the headroom that is left (docs/explanation/limits.md). */
#include <string.h>

#include "kernels/kernels.h"
#include "kernels/workload.h"
#include "parallel/team.h"
#include "simd/ceiling.h"

#include "store/poison.h"

/* What one thread of the team does: a buffer, or lanes, of its own. */
typedef struct thread_part {
    uint64_t *words;     /* of ceiling_read */
    uint64_t cursor;     /* the next chunk */
    uint64_t iterations; /* of the call under way */
    uint64_t checksum;   /* of the call under way */
    float value;         /* of ceiling_fma: where its lanes are */
} __attribute__((aligned(2 * DM_CACHE_LINE))) thread_part;

struct dm_state {
    dm_memory memory;
    const dm_ceiling_variant *variant;
    dm_team *team; /* NULL: the calling thread alone */
    thread_part *parts;
    uint32_t threads;
    uint64_t chunks; /* of one thread */
};

static void teardown(dm_state *state) {
    if (state != NULL) {
        dm_team_destroy(state->team);
        for (uint32_t t = 0; state->parts != NULL && t < state->threads; t++) {
            dm_memory_free(&state->memory, state->parts[t].words);
        }
        dm_memory_free(&state->memory, state->parts);
        dm_workload_free_state(state, sizeof(*state));
    }
}

/* A state with its team and a part for each thread. */
static int32_t begin(const dm_ceiling_variant *variant, double threads, dm_state **result, char *error, size_t error_size) {
    *result = NULL;
    dm_state *state = dm_workload_state(sizeof(*state), error, error_size);
    if (state == NULL) {
        return DM_ERROR_MEMORY;
    }
    state->variant = variant;
    state->threads = (uint32_t)threads;
    state->parts = dm_memory_allocate(&state->memory, state->threads * sizeof(thread_part), 2 * DM_CACHE_LINE, 0);
    int32_t status = state->parts == NULL ? dm_fail(DM_ERROR_MEMORY, error, error_size, "no memory for %u threads", state->threads)
                     : state->threads > 1 ? dm_workload_team(state->threads, &state->team, error, error_size)
                                          : DM_OK;
    if (status != DM_OK) {
        teardown(state);
        return status;
    }
    *result = state;
    return DM_OK;
}

/* The next `iterations` operations, in as many parts of equal size as there are threads. */
static uint64_t run_parts(dm_state *state, uint64_t iterations, dm_team_work *work) {
    for (uint32_t t = 0; t < state->threads; t++) {
        state->parts[t].iterations = iterations / state->threads + (t < iterations % state->threads);
    }
    if (state->team == NULL) {
        work(state, 0, 0);
    } else {
        dm_team_run(state->team, state->threads, work, state);
    }
    uint64_t checksum = 0;
    for (uint32_t t = 0; t < state->threads; t++) {
        checksum += state->parts[t].checksum;
    }
    return checksum;
}

/* --- reading -------------------------------------------------------------------------------------------------------------- */

enum { READ_BYTES, READ_THREADS };

static int32_t setup_read(const dm_case *work, const dm_ceiling_variant *variant, dm_state **result, char *error,
                          size_t error_size) {
    dm_state *state = NULL;
    int32_t status = begin(variant, work->parameters[READ_THREADS], &state, error, error_size);
    if (status != DM_OK) {
        *result = NULL;
        return status;
    }
    state->chunks = (uint64_t)work->parameters[READ_BYTES] / DM_CEILING_CHUNK;
    dm_workload draw = {.random = work->seed};
    for (uint32_t t = 0; t < state->threads; t++) {
        uint64_t *words =
            dm_memory_allocate(&state->memory, state->chunks * DM_CEILING_CHUNK, DM_CACHE_LINE, work->placement);
        if (words == NULL) {
            teardown(state);
            *result = NULL;
            return dm_fail(DM_ERROR_MEMORY, error, error_size, "no memory for %llu bytes for each thread; lower `bytes`",
                           (unsigned long long)work->parameters[READ_BYTES]);
        }
        state->parts[t].words = words;
        for (uint64_t i = 0; i < state->chunks * (DM_CEILING_CHUNK / sizeof(uint64_t)); i++) {
            words[i] = dm_workload_random(&draw, UINT32_MAX);
        }
    }
    *result = state;
    return DM_OK;
}

static void read_part(void *context, uint32_t task, uint32_t member) {
    (void)member;
    dm_state *state = context;
    thread_part *part = &state->parts[task];
    uint64_t checksum = 0;
    for (uint64_t iterations = part->iterations; iterations > 0;) {
        uint64_t left = state->chunks - part->cursor;
        uint64_t batch = iterations < left ? iterations : left;
        checksum += state->variant->read(part->words + part->cursor * (DM_CEILING_CHUNK / sizeof(uint64_t)), batch);
        part->cursor = batch == left ? 0 : part->cursor + batch;
        iterations -= batch;
    }
    part->checksum = checksum;
}

static uint64_t run_read(dm_state *state, uint64_t iterations) {
    return run_parts(state, iterations, read_part);
}

static int32_t read_metrics_read(dm_state *state, double *values, size_t count) {
    const double all[] = {(double)(state->chunks * state->threads), (double)dm_memory_bytes(&state->memory), DM_CEILING_CHUNK,
                          (double)state->chunks * DM_CEILING_CHUNK};
    memcpy(values, all, (count < 4 ? count : 4) * sizeof(double));
    return DM_OK;
}

static const dm_parameter read_parameters[] = {
    [READ_BYTES] = {.size = sizeof(dm_parameter), .name = "bytes", .default_value = 16384, .minimum = DM_CEILING_CHUNK, .maximum = 0x1p36,
     .integer = 1, .meaning = "bytes that each thread reads again and again, rounded down to 4 KiB: decides which cache they come from"},
    [READ_THREADS] = {.size = sizeof(dm_parameter), .name = "threads", .default_value = 1, .minimum = 1, .maximum = 64,
                      .integer = 1, .meaning = "threads that read, each a buffer of its own"},
};

static const dm_metric read_metrics_of[] = {
    {sizeof(dm_metric), "population", "count", DM_BETTER_NEITHER, DM_SCOPE_CASE, "chunks of 4 KiB"},
    {sizeof(dm_metric), "memory_bytes", "B", DM_BETTER_NEITHER, DM_SCOPE_CASE, "the buffers"},
    {sizeof(dm_metric), "bytes_per_operation", "B", DM_BETTER_NEITHER, DM_SCOPE_CASE, "read"},
    {sizeof(dm_metric), "working_set_bytes", "B", DM_BETTER_NEITHER, DM_SCOPE_CASE, "the buffer of one thread"},
};

/* --- multiplying and adding ----------------------------------------------------------------------------------------------- */

static int32_t setup_fma(const dm_case *work, const dm_ceiling_variant *variant, dm_state **result, char *error,
                         size_t error_size) {
    int32_t status = begin(variant, work->parameters[0], result, error, error_size);
    for (uint32_t t = 0; status == DM_OK && t < (*result)->threads; t++) {
        (*result)->parts[t].value = 2.0f + (float)(work->seed % 1024) / 1024.0f;
    }
    return status;
}

/* Towards 1, and then for ever 1: the units do not look at what they multiply. */
static void multiply_part(void *context, uint32_t task, uint32_t member) {
    (void)member;
    dm_state *state = context;
    thread_part *part = &state->parts[task];
    double sum = state->variant->multiply_add(part->value, 0.5f, 0.5f, part->iterations);
    part->value = (float)(sum / state->variant->lanes);
    part->checksum = dm_bits_from_float(part->value);
}

static uint64_t run_fma(dm_state *state, uint64_t iterations) {
    return run_parts(state, iterations, multiply_part);
}

static int32_t read_metrics_fma(dm_state *state, double *values, size_t count) {
    const double all[] = {1.0, sizeof(*state), 2.0 * state->variant->lanes};
    memcpy(values, all, (count < 3 ? count : 3) * sizeof(double));
    return DM_OK;
}

static int32_t read_output_fma(dm_state *state, double *values, size_t count, size_t *needed) {
    *needed = 1;
    if (count > 0) {
        values[0] = (double)state->parts[0].value;
    }
    return DM_OK;
}

static const dm_parameter fma_parameters[] = {
    {.size = sizeof(dm_parameter), .name = "threads", .default_value = 1, .minimum = 1, .maximum = 64, .integer = 1,
     .meaning = "threads that compute"},
};

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
     .output = DM_OUTPUT_VALUES, .parameters = fma_parameters,                                    \
     .parameter_count = sizeof(fma_parameters) / sizeof(fma_parameters[0]), .metrics = fma_metrics_of,  \
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
