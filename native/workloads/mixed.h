/* mixed.h: the workload `mixed`, from inside: a store in use, and its single-type twin.
 *
 * mixed.c             the table: parameters, metrics, operations
 * mixed_setup.c       the store filled from a case
 * mixed_operations.c  what one operation does
 * mixed_decay.c       forgetting, and the way back
 * mixed_dual.c        the graph as the dual store holds it: concepts, episodes, bindings
 * mixed_single.c      the same graph in nodes of one type
 * mixed_walk.c        what the store holds, counted by walking
 *
 * The twin holds the same vectors under the same ids, all as episodes, and an association where the dual store has a
 * binding; activation flows along both with the same strength, so that a spread follows the same edges to the same
 * activations. A lookup among concepts needs a type to search by: the twin has copies of their vectors in a second
 * store, of one type too, and searches there, so that both search the same rows. What differs in an operation's time
 * is then what the types cost, or save. */
#ifndef DUALMEM_WORKLOADS_MIXED_H
#define DUALMEM_WORKLOADS_MIXED_H

#include <pthread.h>
#include <stdatomic.h>

#include "dualmem/dm_workload.h"
#include "dualmem/dualmem.h"
#include "store/memory.h"

enum {
    DM_MIXED_EPISODES,
    DM_MIXED_CONCEPTS,
    DM_MIXED_BINDINGS,
    DM_MIXED_INSERTIONS,
    DM_MIXED_FORMATION_EPISODES,
    DM_MIXED_FORMATION_CUT,
    DM_MIXED_CONSOLIDATION_CONCEPTS,
    DM_MIXED_DECAY_CONCEPTS,
    DM_MIXED_HOPS,
    DM_MIXED_RECALL,
    DM_MIXED_PARAMETERS
};

enum {
    DM_MIXED_NEAREST = 10,        /* concepts that a lookup finds */
    DM_MIXED_FORMED = 5,          /* most concepts that a formation makes */
    DM_MIXED_CONSOLIDATED = 1024, /* most concepts of one consolidation, and of one decay */
    DM_MIXED_DECAYS = 32,         /* after so many decays a concept is learned anew */
    DM_MIXED_STRIPES = 64
};

/* Updates and consolidations add this and take it away in turn, binding by binding and concept by concept. Strengths
 * begin as multiples of 2^-10 in [1/4, 3/4], so every sum is exact, and none ever comes near 0 or 1. */
#define DM_MIXED_DELTA 0x1.0p-6f

/* Kinds of ids: dm_id.high. */
enum { DM_MIXED_ID_CONCEPT = 1, DM_MIXED_ID_EPISODE = 2, DM_MIXED_ID_FORMED = 3 };

/* A binding, in order of insertion. */
typedef struct dm_mixed_binding {
    uint32_t episode; /* slots */
    uint32_t concept_slot;
    uint32_t handle;       /* of the dual store */
    _Atomic uint32_t turn; /* 1: the next update takes away */
} dm_mixed_binding;

/* What a binding began with, and where its concept's others are: read by who learns a concept anew, and by no other
 * operation. */
typedef struct dm_mixed_origin {
    float strength;    /* with neither an update nor a consolidation outstanding */
    uint32_t previous; /* 1 + the concept's binding before this one; 0: none */
} dm_mixed_origin;

/* Room for the edges of one node, made larger as needed. */
typedef struct dm_mixed_edges {
    dm_edge *edges;
    uint32_t capacity;
} dm_mixed_edges;

/* Kinds of operation whose work depends on what the store holds. The others do as much at the end of a trace as at its
 * beginning. */
enum {
    DM_MIXED_WORK_SPREAD_CONCEPT,
    DM_MIXED_WORK_SPREAD_EPISODE,
    DM_MIXED_WORK_CONSOLIDATE,
    DM_MIXED_WORK_DECAY,
    DM_MIXED_WORKS
};

/* What one thread works with. */
typedef struct dm_mixed_worker {
    _Alignas(2 * DM_CACHE_LINE) dm_spreader *spreader;
    dm_reader *reader;
    dm_mixed_edges edges;
    uint64_t work[DM_MIXED_WORKS]; /* edges that its operations followed since set-up */
} dm_mixed_worker;

/* How a store holds the graph. Slots are those of `store`; all but create may be called by several threads at once,
 * form excepted. */
typedef struct dm_mixed_graph {
    /* Makes store and centroids, empty. */
    int32_t (*create)(dm_state *state, char *error, size_t error_size);
    int32_t (*add_concept)(dm_state *state, dm_id id, const float *values, uint32_t *slot, char *error,
                           size_t error_size);
    /* Binds the two ends that are written in `binding`, and notes the handle there. */
    int32_t (*bind)(dm_state *state, dm_mixed_binding *binding, float strength, char *error, size_t error_size);
    /* dm_store_edges, or its like. */
    uint32_t (*edges)(const dm_store *store, uint32_t slot, dm_edge *edges, uint32_t capacity);
    /* 1: the episode at the far end knows this edge of a concept, too. */
    int (*is_mutual)(const dm_store *store, uint32_t concept_slot, const dm_edge *edge);
    uint32_t (*fan)(dm_state *state, dm_mixed_worker *worker, dm_id id);
    /* The new strength, or -1. */
    float (*update)(dm_state *state, const dm_mixed_binding *binding, float delta);
    int32_t (*consolidate)(dm_state *state, dm_mixed_worker *worker, const uint32_t *slots, size_t count, float amount);
    /* What a minute of forgetting leaves of all bindings of concepts: dm_store_decay_concepts, or its like. */
    int32_t (*decay)(dm_state *state, dm_mixed_worker *worker, const uint32_t *slots, size_t count);
    float (*strength)(dm_state *state, const dm_mixed_binding *binding);
    /* Makes up for what the binding forgot: it gets the strength that it is to have. */
    void (*relearn)(dm_state *state, const dm_mixed_binding *binding, float strength);
    /* In place of the concepts that the last formation made, those of the window. The caller holds `forming`. */
    int32_t (*form)(dm_state *state, uint64_t *result);
} dm_mixed_graph;

extern const dm_mixed_graph dm_mixed_dual_graph;
extern const dm_mixed_graph dm_mixed_single_graph;

struct dm_state {
    dm_memory memory;
    const dm_mixed_graph *graph;
    dm_matrix data;
    dm_matrix queries;
    size_t placement;

    dm_store *store;
    dm_store *centroids; /* that the index is over: the store itself, or the twin's second one */
    dm_lookup *lookup;
    uint32_t concepts; /* after set-up: those that keys name. They stay; formations come and go */
    uint32_t *concept_slots;
    _Atomic uint32_t *concept_turns; /* 1: the next consolidation takes away */
    uint32_t consolidation_concepts;
    uint32_t decay_concepts;
    _Atomic uint32_t *concept_decays; /* since the concept was last learned anew */
    _Atomic uint32_t *concept_newest; /* 1 + its newest binding; 0: none. Written under `growth` */

    /* In order of insertion. Appended to under `growth`, and then counted: what is counted can be read without it. */
    pthread_mutex_t growth;
    uint32_t episodes; /* after set-up */
    uint32_t episode_capacity;
    uint32_t *episode_slots;
    _Atomic uint32_t episode_count;
    uint32_t bindings_each; /* of an episode that is inserted */
    uint64_t binding_capacity;
    dm_mixed_binding *bindings;
    dm_mixed_origin *origins; /* of the bindings */
    _Atomic uint64_t binding_count;

    /* Formations take turns. */
    pthread_mutex_t forming;
    dm_former *former;
    uint32_t *window; /* slots of the episodes of one formation */
    uint32_t window_count;
    uint64_t formations;
    uint32_t formed_count;
    uint32_t formed[DM_MIXED_FORMED]; /* slots in store, and in the twin's second one */
    uint32_t formed_centroids[DM_MIXED_FORMED];

    pthread_mutex_t
        stripes[DM_MIXED_STRIPES]; /* by concept: to read, add and write a weight is three steps in the twin */

    uint32_t threads;
    dm_mixed_worker *workers;
};

/* mixed_setup.c */
int32_t dm_mixed_setup(const dm_case *work, uint32_t threads, const dm_mixed_graph *graph, dm_state **state,
                       char *error, size_t error_size);
void dm_mixed_teardown(dm_state *state);
/* Adds an episode with its bindings to its nearest concepts, all or nothing, and counts it. bindings <= 95. */
int32_t dm_mixed_insert(dm_state *state, const float *values, uint32_t bindings, char *error, size_t error_size);

/* mixed_operations.c */
int32_t dm_mixed_operate(dm_state *state, uint32_t thread, uint32_t operation, uint64_t key, uint64_t *result);
enum { DM_MIXED_OPERATIONS = 11 };
extern const dm_operation dm_mixed_operations[DM_MIXED_OPERATIONS];

/* mixed_decay.c */
extern const dm_decay_options dm_mixed_forgetting;
int32_t dm_mixed_decay(dm_state *state, dm_mixed_worker *worker, uint64_t key, uint64_t *result);
/* Gives all bindings of concept `number` the strengths that they would have if nothing were ever forgotten. */
void dm_mixed_relearn(dm_state *state, uint32_t number);

/* mixed_walk.c */
int32_t dm_mixed_read_metrics(dm_state *state, double *values, size_t count);
int32_t dm_mixed_read_fans(dm_state *state, uint64_t *counts, size_t count, size_t *needed);
/* All edges of a node into `room`. *count: how many. DM_ERROR_MEMORY. */
int32_t dm_mixed_all_edges(dm_state *state, uint32_t slot, dm_mixed_edges *room, uint32_t *count);

/* The order in which dm_mixed_read_metrics writes them. The hit rate comes last: the twin has none. */
enum {
    DM_MIXED_METRIC_POPULATION,
    DM_MIXED_METRIC_EPISODES,
    DM_MIXED_METRIC_CONCEPTS,
    DM_MIXED_METRIC_FORMED,
    DM_MIXED_METRIC_BINDINGS,
    DM_MIXED_METRIC_INDEX_ROWS,
    DM_MIXED_METRIC_WITHIN,
    DM_MIXED_METRIC_BETWEEN,
    DM_MIXED_METRIC_MEMORY,
    DM_MIXED_METRIC_WORK, /* DM_MIXED_WORKS of them */
    DM_MIXED_METRIC_HIT_RATE = DM_MIXED_METRIC_WORK + DM_MIXED_WORKS,
    DM_MIXED_METRICS
};

/* FNV-1a, a number at a time. */
static inline uint64_t dm_mixed_in(uint64_t result, uint64_t value) {
    return (result ^ value) * UINT64_C(0x100000001b3);
}

#endif
