/* neighbours.h: what the indexes have in common: the list of the best rows, and rescoring one of them. */
#ifndef DUALMEM_INDEX_NEIGHBOURS_H
#define DUALMEM_INDEX_NEIGHBOURS_H

#include <stdint.h>

#include "index/exact.h"
#include "simd/query.h"
#include "store/memory.h"

/* Asks the memory for a row that will be rescored: into the second-level cache, which has room for more requests at once
 * than the first. A row of 768 dimensions is 48 of them; asked for by the first level, they hold up what follows (coarse
 * lists among 10,000 rows: a quarter of a search). */
static inline void dm_neighbours_prefetch(const dm_rows *rows, uint32_t row) {
    const char *begin = (const char *)(rows->values + row * rows->stride);
    for (size_t line = 0; line < rows->dim * sizeof(float); line += DM_CACHE_LINE) {
        __builtin_prefetch(begin + line, 0, 2);
    }
}

/* The similarity to double precision. A cosine is in [-1, 1], and 0 of a row whose norm counts as zero. */
static inline double dm_neighbours_similarity(dm_similarity by, const dm_query_variant *variant, const dm_query *query,
                                              const dm_rows *rows, uint32_t row) {
    if (by == DM_SIMILARITY_INNER_PRODUCT) {
        return variant->product(query, rows->values + row * rows->stride);
    }
    if (!(rows->inverse_norms[row] > 0.0f)) {
        return 0.0;
    }
    double cosine = variant->cosine(query, rows->values + row * rows->stride);
    return cosine > 1.0 ? 1.0 : cosine < -1.0 ? -1.0 : cosine;
}

static inline int dm_neighbours_is_better(dm_neighbour a, dm_neighbour b) {
    return a.similarity > b.similarity || (a.similarity == b.similarity && a.row < b.row);
}

/* Puts one more into the best `size` of at most k, in order. Returns the new size. */
static inline uint32_t dm_neighbours_insert(dm_neighbour *best, uint32_t size, uint32_t k, dm_neighbour found) {
    if (size == k && !dm_neighbours_is_better(found, best[k - 1])) {
        return size;
    }
    uint32_t place = size < k ? size++ : k - 1;
    for (; place > 0 && dm_neighbours_is_better(found, best[place - 1]); place--) {
        best[place] = best[place - 1];
    }
    best[place] = found;
    return size;
}

#endif
