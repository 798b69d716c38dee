/* spreading.c: one call of spreading activation; see spreading.h. */
#include "graph/spreading.h"

#include <math.h>

#include "parallel/team.h"
#include "store/binding_access.h"
#include "store/store.h"

#include "store/poison.h"

enum {
    TASK_SOURCES = 256,   /* 10 to 30 us of gathering: more than it takes to wake a thread */
    SHARED_EDGES = 4096,  /* a batch with fewer is scattered by the caller alone */
    PLAN_AHEAD = 16,      /* sources */
    LIST_AHEAD = 8,       /* sources, for the first lines of their lists; half as far for what these lines point to */
    SCATTER_AHEAD = 16    /* edges */
};

/* A hop on its way. */
typedef struct hop_work {
    dm_spreader *spreader;
    uint32_t first;   /* of the batch, in the frontier */
    uint32_t sources;
    uint32_t edges;   /* places of the buffer in use */
    uint32_t stripes; /* a power of two */
    int prefetch;
} hop_work;

static inline uint32_t number_of(const dm_spreader *spreader, uint32_t slot) {
    return dm_slot_is_concept(slot) ? slot - DM_CONCEPT_BASE + spreader->episodes : slot;
}

static inline uint32_t slot_of(const dm_spreader *spreader, uint32_t number) {
    return number < spreader->episodes ? number : dm_concept_slot(number - spreader->episodes);
}

/* --- plan ------------------------------------------------------------------------------------------------------------ */

static uint32_t edge_count(const dm_store *store, uint32_t slot) {
    return dm_fan_inline(store, slot) + dm_association_count(&store->associations, slot);
}

/* Lays out a batch from `first` on. `grew`: its first source has just been found to have more edges than it had a moment ago; it
 * gets room for all there can be, so that this does not go on for ever. */
static void plan(hop_work *work, int grew) {
    dm_spreader *spreader = work->spreader;
    const dm_store *store = spreader->store;
    const uint32_t *slots = spreader->frontier + work->first;
    const uint32_t left = spreader->frontier_count - work->first;
    const dm_association_head *heads = dm_association_head_of(&store->associations, 0);
    uint32_t edges = 0;
    uint32_t i = 0;
    for (; i < left && i < DM_BATCH_SOURCES && edges < DM_BATCH_EDGES; i++) {
        if (work->prefetch && i + PLAN_AHEAD < left) {
            __builtin_prefetch((const void *)dm_links_at(store, slots[i + PLAN_AHEAD]));
            if (heads != NULL) {
                __builtin_prefetch((const void *)&heads[slots[i + PLAN_AHEAD]]);
            }
        }
        uint32_t room = grew && i == 0 ? spreader->nodes : edge_count(store, slots[i]);
        spreader->spans[i] = (dm_span){.begin = edges, .room = room < spreader->nodes ? room : spreader->nodes};
        edges += spreader->spans[i].room;
    }
    work->sources = i;
    work->edges = edges;
}

/* --- gather ---------------------------------------------------------------------------------------------------------- */

/* What of a source's activation each of its edges gets. */
static double fan_divisor(const dm_spread_options *options, uint32_t fan) {
    switch (options->fan_mode) {
    case DM_FAN_LINEAR:
        return 1.0 / (double)fan;
    case DM_FAN_SQRT:
        return 1.0 / sqrt((double)fan);
    case DM_FAN_ACTR:
        return fmax(0.0, options->associative_strength - log((double)fan + 1.0));
    default:
        return 1.0;
    }
}

/* The first lines of a source's lists. */
static void prefetch_lists(const dm_store *store, uint32_t slot) {
    const dm_bindings *bindings = &store->bindings;
    if (dm_slot_is_concept(slot)) {
        dm_prefetch_block(store, slot);
        __builtin_prefetch((const void *)&bindings->next[dm_slot_index(slot)]);
    } else {
        __builtin_prefetch((const void *)&bindings->handles[(size_t)slot * DM_BLOCK_ENTRIES]);
    }
    const dm_association_head *head = dm_association_head_of(&store->associations, slot);
    if (head != NULL && atomic_load_explicit(&head->count, memory_order_relaxed) > 0) {
        size_t block = atomic_load_explicit(&head->block, memory_order_relaxed);
        __builtin_prefetch((const void *)&store->associations.entries[block * DM_BLOCK_ENTRIES]);
    }
}

/* What these lines point to. A stale handle gives an address that is asked for in vain, no more. */
static void prefetch_beyond(const dm_store *store, uint32_t slot) {
    const dm_bindings *bindings = &store->bindings;
    if (dm_slot_is_concept(slot)) {
        size_t block = atomic_load_explicit(&bindings->next[dm_slot_index(slot)], memory_order_relaxed);
        if (block != DM_BLOCK_NONE) {
            __builtin_prefetch((const void *)&bindings->partners[block * DM_BLOCK_ENTRIES]);
            __builtin_prefetch((const void *)&bindings->strengths[block * DM_BLOCK_ENTRIES]);
            __builtin_prefetch((const void *)&bindings->next[block]);
        }
        return;
    }
    uint32_t fan = dm_fan_inline(store, slot);
    for (uint32_t i = 0; i < fan && i < DM_BLOCK_ENTRIES; i++) {
        size_t handle =
            atomic_load_explicit(&bindings->handles[(size_t)slot * DM_BLOCK_ENTRIES + i], memory_order_relaxed);
        __builtin_prefetch((const void *)&bindings->owner[handle / DM_BLOCK_ENTRIES]);
        __builtin_prefetch((const void *)&bindings->strengths[handle]);
    }
}

/* Copies the edges of source i as they were at one moment, and works out what they carry. */
static void gather_source(const hop_work *work, uint32_t i) {
    dm_spreader *spreader = work->spreader;
    const dm_store *store = spreader->store;
    const dm_spread_options *options = &spreader->options;
    const uint32_t slot = spreader->frontier[work->first + i];
    dm_links_read read = {.links = dm_links_at(store, slot)};
    dm_span *span = &spreader->spans[i];
    dm_edge *edges = spreader->edges + span->begin;
    uint32_t bindings;
    uint32_t associations;
    do {
        dm_links_read_begin(&read);
        bindings = atomic_load_explicit(&read.links->fan, memory_order_acquire);
        associations = dm_association_count(&store->associations, slot);
        if (bindings + associations <= span->room) {
            dm_list_bindings(store, slot, read.version, bindings, edges, bindings);
            dm_list_associations(store, slot, read.version, associations, edges + bindings, associations);
        }
    } while (!dm_links_read_end(&read));
    if (bindings + associations > span->room) {
        span->edges = DM_SPAN_GREW;
        return;
    }
    span->bindings = bindings;
    span->edges = bindings + associations;
    if (span->edges > 0) {
        const int is_concept = dm_slot_is_concept(slot);
        const double share = spreader->pulses[work->first + i] * fan_divisor(options, span->edges);
        span->bound = share * (is_concept ? options->down : options->up);
        span->associated = share * (is_concept ? options->lateral : options->episodic);
    }
}

static void gather(void *context, uint32_t task, uint32_t member) {
    (void)member;
    const hop_work *work = context;
    const dm_store *store = work->spreader->store;
    const uint32_t *slots = work->spreader->frontier + work->first;
    const uint32_t begin = task * TASK_SOURCES;
    const uint32_t end = begin + TASK_SOURCES < work->sources ? begin + TASK_SOURCES : work->sources;
    for (uint32_t i = begin; i < end; i++) {
        if (work->prefetch && i + LIST_AHEAD < end) {
            prefetch_lists(store, slots[i + LIST_AHEAD]);
        }
        if (work->prefetch && i + LIST_AHEAD / 2 < end) {
            prefetch_beyond(store, slots[i + LIST_AHEAD / 2]);
        }
        gather_source(work, i);
    }
}

/* --- scatter --------------------------------------------------------------------------------------------------------- */

/* Adds what edges begin..end - 1 of the buffer carry to the targets of one stripe: numbers whose 64 belong to it. */
static inline void add_shares(const hop_work *work, uint32_t begin, uint32_t end, double share, uint32_t stripe,
                              uint32_t stripes, int prefetch) {
    dm_spreader *spreader = work->spreader;
    const dm_edge *edges = spreader->edges;
    for (uint32_t i = begin; i < end; i++) {
        if (prefetch && i + SCATTER_AHEAD < work->edges) {
            /* Perhaps a place of another source, or one left empty: any number will do. */
            __builtin_prefetch(&spreader->records[number_of(spreader, edges[i + SCATTER_AHEAD].slot)], 1);
        }
        const uint32_t target = number_of(spreader, edges[i].slot);
        const double carried = share * (double)edges[i].strength;
        if ((target / 64 & (stripes - 1)) == stripe && carried > 0.0) {
            dm_node_set_add(&spreader->next, target); /* whether it is new cannot be predicted, so nobody asks */
            spreader->records[target].received += carried;
        }
    }
}

/* Constants in the caller, so that a thread alone asks nothing about stripes, and a small store nothing about memory. */
static inline void scatter_batch(const hop_work *work, uint32_t stripe, uint32_t stripes, int prefetch) {
    const dm_span *spans = work->spreader->spans;
    for (uint32_t i = 0; i < work->sources; i++) {
        const uint32_t between = spans[i].begin + spans[i].bindings;
        add_shares(work, spans[i].begin, between, spans[i].bound, stripe, stripes, prefetch);
        add_shares(work, between, spans[i].begin + spans[i].edges, spans[i].associated, stripe, stripes, prefetch);
    }
}

static void scatter(void *context, uint32_t stripe, uint32_t member) {
    (void)member;
    const hop_work *work = context;
    if (work->stripes > 1) {
        scatter_batch(work, stripe, work->stripes, work->prefetch);
    } else if (work->prefetch) {
        scatter_batch(work, 0, 1, 1);
    } else {
        scatter_batch(work, 0, 1, 0);
    }
}

/* --- a hop ------------------------------------------------------------------------------------------------------------- */

/* Stripes for a team: the next power of two. Any number of stripes gives the same sums. */
static uint32_t stripes_for(const dm_team *team, uint32_t edges) {
    uint32_t stripes = 1;
    while (edges >= SHARED_EDGES && stripes < dm_team_size(team)) {
        stripes *= 2;
    }
    return stripes;
}

/* All of the frontier sends. Returns how many edges were followed. */
static uint64_t send(dm_spreader *spreader, dm_team *team, int prefetch) {
    hop_work work = {.spreader = spreader, .prefetch = prefetch};
    uint64_t followed = 0;
    int grew = 0;
    while (work.first < spreader->frontier_count) {
        plan(&work, grew);
        dm_team_run(team, (work.sources + TASK_SOURCES - 1) / TASK_SOURCES, gather, &work);
        uint32_t whole = 0; /* sources up to the first whose list had grown; what comes behind it is gathered anew */
        while (whole < work.sources && spreader->spans[whole].edges != DM_SPAN_GREW) {
            followed += spreader->spans[whole].edges;
            whole++;
        }
        grew = whole < work.sources;
        work.sources = whole;
        work.stripes = stripes_for(team, work.edges);
        dm_team_run(team, work.stripes, scatter, &work);
        work.first += whole;
    }
    return followed;
}

static double at_most_one(double value) {
    return value < 1.0 ? value : 1.0;
}

/* What a node received in hop `hop` becomes activation, and the node number `place` of the next frontier if that reaches the
 * threshold. Returns how many the frontier has then. */
static inline uint32_t settle(dm_spreader *spreader, uint32_t number, uint32_t hop, uint32_t place) {
    dm_spread_record *record = &spreader->records[number];
    const double pulse = at_most_one(record->received);
    const double gained = pulse * spreader->damping[hop];
    record->received = 0.0;
    if (gained == 0.0) { /* decay 0, or below the smallest number: not reached */
        return place;
    }
    /* Whether it was reached before, and whether it sends, cannot be predicted: so both are written without a branch. */
    record->hop = record->activation == 0.0 ? hop : record->hop;
    record->activation = at_most_one(record->activation + gained);
    dm_node_set_add(&spreader->reached, number);
    spreader->frontier[place] = slot_of(spreader, number);
    spreader->pulses[place] = pulse;
    return place + (uint32_t)((gained >= spreader->options.threshold) & (hop < spreader->options.max_hops));
}

static void settle_all(dm_spreader *spreader, uint32_t hop) {
    uint32_t first = 0;
    uint32_t place = 0;
    for (uint64_t bits = dm_node_set_take(&spreader->next, &first); bits != 0;
         bits = dm_node_set_take(&spreader->next, &first)) {
        for (; bits != 0; bits &= bits - 1) {
            place = settle(spreader, first + (uint32_t)__builtin_ctzll(bits), hop, place);
        }
    }
    spreader->frontier_count = place;
}

/* --- a call ------------------------------------------------------------------------------------------------------------- */

static void take_cue(dm_spreader *spreader, dm_cue cue) {
    const dm_store *store = spreader->store;
    if (dm_slot_index(cue.slot) >= dm_rows_of(store, cue.slot)->capacity || !dm_is_live_inline(store, cue.slot)) {
        return;
    }
    const uint32_t number = number_of(spreader, cue.slot);
    dm_spread_record *record = &spreader->records[number];
    record->received = fmax(record->received, (double)cue.activation); /* of a number and NaN: the number */
    dm_node_set_add(&spreader->next, number);
}

/* Empties the set of what was reached into the result, and leaves everything zero. */
static uint32_t list_reached(dm_spreader *spreader) {
    uint32_t first = 0;
    uint32_t count = 0;
    for (uint64_t bits = dm_node_set_take(&spreader->reached, &first); bits != 0;
         bits = dm_node_set_take(&spreader->reached, &first)) {
        for (; bits != 0; bits &= bits - 1) {
            const uint32_t number = first + (uint32_t)__builtin_ctzll(bits);
            dm_spread_record *record = &spreader->records[number];
            spreader->result[count++] = (dm_spread_node){.slot = slot_of(spreader, number),
                                                         .activation = (float)record->activation,
                                                         .hop = (uint32_t)record->hop};
            record->activation = 0.0;
        }
    }
    return count;
}

static dm_spread_result spread(dm_spreader *spreader, const dm_cue *cues, size_t count, dm_team *team, int prefetch) {
    uint64_t followed = 0;
    for (size_t i = 0; i < count; i++) {
        take_cue(spreader, cues[i]);
    }
    settle_all(spreader, 0);
    for (uint32_t hop = 1; spreader->frontier_count > 0; hop++) {
        followed += send(spreader, team, prefetch);
        settle_all(spreader, hop);
    }
    return (dm_spread_result){.nodes = spreader->result, .count = list_reached(spreader), .edges = followed};
}

dm_spread_result dm_spread_plain(dm_spreader *spreader, const dm_cue *cues, size_t count, dm_team *team) {
    return spread(spreader, cues, count, team, 0);
}

dm_spread_result dm_spread_prefetched(dm_spreader *spreader, const dm_cue *cues, size_t count, dm_team *team) {
    return spread(spreader, cues, count, team, 1);
}

dm_spread_result dm_spread(dm_spreader *spreader, const dm_cue *cues, size_t count, dm_team *team) {
    return spread(spreader, cues, count, team, spreader->nodes > DM_PREFETCH_NODES);
}

void dm_store_apply_spread(dm_store *store, const dm_spread_node *nodes, size_t count) {
    for (size_t i = 0; i < count; i++) {
        (void)dm_store_activate(store, nodes[i].slot, nodes[i].activation);
    }
}
