/* statistics.c: readers, each of which counts one thread's look-ups in a cache line of its own.
 *
 * The alternative, counters striped by thread inside the store, needs to know the calling thread: thread-local storage
 * of a shared library is a function call away, where the read itself is one load. So the caller holds
 * its counters. */
#include "store/store.h"

#include "store/poison.h"

/* Written by one thread, read by whoever asks for the statistics: atomic, but never read-modify-write. */
struct dm_reader {
    dm_store *store;
    dm_reader *next;
    _Atomic uint64_t fan_hits;
    _Atomic uint64_t fan_misses;
    _Atomic uint64_t centroid_hits;
    _Atomic uint64_t centroid_misses;
    int in_use; /* under the store's lock */
};

static void count(_Atomic uint64_t *hits, _Atomic uint64_t *misses, int hit) {
    _Atomic uint64_t *counter = hit ? hits : misses;
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1, memory_order_relaxed);
}

int32_t dm_store_reader_create(dm_store *store, dm_reader **reader, char *error, size_t error_size) {
    (void)pthread_mutex_lock(&store->lock);
    dm_reader *found = store->readers;
    while (found != NULL && found->in_use) {
        found = found->next;
    }
    if (found == NULL) {
        /* Two lines: neighbouring lines are fetched in pairs, so one alone would still be shared. */
        found = dm_memory_allocate(&store->self_memory, 2 * DM_CACHE_LINE, 2 * DM_CACHE_LINE, 0);
        if (found != NULL) {
            found->store = store;
            found->next = store->readers;
            store->readers = found;
        }
    }
    if (found != NULL) {
        found->in_use = 1;
    }
    (void)pthread_mutex_unlock(&store->lock);
    *reader = found;
    return found != NULL ? DM_OK : dm_fail(DM_ERROR_MEMORY, error, error_size, "no memory for a reader's counters");
}

_Static_assert(sizeof(dm_reader) <= (size_t)2 * DM_CACHE_LINE, "a reader fits the room made for it");

void dm_store_reader_release(dm_store *store, dm_reader *reader) {
    if (reader != NULL) {
        (void)pthread_mutex_lock(&store->lock);
        reader->in_use = 0;
        (void)pthread_mutex_unlock(&store->lock);
    }
}

void dm_store_free_readers(dm_store *store) {
    while (store->readers != NULL) {
        dm_reader *reader = store->readers;
        store->readers = reader->next;
        dm_memory_free(&store->self_memory, reader);
    }
}

static uint64_t read_counter(const _Atomic uint64_t *counter) {
    return atomic_load_explicit(counter, memory_order_relaxed);
}

dm_statistics dm_store_statistics(dm_store *store) {
    dm_statistics sum = {0};
    (void)pthread_mutex_lock(&store->lock);
    for (const dm_reader *reader = store->readers; reader != NULL; reader = reader->next) {
        sum.fan_hits += read_counter(&reader->fan_hits);
        sum.fan_misses += read_counter(&reader->fan_misses);
        sum.centroid_hits += read_counter(&reader->centroid_hits);
        sum.centroid_misses += read_counter(&reader->centroid_misses);
    }
    sum.entries = store->concepts.live;
    (void)pthread_mutex_unlock(&store->lock);
    uint64_t hits = sum.fan_hits + sum.centroid_hits;
    uint64_t all = hits + sum.fan_misses + sum.centroid_misses;
    sum.hit_rate = all == 0 ? 0.0 : (double)hits / (double)all;
    return sum;
}

uint32_t dm_reader_fan(dm_reader *reader, uint32_t slot) {
    int live = dm_is_live_inline(reader->store, slot);
    count(&reader->fan_hits, &reader->fan_misses, live);
    return dm_store_fan(reader->store, slot);
}

int dm_reader_fan_by_id(dm_reader *reader, dm_id id, uint32_t *fan) {
    int found = dm_store_fan_by_id(reader->store, id, fan);
    count(&reader->fan_hits, &reader->fan_misses, found);
    return found;
}

dm_embedding dm_reader_acquire_embedding(dm_reader *reader, uint32_t slot) {
    dm_embedding embedding = dm_store_acquire_embedding(reader->store, slot);
    count(&reader->centroid_hits, &reader->centroid_misses, embedding.values != NULL);
    return embedding;
}
