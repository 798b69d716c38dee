/* placement.c: which array of a store is of which kind (numa.h), and asking the system to put it there. */
#include <stdio.h>
#include <string.h>

#include "store/store.h"

#include "store/poison.h"

typedef struct placing {
    const dm_numa_plan *plan;
    uint64_t placed; /* bytes */
    int failure;     /* the first errno */
} placing;

static void place(placing *state, dm_array_kind kind, const void *array, size_t offset, size_t size) {
    void *first = NULL;
    size_t pages = dm_memory_pages(array, offset, size, &first);
    if (pages == 0 || state->plan->nodes[kind] == 0 || state->failure != 0) {
        return;
    }
    state->failure = dm_numa_bind(first, pages, state->plan->nodes[kind]);
    state->placed += state->failure == 0 ? pages : 0;
}

static void place_rows(placing *state, dm_array_kind kind, const dm_rows_table *table) {
    size_t rows = table->row_capacity;
    size_t word = sizeof(uint32_t);
    place(state, kind, table->values, 0, rows * table->stride * sizeof(float));
    place(state, kind, table->inverse_norms, 0, rows * sizeof(float));
    place(state, kind, (const void *)table->slots, 0, rows * word);
    place(state, kind, (const void *)table->references, 0, rows * word);
    place(state, kind, (const void *)table->rows, 0, table->capacity * word);
    place(state, kind, table->next_row, 0, rows * word);
    place(state, kind, table->ids, 0, table->capacity * sizeof(dm_id));
    place(state, kind, table->next_index, 0, table->capacity * word);
}

/* An array over the slots of both types. */
static void place_by_slot(placing *state, const dm_store *store, const void *array, size_t record_size) {
    place(state, DM_ARRAY_EPISODE_RECORDS, array, 0, store->episodes.capacity * record_size);
    if (!store->single_type) {
        place(state, DM_ARRAY_CONCEPT_RECORDS, array, DM_CONCEPT_BASE * record_size, store->concepts.capacity * record_size);
    }
}

static void place_bindings(placing *state, const dm_bindings *bindings, uint32_t concept_capacity) {
    /* Reservations: what is committed later follows. */
    size_t word = sizeof(uint32_t);
    size_t places = bindings->places_pool.limit * word;
    size_t handles = bindings->handles_pool.limit * word;
    place(state, DM_ARRAY_CONCEPT_BINDINGS, (const void *)bindings->strengths, 0, places * DM_BLOCK_ENTRIES);
    place(state, DM_ARRAY_CONCEPT_BINDINGS, (const void *)bindings->partners, 0, places * DM_BLOCK_ENTRIES);
    place(state, DM_ARRAY_CONCEPT_BINDINGS, (const void *)bindings->next, 0, places);
    place(state, DM_ARRAY_CONCEPT_BINDINGS, (const void *)bindings->owner, 0, places);
    place(state, DM_ARRAY_CONCEPT_BINDINGS, bindings->free_place, 0, concept_capacity * word);
    place(state, DM_ARRAY_EPISODE_BINDINGS, (const void *)bindings->handles, 0, handles * DM_BLOCK_ENTRIES);
    place(state, DM_ARRAY_EPISODE_BINDINGS, (const void *)bindings->handles_next, 0, handles);
}

void dm_store_place(dm_store *store, const dm_numa_plan *plan) {
    placing state = {.plan = plan};
    dm_placement *report = &store->placement;
    *report = plan->report;
    place_rows(&state, DM_ARRAY_CONCEPT_ROWS, &store->concepts);
    place_rows(&state, DM_ARRAY_EPISODE_ROWS, &store->episodes);
    place_by_slot(&state, store, store->nodes, sizeof(dm_node));
    place(&state, DM_ARRAY_IDS, store->ids.buckets, 0, store->ids.bucket_count * sizeof(dm_bucket));
    if (!store->single_type) {
        place_by_slot(&state, store, store->links, sizeof(dm_links));
        place(&state, DM_ARRAY_CONCEPT_RECORDS, (const void *)store->formations, 0,
              store->concepts.capacity * sizeof(uint64_t));
        place_bindings(&state, &store->bindings, store->concepts.capacity);
    }
    if (report->got == DM_NUMA_SYSTEM) {
        return; /* nothing was planned, and the report says why */
    }
    if (state.failure != 0) {
        char text[64];
        report->got = DM_NUMA_SYSTEM;
        (void)snprintf(report->reason, sizeof(report->reason), "the system refused after %llu bytes (%s)",
                       (unsigned long long)state.placed, strerror_r(state.failure, text, sizeof(text)));
    } else if (state.placed == 0) {
        report->got = DM_NUMA_SYSTEM;
        (void)snprintf(report->reason, sizeof(report->reason), "not done: no array of this store reaches 2 MiB");
    }
}

dm_placement dm_store_placement(const dm_store *store) {
    return store->placement;
}
