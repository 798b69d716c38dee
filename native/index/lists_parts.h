/* lists_parts.h: coarse lists from inside, for lists*.c and their tests.
 *
 * A vector's inner form is what is encoded: its unit vector, or that projected on the basis. Every list is whole panels
 * (simd/panels.h); its last panel is filled up with nothing. */
#ifndef DUALMEM_INDEX_LISTS_PARTS_H
#define DUALMEM_INDEX_LISTS_PARTS_H

#include "index/lists.h"
#include "parallel/team.h"
#include "simd/choose.h"
#include "simd/codes.h"
#include "simd/gram.h"
#include "simd/panels.h"
#include "simd/query.h"

typedef struct dm_lists_variant {
    const char *name;
    dm_isa isa;
    const char *simd;   /* the variant that it takes from simd/query, codes, gram and choose */
    const char *panels; /* from simd/panels */
} dm_lists_variant;

/* The first row is the reference. All make the same lists and find the same rows. */
extern const dm_lists_variant dm_lists_variants[];
extern const size_t dm_lists_variant_count;

enum { DM_LISTS_MOST = 1 << 16, DM_LISTS_PEAKS = 512 };

struct dm_lists {
    dm_rows rows;
    uint32_t used;       /* rows in lists */
    uint32_t list_count;
    uint32_t dims;       /* of the projection; 0: none */
    uint32_t inner;      /* of what is encoded: dims or the rows' */
    size_t words;        /* of a panel */
    size_t panel_bytes;
    double energy;
    double noise;        /* standard deviation of what a row's code and the projection change a cosine by */
    const dm_query_variant *query;
    const dm_codes_variant *coder;
    const dm_gram_variant *gram;
    const dm_choose_variant *choose;
    const dm_panels_variant *scan;

    float *basis;             /* dims unit vectors, orthogonal, of dm_padded_dim(rows.dim) floats */
    const float **directions; /* where each of them begins */
    uint8_t *coded;           /* panels of them: the query is projected by codes, a quarter of the bytes */
    uint8_t *centres;         /* panels of them */
    uint32_t *begins;         /* [list] of its rows among members; one more for the end */
    uint32_t *panel_begins;   /* the same among panels: follows from begins */
    uint32_t *members;        /* rows, list by list */
    uint8_t *panels;
};

/* A candidate orders by falling estimate, then by what lies below: a row or a list. */
typedef uint64_t dm_lists_key;

struct dm_lists_scratch {
    dm_query query;
    float *inner;       /* of the query; without a projection it is the unit vector */
    int8_t *unit_codes; /* of the query's unit vector, for the projection */
    int8_t *codes;      /* of the query's inner form */
    float *estimates;   /* of lists, then of rows */
    uint32_t *chosen;   /* places among the estimates */
    uint32_t *visited;  /* lists */
    dm_lists_key *keys;
    float *peaks;       /* DM_LISTS_PEAKS */
    uint32_t compared;
    uint32_t rescored;
};

static inline size_t dm_lists_panels_of(uint32_t rows) {
    return ((size_t)rows + DM_PANEL_ROWS - 1) / DM_PANEL_ROWS;
}

/* lists.c: an empty frame: variants, sizes, arrays for so many lists and dimensions; `used` rows are in use. 1, or 0:
 * no memory. What it made so far dm_lists_destroy frees. */
int dm_lists_allocate(dm_lists *lists, uint32_t list_count, uint32_t dims, dm_memory *account);
/* lists.c: what follows from the basis, which is there. */
void dm_lists_take_directions(dm_lists *lists);
/* lists.c: fills panel_begins, and makes room for the panels; begins is there. 1, or 0: no memory. */
int dm_lists_allocate_panels(dm_lists *lists, size_t placement, dm_memory *account);
/* lists.c: the head with the variants that `isa` allows, or NULL: no memory. */
dm_lists *dm_lists_begin(const dm_rows *rows, dm_isa isa, dm_memory *account);

/* --- building ----------------------------------------------------------------------------------------------------- */

enum { DM_LISTS_BLOCK = 16 }; /* rows that are projected and compared together */

/* What one member of the team works in. */
typedef struct dm_lists_bench {
    dm_query query;
    float *units; /* DM_LISTS_BLOCK unit vectors, padded */
    float *inner; /* their inner forms, padded */
    int8_t *codes;
    float *estimates; /* of centres */
    uint32_t *chosen; /* centres */
    const float *unit_at[DM_LISTS_BLOCK];
    const float *inner_at[DM_LISTS_BLOCK];
} dm_lists_bench;

typedef struct dm_lists_build {
    dm_lists *lists;
    dm_team *team;
    dm_memory *account;
    uint64_t seed;
    size_t placement;
    uint32_t *rows;     /* in use, ascending */
    uint32_t *assigned; /* [place among rows] its list */
    uint32_t *fresh;    /* places of rows whose lists are looked for */
    uint32_t fresh_count;
    dm_lists_bench *benches;
    uint32_t bench_count;
    float *points;      /* a sample of inner forms, padded, for the centres */
    uint32_t point_count;
} dm_lists_build;

/* splitmix64 (Steele, Lea & Flood 2014): number `at` of the sequence of a seed. */
static inline uint64_t dm_lists_random(uint64_t seed, uint64_t at) {
    uint64_t mixed = seed + (at + 1) * UINT64_C(0x9e3779b97f4a7c15);
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ (mixed >> 31);
}

/* The place of number i of `size` drawn from `count`, one from each of `size` stretches: no two are equal. */
static inline uint32_t dm_lists_draw(uint64_t seed, uint32_t i, uint32_t size, uint32_t count) {
    const uint64_t begin = (uint64_t)i * count / size;
    const uint64_t end = ((uint64_t)i + 1) * count / size;
    return (uint32_t)(begin + dm_lists_random(seed, i) % (end - begin));
}

/* lists_project.c: the unit vector of a row, padded; zeros for one that counts as zero. */
void dm_lists_unit(const dm_lists *lists, dm_query *work, uint32_t row, float *unit);
/* lists_project.c: measures how many dimensions keep nearly all of the rows' squared norm (asked: 0), or takes `asked`,
 * and returns them with their basis (NULL: none) and energy. 1, or 0: no memory. */
int dm_lists_find_basis(dm_lists_build *build, uint32_t asked, uint32_t *dims, float **basis, double *energy);

/* lists_centres.c: fills lists->centres: spherical k-means of the points. 1, or 0: no memory. */
int dm_lists_find_centres(dm_lists_build *build);
/* lists_centres.c: the list whose centre is nearest to an inner form, of equally near ones the first. */
uint32_t dm_lists_nearest(const dm_lists *lists, dm_lists_bench *bench, const float *inner);

#endif
