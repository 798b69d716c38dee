/* index.h: one index over rows, of the method that finds the asked share of the nearest rows with the least work.
 *
 * Three methods: exact scan (exact.h), coarse lists (lists.h), graph (graph.h). Which one is cheapest depends on how
 * many rows there are and on their structure: a few hundred are for the scan, and so is data without structure,
 * however large. Who makes an index says what recall it wants, and the planner (plan.c) measures on rows held out of
 * the data what each method has to look at to reach it; or says which method it shall be.
 *
 * Threads: as those of the method. Every thread that searches or changes needs a scratch of its own. Changes
 * (dm_index_insert, dm_index_remove) beside searches: the graph only. */
#ifndef DUALMEM_INDEX_INDEX_H
#define DUALMEM_INDEX_INDEX_H

#include <stddef.h>
#include <stdint.h>

#include "dualmem/dualmem.h"
#include "index/exact.h"
#include "simd/isa.h"
#include "store/memory.h"

typedef enum dm_method { DM_METHOD_AUTO = 0, DM_METHOD_EXACT = 1, DM_METHOD_LISTS = 2, DM_METHOD_GRAPH = 3 } dm_method;
enum { DM_METHOD_COUNT = 4 };

typedef struct dm_index_options {
    dm_method method;  /* AUTO: the planner chooses */
    double recall;     /* the share of the true k nearest that a search shall find, on average, 0..1; 1: exact */
    uint32_t k;        /* that the recall is meant for; 1..DM_EXACT_K_MAX */
    uint32_t capacity; /* of a graph: rows 0..capacity - 1 can be inserted later; at least rows->count */
    uint64_t seed;     /* of levels, held-out rows, coarse centres */
    size_t placement;  /* as in dm_memory_allocate */
    dm_isa isa;        /* the most that may be used; the machine has it */
    dm_similarity similarity; /* by which rows are near; 0: cosine. Lists are for cosines only */
} dm_index_options;

/* What was chosen, and why. Costs are counted, not timed, so the same rows and options give the same plan anywhere:
 * bytes that one search reads, times a weight by how they are read (plan_cost.c). NaN: a method that was not looked at
 * or cannot reach the recall. A team changes the plan only where it links a graph of more rows than the sample (2,500,
 * or 50 k): which graph that is depends on who is first, and its effort is measured on it. */
typedef struct dm_plan {
    dm_method method;
    uint32_t effort;              /* graph: ef; lists: lists visited; exact: 0 */
    uint32_t dims;                /* of the projection; 0: none */
    uint32_t list_count;          /* 0: no lists */
    uint32_t held_out;            /* rows that the recall was measured with; 0: not measured */
    double recall;                /* mean over them; 1 where exact; NaN: not measured. Of a graph: among the others,
                                     before the effort grew for those held out */
    double recall_low;            /* what it is at least, one-sided 95 %: this reaches options.recall, unless the method
                                     was asked for and cannot */
    double costs[DM_METHOD_COUNT]; /* by dm_method; of those not taken as expected from a sample */
    char reason[256];             /* one sentence for a person */
} dm_plan;

typedef struct dm_index dm_index;
typedef struct dm_index_scratch dm_index_scratch;

/* An index of the rows in use, of which there may be none. The rows stay where they are. The team, or NULL, divides
 * the building. While it plans it needs up to three times the memory of the index. DM_ERROR_ARGUMENT: an option out
 * of range, or a method that cannot take these rows (lists: none in use). DM_ERROR_MEMORY. *index is NULL then. */
int32_t dm_index_create(const dm_rows *rows, const dm_index_options *options, dm_team *team, dm_memory *account,
                        dm_index **index, char *error, size_t error_size);
/* An index of other rows by the plan of `before`, which is searched meanwhile or not: lists that stay where they were,
 * if that will do (dm_lists_follow), and their effort with them. *index is NULL, with DM_OK, where it will not: make a
 * new one. DM_ERROR_MEMORY. */
int32_t dm_index_follow(const dm_index *before, const dm_rows *rows, dm_team *team, dm_memory *account,
                        dm_index **index, char *error, size_t error_size);
/* As dm_lists_renumber, and the same for a graph that nobody searches and that has no scratch. DM_ERROR_CORRUPT: its
 * rows are not those of the map, DM_ERROR_MEMORY, DM_ERROR_ARGUMENT: an exact index; the index is then as it was. */
int32_t dm_index_renumber(dm_index *index, const dm_rows *rows, const uint32_t *map, dm_memory *account, char *error,
                          size_t error_size);
/* Accepts NULL. No scratch is left. The same account as at the making. */
void dm_index_destroy(dm_index *index, dm_memory *account);

const dm_plan *dm_index_plan(const dm_index *index);
dm_similarity dm_index_similarity(const dm_index *index);

int32_t dm_index_scratch_create(dm_index *index, dm_memory *account, dm_index_scratch **scratch, char *error,
                                size_t error_size);
void dm_index_scratch_destroy(dm_index_scratch *scratch, dm_memory *account);

/* The best k rows that the method finds with the effort planned, best first, of equal cosines the smaller row;
 * returns how many. Cosines are exact to double in every method. Neither allocates, locks nor fails. k:
 * 1..DM_EXACT_K_MAX; the recall is that of the plan for k up to options.k. */
uint32_t dm_index_search(const dm_index *index, dm_index_scratch *scratch, const float *query, uint32_t k,
                         dm_neighbour *neighbours);

/* Of the last search with this scratch: rows (or their codes) compared, and rows rescored by their float32 values. */
uint32_t dm_index_compared(const dm_index_scratch *scratch);
uint32_t dm_index_rescored(const dm_index_scratch *scratch);

/* 1: rows can come and go beside searches (a graph); 0: make a new index. */
int dm_index_can_change(const dm_index *index);
/* As the functions of graph.h of these names. Only where dm_index_can_change. */
int32_t dm_index_insert(dm_index *index, dm_index_scratch *scratch, uint32_t row, char *error, size_t error_size);
int32_t dm_index_remove(dm_index *index, dm_index_scratch *scratch, uint32_t row, char *error, size_t error_size);
int dm_index_is_free(dm_index *index, dm_index_scratch *scratch, uint32_t row);

/* The index with its plan as bytes, and an index from them: over rows of the same values, without measuring or
 * building again (codes of an exact index are made anew). The same index gives the same bytes; they carry a checksum.
 * DM_ERROR_CORRUPT: damaged, or of rows of another dimension or of another number in use. */
size_t dm_index_image_size(const dm_index *index);
void dm_index_write_image(dm_index *index, dm_index_scratch *scratch, void *bytes);
int32_t dm_index_from_image(const dm_rows *rows, const void *bytes, size_t size, dm_isa isa, size_t placement,
                            dm_memory *account, dm_index **index, char *error, size_t error_size);

#endif
