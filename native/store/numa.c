/* numa.c: see numa.h. Modes and flags: mbind(2), get_mempolicy(2). */
#include "store/numa.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#if defined(__linux__)
#include <linux/mempolicy.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "store/poison.h"

/* --- the decision ---------------------------------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static void explain(dm_placement *report, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(report->reason, sizeof(report->reason), format, arguments);
    va_end(arguments);
}

static uint64_t lowest(uint64_t nodes) {
    return nodes & (~nodes + 1);
}

static void everywhere(dm_numa_plan *plan, uint64_t nodes) {
    for (int kind = 0; kind < DM_ARRAY_KINDS; kind++) {
        plan->nodes[kind] = nodes;
    }
    explain(&plan->report, "interleaved over %u nodes", plan->report.nodes);
}

static void separated(dm_numa_plan *plan, uint64_t nodes) {
    uint64_t concepts = lowest(nodes);
    uint64_t episodes = nodes & ~concepts; /* of which there are far more, as a rule */
    plan->nodes[DM_ARRAY_CONCEPT_ROWS] = concepts;
    plan->nodes[DM_ARRAY_CONCEPT_RECORDS] = concepts;
    plan->nodes[DM_ARRAY_CONCEPT_BINDINGS] = concepts;
    plan->nodes[DM_ARRAY_EPISODE_ROWS] = episodes;
    plan->nodes[DM_ARRAY_EPISODE_RECORDS] = episodes;
    plan->nodes[DM_ARRAY_EPISODE_BINDINGS] = episodes;
    plan->nodes[DM_ARRAY_IDS] = nodes;
    explain(&plan->report, "concepts on node %d, episodes on %u other%s", __builtin_ctzll(concepts), plan->report.nodes - 1,
            plan->report.nodes > 2 ? "s" : "");
}

static void adaptive(dm_numa_plan *plan, uint64_t nodes, uint32_t local) {
    uint64_t near = local < 64 ? nodes & UINT64_C(1) << local : 0;
    near = near != 0 ? near : lowest(nodes); /* a processor without memory of its own */
    everywhere(plan, near);
    plan->nodes[DM_ARRAY_CONCEPT_ROWS] = nodes;
    plan->nodes[DM_ARRAY_EPISODE_ROWS] = nodes;
    explain(&plan->report, "records, bindings and ids on node %d, embeddings over %u nodes", __builtin_ctzll(near),
            plan->report.nodes);
}

dm_numa_plan dm_numa_decide(int32_t asked, int32_t single_type, const dm_numa_topology *topology) {
    dm_numa_plan plan = {.report = {.asked = asked, .got = DM_NUMA_SYSTEM}};
    if (topology->refused != 0) {
        char text[64];
        explain(&plan.report, "not available here: the system refused (%s)",
                strerror_r(topology->refused, text, sizeof(text)));
        return plan;
    }
    plan.report.nodes = (uint32_t)__builtin_popcountll(topology->nodes);
    if (plan.report.nodes < 2) {
        explain(&plan.report, "not available here: %u node%s", plan.report.nodes, plan.report.nodes == 1 ? "" : "s");
        return plan;
    }
    if (asked == DM_NUMA_SEPARATED && single_type) {
        explain(&plan.report, "not available here: a single-type store has no types to separate");
        return plan;
    }
    plan.report.got = asked;
    if (asked == DM_NUMA_SEPARATED) {
        separated(&plan, topology->nodes);
    } else if (asked == DM_NUMA_ADAPTIVE) {
        adaptive(&plan, topology->nodes, topology->local);
    } else {
        everywhere(&plan, topology->nodes);
    }
    return plan;
}

/* --- the system ------------------------------------------------------------------------------------------------------- */

#if defined(__linux__)

dm_numa_topology dm_numa_look(void) {
    dm_numa_topology topology = {0};
    unsigned long allowed[16] = {0}; /* 1,024 bits, the most a kernel can be built for; it refuses to answer into fewer than it has */
    unsigned node = 0;
    if (syscall(SYS_get_mempolicy, NULL, allowed, sizeof(allowed) * 8, NULL, MPOL_F_MEMS_ALLOWED) != 0) {
        topology.refused = errno;
        return topology;
    }
    topology.nodes = allowed[0];
    if (syscall(SYS_getcpu, NULL, &node, NULL) == 0) {
        topology.local = node;
    }
    return topology;
}

int dm_numa_bind(void *first, size_t size, uint64_t nodes) {
    if (nodes == 0 || size == 0) {
        return 0;
    }
    unsigned long mask = (unsigned long)nodes;
    int mode = (nodes & (nodes - 1)) == 0 ? MPOL_PREFERRED : MPOL_INTERLEAVE;
    /* The kernel takes the number of bits to be one more than it reads. */
    return syscall(SYS_mbind, first, size, mode, &mask, sizeof(mask) * 8 + 1, MPOL_MF_MOVE) == 0 ? 0 : errno;
}

#else

dm_numa_topology dm_numa_look(void) {
    return (dm_numa_topology){.refused = ENOSYS};
}

int dm_numa_bind(void *first, size_t size, uint64_t nodes) {
    (void)first;
    (void)size;
    return nodes == 0 ? 0 : ENOSYS;
}

#endif
