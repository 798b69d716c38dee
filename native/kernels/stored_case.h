/* stored_case.h: a case's data as a store of centroids and episodes, and its single-type twin.
 *
 * The dual store holds the first `concept_count` rows of the data as concepts and as many episodes; the single-type
 * store holds the same vectors in the same order as nodes of no type. What is searched is the same in both: the rows
 * that are concepts in the dual store. So the two do the same work on the same bytes, and what differs is the store. */
#ifndef DUALMEM_KERNELS_STORED_CASE_H
#define DUALMEM_KERNELS_STORED_CASE_H

#include <stddef.h>
#include <stdint.h>

#include "dualmem/dm_kernel.h"
#include "dualmem/dualmem.h"
#include "store/memory.h"

enum { DM_STORED_DUAL = 0, DM_STORED_SINGLE = 1 };

typedef struct dm_stored_case {
    dm_store *store;
    dm_rows rows;       /* the centroids: concept_count rows */
    uint32_t *data_row; /* by dm_slot_index of a centroid's slot: its row in case.data */
    uint32_t population; /* nodes in the store */
} dm_stored_case;

/* Episodes are the rows behind the centroids; where the data ends, earlier rows again, each component moved by up to 5
 * % of itself (seeded), so that they are not the same vectors twice. `account` is charged for what is not the store's
 * own. On failure nothing is left behind. DM_ERROR_ARGUMENT: fewer rows than centroids, no queries, or queries of
 * another dimension. Errors of the store. DM_ERROR_CORRUPT: NaN or infinity in the queries. */
int32_t dm_stored_case_create(const dm_case *work, uint64_t concept_count, int32_t kind, dm_memory *account,
                              dm_stored_case *stored, char *error, size_t error_size);

/* Accepts a zeroed one. */
void dm_stored_case_destroy(dm_stored_case *stored, dm_memory *account);

/* The row of case.data that is row `row` of stored->rows. */
static inline uint32_t dm_stored_case_data_row(const dm_stored_case *stored, uint32_t row) {
    return stored->data_row[dm_slot_index(stored->rows.slots[row])];
}

/* splitmix64 (Steele, Lea & Flood 2014): the next number of the sequence whose state is *state. */
uint64_t dm_stored_case_random(uint64_t *state);

/* 0..count - 1 in a random order: Fisher & Yates's shuffle, as Knuth gives it (The Art of Computer Programming, volume
 * 2, 3.4.2, algorithm P). */
void dm_stored_case_shuffle(uint32_t *order, uint32_t count, uint64_t seed);

#endif
