/* test_snapshot_threads.c: saving while other threads change the store, and savers that meet on one path. */
#include <pthread.h>
#include <stdatomic.h>

#include "tests/snapshot_case.h"

static char folder[64];

/* --- each concept's list is that of one moment, and its version says which ----------------------------------------------------- */

/* A window of 20 episodes slides over a ring: bind the next, unbind the last. So the list after n changes is known, and it always lies
 * in several blocks. */
enum { DIM = 4, RING = 64, WINDOW = 20, SLIDERS = 3, SAVES = 60 };

typedef struct slider {
    dm_store *store;
    uint32_t concept_slot; /* of associations: the hub, of either type */
    atomic_int *finished;
} slider;

static void *slide(void *argument) {
    slider *self = argument;
    char error[256];
    for (uint32_t step = 0; !atomic_load(self->finished); step++) {
        CHECK(dm_store_bind(self->store, (step + WINDOW) % RING, self->concept_slot, 0.5f, NULL, error, sizeof(error)) == DM_OK);
        CHECK(dm_store_unbind(self->store, step % RING, self->concept_slot));
    }
    return NULL;
}

static void check_window(dm_store *loaded, uint32_t concept_slot) {
    uint32_t changes = dm_store_version(loaded, concept_slot);
    CHECK(changes >= WINDOW);
    uint32_t first = (changes - WINDOW) / 2;
    uint32_t length = WINDOW + (changes - WINDOW) % 2; /* odd: bound already, not yet unbound */
    CHECK_EQUAL(dm_store_fan(loaded, concept_slot), length);
    for (uint32_t i = 0; i < RING; i++) {
        int bound = dm_store_find_binding(loaded, (first + i) % RING, concept_slot) != DM_BINDING_NONE;
        CHECK_EQUAL(bound, i < length);
    }
}

static dm_store *make_ring(uint32_t spare) {
    char error[256];
    float values[DIM] = {1, 2, 3, 4};
    dm_store *store = case_store(DIM, SLIDERS + spare, RING + spare, 0);
    uint32_t slot;
    for (uint32_t i = 0; i < RING + SLIDERS; i++) {
        int32_t status = i < RING ? dm_store_add_episode(store, case_id(i), values, &slot, error, sizeof(error))
                                  : dm_store_add_concept(store, case_id(i), values, &slot, error, sizeof(error));
        REQUIRE(status == DM_OK);
    }
    for (uint32_t i = 0; i < SLIDERS * WINDOW; i++) {
        REQUIRE(dm_store_bind(store, i % WINDOW, dm_concept_slot(i / WINDOW), 0.5f, NULL, error, sizeof(error)) == DM_OK);
    }
    return store;
}

static void lists_are_of_one_moment(void) {
    char error[256];
    atomic_int finished = 0;
    dm_store *store = make_ring(0);
    pthread_t threads[SLIDERS];
    slider sliders[SLIDERS];
    for (uint32_t i = 0; i < SLIDERS; i++) {
        sliders[i] = (slider){store, dm_concept_slot(i), &finished};
        REQUIRE(pthread_create(&threads[i], NULL, slide, &sliders[i]) == 0);
    }
    char path[PATH_MAX];
    (void)snprintf(path, sizeof(path), "%s/ring", folder);
    for (int i = 0; i < SAVES; i++) {
        dm_store *loaded = NULL;
        REQUIRE(CHECK_STATUS(dm_store_save(store, path, error, sizeof(error)), DM_OK, error));
        REQUIRE(CHECK_STATUS(dm_store_load(path, NULL, &loaded, error, sizeof(error)), DM_OK, error));
        for (uint32_t c = 0; c < SLIDERS; c++) {
            check_window(loaded, dm_concept_slot(c));
        }
        check_symmetry(loaded, SLIDERS, RING);
        dm_store_destroy(loaded);
    }
    atomic_store(&finished, 1);
    for (int i = 0; i < SLIDERS; i++) {
        REQUIRE(pthread_join(threads[i], NULL) == 0);
    }
    dm_store_destroy(store);
    unlink(path);
}

/* --- no version is older than a list of associations --------------------------------------------------------------------------------- */

/* A window of partners slides over the ring of a hub, which has the lowest slot of its type. The weight of an association is the number of
 * the change that made it, so a list tells at which change it was read, and how often each partner had changed by then. */
enum { HUBS = 2 };

static const float PER_CHANGE = 0x1p-24f;

static uint32_t of_hub(int is_concept, uint32_t place) {
    uint32_t index = 1 + place % RING;
    return is_concept ? dm_concept_slot(index) : index;
}

static void make_change(dm_store *store, int is_concept, uint32_t number) {
    char error[256];
    uint32_t hub = is_concept ? dm_concept_slot(0) : 0;
    uint32_t step = number < WINDOW ? number : (number - WINDOW) / 2;
    if (number < WINDOW || (number - WINDOW) % 2 == 0) {
        uint32_t partner = of_hub(is_concept, number < WINDOW ? step : step + WINDOW);
        float weight = (float)(number + 1) * PER_CHANGE;
        CHECK(dm_store_associate(store, hub, partner, weight, error, sizeof(error)) == DM_OK);
    } else {
        CHECK(dm_store_dissociate(store, hub, of_hub(is_concept, step)));
    }
}

static void *slide_partners(void *argument) {
    slider *self = argument;
    for (uint32_t number = WINDOW; !atomic_load(self->finished) && number < 1 << 24; number++) {
        make_change(self->store, dm_slot_is_concept(self->concept_slot), number);
    }
    return NULL;
}

/* The hub's list is a window, and hub and partners are at least as far as it says. */
static void check_partners_of_hub(const dm_store *store, int is_concept) {
    dm_edge edges[WINDOW + 2];
    uint32_t hub = is_concept ? dm_concept_slot(0) : 0;
    uint32_t count = dm_store_associations(store, hub, edges, WINDOW + 2);
    CHECK(count == WINDOW || count == WINDOW + 1);
    uint32_t latest = 0;
    for (uint32_t i = 0; i < count && count <= WINDOW + 1; i++) {
        uint32_t number = (uint32_t)(edges[i].strength / PER_CHANGE);
        uint32_t place = number <= WINDOW ? number - 1 : (number - WINDOW - 1) / 2 + WINDOW;
        CHECK_EQUAL(edges[i].slot, of_hub(is_concept, place));
        CHECK(dm_store_version(store, edges[i].slot) >= 2 * (place / RING) + 1); /* came and went once in each round before */
        latest = number > latest ? number : latest;
    }
    for (uint32_t i = 0; i < count && count <= WINDOW + 1; i++) { /* of WINDOW or WINDOW + 1 neighbours, each once */
        uint32_t number = (uint32_t)(edges[i].strength / PER_CHANGE);
        uint32_t behind = latest <= WINDOW ? latest - number : number <= WINDOW ? (latest - WINDOW + 1) / 2 + WINDOW - number
                                                                                : (latest - number) / 2;
        CHECK(behind < count);
    }
    CHECK(dm_store_version(store, hub) >= latest + (count == WINDOW && latest > WINDOW));
}

/* The partner that came last, as soon as it can be seen. Saves lean on this; what must not be seen lasts nanoseconds: it takes
 * the thread sanitizer, which stretches them, to see it. */
static void look_at_the_latest(const dm_store *store, int is_concept) {
    dm_edge edges[WINDOW + 1];
    dm_edge latest = {0, 0, 0.0f};
    uint32_t count = dm_store_associations(store, is_concept ? dm_concept_slot(0) : 0, edges, WINDOW + 1);
    for (uint32_t i = 0; i < count; i++) {
        latest = edges[i].strength > latest.strength ? edges[i] : latest;
    }
    uint32_t version = dm_store_version(store, latest.slot);
    uint32_t number = (uint32_t)(latest.strength / PER_CHANGE);
    uint32_t place = number <= WINDOW ? number - 1 : (number - WINDOW - 1) / 2 + WINDOW;
    CHECK(version >= 2 * (place / RING) + 1);
}

static void no_version_is_older_than_a_list(void) {
    char error[256];
    float values[DIM] = {1, 2, 3, 4};
    atomic_int finished = 0;
    dm_store *store = case_store(DIM, RING + 1, RING + 1, 0);
    for (uint32_t i = 0; i < 2 * (RING + 1); i++) {
        uint32_t slot;
        int32_t status = i % 2 ? dm_store_add_concept(store, case_id(i), values, &slot, error, sizeof(error))
                               : dm_store_add_episode(store, case_id(i), values, &slot, error, sizeof(error));
        REQUIRE(status == DM_OK);
    }
    pthread_t threads[HUBS];
    slider sliders[HUBS];
    for (uint32_t number = 0; number < 2 * WINDOW; number++) {
        make_change(store, number % 2, number / 2);
    }
    for (uint32_t i = 0; i < HUBS; i++) {
        sliders[i] = (slider){store, i == 0 ? 0 : dm_concept_slot(0), &finished};
        REQUIRE(pthread_create(&threads[i], NULL, slide_partners, &sliders[i]) == 0);
    }
    char path[PATH_MAX];
    (void)snprintf(path, sizeof(path), "%s/hubs", folder);
    for (int i = 0; i < SAVES; i++) {
        dm_store *loaded = NULL;
        REQUIRE(CHECK_STATUS(dm_store_save(store, path, error, sizeof(error)), DM_OK, error));
        REQUIRE(CHECK_STATUS(dm_store_load(path, NULL, &loaded, error, sizeof(error)), DM_OK, error));
        for (int is_concept = 0; is_concept < HUBS; is_concept++) {
            check_partners_of_hub(loaded, is_concept);
            for (int look = 0; look < 500; look++) {
                look_at_the_latest(store, is_concept);
            }
        }
        check_symmetry(loaded, RING + 1, RING + 1);
        dm_store_destroy(loaded);
    }
    atomic_store(&finished, 1);
    for (int i = 0; i < HUBS; i++) {
        REQUIRE(pthread_join(threads[i], NULL) == 0);
    }
    dm_store_destroy(store);
    unlink(path);
}

/* --- everything at once -------------------------------------------------------------------------------------------------------- */

enum { CONCEPTS = 30, EPISODES = 60, WORKERS = 3 };

typedef struct worker {
    dm_store *store;
    uint64_t seed;
    atomic_int *finished;
} worker;

static void *do_anything(void *argument) {
    worker *self = argument;
    test_random random = {self->seed};
    char error[256];
    while (!atomic_load(self->finished)) {
        int is_concept = (int)test_random_below(&random, 2);
        float values[DIM] = {1, (float)test_random_below(&random, 1000), 0, -1};
        dm_id id = {test_random_below(&random, is_concept ? CONCEPTS : EPISODES), 1 + (uint64_t)is_concept};
        uint32_t slot = dm_store_find(self->store, id);
        uint32_t e = dm_store_find(self->store, (dm_id){test_random_below(&random, EPISODES), 1});
        uint32_t c = dm_store_find(self->store, (dm_id){test_random_below(&random, CONCEPTS), 2});
        uint32_t other = dm_store_find(self->store, (dm_id){test_random_below(&random, is_concept ? CONCEPTS : EPISODES), id.high});
        uint64_t action = test_random_below(&random, 20);
        if (slot == DM_SLOT_NONE) { /* refused in peace where another thread was faster */
            (void)(is_concept ? dm_store_add_concept(self->store, id, values, &slot, error, sizeof(error))
                              : dm_store_add_episode(self->store, id, values, &slot, error, sizeof(error)));
        } else if (action == 0) {
            (void)dm_store_remove(self->store, slot, error, sizeof(error));
        } else if (action == 1) {
            (void)dm_store_update_embedding(self->store, slot, values, error, sizeof(error));
        } else if (action >= 16) { /* refused in peace where one of the two is gone */
            (void)(action < 19 ? dm_store_associate(self->store, slot, other, 0.25f, error, sizeof(error)) == DM_OK
                               : dm_store_dissociate(self->store, slot, other));
        } else if (e != DM_SLOT_NONE && c != DM_SLOT_NONE) {
            uint32_t binding = DM_BINDING_NONE;
            (void)(action < 9 ? dm_store_bind(self->store, e, c, 0.5f, &binding, error, sizeof(error))
                              : (int32_t)dm_store_unbind(self->store, e, c));
            if (binding != DM_BINDING_NONE) {
                (void)dm_store_strengthen(self->store, binding, 0.01f);
                (void)dm_store_scale(self->store, binding, 0.9f);
            }
            (void)dm_store_activate(self->store, e, 0.01f);
            dm_store_touch(self->store, c, action);
            dm_store_set_formation(self->store, c, (dm_formation){0.5f, (uint32_t)action});
            dm_store_set_strength(self->store, e, 0.25f);
        }
    }
    return NULL;
}

static void saves_among_changes_load(void) {
    char error[256];
    atomic_int finished = 0;
    dm_store *store = case_store(DIM, CONCEPTS, EPISODES, 0);
    pthread_t threads[WORKERS];
    worker workers[WORKERS];
    for (uint32_t i = 0; i < WORKERS; i++) {
        workers[i] = (worker){store, i + 1, &finished};
        REQUIRE(pthread_create(&threads[i], NULL, do_anything, &workers[i]) == 0);
    }
    char path[PATH_MAX];
    (void)snprintf(path, sizeof(path), "%s/anything", folder);
    uint64_t bindings = 0;
    uint64_t associations = 0;
    for (int i = 0; i < SAVES; i++) {
        dm_store *loaded = NULL;
        REQUIRE(CHECK_STATUS(dm_store_save(store, path, error, sizeof(error)), DM_OK, error));
        REQUIRE(CHECK_STATUS(dm_store_load(path, NULL, &loaded, error, sizeof(error)), DM_OK, error));
        check_symmetry(loaded, CONCEPTS, EPISODES);
        bindings += dm_store_population(loaded).bindings;
        associations += dm_store_population(loaded).associations;
        dm_store_destroy(loaded);
    }
    CHECK(bindings > 0 && associations > 0);
    atomic_store(&finished, 1);
    for (int i = 0; i < WORKERS; i++) {
        REQUIRE(pthread_join(threads[i], NULL) == 0);
    }
    check_symmetry(store, CONCEPTS, EPISODES);
    dm_store_destroy(store);
    unlink(path);
}

/* --- two savers and a loader on one path ------------------------------------------------------------------------------------------ */

typedef struct rival {
    dm_store *store;
    const char *path;
} rival;

static void *save_often(void *argument) {
    const rival *self = argument;
    char error[256];
    for (int i = 0; i < SAVES; i++) {
        CHECK_STATUS(dm_store_save(self->store, self->path, error, sizeof(error)), DM_OK, error);
    }
    return NULL;
}

static void rivals_leave_whole_files(void) {
    char error[256];
    char path[PATH_MAX];
    (void)snprintf(path, sizeof(path), "%s/shared", folder);
    dm_store *few = make_ring(0);
    dm_store *many = make_ring(100);
    float values[DIM] = {0, 0, 0, 1};
    for (uint64_t i = 0; i < 100; i++) {
        uint32_t slot;
        REQUIRE(dm_store_add_episode(many, case_id(1000 + i), values, &slot, error, sizeof(error)) == DM_OK);
    }
    rival rivals[4] = {{few, path}, {many, path}, {many, path}, {few, path}};
    pthread_t threads[4];
    REQUIRE(dm_store_save(few, path, error, sizeof(error)) == DM_OK);
    for (int i = 0; i < 4; i++) {
        REQUIRE(pthread_create(&threads[i], NULL, save_often, &rivals[i]) == 0);
    }
    for (int i = 0; i < 4 * SAVES; i++) {
        dm_store *loaded = NULL;
        REQUIRE(CHECK_STATUS(dm_store_load(path, NULL, &loaded, error, sizeof(error)), DM_OK, error));
        uint32_t episodes = dm_store_population(loaded).episodes;
        CHECK(episodes == RING || episodes == RING + 100);
        dm_store_destroy(loaded);
    }
    for (int i = 0; i < 4; i++) {
        REQUIRE(pthread_join(threads[i], NULL) == 0);
    }
    dm_store_destroy(few);
    dm_store_destroy(many);
    unlink(path);
}

int main(void) {
    make_folder(folder);
    lists_are_of_one_moment();
    no_version_is_older_than_a_list();
    saves_among_changes_load();
    rivals_leave_whole_files();
    CHECK(rmdir(folder) == 0); /* no temporary file was left */
    return test_report();
}
