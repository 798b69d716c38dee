/* graph.h: approximate nearest rows by cosine or inner product, by a hierarchical navigable small world graph (Malkov &
 * Yashunin 2018, "HNSW"), searched while rows come and go.
 *
 * Two storage levels. The walk compares 8-bit codes (simd/codes.h), a quarter of the bytes; the best that it found are
 * compared again by their float32 rows, in double, as in exact.h, so a similarity that is returned is exact and has the
 * same bits in every variant. What is approximate is which rows are found: recall, not precision.
 *
 * Inner product. The same graph with products in place of cosines, when it is built and when it is searched (Morozov &
 * Babenko 2018, "Non-metric Similarity Graphs for Maximum Inner Product Search", ip-NSW): long rows become the ones
 * that all lead to, which is where the answers are. Where norms are equal it is the graph of the cosines. Preferred
 * to the reduction to a cosine by one more dimension, sqrt(M^2 - |x|^2) (Bachrach et al. 2014; Neyshabur & Srebro
 * 2015), which needs the largest norm M before the first row is inserted, and moves the rows so close to each other
 * that codes of 8 bits tell them apart badly: docs/explanation/lookup.md compares both, and a graph of cosines or of
 * Euclidean distances searched by products. The price: short rows are found by few links (the tree below is then what
 * leads to them).
 *
 * Different from the paper:
 *   - a node's level is a function of seed and row, so a row that is used again keeps its place;
 *   - a spanning tree of level 0: a new node and the nearest of its neighbours that has room link to each other for
 *     good. Links of the tree are never pruned, so from every node every other can be reached, equal rows and lone
 *     clusters included. (Links that are all pruned lead only as far as pruning left them: of 1,000 rows that are
 *     copies of two vectors, 72 can be reached without the tree);
 *   - rows can be removed. A removed row is never found again, is walked through until no link leads to it, and its
 *     neighbours are given its links to choose from.
 *
 * Threads. Any number may search while one at a time changes the graph (the changes wait for each other); every thread
 * that does either needs a scratch of its own. A search neither locks nor waits. It sees each row's code whole: a
 * row's number is used again only when no search is left that could have met it (epoch-based reclamation, Fraser
 * 2004).
 *
 * Rows. The graph keeps codes and reads values + row * stride and inverse_norms[row] of the rows given at creation. To
 * change a vector: insert it as another row, then remove the old one. */
#ifndef DUALMEM_INDEX_GRAPH_H
#define DUALMEM_INDEX_GRAPH_H

#include <stddef.h>
#include <stdint.h>

#include "dualmem/dualmem.h"
#include "index/exact.h"
#include "simd/isa.h"
#include "store/memory.h"

enum {
    DM_GRAPH_M = 16,       /* neighbours chosen for a new node, and most links of a node above level 0 */
    DM_GRAPH_M0 = 32,      /* most links at level 0: two cache lines */
    DM_GRAPH_LEVELS = 16,  /* levels 0..15: with M = 16, a row reaches level 15 once in 2^60 */
    DM_GRAPH_EF_CONSTRUCTION = 200,
    DM_GRAPH_EF_MAX = 1024,
    DM_GRAPH_K_MAX = DM_EXACT_K_MAX
};

typedef struct dm_graph_variant {
    const char *name;
    dm_isa isa;
    const char *query;  /* the variant that it takes from simd/query */
    const char *codes;  /* from simd/codes */
    const char *gather; /* from simd/gather */
} dm_graph_variant;

/* The first row is the reference; the last one that runs is the best. All make the same graph and find the same
 * rows. */
extern const dm_graph_variant dm_graph_variants[];
extern const size_t dm_graph_variant_count;

/* The best variant that this machine runs. Asks the processor: for setup. */
const dm_graph_variant *dm_graph_best(void);

/* The variant of that name, or NULL. */
const dm_graph_variant *dm_graph_find(const char *name);

typedef struct dm_graph_options {
    uint32_t capacity;        /* rows 0..capacity - 1 can be in the graph; 1..DM_CAPACITY_MAX. Their values lie, or will
                                 lie, at the addresses that the rows given imply */
    uint32_t ef_construction; /* candidates that a new node's neighbours are chosen from, DM_GRAPH_M..DM_GRAPH_EF_MAX */
    uint64_t seed;            /* of the levels */
    size_t placement;         /* as in dm_memory_allocate */
    dm_similarity similarity; /* by which rows are near; 0: cosine */
} dm_graph_options;

typedef struct dm_graph dm_graph;
typedef struct dm_graph_scratch dm_graph_scratch;

/* An empty graph over these rows; rows->count and rows->slots are not used. The machine must run the variant.
 * DM_ERROR_ARGUMENT: an option out of range. DM_ERROR_MEMORY. *graph is NULL then. */
int32_t dm_graph_create(const dm_graph_variant *variant, const dm_rows *rows, const dm_graph_options *options,
                        dm_memory *account, dm_graph **graph, char *error, size_t error_size);
/* Accepts NULL. No scratch is left, nobody uses it. The same account as at the making. */
void dm_graph_destroy(dm_graph *graph, dm_memory *account);

/* What one thread needs to search or change this graph: 4 bytes a row of its capacity and 200 kB. DM_ERROR_MEMORY;
 * *scratch is NULL then. */
int32_t dm_graph_scratch_create(dm_graph *graph, dm_memory *account, dm_graph_scratch **scratch, char *error,
                                size_t error_size);
void dm_graph_scratch_destroy(dm_graph_scratch *scratch, dm_memory *account);

/* Inserts rows 0..rows->count - 1 that are in use (slot other than DM_SLOT_NONE) and not in the graph yet, divided
 * among the team. Without a team in ascending order: the same graph, to the byte, as by dm_graph_insert one after the
 * other, on any machine. With one, which graph comes out depends on who is first; it keeps all the rules.
 * DM_ERROR_MEMORY, DM_ERROR_ARGUMENT as for insert: what was inserted by then stays. */
int32_t dm_graph_build(dm_graph *graph, const dm_rows *rows, dm_team *team, dm_memory *account, char *error,
                       size_t error_size);

/* The row is found by every search that begins afterwards (as far as recall goes). Its values and norm are in place
 * and stay as they are. Does not allocate. DM_ERROR_ARGUMENT: beyond the capacity, or not free (dm_graph_is_free). */
int32_t dm_graph_insert(dm_graph *graph, dm_graph_scratch *scratch, uint32_t row, char *error, size_t error_size);

/* No search that begins afterwards returns the row. Its values must stay until dm_graph_is_free. Does not allocate.
 * DM_ERROR_ARGUMENT: the row is not in the graph. */
int32_t dm_graph_remove(dm_graph *graph, dm_graph_scratch *scratch, uint32_t row, char *error, size_t error_size);

/* 1: no link leads to the row and no search can still read it, so its values may be overwritten and it may be
 * inserted. 0: it is in the graph, or was and a search that began before its removal has not ended. Not for hot paths:
 * it may go through all links. `scratch` is the calling thread's. */
int dm_graph_is_free(dm_graph *graph, dm_graph_scratch *scratch, uint32_t row);

/* Rows that searches can return. */
uint32_t dm_graph_size(const dm_graph *graph);

/* The best min(k, dm_graph_size) rows that a walk with a list of max(ef, k) candidates finds, best first; of equal
 * similarities the smaller row. Returns how many: fewer only if changes overtake it again and again. Rows that are
 * removed meanwhile may be among them. query: dim finite floats at any address. k: 1..DM_GRAPH_K_MAX. ef:
 * 1..DM_GRAPH_EF_MAX. Neither allocates, locks nor fails. A query or row whose norm counts as zero has cosine 0; its
 * inner products are those of its values, but the walk takes them for 0. For such a query it returns some rows. */
uint32_t dm_graph_search(const dm_graph *graph, dm_graph_scratch *scratch, const float *query, uint32_t k, uint32_t ef,
                         dm_neighbour *neighbours);

/* Of the last search with this scratch: rows whose codes were compared, and rows rescored by their float32 values. */
uint32_t dm_graph_compared(const dm_graph_scratch *scratch);
uint32_t dm_graph_rescored(const dm_graph_scratch *scratch);

/* The graph as bytes, of which a file can be made: the same graph gives the same bytes. They hold codes and links, not
 * the rows, and a checksum over all (CRC-32C). A cache: another version of the library may want it made anew, and the
 * byte order is the machine's. Waits for changes to end. */
size_t dm_graph_image_size(const dm_graph *graph);
void dm_graph_write_image(dm_graph *graph, dm_graph_scratch *scratch, void *bytes);

/* A graph from such bytes, which are copied and may be unmapped then. `rows` hold the same values. The options come
 * from the image, except the placement. DM_ERROR_CORRUPT: not an image of such rows, of another version, damaged (by
 * its checksum), or with numbers in it that no graph has. DM_ERROR_MEMORY. *graph is NULL then. */
int32_t dm_graph_from_image(const dm_graph_variant *variant, const dm_rows *rows, const void *bytes, size_t size,
                            size_t placement, dm_memory *account, dm_graph **graph, char *error, size_t error_size);

/* A graph in the image in a file, without a copy: the file is mapped, copy-on-write, so what changes in the graph never
 * reaches it. Otherwise as dm_graph_from_image. The file must not be changed in place or cut short while the graph
 * lives; it may be removed or renamed over. DM_ERROR_IO: it cannot be read. */
int32_t dm_graph_from_file(const dm_graph_variant *variant, const dm_rows *rows, const char *path, dm_memory *account,
                           dm_graph **graph, char *error, size_t error_size);

/* The graph for the same rows under other numbers: `rows`, map[row] each one's number there. Its nodes keep their links
 * and levels. Nobody searches it, it has no scratch, and no row waits to be free: as it is when it was just loaded. The
 * one returned is a copy, in memory of its own. DM_ERROR_CORRUPT: the map is not of the rows in use and one to one.
 * DM_ERROR_MEMORY. The graph is then as it was. */
int32_t dm_graph_renumber(dm_graph **graph, const dm_graph_variant *variant, const dm_rows *rows, const uint32_t *map,
                          dm_memory *account, char *error, size_t error_size);

/* Bytes of the file that such a graph maps, which no account counts; 0 for any other graph. */
uint64_t dm_graph_mapped(const dm_graph *graph);

#endif
