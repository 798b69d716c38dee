// fastcluster_core.cpp: average linkage by fastcluster's C++ core (Mullner 2013, the nearest-neighbour chain), which its package compiles
// into a Python module; here the same source is compiled into a library. PEER_FASTCLUSTER: its folder src.
#include <cmath>

static inline bool fc_isnan(double value) { // which it leaves to whoever includes it
    return std::isnan(value);
}

#include <fastcluster.cpp>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <vector>

#include "fastcluster_core.h"

extern "C" int peer_average_linkage(uint32_t count, double *distances, double cut, uint32_t *labels) {
    try {
        cluster_result merges(count > 1 ? count - 1 : 1);
        if (count > 1) {
            std::vector<t_index> sizes(count, 1);
            NN_chain_core<METHOD_METR_AVERAGE, t_index>(count, distances, sizes.data(), merges);
        }
        std::vector<uint32_t> root(count);
        for (uint32_t i = 0; i < count; i++) {
            root[i] = i;
        }
        const auto find = [&root](uint32_t of) {
            while (root[of] != of) {
                of = root[of] = root[root[of]];
            }
            return of;
        };
        // Nodes of a merge are first members of what is merged; average linkage is monotone, so every merge below the cut counts.
        for (t_index i = 0; i + 1 < static_cast<t_index>(count); i++) {
            if (merges[i]->dist <= cut) {
                const uint32_t one = find(static_cast<uint32_t>(merges[i]->node1));
                const uint32_t other = find(static_cast<uint32_t>(merges[i]->node2));
                root[std::max(one, other)] = std::min(one, other);
            }
        }
        uint32_t next = 0;
        for (uint32_t i = 0; i < count; i++) {
            const uint32_t first = find(i);
            labels[i] = first == i ? next++ : labels[first];
        }
        return 0;
    } catch (const std::exception &) {
        return -1;
    }
}
