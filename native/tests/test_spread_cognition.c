/* test_spread_cognition.c: what people's memory does, and a model of it must: the fan effect of Anderson (1974) as ACT-R has
 * it, and the two laws of Collins & Loftus (1975): activation falls with distance and sums where paths meet. */
#include <math.h>
#include <string.h>

#include "dualmem/dualmem.h"
#include "tests/support.h"

static char error[256];

static dm_store *make_store(uint32_t concepts, uint32_t episodes) {
    dm_store_options options = {
        .size = sizeof(options), .dim = 1, .concept_capacity = concepts, .episode_capacity = episodes};
    dm_store *store = NULL;
    REQUIRE(CHECK_STATUS(dm_store_create(&options, &store, error, sizeof(error)), DM_OK, error));
    return store;
}

static uint32_t add(dm_store *store, int is_concept) {
    const float value = 1.0f;
    uint32_t slot = DM_SLOT_NONE;
    dm_id id = {dm_store_population(store).nodes, 0};
    int32_t status = is_concept ? dm_store_add_concept(store, id, &value, &slot, error, sizeof(error))
                                : dm_store_add_episode(store, id, &value, &slot, error, sizeof(error));
    REQUIRE(CHECK_STATUS(status, DM_OK, error));
    return slot;
}

static void bind(dm_store *store, uint32_t episode, uint32_t concept_slot) {
    REQUIRE(CHECK_STATUS(dm_store_bind(store, episode, concept_slot, 1.0f, NULL, error, sizeof(error)), DM_OK, error));
}

static void associate(dm_store *store, uint32_t one, uint32_t other, float weight) {
    REQUIRE(CHECK_STATUS(dm_store_associate(store, one, other, weight, error, sizeof(error)), DM_OK, error));
}

static float activation_of(dm_spread_result result, uint32_t slot) {
    float activation = 0.0f;
    for (uint32_t i = 0; i < result.count; i++) {
        activation = result.nodes[i].slot == slot ? result.nodes[i].activation : activation;
    }
    return activation;
}

/* --- the fan effect -------------------------------------------------------------------------------------------------------- */

/* ACT-R's source activation: one hop, undamped, each of two cues with a weight of 1/2. */
static dm_spreader *make_actr(dm_store *store) {
    dm_spread_options options = dm_spread_defaults();
    options.fan_mode = DM_FAN_ACTR;
    options.max_hops = 1;
    options.decay = 1.0;
    options.down = 1.0;
    options.threshold = 0.0;
    dm_spreader *spreader = NULL;
    REQUIRE(CHECK_STATUS(dm_spreader_create(store, &options, &spreader, error, sizeof(error)), DM_OK, error));
    return spreader;
}

/* "person is in place", with so many facts about either, and the other facts with the one cue alone. */
typedef struct times {
    double target_s;
    double foil_s;
} times;

static double time_s(float activation) {
    return 0.845 + 0.63 * exp(-(double)activation);
}

static times recognise(uint32_t person_fan, uint32_t place_fan) {
    dm_store *store = make_store(4, 12);
    uint32_t person = add(store, 1);
    uint32_t place = add(store, 1);
    uint32_t other_person = add(store, 1); /* with the same fans, but never together with the first two */
    uint32_t other_place = add(store, 1);
    uint32_t fact = add(store, 0);
    bind(store, fact, person);
    bind(store, fact, place);
    uint32_t other_fact = add(store, 0);
    bind(store, other_fact, other_person);
    bind(store, other_fact, other_place);
    for (uint32_t i = 1; i < person_fan; i++) {
        bind(store, add(store, 0), person);
        bind(store, add(store, 0), other_person);
    }
    for (uint32_t i = 1; i < place_fan; i++) {
        bind(store, add(store, 0), place);
        bind(store, add(store, 0), other_place);
    }
    CHECK_EQUAL(dm_store_fan(store, person), person_fan);
    CHECK_EQUAL(dm_store_fan(store, other_place), place_fan);
    dm_spreader *spreader = make_actr(store);
    const dm_cue target[] = {{person, 0.5f}, {place, 0.5f}};
    const dm_cue foil[] = {{person, 0.5f}, {other_place, 0.5f}};
    times found;
    found.target_s = time_s(activation_of(dm_spread(spreader, target, 2, NULL), fact));
    dm_spread_result result = dm_spread(spreader, foil, 2, NULL);
    found.foil_s = (time_s(activation_of(result, fact)) + time_s(activation_of(result, other_fact))) / 2.0;
    dm_spreader_destroy(spreader);
    dm_store_destroy(store);
    return found;
}

static void the_fan_effect_is_that_of_actr(void) {
    const double table_ms[9] = {1099, 1157, 1205, 1157, 1227, 1286, 1205, 1286, 1354};
    const double people_s[18] = {1.11, 1.17, 1.22, 1.17, 1.20, 1.22, 1.15, 1.23, 1.36,
                                 1.20, 1.22, 1.26, 1.25, 1.36, 1.29, 1.26, 1.47, 1.47};
    double model_s[18];
    for (uint32_t i = 0; i < 9; i++) {
        times found = recognise(i % 3 + 1, i / 3 + 1);
        CHECK(floor(found.target_s * 1000.0 + 0.5) == table_ms[i]);
        model_s[i] = found.target_s;
        model_s[9 + i] = found.foil_s;
    }
    double sums[5] = {0}; /* of x, y, xx, yy, xy */
    double squares = 0.0;
    for (int i = 0; i < 18; i++) {
        double x = model_s[i];
        double y = people_s[i];
        const double terms[5] = {x, y, x * x, y * y, x * y};
        for (int j = 0; j < 5; j++) {
            sums[j] += terms[j];
        }
        squares += (x - y) * (x - y);
    }
    double r = (18.0 * sums[4] - sums[0] * sums[1]) /
               sqrt((18.0 * sums[2] - sums[0] * sums[0]) * (18.0 * sums[3] - sums[1] * sums[1]));
    CHECK(fabs(r - 0.864) < 0.0005);
    CHECK(fabs(sqrt(squares / 18.0) - 0.053) < 0.0005);
}

/* --- Collins & Loftus ------------------------------------------------------------------------------------------------------ */

static dm_spreader *make_usual(dm_store *store, int32_t fan_mode) {
    dm_spread_options options = dm_spread_defaults();
    options.fan_mode = fan_mode;
    options.threshold = 0.0;
    dm_spreader *spreader = NULL;
    REQUIRE(CHECK_STATUS(dm_spreader_create(store, &options, &spreader, error, sizeof(error)), DM_OK, error));
    return spreader;
}

/* Along a chain of either kind, and along concept - episode - concept - episode. */
static void activation_falls_with_distance(void) {
    enum { LENGTH = 5 };
    for (int kind = 0; kind < 3; kind++) {
        for (int32_t mode = DM_FAN_LINEAR; mode <= DM_FAN_NONE; mode++) {
            dm_store *store = make_store(LENGTH, LENGTH);
            uint32_t chain[LENGTH];
            for (int i = 0; i < LENGTH; i++) {
                chain[i] = add(store, kind == 0 || (kind == 2 && i % 2 == 0));
                if (i > 0 && kind < 2) {
                    associate(store, chain[i - 1], chain[i], 1.0f);
                } else if (i > 0) {
                    bind(store, chain[i % 2 ? i : i - 1], chain[i % 2 ? i - 1 : i]);
                }
            }
            dm_spreader *spreader = make_usual(store, mode);
            const dm_cue cue = {chain[0], 1.0f};
            dm_spread_result result = dm_spread(spreader, &cue, 1, NULL);
            CHECK_EQUAL(result.count, LENGTH);
            for (int i = 1; i < LENGTH; i++) {
                CHECK(activation_of(result, chain[i]) < activation_of(result, chain[i - 1]));
                CHECK(activation_of(result, chain[i]) > 0.0f);
            }
            dm_spreader_destroy(spreader);
            dm_store_destroy(store);
        }
    }
}

/* Two cues with a common neighbour and one of their own each: what meets is the sum, to the last bit of a float. */
static void activation_sums_where_paths_meet(void) {
    dm_store *store = make_store(5, 1);
    uint32_t left = add(store, 1);
    uint32_t right = add(store, 1);
    uint32_t common = add(store, 1);
    uint32_t of_left = add(store, 1);
    uint32_t of_right = add(store, 1);
    associate(store, left, common, 0.5f);
    associate(store, right, common, 0.5f);
    associate(store, left, of_left, 0.5f);
    associate(store, right, of_right, 0.5f);
    dm_spread_options options = dm_spread_defaults();
    options.max_hops = 1;
    dm_spreader *spreader = NULL;
    REQUIRE(dm_spreader_create(store, &options, &spreader, error, sizeof(error)) == DM_OK);
    const dm_cue cues[] = {{left, 0.5f}, {right, 0.25f}};
    dm_spread_result both = dm_spread(spreader, cues, 2, NULL);
    float met = activation_of(both, common);
    CHECK_NEAR(met, activation_of(both, of_left) + activation_of(both, of_right), 1e-7);
    CHECK(met > activation_of(both, of_left) && activation_of(both, of_left) > activation_of(both, of_right));
    CHECK(activation_of(dm_spread(spreader, &cues[0], 1, NULL), common) < met);
    dm_spreader_destroy(spreader);
    dm_store_destroy(store);
}

/* The more a concept is associated with, the less each of them gets. */
static void activation_is_shared_among_a_fan(void) {
    for (int32_t mode = DM_FAN_LINEAR; mode <= DM_FAN_ACTR; mode++) {
        dm_store *store = make_store(1, 3);
        uint32_t hub = add(store, 1);
        float before = 2.0f;
        for (int fan = 1; fan <= 3; fan++) {
            uint32_t episode = add(store, 0);
            bind(store, episode, hub);
            dm_spread_options options = dm_spread_defaults();
            options.fan_mode = mode;
            options.max_hops = 1;
            dm_spreader *spreader = NULL;
            REQUIRE(dm_spreader_create(store, &options, &spreader, error, sizeof(error)) == DM_OK);
            const dm_cue cue = {hub, 1.0f};
            float now = activation_of(dm_spread(spreader, &cue, 1, NULL), episode);
            CHECK(now > 0.0f && now < before);
            before = now;
            dm_spreader_destroy(spreader);
        }
        dm_store_destroy(store);
    }
}

int main(void) {
    the_fan_effect_is_that_of_actr();
    activation_falls_with_distance();
    activation_sums_where_paths_meet();
    activation_is_shared_among_a_fan();
    return test_report();
}
