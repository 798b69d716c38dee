/* lists_centres.c: spherical k-means (Dhillon & Modha 2001) on a sample of inner forms.
 *
 * Deterministic: the first centres are drawn by the seed, dot products are gram's, and each centre is the sum of its
 * points in ascending order, in double, whichever member of the team makes it. */
#include <math.h>
#include <string.h>

#include "index/lists_parts.h"
#include "store/poison.h"

enum { TURNS = 8, BLOCK = DM_LISTS_BLOCK };

typedef struct division {
    dm_lists_build *build;
    uint32_t *list_of; /* [point] */
    uint32_t *begins;  /* [list] of its points among `order`; one more */
    uint32_t *order;   /* points, list by list, ascending */
    double *sums;      /* a padded inner form for each member of the team */
} division;

uint32_t dm_lists_nearest(const float *dots, uint32_t count) {
    uint32_t nearest = 0;
    float best = dots[0];
    for (uint32_t c = 1; c < count; c++) {
        nearest = dots[c] > best ? c : nearest;
        best = dots[c] > best ? dots[c] : best;
    }
    return nearest;
}

static void divide_block(void *context, uint32_t task, uint32_t member) {
    const division *work = context;
    const dm_lists_build *build = work->build;
    const dm_lists *lists = build->lists;
    const uint32_t first = task * BLOCK;
    const uint32_t count = build->point_count - first < BLOCK ? build->point_count - first : BLOCK;
    float *dots = build->benches[member].dots;
    lists->gram->dots(build->point_at + first, count, build->centre_at, lists->list_count, dm_padded_dim(lists->inner),
                      dots, lists->list_count);
    for (uint32_t i = 0; i < count; i++) {
        work->list_of[first + i] = dm_lists_nearest(dots + (size_t)i * lists->list_count, lists->list_count);
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
    float *centre = work->build->centres + list * padded;
    double *sums = work->sums + member * padded;
    double squares = 0.0;
    memset(sums, 0, padded * sizeof(double));
    for (uint32_t i = work->begins[list]; i < work->begins[list + 1]; i++) {
        const float *point = work->build->point_at[work->order[i]];
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
static void draw_centres(dm_lists_build *build) {
    const size_t padded = dm_padded_dim(build->lists->inner);
    for (uint32_t list = 0; list < build->lists->list_count; list++) {
        const uint32_t point = dm_lists_draw(build->seed, list, build->lists->list_count, build->point_count);
        memcpy(build->centres + list * padded, build->point_at[point], padded * sizeof(float));
        build->centre_at[list] = build->centres + list * padded;
    }
}

int dm_lists_find_centres(dm_lists_build *build) {
    const uint32_t list_count = build->lists->list_count;
    const uint32_t points = build->point_count;
    dm_memory *account = build->account;
    division work = {.build = build};
    work.list_of = dm_memory_allocate(account, points * sizeof(uint32_t), DM_CACHE_LINE, 0);
    work.order = dm_memory_allocate(account, points * sizeof(uint32_t), DM_CACHE_LINE, 0);
    work.begins = dm_memory_allocate(account, ((size_t)list_count + 1) * sizeof(uint32_t), DM_CACHE_LINE, 0);
    work.sums = dm_memory_allocate(account, build->bench_count * dm_padded_dim(build->lists->inner) * sizeof(double),
                                   DM_CACHE_LINE, 0);
    const int made = work.list_of != NULL && work.order != NULL && work.begins != NULL && work.sums != NULL;
    if (made) {
        draw_centres(build);
        for (int turn = 0; turn < TURNS; turn++) {
            dm_team_run(build->team, (points + BLOCK - 1) / BLOCK, divide_block, &work);
            sort_points(&work);
            dm_team_run(build->team, list_count, move_centre, &work);
        }
    }
    dm_memory_free(account, work.list_of);
    dm_memory_free(account, work.order);
    dm_memory_free(account, work.begins);
    dm_memory_free(account, work.sums);
    return made;
}
