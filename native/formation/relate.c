/* relate.c: unit vectors and codes of the episodes, and which pairs of them reach the cut. */
#include "formation/former.h"

#include <string.h>

#include "formation/components.h"
#include "parallel/team.h"
#include "simd/recency.h"
#include "store/store.h"

#include "store/poison.h"

/* A pair of blocks is a task: 128 rows of 768 codes, twice, stay in a second-level cache. */
enum { BLOCK_PANELS = 8, DENSE = 40 };

static uint32_t panels_of(const dm_former *former) {
    return (former->count + DM_GRAM_PANEL - 1) / DM_GRAM_PANEL;
}

/* --- preparing ---------------------------------------------------------------------------------------------------- */

typedef struct preparation {
    dm_former *former;
    dm_store *store;
} preparation;

/* A row behind the last: codes 0, which no pair with it can make reach anything. */
static void pad_row(dm_former *former, uint32_t row, int8_t *codes) {
    memset(codes, 0, former->code_bytes);
    former->scales[row] = 0.0f;
    former->radii[row] = 0.0f;
    former->code_sums[row] = 0;
}

static void prepare_row(dm_former *former, dm_store *store, uint32_t row, int8_t *codes) {
    const uint32_t slot = former->episodes[row].slot;
    _Alignas(DM_CACHE_LINE) double wide[DM_DIM_MAX];
    dm_query query = {.dim = former->options.dim, .wide = wide, .unit = former->units + row * former->padded};
    dm_embedding embedding = dm_store_acquire_embedding(store, slot);
    if (embedding.values == NULL) {
        pad_row(former, row, codes);
        atomic_store_explicit(&former->missing, slot, memory_order_relaxed);
        return;
    }
    former->query->prepare(&query, embedding.values);
    dm_store_release_embedding(store, embedding);
    dm_code_facts facts = former->code->encode(codes, query.unit, query.dim, DM_GRAM_LEVELS);
    former->scales[row] = facts.scale;
    former->radii[row] = facts.radius;
    former->code_sums[row] = facts.sum;
}

static void prepare_panel(void *context, uint32_t panel, uint32_t member) {
    (void)member;
    const preparation *work = context;
    dm_former *former = work->former;
    _Alignas(DM_CACHE_LINE) int8_t codes[DM_DIM_MAX];
    const size_t begin = (size_t)panel * DM_GRAM_PANEL * former->code_bytes;
    for (uint32_t i = 0; i < DM_GRAM_PANEL; i++) {
        const uint32_t row = panel * DM_GRAM_PANEL + i;
        if (row < former->count) {
            prepare_row(former, work->store, row, codes);
        } else {
            pad_row(former, row, codes);
        }
        dm_gram_pack(former->codes + begin, former->lifted + begin, i, codes, former->code_bytes / DM_GRAM_WORD);
    }
}

int32_t dm_former_prepare(dm_former *former, dm_store *store, dm_team *team, char *error, size_t error_size) {
    preparation work = {former, store};
    atomic_store_explicit(&former->missing, DM_SLOT_NONE, memory_order_relaxed);
    dm_team_run(team, panels_of(former), prepare_panel, &work);
    const uint32_t missing = atomic_load_explicit(&former->missing, memory_order_relaxed);
    if (missing != DM_SLOT_NONE) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size, "the episode in slot %u was removed during the call", missing);
    }
    return DM_OK;
}

/* --- relating ----------------------------------------------------------------------------------------------------- */

/* Joins two episodes if their similarity reaches the cut. */
static void join_if_similar(dm_former *former, uint32_t i, uint32_t j, float dot) {
    const double recency = dm_recency(former->times[i], former->times[j], former->half_lives);
    if (dm_similarity_of(dot, recency) >= (double)former->cut) {
        dm_component_join(former->parents, i, j);
    }
}

/* Takes out of the masks the pairs that need no look: rows behind the last, pairs from below the diagonal, and those
 * in one component already. Returns how many are left. */
static uint32_t narrow(dm_former *former, uint32_t first_i, uint32_t first_j, uint16_t masks[DM_GRAM_PANEL]) {
    uint32_t left = 0;
    for (uint32_t i = 0; i < DM_GRAM_PANEL; i++) {
        uint32_t kept = 0;
        for (uint32_t mask = masks[i]; mask != 0; mask &= mask - 1) {
            const uint32_t j = (uint32_t)__builtin_ctz(mask);
            if (first_i + i < first_j + j && first_j + j < former->count &&
                dm_component_root(former->parents, first_i + i) != dm_component_root(former->parents, first_j + j)) {
                kept |= UINT32_C(1) << j;
                left++;
            }
        }
        masks[i] = (uint16_t)kept;
    }
    return left;
}

static void list_rows(const dm_former *former, uint32_t first, const float *rows[DM_GRAM_PANEL]) {
    for (uint32_t i = 0; i < DM_GRAM_PANEL; i++) {
        const uint32_t row = first + i < former->count ? first + i : former->count - 1;
        rows[i] = former->units + row * former->padded;
    }
}

/* Looks at the pairs whose bound reaches the cut: one by one, or if they are many, at all of the tile, three times
 * as fast for each. */
static void verify(dm_former *former, uint32_t first_i, uint32_t first_j, uint16_t masks[DM_GRAM_PANEL]) {
    const uint32_t left = narrow(former, first_i, first_j, masks);
    if (left == 0) {
        return;
    }
    const float *a[DM_GRAM_PANEL];
    const float *b[DM_GRAM_PANEL];
    float dots[DM_GRAM_PANEL * DM_GRAM_PANEL];
    list_rows(former, first_i, a);
    list_rows(former, first_j, b);
    if (left >= DENSE) {
        former->gram->dots(a, DM_GRAM_PANEL, b, DM_GRAM_PANEL, former->padded, dots, DM_GRAM_PANEL);
    }
    for (uint32_t i = 0; i < DM_GRAM_PANEL; i++) {
        for (uint32_t mask = masks[i]; mask != 0; mask &= mask - 1) {
            const uint32_t j = (uint32_t)__builtin_ctz(mask);
            float *dot = &dots[i * DM_GRAM_PANEL + j];
            if (left < DENSE) {
                former->gram->dots(a + i, 1, b + j, 1, former->padded, dot, DM_GRAM_PANEL);
            }
            join_if_similar(former, first_i + i, first_j + j, *dot);
        }
    }
}

static dm_gram_panel panel_at(const dm_former *former, uint32_t panel) {
    const size_t row = (size_t)panel * DM_GRAM_PANEL;
    return (dm_gram_panel){former->codes + row * former->code_bytes, former->lifted + row * former->code_bytes,
                           former->scales + row, former->radii + row, former->code_sums + row};
}

/* The cosine that a pair of these panels needs to reach the cut; more than 1 when none can. The panels are in order
 * of time, so the pair that is nearest in time is the last of one and the first of the other. */
static double least_cosine(const dm_former *former, uint32_t i, uint32_t j) {
    const double *times = former->times;
    const double recency = i == j ? 1.0
                                  : dm_recency(times[(i + 1) * DM_GRAM_PANEL - 1], times[j * DM_GRAM_PANEL],
                                               former->half_lives);
    /* Half a unit of rounding to 2^-24 and the half of another that the cut was rounded by; 1e-6 for the relative
     * errors of the recencies and of what is computed here. */
    const double least = ((double)former->cut - 1.0) / DM_SIMILARITY_ONE * (1.0 - 1e-6);
    return recency * 1.1 < least ? 2.0 : least / recency - dm_gram_error_bound(former->options.dim);
}

static void relate_panels(dm_former *former, uint32_t i, uint32_t begin, uint32_t end) {
    const dm_gram_panel a = panel_at(former, i);
    for (uint32_t j = begin; j < end; j++) {
        const double least = least_cosine(former, i, j);
        if (least > 1.0) {
            return; /* those behind are later still */
        }
        uint16_t masks[DM_GRAM_PANEL];
        const dm_gram_panel b = panel_at(former, j);
        if (former->gram->reach(&a, &b, former->code_bytes / DM_GRAM_WORD, (float)least, masks) != 0) {
            verify(former, i * DM_GRAM_PANEL, j * DM_GRAM_PANEL, masks);
        }
    }
}

/* Tasks are the pairs of blocks (x, y) with x <= y, by y. */
static void relate_blocks(void *context, uint32_t task, uint32_t member) {
    (void)member;
    dm_former *former = context;
    const uint32_t panels = panels_of(former);
    uint32_t y = 0;
    while (task > y) {
        task -= ++y;
    }
    const uint32_t x = task;
    const uint32_t end_i = panels - x * BLOCK_PANELS < BLOCK_PANELS ? panels : (x + 1) * BLOCK_PANELS;
    const uint32_t end_j = panels - y * BLOCK_PANELS < BLOCK_PANELS ? panels : (y + 1) * BLOCK_PANELS;
    for (uint32_t i = x * BLOCK_PANELS; i < end_i; i++) {
        relate_panels(former, i, x == y ? i : y * BLOCK_PANELS, end_j);
    }
}

/* --- components --------------------------------------------------------------------------------------------------- */

/* Lists the components of two members or more, in the order of their first members, each ascending. */
static void list_components(dm_former *former) {
    const uint32_t count = former->count;
    uint32_t *const sizes = former->chain;  /* both free until the linkages: [root] members, */
    uint32_t *const cursors = former->origins; /* and where the next one goes */
    memset(sizes, 0, count * sizeof(uint32_t));
    for (uint32_t i = 0; i < count; i++) {
        sizes[dm_component_root(former->parents, i)]++;
    }
    former->component_count = 0;
    dm_former_component next = {0, 0, 0, 0};
    for (uint32_t root = 0; root < count; root++) {
        next.count = sizes[root];
        cursors[root] = next.begin;
        if (next.count < 2) {
            continue;
        }
        former->components[former->component_count++] = next;
        next.begin += next.count;
        next.sums += next.count * dm_linkage_stride(next.count);
        next.weights += dm_linkage_stride(next.count);
    }
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t root = dm_component_root(former->parents, i);
        if (sizes[root] > 1) {
            former->members[cursors[root]++] = i;
        }
    }
}

void dm_former_relate(dm_former *former, dm_team *team) {
    for (uint32_t i = 0; i < former->count; i++) {
        atomic_store_explicit(&former->parents[i], i, memory_order_relaxed);
    }
    const uint32_t blocks = (panels_of(former) + BLOCK_PANELS - 1) / BLOCK_PANELS;
    dm_team_run(team, blocks * (blocks + 1) / 2, relate_blocks, former);
    list_components(former);
}
