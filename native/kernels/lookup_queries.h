/* lookup_queries.h: what the kernels of concept lookup have in common: queries that take turns in a shuffled order,
 * each once per pass, and what was found for each of them. */
#ifndef DUALMEM_KERNELS_LOOKUP_QUERIES_H
#define DUALMEM_KERNELS_LOOKUP_QUERIES_H

#include <stdint.h>

#include "index/exact.h"
#include "kernels/stored_case.h"

typedef struct dm_lookup_queries {
    dm_matrix values;
    uint32_t k;
    uint32_t next;        /* place in the order */
    uint32_t *order;      /* every query once */
    uint32_t *neighbours; /* k rows of case.data per query, in the order of the queries */
    uint32_t *compared;   /* rows, or their codes, compared per query; 0: not searched yet */
    uint32_t *rescored;   /* rows rescored per query */
} dm_lookup_queries;

/* FNV-1a, a row number at a time. */
#define DM_LOOKUP_CHECKSUM UINT64_C(0xcbf29ce484222325)

/* `account` is charged. DM_ERROR_MEMORY; what is there then is for dm_lookup_queries_destroy, which takes a zeroed
 * one too. */
int32_t dm_lookup_queries_create(const dm_case *work, uint32_t k, dm_memory *account, dm_lookup_queries *queries,
                                 char *error,
                                 size_t error_size);
void dm_lookup_queries_destroy(dm_lookup_queries *queries, dm_memory *account);

static inline uint32_t dm_lookup_queries_take(dm_lookup_queries *queries) {
    uint32_t query = queries->order[queries->next];
    queries->next = queries->next + 1 < queries->values.rows ? queries->next + 1 : 0;
    return query;
}

static inline const float *dm_lookup_queries_at(const dm_lookup_queries *queries, uint32_t query) {
    return queries->values.values + query * queries->values.stride;
}

/* Keeps the answer of one search. Returns the checksum with the neighbours, in their order, added. */
static inline uint64_t dm_lookup_queries_keep(dm_lookup_queries *queries, const dm_stored_case *stored, uint32_t query,
                                              const dm_neighbour *found, uint32_t count, uint64_t checksum) {
    uint32_t *rows = queries->neighbours + (size_t)query * queries->k;
    for (uint32_t i = 0; i < count; i++) {
        rows[i] = dm_stored_case_data_row(stored, found[i].row);
        checksum = (checksum ^ rows[i]) * UINT64_C(0x100000001b3);
    }
    return checksum;
}

/* Mean over all queries of one of the counts; NaN until each was searched once. Does not depend on how often. */
double dm_lookup_queries_mean(const dm_lookup_queries *queries, const uint32_t *counts);

/* As read_output of dm_kernel.h: the neighbours. */
int32_t dm_lookup_queries_read(const dm_lookup_queries *queries, double *values, size_t count, size_t *needed);

/* How many concepts a case asks for: parameter `concepts`, of which 0 means all. DM_ERROR_ARGUMENT: fewer than k. */
int32_t dm_lookup_concepts(const dm_case *work, double asked, uint32_t k, uint64_t *concepts, char *error,
                           size_t error_size);

/* Writes a new file. DM_ERROR_IO. */
int32_t dm_lookup_write_file(const char *path, const void *bytes, size_t size, char *error, size_t error_size);

#endif
