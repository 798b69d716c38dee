/* binding_access.h: hot accesses to bindings, inline for the store and for the kernels. */
#ifndef DUALMEM_STORE_BINDING_ACCESS_H
#define DUALMEM_STORE_BINDING_ACCESS_H

#if defined(__SSE2__) && !defined(__SANITIZE_THREAD__)
#include <emmintrin.h>
#endif

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
static inline uint32_t dm_block_search_plain(const _Atomic uint32_t *entries, uint32_t wanted) {
    uint32_t place = DM_BLOCK_ENTRIES;
    for (uint32_t i = 0; i < DM_BLOCK_ENTRIES; i++) {
        place = atomic_load_explicit(&entries[i], memory_order_acquire) == wanted ? i : place;
    }
    return place;
}

/* With SSE2, which every x86-64 has, two vector comparisons make a guess, and one atomic load makes sure: 8 cycles instead
 * of 13. The vector loads are no atomic operations in the eyes of C11, though each aligned word is read whole; so the thread
 * sanitizer gets the plain form. A guess that comes too late is a miss, as if the search had been a moment earlier. */
#if defined(__SSE2__) && !defined(__SANITIZE_THREAD__)
static inline uint32_t dm_block_search(const _Atomic uint32_t *entries, uint32_t wanted) {
    const __m128i *vectors = (const __m128i *)(const void *)entries;
    __m128i four = _mm_set1_epi32((int32_t)wanted);
    __m128i first = _mm_cmpeq_epi32(_mm_load_si128(vectors), four);
    __m128i second = _mm_cmpeq_epi32(_mm_load_si128(vectors + 1), four);
    uint32_t equal = (uint32_t)_mm_movemask_epi8(_mm_packs_epi32(first, second)); /* two bits an entry */
    if (equal == 0) {
        return DM_BLOCK_ENTRIES;
    }
    uint32_t place = (uint32_t)__builtin_ctz(equal) / 2;
    return atomic_load_explicit(&entries[place], memory_order_acquire) == wanted ? place : DM_BLOCK_ENTRIES;
}
#else
static inline uint32_t dm_block_search(const _Atomic uint32_t *entries, uint32_t wanted) {
    return dm_block_search_plain(entries, wanted);
}
#endif

/* bindings.c: the same beyond the inline block. */
uint32_t dm_find_binding_beyond(const dm_store *store, uint32_t episode_slot, uint32_t concept_slot);

/* The slots are valid, of the right types. */
static inline uint32_t dm_find_binding_inline(const dm_store *store, uint32_t episode_slot, uint32_t concept_slot) {
    uint32_t block = concept_slot - DM_CONCEPT_BASE;
    uint32_t place = dm_block_search(&store->bindings.partners[(size_t)block * DM_BLOCK_ENTRIES], episode_slot);
    if (place < DM_BLOCK_ENTRIES) {
        return block * DM_BLOCK_ENTRIES + place;
    }
    if (atomic_load_explicit(&store->bindings.next[block], memory_order_acquire) == DM_BLOCK_NONE) {
        return DM_BINDING_NONE;
    }
    return dm_find_binding_beyond(store, episode_slot, concept_slot);
}

/* 1 when the slots are those of an episode and a concept; DM_SLOT_NONE is neither. */
static inline int dm_is_pair_inline(uint32_t episode_slot, uint32_t concept_slot) {
    return episode_slot < DM_CONCEPT_BASE && concept_slot - DM_CONCEPT_BASE < DM_CAPACITY_MAX;
}

/* Asks for the two lines in which the pair's binding most probably is. */
static inline void dm_prefetch_block(const dm_store *store, uint32_t concept_slot) {
    size_t place = (size_t)(concept_slot - DM_CONCEPT_BASE) * DM_BLOCK_ENTRIES;
    __builtin_prefetch((const void *)&store->bindings.partners[place]);
    __builtin_prefetch((const void *)&store->bindings.strengths[place], 1);
}

/* DM_BINDING_NONE unless both are in the store, of the right types, and bound. */
static inline uint32_t dm_find_binding_by_id_inline(const dm_store *store, dm_id episode, dm_id concept_id) {
    uint32_t concept_slot = dm_ids_find(&store->ids, concept_id);
    uint32_t episode_slot = dm_ids_find(&store->ids, episode);
    if (!dm_is_pair_inline(episode_slot, concept_slot)) {
        return DM_BINDING_NONE;
    }
    dm_prefetch_block(store, concept_slot); /* both at once, not one after the other */
    return dm_find_binding_inline(store, episode_slot, concept_slot);
}

static inline float dm_binding_update_by_id_inline(dm_store *store, dm_id episode, dm_id concept_id, float factor,
                                                   float delta) {
    uint32_t binding = dm_find_binding_by_id_inline(store, episode, concept_id);
    return binding == DM_BINDING_NONE ? -1.0f : dm_binding_update_inline(store, binding, factor, delta);
}

#endif
