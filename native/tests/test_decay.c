/* test_decay.c: the decay family against long double, and dm_store_decay against a model that goes through dm_store_edges:
 * modes, fans, teams, holes, and other threads at work meanwhile. */
#include <float.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "simd/decay.h"
#include "store/store.h"
#include "tests/support.h"
#include "tests/variants.h"

static char error[256];

static uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static float float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

/* --- the family -------------------------------------------------------------------------------------------------------- */

static long double true_factor(int32_t mode, double amount, long double modulation) {
    long double forgotten = (long double)amount * modulation;
    return mode == DM_DECAY_LINEAR ? fmaxl(0.0L, 1.0L - forgotten) : expl(-forgotten);
}

static double worst_error[8][2];

static void check_factors(size_t v, const dm_decay_amount *amount, const float *modulations, uint32_t count) {
    /* Room for a multiple of eight at a 64-byte boundary: where the room ends between two, the fault comes late, but what is
     * written beyond it is found when it is freed. */
    uint32_t room = (count + 7) / 8 * 8;
    int side = room % 16 == 0 ? TEST_GUARD_AFTER : TEST_GUARD_BEFORE;
    float *padded = test_guard_allocate(room * sizeof(float), side);
    float *factors = test_guard_allocate(room * sizeof(float), side);
    memcpy(padded, modulations, count * sizeof(float));
    memset(factors, 0xFF, room * sizeof(float));
    dm_decay_variants[v].factors(amount, padded, count, factors);
    for (uint32_t i = 0; i < count; i++) {
        long double expected = true_factor(amount->mode, amount->amount, (long double)modulations[i]);
        double found = (double)(fabsl((long double)factors[i] - expected) / expected);
        if (expected < (long double)FLT_MIN) {
            found = factors[i] >= 0.0f && factors[i] < FLT_MIN * 1.000001f ? 0.0 : HUGE_VAL;
        }
        if (!CHECK(found <= 3e-7) || !CHECK(factors[i] >= 0.0f && factors[i] <= 1.0f)) {
            fprintf(stderr, "  %s, mode %d, amount %g, modulation %.9g: %.9g, expected %.9Lg\n", dm_decay_variants[v].name,
                    amount->mode, amount->amount, (double)modulations[i], (double)factors[i], expected);
        }
        CHECK(amount->amount > 0.0 || factors[i] == 1.0f);
        worst_error[v][amount->mode] = fmax(worst_error[v][amount->mode], found);
    }
    test_guard_free(padded);
    test_guard_free(factors);
}

static void test_factors(void) {
    const double amounts[] = {0.0, 1e-300, 1e-40, 1e-29, 1e-9, 0x1.0p-24, 1e-3, 0.1, 0.5, 1.0,  1.0 + 1e-9, 1.5,  3.0,
                              7.7, 30.0,   87.0,  87.3,  87.4, 88.0,      89.0, 126.0, 200.0, 1e3, 1e5, DM_DECAY_AMOUNT_MAX};
    test_random random = {1};
    float modulations[40];
    for (size_t v = 0; v < dm_decay_variant_count; v++) {
        for (size_t a = 0; a < 2 * sizeof(amounts) / sizeof(amounts[0]) && dm_isa_has(dm_decay_variants[v].isa); a++) {
            const dm_decay_amount amount = {a % 2 == 0 ? DM_DECAY_EXPONENTIAL : DM_DECAY_LINEAR, amounts[a / 2]};
            for (uint32_t count = 0; count <= 40; count++) {
                for (uint32_t i = 0; i < count; i++) {
                    /* Uniform; those that real fans have; and those that leave nearly nothing. */
                    double end = amounts[a / 2] >= 1.0 ? (1.0 - 1e-7 * test_random_uniform(&random, 0, 20)) / amounts[a / 2] : 1.0;
                    modulations[i] = i % 3 == 0   ? (float)test_random_uniform(&random, 0.17, 1.0)
                                     : i % 3 == 1 ? dm_decay_factor_of((uint32_t)test_random_below(&random, 20))
                                                  : (float)end;
                }
                check_factors(v, &amount, modulations, count);
            }
        }
    }
}

/* A product of two floats is exact in double, so this rounds once, as a multiplication of floats does. */
static uint32_t true_product(uint32_t bits, float factor) {
    if (bits == DM_STRENGTH_HOLE) {
        return bits;
    }
    float product = (float)((double)float_of(bits) * (double)factor);
    return product < FLT_MIN ? 0 : bits_of(product);
}

/* side: with an odd number of blocks, one of them begins at a cache line and the other in the middle of one. */
static void check_scale(test_random *random, uint32_t blocks, int side) {
    const float strengths[] = {0.0f, 1.0f, 0.5f, 0x1.fffffep-1f, 0.1f, FLT_MIN, 0x1.000002p-126f, 0x1.0p-125f, 1e-40f, 1e-45f};
    const float factors[] = {0.0f,    1.0f,   0.5f,   0x1.fffffep-1f, 0x1.fffffcp-1f, 0.9f, 1e-10f,
                             FLT_MIN, 1e-40f, 1e-45f, 0x1.000002p-1f, 0x1.8p-126f};
    uint32_t *before = test_guard_allocate(blocks * 8 * sizeof(uint32_t), side);
    float *chosen = test_guard_allocate(blocks * sizeof(float), side);
    uint32_t *places = test_guard_allocate(blocks * 8 * sizeof(uint32_t), side);
    for (int trial = 0; trial < 50; trial++) {
        for (uint32_t i = 0; i < 8 * blocks; i++) {
            float strength = trial % 2 == 0 ? strengths[test_random_below(random, 10)]
                                            : (float)test_random_uniform(random, 0.0, 1.0);
            before[i] = test_random_below(random, 4) == 0 ? DM_STRENGTH_HOLE : bits_of(strength);
        }
        for (uint32_t block = 0; block < blocks; block++) {
            chosen[block] = trial % 3 == 0 ? (float)test_random_uniform(random, 0.0, 1.0)
                                           : factors[test_random_below(random, 12)];
        }
        for (size_t v = 0; v < dm_decay_variant_count; v++) {
            if (dm_isa_has(dm_decay_variants[v].isa)) {
                memcpy(places, before, blocks * 8 * sizeof(uint32_t));
                dm_decay_variants[v].scale(places, chosen, blocks);
                for (uint32_t i = 0; i < 8 * blocks; i++) {
                    CHECK_EQUAL(places[i], true_product(before[i], chosen[i / 8]));
                }
            }
        }
    }
    test_guard_free(before);
    test_guard_free(chosen);
    test_guard_free(places);
}

static void test_scale(void) {
    test_random random = {2};
    for (uint32_t blocks = 0; blocks <= 40; blocks++) {
        check_scale(&random, blocks, TEST_GUARD_AFTER);
        check_scale(&random, blocks, TEST_GUARD_BEFORE);
    }
}

static void test_table(void) {
    CHECK(strcmp(dm_decay_variants[0].name, "scalar") == 0);
    size_t best = 0;
    for (size_t v = 0; v < dm_decay_variant_count; v++) {
        best = dm_isa_has(dm_decay_variants[v].isa) ? v : best;
    }
    CHECK(dm_decay_best() == &dm_decay_variants[best]);
    CHECK(dm_decay_find("scalar") == &dm_decay_variants[0] && dm_decay_find("none") == NULL);
}

/* --- stores --------------------------------------------------------------------------------------------------------------- */

static dm_id id_of(uint64_t number) {
    return (dm_id){number, 7};
}

static dm_store *make_store(uint32_t concept_capacity, uint32_t concepts, uint32_t episodes) {
    const dm_store_options options = {.size = sizeof(options), .dim = 1, .concept_capacity = concept_capacity,
                                      .episode_capacity = episodes};
    dm_store *store = NULL;
    REQUIRE(CHECK_STATUS(dm_store_create(&options, &store, error, sizeof(error)), DM_OK, error));
    const float one = 1.0f;
    uint32_t slot;
    for (uint32_t i = 0; i < concepts; i++) {
        REQUIRE(dm_store_add_concept(store, id_of(i), &one, &slot, error, sizeof(error)) == DM_OK);
    }
    for (uint32_t i = 0; i < episodes; i++) {
        REQUIRE(dm_store_add_episode(store, id_of(UINT64_C(1) << 40 | i), &one, &slot, error, sizeof(error)) == DM_OK);
    }
    return store;
}

static void bind(dm_store *store, uint32_t episode, uint32_t concept_index, float strength) {
    REQUIRE(dm_store_bind(store, episode, dm_concept_slot(concept_index), strength, NULL, error, sizeof(error)) == DM_OK);
}

static void decay(dm_store *store, const dm_decay_options *options, dm_team *team) {
    CHECK_STATUS(dm_store_decay(store, options, team, error, sizeof(error)), DM_OK, error);
}

/* Fans from 0 to 40, so with blocks of the pool; bindings, episodes and a concept removed again, so with holes, free blocks
 * and places used twice. Several tasks of either kind of block. */
enum { CONCEPTS = 9000, EPISODES = 500 };

static dm_store *make_worn_store(void) {
    test_random random = {3};
    dm_store *store = make_store(CONCEPTS, CONCEPTS, EPISODES);
    for (uint32_t c = 0; c < CONCEPTS; c++) {
        uint32_t fan = c % 5 == 0 ? (uint32_t)test_random_below(&random, 41) : (uint32_t)test_random_below(&random, 12);
        uint32_t first = (uint32_t)test_random_below(&random, EPISODES);
        for (uint32_t j = 0; j < fan; j++) {
            uint64_t kind = test_random_below(&random, 50);
            float strength = kind == 0 ? 0.0f : kind == 1 ? 1e-38f : kind == 2 ? 1e-41f : kind == 3 ? 1.0f
                             : (float)test_random_uniform(&random, 0.0, 1.0);
            bind(store, (first + j) % EPISODES, c, strength);
        }
        if (fan > 2 && c % 3 == 0) {
            CHECK_EQUAL(dm_store_unbind(store, (first + 1) % EPISODES, dm_concept_slot(c)), 1);
        }
    }
    for (uint32_t c = 10; c < CONCEPTS; c += 100) {
        CHECK_STATUS(dm_store_remove(store, dm_concept_slot(c), error, sizeof(error)), DM_OK, error);
    }
    CHECK_STATUS(dm_store_remove(store, 17, error, sizeof(error)), DM_OK, error);
    return store;
}

static size_t places_of(const dm_store *store) {
    return (size_t)store->bindings.places_pool.used * DM_BLOCK_ENTRIES;
}

static uint32_t *copy_strengths(const dm_store *store) {
    size_t size = places_of(store) * sizeof(uint32_t);
    uint32_t *copy = malloc(size);
    REQUIRE(copy != NULL);
    memcpy(copy, (const void *)store->bindings.strengths, size);
    return copy;
}

static void set_strengths(dm_store *store, const uint32_t *strengths) {
    memcpy((void *)store->bindings.strengths, strengths, places_of(store) * sizeof(uint32_t));
}

/* What one decay must have made of the strengths that were there before, seen from the concepts. */
static void check_against_model(const dm_store *store, const uint32_t *before, const dm_decay_options *options) {
    dm_edge edges[64];
    uint64_t seen = 0;
    double amount = options->lambda_per_second * (double)options->elapsed_ns / 1e9;
    for (uint32_t c = 0; c < CONCEPTS; c++) {
        uint32_t fan = dm_store_edges(store, dm_concept_slot(c), edges, 64);
        CHECK_EQUAL(fan, dm_store_fan(store, dm_concept_slot(c)));
        long double slower = 1.0L + 0.25L * logl(fan > 1 ? (long double)fan : 1.0L);
        for (uint32_t i = 0; i < fan; i++) {
            long double expected = (long double)float_of(before[edges[i].binding]) * true_factor(options->mode, amount, 1 / slower);
            /* The cached modulation is a float: half a unit in its last place, times the exponent. */
            double tolerance = 5e-7 + 6e-8 * amount;
            double distance = (double)fabsl((long double)edges[i].strength - expected);
            int flushed = edges[i].strength == 0.0f && expected < (long double)FLT_MIN * 1.00001L;
            if (options->mode == DM_DECAY_LINEAR) {
                tolerance = 3e-7 + 1.2e-7 * (double)(amount / fmaxl(true_factor(1, amount, 1 / slower), 1e-9L));
            }
            if (!CHECK(flushed || distance <= tolerance * (double)expected)) {
                fprintf(stderr, "  concept %u of fan %u: %.9g, expected %.9Lg\n", c, fan, (double)edges[i].strength, expected);
            }
            CHECK(edges[i].strength == 0.0f || edges[i].strength >= FLT_MIN);
            CHECK(!signbit(edges[i].strength));
        }
        seen += fan;
    }
    CHECK_EQUAL(seen, atomic_load(&store->bindings.count));
}

static void check_holes(const dm_store *store, const uint32_t *before) {
    size_t differ = 0;
    for (size_t place = 0; place < places_of(store); place++) {
        differ += (before[place] == DM_STRENGTH_HOLE) != (atomic_load(&store->bindings.strengths[place]) == DM_STRENGTH_HOLE);
    }
    CHECK_EQUAL(differ, 0);
}

/* --- one caller ------------------------------------------------------------------------------------------------------------- */

static void test_against_model(void) {
    const double lambdas[] = {0.0, 1e-12, 1e-4, 0.3, 0.7, 1.0, 5.0, 60.0, 90.0, 1e300};
    const uint64_t times[] = {UINT64_C(1000000000), UINT64_C(123456789), 0, UINT64_C(3600000000000), UINT64_MAX};
    dm_store *store = make_worn_store();
    uint32_t *before = copy_strengths(store);
    for (size_t l = 0; l < sizeof(lambdas) / sizeof(lambdas[0]); l++) {
        for (size_t t = 0; t < 3; t++) {
            for (int32_t mode = 0; mode < 2; mode++) {
                const dm_decay_options options = {sizeof(options), mode, (int32_t)(t & 1), lambdas[l], times[t]};
                set_strengths(store, before);
                decay(store, &options, NULL);
                check_against_model(store, before, &options);
                check_holes(store, before);
            }
        }
    }
    for (size_t t = 3; t < 5; t++) { /* longer than anything lasts */
        const dm_decay_options options = {sizeof(options), DM_DECAY_LINEAR, 0, 1.0, times[t]};
        set_strengths(store, before);
        decay(store, &options, NULL);
        check_against_model(store, before, &options);
        check_holes(store, before);
    }
    free(before);
    dm_store_destroy(store);
}

/* Any team, exclusive or not: the same bits. */
static void test_same_bits(void) {
    dm_store *store = make_worn_store();
    uint32_t *before = copy_strengths(store);
    size_t size = places_of(store) * sizeof(uint32_t);
    for (int32_t mode = 0; mode < 2; mode++) {
        dm_decay_options options = {sizeof(options), mode, 1, 0.0123, UINT64_C(98765432109)};
        set_strengths(store, before);
        decay(store, &options, NULL);
        uint32_t *expected = copy_strengths(store);
        CHECK(memcmp(expected, before, size) != 0);
        for (uint32_t threads = 1; threads <= 8; threads++) {
            dm_team *team = NULL;
            REQUIRE(CHECK_STATUS(dm_team_create(threads, &team, error, sizeof(error)), DM_OK, error));
            for (int32_t exclusive = 0; exclusive < 2; exclusive++) {
                options.exclusive = exclusive;
                set_strengths(store, before);
                decay(store, &options, team);
                CHECK(memcmp((const void *)store->bindings.strengths, expected, size) == 0);
            }
            dm_team_destroy(team);
        }
        free(expected);
    }
    free(before);
    dm_store_destroy(store);
}

/* Down to nothing: a forgotten binding has strength 0 and is still there; a removed one stays removed. */
/* Some concepts, some of them twice, by any team: those have the bits of one or two calls for the whole store, the others keep
 * theirs. */
static void test_some_concepts(void) {
    enum { CHOSEN = 2000 };
    static uint32_t chosen[CHOSEN];
    static uint8_t times[CONCEPTS];
    static uint32_t owner_of[1 << 20];
    dm_store *store = make_worn_store();
    REQUIRE(places_of(store) <= sizeof(owner_of) / sizeof(owner_of[0]));
    test_random random = {11};
    for (uint32_t i = 0; i < CHOSEN; i++) {
        uint32_t c = i % 1000 == 0 ? 7 : (uint32_t)test_random_below(&random, CONCEPTS); /* tasks that may meet at one */
        while (times[c] == 2) {
            c = (uint32_t)test_random_below(&random, CONCEPTS);
        }
        chosen[i] = dm_concept_slot(c);
        times[c]++;
    }
    for (size_t block = 0; block < places_of(store) / 8; block++) {
        owner_of[block] = block < CONCEPTS ? (uint32_t)block : atomic_load(&store->bindings.owner[block]);
    }
    uint32_t *before = copy_strengths(store);
    for (int32_t mode = 0; mode < 4; mode++) {
        const dm_decay_options options = {sizeof(options), mode % 2, mode / 2, 0.4, UINT64_C(1000000000)};
        uint32_t *expected[3] = {before, NULL, NULL};
        for (int i = 1; i < 3; i++) {
            set_strengths(store, expected[i - 1]);
            decay(store, &options, NULL);
            expected[i] = copy_strengths(store);
        }
        for (uint32_t threads = 1; threads < 4; threads++) {
            dm_team *team = NULL;
            REQUIRE(dm_team_create(threads, &team, error, sizeof(error)) == DM_OK);
            set_strengths(store, before);
            CHECK_STATUS(dm_store_decay_concepts(store, &options, chosen, CHOSEN, team, error, sizeof(error)), DM_OK, error);
            for (size_t place = 0; place < places_of(store); place++) {
                CHECK_EQUAL(atomic_load(&store->bindings.strengths[place]), expected[times[owner_of[place / 8]]][place]);
            }
            dm_team_destroy(team);
        }
        free(expected[1]);
        free(expected[2]);
    }
    dm_decay_options bad = {sizeof(bad), 2, 0, 0.4, 1};
    set_strengths(store, before);
    CHECK_STATUS(dm_store_decay_concepts(store, &bad, chosen, 1, NULL, error, sizeof(error)), DM_ERROR_ARGUMENT, error);
    bad.mode = 0;
    CHECK_STATUS(dm_store_decay_concepts(store, &bad, NULL, 0, NULL, error, sizeof(error)), DM_OK, error);
    CHECK(memcmp(before, (const void *)store->bindings.strengths, places_of(store) * sizeof(uint32_t)) == 0);
    free(before);
    dm_store_destroy(store);
}

static void test_forgetting_is_not_removing(void) {
    for (int32_t exclusive = 0; exclusive < 2; exclusive++) {
        dm_store *store = make_store(3, 2, 20);
        for (uint32_t i = 0; i < 12; i++) {
            bind(store, i, 0, 1.0f);
        }
        uint32_t removed = dm_store_find_binding(store, 4, dm_concept_slot(0));
        CHECK_EQUAL(dm_store_unbind(store, 4, dm_concept_slot(0)), 1);
        const dm_decay_options options = {sizeof(options), DM_DECAY_EXPONENTIAL, exclusive, 1.0, UINT64_C(20000000000)};
        for (int times = 0; times < 20; times++) {
            decay(store, &options, NULL);
        }
        CHECK(dm_store_binding_strength(store, removed) == -1.0f);
        CHECK(dm_store_strengthen(store, removed, 0.5f) == -1.0f);
        CHECK_EQUAL(dm_store_fan(store, dm_concept_slot(0)), 11);
        CHECK_EQUAL(dm_store_population(store).bindings, 11);
        uint32_t left = dm_store_find_binding(store, 5, dm_concept_slot(0));
        CHECK_EQUAL(bits_of(dm_store_binding_strength(store, left)), 0);
        CHECK_EQUAL(dm_store_is_weak(store, left), 1);
        CHECK(dm_store_strengthen(store, left, 0.5f) == 0.5f);
        dm_store_destroy(store);
    }
}

/* A concept with many episodes forgets slower. */
static void test_fan_slows_decay(void) {
    dm_store *store = make_store(2, 2, 20);
    bind(store, 0, 0, 1.0f);
    for (uint32_t i = 0; i < 20; i++) {
        bind(store, i, 1, 1.0f);
    }
    const dm_decay_options options = {sizeof(options), DM_DECAY_EXPONENTIAL, 0, 0.5, UINT64_C(1000000000)};
    decay(store, &options, NULL);
    CHECK_NEAR(dm_store_binding_strength(store, dm_store_find_binding(store, 0, dm_concept_slot(0))), 0.60653066, 1e-6);
    CHECK_NEAR(dm_store_binding_strength(store, dm_store_find_binding(store, 19, dm_concept_slot(1))), 0.75134632, 1e-6);
    dm_store_destroy(store);
}

/* Memory that no concept has used yet stays the system's. */
static void test_untouched_memory(void) {
    dm_store *store = make_store(1000000, 100, 10);
    bind(store, 1, 99, 1.0f);
    uintptr_t page = 4096;
    uintptr_t middle = (uintptr_t)&store->bindings.strengths[8 * 500000] / page * page;
    for (int32_t exclusive = 0; exclusive < 2; exclusive++) {
        const dm_decay_options options = {sizeof(options), DM_DECAY_LINEAR, exclusive, 0.1, UINT64_C(1000000000)};
        decay(store, &options, NULL);
        unsigned char resident = 0;
        REQUIRE(mincore((void *)middle, page, &resident) == 0);
        CHECK_EQUAL(resident & 1, 0);
    }
    CHECK_NEAR(dm_store_binding_strength(store, dm_store_find_binding(store, 1, dm_concept_slot(99))), 0.81, 1e-6);
    dm_store_destroy(store);
}

static void test_refusals(void) {
    dm_store *store = make_store(1, 1, 1);
    bind(store, 0, 0, 0.75f);
    const dm_decay_options good = {sizeof(good), DM_DECAY_LINEAR, 0, 0.1, 1000};
    dm_decay_options bad[8] = {good, good, good, good, good, good, good, good};
    bad[0].size = 1;
    bad[1].mode = -1;
    bad[2].mode = 2;
    bad[3].exclusive = 2;
    bad[4].lambda_per_second = -1e-30;
    bad[5].lambda_per_second = (double)NAN;
    bad[6].lambda_per_second = (double)INFINITY;
    bad[7].exclusive = -1;
    for (int i = 0; i < 8; i++) {
        CHECK_STATUS(dm_store_decay(store, &bad[i], NULL, error, sizeof(error)), DM_ERROR_ARGUMENT, error);
    }
    CHECK(dm_store_binding_strength(store, 0) == 0.75f);
    dm_store_destroy(store);
    const dm_store_options single = {.size = sizeof(single), .dim = 1, .episode_capacity = 3, .single_type = 1};
    REQUIRE(dm_store_create(&single, &store, error, sizeof(error)) == DM_OK);
    CHECK_STATUS(dm_store_decay(store, &good, NULL, error, sizeof(error)), DM_ERROR_ARGUMENT, error);
    dm_store_destroy(store);
    const dm_store_options none = {.size = sizeof(none), .dim = 1, .episode_capacity = 3};
    REQUIRE(dm_store_create(&none, &store, error, sizeof(error)) == DM_OK);
    CHECK_STATUS(dm_store_decay(store, &good, NULL, error, sizeof(error)), DM_OK, error); /* a store without concepts */
    dm_store_destroy(store);
}

/* --- with others ------------------------------------------------------------------------------------------------------------- */

/* Exact whatever the order. In (0.5, 1) floats are multiples of 2^-24; a factor of 1 - 2^-24 takes exactly one off (the product
 * lies between half and all of one below), and an increment of 2^-20 adds exactly sixteen. So every lost update, of either
 * side, shows in the sum. */
enum { UPDATERS = 3, UPDATES = 60000, DECAYERS = 2, MOST_DECAYS = 300000 };

typedef struct contest {
    dm_store *store;
    double lambda;
    _Atomic uint32_t updating;
    _Atomic uint32_t decays;
} contest;

static void *update_often(void *argument) {
    contest *shared = argument;
    while (atomic_load(&shared->decays) == 0) { /* not before the others are there */
        sched_yield();
    }
    for (uint32_t i = 0; i < UPDATES; i++) {
        CHECK(dm_store_strengthen(shared->store, i % 4, 0x1.0p-20f) > 0.5f); /* neighbours share a swap */
    }
    atomic_fetch_sub(&shared->updating, 1);
    return NULL;
}

static void *decay_often(void *argument) {
    contest *shared = argument;
    const dm_decay_options options = {sizeof(options), DM_DECAY_LINEAR, 0, shared->lambda, UINT64_C(1000000000)};
    for (uint32_t i = 0; i < MOST_DECAYS && atomic_load(&shared->updating) > 0; i++) {
        REQUIRE(dm_store_decay(shared->store, &options, NULL, NULL, 0) == DM_OK);
        atomic_fetch_add(&shared->decays, 1);
    }
    return NULL;
}

static void test_no_update_is_lost(double lambda) {
    contest shared = {.store = make_store(1, 1, 8), .lambda = lambda, .updating = UPDATERS};
    for (uint32_t i = 0; i < 8; i++) { /* fan 8: modulation 0.658, which rounds the factor to 1 - 2^-24 all the same */
        bind(shared.store, i, 0, 0.5625f);
    }
    pthread_t threads[UPDATERS + DECAYERS];
    for (int i = 0; i < UPDATERS + DECAYERS; i++) {
        REQUIRE(pthread_create(&threads[i], NULL, i < UPDATERS ? update_often : decay_often, &shared) == 0);
    }
    for (int i = 0; i < UPDATERS + DECAYERS; i++) {
        REQUIRE(pthread_join(threads[i], NULL) == 0);
    }
    uint32_t decays = lambda > 0.0 ? atomic_load(&shared.decays) : 0;
    for (uint32_t i = 0; i < 8; i++) {
        double updates = i < 4 ? UPDATERS * UPDATES / 4 : 0;
        double expected = 0.5625 + updates * 0x1.0p-20 - decays * 0x1.0p-24;
        CHECK_NEAR(dm_store_binding_strength(shared.store, i), expected, 0.0);
    }
    dm_store_destroy(shared.store);
}

typedef struct churn {
    dm_store *store;
    uint32_t first; /* this thread's concepts: first .. first + 29 */
    _Atomic uint32_t *working;
} churn;

/* Binds, unbinds, and removes concepts with chains of blocks, whose places other concepts get. */
static void *wear(void *argument) {
    churn *own = argument;
    test_random random = {own->first + 100};
    const float one = 1.0f;
    for (uint32_t round = 0; round < 6000; round++) {
        uint32_t concept_slot = dm_store_find(own->store, id_of(own->first + test_random_below(&random, 30)));
        uint32_t episode = (uint32_t)test_random_below(&random, 40);
        if (test_random_below(&random, 40) == 0) {
            dm_id id;
            REQUIRE(dm_store_id(own->store, concept_slot, &id, NULL, 0) == DM_OK);
            REQUIRE(dm_store_remove(own->store, concept_slot, NULL, 0) == DM_OK);
            REQUIRE(dm_store_add_concept(own->store, id, &one, &concept_slot, NULL, 0) == DM_OK);
        } else if (test_random_below(&random, 3) == 0) {
            (void)dm_store_unbind(own->store, episode, concept_slot);
        } else {
            REQUIRE(dm_store_bind(own->store, episode, concept_slot, 0.75f, NULL, NULL, 0) == DM_OK);
        }
    }
    atomic_fetch_sub(own->working, 1);
    return NULL;
}

static void check_worn(dm_store *store) {
    const dm_bindings *bindings = &store->bindings;
    uint64_t live = 0;
    for (size_t place = 0; place < places_of(store); place++) {
        uint32_t bits = atomic_load(&bindings->strengths[place]);
        int hole = (atomic_load(&bindings->partners[place]) & DM_PARTNER_HOLE) != 0;
        CHECK_EQUAL(bits == DM_STRENGTH_HOLE, hole);
        if (!hole) {
            CHECK(float_of(bits) >= 0.0f && float_of(bits) <= 0.75f && !signbit(float_of(bits)));
        }
        live += !hole;
    }
    CHECK_EQUAL(live, dm_store_population(store).bindings);
}

static void test_changes_meanwhile(void) {
    dm_store *store = make_store(60, 60, 40);
    _Atomic uint32_t working = 2;
    churn own[2] = {{store, 0, &working}, {store, 30, &working}};
    pthread_t threads[2];
    dm_team *team = NULL;
    REQUIRE(dm_team_create(2, &team, error, sizeof(error)) == DM_OK);
    for (int i = 0; i < 2; i++) {
        REQUIRE(pthread_create(&threads[i], NULL, wear, &own[i]) == 0);
    }
    const dm_decay_options options = {sizeof(options), DM_DECAY_EXPONENTIAL, 0, 1e-3, UINT64_C(1000000000)};
    while (atomic_load(&working) > 0) {
        decay(store, &options, team);
    }
    for (int i = 0; i < 2; i++) {
        REQUIRE(pthread_join(threads[i], NULL) == 0);
    }
    check_worn(store);
    dm_team_destroy(team);
    dm_store_destroy(store);
}

int main(void) {
    test_table();
    test_factors();
    test_scale();
    test_against_model();
    test_same_bits();
    test_some_concepts();
    test_forgetting_is_not_removing();
    test_fan_slows_decay();
    test_untouched_memory();
    test_refusals();
    test_no_update_is_lost(0.0);
    test_no_update_is_lost(0x1.0p-24);
    test_changes_meanwhile();
    for (size_t v = 0; v < dm_decay_variant_count; v++) {
        test_report_variant("decay", dm_decay_variants[v].name, dm_decay_variants[v].isa);
        if (dm_isa_has(dm_decay_variants[v].isa)) {
            printf("  largest relative error of a factor %.2g exponential, %.2g linear\n",
                   worst_error[v][DM_DECAY_EXPONENTIAL], worst_error[v][DM_DECAY_LINEAR]);
        }
    }
    return test_report();
}
