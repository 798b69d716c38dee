/* graph_parts.h: the graph from inside, for graph*.c and for the tests that look at its links.
 *
 * Everything is an array by row. The memory of a node at level 0 is one run of cache lines: its code, then its links,
 * two lines; the strides are fields, so that the other layout, links apart from codes, is one line in graph.c
 * (docs/explanation/lookup.md has the comparison). A list of links ends at its length or at the first LINK_NONE; a
 * row's link to itself is a hole in it.
 *
 * Arrays that an image holds lie in one block, the body, in the order of the image, so that a mapped file can be the
 * block. The others follow from them and are always made anew.
 *
 * Who writes. Links: under the lock of the node whose list it is, with release, so that whoever follows a link finds
 * the code behind it. Codes, scales: the inserter, before any link leads there. parents: the changer. */
#ifndef DUALMEM_INDEX_GRAPH_PARTS_H
#define DUALMEM_INDEX_GRAPH_PARTS_H

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "index/graph.h"
#include "simd/codes.h"
#include "simd/gather.h"
#include "simd/query.h"

#define DM_LINK_NONE UINT32_MAX
#define DM_ENTRY_NONE UINT64_MAX

typedef _Atomic uint32_t dm_link;

enum { DM_MARK_FREE = 0, DM_MARK_LIVE = 1, DM_MARK_DEAD = 2 };

/* Most children of a node in the tree: with its parent 17 of 32 links, so that 15 remain for what the heuristic
 * chooses. */
enum { DM_GRAPH_CHILDREN = 16 };

/* Most removed nodes that links still lead to; one more, and all links are gone through. */
enum { DM_GRAPH_DEAD = 32 };

/* No norm, 64 FLT_MAX at most, overflows in it, nor does an estimate made of it. */
#define DM_GRAPH_NORM_UNIT 0x1.0p-16

struct dm_graph {
    dm_rows rows;
    uint32_t capacity;
    uint32_t ef_construction;
    uint64_t seed;
    dm_similarity by;
    const dm_query_variant *query;
    const dm_codes_variant *coder;
    const dm_gather_variant *gather;

    uint8_t *body;   /* the arrays of the image */
    size_t body_size;
    void *mapped;    /* the file that the body lies in, or NULL: the body is a block of its own */
    size_t mapped_size;

    uint8_t *nodes;       /* code and links of level 0 */
    dm_gathered gathered; /* the codes among them */
    uint8_t *links;       /* those of row 0 */
    size_t link_step;     /* bytes from a row's links to the next one's */
    float *scales;        /* of the codes, which stand for unit rows; inner product: times `norms` */
    float *norms;         /* inner product: [row] its norm in units of DM_GRAPH_NORM_UNIT; NULL: cosine */
    _Atomic uint8_t *marks;
    dm_link *upper;            /* levels 1 and up: DM_GRAPH_M links each, one cache line */
    _Atomic uint32_t *parents; /* in the tree; DM_LINK_NONE for its root and for rows not in the graph */

    uint8_t *levels;
    uint32_t *upper_at;         /* [row] line of level 1 */
    _Atomic uint32_t *incoming; /* links that lead to the row, at all levels */
    _Atomic uint8_t *locks;

    _Alignas(DM_CACHE_LINE) _Atomic uint64_t entry; /* level << 32 | row */
    _Atomic uint32_t live;

    _Alignas(DM_CACHE_LINE) _Atomic uint64_t epoch; /* from 1 on */
    pthread_mutex_t change;
    uint32_t dead[DM_GRAPH_DEAD]; /* removed, and links still lead there; this and what follows under `change` */
    uint32_t dead_count;
    uint32_t *next; /* [row] in the two lists that follow */
    uint32_t retired; /* no link leads there any more */
    uint32_t waiting; /* nor does any search that began in an epoch after `waiting_since` know them */
    uint64_t waiting_since;

    pthread_mutex_t list;
    dm_graph_scratch *scratches;
};

/* A candidate: the key orders by falling cosine, then by row. Bits 0 and 1 are marks and do not change the order. */
typedef uint64_t dm_candidate;

enum { DM_CANDIDATE_WALKED = 1, DM_CANDIDATE_DEAD = 2 };

enum {
    DM_POOL = DM_GRAPH_EF_MAX + DM_GRAPH_DEAD,
    DM_CHOICE = DM_GRAPH_EF_MAX + DM_GRAPH_DEAD + 2 * DM_GRAPH_M0 /* most candidates that neighbours are chosen from */
};

struct dm_graph_scratch {
    /* 0: not searching; else an epoch not later than that of the begin. */
    _Alignas(DM_CACHE_LINE) _Atomic uint64_t passage;
    _Alignas(DM_CACHE_LINE) dm_graph *graph;
    dm_graph_scratch *next; /* under graph->list */
    dm_query query;
    int8_t *query_codes;
    int8_t *row_weights; /* for weights made of a row */
    uint32_t *stamps; /* [row] = stamp: met in the present walk */
    uint32_t stamp;
    uint32_t compared;
    uint32_t rescored;

    /* The walk: candidates, best first. */
    uint32_t size;
    uint32_t dead; /* of them */
    dm_candidate pool[DM_POOL + 1]; /* one more while the last is dropped */

    /* Choosing neighbours. */
    uint32_t rows[DM_CHOICE];
    float cosines[DM_CHOICE];
    uint8_t dominated[DM_CHOICE];
    uint8_t bound[DM_CHOICE]; /* 1: a link of the tree */
    uint32_t left[DM_CHOICE];
    uint32_t left_rows[DM_CHOICE];
    float left_cosines[DM_CHOICE];
    int32_t dots[DM_CHOICE];
    dm_candidate order[DM_CHOICE];
    uint32_t lists[DM_GRAPH_LEVELS][DM_GRAPH_M0]; /* of the node that is being inserted */
    uint32_t list_sizes[DM_GRAPH_LEVELS];
};

static inline uint32_t dm_candidate_row(dm_candidate candidate) {
    return (uint32_t)candidate >> 2;
}

/* The estimate that its key was made of (graph_walk.c). */
static inline float dm_candidate_cosine(dm_candidate candidate) {
    uint32_t bits = ~(uint32_t)(candidate >> 32);
    bits ^= (bits >> 31) != 0 ? UINT32_C(0x80000000) : UINT32_MAX;
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static inline uint32_t dm_graph_width(uint32_t level) {
    return level == 0 ? DM_GRAPH_M0 : DM_GRAPH_M;
}

/* The links of a node, dm_graph_width(level) of them. level <= levels[row]. */
static inline dm_link *dm_graph_links(const dm_graph *graph, uint32_t row, uint32_t level) {
    if (level == 0) {
        return (dm_link *)(void *)(graph->links + row * graph->link_step);
    }
    return graph->upper + ((size_t)graph->upper_at[row] + level - 1) * DM_GRAPH_M;
}

/* Makes a list one of length 0, uncounted: nobody reads it. */
static inline void dm_graph_clear_list(dm_link *links, uint32_t level) {
    memset((void *)links, 0xFF, dm_graph_width(level) * sizeof(dm_link));
}

static inline uint32_t dm_link_load(const dm_link *link) {
    return atomic_load_explicit(link, memory_order_acquire);
}

static inline uint8_t dm_graph_mark(const dm_graph *graph, uint32_t row) {
    return atomic_load_explicit(&graph->marks[row], memory_order_acquire);
}

static inline uint32_t dm_graph_parent(const dm_graph *graph, uint32_t row) {
    return atomic_load_explicit(&graph->parents[row], memory_order_relaxed);
}

/* graph.c: a graph without its body, and where the arrays lie in one that is given. levels: [row], each less than
 * DM_GRAPH_LEVELS, or NULL: drawn. */
int32_t dm_graph_make(const dm_graph_variant *variant, const dm_rows *rows, const dm_graph_options *options,
                      const uint8_t *levels, dm_memory *account, dm_graph **graph, char *error, size_t error_size);
void dm_graph_set_body(dm_graph *graph, uint8_t *body);
/* graph.c: a body of its own, empty. 1, or 0: no memory. */
int dm_graph_allocate_body(dm_graph *graph, size_t placement, dm_memory *account);
/* graph.c: dm_graph_create with these levels. */
int32_t dm_graph_create_at(const dm_graph_variant *variant, const dm_rows *rows, const dm_graph_options *options,
                           const uint8_t *levels, dm_memory *account, dm_graph **graph, char *error,
                           size_t error_size);
/* graph.c: the level of a row, floor(-ln U / ln M) with U uniform in (0, 1]. */
uint32_t dm_graph_level_of(uint64_t seed, uint32_t row);

/* graph_walk.c: the codes of one row compared with those of others. Estimates of the cosines; with inner product, of
 * the cosines times the others' norms: the products but for the factor that the one row's norm is to all. */
void dm_graph_compare(const dm_graph *graph, dm_graph_scratch *scratch, const dm_weights *weights, const uint32_t *rows,
                      uint32_t count, float *cosines);
/* graph_walk.c: weights made of a row's code, in scratch->row_weights. */
dm_weights dm_graph_weights(const dm_graph *graph, dm_graph_scratch *scratch, uint32_t row);
/* graph_walk.c: encodes scratch->query.unit. */
dm_weights dm_graph_encode_query(const dm_graph *graph, dm_graph_scratch *scratch);
/* graph_walk.c: the best place to begin at `level`: from the entry down through the levels above it. The graph is not
 * empty. */
uint32_t dm_graph_descend(const dm_graph *graph, dm_graph_scratch *scratch, const dm_weights *weights, uint64_t entry,
                          uint32_t level);
/* graph_walk.c: fills the pool with the ef best living rows that a walk from `begin` at this level meets, and with the
 * dead among them. */
void dm_graph_walk(const dm_graph *graph, dm_graph_scratch *scratch, const dm_weights *weights, uint32_t begin,
                   uint32_t level, uint32_t ef);

/* graph_link.c. The paper's algorithm 4: of scratch->rows[0 .. count), with their cosines to one node and
 * `bound` set for those that must stay, at most `most`, best first, none of which is closer to one chosen before than
 * to the node. */
uint32_t dm_graph_choose(const dm_graph *graph, dm_graph_scratch *scratch, uint32_t count, uint32_t most,
                         uint32_t *chosen);
/* graph_link.c: fills the arrays for dm_graph_choose with these rows, in order, as seen from a node. `count` at most 2
 * DM_GRAPH_M0. */
void dm_graph_rank(const dm_graph *graph, dm_graph_scratch *scratch, uint32_t from, uint32_t level,
                   const uint32_t *rows, uint32_t count);
/* graph_link.c: is the link one of the tree's? */
int dm_graph_is_bound(const dm_graph *graph, uint32_t a, uint32_t b);
/* graph_link.c: sets a node's list, counting what comes and goes. Under its lock, or before anybody knows the node. */
void dm_graph_set_links(const dm_graph *graph, uint32_t row, uint32_t level, const uint32_t *rows, uint32_t count);
/* graph_link.c: adds `change` (UINT32_MAX: minus one) to the number of links that lead to each of these rows. */
void dm_graph_count_incoming(const dm_graph *graph, const uint32_t *rows, uint32_t count, uint32_t change);
/* graph_link.c: makes `to` a neighbour of `from`, if the heuristic has it so (a link of the tree: always). */
void dm_graph_add_link(const dm_graph *graph, dm_graph_scratch *scratch, uint32_t from, uint32_t to, uint32_t level);
/* graph_link.c: makes `parent` or, if it has no room, one below it the parent of `child`, which is not in the tree;
 * each then has a link to the other. */
void dm_graph_adopt(const dm_graph *graph, dm_graph_scratch *scratch, uint32_t parent, uint32_t child);
/* graph_link.c: the same for `parent` itself. 0: it has no room. */
int dm_graph_try_adopt(const dm_graph *graph, dm_graph_scratch *scratch, uint32_t parent, uint32_t child);
/* graph_link.c: copies a list, without its holes. Returns how many there are. */
uint32_t dm_graph_list(const dm_graph *graph, uint32_t row, uint32_t level, uint32_t *rows);
void dm_graph_lock(const dm_graph *graph, uint32_t row);
void dm_graph_unlock(const dm_graph *graph, uint32_t row);

/* graph_insert.c: without the lock on changes and the check of the row. */
void dm_graph_place(dm_graph *graph, dm_graph_scratch *scratch, uint32_t row);

/* graph_remove.c: makes the retired rows free that no search can know; with the lock on changes. */
void dm_graph_reclaim(dm_graph *graph);
/* graph_remove.c: goes through all links, so that none leads to a removed row; with the lock on changes. */
void dm_graph_sweep(dm_graph *graph, dm_graph_scratch *scratch);

#endif
