/* mixed_dual.c: the graph of the workload `mixed` in a dual store. The store asks for no lock but for one: who
 * removes concepts keeps others from using their slots. Only formations remove any, those that formations made, and
 * no key names these. */
#include "store/store.h"
#include "workloads/mixed.h"

#include "store/poison.h"

static int32_t create(dm_state *state, char *error, size_t error_size) {
    const dm_store_options options = {
        .size = sizeof(options),
        .dim = (uint32_t)state->data.columns,
        /* Until the index is refreshed, the rows of the concepts of the last formation are kept beside those of the new
           one. */
        .concept_capacity = state->concepts + 2 * DM_MIXED_FORMED,
        .episode_capacity = state->episode_capacity,
        .placement = state->placement,
    };
    int32_t status = dm_store_create(&options, &state->store, error, error_size);
    state->centroids = state->store;
    return status;
}

static int32_t add_concept(dm_state *state, dm_id id, const float *values, uint32_t *slot, char *error,
                           size_t error_size) {
    return dm_store_add_concept(state->store, id, values, slot, error, error_size);
}

static int32_t bind(dm_state *state, dm_mixed_binding *binding, float strength, char *error, size_t error_size) {
    return dm_store_bind(state->store, binding->episode, binding->concept_slot, strength, &binding->handle, error,
                         error_size);
}

static int is_mutual(const dm_store *store, uint32_t concept_slot, const dm_edge *edge) {
    return edge->strength >= 0.0f && dm_store_find_binding(store, edge->slot, concept_slot) == edge->binding;
}

static uint32_t fan_of(dm_state *state, dm_mixed_worker *worker, dm_id id) {
    uint32_t fan = 0;
    (void)state;
    (void)dm_reader_fan_by_id(worker->reader, id, &fan);
    return fan;
}

static float update(dm_state *state, const dm_mixed_binding *binding, float delta) {
    return dm_store_strengthen(state->store, binding->handle, delta);
}

static int32_t consolidate(dm_state *state, dm_mixed_worker *worker, const uint32_t *slots, size_t count,
                           float amount) {
    (void)worker;
    dm_store_consolidate(state->store, slots, count, amount, NULL);
    return DM_OK;
}

static int32_t decay(dm_state *state, dm_mixed_worker *worker, const uint32_t *slots, size_t count) {
    (void)worker;
    return dm_store_decay_concepts(state->store, &dm_mixed_forgetting, slots, count, NULL, NULL, 0);
}

static float strength_of(dm_state *state, const dm_mixed_binding *binding) {
    return dm_store_binding_strength(state->store, binding->handle);
}

/* A sum, so that what others add meanwhile is not lost. */
static void relearn(dm_state *state, const dm_mixed_binding *binding, float strength) {
    (void)update(state, binding, strength - strength_of(state, binding));
}

static int32_t form(dm_state *state, uint64_t *result) {
    dm_id ids[DM_MIXED_FORMED];
    for (uint32_t i = 0; i < DM_MIXED_FORMED; i++) {
        ids[i] = (dm_id){state->formations * DM_MIXED_FORMED + i, DM_MIXED_ID_FORMED};
    }
    while (state->formed_count > 0) {
        (void)dm_store_remove(state->store, state->formed[--state->formed_count], NULL, 0);
    }
    int32_t status = dm_store_form(state->store, state->former, state->window, state->window_count, ids, NULL,
                                   state->formed, &state->formed_count, NULL, 0);
    for (uint32_t i = 0; i < state->formed_count; i++) {
        dm_formation made = dm_store_formation(state->store, state->formed[i]);
        *result = dm_mixed_in(*result, (uint64_t)dm_bits_from_float(made.coherence) << 32 | made.member_count);
    }
    return status;
}

const dm_mixed_graph dm_mixed_dual_graph = {
    .create = create,
    .add_concept = add_concept,
    .bind = bind,
    .edges = dm_store_edges,
    .is_mutual = is_mutual,
    .fan = fan_of,
    .update = update,
    .consolidate = consolidate,
    .decay = decay,
    .strength = strength_of,
    .relearn = relearn,
    .form = form,
};
