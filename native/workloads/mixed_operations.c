/* mixed_operations.c: what one operation of the workload `mixed` does. A row of the table names an operation;
 * `steps`, in the same order, does it. */
#include "store/store.h"
#include "workloads/mixed.h"

#include "store/poison.h"

static const uint64_t START = UINT64_C(0xcbf29ce484222325);

typedef int32_t step(dm_state *state, dm_mixed_worker *worker, uint64_t key, uint64_t *result);

static uint32_t episode_at(dm_state *state, uint64_t key) {
    return (uint32_t)(key % atomic_load_explicit(&state->episode_count, memory_order_acquire));
}

static dm_id concept_id(const dm_state *state, uint64_t key) {
    return (dm_id){key % state->concepts, DM_MIXED_ID_CONCEPT};
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static int32_t look_up(dm_state *state, dm_mixed_worker *worker, uint64_t key, uint64_t *result) {
    uint32_t slots[DM_MIXED_NEAREST];
    double cosines[DM_MIXED_NEAREST];
    const float *query = state->queries.values + key % state->queries.rows * state->queries.stride;
    (void)worker;
    int32_t status = dm_lookup_search(state->lookup, query, state->queries.stride, 1, DM_MIXED_NEAREST, NULL, slots,
                                      cosines, NULL, 0);
    for (uint32_t i = 0; status == DM_OK && i < DM_MIXED_NEAREST && slots[i] != DM_SLOT_NONE; i++) {
        const uint64_t cosine = dm_bits_from_float((float)cosines[i]);
        *result = dm_mixed_in(*result, cosine << 32 | dm_slot_index(slots[i]));
    }
    return status;
}

static int32_t read_node(dm_state *state, dm_mixed_worker *worker, uint64_t key, uint64_t *result) {
    (void)worker;
    const uint32_t slot = dm_store_find(state->store, (dm_id){episode_at(state, key), DM_MIXED_ID_EPISODE});
    if (slot == DM_SLOT_NONE) {
        return DM_ERROR_CORRUPT; /* episodes stay */
    }
    const dm_embedding embedding = dm_store_acquire_embedding(state->store, slot);
    *result = dm_mixed_in(*result, dm_bits_from_float(embedding.values[0]));
    dm_store_release_embedding(state->store, embedding);
    *result = dm_mixed_in(*result, dm_store_last_access(state->store, slot));
    *result = dm_mixed_in(*result, dm_bits_from_float(dm_store_activation(state->store, slot)));
    *result = dm_mixed_in(*result, dm_bits_from_float(dm_store_strength(state->store, slot)));
    return DM_OK;
}

static int32_t read_fan(dm_state *state, dm_mixed_worker *worker, uint64_t key, uint64_t *result) {
    *result = dm_mixed_in(*result, state->graph->fan(state, worker, concept_id(state, key)));
    return DM_OK;
}

/* Of the episode with an even key, of the concept with an odd one. */
static int32_t discriminate(dm_state *state, dm_mixed_worker *worker, uint64_t key, uint64_t *result) {
    (void)worker;
    const dm_id id = key % 2 == 0 ? (dm_id){episode_at(state, key), DM_MIXED_ID_EPISODE} : concept_id(state, key);
    const uint32_t slot = dm_store_find(state->store, id);
    if (slot == DM_SLOT_NONE) {
        return DM_ERROR_CORRUPT;
    }
    *result = dm_mixed_in(*result, (uint64_t)dm_slot_is_concept(slot));
    return DM_OK;
}

static int32_t spread_from(dm_mixed_worker *worker, uint32_t slot, size_t work, uint64_t *result) {
    const dm_cue cue = {slot, 1.0f};
    const dm_spread_result reached = dm_spread(worker->spreader, &cue, 1, NULL);
    uint64_t sum = 0; /* whatever the order of the nodes */
    worker->work[work] += reached.edges;
    for (uint32_t i = 0; i < reached.count; i++) {
        sum += (uint64_t)dm_bits_from_float(reached.nodes[i].activation) * (1 + reached.nodes[i].hop);
    }
    *result = dm_mixed_in(dm_mixed_in(dm_mixed_in(*result, reached.count), reached.edges), sum);
    return DM_OK;
}

static int32_t spread_concept(dm_state *state, dm_mixed_worker *worker, uint64_t key, uint64_t *result) {
    return spread_from(worker, state->concept_slots[key % state->concepts], DM_MIXED_WORK_SPREAD_CONCEPT, result);
}

static int32_t spread_episode(dm_state *state, dm_mixed_worker *worker, uint64_t key, uint64_t *result) {
    return spread_from(worker, state->episode_slots[episode_at(state, key)], DM_MIXED_WORK_SPREAD_EPISODE, result);
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static int32_t update(dm_state *state, dm_mixed_worker *worker, uint64_t key, uint64_t *result) {
    (void)worker;
    const uint64_t count = atomic_load_explicit(&state->binding_count, memory_order_acquire);
    if (count == 0) {
        return DM_ERROR_ARGUMENT;
    }
    dm_mixed_binding *binding = &state->bindings[key % count];
    const uint32_t turn = atomic_fetch_xor_explicit(&binding->turn, 1, memory_order_relaxed);
    const float strength = state->graph->update(state, binding, turn == 0 ? DM_MIXED_DELTA : -DM_MIXED_DELTA);
    *result = dm_mixed_in(*result, dm_bits_from_float(strength));
    return strength >= 0.0f ? DM_OK : DM_ERROR_CORRUPT;
}

static int32_t insert_episode(dm_state *state, dm_mixed_worker *worker, uint64_t key, uint64_t *result) {
    (void)worker;
    const float *values = state->data.values + key % state->data.rows * state->data.stride;
    *result = dm_mixed_in(*result, key % state->data.rows);
    return dm_mixed_insert(state, values, state->bindings_each, NULL, 0);
}

static int32_t form(dm_state *state, dm_mixed_worker *worker, uint64_t key, uint64_t *result) {
    (void)worker;
    const uint32_t count = atomic_load_explicit(&state->episode_count, memory_order_acquire);
    const uint32_t first = (uint32_t)(key % count);
    (void)pthread_mutex_lock(&state->forming);
    for (uint32_t i = 0; i < state->window_count; i++) {
        state->window[i] = state->episode_slots[(first + i) % count];
    }
    int32_t status = state->graph->form(state, result);
    state->formations++;
    /* In any case: the rows of the concepts that went are free only then. */
    const int32_t refreshed = dm_lookup_refresh(state->lookup, NULL, NULL, 0);
    (void)pthread_mutex_unlock(&state->forming);
    return status == DM_OK ? refreshed : status;
}

static int32_t consolidate(dm_state *state, dm_mixed_worker *worker, uint64_t key, uint64_t *result) {
    uint32_t up[DM_MIXED_CONSOLIDATED];
    uint32_t down[DM_MIXED_CONSOLIDATED];
    size_t up_count = 0;
    size_t down_count = 0;
    for (uint32_t i = 0; i < state->consolidation_concepts; i++) {
        const uint32_t number = (uint32_t)((key + i) % state->concepts);
        if (atomic_fetch_xor_explicit(&state->concept_turns[number], 1, memory_order_relaxed) == 0) {
            up[up_count++] = state->concept_slots[number];
        } else {
            down[down_count++] = state->concept_slots[number];
        }
    }
    *result = dm_mixed_in(*result, up_count);
    const uint32_t edges = state->graph->edges(state->store, state->concept_slots[key % state->concepts], NULL, 0);
    worker->work[DM_MIXED_WORK_CONSOLIDATE] += edges;
    *result = dm_mixed_in(*result, edges);
    int32_t status = state->graph->consolidate(state, worker, up, up_count, DM_MIXED_DELTA);
    return status == DM_OK ? state->graph->consolidate(state, worker, down, down_count, -DM_MIXED_DELTA) : status;
}

/* --- the table ---------------------------------------------------------------------------------------------------- */

static step *const steps[DM_MIXED_OPERATIONS] = {look_up,        read_node,      read_fan, discriminate,
                                                 spread_concept, spread_episode, update,   insert_episode,
                                                 form,           consolidate,   dm_mixed_decay};

#define OPERATION(NAME, KEY, INSERTS, MEANING) {sizeof(dm_operation), NAME, MEANING, KEY, INSERTS}

const dm_operation dm_mixed_operations[DM_MIXED_OPERATIONS] = {
    OPERATION("lookup", DM_KEY_QUERY, DM_KEY_NONE, "the 10 nearest concepts of a query"),
    OPERATION("read", DM_KEY_EPISODE, DM_KEY_NONE,
              "find an episode by its id and read its embedding, activation, strength and time"),
    OPERATION("fan", DM_KEY_CONCEPT, DM_KEY_NONE, "find a concept by its id and read its fan"),
    OPERATION("discriminate", DM_KEY_EPISODE, DM_KEY_NONE,
              "find a node by its id, an episode or, where the key is odd, a concept, and tell which it is"),
    OPERATION("spread_concept", DM_KEY_CONCEPT, DM_KEY_NONE, "spread activation from a concept over `hops` hops"),
    OPERATION("spread_episode", DM_KEY_EPISODE, DM_KEY_NONE, "spread activation from an episode over `hops` hops"),
    OPERATION("update", DM_KEY_BINDING, DM_KEY_NONE, "strengthen a binding, and weaken it the next time"),
    OPERATION("insert_episode", DM_KEY_DATA, DM_KEY_EPISODE, "add an episode and bind it to its nearest concepts"),
    OPERATION("form", DM_KEY_EPISODE, DM_KEY_NONE,
              "cluster `formation_episodes` from an episode on; the concepts found replace the last formation's, and "
              "the index is refreshed"),
    OPERATION(
        "consolidate", DM_KEY_CONCEPT, DM_KEY_NONE,
        "strengthen all bindings of `consolidation_concepts` concepts from one on, and weaken them the next time"),
    OPERATION("decay", DM_KEY_CONCEPT, DM_KEY_NONE,
              "all bindings of `decay_concepts` concepts from one on forget a minute; every 32nd time a concept is "
              "learned anew"),
};

int32_t dm_mixed_operate(dm_state *state, uint32_t thread, uint32_t operation, uint64_t key, uint64_t *result) {
    *result = START;
    if (thread >= state->threads || operation >= DM_MIXED_OPERATIONS) {
        return DM_ERROR_ARGUMENT;
    }
    return steps[operation](state, &state->workers[thread], key, result);
}
