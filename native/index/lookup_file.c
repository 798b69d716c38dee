/* lookup_file.c: see lookup_file.h. */
#include "index/lookup_file.h"

#include <string.h>

#include "store/poison.h"

static const unsigned char MAGIC[8] = {0x89, 'D', 'M', 'L', '\r', '\n', 0x1A, '\n'}; /* as a snapshot's */

static uint64_t align(uint64_t offset) {
    return (offset + DM_CACHE_LINE - 1) / DM_CACHE_LINE * DM_CACHE_LINE;
}

void dm_lookup_file_lay_out(dm_lookup_file_header *head) {
    memcpy(head->magic, MAGIC, sizeof(MAGIC));
    head->version = DM_LOOKUP_FILE_VERSION;
    head->byte_order = DM_LOOKUP_FILE_BYTE_ORDER;
    uint64_t end = align(sizeof(*head));
    for (int i = 0; i < DM_LOOKUP_SIDES; i++) {
        dm_lookup_file_side *side = &head->sides[i];
        side->slots_at = end;
        side->image_at = align(side->slots_at + side->rows * sizeof(uint32_t));
        end = align(side->image_at + side->image_size);
    }
    head->file_size = end;
}

uint32_t *dm_lookup_file_rows(dm_lookup *lookup, const dm_lookup_side *side, const uint32_t *slots) {
    const dm_rows_table *table = side->table;
    uint32_t *rows = dm_memory_allocate(&lookup->memory, table->capacity * sizeof(uint32_t), DM_CACHE_LINE, 0);
    if (rows != NULL) {
        memset(rows, 0xFF, table->capacity * sizeof(uint32_t));
        for (uint32_t row = 0; row < table->row_capacity; row++) {
            if (slots[row] != DM_SLOT_NONE) {
                rows[dm_slot_index(slots[row])] = row;
            }
        }
    }
    return rows;
}

uint32_t dm_lookup_file_crc_of_nodes(const dm_checksum *checksum, const dm_rows_table *table, const uint32_t *rows) {
    uint32_t crc = 0;
    for (uint32_t index = 0; index < table->capacity; index++) {
        if (rows[index] != DM_ROW_NONE) {
            const uint64_t words[3] = {index, table->ids[index].low, table->ids[index].high};
            crc = dm_lookup_file_crc(checksum, crc, words, sizeof(words));
        }
    }
    return crc;
}

uint32_t dm_lookup_file_crc_of_values(const dm_checksum *checksum, const dm_rows_table *table, const uint32_t *rows) {
    uint32_t crc = 0;
    for (uint32_t index = 0; index < table->capacity; index++) {
        if (rows[index] != DM_ROW_NONE) {
            crc = dm_lookup_file_crc(checksum, crc, table->values + rows[index] * table->stride,
                                     table->dim * sizeof(float));
        }
    }
    return crc;
}
