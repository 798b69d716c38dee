/* graph_remove.c: a node leaves. It is marked, its tree is mended, its neighbours choose anew among what is left of
 * their links and the links that it had; when nothing leads to it any more it is retired, and it is free, without
 * links, when no search can know it. */
#include <stdio.h>
#include <string.h>

#include "index/graph_parts.h"
#include "store/poison.h"

static int has_link(const dm_graph *graph, uint32_t from, uint32_t to, uint32_t level) {
    uint32_t rows[DM_GRAPH_M0];
    const uint32_t count = dm_graph_list(graph, from, level, rows);
    for (uint32_t i = 0; i < count; i++) {
        if (rows[i] == to) {
            return 1;
        }
    }
    return 0;
}

/* --- neighbours --------------------------------------------------------------------------------------------------- */

/* Adds to `rows` the living ones of a list, without `row` and those that are there. */
static uint32_t add_living(const dm_graph *graph, uint32_t of, uint32_t level, uint32_t row, uint32_t *rows,
                           uint32_t count) {
    uint32_t links[DM_GRAPH_M0];
    const uint32_t link_count = dm_graph_list(graph, of, level, links);
    for (uint32_t i = 0; i < link_count; i++) {
        int wanted = links[i] != row && dm_graph_mark(graph, links[i]) == DM_MARK_LIVE;
        for (uint32_t j = 0; j < count && wanted; j++) {
            wanted = rows[j] != links[i];
        }
        if (wanted) {
            rows[count++] = links[i];
        }
    }
    return count;
}

/* The node's list without dead rows, and with those of the list of one of the dead, `removed`, that the heuristic
 * would choose beside them. What was chosen before stays: to choose all anew loses a link for each that goes
 * (docs/explanation/lookup.md). */
static void repair(const dm_graph *graph, dm_graph_scratch *scratch, uint32_t row, uint32_t level, uint32_t removed) {
    uint32_t rows[2 * DM_GRAPH_M0];
    uint32_t chosen[DM_GRAPH_M0];
    const uint32_t kept = add_living(graph, row, level, row, rows, 0);
    uint32_t count = kept;
    if (dm_graph_mark(graph, row) == DM_MARK_LIVE) {
        count = add_living(graph, removed, level, row, rows, count);
    }
    dm_graph_rank(graph, scratch, row, level, rows, count);
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t j = 0; j < kept; j++) {
            scratch->bound[i] |= scratch->rows[i] == rows[j];
        }
    }
    count = dm_graph_choose(graph, scratch, count, dm_graph_width(level), chosen);
    dm_graph_set_links(graph, row, level, chosen, count);
    for (uint32_t i = 0; i < count; i++) { /* both ways, as at an insertion */
        int is_new = 1;
        for (uint32_t j = 0; j < kept; j++) {
            is_new &= chosen[i] != rows[j];
        }
        if (is_new) {
            dm_graph_add_link(graph, scratch, chosen[i], row, level);
        }
    }
}

/* Those that the node leads to and that lead to it. */
static void unlink_mutual(const dm_graph *graph, dm_graph_scratch *scratch, uint32_t removed, uint32_t level) {
    uint32_t rows[DM_GRAPH_M0];
    const uint32_t count = dm_graph_list(graph, removed, level, rows);
    for (uint32_t i = 0; i < count; i++) {
        if (has_link(graph, rows[i], removed, level)) {
            repair(graph, scratch, rows[i], level, removed);
        }
    }
}

/* Those that lead to it and that a walk around it meets. */
static void unlink_around(const dm_graph *graph, dm_graph_scratch *scratch, uint32_t removed, uint32_t level) {
    const uint64_t entry = atomic_load_explicit(&graph->entry, memory_order_relaxed);
    if (entry == DM_ENTRY_NONE || (uint32_t)(entry >> 32) < level) {
        return;
    }
    dm_weights weights = dm_graph_weights(graph, scratch, removed);
    uint32_t begin = dm_graph_descend(graph, scratch, &weights, entry, level);
    dm_graph_walk(graph, scratch, &weights, begin, level, graph->ef_construction);
    for (uint32_t i = 0; i < scratch->size; i++) {
        uint32_t row = dm_candidate_row(scratch->pool[i]);
        if (has_link(graph, row, removed, level)) {
            repair(graph, scratch, row, level, removed);
        }
    }
}

/* --- the tree ----------------------------------------------------------------------------------------------------- */

/* The children of a removed node, one after the other: the first is taken by the node's parent (or becomes the root),
 * each of the others by the one before. So no node gains more than one child. Until its last child is taken the node
 * stays in the tree, without a parent as a child of the new root: a search finds its way whenever it looks. */
static void mend_tree(const dm_graph *graph, dm_graph_scratch *scratch, uint32_t removed) {
    uint32_t rows[DM_GRAPH_M0];
    uint32_t parent = dm_graph_parent(graph, removed);
    const uint32_t count = dm_graph_list(graph, removed, 0, rows);
    for (uint32_t i = 0; i < count; i++) {
        if (dm_graph_parent(graph, rows[i]) != removed) {
            continue;
        }
        if (parent != DM_LINK_NONE) {
            dm_graph_adopt(graph, scratch, parent, rows[i]);
        } else {
            atomic_store_explicit(&graph->parents[removed], rows[i], memory_order_relaxed);
            atomic_store_explicit(&graph->parents[rows[i]], DM_LINK_NONE, memory_order_relaxed);
        }
        parent = rows[i];
    }
    atomic_store_explicit(&graph->parents[removed], DM_LINK_NONE, memory_order_relaxed);
}

/* The living row that reaches highest; of several the first. */
static uint64_t find_entry(const dm_graph *graph) {
    uint64_t entry = DM_ENTRY_NONE;
    for (uint32_t row = 0; row < graph->capacity; row++) {
        if (dm_graph_mark(graph, row) == DM_MARK_LIVE &&
            (entry == DM_ENTRY_NONE || graph->levels[row] > (uint32_t)(entry >> 32))) {
            entry = (uint64_t)graph->levels[row] << 32 | row;
        }
    }
    return entry;
}

/* --- retirement --------------------------------------------------------------------------------------------------- */

/* Its links stay until it is free: a search that began at it, or stands on it, goes on from there. What they lead to
 * becomes free later than the row or with it, so they are not counted any more. */
static void retire(dm_graph *graph, uint32_t row) {
    uint32_t rows[DM_GRAPH_M0];
    for (uint32_t level = 0; level <= graph->levels[row]; level++) {
        dm_graph_count_incoming(graph, rows, dm_graph_list(graph, row, level, rows), UINT32_MAX); /* minus one */
    }
    graph->next[row] = graph->retired;
    graph->retired = row;
}

static void repair_list(const dm_graph *graph, dm_graph_scratch *scratch, uint32_t row, uint32_t level) {
    uint32_t rows[DM_GRAPH_M0];
    const uint32_t count = dm_graph_list(graph, row, level, rows);
    for (uint32_t i = 0; i < count; i++) {
        if (dm_graph_mark(graph, rows[i]) == DM_MARK_DEAD) {
            repair(graph, scratch, row, level, rows[i]); /* drops all that are dead */
            return;
        }
    }
}

void dm_graph_sweep(dm_graph *graph, dm_graph_scratch *scratch) {
    for (uint32_t row = 0; row < graph->capacity; row++) {
        for (uint32_t level = 0; dm_graph_mark(graph, row) == DM_MARK_LIVE && level <= graph->levels[row]; level++) {
            repair_list(graph, scratch, row, level);
        }
    }
    for (uint32_t i = 0; i < graph->dead_count; i++) {
        retire(graph, graph->dead[i]);
    }
    graph->dead_count = 0;
}

/* The earliest epoch in which a search began that is still under way; UINT64_MAX: there is none. */
static uint64_t earliest_passage(dm_graph *graph) {
    uint64_t earliest = UINT64_MAX;
    (void)pthread_mutex_lock(&graph->list);
    for (dm_graph_scratch *scratch = graph->scratches; scratch != NULL; scratch = scratch->next) {
        uint64_t passage = atomic_fetch_add_explicit(&scratch->passage, 0, memory_order_acq_rel); /* see `enter` */
        earliest = passage != 0 && passage < earliest ? passage : earliest;
    }
    (void)pthread_mutex_unlock(&graph->list);
    return earliest;
}

/* Two lists, because one epoch serves many rows: those that wait, all for the same moment, and those retired since. */
static void reclaim_waiting(dm_graph *graph) {
    if (graph->waiting != DM_LINK_NONE && earliest_passage(graph) > graph->waiting_since) {
        for (uint32_t row = graph->waiting; row != DM_LINK_NONE; row = graph->next[row]) {
            for (uint32_t level = 0; level <= graph->levels[row]; level++) {
                dm_graph_clear_list(dm_graph_links(graph, row, level), level);
            }
            atomic_store_explicit(&graph->marks[row], DM_MARK_FREE, memory_order_release);
        }
        graph->waiting = DM_LINK_NONE;
    }
    if (graph->waiting == DM_LINK_NONE && graph->retired != DM_LINK_NONE) {
        graph->waiting = graph->retired;
        graph->retired = DM_LINK_NONE;
        graph->waiting_since = atomic_fetch_add_explicit(&graph->epoch, 1, memory_order_acq_rel);
    }
}

void dm_graph_reclaim(dm_graph *graph) {
    reclaim_waiting(graph);
    reclaim_waiting(graph); /* what began to wait just now may be free at once */
}

/* --- the calls ---------------------------------------------------------------------------------------------------- */

static void take_out(dm_graph *graph, dm_graph_scratch *scratch, uint32_t row) {
    (void)atomic_fetch_sub_explicit(&graph->live, 1, memory_order_relaxed); /* first: no search finds less than this */
    atomic_store_explicit(&graph->marks[row], DM_MARK_DEAD, memory_order_release);
    if ((uint32_t)atomic_load_explicit(&graph->entry, memory_order_relaxed) == row) {
        atomic_store_explicit(&graph->entry, find_entry(graph), memory_order_release);
    }
    mend_tree(graph, scratch, row);
    for (uint32_t level = 0; level <= graph->levels[row]; level++) {
        unlink_mutual(graph, scratch, row, level);
    }
    const _Atomic uint32_t *incoming = &graph->incoming[row];
    for (uint32_t level = 0; level <= graph->levels[row]; level++) {
        if (atomic_load_explicit(incoming, memory_order_relaxed) > 0) {
            unlink_around(graph, scratch, row, level);
        }
    }
    if (atomic_load_explicit(incoming, memory_order_relaxed) == 0) {
        retire(graph, row);
        return;
    }
    graph->dead[graph->dead_count++] = row;
    if (graph->dead_count == DM_GRAPH_DEAD) {
        dm_graph_sweep(graph, scratch);
    }
}

int32_t dm_graph_remove(dm_graph *graph, dm_graph_scratch *scratch, uint32_t row, char *error, size_t error_size) {
    (void)pthread_mutex_lock(&graph->change);
    const int is_live = row < graph->capacity && dm_graph_mark(graph, row) == DM_MARK_LIVE;
    if (is_live) {
        take_out(graph, scratch, row);
        dm_graph_reclaim(graph);
    }
    (void)pthread_mutex_unlock(&graph->change);
    if (!is_live) {
        snprintf(error, error_size, "row %u is not in the graph; remove a row once", row);
        return DM_ERROR_ARGUMENT;
    }
    return DM_OK;
}

static int is_dead_with_links(const dm_graph *graph, uint32_t row) {
    for (uint32_t i = 0; i < graph->dead_count; i++) {
        if (graph->dead[i] == row) {
            return 1;
        }
    }
    return 0;
}

int dm_graph_is_free(dm_graph *graph, dm_graph_scratch *scratch, uint32_t row) {
    if (row >= graph->capacity) {
        return 0;
    }
    (void)pthread_mutex_lock(&graph->change);
    if (is_dead_with_links(graph, row)) {
        dm_graph_sweep(graph, scratch);
    }
    dm_graph_reclaim(graph);
    const int is_free = dm_graph_mark(graph, row) == DM_MARK_FREE;
    (void)pthread_mutex_unlock(&graph->change);
    return is_free;
}
