/* plan.c: which method, and with what effort?
 *
 * 1. A recall of 1, or few rows: the exact scan, at once.
 * 2. Some rows are held out (plan_measure.c), and each method indexes the same sample of the others, at most 10,000. The
 *    smallest effort that reaches the recall is looked for, and its cost (plan_cost.c) is carried forward to all rows:
 *    that of a scan is proportional to them, that of a walk to their logarithm.
 * 3. The cheapest method indexes all rows but those held out, is measured again, and then takes them in. Should it cost
 *    more than the scan now, the scan is taken.
 *
 * A graph grows from its sample, so nothing is built twice where the graph is chosen. Where it is not, at most a graph of
 * 10,000 rows was built in vain. One thread links the sample, so the choice is the same for any team; beyond it the team
 * takes part, and then the graph, and with it the effort, is that of the day. */
#include <math.h>
#include <string.h>

#include "index/plan_parts.h"
#include "store/store.h"
#include "store/poison.h"

/* --- making by a method ------------------------------------------------------------------------------------------- */

static int32_t make_graph(const dm_planning *planning, dm_index *index, char *error, size_t error_size) {
    const dm_graph_options options = {.capacity = planning->options->capacity,
                                      .ef_construction = DM_GRAPH_EF_CONSTRUCTION,
                                      .seed = planning->options->seed,
                                      .placement = planning->options->placement};
    index->plan.method = DM_METHOD_GRAPH;
    return dm_graph_create(dm_index_graph_variant(index->isa), planning->rows, &options, planning->account, &index->graph,
                           error, error_size);
}

/* Links the rows order[first .. last) that are not linked yet. */
static int32_t grow_graph(const dm_planning *planning, dm_index *index, uint32_t first, uint32_t last, dm_team *team,
                          char *error, size_t error_size) {
    const dm_rows rows = dm_planning_rows(planning, first, last);
    return dm_graph_build(index->graph, &rows, team, planning->account, error, error_size);
}

static int32_t find_effort_of_graph(dm_planning *planning, dm_index *index, dm_measured *measured, char *error,
                                    size_t error_size) {
    return dm_planning_find_effort(planning, index, planning->options->k, DM_GRAPH_EF_MAX, measured, error, error_size);
}

/* --- the plan ----------------------------------------------------------------------------------------------------- */

static void note(dm_plan *plan, const dm_planning *planning, const dm_measured *measured) {
    plan->effort = measured->effort;
    plan->held_out = planning->held;
    plan->recall = measured->recall;
    plan->recall_low = measured->recall_low;
}

static double cost_of(const dm_planning *planning, const dm_index *index, const dm_measured *measured, uint32_t from) {
    const uint32_t dim = planning->rows->dim;
    const dm_measured grown = dm_cost_extrapolate(index->plan.method, measured, from, planning->used);
    return dm_planning_reaches(planning, measured) ? dm_cost_of_graph(planning->used, dim, &grown) : (double)NAN;
}

/* The exact index of all rows in the place of whatever was tried. */
static int32_t take_exact(const dm_planning *planning, dm_index *index, char *error, size_t error_size) {
    dm_index_empty(index, planning->account);
    index->plan.effort = 0;
    index->plan.recall = 1.0;
    index->plan.recall_low = 1.0;
    return dm_index_make_exact(index, planning->rows, planning->options->placement, planning->account, error, error_size);
}

/* A graph of the sample becomes one of all rows, with its effort measured. */
static int32_t complete_graph(dm_planning *planning, dm_index *index, dm_measured *measured, char *error, size_t error_size) {
    const uint32_t end_of_sample = planning->held + planning->sample;
    int32_t status = DM_OK;
    if (end_of_sample < planning->used) {
        status = grow_graph(planning, index, end_of_sample, planning->used, planning->team, error, error_size);
        if (status == DM_OK && planning->held > 0) {
            const dm_rows all = dm_planning_rows(planning, planning->held, planning->used);
            dm_measured exact;
            status = dm_planning_find_truth(planning, &all, &exact, error, error_size);
            if (status == DM_OK) {
                status = find_effort_of_graph(planning, index, measured, error, error_size);
            }
        }
    }
    return status == DM_OK ? grow_graph(planning, index, 0, planning->held, NULL, error, error_size) : status;
}

/* Every row within reach: where there are too few rows to measure with. */
static dm_measured with_all(const dm_planning *planning) {
    const uint32_t most = planning->used < DM_GRAPH_EF_MAX ? planning->used : DM_GRAPH_EF_MAX;
    return (dm_measured){.effort = most > planning->options->k ? most : planning->options->k,
                         .recall = (double)NAN,
                         .recall_low = (double)NAN};
}

static int32_t make_fixed_graph(dm_planning *planning, dm_index *index, char *error, size_t error_size) {
    const uint32_t end = planning->held + planning->sample;
    dm_measured measured = with_all(planning);
    dm_measured exact;
    int32_t status = make_graph(planning, index, error, error_size);
    if (status == DM_OK) {
        status = grow_graph(planning, index, planning->held, end, NULL, error, error_size);
    }
    if (status == DM_OK && planning->held > 0 && end == planning->used) {
        const dm_rows rows = dm_planning_rows(planning, planning->held, end);
        status = dm_planning_find_truth(planning, &rows, &exact, error, error_size);
        if (status == DM_OK) {
            status = find_effort_of_graph(planning, index, &measured, error, error_size);
        }
    }
    if (status == DM_OK) {
        status = complete_graph(planning, index, &measured, error, error_size);
    }
    note(&index->plan, planning, &measured);
    return status;
}

static int32_t choose(dm_planning *planning, dm_index *index, char *error, size_t error_size) {
    const uint32_t end = planning->held + planning->sample;
    const dm_rows sample = dm_planning_rows(planning, planning->held, end);
    dm_measured exact = {0};
    dm_measured graph = {0};
    int32_t status = dm_planning_find_truth(planning, &sample, &exact, error, error_size);
    if (status == DM_OK) {
        status = make_graph(planning, index, error, error_size);
    }
    if (status == DM_OK) {
        status = grow_graph(planning, index, planning->held, end, NULL, error, error_size);
    }
    if (status == DM_OK) {
        status = find_effort_of_graph(planning, index, &graph, error, error_size);
    }
    if (status != DM_OK) {
        return status;
    }
    double *costs = index->plan.costs;
    costs[DM_METHOD_EXACT] = dm_cost_of_exact(planning->used, planning->rows->dim, exact.rescored);
    costs[DM_METHOD_GRAPH] = cost_of(planning, index, &graph, planning->sample);
    note(&index->plan, planning, &graph);
    if (costs[DM_METHOD_GRAPH] < costs[DM_METHOD_EXACT]) {
        status = complete_graph(planning, index, &graph, error, error_size);
        costs[DM_METHOD_GRAPH] = cost_of(planning, index, &graph, planning->used);
        note(&index->plan, planning, &graph);
    }
    if (status == DM_OK && !(costs[DM_METHOD_GRAPH] < costs[DM_METHOD_EXACT])) {
        status = take_exact(planning, index, error, error_size);
    }
    return status;
}

int32_t dm_plan_make(dm_index *index, const dm_index_options *options, dm_team *team, dm_memory *account, char *error,
                     size_t error_size) {
    dm_planning planning = {.rows = &index->rows, .options = options, .team = team, .account = account, .used = index->used};
    int32_t status = DM_OK;
    for (int method = 0; method < DM_METHOD_COUNT; method++) {
        index->plan.costs[method] = (double)NAN;
    }
    if (!dm_planning_open(&planning)) {
        status = dm_fail(DM_ERROR_MEMORY, error, error_size, "no memory to plan an index of %u rows", index->rows.count);
    } else if (options->method == DM_METHOD_EXACT ||
               (options->method == DM_METHOD_AUTO && (options->recall >= 1.0 || planning.used <= DM_PLAN_FEW))) {
        status = take_exact(&planning, index, error, error_size);
    } else if (options->method == DM_METHOD_GRAPH) {
        status = make_fixed_graph(&planning, index, error, error_size);
    } else {
        status = choose(&planning, index, error, error_size);
    }
    dm_planning_close(&planning);
    if (status == DM_OK) {
        dm_plan_explain(&index->plan, options, index->used);
    }
    return status;
}
