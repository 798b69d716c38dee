/* graph.c: see graph.h. The variants; the arrays; what a thread needs. */
#include "index/graph.h"

#include <stdio.h>
#include <string.h>

#include "index/graph_parts.h"
#include "store/poison.h"

const dm_graph_variant dm_graph_variants[] = {
    {"scalar", DM_ISA_BASELINE, "scalar", "scalar", "scalar"},
#if defined(__x86_64__)
    {"avx2", DM_ISA_AVX2, "avx2", "avx2", "avx2"},
    {"avx512", DM_ISA_AVX512, "avx512", "avx512", "avx512"},
    {"avx512vnni", DM_ISA_AVX512_VNNI, "avx512", "avx512vnni", "avx512vnni"},
#elif defined(__aarch64__)
    {"neon", DM_ISA_NEON, "neon", "neon", "neon"},
#endif
};
const size_t dm_graph_variant_count = sizeof(dm_graph_variants) / sizeof(dm_graph_variants[0]);

const dm_graph_variant *dm_graph_best(void) {
    size_t best = dm_graph_variant_count - 1;
    while (!dm_isa_has(dm_graph_variants[best].isa)) {
        best--; /* ends at the latest at the scalar row */
    }
    return &dm_graph_variants[best];
}

const dm_graph_variant *dm_graph_find(const char *name) {
    for (size_t i = 0; i < dm_graph_variant_count; i++) {
        if (strcmp(dm_graph_variants[i].name, name) == 0) {
            return &dm_graph_variants[i];
        }
    }
    return NULL;
}

/* splitmix64 (Steele, Lea & Flood 2014) of the row's place in the sequence of the seed. The logarithm is taken of whole
 * numbers: floor(-ln U / ln 16) with U = (x + 1) / 2^64 is the number of leading groups of four zero bits of x. */
uint32_t dm_graph_level_of(uint64_t seed, uint32_t row) {
    uint64_t mixed = seed + ((uint64_t)row + 1) * UINT64_C(0x9e3779b97f4a7c15);
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    mixed ^= mixed >> 31;
    _Static_assert(DM_GRAPH_M == 16, "four bits a level");
    return mixed == 0 ? DM_GRAPH_LEVELS - 1 : (uint32_t)__builtin_clzll(mixed) / 4;
}

static int32_t no_memory(char *error, size_t error_size, const char *what, uint32_t rows) {
    snprintf(error, error_size, "no memory for %s of a graph of %u rows; use a smaller capacity", what, rows);
    return DM_ERROR_MEMORY;
}

/* Levels, given or (NULL) drawn, and where the links above level 0 lie. */
static void set_levels(dm_graph *graph, const uint8_t *levels) {
    uint32_t lines = 0;
    for (uint32_t row = 0; row < graph->capacity; row++) {
        graph->levels[row] = levels != NULL ? levels[row] : (uint8_t)dm_graph_level_of(graph->seed, row);
        graph->upper_at[row] = lines;
        lines += graph->levels[row];
    }
}

/* The arrays that follow from others. 1, or 0: no memory. */
static int allocate_derived(dm_graph *graph, dm_memory *account) {
    const size_t rows = graph->capacity;
    graph->levels = dm_memory_allocate(account, rows, DM_CACHE_LINE, 0);
    graph->upper_at = dm_memory_allocate(account, rows * sizeof(uint32_t), DM_CACHE_LINE, 0);
    graph->incoming = dm_memory_allocate(account, rows * sizeof(uint32_t), DM_CACHE_LINE, 0);
    graph->locks = dm_memory_allocate(account, rows, DM_CACHE_LINE, 0);
    graph->next = dm_memory_allocate(account, rows * sizeof(uint32_t), DM_CACHE_LINE, 0);
    return graph->levels != NULL && graph->upper_at != NULL && graph->incoming != NULL && graph->locks != NULL &&
           graph->next != NULL;
}

/* Where the next array of a body begins, `size` bytes behind *end; moves *end behind it. */
static size_t take_lines(size_t *end, size_t size) {
    const size_t begin = *end;
    *end += (size + DM_CACHE_LINE - 1) / DM_CACHE_LINE * DM_CACHE_LINE;
    return begin;
}

/* With body NULL only its size is of use. */
void dm_graph_set_body(dm_graph *graph, uint8_t *body) {
    const size_t rows = graph->capacity;
    const size_t stride = dm_code_stride(graph->rows.dim);
    const size_t step = stride + DM_GRAPH_M0 * sizeof(dm_link);
    const uint32_t last = graph->capacity - 1;
    const size_t lines = (size_t)graph->upper_at[last] + graph->levels[last];
    const int has_norms = graph->by == DM_SIMILARITY_INNER_PRODUCT;
    size_t end = 0;
    const size_t nodes = take_lines(&end, rows * step);
    const size_t scales = take_lines(&end, rows * sizeof(float));
    const size_t norms = take_lines(&end, has_norms ? rows * sizeof(float) : 0);
    const size_t parents = take_lines(&end, rows * sizeof(uint32_t));
    const size_t upper = take_lines(&end, lines * DM_GRAPH_M * sizeof(dm_link));
    const size_t marks = take_lines(&end, rows);
    graph->body_size = end;
    if (body == NULL) {
        return;
    }
    graph->body = body;
    graph->nodes = body + nodes;
    graph->scales = (float *)(void *)(body + scales);
    graph->norms = has_norms ? (float *)(void *)(body + norms) : NULL;
    graph->parents = (_Atomic uint32_t *)(void *)(body + parents);
    graph->upper = (dm_link *)(void *)(body + upper);
    graph->marks = (_Atomic uint8_t *)(void *)(body + marks);
    graph->gathered = (dm_gathered){.codes = graph->nodes, .step = step, .stride = stride};
    graph->links = graph->nodes + stride;
    graph->link_step = step;
}

int dm_graph_allocate_body(dm_graph *graph, size_t placement, dm_memory *account) {
    dm_graph_set_body(graph, NULL);
    uint8_t *body = dm_memory_allocate(account, graph->body_size, DM_CACHE_LINE, placement);
    if (body == NULL) {
        return 0;
    }
    dm_graph_set_body(graph, body);
    return 1;
}

static void clear_links(dm_graph *graph) {
    for (uint32_t row = 0; row < graph->capacity; row++) {
        for (uint32_t level = 0; level <= graph->levels[row]; level++) {
            dm_graph_clear_list(dm_graph_links(graph, row, level), level);
        }
        atomic_store_explicit(&graph->parents[row], DM_LINK_NONE, memory_order_relaxed);
    }
}

static int32_t check_options(const dm_rows *rows, const dm_graph_options *options, char *error, size_t error_size) {
    if (options->capacity < 1 || options->capacity > DM_CAPACITY_MAX || rows->dim < 1 || rows->dim > DM_DIM_MAX) {
        snprintf(error, error_size, "a graph takes 1 to %d rows of 1 to %d dimensions, not %u of %u",
                 (int)DM_CAPACITY_MAX, (int)DM_DIM_MAX, options->capacity, rows->dim);
        return DM_ERROR_ARGUMENT;
    }
    if (options->similarity != DM_SIMILARITY_COSINE && options->similarity != DM_SIMILARITY_INNER_PRODUCT) {
        snprintf(error, error_size, "similarity %d is neither the cosine, %d, nor the inner product, %d",
                 (int)options->similarity, (int)DM_SIMILARITY_COSINE, (int)DM_SIMILARITY_INNER_PRODUCT);
        return DM_ERROR_ARGUMENT;
    }
    if (options->ef_construction < DM_GRAPH_M || options->ef_construction > DM_GRAPH_EF_MAX) {
        snprintf(error, error_size, "ef_construction is %u; want %d to %d", options->ef_construction, (int)DM_GRAPH_M,
                 (int)DM_GRAPH_EF_MAX);
        return DM_ERROR_ARGUMENT;
    }
    return DM_OK;
}

int32_t dm_graph_make(const dm_graph_variant *variant, const dm_rows *rows, const dm_graph_options *options,
                      const uint8_t *levels, dm_memory *account, dm_graph **graph, char *error, size_t error_size) {
    *graph = NULL;
    int32_t status = check_options(rows, options, error, error_size);
    if (status != DM_OK) {
        return status;
    }
    dm_graph *made = dm_memory_allocate(account, sizeof(*made), DM_CACHE_LINE, 0);
    if (made == NULL) {
        return no_memory(error, error_size, "the head", options->capacity);
    }
    made->rows = *rows;
    made->capacity = options->capacity;
    made->ef_construction = options->ef_construction;
    made->seed = options->seed;
    made->by = options->similarity;
    made->query = dm_query_find(variant->query);
    made->coder = dm_codes_find(variant->codes);
    made->gather = dm_gather_find(variant->gather);
    atomic_store_explicit(&made->entry, DM_ENTRY_NONE, memory_order_relaxed);
    atomic_store_explicit(&made->epoch, 1, memory_order_relaxed);
    made->retired = DM_LINK_NONE;
    made->waiting = DM_LINK_NONE;
    (void)pthread_mutex_init(&made->change, NULL);
    (void)pthread_mutex_init(&made->list, NULL);
    if (!allocate_derived(made, account)) {
        dm_graph_destroy(made, account);
        return no_memory(error, error_size, "the levels", options->capacity);
    }
    set_levels(made, levels);
    *graph = made;
    return DM_OK;
}

int32_t dm_graph_create(const dm_graph_variant *variant, const dm_rows *rows, const dm_graph_options *options,
                        dm_memory *account, dm_graph **graph, char *error, size_t error_size) {
    return dm_graph_create_at(variant, rows, options, NULL, account, graph, error, error_size);
}

int32_t dm_graph_create_at(const dm_graph_variant *variant, const dm_rows *rows, const dm_graph_options *options,
                           const uint8_t *levels, dm_memory *account, dm_graph **graph, char *error,
                           size_t error_size) {
    int32_t status = dm_graph_make(variant, rows, options, levels, account, graph, error, error_size);
    if (status != DM_OK) {
        return status;
    }
    if (!dm_graph_allocate_body(*graph, options->placement, account)) {
        dm_graph_destroy(*graph, account);
        *graph = NULL;
        return no_memory(error, error_size, "the nodes", options->capacity);
    }
    clear_links(*graph);
    return DM_OK;
}

void dm_graph_destroy(dm_graph *graph, dm_memory *account) {
    if (graph == NULL) {
        return;
    }
    if (graph->mapped != NULL) {
        dm_memory_unmap_file(graph->mapped, graph->mapped_size);
    } else {
        dm_memory_free(account, graph->body);
    }
    dm_memory_free(account, graph->levels);
    dm_memory_free(account, graph->upper_at);
    dm_memory_free(account, (void *)graph->incoming);
    dm_memory_free(account, (void *)graph->locks);
    dm_memory_free(account, graph->next);
    (void)pthread_mutex_destroy(&graph->change);
    (void)pthread_mutex_destroy(&graph->list);
    dm_memory_free(account, graph);
}

uint32_t dm_graph_size(const dm_graph *graph) {
    return atomic_load_explicit(&graph->live, memory_order_acquire); /* who counts a row finds it */
}

uint64_t dm_graph_mapped(const dm_graph *graph) {
    return graph->mapped_size;
}

/* --- scratch ------------------------------------------------------------------------------------------------------ */

static void free_scratch(dm_graph_scratch *scratch, dm_memory *account) {
    dm_memory_free(account, scratch->query.wide);
    dm_memory_free(account, scratch->query.unit);
    dm_memory_free(account, scratch->query_codes);
    dm_memory_free(account, scratch->row_weights);
    dm_memory_free(account, scratch->stamps);
    dm_memory_free(account, scratch);
}

int32_t dm_graph_scratch_create(dm_graph *graph, dm_memory *account, dm_graph_scratch **scratch, char *error,
                                size_t error_size) {
    const uint32_t dim = graph->rows.dim;
    *scratch = NULL;
    dm_graph_scratch *made = dm_memory_allocate(account, sizeof(*made), DM_CACHE_LINE, 0);
    if (made == NULL) {
        return no_memory(error, error_size, "the scratch", graph->capacity);
    }
    made->graph = graph;
    made->query.dim = dim;
    made->query.wide = dm_memory_allocate(account, dm_padded_dim(dim) * sizeof(double), DM_CACHE_LINE, 0);
    made->query.unit = dm_memory_allocate(account, dm_padded_dim(dim) * sizeof(float), DM_CACHE_LINE, 0);
    made->query_codes = dm_memory_allocate(account, dm_code_stride(dim), DM_CACHE_LINE, 0);
    made->row_weights = dm_memory_allocate(account, dm_code_stride(dim), DM_CACHE_LINE, 0);
    made->stamps = dm_memory_allocate(account, graph->capacity * sizeof(uint32_t), DM_CACHE_LINE, 0);
    if (made->query.wide == NULL || made->query.unit == NULL || made->query_codes == NULL ||
        made->row_weights == NULL || made->stamps == NULL) {
        free_scratch(made, account);
        return no_memory(error, error_size, "the scratch", graph->capacity);
    }
    (void)pthread_mutex_lock(&graph->list);
    made->next = graph->scratches;
    graph->scratches = made;
    (void)pthread_mutex_unlock(&graph->list);
    *scratch = made;
    return DM_OK;
}

void dm_graph_scratch_destroy(dm_graph_scratch *scratch, dm_memory *account) {
    if (scratch == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&scratch->graph->list);
    dm_graph_scratch **place = &scratch->graph->scratches;
    while (*place != scratch) {
        place = &(*place)->next;
    }
    *place = scratch->next;
    (void)pthread_mutex_unlock(&scratch->graph->list);
    free_scratch(scratch, account);
}

uint32_t dm_graph_compared(const dm_graph_scratch *scratch) {
    return scratch->compared;
}

uint32_t dm_graph_rescored(const dm_graph_scratch *scratch) {
    return scratch->rescored;
}
