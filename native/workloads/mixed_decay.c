/* mixed_decay.c: forgetting in the workload `mixed`, and the way back.
 *
 * A product has no exact inverse, and updates add to a strength between two decays of it. So nothing is undone: after
 * DM_MIXED_DECAYS decays a concept is learned anew, each of its bindings to the strength that it would have without
 * any. That one is known exactly at any time, from what the binding began with and from the turns of updates and
 * consolidations (mixed.h). An update that is between its turn and its sum just then leaves a strength off by one
 * DM_MIXED_DELTA until its concept is learned anew the next time: an error is never added to another.
 *
 * A minute of the default rate takes 0.07 % of a strength at most, and DM_MIXED_DECAYS of them 2.2 %, so that the
 * difference to a strength of at least 1/4, and the sum with it, are exact. */
#include "store/store.h"
#include "workloads/mixed.h"

#include "store/poison.h"

/* A minute, with a time constant of a day. */
const dm_decay_options dm_mixed_forgetting = {
    .size = sizeof(dm_decay_options),
    .mode = DM_DECAY_EXPONENTIAL,
    .lambda_per_second = 1.0 / 86400.0,
    .elapsed_ns = UINT64_C(60000000000),
};

void dm_mixed_relearn(dm_state *state, uint32_t number) {
    uint32_t next = atomic_load_explicit(&state->concept_newest[number], memory_order_acquire);
    while (next != 0) {
        const dm_mixed_binding *binding = &state->bindings[next - 1];
        const dm_mixed_origin *origin = &state->origins[next - 1];
        const uint32_t turns = atomic_load_explicit(&binding->turn, memory_order_relaxed) +
                               atomic_load_explicit(&state->concept_turns[number], memory_order_relaxed);
        state->graph->relearn(state, binding, origin->strength + (float)turns * DM_MIXED_DELTA);
        next = origin->previous;
    }
}

int32_t dm_mixed_decay(dm_state *state, dm_mixed_worker *worker, uint64_t key, uint64_t *result) {
    const uint32_t first = (uint32_t)(key % state->concepts);
    uint32_t slots[DM_MIXED_CONSOLIDATED];
    for (uint32_t i = 0; i < state->decay_concepts; i++) {
        slots[i] = state->concept_slots[(first + i) % state->concepts];
    }
    const int32_t status = state->graph->decay(state, worker, slots, state->decay_concepts);
    const uint32_t edges = state->graph->edges(state->store, slots[0], NULL, 0);
    const uint32_t newest = atomic_load_explicit(&state->concept_newest[first], memory_order_acquire);
    const float strength = newest == 0 ? 0.0f : state->graph->strength(state, &state->bindings[newest - 1]);
    worker->work[DM_MIXED_WORK_DECAY] += edges;
    *result = dm_mixed_in(dm_mixed_in(*result, edges), dm_bits_from_float(strength));
    for (uint32_t i = 0; i < state->decay_concepts; i++) {
        const uint32_t number = (first + i) % state->concepts;
        if (atomic_fetch_add_explicit(&state->concept_decays[number], 1, memory_order_relaxed) + 1 == DM_MIXED_DECAYS) {
            dm_mixed_relearn(state, number);
            (void)atomic_fetch_sub_explicit(&state->concept_decays[number], DM_MIXED_DECAYS, memory_order_relaxed);
        }
    }
    return status;
}
