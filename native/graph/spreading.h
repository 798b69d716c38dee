/* spreading.h: spreading activation from inside.
 *
 * What is computed stands in dualmem.h, with a worked example in docs/explanation/spreading.md. How:
 *
 * Nodes are numbered densely, episodes first, so that a number's order is its slot's. A hop goes through the frontier, the
 * nodes that send, in this order and in batches: plan (how many edges each has), gather (their edges into one buffer, each list
 * a state it was in), scatter (what each edge carries is added to its target). Gathering is shared out by sources. Scattering
 * is shared out by targets: every task runs through all edges of the batch and adds what goes to its own targets. So whatever
 * the team, a target's sum is taken in the order of its sources, and no number is written by two threads.
 *
 * What a hop reaches is a set that is emptied in ascending order (node_set.h): that is the next frontier. Emptying it also
 * clears the sums, so nothing is left to clear between calls, and a call costs what it touches. */
#ifndef DUALMEM_GRAPH_SPREADING_H
#define DUALMEM_GRAPH_SPREADING_H

#include <stdint.h>

#include "dualmem/dualmem.h"
#include "graph/node_set.h"
#include "store/memory.h"

enum {
    DM_BATCH_SOURCES = 2048,
    DM_BATCH_EDGES = 16384, /* 192 KiB: half of a second-level cache of 512 KiB */
    DM_PREFETCH_NODES = 32768 /* a smaller store lies in the caches, and asking ahead costs 6 to 15 % there */
};

/* A source of the batch. */
typedef struct dm_span {
    uint32_t begin; /* of its edges in the buffer: bindings first, then associations */
    uint32_t room;
    uint32_t bindings;
    uint32_t edges;    /* DM_SPAN_GREW: more than `room` */
    double bound;      /* what a binding of strength 1 carries */
    double associated; /* what an association of weight 1 carries */
} dm_span;

#define DM_SPAN_GREW UINT32_MAX

/* What is known of a node during a call: together, because what arrives at random settles at random. */
typedef struct dm_spread_record {
    double received; /* sum of this hop, undamped */
    double activation;
    uint64_t hop;    /* in which it was reached first; valid where activation > 0 */
} dm_spread_record;

struct dm_spreader {
    dm_store *store;
    dm_spread_options options;
    uint32_t episodes; /* capacity: the number of the first concept */
    uint32_t nodes;    /* capacity: numbers are below */
    double damping[DM_HOPS_MAX + 1]; /* decay^hop, by repeated multiplication */

    dm_spread_record *records; /* by number; sums and activations are zero between calls */

    dm_node_set next;    /* received > 0 */
    dm_node_set reached; /* activation > 0 */

    uint32_t *frontier; /* [nodes + 1] slots, ascending */
    double *pulses;     /* [nodes + 1] what each of them sends, undamped */
    uint32_t frontier_count;

    dm_span *spans; /* [DM_BATCH_SOURCES] */
    dm_edge *edges; /* [nodes + DM_BATCH_EDGES]: a batch that may take one more source has room for any list */
    dm_spread_node *result;
    dm_memory memory;
};

/* dm_spread, which chooses by the store's capacities, without and with asking the memory for what comes next. Same result. */
dm_spread_result dm_spread_plain(dm_spreader *spreader, const dm_cue *cues, size_t count, dm_team *team);
dm_spread_result dm_spread_prefetched(dm_spreader *spreader, const dm_cue *cues, size_t count, dm_team *team);

#endif
