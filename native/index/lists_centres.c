/* lists_centres.c: spherical k-means (Dhillon & Modha 2001) on a sample of inner forms.
 *
 * Points are compared with the centres as queries are, by their codes: it is what a search will see, and for 1,264
 * centres of 32 dimensions much less work than dot products of floats. Deterministic: the first centres are drawn by
 * the seed, the estimates have the same bits everywhere, and each centre is the sum of its points in ascending order,
 * in double, whichever member of the team makes it. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "index/lists_parts.h"
#include "store/poison.h"

enum { TURNS = 8, BLOCK = DM_LISTS_BLOCK, GROUPS = 64 };

typedef struct division {
    dm_lists_build *build;
    float *centres;    /* padded, of norm 1 */
    uint32_t *list_of; /* [point] */
    uint32_t *begins;  /* [list] of its points among `order`; one more */
    uint32_t *order;   /* points, list by list, ascending */
    double *sums;      /* a padded inner form for each member of the team */
} division;

uint32_t dm_lists_nearest(const dm_lists *lists, dm_lists_bench *bench, const float *inner) {
    const uint32_t count = lists->list_count;
    const dm_code_facts facts = lists->coder->encode(bench->codes, inner, lists->inner, DM_CODE_QUERY_LEVELS);
    const dm_weights weights = {.values = bench->codes, .sum = facts.sum, .scale = facts.scale};
    float peaks[GROUPS];
    float best = -FLT_MAX;
    lists->scan->scan(lists->centres, dm_lists_panels_of(count), lists->words, &weights, bench->estimates);
    lists->choose->peaks(bench->estimates, count, -FLT_MAX, peaks, GROUPS);
    for (uint32_t group = 0; group < GROUPS; group++) {
        best = peaks[group] > best ? peaks[group] : best;
    }
    (void)lists->choose->at_least(bench->estimates, count, best, bench->chosen);
    return bench->chosen[0];
}

static void divide_block(void *context, uint32_t task, uint32_t member) {
    const division *work = context;
    const dm_lists_build *build = work->build;
    const size_t padded = dm_padded_dim(build->lists->inner);
    for (uint32_t i = task * BLOCK; i < build->point_count && i < (task + 1) * BLOCK; i++) {
        work->list_of[i] = dm_lists_nearest(build->lists, &build->benches[member], build->points + i * padded);
    }
}

/* Counting sort of the points by their lists. */
static void sort_points(division *work) {
    const uint32_t list_count = work->build->lists->list_count;
    const uint32_t point_count = work->build->point_count;
    memset(work->begins, 0, ((size_t)list_count + 1) * sizeof(uint32_t));
    for (uint32_t i = 0; i < point_count; i++) {
        work->begins[work->list_of[i] + 1]++;
    }
    for (uint32_t list = 0; list < list_count; list++) {
        work->begins[list + 1] += work->begins[list];
    }
    for (uint32_t i = 0; i < point_count; i++) {
        work->order[work->begins[work->list_of[i]]++] = i;
    }
    for (uint32_t list = list_count; list > 0; list--) { /* each begin had become the next one */
        work->begins[list] = work->begins[list - 1];
    }
    work->begins[0] = 0;
}

/* A list without points, or whose points add up to nothing, keeps its centre. */
static void move_centre(void *context, uint32_t list, uint32_t member) {
    const division *work = context;
    const size_t padded = dm_padded_dim(work->build->lists->inner);
    float *centre = work->centres + list * padded;
    double *sums = work->sums + member * padded;
    double squares = 0.0;
    memset(sums, 0, padded * sizeof(double));
    for (uint32_t i = work->begins[list]; i < work->begins[list + 1]; i++) {
        const float *point = work->build->points + work->order[i] * padded;
        for (size_t c = 0; c < padded; c++) {
            sums[c] += (double)point[c];
        }
    }
    for (size_t c = 0; c < padded; c++) {
        squares += sums[c] * sums[c];
    }
    if (squares > 1e-12) {
        for (size_t c = 0; c < padded; c++) {
            centre[c] = (float)(sums[c] / sqrt(squares));
        }
    }
}

/* The first centres: points drawn without repetition. */
static void draw_centres(const division *work) {
    const dm_lists_build *build = work->build;
    const size_t padded = dm_padded_dim(build->lists->inner);
    for (uint32_t list = 0; list < build->lists->list_count; list++) {
        const uint32_t point = dm_lists_draw(build->seed, list, build->lists->list_count, build->point_count);
        memcpy(work->centres + list * padded, build->points + point * padded, padded * sizeof(float));
    }
}

static void encode_centres(const division *work) {
    const dm_lists *lists = work->build->lists;
    const size_t padded = dm_padded_dim(lists->inner);
    int8_t *codes = work->build->benches[0].codes;
    for (uint32_t list = 0; list < lists->list_count; list++) {
        uint8_t *panel = lists->centres + list / DM_PANEL_ROWS * lists->panel_bytes;
        if (list % DM_PANEL_ROWS == 0) {
            dm_panel_clear(panel, lists->words);
        }
        const float *centre = work->centres + list * padded;
        dm_code_facts facts = lists->coder->encode(codes, centre, lists->inner, DM_CODE_ROW_LEVELS);
        dm_panel_put(panel, list % DM_PANEL_ROWS, codes, facts.scale, lists->words);
    }
}

static void iterate(division *work) {
    dm_lists_build *build = work->build;
    draw_centres(work);
    encode_centres(work);
    for (int turn = 0; turn < TURNS; turn++) {
        dm_team_run(build->team, (build->point_count + BLOCK - 1) / BLOCK, divide_block, work);
        sort_points(work);
        dm_team_run(build->team, build->lists->list_count, move_centre, work);
        encode_centres(work);
    }
}

int dm_lists_find_centres(dm_lists_build *build) {
    const size_t list_count = build->lists->list_count;
    const size_t points = build->point_count;
    const size_t padded = dm_padded_dim(build->lists->inner);
    dm_memory *account = build->account;
    division work = {.build = build};
    work.centres = dm_memory_allocate(account, list_count * padded * sizeof(float), DM_CACHE_LINE, 0);
    work.list_of = dm_memory_allocate(account, points * sizeof(uint32_t), DM_CACHE_LINE, 0);
    work.order = dm_memory_allocate(account, points * sizeof(uint32_t), DM_CACHE_LINE, 0);
    work.begins = dm_memory_allocate(account, (list_count + 1) * sizeof(uint32_t), DM_CACHE_LINE, 0);
    work.sums = dm_memory_allocate(account, build->bench_count * padded * sizeof(double), DM_CACHE_LINE, 0);
    const int made = work.centres != NULL && work.list_of != NULL && work.order != NULL && work.begins != NULL &&
                     work.sums != NULL;
    if (made) {
        iterate(&work);
    }
    dm_memory_free(account, work.centres);
    dm_memory_free(account, work.list_of);
    dm_memory_free(account, work.order);
    dm_memory_free(account, work.begins);
    dm_memory_free(account, work.sums);
    return made;
}
