/* bindings.h: where the bindings live.
 *
 * A binding is a place in a block of eight that belongs to its concept; the place's number is its handle. Concept i owns
 * block i (so eight bindings without an allocation, and the block follows from the slot by arithmetic) and, beyond that,
 * blocks from a pool, chained. The strengths stand apart from the partners: an update by handle is one indexed access, and
 * decay will stream over strengths alone, with one factor per block, since a block has one concept.
 *
 *   strengths[binding]   bits of a float in [0, 1]; -0.0 marks a place without a binding, which survives scaling and
 *                        adds nothing to a sum, and tells a lock-free update that the binding is gone
 *   partners[binding]    slot of the episode; with the top bit set: no binding here, the rest links the concept's free places
 *   next[block], owner[block]   the chain, and the index of the concept
 *
 * The other direction is a list of handles per episode, dense, eight inline: entries 0..7 in block i, later ones in chained
 * blocks of which only the first behind the inline one may be partly filled. The concept of a handle is its block's owner.
 *
 * The arrays are reserved for the largest possible number and committed as they fill, so that nothing ever moves and a
 * reader that is overtaken by a change reads stale data, never unmapped memory. */
#ifndef DUALMEM_STORE_BINDINGS_H
#define DUALMEM_STORE_BINDINGS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "store/memory.h"

enum { DM_BLOCK_ENTRIES = 8 };

#define DM_BLOCK_NONE UINT32_MAX
#define DM_STRENGTH_HOLE UINT32_C(0x80000000)  /* bits of -0.0f */
#define DM_PARTNER_HOLE UINT32_C(0x80000000)   /* flag; episodes have slots below it */
#define DM_PARTNER_LAST UINT32_C(0xFFFFFFFF)   /* the last free place of a concept */

/* Blocks of one side: the first `inline_count` belong to the nodes, the rest to a pool. */
typedef struct dm_block_pool {
    uint32_t inline_count;
    uint32_t used;      /* blocks below have been used */
    uint32_t committed; /* blocks below have memory */
    uint32_t limit;
    uint32_t free_block; /* head of the list of free ones, through next[] */
} dm_block_pool;

typedef struct dm_bindings {
    _Atomic uint32_t *strengths;
    _Atomic uint32_t *partners;
    _Atomic uint32_t *next;  /* [block] */
    _Atomic uint32_t *owner; /* [block] */
    uint32_t *free_place;    /* [concept index] head of its free places, with DM_PARTNER_HOLE; under the concept's lock */
    _Atomic uint32_t *handles;      /* [episode block * 8 + entry] */
    _Atomic uint32_t *handles_next; /* [episode block] */
    dm_block_pool places_pool;
    dm_block_pool handles_pool;
    pthread_mutex_t pool_lock;
    _Atomic uint64_t count;
} dm_bindings;

/* 1, or 0 when there is no memory (then call destroy). Zero-initialised before. */
int dm_bindings_create(dm_bindings *bindings, uint32_t concept_capacity, uint32_t episode_capacity, dm_memory *account,
                       size_t placement);
void dm_bindings_destroy(dm_bindings *bindings, dm_memory *account);
/* Prepares the inline block of a concept that is being added. */
void dm_bindings_open_concept(dm_bindings *bindings, uint32_t concept_index);
/* For a snapshot, while nobody else uses the store: the first `blocks` places are in use, and what they hold is the caller's
 * business. 0: no memory, or more than there can be. */
int dm_bindings_use_places(dm_bindings *bindings, dm_memory *account, uint32_t blocks);

#endif
