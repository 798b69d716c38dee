/* mixed.c: the workload `mixed` in the table: a store in use, and its twin in nodes of one type (mixed.h). */
#include "workloads/mixed.h"
#include "workloads/workloads.h"

#include "store/poison.h"

#define PARAMETER(NAME, DEFAULT, MINIMUM, MAXIMUM, MEANING) \
    {sizeof(dm_parameter), NAME, DEFAULT, MINIMUM, MAXIMUM, 1, MEANING}

static const dm_parameter parameters[DM_MIXED_PARAMETERS] = {
    [DM_MIXED_EPISODES] = PARAMETER("episodes", 10000, 2, 1e7, "episodes stored"),
    [DM_MIXED_CONCEPTS] = PARAMETER("concepts", 1000, 2, 1e6, "concepts stored, and indexed"),
    [DM_MIXED_BINDINGS] = PARAMETER("bindings", 20000, 0, 1e9,
                                    "bindings, shared evenly among the episodes, each with its nearest concepts"),
    [DM_MIXED_INSERTIONS] = PARAMETER("insertions", 20000, 0, 1e7, "episodes that there is room for beside those"),
    [DM_MIXED_FORMATION_EPISODES] =
        PARAMETER("formation_episodes", 1000, 1, DM_FORMER_EPISODES_MAX, "episodes of one formation"),
    [DM_MIXED_FORMATION_CUT] = {sizeof(dm_parameter), "formation_cut", 0.35, 0.01, 1, 0,
                                "least mean similarity of the episodes of a concept that is formed"},
    [DM_MIXED_CONSOLIDATION_CONCEPTS] =
        PARAMETER("consolidation_concepts", 32, 1, DM_MIXED_CONSOLIDATED, "concepts of one consolidation"),
    [DM_MIXED_DECAY_CONCEPTS] =
        PARAMETER("decay_concepts", 32, 1, DM_MIXED_CONSOLIDATED, "concepts of one decay"),
    [DM_MIXED_HOPS] = PARAMETER("hops", 4, 0, DM_HOPS_MAX, "hops that activation spreads over"),
    [DM_MIXED_RECALL] = {sizeof(dm_parameter), "recall", 1, 0.01, 1, 0,
                         "share of the nearest concepts that a lookup shall find; 1: the exact scan"},
};

#define METRIC(NAME, UNIT, BETTER, MEANING) {sizeof(dm_metric), NAME, UNIT, BETTER, DM_SCOPE_CASE, MEANING}

static const dm_metric metrics[DM_MIXED_METRICS] = {
    [DM_MIXED_METRIC_POPULATION] = METRIC("population", "count", DM_BETTER_NEITHER, "nodes that answer to their ids"),
    [DM_MIXED_METRIC_EPISODES] = METRIC("episodes", "count", DM_BETTER_NEITHER, "episodes among them"),
    [DM_MIXED_METRIC_CONCEPTS] =
        METRIC("concepts", "count", DM_BETTER_NEITHER, "concepts among them, those of the last formation included"),
    [DM_MIXED_METRIC_FORMED] =
        METRIC("formed", "count", DM_BETTER_NEITHER, "concepts of the last formation, at most 5"),
    [DM_MIXED_METRIC_BINDINGS] = METRIC("bindings", "count", DM_BETTER_NEITHER, "bindings that both their ends know"),
    [DM_MIXED_METRIC_INDEX_ROWS] =
        METRIC("index_rows", "count", DM_BETTER_NEITHER, "concepts whose present embedding is in the index"),
    [DM_MIXED_METRIC_WITHIN] = METRIC("similarity_within", "1", DM_BETTER_NEITHER,
                                      "mean cosine of two members of one concept, over 1,000 pairs"),
    [DM_MIXED_METRIC_BETWEEN] = METRIC("similarity_between", "1", DM_BETTER_NEITHER,
                                       "mean cosine of members of two concepts, over 1,000 pairs"),
    [DM_MIXED_METRIC_MEMORY] = METRIC("memory_bytes", "B", DM_BETTER_LOWER,
                                      "store, index, and what spreading and formation work in; capacities included"),
    [DM_MIXED_METRIC_WORK + DM_MIXED_WORK_SPREAD_CONCEPT] =
        METRIC("spread_concept_work", "count", DM_BETTER_NEITHER, "edges that activation flowed along"),
    [DM_MIXED_METRIC_WORK + DM_MIXED_WORK_SPREAD_EPISODE] =
        METRIC("spread_episode_work", "count", DM_BETTER_NEITHER, "edges that activation flowed along"),
    [DM_MIXED_METRIC_WORK + DM_MIXED_WORK_CONSOLIDATE] =
        METRIC("consolidate_work", "count", DM_BETTER_NEITHER, "bindings of the concepts that keys named"),
    [DM_MIXED_METRIC_WORK + DM_MIXED_WORK_DECAY] =
        METRIC("decay_work", "count", DM_BETTER_NEITHER, "bindings of the concepts that keys named"),
    [DM_MIXED_METRIC_HIT_RATE] =
        METRIC("hit_rate", "1", DM_BETTER_HIGHER, "reads of fans that found a live concept, of all since set-up"),
};

static int32_t setup_dual(const dm_case *work, uint32_t threads, dm_state **state, char *error, size_t error_size) {
    return dm_mixed_setup(work, threads, &dm_mixed_dual_graph, state, error, error_size);
}

static int32_t setup_single(const dm_case *work, uint32_t threads, dm_state **state, char *error, size_t error_size) {
    return dm_mixed_setup(work, threads, &dm_mixed_single_graph, state, error, error_size);
}

#define MIXED_WORKLOAD(VARIANT, SUMMARY, METRICS, SETUP) \
    {.size = sizeof(dm_workload), \
     .name = "mixed", \
     .variant = VARIANT, \
     .summary = SUMMARY, \
     .needs_data = 1, \
     .parameters = parameters, \
     .parameter_count = DM_MIXED_PARAMETERS, \
     .metrics = metrics, \
     .metric_count = METRICS, \
     .operations = dm_mixed_operations, \
     .operation_count = DM_MIXED_OPERATIONS, \
     .setup = SETUP, \
     .operate = dm_mixed_operate, \
     .read_metrics = dm_mixed_read_metrics, \
     .read_fans = dm_mixed_read_fans, \
     .teardown = dm_mixed_teardown}

const dm_workload dm_mixed_dual =
    MIXED_WORKLOAD("dual", "a dual store in use; insertions and formations each take turns, all else runs at once",
                   DM_MIXED_METRICS, setup_dual);
const dm_workload dm_mixed_single = MIXED_WORKLOAD(
    "single",
    "its twin: the same graph in nodes of one type with associations; changes of a concept's weights take turns, too",
    DM_MIXED_METRIC_HIT_RATE, setup_single);
