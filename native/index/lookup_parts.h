/* lookup_parts.h: the lookup from inside, for lookup*.c.
 *
 * A type's index with the map from its rows to slots is an edition. A search counts itself in, takes the present
 * editions, and counts itself out; a refresh puts new editions in their place, or changes a graph beside the searches,
 * and then waits for those that began before. So what they could still meet, the old edition or the rows that have
 * gone, is theirs until they have ended, and they wait for nobody. Two counts do, because refreshes take turns.
 *
 * One index per type, not one index with a test of each row: a search for one type costs what it costs in a store
 * without the other. */
#ifndef DUALMEM_INDEX_LOOKUP_PARTS_H
#define DUALMEM_INDEX_LOOKUP_PARTS_H

#include <pthread.h>
#include <stdatomic.h>

#include "index/index.h"
#include "store/store.h"

enum { DM_LOOKUP_SIDES = 2, DM_LOOKUP_SCRATCHES = 256 /* as many as the largest team has members */ };

/* Holds a reference to every row whose slot is not DM_SLOT_NONE. */
typedef struct dm_edition {
    dm_index *index; /* NULL: there were no rows */
    uint32_t *slots; /* [row] whose embedding it held, or DM_SLOT_NONE: the table's own map goes on changing. Of a row
                        that has left a graph: until no search can have found it */
    dm_lookup_choice choice;
    uint32_t taken; /* rows that lists took in since their centres were made */
    /* What searches left to work in; under the lookup's lock. */
    dm_index_scratch *idle[DM_LOOKUP_SCRATCHES];
    uint32_t idle_count;
} dm_edition;

/* What belongs to one type. */
typedef struct dm_lookup_side {
    const dm_rows_table *table; /* NULL: this lookup is not for this type */
    int of_concepts;
    dm_edition *edition;      /* changes under the lookup's lock */
    _Atomic uint32_t size;    /* nodes in the edition */
    _Atomic uint32_t changes; /* of the table, before the first row of the edition was looked at */
} dm_lookup_side;

struct dm_lookup {
    dm_store *store;
    dm_lookup_options options;
    dm_isa isa;
    dm_lookup_side sides[DM_LOOKUP_SIDES]; /* concepts, episodes; in a single-type store the first is of its nodes */
    dm_memory self_memory;
    dm_memory memory;
    pthread_mutex_t change; /* refreshing and saving: one at a time */
    pthread_mutex_t lock;   /* held for some instructions: editions, what is idle, counts of searches */
    pthread_cond_t ended;   /* the last search that began before has */
    uint32_t phase;         /* 0 or 1: which count the searches that begin now are in */
    uint64_t searching[2];
};

/* lookup.c: a lookup without editions, its options checked and completed; NULL in *lookup on failure. */
int32_t dm_lookup_begin(dm_store *store, const dm_lookup_options *given, dm_lookup **lookup, char *error,
                        size_t error_size);

/* lookup_follow.c: makes slots, [row] of the table, and takes a reference to the row of every live node. Returns their
 * number; slots is NULL: no memory. */
uint32_t dm_lookup_hold(dm_lookup *lookup, const dm_lookup_side *side, uint32_t **slots);
void dm_lookup_release(const dm_lookup_side *side, const uint32_t *slots);

/* The rows of a side as its index sees them. */
dm_rows dm_lookup_rows(const dm_lookup_side *side, const uint32_t *slots);

/* lookup_follow.c: an edition around slots, which it takes over in any case, without an index. NULL: no memory. */
dm_edition *dm_edition_make(dm_lookup *lookup, const dm_lookup_side *side, uint32_t *slots);
/* lookup_follow.c: releases its rows, too. Accepts NULL. */
void dm_edition_destroy(dm_lookup *lookup, const dm_lookup_side *side, dm_edition *edition);

/* lookup_follow.c: its choice, from the plan of its index. */
void dm_edition_note_plan(dm_edition *edition, uint32_t planned);

/* lookup_search.c: something to work in: idle, or new. */
int32_t dm_edition_take(dm_lookup *lookup, dm_edition *edition, dm_index_scratch **scratch, char *error,
                        size_t error_size);
void dm_edition_give(dm_lookup *lookup, dm_edition *edition, dm_index_scratch *scratch);

#endif
