/* test_placement.c: the decision where arrays lie, on machines that are not there, and the system calls on the one that is. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#if defined(__linux__)
#include <linux/mempolicy.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "dualmem/dualmem.h"
#include "store/numa.h"
#include "store/store.h"
#include "tests/support.h"

static char error[256];

/* --- the decision ----------------------------------------------------------------------------------------------------- */

static int is_concepts(int kind) {
    return kind == DM_ARRAY_CONCEPT_ROWS || kind == DM_ARRAY_CONCEPT_RECORDS || kind == DM_ARRAY_CONCEPT_BINDINGS;
}

static int is_rows(int kind) {
    return kind == DM_ARRAY_CONCEPT_ROWS || kind == DM_ARRAY_EPISODE_ROWS;
}

/* What dualmem.h promises for each kind of array. */
static uint64_t promised(int32_t asked, int kind, uint64_t nodes, uint64_t first, uint64_t local) {
    if (asked == DM_NUMA_INTERLEAVED || kind == DM_ARRAY_IDS) {
        return asked == DM_NUMA_ADAPTIVE ? local : nodes;
    }
    if (asked == DM_NUMA_SEPARATED) {
        return is_concepts(kind) ? first : nodes & ~first;
    }
    return is_rows(kind) ? nodes : local;
}

static void machines_with_several_nodes(void) {
    static const struct {
        uint64_t nodes;
        uint32_t local;
        uint64_t first;
        uint64_t near;
    } machines[] = {
        {0x3, 0, 1, 1},       {0x3, 1, 1, 2},       {0xF, 2, 1, 4},
        {0xA, 3, 2, 8},       /* nodes 1 and 3 */
        {0xA, 0, 2, 2},       /* a processor whose node has no memory */
        {UINT64_C(1) << 63 | 1, 63, 1, UINT64_C(1) << 63}, {UINT64_MAX, 64, 1, 1},
    };
    for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++) {
        for (int32_t asked = DM_NUMA_INTERLEAVED; asked <= DM_NUMA_ADAPTIVE; asked++) {
            dm_numa_topology topology = {.nodes = machines[i].nodes, .local = machines[i].local};
            dm_numa_plan plan = dm_numa_decide(asked, 0, &topology);
            CHECK_EQUAL(plan.report.asked, asked);
            CHECK_EQUAL(plan.report.got, asked);
            CHECK_EQUAL(plan.report.nodes, __builtin_popcountll(machines[i].nodes));
            CHECK(plan.report.reason[0] != '\0');
            for (int kind = 0; kind < DM_ARRAY_KINDS; kind++) {
                CHECK_EQUAL(plan.nodes[kind], promised(asked, kind, machines[i].nodes, machines[i].first, machines[i].near));
            }
        }
    }
}

/* Nothing is planned, and the reason is told. */
static void left_to_the_system(dm_numa_topology topology, int32_t asked, int32_t single_type, const char *reason) {
    dm_numa_plan plan = dm_numa_decide(asked, single_type, &topology);
    CHECK_EQUAL(plan.report.asked, asked);
    CHECK_EQUAL(plan.report.got, DM_NUMA_SYSTEM);
    CHECK(strstr(plan.report.reason, reason) != NULL);
    for (int kind = 0; kind < DM_ARRAY_KINDS; kind++) {
        CHECK_EQUAL(plan.nodes[kind], 0);
    }
}

static void what_cannot_be_is_said(void) {
    for (int32_t asked = DM_NUMA_INTERLEAVED; asked <= DM_NUMA_ADAPTIVE; asked++) {
        left_to_the_system((dm_numa_topology){.nodes = 1}, asked, 0, "not available here: 1 node");
        left_to_the_system((dm_numa_topology){.nodes = 4, .local = 2}, asked, 0, "not available here: 1 node");
        left_to_the_system((dm_numa_topology){.nodes = 0}, asked, 0, "not available here: 0 nodes");
        left_to_the_system((dm_numa_topology){.nodes = 3, .refused = EPERM}, asked, 0, "not permitted");
        left_to_the_system((dm_numa_topology){.refused = ENOSYS}, asked, 0, "not available here: the system refused");
    }
    left_to_the_system((dm_numa_topology){.nodes = 3}, DM_NUMA_SEPARATED, 1, "no types to separate");
    dm_numa_topology two = {.nodes = 3};
    CHECK_EQUAL(dm_numa_decide(DM_NUMA_ADAPTIVE, 1, &two).report.got, DM_NUMA_ADAPTIVE);
}

/* --- the store --------------------------------------------------------------------------------------------------------- */

static dm_store *make_store(int32_t numa, int32_t single_type, size_t size, int32_t expected) {
    dm_store_options options = {.size = size,
                                .dim = 768,
                                .concept_capacity = 2000,
                                .episode_capacity = 100000,
                                .single_type = single_type,
                                .numa = numa};
    dm_store *store = NULL;
    CHECK_STATUS(dm_store_create(&options, &store, error, sizeof(error)), expected, error);
    return store;
}

static void a_store_reports(void) {
    dm_numa_topology here = dm_numa_look();
    uint32_t nodes = (uint32_t)__builtin_popcountll(here.nodes);
    for (int32_t asked = DM_NUMA_INTERLEAVED; asked <= DM_NUMA_ADAPTIVE; asked++) {
        dm_store *store = make_store(asked, 0, sizeof(dm_store_options), DM_OK);
        dm_placement report = dm_store_placement(store);
        CHECK_EQUAL(report.asked, asked);
        CHECK_EQUAL(report.got, here.refused == 0 && nodes > 1 ? asked : DM_NUMA_SYSTEM);
        CHECK_EQUAL(report.nodes, here.refused == 0 ? nodes : 0);
        CHECK(report.reason[0] != '\0');
        if (here.refused == 0 && nodes == 1) {
            CHECK(strcmp(report.reason, "not available here: 1 node") == 0);
        }
        dm_store_destroy(store);
    }
    CHECK(make_store(DM_NUMA_SYSTEM, 0, sizeof(dm_store_options), DM_ERROR_ARGUMENT) == NULL);
    CHECK(make_store(-1, 0, sizeof(dm_store_options), DM_ERROR_ARGUMENT) == NULL);
}

/* A caller that was built when the options ended before `numa` goes on working, and what lies behind its options is not read. */
static void older_callers_are_served(void) {
    size_t older = offsetof(dm_store_options, numa);
    dm_store *store = make_store(77, 0, older, DM_OK);
    CHECK_EQUAL(dm_store_placement(store).asked, DM_NUMA_INTERLEAVED);
    dm_store_destroy(store);
    CHECK(make_store(0, 0, older - 4, DM_ERROR_ARGUMENT) == NULL);
    CHECK(make_store(0, 0, sizeof(dm_store_options) + 8, DM_ERROR_ARGUMENT) == NULL);
    dm_store_options options = {.size = sizeof(options), .dim = 1, .episode_capacity = 1, .reserved = 1};
    CHECK_STATUS(dm_store_create(&options, &store, error, sizeof(error)), DM_ERROR_ARGUMENT, error);
}

#if defined(__linux__)

/* The policy of the pages at an address, as the kernel tells it; -1: it does not. */
static int policy_at(const void *address, uint64_t *nodes) {
    unsigned long mask[16] = {0};
    int mode = -1;
    if (syscall(SYS_get_mempolicy, &mode, mask, sizeof(mask) * 8, address, MPOL_F_ADDR) != 0) {
        return -1;
    }
    *nodes = mask[0];
    return mode;
}

static void check_policy(const void *middle, int mode, uint64_t nodes) {
    uint64_t told = 0;
    CHECK_EQUAL(policy_at(middle, &told), mode);
    CHECK_EQUAL(told, nodes);
}

/* A plan that this machine can follow and that differs from doing nothing: a single node, by name, for each kind of array in turn. */
static void the_system_is_asked_array_by_array(void) {
    dm_numa_topology here = dm_numa_look();
    uint64_t node = here.nodes & (~here.nodes + 1);
    uint64_t unused = 0;
    if (here.refused != 0 || policy_at(&here, &unused) < 0) {
        test_skip("policies of arrays", "the system does not tell memory policies");
        return;
    }
    for (int kind = 0; kind < DM_ARRAY_KINDS; kind++) {
        dm_store *store = make_store(0, 0, sizeof(dm_store_options), DM_OK);
        dm_numa_plan plan = {.report = {.asked = DM_NUMA_ADAPTIVE, .got = DM_NUMA_ADAPTIVE, .nodes = 1, .reason = "a test"}};
        plan.nodes[kind] = node;
        if (here.nodes != node) { /* what creation did would show through */
            test_skip("policies of arrays", "more than one node");
            dm_store_destroy(store);
            return;
        }
        dm_store_place(store, &plan);
        CHECK_EQUAL(store->placement.got, DM_NUMA_ADAPTIVE);
        const struct {
            int kind;
            const void *inside;
        } arrays[] = {
            {DM_ARRAY_CONCEPT_ROWS, store->concepts.values + 1000000},
            {DM_ARRAY_EPISODE_ROWS, store->episodes.values + 1000000},
            {DM_ARRAY_CONCEPT_RECORDS, dm_node_at(store, dm_concept_slot(1000))},
            {DM_ARRAY_CONCEPT_RECORDS, dm_links_at(store, dm_concept_slot(1000))},
            {DM_ARRAY_EPISODE_RECORDS, dm_node_at(store, 10000)},
            {DM_ARRAY_EPISODE_RECORDS, dm_links_at(store, 10000)},
            {DM_ARRAY_CONCEPT_BINDINGS, (const void *)&store->bindings.strengths[20000]},
            {DM_ARRAY_CONCEPT_BINDINGS, (const void *)&store->bindings.partners[20000]},
            {DM_ARRAY_EPISODE_BINDINGS, (const void *)&store->bindings.handles[200000]},
            {DM_ARRAY_EPISODE_BINDINGS, (const void *)&store->bindings.handles_next[200000]},
            {DM_ARRAY_IDS, &store->ids.buckets[1000]},
        };
        for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++) {
            int chosen = arrays[i].kind == kind;
            check_policy(arrays[i].inside, chosen ? MPOL_PREFERRED : MPOL_DEFAULT, chosen ? node : 0);
        }
        dm_store_destroy(store);
    }
    static char page[3 * 4096];
    CHECK_EQUAL(dm_numa_bind(page, 0, node), 0);
    CHECK_EQUAL(dm_numa_bind(page, 4096, 0), 0);
    CHECK(dm_numa_bind(page + 1, 4096, node) != 0); /* not a page: the system's refusal is passed on */
}

static void a_refusal_is_reported(void) {
    dm_numa_topology here = dm_numa_look();
    if (here.refused != 0 || here.nodes != 1) {
        test_skip("a node that is not there", "every node that could be named may be there");
        return;
    }
    dm_store *store = make_store(0, 0, sizeof(dm_store_options), DM_OK);
    dm_numa_topology imagined = {.nodes = UINT64_C(1) << 60 | UINT64_C(1) << 61, .local = 60};
    dm_numa_plan plan = dm_numa_decide(DM_NUMA_INTERLEAVED, 0, &imagined);
    dm_store_place(store, &plan);
    CHECK_EQUAL(store->placement.asked, DM_NUMA_INTERLEAVED);
    CHECK_EQUAL(store->placement.got, DM_NUMA_SYSTEM);
    CHECK(strstr(store->placement.reason, "refused after 0 bytes") != NULL);
    dm_store_destroy(store);
    dm_store_options options = {.size = sizeof(options), .dim = 4, .concept_capacity = 2, .episode_capacity = 2};
    REQUIRE(CHECK_STATUS(dm_store_create(&options, &store, error, sizeof(error)), DM_OK, error));
    dm_store_place(store, &plan); /* nothing of it has pages of its own: not asked, so not refused, and not claimed either */
    CHECK_EQUAL(store->placement.got, DM_NUMA_SYSTEM);
    CHECK(strstr(store->placement.reason, "2 MiB") != NULL);
    dm_store_destroy(store);
}

#else

static void the_system_is_asked_array_by_array(void) {
    test_skip("policies of arrays", "this system has none");
}

static void a_refusal_is_reported(void) {
    test_skip("a node that is not there", "this system has none");
}

#endif

int main(void) {
    machines_with_several_nodes();
    what_cannot_be_is_said();
    a_store_reports();
    older_callers_are_served();
    the_system_is_asked_array_by_array();
    a_refusal_is_reported();
    return test_report();
}
