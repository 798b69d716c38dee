/* plan_parts.h: what the planner's files share: the work of one planning, what is measured, what it costs. */
#ifndef DUALMEM_INDEX_PLAN_PARTS_H
#define DUALMEM_INDEX_PLAN_PARTS_H

#include "index/index_parts.h"

/* One planning. `order` holds rows in use, drawn without replacement: those held out, then the others. A trial holds
 * the first so many of the others. */
typedef struct dm_planning {
    const dm_rows *rows;
    const dm_index_options *options;
    dm_team *team;
    dm_memory *account;
    uint32_t used;
    uint32_t held;   /* 0: too few rows to measure with */
    uint32_t others;
    uint32_t *order;
    uint32_t *mask;  /* [row] its slot, or DM_SLOT_NONE: not in the trial */
    double *kth;     /* [held-out row] cosine of the k-th nearest of the rows in the trial */
    uint32_t *hits;  /* [held-out row] of the last measurement; so are the two that follow */
    uint32_t *compared;
    uint32_t *rescored;
    uint32_t *answers; /* [held-out row][k] its true nearest */
    uint8_t *missed;   /* [held-out row][k] 1: not found by the last measurement */
    uint32_t *times_answer; /* [row], of all `answers`; only theirs are kept up to date, here and in the next */
    uint32_t *times_missed;
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
/* plan_measure.c: the rows with order[first .. last) in use and no others; valid until the next call. */
dm_rows dm_planning_rows(const dm_planning *planning, uint32_t first, uint32_t last);
/* plan_measure.c: the true nearest among the first `count` others, and what the exact scan of them takes. */
int32_t dm_planning_find_truth(dm_planning *planning, uint32_t count, dm_measured *measured, char *error,
                               size_t error_size);
/* plan_measure.c: the smallest effort of the ladder first, first * 1.15, ... last that reaches the recall, or, if
 * none does, the last. The trial holds the rows that the truth was found for. */
int32_t dm_planning_find_effort(dm_planning *planning, dm_index *trial, uint32_t first, uint32_t last,
                                dm_measured *measured,
                                char *error, size_t error_size);
int dm_planning_reaches(const dm_planning *planning, const dm_measured *measured);

/* plan_cost.c: bytes of a scan within the cache that cost as much as one search of an index of so many rows; NaN: it
 * does not reach the recall. */
double dm_plan_cost(const dm_planning *planning, const dm_index *index, uint32_t rows, const dm_measured *measured);
/* plan_cost.c: what will be measured on `rows` rows after it was measured on a quarter of a sample and on all of it. */
dm_measured dm_plan_extrapolate(const dm_measured *quarter, const dm_measured *measured, uint32_t sample,
                                uint32_t rows);
/* plan_cost.c: writes plan->reason. */
void dm_plan_explain(dm_plan *plan, const dm_index_options *options, uint32_t used);

/* Rows up to which an exact scan is not worth comparing with anything. */
enum { DM_PLAN_FEW = 500 };

#endif
