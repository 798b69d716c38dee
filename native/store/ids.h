/* ids.h: the hash table from 128-bit ids to slots.
 *
 * Open addressing over buckets of one cache line: three ids, their slots, and how many entries overflowed past this bucket.
 * A look-up that hits costs one cache miss, where a table with its tags or its values apart (SwissTable, F14) costs two, one
 * after the other. With whole ids at hand tags would gain nothing: comparing a word of each is no slower than
 * making a tag and searching for it. Overflow counts end a probe without tombstones. The capacity is fixed, so the table never
 * grows while it is read.
 *
 * Look-ups are lock-free; insertion and removal are serialised by the store's lock. An entry is published by its slot, and
 * taken away by it. The one thing a reader must not miss is that a place is given to another id while it looks at it:
 * `version` grows before a place is filled, and a reader that sees it grown looks again. No reader ever waits for a
 * writer. */
#ifndef DUALMEM_STORE_IDS_H
#define DUALMEM_STORE_IDS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "dualmem/dualmem.h"
#include "store/memory.h"

enum { DM_BUCKET_ENTRIES = 3 };

typedef struct dm_bucket {
    _Atomic uint32_t overflow;                 /* entries at home here or before that lie further on */
    _Atomic uint32_t taken[DM_BUCKET_ENTRIES]; /* slot + 1, so that 0 is empty and 0 - 1 is DM_SLOT_NONE */
    struct {
        _Atomic uint64_t low;
        _Atomic uint64_t high;
    } ids[DM_BUCKET_ENTRIES];
} dm_bucket;

_Static_assert(sizeof(dm_bucket) == DM_CACHE_LINE, "a bucket is a cache line");

typedef struct dm_ids {
    dm_bucket *buckets;
    uint64_t bucket_count; /* a power of two, 2..2^32 */
    unsigned shift;        /* of a hash, to get a bucket's offset in bytes with the six lowest bits to spare */
    _Atomic uint64_t version;
} dm_ids;

/* 1, or 0 when there is no memory. */
int dm_ids_create(dm_ids *ids, uint64_t capacity, dm_memory *account, size_t placement);
void dm_ids_destroy(dm_ids *ids, dm_memory *account);

/* The caller holds the store's lock. The id is not in the table, and the table is not beyond its capacity. */
void dm_ids_insert(dm_ids *ids, dm_id id, uint32_t slot);
/* The caller holds the store's lock. The id is in the table. */
void dm_ids_remove(dm_ids *ids, dm_id id);

/* Multiply-add-shift (Dietzfelbinger et al. 1997): two multiplications side by side, of which the upper bits count. A folded
 * 128-bit product spreads no better over the families of ids in tests/test_store.c, takes more instructions, and has two words that
 * make it zero. It is not keyed: whoever may choose ids freely can make look-ups slow, never wrong. */
static inline uint64_t dm_id_hash(dm_id id) {
    return id.low * UINT64_C(0x9fb21c651e98df25) + id.high * UINT64_C(0xd6e8feb86659fd93);
}

/* The home bucket. Powers of two cost up to twice the memory of a number scaled by multiplication, and save its latency. */
static inline dm_bucket *dm_ids_home(const dm_ids *ids, uint64_t hash) {
    uint64_t offset = hash >> ids->shift & ~(uint64_t)(sizeof(dm_bucket) - 1);
    return (dm_bucket *)(void *)((char *)ids->buckets + offset);
}

/* ids.c: the whole probe, for ids that are not the first of their kind in their home bucket, or not there at all. */
uint32_t dm_ids_find_beyond(const dm_ids *ids, dm_id id, uint64_t hash);

/* The common case, straight through: at home, and nothing filled a place meanwhile. */
static inline uint32_t dm_ids_find_hashed(const dm_ids *ids, dm_id id, uint64_t hash) {
    uint64_t version = atomic_load_explicit(&ids->version, memory_order_acquire);
    const dm_bucket *bucket = dm_ids_home(ids, hash);
    /* A guess at the entry, as arithmetic: written as a choice it becomes a branch that is mispredicted every third time. */
    unsigned second = atomic_load_explicit(&bucket->ids[1].low, memory_order_relaxed) == id.low;
    unsigned third = atomic_load_explicit(&bucket->ids[2].low, memory_order_relaxed) == id.low;
    unsigned entry = (second & ~third) | third << 1;
    /* The slot before the id: who sees a new slot sees its id. */
    uint32_t taken = atomic_load_explicit(&bucket->taken[entry], memory_order_acquire);
    uint64_t low = atomic_load_explicit(&bucket->ids[entry].low, memory_order_acquire);
    uint64_t high = atomic_load_explicit(&bucket->ids[entry].high, memory_order_acquire);
    uint64_t now = atomic_load_explicit(&ids->version, memory_order_relaxed);
    if (__builtin_expect(((low ^ id.low) | (high ^ id.high) | (now ^ version)) == 0 && taken != 0, 1)) {
        return taken - 1;
    }
    return dm_ids_find_beyond(ids, id, hash);
}

static inline uint32_t dm_ids_find(const dm_ids *ids, dm_id id) {
    return dm_ids_find_hashed(ids, id, dm_id_hash(id));
}

#endif
