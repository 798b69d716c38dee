/* exact.c: see exact.h. Three steps: scan, choose, rescore.
 *
 * Let b(r) be the number that the scan gave row r, with cos(r) <= b(r) + slack. Any k rows, rescored, have a k-th best
 * cosine t, and a row with b(r) + slack < t has k rows before it, so it is not among the k best. What is left is
 * rescored; t only rises on the way. The rows to begin with are the k, or a few more, with the largest b, because t is
 * then close to its end and about half the rows are left that the two-sided test "b + slack >= k-th best (b - slack)"
 * would leave.
 *
 * Inner product: the same scan, and then b(r) becomes n(r) (b(r) + s), in units of 2^16 |q|, where n(r) is the row's
 * norm / 2^16 as a float32: at most 64 FLT_MAX / 2^16, so that nothing overflows. That it is not below q.x / (2^16
 * |q|) = n cos holds with s = slack + 2^-20: the norm, the sum and the product are rounded, 3 u |b + s| together (u =
 * 2^-24), and q.x itself by less than 2^-40 |q| |x|. If b + s <= 1.1 (it is above -1.1) these are less than 2^-22 n;
 * if it is more, no rounding brings it below 1, which no cosine exceeds. Two cases are scanned as zeros and have b >=
 * 0 though their cosine may be anything up to 1: rows of a norm below 2^-63, whose n is so large that n s alone is
 * above their norm (BLANK_REACH), and queries of such a norm, for which s is 1 larger. */
#include "index/exact.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "index/neighbours.h"
#include "simd/choose.h"
#include "simd/codes.h"
#include "simd/query.h"
#include "simd/similarity.h"
#include "store/poison.h"

const dm_exact_variant dm_exact_variants[] = {
    {"exact_scalar", DM_ISA_BASELINE, "scalar", NULL},
    {"exact_int8_scalar", DM_ISA_BASELINE, "scalar", "scalar"},
#if defined(__x86_64__)
    {"exact_avx2", DM_ISA_AVX2, "avx2", NULL},
    {"exact_int8_avx2", DM_ISA_AVX2, "avx2", "avx2"},
    {"exact_avx512", DM_ISA_AVX512, "avx512", NULL},
    {"exact_int8_avx512", DM_ISA_AVX512, "avx512", "avx512"},
    {"exact_int8_avx512vnni", DM_ISA_AVX512_VNNI, "avx512", "avx512vnni"},
#elif defined(__aarch64__)
    {"exact_neon", DM_ISA_NEON, "neon", NULL},
    {"exact_int8_neon", DM_ISA_NEON, "neon", "neon"},
#endif
};
const size_t dm_exact_variant_count = sizeof(dm_exact_variants) / sizeof(dm_exact_variants[0]);

struct dm_exact {
    dm_rows rows;
    const dm_query_variant *query;
    const dm_similarity_variant *similarity;
    const dm_choose_variant *choose;
    const dm_codes_variant *coder; /* NULL: scan the float32 rows */
    dm_codes codes;
    dm_similarity by;
    float *reaches;   /* inner product: [row] its norm in units of REACH_UNIT, n above; NULL: cosine */
    double slack;     /* how far a cosine can lie above what the scan says */
    uint32_t *unused; /* rows without a node */
    uint32_t unused_count;
};

struct dm_exact_scratch {
    dm_query query;
    int8_t *query_codes;
    float *bounds;        /* per row, as scanned; OUT for rows that are not in use or whose cosine is known */
    uint32_t *candidates; /* as many as there are rows */
    float *peaks;         /* PEAKS_MAX */
    int32_t direction;
    uint32_t rescored;
    double slack; /* how far a similarity times `factor` can lie above the bound */
    double factor;
};

/* The bound of a row in use is above LEAST: a cosine's above -2, a product's above -1.1 x 64 FLT_MAX x REACH_UNIT. */
#define LEAST (-0x1.0p125f)
#define OUT (-FLT_MAX)

#define REACH_UNIT 0x1.0p-16
#define REACH_MARGIN 0x1.0p-20f
#define BLANK_REACH 0x1.0p-58f /* 2^-63 REACH_UNIT / REACH_MARGIN = 2^-59, and as much again */

enum { PEAKS_MAX = 512 }; /* a power of two, at least 4 x DM_EXACT_K_MAX */

/* --- variants ----------------------------------------------------------------------------------------------------- */

const dm_exact_variant *dm_exact_best(void) {
    size_t best = dm_exact_variant_count - 1;
    while (!dm_isa_has(dm_exact_variants[best].isa)) {
        best--; /* ends at the latest at the scalar row */
    }
    return &dm_exact_variants[best];
}

const dm_exact_variant *dm_exact_find(const char *name) {
    for (size_t i = 0; i < dm_exact_variant_count; i++) {
        if (strcmp(dm_exact_variants[i].name, name) == 0) {
            return &dm_exact_variants[i];
        }
    }
    return NULL;
}

/* --- making ------------------------------------------------------------------------------------------------------- */

static int is_used(const dm_rows *rows, uint32_t row) {
    return rows->slots[row] != DM_SLOT_NONE;
}

/* A row that is not in use or counts as zero is made ready as zero. */
static void prepare_row(const dm_exact *index, dm_query *work, uint32_t row) {
    const dm_rows *rows = &index->rows;
    if (is_used(rows, row) && rows->inverse_norms[row] > 0.0f) {
        index->query->prepare(work, rows->values + row * rows->stride);
    } else {
        work->squared_norm = 0.0;
        memset(work->unit, 0, dm_padded_dim(rows->dim) * sizeof(float));
    }
}

/* Fills index->codes, whose arrays are there already, with the help of work's buffers. */
static void encode_rows(const dm_exact *index, dm_query *work, uint8_t *values, float *scales, float *radii) {
    const size_t stride = dm_code_stride(index->rows.dim);
    for (uint32_t row = 0; row < index->rows.count; row++) {
        uint8_t *codes = values + row * stride;
        prepare_row(index, work, row);
        dm_code_facts facts = index->coder->encode((int8_t *)codes, work->unit, index->rows.dim, DM_CODE_ROW_LEVELS);
        for (size_t i = 0; i < stride; i++) {
            codes[i] = (uint8_t)(codes[i] ^ DM_CODE_OFFSET); /* a signed byte plus 128, modulo 256 */
        }
        scales[row] = facts.scale;
        radii[row] = facts.radius;
    }
}

static int32_t no_memory(char *error, size_t error_size, const char *what, uint32_t rows) {
    snprintf(error, error_size, "no memory for %s of an exact index of %u rows; use fewer rows", what, rows);
    return DM_ERROR_MEMORY;
}

static void free_query(dm_query *query, dm_memory *account) {
    dm_memory_free(account, query->wide);
    dm_memory_free(account, query->unit);
}

static int allocate_query(dm_query *query, uint32_t dim, dm_memory *account) {
    query->dim = dim;
    query->wide = dm_memory_allocate(account, dm_padded_dim(dim) * sizeof(double), DM_CACHE_LINE, 0);
    query->unit = dm_memory_allocate(account, dm_padded_dim(dim) * sizeof(float), DM_CACHE_LINE, 0);
    return query->wide != NULL && query->unit != NULL;
}

static int make_codes(dm_exact *index, size_t placement, dm_memory *account) {
    const uint32_t count = index->rows.count;
    uint8_t *values = dm_memory_allocate(account, count * dm_code_stride(index->rows.dim), DM_CACHE_LINE, placement);
    float *scales = dm_memory_allocate(account, count * sizeof(float), DM_CACHE_LINE, 0);
    float *radii = dm_memory_allocate(account, count * sizeof(float), DM_CACHE_LINE, 0);
    index->codes = (dm_codes){
        .values = values, .scales = scales, .radii = radii, .count = count, .dim = index->rows.dim};
    dm_query work = {0};
    int complete = allocate_query(&work, index->rows.dim, account) && values != NULL && scales != NULL && radii != NULL;
    if (complete) {
        encode_rows(index, &work, values, scales, radii);
    }
    free_query(&work, account);
    return complete;
}

/* One number per row, so that the scan of cosines serves products too. 1: done; 0: no memory. */
static int make_reaches(dm_exact *index, dm_memory *account) {
    dm_query work = {0};
    index->reaches = dm_memory_allocate(account, index->rows.count * sizeof(float), DM_CACHE_LINE, 0);
    const int complete = allocate_query(&work, index->rows.dim, account) && index->reaches != NULL;
    for (uint32_t row = 0; complete && row < index->rows.count; row++) {
        prepare_row(index, &work, row);
        /* What the scan takes for zero: the codes have it from `prepare`, the scan of float32 from the inverse norm. */
        const int is_blank =
            index->coder != NULL ? work.squared_norm == 0.0 : !(index->rows.inverse_norms[row] > 0.0f);
        const double norm = sqrt(fmax(work.squared_norm, (double)FLT_MIN));
        index->reaches[row] = is_blank ? BLANK_REACH : (float)(norm * REACH_UNIT);
    }
    free_query(&work, account);
    return complete;
}

/* Sums of float32 overflow, and the float32 inverse of a norm loses digits, above this; codes are made in double. */
static int32_t check_norms(const dm_rows *rows, char *error, size_t error_size) {
    const float least = 0x1.0p-125f; /* dm_similarity_error_bound holds from here on */
    for (uint32_t row = 0; row < rows->count; row++) {
        if (is_used(rows, row) && rows->inverse_norms[row] > 0.0f && rows->inverse_norms[row] < least) {
            snprintf(error, error_size,
                     "row %u has a norm above 4e37, too large for an exact scan of float32; scale the vectors or use "
                     "codes",
                     row);
            return DM_ERROR_ARGUMENT;
        }
    }
    return DM_OK;
}

/* Lists the rows that are not in use. 1: done; 0: no memory. */
static int list_unused(dm_exact *index, dm_memory *account) {
    for (uint32_t row = 0; row < index->rows.count; row++) {
        index->unused_count += !is_used(&index->rows, row);
    }
    index->unused = dm_memory_allocate(account, index->unused_count * sizeof(uint32_t), DM_CACHE_LINE, 0);
    if (index->unused == NULL) {
        return 0;
    }
    uint32_t listed = 0;
    for (uint32_t row = 0; row < index->rows.count; row++) {
        if (!is_used(&index->rows, row)) {
            index->unused[listed++] = row;
        }
    }
    return 1;
}

int32_t dm_exact_create(const dm_exact_variant *variant, const dm_rows *rows, dm_similarity similarity,
                        size_t placement, dm_memory *account, dm_exact **index, char *error, size_t error_size) {
    int32_t status = DM_OK;
    *index = NULL;
    dm_exact *made = dm_memory_allocate(account, sizeof(*made), DM_CACHE_LINE, 0);
    if (made == NULL) {
        return no_memory(error, error_size, "the head", rows->count);
    }
    made->rows = *rows;
    made->by = similarity;
    made->query = dm_query_find(variant->simd);
    made->similarity = dm_similarity_find(variant->simd);
    made->choose = dm_choose_find(variant->simd);
    if (!list_unused(made, account)) {
        status = no_memory(error, error_size, "the rows not in use", rows->count);
    } else if (variant->codes != NULL) {
        made->coder = dm_codes_find(variant->codes);
        if (!make_codes(made, placement, account)) {
            status = no_memory(error, error_size, "the codes", rows->count);
        }
    } else {
        made->slack = dm_similarity_error_bound(rows->dim);
        status = check_norms(rows, error, error_size);
    }
    if (status == DM_OK && similarity == DM_SIMILARITY_INNER_PRODUCT && !make_reaches(made, account)) {
        status = no_memory(error, error_size, "the norms", rows->count);
    }
    if (status != DM_OK) {
        dm_exact_destroy(made, account);
        return status;
    }
    *index = made;
    return DM_OK;
}

void dm_exact_destroy(dm_exact *index, dm_memory *account) {
    if (index == NULL) {
        return;
    }
    /* The arrays are constant to those who search, not to their owner. */
    dm_memory_free(account, (void *)(uintptr_t)index->codes.values);
    dm_memory_free(account, (void *)(uintptr_t)index->codes.scales);
    dm_memory_free(account, (void *)(uintptr_t)index->codes.radii);
    dm_memory_free(account, index->reaches);
    dm_memory_free(account, index->unused);
    dm_memory_free(account, index);
}

int32_t dm_exact_scratch_create(const dm_exact *index, dm_memory *account, dm_exact_scratch **scratch, char *error,
                                size_t error_size) {
    const uint32_t count = index->rows.count;
    *scratch = NULL;
    dm_exact_scratch *made = dm_memory_allocate(account, sizeof(*made), DM_CACHE_LINE, 0);
    if (made == NULL) {
        return no_memory(error, error_size, "the scratch", count);
    }
    int complete = allocate_query(&made->query, index->rows.dim, account);
    made->query_codes = dm_memory_allocate(account, dm_code_stride(index->rows.dim), DM_CACHE_LINE, 0);
    made->bounds = dm_memory_allocate(account, count * sizeof(float), DM_CACHE_LINE, 0);
    made->candidates = dm_memory_allocate(account, count * sizeof(uint32_t), DM_CACHE_LINE, 0);
    made->peaks = dm_memory_allocate(account, PEAKS_MAX * sizeof(float), DM_CACHE_LINE, 0);
    if (!complete || made->query_codes == NULL || made->bounds == NULL || made->candidates == NULL ||
        made->peaks == NULL) {
        dm_exact_scratch_destroy(made, account);
        return no_memory(error, error_size, "the scratch", count);
    }
    *scratch = made;
    return DM_OK;
}

void dm_exact_scratch_destroy(dm_exact_scratch *scratch, dm_memory *account) {
    if (scratch == NULL) {
        return;
    }
    free_query(&scratch->query, account);
    dm_memory_free(account, scratch->query_codes);
    dm_memory_free(account, scratch->bounds);
    dm_memory_free(account, scratch->candidates);
    dm_memory_free(account, scratch->peaks);
    dm_memory_free(account, scratch);
}

uint32_t dm_exact_rescored(const dm_exact_scratch *scratch) {
    return scratch->rescored;
}

/* --- choosing ----------------------------------------------------------------------------------------------------- */

/* The k-th largest of `count` numbers, count >= k, which end up in another order: a heap of the k largest so far with
 * the smallest on top. */
static void sift_down(float *heap, uint32_t size, uint32_t place) {
    float value = heap[place];
    for (uint32_t child = 2 * place + 1; child < size; child = 2 * place + 1) {
        child += child + 1 < size && heap[child + 1] < heap[child];
        if (!(heap[child] < value)) {
            break;
        }
        heap[place] = heap[child];
        place = child;
    }
    heap[place] = value;
}

static float kth_largest(float *values, uint32_t count, uint32_t k) {
    for (uint32_t place = k / 2; place > 0; place--) {
        sift_down(values, k, place - 1);
    }
    for (uint32_t i = k; i < count; i++) {
        if (values[i] > values[0]) {
            values[0] = values[i];
            sift_down(values, k, 0);
        }
    }
    return values[0];
}

/* A number that at least k bounds reach, and not many more: the k-th largest of the peaks of interleaved groups of
 * rows. With at least 4 groups per neighbour about 1.1 k bounds reach it, if the best rows are spread over the
 * groups; if they are not, more do, and that costs time only. Fewer than k rows in use: LEAST, which all reach. */
static float reached_by(const dm_exact *index, dm_exact_scratch *scratch, uint32_t k) {
    uint32_t groups = 64;
    while (groups < 4 * k) {
        groups *= 2;
    }
    index->choose->peaks(scratch->bounds, index->rows.count, LEAST, scratch->peaks, groups);
    return kth_largest(scratch->peaks, groups, k);
}

/* --- rescoring ---------------------------------------------------------------------------------------------------- */

enum { AHEAD = 2 }; /* rows asked for before they are rescored */

static double rescore(const dm_exact *index, dm_exact_scratch *scratch, uint32_t row) {
    scratch->rescored++;
    scratch->bounds[row] = OUT;
    return dm_neighbours_similarity(index->by, index->query, &scratch->query, &index->rows, row);
}

/* Rescores those candidates that can still be among the k best, of which `size` are there already. */
static uint32_t rescore_all(const dm_exact *index, dm_exact_scratch *scratch, uint32_t candidate_count, uint32_t k,
                            dm_neighbour *best, uint32_t size) {
    for (uint32_t i = 0; i < AHEAD && i < candidate_count; i++) {
        dm_neighbours_prefetch(&index->rows, scratch->candidates[i]);
    }
    for (uint32_t i = 0; i < candidate_count; i++) {
        uint32_t row = scratch->candidates[i];
        if (i + AHEAD < candidate_count) {
            dm_neighbours_prefetch(&index->rows, scratch->candidates[i + AHEAD]);
        }
        if (size < k || (double)scratch->bounds[row] + scratch->slack >= best[k - 1].similarity * scratch->factor) {
            const dm_neighbour found = {.similarity = rescore(index, scratch, row), .row = row};
            size = dm_neighbours_insert(best, size, k, found);
        }
    }
    return size;
}

/* From bounds of cosines to those of inner products: see above. */
static void weigh(const dm_exact *index, dm_exact_scratch *scratch) {
    const dm_query *query = &scratch->query;
    double squares = query->squared_norm;
    float slack = (float)index->slack + REACH_MARGIN; /* rounded by 2^-24 of itself: nothing beside the margin */
    if (squares == 0.0) {                             /* or only counts as 0 */
        for (uint32_t i = 0; i < query->dim; i++) {
            squares += query->wide[i] * query->wide[i];
        }
        slack += 1.0f;
    }
    for (uint32_t row = 0; row < index->rows.count; row++) {
        scratch->bounds[row] = index->reaches[row] * (scratch->bounds[row] + slack);
    }
    scratch->slack = 0.0;
    scratch->factor = squares > 0.0 ? REACH_UNIT / sqrt(squares) : 0.0; /* 0: all products are */
}

static void scan(const dm_exact *index, dm_exact_scratch *scratch, const float *query) {
    index->query->prepare(&scratch->query, query);
    if (index->coder != NULL) {
        dm_code_facts facts =
            index->coder->encode(scratch->query_codes, scratch->query.unit, index->rows.dim, DM_CODE_QUERY_LEVELS);
        index->coder->scan(&index->codes, scratch->query_codes, facts, scratch->bounds, scratch->direction);
    } else {
        index->similarity->scan(&index->rows, scratch->query.unit, scratch->bounds, scratch->direction);
    }
    scratch->slack = index->slack;
    scratch->factor = 1.0;
    if (index->by == DM_SIMILARITY_INNER_PRODUCT) {
        weigh(index, scratch);
    }
    for (uint32_t i = 0; i < index->unused_count; i++) {
        scratch->bounds[index->unused[i]] = OUT;
    }
    /* The next search begins with the rows that this one read last: they are still in the cache. */
    scratch->direction = DM_SCAN_FORWARD + DM_SCAN_BACKWARD - scratch->direction;
}

uint32_t dm_exact_search(const dm_exact *index, dm_exact_scratch *scratch, const float *query, uint32_t k,
                         dm_neighbour *neighbours) {
    const uint32_t count = index->rows.count;
    scan(index, scratch, query);
    scratch->rescored = 0;
    float least = reached_by(index, scratch, k);
    uint32_t chosen = index->choose->at_least(scratch->bounds, count, least, scratch->candidates);
    uint32_t found = rescore_all(index, scratch, chosen, k, neighbours, 0);
    if (found < k) {
        return found; /* these were all */
    }
    /* The next float below the rounded one: a comparison of floats may let a row too many pass, never one too few. */
    least = nextafterf((float)(neighbours[k - 1].similarity * scratch->factor - scratch->slack), LEAST);
    chosen = index->choose->at_least(scratch->bounds, count, least, scratch->candidates);
    return rescore_all(index, scratch, chosen, k, neighbours, found);
}
