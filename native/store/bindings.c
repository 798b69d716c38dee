/* bindings.c: adding, removing, finding and listing bindings; see bindings.h.
 *
 * Locks: the concept's before the episode's, one of each at most, the pool's last. So no cycle, whoever binds what. */
#include "store/bindings.h"

#include <math.h>

#include "store/binding_access.h"
#include "store/store.h"

#include "store/poison.h"

/* A handle and a flag share 32 bits, so blocks are numbered with 28. */
static const uint64_t BLOCK_LIMIT = (UINT64_C(1) << 28) - 1;
/* Memory is committed for this many blocks at a time: 36 KiB on the side of the concepts. */
enum { COMMIT_BLOCKS = 512 };

/* --- blocks ------------------------------------------------------------------------------------------------------ */

static uint32_t block_limit(uint32_t nodes, uint32_t partners) {
    uint64_t beyond = (uint64_t)nodes * ((partners + (uint64_t)DM_BLOCK_ENTRIES - 1) / DM_BLOCK_ENTRIES);
    uint64_t limit = nodes + beyond;
    return (uint32_t)(limit < BLOCK_LIMIT ? limit : BLOCK_LIMIT);
}

static dm_block_pool make_pool(uint32_t nodes, uint32_t partners) {
    return (dm_block_pool){.inline_count = nodes,
                           .used = nodes,
                           .limit = block_limit(nodes, partners),
                           .free_block = DM_BLOCK_NONE};
}

/* Gives memory to `more` blocks behind the first `from`. */
static int commit(dm_memory *account, _Atomic uint32_t *array, uint32_t from, uint32_t more, size_t words) {
    size_t size = words * sizeof(uint32_t);
    return dm_memory_commit(account, (void *)array, from * size, more * size);
}

static int commit_places(dm_bindings *bindings, dm_memory *account, uint32_t from, uint32_t more) {
    return commit(account, bindings->strengths, from, more, DM_BLOCK_ENTRIES) &&
           commit(account, bindings->partners, from, more, DM_BLOCK_ENTRIES) &&
           commit(account, bindings->next, from, more, 1) && commit(account, bindings->owner, from, more, 1);
}

static int commit_handles(dm_bindings *bindings, dm_memory *account, uint32_t from, uint32_t more) {
    return commit(account, bindings->handles, from, more, DM_BLOCK_ENTRIES) &&
           commit(account, bindings->handles_next, from, more, 1);
}

int dm_bindings_create(dm_bindings *bindings, uint32_t concept_capacity, uint32_t episode_capacity, dm_memory *account,
                       size_t placement) {
    bindings->places_pool = make_pool(concept_capacity, episode_capacity);
    bindings->handles_pool = make_pool(episode_capacity, concept_capacity);
    (void)pthread_mutex_init(&bindings->pool_lock, NULL);
    size_t word = sizeof(uint32_t);
    size_t places = bindings->places_pool.limit;
    size_t handles = bindings->handles_pool.limit;
    bindings->strengths = dm_memory_reserve(places * DM_BLOCK_ENTRIES * word, placement);
    bindings->partners = dm_memory_reserve(places * DM_BLOCK_ENTRIES * word, placement);
    bindings->next = dm_memory_reserve(places * word, placement);
    bindings->owner = dm_memory_reserve(places * word, placement);
    bindings->handles = dm_memory_reserve(handles * DM_BLOCK_ENTRIES * word, placement);
    bindings->handles_next = dm_memory_reserve(handles * word, placement);
    bindings->free_place = dm_memory_allocate(account, concept_capacity * word, DM_CACHE_LINE, placement);
    if (bindings->strengths == NULL || bindings->partners == NULL || bindings->next == NULL || bindings->owner == NULL ||
        bindings->handles == NULL || bindings->handles_next == NULL || bindings->free_place == NULL ||
        !commit_places(bindings, account, 0, concept_capacity) ||
        !commit_handles(bindings, account, 0, episode_capacity)) {
        return 0;
    }
    bindings->places_pool.committed = concept_capacity;
    bindings->handles_pool.committed = episode_capacity;
    for (uint32_t episode = 0; episode < episode_capacity; episode++) {
        atomic_init(&bindings->handles_next[episode], DM_BLOCK_NONE);
    }
    for (uint32_t index = 0; index < concept_capacity; index++) {
        atomic_init(&bindings->next[index], DM_BLOCK_NONE);
    }
    return 1;
}

void dm_bindings_destroy(dm_bindings *bindings, dm_memory *account) {
    dm_memory_free(account, (void *)bindings->strengths);
    dm_memory_free(account, (void *)bindings->partners);
    dm_memory_free(account, (void *)bindings->next);
    dm_memory_free(account, (void *)bindings->owner);
    dm_memory_free(account, (void *)bindings->handles);
    dm_memory_free(account, (void *)bindings->handles_next);
    dm_memory_free(account, bindings->free_place);
    (void)pthread_mutex_destroy(&bindings->pool_lock);
}

/* A block of the pool, or DM_BLOCK_NONE. `commit_blocks` gives memory to the arrays of its side. */
static uint32_t take_block(dm_bindings *bindings, dm_block_pool *pool, _Atomic uint32_t *next, dm_memory *account,
                           int (*commit_blocks)(dm_bindings *, dm_memory *, uint32_t, uint32_t)) {
    uint32_t block = DM_BLOCK_NONE;
    (void)pthread_mutex_lock(&bindings->pool_lock);
    if (pool->free_block != DM_BLOCK_NONE) {
        block = pool->free_block;
        pool->free_block = atomic_load_explicit(&next[block], memory_order_relaxed);
    } else if (pool->used < pool->limit) {
        if (pool->used == pool->committed) {
            uint32_t room = pool->limit - pool->committed;
            uint32_t more = room < COMMIT_BLOCKS ? room : COMMIT_BLOCKS;
            if (commit_blocks(bindings, account, pool->committed, more)) {
                pool->committed += more;
            }
        }
        if (pool->used < pool->committed) {
            block = pool->used++;
        }
    }
    (void)pthread_mutex_unlock(&bindings->pool_lock);
    return block;
}

static void give_block(dm_bindings *bindings, dm_block_pool *pool, _Atomic uint32_t *next, uint32_t block) {
    (void)pthread_mutex_lock(&bindings->pool_lock);
    atomic_store_explicit(&next[block], pool->free_block, memory_order_release);
    pool->free_block = block;
    (void)pthread_mutex_unlock(&bindings->pool_lock);
}

/* Chains the eight places of a block in front of the concept's free ones. */
static void open_block(dm_bindings *bindings, uint32_t block, uint32_t concept_index) {
    for (uint32_t i = DM_BLOCK_ENTRIES; i-- > 0;) {
        uint32_t place = block * DM_BLOCK_ENTRIES + i;
        atomic_store_explicit(&bindings->strengths[place], DM_STRENGTH_HOLE, memory_order_release);
        atomic_store_explicit(&bindings->partners[place], bindings->free_place[concept_index], memory_order_release);
        bindings->free_place[concept_index] = place | DM_PARTNER_HOLE;
    }
    atomic_store_explicit(&bindings->owner[block], concept_index, memory_order_release);
}

void dm_bindings_open_concept(dm_bindings *bindings, uint32_t concept_index) {
    bindings->free_place[concept_index] = DM_PARTNER_LAST;
    open_block(bindings, concept_index, concept_index);
}

/* --- the concept's side (under its lock) -------------------------------------------------------------------------- */

/* A free place of the concept, taken from its list, or DM_BINDING_NONE. */
static uint32_t take_place(dm_store *store, uint32_t concept_index) {
    dm_bindings *bindings = &store->bindings;
    if (bindings->free_place[concept_index] == DM_PARTNER_LAST) {
        uint32_t block =
            take_block(bindings, &bindings->places_pool, bindings->next, &store->binding_memory, commit_places);
        if (block == DM_BLOCK_NONE) {
            return DM_BINDING_NONE;
        }
        open_block(bindings, block, concept_index);
        uint32_t second = atomic_load_explicit(&bindings->next[concept_index], memory_order_relaxed);
        atomic_store_explicit(&bindings->next[block], second, memory_order_release);
        atomic_store_explicit(&bindings->next[concept_index], block, memory_order_release);
    }
    uint32_t place = bindings->free_place[concept_index] & ~DM_PARTNER_HOLE;
    bindings->free_place[concept_index] = atomic_load_explicit(&bindings->partners[place], memory_order_relaxed);
    return place;
}

static void give_place(dm_bindings *bindings, uint32_t concept_index, uint32_t place) {
    atomic_store_explicit(&bindings->strengths[place], DM_STRENGTH_HOLE, memory_order_release);
    atomic_store_explicit(&bindings->partners[place], bindings->free_place[concept_index], memory_order_release);
    bindings->free_place[concept_index] = place | DM_PARTNER_HOLE;
}

/* --- the episode's side (under its lock) -------------------------------------------------------------------------- */

/* Where entry `fan - 1` of an episode lies; fan > 0. */
static _Atomic uint32_t *last_handle(const dm_bindings *bindings, uint32_t episode, uint32_t fan) {
    if (fan <= DM_BLOCK_ENTRIES) {
        return &bindings->handles[(size_t)episode * DM_BLOCK_ENTRIES + fan - 1];
    }
    uint32_t block = atomic_load_explicit(&bindings->handles_next[episode], memory_order_relaxed);
    return &bindings->handles[(size_t)block * DM_BLOCK_ENTRIES + (fan - 1) % DM_BLOCK_ENTRIES];
}

/* 0: no memory. */
static int append_handle(dm_store *store, uint32_t episode, uint32_t fan, uint32_t binding) {
    dm_bindings *bindings = &store->bindings;
    if (fan >= DM_BLOCK_ENTRIES && fan % DM_BLOCK_ENTRIES == 0) {
        uint32_t block =
            take_block(bindings, &bindings->handles_pool, bindings->handles_next, &store->binding_memory, commit_handles);
        if (block == DM_BLOCK_NONE) {
            return 0;
        }
        uint32_t second = atomic_load_explicit(&bindings->handles_next[episode], memory_order_relaxed);
        atomic_store_explicit(&bindings->handles_next[block], second, memory_order_release);
        atomic_store_explicit(&bindings->handles_next[episode], block, memory_order_release);
    }
    atomic_store_explicit(last_handle(bindings, episode, fan + 1), binding, memory_order_release);
    return 1;
}

/* The entry of a binding in the list of an episode, or NULL. */
static _Atomic uint32_t *find_handle(const dm_bindings *bindings, uint32_t episode, uint32_t fan, uint32_t binding) {
    uint32_t block = episode;
    /* Entries of the inline block first, then of the partly filled one, then of full ones. */
    uint32_t filled = fan < DM_BLOCK_ENTRIES ? fan : DM_BLOCK_ENTRIES;
    uint32_t left = fan;
    while (left > 0) {
        _Atomic uint32_t *entries = &bindings->handles[(size_t)block * DM_BLOCK_ENTRIES];
        for (uint32_t i = 0; i < filled; i++) {
            if (atomic_load_explicit(&entries[i], memory_order_relaxed) == binding) {
                return &entries[i];
            }
        }
        left -= filled;
        filled = left % DM_BLOCK_ENTRIES == 0 ? DM_BLOCK_ENTRIES : left % DM_BLOCK_ENTRIES;
        block = atomic_load_explicit(&bindings->handles_next[block], memory_order_relaxed);
    }
    return NULL;
}

/* The last entry takes the place of the one removed. */
static void remove_handle(dm_bindings *bindings, uint32_t episode, uint32_t fan, _Atomic uint32_t *entry) {
    uint32_t last = atomic_load_explicit(last_handle(bindings, episode, fan), memory_order_relaxed);
    atomic_store_explicit(entry, last, memory_order_release);
    if (fan > DM_BLOCK_ENTRIES && fan % DM_BLOCK_ENTRIES == 1) {
        uint32_t block = atomic_load_explicit(&bindings->handles_next[episode], memory_order_relaxed);
        uint32_t second = atomic_load_explicit(&bindings->handles_next[block], memory_order_relaxed);
        atomic_store_explicit(&bindings->handles_next[episode], second, memory_order_release);
        give_block(bindings, &bindings->handles_pool, bindings->handles_next, block);
    }
}

/* --- finding ------------------------------------------------------------------------------------------------------ */

static uint32_t search_concept(const dm_bindings *bindings, const dm_links *links, uint32_t version, uint32_t episode_slot,
                               uint32_t concept_index) {
    uint32_t block = concept_index;
    while (block != DM_BLOCK_NONE && dm_links_unmoved(links, version)) {
        uint32_t place = dm_block_search(&bindings->partners[(size_t)block * DM_BLOCK_ENTRIES], episode_slot);
        if (place < DM_BLOCK_ENTRIES) {
            return block * DM_BLOCK_ENTRIES + place;
        }
        block = atomic_load_explicit(&bindings->next[block], memory_order_acquire);
    }
    return DM_BINDING_NONE;
}

static uint32_t search_episode(const dm_bindings *bindings, const dm_links *links, uint32_t version, uint32_t fan,
                               uint32_t episode, uint32_t concept_index) {
    uint32_t block = episode;
    uint32_t filled = fan < DM_BLOCK_ENTRIES ? fan : DM_BLOCK_ENTRIES;
    uint32_t left = fan;
    while (left > 0 && block != DM_BLOCK_NONE && dm_links_unmoved(links, version)) {
        for (uint32_t i = 0; i < filled; i++) {
            uint32_t binding =
                atomic_load_explicit(&bindings->handles[(size_t)block * DM_BLOCK_ENTRIES + i], memory_order_acquire);
            uint32_t owner =
                atomic_load_explicit(&bindings->owner[binding / DM_BLOCK_ENTRIES], memory_order_acquire);
            if (owner == concept_index) {
                return binding;
            }
        }
        left -= filled;
        filled = left % DM_BLOCK_ENTRIES == 0 ? DM_BLOCK_ENTRIES : left % DM_BLOCK_ENTRIES;
        block = atomic_load_explicit(&bindings->handles_next[block], memory_order_acquire);
    }
    return DM_BINDING_NONE;
}

uint32_t dm_find_binding_beyond(const dm_store *store, uint32_t episode_slot, uint32_t concept_slot) {
    const dm_bindings *bindings = &store->bindings;
    uint32_t concept_index = dm_slot_index(concept_slot);
    const int from_concept = dm_fan_inline(store, concept_slot) <= dm_fan_inline(store, episode_slot);
    dm_links_read read = {.links = dm_links_at(store, from_concept ? concept_slot : episode_slot)};
    uint32_t binding;
    do {
        dm_links_read_begin(&read);
        uint32_t fan = atomic_load_explicit(&read.links->fan, memory_order_acquire);
        binding = from_concept ? search_concept(bindings, read.links, read.version, episode_slot, concept_index)
                               : search_episode(bindings, read.links, read.version, fan, episode_slot, concept_index);
    } while (!dm_links_read_end(&read));
    return binding;
}

uint32_t dm_store_find_binding(const dm_store *store, uint32_t episode_slot, uint32_t concept_slot) {
    return dm_find_binding_inline(store, episode_slot, concept_slot);
}

/* The inline blocks of concepts that never were lie between the two ranges: their places look like bindings of strength 0. */
dm_handed_out dm_store_handed_out(dm_store *store) {
    dm_handed_out bounds = {.concept_end = dm_concept_slot(0)};
    if (store->single_type) {
        return bounds;
    }
    (void)pthread_mutex_lock(&store->lock);
    uint32_t concepts = store->concepts.index_count;
    (void)pthread_mutex_unlock(&store->lock);
    (void)pthread_mutex_lock(&store->bindings.pool_lock);
    bounds.more_begin = store->bindings.places_pool.inline_count * DM_BLOCK_ENTRIES;
    bounds.more_end = store->bindings.places_pool.used * DM_BLOCK_ENTRIES;
    (void)pthread_mutex_unlock(&store->bindings.pool_lock);
    bounds.concept_end = dm_concept_slot(concepts);
    bounds.binding_end = concepts * DM_BLOCK_ENTRIES;
    return bounds;
}

/* --- adding ------------------------------------------------------------------------------------------------------- */

/* Cosine of two live embeddings, clamped to [0, 1]; in double, because it is computed once and kept. */
static float initial_strength(dm_store *store, uint32_t episode_slot, uint32_t concept_slot) {
    dm_embedding episode = dm_store_acquire_embedding(store, episode_slot);
    dm_embedding centroid = dm_store_acquire_embedding(store, concept_slot);
    double dot = 0.0;
    double episode_square = 0.0;
    double centroid_square = 0.0;
    if (episode.values != NULL && centroid.values != NULL && episode.inverse_norm > 0.0f && centroid.inverse_norm > 0.0f) {
        for (uint32_t i = 0; i < store->dim; i++) {
            dot += (double)episode.values[i] * (double)centroid.values[i];
            episode_square += (double)episode.values[i] * (double)episode.values[i];
            centroid_square += (double)centroid.values[i] * (double)centroid.values[i];
        }
        dot /= sqrt(episode_square) * sqrt(centroid_square);
    }
    dm_store_release_embedding(store, centroid);
    dm_store_release_embedding(store, episode);
    return dm_clamp_unit((float)dot);
}

/* Under the concept's lock: gives it its new fan and what depends on it, and unlocks it. */
static void unlock_concept(dm_store *store, uint32_t concept_slot, uint32_t fan) {
    atomic_store_explicit(&dm_node_at(store, concept_slot)->weight, dm_bits_from_float(dm_decay_factor_of(fan)),
                          memory_order_release);
    dm_links_unlock_changed(dm_links_at(store, concept_slot), fan);
}

/* Under both locks. DM_BINDING_NONE: no memory. */
static uint32_t insert_binding(dm_store *store, uint32_t episode, uint32_t concept_index, uint32_t episode_fan,
                               float strength) {
    dm_bindings *bindings = &store->bindings;
    uint32_t binding = take_place(store, concept_index);
    if (binding == DM_BINDING_NONE) {
        return DM_BINDING_NONE;
    }
    if (!append_handle(store, episode, episode_fan, binding)) {
        give_place(bindings, concept_index, binding);
        return DM_BINDING_NONE;
    }
    atomic_store_explicit(&bindings->strengths[binding], dm_bits_from_float(strength), memory_order_release);
    atomic_store_explicit(&bindings->partners[binding], episode, memory_order_release);
    atomic_fetch_add_explicit(&bindings->count, 1, memory_order_relaxed);
    return binding;
}

/* The binding of a pair whose two nodes are locked, or DM_BINDING_NONE. */
static uint32_t find_locked(const dm_store *store, uint32_t episode_slot, uint32_t concept_slot) {
    const dm_bindings *bindings = &store->bindings;
    uint32_t concept_index = dm_slot_index(concept_slot);
    uint32_t episode_fan = dm_fan_inline(store, episode_slot);
    const dm_links *links;
    uint32_t version;
    if (dm_fan_inline(store, concept_slot) <= episode_fan) {
        links = dm_links_at(store, concept_slot);
        version = atomic_load_explicit(&links->version, memory_order_relaxed);
        return search_concept(bindings, links, version, episode_slot, concept_index);
    }
    links = dm_links_at(store, episode_slot);
    version = atomic_load_explicit(&links->version, memory_order_relaxed);
    return search_episode(bindings, links, version, episode_fan, episode_slot, concept_index);
}

static int is_pair(const dm_store *store, uint32_t episode_slot, uint32_t concept_slot) {
    return !store->single_type && episode_slot < store->episodes.capacity && dm_slot_is_concept(concept_slot) &&
           dm_slot_index(concept_slot) < store->concepts.capacity;
}

int32_t dm_store_bind(dm_store *store, uint32_t episode_slot, uint32_t concept_slot, float strength, uint32_t *binding,
                      char *error, size_t error_size) {
    if (!is_pair(store, episode_slot, concept_slot)) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size,
                       "slots %u and %u are not an episode and a concept of this store; bindings join one of each",
                       episode_slot, concept_slot);
    }
    int initial = strength == DM_STRENGTH_INITIAL;
    if (!initial && !(strength >= 0.0f && strength <= 1.0f)) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size,
                       "strength %g is neither in [0, 1] nor DM_STRENGTH_INITIAL", (double)strength);
    }
    /* Positive zero: the bits of -0.0 mean that there is no binding. */
    float wanted = initial ? initial_strength(store, episode_slot, concept_slot) : strength + 0.0f;
    dm_links *of_concept = dm_links_at(store, concept_slot);
    dm_links *of_episode = dm_links_at(store, episode_slot);
    dm_links_lock(of_concept);
    dm_links_lock(of_episode);
    int live = dm_is_live_inline(store, episode_slot) && dm_is_live_inline(store, concept_slot);
    uint32_t place = live ? find_locked(store, episode_slot, concept_slot) : DM_BINDING_NONE;
    int is_new = live && place == DM_BINDING_NONE;
    uint32_t episode_fan = dm_fan_inline(store, episode_slot);
    if (is_new) {
        place = insert_binding(store, episode_slot, dm_slot_index(concept_slot), episode_fan, wanted);
    } else if (live) {
        atomic_store_explicit(&store->bindings.strengths[place], dm_bits_from_float(wanted), memory_order_relaxed);
    }
    if (is_new && place != DM_BINDING_NONE) {
        dm_links_unlock_changed(of_episode, episode_fan + 1);
        unlock_concept(store, concept_slot, dm_fan_inline(store, concept_slot) + 1);
    } else { /* at most, places without a binding were chained anew: nothing that a reader looks at */
        dm_links_unlock(of_episode);
        dm_links_unlock(of_concept);
    }
    if (!live) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size, "no node lives in slot %u or in slot %u", episode_slot,
                       concept_slot);
    }
    if (place == DM_BINDING_NONE) {
        return dm_fail(DM_ERROR_MEMORY, error, error_size, "no memory for another block of bindings");
    }
    if (binding != NULL) {
        *binding = place;
    }
    return DM_OK;
}

int32_t dm_store_bind_by_id(dm_store *store, dm_id episode, dm_id concept_id, float strength, uint32_t *binding,
                            char *error, size_t error_size) {
    uint32_t episode_slot = dm_store_find(store, episode);
    uint32_t concept_slot = dm_store_find(store, concept_id);
    if (episode_slot == DM_SLOT_NONE || concept_slot == DM_SLOT_NONE) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size, "the %s's id is not in the store; add the node first",
                       episode_slot == DM_SLOT_NONE ? "episode" : "concept");
    }
    return dm_store_bind(store, episode_slot, concept_slot, strength, binding, error, error_size);
}

/* --- removing ----------------------------------------------------------------------------------------------------- */

/* Takes out a binding whose two nodes are locked, and unlocks the episode. */
static void detach_from_episode(dm_store *store, uint32_t episode_slot, uint32_t binding) {
    dm_links *links = dm_links_at(store, episode_slot);
    uint32_t fan = dm_fan_inline(store, episode_slot);
    _Atomic uint32_t *entry = find_handle(&store->bindings, episode_slot, fan, binding);
    remove_handle(&store->bindings, episode_slot, fan, entry);
    dm_links_unlock_changed(links, fan - 1);
}

int dm_store_unbind(dm_store *store, uint32_t episode_slot, uint32_t concept_slot) {
    if (!is_pair(store, episode_slot, concept_slot)) {
        return 0;
    }
    dm_links *of_concept = dm_links_at(store, concept_slot);
    dm_links *of_episode = dm_links_at(store, episode_slot);
    dm_links_lock(of_concept);
    dm_links_lock(of_episode);
    uint32_t binding = find_locked(store, episode_slot, concept_slot);
    if (binding == DM_BINDING_NONE) {
        dm_links_unlock(of_episode);
        dm_links_unlock(of_concept);
        return 0;
    }
    detach_from_episode(store, episode_slot, binding);
    give_place(&store->bindings, dm_slot_index(concept_slot), binding);
    atomic_fetch_sub_explicit(&store->bindings.count, 1, memory_order_relaxed);
    unlock_concept(store, concept_slot, dm_fan_inline(store, concept_slot) - 1);
    return 1;
}

int dm_store_unbind_by_id(dm_store *store, dm_id episode, dm_id concept_id) {
    return dm_store_unbind(store, dm_store_find(store, episode), dm_store_find(store, concept_id));
}

/* The concept is dead, so nothing is added; episodes that are removed meanwhile take theirs out themselves. */
static void unbind_concept(dm_store *store, uint32_t concept_slot) {
    dm_bindings *bindings = &store->bindings;
    uint32_t concept_index = dm_slot_index(concept_slot);
    dm_links *links = dm_links_at(store, concept_slot);
    dm_links_lock(links);
    uint64_t removed = 0;
    uint32_t block = concept_index;
    while (block != DM_BLOCK_NONE) {
        for (uint32_t place = block * DM_BLOCK_ENTRIES; place < (block + 1) * DM_BLOCK_ENTRIES; place++) {
            uint32_t episode = atomic_load_explicit(&bindings->partners[place], memory_order_relaxed);
            if ((episode & DM_PARTNER_HOLE) == 0) {
                dm_links_lock(dm_links_at(store, episode));
                detach_from_episode(store, episode, place);
                atomic_store_explicit(&bindings->strengths[place], DM_STRENGTH_HOLE, memory_order_release);
                atomic_store_explicit(&bindings->partners[place], DM_PARTNER_LAST, memory_order_release);
                removed++;
            }
        }
        uint32_t following = atomic_load_explicit(&bindings->next[block], memory_order_relaxed);
        if (block != concept_index) {
            give_block(bindings, &bindings->places_pool, bindings->next, block);
        }
        block = following;
    }
    atomic_store_explicit(&bindings->next[concept_index], DM_BLOCK_NONE, memory_order_release);
    atomic_fetch_sub_explicit(&bindings->count, removed, memory_order_relaxed);
    unlock_concept(store, concept_slot, 0);
}

/* The episode is dead, so nothing is added. The order of locks asks for the concept first: look, let go, lock, look again. */
static void unbind_episode(dm_store *store, uint32_t episode_slot) {
    const dm_bindings *bindings = &store->bindings;
    dm_links *links = dm_links_at(store, episode_slot);
    for (;;) {
        dm_links_lock(links);
        uint32_t fan = dm_fan_inline(store, episode_slot);
        uint32_t binding =
            fan == 0 ? DM_BINDING_NONE
                     : atomic_load_explicit(last_handle(bindings, episode_slot, fan), memory_order_relaxed);
        dm_links_unlock(links);
        if (binding == DM_BINDING_NONE) {
            return;
        }
        uint32_t owner = atomic_load_explicit(&bindings->owner[binding / DM_BLOCK_ENTRIES], memory_order_acquire);
        (void)dm_store_unbind(store, episode_slot, dm_concept_slot(owner)); /* 0: someone else was faster */
    }
}

void dm_store_unbind_all(dm_store *store, uint32_t slot) {
    if (dm_slot_is_concept(slot)) {
        unbind_concept(store, slot);
    } else {
        unbind_episode(store, slot);
    }
}

/* --- updates -------------------------------------------------------------------------------------------------------- */

float dm_store_binding_strength(const dm_store *store, uint32_t binding) {
    return dm_binding_strength_inline(store, binding);
}

float dm_store_strengthen(dm_store *store, uint32_t binding, float delta) {
    return dm_binding_update_inline(store, binding, 1.0f, delta);
}

float dm_store_scale(dm_store *store, uint32_t binding, float factor) {
    return dm_binding_update_inline(store, binding, factor, 0.0f);
}

int dm_store_is_weak(const dm_store *store, uint32_t binding) {
    uint32_t bits = atomic_load_explicit(&store->bindings.strengths[binding], memory_order_relaxed);
    return bits != DM_STRENGTH_HOLE && dm_float_from_bits(bits) < DM_STRENGTH_WEAK;
}

float dm_store_binding_strength_by_id(const dm_store *store, dm_id episode, dm_id concept_id) {
    uint32_t binding = dm_find_binding_by_id_inline(store, episode, concept_id);
    return binding == DM_BINDING_NONE ? -1.0f : dm_binding_strength_inline(store, binding);
}

float dm_store_strengthen_by_id(dm_store *store, dm_id episode, dm_id concept_id, float delta) {
    return dm_binding_update_by_id_inline(store, episode, concept_id, 1.0f, delta);
}

float dm_store_scale_by_id(dm_store *store, dm_id episode, dm_id concept_id, float factor) {
    return dm_binding_update_by_id_inline(store, episode, concept_id, factor, 0.0f);
}

void dm_store_strengthen_batch(dm_store *store, const uint32_t *bindings, const float *deltas, size_t count,
                               float *strengths) {
    /* Far enough for a miss to memory (100-150 ns at 3 ns an update), near enough to stay in the first-level cache. */
    enum { AHEAD = 32 };
    for (size_t i = 0; i < count; i++) {
        if (i + AHEAD < count) {
            __builtin_prefetch((const void *)&store->bindings.strengths[bindings[i + AHEAD]], 1);
        }
        float after = dm_binding_update_inline(store, bindings[i], 1.0f, deltas[i]);
        if (strengths != NULL) {
            strengths[i] = after;
        }
    }
}

void dm_store_strengthen_batch_by_id(dm_store *store, const dm_pair *pairs, const float *deltas, size_t count,
                                     float *strengths) {
    /* Three rounds over a group, each of which asks for the lines of the next: a core keeps about 24 misses in flight. */
    enum { GROUP = 16 };
    uint64_t hashes[2 * GROUP];
    uint32_t slots[2 * GROUP];
    for (size_t begin = 0; begin < count; begin += GROUP) {
        size_t group = count - begin < GROUP ? count - begin : GROUP;
        const dm_pair *pair = pairs + begin;
        for (size_t i = 0; i < group; i++) {
            hashes[2 * i] = dm_id_hash(pair[i].episode);
            hashes[2 * i + 1] = dm_id_hash(pair[i].concept_id);
            __builtin_prefetch(dm_ids_home(&store->ids, hashes[2 * i]));
            __builtin_prefetch(dm_ids_home(&store->ids, hashes[2 * i + 1]));
        }
        for (size_t i = 0; i < group; i++) {
            slots[2 * i] = dm_ids_find_hashed(&store->ids, pair[i].episode, hashes[2 * i]);
            slots[2 * i + 1] = dm_ids_find_hashed(&store->ids, pair[i].concept_id, hashes[2 * i + 1]);
            if (dm_is_pair_inline(slots[2 * i], slots[2 * i + 1])) {
                dm_prefetch_block(store, slots[2 * i + 1]);
            }
        }
        for (size_t i = 0; i < group; i++) {
            uint32_t binding = dm_is_pair_inline(slots[2 * i], slots[2 * i + 1])
                                   ? dm_find_binding_inline(store, slots[2 * i], slots[2 * i + 1])
                                   : DM_BINDING_NONE;
            float after =
                binding == DM_BINDING_NONE ? -1.0f : dm_binding_update_inline(store, binding, 1.0f, deltas[begin + i]);
            if (strengths != NULL) {
                strengths[begin + i] = after;
            }
        }
    }
}

/* --- traversal ------------------------------------------------------------------------------------------------------ */

static uint32_t list_concept(const dm_store *store, uint32_t concept_slot, uint32_t version, dm_edge *edges,
                             uint32_t capacity) {
    const dm_bindings *bindings = &store->bindings;
    const dm_links *links = dm_links_at(store, concept_slot);
    uint32_t written = 0;
    uint32_t block = dm_slot_index(concept_slot);
    while (block != DM_BLOCK_NONE && dm_links_unmoved(links, version)) {
        for (uint32_t place = block * DM_BLOCK_ENTRIES; place < (block + 1) * DM_BLOCK_ENTRIES; place++) {
            uint32_t episode = atomic_load_explicit(&bindings->partners[place], memory_order_acquire);
            if ((episode & DM_PARTNER_HOLE) == 0 && written < capacity) {
                edges[written++] = (dm_edge){episode, place, dm_binding_strength_inline(store, place)};
            }
        }
        block = atomic_load_explicit(&bindings->next[block], memory_order_acquire);
    }
    return written;
}

static uint32_t list_episode(const dm_store *store, uint32_t episode_slot, uint32_t version, uint32_t fan, dm_edge *edges,
                             uint32_t capacity) {
    const dm_bindings *bindings = &store->bindings;
    const dm_links *links = dm_links_at(store, episode_slot);
    uint32_t written = 0;
    uint32_t block = episode_slot;
    uint32_t left = fan;
    uint32_t filled = fan < DM_BLOCK_ENTRIES ? fan : DM_BLOCK_ENTRIES;
    while (left > 0 && block != DM_BLOCK_NONE && dm_links_unmoved(links, version)) {
        for (uint32_t i = 0; i < filled && written < capacity; i++) {
            uint32_t binding =
                atomic_load_explicit(&bindings->handles[(size_t)block * DM_BLOCK_ENTRIES + i], memory_order_acquire);
            uint32_t owner = atomic_load_explicit(&bindings->owner[binding / DM_BLOCK_ENTRIES], memory_order_acquire);
            edges[written++] = (dm_edge){dm_concept_slot(owner), binding, dm_binding_strength_inline(store, binding)};
        }
        left -= filled;
        filled = left % DM_BLOCK_ENTRIES == 0 ? DM_BLOCK_ENTRIES : left % DM_BLOCK_ENTRIES;
        block = atomic_load_explicit(&bindings->handles_next[block], memory_order_acquire);
    }
    return written;
}

void dm_list_bindings(const dm_store *store, uint32_t slot, uint32_t version, uint32_t fan, dm_edge *edges,
                      uint32_t capacity) {
    if (dm_slot_is_concept(slot)) {
        (void)list_concept(store, slot, version, edges, capacity);
    } else {
        (void)list_episode(store, slot, version, fan, edges, capacity);
    }
}

uint32_t dm_edges_at(const dm_store *store, uint32_t slot, dm_edge *edges, uint32_t capacity, uint32_t *moment) {
    dm_links_read read = {.links = dm_links_at(store, slot)};
    uint32_t fan;
    do {
        dm_links_read_begin(&read);
        fan = atomic_load_explicit(&read.links->fan, memory_order_acquire);
        dm_list_bindings(store, slot, read.version, fan, edges, capacity);
    } while (!dm_links_read_end(&read));
    *moment = read.version & ~UINT32_C(1);
    return fan;
}

uint32_t dm_store_edges(const dm_store *store, uint32_t slot, dm_edge *edges, uint32_t capacity) {
    uint32_t moment;
    return dm_edges_at(store, slot, edges, capacity, &moment);
}

/* --- for a snapshot ------------------------------------------------------------------------------------------------- */

int dm_bindings_use_places(dm_bindings *bindings, dm_memory *account, uint32_t blocks) {
    dm_block_pool *pool = &bindings->places_pool;
    if (blocks > pool->limit) {
        return 0;
    }
    if (blocks > pool->committed) {
        if (!commit_places(bindings, account, pool->committed, blocks - pool->committed)) {
            return 0;
        }
        pool->committed = blocks;
    }
    pool->used = blocks > pool->used ? blocks : pool->used;
    return 1;
}

int dm_bindings_append_handle(dm_store *store, uint32_t episode, uint32_t fan, uint32_t binding) {
    return append_handle(store, episode, fan, binding);
}
