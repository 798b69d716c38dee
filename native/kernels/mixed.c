/* mixed.c: the kernels `mixed` (dual store) and `mixed_single` (its single-type twin): a day's work in small.
 *
 * One operation is a whole cycle, so that no sample has the rare parts and another has not:
 *
 *   64 retrievals   the 10 nearest concepts of a query; each is touched, activated, and its fan read; the best one's centroid is taken
 *                   and one more concept's fan is read by id, every eighth time of an id that is not there
 *   64 updates      of a binding's strength by the ids of its pair; in the twin, of a node's strength by its id
 *  `spreads`        of activation, each from the best concept of a retrieval; dual store only
 *    1 formation    `window` episodes are clustered
 *
 * The twin does the same as far as it exists without types: the same lookups over the same rows, touches, activations, updates of
 * strengths, and the same clustering. It has no fans, no edges to spread along and no bindings to find by two ids: those
 * are what the dual store pays for.
 *
 * No drift: walks over the queries and the pairs add and subtract in turn amounts that are exact. */
#include "index/exact.h"
#include "kernels/kernels.h"
#include "kernels/stored_case.h"
#include "kernels/workload.h"
#include "store/binding_access.h"

#include "store/poison.h"

enum { STEPS = 64, NEAREST = 10, FAN = 8, ABSENT_EVERY = 8 };
enum { PARAMETER_NODES, PARAMETER_WINDOW, PARAMETER_SPREADS, PARAMETER_COUNT };

typedef struct walk {
    uint32_t next;
    float delta; /* changes its sign at the end of each walk */
} walk;

struct dm_state {
    dm_memory memory;   /* of the index and its scratch */
    dm_memory material; /* of what only a benchmark needs */
    dm_stored_case stored;
    dm_exact *index;
    dm_exact_scratch *scratch;
    dm_reader *reader;  /* NULL in the twin, as the spreader */
    dm_spreader *spreader;
    uint32_t spreads;   /* the first so many retrievals of a cycle */
    dm_former *former;
    uint32_t *window;   /* slots of all episodes, twice, so that every window is in one piece */
    uint32_t window_count;
    uint32_t window_next;
    dm_matrix queries;
    walk retrievals;
    walk updates;
    uint32_t concepts;  /* and as many episodes */
    uint32_t pairs;
    uint64_t now_ns;
};

/* As dm_stored_case makes them. */
static dm_id concept_id(uint32_t number) {
    return (dm_id){number, 1};
}

static dm_id episode_id(const dm_state *state, uint32_t number) {
    return (dm_id){state->concepts + number, 2};
}

static void teardown(dm_state *state) {
    if (state == NULL) {
        return;
    }
    if (state->reader != NULL) {
        dm_store_reader_release(state->stored.store, state->reader);
    }
    dm_spreader_destroy(state->spreader);
    dm_former_destroy(state->former);
    dm_exact_scratch_destroy(state->scratch, &state->memory);
    dm_exact_destroy(state->index, &state->memory);
    dm_stored_case_destroy(&state->stored, &state->material);
    dm_memory_free(&state->material, state->window);
    dm_workload_free_state(state, sizeof(*state));
}

/* --- setup ------------------------------------------------------------------------------------------------------------ */

/* The j-th concept of an episode: distinct for j < FAN <= concepts. */
static uint32_t partner(const dm_state *state, uint32_t episode, uint32_t j) {
    return (episode * 7 + j) % state->concepts;
}

static int32_t bind(dm_state *state, char *error, size_t error_size) {
    int32_t status = DM_OK;
    uint64_t random = 1;
    for (uint32_t pair = 0; status == DM_OK && pair < state->pairs; pair++) {
        float strength = 0.25f + (float)(dm_stored_case_random(&random) % 512) / 1024.0f;
        status = dm_store_bind_by_id(state->stored.store, episode_id(state, pair / FAN),
                                     concept_id(partner(state, pair / FAN, pair % FAN)), strength, NULL, error, error_size);
    }
    return status;
}

static int32_t make_window(dm_state *state, uint32_t dim, uint32_t window, char *error, size_t error_size) {
    dm_store *store = state->stored.store;
    state->window = dm_memory_allocate(&state->material, 2 * (size_t)state->concepts * sizeof(uint32_t), DM_CACHE_LINE, 0);
    if (state->window == NULL) {
        return dm_fail(DM_ERROR_MEMORY, error, error_size, "no memory for a list of %u episodes", state->concepts);
    }
    for (uint32_t i = 0; i < 2 * state->concepts; i++) {
        state->window[i] = dm_store_find(store, episode_id(state, i % state->concepts));
    }
    state->window_count = window < state->concepts ? window : state->concepts;
    dm_former_options options = dm_former_defaults(dim, state->window_count);
    return dm_former_create(&options, &state->former, error, error_size);
}

static int32_t fill(dm_state *state, const dm_case *work, int32_t kind, char *error, size_t error_size) {
    int32_t status = dm_stored_case_create(work, state->concepts, kind, &state->material, &state->stored, error, error_size);
    if (status == DM_OK) {
        status = dm_exact_create(dm_exact_best(), &state->stored.rows, DM_SIMILARITY_COSINE, work->placement, &state->memory,
                                 &state->index, error, error_size);
    }
    if (status == DM_OK) {
        status = dm_exact_scratch_create(state->index, &state->memory, &state->scratch, error, error_size);
    }
    for (uint32_t row = 0; status == DM_OK && row < state->concepts; row++) {
        (void)dm_store_activate(state->stored.store, state->stored.rows.slots[row], 0.5f);
    }
    if (status == DM_OK) {
        status = make_window(state, (uint32_t)work->data.columns, (uint32_t)work->parameters[PARAMETER_WINDOW], error, error_size);
    }
    if (status == DM_OK && kind == DM_STORED_DUAL) {
        status = bind(state, error, error_size);
    }
    if (status == DM_OK && kind == DM_STORED_DUAL) {
        status = dm_store_reader_create(state->stored.store, &state->reader, error, error_size);
    }
    if (status == DM_OK && kind == DM_STORED_DUAL) {
        status = dm_spreader_create(state->stored.store, NULL, &state->spreader, error, error_size);
    }
    for (uint32_t i = 0; status == DM_OK && kind == DM_STORED_SINGLE && i < state->concepts; i++) {
        uint32_t slot = dm_store_find(state->stored.store, episode_id(state, i));
        dm_store_set_strength(state->stored.store, slot, 0.5f);
    }
    return status;
}

/* A power of two so small that `walks` additions stay below 1/4, and every sum is exact. */
static float exact_delta(uint64_t additions) {
    float delta = 0.25f;
    for (; additions > 0; additions /= 2) {
        delta /= 2.0f;
    }
    return delta;
}

static int32_t setup(const dm_case *work, int32_t kind, dm_state **result, char *error, size_t error_size) {
    *result = NULL;
    dm_state *state = dm_workload_state(sizeof(*state), error, error_size);
    if (state == NULL) {
        return DM_ERROR_MEMORY;
    }
    state->concepts = (uint32_t)work->parameters[PARAMETER_NODES] / 2;
    state->pairs = state->concepts * FAN;
    state->queries = work->queries;
    state->spreads = (uint32_t)work->parameters[PARAMETER_SPREADS];
    state->retrievals.delta = exact_delta(work->queries.rows);
    state->updates.delta = exact_delta(FAN);
    int32_t status = fill(state, work, kind, error, error_size);
    if (status != DM_OK) {
        teardown(state);
        return status;
    }
    *result = state;
    return DM_OK;
}

static int32_t setup_dual(const dm_case *work, dm_state **state, char *error, size_t error_size) {
    return setup(work, DM_STORED_DUAL, state, error, error_size);
}

static int32_t setup_single(const dm_case *work, dm_state **state, char *error, size_t error_size) {
    return setup(work, DM_STORED_SINGLE, state, error, error_size);
}

/* --- a cycle ------------------------------------------------------------------------------------------------------------- */

static inline uint64_t mixed_in(uint64_t checksum, uint64_t value) {
    return (checksum ^ value) * UINT64_C(0x100000001b3); /* FNV-1a, a number at a time */
}

static inline void advance(walk *over, uint32_t length) {
    over->next++;
    if (over->next == length) {
        over->next = 0;
        over->delta = -over->delta;
    }
}

static uint64_t retrieve(dm_state *state, uint32_t step, uint64_t checksum) {
    dm_store *store = state->stored.store;
    dm_neighbour found[NEAREST];
    const float *query = state->queries.values + (size_t)state->retrievals.next * state->queries.stride;
    uint32_t count = dm_exact_search(state->index, state->scratch, query, NEAREST, found);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t slot = state->stored.rows.slots[found[i].row];
        dm_store_touch(store, slot, ++state->now_ns);
        float activation = dm_store_activate(store, slot, state->retrievals.delta);
        /* One round of the checksum in both stores: its multiplications wait for each other, and are not what is compared. */
        const uint64_t fan = state->reader != NULL ? dm_reader_fan(state->reader, slot) : 0;
        checksum = mixed_in(checksum, found[i].row ^ dm_bits_from_float(activation) ^ fan << 32);
    }
    if (state->reader != NULL) {
        dm_embedding centroid = dm_reader_acquire_embedding(state->reader, state->stored.rows.slots[found[0].row]);
        const uint64_t value = dm_bits_from_float(centroid.values[0]);
        dm_store_release_embedding(store, centroid);
        uint32_t fan = 0;
        uint32_t number = (uint32_t)state->now_ns % state->concepts + (step % ABSENT_EVERY == 0 ? 2 * state->concepts : 0);
        (void)dm_reader_fan_by_id(state->reader, concept_id(number), &fan);
        checksum = mixed_in(checksum, value ^ (uint64_t)fan << 32);
    }
    if (state->spreader != NULL && step < state->spreads) {
        const dm_cue cue = {state->stored.rows.slots[found[0].row], 1.0f};
        dm_spread_result reached = dm_spread(state->spreader, &cue, 1, NULL);
        checksum = mixed_in(checksum, reached.edges ^ dm_bits_from_float(reached.nodes[reached.count - 1].activation));
    }
    advance(&state->retrievals, (uint32_t)state->queries.rows);
    return checksum;
}

static uint64_t update(dm_state *state, uint64_t checksum) {
    dm_store *store = state->stored.store;
    uint32_t pair = state->updates.next;
    uint32_t episode = pair / FAN;
    float strength;
    if (state->reader != NULL) {
        strength = dm_store_strengthen_by_id(store, episode_id(state, episode),
                                             concept_id(partner(state, episode, pair % FAN)), state->updates.delta);
    } else {
        uint32_t slot = dm_store_find(store, episode_id(state, episode));
        strength = dm_store_strength(store, slot) + state->updates.delta;
        dm_store_set_strength(store, slot, strength);
    }
    advance(&state->updates, state->pairs);
    return mixed_in(checksum, dm_bits_from_float(strength));
}

static uint64_t form(dm_state *state, uint64_t checksum) {
    dm_clustering clustering;
    char error[1];
    int32_t status = dm_former_cluster(state->former, state->stored.store, state->window + state->window_next, state->window_count,
                                       NULL, &clustering, error, sizeof(error));
    state->window_next = (state->window_next + state->window_count) % state->concepts;
    return mixed_in(checksum, status == DM_OK ? clustering.label_count : UINT32_MAX);
}

static uint64_t run(dm_state *state, uint64_t iterations) {
    uint64_t checksum = UINT64_C(0xcbf29ce484222325);
    for (uint64_t cycle = 0; cycle < iterations; cycle++) {
        for (uint32_t step = 0; step < STEPS; step++) {
            checksum = retrieve(state, step, checksum);
            checksum = update(state, checksum);
        }
        checksum = form(state, checksum);
    }
    return checksum;
}

/* --- the table ------------------------------------------------------------------------------------------------------------ */

static int32_t read_metrics(dm_state *state, double *values, size_t count) {
    const double all[] = {(double)state->stored.population,
                          (double)(dm_store_memory(state->stored.store).total + dm_memory_bytes(&state->memory)),
                          dm_store_statistics(state->stored.store).hit_rate};
    for (size_t i = 0; i < count && i < sizeof(all) / sizeof(all[0]); i++) {
        values[i] = all[i];
    }
    return DM_OK;
}

static const dm_parameter parameters[PARAMETER_COUNT] = {
    [PARAMETER_NODES] = {sizeof(dm_parameter), "nodes", 200, 2 * FAN, 1e6, 1, "nodes stored, half of them concepts"},
    [PARAMETER_WINDOW] = {sizeof(dm_parameter), "window", 16, 2, 4096, 1, "episodes that are clustered in each cycle"},
    [PARAMETER_SPREADS] = {sizeof(dm_parameter), "spreads", 1, 0, STEPS, 1, "retrievals of each cycle that activation spreads from"},
};

static const dm_metric metrics[] = {
    {sizeof(dm_metric), "population", "count", DM_BETTER_NEITHER, DM_SCOPE_CASE, "nodes in the store"},
    {sizeof(dm_metric), "memory_bytes", "B", DM_BETTER_LOWER, DM_SCOPE_CASE, "store, index and scratch"},
    {sizeof(dm_metric), "hit_rate", "1", DM_BETTER_HIGHER, DM_SCOPE_CASE,
     "reads of fans and centroids that found a live concept, of all; without any, 0"},
};

#define MIXED_KERNEL(NAME, SUMMARY, SETUP, METRICS)                                                                      \
    {.size = sizeof(dm_kernel), .name = NAME, .variant = "auto", .summary = SUMMARY, .tolerance = 0,                    \
     .output = DM_OUTPUT_NONE, .needs_data = 1, .parameters = parameters, .parameter_count = PARAMETER_COUNT,            \
     .metrics = metrics, .metric_count = METRICS, .setup = SETUP, .run = run, .read_metrics = read_metrics,              \
     .read_output = dm_workload_no_output, .teardown = teardown}

static const dm_kernel dual = MIXED_KERNEL("mixed", "a cycle of 64 retrievals and updates, `spreads` spreads and one formation", setup_dual, 3);
static const dm_kernel single = MIXED_KERNEL("mixed_single", "the same in a store without types, which has no fans and no bindings",
                                             setup_single, 2);

const dm_kernel *const dm_mixed_kernels[] = {&dual, &single};
const size_t dm_mixed_kernel_count = sizeof(dm_mixed_kernels) / sizeof(dm_mixed_kernels[0]);
