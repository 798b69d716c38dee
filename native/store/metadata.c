/* metadata.c: activation, time, strength, fan, version and the cached decay factor of nodes. */
#include <math.h>

#include "store/store.h"

#include "store/poison.h"

/* --- activation and time -------------------------------------------------------------------------------------------- */

float dm_store_activation(const dm_store *store, uint32_t slot) {
    return dm_activation_inline(store, slot);
}

float dm_store_activate(dm_store *store, uint32_t slot, float delta) {
    _Atomic uint32_t *activation = &dm_node_at(store, slot)->activation;
    uint32_t before = atomic_load_explicit(activation, memory_order_relaxed);
    for (;;) {
        float after = dm_clamp_unit(dm_float_from_bits(before) + delta);
        if (atomic_compare_exchange_weak_explicit(activation, &before, dm_bits_from_float(after), memory_order_relaxed,
                                                  memory_order_relaxed)) {
            return after;
        }
    }
}

uint64_t dm_store_last_access(const dm_store *store, uint32_t slot) {
    return atomic_load_explicit(&dm_node_at(store, slot)->last_access_ns, memory_order_relaxed);
}

void dm_store_touch(dm_store *store, uint32_t slot, uint64_t now_ns) {
    _Atomic uint64_t *last = &dm_node_at(store, slot)->last_access_ns;
    uint64_t before = atomic_load_explicit(last, memory_order_relaxed);
    while (before < now_ns && !atomic_compare_exchange_weak_explicit(last, &before, now_ns, memory_order_relaxed,
                                                                     memory_order_relaxed)) {
    }
}

/* --- strength and formation ------------------------------------------------------------------------------------------- */

float dm_store_strength(const dm_store *store, uint32_t slot) {
    return dm_weight_inline(store, slot);
}

void dm_store_set_strength(dm_store *store, uint32_t slot, float strength) {
    atomic_store_explicit(&dm_node_at(store, slot)->weight, dm_bits_from_float(dm_clamp_unit(strength)),
                          memory_order_relaxed);
}

dm_formation dm_store_formation(const dm_store *store, uint32_t concept_slot) {
    return store->single_type ? (dm_formation){0.0f, 0}
                              : dm_formation_load(&store->formations[dm_slot_index(concept_slot)]);
}

void dm_store_set_formation(dm_store *store, uint32_t concept_slot, dm_formation formation) {
    if (!store->single_type) {
        formation.coherence = dm_clamp_unit(formation.coherence);
        dm_formation_store(&store->formations[dm_slot_index(concept_slot)], formation);
    }
}

/* --- fan, version, decay factor ------------------------------------------------------------------------------------------ */

uint32_t dm_store_fan(const dm_store *store, uint32_t slot) {
    return store->single_type ? 0 : dm_fan_inline(store, slot);
}

int dm_store_fan_by_id(const dm_store *store, dm_id id, uint32_t *fan) {
    uint32_t slot = dm_ids_find(&store->ids, id);
    *fan = slot == DM_SLOT_NONE ? 0 : dm_store_fan(store, slot);
    return slot != DM_SLOT_NONE;
}

uint32_t dm_store_version(const dm_store *store, uint32_t slot) {
    return store->single_type ? 0 : atomic_load_explicit(&dm_links_at(store, slot)->version, memory_order_acquire) / 2;
}

float dm_decay_factor_of(uint32_t fan) {
    return (float)(1.0 / (1.0 + DM_DECAY_ALPHA * log(fan > 1 ? (double)fan : 1.0)));
}

float dm_store_decay_factor(const dm_store *store, uint32_t concept_slot) {
    return store->single_type ? 1.0f : dm_weight_inline(store, concept_slot);
}
