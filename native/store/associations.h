/* associations.h: where the associations live: weighted edges between two concepts or between two episodes.
 *
 * Each of the two nodes lists the other, so that spreading reads one list and nothing else. An entry is one word of 64 bits,
 * the weight above and the partner below: eight of them fill a cache line, and no reader takes the partner of one and the
 * weight of another. The price is that a weight stands twice; both are written under both locks.
 *
 *   heads[slot]       number of entries and first block of a node; by slot, with the gap of all such arrays
 *   entries[block*8]  bits of the weight << 32 | slot of the partner
 *   next[block]       the chain; all blocks but the first are full
 *
 * Nothing of this exists before the first association: a store without any has neither the memory nor the address space.
 * Then the heads get their memory, and blocks as they come. The arrays never move. */
#ifndef DUALMEM_STORE_ASSOCIATIONS_H
#define DUALMEM_STORE_ASSOCIATIONS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "dualmem/dualmem.h"
#include "store/memory.h"

typedef struct dm_association_head {
    _Atomic uint32_t count;
    _Atomic uint32_t block; /* when count > 0 */
} dm_association_head;

typedef struct dm_associations {
    dm_association_head *heads;
    _Atomic uint64_t *entries;
    _Atomic uint32_t *next;
    _Atomic uint32_t ready; /* 1: the arrays are there, for good */

    uint32_t used;       /* blocks below have been used; this and what follows under the lock */
    uint32_t committed;  /* blocks below have memory */
    uint32_t limit;
    uint32_t free_block; /* head of the list of free ones, through next[] */
    pthread_mutex_t lock; /* the last of all locks */
    _Atomic uint64_t count;
} dm_associations;

/* Zero-initialised before. */
void dm_associations_create(dm_associations *associations);
void dm_associations_destroy(dm_associations *associations, dm_memory *account);

/* The head of a node, or NULL as long as the store has had no association. */
static inline const dm_association_head *dm_association_head_of(const dm_associations *associations, uint32_t slot) {
    return atomic_load_explicit(&associations->ready, memory_order_acquire) ? associations->heads + slot : NULL;
}

/* How many associations the node has. */
static inline uint32_t dm_association_count(const dm_associations *associations, uint32_t slot) {
    const dm_association_head *head = dm_association_head_of(associations, slot);
    return head == NULL ? 0 : atomic_load_explicit(&head->count, memory_order_acquire);
}

/* associations.c: writes up to `capacity` of the node's `count` associations; for a reader that took the node's version before,
 * then the count, and compares the version afterwards. */
void dm_list_associations(const dm_store *store, uint32_t slot, uint32_t version, uint32_t count, dm_edge *edges,
                          uint32_t capacity);

/* associations.c: removes all associations of a node that no new ones can come to. */
void dm_store_dissociate_all(dm_store *store, uint32_t slot);

/* For a snapshot, while nobody else uses the store: associates two nodes that are known not to be associated, without a search, a
 * change of version or a lock of a node. 0: no memory, and the store can only be destroyed. */
int dm_associations_restore(dm_store *store, uint32_t slot, uint32_t other, float weight);

#endif
