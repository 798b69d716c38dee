/* graph_link.c: lists of links: which to keep, and the tree that is always kept. */
#include <string.h>

#include "index/graph_parts.h"
#include "store/links.h"
#include "store/poison.h"

void dm_graph_lock(const dm_graph *graph, uint32_t row) {
    unsigned spins = 0;
    while (atomic_exchange_explicit(&graph->locks[row], 1, memory_order_acquire) != 0) {
        dm_relax(&spins);
    }
}

void dm_graph_unlock(const dm_graph *graph, uint32_t row) {
    atomic_store_explicit(&graph->locks[row], 0, memory_order_release);
}

uint32_t dm_graph_list(const dm_graph *graph, uint32_t row, uint32_t level, uint32_t *rows) {
    const dm_link *links = dm_graph_links(graph, row, level);
    const uint32_t width = dm_graph_width(level);
    uint32_t count = 0;
    for (uint32_t i = 0; i < width && (rows[count] = dm_link_load(&links[i])) != DM_LINK_NONE; i++) {
        count += rows[count] != row; /* else a hole */
    }
    return count;
}

void dm_graph_count_incoming(const dm_graph *graph, const uint32_t *rows, uint32_t count, uint32_t change) {
    for (uint32_t i = 0; i < count; i++) {
        (void)atomic_fetch_add_explicit(&graph->incoming[rows[i]], change, memory_order_relaxed);
    }
}

static void store_link(dm_link *link, uint32_t to) {
    atomic_store_explicit(link, to, memory_order_release);
}

static int has(const uint32_t *rows, uint32_t count, uint32_t row) {
    int found = 0;
    for (uint32_t i = 0; i < count; i++) { /* without a branch, so that the compiler makes vectors of it */
        found |= rows[i] == row;
    }
    return found;
}

/* Copies a list with its holes. Returns its length. */
static uint32_t copy_places(const dm_link *links, uint32_t width, uint32_t *places) {
    uint32_t length = 0;
    while (length < width && (places[length] = dm_link_load(&links[length])) != DM_LINK_NONE) {
        length++;
    }
    return length;
}

/* The last links take the places of holes, each there before it is gone from the end, so only a reader between the two
 * places misses it. No reader may miss a link of the tree: where one is last, holes stay. */
static void close_holes(const dm_graph *graph, uint32_t row, uint32_t level, uint32_t *places, uint32_t length) {
    dm_link *links = dm_graph_links(graph, row, level);
    for (uint32_t hole = 0; length > 0;) {
        const uint32_t last = places[length - 1];
        while (hole < length && places[hole] != row) {
            hole++;
        }
        if (hole == length || (last != row && level == 0 && dm_graph_is_bound(graph, row, last))) {
            return;
        }
        places[hole] = last;
        store_link(&links[hole], last);
        store_link(&links[--length], DM_LINK_NONE);
    }
}

/* In place, word by word: a search reads it meanwhile, or the writer loses its processor half-way. A link that stays is
 * there at every moment; what comes takes the place of what goes. */
void dm_graph_set_links(const dm_graph *graph, uint32_t row, uint32_t level, const uint32_t *rows, uint32_t count) {
    dm_link *links = dm_graph_links(graph, row, level);
    uint32_t places[DM_GRAPH_M0];
    uint32_t fresh[DM_GRAPH_M0];
    uint32_t gone[DM_GRAPH_M0];
    uint32_t length = copy_places(links, dm_graph_width(level), places);
    uint32_t fresh_count = 0;
    uint32_t gone_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        fresh[fresh_count] = rows[i];
        fresh_count += !has(places, length, rows[i]);
    }
    dm_graph_count_incoming(graph, fresh, fresh_count, 1);
    uint32_t next = 0;
    for (uint32_t i = 0; i < length || next < fresh_count; i++) {
        if (i < length && has(rows, count, places[i])) {
            continue;
        }
        if (i < length && places[i] != row) {
            gone[gone_count++] = places[i];
        }
        places[i] = next < fresh_count ? fresh[next++] : row;
        store_link(&links[i], places[i]);
        length = i < length ? length : i + 1;
    }
    close_holes(graph, row, level, places, length);
    dm_graph_count_incoming(graph, gone, gone_count, UINT32_MAX); /* minus one */
}

/* One more link, for which there is room. */
static void put_link(const dm_graph *graph, uint32_t row, uint32_t level, uint32_t to) {
    dm_link *link = dm_graph_links(graph, row, level);
    for (uint32_t at = dm_link_load(link); at != DM_LINK_NONE && at != row; at = dm_link_load(link)) {
        link++;
    }
    dm_graph_count_incoming(graph, &to, 1, 1);
    store_link(link, to);
}

int dm_graph_is_bound(const dm_graph *graph, uint32_t a, uint32_t b) {
    return dm_graph_parent(graph, a) == b || dm_graph_parent(graph, b) == a;
}

/* --- choosing ----------------------------------------------------------------------------------------------------- */

/* Marks as dominated those behind place `taken` that are at least as close to the row there as to the node: in
 * direction, even for inner products. Both numbers lack the norm of the row that they are compared from
 * (dm_graph_compare), which leaves angles. With it whoever is chosen first, a long row, would be closer to all others
 * than the node is: lists of 4 to 6 links, and rows that no search finds (docs/explanation/lookup.md). */
static void dominate(const dm_graph *graph, dm_graph_scratch *scratch, uint32_t taken, uint32_t count) {
    uint32_t left = 0;
    for (uint32_t i = taken + 1; i < count; i++) {
        if (!scratch->dominated[i] && !scratch->bound[i]) {
            scratch->left[left] = i;
            scratch->left_rows[left++] = scratch->rows[i];
        }
    }
    if (left == 0) {
        return;
    }
    dm_weights weights = dm_graph_weights(graph, scratch, scratch->rows[taken]);
    dm_graph_compare(graph, scratch, &weights, scratch->left_rows, left, scratch->left_cosines);
    for (uint32_t i = 0; i < left; i++) {
        scratch->dominated[scratch->left[i]] = scratch->left_cosines[i] >= scratch->cosines[scratch->left[i]];
    }
}

uint32_t dm_graph_choose(const dm_graph *graph, dm_graph_scratch *scratch, uint32_t count, uint32_t most,
                         uint32_t *chosen) {
    uint32_t bound = 0;
    uint32_t size = 0;
    for (uint32_t i = 0; i < count; i++) {
        bound += scratch->bound[i];
        scratch->dominated[i] = 0;
    }
    for (uint32_t i = 0; i < count && size < most; i++) {
        if (scratch->bound[i]) {
            bound--;
        } else if (scratch->dominated[i] || size + bound >= most) {
            continue;
        }
        chosen[size++] = scratch->rows[i];
        if (size + bound < most) {
            dominate(graph, scratch, i, count);
        }
    }
    return size;
}

void dm_graph_rank(const dm_graph *graph, dm_graph_scratch *scratch, uint32_t from, uint32_t level,
                   const uint32_t *rows, uint32_t count) {
    dm_weights weights = dm_graph_weights(graph, scratch, from);
    dm_graph_compare(graph, scratch, &weights, rows, count, scratch->left_cosines);
    for (uint32_t i = 0; i < count; i++) { /* sorted by insertion: best first, of equal ones the smaller row */
        const float cosine = scratch->left_cosines[i];
        uint32_t place = i;
        for (; place > 0; place--) {
            const float before = scratch->cosines[place - 1];
            if (before > cosine || (before == cosine && scratch->rows[place - 1] < rows[i])) {
                break;
            }
            scratch->cosines[place] = before;
            scratch->rows[place] = scratch->rows[place - 1];
        }
        scratch->cosines[place] = cosine;
        scratch->rows[place] = rows[i];
    }
    for (uint32_t i = 0; i < count; i++) {
        scratch->bound[i] = level == 0 && dm_graph_is_bound(graph, from, scratch->rows[i]);
    }
}

/* --- adding ------------------------------------------------------------------------------------------------------- */

/* With the lock of `from`. */
static void add_link(const dm_graph *graph, dm_graph_scratch *scratch, uint32_t from, uint32_t to, uint32_t level) {
    uint32_t rows[DM_GRAPH_M0 + 1];
    uint32_t chosen[DM_GRAPH_M0];
    const uint32_t width = dm_graph_width(level);
    uint32_t count = dm_graph_list(graph, from, level, rows);
    for (uint32_t i = 0; i < count; i++) {
        if (rows[i] == to) {
            return;
        }
    }
    rows[count++] = to;
    if (count <= width) {
        put_link(graph, from, level, to);
        return;
    }
    dm_graph_rank(graph, scratch, from, level, rows, count);
    count = dm_graph_choose(graph, scratch, count, width, chosen);
    dm_graph_set_links(graph, from, level, chosen, count);
}

void dm_graph_add_link(const dm_graph *graph, dm_graph_scratch *scratch, uint32_t from, uint32_t to, uint32_t level) {
    dm_graph_lock(graph, from);
    add_link(graph, scratch, from, to, level);
    dm_graph_unlock(graph, from);
}

/* --- the tree ----------------------------------------------------------------------------------------------------- */

/* The number of a node's children, and one of them. With its lock. One that is being removed has room for no other. */
static uint32_t count_children(const dm_graph *graph, uint32_t row, uint32_t *child) {
    uint32_t rows[DM_GRAPH_M0];
    uint32_t children = 0;
    const uint32_t count = dm_graph_list(graph, row, 0, rows);
    for (uint32_t i = 0; i < count; i++) {
        if (dm_graph_parent(graph, rows[i]) == row && dm_graph_mark(graph, rows[i]) == DM_MARK_LIVE) {
            *child = rows[i];
            children++;
        }
    }
    return children;
}

/* Returns DM_LINK_NONE when done, or the child to try next. */
static uint32_t adopt_or_pass(const dm_graph *graph, dm_graph_scratch *scratch, uint32_t parent, uint32_t child) {
    uint32_t other = DM_LINK_NONE;
    dm_graph_lock(graph, parent);
    const int has_room = count_children(graph, parent, &other) < DM_GRAPH_CHILDREN;
    if (has_room) {
        atomic_store_explicit(&graph->parents[child], parent, memory_order_relaxed);
        add_link(graph, scratch, parent, child, 0);
    }
    dm_graph_unlock(graph, parent);
    if (!has_room) {
        return other;
    }
    dm_graph_add_link(graph, scratch, child, parent, 0);
    return DM_LINK_NONE;
}

int dm_graph_try_adopt(const dm_graph *graph, dm_graph_scratch *scratch, uint32_t parent, uint32_t child) {
    return adopt_or_pass(graph, scratch, parent, child) == DM_LINK_NONE;
}

void dm_graph_adopt(const dm_graph *graph, dm_graph_scratch *scratch, uint32_t parent, uint32_t child) {
    while (parent != DM_LINK_NONE) { /* ends at the latest at a leaf */
        parent = adopt_or_pass(graph, scratch, parent, child);
    }
}
