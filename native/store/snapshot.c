/* snapshot.c: what saving and loading share; see snapshot.h. */
#include "store/snapshot.h"

#include <string.h>

#include "store/memory.h"

#include "store/poison.h"

void dm_checksum_begin(dm_checksum *checksum) {
    checksum->variant = dm_crc32c_best();
    dm_crc32c_prepare(&checksum->tables);
}

const char *dm_snapshot_part_name(dm_snapshot_part part) {
    static const char *const names[DM_SNAPSHOT_PARTS] = {"the episodes", "the concepts", "the embeddings of episodes",
                                                         "the embeddings of concepts", "the associations", "the bindings"};
    return names[part];
}

static uint64_t record_size(dm_snapshot_part part, uint32_t dim) {
    switch (part) {
    case DM_SNAPSHOT_EPISODES:
    case DM_SNAPSHOT_CONCEPTS:
        return sizeof(dm_snapshot_node);
    case DM_SNAPSHOT_ASSOCIATIONS:
        return sizeof(dm_snapshot_association);
    case DM_SNAPSHOT_BINDINGS:
        return sizeof(dm_snapshot_binding);
    default:
        return ((uint64_t)dim + 15) / 16 * 16 * sizeof(float);
    }
}

static int is_rows(dm_snapshot_part part) {
    return part == DM_SNAPSHOT_EPISODE_ROWS || part == DM_SNAPSHOT_CONCEPT_ROWS;
}

void dm_snapshot_lay_out(dm_snapshot_header *header) {
    /* As in PNG: a high bit, line ends of both kinds and an end-of-file show a transfer that took the file for text. */
    static const unsigned char magic[8] = {0x89, 'D', 'M', 'S', '\r', '\n', 0x1A, '\n'};
    memcpy(header->magic, magic, sizeof(magic));
    header->version = DM_SNAPSHOT_VERSION;
    header->byte_order = DM_SNAPSHOT_BYTE_ORDER;
    header->section_count = DM_SNAPSHOT_PARTS;
    header->header_size = sizeof(*header);
    memset(header->reserved, 0, sizeof(header->reserved));
    uint64_t end = sizeof(*header);
    for (int part = 0; part < DM_SNAPSHOT_PARTS; part++) {
        dm_snapshot_section *section = &header->sections[part];
        section->part = (uint32_t)part;
        section->size = section->count * record_size((dm_snapshot_part)part, header->dim);
        int mappable = is_rows((dm_snapshot_part)part) && section->size >= DM_HUGE_PAGE;
        uint64_t alignment = mappable ? DM_SNAPSHOT_PAGE : DM_CACHE_LINE;
        section->offset = (end + alignment - 1) / alignment * alignment;
        end = section->offset + section->size;
    }
    header->file_size = end;
}

uint32_t dm_snapshot_header_crc(const dm_checksum *checksum, const dm_snapshot_header *header) {
    return checksum->variant->update(&checksum->tables, 0, header, offsetof(dm_snapshot_header, crc));
}
