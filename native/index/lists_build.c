/* lists_build.c: rows in use -> basis -> centres -> lists -> codes -> what the codes are off by. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "index/lists_parts.h"
#include "index/neighbours.h"
#include "store/poison.h"

enum {
    POINTS_PER_LIST = 32, /* of the sample that the centres are made from */
    PAIRS = 1024          /* that the noise is measured on */
};

/* --- memory ------------------------------------------------------------------------------------------------------- */

/* What finding the basis needs. */
static int open_benches(dm_lists_build *build) {
    const uint32_t dim = build->lists->rows.dim;
    const size_t unit_bytes = DM_LISTS_BLOCK * dm_padded_dim(dim) * sizeof(float);
    build->bench_count = build->team != NULL ? dm_team_size(build->team) : 1;
    build->benches =
        dm_memory_allocate(build->account, build->bench_count * sizeof(dm_lists_bench), DM_CACHE_LINE, 0);
    for (uint32_t m = 0; build->benches != NULL && m < build->bench_count; m++) {
        dm_lists_bench *bench = &build->benches[m];
        bench->query.dim = dim;
        bench->query.wide = dm_memory_allocate(build->account, dm_padded_dim(dim) * sizeof(double), DM_CACHE_LINE, 0);
        bench->query.unit = dm_memory_allocate(build->account, dm_padded_dim(dim) * sizeof(float), DM_CACHE_LINE, 0);
        bench->units = dm_memory_allocate(build->account, unit_bytes, DM_CACHE_LINE, 0);
        if (bench->query.wide == NULL || bench->query.unit == NULL || bench->units == NULL) {
            return 0;
        }
        for (uint32_t i = 0; i < DM_LISTS_BLOCK; i++) {
            bench->unit_at[i] = bench->units + i * dm_padded_dim(dim);
        }
    }
    return build->benches != NULL;
}

/* What follows needs, once the inner dimension is known. */
static int complete_benches(dm_lists_build *build) {
    const dm_lists *lists = build->lists;
    const size_t padded = dm_padded_dim(lists->inner);
    const size_t places = dm_lists_panels_of(lists->list_count) * DM_PANEL_ROWS;
    for (uint32_t m = 0; m < build->bench_count; m++) {
        dm_lists_bench *bench = &build->benches[m];
        bench->inner = dm_memory_allocate(build->account, DM_LISTS_BLOCK * padded * sizeof(float), DM_CACHE_LINE, 0);
        bench->codes = dm_memory_allocate(build->account, dm_code_stride(lists->inner), DM_CACHE_LINE, 0);
        bench->estimates = dm_memory_allocate(build->account, places * sizeof(float), DM_CACHE_LINE, 0);
        bench->chosen = dm_memory_allocate(build->account, places * sizeof(uint32_t), DM_CACHE_LINE, 0);
        if (bench->inner == NULL || bench->codes == NULL || bench->estimates == NULL || bench->chosen == NULL) {
            return 0;
        }
        for (uint32_t i = 0; i < DM_LISTS_BLOCK; i++) {
            bench->inner_at[i] = lists->dims != 0 ? bench->inner + i * padded : bench->unit_at[i];
        }
    }
    return 1;
}

static void close_build(dm_lists_build *build) {
    dm_memory *account = build->account;
    for (uint32_t m = 0; build->benches != NULL && m < build->bench_count; m++) {
        dm_lists_bench *bench = &build->benches[m];
        dm_memory_free(account, bench->query.wide);
        dm_memory_free(account, bench->query.unit);
        dm_memory_free(account, bench->units);
        dm_memory_free(account, bench->inner);
        dm_memory_free(account, bench->codes);
        dm_memory_free(account, bench->estimates);
        dm_memory_free(account, bench->chosen);
    }
    dm_memory_free(account, build->benches);
    dm_memory_free(account, build->rows);
    dm_memory_free(account, build->assigned);
    dm_memory_free(account, build->fresh);
    dm_memory_free(account, build->points);
}

/* --- inner forms of many rows ------------------------------------------------------------------------------------- */

/* The inner forms of up to DM_LISTS_BLOCK rows, to bench->inner_at. */
static void take_block(const dm_lists *lists, dm_lists_bench *bench, const uint32_t *rows, uint32_t count) {
    const size_t padded = dm_padded_dim(lists->inner);
    for (uint32_t i = 0; i < count; i++) {
        dm_lists_unit(lists, &bench->query, rows[i], bench->units + i * dm_padded_dim(lists->rows.dim));
    }
    if (lists->dims != 0) { /* what lies behind the last dimension is zero from the allocation on */
        lists->gram->dots(bench->unit_at, count, lists->directions, lists->dims, dm_padded_dim(lists->rows.dim),
                          bench->inner, padded);
    }
}

static void take_points(void *context, uint32_t task, uint32_t member) {
    dm_lists_build *build = context;
    const dm_lists *lists = build->lists;
    dm_lists_bench *bench = &build->benches[member];
    const size_t padded = dm_padded_dim(lists->inner);
    const uint32_t first = task * DM_LISTS_BLOCK;
    const uint32_t left = build->point_count - first;
    const uint32_t count = left < DM_LISTS_BLOCK ? left : DM_LISTS_BLOCK;
    uint32_t rows[DM_LISTS_BLOCK] = {0};
    for (uint32_t i = 0; i < count; i++) {
        rows[i] = build->rows[dm_lists_draw(build->seed, first + i, build->point_count, lists->used)];
    }
    take_block(lists, bench, rows, count);
    for (uint32_t i = 0; i < count; i++) {
        memcpy(build->points + (first + i) * padded, bench->inner_at[i], padded * sizeof(float));
    }
}

static int draw_points(dm_lists_build *build) {
    const dm_lists *lists = build->lists;
    const size_t padded = dm_padded_dim(lists->inner);
    const uint64_t most = (uint64_t)lists->list_count * POINTS_PER_LIST;
    build->point_count = lists->used < most ? lists->used : (uint32_t)most;
    build->points =
        dm_memory_allocate(build->account, build->point_count * padded * sizeof(float), DM_CACHE_LINE, 0);
    if (build->points == NULL) {
        return 0;
    }
    dm_team_run(build->team, (build->point_count + DM_LISTS_BLOCK - 1) / DM_LISTS_BLOCK, take_points, build);
    return 1;
}

/* --- lists -------------------------------------------------------------------------------------------------------- */

static void assign_block(void *context, uint32_t task, uint32_t member) {
    dm_lists_build *build = context;
    const dm_lists *lists = build->lists;
    dm_lists_bench *bench = &build->benches[member];
    const uint32_t *fresh = build->fresh + task * DM_LISTS_BLOCK;
    const uint32_t left = build->fresh_count - task * DM_LISTS_BLOCK;
    const uint32_t count = left < DM_LISTS_BLOCK ? left : DM_LISTS_BLOCK;
    uint32_t rows[DM_LISTS_BLOCK] = {0};
    for (uint32_t i = 0; i < count; i++) {
        rows[i] = build->rows[fresh[i]];
    }
    take_block(lists, bench, rows, count);
    for (uint32_t i = 0; i < count; i++) {
        build->assigned[fresh[i]] = dm_lists_nearest(lists, bench, bench->inner_at[i]);
    }
}

/* Rows of `before`, if there is one, keep their lists; all others are fresh. 1, or 0: no memory. */
static int keep_assignments(dm_lists_build *build, const dm_lists *before) {
    const dm_lists *lists = build->lists;
    const uint32_t count = lists->rows.count;
    uint32_t *kept = dm_memory_allocate(build->account, count * sizeof(uint32_t), DM_CACHE_LINE, 0);
    build->assigned = dm_memory_allocate(build->account, lists->used * sizeof(uint32_t), DM_CACHE_LINE, 0);
    build->fresh = dm_memory_allocate(build->account, lists->used * sizeof(uint32_t), DM_CACHE_LINE, 0);
    const int done = kept != NULL && build->assigned != NULL && build->fresh != NULL;
    for (uint32_t list = 0; done && before != NULL && list < before->list_count; list++) {
        for (uint32_t place = before->begins[list]; place < before->begins[list + 1]; place++) {
            if (before->members[place] < count) {
                kept[before->members[place]] = list + 1; /* 0, as it was allocated: none */
            }
        }
    }
    for (uint32_t i = 0; done && i < lists->used; i++) {
        if (kept[build->rows[i]] != 0) {
            build->assigned[i] = kept[build->rows[i]] - 1;
        } else {
            build->fresh[build->fresh_count++] = i;
        }
    }
    dm_memory_free(build->account, kept);
    return done;
}

/* begins and members from the assignments: a counting sort. */
static void sort_members(const dm_lists_build *build) {
    dm_lists *lists = build->lists;
    for (uint32_t i = 0; i < lists->used; i++) {
        lists->begins[build->assigned[i] + 1]++;
    }
    for (uint32_t list = 0; list < lists->list_count; list++) {
        lists->begins[list + 1] += lists->begins[list];
    }
    for (uint32_t i = 0; i < lists->used; i++) {
        lists->members[lists->begins[build->assigned[i]]++] = build->rows[i];
    }
    for (uint32_t list = lists->list_count; list > 0; list--) { /* each begin had become the next one */
        lists->begins[list] = lists->begins[list - 1];
    }
    lists->begins[0] = 0;
}

static void encode_list(void *context, uint32_t list, uint32_t member) {
    dm_lists_build *build = context;
    const dm_lists *lists = build->lists;
    dm_lists_bench *bench = &build->benches[member];
    uint8_t *panel = lists->panels + lists->panel_begins[list] * lists->panel_bytes;
    for (uint32_t first = lists->begins[list]; first < lists->begins[list + 1]; first += DM_PANEL_ROWS) {
        const uint32_t left = lists->begins[list + 1] - first;
        const uint32_t count = left < DM_PANEL_ROWS ? left : DM_PANEL_ROWS;
        take_block(lists, bench, lists->members + first, count);
        dm_panel_clear(panel, lists->words);
        for (uint32_t i = 0; i < count; i++) {
            dm_code_facts facts =
                lists->coder->encode(bench->codes, bench->inner_at[i], lists->inner, DM_CODE_ROW_LEVELS);
            dm_panel_put(panel, i, bench->codes, facts.scale, lists->words);
        }
        panel += lists->panel_bytes;
    }
}

static int fill_lists(dm_lists_build *build, const dm_lists *before) {
    dm_lists *lists = build->lists;
    if (!keep_assignments(build, before)) {
        return 0;
    }
    dm_team_run(build->team, (build->fresh_count + DM_LISTS_BLOCK - 1) / DM_LISTS_BLOCK, assign_block, build);
    sort_members(build);
    if (!dm_lists_allocate_panels(lists, build->placement, build->account)) {
        return 0;
    }
    dm_team_run(build->team, lists->list_count, encode_list, build);
    return 1;
}

/* --- noise -------------------------------------------------------------------------------------------------------- */

/* The list that holds this place among members. */
static uint32_t list_at(const dm_lists *lists, uint32_t place) {
    uint32_t low = 0;
    uint32_t high = lists->list_count;
    while (high - low > 1) {
        const uint32_t middle = low + (high - low) / 2;
        if (lists->begins[middle] <= place) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

/* How far the code of the row at this place, with an exact query, is off from its cosine with the row before it, most
 * often one of the same list. */
static double error_at(const dm_lists_build *build, uint32_t place) {
    const dm_lists *lists = build->lists;
    dm_lists_bench *bench = &build->benches[0];
    const uint32_t list = list_at(lists, place);
    const uint32_t within = place - lists->begins[list];
    const uint8_t *panel =
        lists->panels + (lists->panel_begins[list] + within / DM_PANEL_ROWS) * lists->panel_bytes;
    const uint32_t other = lists->members[place > 0 ? place - 1 : lists->used - 1];
    const float scale = dm_panel_take(panel, within % DM_PANEL_ROWS, bench->codes, lists->words);
    if (!(lists->rows.inverse_norms[other] > 0.0f)) {
        return 0.0;
    }
    double estimate = 0.0;
    take_block(lists, bench, &other, 1); /* leaves the row in bench->query, too */
    for (uint32_t c = 0; c < lists->inner; c++) {
        estimate += (double)bench->inner_at[0][c] * (double)bench->codes[c];
    }
    return dm_neighbours_similarity(DM_SIMILARITY_COSINE, lists->query, &bench->query, &lists->rows,
                                    lists->members[place]) -
           estimate * (double)scale;
}

static double measure_noise(const dm_lists_build *build) {
    const uint32_t used = build->lists->used;
    const uint32_t pairs = used < PAIRS ? used : PAIRS;
    double squares = 0.0;
    for (uint32_t i = 0; i < pairs; i++) {
        const double error = error_at(build, dm_lists_draw(build->seed, i, pairs, used));
        squares += error * error;
    }
    return sqrt(squares / pairs);
}

/* --- making ------------------------------------------------------------------------------------------------------- */

static int list_rows(dm_lists_build *build) {
    const dm_rows *rows = &build->lists->rows;
    build->rows = dm_memory_allocate(build->account, build->lists->used * sizeof(uint32_t), DM_CACHE_LINE, 0);
    uint32_t listed = 0;
    for (uint32_t row = 0; build->rows != NULL && row < rows->count; row++) {
        if (rows->slots[row] != DM_SLOT_NONE) {
            build->rows[listed++] = row;
        }
    }
    return build->rows != NULL;
}

/* Twice the square root of their number: four times was no faster at the same recall, and takes more memory, because
 * every list ends in a panel that is not full (docs/explanation/lookup.md). */
static uint32_t usual_list_count(uint32_t used) {
    const uint32_t usual = (uint32_t)(2.0 * sqrt((double)used));
    const uint32_t most = used < DM_LISTS_MOST ? used : DM_LISTS_MOST;
    return usual < most ? usual : most;
}

/* 1, or 0: no memory. */
static int build_lists(dm_lists_build *build, const dm_lists_options *options) {
    dm_lists *lists = build->lists;
    const uint32_t list_count = options->list_count != 0 ? options->list_count : usual_list_count(lists->used);
    uint32_t dims = 0;
    if (!list_rows(build) || !open_benches(build) ||
        !dm_lists_find_basis(build, options->dims, &dims, &lists->basis, &lists->energy) ||
        !dm_lists_allocate(lists, list_count, dims, build->account)) {
        return 0;
    }
    dm_lists_take_directions(lists);
    if (!complete_benches(build) || !draw_points(build) || !dm_lists_find_centres(build) ||
        !fill_lists(build, NULL)) {
        return 0;
    }
    lists->noise = measure_noise(build);
    return 1;
}

static int32_t check_options(const dm_rows *rows, const dm_lists_options *options, uint32_t used, char *error,
                             size_t error_size) {
    if (used == 0 || rows->dim < 1 || rows->dim > DM_DIM_MAX) {
        snprintf(error, error_size, "lists take at least one row in use, of 1 to %d dimensions; there are %u, of %u",
                 (int)DM_DIM_MAX, used, rows->dim);
        return DM_ERROR_ARGUMENT;
    }
    if (options->list_count > used || options->list_count > DM_LISTS_MOST || options->dims > rows->dim) {
        snprintf(error, error_size,
                 "%u lists of %u dimensions were asked for; there are %u rows of %u, and at most %d lists",
                 options->list_count, options->dims, used, rows->dim, (int)DM_LISTS_MOST);
        return DM_ERROR_ARGUMENT;
    }
    return DM_OK;
}

static uint32_t count_used(const dm_rows *rows) {
    uint32_t used = 0;
    for (uint32_t row = 0; row < rows->count; row++) {
        used += rows->slots[row] != DM_SLOT_NONE;
    }
    return used;
}

static int32_t fail_without_memory(uint32_t used, char *error, size_t error_size) {
    snprintf(error, error_size, "no memory for lists of %u rows; use fewer rows", used);
    return DM_ERROR_MEMORY;
}

int32_t dm_lists_create(const dm_rows *rows, const dm_lists_options *options, dm_team *team, dm_memory *account,
                        dm_lists **lists, char *error, size_t error_size) {
    const uint32_t used = count_used(rows);
    *lists = NULL;
    const int32_t status = check_options(rows, options, used, error, error_size);
    if (status != DM_OK) {
        return status;
    }
    dm_lists *made = dm_lists_begin(rows, options->isa, account);
    int done = made != NULL;
    if (done) {
        made->used = used;
        dm_lists_build build = {
            .lists = made, .team = team, .account = account, .seed = options->seed, .placement = options->placement};
        done = build_lists(&build, options);
        close_build(&build);
    }
    if (!done) {
        dm_lists_destroy(made, account);
        return fail_without_memory(used, error, error_size);
    }
    *lists = made;
    return DM_OK;
}

/* --- following ---------------------------------------------------------------------------------------------------- */

/* More noise than so many times that of the rows that the directions were found for: the new ones lie elsewhere. */
static const double DRIFT = 1.25;

/* 1, or 0: no memory. */
static int follow_lists(dm_lists_build *build, const dm_lists *before) {
    dm_lists *lists = build->lists;
    const size_t basis_bytes = before->dims * dm_padded_dim(lists->rows.dim) * sizeof(float);
    lists->basis = before->dims != 0 ? dm_memory_allocate(build->account, basis_bytes, DM_CACHE_LINE, 0) : NULL;
    if ((before->dims != 0 && lists->basis == NULL) || !list_rows(build) || !open_benches(build) ||
        !dm_lists_allocate(lists, before->list_count, before->dims, build->account)) {
        return 0;
    }
    if (before->dims != 0) {
        memcpy(lists->basis, before->basis, basis_bytes);
    }
    memcpy(lists->centres, before->centres, dm_lists_panels_of(lists->list_count) * lists->panel_bytes);
    dm_lists_take_directions(lists);
    if (!complete_benches(build) || !fill_lists(build, before)) {
        return 0;
    }
    lists->energy = before->energy;
    lists->noise = measure_noise(build);
    return 1;
}

int32_t dm_lists_follow(const dm_lists *before, const dm_rows *rows, dm_isa isa, dm_team *team, dm_memory *account,
                        dm_lists **lists, char *error, size_t error_size) {
    const uint32_t used = count_used(rows);
    *lists = NULL;
    if (used < before->list_count) {
        return DM_OK;
    }
    dm_lists *made = dm_lists_begin(rows, isa, account);
    int done = made != NULL;
    if (done) {
        made->used = used;
        dm_lists_build build = {.lists = made, .team = team, .account = account};
        done = follow_lists(&build, before);
        close_build(&build);
    }
    if (!done) {
        dm_lists_destroy(made, account);
        return fail_without_memory(used, error, error_size);
    }
    if (made->noise > DRIFT * before->noise) {
        dm_lists_destroy(made, account);
        return DM_OK;
    }
    *lists = made;
    return DM_OK;
}
