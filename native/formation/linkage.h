/* linkage.h: average linkage (UPGMA; Sokal & Michener 1958) of one group of episodes, cut at a similarity.
 *
 * The greedy definition: again and again merge the two clusters whose mean similarity over all pairs of their
 * members is largest, of equals the pair with the smallest (i, j), where a cluster's number is its first member's;
 * stop below the cut.
 *
 * What is done instead: a chain of nearest neighbours (Benzecri 1982; Murtagh 1983; Muellner 2011 calls it
 * NN-chain), which looks at each cluster's best partner only, O(n^2) in all. In floating point its result differs
 * from the greedy one where means are tied, or tied but for rounding. Here it cannot, because nothing is rounded:
 * similarities are whole numbers, so sums of them are exact in a double (2^24 x 8192^2 = 2^50 at most), and two
 * means are compared by their cross products, exact in 64 bits. The proof is in linkage.c. */
#ifndef DUALMEM_FORMATION_LINKAGE_H
#define DUALMEM_FORMATION_LINKAGE_H

#include <stddef.h>
#include <stdint.h>

#include "simd/gram.h"

enum { DM_LINKAGE_MOST = 16384 }; /* members: what the cross products allow (linkage.c) */

/* Everything is the caller's: `count` elements each, sums and weights at 64-byte boundaries. */
typedef struct dm_linkage {
    uint32_t count;
    int64_t cut;       /* in units of 2^-24, > 0 */
    double *sums;      /* in: [i * stride + j] the similarity of i and j in units of 2^-24, both ways; 0 for i = j; behind the
                          row any number but NaN and infinity. Used up */
    size_t stride;     /* dm_linkage_stride(count) */
    double *weights;   /* stride elements */
    uint32_t *origins; /* [position] the cluster's number */
    uint32_t *chain;
    /* Results. */
    uint32_t *parents; /* [member] a smaller member of its cluster, or itself: the cluster's number */
    uint32_t *sizes;   /* [number] members */
    double *within;    /* [number] sum of the similarities of its pairs, exact */
} dm_linkage;

/* Doubles from one row to the next. */
static inline size_t dm_linkage_stride(uint32_t count) {
    return ((size_t)count + 7) & ~(size_t)7;
}

void dm_linkage_run(dm_linkage *linkage, const dm_gram_variant *variant);

#endif
