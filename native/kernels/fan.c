/* fan.c: reading a concept's fan, by its slot and by its id. The fans differ (1..fan), so the checksum tells concepts
 * apart. */
#include <math.h>

#include "kernels/kernels.h"
#include "kernels/workload.h"

#include "store/poison.h"

struct dm_state {
    dm_workload workload;
};

enum { PARAMETER_CONCEPTS, PARAMETER_FAN, PARAMETER_COUNT };

static const dm_parameter parameters[PARAMETER_COUNT] = {
    {.size = sizeof(dm_parameter), .name = "concepts", .default_value = 1000, .minimum = 1, .maximum = 1e7, .integer = 1,
     .meaning = "concepts stored, and as many episodes (or `fan` of them if that is more)"},
    {.size = sizeof(dm_parameter), .name = "fan", .default_value = 8, .minimum = 1, .maximum = 256, .integer = 1,
     .meaning = "most episodes bound to a concept; each has 1..fan"},
};

static void teardown(dm_state *state) {
    if (state != NULL) {
        dm_workload_destroy(&state->workload);
        dm_workload_free_state(state, sizeof(*state));
    }
}

static int32_t setup(const dm_case *work, dm_state **result, int by_id, char *error, size_t error_size) {
    uint32_t concepts = (uint32_t)work->parameters[PARAMETER_CONCEPTS];
    uint32_t fan = (uint32_t)work->parameters[PARAMETER_FAN];
    *result = NULL;
    dm_state *state = dm_workload_state(sizeof(*state), error, error_size);
    if (state == NULL) {
        return DM_ERROR_MEMORY;
    }
    dm_workload *workload = &state->workload;
    int32_t status = dm_workload_create(workload, work, concepts, concepts > fan ? concepts : fan, 0, error, error_size);
    if (status == DM_OK) {
        status = dm_workload_bind(workload, fan, 1, error, error_size);
    }
    if (status == DM_OK) {
        status = dm_workload_sequence(workload, concepts, error, error_size);
    }
    if (status != DM_OK) {
        teardown(state);
        return status;
    }
    for (uint64_t i = 0; !by_id && i < workload->length; i++) {
        workload->sequence[i] = dm_concept_slot(workload->sequence[i]);
    }
    *result = state;
    return DM_OK;
}

static int32_t setup_by_handle(const dm_case *work, dm_state **state, char *error, size_t error_size) {
    return setup(work, state, 0, error, error_size);
}

static int32_t setup_by_id(const dm_case *work, dm_state **state, char *error, size_t error_size) {
    return setup(work, state, 1, error, error_size);
}

/* prefetch: 0, or how many entries ahead; a constant in the caller. */
static inline uint64_t run_slots(dm_state *state, uint64_t iterations, uint64_t prefetch) {
    const dm_store *store = state->workload.store;
    const uint32_t *slots = state->workload.sequence;
    uint64_t mask = state->workload.length - 1;
    uint64_t cursor = state->workload.cursor;
    uint64_t checksum = 0;
    for (uint64_t end = cursor + iterations; cursor < end; cursor++) {
        if (prefetch > 0) {
            __builtin_prefetch((const void *)dm_links_at(store, slots[(cursor + prefetch) & mask]));
        }
        /* An atomic load: the compiler neither drops it nor makes one gather of eight. */
        checksum += dm_fan_inline(store, slots[cursor & mask]);
    }
    state->workload.cursor = cursor;
    return checksum;
}

static uint64_t run_by_handle(dm_state *state, uint64_t iterations) {
    return run_slots(state, iterations, 0);
}

static uint64_t run_by_handle_prefetched(dm_state *state, uint64_t iterations) {
    return run_slots(state, iterations, 32);
}

/* `missing` counts look-ups that found nothing: it is part of the checksum, so that a broken table shows. */
static inline uint64_t fan_of(const dm_store *store, uint32_t slot, uint64_t *missing) {
    if (slot == DM_SLOT_NONE) {
        *missing += 1;
        return 0;
    }
    return dm_fan_inline(store, slot);
}

static uint64_t run_by_id(dm_state *state, uint64_t iterations) {
    const dm_store *store = state->workload.store;
    const uint32_t *numbers = state->workload.sequence;
    uint64_t mask = state->workload.length - 1;
    uint64_t cursor = state->workload.cursor;
    uint64_t missing = 0;
    uint64_t checksum = 0;
    for (uint64_t end = cursor + iterations; cursor < end; cursor++) {
        checksum += fan_of(store, dm_ids_find(&store->ids, dm_workload_id(numbers[cursor & mask])), &missing);
    }
    state->workload.cursor = cursor;
    return checksum + (missing << 32);
}

static uint64_t run_by_id_batched(dm_state *state, uint64_t iterations) {
    enum { BATCH = 64 };
    const dm_store *store = state->workload.store;
    const uint32_t *numbers = state->workload.sequence;
    uint64_t mask = state->workload.length - 1;
    uint64_t cursor = state->workload.cursor;
    uint64_t missing = 0;
    uint64_t checksum = 0;
    dm_id ids[BATCH];
    uint32_t slots[BATCH];
    while (iterations > 0) {
        uint64_t batch = iterations < BATCH ? iterations : BATCH;
        for (uint64_t i = 0; i < batch; i++) {
            ids[i] = dm_workload_id(numbers[(cursor + i) & mask]);
        }
        dm_store_find_batch(store, ids, batch, slots);
        for (uint64_t i = 0; i < batch; i++) {
            checksum += fan_of(store, slots[i], &missing);
        }
        cursor += batch;
        iterations -= batch;
    }
    state->workload.cursor = cursor;
    return checksum + (missing << 32);
}

static int32_t read_metrics_by_handle(dm_state *state, double *values, size_t count) {
    return dm_workload_read_metrics(&state->workload, 4, NAN, values, count);
}

static int32_t read_metrics_by_id(dm_state *state, double *values, size_t count) {
    return dm_workload_read_metrics(&state->workload, 4 + 20 + 4, NAN, values, count); /* control, id and slot, fan */
}

#define FAN_KERNEL(NAME, VARIANT, SUMMARY, SETUP, RUN, READ_METRICS)                                                   \
    {.size = sizeof(dm_kernel), .name = NAME, .variant = VARIANT, .summary = SUMMARY, .tolerance = 0,                 \
     .output = DM_OUTPUT_NONE, .needs_data = 0, .parameters = parameters, .parameter_count = PARAMETER_COUNT,         \
     .metrics = dm_workload_metrics, .metric_count = DM_WORKLOAD_METRICS, .setup = SETUP, .run = RUN,                  \
     .read_metrics = READ_METRICS, .read_output = dm_workload_no_output, .teardown = teardown}

static const dm_kernel by_handle = FAN_KERNEL("fan_by_handle", "portable", "read the fan of one concept, given its slot",
                                              setup_by_handle, run_by_handle, read_metrics_by_handle);
static const dm_kernel by_handle_prefetched =
    FAN_KERNEL("fan_by_handle", "prefetched", "read the fan of one of many concepts, given their slots", setup_by_handle,
               run_by_handle_prefetched, read_metrics_by_handle);
static const dm_kernel by_id = FAN_KERNEL("fan_by_id", "portable", "read the fan of one concept, given its id", setup_by_id,
                                          run_by_id, read_metrics_by_id);
static const dm_kernel by_id_batched =
    FAN_KERNEL("fan_by_id", "batched", "read the fan of one of many concepts, given their ids", setup_by_id,
               run_by_id_batched, read_metrics_by_id);

const dm_kernel *const dm_fan_kernels[] = {&by_handle, &by_handle_prefetched, &by_id, &by_id_batched};
const size_t dm_fan_kernel_count = sizeof(dm_fan_kernels) / sizeof(dm_fan_kernels[0]);
