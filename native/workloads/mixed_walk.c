/* mixed_walk.c: what the store of the workload `mixed` holds, counted by walking it: every row in use whose node
 * answers to its id, every binding that both its ends know, every row of the index that is a node's present one. No
 * other call runs meanwhile. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "index/lookup_parts.h"
#include "kernels/stored_case.h"
#include "store/store.h"
#include "workloads/mixed.h"

#include "store/poison.h"

enum { PAIRS = 1000, TRIES = 16 * PAIRS };

int32_t dm_mixed_all_edges(dm_state *state, uint32_t slot, dm_mixed_edges *room, uint32_t *count) {
    *count = state->graph->edges(state->store, slot, room->edges, room->capacity);
    while (*count > room->capacity) { /* another thread may bind meanwhile */
        const uint32_t capacity = *count + *count / 2;
        dm_edge *edges = dm_memory_allocate(&state->memory, capacity * sizeof(dm_edge), DM_CACHE_LINE, 0);
        if (edges == NULL) {
            return DM_ERROR_MEMORY;
        }
        dm_memory_free(&state->memory, room->edges);
        *room = (dm_mixed_edges){edges, capacity};
        *count = state->graph->edges(state->store, slot, room->edges, room->capacity);
    }
    return DM_OK;
}

/* --- nodes -------------------------------------------------------------------------------------------------------- */

/* Something to do with each node. An error ends the walk. */
typedef int32_t visitor(dm_state *state, uint32_t slot, uint64_t kind, void *context); /* kind: DM_MIXED_ID_... */

static int32_t walk_rows(dm_state *state, dm_rows rows, visitor *visit, void *context) {
    int32_t status = DM_OK;
    for (uint32_t row = 0; status == DM_OK && row < rows.count; row++) {
        const uint32_t slot = rows.slots[row];
        dm_id id;
        if (slot == DM_SLOT_NONE || dm_store_id(state->store, slot, &id, NULL, 0) != DM_OK ||
            dm_store_find(state->store, id) != slot) {
            continue;
        }
        status = visit(state, slot, id.high, context);
    }
    return status;
}

static int32_t walk(dm_state *state, visitor *visit, void *context) {
    int32_t status = walk_rows(state, dm_store_episode_rows(state->store), visit, context);
    return status == DM_OK ? walk_rows(state, dm_store_concept_rows(state->store), visit, context) : status;
}

typedef struct census {
    uint64_t episodes;
    uint64_t concepts;
    uint64_t formed; /* concepts, too */
    uint64_t bindings;
    uint32_t *concept_slots; /* in the order of the walk */
    uint32_t concept_room;
    dm_mixed_edges edges;
} census;

static int32_t count_node(dm_state *state, uint32_t slot, uint64_t kind, void *context) {
    census *counted = context;
    if (kind == DM_MIXED_ID_EPISODE) {
        counted->episodes++;
        return DM_OK;
    }
    if (counted->concepts < counted->concept_room) {
        counted->concept_slots[counted->concepts] = slot;
    }
    counted->concepts++;
    counted->formed += kind == DM_MIXED_ID_FORMED;
    uint32_t count = 0;
    int32_t status = dm_mixed_all_edges(state, slot, &counted->edges, &count);
    for (uint32_t i = 0; status == DM_OK && i < count; i++) {
        const dm_edge *edge = &counted->edges.edges[i];
        counted->bindings +=
            dm_store_is_live(state->store, edge->slot) && state->graph->is_mutual(state->store, slot, edge);
    }
    return status;
}

/* Rows that the index searches, each the present row of a node. */
static uint64_t count_index(dm_state *state) {
    uint64_t found = 0;
    for (size_t s = 0; s < DM_LOOKUP_SIDES; s++) {
        const dm_lookup_side *side = &state->lookup->sides[s];
        if (side->table == NULL || side->edition == NULL || side->edition->index == NULL) {
            continue;
        }
        const dm_rows rows = dm_lookup_rows(side, side->edition->slots);
        for (uint32_t row = 0; row < rows.count; row++) {
            if (rows.slots[row] != DM_SLOT_NONE) {
                const dm_embedding embedding = dm_store_acquire_embedding(state->centroids, rows.slots[row]);
                found += embedding.values != NULL && embedding.row == row;
                if (embedding.values != NULL) {
                    dm_store_release_embedding(state->centroids, embedding);
                }
            }
        }
    }
    return found;
}

/* --- similarity --------------------------------------------------------------------------------------------------- */

static double cosine(dm_store *store, uint32_t one, uint32_t other, size_t dim) {
    const dm_embedding a = dm_store_acquire_embedding(store, one);
    const dm_embedding b = dm_store_acquire_embedding(store, other);
    double dot = 0.0;
    for (size_t k = 0; k < dim; k++) {
        dot += (double)a.values[k] * (double)b.values[k];
    }
    dot *= (double)a.inverse_norm * (double)b.inverse_norm;
    dm_store_release_embedding(store, a);
    dm_store_release_embedding(store, b);
    return dot;
}

static int by_slot(const void *one, const void *other) {
    const uint32_t a = ((const dm_edge *)one)->slot;
    const uint32_t b = ((const dm_edge *)other)->slot;
    return (a > b) - (a < b);
}

/* The concept's members in order of their slots: the store promises none. */
static int32_t members_of(dm_state *state, uint32_t slot, dm_mixed_edges *room, uint32_t *count) {
    int32_t status = dm_mixed_all_edges(state, slot, room, count);
    if (status == DM_OK && *count > 1) {
        qsort(room->edges, *count, sizeof(dm_edge), by_slot);
    }
    return status;
}

static int has(const dm_mixed_edges *room, uint32_t count, uint32_t slot) {
    uint32_t i = 0;
    while (i < count && room->edges[i].slot != slot) {
        i++;
    }
    return i < count;
}

/* Mean cosine over PAIRS pairs, the same ones in every walk of the same store: members of one concept, or of two
 * that have neither member in common. NAN where there are no such pairs. */
static int32_t similarity(dm_state *state, census *counted, int within, double *mean) {
    uint64_t random = 1;
    uint32_t pairs = 0;
    double sum = 0.0;
    dm_mixed_edges others = {0};
    int32_t status = DM_OK;
    for (uint32_t tries = 0; status == DM_OK && counted->concepts > 0 && pairs < PAIRS && tries < TRIES; tries++) {
        const uint32_t one = counted->concept_slots[dm_stored_case_random(&random) % counted->concepts];
        const uint32_t other =
            within ? one : counted->concept_slots[dm_stored_case_random(&random) % counted->concepts];
        uint32_t count = 0;
        uint32_t other_count = 0;
        status = members_of(state, one, &counted->edges, &count);
        if (status == DM_OK) {
            status = members_of(state, other, &others, &other_count);
        }
        if (status != DM_OK || count == 0 || other_count == 0) {
            continue;
        }
        const uint32_t a = counted->edges.edges[dm_stored_case_random(&random) % count].slot;
        const uint32_t b = others.edges[dm_stored_case_random(&random) % other_count].slot;
        if (within ? a != b : one != other && !has(&others, other_count, a) && !has(&counted->edges, count, b)) {
            sum += cosine(state->store, a, b, state->data.columns);
            pairs++;
        }
    }
    dm_memory_free(&state->memory, others.edges);
    *mean = pairs > 0 ? sum / pairs : NAN;
    return status;
}

/* --- metrics ------------------------------------------------------------------------------------------------------ */

static double memory_of(const dm_state *state) {
    uint64_t bytes =
        dm_store_memory(state->store).total + dm_lookup_memory(state->lookup) + dm_former_memory(state->former);
    if (state->centroids != state->store) {
        bytes += dm_store_memory(state->centroids).total;
    }
    for (uint32_t t = 0; t < state->threads; t++) {
        bytes += dm_spreader_memory(state->workers[t].spreader);
    }
    return (double)bytes;
}

static double work_of(const dm_state *state, size_t work) {
    uint64_t sum = 0;
    for (uint32_t t = 0; t < state->threads; t++) {
        sum += state->workers[t].work[work];
    }
    return (double)sum;
}

static double hit_rate_of(dm_state *state) {
    const dm_statistics statistics = dm_store_statistics(state->store);
    const uint64_t answers =
        statistics.fan_hits + statistics.fan_misses + statistics.centroid_hits + statistics.centroid_misses;
    return answers > 0 ? statistics.hit_rate : NAN;
}

int32_t dm_mixed_read_metrics(dm_state *state, double *values, size_t count) {
    double all[DM_MIXED_METRICS];
    census counted = {.concept_room = state->concepts + DM_MIXED_FORMED};
    counted.concept_slots =
        dm_memory_allocate(&state->memory, counted.concept_room * sizeof(uint32_t), DM_CACHE_LINE, 0);
    int32_t status = counted.concept_slots == NULL ? DM_ERROR_MEMORY : walk(state, count_node, &counted);
    if (status == DM_OK) {
        status = similarity(state, &counted, 1, &all[DM_MIXED_METRIC_WITHIN]);
    }
    if (status == DM_OK) {
        status = similarity(state, &counted, 0, &all[DM_MIXED_METRIC_BETWEEN]);
    }
    dm_memory_free(&state->memory, counted.edges.edges);
    dm_memory_free(&state->memory, counted.concept_slots);
    if (status != DM_OK) {
        return status;
    }
    all[DM_MIXED_METRIC_POPULATION] = (double)(counted.episodes + counted.concepts);
    all[DM_MIXED_METRIC_EPISODES] = (double)counted.episodes;
    all[DM_MIXED_METRIC_CONCEPTS] = (double)counted.concepts;
    all[DM_MIXED_METRIC_FORMED] = (double)counted.formed;
    all[DM_MIXED_METRIC_BINDINGS] = (double)counted.bindings;
    all[DM_MIXED_METRIC_INDEX_ROWS] = (double)count_index(state);
    all[DM_MIXED_METRIC_MEMORY] = memory_of(state);
    for (size_t work = 0; work < DM_MIXED_WORKS; work++) {
        all[DM_MIXED_METRIC_WORK + work] = work_of(state, work);
    }
    all[DM_MIXED_METRIC_HIT_RATE] = hit_rate_of(state);
    memcpy(values, all, (count < DM_MIXED_METRICS ? count : DM_MIXED_METRICS) * sizeof(double));
    return DM_OK;
}

/* --- fans --------------------------------------------------------------------------------------------------------- */

typedef struct fans {
    uint64_t *counts;
    size_t count;
    size_t needed;
    dm_mixed_edges edges;
} fans;

static int32_t count_fan(dm_state *state, uint32_t slot, uint64_t kind, void *context) {
    fans *counted = context;
    uint32_t fan = 0;
    (void)kind;
    int32_t status = dm_mixed_all_edges(state, slot, &counted->edges, &fan);
    if (status == DM_OK && counted->count > 0) {
        counted->counts[fan < counted->count ? fan : counted->count - 1]++;
    }
    counted->needed = fan >= counted->needed ? (size_t)fan + 1 : counted->needed;
    return status;
}

int32_t dm_mixed_read_fans(dm_state *state, uint64_t *counts, size_t count, size_t *needed) {
    fans counted = {.counts = counts, .count = count};
    for (size_t i = 0; i < count; i++) {
        counts[i] = 0;
    }
    int32_t status = walk(state, count_fan, &counted);
    dm_memory_free(&state->memory, counted.edges.edges);
    *needed = counted.needed;
    return status;
}
