/* soak.c: a long run of every public operation on several threads, with an eye on memory. Not a test of ctest: `make soak` runs it.
 *
 *     soak CYCLES SECONDS THREADS
 *
 * First CYCLES times a node of each type comes, is bound and goes; dm_store_memory must be the same after the first thousand and at the
 * end. Then THREADS threads (2..8) do whatever the library can do, on one store, for SECONDS, and one of them saves and loads. The most
 * resident memory of the first and of the last tenth are printed; if it grew by more than ALLOWED_GROWTH, or anything else was wrong, the
 * exit status is 1. */
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dualmem/dualmem.h"
#include "tests/resident.h"
#include "tests/support.h"

enum { DIM = 48, CONCEPTS = 600, EPISODES = 3000, MOST_THREADS = 8, BATCH = 24, ALLOWED_GROWTH = 1 << 20 };

static double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static dm_store *make_store(uint32_t concepts, uint32_t episodes) {
    char error[256];
    dm_store_options options = {
        .size = sizeof(options), .dim = DIM, .concept_capacity = concepts, .episode_capacity = episodes};
    dm_store *store = NULL;
    REQUIRE(CHECK_STATUS(dm_store_create(&options, &store, error, sizeof(error)), DM_OK, error));
    return store;
}

static dm_id id_of(int is_concept, uint64_t number) {
    return (dm_id){number * UINT64_C(0x9e3779b97f4a7c15), 1 + (uint64_t)is_concept};
}

/* --- coming and going, one thread ----------------------------------------------------------------------------------------- */

static void one_cycle(dm_store *store, uint64_t number, const float *values) {
    char error[256];
    uint32_t concept_slot;
    uint32_t episode;
    uint32_t binding;
    CHECK(dm_store_add_concept(store, id_of(1, number), values, &concept_slot, error, sizeof(error)) == DM_OK);
    CHECK(dm_store_add_episode(store, id_of(0, number), values, &episode, error, sizeof(error)) == DM_OK);
    CHECK(dm_store_bind(store, episode, concept_slot, 0.5f, &binding, error, sizeof(error)) == DM_OK);
    if (number % 3 == 0) {
        CHECK(dm_store_unbind(store, episode, concept_slot));
    }
    CHECK(dm_store_remove(store, number % 2 ? concept_slot : episode, error, sizeof(error)) == DM_OK);
    CHECK(dm_store_remove(store, number % 2 ? episode : concept_slot, error, sizeof(error)) == DM_OK);
}

static void come_and_go(uint64_t cycles) {
    dm_store *store = make_store(16, 16);
    float values[DIM] = {1, 2, 3};
    uint64_t bytes = 0;
    uint64_t resident = 0;
    for (uint64_t number = 0; number < cycles; number++) {
        one_cycle(store, number, values);
        if (number == cycles / 1000) {
            bytes = dm_store_memory(store).total;
            resident = resident_bytes();
        }
    }
    printf("%llu cycles of adding, binding and removing: store %llu bytes at first, %llu at last; resident %llu KiB, %llu KiB\n",
           (unsigned long long)cycles, (unsigned long long)bytes, (unsigned long long)dm_store_memory(store).total,
           (unsigned long long)resident / 1024, (unsigned long long)resident_bytes() / 1024);
    CHECK_EQUAL(dm_store_memory(store).total, bytes);
    CHECK_EQUAL(dm_store_population(store).nodes + dm_store_population(store).bindings, 0);
    CHECK(resident_bytes() <= resident + ALLOWED_GROWTH);
    dm_store_destroy(store);
}

/* --- everything, on all threads --------------------------------------------------------------------------------------------- */

typedef struct worker {
    dm_store *store;
    dm_reader *reader;
    test_random random;
    char path[PATH_MAX]; /* "" for all but one */
    uint64_t operations;
    _Atomic int *finished;
} worker;

static void change_node(worker *self, int is_concept, dm_id id, uint32_t slot) {
    char error[256];
    float values[DIM];
    test_random_fill(&self->random, values, DIM);
    if (slot == DM_SLOT_NONE) {
        (void)(is_concept ? dm_store_add_concept(self->store, id, values, &slot, error, sizeof(error))
                          : dm_store_add_episode(self->store, id, values, &slot, error, sizeof(error)));
    } else if (test_random_below(&self->random, 2) == 0) {
        (void)dm_store_update_embedding(self->store, slot, values, error, sizeof(error));
    } else {
        (void)dm_store_remove(self->store, slot, error, sizeof(error));
    }
}

static void read_node(worker *self, int is_concept, dm_id id, uint32_t slot) {
    char error[256];
    dm_store *store = self->store;
    uint32_t fan;
    dm_id back;
    CHECK(dm_store_activation(store, slot) <= 1.0f);
    (void)dm_store_activate(store, slot, 0.1f);
    dm_store_touch(store, slot, self->operations);
    (void)dm_store_last_access(store, slot);
    (void)dm_store_id(store, slot, &back, error, sizeof(error));
    (void)dm_store_version(store, slot);
    (void)dm_store_fan_by_id(store, id, &fan);
    (void)dm_reader_fan(self->reader, slot);
    (void)dm_reader_fan_by_id(self->reader, id, &fan);
    dm_embedding embedding = dm_reader_acquire_embedding(self->reader, slot);
    CHECK(embedding.values == NULL || embedding.values[0] == embedding.values[0]);
    dm_store_release_embedding(store, embedding);
    if (is_concept) {
        dm_store_set_formation(store, slot, (dm_formation){0.5f, 3});
        CHECK(dm_store_formation(store, slot).coherence <= 1.0f);
        CHECK(dm_store_decay_factor(store, slot) <= 1.0f);
    } else {
        dm_store_set_strength(store, slot, 0.5f);
        CHECK(dm_store_strength(store, slot) <= 1.0f);
    }
}

static void change_bindings(worker *self) {
    char error[256];
    dm_store *store = self->store;
    dm_pair pairs[BATCH];
    float deltas[BATCH];
    dm_id ids[BATCH];
    uint32_t slots[BATCH];
    uint32_t binding = DM_BINDING_NONE;
    dm_edge edges[BATCH];
    for (int i = 0; i < BATCH; i++) {
        pairs[i] = (dm_pair){id_of(0, test_random_below(&self->random, EPISODES)), id_of(1, test_random_below(&self->random, CONCEPTS))};
        ids[i] = pairs[i].episode;
        deltas[i] = (float)test_random_uniform(&self->random, -0.1, 0.1);
    }
    (void)dm_store_bind_by_id(store, pairs[0].episode, pairs[0].concept_id, DM_STRENGTH_INITIAL, &binding, error, sizeof(error));
    (void)dm_store_bind_by_id(store, pairs[1].episode, pairs[1].concept_id, 0.5f, NULL, error, sizeof(error));
    (void)dm_store_unbind_by_id(store, pairs[2].episode, pairs[2].concept_id);
    dm_store_strengthen_batch_by_id(store, pairs, deltas, BATCH, NULL);
    (void)dm_store_scale_by_id(store, pairs[3].episode, pairs[3].concept_id, 0.9f);
    (void)dm_store_strengthen_by_id(store, pairs[3].episode, pairs[3].concept_id, 0.1f);
    CHECK(dm_store_binding_strength_by_id(store, pairs[3].episode, pairs[3].concept_id) <= 1.0f);
    dm_store_find_batch(store, ids, BATCH, slots);
    if (slots[0] != DM_SLOT_NONE) {
        (void)dm_store_edges(store, slots[0], edges, BATCH);
    }
    if (binding != DM_BINDING_NONE) {
        uint32_t bindings[2] = {binding, binding};
        dm_store_strengthen_batch(store, bindings, deltas, 2, NULL);
        CHECK(dm_store_binding_strength(store, binding) <= 1.0f);
        (void)dm_store_scale(store, binding, 0.5f);
        (void)dm_store_is_weak(store, binding);
    }
}

static void change_associations(worker *self, int is_concept, uint32_t slot) {
    char error[256];
    dm_edge edges[BATCH];
    uint32_t other = dm_store_find(self->store, id_of(is_concept, test_random_below(&self->random, is_concept ? CONCEPTS : EPISODES)));
    if (test_random_below(&self->random, 2) == 0) { /* refused where one of the two is gone */
        (void)dm_store_associate(self->store, slot, other, 0.5f, error, sizeof(error));
    } else {
        (void)dm_store_dissociate(self->store, slot, other);
    }
    CHECK(dm_store_association_weight(self->store, slot, other) <= 1.0f);
    (void)dm_store_associations(self->store, slot, edges, BATCH);
}

static void save_and_load(worker *self) {
    char error[256];
    dm_store *loaded = NULL;
    dm_team *team = NULL;
    dm_load_options options = {.size = sizeof(options), .map_embeddings = (int32_t)test_random_below(&self->random, 2)};
    CHECK_STATUS(dm_store_save(self->store, self->path, error, sizeof(error)), DM_OK, error);
    CHECK_STATUS(dm_store_load(self->path, &options, &loaded, error, sizeof(error)), DM_OK, error);
    CHECK_STATUS(dm_team_create(2, &team, error, sizeof(error)), DM_OK, error);
    dm_team_destroy(team);
    dm_store_destroy(loaded);
    (void)dm_store_statistics(self->store);
    (void)dm_store_population(self->store);
    (void)dm_store_memory(self->store);
    (void)dm_store_placement(self->store);
}

static void *do_everything(void *argument) {
    worker *self = argument;
    char error[256];
    REQUIRE(dm_store_reader_create(self->store, &self->reader, error, sizeof(error)) == DM_OK);
    while (!atomic_load(self->finished)) {
        int is_concept = test_random_below(&self->random, 6) == 0;
        dm_id id = id_of(is_concept, test_random_below(&self->random, is_concept ? CONCEPTS : EPISODES));
        uint32_t slot = dm_store_find(self->store, id);
        uint64_t action = test_random_below(&self->random, 10000);
        if (action < 10 && self->path[0] != '\0') {
            save_and_load(self);
        } else if (action < 1000 || slot == DM_SLOT_NONE) {
            change_node(self, is_concept, id, slot);
        } else if (action < 5000) {
            read_node(self, is_concept, id, slot);
        } else if (action < 6000) {
            change_associations(self, is_concept, slot);
        } else {
            change_bindings(self);
        }
        self->operations++;
    }
    dm_store_reader_release(self->store, self->reader);
    return NULL;
}

/* When all is quiet: fans are the lengths of lists, both sides hold as many bindings, and everything can go. */
static void all_is_in_order(dm_store *store) {
    char error[256];
    uint64_t sums[2] = {0, 0};
    for (uint32_t i = 0; i < CONCEPTS + EPISODES; i++) {
        int is_concept = i < CONCEPTS;
        uint32_t slot = dm_store_find(store, id_of(is_concept, is_concept ? i : i - CONCEPTS));
        if (slot != DM_SLOT_NONE) {
            CHECK_EQUAL(dm_store_edges(store, slot, NULL, 0), dm_store_fan(store, slot));
            sums[is_concept] += dm_store_fan(store, slot);
        }
    }
    CHECK(sums[0] == sums[1] && sums[0] == dm_store_population(store).bindings);
    for (uint32_t i = 0; i < CONCEPTS + EPISODES; i++) {
        int is_concept = i < CONCEPTS;
        uint32_t slot = dm_store_find(store, id_of(is_concept, is_concept ? i : i - CONCEPTS));
        CHECK(slot == DM_SLOT_NONE || dm_store_remove(store, slot, error, sizeof(error)) == DM_OK);
    }
    dm_population left = dm_store_population(store);
    CHECK_EQUAL(left.nodes + left.bindings + left.associations, 0);
}

/* The most memory that the first and the last tenth of the time had: saving and loading make it swing. */
static void watch(double seconds, uint64_t *first, uint64_t *last) {
    double begin = seconds_now();
    for (double now = begin; now < begin + seconds; now = seconds_now()) {
        usleep(50000);
        uint64_t resident = resident_bytes();
        if (now < begin + seconds / 10) {
            *first = resident > *first ? resident : *first;
        } else if (now > begin + seconds * 9 / 10) {
            *last = resident > *last ? resident : *last;
        }
    }
}

static void churn(double seconds, int threads) {
    static worker workers[MOST_THREADS];
    pthread_t handles[MOST_THREADS];
    _Atomic int finished = 0;
    dm_store *store = make_store(CONCEPTS, EPISODES);
    char folder[64];
    (void)snprintf(folder, sizeof(folder), "%s/dualmem-soak-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : P_tmpdir);
    REQUIRE(mkdtemp(folder) != NULL);
    for (int i = 0; i < threads; i++) {
        workers[i] = (worker){.store = store, .random = {(uint64_t)i}, .finished = &finished};
        if (i == 0) {
            (void)snprintf(workers[i].path, sizeof(workers[i].path), "%s/store", folder);
        }
        REQUIRE(pthread_create(&handles[i], NULL, do_everything, &workers[i]) == 0);
    }
    uint64_t first = 0;
    uint64_t last = 0;
    watch(seconds, &first, &last);
    uint64_t operations = 0;
    atomic_store(&finished, 1);
    for (int i = 0; i < threads; i++) {
        REQUIRE(pthread_join(handles[i], NULL) == 0);
        operations += workers[i].operations;
    }
    printf("%.0f s on %d threads, %llu operations: resident %llu KiB at first, %llu KiB at last\n", seconds, threads,
           (unsigned long long)operations, (unsigned long long)first / 1024, (unsigned long long)last / 1024);
    CHECK(last <= first + ALLOWED_GROWTH);
    all_is_in_order(store);
    dm_store_destroy(store);
    (void)unlink(workers[0].path);
    CHECK(rmdir(folder) == 0);
}

int main(int argc, char **argv) {
    if (argc != 4 || atoll(argv[1]) < 0 || atof(argv[2]) < 0 || atoi(argv[3]) < 2 || atoi(argv[3]) > MOST_THREADS) {
        fprintf(stderr, "usage: soak CYCLES SECONDS THREADS (2 to %d)\n", MOST_THREADS);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    come_and_go((uint64_t)atoll(argv[1]));
    churn(atof(argv[2]), atoi(argv[3]));
    return test_report();
}
