/* ids.h: the hash table from 128-bit ids to slots.
 *
 * Open addressing over buckets of one cache line: three ids, their slots, and a control word with an 8-bit tag of each and
 * the number of entries that overflowed past this bucket. A look-up that hits costs one cache miss, where a table with its
 * tags apart (SwissTable, F14's 14-way chunks with values outside) costs two, one after the other; the price is a fuller
 * line for every miss. Overflow counts end a probe without tombstones (Amble & Knuth 1974 call the idea a
 * "pass bit"; a count allows removal). The capacity is fixed, so the table never grows while it is read.
 *
 * Look-ups are lock-free; insertion and removal are serialised by the store's lock. An entry is published by its tag.
 * Removal takes the tag away and leaves the rest. The one thing a reader must not miss is that a place is given to another
 * id while it looks at it: `version` grows before a place is filled, and a reader that sees it grown looks again. No reader
 * ever waits for a writer. */
#ifndef DUALMEM_STORE_IDS_H
#define DUALMEM_STORE_IDS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "dualmem/dualmem.h"
#include "store/memory.h"

enum { DM_BUCKET_ENTRIES = 3, DM_OVERFLOW_SHIFT = 24, DM_OVERFLOW_MAX = 255 };

typedef struct dm_bucket {
    _Atomic uint32_t control; /* byte i < 3: tag of entry i, 0 when it is empty; byte 3: overflow, stuck at 255 */
    _Atomic uint32_t slots[DM_BUCKET_ENTRIES];
    struct {
        _Atomic uint64_t low;
        _Atomic uint64_t high;
    } ids[DM_BUCKET_ENTRIES];
} dm_bucket;

_Static_assert(sizeof(dm_bucket) == DM_CACHE_LINE, "a bucket is a cache line");

typedef struct dm_ids {
    dm_bucket *buckets;
    uint64_t bucket_count;
    _Atomic uint64_t version;
} dm_ids;

/* 1, or 0 when there is no memory. */
int dm_ids_create(dm_ids *ids, uint64_t capacity, dm_memory *account, size_t placement);
void dm_ids_destroy(dm_ids *ids, dm_memory *account);

/* The caller holds the store's lock. The id is not in the table, and the table is not beyond its capacity. */
void dm_ids_insert(dm_ids *ids, dm_id id, uint32_t slot);
/* The caller holds the store's lock. The id is in the table. */
void dm_ids_remove(dm_ids *ids, dm_id id);

/* One 64 x 64 -> 128 bit multiplication, folded. The sum added beside it keeps the hash spread for the two words that make a
 * factor zero. The constants were chosen among a few so that counters, shifted counters and random ids alike fill the
 * buckets as evenly as a random function or better (tests/test_store.c); 0x9e37... in the last place did not. */
static inline uint64_t dm_id_hash(dm_id id) {
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)(id.low ^ UINT64_C(0x8ebc6af09c88c6e3)) * (id.high ^ UINT64_C(0x589965cc75374cc3));
    uint64_t folded = (uint64_t)product ^ (uint64_t)(product >> 64);
    return folded + (id.low + (id.high << 32 | id.high >> 32)) * UINT64_C(0xd6e8feb86659fd93);
}

/* The upper half of the hash, scaled to the number of buckets: any number will do, not only powers of two. */
static inline uint64_t dm_ids_home(const dm_ids *ids, uint64_t hash) {
    return ((hash >> 32) * ids->bucket_count) >> 32;
}

static inline uint32_t dm_id_tag(uint64_t hash) {
    return ((uint32_t)hash & 0xFF) | 0x80; /* never 0 */
}

/* One pass over the probe sequence. It ends at a bucket that nothing overflowed past, or where it began: removals can leave
 * every bucket with a count. */
static inline uint32_t dm_ids_probe(const dm_ids *ids, dm_id id, uint64_t hash) {
    uint32_t tags = dm_id_tag(hash) * UINT32_C(0x010101);
    uint64_t first = dm_ids_home(ids, hash);
    uint64_t home = first;
    for (;;) {
        const dm_bucket *bucket = &ids->buckets[home];
        uint32_t control = atomic_load_explicit(&bucket->control, memory_order_acquire);
        /* Bit 7 of each byte that equals the tag; a byte above a match may be set wrongly, the id decides. */
        uint32_t unequal = control ^ tags;
        uint32_t matches = (unequal - UINT32_C(0x010101)) & ~unequal & UINT32_C(0x808080);
        for (; matches != 0; matches &= matches - 1) {
            unsigned entry = (unsigned)__builtin_ctz(matches) / 8;
            uint64_t low = atomic_load_explicit(&bucket->ids[entry].low, memory_order_acquire);
            uint64_t high = atomic_load_explicit(&bucket->ids[entry].high, memory_order_acquire);
            if (((low ^ id.low) | (high ^ id.high)) == 0) {
                return atomic_load_explicit(&bucket->slots[entry], memory_order_acquire);
            }
        }
        if (control >> DM_OVERFLOW_SHIFT == 0) {
            return DM_SLOT_NONE;
        }
        home = home + 1 < ids->bucket_count ? home + 1 : 0;
        if (home == first) {
            return DM_SLOT_NONE;
        }
    }
}

static inline uint32_t dm_ids_find_hashed(const dm_ids *ids, dm_id id, uint64_t hash) {
    uint64_t version = atomic_load_explicit(&ids->version, memory_order_acquire);
    for (;;) {
        uint32_t slot = dm_ids_probe(ids, id, hash);
        uint64_t now = atomic_load_explicit(&ids->version, memory_order_acquire);
        if (now == version) {
            return slot;
        }
        version = now;
    }
}

static inline uint32_t dm_ids_find(const dm_ids *ids, dm_id id) {
    return dm_ids_find_hashed(ids, id, dm_id_hash(id));
}

#endif
