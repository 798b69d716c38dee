/* plan_cost.c: what a search costs, counted: nothing here asks the machine, so a plan is the same everywhere.
 *
 * The unit is one byte of 8-bit codes that an exact scan reads from the cache, all that is done with it included;
 * other reads are that many of it. Measured with AVX-512 on a Zen 4, as slopes over sizes and efforts of this
 * library's own searches among 1,000 to 20,000 real rows of 768 dimensions (beyond the cache: 100,000 clustered ones),
 * in one process by turns, the fastest of six (docs/explanation/lookup.md). The unit was 0.0139 ns there. Only ratios
 * matter, and they decide only between methods whose costs are far apart or equally good. */
#include <math.h>
#include <stdio.h>

#include "index/plan_parts.h"
#include "simd/codes.h"
#include "simd/panels.h"
#include "store/poison.h"

static const double NEAR = 2.0 * 1024 * 1024;   /* bytes of one array that count as in a core's own cache */
static const double CACHE = 16.0 * 1024 * 1024; /* and in the last level */
static const double SEARCH = 72000.0;           /* a search, whatever it reads: norm and codes of the query */
static const double LISTED = 150.0; /* a row of a list, besides its code: finding the best again among few */
static const double HOP = 13000.0;  /* a step of a walk, of which ef are made: its links, keeping candidates in order */

/* Of a byte, by where it lies. */
typedef struct weights {
    double near;
    double cached;
    double beyond;
} weights;

static const weights SCAN = {1.0, 1.0, 5.0};
static const weights GATHER = {1.5, 2.7, 9.0}; /* the codes of one row here, the next one anywhere */
static const weights FLOATS = {3.0, 3.0, 12.0}; /* a row that is rescored, in double */

static double row_of_codes(uint32_t dim) {
    return (double)dm_code_stride(dim) + sizeof(float);
}

/* Every level holds as much of the array as goes there. */
static double weigh(double array_bytes, weights of) {
    const double near = fmin(array_bytes, NEAR);
    const double cached = fmin(array_bytes, CACHE);
    const double sum = near * of.near + (cached - near) * of.cached + (array_bytes - cached) * of.beyond;
    return array_bytes > 0.0 ? sum / array_bytes : of.near;
}

static double cost_of_exact(uint32_t rows, uint32_t dim) {
    const double bytes = (double)rows * row_of_codes(dim);
    return bytes * weigh(bytes, SCAN);
}

static double cost_of_graph(uint32_t rows, uint32_t dim, const dm_measured *measured) {
    const double node = row_of_codes(dim) + DM_GRAPH_M0 * sizeof(uint32_t);
    return measured->effort * HOP + measured->compared * row_of_codes(dim) * weigh((double)rows * node, GATHER);
}

/* The basis that the query is projected on is read as a whole. The centres are among the codes compared. The last
 * panel of a list is scanned as if it were full. */
static double cost_of_lists(const dm_lists *lists, uint32_t rows, uint32_t dim, const dm_measured *measured) {
    const double code = (double)dm_lists_code_bytes(lists);
    const double basis = (double)dm_lists_dims(lists) * (double)dim;
    const double scanned = measured->compared + measured->effort * 0.5 * DM_PANEL_ROWS;
    return basis + measured->compared * LISTED + scanned * code * weigh((double)rows * code, SCAN);
}

double dm_plan_cost(const dm_planning *planning, const dm_index *index, uint32_t rows, const dm_measured *measured) {
    const uint32_t dim = planning->rows->dim;
    const double row = (double)dim * sizeof(float);
    const double rescoring = measured->rescored * row * weigh((double)rows * row, FLOATS);
    if (!dm_planning_reaches(planning, measured)) {
        return (double)NAN;
    }
    return SEARCH + rescoring +
           (index->plan.method == DM_METHOD_GRAPH   ? cost_of_graph(rows, dim, measured)
            : index->plan.method == DM_METHOD_LISTS ? cost_of_lists(index->lists, rows, dim, measured)
                                                    : cost_of_exact(rows, dim));
}

/* As a power of the number of rows, as it grew from the quarter to the whole of the sample: near 0 where rows have
 * structure, near 1 where a search has to look at a share of them. */
dm_measured dm_plan_extrapolate(const dm_measured *quarter, const dm_measured *measured, uint32_t sample,
                                uint32_t rows) {
    dm_measured grown = *measured;
    const double power = log(measured->compared / quarter->compared) / log(4.0);
    grown.compared *= pow((double)rows / (double)sample, fmin(fmax(power, 0.0), 1.0));
    return grown;
}

/* --- words -------------------------------------------------------------------------------------------------------- */

/* "graph 1.2 MB", or that it does not get there. */
static void name_cost(const dm_plan *plan, dm_method method, const dm_index_options *options, char *text,
                      size_t size) {
    static const char *const names[DM_METHOD_COUNT] = {"", "the exact scan", "lists", "the graph"};
    if (method == DM_METHOD_LISTS && options->similarity != DM_SIMILARITY_COSINE) {
        snprintf(text, size, "lists are for cosines");
    } else if (isnan(plan->costs[method])) {
        snprintf(text, size, "%s cannot find %.4g %%", names[method], 100.0 * options->recall);
    } else {
        snprintf(text, size, "%s %.2f MB", names[method], plan->costs[method] / 1e6);
    }
}

static void explain_choice(dm_plan *plan, const dm_index_options *options) {
    static const dm_method others[DM_METHOD_COUNT][2] = {{DM_METHOD_LISTS, DM_METHOD_GRAPH},
                                                         {DM_METHOD_LISTS, DM_METHOD_GRAPH},
                                                         {DM_METHOD_EXACT, DM_METHOD_GRAPH},
                                                         {DM_METHOD_EXACT, DM_METHOD_LISTS}};
    static const char *const names[DM_METHOD_COUNT] = {"", "exact", "lists", "graph"};
    char first[60];
    char second[60];
    char found[100] = "it finds all";
    name_cost(plan, others[plan->method][0], options, first, sizeof(first));
    name_cost(plan, others[plan->method][1], options, second, sizeof(second));
    if (plan->method != DM_METHOD_EXACT) {
        snprintf(found, sizeof(found), "at %s %u it finds %.1f %% (at least %.1f %%)",
                 plan->method == DM_METHOD_GRAPH ? "ef" : "visits", plan->effort, 100.0 * plan->recall,
                 100.0 * plan->recall_low);
    }
    snprintf(plan->reason, sizeof(plan->reason),
             "%s: %s of the %u nearest of %u rows held out at the cost of scanning %.2f MB; %s, %s",
             names[plan->method], found, options->k, plan->held_out, plan->costs[plan->method] / 1e6, first, second);
}

static void explain_fixed(dm_plan *plan, const dm_index_options *options) {
    const char *name = plan->method == DM_METHOD_GRAPH ? "graph" : "lists";
    const char *effort = plan->method == DM_METHOD_GRAPH ? "ef" : "visits";
    if (plan->held_out == 0) {
        snprintf(plan->reason, sizeof(plan->reason), "%s: asked for; too few rows to measure the recall, so %s is %u",
                 name,
                 effort, plan->effort);
        return;
    }
    snprintf(plan->reason, sizeof(plan->reason),
             "%s: asked for; at %s %u it finds %.1f %% (at least %.1f %%) of the %u nearest of %u rows held out%s",
             name,
             effort, plan->effort, 100.0 * plan->recall, 100.0 * plan->recall_low, options->k, plan->held_out,
             plan->recall_low >= options->recall ? "" : ", less than asked for");
}

void dm_plan_explain(dm_plan *plan, const dm_index_options *options, uint32_t used) {
    if (options->method == DM_METHOD_EXACT) {
        snprintf(plan->reason, sizeof(plan->reason), "exact: asked for; it finds all");
    } else if (options->method != DM_METHOD_AUTO) {
        explain_fixed(plan, options);
    } else if (options->recall >= 1.0) {
        snprintf(plan->reason, sizeof(plan->reason), "exact: all of the nearest are asked for");
    } else if (used <= DM_PLAN_FEW) {
        snprintf(plan->reason, sizeof(plan->reason),
                 "exact: %u rows are no more than the %d that only a scan pays for", used,
                 (int)DM_PLAN_FEW);
    } else {
        explain_choice(plan, options);
    }
}
