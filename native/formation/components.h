/* components.h: the connected components of a graph whose edges several threads find at once.
 *
 * A forest over parents (Galler & Fischer 1964), joined without locks (Anderson & Woll 1991): a root changes only by
 * a compare-and-swap that expects it to be a root, and always to a smaller number, so there are no cycles and the
 * root of a component is its smallest member, whichever edges came first. */
#ifndef DUALMEM_FORMATION_COMPONENTS_H
#define DUALMEM_FORMATION_COMPONENTS_H

#include <stdatomic.h>
#include <stdint.h>

static inline uint32_t dm_component_root(_Atomic uint32_t *parents, uint32_t node) {
    uint32_t parent = atomic_load_explicit(&parents[node], memory_order_relaxed);
    while (parent != node) {
        /* Halving the path: any ancestor is as good a parent as any other. */
        uint32_t above = atomic_load_explicit(&parents[parent], memory_order_relaxed);
        if (above != parent) {
            atomic_store_explicit(&parents[node], above, memory_order_relaxed);
        }
        node = parent;
        parent = above;
    }
    return node;
}

static inline void dm_component_join(_Atomic uint32_t *parents, uint32_t a, uint32_t b) {
    for (;;) {
        a = dm_component_root(parents, a);
        b = dm_component_root(parents, b);
        if (a == b) {
            return;
        }
        uint32_t larger = a > b ? a : b;
        uint32_t root = larger;
        if (atomic_compare_exchange_strong_explicit(&parents[larger], &root, a > b ? b : a, memory_order_relaxed,
                                                    memory_order_relaxed)) {
            return;
        }
    }
}

#endif
