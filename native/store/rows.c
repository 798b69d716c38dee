/* rows.c: where embeddings go and when their rows are used again; see rows.h. */
#include "store/rows.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "store/poison.h"

/* Rows beyond the capacity: replacing an embedding needs one, and so does adding a node while a removed one's row is still
 * held. One in sixteen, within bounds. */
static uint32_t spare_rows(uint32_t capacity) {
    uint32_t share = capacity / 16;
    return share < 2 ? 2 : share > 64 ? 64 : share;
}

int dm_rows_create(dm_rows_table *table, uint32_t dim, uint32_t capacity, dm_memory *embeddings, dm_memory *ids,
                   size_t placement) {
    table->dim = dim;
    table->stride = ((size_t)dim + 15) / 16 * 16;
    table->capacity = capacity;
    table->free_row = DM_ROW_NONE;
    table->retired_row = DM_ROW_NONE;
    table->free_index = DM_ROW_NONE;
    if (capacity == 0) {
        return 1;
    }
    uint32_t row_capacity = capacity + spare_rows(capacity);
    table->row_capacity = row_capacity;
    size_t word = sizeof(uint32_t);
    table->values =
        dm_memory_allocate(embeddings, row_capacity * table->stride * sizeof(float), DM_CACHE_LINE, placement);
    table->inverse_norms = dm_memory_allocate(embeddings, row_capacity * sizeof(float), DM_CACHE_LINE, placement);
    table->slots = dm_memory_allocate(embeddings, row_capacity * word, DM_CACHE_LINE, placement);
    table->references = dm_memory_allocate(embeddings, row_capacity * word, DM_CACHE_LINE, placement);
    table->rows = dm_memory_allocate(embeddings, capacity * word, DM_CACHE_LINE, placement);
    table->next_row = dm_memory_allocate(embeddings, row_capacity * word, DM_CACHE_LINE, placement);
    table->ids = dm_memory_allocate(ids, capacity * sizeof(dm_id), DM_CACHE_LINE, placement);
    table->next_index = dm_memory_allocate(ids, capacity * word, DM_CACHE_LINE, placement);
    if (table->values == NULL || table->inverse_norms == NULL || table->slots == NULL || table->references == NULL ||
        table->rows == NULL || table->next_row == NULL || table->ids == NULL || table->next_index == NULL) {
        return 0;
    }
    for (uint32_t index = 0; index < capacity; index++) {
        atomic_init(&table->rows[index], DM_ROW_NONE);
    }
    for (uint32_t row = 0; row < row_capacity; row++) {
        atomic_init(&table->slots[row], DM_SLOT_NONE);
    }
    return 1;
}

void dm_rows_destroy(dm_rows_table *table, dm_memory *embeddings, dm_memory *ids) {
    dm_memory_free(embeddings, table->values);
    dm_memory_free(embeddings, table->inverse_norms);
    dm_memory_free(embeddings, (void *)table->slots);
    dm_memory_free(embeddings, (void *)table->references);
    dm_memory_free(embeddings, (void *)table->rows);
    dm_memory_free(embeddings, table->next_row);
    dm_memory_free(ids, table->ids);
    dm_memory_free(ids, table->next_index);
}

uint32_t dm_rows_take_index(dm_rows_table *table) {
    if (table->free_index != DM_ROW_NONE) {
        uint32_t index = table->free_index;
        table->free_index = table->next_index[index];
        return index;
    }
    return table->index_count < table->capacity ? table->index_count++ : DM_ROW_NONE;
}

void dm_rows_give_index(dm_rows_table *table, uint32_t index) {
    table->next_index[index] = table->free_index;
    table->free_index = index;
}

/* Moves the retired rows that nobody holds to the free ones. */
static void reclaim(dm_rows_table *table) {
    uint32_t *link = &table->retired_row;
    while (*link != DM_ROW_NONE) {
        uint32_t row = *link;
        /* Pairs with the release of the last holder: its reads are over before the row is written. */
        if (atomic_load_explicit(&table->references[row], memory_order_seq_cst) != 0) {
            link = &table->next_row[row];
            continue;
        }
        *link = table->next_row[row];
        table->inverse_norms[row] = 0.0f;
        table->next_row[row] = table->free_row;
        table->free_row = row;
    }
}

static uint32_t take_row(dm_rows_table *table) {
    reclaim(table);
    if (table->free_row != DM_ROW_NONE) {
        uint32_t row = table->free_row;
        table->free_row = table->next_row[row];
        return row;
    }
    uint32_t count = atomic_load_explicit(&table->row_count, memory_order_relaxed);
    return count < table->row_capacity ? count : DM_ROW_NONE;
}

static void retire_row(dm_rows_table *table, uint32_t row) {
    atomic_store_explicit(&table->slots[row], DM_SLOT_NONE, memory_order_release);
    table->next_row[row] = table->retired_row;
    table->retired_row = row;
    reclaim(table);
}

static float inverse_norm(double squared_norm) {
    return squared_norm < (double)FLT_MIN ? 0.0f : (float)(1.0 / sqrt(squared_norm));
}

int dm_rows_set(dm_rows_table *table, uint32_t index, uint32_t slot, const float *values, double squared_norm) {
    uint32_t row = take_row(table);
    if (row == DM_ROW_NONE) {
        return 0;
    }
    memcpy(table->values + row * table->stride, values, table->dim * sizeof(float));
    table->inverse_norms[row] = inverse_norm(squared_norm);
    atomic_store_explicit(&table->slots[row], slot, memory_order_release);
    if (row == atomic_load_explicit(&table->row_count, memory_order_relaxed)) {
        atomic_store_explicit(&table->row_count, row + 1, memory_order_release);
    }
    uint32_t before = atomic_exchange_explicit(&table->rows[index], row, memory_order_seq_cst);
    atomic_fetch_add_explicit(&table->changes, 1, memory_order_release); /* after the change: who counts it sees it */
    if (before != DM_ROW_NONE) {
        retire_row(table, before);
    }
    return 1;
}

void dm_rows_clear(dm_rows_table *table, uint32_t index) {
    uint32_t before = atomic_exchange_explicit(&table->rows[index], DM_ROW_NONE, memory_order_seq_cst);
    atomic_fetch_add_explicit(&table->changes, 1, memory_order_release);
    if (before != DM_ROW_NONE) {
        retire_row(table, before);
    }
}

void dm_rows_restore(dm_rows_table *table, uint32_t row, uint32_t index, uint32_t slot, dm_id id, double squared_norm) {
    table->inverse_norms[row] = inverse_norm(squared_norm);
    table->ids[index] = id;
    atomic_store_explicit(&table->slots[row], slot, memory_order_relaxed);
    atomic_store_explicit(&table->rows[index], row, memory_order_relaxed);
}

void dm_rows_restored(dm_rows_table *table, uint32_t row_count, uint32_t index_count) {
    atomic_store_explicit(&table->row_count, row_count, memory_order_relaxed);
    table->live = row_count;
    table->index_count = index_count;
    for (uint32_t index = index_count; index-- > 0;) {
        if (dm_rows_find(table, index) == DM_ROW_NONE) {
            dm_rows_give_index(table, index);
        }
    }
}
