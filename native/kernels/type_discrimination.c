/* type_discrimination.c: is this slot a concept? And the same loop without the question, so that what is left of the
 * difference is the question. */
#include <math.h>

#include "kernels/kernels.h"
#include "kernels/workload.h"

#include "store/poison.h"

struct dm_state {
    dm_workload workload;
};

static const dm_parameter parameters[] = {
    {.size = sizeof(dm_parameter), .name = "concepts", .default_value = 1000, .minimum = 1, .maximum = 1e7, .integer = 1,
     .meaning = "concepts stored, and as many episodes; asked in random order"},
};

static void teardown(dm_state *state) {
    if (state != NULL) {
        dm_workload_destroy(&state->workload);
        dm_workload_free_state(state, sizeof(*state));
    }
}

static int32_t setup(const dm_case *work, dm_state **result, char *error, size_t error_size) {
    uint32_t concepts = (uint32_t)work->parameters[0];
    *result = NULL;
    dm_state *state = dm_workload_state(sizeof(*state), error, error_size);
    if (state == NULL) {
        return DM_ERROR_MEMORY;
    }
    dm_workload *workload = &state->workload;
    int32_t status = dm_workload_create(workload, work, concepts, concepts, 0, error, error_size);
    if (status == DM_OK) {
        status = dm_workload_sequence(workload, (uint64_t)concepts * 2, error, error_size);
    }
    if (status != DM_OK) {
        teardown(state);
        return status;
    }
    for (uint64_t i = 0; i < workload->length; i++) {
        workload->sequence[i] = dm_workload_slot(workload, workload->sequence[i]);
    }
    *result = state;
    return DM_OK;
}

/* A value that the compiler must have in a register at this point, and knows nothing of afterwards: each slot is asked on
 * its own. Without it both loops become a vector sum, eight questions an instruction; no caller asks like that. */
static inline uint32_t opaque(uint32_t value) {
    __asm__ volatile("" : "+r"(value));
    return value;
}

/* ask is a constant in the caller. */
static inline uint64_t walk(dm_state *state, uint64_t iterations, int ask) {
    const uint32_t *slots = state->workload.sequence;
    uint64_t mask = state->workload.length - 1;
    uint64_t cursor = state->workload.cursor;
    uint64_t checksum = 0;
    for (uint64_t end = cursor + iterations; cursor < end; cursor++) {
        uint32_t slot = opaque(slots[cursor & mask]);
        checksum += ask ? opaque((uint32_t)dm_slot_is_concept(slot)) : slot;
    }
    state->workload.cursor = cursor;
    return checksum;
}

static uint64_t run(dm_state *state, uint64_t iterations) {
    return walk(state, iterations, 1);
}

static uint64_t run_empty(dm_state *state, uint64_t iterations) {
    return walk(state, iterations, 0);
}

static int32_t read_metrics(dm_state *state, double *values, size_t count) {
    return dm_workload_read_metrics(&state->workload, 0, NAN, values, count); /* the slot tells; the store is not touched */
}

#define TYPE_KERNEL(NAME, SUMMARY, RUN)                                                                                  \
    {.size = sizeof(dm_kernel), .name = NAME, .variant = "portable", .summary = SUMMARY, .tolerance = 0,               \
     .output = DM_OUTPUT_NONE, .needs_data = 0, .parameters = parameters,                                              \
     .parameter_count = sizeof(parameters) / sizeof(parameters[0]), .metrics = dm_workload_metrics,                    \
     .metric_count = DM_WORKLOAD_METRICS, .setup = setup, .run = RUN, .read_metrics = read_metrics,                    \
     .read_output = dm_workload_no_output, .teardown = teardown}

static const dm_kernel type_discrimination =
    TYPE_KERNEL("type_discrimination", "tell whether one slot is a concept", run);
static const dm_kernel type_discrimination_empty =
    TYPE_KERNEL("type_discrimination_empty", "the same loop over the same slots without asking", run_empty);

const dm_kernel *const dm_type_discrimination_kernels[] = {&type_discrimination, &type_discrimination_empty};
const size_t dm_type_discrimination_kernel_count =
    sizeof(dm_type_discrimination_kernels) / sizeof(dm_type_discrimination_kernels[0]);
