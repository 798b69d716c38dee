/* snapshot_load.h: what the parts of loading share: checking the file (snapshot_load.c) and filling the store
 * (snapshot_fill.c, snapshot_fill_associations.c). */
#ifndef DUALMEM_STORE_SNAPSHOT_LOAD_H
#define DUALMEM_STORE_SNAPSHOT_LOAD_H

#include <stddef.h>
#include <stdint.h>

#include "store/snapshot.h"
#include "store/store.h"

typedef struct dm_loader {
    const char *path;
    int descriptor;
    const unsigned char *bytes; /* the file, mapped */
    uint64_t size;
    dm_load_options options; /* memory_limit is never 0 */
    dm_snapshot_header header;
    dm_store *store;
    char *error;
    size_t error_size;
} dm_loader;

static inline const void *dm_snapshot_records(const dm_loader *state, dm_snapshot_part part) {
    return state->bytes + state->header.sections[part].offset;
}

/* Refuses the file: "PATH: <the sentence>". DM_ERROR_CORRUPT. */
int32_t dm_refuse(const dm_loader *state, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Blocks of places that the bindings of the file reach into. Reads handles, believes nothing. */
uint64_t dm_snapshot_blocks(const dm_loader *state);

/* DM_ERROR_MEMORY when `bytes`, which the store takes at least, are beyond the limit. */
int32_t dm_snapshot_check_claim(const dm_loader *state, uint64_t bytes);

/* Fills the empty store of the loader with what the file says, and checks all of it. */
int32_t dm_snapshot_fill(dm_loader *state);

/* Its associations, once the nodes are there. Without any it stays a store that never had one. */
int32_t dm_snapshot_fill_associations(const dm_loader *state);

#endif
