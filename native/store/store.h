/* store.h: the store from inside: its layout, and the hot accesses as inline functions for the kernels.
 *
 * Layout. The slots of concepts begin at 129 Mi, whatever the number of episodes, and the arrays over all nodes have that gap
 * too: address space reserved, not memory. So an access by handle reaches the record of either type with the same
 * instructions as in a store without types. Concepts at negative indices would cost a sign extension in each access, measured
 * as 5-8 % of the tightest loop, where the contract against the single-type store leaves 5; a choice between two arrays
 * costs more. Why not 128 Mi: a first-level cache that predicts its way from a hash of the
 * address (AMD's, Lipp et al. 2020) takes addresses 2 GiB apart for one, and the two types would evict each other: 1.30
 * instead of 0.86 ns for an access to 2,000 nodes.
 *
 *   nodes[slot]   16 bytes: last access, activation, and one weight: an episode's strength, a concept's cached decay factor.
 *                 The same record as in a single-type store, so that a shared operation costs the same in both.
 *   links[slot]   8 bytes: fan and version; what only a dual store has. Packed: one 64-byte line per concept makes
 *                 random access over 1e5 concepts 5-6 x slower; the fan alone of 1e5 concepts fits a second-level cache.
 *   rows          per type: the embeddings, contiguous for scans, behind a map from slot to row (rows.h).
 *   ids           one hash table for both types (ids.h).
 *   bindings      in blocks of eight that belong to a concept (bindings.h).
 *   associations  in blocks of eight per node, from the first association on (associations.h).
 */
#ifndef DUALMEM_STORE_STORE_H
#define DUALMEM_STORE_STORE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "dualmem/dualmem.h"
#include "store/associations.h"
#include "store/bindings.h"
#include "store/ids.h"
#include "store/links.h"
#include "store/memory.h"
#include "store/numa.h"
#include "store/rows.h"

typedef struct dm_node {
    _Atomic uint64_t last_access_ns;
    _Atomic uint32_t activation; /* bits of a float in [0, 1] */
    _Atomic uint32_t weight;     /* bits of a float in [0, 1]: strength, or decay factor */
} dm_node;

_Static_assert(sizeof(dm_node) == 16, "four nodes to a cache line");

struct dm_store {
    /* Read by hot calls; constant after creation. */
    dm_node *nodes;
    dm_links *links; /* NULL in a single-type store */
    dm_bindings bindings;
    dm_ids ids;
    dm_rows_table episodes; /* of a single-type store: its nodes */
    dm_rows_table concepts;
    _Atomic uint64_t *formations; /* [concept index] coherence and member count in one word, so that they are read together */

    uint32_t dim;
    int32_t single_type;

    /* Cold. */
    pthread_mutex_t lock; /* adding, removing, replacing nodes; the list of readers */
    dm_reader *readers;
    dm_placement placement;
    dm_memory self_memory;
    dm_memory embedding_memory;
    dm_memory id_memory;
    dm_memory node_memory;
    dm_memory metadata_memory;
    dm_memory binding_memory;
    dm_memory association_memory;
    dm_associations associations; /* at the end: what is above keeps its place */
    size_t array_placement;
};

/* --- hot accesses ------------------------------------------------------------------------------------------------ */

static inline float dm_float_from_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static inline uint32_t dm_bits_from_float(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

/* Written so that a compiler makes a minimum and a maximum of it; NaN gives 1. */
static inline float dm_clamp_unit(float value) {
    value = value < 1.0f ? value : 1.0f;
    return value > 0.0f ? value : 0.0f;
}

static inline dm_node *dm_node_at(const dm_store *store, uint32_t slot) {
    return store->nodes + slot;
}

static inline dm_links *dm_links_at(const dm_store *store, uint32_t slot) {
    return store->links + slot;
}

static inline const dm_rows_table *dm_rows_of(const dm_store *store, uint32_t slot) {
    return dm_slot_is_concept(slot) ? &store->concepts : &store->episodes; /* slots of a single-type store lack the bit */
}

static inline float dm_activation_inline(const dm_store *store, uint32_t slot) {
    return dm_float_from_bits(atomic_load_explicit(&dm_node_at(store, slot)->activation, memory_order_relaxed));
}

static inline float dm_weight_inline(const dm_store *store, uint32_t slot) {
    return dm_float_from_bits(atomic_load_explicit(&dm_node_at(store, slot)->weight, memory_order_relaxed));
}

static inline uint32_t dm_fan_inline(const dm_store *store, uint32_t slot) {
    return atomic_load_explicit(&dm_links_at(store, slot)->fan, memory_order_relaxed);
}

static inline int dm_is_live_inline(const dm_store *store, uint32_t slot) {
    return dm_rows_find(dm_rows_of(store, slot), dm_slot_index(slot)) != DM_ROW_NONE;
}

static inline dm_formation dm_formation_load(const _Atomic uint64_t *packed) {
    uint64_t bits = atomic_load_explicit(packed, memory_order_relaxed);
    return (dm_formation){dm_float_from_bits((uint32_t)(bits >> 32)), (uint32_t)bits};
}

static inline void dm_formation_store(_Atomic uint64_t *packed, dm_formation formation) {
    uint64_t bits = (uint64_t)dm_bits_from_float(formation.coherence) << 32 | formation.member_count;
    atomic_store_explicit(packed, bits, memory_order_relaxed);
}

/* --- within the store -------------------------------------------------------------------------------------------- */

/* Writes a sentence to a caller's buffer and returns the status. */
int32_t dm_fail(int32_t status, char *error, size_t error_size, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* bindings.c: dm_store_edges, and the version (dm_links) of the moment that it shows. */
uint32_t dm_edges_at(const dm_store *store, uint32_t slot, dm_edge *edges, uint32_t capacity, uint32_t *moment);

/* bindings.c: writes entry `fan` of an episode's list, under its lock. 0: no memory. */
int dm_bindings_append_handle(dm_store *store, uint32_t episode, uint32_t fan, uint32_t binding);

/* bindings.c: removes all bindings of a node that no new ones can come to. */
void dm_store_unbind_all(dm_store *store, uint32_t slot);

/* bindings.c: writes up to `capacity` of the node's `fan` bindings; for a reader that took the node's version before, then
 * the fan, and compares the version afterwards. */
void dm_list_bindings(const dm_store *store, uint32_t slot, uint32_t version, uint32_t fan, dm_edge *edges,
                      uint32_t capacity);

/* metadata.c: how much slower a concept with this fan forgets: 1 / (1 + 0.25 ln(max(fan, 1))). */
float dm_decay_factor_of(uint32_t fan);

/* placement.c: asks the system to follow the plan, and reports what came of it. Before the arrays are filled, for the pages that are
 * in use already move. */
void dm_store_place(dm_store *store, const dm_numa_plan *plan);

/* statistics.c */
void dm_store_free_readers(dm_store *store);

#endif
