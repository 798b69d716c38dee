/* consolidate.c: strengthening what belongs to a concept. */
#include "parallel/team.h"
#include "store/binding_access.h"

#include "store/poison.h"

/* Concepts per task: enough work to be worth taking, a few cache lines each. */
enum { CONCEPTS_PER_TASK = 64 };

typedef struct consolidation {
    dm_store *store;
    const uint32_t *concept_slots;
    size_t count;
    float amount;
} consolidation;

/* The concept's lock keeps its blocks in place; strengths are changed without locks as everywhere. */
static void strengthen_all(dm_store *store, uint32_t concept_slot, float amount) {
    const dm_bindings *bindings = &store->bindings;
    dm_links *links = dm_links_at(store, concept_slot);
    dm_links_lock(links);
    for (uint32_t block = dm_slot_index(concept_slot); block != DM_BLOCK_NONE;
         block = atomic_load_explicit(&bindings->next[block], memory_order_acquire)) {
        for (uint32_t place = block * DM_BLOCK_ENTRIES; place < (block + 1) * DM_BLOCK_ENTRIES; place++) {
            (void)dm_binding_update_inline(store, place, 1.0f, amount);
        }
    }
    dm_links_unlock(links);
}

static void consolidate_some(void *context, uint32_t task, uint32_t member) {
    (void)member;
    const consolidation *work = context;
    const size_t begin = (size_t)task * CONCEPTS_PER_TASK;
    const size_t end = work->count - begin < CONCEPTS_PER_TASK ? work->count : begin + CONCEPTS_PER_TASK;
    for (size_t i = begin; i < end; i++) {
        strengthen_all(work->store, work->concept_slots[i], work->amount);
    }
}

void dm_store_consolidate(dm_store *store, const uint32_t *concept_slots, size_t count, float amount, dm_team *team) {
    if (store->single_type) {
        return;
    }
    consolidation work = {store, concept_slots, count, amount};
    dm_team_run(team, (uint32_t)((count + CONCEPTS_PER_TASK - 1) / CONCEPTS_PER_TASK), consolidate_some, &work);
}
