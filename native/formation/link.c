/* link.c: the similarities within each component, and their linkage. */
#include "formation/former.h"

#include "formation/recency.h"
#include "parallel/team.h"

#include "store/poison.h"

/* A component larger than this has its matrix filled by the whole team, a tile a task. TILE: whole groups of the dots' rows. */
enum { TILE = 24, LARGE = 4 * TILE };

typedef struct filling {
    dm_former *former;
    const dm_former_component *component;
} filling;

static uint32_t tiles_of(const dm_former_component *component) {
    return (component->count + TILE - 1) / TILE;
}

static uint32_t list_rows(const dm_former *former, const dm_former_component *component, uint32_t begin,
                          const float *rows[TILE]) {
    const uint32_t count = component->count - begin < TILE ? component->count - begin : TILE;
    for (uint32_t i = 0; i < count; i++) {
        rows[i] = former->units + former->members[component->begin + begin + i] * former->padded;
    }
    return count;
}

/* The similarities of members x * TILE.. and y * TILE.., x <= y, both ways. */
static void fill_tile(dm_former *former, const dm_former_component *component, uint32_t x, uint32_t y) {
    const float *a[TILE];
    const float *b[TILE];
    float dots[TILE * TILE];
    const uint32_t a_count = list_rows(former, component, x * TILE, a);
    const uint32_t b_count = list_rows(former, component, y * TILE, b);
    former->gram->dots(a, a_count, b, b_count, former->padded, dots, TILE);
    const uint32_t *members = former->members + component->begin;
    const size_t stride = dm_linkage_stride(component->count);
    double *sums = former->sums + component->sums;
    for (uint32_t i = x * TILE; i < x * TILE + a_count; i++) {
        const uint64_t time = former->episodes[members[i]].last_access_ns;
        for (uint32_t j = y * TILE > i ? y * TILE : i; j < y * TILE + b_count; j++) {
            const uint64_t between = dm_time_between(time, former->episodes[members[j]].last_access_ns);
            const float dot = dots[(i - x * TILE) * TILE + (j - y * TILE)];
            const int32_t similarity = dm_episode_similarity(dot, between, former->half_lives);
            sums[i * stride + j] = i == j ? 0.0 : similarity;
            sums[j * stride + i] = i == j ? 0.0 : similarity;
        }
    }
    for (uint32_t i = x * TILE; y == x && i < x * TILE + a_count; i++) {
        for (size_t j = component->count; j < stride; j++) {
            sums[i * stride + j] = 0.0;
        }
    }
}

/* Tasks are the pairs of tiles (x, y) with x <= y, by y. */
static void fill_task(void *context, uint32_t task, uint32_t member) {
    (void)member;
    const filling *work = context;
    uint32_t y = 0;
    while (task > y) {
        task -= ++y;
    }
    fill_tile(work->former, work->component, task, y);
}

static void link_component(void *context, uint32_t task, uint32_t member) {
    (void)member;
    dm_former *former = context;
    const dm_former_component *component = &former->components[task];
    for (uint32_t y = 0; component->count <= LARGE && y < tiles_of(component); y++) {
        for (uint32_t x = 0; x <= y; x++) {
            fill_tile(former, component, x, y);
        }
    }
    dm_linkage linkage = {.count = component->count,
                          .cut = former->cut,
                          .sums = former->sums + component->sums,
                          .stride = dm_linkage_stride(component->count),
                          .weights = former->weights + component->weights,
                          .origins = former->origins + component->begin,
                          .chain = former->chain + component->begin,
                          .parents = former->merged + component->begin,
                          .sizes = former->sizes + component->begin,
                          .within = former->within + component->begin};
    dm_linkage_run(&linkage, former->gram);
}

void dm_former_link(dm_former *former, dm_team *team) {
    for (uint32_t c = 0; c < former->component_count; c++) {
        filling work = {former, &former->components[c]};
        if (work.component->count > LARGE) {
            const uint32_t tiles = tiles_of(work.component);
            dm_team_run(team, tiles * (tiles + 1) / 2, fill_task, &work);
        }
    }
    dm_team_run(team, former->component_count, link_component, former);
}
