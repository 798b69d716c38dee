/* spreader.c: what spreading works with: options and memory. */
#include <math.h>

#include "graph/spreading.h"
#include "store/store.h"

#include "store/poison.h"

dm_spread_options dm_spread_defaults(void) {
    return (dm_spread_options){.size = sizeof(dm_spread_options),
                               .fan_mode = DM_FAN_SQRT,
                               .max_hops = 4,
                               .decay = 0.8,
                               .threshold = 0.01,
                               .up = 0.8,
                               .down = 0.6,
                               .lateral = 0.4,
                               .episodic = 0.3,
                               .associative_strength = DM_ASSOCIATIVE_STRENGTH};
}

static int is_strength(double value) {
    return isfinite(value) && value >= 0.0;
}

static int is_unit(double value) {
    return value >= 0.0 && value <= 1.0;
}

static int32_t check_options(const dm_spread_options *options, char *error, size_t error_size) {
    if (options->size != sizeof(dm_spread_options)) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size,
                       "options of %zu bytes, this library knows %zu: begin with dm_spread_defaults", options->size,
                       sizeof(dm_spread_options));
    }
    if (options->fan_mode < DM_FAN_LINEAR || options->fan_mode > DM_FAN_NONE) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size, "fan mode %d is none of DM_FAN_...", options->fan_mode);
    }
    if (options->max_hops > DM_HOPS_MAX) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size, "%u hops: want 0..%d", options->max_hops, (int)DM_HOPS_MAX);
    }
    if (!is_unit(options->decay) || !is_unit(options->threshold)) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size, "decay %g or threshold %g is not in [0, 1]", options->decay,
                       options->threshold);
    }
    if (!is_strength(options->up) || !is_strength(options->down) || !is_strength(options->lateral) ||
        !is_strength(options->episodic) || !is_strength(options->associative_strength)) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size,
                       "the strength of a direction or the associative strength is negative or not finite");
    }
    if (options->placement % DM_CACHE_LINE != 0 || options->placement >= 4096) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size, "placement %zu is not a multiple of 64 below 4096",
                       options->placement);
    }
    return DM_OK;
}

static void *allocate(dm_spreader *spreader, size_t count, size_t size) {
    return dm_memory_allocate(&spreader->memory, count * size, DM_CACHE_LINE, spreader->options.placement);
}

static int create_parts(dm_spreader *spreader) {
    const size_t nodes = spreader->nodes;
    spreader->records = allocate(spreader, nodes, sizeof(*spreader->records));
    spreader->frontier = allocate(spreader, nodes + 1, sizeof(*spreader->frontier));
    spreader->pulses = allocate(spreader, nodes + 1, sizeof(*spreader->pulses));
    spreader->spans = allocate(spreader, DM_BATCH_SOURCES, sizeof(*spreader->spans));
    spreader->edges = allocate(spreader, nodes + DM_BATCH_EDGES, sizeof(*spreader->edges));
    spreader->result = allocate(spreader, nodes, sizeof(*spreader->result));
    return spreader->records != NULL && spreader->frontier != NULL && spreader->pulses != NULL &&
           spreader->spans != NULL && spreader->edges != NULL && spreader->result != NULL &&
           dm_node_set_create(&spreader->next, spreader->nodes, &spreader->memory, spreader->options.placement) &&
           dm_node_set_create(&spreader->reached, spreader->nodes, &spreader->memory, spreader->options.placement);
}

int32_t dm_spreader_create(dm_store *store, const dm_spread_options *options, dm_spreader **result, char *error,
                           size_t error_size) {
    *result = NULL;
    const dm_spread_options chosen = options == NULL ? dm_spread_defaults() : *options;
    int32_t status = check_options(&chosen, error, error_size);
    if (status != DM_OK) {
        return status;
    }
    if (store->single_type) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size,
                       "a single-type store has no edges to spread along; use a dual one");
    }
    dm_memory account = {0};
    dm_spreader *made = dm_memory_allocate(&account, sizeof(*made), DM_CACHE_LINE, 0);
    if (made != NULL) {
        atomic_store_explicit(&made->memory.bytes, dm_memory_bytes(&account), memory_order_relaxed);
        made->store = store;
        made->options = chosen;
        made->episodes = store->episodes.capacity;
        made->nodes = store->episodes.capacity + store->concepts.capacity;
        made->damping[0] = 1.0;
        for (uint32_t hop = 1; hop <= DM_HOPS_MAX; hop++) {
            made->damping[hop] = made->damping[hop - 1] * chosen.decay;
        }
    }
    if (made == NULL || !create_parts(made)) {
        dm_spreader_destroy(made);
        return dm_fail(DM_ERROR_MEMORY, error, error_size, "no memory to spread over %u nodes",
                       store->episodes.capacity + store->concepts.capacity);
    }
    *result = made;
    return DM_OK;
}

void dm_spreader_destroy(dm_spreader *spreader) {
    if (spreader == NULL) {
        return;
    }
    dm_memory *memory = &spreader->memory;
    dm_node_set_destroy(&spreader->reached, memory);
    dm_node_set_destroy(&spreader->next, memory);
    dm_memory_free(memory, spreader->result);
    dm_memory_free(memory, spreader->edges);
    dm_memory_free(memory, spreader->spans);
    dm_memory_free(memory, spreader->pulses);
    dm_memory_free(memory, spreader->frontier);
    dm_memory_free(memory, spreader->records);
    dm_memory account = {0}; /* the spreader's own bytes: what is left of its account */
    atomic_store_explicit(&account.bytes, dm_memory_bytes(memory), memory_order_relaxed);
    dm_memory_free(&account, spreader);
}

uint64_t dm_spreader_memory(const dm_spreader *spreader) {
    return dm_memory_bytes(&spreader->memory);
}
