/* index.c: see index.h. Whatever the method, from making to searching; the choice is in plan.c. */
#include "index/index.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "index/index_parts.h"
#include "store/poison.h"

/* --- variants ----------------------------------------------------------------------------------------------------- */

const dm_exact_variant *dm_index_exact_variant(dm_isa most) {
    size_t best = dm_exact_variant_count - 1;
    while (dm_exact_variants[best].codes == NULL || dm_exact_variants[best].isa > most) {
        best--; /* ends at the latest at the scalar row with codes */
    }
    return &dm_exact_variants[best];
}

const dm_graph_variant *dm_index_graph_variant(dm_isa most) {
    size_t best = dm_graph_variant_count - 1;
    while (dm_graph_variants[best].isa > most) {
        best--; /* ends at the latest at the scalar row */
    }
    return &dm_graph_variants[best];
}

/* --- making ------------------------------------------------------------------------------------------------------- */

uint32_t dm_index_count_used(const dm_rows *rows) {
    uint32_t used = 0;
    for (uint32_t row = 0; row < rows->count; row++) {
        used += rows->slots[row] != DM_SLOT_NONE;
    }
    return used;
}

int32_t dm_index_make_exact(dm_index *index, const dm_rows *rows, size_t placement, dm_memory *account, char *error,
                            size_t error_size) {
    index->plan.method = DM_METHOD_EXACT;
    return dm_exact_create(dm_index_exact_variant(index->isa), rows, index->similarity, placement, account,
                           &index->exact, error, error_size);
}

static int32_t check_options(const dm_rows *rows, const dm_index_options *options, char *error, size_t error_size) {
    if (rows->count > DM_CAPACITY_MAX || rows->dim < 1 || rows->dim > DM_DIM_MAX) {
        snprintf(error, error_size, "an index takes 0 to %d rows of 1 to %d dimensions, not %u of %u",
                 (int)DM_CAPACITY_MAX, (int)DM_DIM_MAX, rows->count, rows->dim);
        return DM_ERROR_ARGUMENT;
    }
    if (options->method > DM_METHOD_GRAPH || options->k < 1 || options->k > DM_EXACT_K_MAX) {
        snprintf(error, error_size, "method %d or k %u is out of range; want 0 to %d and 1 to %d", (int)options->method,
                 options->k, (int)DM_METHOD_GRAPH, (int)DM_EXACT_K_MAX);
        return DM_ERROR_ARGUMENT;
    }
    if (!(options->recall >= 0.0 && options->recall <= 1.0)) {
        snprintf(error, error_size, "the recall asked for is %g; want a share from 0 to 1", options->recall);
        return DM_ERROR_ARGUMENT;
    }
    if (options->capacity < rows->count || options->capacity < 1 || options->capacity > DM_CAPACITY_MAX) {
        snprintf(error, error_size, "the capacity is %u; want %u, which are there, to %d", options->capacity,
                 rows->count,
                 (int)DM_CAPACITY_MAX);
        return DM_ERROR_ARGUMENT;
    }
    if (options->method == DM_METHOD_LISTS && options->similarity != DM_SIMILARITY_COSINE) {
        snprintf(error, error_size, "lists are for cosines; use auto, exact or graph for inner products");
        return DM_ERROR_ARGUMENT;
    }
    return DM_OK;
}

int32_t dm_index_create(const dm_rows *rows, const dm_index_options *options, dm_team *team, dm_memory *account,
                        dm_index **index, char *error, size_t error_size) {
    *index = NULL;
    int32_t status = check_options(rows, options, error, error_size);
    if (status != DM_OK) {
        return status;
    }
    dm_index *made = dm_memory_allocate(account, sizeof(*made), DM_CACHE_LINE, 0);
    if (made == NULL) {
        snprintf(error, error_size, "no memory for the head of an index of %u rows", rows->count);
        return DM_ERROR_MEMORY;
    }
    made->rows = *rows;
    made->used = dm_index_count_used(rows);
    made->isa = options->isa;
    made->similarity = options->similarity;
    status = dm_plan_make(made, options, team, account, error, error_size);
    if (status != DM_OK) {
        dm_index_destroy(made, account);
        return status;
    }
    *index = made;
    return DM_OK;
}

int32_t dm_index_follow(const dm_index *before, const dm_rows *rows, dm_team *team, dm_memory *account,
                        dm_index **index, char *error, size_t error_size) {
    dm_lists *lists = NULL;
    *index = NULL;
    int32_t status = before->lists == NULL ? DM_OK
                                           : dm_lists_follow(before->lists, rows, before->isa, team, account, &lists,
                                                             error, error_size);
    if (lists == NULL) {
        return status;
    }
    dm_index *made = dm_memory_allocate(account, sizeof(*made), DM_CACHE_LINE, 0);
    if (made == NULL) {
        dm_lists_destroy(lists, account);
        snprintf(error, error_size, "no memory for the head of an index of %u rows", rows->count);
        return DM_ERROR_MEMORY;
    }
    *made = *before;
    made->rows = *rows;
    made->used = dm_index_count_used(rows);
    made->lists = lists;
    *index = made;
    return DM_OK;
}

int32_t dm_index_renumber(dm_index *index, const dm_rows *rows, const uint32_t *map, dm_memory *account, char *error,
                          size_t error_size) {
    int32_t status = DM_OK;
    if (index->graph != NULL) {
        status = dm_graph_renumber(&index->graph, dm_index_graph_variant(index->isa), rows, map, account, error,
                                   error_size);
    } else if (index->lists != NULL) {
        dm_lists_renumber(index->lists, rows, map);
    } else {
        snprintf(error, error_size, "an exact index is made of its rows; make it anew");
        status = DM_ERROR_ARGUMENT;
    }
    if (status == DM_OK) {
        index->rows = *rows;
    }
    return status;
}

void dm_index_empty(dm_index *index, dm_memory *account) {
    dm_exact_destroy(index->exact, account);
    dm_lists_destroy(index->lists, account);
    dm_graph_destroy(index->graph, account);
    index->exact = NULL;
    index->lists = NULL;
    index->graph = NULL;
}

void dm_index_destroy(dm_index *index, dm_memory *account) {
    if (index != NULL) {
        dm_index_empty(index, account);
        dm_memory_free(account, index);
    }
}

const dm_plan *dm_index_plan(const dm_index *index) {
    return &index->plan;
}

dm_similarity dm_index_similarity(const dm_index *index) {
    return index->similarity;
}

/* --- scratch ------------------------------------------------------------------------------------------------------ */

static int32_t make_scratch(dm_index *index, dm_index_scratch *made, dm_memory *account, char *error,
                            size_t error_size) {
    switch (index->plan.method) {
    case DM_METHOD_GRAPH:
        return dm_graph_scratch_create(index->graph, account, &made->graph, error, error_size);
    case DM_METHOD_LISTS:
        return dm_lists_scratch_create(index->lists, account, &made->lists, error, error_size);
    default:
        return dm_exact_scratch_create(index->exact, account, &made->exact, error, error_size);
    }
}

int32_t dm_index_scratch_create(dm_index *index, dm_memory *account, dm_index_scratch **scratch, char *error,
                                size_t error_size) {
    *scratch = NULL;
    dm_index_scratch *made = dm_memory_allocate(account, sizeof(*made), DM_CACHE_LINE, 0);
    if (made == NULL) {
        snprintf(error, error_size, "no memory for the scratch of an index of %u rows", index->rows.count);
        return DM_ERROR_MEMORY;
    }
    int32_t status = make_scratch(index, made, account, error, error_size);
    if (status != DM_OK) {
        dm_memory_free(account, made);
        return status;
    }
    *scratch = made;
    return DM_OK;
}

void dm_index_scratch_destroy(dm_index_scratch *scratch, dm_memory *account) {
    if (scratch != NULL) {
        dm_exact_scratch_destroy(scratch->exact, account);
        dm_lists_scratch_destroy(scratch->lists, account);
        dm_graph_scratch_destroy(scratch->graph, account);
        dm_memory_free(account, scratch);
    }
}

/* --- searching ---------------------------------------------------------------------------------------------------- */

static inline uint32_t search(const dm_index *index, dm_index_scratch *scratch, const float *query, uint32_t k,
                              uint32_t effort, dm_neighbour *neighbours) {
    uint32_t found = 0;
    if (index->graph != NULL) {
        found = dm_graph_search(index->graph, scratch->graph, query, k, effort, neighbours);
        scratch->compared = dm_graph_compared(scratch->graph);
        scratch->rescored = dm_graph_rescored(scratch->graph);
    } else if (index->lists != NULL) {
        found = dm_lists_search(index->lists, scratch->lists, query, k, effort, neighbours);
        scratch->compared = dm_lists_compared(scratch->lists) + dm_lists_count(index->lists); /* and the centres */
        scratch->rescored = dm_lists_rescored(scratch->lists);
    } else if (index->used > 0) {
        found = dm_exact_search(index->exact, scratch->exact, query, k, neighbours);
        scratch->compared = index->rows.count;
        scratch->rescored = dm_exact_rescored(scratch->exact);
    }
    return found;
}

uint32_t dm_index_search(const dm_index *index, dm_index_scratch *scratch, const float *query, uint32_t k,
                         dm_neighbour *neighbours) {
    return search(index, scratch, query, k, index->plan.effort, neighbours);
}

uint32_t dm_index_search_at(const dm_index *index, dm_index_scratch *scratch, const float *query, uint32_t k,
                            uint32_t effort, dm_neighbour *neighbours) {
    return search(index, scratch, query, k, effort, neighbours);
}

uint32_t dm_index_compared(const dm_index_scratch *scratch) {
    return scratch->compared;
}

uint32_t dm_index_rescored(const dm_index_scratch *scratch) {
    return scratch->rescored;
}

/* --- changing ----------------------------------------------------------------------------------------------------- */

int dm_index_can_change(const dm_index *index) {
    return index->graph != NULL;
}

static int32_t refuse_change(char *error, size_t error_size) {
    snprintf(error, error_size, "only a graph takes changes; make a new index of the rows as they are now");
    return DM_ERROR_ARGUMENT;
}

int32_t dm_index_insert(dm_index *index, dm_index_scratch *scratch, uint32_t row, char *error, size_t error_size) {
    return dm_index_can_change(index) ? dm_graph_insert(index->graph, scratch->graph, row, error, error_size)
                                      : refuse_change(error, error_size);
}

int32_t dm_index_remove(dm_index *index, dm_index_scratch *scratch, uint32_t row, char *error, size_t error_size) {
    return dm_index_can_change(index) ? dm_graph_remove(index->graph, scratch->graph, row, error, error_size)
                                      : refuse_change(error, error_size);
}

int dm_index_is_free(dm_index *index, dm_index_scratch *scratch, uint32_t row) {
    return dm_index_can_change(index) && dm_graph_is_free(index->graph, scratch->graph, row);
}
