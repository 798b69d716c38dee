/* binding_access.h: hot accesses to bindings, inline for the store and for the kernels. */
#ifndef DUALMEM_STORE_BINDING_ACCESS_H
#define DUALMEM_STORE_BINDING_ACCESS_H

#include "store/store.h"

static inline float dm_binding_strength_inline(const dm_store *store, uint32_t binding) {
    uint32_t bits = atomic_load_explicit(&store->bindings.strengths[binding], memory_order_relaxed);
    return bits == DM_STRENGTH_HOLE ? -1.0f : dm_float_from_bits(bits);
}

/* s <- clamp(s * factor + delta). Both forms of update are one: with factor 1 or delta 0 the other operation is exact, and
 * the compiler drops it where the value is known. */
static inline float dm_binding_update_inline(dm_store *store, uint32_t binding, float factor, float delta) {
    _Atomic uint32_t *strength = &store->bindings.strengths[binding];
    uint32_t before = atomic_load_explicit(strength, memory_order_relaxed);
    for (;;) {
        if (before == DM_STRENGTH_HOLE) {
            return -1.0f;
        }
        float after = dm_clamp_unit(dm_float_from_bits(before) * factor + delta);
        if (atomic_compare_exchange_weak_explicit(strength, &before, dm_bits_from_float(after), memory_order_relaxed,
                                                  memory_order_relaxed)) {
            return after;
        }
    }
}

/* The place of an episode among eight, or 8. Compares all: a loop that stops at the place found would mispredict its end
 * almost every time. */
static inline uint32_t dm_block_search(const _Atomic uint32_t *entries, uint32_t wanted) {
    uint32_t place = DM_BLOCK_ENTRIES;
    for (uint32_t i = 0; i < DM_BLOCK_ENTRIES; i++) {
        place = atomic_load_explicit(&entries[i], memory_order_acquire) == wanted ? i : place;
    }
    return place;
}

/* bindings.c: the same beyond the inline block. */
uint32_t dm_find_binding_beyond(const dm_store *store, uint32_t episode_slot, uint32_t concept_slot);

/* The slots are valid, of the right types. */
static inline uint32_t dm_find_binding_inline(const dm_store *store, uint32_t episode_slot, uint32_t concept_slot) {
    uint32_t block = UINT32_MAX - 1 - concept_slot;
    uint32_t place = dm_block_search(&store->bindings.partners[(size_t)block * DM_BLOCK_ENTRIES], episode_slot);
    if (place < DM_BLOCK_ENTRIES) {
        return block * DM_BLOCK_ENTRIES + place;
    }
    if (atomic_load_explicit(&store->bindings.next[block], memory_order_acquire) == DM_BLOCK_NONE) {
        return DM_BINDING_NONE;
    }
    return dm_find_binding_beyond(store, episode_slot, concept_slot);
}

/* DM_BINDING_NONE unless both are in the store, of the right types, and bound. */
static inline uint32_t dm_find_binding_by_id_inline(const dm_store *store, dm_id episode, dm_id concept_id) {
    uint32_t episode_slot = dm_ids_find(&store->ids, episode);
    uint32_t concept_slot = dm_ids_find(&store->ids, concept_id);
    /* Episodes have the top bit clear, concepts set; DM_SLOT_NONE is no concept. */
    if (episode_slot >= DM_PARTNER_HOLE || concept_slot < DM_PARTNER_HOLE || concept_slot == DM_SLOT_NONE) {
        return DM_BINDING_NONE;
    }
    return dm_find_binding_inline(store, episode_slot, concept_slot);
}

static inline float dm_binding_update_by_id_inline(dm_store *store, dm_id episode, dm_id concept_id, float factor,
                                                   float delta) {
    uint32_t binding = dm_find_binding_by_id_inline(store, episode, concept_id);
    return binding == DM_BINDING_NONE ? -1.0f : dm_binding_update_inline(store, binding, factor, delta);
}

#endif
