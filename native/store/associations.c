/* associations.c: adding, removing, finding and listing associations; see associations.h.
 *
 * Locks: of the two nodes, the one with the lower slot first, the pool's last. A binding locks its concept and then its episode,
 * an association two nodes of one type; so among all nodes the order is: concepts by slot, then episodes by slot. No cycle.
 *
 * A change of associations moves the version of both nodes on, as a change of the fan does, so that one comparison tells a
 * reader that neither of a node's lists changed. */
#include "store/associations.h"

#include "store/store.h"

#include "store/poison.h"

/* A block number and a count share 32 bits with room to spare; the limit bounds the address space: 16 GiB of entries. */
static const uint64_t BLOCK_LIMIT = (UINT64_C(1) << 28) - 1;
/* Memory is committed for this many blocks at a time: 34 KiB. */
enum { COMMIT_BLOCKS = 512 };

/* --- memory -------------------------------------------------------------------------------------------------------- */

void dm_associations_create(dm_associations *associations) {
    (void)pthread_mutex_init(&associations->lock, NULL);
}

static void free_arrays(dm_associations *associations, dm_memory *account) {
    dm_memory_free(account, associations->heads);
    dm_memory_free(account, (void *)associations->entries);
    dm_memory_free(account, (void *)associations->next);
    associations->heads = NULL;
    associations->entries = NULL;
    associations->next = NULL;
}

void dm_associations_destroy(dm_associations *associations, dm_memory *account) {
    free_arrays(associations, account);
    (void)pthread_mutex_destroy(&associations->lock);
}

static uint64_t blocks_of_type(uint64_t nodes) {
    return nodes * ((nodes + DM_BLOCK_ENTRIES - 2) / DM_BLOCK_ENTRIES); /* each of them associated with all others */
}

/* Under the pool's lock. 0: no memory. */
static int make_arrays(dm_store *store) {
    dm_associations *associations = &store->associations;
    dm_memory *account = &store->association_memory;
    uint64_t blocks = blocks_of_type(store->episodes.capacity) + blocks_of_type(store->concepts.capacity);
    associations->limit = (uint32_t)(blocks < BLOCK_LIMIT ? blocks : BLOCK_LIMIT);
    associations->free_block = DM_BLOCK_NONE;
    const size_t head = sizeof(dm_association_head);
    const size_t concepts_at = DM_CONCEPT_BASE * head;
    const size_t limit = associations->limit;
    associations->heads = dm_memory_reserve(concepts_at + store->concepts.capacity * head, store->array_placement);
    associations->entries = dm_memory_reserve(limit * DM_BLOCK_ENTRIES * sizeof(uint64_t), store->array_placement);
    associations->next = dm_memory_reserve(limit * sizeof(uint32_t), store->array_placement);
    if (associations->heads != NULL && associations->entries != NULL && associations->next != NULL &&
        dm_memory_commit(account, associations->heads, 0, store->episodes.capacity * head) &&
        dm_memory_commit(account, associations->heads, concepts_at, store->concepts.capacity * head)) {
        return 1;
    }
    free_arrays(associations, account);
    return 0;
}

/* 1 when the arrays are there, made now if need be. */
static int is_ready(dm_store *store) {
    dm_associations *associations = &store->associations;
    if (atomic_load_explicit(&associations->ready, memory_order_acquire)) {
        return 1;
    }
    (void)pthread_mutex_lock(&associations->lock);
    int ready = (int)atomic_load_explicit(&associations->ready, memory_order_relaxed);
    if (!ready) {
        ready = make_arrays(store);
        atomic_store_explicit(&associations->ready, (uint32_t)ready, memory_order_release);
    }
    (void)pthread_mutex_unlock(&associations->lock);
    return ready;
}

/* Under the pool's lock: gives memory to some more blocks, if there is any. */
static void commit_blocks(dm_associations *associations, dm_memory *account) {
    size_t from = associations->committed;
    uint32_t room = associations->limit - associations->committed;
    uint32_t more = room < COMMIT_BLOCKS ? room : COMMIT_BLOCKS;
    size_t block = DM_BLOCK_ENTRIES * sizeof(uint64_t);
    if (dm_memory_commit(account, (void *)associations->entries, from * block, more * block) &&
        dm_memory_commit(account, (void *)associations->next, from * sizeof(uint32_t), more * sizeof(uint32_t))) {
        associations->committed += more;
    }
}

/* A block of the pool, or DM_BLOCK_NONE. */
static uint32_t take_block(dm_store *store) {
    dm_associations *associations = &store->associations;
    uint32_t block = DM_BLOCK_NONE;
    (void)pthread_mutex_lock(&associations->lock);
    if (associations->free_block != DM_BLOCK_NONE) {
        block = associations->free_block;
        associations->free_block = atomic_load_explicit(&associations->next[block], memory_order_relaxed);
    } else {
        if (associations->used == associations->committed && associations->used < associations->limit) {
            commit_blocks(associations, &store->association_memory);
        }
        if (associations->used < associations->committed) {
            block = associations->used++;
        }
    }
    (void)pthread_mutex_unlock(&associations->lock);
    return block;
}

static void give_block(dm_associations *associations, uint32_t block) {
    (void)pthread_mutex_lock(&associations->lock);
    atomic_store_explicit(&associations->next[block], associations->free_block, memory_order_release);
    associations->free_block = block;
    (void)pthread_mutex_unlock(&associations->lock);
}

/* --- one node's list (under its lock) ------------------------------------------------------------------------------- */

static uint64_t pack(uint32_t partner, float weight) {
    return (uint64_t)dm_bits_from_float(weight) << 32 | partner;
}

/* Entries in the first block of a list. */
static uint32_t filled_of(uint32_t count) {
    return count == 0 ? 0 : (count - 1) % DM_BLOCK_ENTRIES + 1;
}

/* 0: no memory, and nothing changed. */
static int append(dm_store *store, uint32_t slot, uint64_t entry) {
    dm_associations *associations = &store->associations;
    dm_association_head *head = &associations->heads[slot];
    uint32_t count = atomic_load_explicit(&head->count, memory_order_relaxed);
    uint32_t block = atomic_load_explicit(&head->block, memory_order_relaxed);
    uint32_t place = count % DM_BLOCK_ENTRIES;
    if (place == 0) {
        uint32_t second = count == 0 ? DM_BLOCK_NONE : block;
        block = take_block(store);
        if (block == DM_BLOCK_NONE) {
            return 0;
        }
        atomic_store_explicit(&associations->next[block], second, memory_order_release);
        atomic_store_explicit(&head->block, block, memory_order_release);
    }
    atomic_store_explicit(&associations->entries[(size_t)block * DM_BLOCK_ENTRIES + place], entry, memory_order_release);
    atomic_store_explicit(&head->count, count + 1, memory_order_release);
    return 1;
}

/* The last entry of a list that is not empty. */
static _Atomic uint64_t *last_entry(const dm_associations *associations, uint32_t slot) {
    const dm_association_head *head = &associations->heads[slot];
    uint32_t count = atomic_load_explicit(&head->count, memory_order_relaxed);
    uint32_t block = atomic_load_explicit(&head->block, memory_order_relaxed);
    return &associations->entries[(size_t)block * DM_BLOCK_ENTRIES + filled_of(count) - 1];
}

/* The entry of a partner, or NULL. Also for readers, who compare versions afterwards. */
static _Atomic uint64_t *find(const dm_store *store, uint32_t slot, uint32_t version, uint32_t partner) {
    const dm_associations *associations = &store->associations;
    const dm_association_head *head = &associations->heads[slot];
    uint32_t left = atomic_load_explicit(&head->count, memory_order_acquire);
    uint32_t block = atomic_load_explicit(&head->block, memory_order_acquire);
    for (uint32_t filled = filled_of(left); left > 0 && block != DM_BLOCK_NONE; filled = DM_BLOCK_ENTRIES) {
        if (!dm_links_unmoved(dm_links_at(store, slot), version)) {
            break;
        }
        _Atomic uint64_t *entries = &associations->entries[(size_t)block * DM_BLOCK_ENTRIES];
        for (uint32_t i = 0; i < filled; i++) {
            if ((uint32_t)atomic_load_explicit(&entries[i], memory_order_acquire) == partner) {
                return &entries[i];
            }
        }
        left -= filled;
        block = atomic_load_explicit(&associations->next[block], memory_order_acquire);
    }
    return NULL;
}

static _Atomic uint64_t *find_locked(const dm_store *store, uint32_t slot, uint32_t partner) {
    uint32_t version = atomic_load_explicit(&dm_links_at(store, slot)->version, memory_order_relaxed);
    return find(store, slot, version, partner);
}

/* The last entry takes the place of the one removed. */
static void take_out(dm_associations *associations, uint32_t slot, _Atomic uint64_t *entry) {
    dm_association_head *head = &associations->heads[slot];
    uint32_t count = atomic_load_explicit(&head->count, memory_order_relaxed);
    uint64_t last = atomic_load_explicit(last_entry(associations, slot), memory_order_relaxed);
    atomic_store_explicit(entry, last, memory_order_release);
    if (filled_of(count) == 1) {
        uint32_t block = atomic_load_explicit(&head->block, memory_order_relaxed);
        uint32_t second = atomic_load_explicit(&associations->next[block], memory_order_relaxed);
        atomic_store_explicit(&head->block, second, memory_order_release);
        give_block(associations, block);
    }
    atomic_store_explicit(&head->count, count - 1, memory_order_release);
}

/* --- a pair of nodes -------------------------------------------------------------------------------------------------- */

static void lock_pair(const dm_store *store, uint32_t one, uint32_t other) {
    dm_links_lock(dm_links_at(store, one < other ? one : other));
    dm_links_lock(dm_links_at(store, one < other ? other : one));
}

static void unlock(const dm_store *store, uint32_t slot, int changed) {
    if (changed) {
        dm_links_unlock_changed(dm_links_at(store, slot), dm_fan_inline(store, slot)); /* the fan stays as it is */
    } else {
        dm_links_unlock(dm_links_at(store, slot));
    }
}

/* The higher slot first: whoever sees the lower one's new list sees the other's new version as well, and need not wait for it. */
static void unlock_pair(const dm_store *store, uint32_t one, uint32_t other, int changed) {
    unlock(store, one < other ? other : one, changed);
    unlock(store, one < other ? one : other, changed);
}

/* 1 when the slots are of this store, of one type, and two. */
static int is_pair(const dm_store *store, uint32_t one, uint32_t other) {
    uint32_t capacity = dm_rows_of(store, one)->capacity;
    return !store->single_type && one != other && dm_slot_is_concept(one) == dm_slot_is_concept(other) &&
           dm_slot_index(one) < capacity && dm_slot_index(other) < capacity;
}

/* Of two nodes, the one whose list is quicker to search. */
static uint32_t shorter_of(const dm_store *store, uint32_t one, uint32_t other) {
    return dm_association_count(&store->associations, one) <= dm_association_count(&store->associations, other) ? one : other;
}

/* Under both locks: the two entries, found or made. 0: no memory, and both lists are what they were. */
static int set_weight(dm_store *store, uint32_t slot, uint32_t partner, float weight) {
    uint32_t one = shorter_of(store, slot, partner);
    uint32_t other = one == slot ? partner : slot;
    _Atomic uint64_t *entry = find_locked(store, one, other);
    if (entry != NULL) {
        atomic_store_explicit(entry, pack(other, weight), memory_order_release);
        atomic_store_explicit(find_locked(store, other, one), pack(one, weight), memory_order_release);
        return 1;
    }
    if (!append(store, one, pack(other, weight))) {
        return 0;
    }
    if (!append(store, other, pack(one, weight))) {
        take_out(&store->associations, one, last_entry(&store->associations, one));
        return 0;
    }
    atomic_fetch_add_explicit(&store->associations.count, 1, memory_order_relaxed);
    return 1;
}

int32_t dm_store_associate(dm_store *store, uint32_t slot, uint32_t other, float weight, char *error, size_t error_size) {
    if (store->single_type) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size, "a single-type store has no associations; use a dual one");
    }
    if (slot == other) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size, "slot %u cannot be associated with itself", slot);
    }
    if (!is_pair(store, slot, other)) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size,
                       "slots %u and %u are not two concepts or two episodes of this store; an episode is bound to a concept",
                       slot, other);
    }
    if (!(weight >= 0.0f && weight <= 1.0f)) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size, "weight %g is not in [0, 1]", (double)weight);
    }
    if (!is_ready(store)) {
        return dm_fail(DM_ERROR_MEMORY, error, error_size, "no memory for associations");
    }
    lock_pair(store, slot, other);
    int live = dm_is_live_inline(store, slot) && dm_is_live_inline(store, other);
    int done = live && set_weight(store, slot, other, weight + 0.0f); /* positive zero */
    unlock_pair(store, slot, other, live); /* also without memory: a reader may have seen one of the two entries */
    if (!live) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size, "no node lives in slot %u or in slot %u", slot, other);
    }
    return done ? DM_OK : dm_fail(DM_ERROR_MEMORY, error, error_size, "no memory for another block of associations");
}

int dm_store_dissociate(dm_store *store, uint32_t slot, uint32_t other) {
    if (!is_pair(store, slot, other) || dm_association_head_of(&store->associations, slot) == NULL) {
        return 0;
    }
    lock_pair(store, slot, other);
    uint32_t one = shorter_of(store, slot, other);
    uint32_t two = one == slot ? other : slot;
    _Atomic uint64_t *entry = find_locked(store, one, two);
    if (entry != NULL) {
        take_out(&store->associations, one, entry);
        take_out(&store->associations, two, find_locked(store, two, one));
        atomic_fetch_sub_explicit(&store->associations.count, 1, memory_order_relaxed);
    }
    unlock_pair(store, slot, other, entry != NULL);
    return entry != NULL;
}

/* The node is dead, so nothing is added. The order of locks may ask for the partner first: look, let go, lock, look again. */
void dm_store_dissociate_all(dm_store *store, uint32_t slot) {
    for (;;) {
        dm_links_lock(dm_links_at(store, slot)); /* whoever added before us has let go, and its arrays can be seen */
        uint32_t partner = dm_association_count(&store->associations, slot) == 0
                               ? DM_SLOT_NONE
                               : (uint32_t)atomic_load_explicit(last_entry(&store->associations, slot), memory_order_relaxed);
        dm_links_unlock(dm_links_at(store, slot));
        if (partner == DM_SLOT_NONE) {
            return;
        }
        (void)dm_store_dissociate(store, slot, partner); /* 0: someone else was faster */
    }
}

/* --- reading ------------------------------------------------------------------------------------------------------------ */

float dm_store_association_weight(const dm_store *store, uint32_t slot, uint32_t other) {
    if (!is_pair(store, slot, other) || dm_association_head_of(&store->associations, slot) == NULL) {
        return -1.0f;
    }
    uint32_t one = shorter_of(store, slot, other);
    uint32_t two = one == slot ? other : slot;
    dm_links_read read = {.links = dm_links_at(store, one)};
    float weight;
    do {
        dm_links_read_begin(&read);
        const _Atomic uint64_t *entry = find(store, one, read.version, two);
        weight = entry == NULL
                     ? -1.0f
                     : dm_float_from_bits((uint32_t)(atomic_load_explicit(entry, memory_order_acquire) >> 32));
    } while (!dm_links_read_end(&read));
    return weight;
}

void dm_list_associations(const dm_store *store, uint32_t slot, uint32_t version, uint32_t count, dm_edge *edges,
                          uint32_t capacity) {
    if (count == 0) {
        return; /* and perhaps no arrays */
    }
    const dm_associations *associations = &store->associations;
    uint32_t written = 0;
    uint32_t left = count;
    uint32_t block = atomic_load_explicit(&associations->heads[slot].block, memory_order_acquire);
    for (uint32_t filled = filled_of(count); left > 0 && block != DM_BLOCK_NONE; filled = DM_BLOCK_ENTRIES) {
        if (!dm_links_unmoved(dm_links_at(store, slot), version)) {
            return;
        }
        for (uint32_t i = 0; i < filled && written < capacity; i++) {
            uint64_t entry = atomic_load_explicit(&associations->entries[(size_t)block * DM_BLOCK_ENTRIES + i],
                                                  memory_order_acquire);
            edges[written++] = (dm_edge){(uint32_t)entry, DM_BINDING_NONE, dm_float_from_bits((uint32_t)(entry >> 32))};
        }
        left -= filled;
        block = atomic_load_explicit(&associations->next[block], memory_order_acquire);
    }
}

uint32_t dm_store_associations(const dm_store *store, uint32_t slot, dm_edge *edges, uint32_t capacity) {
    if (store->single_type) {
        return 0;
    }
    dm_links_read read = {.links = dm_links_at(store, slot)};
    uint32_t count;
    do {
        dm_links_read_begin(&read);
        count = dm_association_count(&store->associations, slot);
        dm_list_associations(store, slot, read.version, count, edges, capacity);
    } while (!dm_links_read_end(&read));
    return count;
}

/* --- for a snapshot ------------------------------------------------------------------------------------------------- */

int dm_associations_restore(dm_store *store, uint32_t slot, uint32_t other, float weight) {
    if (!is_ready(store) || !append(store, slot, pack(other, weight)) || !append(store, other, pack(slot, weight))) {
        return 0;
    }
    atomic_fetch_add_explicit(&store->associations.count, 1, memory_order_relaxed);
    return 1;
}
