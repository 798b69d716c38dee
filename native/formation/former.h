/* former.h: the workspace of concept formation, from inside, and the steps of a clustering call.
 *
 * arrange      puts the episodes in their canonical order: by time of last access, then by id       (arrange.c)
 * prepare      a unit vector and codes of each                                                      (relate.c)
 * relate       finds the pairs that reach the cut, and so the components of the graph they make     (relate.c)
 * link         average linkage within each component                                                (link.c)
 * choose       numbers the clusters, and keeps the best                                             (choose.c)
 *
 * Why components. Two clusters merge only if their mean similarity reaches the cut, and then so does the similarity
 * of one pair at least: no cluster ever spans two components, and a linkage within each is the linkage of the whole.
 * In real data components are small, so nearly all of the n^2 / 2 similarities need not be known, only that they
 * miss the cut. */
#ifndef DUALMEM_FORMATION_FORMER_H
#define DUALMEM_FORMATION_FORMER_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "dualmem/dualmem.h"
#include "formation/linkage.h"
#include "simd/codes.h"
#include "simd/gram.h"
#include "simd/query.h"
#include "store/memory.h"

/* An episode and what orders it. */
typedef struct dm_former_episode {
    uint64_t last_access_ns;
    dm_id id;
    uint32_t slot;
    uint32_t input; /* its position in the caller's list */
} dm_former_episode;

/* A component of two members or more. */
typedef struct dm_former_component {
    uint32_t begin; /* in members[] and the other arrays by episode */
    uint32_t count;
    size_t sums;    /* where its matrix begins in sums[] */
    size_t weights;
} dm_former_component;

struct dm_former {
    dm_former_options options;
    dm_memory memory;
    const dm_gram_variant *gram;
    const dm_query_variant *query;
    const dm_codes_variant *code;
    int64_t cut;       /* in units of 2^-24 */
    double half_lives; /* per ns */
    size_t padded;     /* floats of a unit vector */
    size_t code_bytes; /* of a row */

    /* The call in progress. Everything below is in the canonical order. */
    uint32_t count;
    dm_former_episode *episodes;
    dm_former_episode *spare; /* for the merges of a sort */
    double *times; /* of last access, ns: within 256 ns of the true ones in this century */
    float *units;
    int8_t *codes;   /* in panels of 16 rows */
    uint8_t *lifted;
    float *scales;
    float *radii;
    int32_t *code_sums;
    _Atomic uint32_t *parents; /* the components */
    _Atomic uint32_t missing;  /* a slot without a node, or DM_SLOT_NONE */

    uint32_t *members; /* by component, ascending */
    uint32_t component_count;
    dm_former_component *components;
    double *sums; /* the matrices, and what linkages need beside */
    double *weights;
    uint32_t *origins;
    uint32_t *chain;
    uint32_t *merged; /* dm_linkage.parents, sizes, within of each component, by its place in members[] */
    uint32_t *sizes;
    double *within;

    /* The result. */
    uint32_t *numbers; /* [episode] its cluster */
    uint32_t *labels;  /* by input */
    uint32_t *slots;   /* members of the clusters kept */
    dm_cluster *clusters;
};

/* A former that uses the variant of that name throughout. */
int32_t dm_former_create_as(const dm_former_options *options, const char *variant, dm_former **former, char *error,
                            size_t error_size);

/* Fills count and episodes. DM_ERROR_ARGUMENT: a slot that holds no episode, or comes twice. */
int32_t dm_former_arrange(dm_former *former, dm_store *store, const uint32_t *slots, uint32_t count, char *error,
                          size_t error_size);
/* Fills units and codes. DM_ERROR_ARGUMENT: an episode was removed meanwhile. */
int32_t dm_former_prepare(dm_former *former, dm_store *store, dm_team *team, char *error, size_t error_size);
/* Fills members and components. */
void dm_former_relate(dm_former *former, dm_team *team);
/* Fills merged, sizes and within. */
void dm_former_link(dm_former *former, dm_team *team);
/* Fills the result. */
void dm_former_choose(dm_former *former, dm_clustering *result);
/* Adds the concept of a cluster, with its record and bindings (form.c). On failure *slot is DM_SLOT_NONE, or a
 * concept that is not complete. */
int32_t dm_former_add_concept(const dm_former *former, dm_store *store, const dm_cluster *cluster, dm_id id, uint32_t *slot,
                              char *error, size_t error_size);

#endif
