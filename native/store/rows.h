/* rows.h: the embeddings of one type: rows, the map from slot to row, and the references that keep a row as it is.
 *
 * A row is written once, before it can be seen, and never again while anyone may look at it: replacing an embedding writes
 * another row and swings the map. So readers get a pointer, not a copy, and never see half an update. The old row is used
 * again when nobody holds it. Counting references per row was preferred to epochs: a reader that sleeps keeps one row, not
 * all that were retired since; the price is an atomic increment on the row's counter, contended only where many threads
 * read the same node. Scans take no references (dm_rows in dualmem.h says when that is allowed). */
#ifndef DUALMEM_STORE_ROWS_H
#define DUALMEM_STORE_ROWS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "dualmem/dualmem.h"
#include "store/memory.h"

#define DM_ROW_NONE UINT32_MAX

typedef struct dm_rows_table {
    float *values;
    size_t stride; /* floats */
    float *inverse_norms;
    _Atomic uint32_t *slots;      /* [row] the node, or DM_SLOT_NONE */
    _Atomic uint32_t *references; /* [row] */
    _Atomic uint32_t *rows;       /* [index] the row of a live node, or DM_ROW_NONE */
    dm_id *ids;                   /* [index]; under the store's lock */
    uint32_t *next_row;           /* [row] in the list of free or of retired rows */
    uint32_t *next_index;         /* [index] in the list of free indices */
    _Atomic uint32_t row_count;   /* rows below have been used */
    uint32_t index_count;         /* indices below have been used */
    uint32_t free_row;            /* heads of lists, DM_ROW_NONE at the end; under the store's lock */
    uint32_t retired_row;
    uint32_t free_index;
    uint32_t capacity; /* indices */
    uint32_t row_capacity;
    uint32_t dim;
    uint32_t live;
    _Atomic uint32_t changes; /* rows set and cleared, modulo 2^32: whoever derived something from the rows compares */
} dm_rows_table;

/* 1, or 0 when there is no memory (then call destroy). Zero-initialised before. */
int dm_rows_create(dm_rows_table *table, uint32_t dim, uint32_t capacity, dm_memory *embeddings, dm_memory *ids,
                   size_t placement);
void dm_rows_destroy(dm_rows_table *table, dm_memory *embeddings, dm_memory *ids);

/* The following four are called under the store's lock. */

/* An unused index, or DM_ROW_NONE when the capacity is reached. */
uint32_t dm_rows_take_index(dm_rows_table *table);
void dm_rows_give_index(dm_rows_table *table, uint32_t index);
/* Writes the embedding to an unused row and makes it the index's, retiring the one before. 0: every spare row is held. */
int dm_rows_set(dm_rows_table *table, uint32_t index, uint32_t slot, const float *values, double squared_norm);
/* The index has no row any more. */
void dm_rows_clear(dm_rows_table *table, uint32_t index);

/* For a snapshot, into an empty table: row `row`, whose values are in place, becomes that of `index`. */
void dm_rows_restore(dm_rows_table *table, uint32_t row, uint32_t index, uint32_t slot, dm_id id, double squared_norm);
/* Afterwards: rows below row_count and indices below index_count have been used; the free indices come in ascending order. */
void dm_rows_restored(dm_rows_table *table, uint32_t row_count, uint32_t index_count);

/* The row of an index, or DM_ROW_NONE: no node lives there. */
static inline uint32_t dm_rows_find(const dm_rows_table *table, uint32_t index) {
    return atomic_load_explicit(&table->rows[index], memory_order_acquire);
}

/* A reference to the row of an index, which is returned; DM_ROW_NONE: no node lives there. The order of the four accesses
 * (count, look at the map again; swing the map, look at the count) is sequentially consistent: one of the two sides sees
 * the other. */
static inline uint32_t dm_rows_acquire(const dm_rows_table *table, uint32_t index) {
    for (;;) {
        uint32_t row = atomic_load_explicit(&table->rows[index], memory_order_acquire);
        if (row == DM_ROW_NONE) {
            return DM_ROW_NONE;
        }
        atomic_fetch_add_explicit(&table->references[row], 1, memory_order_seq_cst);
        if (atomic_load_explicit(&table->rows[index], memory_order_seq_cst) == row) {
            return row;
        }
        atomic_fetch_sub_explicit(&table->references[row], 1, memory_order_release);
    }
}

/* One more reference to a row that the caller holds. */
static inline void dm_rows_hold(const dm_rows_table *table, uint32_t row) {
    atomic_fetch_add_explicit(&table->references[row], 1, memory_order_relaxed);
}

static inline void dm_rows_release(const dm_rows_table *table, uint32_t row) {
    atomic_fetch_sub_explicit(&table->references[row], 1, memory_order_release);
}

#endif
