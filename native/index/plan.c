/* plan.c: which method, and with what effort?
 *
 * 1. A recall of 1, or few rows: the exact scan, at once.
 * 2. Some rows are held out (plan_measure.c). Lists and a graph index a sample of the others, first a quarter of it,
 *    and the smallest effort that reaches the recall is looked for. What a search then looks at, and how that grew
 *    with the sample, is carried forward to all rows; a scan's cost is known without trying (plan_cost.c).
 * 3. Methods that are expected to cost less than the best so far, three quarters of the scan to begin with, index all
 *    rows but those held out, the cheapest first, and are measured again. The cheapest then takes in the rows held
 *    out: a graph links them, and is searched with a somewhat longer list; lists are made anew, as many and of the same
 *    dimensions.
 *
 * A graph grows from its sample, so nothing is built twice where the graph is chosen; where it is not, a graph of a
 * few thousand rows was built in vain. The sample is linked by one thread, so what is expected of each method is the
 * same for any team. Beyond, the team takes part; the graph, and with it its effort, is then that of the day. */
#include <math.h>
#include <string.h>

#include "index/plan_parts.h"
#include "store/store.h"
#include "store/poison.h"

/* What finds some is taken if it costs at most so much of what the scan costs, which finds all. */
static const double WORTH = 0.75;

enum { SAMPLE = 2500, SAMPLE_PER_K = 50, STEPS_MAX = 3 };

/* A method that is tried. */
typedef struct candidate {
    dm_index index;    /* of the first `size` others */
    uint32_t size;
    dm_measured found; /* with them */
    double cost;       /* of a search among all rows: expected, then measured */
} candidate;

static uint32_t sample_of(const dm_planning *planning) {
    const uint32_t k = planning->options->k;
    const uint32_t wanted = k * SAMPLE_PER_K > SAMPLE ? k * SAMPLE_PER_K : SAMPLE;
    return wanted < planning->others ? wanted : planning->others;
}

/* --- building ----------------------------------------------------------------------------------------------------- */

/* The sizes that a graph has on its way to all others, whatever is measured at which of them: so the graph does not
 * depend on that. Returns how many. */
static uint32_t list_steps(const dm_planning *planning, uint32_t *sizes) {
    const uint32_t sample = sample_of(planning);
    uint32_t count = 0;
    if (sample < planning->others) {
        sizes[count++] = sample / 4;
        sizes[count++] = sample;
    }
    sizes[count++] = planning->others;
    return count;
}

/* The team that links a graph of so many rows; NULL: the caller alone. */
static dm_team *linkers(const dm_planning *planning, uint32_t size) {
    return size <= sample_of(planning) ? NULL : planning->team;
}

static int32_t grow_graph(const dm_planning *planning, candidate *tried, uint32_t size, char *error,
                          size_t error_size) {
    uint32_t sizes[STEPS_MAX];
    const uint32_t steps = list_steps(planning, sizes);
    int32_t status = DM_OK;
    for (uint32_t i = 0; i < steps && status == DM_OK; i++) {
        if (sizes[i] <= tried->size || sizes[i] > size) {
            continue;
        }
        const dm_rows rows = dm_planning_rows(planning, planning->held, planning->held + sizes[i]);
        status = dm_graph_build(tried->index.graph, &rows, linkers(planning, sizes[i]), planning->account, error,
                                error_size);
        tried->size = sizes[i];
    }
    return status;
}

/* list_count and dims: as in lists.h. */
static int32_t make_lists(const dm_planning *planning, dm_index *index, const dm_rows *rows, uint32_t list_count,
                          uint32_t dims, char *error, size_t error_size) {
    const dm_lists_options options = {.list_count = list_count,
                                      .dims = dims,
                                      .seed = planning->options->seed,
                                      .placement = planning->options->placement,
                                      .isa = index->isa};
    dm_index_empty(index, planning->account);
    return dm_lists_create(rows, &options, planning->team, planning->account, &index->lists, error, error_size);
}

static int32_t open_candidate(const dm_planning *planning, dm_method method, candidate *tried, char *error,
                              size_t error_size) {
    const dm_graph_options options = {.capacity = planning->options->capacity,
                                      .ef_construction = DM_GRAPH_EF_CONSTRUCTION,
                                      .seed = planning->options->seed,
                                      .placement = planning->options->placement,
                                      .similarity = planning->options->similarity};
    *tried = (candidate){.index = {.rows = *planning->rows,
                                   .used = planning->used,
                                   .isa = planning->options->isa,
                                   .similarity = planning->options->similarity}};
    tried->index.plan.method = method;
    return method != DM_METHOD_GRAPH ? DM_OK
                                     : dm_graph_create(dm_index_graph_variant(tried->index.isa), planning->rows,
                                                       &options,
                                                       planning->account, &tried->index.graph, error, error_size);
}

/* Makes it an index of the first `size` others. */
static int32_t cover(const dm_planning *planning, candidate *tried, uint32_t size, char *error, size_t error_size) {
    if (tried->index.plan.method == DM_METHOD_GRAPH) {
        return grow_graph(planning, tried, size, error, error_size);
    }
    /* Lists that are not made anew must not hold on to the mask. */
    const dm_rows rows = planning->held == 0 ? *planning->rows
                                             : dm_planning_rows(planning, planning->held, planning->held + size);
    tried->size = size;
    return make_lists(planning, &tried->index, &rows, 0, 0, error, error_size);
}

/* Makes it an index of all rows. */
static int32_t take_in_held(const dm_planning *planning, candidate *tried, char *error, size_t error_size) {
    if (tried->index.plan.method == DM_METHOD_GRAPH) {
        const dm_rows rows = dm_planning_rows(planning, 0, planning->held);
        return dm_graph_build(tried->index.graph, &rows, linkers(planning, planning->others), planning->account, error,
                              error_size);
    }
    const uint32_t count = dm_lists_count(tried->index.lists);
    const uint32_t dims = dm_lists_dims(tried->index.lists);
    return planning->held == 0 ? DM_OK
                               : make_lists(planning, &tried->index, planning->rows, count,
                                            dims != 0 ? dims : planning->rows->dim, error, error_size);
}

static int32_t take_exact(const dm_planning *planning, dm_index *index, char *error, size_t error_size) {
    index->plan.effort = 0;
    index->plan.recall = 1.0;
    index->plan.recall_low = 1.0;
    return dm_index_make_exact(index, planning->rows, planning->options->placement, planning->account, error,
                               error_size);
}

/* What was tried becomes the index. */
static int32_t take(const dm_planning *planning, dm_index *index, candidate *tried, char *error, size_t error_size) {
    const int32_t status = take_in_held(planning, tried, error, error_size);
    dm_plan *plan = &index->plan;
    plan->method = tried->index.plan.method;
    plan->effort = tried->found.effort;
    plan->held_out = planning->held;
    plan->recall = tried->found.recall;
    plan->recall_low = tried->found.recall_low;
    index->lists = tried->index.lists;
    index->graph = tried->index.graph;
    tried->index.lists = NULL;
    tried->index.graph = NULL;
    if (index->lists != NULL) {
        plan->dims = dm_lists_dims(index->lists);
        plan->list_count = dm_lists_count(index->lists);
    }
    return status;
}

/* --- measuring ---------------------------------------------------------------------------------------------------- */

/* A graph will be searched among the rows held out as well, where a list of the same length holds a smaller share of
 * what is near: of 40 plans for 1,000 real rows 4 found less than was asked for. So the list becomes longer by the
 * square root of the growth, by which none of 40 did; by the growth itself was more than it takes. Coarse lists need
 * not: they grow with the rows. */
static void lengthen(const dm_planning *planning, dm_measured *found) {
    const double growth = sqrt((double)planning->used / (double)planning->others);
    const double effort = ceil((double)found->effort * growth);
    found->effort = effort < DM_GRAPH_EF_MAX ? (uint32_t)effort : DM_GRAPH_EF_MAX;
    found->compared *= growth;
}

/* Of an index of `size` others, for which the truth is known. */
static int32_t measure(dm_planning *planning, candidate *tried, uint32_t size, char *error, size_t error_size) {
    int32_t status = cover(planning, tried, size, error, error_size);
    if (status != DM_OK) {
        return status;
    }
    const int is_graph = tried->index.plan.method == DM_METHOD_GRAPH;
    const uint32_t first = is_graph ? planning->options->k : 1;
    const uint32_t last = is_graph ? DM_GRAPH_EF_MAX : dm_lists_count(tried->index.lists);
    status = dm_planning_find_effort(planning, &tried->index, first, last, &tried->found, error, error_size);
    if (is_graph && size == planning->others) {
        lengthen(planning, &tried->found);
    }
    return status;
}

enum { TRIED = 2 };

static int can_be_tried(const dm_planning *planning, const candidate *tried) {
    return tried->index.plan.method == DM_METHOD_GRAPH || planning->options->similarity == DM_SIMILARITY_COSINE;
}

static int32_t measure_all(dm_planning *planning, candidate *tried, uint32_t size, dm_measured *exact, char *error,
                           size_t error_size) {
    int32_t status = dm_planning_find_truth(planning, size, exact, error, error_size);
    for (int i = 0; i < TRIED && status == DM_OK; i++) {
        if (can_be_tried(planning, &tried[i])) {
            status = measure(planning, &tried[i], size, error, error_size);
        }
    }
    return status;
}

/* Expected costs with all rows. */
static int32_t expect(dm_planning *planning, candidate *tried, dm_measured *exact, char *error, size_t error_size) {
    const uint32_t sample = sample_of(planning);
    dm_measured quarter[TRIED] = {{0}};
    int32_t status = DM_OK;
    if (sample < planning->others) {
        status = measure_all(planning, tried, sample / 4, exact, error, error_size);
        for (int i = 0; i < TRIED; i++) {
            quarter[i] = tried[i].found;
        }
    }
    if (status == DM_OK) {
        status = measure_all(planning, tried, sample, exact, error, error_size);
    }
    for (int i = 0; i < TRIED && status == DM_OK; i++) {
        if (!can_be_tried(planning, &tried[i])) {
            tried[i].cost = (double)NAN;
            continue;
        }
        const dm_measured found = sample < planning->others
                                      ? dm_plan_extrapolate(&quarter[i], &tried[i].found, sample, planning->used)
                                      : tried[i].found;
        tried[i].cost = dm_plan_cost(planning, &tried[i].index, planning->used, &found);
    }
    return status;
}

/* The cheapest that costs less than that, or NULL. */
static candidate *cheapest(candidate *tried, double least) {
    candidate *best = NULL;
    for (int i = 0; i < TRIED; i++) {
        if (tried[i].cost < least) { /* not if it is NaN */
            best = &tried[i];
            least = tried[i].cost;
        }
    }
    return best;
}

/* Indexes all others by whatever is expected to cost less than the best, and than `most`; *best is the cheapest then,
 * or NULL: none does. */
static int32_t confirm(dm_planning *planning, candidate *tried, double most, candidate **best, char *error,
                       size_t error_size) {
    dm_measured exact;
    int32_t status = DM_OK;
    for (*best = cheapest(tried, most); *best != NULL && (*best)->size < planning->others && status == DM_OK;
         *best = cheapest(tried, most)) {
        if (tried[0].size < planning->others && tried[1].size < planning->others) {
            status = dm_planning_find_truth(planning, planning->others, &exact, error, error_size);
        }
        if (status == DM_OK) {
            status = measure(planning, *best, planning->others, error, error_size);
            (*best)->cost = dm_plan_cost(planning, &(*best)->index, planning->used, &(*best)->found);
        }
    }
    return status;
}

static int32_t choose(dm_planning *planning, dm_index *index, char *error, size_t error_size) {
    candidate tried[TRIED] = {{.size = 0}};
    candidate *best = NULL;
    dm_measured exact = {0};
    double *costs = index->plan.costs;
    int32_t status = open_candidate(planning, DM_METHOD_LISTS, &tried[0], error, error_size);
    if (status == DM_OK) {
        status = open_candidate(planning, DM_METHOD_GRAPH, &tried[1], error, error_size);
    }
    if (status == DM_OK) {
        status = expect(planning, tried, &exact, error, error_size);
    }
    if (status == DM_OK) {
        const dm_index scan = {.plan = {.method = DM_METHOD_EXACT}};
        exact.recall_low = 1.0;
        costs[DM_METHOD_EXACT] = dm_plan_cost(planning, &scan, planning->used, &exact);
        status = confirm(planning, tried, WORTH * costs[DM_METHOD_EXACT], &best, error, error_size);
        costs[DM_METHOD_LISTS] = tried[0].cost;
        costs[DM_METHOD_GRAPH] = tried[1].cost;
    }
    if (status == DM_OK) {
        index->plan.held_out = planning->held;
        status = best != NULL ? take(planning, index, best, error, error_size)
                              : take_exact(planning, index, error, error_size);
    }
    dm_index_empty(&tried[0].index, planning->account);
    dm_index_empty(&tried[1].index, planning->account);
    return status;
}

/* --- fixed methods ------------------------------------------------------------------------------------------------ */

/* Every row within reach: where there are too few to measure with. */
static dm_measured with_all(const dm_planning *planning, const candidate *tried) {
    const uint32_t ef = planning->used < DM_GRAPH_EF_MAX ? planning->used : DM_GRAPH_EF_MAX;
    return (dm_measured){.effort = tried->index.lists != NULL    ? dm_lists_count(tried->index.lists)
                                   : ef > planning->options->k ? ef
                                                               : planning->options->k,
                         .recall = (double)NAN,
                         .recall_low = (double)NAN};
}

static int32_t make_fixed(dm_planning *planning, dm_index *index, char *error, size_t error_size) {
    const dm_method method = planning->options->method;
    candidate tried;
    dm_measured exact;
    int32_t status = open_candidate(planning, method, &tried, error, error_size);
    if (status == DM_OK && planning->held == 0) {
        status = cover(planning, &tried, planning->others, error, error_size);
        tried.found = with_all(planning, &tried);
    } else if (status == DM_OK) {
        status = dm_planning_find_truth(planning, planning->others, &exact, error, error_size);
        if (status == DM_OK) {
            status = measure(planning, &tried, planning->others, error, error_size);
            index->plan.costs[method] = dm_plan_cost(planning, &tried.index, planning->used, &tried.found);
        }
    }
    if (status == DM_OK) {
        status = take(planning, index, &tried, error, error_size);
    }
    dm_index_empty(&tried.index, planning->account);
    return status;
}

int32_t dm_plan_make(dm_index *index, const dm_index_options *options, dm_team *team, dm_memory *account, char *error,
                     size_t error_size) {
    dm_planning planning = {.rows = &index->rows, .options = options, .team = team, .account = account,
                            .used = index->used};
    int32_t status = DM_OK;
    for (int method = 0; method < DM_METHOD_COUNT; method++) {
        index->plan.costs[method] = (double)NAN;
    }
    if (!dm_planning_open(&planning)) {
        status = dm_fail(DM_ERROR_MEMORY, error, error_size, "no memory to plan an index of %u rows",
                         index->rows.count);
    } else if (options->method == DM_METHOD_EXACT ||
               (options->method == DM_METHOD_AUTO && (options->recall >= 1.0 || planning.used <= DM_PLAN_FEW))) {
        status = take_exact(&planning, index, error, error_size);
    } else if (options->method == DM_METHOD_AUTO) {
        status = choose(&planning, index, error, error_size);
    } else {
        status = make_fixed(&planning, index, error, error_size);
    }
    dm_planning_close(&planning);
    if (status == DM_OK) {
        dm_plan_explain(&index->plan, options, index->used);
    }
    return status;
}
