/* fastcluster_core.h: what the C side asks of the C++ side. */
#ifndef DUALMEM_PEERS_FASTCLUSTER_CORE_H
#define DUALMEM_PEERS_FASTCLUSTER_CORE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Average linkage of `count` items, cut at a distance. distances: condensed, row by row above the diagonal; destroyed. labels[i]: the
 * cluster of item i, counted from 0 in the order of first members. -1: no memory. */
int peer_average_linkage(uint32_t count, double *distances, double cut, uint32_t *labels);

#ifdef __cplusplus
}
#endif

#endif
