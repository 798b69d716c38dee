/* node_set.h: a set of numbers that is emptied in ascending order, at a cost that follows its size alone.
 *
 * A bit for each number, 64 to a word; above it a bit for each word that is not zero, and so on up to a single word. Adding
 * writes one word, mostly. Taking goes down from the top, so it neither visits nor clears what was not added. The alternative,
 * a list, would have to be sorted before each hop and would need a mark per node against adding one twice. */
#ifndef DUALMEM_GRAPH_NODE_SET_H
#define DUALMEM_GRAPH_NODE_SET_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "store/memory.h"

enum { DM_NODE_SET_LEVELS = 5 }; /* 64^5 = 2^30 numbers */

typedef struct dm_node_set {
    _Atomic uint64_t *levels[DM_NODE_SET_LEVELS]; /* [0]: the numbers; one allocation */
    uint32_t level_count;
} dm_node_set;

/* For numbers below `capacity`, 1..2^30. 0: no memory. */
int dm_node_set_create(dm_node_set *set, uint32_t capacity, dm_memory *account, size_t placement);
/* Accepts a zeroed one. */
void dm_node_set_destroy(dm_node_set *set, dm_memory *account);

/* Threads may add at the same time if no two of them add numbers of the same 64. */
static inline void dm_node_set_add(dm_node_set *set, uint32_t number) {
    _Atomic uint64_t *word = &set->levels[0][number / 64];
    uint64_t before = atomic_load_explicit(word, memory_order_relaxed);
    atomic_store_explicit(word, before | UINT64_C(1) << number % 64, memory_order_relaxed);
    /* Whoever finds a word that is zero tells the level above. */
    for (uint32_t level = 1; level < set->level_count && before == 0; level++) {
        number /= 64;
        before = atomic_fetch_or_explicit(&set->levels[level][number / 64], UINT64_C(1) << number % 64, memory_order_relaxed);
    }
}

/* Takes the smallest numbers out: those of one word, number *first + i for bit i of the result. 0: the set is empty. */
static inline uint64_t dm_node_set_take(dm_node_set *set, uint32_t *first) {
    uint32_t index = 0;
    for (uint32_t level = set->level_count - 1; level > 0; level--) {
        uint64_t bits = atomic_load_explicit(&set->levels[level][index], memory_order_relaxed);
        if (bits == 0) {
            return 0;
        }
        index = index * 64 + (uint32_t)__builtin_ctzll(bits);
    }
    uint64_t taken = atomic_load_explicit(&set->levels[0][index], memory_order_relaxed);
    atomic_store_explicit(&set->levels[0][index], 0, memory_order_relaxed);
    *first = index * 64;
    for (uint32_t level = 1; level < set->level_count; level++) {
        _Atomic uint64_t *word = &set->levels[level][index / 64];
        uint64_t left = atomic_load_explicit(word, memory_order_relaxed) & ~(UINT64_C(1) << index % 64);
        atomic_store_explicit(word, left, memory_order_relaxed);
        if (left != 0) {
            break;
        }
        index /= 64;
    }
    return taken;
}

#endif
