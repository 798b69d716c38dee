/* plan_measure.c: how many of the true nearest does an index find, asked with rows that it does not hold?
 *
 * Rows that an index holds are too easy to ask with: a graph leads to each of its nodes. So some are left out and asked
 * for. Each search's counts are kept by query and added as whole numbers, so no sum depends on the team. */
#include <math.h>
#include <string.h>

#include "index/plan_parts.h"
#include "store/store.h"
#include "store/poison.h"

enum {
    HELD_MIN = 50,
    HELD_MAX = 500,
    HELD_SHARE = 5, /* one row in five */
    QUERIES_PER_TASK = 8
};

/* --- drawing ------------------------------------------------------------------------------------------------------ */

/* splitmix64 (Steele, Lea & Flood 2014). */
static uint64_t next_random(uint64_t *state) {
    uint64_t mixed = *state += UINT64_C(0x9e3779b97f4a7c15);
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ (mixed >> 31);
}

/* The rows in use, shuffled (Knuth, volume 2, 3.4.2, algorithm P). */
static void draw(dm_planning *planning) {
    uint64_t random = planning->options->seed;
    uint32_t listed = 0;
    for (uint32_t row = 0; row < planning->rows->count; row++) {
        if (planning->rows->slots[row] != DM_SLOT_NONE) {
            planning->order[listed++] = row;
        }
    }
    for (uint32_t i = 0; i < listed; i++) {
        const uint32_t other = i + (uint32_t)(next_random(&random) % (listed - i)); /* bias below 2^-36 */
        const uint32_t kept = planning->order[i];
        planning->order[i] = planning->order[other];
        planning->order[other] = kept;
    }
}

int dm_planning_open(dm_planning *planning) {
    dm_memory *account = planning->account;
    const uint32_t used = planning->used;
    uint32_t held = used / HELD_SHARE;
    held = held < HELD_MIN ? HELD_MIN : held > HELD_MAX ? HELD_MAX : held;
    planning->held = used >= 2 * held && used - held >= planning->options->k ? held : 0;
    planning->others = used - planning->held;
    planning->order = dm_memory_allocate(account, used * sizeof(uint32_t), DM_CACHE_LINE, 0);
    planning->mask = dm_memory_allocate(account, planning->rows->count * sizeof(uint32_t), DM_CACHE_LINE, 0);
    planning->kth = dm_memory_allocate(account, HELD_MAX * sizeof(double), DM_CACHE_LINE, 0);
    planning->hits = dm_memory_allocate(account, HELD_MAX * sizeof(uint32_t), DM_CACHE_LINE, 0);
    planning->compared = dm_memory_allocate(account, HELD_MAX * sizeof(uint32_t), DM_CACHE_LINE, 0);
    planning->rescored = dm_memory_allocate(account, HELD_MAX * sizeof(uint32_t), DM_CACHE_LINE, 0);
    const size_t answers = (size_t)HELD_MAX * planning->options->k;
    planning->answers = dm_memory_allocate(account, answers * sizeof(uint32_t), DM_CACHE_LINE, 0);
    planning->missed = dm_memory_allocate(account, answers, DM_CACHE_LINE, 0);
    planning->times_answer = dm_memory_allocate(account, planning->rows->count * sizeof(uint32_t), DM_CACHE_LINE, 0);
    planning->times_missed = dm_memory_allocate(account, planning->rows->count * sizeof(uint32_t), DM_CACHE_LINE, 0);
    if (planning->order == NULL || planning->mask == NULL || planning->kth == NULL || planning->hits == NULL ||
        planning->compared == NULL || planning->rescored == NULL || planning->answers == NULL ||
        planning->missed == NULL || planning->times_answer == NULL || planning->times_missed == NULL) {
        return 0;
    }
    draw(planning);
    return 1;
}

void dm_planning_close(dm_planning *planning) {
    dm_memory_free(planning->account, planning->order);
    dm_memory_free(planning->account, planning->mask);
    dm_memory_free(planning->account, planning->kth);
    dm_memory_free(planning->account, planning->hits);
    dm_memory_free(planning->account, planning->compared);
    dm_memory_free(planning->account, planning->rescored);
    dm_memory_free(planning->account, planning->answers);
    dm_memory_free(planning->account, planning->missed);
    dm_memory_free(planning->account, planning->times_answer);
    dm_memory_free(planning->account, planning->times_missed);
}

dm_rows dm_planning_rows(const dm_planning *planning, uint32_t first, uint32_t last) {
    dm_rows rows = *planning->rows;
    memset(planning->mask, 0xFF, rows.count * sizeof(uint32_t));
    _Static_assert(DM_SLOT_NONE == UINT32_MAX, "memset writes it");
    for (uint32_t i = first; i < last; i++) {
        planning->mask[planning->order[i]] = planning->rows->slots[planning->order[i]];
    }
    rows.slots = planning->mask;
    return rows;
}

/* --- asking ------------------------------------------------------------------------------------------------------- */

typedef struct asking {
    dm_planning *planning;
    const dm_index *trial;
    dm_index_scratch **scratches; /* [member] */
    uint32_t effort;
    int is_truth; /* 1: what is found is the truth; 0: it is compared with it */
} asking;

/* Which of the true nearest is found. */
static void note_missed(dm_planning *planning, uint32_t query, const dm_neighbour *found, uint32_t count) {
    const uint32_t k = planning->options->k;
    for (uint32_t i = 0; i < k; i++) {
        uint32_t j = 0;
        while (j < count && found[j].row != planning->answers[query * k + i]) {
            j++;
        }
        planning->missed[query * k + i] = j == count;
    }
}

static void ask_one(const asking *work, dm_index_scratch *scratch, uint32_t query) {
    dm_planning *planning = work->planning;
    dm_neighbour found[DM_EXACT_K_MAX];
    const float *values = planning->rows->values + planning->order[query] * planning->rows->stride;
    const uint32_t count = dm_index_search_at(work->trial, scratch, values, planning->options->k, work->effort, found);
    if (work->is_truth) {
        planning->kth[query] = found[count - 1].similarity;
        for (uint32_t i = 0; i < count; i++) {
            planning->answers[query * planning->options->k + i] = found[i].row;
        }
    }
    note_missed(planning, query, found, count);
    uint32_t hits = 0;
    for (uint32_t i = 0; i < count; i++) {
        hits += found[i].similarity >= planning->kth[query]; /* both exact: equal cosines have equal bits */
    }
    planning->hits[query] = hits;
    planning->compared[query] = dm_index_compared(scratch);
    planning->rescored[query] = dm_index_rescored(scratch);
}

static void ask_some(void *context, uint32_t task, uint32_t member) {
    const asking *work = context;
    const uint32_t begin = task * QUERIES_PER_TASK;
    for (uint32_t query = begin; query < begin + QUERIES_PER_TASK && query < work->planning->held; query++) {
        ask_one(work, work->scratches[member], query);
    }
}

/* What the variance of the hits is more than queries alone tell, times the number of queries squared: a row that is
 * missed is missed by every query that it answers, and the rows too are drawn. The variance in two ways (Cameron,
 * Gelbach & Miller 2011), by query and by answer, less what both count; this is the second and the third of them.
 * By cosine it is next to nothing; by inner product a few long rows answer most queries. */
static double vary_by_answer(dm_planning *planning) {
    const uint32_t total = planning->held * planning->options->k;
    uint64_t missed = 0;
    for (uint32_t i = 0; i < total; i++) {
        planning->times_answer[planning->answers[i]] = 0;
        planning->times_missed[planning->answers[i]] = 0;
    }
    for (uint32_t i = 0; i < total; i++) {
        planning->times_answer[planning->answers[i]]++;
        planning->times_missed[planning->answers[i]] += planning->missed[i];
        missed += planning->missed[i];
    }
    const double share = (double)missed / total;
    double sum = 0.0; /* in the order of the queries, so the same with any team */
    for (uint32_t i = 0; i < total; i++) {
        const uint32_t row = planning->answers[i];
        if (planning->times_answer[row] > 0) {
            const double off = planning->times_missed[row] - share * planning->times_answer[row];
            sum += off * off;
            planning->times_answer[row] = 0;
        }
    }
    return sum - total * share * (1.0 - share);
}

static dm_measured summarize(dm_planning *planning, uint32_t effort) {
    const double count = planning->held;
    const double k = planning->options->k;
    uint64_t hits = 0;
    uint64_t squares = 0;
    uint64_t compared = 0;
    uint64_t rescored = 0;
    for (uint32_t query = 0; query < planning->held; query++) {
        hits += planning->hits[query];
        squares += (uint64_t)planning->hits[query] * planning->hits[query];
        compared += planning->compared[query];
        rescored += planning->rescored[query];
    }
    const double mean = (double)hits / count;
    const double variance = ((double)squares - mean * (double)hits) / (count - 1.0);
    const double by_answer = vary_by_answer(planning) / (count * count);
    const double low = mean - 1.645 * sqrt(fmax(variance, 0.0) / count + fmax(by_answer, 0.0));
    return (dm_measured){.effort = effort,
                         .recall = mean / k,
                         .recall_low = fmax(low / k, 0.0),
                         .compared = (double)compared / count,
                         .rescored = (double)rescored / count};
}

static void ask(asking *work, uint32_t effort, dm_measured *measured) {
    work->effort = effort;
    dm_team_run(work->planning->team, (work->planning->held + QUERIES_PER_TASK - 1) / QUERIES_PER_TASK, ask_some, work);
    *measured = summarize(work->planning, effort);
}

static void close_asking(asking *work) {
    dm_memory *account = work->planning->account;
    for (uint32_t m = 0; work->scratches != NULL && m < dm_team_size(work->planning->team); m++) {
        dm_index_scratch_destroy(work->scratches[m], account);
    }
    dm_memory_free(account, work->scratches);
}

static int32_t open_asking(asking *work, dm_index *trial, char *error, size_t error_size) {
    dm_memory *account = work->planning->account;
    const uint32_t members = dm_team_size(work->planning->team);
    work->trial = trial;
    work->scratches = dm_memory_allocate(account, members * sizeof(*work->scratches), DM_CACHE_LINE, 0);
    int32_t status = work->scratches == NULL ? dm_fail(DM_ERROR_MEMORY, error, error_size,
                                                       "no memory for %u threads to plan",
                                                       members)
                                             : DM_OK;
    for (uint32_t m = 0; m < members && status == DM_OK; m++) {
        status = dm_index_scratch_create(trial, account, &work->scratches[m], error, error_size);
    }
    return status;
}

int32_t dm_planning_find_truth(dm_planning *planning, uint32_t count, dm_measured *measured, char *error,
                               size_t error_size) {
    const dm_rows rows = dm_planning_rows(planning, planning->held, planning->held + count);
    dm_index trial = {
        .rows = rows, .used = count, .isa = planning->options->isa, .similarity = planning->options->similarity};
    asking work = {.planning = planning, .is_truth = 1};
    int32_t status = dm_index_make_exact(&trial, &rows, 0, planning->account, error, error_size);
    if (status == DM_OK) {
        status = open_asking(&work, &trial, error, error_size);
    }
    if (status == DM_OK) {
        ask(&work, 0, measured);
    }
    close_asking(&work);
    dm_index_empty(&trial, planning->account);
    return status;
}

/* --- effort ------------------------------------------------------------------------------------------------------- */

int dm_planning_reaches(const dm_planning *planning, const dm_measured *measured) {
    return measured->recall_low >= planning->options->recall;
}

static uint32_t next_effort(uint32_t effort, uint32_t last) {
    const uint32_t next = effort + (effort * 3 + 19) / 20;
    return next < last ? next : last;
}

enum { RUNGS = 200 }; /* from 1 up by 15 %, at least 1, 2^32 is reached sooner */

/* In leaps that double, then by halves. Recall grows with the effort, except by chance; so where chance decides, the
 * rung found is one that reaches the recall and the one below does not. */
int32_t dm_planning_find_effort(dm_planning *planning, dm_index *trial, uint32_t first, uint32_t last,
                                dm_measured *measured,
                                char *error, size_t error_size) {
    asking work = {.planning = planning};
    uint32_t rungs[RUNGS] = {first};
    uint32_t top = 0;
    while (rungs[top] < last) {
        rungs[top + 1] = next_effort(rungs[top], last);
        top++;
    }
    int32_t status = open_asking(&work, trial, error, error_size);
    uint32_t low = 0; /* all below fail */
    uint32_t high = 0;
    for (uint32_t leap = 1; status == DM_OK; leap *= 2) {
        ask(&work, rungs[high], measured);
        if (dm_planning_reaches(planning, measured) || high == top) {
            break;
        }
        low = high + 1;
        high = top - high < leap ? top : high + leap;
    }
    dm_measured tried = *measured;
    while (status == DM_OK && low < high && dm_planning_reaches(planning, measured)) {
        const uint32_t middle = low + (high - low) / 2;
        ask(&work, rungs[middle], &tried);
        if (dm_planning_reaches(planning, &tried)) {
            high = middle;
            *measured = tried;
        } else {
            low = middle + 1;
        }
    }
    close_asking(&work);
    return status;
}
