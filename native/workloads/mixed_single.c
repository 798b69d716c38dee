/* mixed_single.c: the graph of the workload `mixed` in nodes of one type: its twin.
 *
 * Nodes are episodes and edges are associations, which the store keeps in another way than bindings: a weight is in
 * the lists of both its nodes, has no handle, and is written, not added to. Hence the stripes: reading a weight and
 * writing the sum is to be one step. */
#include <math.h>

#include "simd/decay.h"
#include "store/store.h"
#include "workloads/mixed.h"

#include "store/poison.h"

static int32_t create(dm_state *state, char *error, size_t error_size) {
    const uint32_t concepts = state->concepts + 2 * DM_MIXED_FORMED;
    const dm_store_options nodes = {
        .size = sizeof(nodes),
        .dim = (uint32_t)state->data.columns,
        .episode_capacity = state->episode_capacity + concepts,
        .placement = state->placement,
    };
    const dm_store_options copies = {
        .size = sizeof(copies),
        .dim = nodes.dim,
        .episode_capacity = concepts,
        .single_type = 1,
        .placement = state->placement,
    };
    int32_t status = dm_store_create(&nodes, &state->store, error, error_size);
    return status == DM_OK ? dm_store_create(&copies, &state->centroids, error, error_size) : status;
}

static int32_t add_concept(dm_state *state, dm_id id, const float *values, uint32_t *slot, char *error,
                           size_t error_size) {
    uint32_t copy;
    int32_t status = dm_store_add_node(state->centroids, id, values, &copy, error, error_size);
    return status == DM_OK ? dm_store_add_episode(state->store, id, values, slot, error, error_size) : status;
}

static int32_t bind(dm_state *state, dm_mixed_binding *binding, float strength, char *error, size_t error_size) {
    binding->handle = DM_BINDING_NONE;
    return dm_store_associate(state->store, binding->episode, binding->concept_slot, strength, error, error_size);
}

static int is_mutual(const dm_store *store, uint32_t concept_slot, const dm_edge *edge) {
    return dm_store_association_weight(store, edge->slot, concept_slot) == edge->strength;
}

static uint32_t fan_of(dm_state *state, dm_mixed_worker *worker, dm_id id) {
    (void)worker;
    uint32_t slot = dm_store_find(state->store, id);
    return slot == DM_SLOT_NONE ? 0 : dm_store_associations(state->store, slot, NULL, 0);
}

/* --- weights ------------------------------------------------------------------------------------------------------ */

static pthread_mutex_t *stripe_of(dm_state *state, uint32_t concept_slot) {
    return &state->stripes[concept_slot % DM_MIXED_STRIPES];
}

static float update(dm_state *state, const dm_mixed_binding *binding, float delta) {
    pthread_mutex_t *stripe = stripe_of(state, binding->concept_slot);
    (void)pthread_mutex_lock(stripe);
    float weight = dm_store_association_weight(state->store, binding->concept_slot, binding->episode);
    if (weight >= 0.0f) {
        weight += delta;
        if (dm_store_associate(state->store, binding->concept_slot, binding->episode, weight, NULL, 0) != DM_OK) {
            weight = -1.0f;
        }
    }
    (void)pthread_mutex_unlock(stripe);
    return weight;
}

static float strength_of(dm_state *state, const dm_mixed_binding *binding) {
    return dm_store_association_weight(state->store, binding->concept_slot, binding->episode);
}

static void relearn(dm_state *state, const dm_mixed_binding *binding, float strength) {
    pthread_mutex_t *stripe = stripe_of(state, binding->concept_slot);
    (void)pthread_mutex_lock(stripe);
    (void)dm_store_associate(state->store, binding->concept_slot, binding->episode, strength, NULL, 0);
    (void)pthread_mutex_unlock(stripe);
}

static int32_t strengthen_all(dm_state *state, dm_mixed_worker *worker, uint32_t slot, float amount) {
    uint32_t count = 0;
    int32_t status = dm_mixed_all_edges(state, slot, &worker->edges, &count);
    for (uint32_t i = 0; status == DM_OK && i < count; i++) {
        const dm_edge *edge = &worker->edges.edges[i];
        status = dm_store_associate(state->store, slot, edge->slot, edge->strength + amount, NULL, 0);
    }
    return status;
}

static int32_t consolidate(dm_state *state, dm_mixed_worker *worker, const uint32_t *slots, size_t count,
                           float amount) {
    int32_t status = DM_OK;
    for (size_t i = 0; status == DM_OK && i < count; i++) {
        pthread_mutex_t *stripe = stripe_of(state, slots[i]);
        (void)pthread_mutex_lock(stripe);
        status = strengthen_all(state, worker, slots[i], amount);
        (void)pthread_mutex_unlock(stripe);
    }
    return status;
}

/* As the dual store does it, to the bit: the same factor, from the number of edges, times each weight. */
static int32_t forget_all(dm_state *state, dm_mixed_worker *worker, uint32_t slot) {
    const dm_decay_amount amount = {dm_mixed_forgetting.mode, dm_mixed_forgetting.lambda_per_second *
                                                                  ((double)dm_mixed_forgetting.elapsed_ns / 1e9)};
    _Alignas(DM_CACHE_LINE) float modulations[DM_DECAY_BLOCK] = {0.0f};
    _Alignas(DM_CACHE_LINE) float factors[DM_DECAY_BLOCK];
    uint32_t count = 0;
    int32_t status = dm_mixed_all_edges(state, slot, &worker->edges, &count);
    modulations[0] = dm_decay_factor_of(count);
    dm_decay_best()->factors(&amount, modulations, 1, factors);
    for (uint32_t i = 0; status == DM_OK && i < count; i++) {
        const dm_edge *edge = &worker->edges.edges[i];
        const float weight = dm_float_from_bits(dm_decay_strength(dm_bits_from_float(edge->strength), factors[0]));
        status = dm_store_associate(state->store, slot, edge->slot, weight, NULL, 0);
    }
    return status;
}

static int32_t decay(dm_state *state, dm_mixed_worker *worker, const uint32_t *slots, size_t count) {
    int32_t status = DM_OK;
    for (size_t i = 0; status == DM_OK && i < count; i++) {
        pthread_mutex_t *stripe = stripe_of(state, slots[i]);
        (void)pthread_mutex_lock(stripe);
        status = forget_all(state, worker, slots[i]);
        (void)pthread_mutex_unlock(stripe);
    }
    return status;
}

/* --- formation ---------------------------------------------------------------------------------------------------- */

/* As dm_store_form makes it, but for compensated sums. */
static void make_centroid(const dm_state *state, const dm_cluster *cluster, float *centroid) {
    const uint32_t dim = (uint32_t)state->data.columns;
    double sums[DM_DIM_MAX] = {0.0};
    double squares = 0.0;
    for (uint32_t m = 0; m < cluster->member_count; m++) {
        dm_embedding embedding = dm_store_acquire_embedding(state->store, cluster->members[m]);
        for (uint32_t k = 0; k < dim; k++) {
            sums[k] += (double)embedding.values[k];
        }
        dm_store_release_embedding(state->store, embedding);
    }
    for (uint32_t k = 0; k < dim; k++) {
        squares += sums[k] * sums[k];
    }
    for (uint32_t k = 0; k < dim; k++) {
        centroid[k] = squares > 0.0 ? (float)(sums[k] / sqrt(squares)) : 0.0f;
    }
}

/* What DM_STRENGTH_INITIAL means: the cosine, clamped to [0, 1]. */
static float likeness(const dm_state *state, const float *unit, uint32_t slot) {
    dm_embedding member = dm_store_acquire_embedding(state->store, slot);
    double dot = 0.0;
    for (uint32_t k = 0; k < state->data.columns; k++) {
        dot += (double)unit[k] * (double)member.values[k];
    }
    dot *= (double)member.inverse_norm;
    dm_store_release_embedding(state->store, member);
    return (float)fmin(fmax(dot, 0.0), 1.0);
}

static int32_t add_formed(dm_state *state, const dm_cluster *cluster) {
    const dm_id id = {state->formations * DM_MIXED_FORMED + state->formed_count, DM_MIXED_ID_FORMED};
    const uint32_t place = state->formed_count;
    float centroid[DM_DIM_MAX];
    make_centroid(state, cluster, centroid);
    int32_t status = dm_store_add_node(state->centroids, id, centroid, &state->formed_centroids[place], NULL, 0);
    if (status != DM_OK) {
        return status;
    }
    status = dm_store_add_episode(state->store, id, centroid, &state->formed[place], NULL, 0);
    if (status != DM_OK) {
        (void)dm_store_remove(state->centroids, state->formed_centroids[place], NULL, 0);
        return status;
    }
    state->formed_count++; /* what is not complete goes with the next formation */
    for (uint32_t m = 0; status == DM_OK && m < cluster->member_count; m++) {
        const uint32_t member = cluster->members[m];
        status =
            dm_store_associate(state->store, state->formed[place], member, likeness(state, centroid, member), NULL, 0);
    }
    return status;
}

static int32_t form(dm_state *state, uint64_t *result) {
    while (state->formed_count > 0) {
        state->formed_count--;
        (void)dm_store_remove(state->centroids, state->formed_centroids[state->formed_count], NULL, 0);
        (void)dm_store_remove(state->store, state->formed[state->formed_count], NULL, 0);
    }
    dm_clustering found = {0};
    int32_t status =
        dm_former_cluster(state->former, state->store, state->window, state->window_count, NULL, &found, NULL, 0);
    for (uint32_t c = 0; status == DM_OK && c < found.cluster_count; c++) {
        status = add_formed(state, &found.clusters[c]);
        const uint64_t coherence = dm_bits_from_float((float)found.clusters[c].coherence);
        *result = dm_mixed_in(*result, coherence << 32 | found.clusters[c].member_count);
    }
    return status;
}

const dm_mixed_graph dm_mixed_single_graph = {
    .create = create,
    .add_concept = add_concept,
    .bind = bind,
    .edges = dm_store_associations,
    .is_mutual = is_mutual,
    .fan = fan_of,
    .update = update,
    .consolidate = consolidate,
    .decay = decay,
    .strength = strength_of,
    .relearn = relearn,
    .form = form,
};
