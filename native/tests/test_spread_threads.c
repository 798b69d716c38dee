/* test_spread_threads.c: spreading while other threads change the graph. Every list that a spread sends along must be a state
 * the node was in, results must be well formed, and when all is quiet, the lists of both ends agree and a spread gives the
 * model's bits. Made for the thread sanitizer as much as for its own checks. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dualmem/dualmem.h"
#include "graph/spreading.h"
#include "tests/spread_model.h"
#include "tests/support.h"

enum { CONCEPTS = 24, EPISODES = 40 };

static dm_store *make_store(uint32_t concepts, uint32_t episodes) {
    char error[256];
    dm_store_options options = {
        .size = sizeof(options), .dim = 1, .concept_capacity = concepts, .episode_capacity = episodes};
    dm_store *store = NULL;
    REQUIRE(CHECK_STATUS(dm_store_create(&options, &store, error, sizeof(error)), DM_OK, error));
    return store;
}

static uint32_t add(dm_store *store, int is_concept, uint64_t number) {
    char error[256];
    const float value = 1.0f;
    uint32_t slot = DM_SLOT_NONE;
    dm_id id = {number, (uint64_t)is_concept};
    (void)(is_concept ? dm_store_add_concept(store, id, &value, &slot, error, sizeof(error))
                      : dm_store_add_episode(store, id, &value, &slot, error, sizeof(error)));
    return slot;
}

typedef struct worker {
    pthread_t thread;
    dm_store *store;
    _Atomic int *stop;
    uint64_t seed;
    uint32_t operations; /* spreads that a spreading thread did */
} worker;

static void start(worker *self, void *(*work)(void *), dm_store *store, _Atomic int *stop, uint64_t seed) {
    *self = (worker){.store = store, .stop = stop, .seed = seed};
    REQUIRE(pthread_create(&self->thread, NULL, work, self) == 0);
}

/* --- one hub ----------------------------------------------------------------------------------------------------------- */

/* The hub has LEAST edges or more, all of weight 1, all of one kind, and random ones of MOST come and go. With DM_FAN_LINEAR
 * and one hop, each of the fan targets gets (1 / fan g) decay. So the number of targets and what each got tell whether fan and
 * list were those of one moment: a removal moves the last entry, so half a list shows a partner twice or misses one. */
enum { LEAST = 150, MOST = 300 };

static void *change_hub(void *argument) {
    worker *self = argument;
    char error[256];
    const uint32_t hub = dm_concept_slot(0);
    const int bound = self->seed == 1;
    uint32_t count = LEAST;
    char has[MOST];
    memset(has, 1, LEAST);
    memset(has + LEAST, 0, MOST - LEAST);
    test_random random = {self->seed};
    while (!atomic_load_explicit(self->stop, memory_order_relaxed)) {
        uint32_t number = (uint32_t)test_random_below(&random, MOST);
        if (has[number] && count == LEAST) {
            continue;
        }
        has[number] = !has[number];
        uint32_t partner = bound ? number : dm_concept_slot(number + 1);
        if (has[number]) {
            int32_t status = bound ? dm_store_bind(self->store, partner, hub, 1.0f, NULL, error, sizeof(error))
                                   : dm_store_associate(self->store, partner, hub, 1.0f, error, sizeof(error));
            CHECK_STATUS(status, DM_OK, error);
            count++;
        } else {
            CHECK(bound ? dm_store_unbind(self->store, partner, hub) : dm_store_dissociate(self->store, partner, hub));
            count--;
        }
    }
    return NULL;
}

static void spread_from_the_hub(dm_spreader *spreader, dm_team *team, double direction) {
    const dm_cue cue = {dm_concept_slot(0), 1.0f};
    dm_spread_result result = dm_spread(spreader, &cue, 1, team);
    uint32_t fan = result.count - 1;
    CHECK(fan >= LEAST && fan <= MOST);
    CHECK_EQUAL(result.edges, fan);
    float expected = (float)(1.0 * (1.0 / fan) * direction * 0.8);
    int whole = 1;
    for (uint32_t i = 0; i < result.count; i++) {
        whole &= result.nodes[i].activation == (result.nodes[i].slot == cue.slot ? 1.0f : expected);
    }
    CHECK(whole);
}

/* No partner twice, and none that is not there. */
static void look_at_the_hub(const dm_store *store, int bound) {
    dm_edge edges[MOST];
    uint32_t fan = bound ? dm_store_edges(store, dm_concept_slot(0), edges, MOST)
                         : dm_store_associations(store, dm_concept_slot(0), edges, MOST);
    char seen[MOST + 1] = {0};
    int whole = fan >= LEAST && fan <= MOST;
    for (uint32_t i = 0; i < fan; i++) {
        char *partner = &seen[dm_slot_index(edges[i].slot)];
        whole &= !*partner && edges[i].strength == 1.0f;
        *partner = 1;
    }
    CHECK(whole);
}

static void lists_are_states_the_node_was_in(uint32_t rounds) {
    char error[256];
    for (uint64_t bound = 0; bound < 2; bound++) {
        dm_store *store = make_store(MOST + 1, MOST);
        for (uint32_t i = 0; i < MOST + 1; i++) {
            (void)add(store, 1, i);
        }
        for (uint32_t i = 0; i < MOST; i++) {
            (void)add(store, 0, i);
        }
        for (uint32_t i = 0; i < LEAST; i++) {
            int32_t status = bound ? dm_store_bind(store, i, dm_concept_slot(0), 1.0f, NULL, error, sizeof(error))
                                   : dm_store_associate(store, dm_concept_slot(0), dm_concept_slot(i + 1), 1.0f, error,
                                                        sizeof(error));
            REQUIRE(CHECK_STATUS(status, DM_OK, error));
        }
        dm_spread_options options = dm_spread_defaults();
        options.fan_mode = DM_FAN_LINEAR;
        options.max_hops = 1;
        dm_spreader *spreader = NULL;
        REQUIRE(dm_spreader_create(store, &options, &spreader, error, sizeof(error)) == DM_OK);
        _Atomic int stop = 0;
        worker changer;
        start(&changer, change_hub, store, &stop, bound);
        for (uint32_t i = 0; i < rounds; i++) {
            spread_from_the_hub(spreader, NULL, bound ? 0.6 : 0.4);
            for (int look = 0; look < 4; look++) { /* the window is short */
                look_at_the_hub(store, (int)bound);
            }
        }
        atomic_store(&stop, 1);
        REQUIRE(pthread_join(changer.thread, NULL) == 0);
        dm_spreader_destroy(spreader);
        dm_store_destroy(store);
    }
}

/* --- everything at once -------------------------------------------------------------------------------------------------- */

static uint32_t any_slot(test_random *random) {
    uint32_t node = (uint32_t)test_random_below(random, CONCEPTS + EPISODES);
    return node < EPISODES ? node : dm_concept_slot(node - EPISODES);
}

static void *change_graph(void *argument) {
    worker *self = argument;
    char error[256];
    test_random random = {self->seed};
    while (!atomic_load_explicit(self->stop, memory_order_relaxed)) {
        uint32_t one = any_slot(&random);
        uint32_t other = any_slot(&random);
        float weight = (float)test_random_uniform(&random, 0.0, 1.0);
        int remove = test_random_below(&random, 3) == 0;
        if (test_random_below(&random, 40) == 0) {
            if (dm_store_remove(self->store, one, error, sizeof(error)) != DM_OK) {
                int is_concept = dm_slot_is_concept(one);
                (void)add(self->store, is_concept, test_random_below(&random, is_concept ? CONCEPTS : EPISODES));
            }
        } else if (dm_slot_is_concept(one) == dm_slot_is_concept(other)) {
            int32_t status = remove ? dm_store_dissociate(self->store, one, other)
                                    : dm_store_associate(self->store, one, other, weight, error, sizeof(error));
            CHECK(remove || status == DM_OK || status == DM_ERROR_ARGUMENT);
        } else {
            uint32_t episode = dm_slot_is_concept(one) ? other : one;
            uint32_t concept_slot = dm_slot_is_concept(one) ? one : other;
            int32_t status = remove ? dm_store_unbind(self->store, episode, concept_slot)
                                    : dm_store_bind(self->store, episode, concept_slot, weight, NULL, error, sizeof(error));
            CHECK(remove || status == DM_OK || status == DM_ERROR_ARGUMENT);
        }
    }
    return NULL;
}

static void check_form(dm_spread_result result) {
    int well_formed = 1;
    for (uint32_t i = 0; i < result.count; i++) {
        const dm_spread_node *node = &result.nodes[i];
        well_formed &= i == 0 || result.nodes[i - 1].slot < node->slot;
        well_formed &= node->activation > 0.0f && node->activation <= 1.0f && node->hop <= 4;
        well_formed &= dm_slot_index(node->slot) < (dm_slot_is_concept(node->slot) ? CONCEPTS : EPISODES);
    }
    CHECK(well_formed);
}

static void *spread_all_the_time(void *argument) {
    worker *self = argument;
    char error[256];
    test_random random = {self->seed};
    dm_spreader *spreader = NULL;
    dm_team *team = NULL;
    REQUIRE(dm_spreader_create(self->store, NULL, &spreader, error, sizeof(error)) == DM_OK);
    REQUIRE(dm_team_create(self->seed % 2 ? 2 : 1, &team, error, sizeof(error)) == DM_OK);
    while (!atomic_load_explicit(self->stop, memory_order_relaxed)) {
        dm_cue cues[3];
        for (int i = 0; i < 3; i++) {
            cues[i] = (dm_cue){any_slot(&random), (float)test_random_uniform(&random, 0.0, 1.0)};
        }
        dm_spread_result result = self->operations % 2 ? dm_spread_prefetched(spreader, cues, 3, team)
                                                       : dm_spread_plain(spreader, cues, 3, team);
        check_form(result);
        dm_store_apply_spread(self->store, result.nodes, result.count);
        dm_edge edges[CONCEPTS + EPISODES];
        uint32_t count = dm_store_associations(self->store, cues[0].slot, edges, CONCEPTS + EPISODES);
        for (uint32_t i = 0; i < count; i++) {
            CHECK(dm_slot_is_concept(edges[i].slot) == dm_slot_is_concept(cues[0].slot) && edges[i].slot != cues[0].slot);
        }
        self->operations++;
    }
    dm_team_destroy(team);
    dm_spreader_destroy(spreader);
    return NULL;
}

/* The lists as they are now, each edge from both of its ends. */
static void read_lists(dm_store *store, spread_model *model) {
    uint64_t bindings = 0;
    uint64_t associations = 0;
    for (uint32_t node = 0; node < model->nodes; node++) {
        dm_edge edges[CONCEPTS + EPISODES];
        uint32_t slot = spread_model_slot(model, node);
        uint32_t fan = dm_store_edges(store, slot, edges, CONCEPTS + EPISODES);
        uint32_t count = fan + dm_store_associations(store, slot, edges + fan, CONCEPTS + EPISODES - fan);
        bindings += fan;
        associations += count - fan;
        CHECK(count == 0 || dm_store_is_live(store, slot));
        for (uint32_t i = 0; i < count; i++) {
            uint32_t partner = spread_model_node(model, edges[i].slot);
            float *seen = &model->weights[(size_t)node * model->nodes + partner];
            CHECK(partner > node ? *seen == -1.0f : *seen == edges[i].strength);
            spread_model_connect(model, node, partner, edges[i].strength);
        }
    }
    CHECK_EQUAL(dm_store_population(store).bindings, bindings / 2);
    CHECK_EQUAL(dm_store_population(store).associations, associations / 2);
}

static void the_graph_is_whole_in_the_end(dm_store *store) {
    char error[256];
    spread_model model = spread_model_make(EPISODES, CONCEPTS);
    read_lists(store, &model);
    dm_spread_options options = dm_spread_defaults();
    dm_spreader *spreader = NULL;
    REQUIRE(dm_spreader_create(store, &options, &spreader, error, sizeof(error)) == DM_OK);
    for (uint32_t node = 0; node < EPISODES + CONCEPTS; node++) {
        double activations[EPISODES + CONCEPTS] = {0};
        dm_cue cue = {spread_model_slot(&model, node), 1.0f};
        activations[node] = dm_store_is_live(store, cue.slot);
        spread_model_run(&model, &options, activations);
        spread_model_check(&model, dm_spread(spreader, &cue, 1, NULL));
    }
    dm_spreader_destroy(spreader);
    spread_model_free(&model);
}

static void spreads_in_a_changing_graph(uint32_t rounds) {
    enum { CHANGERS = 3, SPREADERS = 2 };
    dm_store *store = make_store(CONCEPTS, EPISODES);
    for (uint32_t i = 0; i < CONCEPTS + EPISODES; i++) {
        (void)add(store, i >= EPISODES, i >= EPISODES ? i - EPISODES : i);
    }
    for (uint32_t round = 0; round < rounds; round++) {
        _Atomic int stop = 0;
        worker workers[CHANGERS + SPREADERS];
        for (uint64_t i = 0; i < CHANGERS + SPREADERS; i++) {
            start(&workers[i], i < CHANGERS ? change_graph : spread_all_the_time, store, &stop, 10 * round + i + 1);
        }
        struct timespec pause = {.tv_nsec = 150000000};
        (void)nanosleep(&pause, NULL);
        atomic_store(&stop, 1);
        uint32_t spreads = 0;
        for (int i = 0; i < CHANGERS + SPREADERS; i++) {
            REQUIRE(pthread_join(workers[i].thread, NULL) == 0);
            spreads += workers[i].operations;
        }
        CHECK(spreads > 0);
        the_graph_is_whole_in_the_end(store);
    }
    dm_store_destroy(store);
}

int main(void) {
    lists_are_states_the_node_was_in(8000);
    spreads_in_a_changing_graph(4);
    return test_report();
}
