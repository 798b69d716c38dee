/* test_store_threads.c: several threads on one store. What they do is random; what must come out is exact: no increment is
 * lost, no embedding is seen half written, no list of bindings is seen half changed, and in the end every binding is there
 * from both sides. Made for the thread sanitizer as much as for its own checks. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "dualmem/dualmem.h"
#include "store/ids.h"
#include "tests/support.h"

enum { THREADS = 4, CONCEPTS = 12, EPISODES = 30, DIM = 24 };

static dm_id episode_id(uint32_t number) {
    return (dm_id){number, 1};
}

static dm_id concept_id(uint32_t number) {
    return (dm_id){number, 2};
}

static dm_store *make_store(uint32_t concepts, uint32_t episodes) {
    char error[256];
    dm_store_options options = {
        .size = sizeof(options), .dim = DIM, .concept_capacity = concepts, .episode_capacity = episodes};
    dm_store *store = NULL;
    REQUIRE(CHECK_STATUS(dm_store_create(&options, &store, error, sizeof(error)), DM_OK, error));
    return store;
}

/* A vector of equal numbers: half of one and half of another cannot pass for whole. */
static void fill(float *values, float value) {
    for (int i = 0; i < DIM; i++) {
        values[i] = value;
    }
}

typedef struct worker {
    pthread_t thread;
    dm_store *store;
    uint64_t seed;
    uint32_t operations;
    uint32_t binding; /* shared by all */
    uint32_t slot;
    int64_t bound; /* bindings this one added less those it removed */
} worker;

static void run_threads(void *(*work)(void *), worker *workers, dm_store *store, uint32_t operations) {
    for (int i = 0; i < THREADS; i++) {
        workers[i].store = store;
        workers[i].seed = (uint64_t)i + 1;
        workers[i].operations = operations;
        REQUIRE(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        REQUIRE(pthread_join(workers[i].thread, NULL) == 0);
    }
}

/* --- no increment is lost --------------------------------------------------------------------------------------------- */

static void *increment(void *argument) {
    worker *self = argument;
    for (uint32_t i = 0; i < self->operations; i++) {
        (void)dm_store_strengthen(self->store, self->binding, 0x1p-20f); /* every partial sum is exact */
        (void)dm_store_activate(self->store, self->slot, 0x1p-20f);
        (void)dm_store_strengthen_by_id(self->store, episode_id(1), concept_id(0), 0x1p-20f);
        dm_store_touch(self->store, self->slot, self->seed * 1000000 + i);
    }
    return NULL;
}

static void increments_add_up(void) {
    char error[256];
    float values[DIM];
    fill(values, 1.0f);
    for (uint32_t operations = 20000; operations <= 300000; operations += 280000) { /* N * M * 2^-20 < 1, then > 1 */
        dm_store *store = make_store(1, 2);
        worker workers[THREADS] = {{0}};
        uint32_t episode[2];
        uint32_t concept_slot;
        uint32_t binding;
        REQUIRE(dm_store_add_concept(store, concept_id(0), values, &concept_slot, error, sizeof(error)) == DM_OK);
        for (uint32_t i = 0; i < 2; i++) {
            REQUIRE(dm_store_add_episode(store, episode_id(i), values, &episode[i], error, sizeof(error)) == DM_OK);
            REQUIRE(dm_store_bind(store, episode[i], concept_slot, 0.0f, &binding, error, sizeof(error)) == DM_OK);
        }
        for (int i = 0; i < THREADS; i++) {
            workers[i].binding = dm_store_find_binding(store, episode[0], concept_slot);
            workers[i].slot = concept_slot;
        }
        run_threads(increment, workers, store, operations);
        float wanted = operations * THREADS >= 1 << 20 ? 1.0f : (float)(operations * THREADS) * 0x1p-20f;
        CHECK(dm_store_binding_strength(store, workers[0].binding) == wanted);
        CHECK(dm_store_binding_strength(store, binding) == wanted);
        CHECK(dm_store_activation(store, concept_slot) == wanted);
        CHECK_EQUAL(dm_store_last_access(store, concept_slot), THREADS * 1000000 + operations - 1);
        dm_store_destroy(store);
    }
}

/* --- everything at once -------------------------------------------------------------------------------------------------- */

static void look_at_embedding(dm_store *store, uint32_t slot) {
    dm_embedding embedding = dm_store_acquire_embedding(store, slot);
    if (embedding.values != NULL) {
        float value = embedding.values[0];
        int whole = 1;
        for (int round = 0; round < 2; round++) {
            for (int i = 0; i < DIM; i++) {
                whole &= embedding.values[i] == value;
            }
            sched_yield();
        }
        CHECK(whole);
        CHECK_NEAR((double)embedding.inverse_norm * (double)value * 4.898979485566356, 1.0, 1e-6);
        dm_store_release_embedding(store, embedding);
    }
}

static void look_at_edges(dm_store *store, uint32_t slot) {
    dm_edge edges[CONCEPTS + EPISODES];
    uint32_t fan = dm_store_edges(store, slot, edges, CONCEPTS + EPISODES);
    CHECK(fan <= (dm_slot_is_concept(slot) ? EPISODES : CONCEPTS));
    for (uint32_t i = 0; i < fan; i++) {
        CHECK(dm_slot_is_concept(edges[i].slot) != dm_slot_is_concept(slot));
        for (uint32_t j = 0; j < i; j++) {
            CHECK(edges[i].slot != edges[j].slot); /* no partner twice */
        }
    }
}

static void add_or_remove(worker *self, test_random *random) {
    char error[256];
    float values[DIM];
    fill(values, (float)(1 + test_random_below(random, 1000)));
    int is_concept = (int)test_random_below(random, 2);
    uint32_t number = (uint32_t)test_random_below(random, is_concept ? CONCEPTS : EPISODES);
    dm_id id = is_concept ? concept_id(number) : episode_id(number);
    uint32_t slot = dm_store_find(self->store, id);
    if (slot == DM_SLOT_NONE) { /* another thread may be quicker, and rows may be held: both are refused in peace */
        int32_t status = is_concept ? dm_store_add_concept(self->store, id, values, &slot, error, sizeof(error))
                                    : dm_store_add_episode(self->store, id, values, &slot, error, sizeof(error));
        CHECK(status == DM_OK || status == DM_ERROR_ARGUMENT || status == DM_ERROR_MEMORY);
    } else if (test_random_below(random, 2) == 0) {
        int32_t status = dm_store_update_embedding(self->store, slot, values, error, sizeof(error));
        CHECK(status == DM_OK || status == DM_ERROR_ARGUMENT || status == DM_ERROR_MEMORY);
    } else {
        int32_t status = dm_store_remove(self->store, slot, error, sizeof(error));
        CHECK(status == DM_OK || status == DM_ERROR_ARGUMENT);
    }
}

static void *do_anything(void *argument) {
    worker *self = argument;
    test_random random = {self->seed * 77};
    char error[256];
    dm_reader *reader = NULL;
    REQUIRE(dm_store_reader_create(self->store, &reader, error, sizeof(error)) == DM_OK);
    for (uint32_t i = 0; i < self->operations; i++) {
        dm_id e = episode_id((uint32_t)test_random_below(&random, EPISODES));
        dm_id c = concept_id((uint32_t)test_random_below(&random, CONCEPTS));
        uint32_t es = dm_store_find(self->store, e);
        uint32_t cs = dm_store_find(self->store, c);
        uint32_t fan;
        float delta = (float)test_random_uniform(&random, -0.5, 0.5);
        switch (test_random_below(&random, 9)) {
        case 0:
        case 1: (void)dm_store_bind_by_id(self->store, e, c, 0.5f, NULL, error, sizeof(error)); break;
        case 2: (void)dm_store_unbind_by_id(self->store, e, c); break;
        case 3: CHECK(dm_store_strengthen_by_id(self->store, e, c, delta) <= 1.0f); break;
        case 4: CHECK(dm_store_scale_by_id(self->store, e, c, delta + 0.5f) <= 1.0f); break;
        case 5:
            if (es != DM_SLOT_NONE && cs != DM_SLOT_NONE) {
                look_at_edges(self->store, test_random_below(&random, 2) ? es : cs);
                look_at_embedding(self->store, cs);
                (void)dm_store_activate(self->store, es, delta);
            }
            break;
        case 6:
            if (dm_reader_fan_by_id(reader, c, &fan)) {
                CHECK(fan <= EPISODES);
            }
            break;
        case 7:
            if (cs != DM_SLOT_NONE) {
                float factor = dm_store_decay_factor(self->store, cs);
                CHECK(factor > 0.5f && factor <= 1.0f);
                dm_edge edge;
                (void)dm_store_edges(self->store, cs, &edge, 1);
                (void)dm_store_statistics(self->store);
            }
            break;
        default:
            if (test_random_below(&random, 4) == 0) {
                add_or_remove(self, &random);
            }
        }
    }
    dm_store_reader_release(self->store, reader);
    return NULL;
}

/* Every binding is there from both sides, once, and the counts agree. */
static void check_symmetry(dm_store *store) {
    uint64_t from_concepts = 0;
    uint64_t from_episodes = 0;
    for (uint32_t e = 0; e < EPISODES; e++) {
        uint32_t es = dm_store_find(store, episode_id(e));
        if (es == DM_SLOT_NONE) {
            continue;
        }
        dm_edge up[CONCEPTS];
        uint32_t fan = dm_store_edges(store, es, up, CONCEPTS);
        CHECK_EQUAL(fan, dm_store_fan(store, es));
        from_episodes += fan;
        for (uint32_t i = 0; i < fan; i++) {
            CHECK(dm_store_is_live(store, up[i].slot));
            CHECK_EQUAL(dm_store_find_binding(store, es, up[i].slot), up[i].binding);
        }
    }
    for (uint32_t c = 0; c < CONCEPTS; c++) {
        uint32_t cs = dm_store_find(store, concept_id(c));
        if (cs == DM_SLOT_NONE) {
            continue;
        }
        dm_edge down[EPISODES];
        uint32_t fan = dm_store_edges(store, cs, down, EPISODES);
        CHECK_EQUAL(fan, dm_store_fan(store, cs));
        from_concepts += fan;
        for (uint32_t i = 0; i < fan; i++) {
            CHECK(dm_store_is_live(store, down[i].slot));
            CHECK_EQUAL(dm_store_find_binding(store, down[i].slot, cs), down[i].binding);
        }
        CHECK_NEAR(dm_store_decay_factor(store, cs), fan < 2 ? 1.0 : 1.0 / (1.0 + 0.25 * __builtin_log((double)fan)), 1e-6);
    }
    CHECK_EQUAL(from_concepts, from_episodes);
    CHECK_EQUAL(dm_store_population(store).bindings, from_concepts);
    CHECK(from_concepts > 0);
}

static void everything_at_once_leaves_order(void) {
    for (uint64_t round = 0; round < 3; round++) {
        dm_store *store = make_store(CONCEPTS, EPISODES);
        worker workers[THREADS] = {{0}};
        float values[DIM];
        char error[256];
        fill(values, 3.0f);
        for (uint32_t i = 0; i < CONCEPTS + EPISODES; i++) {
            uint32_t slot;
            int32_t status =
                i < CONCEPTS ? dm_store_add_concept(store, concept_id(i), values, &slot, error, sizeof(error))
                             : dm_store_add_episode(store, episode_id(i - CONCEPTS), values, &slot, error, sizeof(error));
            REQUIRE(status == DM_OK);
        }
        run_threads(do_anything, workers, store, 30000);
        check_symmetry(store);
        dm_store_destroy(store);
    }
}

/* --- adding and removing bindings alone: what each thread was told adds up -------------------------------------------------- */

static void *bind_and_unbind(void *argument) {
    worker *self = argument;
    test_random random = {self->seed};
    for (uint32_t i = 0; i < self->operations; i++) {
        /* A pair belongs to one thread, its nodes to all: so each knows what must happen. */
        uint32_t e = (uint32_t)test_random_below(&random, EPISODES);
        uint32_t c = (uint32_t)(test_random_below(&random, CONCEPTS / THREADS) * THREADS + self->seed - 1);
        int before = dm_store_find_binding(self->store, e, dm_concept_slot(c)) != DM_BINDING_NONE;
        if (test_random_below(&random, 2) == 0) {
            char error[256];
            CHECK(dm_store_bind(self->store, e, dm_concept_slot(c), 0.5f, NULL, error, sizeof(error)) == DM_OK);
            self->bound += !before;
        } else {
            CHECK_EQUAL(dm_store_unbind(self->store, e, dm_concept_slot(c)), before);
            self->bound -= before;
        }
    }
    return NULL;
}

static void bindings_add_up(void) {
    dm_store *store = make_store(CONCEPTS, EPISODES);
    worker workers[THREADS] = {{0}};
    float values[DIM];
    char error[256];
    fill(values, 3.0f);
    for (uint32_t i = 0; i < CONCEPTS + EPISODES; i++) {
        uint32_t slot;
        int32_t status = i < CONCEPTS
                             ? dm_store_add_concept(store, concept_id(i), values, &slot, error, sizeof(error))
                             : dm_store_add_episode(store, episode_id(i - CONCEPTS), values, &slot, error, sizeof(error));
        REQUIRE(status == DM_OK);
    }
    run_threads(bind_and_unbind, workers, store, 30000);
    int64_t bound = 0;
    for (int i = 0; i < THREADS; i++) {
        bound += workers[i].bound;
    }
    CHECK_EQUAL(dm_store_population(store).bindings, bound);
    check_symmetry(store);
    dm_store_destroy(store);
}

/* --- ids: what is never touched is always found ------------------------------------------------------------------------------ */

enum { FIXED = 50, MOVING = 50 };

static atomic_int finished;

static void *come_and_go(void *argument) {
    worker *self = argument;
    test_random random = {self->seed};
    char error[256];
    float values[DIM];
    fill(values, 1.0f);
    if (self->seed == 1) {
        for (uint32_t i = 0; i < self->operations; i++) {
            dm_id id = {test_random_below(&random, MOVING), 7};
            uint32_t slot = dm_store_find(self->store, id);
            int32_t status = slot == DM_SLOT_NONE
                                 ? dm_store_add_episode(self->store, id, values, &slot, error, sizeof(error))
                                 : dm_store_remove(self->store, slot, error, sizeof(error));
            CHECK(status == DM_OK);
        }
        atomic_store(&finished, 1);
        return NULL;
    }
    uint64_t looks = 0;
    while (!atomic_load(&finished) || looks < 1000) {
        dm_id ids[20];
        uint32_t slots[20];
        for (uint32_t i = 0; i < 20; i++) {
            ids[i] = (dm_id){test_random_below(&random, FIXED), 8};
        }
        dm_store_find_batch(self->store, ids, 20, slots);
        for (uint32_t i = 0; i < 20; i++) {
            CHECK_EQUAL(slots[i], ids[i].low); /* they came first, so their slots are 0..FIXED-1 */
        }
        uint32_t slot = dm_store_find(self->store, (dm_id){test_random_below(&random, MOVING), 7});
        CHECK(slot == DM_SLOT_NONE || (slot >= FIXED && slot < FIXED + MOVING));
        looks++;
    }
    return NULL;
}

static void fixed_ids_are_always_found(void) {
    dm_store *store = make_store(0, FIXED + MOVING);
    worker workers[THREADS] = {{0}};
    float values[DIM];
    char error[256];
    fill(values, 1.0f);
    for (uint32_t i = 0; i < FIXED; i++) {
        uint32_t slot;
        REQUIRE(dm_store_add_episode(store, (dm_id){i, 8}, values, &slot, error, sizeof(error)) == DM_OK && slot == i);
    }
    run_threads(come_and_go, workers, store, 50000);
    dm_store_destroy(store);
}

/* --- one place, two ids in turn ------------------------------------------------------------------------------------------------ */

typedef struct place {
    dm_ids ids;
    atomic_int finished;
} place;

/* A reader that takes the slot of one and the id of the other for one entry would answer wrongly; so would one that takes
 * half of each id. */
static void *watch_place(void *argument) {
    place *shared = argument;
    uint64_t wrong = 0;
    while (!atomic_load(&shared->finished)) {
        for (int i = 0; i < 100; i++) {
            uint32_t first = dm_ids_find(&shared->ids, (dm_id){1, 10});
            uint32_t second = dm_ids_find(&shared->ids, (dm_id){2, 20});
            wrong += first != 100 && first != DM_SLOT_NONE;
            wrong += second != 200 && second != DM_SLOT_NONE;
            wrong += dm_ids_find(&shared->ids, (dm_id){1, 20}) != DM_SLOT_NONE;
            wrong += dm_ids_find(&shared->ids, (dm_id){2, 10}) != DM_SLOT_NONE;
        }
    }
    CHECK_EQUAL(wrong, 0);
    return NULL;
}

static void a_place_is_never_seen_half_taken(void) {
    dm_memory account = {0};
    static place shared;
    REQUIRE(dm_ids_create(&shared.ids, 1, &account, 0));
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        REQUIRE(pthread_create(&threads[i], NULL, watch_place, &shared) == 0);
    }
    for (int i = 0; i < 1000000; i++) {
        dm_ids_insert(&shared.ids, (dm_id){1, 10}, 100);
        dm_ids_remove(&shared.ids, (dm_id){1, 10});
        dm_ids_insert(&shared.ids, (dm_id){2, 20}, 200);
        dm_ids_remove(&shared.ids, (dm_id){2, 20});
    }
    atomic_store(&shared.finished, 1);
    for (int i = 0; i < THREADS; i++) {
        REQUIRE(pthread_join(threads[i], NULL) == 0);
    }
    dm_ids_destroy(&shared.ids, &account);
}

/* --- a lock that changes nothing -------------------------------------------------------------------------------------- */

/* Episode 0 is bound to every concept but the last, concept 0 to every episode but the last: both lists go beyond their first block. */
typedef struct hubs {
    dm_store *store;
    uint32_t concepts[CONCEPTS];
    uint32_t episodes[EPISODES];
    _Atomic int finished;
} hubs;

/* Unbinds what is not bound: takes both locks and lets go without a change. */
static void *unbind_nothing(void *argument) {
    hubs *shared = argument;
    while (!atomic_load(&shared->finished)) {
        (void)dm_store_unbind(shared->store, shared->episodes[0], shared->concepts[CONCEPTS - 1]);
        (void)dm_store_unbind(shared->store, shared->episodes[EPISODES - 1], shared->concepts[0]);
    }
    return NULL;
}

static void lists_hold(const hubs *shared, uint32_t slot, uint32_t wanted) {
    dm_edge edges[EPISODES];
    memset(edges, 0xff, sizeof(edges));
    CHECK_EQUAL(dm_store_edges(shared->store, slot, edges, EPISODES), wanted);
    uint32_t whole = 0;
    for (uint32_t i = 0; i < wanted; i++) {
        whole += edges[i].slot != UINT32_MAX;
    }
    CHECK_EQUAL(whole, wanted); /* half a list would leave what was there before */
}

static void a_lock_that_changes_nothing_hides_nothing(void) {
    char error[256];
    float values[DIM];
    fill(values, 1.0f);
    static hubs shared;
    shared.store = make_store(CONCEPTS, EPISODES);
    for (uint32_t i = 0; i < CONCEPTS; i++) {
        REQUIRE(dm_store_add_concept(shared.store, concept_id(i), values, &shared.concepts[i], error, sizeof(error)) == DM_OK);
    }
    for (uint32_t i = 0; i < EPISODES; i++) {
        REQUIRE(dm_store_add_episode(shared.store, episode_id(i), values, &shared.episodes[i], error, sizeof(error)) == DM_OK);
    }
    for (uint32_t i = 0; i + 1 < CONCEPTS; i++) {
        REQUIRE(dm_store_bind(shared.store, shared.episodes[0], shared.concepts[i], 0.5f, NULL, error, sizeof(error)) == DM_OK);
    }
    for (uint32_t i = 1; i + 1 < EPISODES; i++) {
        REQUIRE(dm_store_bind(shared.store, shared.episodes[i], shared.concepts[0], 0.5f, NULL, error, sizeof(error)) == DM_OK);
    }
    pthread_t threads[THREADS - 1];
    for (int i = 0; i < THREADS - 1; i++) {
        REQUIRE(pthread_create(&threads[i], NULL, unbind_nothing, &shared) == 0);
    }
    for (int round = 0; round < 20000; round++) {
        lists_hold(&shared, shared.concepts[0], EPISODES - 1);
        lists_hold(&shared, shared.episodes[0], CONCEPTS - 1);
        CHECK(dm_store_find_binding(shared.store, shared.episodes[1 + round % (EPISODES - 2)], shared.concepts[0]) !=
              DM_BINDING_NONE);
        CHECK(dm_store_find_binding(shared.store, shared.episodes[0], shared.concepts[round % (CONCEPTS - 1)]) !=
              DM_BINDING_NONE);
    }
    atomic_store(&shared.finished, 1);
    for (int i = 0; i < THREADS - 1; i++) {
        REQUIRE(pthread_join(threads[i], NULL) == 0);
    }
    dm_store_destroy(shared.store);
}

int main(void) {
    a_lock_that_changes_nothing_hides_nothing();
    a_place_is_never_seen_half_taken();
    increments_add_up();
    everything_at_once_leaves_order();
    bindings_add_up();
    fixed_ids_are_always_found();
    return test_report();
}
