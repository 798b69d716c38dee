/* spin.h: a kernel library whose time is known. Each subject is this header with one thing changed by a macro.
 *
 * One operation is a chain of `work` dependent steps x = x * A + C (about 4 cycles each on any recent core): nothing
 * can overlap, so 6 % more steps are 6 % more time. The extra steps are added to the count in setup and the timed code
 * is the same, byte for byte, in every subject: what differs is the work alone, never the code's layout. Checksum and
 * output follow from seed and position only; the chain enters them through a mask that is 0 when it runs, so extra work
 * changes neither.
 *
 *   SPIN_EXTRA_PERCENT   more steps per operation (exact when `work` is a multiple of 100)
 *   SPIN_CHECKSUM_ERROR  added to every checksum
 *   SPIN_OUTPUT_ERROR    added to every output value
 *   SPIN_OUTPUT_WRITTEN  how many output values are written of those announced
 *   SPIN_POPULATION      what the metric says was stored
 *   SPIN_SUPPORTED, SPIN_IN_SETUP, SPIN_IN_RUN, SPIN_IN_OPERATION   statements; the last two see `state`
 *   SPIN_AFTER           declares the parameter `after`: SPIN_IN_OPERATION happens from that operation on
 *   SPIN_RUN_EACH        offers run_each, which records each operation SPIN_RECORDS times (once unless defined)
 */
#include "dualmem/dm_kernel.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#ifndef SPIN_EXTRA_PERCENT
#define SPIN_EXTRA_PERCENT 0
#endif
#ifndef SPIN_CHECKSUM_ERROR
#define SPIN_CHECKSUM_ERROR 0
#endif
#ifndef SPIN_OUTPUT_ERROR
#define SPIN_OUTPUT_ERROR 0.0
#endif
#ifndef SPIN_OUTPUT_WRITTEN
#define SPIN_OUTPUT_WRITTEN SPIN_OUTPUTS
#endif
#ifndef SPIN_POPULATION
#define SPIN_POPULATION 1.0
#endif
#ifndef SPIN_IN_SETUP
#define SPIN_IN_SETUP
#endif
#ifndef SPIN_IN_RUN
#define SPIN_IN_RUN
#endif

enum { SPIN_OUTPUTS = 8 };

struct dm_state {
    uint64_t chain;
    uint64_t steps;
    uint64_t mask; /* 0, but the compiler does not know */
    uint64_t seed;
    uint64_t position; /* operations done */
    uint64_t after;
    void *kept; /* for subjects that allocate */
};

static uint64_t spin_result(uint64_t seed, uint64_t position) {
    uint64_t value = (seed + position) * 0x9e3779b97f4a7c15u;
    return value ^ (value >> 32);
}

static int32_t spin_setup(const dm_case *work, dm_state **state, char *error, size_t error_size) {
    (void)error;
    (void)error_size;
    SPIN_IN_SETUP
    dm_state *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return DM_ERROR_MEMORY;
    }
    uint64_t steps = (uint64_t)work->parameters[0];
    made->steps = steps + steps * SPIN_EXTRA_PERCENT / 100;
    made->seed = work->seed;
    made->chain = work->seed | 1;
    made->after = work->parameter_count > 1 ? (uint64_t)work->parameters[1] : 0;
    *state = made;
    return DM_OK;
}

static uint64_t spin_run(dm_state *state, uint64_t iterations) {
    uint64_t chain = state->chain, checksum = 0;
    SPIN_IN_RUN
    for (uint64_t i = 0; i < iterations; i++) {
#ifdef SPIN_IN_OPERATION
        if (state->position >= state->after) {
            SPIN_IN_OPERATION
        }
#endif
        for (uint64_t step = 0; step < state->steps; step++) {
            chain = chain * 6364136223846793005u + 1442695040888963407u;
            __asm__ volatile("" : "+r"(chain)); /* keeps the chain: no unrolling into powers, no closed form */
        }
        checksum += spin_result(state->seed, state->position) + (chain & state->mask) + SPIN_CHECKSUM_ERROR;
        state->position++;
    }
    state->chain = chain;
    return checksum;
}

#ifdef SPIN_RUN_EACH
#ifndef SPIN_RECORDS
#define SPIN_RECORDS 1
#endif
static uint64_t spin_run_each(dm_state *state, uint64_t iterations, dm_recorder *recorder) {
    uint64_t checksum = 0;
    for (uint64_t i = 0; i < iterations; i++) {
        uint64_t item = state->position % 100; /* the same hundred pieces of work come back */
        uint64_t begin = recorder->now();
        checksum += spin_run(state, 1);
        uint64_t took = recorder->now() - begin;
        for (int record = 0; record < SPIN_RECORDS; record++) {
            recorder->record(recorder, item, took);
        }
    }
    return checksum;
}
#endif

static int32_t spin_read_metrics(dm_state *state, double *values, size_t count) {
    (void)state;
    const double known[] = {SPIN_POPULATION, (double)sizeof *state};
    for (size_t i = 0; i < count && i < sizeof known / sizeof *known; i++) {
        values[i] = known[i];
    }
    return DM_OK;
}

static int32_t spin_read_output(dm_state *state, double *values, size_t count, size_t *needed) {
    *needed = SPIN_OUTPUTS;
    for (size_t i = 0; i < count && i < SPIN_OUTPUT_WRITTEN; i++) {
        values[i] = (double)(spin_result(state->seed, state->position + i) >> 40) / 1e6 + SPIN_OUTPUT_ERROR;
    }
    return DM_OK;
}

#ifdef SPIN_SUPPORTED
static int32_t spin_supported(char *reason, size_t reason_size) {
    SPIN_SUPPORTED
}
#endif

#ifdef SPIN_TEARDOWN
static void spin_teardown(dm_state *state) {
    SPIN_TEARDOWN
}
#else
static void spin_teardown(dm_state *state) {
    free(state);
}
#endif

static const dm_parameter spin_parameters[] = {
    {.size = sizeof(dm_parameter),
     .name = "work",
     .default_value = 1000,
     .minimum = 1,
     .maximum = 1e9,
     .integer = 1,
     .meaning = "dependent steps per operation"},
#ifdef SPIN_AFTER
    {.size = sizeof(dm_parameter),
     .name = "after",
     .default_value = 0,
     .minimum = 0,
     .maximum = 1e12,
     .integer = 1,
     .meaning = "operations before it happens"},
#endif
};

static const dm_metric spin_metrics[] = {
    {.size = sizeof(dm_metric),
     .name = "population",
     .unit = "count",
     .better = DM_BETTER_NEITHER,
     .scope = DM_SCOPE_CASE,
     .meaning = "nodes stored"},
    {.size = sizeof(dm_metric),
     .name = "memory_bytes",
     .unit = "B",
     .better = DM_BETTER_LOWER,
     .scope = DM_SCOPE_CASE,
     .meaning = "bytes of one state"},
};

#ifdef SPIN_RUN_EACH
#define SPIN_EACH spin_run_each
#else
#define SPIN_EACH NULL
#endif
#ifdef SPIN_SUPPORTED
#define SPIN_SUPPORTED_FUNCTION spin_supported
#else
#define SPIN_SUPPORTED_FUNCTION NULL
#endif

/* "spin" is compared by its checksum, "spin_values" by its output. */
#define SPIN_KERNEL(kernel_name, kernel_tolerance, kernel_output)         \
    {.size = sizeof(dm_kernel),                                           \
     .name = kernel_name,                                                 \
     .variant = "plain",                                                  \
     .summary = "a chain of dependent steps",                             \
     .tolerance = kernel_tolerance,                                       \
     .output = kernel_output,                                             \
     .parameters = spin_parameters,                                       \
     .parameter_count = sizeof spin_parameters / sizeof *spin_parameters, \
     .metrics = spin_metrics,                                             \
     .metric_count = sizeof spin_metrics / sizeof *spin_metrics,          \
     .supported = SPIN_SUPPORTED_FUNCTION,                                \
     .setup = spin_setup,                                                 \
     .run = spin_run,                                                     \
     .run_each = SPIN_EACH,                                               \
     .read_metrics = spin_read_metrics,                                   \
     .read_output = spin_read_output,                                     \
     .teardown = spin_teardown}
static const dm_kernel spin_kernel = SPIN_KERNEL("spin", 0, DM_OUTPUT_NONE);
static const dm_kernel spin_values_kernel = SPIN_KERNEL("spin_values", 1e-6, DM_OUTPUT_VALUES);
static const dm_kernel *const spin_kernels[] = {&spin_kernel, &spin_values_kernel};

#ifndef SPIN_ABI_MAJOR
#define SPIN_ABI_MAJOR DM_ABI_MAJOR
#endif

static const dm_library spin_library = {.size = sizeof(dm_library),
                                        .abi_major = SPIN_ABI_MAJOR,
                                        .abi_minor = DM_ABI_MINOR,
                                        .name = "spin",
                                        .version = "1",
                                        .compiler = __VERSION__,
                                        .flags = "",
                                        .revision = "",
                                        .kernels = spin_kernels,
                                        .kernel_count = sizeof spin_kernels / sizeof *spin_kernels};

const dm_library *dm_library_get(void) {
    return &spin_library;
}
