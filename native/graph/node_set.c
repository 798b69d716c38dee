/* node_set.c: making and freeing a set of numbers; see node_set.h. */
#include "graph/node_set.h"

#include "store/poison.h"

int dm_node_set_create(dm_node_set *set, uint32_t capacity, dm_memory *account, size_t placement) {
    size_t words[DM_NODE_SET_LEVELS];
    size_t total = 0;
    set->level_count = 0;
    for (size_t count = capacity;;) {
        count = (count + 63) / 64;
        words[set->level_count++] = count;
        total += count;
        if (count == 1) {
            break;
        }
    }
    _Atomic uint64_t *memory = dm_memory_allocate(account, total * sizeof(uint64_t), DM_CACHE_LINE, placement);
    for (uint32_t level = 0; memory != NULL && level < set->level_count; level++) {
        set->levels[level] = memory;
        memory += words[level];
    }
    return set->levels[0] != NULL;
}

void dm_node_set_destroy(dm_node_set *set, dm_memory *account) {
    dm_memory_free(account, (void *)set->levels[0]);
}
