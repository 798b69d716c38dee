/* dualmem.h: the dual-memory store.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A store holds episodes and concepts, each with an embedding, an activation and the time of its last access, and the
 * weighted edges between them: bindings of an episode to a concept, associations of two nodes of one type. Link with
 * libdualmem.
 *
 * Ids and slots. A node is known to its owner by a 128-bit id, whose bits mean nothing here, and inside by a 32-bit
 * slot. Calls that take a slot ("by handle") go straight to the data; calls that take ids look each one up in a hash
 * table first. A slot stays with its node until the node is removed and is then given to a later node of the same type.
 *
 * Errors. A function that can fail returns DM_OK or a DM_ERROR_... of dm_kernel.h and writes a sentence into `error`
 * (error_size bytes, may be NULL and 0). A call that failed changed nothing. Functions without a status cannot fail, do
 * not allocate, lock or print; they do not check slots either: a slot must be one the store has handed out (the node
 * behind it may be gone; what is read then is stale or zero, never out of bounds).
 *
 * Threads. Every call may run at the same time as any other, dm_store_create and dm_store_destroy excepted. Reads and
 * changes of strengths and activations are lock-free. Adding and removing nodes takes one lock per store; adding and
 * removing bindings, and every change of an association, takes a lock in each of the two nodes; readers of a list try
 * again while such a change goes on, and after 16 changes in their way take the node's lock too, so that they end
 * however busy the node is. What is not promised: a call that resolved an id or was given a slot or a binding, and is
 * overtaken by the removal of that node or binding and by the reuse of its place, acts on the new occupant. Whoever
 * removes nodes or bindings keeps other threads from using their handles.
 *
 * Time is nanoseconds of any clock the caller likes; the store never reads one. */
#ifndef DUALMEM_DUALMEM_H
#define DUALMEM_DUALMEM_H

#include <stddef.h>
#include <stdint.h>

#include "dualmem/dm_kernel.h"

#if defined(__GNUC__)
#define DM_API __attribute__((visibility("default")))
#else
#define DM_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* cffi:begin (native/python/make_store_cffi.py makes the Python binding from the text up to cffi:end: declarations,
 * inline functions and constants, no other preprocessor lines) */

/* --- ids and slots --------------------------------------------------------------------------------------------- */

typedef struct dm_id {
    uint64_t low;
    uint64_t high;
} dm_id;

#define DM_SLOT_NONE UINT32_MAX    /* no node */
#define DM_BINDING_NONE UINT32_MAX /* no binding */

/* Episode i has the slot i, concept i the slot DM_CONCEPT_BASE + i. Bit 27 of a slot is its type, known without
 * touching memory. In a single-type store node i has the slot i. These functions take valid slots only. */
#define DM_CONCEPT_BASE (UINT32_C(129) << 20)

static inline int dm_slot_is_concept(uint32_t slot) {
    return (int)(slot >> 27);
}

static inline uint32_t dm_concept_slot(uint32_t index) {
    return DM_CONCEPT_BASE + index;
}

/* 0 .. capacity of the type - 1. */
static inline uint32_t dm_slot_index(uint32_t slot) {
    return dm_slot_is_concept(slot) ? slot - DM_CONCEPT_BASE : slot;
}

/* --- the store ------------------------------------------------------------------------------------------------- */

typedef struct dm_store dm_store;

enum { DM_DIM_MAX = 4096, DM_CAPACITY_MAX = 127 << 20 };

typedef struct dm_store_options {
    size_t size;               /* sizeof(dm_store_options) */
    uint32_t dim;              /* floats per embedding, 1..DM_DIM_MAX */
    uint32_t concept_capacity; /* most concepts that can live at once, 0..DM_CAPACITY_MAX */
    uint32_t episode_capacity; /* most episodes; not both 0 */
    int32_t single_type;       /* 1: the single-type control. concept_capacity + episode_capacity nodes of no type: the
                                  same rows, ids, activations, strengths and times; no type tag, bindings or concept
                                  metadata */
    size_t placement;          /* bytes, a multiple of 64, < 4096: where the buffers begin in their allocations
                                  (dm_kernel.h) */
    /* Callers whose .size ends here get 0 for what follows. */
    int32_t numa;     /* DM_NUMA_...: on which memory nodes the arrays lie; dm_store_placement tells what came of it */
    int32_t reserved; /* 0 */
} dm_store_options;

/* Where the arrays lie on a machine with several memory nodes (NUMA). What is asked for is done or reported as not
 * done, never silently taken. Arrays below 2 MiB stay where the system puts them. */
enum {
    DM_NUMA_INTERLEAVED = 0, /* every array page by page over all nodes: even bandwidth, whoever reads */
    DM_NUMA_SEPARATED = 1,   /* what belongs to concepts on the first node, what belongs to episodes over the others,
                                the table of ids over all: scans of one type leave the other's node alone. Of a dual
                                store only */
    DM_NUMA_ADAPTIVE = 2,    /* what is read in small pieces (node records, fans, ids, bindings) on the node of the
                                creating thread, embeddings over all */
    DM_NUMA_SYSTEM = 3       /* an answer, not a request: left to the system's own policy */
};

/* Makes an empty store. The memory for the capacities is claimed now and used as nodes come. On failure *store is NULL.
 * DM_ERROR_ARGUMENT: an option out of range. DM_ERROR_MEMORY. */
DM_API int32_t dm_store_create(const dm_store_options *options, dm_store **store, char *error, size_t error_size);

/* Frees everything. No other call may be running. Accepts NULL. */
DM_API void dm_store_destroy(dm_store *store);

/* What a store was made for. Slots are those of dm_store_options' capacities. */
typedef struct dm_shape {
    uint32_t dim;
    uint32_t concept_capacity; /* 0 in a single-type store */
    uint32_t episode_capacity; /* of a single-type store: its nodes */
    int32_t single_type;
} dm_shape;

DM_API dm_shape dm_store_shape(const dm_store *store);
typedef struct dm_placement {
    int32_t asked;     /* DM_NUMA_INTERLEAVED, _SEPARATED or _ADAPTIVE */
    int32_t got;       /* the same, or DM_NUMA_SYSTEM */
    uint32_t nodes;    /* memory nodes that this process may use; 0: the system does not tell */
    char reason[116];  /* a phrase: "interleaved over 2 nodes", "not available here: 1 node" */
} dm_placement;

/* What became of dm_store_options.numa. */
DM_API dm_placement dm_store_placement(const dm_store *store);

/* --- nodes ------------------------------------------------------------------------------------------------------ */

/* Stores a copy of `embedding` (dim floats); activation 0, last access 0; an episode's strength 1, a concept's
 * coherence and member count 0.
 * DM_ERROR_ARGUMENT: the id is in the store, or the store is of the other kind (dm_store_add_node is for single-type
 * stores, the others for dual ones). DM_ERROR_CORRUPT: NaN or infinity. DM_ERROR_MEMORY: the capacity is reached, or
 * every spare row is kept by a reference. */
DM_API int32_t dm_store_add_concept(dm_store *store, dm_id id, const float *centroid, uint32_t *slot, char *error,
                                    size_t error_size);
DM_API int32_t dm_store_add_episode(dm_store *store, dm_id id, const float *embedding, uint32_t *slot, char *error,
                                    size_t error_size);
DM_API int32_t dm_store_add_node(dm_store *store, dm_id id, const float *embedding, uint32_t *slot, char *error,
                                 size_t error_size);

/* The same for `count` nodes at once: slots[i] is that of ids[i] with the embedding at embeddings + i * stride (floats,
 * stride >= dim). All or none are added: when one is refused, those before it are removed again, though other threads
 * may have seen them. The sentence begins with which one it was. Errors as for one; DM_ERROR_ARGUMENT also when the
 * stride is too small. */
DM_API int32_t dm_store_add_concepts(dm_store *store, const dm_id *ids, const float *centroids, size_t stride,
                                     size_t count, uint32_t *slots, char *error, size_t error_size);
DM_API int32_t dm_store_add_episodes(dm_store *store, const dm_id *ids, const float *embeddings, size_t stride,
                                     size_t count, uint32_t *slots, char *error, size_t error_size);
DM_API int32_t dm_store_add_nodes(dm_store *store, const dm_id *ids, const float *embeddings, size_t stride,
                                  size_t count, uint32_t *slots, char *error, size_t error_size);

/* Replaces the embedding. References to the old one stay valid and keep showing the old values. Bindings keep their
 * strengths. Errors as for add; DM_ERROR_ARGUMENT when no node lives in the slot. */
DM_API int32_t dm_store_update_embedding(dm_store *store, uint32_t slot, const float *embedding, char *error,
                                         size_t error_size);

/* Removes a node, its bindings and its associations; the fans of the nodes it was bound to fall. References to its
 * embedding stay valid.
 * DM_ERROR_ARGUMENT when no node lives in the slot. */
DM_API int32_t dm_store_remove(dm_store *store, uint32_t slot, char *error, size_t error_size);

/* The slot of an id, or DM_SLOT_NONE. */
DM_API uint32_t dm_store_find(const dm_store *store, dm_id id);

/* slots[i] = dm_store_find(ids[i]), with the cache misses of many look-ups overlapped. */
DM_API void dm_store_find_batch(const dm_store *store, const dm_id *ids, size_t count, uint32_t *slots);

/* The id of the node in a slot. DM_ERROR_ARGUMENT when none lives there. Takes the store's lock. */
DM_API int32_t dm_store_id(dm_store *store, uint32_t slot, dm_id *id, char *error, size_t error_size);

/* 1 when a node lives in the slot. */
DM_API int dm_store_is_live(const dm_store *store, uint32_t slot);

typedef struct dm_population {
    uint32_t concepts;
    uint32_t episodes;
    uint32_t nodes;    /* both, or the nodes of a single-type store */
    uint64_t bindings;
    uint64_t associations;
} dm_population;

DM_API dm_population dm_store_population(dm_store *store);

/* --- embeddings -------------------------------------------------------------------------------------------------- */

/* An embedding that stays where and what it is until it is released, whatever other threads do to the node. */
typedef struct dm_embedding {
    const float *values; /* dim floats, 64-byte aligned, zero padded to a multiple of 16; NULL: no node lives in the
                            slot */
    float inverse_norm;  /* 1/|values|, or 0 when the squared norm is below FLT_MIN */
    uint32_t row;
    uint32_t slot;
} dm_embedding;

/* Takes a reference: two atomic operations on a counter of the row. Release each one, from any thread, before the store
 * is destroyed; a row that is kept for ever is a spare row less. */
DM_API dm_embedding dm_store_acquire_embedding(dm_store *store, uint32_t slot);
DM_API void dm_store_release_embedding(dm_store *store, dm_embedding embedding);

/* All rows of one type, for scans. Row i begins at values + i * stride. slots[i] is the node whose row it is, or
 * DM_SLOT_NONE for a row not in use: skip it, its content is undefined. Rows are in order of arrival until a node is
 * removed or an embedding replaced. The view shows the rows there were when it was taken; adding nodes does not disturb
 * it, but until it is done with, no node of the type may be removed and no embedding replaced. Of the other kind of
 * store, or of a type without capacity: count 0. */
typedef struct dm_rows {
    const float *values;        /* 64-byte aligned */
    size_t stride;              /* floats, a multiple of 16, >= dim; the padding is zero */
    const float *inverse_norms; /* 1/|row|, or 0 when the squared norm is below FLT_MIN */
    const uint32_t *slots;
    uint32_t count;
    uint32_t dim;
} dm_rows;

DM_API dm_rows dm_store_concept_rows(const dm_store *store);
DM_API dm_rows dm_store_episode_rows(const dm_store *store);
DM_API dm_rows dm_store_node_rows(const dm_store *store); /* of a single-type store */

/* --- activation, time, strength of nodes -------------------------------------------------------------------------- */

/* In [0, 1]. */
DM_API float dm_store_activation(const dm_store *store, uint32_t slot);
/* a <- clamp(a + delta, 0, 1); lock-free. delta is finite. Returns the new value. */
DM_API float dm_store_activate(dm_store *store, uint32_t slot, float delta);
DM_API uint64_t dm_store_last_access(const dm_store *store, uint32_t slot);
/* Sets the last access unless a later one is known. */
DM_API void dm_store_touch(dm_store *store, uint32_t slot, uint64_t now_ns);

/* Strength of an episode, or of a node of a single-type store, in [0, 1]; set clamps. Not for concepts. */
DM_API float dm_store_strength(const dm_store *store, uint32_t slot);
DM_API void dm_store_set_strength(dm_store *store, uint32_t slot, float strength);

/* Coherence in [0, 1] (set clamps) and number of members of a concept; formation sets them. */
typedef struct dm_formation {
    float coherence;
    uint32_t member_count;
} dm_formation;

DM_API dm_formation dm_store_formation(const dm_store *store, uint32_t concept_slot);
DM_API void dm_store_set_formation(dm_store *store, uint32_t concept_slot, dm_formation formation);

/* --- activation mapping ------------------------------------------------------------------------------------------- */

/* From similarities to activations, and from activations to what of them reaches each of a node's associates. Arrays of
 * `count` elements, at any address; the result may be written over either input (the very same array, not one that
 * overlaps it otherwise). These calls know no store, do not allocate or lock, and may run at the same time on different
 * results.
 *
 * Accuracy: within 1e-6 of the formula in double precision, relative, for every finite input; where the formula gives
 * less than FLT_MIN in magnitude, within FLT_MIN of it; where more than FLT_MAX (actr mode alone can), an infinity. A
 * NaN gives NaN. An infinite similarity maps like the largest finite one of its sign; an infinite activation gives what
 * the arithmetic gives (infinity, or NaN in actr mode from fan 5 on). The last bits depend on the instruction set that
 * the library chose for this machine and, in dm_activation_fan with DM_FAN_SQRT, on the processor's estimate of a
 * reciprocal square root; never on an element's place.
 *
 * DM_ERROR_ARGUMENT: the two counts differ, a mode that is none, or a threshold or temperature that is not finite.
 * Nothing was written then. */

#define DM_SIGMOID_THRESHOLD 0.4f /* the usual arguments */
#define DM_SIGMOID_TEMPERATURE 0.5f
#define DM_SIGMOID_TEMPERATURE_MIN 0.05 /* a lower temperature counts as this one */

/* activations[i] = 1 / (1 + exp(-(similarities[i] - threshold) / max(temperature, 0.05))). */
DM_API int32_t dm_activation_sigmoid(const float *similarities, size_t count, float threshold, float temperature,
                                     float *activations, char *error, size_t error_size);

/* What a node's fan leaves of its activation for each associate (the fan effect, Anderson 1974). Fan 0 counts as 1. */
enum {
    DM_FAN_LINEAR = 0, /* a / fan: all associates together get a */
    DM_FAN_SQRT = 1,   /* a / sqrt(fan): the usual one */
    DM_FAN_ACTR = 2    /* a * max(0, S - ln fan), S = 1.6: a source's weight times its associative strength (Anderson
                          1983); activation 1 gives the associative strength itself. Nothing is left from fan 5 on */
};
#define DM_ASSOCIATIVE_STRENGTH 1.6 /* S */

/* results[i] = activations[i] as mode and fans[i] leave it. */
DM_API int32_t dm_activation_fan(const float *activations, size_t activation_count, const uint32_t *fans,
                                 size_t fan_count, int32_t mode, float *results, char *error, size_t error_size);

/* results[i] = sigmoid of similarities[i] / sqrt(fans[i]): dm_activation_sigmoid and dm_activation_fan with DM_FAN_SQRT
 * in one pass. */
DM_API int32_t dm_activation_sigmoid_fan(const float *similarities, size_t similarity_count, const uint32_t *fans,
                                         size_t fan_count, float threshold, float temperature, float *results,
                                         char *error, size_t error_size);

/* --- hot metadata ------------------------------------------------------------------------------------------------- */

/* Number of distinct partners bound to the node; exact at all times. Associations do not count. */
DM_API uint32_t dm_store_fan(const dm_store *store, uint32_t slot);
/* *fan of the node with this id. 1: found; 0: no such node, *fan is 0. */
DM_API int dm_store_fan_by_id(const dm_store *store, dm_id id, uint32_t *fan);
/* Grows by one with every change of the node's fan or of its associations, their weights included (modulo 2^31). */
DM_API uint32_t dm_store_version(const dm_store *store, uint32_t slot);

/* How much slower a concept forgets for its fan: lambda_c / lambda_0 = 1 / (1 + 0.25 ln(max(fan, 1))). Kept up to date
 * by whatever changes the fan, so that reading it neither computes nor locks. */
#define DM_DECAY_ALPHA 0.25
DM_API float dm_store_decay_factor(const dm_store *store, uint32_t concept_slot);

/* --- bindings ----------------------------------------------------------------------------------------------------- */

/* A binding is known by a 32-bit handle, which stays with it until it is removed. Strengths lie in [0, 1]. */

/* For the strength of dm_store_bind: the cosine of the two embeddings, clamped to [0, 1]. */
#define DM_STRENGTH_INITIAL (-1.0f)
/* A binding is weak when its strength is below (strictly). */
#define DM_STRENGTH_WEAK 0.1f

/* Binds an episode to a concept. A pair that is bound already keeps its binding and gets the new strength; the fans do
 * not change then. `binding` may be NULL.
 * DM_ERROR_ARGUMENT: a slot of the wrong type or without a node, or a strength that is neither in [0, 1] nor
 * DM_STRENGTH_INITIAL. DM_ERROR_MEMORY. */
DM_API int32_t dm_store_bind(dm_store *store, uint32_t episode_slot, uint32_t concept_slot, float strength,
                             uint32_t *binding, char *error, size_t error_size);
/* DM_ERROR_ARGUMENT also when an id is not in the store. */
DM_API int32_t dm_store_bind_by_id(dm_store *store, dm_id episode, dm_id concept_id, float strength, uint32_t *binding,
                                   char *error, size_t error_size);

/* Removes the binding of a pair. 1: removed; 0: there was none. Locks the two nodes. */
DM_API int dm_store_unbind(dm_store *store, uint32_t episode_slot, uint32_t concept_slot);
DM_API int dm_store_unbind_by_id(dm_store *store, dm_id episode, dm_id concept_id);

/* The handle of a pair's binding, or DM_BINDING_NONE. Looks at the concept's first eight bindings; if it has more,
 * through those of the partner with the smaller fan. */
DM_API uint32_t dm_store_find_binding(const dm_store *store, uint32_t episode_slot, uint32_t concept_slot);

/* What a store has handed out so far, for callers that take slots and handles from strangers: the calls that take them
 * do not check. The bounds only grow. Handles lie in [0, binding_end) or in [more_begin, more_end). */
typedef struct dm_handed_out {
    uint32_t concept_end; /* slots of concepts lie below */
    uint32_t binding_end;
    uint32_t more_begin;
    uint32_t more_end;
} dm_handed_out;

/* Takes two locks, one after the other. Of a single-type store: no concepts, no bindings. */
DM_API dm_handed_out dm_store_handed_out(dm_store *store);

/* The strength, or -1 when the binding was removed. */
DM_API float dm_store_binding_strength(const dm_store *store, uint32_t binding);
/* s <- clamp(s + delta, 0, 1), lock-free, delta finite. Returns the new strength, or -1 when the binding was
 * removed. */
DM_API float dm_store_strengthen(dm_store *store, uint32_t binding, float delta);
/* s <- clamp(s * factor, 0, 1), lock-free, factor finite and not negative. Returns like dm_store_strengthen. */
DM_API float dm_store_scale(dm_store *store, uint32_t binding, float factor);
/* 1 when the strength is below DM_STRENGTH_WEAK; 0 when it is not or the binding was removed. */
DM_API int dm_store_is_weak(const dm_store *store, uint32_t binding);

/* The same by the ids of the pair: two look-ups of ids, then the binding. -1: no such binding. Lock-free for concepts
 * that never had more than eight bindings at once; otherwise a reader of bindings (see Threads). */
DM_API float dm_store_binding_strength_by_id(const dm_store *store, dm_id episode, dm_id concept_id);
DM_API float dm_store_strengthen_by_id(dm_store *store, dm_id episode, dm_id concept_id, float delta);
DM_API float dm_store_scale_by_id(dm_store *store, dm_id episode, dm_id concept_id, float factor);

/* strengths[i] = dm_store_strengthen(bindings[i], deltas[i]) in this order, with the cache misses overlapped. strengths
 * may be NULL. */
DM_API void dm_store_strengthen_batch(dm_store *store, const uint32_t *bindings, const float *deltas, size_t count,
                                      float *strengths);

/* The ids of a pair. */
typedef struct dm_pair {
    dm_id episode;
    dm_id concept_id;
} dm_pair;

/* strengths[i] = dm_store_strengthen_by_id(pairs[i], deltas[i]) in this order, with the cache misses overlapped.
 * strengths may be NULL. */
DM_API void dm_store_strengthen_batch_by_id(dm_store *store, const dm_pair *pairs, const float *deltas, size_t count,
                                            float *strengths);

/* One end of a binding, seen from the other. */
typedef struct dm_edge {
    uint32_t slot; /* the partner */
    uint32_t binding;
    float strength;
} dm_edge;

/* Writes up to `capacity` of the node's bindings, in no particular order, and returns how many it has. What is written
 * is a state the node was in at one moment; strengths are as fresh as can be. Spreading down: from a concept to its
 * episodes; up: from an episode to its concepts. */
DM_API uint32_t dm_store_edges(const dm_store *store, uint32_t slot, dm_edge *edges, uint32_t capacity);

/* --- associations ------------------------------------------------------------------------------------------------- */

/* Weighted edges without a direction: between two concepts (lateral) or between two episodes (episodic). They are not
 * in dm_store_fan, which counts bindings alone. A store without any has no memory for them; the first one takes 8 bytes
 * for each node of the capacities. Weights lie in [0, 1]. */

/* Associates two nodes, or gives the association they have a new weight. Locks the two nodes.
 * DM_ERROR_ARGUMENT: slots that are equal, of different types or without a node; a weight outside of [0, 1]; a
 * single-type store. DM_ERROR_MEMORY. */
DM_API int32_t dm_store_associate(dm_store *store, uint32_t slot, uint32_t other, float weight, char *error,
                                  size_t error_size);

/* Removes the association of two nodes. 1: removed; 0: there was none. Locks the two nodes. */
DM_API int dm_store_dissociate(dm_store *store, uint32_t slot, uint32_t other);

/* The weight, or -1 when the two are not associated. Looks through the associations of the node that has fewer. */
DM_API float dm_store_association_weight(const dm_store *store, uint32_t slot, uint32_t other);

/* Writes up to `capacity` of the node's associations, in no particular order, and returns how many it has. What is
 * written is a state the node was in at one moment, weights included. `strength` is the weight, `binding`
 * DM_BINDING_NONE. */
DM_API uint32_t dm_store_associations(const dm_store *store, uint32_t slot, dm_edge *edges, uint32_t capacity);

/* --- statistics --------------------------------------------------------------------------------------------------- */

/* Counts one thread's reads, so that no read touches a counter that another thread writes. Belongs to one thread at a
 * time; what it counted stays in the store's statistics. */
typedef struct dm_reader dm_reader;

DM_API int32_t dm_store_reader_create(dm_store *store, dm_reader **reader, char *error, size_t error_size);
/* Gives the reader back to the store, which frees it in the end. Accepts NULL. */
DM_API void dm_store_reader_release(dm_store *store, dm_reader *reader);

/* A hit finds a live node. */
typedef struct dm_statistics {
    uint64_t fan_hits;
    uint64_t fan_misses;
    uint64_t centroid_hits;
    uint64_t centroid_misses;
    uint64_t entries; /* live concepts */
    double hit_rate;  /* hits / (hits + misses) over both; 0 without look-ups */
} dm_statistics;

DM_API dm_statistics dm_store_statistics(dm_store *store);

/* The reads above, counted. */
DM_API uint32_t dm_reader_fan(dm_reader *reader, uint32_t slot);
DM_API int dm_reader_fan_by_id(dm_reader *reader, dm_id id, uint32_t *fan);
DM_API dm_embedding dm_reader_acquire_embedding(dm_reader *reader, uint32_t slot);

/* --- threads of a call -------------------------------------------------------------------------------------------- */

/* The threads that one call may use. Calls that take a team give the same result, bit for bit, with any team; NULL
 * means the calling thread alone. A team serves one call at a time: a second one waits. It belongs to no store. */
typedef struct dm_team dm_team;

/* `threads` counts the calling one, so threads - 1 are started; 1..256. On failure *team is NULL. The threads inherit
 * the processors that the caller may run on. DM_ERROR_ARGUMENT, DM_ERROR_MEMORY (also: the system refused a thread). */
DM_API int32_t dm_team_create(uint32_t threads, dm_team **team, char *error, size_t error_size);
/* Ends the threads. No call may be using the team. Accepts NULL. */
DM_API void dm_team_destroy(dm_team *team);
/* Threads, the caller included; 1 for NULL. */
DM_API uint32_t dm_team_size(const dm_team *team);

/* --- decay -------------------------------------------------------------------------------------------------------- */

/* Forgetting: every binding's strength falls with time, slower for a concept with many bindings. With lambda_c =
 * lambda_per_second * dm_store_decay_factor(concept) and t = elapsed_ns in seconds: */
enum {
    DM_DECAY_EXPONENTIAL = 0, /* s <- s * exp(-lambda_c * t) */
    DM_DECAY_LINEAR = 1       /* s <- s * max(0, 1 - lambda_c * t) */
};

typedef struct dm_decay_options {
    size_t size;              /* sizeof(dm_decay_options) */
    int32_t mode;             /* DM_DECAY_... */
    int32_t exclusive;        /* 1: the caller promises that no other call touches the store meanwhile, which is several
                                 times faster; 0: other calls may run. Same bits */
    double lambda_per_second; /* finite, not negative */
    uint64_t elapsed_ns;
} dm_decay_options;

/* Decays every binding. A strength that falls below FLT_MIN becomes 0; with lambda 0 or no time nothing else changes.
 * Factors are within 1e-6 of the formula, relative, down to FLT_MIN. Strengths have the same bits for any team, and,
 * without other calls meanwhile, for both values of `exclusive`.
 *
 * Not exclusive: each strength is decayed in one atomic step, so that no concurrent update is lost: it comes before or
 * after. The rate is that of the concept's fan at some moment of the call. A binding that comes or goes meanwhile is
 * decayed or not; one that takes over a place from another concept meanwhile may be decayed at that one's rate. The
 * lock of the store is held for a moment at the start.
 *
 * DM_ERROR_ARGUMENT: an option out of range, or a single-type store, which has no bindings. */
DM_API int32_t dm_store_decay(dm_store *store, const dm_decay_options *options, dm_team *team, char *error,
                              size_t error_size);

/* The same for the bindings of some concepts, to the same bits; a concept that is listed twice is decayed twice. Holds
 * each concept's lock while it is at it. Errors as dm_store_decay. */
DM_API int32_t dm_store_decay_concepts(dm_store *store, const dm_decay_options *options, const uint32_t *concept_slots,
                                       size_t count, dm_team *team, char *error, size_t error_size);

/* --- concept formation -------------------------------------------------------------------------------------------- */

/* Concepts are formed from episodes that are alike in meaning and close in time. The similarity of two episodes is
 *
 *     s(a, b) = cos(a, b) exp(-|t_a - t_b| / time constant),   t: the last access,
 *
 * rounded to a multiple of 2^-24; it is 0 with a zero vector. Average linkage (UPGMA; Sokal & Michener 1958) merges
 * again and again the two clusters with the largest mean similarity over all pairs of their members while that is at
 * least the cut (taken to the nearest multiple of 2^-24). Of equal means the pair with the smallest (i, j) is merged
 * first, where a cluster's number is that of its first member in order of last access, then of id. Means are
 * compared exactly. So the clusters depend on the episodes alone: not on the order of the list, the team, or the
 * instruction set. */

enum { DM_FORMER_EPISODES_MAX = 16384 };

typedef struct dm_former_options {
    size_t size;                /* sizeof(dm_former_options) */
    uint32_t dim;               /* of the store, 1..DM_DIM_MAX */
    uint32_t episode_capacity;  /* most episodes of one call, 1..DM_FORMER_EPISODES_MAX */
    double cut;                 /* in [2^-23, 1] */
    double time_constant_hours; /* > 0; INFINITY: time does not count */
    double least_coherence;     /* of a cluster that becomes a concept: the mean similarity over its pairs; in [-1,
                                   1] */
    uint32_t least_members;     /* of a cluster that becomes a concept, >= 2 */
    uint32_t most_concepts;     /* of one call: the best by coherence x members; of equals the one with the first
                                   member. 1..DM_FORMER_EPISODES_MAX */
    size_t placement;           /* as in dm_store_options */
} dm_former_options;

/* cut 0.5201, time constant 24 hours, at least 3 members and coherence 0.5619, at most 5 concepts, placement 0. */
DM_API dm_former_options dm_former_defaults(uint32_t dim, uint32_t episode_capacity);

/* The memory that formation works in, made ahead so that forming does not allocate. For one call at a time; it
 * belongs to no store. About 8 n^2 + (6 dim + 200) n bytes of address space for n episodes, of which the first term is
 * used as far as episodes are connected by similarities that reach the cut: if all are. */
typedef struct dm_former dm_former;

/* On failure *former is NULL. DM_ERROR_ARGUMENT: an option out of range. DM_ERROR_MEMORY. */
DM_API int32_t dm_former_create(const dm_former_options *options, dm_former **former, char *error, size_t error_size);
/* Accepts NULL. */
DM_API void dm_former_destroy(dm_former *former);
/* Bytes from the allocator. */
DM_API uint64_t dm_former_memory(const dm_former *former);

typedef struct dm_cluster {
    const uint32_t *members; /* slots, in order of last access, then of id */
    uint32_t member_count;
    uint32_t label;
    double coherence;
} dm_cluster;

/* Belongs to the former and is valid until it is used again or destroyed. */
typedef struct dm_clustering {
    const uint32_t *labels;     /* labels[i]: the cluster of the episode in episode_slots[i]. Clusters, those of one
                                   member included, are counted from 0 in the order of their first members */
    uint32_t label_count;       /* clusters: labels are 0..label_count - 1 */
    const dm_cluster *clusters; /* that would become concepts, best first */
    uint32_t cluster_count;
} dm_clustering;

/* Clusters the given episodes, or nodes of a single-type store, and changes nothing in the store. Their embeddings and
 * times are read once, each at some moment of the call; the ids under the store's lock. The time grows with the square
 * of the number of episodes. DM_ERROR_ARGUMENT: more episodes than the former has room for, a slot without an episode
 * or given twice, a store of another dim. */
DM_API int32_t dm_former_cluster(dm_former *former, dm_store *store, const uint32_t *episode_slots, size_t count,
                                 dm_team *team, dm_clustering *result, char *error, size_t error_size);

/* Clusters, and makes a concept of every cluster found: its embedding is the mean of the members' embeddings,
 * normalised (sums compensated, in double); its record has coherence and member count; each member is bound with
 * DM_STRENGTH_INITIAL. The concepts get ids[0], ids[1] ... in the order of the clusters; ids and concept_slots have
 * room for most_concepts. *concept_count: how many were formed. On failure the concepts made so far are removed
 * again and *concept_count is 0; other threads may have seen them, and the versions of their members have grown. The
 * errors of dm_former_cluster, dm_store_add_concept and dm_store_bind. */
DM_API int32_t dm_store_form(dm_store *store, dm_former *former, const uint32_t *episode_slots, size_t count,
                             const dm_id *ids, dm_team *team, uint32_t *concept_slots, uint32_t *concept_count,
                             char *error, size_t error_size);

/* What one cycle of consolidation adds. */
#define DM_CONSOLIDATION 0.02f

/* Consolidates concepts: every binding of each becomes stronger by `amount` (finite), at most 1. A concept that is
 * listed twice is strengthened twice. Holds each concept's lock while it is at it. */
DM_API void dm_store_consolidate(dm_store *store, const uint32_t *concept_slots, size_t count, float amount,
                                 dm_team *team);
/* --- likeness ----------------------------------------------------------------------------------------------------- */

/* By what a query q and a row x are alike. Which rows are nearest differs where norms do. */
typedef enum dm_similarity {
    DM_SIMILARITY_COSINE = 0,       /* q . x / (|q| |x|), in [-1, 1]; 0 where a norm counts as zero (squared: below
                                       FLT_MIN) */
    DM_SIMILARITY_INNER_PRODUCT = 1 /* q . x of the values as they are, tiny ones too; double holds it for any finite
                                       floats */
} dm_similarity;

/* --- concept lookup ----------------------------------------------------------------------------------------------- */

/* An index over the embeddings of a store's concepts, of its episodes, or of both (of a single-type store: of its
 * nodes), as they were when it was made or last refreshed. Nearest is by cosine or by inner product
 * (dm_lookup_options.similarity). Which nodes are returned may be approximate; the similarity beside each is always
 * exact, taken to double precision from the float32 embeddings. These stay in the store: the index holds a reference to
 * each, and keeps codes to choose by, about dim bytes a node, and of a graph another 155.
 *
 * Three methods (docs/explanation/lookup.md): an exact scan of the codes; coarse lists, for cosines only; a graph.
 * DM_LOOKUP_AUTO takes the one that reads least for the recall asked for, measured on some of the store's own
 * embeddings: dm_lookup_plan tells which and why.
 *
 * Threads: any number of searches may run at the same time as each other, as dm_lookup_refresh or dm_lookup_save of the
 * same index, and as any other call, except dm_lookup_destroy of the same index and dm_store_destroy. No search waits
 * for a refresh. Refreshes and savings of one index take turns. A node that is added, replaced or removed changes
 * nothing in what the index finds before it is refreshed (a slot may then be another node's: dm_lookup_is_current
 * tells). The price: the row of a node that was replaced or removed is not free until the index is refreshed or
 * destroyed, and a store has few spare rows (one per 16 of the capacity, 2 to 64 a type); when they are used up, adding
 * and replacing nodes of the type fails with DM_ERROR_MEMORY. So refresh after such changes.
 *
 * Destroy it before its store. */
typedef struct dm_lookup dm_lookup;

enum { DM_LOOKUP_K_MAX = 100 };

enum {
    DM_LOOKUP_AUTO = 0,
    DM_LOOKUP_EXACT = 1,
    DM_LOOKUP_LISTS = 2,
    DM_LOOKUP_GRAPH = 3,
    DM_LOOKUP_METHODS = 4 /* how many */
};

/* A mask of types. A single-type store has one, its nodes, and there each of these stands for it. */
enum {
    DM_LOOKUP_CONCEPTS = 1,
    DM_LOOKUP_EPISODES = 2,
    DM_LOOKUP_BOTH = 3
};

typedef struct dm_lookup_options {
    size_t size;    /* sizeof(dm_lookup_options) */
    int32_t method; /* DM_LOOKUP_AUTO, _EXACT, _LISTS or _GRAPH */
    uint32_t types; /* DM_LOOKUP_CONCEPTS, _EPISODES or both: an index for each */
    double recall;  /* the share of the true k nearest that a search shall find, on average: in (0, 1]; 1: the exact
                       scan */
    uint32_t k;     /* that the recall is meant for, 1..DM_LOOKUP_K_MAX */
    int32_t similarity; /* DM_SIMILARITY_COSINE, or _INNER_PRODUCT: not with DM_LOOKUP_LISTS */
    uint64_t seed;  /* of levels, centres and which nodes the recall is measured with */
} dm_lookup_options;

/* DM_LOOKUP_AUTO, DM_LOOKUP_CONCEPTS, recall 0.95, k 10, cosine, seed 1. */
DM_API dm_lookup_options dm_lookup_defaults(void);

/* The index by these options. The team, or NULL, divides the work. Of nodes that are added, replaced or removed
 * meanwhile, either state is indexed. On failure *lookup is NULL. DM_ERROR_ARGUMENT: an option out of range, or a
 * method that cannot take these embeddings. DM_ERROR_MEMORY. */
DM_API int32_t dm_lookup_create_with(dm_store *store, const dm_lookup_options *options, dm_team *team,
                                     dm_lookup **lookup, char *error, size_t error_size);

/* The exact index of the concepts (of a single-type store: the nodes): DM_LOOKUP_EXACT, DM_LOOKUP_CONCEPTS.
 * DM_ERROR_MEMORY. */
DM_API int32_t dm_lookup_create(dm_store *store, dm_lookup **lookup, char *error, size_t error_size);
/* Releases the embeddings. No other call with it may be running. Accepts NULL. */
DM_API void dm_lookup_destroy(dm_lookup *lookup);

/* What was chosen for one type, and why. Costs are counted, not timed: bytes that one search reads, weighted by how
 * they are read. NaN: not looked at, or a method that cannot reach the recall. */
typedef struct dm_lookup_choice {
    int32_t method;      /* DM_LOOKUP_EXACT, _LISTS or _GRAPH */
    uint32_t effort;     /* graph: the length of the list of candidates; lists: lists visited; exact: 0 */
    uint32_t dims;       /* of the projection that the lists encode; 0: none */
    uint32_t list_count; /* 0: no lists */
    uint32_t held_out;   /* nodes that the recall was measured with; 0: not measured */
    uint32_t planned;    /* nodes there were when it was planned */
    double recall;       /* mean over them; 1: exact; NaN: not measured. A graph: before effort grew for those held
                            out */
    double recall_low;   /* what it is at least, one-sided 95 % */
    double costs[4];     /* by method, DM_LOOKUP_METHODS */
    char reason[256];    /* a sentence for a person */
} dm_lookup_choice;

/* `types` names one of those that the lookup was made for; otherwise, all fields are 0 and the reason says so. */
DM_API dm_lookup_choice dm_lookup_plan(dm_lookup *lookup, uint32_t types);

/* DM_SIMILARITY_COSINE or DM_SIMILARITY_INNER_PRODUCT: as it was made, also if it was loaded. */
DM_API int32_t dm_lookup_similarity(const dm_lookup *lookup);

/* Nodes in the index, of all its types. */
DM_API uint32_t dm_lookup_size(const dm_lookup *lookup);
/* 1 while no node of its types was added, replaced or removed since the index was made or, if that succeeded,
 * refreshed. */
DM_API int dm_lookup_is_current(const dm_lookup *lookup);
/* Bytes from the allocator: the index, and what searches work in for as many threads as ever searched at once. */
DM_API uint64_t dm_lookup_memory(const dm_lookup *lookup);

/* Brings the index up to the store's present state; of nodes that change meanwhile, either state is indexed, and
 * dm_lookup_is_current says 0. Nodes are taken into a graph and out of it one by one, beside the searches, by the
 * calling thread: a search finds some of the changes and not yet others, but each node at most once, with an embedding
 * that it had. Lists take in what came beside the old ones, and are planned and made anew when half as many nodes came
 * as they were planned for, or such as lie elsewhere. An exact scan, and whatever has more than twice or less than half
 * of the nodes that it was planned for, is made anew, with the team. Searches that begin before lists or a new index
 * are there find the old state, later ones the new state. Then it waits until the searches that began before have
 * ended: when it returns, the rows of nodes that are gone are free. Nothing to do: it returns at once. A refresh that
 * fails leaves the index as it was. DM_ERROR_ARGUMENT: a method that cannot take these embeddings. DM_ERROR_MEMORY: it
 * needs 4 bytes a row, and where an index is made anew, room for a second one. */
DM_API int32_t dm_lookup_refresh(dm_lookup *lookup, dm_team *team, char *error, size_t error_size);

/* The k nodes most similar to each of `count` queries, as far as the method finds them: by the exact scan as if every
 * similarity were computed in double precision from the float32 values (a cosine clamped to [-1, 1], and 0 where a norm
 * counts as zero). Query i is at queries + i * stride (floats, stride >= dim), at any address. Its neighbours are
 * slots[i * k] and similarities[i * k] onward, best first, of equal similarities concepts before episodes and then the
 * smaller row (dm_rows); beyond dm_lookup_size, slots are DM_SLOT_NONE and similarities 0. (Beside a refresh of a graph
 * it can be a node less than dm_lookup_size for each that is replaced.) The same bits for any team and any instruction
 * set. The team divides the queries: a single one is searched by one thread. Queries of one call see the same state,
 * but for what a refresh changes in a graph. Allocates only when more threads search at once than before, or first
 * after a refresh.
 * DM_ERROR_ARGUMENT: k is not in 1..DM_LOOKUP_K_MAX, or the stride is too small. DM_ERROR_CORRUPT: NaN or infinity in a
 * query. DM_ERROR_MEMORY. Nothing was written then. */
DM_API int32_t dm_lookup_search(dm_lookup *lookup, const float *queries, size_t stride, size_t count, uint32_t k,
                                dm_team *team, uint32_t *slots, double *similarities, char *error, size_t error_size);

/* The same among nodes of these types, a part of those that the lookup was made for; nothing of the others is looked
 * at.
 * DM_ERROR_ARGUMENT also when it was made for other types. */
DM_API int32_t dm_lookup_search_types(dm_lookup *lookup, uint32_t types, const float *queries, size_t stride,
                                      size_t count, uint32_t k, dm_team *team, uint32_t *slots, double *similarities,
                                      char *error, size_t error_size);

/* Writes the index to one file, whole or not at all, as dm_store_save does: for use beside a snapshot of the store. A
 * cache: it holds codes and links, not the embeddings, and another version of the library may want it made anew. Takes
 * the store's lock while it reads the ids.
 * DM_ERROR_ARGUMENT: the index is not current; refresh it first. DM_ERROR_IO: the file cannot be written.
 * DM_ERROR_MEMORY. */
DM_API int32_t dm_lookup_save(dm_lookup *lookup, const char *path, char *error, size_t error_size);

/* The index in a file, for a store with the same nodes as the one that it was saved of: dim, kind, capacities, slots,
 * ids and embeddings of its types are compared (the last three by CRC-32C). It need not be the same store: one that was
 * loaded from its snapshot will do. Nothing is measured or built again, except the codes of an exact scan. The team, or
 * NULL, divides that. The file is mapped while it is read, and must not be changed in place meanwhile. On failure
 * *lookup is NULL.
 * DM_ERROR_IO: the file cannot be read. DM_ERROR_CORRUPT: it is not such a file, or damaged. DM_ERROR_UNSUPPORTED: of
 * another version or byte order. DM_ERROR_ARGUMENT: it is of another store, or of another state of this one.
 * DM_ERROR_MEMORY. Damage is found; whether a file was made with bad intent is not: load your own. */
DM_API int32_t dm_lookup_load(dm_store *store, const char *path, dm_team *team, dm_lookup **lookup, char *error,
                              size_t error_size);

/* --- spreading activation ----------------------------------------------------------------------------------------- */

/* Activation spreads from cues along bindings and associations, hop by hop (Collins & Loftus 1975; Anderson 1983).
 * p_h(n) is the pulse that node n gets in hop h, a(n) its activation in the end:
 *
 *     p_0(n) = activation of the cue                                     n is a cue p_h(n) = min(1, sum over sources s
 *     of p_(h-1)(s) f(s) g w)         s sends in hop h and has an edge of weight w to n a(n)   = min(1, sum over h of
 *     p_h(n) decay^h)                      at most 1 after each hop
 *
 * A node sends in hop h + 1 what it got in hop h, if that came to p_h(n) decay^h >= threshold and h < max_hops. Pulses
 * are handed on undamped: what arrives over h edges has been damped by decay^h, not by decay^(1 + 2 + ... + h). g is
 * the strength of the edge's direction, and f what the source's fan leaves of a pulse for each edge; the fan counts all
 * edges of the source, bindings and associations, as all of them share the pulse:
 *
 *     DM_FAN_LINEAR 1 / fan   DM_FAN_SQRT 1 / sqrt(fan)   DM_FAN_ACTR max(0, S - ln(fan + 1))   DM_FAN_NONE 1
 *
 * (ACT-R's fan counts the node itself, hence fan + 1.) Activation also flows back to where it came from: a(n) is a sum
 * over all walks from the cues. docs/explanation/spreading.md has a worked example.
 *
 * Computed in double: ((p f) g) w, and each sum in ascending order of the sources' slots. So the result has the same
 * bits for any team and any order of the cues. */

enum {
    DM_FAN_NONE = 3, /* for spreading, beside DM_FAN_LINEAR, _SQRT and _ACTR */
    DM_HOPS_MAX = 64
};

typedef struct dm_spread_options {
    size_t size;                 /* sizeof(dm_spread_options) */
    int32_t fan_mode;            /* DM_FAN_... */
    uint32_t max_hops;           /* 0..DM_HOPS_MAX; 0: the cues alone */
    double decay;                /* in [0, 1] */
    double threshold;            /* in [0, 1] */
    double up;                   /* g from an episode to a concept; finite, not negative, as all that follow */
    double down;                 /* from a concept to an episode */
    double lateral;              /* between concepts */
    double episodic;             /* between episodes */
    double associative_strength; /* S of DM_FAN_ACTR */
    size_t placement;            /* as in dm_store_options */
} dm_spread_options;

/* DM_FAN_SQRT, 4 hops, decay 0.8, threshold 0.01, up 0.8, down 0.6, lateral 0.4, episodic 0.3, S 1.6, placement 0. */
DM_API dm_spread_options dm_spread_defaults(void);

/* The memory that spreading works in, made ahead so that spreading does not allocate; about 50 bytes for each node of
 * the store's capacities, used as far as activation reaches. For one call at a time; several spreaders may spread over
 * one store at once. */
typedef struct dm_spreader dm_spreader;

/* options may be NULL: the defaults. On failure *spreader is NULL. DM_ERROR_ARGUMENT: an option out of range, or a
 * single-type store, which has no edges. DM_ERROR_MEMORY. */
DM_API int32_t dm_spreader_create(dm_store *store, const dm_spread_options *options, dm_spreader **spreader,
                                  char *error, size_t error_size);
/* Before the store is destroyed. Accepts NULL. */
DM_API void dm_spreader_destroy(dm_spreader *spreader);
/* Bytes from the allocator. */
DM_API uint64_t dm_spreader_memory(const dm_spreader *spreader);

typedef struct dm_cue {
    uint32_t slot;
    float activation; /* above 1 counts as 1 */
} dm_cue;

typedef struct dm_spread_node {
    uint32_t slot;
    float activation; /* in (0, 1] */
    uint32_t hop;     /* that reached it first; 0: a cue */
} dm_spread_node;

/* Belongs to the spreader and is valid until it is used again or destroyed. */
typedef struct dm_spread_result {
    const dm_spread_node *nodes; /* all that were reached, the cues included, in ascending order of slots */
    uint32_t count;
    uint64_t edges; /* followed, over all hops */
} dm_spread_result;

/* Spreads; changes nothing in the store. A cue whose activation is not above 0 or whose node is gone is passed over; of
 * two for one node the higher counts. Other calls may change the store meanwhile: the edges that a node sends along are
 * a state it was in during the call, and a node that was removed may be in the result. Locks only as far as the team
 * does. */
DM_API dm_spread_result dm_spread(dm_spreader *spreader, const dm_cue *cues, size_t count, dm_team *team);

/* dm_store_activate of each node by its activation: a <- min(1, a + activation). Lock-free. */
DM_API void dm_store_apply_spread(dm_store *store, const dm_spread_node *nodes, size_t count);

/* --- memory ------------------------------------------------------------------------------------------------------- */

/* Bytes from the allocator, capacities included. */
typedef struct dm_memory_use {
    uint64_t total;
    uint64_t embeddings; /* rows, norms, row maps and references */
    uint64_t ids;        /* ids and the hash table */
    uint64_t nodes;      /* activation, time, strength, coherence */
    uint64_t metadata;   /* fan and version: what the cache of hot metadata adds */
    uint64_t bindings;
    uint64_t associations; /* 0 before the first one */
} dm_memory_use;

DM_API dm_memory_use dm_store_memory(const dm_store *store);

/* --- snapshots ---------------------------------------------------------------------------------------------------- */

/* One file that holds a store; its format is described in docs/reference/snapshot.md. What is kept: dim, kind and
 * capacities; of each node its slot, id, embedding bit for bit, activation, last access, strength or coherence and
 * member count, and version; of each binding its handle, ends and strength; of each association its ends and weight.
 * What is computed anew: norms, fans, decay factors, free lists. What is not kept: readers and their counts, slots and
 * handles of what was removed (the loaded store knows none of them), and the order of dm_store_edges,
 * dm_store_associations and dm_rows. The same content gives the same bytes, whatever the store's history, threads or
 * machine, among machines of one byte order; a file that loads is the one that saving the loaded store would write. A
 * store without associations has no memory for them after a load. */

/* Writes the store to `path`, whole or not at all: to a new file in the same folder (PATH.PID.N.tmp), flushed to the
 * disk, then renamed. Until then, and after a failure, an older file is as it was and no new one is left. A file that
 * was cut off from its process by a crash keeps the .tmp name and may be deleted. Several savers, of one store or of
 * several, do not disturb each other; the last one to end wins. The file gets the permissions of a new file; a symbolic
 * link is replaced, not followed. Threads: adding and removing nodes, replacing embeddings and whatever else takes the
 * store's lock wait until the data is written (not until it is flushed). Everything else goes on. The list of bindings
 * of each concept, with its version, is that of one moment, and an episode's list is made of these, so that both ends
 * of every binding agree; the moments of two concepts may differ. The associations of a node with nodes in higher slots
 * are those of one moment, and those with lower slots are made from the lists there, so that both ends of every
 * association agree and have the same weight. A strength, an activation or a time is that of some moment of the call;
 * no version is older than the node's lists.
 * DM_ERROR_IO: the file cannot be written. DM_ERROR_MEMORY. */
DM_API int32_t dm_store_save(dm_store *store, const char *path, char *error, size_t error_size);

typedef struct dm_load_options {
    size_t size;            /* sizeof(dm_load_options) */
    size_t placement;       /* as in dm_store_options */
    int32_t numa;           /* as in dm_store_options */
    int32_t map_embeddings; /* 1: sections of embeddings of 2 MiB and more are mapped from the file, copy-on-write,
                               instead of copied: a faster load and less memory, but pages of 4 KiB, and the file must
                               then not be changed in place while the store lives (dm_store_save never does). Needs
                               placement 0; otherwise they are copied */
    uint64_t memory_limit;  /* most bytes that the store may claim, as dm_store_memory counts them; 0: what the machine
                               has. Set it for files that you do not trust: their capacities are the author's */
} dm_load_options;

/* Makes a store from a file of dm_store_save. options: NULL for zeros. On failure *store is NULL and nothing is left
 * behind. The file is mapped while it is read, and must not be changed or cut short in place meanwhile. All checksums
 * are compared before memory is claimed, and every number is checked before it is used, so a file that is damaged, cut
 * off or made with bad intent is refused.
 * DM_ERROR_ARGUMENT: an option. DM_ERROR_IO: the file cannot be read. DM_ERROR_CORRUPT: it is not a snapshot, or
 * damaged; the sentence says which part. DM_ERROR_UNSUPPORTED: of another version or byte order. DM_ERROR_MEMORY: also
 * beyond the limit. */
DM_API int32_t dm_store_load(const char *path, const dm_load_options *options, dm_store **store, char *error,
                             size_t error_size);

/* cffi:end */

#ifdef __cplusplus
}
#endif

#endif
