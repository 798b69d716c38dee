/* tune.h: the effort of an index for a wanted recall, chosen by one rule for every peer, so that all are compared at the same recall and
 * none was tuned by hand:
 *
 * 1. held = min(500, max(50, rows / 5)) rows, drawn by splitmix64 from seed 1, are left out of the index at first.
 * 2. They are the queries of the tuning; their true neighbours among the other rows are found by scan. A row found counts when its cosine
 *    reaches the k-th best one's, within 1e-6, as dualmem's own recall counts.
 * 3. Widths stand on a ladder from the least to the most in steps of 15 %. Chosen is the first whose recall, as far as the held-out rows
 *    can tell, reaches what is wanted: mean - 1.645 s / sqrt(held), the lower end of a one-sided 95 % interval. Recall rises with the
 *    width, so the ladder is bisected.
 * 4. Where a library rescores, 3. is done for each factor, and of those that reach the recall the one wins whose searches took the least
 *    time (each query's fastest of three passes).
 * 5. Then the held-out rows are added. The queries of the case play no part. */
#ifndef DUALMEM_PEERS_TUNE_H
#define DUALMEM_PEERS_TUNE_H

#include "lookup.h"

/* Of kernels/stored_case.h, which is for C only: 0..count - 1 in a random order. */
extern "C" void dm_stored_case_shuffle(std::uint32_t *order, std::uint32_t count, std::uint64_t seed);

namespace peer {

struct split {
    std::vector<std::uint32_t> rows; /* every row of the data once, in the order in which an index gets them: the held-out ones last */
    std::size_t kept;                /* before those */
};

split hold_out(std::uint32_t rows);

/* values: rows of unit length, dim floats each, in the order of the split; the index holds the first `kept` of them. Where no
 * effort reaches the recall it is the most there is: the recall that was found stands in the report. Throws
 * std::invalid_argument with a sentence when there are too few rows. */
effort tune(index &built, const float *values, const split &divided, std::size_t dim, std::uint32_t k, double recall);

} // namespace peer

#endif
