/* mixed_setup.c: the store of the workload `mixed`, filled from a case.
 *
 * Concepts are the first rows of the data, episodes those behind them; where the data ends, mixtures of two rows, so
 * that no node is another's double. Each episode is bound to its nearest concepts, so that what is bound together is
 * alike, and was accessed a minute after the one before it, so that formation finds episodes that are close in time. */
#include <math.h>

#include "kernels/stored_case.h"
#include "store/store.h"
#include "workloads/mixed.h"

#include "store/poison.h"

enum { THREADS_MOST = 256, BINDINGS_MOST = DM_LOOKUP_K_MAX - DM_MIXED_FORMED };
static const uint64_t MINUTE_NS = UINT64_C(60000000000);
static const double EDGE_STRENGTH = 0.7; /* of activation, either way: the mean of dm_spread_defaults' two */

static uint32_t parameter(const dm_case *work, size_t place) {
    return (uint32_t)work->parameters[place];
}

/* Bindings of the first `episodes` episodes: as even a share of all as whole numbers allow. */
static uint64_t bindings_before(const dm_case *work, uint64_t episodes) {
    return (uint64_t)work->parameters[DM_MIXED_BINDINGS] * episodes / parameter(work, DM_MIXED_EPISODES);
}

static uint32_t bindings_each(const dm_case *work) {
    const uint64_t episodes = parameter(work, DM_MIXED_EPISODES);
    return (uint32_t)(((uint64_t)work->parameters[DM_MIXED_BINDINGS] + episodes - 1) / episodes);
}

/* --- what a case must be ------------------------------------------------------------------------------------------ */

static int32_t check_matrices(const dm_case *work, char *error, size_t error_size) {
    const dm_matrix *data = &work->data;
    const dm_matrix *queries = &work->queries;
    if (data->values == NULL || data->rows == 0 || data->columns < 1 || data->columns > DM_DIM_MAX) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size,
                       "data of %llu rows and %llu columns; give at least one row of 1 to %d columns",
                       (unsigned long long)data->rows, (unsigned long long)data->columns, DM_DIM_MAX);
    }
    if (queries->values == NULL || queries->rows == 0 || queries->columns != data->columns) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size,
                       "the queries are %llu x %llu and the data has %llu columns; give queries of that width",
                       (unsigned long long)queries->rows, (unsigned long long)queries->columns,
                       (unsigned long long)data->columns);
    }
    return DM_OK;
}

static int32_t check(const dm_case *work, uint32_t threads, char *error, size_t error_size) {
    const uint32_t episodes = parameter(work, DM_MIXED_EPISODES);
    const uint32_t concepts = parameter(work, DM_MIXED_CONCEPTS);
    const uint32_t most = concepts < BINDINGS_MOST ? concepts : BINDINGS_MOST;
    int32_t status = check_matrices(work, error, error_size);
    if (status != DM_OK) {
        return status;
    }
    if (threads < 1 || threads > THREADS_MOST) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size, "%u threads; give 1 to %d", threads, THREADS_MOST);
    }
    if (bindings_each(work) > most) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size,
                       "%u bindings for each of %u episodes, and %u is the most with %u concepts; lower `bindings`",
                       bindings_each(work), episodes, most, concepts);
    }
    if (parameter(work, DM_MIXED_FORMATION_EPISODES) > episodes) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size,
                       "a formation over %u of %u episodes; lower `formation_episodes`",
                       parameter(work, DM_MIXED_FORMATION_EPISODES), episodes);
    }
    if (parameter(work, DM_MIXED_CONSOLIDATION_CONCEPTS) > concepts) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size,
                       "a consolidation of %u of %u concepts; lower `consolidation_concepts`",
                       parameter(work, DM_MIXED_CONSOLIDATION_CONCEPTS), concepts);
    }
    if (parameter(work, DM_MIXED_DECAY_CONCEPTS) > concepts) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size, "a decay of %u of %u concepts; lower `decay_concepts`",
                       parameter(work, DM_MIXED_DECAY_CONCEPTS), concepts);
    }
    return DM_OK;
}

/* --- episodes with their bindings --------------------------------------------------------------------------------- */

/* [0, 1] to a multiple of 2^-10 in [1/4, 3/4]: DM_MIXED_DELTA. */
static float strength_of(double cosine) {
    return (float)(256.0 + rint(512.0 * fmin(fmax(cosine, 0.0), 1.0))) / 1024.0f;
}

typedef struct nearest {
    uint32_t numbers[DM_LOOKUP_K_MAX]; /* of concepts that stay */
    double cosines[DM_LOOKUP_K_MAX];
    uint32_t count;
} nearest;

static int32_t find_nearest(dm_state *state, const float *values, uint32_t wanted, nearest *found, char *error,
                            size_t error_size) {
    uint32_t slots[DM_LOOKUP_K_MAX];
    double cosines[DM_LOOKUP_K_MAX];
    const uint32_t k = wanted + DM_MIXED_FORMED; /* a formed concept may be gone when it is to be bound */
    found->count = 0;
    if (wanted == 0) {
        return DM_OK;
    }
    int32_t status =
        dm_lookup_search(state->lookup, values, state->data.columns, 1, k, NULL, slots, cosines, error, error_size);
    for (uint32_t i = 0; status == DM_OK && i < k && found->count < wanted; i++) {
        if (slots[i] != DM_SLOT_NONE && dm_slot_index(slots[i]) < state->concepts) {
            found->numbers[found->count] = dm_slot_index(slots[i]);
            found->cosines[found->count++] = cosines[i];
        }
    }
    return status;
}

/* Puts a binding before the others of its concept. One that comes while the concept is strengthened will be weakened
 * first. */
static void link_binding(dm_state *state, uint64_t binding, uint32_t number, float strength) {
    const uint32_t turn = atomic_load_explicit(&state->concept_turns[number], memory_order_relaxed);
    const uint32_t newest = atomic_load_explicit(&state->concept_newest[number], memory_order_relaxed);
    state->origins[binding] = (dm_mixed_origin){strength - (float)turn * DM_MIXED_DELTA, newest};
    atomic_store_explicit(&state->concept_newest[number], (uint32_t)binding + 1, memory_order_release);
}

/* The caller holds `growth`. What is made becomes visible to keys only when it is complete. */
static int32_t append(dm_state *state, const float *values, const nearest *found, char *error, size_t error_size) {
    const uint32_t number = atomic_load_explicit(&state->episode_count, memory_order_relaxed);
    const uint64_t first = atomic_load_explicit(&state->binding_count, memory_order_relaxed);
    if (number >= state->episode_capacity || first + found->count > state->binding_capacity) {
        return dm_fail(DM_ERROR_MEMORY, error, error_size,
                       "%u episodes are all that there is room for; raise `insertions`", number);
    }
    uint32_t slot;
    int32_t status =
        dm_store_add_episode(state->store, (dm_id){number, DM_MIXED_ID_EPISODE}, values, &slot, error, error_size);
    if (status != DM_OK) {
        return status;
    }
    dm_store_touch(state->store, slot, number * MINUTE_NS);
    for (uint32_t i = 0; status == DM_OK && i < found->count; i++) {
        dm_mixed_binding *binding = &state->bindings[first + i];
        binding->episode = slot;
        binding->concept_slot = state->concept_slots[found->numbers[i]];
        status = state->graph->bind(state, binding, strength_of(found->cosines[i]), error, error_size);
    }
    if (status != DM_OK) {
        (void)dm_store_remove(state->store, slot, NULL, 0);
        return status;
    }
    for (uint32_t i = 0; i < found->count; i++) {
        link_binding(state, first + i, found->numbers[i], strength_of(found->cosines[i]));
    }
    state->episode_slots[number] = slot;
    atomic_store_explicit(&state->episode_count, number + 1, memory_order_release);
    atomic_store_explicit(&state->binding_count, first + found->count, memory_order_release);
    return DM_OK;
}

int32_t dm_mixed_insert(dm_state *state, const float *values, uint32_t bindings, char *error, size_t error_size) {
    nearest found;
    int32_t status = find_nearest(state, values, bindings, &found, error, error_size);
    if (status == DM_OK) {
        (void)pthread_mutex_lock(&state->growth);
        status = append(state, values, &found, error, error_size);
        (void)pthread_mutex_unlock(&state->growth);
    }
    return status;
}

/* --- filling ------------------------------------------------------------------------------------------------------ */

static void *allocate(dm_state *state, size_t count, size_t size) {
    return dm_memory_allocate(&state->memory, count * size, DM_CACHE_LINE, state->placement);
}

static int32_t allocate_lists(dm_state *state, char *error, size_t error_size) {
    state->concept_slots = allocate(state, state->concepts, sizeof(uint32_t));
    state->concept_turns = allocate(state, state->concepts, sizeof(*state->concept_turns));
    state->episode_slots = allocate(state, state->episode_capacity, sizeof(uint32_t));
    state->concept_decays = allocate(state, state->concepts, sizeof(*state->concept_decays));
    state->concept_newest = allocate(state, state->concepts, sizeof(*state->concept_newest));
    state->bindings = allocate(state, state->binding_capacity, sizeof(dm_mixed_binding));
    state->origins = allocate(state, state->binding_capacity, sizeof(dm_mixed_origin));
    state->window = allocate(state, state->window_count, sizeof(uint32_t));
    state->workers = dm_memory_allocate(&state->memory, state->threads * sizeof(dm_mixed_worker), 2 * DM_CACHE_LINE, 0);
    if (state->concept_slots == NULL || state->concept_turns == NULL || state->concept_decays == NULL ||
        state->concept_newest == NULL || state->episode_slots == NULL || state->bindings == NULL ||
        state->origins == NULL || state->window == NULL || state->workers == NULL) {
        return dm_fail(DM_ERROR_MEMORY, error, error_size,
                       "no memory for lists of %u episodes and %llu bindings; lower `insertions`",
                       state->episode_capacity, (unsigned long long)state->binding_capacity);
    }
    return DM_OK;
}

/* Of node `node`: a row, or, in `mixture`, a row with a quarter to a half of another in it. */
static const float *vector_of(const dm_case *work, uint64_t node, float *mixture) {
    const dm_matrix *data = &work->data;
    const uint64_t row = node % data->rows;
    const float *values = data->values + row * data->stride;
    if (node < data->rows) {
        return values;
    }
    uint64_t random = work->seed ^ (node * UINT64_C(0xd1342543de82ef95));
    const uint64_t step = data->rows > 1 ? 1 + dm_stored_case_random(&random) % (data->rows - 1) : 0;
    const float *other = data->values + (row + step) % data->rows * data->stride;
    const float share = 0.25f + (float)(dm_stored_case_random(&random) >> 40) * 0x1.0p-26f; /* [1/4, 1/2) */
    for (uint64_t k = 0; k < data->columns; k++) {
        mixture[k] = (1.0f - share) * values[k] + share * other[k];
    }
    return mixture;
}

static int32_t fill_concepts(dm_state *state, const dm_case *work, float *mixture, char *error, size_t error_size) {
    int32_t status = DM_OK;
    for (uint32_t c = 0; status == DM_OK && c < state->concepts; c++) {
        status = state->graph->add_concept(state, (dm_id){c, DM_MIXED_ID_CONCEPT}, vector_of(work, c, mixture),
                                           &state->concept_slots[c], error, error_size);
        /* They are not all learned anew at once. */
        atomic_store_explicit(&state->concept_decays[c], c % DM_MIXED_DECAYS, memory_order_relaxed);
    }
    return status;
}

static int32_t make_index(dm_state *state, double recall, char *error, size_t error_size) {
    dm_lookup_options options = dm_lookup_defaults();
    options.recall = recall;
    options.k = DM_MIXED_NEAREST;
    return dm_lookup_create_with(state->centroids, &options, NULL, &state->lookup, error, error_size);
}

static int32_t fill_episodes(dm_state *state, const dm_case *work, float *mixture, char *error, size_t error_size) {
    int32_t status = DM_OK;
    for (uint32_t e = 0; status == DM_OK && e < state->episodes; e++) {
        const uint32_t bindings = (uint32_t)(bindings_before(work, (uint64_t)e + 1) - bindings_before(work, e));
        status = dm_mixed_insert(state, vector_of(work, (uint64_t)state->concepts + e, mixture), bindings, error,
                                 error_size);
    }
    return status;
}

static int32_t fill(dm_state *state, const dm_case *work, char *error, size_t error_size) {
    float mixture[DM_DIM_MAX];
    int32_t status = state->graph->create(state, error, error_size);
    if (status == DM_OK) {
        status = allocate_lists(state, error, error_size);
    }
    if (status == DM_OK) {
        status = fill_concepts(state, work, mixture, error, error_size);
    }
    if (status == DM_OK) {
        status = make_index(state, work->parameters[DM_MIXED_RECALL], error, error_size);
    }
    return status == DM_OK ? fill_episodes(state, work, mixture, error, error_size) : status;
}

/* What operations work with. */
static int32_t equip(dm_state *state, uint32_t hops, double cut, char *error, size_t error_size) {
    dm_former_options forming = dm_former_defaults((uint32_t)state->data.columns, state->window_count);
    forming.cut = cut;
    forming.least_coherence = cut;
    forming.most_concepts = DM_MIXED_FORMED;
    forming.placement = state->placement;
    dm_spread_options spreading = dm_spread_defaults();
    spreading.max_hops = hops;
    spreading.up = EDGE_STRENGTH;
    spreading.down = EDGE_STRENGTH;
    spreading.episodic = EDGE_STRENGTH; /* the twin's edges */
    spreading.placement = state->placement;
    int32_t status = dm_former_create(&forming, &state->former, error, error_size);
    for (uint32_t t = 0; status == DM_OK && t < state->threads; t++) {
        status = dm_spreader_create(state->store, &spreading, &state->workers[t].spreader, error, error_size);
        if (status == DM_OK) {
            status = dm_store_reader_create(state->store, &state->workers[t].reader, error, error_size);
        }
    }
    return status;
}

/* --- the state ---------------------------------------------------------------------------------------------------- */

static dm_state *make_state(const dm_case *work, uint32_t threads, const dm_mixed_graph *graph) {
    dm_memory own = {0}; /* an account in the struct cannot outlive it */
    dm_state *state = dm_memory_allocate(&own, sizeof(*state), DM_CACHE_LINE, 0);
    if (state == NULL) {
        return NULL;
    }
    state->graph = graph;
    state->data = work->data;
    state->queries = work->queries;
    state->placement = work->placement;
    state->threads = threads;
    state->concepts = parameter(work, DM_MIXED_CONCEPTS);
    state->consolidation_concepts = parameter(work, DM_MIXED_CONSOLIDATION_CONCEPTS);
    state->decay_concepts = parameter(work, DM_MIXED_DECAY_CONCEPTS);
    state->episodes = parameter(work, DM_MIXED_EPISODES);
    state->episode_capacity = state->episodes + parameter(work, DM_MIXED_INSERTIONS);
    state->bindings_each = bindings_each(work);
    state->binding_capacity =
        bindings_before(work, state->episodes) + (uint64_t)parameter(work, DM_MIXED_INSERTIONS) * state->bindings_each;
    state->window_count = parameter(work, DM_MIXED_FORMATION_EPISODES);
    (void)pthread_mutex_init(&state->growth, NULL);
    (void)pthread_mutex_init(&state->forming, NULL);
    for (size_t i = 0; i < DM_MIXED_STRIPES; i++) {
        (void)pthread_mutex_init(&state->stripes[i], NULL);
    }
    return state;
}

int32_t dm_mixed_setup(const dm_case *work, uint32_t threads, const dm_mixed_graph *graph, dm_state **result,
                       char *error, size_t error_size) {
    *result = NULL;
    int32_t status = check(work, threads, error, error_size);
    if (status != DM_OK) {
        return status;
    }
    dm_state *state = make_state(work, threads, graph);
    if (state == NULL) {
        return dm_fail(DM_ERROR_MEMORY, error, error_size, "no memory for the workload's state");
    }
    status = fill(state, work, error, error_size);
    if (status == DM_OK) {
        status =
            equip(state, parameter(work, DM_MIXED_HOPS), work->parameters[DM_MIXED_FORMATION_CUT], error, error_size);
    }
    if (status != DM_OK) {
        dm_mixed_teardown(state);
        return status;
    }
    *result = state;
    return DM_OK;
}

static void destroy_workers(dm_state *state) {
    for (uint32_t t = 0; state->workers != NULL && t < state->threads; t++) {
        dm_memory_free(&state->memory, state->workers[t].edges.edges);
        dm_spreader_destroy(state->workers[t].spreader);
        if (state->workers[t].reader != NULL) {
            dm_store_reader_release(state->store, state->workers[t].reader);
        }
    }
    dm_memory_free(&state->memory, state->workers);
}

void dm_mixed_teardown(dm_state *state) {
    if (state == NULL) {
        return;
    }
    destroy_workers(state);
    dm_former_destroy(state->former);
    dm_lookup_destroy(state->lookup);
    if (state->centroids != state->store) {
        dm_store_destroy(state->centroids);
    }
    dm_store_destroy(state->store);
    dm_memory_free(&state->memory, state->window);
    dm_memory_free(&state->memory, state->origins);
    dm_memory_free(&state->memory, state->bindings);
    dm_memory_free(&state->memory, state->episode_slots);
    dm_memory_free(&state->memory, state->concept_newest);
    dm_memory_free(&state->memory, state->concept_decays);
    dm_memory_free(&state->memory, state->concept_turns);
    dm_memory_free(&state->memory, state->concept_slots);
    (void)pthread_mutex_destroy(&state->growth);
    (void)pthread_mutex_destroy(&state->forming);
    for (size_t i = 0; i < DM_MIXED_STRIPES; i++) {
        (void)pthread_mutex_destroy(&state->stripes[i]);
    }
    dm_memory own = {0};
    atomic_store_explicit(&own.bytes, sizeof(*state), memory_order_relaxed);
    dm_memory_free(&own, state);
}
