/* numa.h: on which memory nodes the arrays of a store are to lie. A pure decision, and the three system calls around it.
 *
 * The calls are made directly (get_mempolicy, mbind, getcpu) and not through libnuma: it would be loaded at run time, is missing
 * from most containers, and its part would be to pass the same arguments on. The kernel's answer to MPOL_F_MEMS_ALLOWED also
 * counts the process's cpuset, which a look at /sys does not. */
#ifndef DUALMEM_STORE_NUMA_H
#define DUALMEM_STORE_NUMA_H

#include <stddef.h>
#include <stdint.h>

#include "dualmem/dualmem.h"

/* What a machine offers to this process. */
typedef struct dm_numa_topology {
    uint64_t nodes; /* bit n: memory node n may be used. Nodes beyond 63 are not used */
    uint32_t local; /* the node of the calling thread */
    int refused;    /* errno of the question, or 0: it was answered */
} dm_numa_topology;

/* Kinds of arrays that a placement treats alike. */
typedef enum dm_array_kind {
    DM_ARRAY_CONCEPT_ROWS = 0,
    DM_ARRAY_EPISODE_ROWS,
    DM_ARRAY_CONCEPT_RECORDS, /* node records, fans and versions, formations */
    DM_ARRAY_EPISODE_RECORDS,
    DM_ARRAY_CONCEPT_BINDINGS,
    DM_ARRAY_EPISODE_BINDINGS,
    DM_ARRAY_IDS,
    DM_ARRAY_KINDS
} dm_array_kind;

/* One node: there while it has room, elsewhere then. Several: page by page in turn, passing over full ones. None: the system's own. A
 * store must never die because one node is full, so nothing is bound strictly. */
typedef struct dm_numa_plan {
    dm_placement report; /* what came of the request if the system does as it is told */
    uint64_t nodes[DM_ARRAY_KINDS];
} dm_numa_plan;

/* Pure. asked: DM_NUMA_INTERLEAVED, _SEPARATED or _ADAPTIVE. */
dm_numa_plan dm_numa_decide(int32_t asked, int32_t single_type, const dm_numa_topology *topology);

/* Of this process, here and now. */
dm_numa_topology dm_numa_look(void);

/* Asks for whole pages to lie on `nodes`, moving those in use. 0, or an errno. */
int dm_numa_bind(void *first, size_t size, uint64_t nodes);

#endif
