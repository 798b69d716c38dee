/* binding_update.c: strengthening a binding, by its handle and by the ids of its pair.
 *
 * No drift: walks over the sequence add d and take d away in turn, so after every second walk each strength is, to the bit,
 * what it was. For that d is a power of two so small that no strength in [0.25, 0.75) reaches 0 or 1, and so large that
 * every sum is exact. */
#include <math.h>

#include "kernels/kernels.h"
#include "kernels/workload.h"
#include "store/binding_access.h"

#include "store/poison.h"

typedef struct pair {
    uint32_t episode; /* numbers of the workload's nodes */
    uint32_t concept_number;
} pair;

struct dm_state {
    dm_workload workload;
    pair *pairs; /* [entry of the sequence]; by id only */
    float delta;
};

enum { PARAMETER_CONCEPTS, PARAMETER_FAN, PARAMETER_COUNT };

static const dm_parameter parameters[PARAMETER_COUNT] = {
    {.size = sizeof(dm_parameter), .name = "concepts", .default_value = 1000, .minimum = 1, .maximum = 1e7, .integer = 1,
     .meaning = "concepts stored, and as many episodes (or `fan` of them if that is more)"},
    {.size = sizeof(dm_parameter), .name = "fan", .default_value = 8, .minimum = 1, .maximum = 256, .integer = 1,
     .meaning = "distinct episodes bound to each concept"},
};

/* --- setup ------------------------------------------------------------------------------------------------------------ */

static void teardown(dm_state *state) {
    if (state != NULL) {
        dm_memory_free(&state->workload.memory, state->pairs);
        dm_workload_destroy(&state->workload);
        dm_workload_free_state(state, sizeof(*state));
    }
}

/* Bindings are numbered concept by concept; the sequence of numbers becomes one of handles. */
static void number_to_handle(dm_state *state, uint32_t fan) {
    dm_workload *workload = &state->workload;
    for (uint64_t i = 0; i < workload->length; i++) {
        uint32_t concept_number = workload->sequence[i] / fan;
        uint32_t episode = dm_workload_partner(workload, concept_number, workload->sequence[i] % fan);
        workload->sequence[i] = dm_store_find_binding(workload->store, episode, dm_concept_slot(concept_number));
    }
}

static int32_t number_to_pair(dm_state *state, uint32_t fan, char *error, size_t error_size) {
    dm_workload *workload = &state->workload;
    state->pairs = dm_memory_allocate(&workload->memory, workload->length * sizeof(pair), DM_CACHE_LINE, workload->placement);
    if (state->pairs == NULL) {
        return dm_fail(DM_ERROR_MEMORY, error, error_size, "no memory for an access sequence of %llu pairs",
                       (unsigned long long)workload->length);
    }
    for (uint64_t i = 0; i < workload->length; i++) {
        uint32_t concept_number = workload->sequence[i] / fan;
        uint32_t episode = dm_workload_partner(workload, concept_number, workload->sequence[i] % fan);
        state->pairs[i] = (pair){workload->concepts + episode, concept_number};
    }
    return DM_OK;
}

static int32_t setup(const dm_case *work, dm_state **result, int by_id, char *error, size_t error_size) {
    uint32_t concepts = (uint32_t)work->parameters[PARAMETER_CONCEPTS];
    uint32_t fan = (uint32_t)work->parameters[PARAMETER_FAN];
    uint64_t bindings = (uint64_t)concepts * fan;
    *result = NULL;
    if (bindings > UINT32_MAX / 8) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size, "%llu bindings are more than a store numbers; lower the fan",
                       (unsigned long long)bindings);
    }
    dm_state *state = dm_workload_state(sizeof(*state), error, error_size);
    if (state == NULL) {
        return DM_ERROR_MEMORY;
    }
    dm_workload *workload = &state->workload;
    uint32_t episodes = concepts > fan ? concepts : fan;
    int32_t status = dm_workload_create(workload, work, concepts, episodes, 0, error, error_size);
    if (status == DM_OK) {
        status = dm_workload_bind(workload, fan, 0, error, error_size);
    }
    if (status == DM_OK) {
        status = dm_workload_sequence(workload, bindings, error, error_size);
    }
    if (status == DM_OK && by_id) {
        status = number_to_pair(state, fan, error, error_size);
    }
    if (status != DM_OK) {
        teardown(state);
        return status;
    }
    if (!by_id) {
        number_to_handle(state, fan);
    }
    state->delta = 0.125f;
    for (uint64_t repeats = dm_workload_repeats(workload, bindings); repeats > 1; repeats = (repeats + 1) / 2) {
        state->delta /= 2.0f;
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

/* --- run ---------------------------------------------------------------------------------------------------------------- */

/* The part of the sequence that comes next, up to its end, and the sign of this walk. */
typedef struct stretch {
    uint64_t begin;
    uint64_t end;
    float delta;
} stretch;

static stretch next_stretch(const dm_state *state, uint64_t iterations) {
    uint64_t length = state->workload.length;
    uint64_t begin = state->workload.cursor & (length - 1);
    uint64_t count = iterations < length - begin ? iterations : length - begin;
    int odd = (state->workload.cursor & length) != 0;
    return (stretch){begin, begin + count, odd ? -state->delta : state->delta};
}

/* prefetch: 0, or how many entries ahead. 0 is a constant in its caller, so the plain variant has no trace of it. */
static inline uint64_t run_handles(dm_state *state, uint64_t iterations, uint64_t prefetch) {
    dm_store *store = state->workload.store;
    const uint32_t *handles = state->workload.sequence;
    uint64_t mask = state->workload.length - 1;
    uint64_t checksum = 0;
    while (iterations > 0) {
        stretch next = next_stretch(state, iterations);
        for (uint64_t i = next.begin; i < next.end; i++) {
            if (prefetch > 0) {
                __builtin_prefetch((const void *)&store->bindings.strengths[handles[(i + prefetch) & mask]], 1);
            }
            checksum += dm_bits_from_float(dm_binding_update_inline(store, handles[i], 1.0f, next.delta));
        }
        state->workload.cursor += next.end - next.begin;
        iterations -= next.end - next.begin;
    }
    return checksum;
}

static uint64_t run_by_handle(dm_state *state, uint64_t iterations) {
    return run_handles(state, iterations, 0);
}

static uint64_t run_by_handle_prefetched(dm_state *state, uint64_t iterations) {
    return run_handles(state, iterations, 32);
}

static uint64_t run_by_id(dm_state *state, uint64_t iterations) {
    dm_store *store = state->workload.store;
    const pair *pairs = state->pairs;
    uint64_t checksum = 0;
    while (iterations > 0) {
        stretch next = next_stretch(state, iterations);
        for (uint64_t i = next.begin; i < next.end; i++) {
            dm_id episode = dm_workload_id(pairs[i].episode);
            dm_id concept_id = dm_workload_id(pairs[i].concept_number);
            checksum += dm_bits_from_float(dm_binding_update_by_id_inline(store, episode, concept_id, 1.0f, next.delta));
        }
        state->workload.cursor += next.end - next.begin;
        iterations -= next.end - next.begin;
    }
    return checksum;
}

static uint64_t run_by_id_batched(dm_state *state, uint64_t iterations) {
    enum { BATCH = 64 };
    dm_pair ids[BATCH];
    float deltas[BATCH];
    float strengths[BATCH];
    uint64_t checksum = 0;
    while (iterations > 0) {
        stretch next = next_stretch(state, iterations < BATCH ? iterations : BATCH);
        uint64_t batch = next.end - next.begin;
        const pair *pairs = state->pairs + next.begin;
        for (uint64_t i = 0; i < batch; i++) {
            ids[i] = (dm_pair){dm_workload_id(pairs[i].episode), dm_workload_id(pairs[i].concept_number)};
            deltas[i] = next.delta;
        }
        dm_store_strengthen_batch_by_id(state->workload.store, ids, deltas, batch, strengths);
        for (uint64_t i = 0; i < batch; i++) {
            checksum += dm_bits_from_float(strengths[i]);
        }
        state->workload.cursor += batch;
        iterations -= batch;
    }
    return checksum;
}

static int32_t read_metrics_by_handle(dm_state *state, double *values, size_t count) {
    return dm_workload_read_metrics(&state->workload, 8, NAN, values, count); /* the strength, read and written */
}

static int32_t read_metrics_by_id(dm_state *state, double *values, size_t count) {
    /* Two ids and slots (20 each), eight partners, the strength read and written. */
    return dm_workload_read_metrics(&state->workload, 2 * 20 + 32 + 8, NAN, values, count);
}

/* --- the table -------------------------------------------------------------------------------------------------------------- */

#define BINDING_UPDATE_KERNEL(NAME, VARIANT, SUMMARY, SETUP, RUN, READ_METRICS)                                        \
    {.size = sizeof(dm_kernel), .name = NAME, .variant = VARIANT, .summary = SUMMARY, .tolerance = 0,                 \
     .output = DM_OUTPUT_NONE, .needs_data = 0, .parameters = parameters, .parameter_count = PARAMETER_COUNT,         \
     .metrics = dm_workload_metrics, .metric_count = DM_WORKLOAD_METRICS, .setup = SETUP, .run = RUN,                  \
     .read_metrics = READ_METRICS, .read_output = dm_workload_no_output, .teardown = teardown}

static const dm_kernel by_handle =
    BINDING_UPDATE_KERNEL("binding_update_by_handle", "portable", "strengthen one binding, given its handle",
                          setup_by_handle, run_by_handle, read_metrics_by_handle);
static const dm_kernel by_handle_prefetched =
    BINDING_UPDATE_KERNEL("binding_update_by_handle", "prefetched", "strengthen one of many bindings, given their handles",
                          setup_by_handle, run_by_handle_prefetched, read_metrics_by_handle);
static const dm_kernel by_id =
    BINDING_UPDATE_KERNEL("binding_update_by_id", "portable", "strengthen one binding, given the ids of its two nodes",
                          setup_by_id, run_by_id, read_metrics_by_id);
static const dm_kernel by_id_batched = BINDING_UPDATE_KERNEL(
    "binding_update_by_id", "batched", "strengthen one of many bindings, given the ids of their nodes", setup_by_id,
    run_by_id_batched, read_metrics_by_id);

const dm_kernel *const dm_binding_update_kernels[] = {&by_handle, &by_handle_prefetched, &by_id, &by_id_batched};
const size_t dm_binding_update_kernel_count = sizeof(dm_binding_update_kernels) / sizeof(dm_binding_update_kernels[0]);
