/* ids.c: filling and emptying the table of ids; see ids.h. */
#include "store/ids.h"

#include "store/poison.h"

/* Entries per bucket at full capacity. At 1.5 of 3 a hit looks at 1.09 buckets on average and the table takes 43 bytes per
 * node; at 1.8 it is 1.16 and 36. */
static const double MEAN_ENTRIES = 1.5;

int dm_ids_create(dm_ids *ids, uint64_t capacity, dm_memory *account, size_t placement) {
    /* At least two: with one, an overflow would come back to the bucket it left. */
    ids->bucket_count = (uint64_t)((double)capacity / MEAN_ENTRIES) + 2;
    atomic_init(&ids->version, 0);
    ids->buckets = dm_memory_allocate(account, ids->bucket_count * sizeof(dm_bucket), DM_CACHE_LINE, placement);
    return ids->buckets != NULL;
}

void dm_ids_destroy(dm_ids *ids, dm_memory *account) {
    dm_memory_free(account, ids->buckets);
    ids->buckets = NULL;
}

static uint32_t overflow_of(uint32_t control) {
    return control >> DM_OVERFLOW_SHIFT;
}

void dm_ids_insert(dm_ids *ids, dm_id id, uint32_t slot) {
    uint64_t hash = dm_id_hash(id);
    uint64_t home = dm_ids_home(ids, hash);
    /* Readers that began before take the place for what it was; this sends them back. */
    uint64_t version = atomic_load_explicit(&ids->version, memory_order_relaxed);
    atomic_store_explicit(&ids->version, version + 1, memory_order_release);
    for (;;) {
        dm_bucket *bucket = &ids->buckets[home];
        uint32_t control = atomic_load_explicit(&bucket->control, memory_order_relaxed);
        for (unsigned entry = 0; entry < DM_BUCKET_ENTRIES; entry++) {
            if ((control >> (8 * entry) & 0xFF) == 0) {
                /* Release: whoever sees one of these sees the version too. */
                atomic_store_explicit(&bucket->ids[entry].low, id.low, memory_order_release);
                atomic_store_explicit(&bucket->ids[entry].high, id.high, memory_order_release);
                atomic_store_explicit(&bucket->slots[entry], slot, memory_order_release);
                atomic_store_explicit(&bucket->control, control | dm_id_tag(hash) << (8 * entry), memory_order_release);
                return;
            }
        }
        if (overflow_of(control) < DM_OVERFLOW_MAX) {
            atomic_store_explicit(&bucket->control, control + (UINT32_C(1) << DM_OVERFLOW_SHIFT), memory_order_release);
        }
        home = home + 1 < ids->bucket_count ? home + 1 : 0;
    }
}

void dm_ids_remove(dm_ids *ids, dm_id id) {
    uint64_t hash = dm_id_hash(id);
    uint64_t home = dm_ids_home(ids, hash);
    for (;;) {
        dm_bucket *bucket = &ids->buckets[home];
        uint32_t control = atomic_load_explicit(&bucket->control, memory_order_relaxed);
        for (unsigned entry = 0; entry < DM_BUCKET_ENTRIES; entry++) {
            if ((control >> (8 * entry) & 0xFF) == dm_id_tag(hash) &&
                atomic_load_explicit(&bucket->ids[entry].low, memory_order_relaxed) == id.low &&
                atomic_load_explicit(&bucket->ids[entry].high, memory_order_relaxed) == id.high) {
                atomic_store_explicit(&bucket->control, control & ~(UINT32_C(0xFF) << (8 * entry)), memory_order_release);
                return;
            }
        }
        /* The entry lies further on, so it was counted here. A count that stuck at its maximum is not known any more. */
        if (overflow_of(control) < DM_OVERFLOW_MAX) {
            atomic_store_explicit(&bucket->control, control - (UINT32_C(1) << DM_OVERFLOW_SHIFT), memory_order_release);
        }
        home = home + 1 < ids->bucket_count ? home + 1 : 0;
    }
}
