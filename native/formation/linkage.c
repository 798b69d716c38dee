/* linkage.c: see linkage.h.
 *
 * Why the chain gives the greedy result. Order all pairs of clusters: {a, b} before {c, d} when its mean is larger,
 * or the means are equal and (min, max) of the numbers is lexicographically smaller. For a fixed a and equal means,
 * {a, b} comes before {a, c} exactly when b < c. A pair is mutual when each is the first choice of the other in this
 * order.
 *
 * Lemma. Let p be a pair that comes before {a, c} and before {a, d}. Then, after c and d were merged into e (whose
 * number is min(c, d)), p comes before {a, e}. For the mean of {a, e} is a weighted mean of those of {a, c} and {a,
 * d}: either it is smaller than the larger of the two, and so than p's or equal to it only if both are equal; then
 * {a, e} has the place of {a, c} or {a, d}. (This step needs exact means: rounded ones can be equal when the true
 * ones are not.)
 *
 * So a mutual pair stays mutual while other pairs merge, and the greedy algorithm, which never stops while a pair
 * reaches the cut, merges it in the end. Merging it early changes none of the greedy choices before: by the lemma
 * with p = the greedy choice, no pair with the merged cluster comes before it. By induction, mutual pairs may be
 * merged in any order. The chain finds them: each cluster in it is followed by its first choice, every step goes to
 * an earlier pair, so it ends in a mutual one; by the lemma, the part of the chain before that pair stays a chain.
 *
 * A cluster whose first choice misses the cut is finished: by the lemma no later cluster will come nearer to it.
 *
 * Sizes of numbers. A sum is below 2^24 n_a n_b, a cross product below 2^24 n_a n_b n_c; with n_a + n_b + n_c <=
 * 16384 that is below 2^24 x 5462^3 < 2^62. */
#include "formation/linkage.h"

#include "store/poison.h"

/* --- choosing ----------------------------------------------------------------------------------------------------- */

/* 1 when the mean similarity to x is larger than to y. */
static int is_nearer(const dm_linkage *linkage, const double *row, size_t x, size_t y) {
    const uint32_t size_x = linkage->sizes[linkage->origins[x]];
    const uint32_t size_y = linkage->sizes[linkage->origins[y]];
    return (int64_t)row[x] * size_y > (int64_t)row[y] * size_x;
}

/* The first choice of the cluster at a position, or its own position when that misses the cut. `live`: positions. */
static uint32_t first_choice(const dm_linkage *linkage, const dm_gram_variant *variant, uint32_t position, uint32_t live) {
    const double *row = linkage->sums + position * linkage->stride;
    const size_t width = dm_linkage_stride(live);
    /* A product is within 2^-52 of its true value (two roundings): the true first choice is among those that reach
     * this. */
    const double enough = variant->largest(row, linkage->weights, width) * (1.0 - 0x1.0p-50);
    if (!(enough > 0.0)) {
        return position;
    }
    size_t best = variant->next(row, linkage->weights, width, 0, enough);
    for (size_t x = best; (x = variant->next(row, linkage->weights, width, x + 1, enough)) < width;) {
        /* Positions are in the order of the numbers: of equals the first stays. */
        best = is_nearer(linkage, row, x, best) ? x : best;
    }
    const int64_t pairs = (int64_t)linkage->sizes[linkage->origins[position]] * linkage->sizes[linkage->origins[best]];
    return (int64_t)row[best] >= linkage->cut * pairs ? (uint32_t)best : position;
}

/* --- merging ------------------------------------------------------------------------------------------------------ */

/* The cluster at b joins that at a, a < b. */
static void merge(dm_linkage *linkage, uint32_t a, uint32_t b, uint32_t live) {
    const uint32_t kept = linkage->origins[a];
    const uint32_t gone = linkage->origins[b];
    double *row = linkage->sums + a * linkage->stride;
    const double *other = linkage->sums + b * linkage->stride;
    linkage->within[kept] += linkage->within[gone] + row[b];
    linkage->sizes[kept] += linkage->sizes[gone];
    linkage->parents[gone] = kept;
    linkage->weights[a] = 1.0 / (double)linkage->sizes[kept];
    linkage->weights[b] = 0.0; /* nothing chooses it any more */
    for (uint32_t x = 0; x < live; x++) {
        row[x] += other[x];
    }
    row[a] = 0.0;
    for (uint32_t x = 0; x < live; x++) {
        linkage->sums[x * linkage->stride + a] = row[x];
    }
}

/* Moves the clusters that still take part together, in their order. Called when half of them are gone, so that all
 * calls together cost no more than the first. Returns how many there are. */
static uint32_t compact(dm_linkage *linkage, uint32_t live) {
    uint32_t kept = 0;
    for (uint32_t from = 0; from < live; from++) {
        if (linkage->weights[from] > 0.0) {
            linkage->chain[kept++] = from; /* the chain is empty */
        }
    }
    const size_t width = dm_linkage_stride(kept);
    for (uint32_t i = 0; i < kept; i++) {
        const double *from = linkage->sums + linkage->chain[i] * linkage->stride;
        double *to = linkage->sums + i * linkage->stride;
        for (uint32_t j = 0; j < kept; j++) {
            to[j] = from[linkage->chain[j]];
        }
    }
    for (size_t i = 0; i < width; i++) {
        linkage->weights[i] = i < kept ? linkage->weights[linkage->chain[i]] : 0.0;
    }
    for (uint32_t i = 0; i < kept; i++) {
        linkage->origins[i] = linkage->origins[linkage->chain[i]];
    }
    return kept;
}

/* --- the chain ---------------------------------------------------------------------------------------------------- */

static void start(dm_linkage *linkage) {
    for (size_t i = 0; i < linkage->stride; i++) {
        linkage->weights[i] = i < linkage->count ? 1.0 : 0.0;
    }
    for (uint32_t i = 0; i < linkage->count; i++) {
        linkage->origins[i] = i;
        linkage->parents[i] = i;
        linkage->sizes[i] = 1;
        linkage->within[i] = 0.0;
    }
}

void dm_linkage_run(dm_linkage *linkage, const dm_gram_variant *variant) {
    start(linkage);
    uint32_t live = linkage->count; /* positions in use */
    uint32_t left = linkage->count; /* clusters that take part */
    uint32_t length = 0;
    uint32_t begin = 0; /* positions below take no part any more */
    while (left > 1) {
        if (length == 0) {
            if (left <= live / 2) {
                live = compact(linkage, live);
                begin = 0;
            }
            while (linkage->weights[begin] == 0.0) {
                begin++;
            }
            linkage->chain[length++] = begin;
        }
        const uint32_t last = linkage->chain[length - 1];
        const uint32_t choice = first_choice(linkage, variant, last, live);
        if (choice == last) { /* finished; only the first of a chain can be, as every other reaches the one before it */
            linkage->weights[last] = 0.0;
            length--;
            left--;
        } else if (length > 1 && linkage->chain[length - 2] == choice) {
            merge(linkage, last < choice ? last : choice, last < choice ? choice : last, live);
            length -= 2;
            left--;
        } else {
            linkage->chain[length++] = choice;
        }
    }
}
