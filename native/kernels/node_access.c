/* node_access.c: reading a node's last access, activation and weight, in a dual store and in its single-type control.
 *
 * The two stores hold the same nodes with the same values, so the two kernels return the same checksums. In the dual one
 * half of the nodes are concepts, bound to eight episodes each; the weight is an episode's strength or a concept's decay
 * factor. Both types have the same record, reached by the same instructions (store/store.h, "Layout"), so that what having
 * two types costs here is what the caches and the address translation make of two stretches of memory instead of one.
 *
 * The variant `padded` reads copies of the same records with a cache line for each: what it would cost not to pack them. */
#include <math.h>

#include "kernels/kernels.h"
#include "kernels/workload.h"

#include "store/poison.h"

typedef struct line {
    _Alignas(DM_CACHE_LINE) dm_node node;
} line;

struct dm_state {
    dm_workload workload;
    line *lines; /* of `padded`: by number of the node */
};

enum { FAN = 8 };

static const dm_parameter parameters[] = {
    {.size = sizeof(dm_parameter), .name = "nodes", .default_value = 2000, .minimum = 2, .maximum = 1e7, .integer = 1,
     .meaning = "nodes stored; in the dual store half of them (rounded down) are concepts"},
};

static void teardown(dm_state *state) {
    if (state != NULL) {
        dm_memory_free(&state->workload.memory, state->lines);
        dm_workload_destroy(&state->workload);
        dm_workload_free_state(state, sizeof(*state));
    }
}

static void set_values(dm_workload *workload, uint32_t fan) {
    dm_store *store = workload->store;
    for (uint32_t number = 0; number < workload->concepts + workload->episodes; number++) {
        uint32_t slot = dm_workload_slot(workload, number);
        (void)dm_store_activate(store, slot, (float)dm_workload_random(workload, 1025) / 1024.0f);
        dm_store_touch(store, slot, UINT64_C(1700000000000000000) + dm_workload_random(workload, UINT64_C(1) << 40));
        if (number >= workload->concepts) {
            dm_store_set_strength(store, slot, (float)dm_workload_random(workload, 1025) / 1024.0f);
        } else if (store->single_type) {
            dm_store_set_strength(store, slot, dm_decay_factor_of(fan)); /* what binding gave the dual store's concepts */
        }
    }
}

static int32_t bind_all(dm_workload *workload, uint32_t fan, char *error, size_t error_size) {
    int32_t status = DM_OK;
    for (uint32_t c = 0; status == DM_OK && c < workload->concepts; c++) {
        for (uint32_t j = 0; status == DM_OK && j < fan; j++) {
            status = dm_store_bind(workload->store, dm_workload_partner(workload, c, j), dm_concept_slot(c), 0.5f, NULL,
                                   error, error_size);
        }
    }
    return status;
}

static int32_t setup(const dm_case *work, dm_state **result, int32_t single_type, char *error, size_t error_size) {
    uint32_t nodes = (uint32_t)work->parameters[0];
    uint32_t concepts = nodes / 2;
    uint32_t episodes = nodes - concepts;
    uint32_t fan = episodes < FAN ? episodes : FAN;
    *result = NULL;
    dm_state *state = dm_workload_state(sizeof(*state), error, error_size);
    if (state == NULL) {
        return DM_ERROR_MEMORY;
    }
    dm_workload *workload = &state->workload;
    int32_t status = dm_workload_create(workload, work, concepts, episodes, single_type, error, error_size);
    if (status == DM_OK && !single_type) {
        status = bind_all(workload, fan, error, error_size);
    }
    if (status == DM_OK) {
        status = dm_workload_sequence(workload, nodes, error, error_size);
    }
    if (status != DM_OK) {
        teardown(state);
        return status;
    }
    set_values(workload, fan);
    for (uint64_t i = 0; i < workload->length; i++) {
        workload->sequence[i] = dm_workload_slot(workload, workload->sequence[i]);
    }
    *result = state;
    return DM_OK;
}

static int32_t setup_dual(const dm_case *work, dm_state **state, char *error, size_t error_size) {
    return setup(work, state, 0, error, error_size);
}

static int32_t setup_single(const dm_case *work, dm_state **state, char *error, size_t error_size) {
    return setup(work, state, 1, error, error_size);
}

static int32_t setup_padded(const dm_case *work, dm_state **result, char *error, size_t error_size) {
    int32_t status = setup_dual(work, result, error, error_size);
    if (status != DM_OK) {
        return status;
    }
    dm_state *state = *result;
    dm_workload *workload = &state->workload;
    const uint32_t nodes = workload->concepts + workload->episodes;
    state->lines = dm_memory_allocate(&workload->memory, nodes * sizeof(line), DM_CACHE_LINE, work->placement);
    if (state->lines == NULL) {
        teardown(state);
        *result = NULL;
        return dm_fail(DM_ERROR_MEMORY, error, error_size, "no memory for %u cache lines; lower `nodes`", nodes);
    }
    for (uint32_t number = 0; number < nodes; number++) {
        const dm_node *node = dm_node_at(workload->store, dm_workload_slot(workload, number));
        dm_node *copy = &state->lines[number].node;
        atomic_store_explicit(&copy->last_access_ns, atomic_load_explicit(&node->last_access_ns, memory_order_relaxed),
                              memory_order_relaxed);
        atomic_store_explicit(&copy->activation, atomic_load_explicit(&node->activation, memory_order_relaxed),
                              memory_order_relaxed);
        atomic_store_explicit(&copy->weight, atomic_load_explicit(&node->weight, memory_order_relaxed), memory_order_relaxed);
    }
    for (uint64_t i = 0; i < workload->length; i++) {
        uint32_t slot = workload->sequence[i];
        workload->sequence[i] = dm_slot_is_concept(slot) ? dm_slot_index(slot) : workload->concepts + dm_slot_index(slot);
    }
    return DM_OK;
}

/* What is asked of a record. */
static inline uint64_t sum_of(const dm_node *node) {
    return atomic_load_explicit(&node->last_access_ns, memory_order_relaxed) +
           atomic_load_explicit(&node->activation, memory_order_relaxed) +
           atomic_load_explicit(&node->weight, memory_order_relaxed);
}

static uint64_t run(dm_state *state, uint64_t iterations) {
    const dm_store *store = state->workload.store;
    const uint32_t *slots = state->workload.sequence;
    uint64_t mask = state->workload.length - 1;
    uint64_t cursor = state->workload.cursor;
    uint64_t checksum = 0;
    for (uint64_t end = cursor + iterations; cursor < end; cursor++) {
        checksum += sum_of(dm_node_at(store, slots[cursor & mask]));
    }
    state->workload.cursor = cursor;
    return checksum;
}

static uint64_t run_padded(dm_state *state, uint64_t iterations) {
    const line *lines = state->lines;
    const uint32_t *numbers = state->workload.sequence;
    uint64_t mask = state->workload.length - 1;
    uint64_t cursor = state->workload.cursor;
    uint64_t checksum = 0;
    for (uint64_t end = cursor + iterations; cursor < end; cursor++) {
        checksum += sum_of(&lines[numbers[cursor & mask]].node);
    }
    state->workload.cursor = cursor;
    return checksum;
}

static int32_t read_metrics(dm_state *state, double *values, size_t count) {
    return dm_workload_read_metrics(&state->workload, sizeof(dm_node), NAN, values, count);
}

#define NODE_KERNEL(NAME, VARIANT, SUMMARY, SETUP, RUN)                                                                \
    {.size = sizeof(dm_kernel), .name = NAME, .variant = VARIANT, .summary = SUMMARY, .tolerance = 0,                  \
     .output = DM_OUTPUT_NONE, .needs_data = 0, .parameters = parameters,                                              \
     .parameter_count = sizeof(parameters) / sizeof(parameters[0]), .metrics = dm_workload_metrics,                    \
     .metric_count = DM_WORKLOAD_METRICS, .setup = SETUP, .run = RUN, .read_metrics = read_metrics,                    \
     .read_output = dm_workload_no_output, .teardown = teardown}

#define OF_DUAL "read time, activation and weight of one node through its type"

static const dm_kernel node_access = NODE_KERNEL("node_access", "portable", OF_DUAL, setup_dual, run);
static const dm_kernel node_access_padded =
    NODE_KERNEL("node_access", "padded", "the same with a cache line for each record", setup_padded, run_padded);
static const dm_kernel node_access_single =
    NODE_KERNEL("node_access_single", "portable", "the same of a node in a store without types", setup_single, run);

const dm_kernel *const dm_node_access_kernels[] = {&node_access, &node_access_padded, &node_access_single};
const size_t dm_node_access_kernel_count = sizeof(dm_node_access_kernels) / sizeof(dm_node_access_kernels[0]);
