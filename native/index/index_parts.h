/* index_parts.h: the index from inside, for index*.c and plan*.c.
 *
 * A trial of the planner is an index like any other, over some of the rows: it is searched by the same function. */
#ifndef DUALMEM_INDEX_INDEX_PARTS_H
#define DUALMEM_INDEX_INDEX_PARTS_H

#include "index/exact.h"
#include "index/graph.h"
#include "index/index.h"
#include "index/lists.h"
#include "parallel/team.h"

/* One of the three, by plan.method. */
struct dm_index {
    dm_rows rows;
    uint32_t used; /* rows in use when it was made */
    dm_isa isa;
    dm_similarity similarity;
    dm_plan plan;
    dm_exact *exact;
    dm_lists *lists;
    dm_graph *graph;
};

struct dm_index_scratch {
    dm_exact_scratch *exact;
    dm_lists_scratch *lists;
    dm_graph_scratch *graph;
    uint32_t compared; /* of the last search */
    uint32_t rescored;
};

/* index.c: the best variants up to that instruction set; the exact one scans codes. */
const dm_exact_variant *dm_index_exact_variant(dm_isa most);
const dm_graph_variant *dm_index_graph_variant(dm_isa most);

/* index.c: an exact index of the rows in use among these. */
int32_t dm_index_make_exact(dm_index *index, const dm_rows *rows, size_t placement, dm_memory *account, char *error,
                            size_t error_size);

/* index.c: frees what an index holds, not the index. */
void dm_index_empty(dm_index *index, dm_memory *account);

/* index.c: dm_index_search with another effort than the plan's. */
uint32_t dm_index_search_at(const dm_index *index, dm_index_scratch *scratch, const float *query, uint32_t k,
                            uint32_t effort, dm_neighbour *neighbours);

/* index.c: rows in use. */
uint32_t dm_index_count_used(const dm_rows *rows);

/* plan.c: chooses the method and makes the index by it; fills index->plan. On failure the index may hold something. */
int32_t dm_plan_make(dm_index *index, const dm_index_options *options, dm_team *team, dm_memory *account, char *error,
                     size_t error_size);

#endif
