/* graph_insert.c: a row becomes a node. First its own lists are made, at every level; then others are led to it, from
 * level 0 up: whoever meets it can go on from it. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "index/graph_parts.h"
#include "parallel/team.h"
#include "store/poison.h"

/* Writes the row's code; scratch->query.unit is the row afterwards. A row that counts as zero is encoded as zero. */
static void encode(dm_graph *graph, dm_graph_scratch *scratch, uint32_t row) {
    const dm_rows *rows = &graph->rows;
    uint8_t *codes = graph->nodes + row * graph->gathered.step;
    if (rows->inverse_norms[row] > 0.0f) {
        graph->query->prepare(&scratch->query, rows->values + row * rows->stride);
    } else {
        scratch->query.squared_norm = 0.0;
        memset(scratch->query.unit, 0, dm_padded_dim(rows->dim) * sizeof(float));
    }
    dm_code_facts facts = graph->coder->encode((int8_t *)codes, scratch->query.unit, rows->dim, DM_CODE_ROW_LEVELS);
    for (size_t i = 0; i < graph->gathered.stride; i++) {
        codes[i] = (uint8_t)(codes[i] ^ DM_CODE_OFFSET); /* a signed byte plus 128, modulo 256 */
    }
    graph->scales[row] = facts.scale;
    if (graph->norms != NULL) {
        const double norm = sqrt(fmax(scratch->query.squared_norm, (double)FLT_MIN)); /* of a zero: anything above 0 */
        graph->norms[row] = (float)(norm * DM_GRAPH_NORM_UNIT);
        graph->scales[row] *= graph->norms[row];
    }
}

/* Chooses the neighbours of the row at one level from what the walk left in the pool. */
static void choose_list(const dm_graph *graph, dm_graph_scratch *scratch, uint32_t row, uint32_t level) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < scratch->size; i++) {
        if ((scratch->pool[i] & DM_CANDIDATE_DEAD) == 0) {
            scratch->rows[count] = dm_candidate_row(scratch->pool[i]);
            scratch->cosines[count] = dm_candidate_cosine(scratch->pool[i]);
            scratch->bound[count++] = 0;
        }
    }
    scratch->list_sizes[level] = dm_graph_choose(graph, scratch, count, DM_GRAPH_M, scratch->lists[level]);
    dm_graph_set_links(graph, row, level, scratch->lists[level], scratch->list_sizes[level]);
}

/* Leads others to the row, whose own lists are there. */
static void publish(const dm_graph *graph, dm_graph_scratch *scratch, uint32_t row, uint32_t levels) {
    const uint32_t *nearest = scratch->lists[0];
    const uint32_t count = scratch->list_sizes[0];
    uint32_t place = 0;
    while (place < count && !dm_graph_try_adopt(graph, scratch, nearest[place], row)) {
        place++;
    }
    if (place == count) { /* all are full: somewhere below the nearest there is room */
        dm_graph_adopt(graph, scratch, nearest[0], row);
    }
    for (uint32_t level = 0; level < levels; level++) {
        for (uint32_t i = 0; i < scratch->list_sizes[level]; i++) {
            dm_graph_add_link(graph, scratch, scratch->lists[level][i], row, level);
        }
    }
}

/* The row becomes the entry if it reaches higher than the present one. */
static void raise_entry(dm_graph *graph, uint32_t row, uint32_t level) {
    const uint64_t mine = (uint64_t)level << 32 | row;
    uint64_t entry = atomic_load_explicit(&graph->entry, memory_order_relaxed);
    while ((entry == DM_ENTRY_NONE || level > (uint32_t)(entry >> 32)) &&
           !atomic_compare_exchange_weak_explicit(&graph->entry, &entry, mine, memory_order_acq_rel,
                                                  memory_order_relaxed)) {
    }
}

void dm_graph_place(dm_graph *graph, dm_graph_scratch *scratch, uint32_t row) {
    const uint64_t entry = atomic_load_explicit(&graph->entry, memory_order_acquire);
    const uint32_t level = graph->levels[row];
    encode(graph, scratch, row);
    atomic_store_explicit(&graph->marks[row], DM_MARK_LIVE, memory_order_release);
    if (entry != DM_ENTRY_NONE) {
        const uint32_t top = (uint32_t)(entry >> 32);
        const uint32_t levels = (level < top ? level : top) + 1;
        dm_weights weights = dm_graph_encode_query(graph, scratch);
        uint32_t begin = dm_graph_descend(graph, scratch, &weights, entry, level);
        for (uint32_t here = levels; here-- > 0;) {
            dm_graph_walk(graph, scratch, &weights, begin, here, graph->ef_construction);
            begin = dm_candidate_row(scratch->pool[0]);
            choose_list(graph, scratch, row, here);
        }
        publish(graph, scratch, row, levels);
    }
    raise_entry(graph, row, level);
    (void)atomic_fetch_add_explicit(&graph->live, 1, memory_order_release);
}

int32_t dm_graph_insert(dm_graph *graph, dm_graph_scratch *scratch, uint32_t row, char *error, size_t error_size) {
    if (row >= graph->capacity) {
        snprintf(error, error_size, "row %u is beyond the capacity of the graph, %u; make a larger graph", row,
                 graph->capacity);
        return DM_ERROR_ARGUMENT;
    }
    (void)pthread_mutex_lock(&graph->change);
    const int is_free = dm_graph_mark(graph, row) == DM_MARK_FREE;
    if (is_free) {
        dm_graph_place(graph, scratch, row);
    }
    (void)pthread_mutex_unlock(&graph->change);
    if (!is_free) {
        snprintf(error, error_size, "row %u is in the graph, or a search may still read it; ask dm_graph_is_free first",
                 row);
        return DM_ERROR_ARGUMENT;
    }
    return DM_OK;
}

/* --- many --------------------------------------------------------------------------------------------------------- */

enum { ROWS_PER_TASK = 16 };

typedef struct building {
    dm_graph *graph;
    const dm_rows *rows;
    dm_graph_scratch **scratches; /* one for each member of the team */
} building;

static int is_to_come(const building *work, uint32_t row) {
    return work->rows->slots[row] != DM_SLOT_NONE && dm_graph_mark(work->graph, row) == DM_MARK_FREE;
}

static void build_task(void *context, uint32_t task, uint32_t member) {
    const building *work = context;
    const uint32_t begin = task * ROWS_PER_TASK;
    const uint32_t left = work->rows->count - begin;
    const uint32_t end = begin + (left < ROWS_PER_TASK ? left : ROWS_PER_TASK);
    for (uint32_t row = begin; row < end; row++) {
        if (is_to_come(work, row)) {
            dm_graph_place(work->graph, work->scratches[member], row);
        }
    }
}

/* For a team, one row ahead, the first of those that reach highest: from then on there is an entry that stays, and each
 * row is linked on all its levels. A member that slept with a higher row than the entry of then would make it the entry
 * when all others are linked elsewhere: to levels that lead nowhere. */
static void place_highest(const building *work) {
    const uint8_t *levels = work->graph->levels;
    uint32_t highest = DM_LINK_NONE;
    for (uint32_t row = 0; row < work->rows->count; row++) {
        if (is_to_come(work, row) && (highest == DM_LINK_NONE || levels[row] > levels[highest])) {
            highest = row;
        }
    }
    if (highest != DM_LINK_NONE) {
        dm_graph_place(work->graph, work->scratches[0], highest);
    }
}

int32_t dm_graph_build(dm_graph *graph, const dm_rows *rows, dm_team *team, dm_memory *account, char *error,
                       size_t error_size) {
    if (rows->count > graph->capacity) {
        snprintf(error, error_size, "%u rows are beyond the capacity of the graph, %u; make a larger graph",
                 rows->count, graph->capacity);
        return DM_ERROR_ARGUMENT;
    }
    const uint32_t members = dm_team_size(team);
    dm_graph_scratch **scratches = dm_memory_allocate(account, members * sizeof(*scratches), DM_CACHE_LINE, 0);
    int32_t status = scratches == NULL ? DM_ERROR_MEMORY : DM_OK;
    if (scratches == NULL) {
        snprintf(error, error_size, "no memory for the scratches of %u threads; use a smaller team", members);
    }
    for (uint32_t member = 0; member < members && status == DM_OK; member++) {
        status = dm_graph_scratch_create(graph, account, &scratches[member], error, error_size);
    }
    if (status == DM_OK) {
        building work = {.graph = graph, .rows = rows, .scratches = scratches};
        (void)pthread_mutex_lock(&graph->change);
        if (members > 1) {
            place_highest(&work);
        }
        dm_team_run(team, (rows->count + ROWS_PER_TASK - 1) / ROWS_PER_TASK, build_task, &work);
        (void)pthread_mutex_unlock(&graph->change);
    }
    for (uint32_t member = 0; scratches != NULL && member < members; member++) {
        dm_graph_scratch_destroy(scratches[member], account);
    }
    dm_memory_free(account, scratches);
    return status;
}
