/* decay.h: decay from inside: a stretch of blocks, for the team's tasks and for the kernels. */
#ifndef DUALMEM_GRAPH_DECAY_H
#define DUALMEM_GRAPH_DECAY_H

#include <stdint.h>

#include "simd/decay.h"
#include "store/store.h"

typedef struct dm_decay_plan {
    dm_store *store;
    const dm_decay_variant *variant;
    dm_decay_amount amount;
    int32_t exclusive;
} dm_decay_plan;

/* Decays the bindings of blocks begin..end - 1. */
void dm_decay_blocks(const dm_decay_plan *plan, uint32_t begin, uint32_t end);

#endif
