/* graph_walk.c: the walk through a level, and the search made of it.
 *
 * The list of candidates is one sorted array with a mark on those walked from, in place of the two heaps of the
 * paper's algorithm 2: the same candidates in the same order, but the next one to walk from is known a step ahead, so
 * its links can be asked for. Keys are whole numbers that contain the row, so nothing depends on the order in which
 * links are listed. */
#include <math.h>
#include <string.h>

#include "index/graph_parts.h"
#include "index/neighbours.h"
#include "store/poison.h"

/* --- comparing ---------------------------------------------------------------------------------------------------- */

void dm_graph_compare(const dm_graph *graph, dm_graph_scratch *scratch, const dm_weights *weights, const uint32_t *rows,
                      uint32_t count, float *cosines) {
    graph->gather->dots(&graph->gathered, rows, count, weights, scratch->dots);
    for (uint32_t i = 0; i < count; i++) {
        cosines[i] = (float)scratch->dots[i] * (weights->scale * graph->scales[rows[i]]);
    }
    scratch->compared += count;
}

dm_weights dm_graph_weights(const dm_graph *graph, dm_graph_scratch *scratch, uint32_t row) {
    const dm_gathered *from = &graph->gathered;
    int32_t sum = dm_weights_of_row(scratch->row_weights, from->codes + row * from->step, from->stride);
    const float scale = graph->norms == NULL ? graph->scales[row] : graph->scales[row] / graph->norms[row];
    return (dm_weights){.values = scratch->row_weights, .sum = sum, .scale = 2.0f * scale};
}

dm_weights dm_graph_encode_query(const dm_graph *graph, dm_graph_scratch *scratch) {
    dm_code_facts facts =
        graph->coder->encode(scratch->query_codes, scratch->query.unit, graph->rows.dim, DM_CODE_QUERY_LEVELS);
    return (dm_weights){.values = scratch->query_codes, .sum = facts.sum, .scale = facts.scale};
}

/* --- candidates --------------------------------------------------------------------------------------------------- */

/* The bits of a float, turned so that whole numbers fall as the floats rise. */
static inline uint32_t falling(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return ~(bits ^ ((bits >> 31) != 0 ? UINT32_MAX : UINT32_C(0x80000000)));
}

static inline dm_candidate make_candidate(const dm_graph *graph, uint32_t row, float cosine) {
    uint32_t dead = dm_graph_mark(graph, row) == DM_MARK_LIVE ? 0 : DM_CANDIDATE_DEAD;
    return (uint64_t)falling(cosine) << 32 | row << 2 | dead;
}

/* The place of the first candidate that is not before this one. */
static inline uint32_t place_of(const dm_candidate *pool, uint32_t size, dm_candidate candidate) {
    uint32_t low = 0;
    while (size > 0) {
        uint32_t half = size / 2;
        int before = pool[low + half] < candidate;
        low = before ? low + half + 1 : low;
        size = before ? size - half - 1 : half;
    }
    return low;
}

/* Dead candidates are walked from like others but take no place away from the living: the list grows by their
 * number. */
static inline uint32_t limit_of(const dm_graph_scratch *scratch, uint32_t ef) {
    uint32_t limit = ef + scratch->dead;
    return limit < DM_POOL ? limit : DM_POOL;
}

/* Puts a candidate into the list, if it is good enough. Returns its place, or UINT32_MAX. */
static inline uint32_t offer(dm_graph_scratch *scratch, dm_candidate candidate, uint32_t ef) {
    if (scratch->size >= limit_of(scratch, ef) && candidate > scratch->pool[scratch->size - 1]) {
        return UINT32_MAX;
    }
    uint32_t place = place_of(scratch->pool, scratch->size, candidate);
    memmove(scratch->pool + place + 1, scratch->pool + place, (scratch->size - place) * sizeof(candidate));
    scratch->pool[place] = candidate;
    scratch->size++;
    scratch->dead += (candidate & DM_CANDIDATE_DEAD) != 0;
    while (scratch->size > limit_of(scratch, ef)) {
        scratch->size--;
        scratch->dead -= (scratch->pool[scratch->size] & DM_CANDIDATE_DEAD) != 0;
    }
    return place;
}

/* --- walking ------------------------------------------------------------------------------------------------------ */

static inline void prefetch_links(const dm_graph *graph, uint32_t row, uint32_t level) {
    const char *links = (const char *)dm_graph_links(graph, row, level);
    for (size_t at = 0; at < dm_graph_width(level) * sizeof(dm_link); at += DM_CACHE_LINE) {
        __builtin_prefetch(links + at, 0, 3);
    }
}

static inline void prefetch_code(const dm_graph *graph, uint32_t row) {
    const char *code = (const char *)graph->gathered.codes + row * graph->gathered.step;
    __builtin_prefetch(code, 0, 3);
    __builtin_prefetch(code + DM_CACHE_LINE, 0, 3);
}

/* The rows that a node's links lead to and that this walk has not met; marks them as met. */
static inline uint32_t list_new(const dm_graph *graph, dm_graph_scratch *scratch, uint32_t row, uint32_t level,
                                uint32_t *rows) {
    const dm_link *links = dm_graph_links(graph, row, level);
    const uint32_t width = dm_graph_width(level);
    uint32_t count = 0;
    for (uint32_t i = 0; i < width; i++) {
        uint32_t to = dm_link_load(&links[i]);
        if (to == DM_LINK_NONE) {
            break;
        }
        if (scratch->stamps[to] != scratch->stamp) {
            scratch->stamps[to] = scratch->stamp;
            prefetch_code(graph, to);
            rows[count++] = to;
        }
    }
    return count;
}

static void begin_walk(const dm_graph *graph, dm_graph_scratch *scratch) {
    scratch->size = 0;
    scratch->dead = 0;
    if (++scratch->stamp == 0) { /* once in 2^32 walks */
        memset(scratch->stamps, 0, graph->capacity * sizeof(uint32_t));
        scratch->stamp = 1;
    }
}

void dm_graph_walk(const dm_graph *graph, dm_graph_scratch *scratch, const dm_weights *weights, uint32_t begin,
                   uint32_t level, uint32_t ef) {
    uint32_t rows[DM_GRAPH_M0];
    float cosines[DM_GRAPH_M0];
    begin_walk(graph, scratch);
    scratch->stamps[begin] = scratch->stamp;
    dm_graph_compare(graph, scratch, weights, &begin, 1, cosines);
    (void)offer(scratch, make_candidate(graph, begin, cosines[0]), ef);
    for (uint32_t at = 0; at < scratch->size;) {
        if ((scratch->pool[at] & DM_CANDIDATE_WALKED) != 0) {
            at++;
            continue;
        }
        const uint32_t row = dm_candidate_row(scratch->pool[at]);
        scratch->pool[at] |= DM_CANDIDATE_WALKED;
        if (at + 1 < scratch->size) {
            prefetch_links(graph, dm_candidate_row(scratch->pool[at + 1]), level);
        }
        uint32_t count = list_new(graph, scratch, row, level, rows);
        dm_graph_compare(graph, scratch, weights, rows, count, cosines);
        uint32_t first = at + 1;
        for (uint32_t i = 0; i < count; i++) {
            uint32_t place = offer(scratch, make_candidate(graph, rows[i], cosines[i]), ef);
            first = place < first ? place : first;
        }
        at = first;
    }
}

uint32_t dm_graph_descend(const dm_graph *graph, dm_graph_scratch *scratch, const dm_weights *weights, uint64_t entry,
                          uint32_t level) {
    uint32_t row = (uint32_t)entry;
    uint32_t rows[DM_GRAPH_M0];
    float cosines[DM_GRAPH_M0];
    float best;
    dm_graph_compare(graph, scratch, weights, &row, 1, &best);
    for (uint32_t here = (uint32_t)(entry >> 32); here > level; here--) {
        for (uint32_t from = DM_LINK_NONE; from != row;) {
            from = row;
            uint32_t count = dm_graph_list(graph, from, here, rows);
            dm_graph_compare(graph, scratch, weights, rows, count, cosines);
            for (uint32_t i = 0; i < count; i++) {
                if (cosines[i] > best) {
                    best = cosines[i];
                    row = rows[i];
                }
            }
        }
    }
    return row;
}

/* --- searching ---------------------------------------------------------------------------------------------------- */

/* From here on no row that this search can meet is given to another vector. The exchange is a read-modify-write so
 * that it and the look of dm_graph_reclaim, one too, come one after the other: either this search is seen, or it sees
 * every link that was taken away before. */
static void enter(const dm_graph *graph, dm_graph_scratch *scratch) {
    uint64_t epoch = atomic_load_explicit(&graph->epoch, memory_order_acquire);
    (void)atomic_exchange_explicit(&scratch->passage, epoch, memory_order_acq_rel);
}

static void leave(dm_graph_scratch *scratch) {
    atomic_store_explicit(&scratch->passage, 0, memory_order_release);
}

static double rescore(const dm_graph *graph, dm_graph_scratch *scratch, uint32_t row) {
    scratch->rescored++;
    return dm_neighbours_similarity(graph->by, graph->query, &scratch->query, &graph->rows, row);
}

/* How far a cosine, or its product with the row's norm, may lie above its estimate for the row still to be rescored:
 * four standard deviations. The rounding error of a code is uniform over a step, step / sqrt(12) a component, and the
 * other vector, of norm 1, weighs the components. The proven bound of codes.c is 10 to 20 times as wide: right for an
 * exact search, no use where rows are missed anyway. */
static double slack_of(const dm_graph *graph, float query_scale, uint32_t row) {
    const double row_step = (double)graph->scales[row];
    const double query_step = (double)query_scale * (graph->norms == NULL ? 1.0 : (double)graph->norms[row]);
    return 4.0 * sqrt((query_step * query_step + row_step * row_step) / 12.0);
}

/* What a similarity is multiplied with to be compared with estimates. */
static double factor_of(const dm_graph *graph, const dm_query *query) {
    if (graph->by == DM_SIMILARITY_COSINE) {
        return 1.0;
    }
    return query->squared_norm > 0.0 ? DM_GRAPH_NORM_UNIT / sqrt(query->squared_norm) : 0.0;
}

enum { AHEAD = 2 }; /* rows asked for before they are rescored */

static uint32_t rescore_pool(const dm_graph *graph, dm_graph_scratch *scratch, float query_scale, uint32_t k,
                             dm_neighbour *best) {
    const double factor = factor_of(graph, &scratch->query);
    uint32_t size = 0;
    for (uint32_t i = 0; i < AHEAD && i < scratch->size; i++) {
        dm_neighbours_prefetch(&graph->rows, dm_candidate_row(scratch->pool[i]));
    }
    for (uint32_t i = 0; i < scratch->size; i++) {
        uint32_t row = dm_candidate_row(scratch->pool[i]);
        double estimate = (double)dm_candidate_cosine(scratch->pool[i]);
        if ((scratch->pool[i] & DM_CANDIDATE_DEAD) != 0) { /* one that was removed since is still what it was */
            continue;
        }
        if (size == k && estimate + slack_of(graph, query_scale, row) < best[k - 1].similarity * factor) {
            continue; /* a row with coarser codes may still follow */
        }
        if (i + AHEAD < scratch->size) {
            dm_neighbours_prefetch(&graph->rows, dm_candidate_row(scratch->pool[i + AHEAD]));
        }
        const dm_neighbour found = {.similarity = rescore(graph, scratch, row), .row = row};
        size = dm_neighbours_insert(best, size, k, found);
    }
    return size;
}

static uint32_t search(const dm_graph *graph, dm_graph_scratch *scratch, uint32_t k, uint32_t ef, dm_neighbour *best) {
    uint32_t found = 0;
    enter(graph, scratch);
    const uint64_t entry = atomic_load_explicit(&graph->entry, memory_order_acquire);
    if (entry != DM_ENTRY_NONE) {
        dm_weights weights = dm_graph_encode_query(graph, scratch);
        uint32_t begin = dm_graph_descend(graph, scratch, &weights, entry, 0);
        dm_graph_walk(graph, scratch, &weights, begin, 0, ef > k ? ef : k);
        found = rescore_pool(graph, scratch, weights.scale, k, best);
    }
    leave(scratch);
    return found;
}

/* A search may sleep while more rows around it are removed than its list is long, or while links that it has yet to
 * come to move to rows that it has left behind. It then ends with fewer rows than there are, and begins again. */
enum { LOOKS = 16 };

uint32_t dm_graph_search(const dm_graph *graph, dm_graph_scratch *scratch, const float *query, uint32_t k, uint32_t ef,
                         dm_neighbour *neighbours) {
    uint32_t found = 0;
    scratch->compared = 0;
    scratch->rescored = 0;
    graph->query->prepare(&scratch->query, query);
    for (unsigned looks = 0; looks < LOOKS; looks++) {
        found = search(graph, scratch, k, ef, neighbours);
        if (found == k || found >= dm_graph_size(graph)) {
            break;
        }
    }
    return found;
}
