/* snapshot.h: the format of a snapshot, version 2; docs/reference/snapshot.md is its description for readers in other languages.
 *
 *   header | episodes | concepts | embeddings of episodes | embeddings of concepts | associations | bindings
 *
 * Every byte follows from the content: nodes in the order of their slots, associations in that of (type, lower slot, higher slot), bindings
 * in that of (concept, handle), gaps and reserved words zero, and nothing that can be computed again. An association stands here once,
 * a weight therefore too, so that a file cannot contradict itself. The places of the sections follow from their counts, so a loader does not
 * believe the table of sections but computes it and compares: sections cannot overlap, and no sum can overflow. */
#ifndef DUALMEM_STORE_SNAPSHOT_H
#define DUALMEM_STORE_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>

#include "dualmem/dualmem.h"
#include "simd/crc32c.h"

enum {
    DM_SNAPSHOT_VERSION = 2, /* 1: without associations; no release wrote it */
    DM_SNAPSHOT_BYTE_ORDER = 0x01020304,
    /* A large section of embeddings begins at a page, to be mapped; others at a cache line, to keep small files small. */
    DM_SNAPSHOT_PAGE = 4096,
    /* The bits of 1.0f: the numbers in [0, 1] are those with bits up to these. */
    DM_SNAPSHOT_ONE = 0x3F800000
};

typedef enum dm_snapshot_part {
    DM_SNAPSHOT_EPISODES = 0, /* dm_snapshot_node; of a single-type store: its nodes */
    DM_SNAPSHOT_CONCEPTS,     /* dm_snapshot_node */
    DM_SNAPSHOT_EPISODE_ROWS, /* rows of `stride` floats, in the order of the nodes */
    DM_SNAPSHOT_CONCEPT_ROWS,
    DM_SNAPSHOT_ASSOCIATIONS, /* dm_snapshot_association; last, as bindings, because their number is known when they are written */
    DM_SNAPSHOT_BINDINGS,     /* dm_snapshot_binding */
    DM_SNAPSHOT_PARTS
} dm_snapshot_part;

typedef struct dm_snapshot_section {
    uint32_t part; /* dm_snapshot_part */
    uint32_t crc;  /* CRC-32C of the section */
    uint64_t offset;
    uint64_t size; /* bytes */
    uint64_t count;
} dm_snapshot_section;

typedef struct dm_snapshot_header {
    unsigned char magic[8];
    uint32_t version;
    uint32_t byte_order;
    uint64_t file_size;
    uint32_t dim;
    uint32_t single_type;
    uint32_t concept_capacity; /* 0 in a single-type store */
    uint32_t episode_capacity; /* of a single-type store: nodes */
    uint32_t section_count;
    uint32_t header_size;
    dm_snapshot_section sections[DM_SNAPSHOT_PARTS];
    uint32_t reserved[3];
    uint32_t crc; /* CRC-32C of the header before it */
} dm_snapshot_header;

typedef struct dm_snapshot_node {
    uint64_t id_low;
    uint64_t id_high;
    uint64_t last_access_ns;
    uint32_t index;      /* of the slot within its type */
    uint32_t version;    /* < 2^31 */
    uint32_t activation; /* bits of a float in [0, 1], as the next two */
    uint32_t strength;   /* 0 for a concept */
    uint32_t coherence;  /* 0 for others than concepts, as the next */
    uint32_t member_count;
} dm_snapshot_node;

typedef struct dm_snapshot_association {
    uint32_t is_concept; /* 1: of two concepts, 0: of two episodes */
    uint32_t one;        /* index of the slot within the type */
    uint32_t other;      /* likewise; > one */
    uint32_t weight;     /* bits of a float in [0, 1] */
} dm_snapshot_association;

typedef struct dm_snapshot_binding {
    uint32_t handle;
    uint32_t concept_index;
    uint32_t episode_index;
    uint32_t strength; /* bits of a float in [0, 1] */
} dm_snapshot_binding;

_Static_assert(sizeof(dm_snapshot_section) == 32, "no padding");
_Static_assert(sizeof(dm_snapshot_header) == 256, "no padding");
_Static_assert(sizeof(dm_snapshot_node) == 48, "no padding");
_Static_assert(sizeof(dm_snapshot_association) == 16, "no padding");
_Static_assert(sizeof(dm_snapshot_binding) == 16, "no padding");

/* A checksum in the making. */
typedef struct dm_checksum {
    const dm_crc32c_variant *variant;
    dm_crc32c_tables tables;
} dm_checksum;

void dm_checksum_begin(dm_checksum *checksum);

/* "the concepts", for sentences. */
const char *dm_snapshot_part_name(dm_snapshot_part part);

/* The magic bytes, version, byte order, sizes and places of a header whose dim, kind, capacities and counts are set; its checksums are
 * left alone. The counts are at most 2^32 and dim at most DM_DIM_MAX, so no sum overflows. */
void dm_snapshot_lay_out(dm_snapshot_header *header);

uint32_t dm_snapshot_header_crc(const dm_checksum *checksum, const dm_snapshot_header *header);

#endif
