/* link.c: the similarities within each component, and their linkage. */
#include "formation/former.h"

#include "parallel/team.h"

#include "store/poison.h"

/* A component larger than this has its matrix filled by the whole team, a tile a task. TILE: whole groups of the
 * dots' rows. */
enum { TILE = 24, LARGE = 4 * TILE };

typedef struct filling {
    dm_former *former;
    const dm_former_component *component;
} filling;

static uint32_t tiles_of(const dm_former_component *component) {
    return (component->count + TILE - 1) / TILE;
}

/* The members begin..begin + TILE - 1 of a component, or as many as there are: their unit vectors and times. */
static uint32_t list_members(const dm_former *former, const dm_former_component *component, uint32_t begin,
                             const float *rows[TILE], double times[TILE]) {
    const uint32_t *members = former->members + component->begin + begin;
    const uint32_t count = component->count - begin < TILE ? component->count - begin : TILE;
    for (uint32_t i = 0; i < count; i++) {
        rows[i] = former->units + members[i] * former->padded;
        times[i] = former->times[members[i]];
    }
    return count;
}

/* The similarities of members x * TILE.. and y * TILE.., x <= y, both ways. */
static void fill_tile(dm_former *former, const dm_former_component *component, uint32_t x, uint32_t y) {
    const float *a[TILE];
    const float *b[TILE];
    double a_times[TILE];
    double b_times[TILE];
    float dots[TILE * TILE];
    const uint32_t a_count = list_members(former, component, x * TILE, a, a_times);
    const uint32_t b_count = list_members(former, component, y * TILE, b, b_times);
    former->gram->dots(a, a_count, b, b_count, former->padded, dots, TILE);
    const size_t stride = dm_linkage_stride(component->count);
    double *upper = former->sums + component->sums + x * TILE * stride + y * TILE;
    double *lower = former->sums + component->sums + y * TILE * stride + x * TILE;
    for (uint32_t i = 0; i < a_count; i++) {
        former->gram->weigh(dots + i * TILE, b_times, b_count, a_times[i], former->half_lives, upper + i * stride);
    }
    for (uint32_t j = 0; x < y && j < b_count; j++) {
        for (uint32_t i = 0; i < a_count; i++) {
            lower[j * stride + i] = upper[i * stride + j];
        }
    }
    for (uint32_t i = 0; x == y && i < a_count; i++) {
        upper[i * stride + i] = 0.0;
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
