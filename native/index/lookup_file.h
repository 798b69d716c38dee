/* lookup_file.h: a lookup as a file beside a snapshot of its store: what saving and loading share.
 *
 *   header | for each type: slots by row, image of the index
 *
 * The file does not hold the embeddings; what it says is true of a store with the same ones only. So it has checksums
 * of ids and embeddings in the order of slots, which a snapshot keeps. It does not keep the numbers of rows: a store
 * that was loaded has its rows in the order of slots, whatever they were before. Where these are the rows of the image
 * it is used as it is. */
#ifndef DUALMEM_INDEX_LOOKUP_FILE_H
#define DUALMEM_INDEX_LOOKUP_FILE_H

#include "index/lookup_parts.h"
#include "store/snapshot.h"

enum { DM_LOOKUP_FILE_VERSION = 1, DM_LOOKUP_FILE_BYTE_ORDER = 0x01020304 };

typedef struct dm_lookup_file_side {
    uint64_t slots_at;
    uint64_t image_at;
    uint64_t image_size;     /* 0: no nodes */
    uint32_t row_capacity;   /* 0: the lookup is not for this type */
    uint32_t size;           /* nodes */
    uint32_t rows;           /* slots in the file: of rows below */
    uint32_t nodes_crc;      /* of slots and ids, in the order of slots */
    uint32_t values_crc;     /* of embeddings, likewise */
    uint32_t slots_crc;      /* of the slots by row; an image has its own */
    dm_lookup_choice choice; /* not always its plan: that of an exact index tells why it was chosen */
} dm_lookup_file_side;

typedef struct dm_lookup_file_header {
    unsigned char magic[8];
    uint32_t version;
    uint32_t byte_order;
    uint64_t file_size;
    uint64_t seed;
    double recall;
    uint32_t dim;
    uint32_t single_type;
    int32_t method;
    uint32_t types;
    uint32_t k;
    int32_t similarity; /* 0, cosine, in files of before it was one */
    dm_lookup_file_side sides[DM_LOOKUP_SIDES];
    uint32_t zero;
    uint32_t crc; /* CRC-32C of the header before it */
} dm_lookup_file_header;

_Static_assert(sizeof(dm_lookup_choice) == 328 && sizeof(dm_lookup_file_side) == 376 &&
                   sizeof(dm_lookup_file_header) == 824,
               "no padding");

/* The magic bytes, version and byte order, and the places of the sections, from the counts in the header. */
void dm_lookup_file_lay_out(dm_lookup_file_header *head);

static inline uint32_t dm_lookup_file_crc(const dm_checksum *checksum, uint32_t crc, const void *bytes, size_t size) {
    return checksum->variant->update(&checksum->tables, crc, bytes, size);
}

/* rows[index]: the row that is held for it, or DM_ROW_NONE. NULL: no memory. */
uint32_t *dm_lookup_file_rows(dm_lookup *lookup, const dm_lookup_side *side, const uint32_t *slots);
/* Of slots and ids; under the store's lock, and the held rows are those of now. */
uint32_t dm_lookup_file_crc_of_nodes(const dm_checksum *checksum, const dm_rows_table *table, const uint32_t *rows);
uint32_t dm_lookup_file_crc_of_values(const dm_checksum *checksum, const dm_rows_table *table, const uint32_t *rows);

#endif
