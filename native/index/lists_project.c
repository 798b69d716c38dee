/* lists_project.c: the principal components that hold nearly all of the rows' squared norm, or the finding that there
 * are none so few.
 *
 * Simultaneous iteration on a sample (Halko, Martinsson & Tropp 2011, "Finding structure with randomness", algorithm
 * 4.4): a random basis is multiplied with X'X and made orthonormal, a few times, without X'X ever being made. As every
 * vector is made orthogonal to those before it, the first d vectors of the basis iterate as a basis of d would, so one
 * run serves all numbers of dimensions. What a basis keeps is measured on other rows than it was made from: a few rows
 * lie in few dimensions, whatever they are drawn from.
 *
 * Every dot product is gram's, with the same bits everywhere, and a task's rows do not depend on the team. */
#include <math.h>
#include <string.h>

#include "index/lists_parts.h"
#include "store/poison.h"

enum { SAMPLE = 4096, ITERATIONS = 6, BLOCK = 16 };

static const uint32_t CHOICES[] = {32, 48, 64, 96, 128};
enum { CHOICE_COUNT = sizeof(CHOICES) / sizeof(CHOICES[0]) };

/* What the left-out dimensions may hold: with 1e-3 a cosine changes by 1e-3 at the most, which is less than what 7 bits
 * of the query change it by. */
static const double LOSS = 1e-3;

typedef struct matrix {
    float *values;
    const float **at; /* rows */
    uint32_t rows;
    size_t stride;
} matrix;

static int make_matrix(matrix *made, uint32_t rows, uint32_t columns, dm_memory *account) {
    made->rows = rows;
    made->stride = dm_padded_dim(columns);
    made->values = dm_memory_allocate(account, rows * made->stride * sizeof(float), DM_CACHE_LINE, 0);
    made->at = dm_memory_allocate(account, rows * sizeof(*made->at), DM_CACHE_LINE, 0);
    if (made->values == NULL || made->at == NULL) {
        return 0;
    }
    for (uint32_t row = 0; row < rows; row++) {
        made->at[row] = made->values + row * made->stride;
    }
    return 1;
}

static void free_matrix(matrix *made, dm_memory *account) {
    dm_memory_free(account, made->values);
    dm_memory_free(account, made->at);
}

/* --- inner forms -------------------------------------------------------------------------------------------------- */

void dm_lists_unit(const dm_lists *lists, dm_query *work, uint32_t row, float *unit) {
    const dm_rows *rows = &lists->rows;
    const size_t bytes = dm_padded_dim(rows->dim) * sizeof(float);
    if (rows->inverse_norms[row] > 0.0f) {
        lists->query->prepare(work, rows->values + row * rows->stride);
        memcpy(unit, work->unit, bytes);
    } else {
        memset(unit, 0, bytes);
    }
}

/* --- products ----------------------------------------------------------------------------------------------------- */

typedef struct product {
    const dm_gram_variant *gram;
    const matrix *a;
    const matrix *b;
    matrix *to;
} product;

static void multiply_block(void *context, uint32_t task, uint32_t member) {
    const product *work = context;
    const uint32_t first = task * BLOCK;
    const uint32_t count = work->a->rows - first < BLOCK ? work->a->rows - first : BLOCK;
    (void)member;
    work->gram->dots(work->a->at + first, count, work->b->at, work->b->rows, work->a->stride,
                     work->to->values + first * work->to->stride, work->to->stride);
}

/* to[i][j] = a[i] . b[j]. */
static void multiply(const dm_lists_build *build, const matrix *a, const matrix *b, matrix *to) {
    product work = {.gram = build->lists->gram, .a = a, .b = b, .to = to};
    dm_team_run(build->team, (a->rows + BLOCK - 1) / BLOCK, multiply_block, &work);
}

/* Gram-Schmidt, each vector twice (Giraud, Langou, Rozloznik & van den Eshof 2005: twice is enough). What depends on
 * the vectors before it becomes zero, which takes part in nothing. */
static void make_orthonormal(const dm_gram_variant *gram, matrix *basis, float *shares) {
    for (uint32_t j = 0; j < basis->rows; j++) {
        float *vector = basis->values + j * basis->stride;
        float before;
        float after;
        gram->dots(&basis->at[j], 1, &basis->at[j], 1, basis->stride, &before, 0);
        for (int turn = 0; turn < 2 && j > 0; turn++) {
            gram->dots(&basis->at[j], 1, basis->at, j, basis->stride, shares, 0);
            for (uint32_t i = 0; i < j; i++) {
                for (size_t c = 0; c < basis->stride; c++) {
                    vector[c] -= shares[i] * basis->at[i][c];
                }
            }
        }
        gram->dots(&basis->at[j], 1, &basis->at[j], 1, basis->stride, &after, 0);
        const float factor = after > 1e-8f * before ? 1.0f / sqrtf(after) : 0.0f;
        for (size_t c = 0; c < basis->stride; c++) {
            vector[c] *= factor;
        }
    }
}

/* --- sample ------------------------------------------------------------------------------------------------------- */

typedef struct sample {
    const dm_lists_build *build;
    uint32_t size;
    matrix fit;     /* those at even places */
    matrix columns; /* the same, transposed */
    matrix held;    /* those at odd places */
} sample;

static void take_rows(void *context, uint32_t task, uint32_t member) {
    sample *drawn = context;
    const dm_lists_build *build = drawn->build;
    for (uint32_t i = task * BLOCK; i < drawn->size && i < (task + 1) * BLOCK; i++) {
        matrix *to = i % 2 == 0 ? &drawn->fit : &drawn->held;
        const uint32_t row = build->rows[dm_lists_draw(build->seed, i, drawn->size, build->lists->used)];
        dm_lists_unit(build->lists, &build->benches[member].query, row, to->values + i / 2 * to->stride);
    }
}

static int draw_sample(const dm_lists_build *build, sample *drawn) {
    const uint32_t dim = build->lists->rows.dim;
    drawn->build = build;
    drawn->size = build->lists->used < SAMPLE ? build->lists->used : SAMPLE;
    if (!make_matrix(&drawn->fit, (drawn->size + 1) / 2, dim, build->account) ||
        !make_matrix(&drawn->held, drawn->size / 2, dim, build->account) ||
        !make_matrix(&drawn->columns, dim, drawn->fit.rows, build->account)) {
        return 0;
    }
    dm_team_run(build->team, (drawn->size + BLOCK - 1) / BLOCK, take_rows, drawn);
    for (uint32_t row = 0; row < drawn->fit.rows; row++) {
        for (uint32_t c = 0; c < dim; c++) {
            drawn->columns.values[c * drawn->columns.stride + row] = drawn->fit.at[row][c];
        }
    }
    return 1;
}

/* --- the basis ---------------------------------------------------------------------------------------------------- */

/* kept[d]: the share of the squared norm that the first d vectors of the basis keep. 0: no memory. */
static int measure(const dm_lists_build *build, const sample *drawn, const matrix *basis, double *kept) {
    const matrix *from = drawn->held.rows > 0 ? &drawn->held : &drawn->fit;
    matrix shares = {0};
    double whole = 0.0;
    const int made = make_matrix(&shares, from->rows, basis->rows, build->account);
    if (made) {
        multiply(build, from, basis, &shares);
        for (uint32_t row = 0; row < from->rows; row++) {
            double squares = 0.0;
            for (uint32_t c = 0; c < build->lists->rows.dim; c++) {
                squares += (double)from->at[row][c] * (double)from->at[row][c];
            }
            whole += squares;
            squares = 0.0;
            for (uint32_t d = 0; d < basis->rows; d++) {
                squares += (double)shares.at[row][d] * (double)shares.at[row][d];
                kept[d + 1] += squares;
            }
        }
        for (uint32_t d = 1; d <= basis->rows; d++) {
            kept[d] = whole > 0.0 ? fmin(1.0, kept[d] / whole) : 1.0;
        }
    }
    free_matrix(&shares, build->account);
    return made;
}

static int iterate(const dm_lists_build *build, const sample *drawn, matrix *basis) {
    matrix turned = {0};
    float *shares = dm_memory_allocate(build->account, basis->rows * sizeof(float), DM_CACHE_LINE, 0);
    const int made = make_matrix(&turned, basis->rows, drawn->fit.rows, build->account) && shares != NULL;
    if (made) {
        for (uint32_t j = 0; j < basis->rows; j++) {
            for (uint32_t c = 0; c < build->lists->rows.dim; c++) {
                const uint64_t drawn_bits = dm_lists_random(build->seed + 1 + j, c);
                basis->values[j * basis->stride + c] = (float)(drawn_bits >> 40) * 0x1.0p-23f - 1.0f;
            }
        }
        for (int turn = 0; turn < ITERATIONS; turn++) {
            multiply(build, basis, &drawn->fit, &turned);
            multiply(build, &turned, &drawn->columns, basis);
            make_orthonormal(build->lists->gram, basis, shares);
        }
    }
    free_matrix(&turned, build->account);
    dm_memory_free(build->account, shares);
    return made;
}

/* The fewest dimensions on offer that keep enough, or 0. */
static uint32_t choose_dims(const double *kept, uint32_t most) {
    for (uint32_t i = 0; i < CHOICE_COUNT && CHOICES[i] <= most; i++) {
        if (kept[CHOICES[i]] >= 1.0 - LOSS) {
            return CHOICES[i];
        }
    }
    return 0;
}

/* The most dimensions on offer: not more than half of them all, or a projection is not worth its price. */
static uint32_t most_dims(uint32_t dim) {
    uint32_t most = 0;
    for (uint32_t i = 0; i < CHOICE_COUNT && CHOICES[i] <= dim / 2; i++) {
        most = CHOICES[i];
    }
    return most;
}

static int keep_basis(const dm_lists_build *build, const matrix *found, uint32_t dims, float **basis) {
    const size_t bytes = dims * found->stride * sizeof(float);
    *basis = dm_memory_allocate(build->account, bytes, DM_CACHE_LINE, 0);
    if (*basis == NULL) {
        return 0;
    }
    memcpy(*basis, found->values, bytes);
    return 1;
}

int dm_lists_find_basis(dm_lists_build *build, uint32_t asked, uint32_t *dims, float **basis, double *energy) {
    const uint32_t dim = build->lists->rows.dim;
    const uint32_t most = asked != 0 ? asked : most_dims(dim);
    *dims = 0;
    *basis = NULL;
    *energy = 1.0;
    if (most == 0 || asked == dim) {
        return 1;
    }
    sample drawn = {0};
    matrix found = {0};
    double *kept = dm_memory_allocate(build->account, (most + 1) * sizeof(double), DM_CACHE_LINE, 0);
    int done = kept != NULL && draw_sample(build, &drawn) && make_matrix(&found, most, dim, build->account) &&
               iterate(build, &drawn, &found) && measure(build, &drawn, &found, kept);
    if (done) {
        *dims = asked != 0 ? asked : choose_dims(kept, most);
    }
    if (*dims != 0) {
        *energy = kept[*dims];
        done = keep_basis(build, &found, *dims, basis);
    }
    free_matrix(&found, build->account);
    free_matrix(&drawn.fit, build->account);
    free_matrix(&drawn.columns, build->account);
    free_matrix(&drawn.held, build->account);
    dm_memory_free(build->account, kept);
    return done;
}
