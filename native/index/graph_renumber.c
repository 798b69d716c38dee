/* graph_renumber.c: the same graph for rows of other numbers, as a store has them after it was saved and loaded. Every
 * node keeps its code, links and level; a level was drawn by the number that its row had first, so it goes along. */
#include <stdio.h>
#include <string.h>

#include "index/graph_parts.h"
#include "store/poison.h"

/* Completes to[row] to a permutation: numbers that no living row has go to the others in order, levels and all, so as
 * many lines of links are needed as before. `taken` is 0s. 0: the map is none. */
static int complete(const dm_graph *graph, uint32_t *to, uint8_t *taken) {
    for (uint32_t row = 0; row < graph->capacity; row++) {
        const int is_live = dm_graph_mark(graph, row) == DM_MARK_LIVE;
        const int has_node = row < graph->rows.count && graph->rows.slots[row] != DM_SLOT_NONE;
        if (is_live != has_node || (is_live && (to[row] >= graph->capacity || taken[to[row]]))) {
            return 0;
        }
        if (is_live) {
            taken[to[row]] = 1;
        }
    }
    uint32_t next = 0;
    for (uint32_t row = 0; row < graph->capacity; row++) {
        if (dm_graph_mark(graph, row) != DM_MARK_LIVE) {
            while (taken[next]) {
                next++;
            }
            to[row] = next++;
        }
    }
    return 1;
}

static void take_links(const dm_graph *from, dm_graph *made, uint32_t row, uint32_t level, const uint32_t *to) {
    uint32_t rows[DM_GRAPH_M0];
    const uint32_t count = dm_graph_list(from, row, level, rows);
    for (uint32_t i = 0; i < count; i++) {
        rows[i] = to[rows[i]];
    }
    dm_graph_set_links(made, to[row], level, rows, count);
}

static void take_node(const dm_graph *from, dm_graph *made, uint32_t row, const uint32_t *to) {
    const uint32_t now = to[row];
    const uint32_t parent = dm_graph_parent(from, row);
    memcpy(made->nodes + now * made->gathered.step, from->nodes + row * from->gathered.step, from->gathered.stride);
    made->scales[now] = from->scales[row];
    if (made->norms != NULL) {
        made->norms[now] = from->norms[row];
    }
    atomic_store_explicit(&made->parents[now], parent == DM_LINK_NONE ? parent : to[parent], memory_order_relaxed);
    atomic_store_explicit(&made->marks[now], dm_graph_mark(from, row), memory_order_relaxed);
    for (uint32_t level = 0; level <= from->levels[row]; level++) {
        take_links(from, made, row, level, to);
    }
}

/* An empty graph whose row to[row] reaches the level that the row has now. */
static int32_t create(const dm_graph *graph, const dm_graph_variant *variant, const dm_rows *rows, const uint32_t *to,
                      uint8_t *levels, dm_memory *account, dm_graph **made, char *error, size_t error_size) {
    const dm_graph_options options = {.capacity = graph->capacity,
                                      .ef_construction = graph->ef_construction,
                                      .seed = graph->seed,
                                      .similarity = graph->by};
    for (uint32_t row = 0; row < graph->capacity; row++) {
        levels[to[row]] = graph->levels[row];
    }
    return dm_graph_create_at(variant, rows, &options, levels, account, made, error, error_size);
}

int32_t dm_graph_renumber(dm_graph **graph, const dm_graph_variant *variant, const dm_rows *rows, const uint32_t *map,
                          dm_memory *account, char *error, size_t error_size) {
    dm_graph *from = *graph;
    dm_graph *made = NULL;
    uint32_t *to = dm_memory_allocate(account, from->capacity * sizeof(uint32_t), DM_CACHE_LINE, 0);
    uint8_t *bytes = dm_memory_allocate(account, from->capacity, DM_CACHE_LINE, 0);
    int32_t status = DM_OK;
    if (to == NULL || bytes == NULL) {
        snprintf(error, error_size, "no memory to renumber a graph of %u rows", from->capacity);
        status = DM_ERROR_MEMORY;
    } else {
        const uint32_t count = from->rows.count < from->capacity ? from->rows.count : from->capacity;
        memcpy(to, map, count * sizeof(uint32_t));
        if (!complete(from, to, bytes)) {
            snprintf(error, error_size, "the rows of the graph are not those that get other numbers; make it anew");
            status = DM_ERROR_CORRUPT;
        }
    }
    if (status == DM_OK) {
        status = create(from, variant, rows, to, bytes, account, &made, error, error_size);
    }
    if (status == DM_OK) {
        for (uint32_t row = 0; row < from->capacity; row++) {
            take_node(from, made, row, to);
        }
        const uint64_t entry = atomic_load_explicit(&from->entry, memory_order_relaxed);
        const uint64_t moved = entry == DM_ENTRY_NONE ? entry : (entry >> 32 << 32 | to[(uint32_t)entry]);
        atomic_store_explicit(&made->entry, moved, memory_order_relaxed);
        atomic_store_explicit(&made->live, dm_graph_size(from), memory_order_relaxed);
        dm_graph_destroy(from, account);
        *graph = made;
    }
    dm_memory_free(account, to);
    dm_memory_free(account, bytes);
    return status;
}
