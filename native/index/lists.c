/* lists.c: see lists.h. The variants; the arrays; what a thread needs. */
#include "index/lists.h"

#include <stdio.h>
#include <string.h>

#include "index/lists_parts.h"
#include "store/poison.h"

const dm_lists_variant dm_lists_variants[] = {
    {"scalar", DM_ISA_BASELINE, "scalar", "scalar"},
#if defined(__x86_64__)
    {"avx2", DM_ISA_AVX2, "avx2", "avx2"},
    {"avx512", DM_ISA_AVX512, "avx512", "avx512"},
    {"avx512vnni", DM_ISA_AVX512_VNNI, "avx512", "avx512vnni"},
#elif defined(__aarch64__)
    {"neon", DM_ISA_NEON, "neon", "neon"},
#endif
};
const size_t dm_lists_variant_count = sizeof(dm_lists_variants) / sizeof(dm_lists_variants[0]);

/* --- the index ---------------------------------------------------------------------------------------------------- */

dm_lists *dm_lists_begin(const dm_rows *rows, dm_isa isa, dm_memory *account) {
    dm_lists *made = dm_memory_allocate(account, sizeof(*made), DM_CACHE_LINE, 0);
    if (made == NULL) {
        return NULL;
    }
    size_t best = dm_lists_variant_count - 1;
    while (dm_lists_variants[best].isa > isa) {
        best--; /* ends at the latest at the scalar row */
    }
    const dm_lists_variant *variant = &dm_lists_variants[best];
    made->rows = *rows;
    made->query = dm_query_find(variant->simd);
    made->coder = dm_codes_find(variant->simd);
    made->gram = dm_gram_find(variant->simd);
    made->choose = dm_choose_find(variant->simd);
    made->scan = dm_panels_find(variant->panels);
    return made;
}

int dm_lists_allocate(dm_lists *lists, uint32_t list_count, uint32_t dims, dm_memory *account) {
    lists->list_count = list_count;
    lists->dims = dims;
    lists->inner = dims != 0 ? dims : lists->rows.dim;
    lists->words = dm_panel_words(lists->inner);
    lists->panel_bytes = dm_panel_bytes(lists->inner);
    lists->directions = dm_memory_allocate(account, dims * sizeof(*lists->directions), DM_CACHE_LINE, 0);
    lists->coded =
        dm_memory_allocate(account, dm_lists_panels_of(dims) * dm_panel_bytes(lists->rows.dim), DM_CACHE_LINE, 0);
    lists->centres =
        dm_memory_allocate(account, dm_lists_panels_of(list_count) * lists->panel_bytes, DM_CACHE_LINE, 0);
    lists->begins = dm_memory_allocate(account, ((size_t)list_count + 1) * sizeof(uint32_t), DM_CACHE_LINE, 0);
    lists->panel_begins = dm_memory_allocate(account, ((size_t)list_count + 1) * sizeof(uint32_t), DM_CACHE_LINE, 0);
    lists->members = dm_memory_allocate(account, lists->used * sizeof(uint32_t), DM_CACHE_LINE, 0);
    return lists->directions != NULL && lists->coded != NULL && lists->centres != NULL && lists->begins != NULL &&
           lists->panel_begins != NULL && lists->members != NULL;
}

void dm_lists_take_directions(dm_lists *lists) {
    _Alignas(DM_CACHE_LINE) int8_t codes[DM_DIM_MAX];
    const size_t words = dm_panel_words(lists->rows.dim);
    for (uint32_t d = 0; d < lists->dims; d++) {
        lists->directions[d] = lists->basis + d * dm_padded_dim(lists->rows.dim);
        const dm_code_facts facts =
            lists->coder->encode(codes, lists->directions[d], lists->rows.dim, DM_CODE_ROW_LEVELS);
        uint8_t *panel = lists->coded + d / DM_PANEL_ROWS * dm_panel_bytes(lists->rows.dim);
        dm_panel_put(panel, d % DM_PANEL_ROWS, codes, facts.scale, words);
    }
}

int dm_lists_allocate_panels(dm_lists *lists, size_t placement, dm_memory *account) {
    for (uint32_t list = 0; list < lists->list_count; list++) {
        const size_t panels = dm_lists_panels_of(lists->begins[list + 1] - lists->begins[list]);
        lists->panel_begins[list + 1] = lists->panel_begins[list] + (uint32_t)panels;
    }
    const size_t bytes = lists->panel_begins[lists->list_count] * lists->panel_bytes;
    lists->panels = dm_memory_allocate(account, bytes, DM_CACHE_LINE, placement);
    return lists->panels != NULL;
}

void dm_lists_renumber(dm_lists *lists, const dm_rows *rows, const uint32_t *map) {
    lists->rows = *rows;
    for (uint32_t place = 0; place < lists->used; place++) {
        lists->members[place] = map[lists->members[place]];
    }
}

void dm_lists_destroy(dm_lists *lists, dm_memory *account) {
    if (lists == NULL) {
        return;
    }
    dm_memory_free(account, lists->basis);
    dm_memory_free(account, lists->directions);
    dm_memory_free(account, lists->coded);
    dm_memory_free(account, lists->centres);
    dm_memory_free(account, lists->begins);
    dm_memory_free(account, lists->panel_begins);
    dm_memory_free(account, lists->members);
    dm_memory_free(account, lists->panels);
    dm_memory_free(account, lists);
}

uint32_t dm_lists_count(const dm_lists *lists) {
    return lists->list_count;
}

uint32_t dm_lists_dims(const dm_lists *lists) {
    return lists->dims;
}

double dm_lists_energy(const dm_lists *lists) {
    return lists->energy;
}

size_t dm_lists_code_bytes(const dm_lists *lists) {
    return lists->words * DM_PANEL_WORD + sizeof(float);
}

/* --- scratch ------------------------------------------------------------------------------------------------------ */

static int allocate_scratch(const dm_lists *lists, dm_lists_scratch *scratch, dm_memory *account) {
    const uint32_t dim = lists->rows.dim;
    const size_t places = lists->used + DM_PANEL_ROWS; /* the last panel is scanned as a whole; lists are fewer than
                                                          rows */
    const size_t keys = places > DM_LISTS_PEAKS ? places : DM_LISTS_PEAKS;
    scratch->query.dim = dim;
    scratch->query.wide = dm_memory_allocate(account, dm_padded_dim(dim) * sizeof(double), DM_CACHE_LINE, 0);
    scratch->query.unit = dm_memory_allocate(account, dm_padded_dim(dim) * sizeof(float), DM_CACHE_LINE, 0);
    scratch->inner = dm_memory_allocate(account, dm_padded_dim(lists->inner) * sizeof(float), DM_CACHE_LINE, 0);
    scratch->unit_codes = dm_memory_allocate(account, dm_code_stride(dim), DM_CACHE_LINE, 0);
    scratch->codes = dm_memory_allocate(account, dm_code_stride(lists->inner), DM_CACHE_LINE, 0);
    scratch->estimates = dm_memory_allocate(account, places * sizeof(float), DM_CACHE_LINE, 0);
    scratch->chosen = dm_memory_allocate(account, places * sizeof(uint32_t), DM_CACHE_LINE, 0);
    scratch->visited = dm_memory_allocate(account, lists->list_count * sizeof(uint32_t), DM_CACHE_LINE, 0);
    scratch->keys = dm_memory_allocate(account, keys * sizeof(dm_lists_key), DM_CACHE_LINE, 0);
    scratch->peaks = dm_memory_allocate(account, DM_LISTS_PEAKS * sizeof(float), DM_CACHE_LINE, 0);
    return scratch->query.wide != NULL && scratch->query.unit != NULL && scratch->inner != NULL &&
           scratch->unit_codes != NULL && scratch->codes != NULL && scratch->estimates != NULL &&
           scratch->chosen != NULL && scratch->visited != NULL && scratch->keys != NULL && scratch->peaks != NULL;
}

int32_t dm_lists_scratch_create(const dm_lists *lists, dm_memory *account, dm_lists_scratch **scratch, char *error,
                                size_t error_size) {
    dm_lists_scratch *made = dm_memory_allocate(account, sizeof(*made), DM_CACHE_LINE, 0);
    *scratch = NULL;
    if (made == NULL || !allocate_scratch(lists, made, account)) {
        dm_lists_scratch_destroy(made, account);
        snprintf(error, error_size, "no memory for the scratch of lists of %u rows; use fewer rows", lists->used);
        return DM_ERROR_MEMORY;
    }
    *scratch = made;
    return DM_OK;
}

void dm_lists_scratch_destroy(dm_lists_scratch *scratch, dm_memory *account) {
    if (scratch == NULL) {
        return;
    }
    dm_memory_free(account, scratch->query.wide);
    dm_memory_free(account, scratch->query.unit);
    dm_memory_free(account, scratch->inner);
    dm_memory_free(account, scratch->unit_codes);
    dm_memory_free(account, scratch->codes);
    dm_memory_free(account, scratch->estimates);
    dm_memory_free(account, scratch->chosen);
    dm_memory_free(account, scratch->visited);
    dm_memory_free(account, scratch->keys);
    dm_memory_free(account, scratch->peaks);
    dm_memory_free(account, scratch);
}

uint32_t dm_lists_compared(const dm_lists_scratch *scratch) {
    return scratch->compared;
}

uint32_t dm_lists_rescored(const dm_lists_scratch *scratch) {
    return scratch->rescored;
}
