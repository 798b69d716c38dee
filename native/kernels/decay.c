/* decay.c: the kernel `decay`: forgetting, in place, on a real store whose concepts all have fan 8.
 *
 * One operation is one binding; they go by the block of eight, and what a run leaves over is done by the next one. A stretch of
 * blocks is decayed as a task of dm_store_decay does it; the call's own checks, some ten nanoseconds a pass, are not in it.
 *
 * No drift: a pass takes 4e-5 of each strength, and after 4,096 passes all are set back to what they were, 15 % up.
 * That is one copy in 4,096 passes and stays in the figure. So strengths lie in (0.2, 0.75) for ever. Decaying by nothing would
 * not drift either, but then the concurrent form has nothing to swap. */
#include <string.h>

#include "graph/decay.h"
#include "kernels/kernels.h"
#include "kernels/workload.h"

#include "store/poison.h"

enum { FAN = DM_BLOCK_ENTRIES, PASSES = 4096, SHARES = 16, OUTPUT_MOST = 65536 };

struct dm_state {
    dm_workload workload;
    dm_decay_plan plan;
    float *original;  /* strengths after setup */
    uint32_t blocks;  /* one a concept, all full */
    uint32_t cursor;  /* the next block */
    uint64_t owed;    /* bindings asked for and not decayed yet: fewer than eight between runs */
    uint64_t passes;
    uint64_t stretches;
};

/* --- setup ------------------------------------------------------------------------------------------------------------ */

static float *strengths_of(const dm_state *state) {
    return (float *)(void *)state->workload.store->bindings.strengths;
}

static size_t size_of(const dm_state *state) {
    return (size_t)state->blocks * FAN * sizeof(float);
}

static void teardown(dm_state *state) {
    if (state != NULL) {
        dm_memory_free(&state->workload.memory, state->original);
        dm_workload_destroy(&state->workload);
        dm_workload_free_state(state, sizeof(*state));
    }
}

static int32_t setup(const dm_case *work, const dm_decay_variant *variant, int32_t exclusive, dm_state **result,
                     char *error, size_t error_size) {
    *result = NULL;
    if (variant == NULL || !dm_isa_has(variant->isa)) { /* NULL: this build is for another processor */
        return dm_workload_refuse_variant(error, error_size);
    }
    dm_state *state = dm_workload_state(sizeof(*state), error, error_size);
    if (state == NULL) {
        return DM_ERROR_MEMORY;
    }
    state->blocks = (uint32_t)work->parameters[0] / FAN;
    uint32_t episodes = state->blocks > FAN ? state->blocks : FAN;
    int32_t status = dm_workload_create(&state->workload, work, state->blocks, episodes, 0, error, error_size);
    if (status == DM_OK) {
        status = dm_workload_bind(&state->workload, FAN, 0, error, error_size);
    }
    if (status == DM_OK) {
        state->original = dm_memory_allocate(&state->workload.memory, size_of(state), DM_CACHE_LINE, work->placement);
        if (state->original == NULL) {
            status = dm_fail(DM_ERROR_MEMORY, error, error_size, "no memory for a copy of the strengths; lower `bindings`");
        }
    }
    if (status != DM_OK) {
        teardown(state);
        return status;
    }
    memcpy(state->original, strengths_of(state), size_of(state));
    state->plan = (dm_decay_plan){.store = state->workload.store,
                                  .variant = variant,
                                  .amount = {DM_DECAY_EXPONENTIAL, 0x1.0p-14},
                                  .exclusive = exclusive};
    *result = state;
    return DM_OK;
}

#define SETUP(function, variant, exclusive)                                                             \
    static int32_t function(const dm_case *work, dm_state **state, char *error, size_t error_size) {    \
        return setup(work, variant, exclusive, state, error, error_size);                               \
    }
SETUP(setup_scalar, dm_decay_find("scalar"), 1)
SETUP(setup_avx2, dm_decay_find("avx2"), 1)
SETUP(setup_avx512, dm_decay_find("avx512"), 1)
SETUP(setup_neon, dm_decay_find("neon"), 1)
SETUP(setup_concurrent, dm_decay_best(), 0)

/* --- run ---------------------------------------------------------------------------------------------------------------- */

/* The bits of one share of a stretch, the next one each time: reading all of them again would be a good part of what is measured. */
static uint64_t sum_of_share(dm_state *state, uint32_t begin, uint32_t blocks) {
    const float *strengths = strengths_of(state) + (size_t)begin * FAN;
    uint64_t count = (uint64_t)blocks * FAN;
    uint64_t share = state->stretches++ % SHARES;
    uint64_t sum = 0;
    for (uint64_t i = count * share / SHARES; i < count * (share + 1) / SHARES; i++) {
        sum += dm_bits_from_float(strengths[i]);
    }
    return sum;
}

static uint64_t run(dm_state *state, uint64_t iterations) {
    uint64_t checksum = 0;
    state->owed += iterations;
    while (state->owed >= FAN) {
        uint32_t left = state->blocks - state->cursor;
        uint32_t blocks = state->owed / FAN < left ? (uint32_t)(state->owed / FAN) : left;
        dm_decay_blocks(&state->plan, state->cursor, state->cursor + blocks);
        checksum = checksum * 31 + sum_of_share(state, state->cursor, blocks);
        state->owed -= (uint64_t)blocks * FAN;
        state->cursor += blocks;
        if (state->cursor == state->blocks) {
            state->cursor = 0;
            if (++state->passes % PASSES == 0) {
                memcpy(strengths_of(state), state->original, size_of(state));
            }
        }
    }
    return checksum;
}

static int32_t read_metrics(dm_state *state, double *values, size_t count) {
    /* The strength read and written; of the block an owner, of its concept a record, both for eight. */
    const double of_block = (4.0 + 16.0) / FAN;
    return dm_workload_read_metrics(&state->workload, 8.0 + of_block, (4.0 + of_block) * FAN * state->blocks, values, count);
}

static int32_t read_output(dm_state *state, double *values, size_t count, size_t *needed) {
    size_t places = (size_t)state->blocks * FAN;
    *needed = places < OUTPUT_MOST ? places : OUTPUT_MOST;
    for (size_t i = 0; i < count && i < *needed; i++) {
        values[i] = (double)strengths_of(state)[i];
    }
    return DM_OK;
}

/* --- the table ------------------------------------------------------------------------------------------------------------ */

static const dm_parameter parameters[] = {
    {.size = sizeof(dm_parameter), .name = "bindings", .default_value = 1000, .minimum = 8, .maximum = 1e7, .integer = 1,
     .meaning = "bindings stored, eight a concept, rounded down to whole concepts"},
};

/* tolerance: up to 4,096 factors, each of which two builds may round in another way. */
#define DECAY_KERNEL(VARIANT, SUMMARY, SETUP, SUPPORTED)                                                               \
    {.size = sizeof(dm_kernel), .name = "decay", .variant = VARIANT, .summary = SUMMARY, .tolerance = 1e-3,           \
     .output = DM_OUTPUT_VALUES, .needs_data = 0, .parameters = parameters, .parameter_count = 1,                     \
     .metrics = dm_workload_metrics, .metric_count = DM_WORKLOAD_METRICS, .supported = SUPPORTED, .setup = SETUP,     \
     .run = run, .read_metrics = read_metrics, .read_output = read_output, .teardown = teardown}

#define ALONE "decay one of all bindings, nobody else at work"
#define BESIDE "decay one of all bindings, safe against other calls"

/* Every build lists every variant, so that a scenario may name them all: those of another processor are not supported. */
static const dm_kernel scalar = DECAY_KERNEL("scalar", ALONE, setup_scalar, NULL);
static const dm_kernel avx2 = DECAY_KERNEL("avx2", ALONE, setup_avx2, dm_isa_supported_avx2);
static const dm_kernel avx512 = DECAY_KERNEL("avx512", ALONE, setup_avx512, dm_isa_supported_avx512);
static const dm_kernel neon = DECAY_KERNEL("neon", ALONE, setup_neon, dm_isa_supported_neon);
static const dm_kernel concurrent = DECAY_KERNEL("concurrent", BESIDE, setup_concurrent, NULL);

const dm_kernel *const dm_decay_kernels[] = {&scalar, &avx2, &avx512, &neon, &concurrent};
const size_t dm_decay_kernel_count = sizeof(dm_decay_kernels) / sizeof(dm_decay_kernels[0]);
