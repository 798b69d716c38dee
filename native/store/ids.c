/* ids.c: the table of ids away from its common case; see ids.h. */
#include "store/ids.h"

#include "store/poison.h"

int dm_ids_create(dm_ids *ids, uint64_t capacity, dm_memory *account, size_t placement) {
    /* 0.75 to 1.5 entries per bucket of three at full capacity, so 43 to 85 bytes per node; a hit looks at 1.09 buckets at
     * most, on average. At least two buckets, for an overflow to go somewhere. */
    uint64_t buckets = 2;
    while (buckets * 3 < capacity * 2) {
        buckets *= 2;
    }
    ids->bucket_count = buckets;
    ids->shift = 64 - (unsigned)__builtin_ctzll(buckets * sizeof(dm_bucket));
    atomic_init(&ids->version, 0);
    ids->buckets = dm_memory_allocate(account, buckets * sizeof(dm_bucket), DM_CACHE_LINE, placement);
    return ids->buckets != NULL;
}

void dm_ids_destroy(dm_ids *ids, dm_memory *account) {
    dm_memory_free(account, ids->buckets);
    ids->buckets = NULL;
}

static dm_bucket *following(const dm_ids *ids, const dm_bucket *bucket) {
    return &ids->buckets[((uint64_t)(bucket - ids->buckets) + 1) & (ids->bucket_count - 1)];
}

/* --- looking up ---------------------------------------------------------------------------------------------------- */

/* One pass over the probe sequence. It ends at a bucket that nothing overflowed past, or where it began: removals can leave
 * every bucket with a count. */
static uint32_t probe(const dm_ids *ids, dm_id id, const dm_bucket *home) {
    const dm_bucket *bucket = home;
    do {
        for (unsigned entry = 0; entry < DM_BUCKET_ENTRIES; entry++) {
            uint32_t taken = atomic_load_explicit(&bucket->taken[entry], memory_order_acquire);
            uint64_t low = atomic_load_explicit(&bucket->ids[entry].low, memory_order_acquire);
            uint64_t high = atomic_load_explicit(&bucket->ids[entry].high, memory_order_acquire);
            if (taken != 0 && low == id.low && high == id.high) {
                return taken - 1;
            }
        }
        if (atomic_load_explicit(&bucket->overflow, memory_order_acquire) == 0) {
            return DM_SLOT_NONE;
        }
        bucket = following(ids, bucket);
    } while (bucket != home);
    return DM_SLOT_NONE;
}

uint32_t dm_ids_find_beyond(const dm_ids *ids, dm_id id, uint64_t hash) {
    uint64_t version = atomic_load_explicit(&ids->version, memory_order_acquire);
    for (;;) {
        uint32_t slot = probe(ids, id, dm_ids_home(ids, hash));
        uint64_t now = atomic_load_explicit(&ids->version, memory_order_acquire);
        if (now == version) {
            return slot;
        }
        version = now;
    }
}

/* --- filling and emptying ------------------------------------------------------------------------------------------- */

void dm_ids_insert(dm_ids *ids, dm_id id, uint32_t slot) {
    dm_bucket *bucket = dm_ids_home(ids, dm_id_hash(id));
    /* Readers that began before take the place for what it was; this sends them back. */
    uint64_t version = atomic_load_explicit(&ids->version, memory_order_relaxed);
    atomic_store_explicit(&ids->version, version + 1, memory_order_release);
    for (;; bucket = following(ids, bucket)) {
        for (unsigned entry = 0; entry < DM_BUCKET_ENTRIES; entry++) {
            if (atomic_load_explicit(&bucket->taken[entry], memory_order_relaxed) == 0) {
                /* Release: whoever sees one of these sees the version too. */
                atomic_store_explicit(&bucket->ids[entry].low, id.low, memory_order_release);
                atomic_store_explicit(&bucket->ids[entry].high, id.high, memory_order_release);
                atomic_store_explicit(&bucket->taken[entry], slot + 1, memory_order_release);
                return;
            }
        }
        atomic_fetch_add_explicit(&bucket->overflow, 1, memory_order_release);
    }
}

void dm_ids_remove(dm_ids *ids, dm_id id) {
    dm_bucket *bucket = dm_ids_home(ids, dm_id_hash(id));
    for (;; bucket = following(ids, bucket)) {
        for (unsigned entry = 0; entry < DM_BUCKET_ENTRIES; entry++) {
            if (atomic_load_explicit(&bucket->taken[entry], memory_order_relaxed) != 0 &&
                atomic_load_explicit(&bucket->ids[entry].low, memory_order_relaxed) == id.low &&
                atomic_load_explicit(&bucket->ids[entry].high, memory_order_relaxed) == id.high) {
                atomic_store_explicit(&bucket->taken[entry], 0, memory_order_release);
                return;
            }
        }
        /* The entry lies further on, so it was counted here. */
        atomic_fetch_sub_explicit(&bucket->overflow, 1, memory_order_release);
    }
}
