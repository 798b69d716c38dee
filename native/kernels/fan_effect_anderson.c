/* fan_effect_anderson.c: the kernel `fan_effect_anderson`: does activation spread as people's memory suggests?
 *
 * Anderson (1974) had people learn facts of the form "a person is in a place" and timed how long they took to recognise one
 * (a target) or to reject a person and a place that were never together (a foil). The more facts about a person or a place,
 * its fan, the longer it takes. ACT-R (Anderson 1983; Anderson & Reder 1999) explains the times by spreading activation: each of
 * the two cues gives a fact 1/2 (S - ln(fan + 1)), and a fact with the activation A is retrieved in F exp(-A) seconds.
 *
 * Here a fact is an episode, bound to the concepts of its person and its place. One operation is one probe: a spread from the
 * two concepts over one hop, undamped, and the time that follows from it. A foil finds a fact of the person and one of the
 * place, each with one cue only; its time is the mean of the two. The metrics compare the 18 times with those of the people
 * and those of the targets with ACT-R's closed form. */
#include <math.h>
#include <string.h>

#include "kernels/kernels.h"
#include "kernels/workload.h"

#include "store/poison.h"

enum { FANS = 3, CELLS = FANS * FANS, PROBES = 2 * CELLS };
enum { DIM = 1, CONCEPTS = 4 * CELLS, EPISODES = 3 * CELLS }; /* with the facts that make up the fans: 9 + 9 of them */

static const double INTERCEPT_S = 0.845;
static const double LATENCY_FACTOR_S = 0.63; /* F */

/* Seconds; rows: place's fan 1..3, columns: person's. Targets, then foils. */
static const double published[PROBES] = {1.11, 1.17, 1.22, 1.17, 1.20, 1.22, 1.15, 1.23, 1.36,
                                         1.20, 1.22, 1.26, 1.25, 1.36, 1.29, 1.26, 1.47, 1.47};

/* One fact of each cell, with a person and a place of its own. */
typedef struct cell {
    uint32_t person;
    uint32_t place;
    uint32_t fact;
} cell;

struct dm_state {
    dm_store *store;
    dm_spreader *spreader;
    cell cells[CELLS];
    uint32_t order[PROBES];
    uint32_t cursor;
    double times_s[PROBES];
};

static void teardown(dm_state *state) {
    if (state != NULL) {
        dm_spreader_destroy(state->spreader);
        dm_store_destroy(state->store);
        dm_workload_free_state(state, sizeof(*state));
    }
}

/* --- what was learnt -------------------------------------------------------------------------------------------------- */

static int32_t add(dm_store *store, int is_concept, uint32_t *slot, char *error, size_t error_size) {
    const float value = 1.0f;
    const dm_id id = dm_workload_id(dm_store_population(store).nodes);
    return is_concept ? dm_store_add_concept(store, id, &value, slot, error, error_size)
                      : dm_store_add_episode(store, id, &value, slot, error, error_size);
}

static int32_t learn(dm_store *store, uint32_t person, uint32_t place, uint32_t *fact, char *error, size_t error_size) {
    int32_t status = add(store, 0, fact, error, error_size);
    if (status == DM_OK) {
        status = dm_store_bind(store, *fact, person, 1.0f, NULL, error, error_size);
    }
    return status == DM_OK ? dm_store_bind(store, *fact, place, 1.0f, NULL, error, error_size) : status;
}

/* Facts of one concept with others that come nowhere else, up to its fan. */
static int32_t raise_fan(dm_store *store, uint32_t concept_slot, uint32_t fan, char *error, size_t error_size) {
    int32_t status = DM_OK;
    while (status == DM_OK && dm_store_fan(store, concept_slot) < fan) {
        uint32_t other;
        uint32_t fact;
        status = add(store, 1, &other, error, error_size);
        if (status == DM_OK) {
            status = learn(store, concept_slot, other, &fact, error, error_size);
        }
    }
    return status;
}

static int32_t learn_cell(dm_store *store, uint32_t number, cell *made, char *error, size_t error_size) {
    int32_t status = add(store, 1, &made->person, error, error_size);
    if (status == DM_OK) {
        status = add(store, 1, &made->place, error, error_size);
    }
    if (status == DM_OK) {
        status = learn(store, made->person, made->place, &made->fact, error, error_size);
    }
    if (status == DM_OK) {
        status = raise_fan(store, made->person, number % FANS + 1, error, error_size);
    }
    return status == DM_OK ? raise_fan(store, made->place, number / FANS + 1, error, error_size) : status;
}

static int32_t fill(dm_state *state, const dm_case *work, char *error, size_t error_size) {
    const dm_store_options options = {.size = sizeof(options), .dim = DIM, .concept_capacity = CONCEPTS,
                                      .episode_capacity = EPISODES, .placement = work->placement};
    int32_t status = dm_store_create(&options, &state->store, error, error_size);
    for (uint32_t i = 0; status == DM_OK && i < CELLS; i++) {
        status = learn_cell(state->store, i, &state->cells[i], error, error_size);
    }
    if (status == DM_OK) {
        dm_spread_options spread = dm_spread_defaults();
        spread.fan_mode = DM_FAN_ACTR;
        spread.max_hops = 1;
        spread.decay = 1.0;
        spread.down = 1.0;
        spread.threshold = 0.0;
        spread.placement = work->placement;
        status = dm_spreader_create(state->store, &spread, &state->spreader, error, error_size);
    }
    dm_workload draws = {.random = work->seed};
    for (uint32_t i = 0; i < PROBES; i++) { /* Fisher & Yates, inside out */
        const uint32_t other = (uint32_t)dm_workload_random(&draws, i + 1);
        state->order[i] = state->order[other];
        state->order[other] = i;
    }
    return status;
}

static int32_t setup(const dm_case *work, dm_state **result, char *error, size_t error_size) {
    *result = NULL;
    dm_state *state = dm_workload_state(sizeof(*state), error, error_size);
    if (state == NULL) {
        return DM_ERROR_MEMORY;
    }
    int32_t status = fill(state, work, error, error_size);
    if (status != DM_OK) {
        teardown(state);
        return status;
    }
    *result = state;
    return DM_OK;
}

/* --- a probe ----------------------------------------------------------------------------------------------------------- */

static double retrieval_time_s(dm_spread_result result, uint32_t fact) {
    double activation = 0.0;
    for (uint32_t i = 0; i < result.count; i++) {
        activation = result.nodes[i].slot == fact ? (double)result.nodes[i].activation : activation;
    }
    return INTERCEPT_S + LATENCY_FACTOR_S * exp(-activation);
}

static double answer(dm_state *state, uint32_t probe) {
    const uint32_t number = probe % CELLS;
    const int is_foil = probe >= CELLS;
    const uint32_t column = number % FANS;
    const uint32_t row = number / FANS;
    /* A foil's person and place have the fans of its cell, and are those of two other cells. */
    const cell *of_person = &state->cells[is_foil ? (row + 1) % FANS * FANS + column : number];
    const cell *of_place = &state->cells[is_foil ? row * FANS + (column + 1) % FANS : number];
    const dm_cue cues[] = {{of_person->person, 0.5f}, {of_place->place, 0.5f}};
    const dm_spread_result result = dm_spread(state->spreader, cues, 2, NULL);
    return (retrieval_time_s(result, of_person->fact) + retrieval_time_s(result, of_place->fact)) / 2.0;
}

static uint64_t run(dm_state *state, uint64_t iterations) {
    uint64_t checksum = 0;
    for (uint64_t i = 0; i < iterations; i++) {
        const uint32_t probe = state->order[state->cursor];
        uint64_t bits;
        state->times_s[probe] = answer(state, probe);
        memcpy(&bits, &state->times_s[probe], sizeof(bits));
        checksum += bits * (probe + 1);
        state->cursor = state->cursor + 1 < PROBES ? state->cursor + 1 : 0;
    }
    return checksum;
}

/* --- what it is worth ---------------------------------------------------------------------------------------------------- */

static double root_mean_square_difference(const double *one, const double *other) {
    double sum = 0.0;
    for (uint32_t i = 0; i < PROBES; i++) {
        sum += (one[i] - other[i]) * (one[i] - other[i]);
    }
    return sqrt(sum / PROBES);
}

static double mean(const double *values) {
    double sum = 0.0;
    for (uint32_t i = 0; i < PROBES; i++) {
        sum += values[i];
    }
    return sum / PROBES;
}

/* Pearson's. */
static double correlation(const double *one, const double *other) {
    const double one_mean = mean(one);
    const double other_mean = mean(other);
    double both = 0.0;
    double one_square = 0.0;
    double other_square = 0.0;
    for (uint32_t i = 0; i < PROBES; i++) {
        both += (one[i] - one_mean) * (other[i] - other_mean);
        one_square += (one[i] - one_mean) * (one[i] - one_mean);
        other_square += (other[i] - other_mean) * (other[i] - other_mean);
    }
    return both / sqrt(one_square * other_square);
}

/* Largest distance of the targets' times from the closed form. */
static double closed_form_error(const double *times_s) {
    double largest = 0.0;
    for (uint32_t i = 0; i < CELLS; i++) {
        const double person_fan = i % FANS + 1;
        const double place_fan = i / FANS + 1;
        const double activation =
            DM_ASSOCIATIVE_STRENGTH - (log(1.0 + person_fan) + log(1.0 + place_fan)) / 2.0;
        largest = fmax(largest, fabs(times_s[i] - (INTERCEPT_S + LATENCY_FACTOR_S * exp(-activation))));
    }
    return largest;
}

enum { METRIC_POPULATION, METRIC_MEMORY, METRIC_RMSD, METRIC_CORRELATION, METRIC_CLOSED_FORM, METRIC_COUNT };

static const dm_metric metrics[METRIC_COUNT] = {
    [METRIC_POPULATION] = {sizeof(dm_metric), "population", "count", DM_BETTER_NEITHER, DM_SCOPE_CASE, "nodes stored"},
    [METRIC_MEMORY] = {sizeof(dm_metric), "memory_bytes", "B", DM_BETTER_LOWER, DM_SCOPE_CASE,
                       "bytes of the store and of what spreading works in"},
    [METRIC_RMSD] = {sizeof(dm_metric), "rmsd_s", "s", DM_BETTER_LOWER, DM_SCOPE_CASE,
                     "root mean square difference from the 18 published times"},
    [METRIC_CORRELATION] = {sizeof(dm_metric), "correlation", "1", DM_BETTER_HIGHER, DM_SCOPE_CASE,
                            "Pearson's, with the 18 published times"},
    [METRIC_CLOSED_FORM] = {sizeof(dm_metric), "closed_form_error_s", "s", DM_BETTER_LOWER, DM_SCOPE_CASE,
                            "largest distance of a target's time from ACT-R's closed form"},
};

static int32_t read_metrics(dm_state *state, double *values, size_t count) {
    double times_s[PROBES];
    for (uint32_t probe = 0; probe < PROBES; probe++) {
        times_s[probe] = answer(state, probe);
    }
    double all[METRIC_COUNT];
    all[METRIC_POPULATION] = (double)dm_store_population(state->store).nodes;
    all[METRIC_MEMORY] = (double)(dm_store_memory(state->store).total + dm_spreader_memory(state->spreader));
    all[METRIC_RMSD] = root_mean_square_difference(times_s, published);
    all[METRIC_CORRELATION] = correlation(times_s, published);
    all[METRIC_CLOSED_FORM] = closed_form_error(times_s);
    memcpy(values, all, (count < METRIC_COUNT ? count : METRIC_COUNT) * sizeof(double));
    return DM_OK;
}

/* Seconds; 0 for a probe that has not been made. */
static int32_t read_output(dm_state *state, double *values, size_t count, size_t *needed) {
    *needed = PROBES;
    memcpy(values, state->times_s, (count < PROBES ? count : PROBES) * sizeof(double));
    return DM_OK;
}

static const dm_kernel portable = {.size = sizeof(dm_kernel),
                                   .name = "fan_effect_anderson",
                                   .variant = "portable",
                                   .summary = "recognise or reject one fact: a spread over one hop and its retrieval time",
                                   .tolerance = 1e-6,
                                   .output = DM_OUTPUT_VALUES,
                                   .metrics = metrics,
                                   .metric_count = METRIC_COUNT,
                                   .setup = setup,
                                   .run = run,
                                   .read_metrics = read_metrics,
                                   .read_output = read_output,
                                   .teardown = teardown};

const dm_kernel *const dm_fan_effect_anderson_kernels[] = {&portable};
const size_t dm_fan_effect_anderson_kernel_count = 1;
