/* plan_parts.h: what the planner's files share: the work of one planning, what is measured, what it costs. */
#ifndef DUALMEM_INDEX_PLAN_PARTS_H
#define DUALMEM_INDEX_PLAN_PARTS_H

#include "index/index_parts.h"

/* One planning. `order` holds rows in use, drawn without replacement: the held-out ones, then the sample, then the rest. */
typedef struct dm_planning {
    const dm_rows *rows;
    const dm_index_options *options;
    dm_team *team;
    dm_memory *account;
    uint32_t used;
    uint32_t held;   /* 0: too few rows to measure with */
    uint32_t sample; /* rows that the methods are compared on */
    uint32_t *order;
    uint32_t *mask;  /* [row] its slot, or DM_SLOT_NONE: not in the trial */
    double *kth;     /* [held-out row] cosine of the k-th nearest of the rows in the trial */
    uint32_t *hits;  /* [held-out row] of the last measurement; so are the two that follow */
    uint32_t *compared;
    uint32_t *rescored;
} dm_planning;

/* Of one method with one effort, over the held-out rows. */
typedef struct dm_measured {
    uint32_t effort;
    double recall;
    double recall_low; /* one-sided, 95 % */
    double compared;   /* mean a search */
    double rescored;
} dm_measured;

/* plan_measure.c. 0: no memory. */
int dm_planning_open(dm_planning *planning);
void dm_planning_close(dm_planning *planning);
/* plan_measure.c: the rows with order[first .. last) in use and no others. */
dm_rows dm_planning_rows(const dm_planning *planning, uint32_t first, uint32_t last);
/* plan_measure.c: the true nearest among these rows, and what the exact scan of them takes. */
int32_t dm_planning_find_truth(dm_planning *planning, const dm_rows *rows, dm_measured *measured, char *error,
                               size_t error_size);
/* plan_measure.c: the smallest effort of the ladder first, first * 1.15, ... last that reaches the recall, or, if none does,
 * the last. */
int32_t dm_planning_find_effort(dm_planning *planning, dm_index *trial, uint32_t first, uint32_t last, dm_measured *measured,
                                char *error, size_t error_size);
int dm_planning_reaches(const dm_planning *planning, const dm_measured *measured);

/* plan_cost.c: bytes of a scan within the cache that cost as much as one search. `rows`: in the index. */
double dm_cost_of_exact(uint32_t rows, uint32_t dim, double rescored);
double dm_cost_of_graph(uint32_t rows, uint32_t dim, const dm_measured *measured);
/* plan_cost.c: what a method that was measured on `sample` rows will take on `rows` of the kind. */
dm_measured dm_cost_extrapolate(dm_method method, const dm_measured *measured, uint32_t sample, uint32_t rows);
/* plan_cost.c: writes plan->reason. */
void dm_plan_explain(dm_plan *plan, const dm_index_options *options, uint32_t used);

/* Rows up to which an exact scan is not worth comparing with anything. */
enum { DM_PLAN_FEW = 500 };

#endif
