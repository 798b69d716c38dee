/* test_spreading.c: spreading activation against a model over a full matrix (spread_model.h), bit for bit, and against
 * what theory says of it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dualmem/dualmem.h"
#include "graph/node_set.h"
#include "graph/spreading.h"
#include "tests/spread_model.h"
#include "tests/support.h"

static char error[256];

/* --- a store and its model --------------------------------------------------------------------------------------------- */

typedef struct world {
    dm_store *store;
    spread_model model;
} world;

static uint32_t add(dm_store *store, int is_concept, uint64_t number) {
    static const float values[2] = {1.0f, 2.0f};
    uint32_t slot = DM_SLOT_NONE;
    dm_id id = {number, (uint64_t)is_concept};
    int32_t status = is_concept ? dm_store_add_concept(store, id, values, &slot, error, sizeof(error))
                                : dm_store_add_episode(store, id, values, &slot, error, sizeof(error));
    REQUIRE(CHECK_STATUS(status, DM_OK, error));
    return slot;
}

static world make_world(uint32_t episodes, uint32_t concepts) {
    world made = {.model = spread_model_make(episodes, concepts)};
    dm_store_options options = {
        .size = sizeof(options), .dim = 2, .concept_capacity = concepts, .episode_capacity = episodes};
    REQUIRE(CHECK_STATUS(dm_store_create(&options, &made.store, error, sizeof(error)), DM_OK, error));
    for (uint32_t i = 0; i < episodes + concepts; i++) {
        CHECK_EQUAL(add(made.store, i >= episodes, i), spread_model_slot(&made.model, i));
    }
    return made;
}

static void free_world(world *made) {
    dm_store_destroy(made->store);
    spread_model_free(&made->model);
}

static void connect(world *made, uint32_t one, uint32_t other, float weight) {
    uint32_t a = spread_model_slot(&made->model, one);
    uint32_t b = spread_model_slot(&made->model, other);
    int32_t status = dm_slot_is_concept(a) == dm_slot_is_concept(b)
                         ? dm_store_associate(made->store, a, b, weight, error, sizeof(error))
                     : dm_slot_is_concept(a) ? dm_store_bind(made->store, b, a, weight, NULL, error, sizeof(error))
                                             : dm_store_bind(made->store, a, b, weight, NULL, error, sizeof(error));
    REQUIRE(CHECK_STATUS(status, DM_OK, error));
    spread_model_connect(&made->model, one, other, weight);
}

static dm_spreader *make_spreader(dm_store *store, const dm_spread_options *options) {
    dm_spreader *spreader = NULL;
    REQUIRE(CHECK_STATUS(dm_spreader_create(store, options, &spreader, error, sizeof(error)), DM_OK, error));
    return spreader;
}

/* The activation of a node in a result; 0 when it is not there. */
static float found(dm_spread_result result, uint32_t slot) {
    for (uint32_t i = 0; i < result.count; i++) {
        if (result.nodes[i].slot == slot) {
            return result.nodes[i].activation;
        }
    }
    return 0.0f;
}

/* --- random graphs -------------------------------------------------------------------------------------------------------- */

enum { THREADS_MOST = 8 };

static dm_team *teams[THREADS_MOST + 1]; /* [0]: none */

static void make_teams(void) {
    for (uint32_t threads = 1; threads <= THREADS_MOST; threads++) {
        REQUIRE(CHECK_STATUS(dm_team_create(threads, &teams[threads], error, sizeof(error)), DM_OK, error));
    }
}

static void free_teams(void) {
    for (uint32_t threads = 1; threads <= THREADS_MOST; threads++) {
        dm_team_destroy(teams[threads]);
    }
}

static void connect_at_random(world *made, test_random *random, uint64_t edges) {
    const uint32_t nodes = made->model.nodes;
    const float special[] = {0.0f, 1.0f, 0x1p-149f, 0x1p-30f};
    for (uint64_t i = 0; i < edges; i++) {
        /* Some nodes are hubs: their lists have many blocks. */
        uint32_t one = (uint32_t)test_random_below(random, test_random_below(random, 3) == 0 ? nodes / 10 + 1 : nodes);
        uint32_t other = (uint32_t)test_random_below(random, nodes);
        uint64_t kind = test_random_below(random, 40);
        if (one != other) {
            connect(made, one, other, kind < 4 ? special[kind] : (float)test_random_uniform(random, 0.0, 1.0));
        }
    }
}

static dm_spread_options draw_options(test_random *random) {
    dm_spread_options options = dm_spread_defaults();
    options.fan_mode = (int32_t)test_random_below(random, 4);
    options.max_hops = (uint32_t)test_random_below(random, 7);
    const double thresholds[] = {0.0, 0.01, 0.05, 1.0};
    options.threshold = thresholds[test_random_below(random, 4)];
    if (test_random_below(random, 3) == 0) {
        options.decay = test_random_below(random, 2) ? 1.0 : test_random_uniform(random, 0.0, 1.0);
        options.up = test_random_uniform(random, 0.0, 2.0);
        options.lateral = test_random_below(random, 2) ? 0.0 : 1.5;
        options.episodic = test_random_uniform(random, 0.0, 1.0);
        options.associative_strength = test_random_uniform(random, 0.0, 3.0);
    }
    options.placement = 64 * (size_t)test_random_below(random, 64);
    return options;
}

/* Draws cues, some of them twice, and what the model takes for them. */
static size_t draw_cues(const world *made, test_random *random, dm_cue *cues, size_t most, double *activations) {
    size_t count = test_random_below(random, most + 1);
    memset(activations, 0, made->model.nodes * sizeof(double));
    for (size_t i = 0; i < count; i++) {
        uint32_t node = (uint32_t)test_random_below(random, i % 3 == 1 && made->model.nodes > 3 ? 3 : made->model.nodes);
        const float special[] = {0.0f, -0.5f, 1.5f, INFINITY, NAN, 1.0f, 0x1p-149f, 0.01f};
        uint64_t kind = test_random_below(random, 24);
        float activation = kind < 8 ? special[kind] : (float)test_random_uniform(random, 0.0, 1.0);
        cues[i] = (dm_cue){spread_model_slot(&made->model, node), activation};
        if ((double)activation > activations[node]) {
            activations[node] = (double)activation;
        }
    }
    return count;
}

static void shuffle(test_random *random, dm_cue *cues, size_t count) {
    for (size_t i = count; i > 1; i--) {
        size_t other = test_random_below(random, i);
        dm_cue swap = cues[i - 1];
        cues[i - 1] = cues[other];
        cues[other] = swap;
    }
}

static void check_world(const world *made, test_random *random, size_t most_cues) {
    dm_cue *cues = malloc((most_cues + 1) * sizeof(dm_cue));
    double *activations = malloc(made->model.nodes * sizeof(double));
    REQUIRE(cues != NULL && activations != NULL);
    dm_spread_options options = draw_options(random);
    dm_spreader *spreader = make_spreader(made->store, &options);
    spread_model model = made->model;
    for (int round = 0; round < 3; round++) { /* what a call leaves behind would show in the next */
        size_t count = draw_cues(made, random, cues, most_cues, activations);
        spread_model_run(&model, &options, activations);
        spread_model_check(&model, dm_spread_plain(spreader, cues, count, teams[round]));
        spread_model_check(&model, dm_spread_prefetched(spreader, cues, count, teams[3 * round]));
        for (uint32_t threads = 0; threads <= THREADS_MOST; threads++) {
            shuffle(random, cues, count);
            spread_model_check(&model, dm_spread(spreader, cues, count, teams[threads]));
        }
    }
    dm_spreader_destroy(spreader);
    free(activations);
    free(cues);
}

/* A float of the result hides the last bits of the doubles behind it; a threshold does not. What a node got in the first hop is
 * made the threshold of the second: the node sends, and with the next number it does not. */
static void check_doubles(const world *made, test_random *random) {
    double *activations = calloc(made->model.nodes, sizeof(double));
    REQUIRE(activations != NULL);
    dm_spread_options options = draw_options(random);
    options.threshold = 0.0;
    spread_model model = made->model;
    dm_cue cues[5];
    for (int i = 0; i < 5; i++) {
        uint32_t node = (uint32_t)test_random_below(random, made->model.nodes);
        cues[i] = (dm_cue){spread_model_slot(&made->model, node), (float)test_random_uniform(random, 0.5, 1.0)};
        activations[node] = fmax(activations[node], (double)cues[i].activation);
    }
    options.max_hops = 1;
    spread_model_run(&model, &options, activations);
    uint32_t node = (uint32_t)test_random_below(random, model.nodes);
    while (node + 1 < model.nodes && model.hops[node] != 1) {
        node++;
    }
    double gained = model.activations[node];
    options.max_hops = 2;
    for (int above = 0; above < 2 && model.hops[node] == 1; above++) {
        options.threshold = above ? nextafter(gained, 2.0) : gained;
        if (options.threshold > 1.0) {
            break;
        }
        spread_model_run(&model, &options, activations);
        dm_spreader *spreader = make_spreader(made->store, &options);
        spread_model_check(&model, dm_spread(spreader, cues, 5, teams[above * 3]));
        dm_spreader_destroy(spreader);
    }
    free(activations);
}

static void random_graphs_match_the_model(void) {
    const uint32_t sizes[][3] = {{1, 1, 1}, {2, 0, 1}, {0, 3, 3}, {5, 3, 12}, {40, 25, 60}, {63, 64, 900}, {64, 65, 300},
                                 {300, 90, 700}, {200, 200, 12000}};
    for (size_t size = 0; size < sizeof(sizes) / sizeof(sizes[0]); size++) {
        for (uint64_t seed = 1; seed <= 12; seed++) {
            test_random random = {seed * 1000 + size};
            world made = make_world(sizes[size][0], sizes[size][1]);
            connect_at_random(&made, &random, sizes[size][2]);
            check_world(&made, &random, sizes[size][0] + 3);
            for (int i = 0; i < 20; i++) {
                check_doubles(&made, &random);
            }
            free_world(&made);
        }
    }
}

/* Frontiers of several batches, batches that several threads scatter, and a hub with more edges than a batch. */
static void large_graphs_match_the_model(void) {
    const uint32_t sizes[][3] = {{3500, 1500, 60000}, {1200, 4000, 20000}};
    for (size_t size = 0; size < 2; size++) {
        test_random random = {99 + size};
        world made = make_world(sizes[size][0], sizes[size][1]);
        connect_at_random(&made, &random, sizes[size][2]);
        for (int i = 0; i < 2; i++) {
            check_world(&made, &random, 2500);
        }
        free_world(&made);
    }
    enum { LEAVES = DM_BATCH_EDGES + 5000 };
    dm_store_options options = {.size = sizeof(options), .dim = 2, .concept_capacity = 3, .episode_capacity = LEAVES};
    dm_store *store = NULL;
    REQUIRE(dm_store_create(&options, &store, error, sizeof(error)) == DM_OK);
    uint32_t hubs[3];
    for (uint32_t i = 0; i < 3; i++) {
        hubs[i] = add(store, 1, i);
    }
    for (uint32_t i = 0; i < LEAVES; i++) {
        uint32_t leaf = add(store, 0, i);
        for (uint32_t h = 0; h < 3; h++) {
            REQUIRE(dm_store_bind(store, leaf, hubs[h], 0.5f, NULL, error, sizeof(error)) == DM_OK);
        }
    }
    dm_spread_options one_hop = dm_spread_defaults();
    one_hop.fan_mode = DM_FAN_NONE;
    one_hop.max_hops = 2;
    dm_spreader *spreader = make_spreader(store, &one_hop);
    const dm_cue cues[] = {{hubs[2], 0.125f}, {hubs[0], 0.5f}, {hubs[1], 0.25f}};
    for (uint32_t threads = 0; threads <= THREADS_MOST; threads += 2) {
        dm_spread_result result = dm_spread(spreader, cues, 3, teams[threads]);
        CHECK_EQUAL(result.count, LEAVES + 3);
        CHECK_EQUAL(result.edges, 3 * LEAVES + 3 * LEAVES);
        double sum = 0.5 * 0.6 * 0.5;
        sum += 0.25 * 0.6 * 0.5;
        sum += 0.125 * 0.6 * 0.5;
        uint32_t wrong = 0;
        for (uint32_t i = 0; i < LEAVES; i++) {
            wrong += result.nodes[i].slot != i || result.nodes[i].activation != (float)(sum * 0.8);
        }
        CHECK_EQUAL(wrong, 0);
        CHECK(result.nodes[LEAVES].activation == 1.0f); /* 21,384 episodes send back to each hub */
    }
    dm_spreader_destroy(spreader);
    dm_store_destroy(store);
}

/* --- by hand ---------------------------------------------------------------------------------------------------------------- */

/* The example of docs/explanation/spreading.md: c0 - e0 - c1, both bindings of strength 0.5, one cue c0 at 1, no fan. */
static void damping_does_not_compound(void) {
    world made = make_world(1, 2);
    connect(&made, 1, 0, 0.5f);
    connect(&made, 2, 0, 0.5f);
    dm_spread_options options = dm_spread_defaults();
    options.fan_mode = DM_FAN_NONE;
    options.max_hops = 2;
    dm_spreader *spreader = make_spreader(made.store, &options);
    const dm_cue cue = {dm_concept_slot(0), 1.0f};
    dm_spread_result result = dm_spread(spreader, &cue, 1, NULL);
    CHECK_EQUAL(result.count, 3);
    CHECK_NEAR(found(result, 0), 0.24, 1e-7);                   /* 1 * 0.6 * 0.5 * 0.8 */
    CHECK_NEAR(found(result, dm_concept_slot(1)), 0.0768, 1e-7); /* 0.3 * 0.8 * 0.5 * 0.8^2; compounding: 0.06144 */
    CHECK(found(result, dm_concept_slot(0)) == 1.0f);
    dm_spreader_destroy(spreader);
    free_world(&made);
}

/* A chain in which every number is a power of two: the activation of node h is 2^-h * 2^-h. */
static void hops_and_thresholds_to_the_edge(void) {
    enum { LENGTH = 12 };
    world made = make_world(0, LENGTH);
    for (uint32_t i = 0; i + 1 < LENGTH; i++) {
        connect(&made, i, i + 1, 1.0f);
    }
    dm_spread_options options = dm_spread_defaults();
    options.fan_mode = DM_FAN_NONE;
    options.decay = 0.5;
    options.lateral = 0.5;
    options.threshold = 0.0;
    const dm_cue cue = {dm_concept_slot(0), 1.0f};
    for (options.max_hops = 0; options.max_hops < LENGTH + 2; options.max_hops++) {
        dm_spreader *spreader = make_spreader(made.store, &options);
        dm_spread_result result = dm_spread(spreader, &cue, 1, NULL);
        uint32_t reached = options.max_hops + 1 < LENGTH ? options.max_hops + 1 : LENGTH;
        CHECK_EQUAL(result.count, reached);
        for (uint32_t i = 0; i < result.count; i++) {
            CHECK_EQUAL(result.nodes[i].slot, dm_concept_slot(i));
            CHECK_EQUAL(result.nodes[i].hop, i);
        }
        CHECK(options.max_hops == 0 || result.nodes[result.count - 1].activation >= ldexpf(1.0f, -2 * (int)(reached - 1)));
        dm_spreader_destroy(spreader);
    }
    options.max_hops = LENGTH + 2;
    for (int node = 1; node < 6; node++) { /* node `node` gets exactly 4^-node in the hop that reaches it */
        for (int above = 0; above < 2; above++) {
            double edge = ldexp(1.0, -2 * node);
            options.threshold = above ? nextafter(edge, 1.0) : edge;
            dm_spreader *spreader = make_spreader(made.store, &options);
            CHECK_EQUAL(dm_spread(spreader, &cue, 1, NULL).count, node + (above ? 1 : 2));
            dm_spreader_destroy(spreader);
        }
    }
    /* A cue below the threshold is in the result and sends nothing. */
    options.threshold = 0.5;
    dm_spreader *spreader = make_spreader(made.store, &options);
    const dm_cue low = {dm_concept_slot(3), nextafterf(0.5f, 0.0f)};
    const dm_cue just = {dm_concept_slot(3), 0.5f};
    CHECK_EQUAL(dm_spread(spreader, &low, 1, NULL).count, 1);
    CHECK_EQUAL(dm_spread(spreader, &just, 1, NULL).count, 3);
    CHECK_EQUAL(dm_spread(spreader, NULL, 0, NULL).count, 0);
    dm_spreader_destroy(spreader);
    free_world(&made);
}

static void activation_saturates_at_one(void) {
    enum { SOURCES = 40 };
    world made = make_world(SOURCES + 1, 2);
    for (uint32_t i = 0; i < SOURCES; i++) {
        connect(&made, i, SOURCES + 1, 1.0f);
    }
    connect(&made, SOURCES, SOURCES + 1, 1.0f);
    dm_spread_options options = dm_spread_defaults();
    options.fan_mode = DM_FAN_NONE;
    options.max_hops = 2;
    dm_spreader *spreader = make_spreader(made.store, &options);
    dm_cue cues[SOURCES];
    for (uint32_t i = 0; i < SOURCES; i++) {
        cues[i] = (dm_cue){i, 1.0f};
    }
    dm_spread_result result = dm_spread(spreader, cues, SOURCES, NULL);
    /* The concept got 40 * 0.8 and holds and sends 1: 0.8 of it in activation, 1 * 0.6 to the last episode. */
    CHECK(found(result, dm_concept_slot(0)) == (float)(1.0 * 0.8));
    CHECK(found(result, SOURCES) == (float)(1.0 * 1.0 * 0.6 * 1.0 * (0.8 * 0.8)));
    for (uint32_t i = 0; i < SOURCES; i++) {
        CHECK(found(result, i) == 1.0f);
    }
    dm_spreader_destroy(spreader);
    free_world(&made);
}

static void fans_by_mode(void) {
    enum { FAN = 3 };
    world made = make_world(FAN, 2); /* concept 0: two bindings and an association */
    connect(&made, FAN, 0, 1.0f);
    connect(&made, FAN, 1, 1.0f);
    connect(&made, FAN, FAN + 1, 1.0f);
    const double expected[4] = {1.0 / 3.0, 1.0 / sqrt(3.0), 1.6 - log(4.0), 1.0};
    for (int32_t mode = DM_FAN_LINEAR; mode <= DM_FAN_NONE; mode++) {
        dm_spread_options options = dm_spread_defaults();
        options.fan_mode = mode;
        options.max_hops = 1;
        dm_spreader *spreader = make_spreader(made.store, &options);
        const dm_cue cue = {dm_concept_slot(0), 0.5f};
        dm_spread_result result = dm_spread(spreader, &cue, 1, NULL);
        CHECK_EQUAL(result.count, 4);
        CHECK_NEAR(found(result, 0), 0.5 * expected[mode] * 0.6 * 0.8, 1e-7);
        CHECK_NEAR(found(result, dm_concept_slot(1)), 0.5 * expected[mode] * 0.4 * 0.8, 1e-7);
        dm_spreader_destroy(spreader);
    }
    connect(&made, FAN, 2, 1.0f); /* fan 4: 1.6 - ln 5 < 0, nothing is left in ACT-R's mode */
    dm_spread_options options = dm_spread_defaults();
    options.fan_mode = DM_FAN_ACTR;
    dm_spreader *spreader = make_spreader(made.store, &options);
    const dm_cue cue = {dm_concept_slot(0), 1.0f};
    CHECK_EQUAL(dm_spread(spreader, &cue, 1, NULL).count, 1);
    dm_spreader_destroy(spreader);
    free_world(&made);
}

/* 16777217 / 2^25 = 0.5 + 2^-25 lies halfway between two floats, and rounds to 0.5. A share of 2^-54 added to it is lost; the
 * same shares added up before it lift it above the half. So the sum tells in which order it was taken. */
static void sums_are_taken_in_the_order_of_the_sources(void) {
    enum { SOURCES = 6000 }; /* more than one batch, and enough to be scattered by several threads */
    const uint32_t places[] = {0, 1, 2, DM_BATCH_SOURCES, SOURCES - 3, SOURCES - 1};
    dm_cue *cues = malloc(SOURCES * sizeof(dm_cue));
    REQUIRE(cues != NULL);
    for (size_t p = 0; p < sizeof(places) / sizeof(places[0]); p++) {
        dm_store_options sizes = {.size = sizeof(sizes), .dim = 2, .concept_capacity = 1, .episode_capacity = SOURCES};
        dm_store *store = NULL;
        REQUIRE(dm_store_create(&sizes, &store, error, sizeof(error)) == DM_OK);
        uint32_t target = add(store, 1, 0);
        test_random random = {p};
        for (uint32_t i = 0; i < SOURCES; i++) {
            int is_large = i == places[p];
            uint32_t source = add(store, 0, i);
            float weight = is_large ? 673.0f * 0x1p-10f : 0x1p-27f; /* 97 * 257 * 673 = 16777217 */
            REQUIRE(dm_store_bind(store, source, target, weight, NULL, error, sizeof(error)) == DM_OK);
            cues[i] = (dm_cue){source, is_large ? 97.0f * 257.0f * 0x1p-15f : 0x1p-27f};
        }
        dm_spread_options options = dm_spread_defaults();
        options.fan_mode = DM_FAN_NONE;
        options.max_hops = 1;
        options.threshold = 0.0;
        options.decay = 1.0;
        options.up = 1.0;
        dm_spreader *spreader = make_spreader(store, &options);
        /* Two halves of a last bit are one; one alone is rounded to even, away. */
        float expected = places[p] < 2 ? 0.5f : 0.5f + 0x1p-24f;
        for (uint32_t threads = 0; threads <= THREADS_MOST; threads++) {
            shuffle(&random, cues, SOURCES);
            CHECK(found(dm_spread(spreader, cues, SOURCES, teams[threads]), target) == expected);
        }
        dm_spreader_destroy(spreader);
        dm_store_destroy(store);
    }
    free(cues);
}

/* Strengths so large that a share is infinite: an edge of weight 0 still carries nothing. */
static void nothing_is_carried_by_weight_zero(void) {
    world made = make_world(2, 1);
    connect(&made, 2, 0, 0.0f);
    connect(&made, 2, 1, 0x1p-20f);
    dm_spread_options options = dm_spread_defaults();
    options.fan_mode = DM_FAN_ACTR;
    options.associative_strength = 1e200;
    options.down = 1e200;
    options.max_hops = 1;
    dm_spreader *spreader = make_spreader(made.store, &options);
    const dm_cue cue = {dm_concept_slot(0), 1.0f};
    dm_spread_result result = dm_spread(spreader, &cue, 1, NULL);
    CHECK_EQUAL(result.count, 2);
    CHECK_EQUAL(result.edges, 2);
    CHECK(found(result, 1) == 0.8f);
    dm_spreader_destroy(spreader);
    free_world(&made);
}

/* --- nodes that go, results that are applied ------------------------------------------------------------------------------- */

static void removed_nodes_neither_send_nor_receive(void) {
    world made = make_world(6, 4);
    test_random random = {5};
    connect_at_random(&made, &random, 60);
    dm_spread_options options = dm_spread_defaults();
    options.threshold = 0.0;
    dm_spreader *spreader = make_spreader(made.store, &options);
    double activations[10] = {0};
    activations[0] = 0.75;
    for (uint32_t node = 9; node >= 2; node -= 3) {
        uint32_t slot = spread_model_slot(&made.model, node);
        REQUIRE(dm_store_remove(made.store, slot, error, sizeof(error)) == DM_OK);
        for (uint32_t other = 0; other < 10; other++) {
            spread_model_connect(&made.model, node, other, -1.0f);
        }
        const dm_cue cues[] = {{slot, 1.0f}, {0, 0.75f}, {DM_SLOT_NONE, 1.0f}, {6, 1.0f}, {dm_concept_slot(4), 1.0f}};
        spread_model_run(&made.model, &options, activations);
        spread_model_check(&made.model, dm_spread(spreader, cues, 5, NULL));
        if (node == 9) { /* the slot's next node begins without edges */
            CHECK_EQUAL(add(made.store, 1, 100), slot);
            CHECK_EQUAL(dm_spread(spreader, cues, 1, NULL).count, 1);
            CHECK_EQUAL(dm_spread(spreader, cues, 1, NULL).edges, 0);
            REQUIRE(dm_store_remove(made.store, slot, error, sizeof(error)) == DM_OK);
        }
    }
    dm_spreader_destroy(spreader);
    free_world(&made);
}

static void results_are_applied(void) {
    world made = make_world(2, 1);
    connect(&made, 2, 0, 1.0f);
    connect(&made, 2, 1, 0.5f);
    dm_spread_options options = dm_spread_defaults();
    options.max_hops = 1;
    dm_spreader *spreader = make_spreader(made.store, &options);
    const dm_cue cue = {dm_concept_slot(0), 1.0f};
    float expected[2] = {0.0f, 0.0f};
    for (int round = 0; round < 5; round++) {
        dm_spread_result result = dm_spread(spreader, &cue, 1, NULL);
        CHECK(dm_store_activation(made.store, 0) == expected[0]); /* spreading alone changes nothing */
        dm_store_apply_spread(made.store, result.nodes, result.count);
        for (uint32_t e = 0; e < 2; e++) {
            expected[e] = fminf(1.0f, expected[e] + found(result, e));
            CHECK(dm_store_activation(made.store, e) == expected[e]);
        }
        CHECK(dm_store_activation(made.store, dm_concept_slot(0)) == 1.0f);
    }
    CHECK(expected[0] == 1.0f && expected[1] < 1.0f);
    dm_store_apply_spread(made.store, NULL, 0);
    dm_spreader_destroy(spreader);
    free_world(&made);
}

/* --- making one ------------------------------------------------------------------------------------------------------------- */

static void refuse(dm_store *store, dm_spread_options options) {
    dm_spreader *spreader = (dm_spreader *)(void *)store;
    CHECK_STATUS(dm_spreader_create(store, &options, &spreader, error, sizeof(error)), DM_ERROR_ARGUMENT, error);
    CHECK(spreader == NULL);
}

static void options_out_of_range_are_refused(void) {
    world made = make_world(10, 20);
    const dm_spread_options usual = dm_spread_defaults();
    dm_spread_options options;
#define REFUSE(FIELD, VALUE)      \
    options = usual;              \
    options.FIELD = (VALUE);      \
    refuse(made.store, options)
    REFUSE(size, sizeof(options) - 1);
    REFUSE(fan_mode, -1);
    REFUSE(fan_mode, 4);
    REFUSE(max_hops, DM_HOPS_MAX + 1);
    REFUSE(decay, -0x1p-60);
    REFUSE(decay, 1.0 + 0x1p-52);
    REFUSE(decay, (double)NAN);
    REFUSE(threshold, -1.0);
    REFUSE(threshold, (double)NAN);
    REFUSE(up, -1.0);
    REFUSE(down, (double)INFINITY);
    REFUSE(lateral, (double)NAN);
    REFUSE(episodic, -0x1p-60);
    REFUSE(associative_strength, (double)NAN);
    REFUSE(placement, 32);
    REFUSE(placement, 4096);
#undef REFUSE
    dm_spreader *spreader = make_spreader(made.store, NULL);
    CHECK_EQUAL(spreader->options.max_hops, 4);
    CHECK(dm_spreader_memory(spreader) > 30 * 40);
    dm_spreader_destroy(spreader);
    dm_spreader_destroy(NULL);
    free_world(&made);
    dm_store *single = NULL;
    dm_store_options single_options = {.size = sizeof(single_options), .dim = 2, .episode_capacity = 5, .single_type = 1};
    REQUIRE(dm_store_create(&single_options, &single, error, sizeof(error)) == DM_OK);
    refuse(single, usual);
    dm_store_destroy(single);
}

/* --- the set that is emptied in order ------------------------------------------------------------------------------------------ */

static void sets_are_emptied_in_order(void) {
    const uint32_t capacities[] = {1, 63, 64, 65, 4095, 4096, 4097, 262144, 262145, 20000000};
    for (size_t c = 0; c < sizeof(capacities) / sizeof(capacities[0]); c++) {
        const uint32_t capacity = capacities[c];
        dm_memory account = {0};
        dm_node_set set = {0};
        REQUIRE(dm_node_set_create(&set, capacity, &account, 0));
        unsigned char *added = calloc(capacity, 1);
        REQUIRE(added != NULL);
        test_random random = {c};
        for (int round = 0; round < 20; round++) {
            uint64_t count = round < 2 ? (uint64_t)round : test_random_below(&random, 3000);
            uint64_t distinct = 0;
            for (uint64_t i = 0; i < count; i++) {
                uint32_t number = i == 0 ? capacity - 1 : (uint32_t)test_random_below(&random, capacity);
                distinct += added[number] == 0;
                added[number] = 1;
                dm_node_set_add(&set, number);
            }
            uint32_t first = 0;
            uint64_t before = 0;
            for (uint64_t bits = dm_node_set_take(&set, &first); bits != 0; bits = dm_node_set_take(&set, &first)) {
                CHECK(before <= first);
                before = (uint64_t)first + 64;
                for (uint32_t i = 0; i < 64; i++) {
                    if (bits >> i & 1) {
                        REQUIRE(first + i < capacity && added[first + i]);
                        added[first + i] = 0;
                        distinct--;
                    }
                }
            }
            CHECK_EQUAL(distinct, 0);
        }
        free(added);
        dm_node_set_destroy(&set, &account);
        CHECK_EQUAL(dm_memory_bytes(&account), 0);
    }
}

int main(void) {
    make_teams();
    sets_are_emptied_in_order();
    damping_does_not_compound();
    hops_and_thresholds_to_the_edge();
    activation_saturates_at_one();
    fans_by_mode();
    nothing_is_carried_by_weight_zero();
    sums_are_taken_in_the_order_of_the_sources();
    removed_nodes_neither_send_nor_receive();
    results_are_applied();
    options_out_of_range_are_refused();
    random_graphs_match_the_model();
    large_graphs_match_the_model();
    free_teams();
    return test_report();
}
