/* former.c: making the workspace, and the clustering call. */
#include "formation/former.h"

#include <math.h>
#include <string.h>

#include "simd/recency.h"
#include "store/store.h"

#include "store/poison.h"

dm_former_options dm_former_defaults(uint32_t dim, uint32_t episode_capacity) {
    return (dm_former_options){.size = sizeof(dm_former_options),
                               .dim = dim,
                               .episode_capacity = episode_capacity,
                               .cut = 0.5201,
                               .time_constant_hours = 24.0,
                               .least_members = 3,
                               .most_concepts = 5,
                               .least_coherence = 0.5619,
                               .placement = 0};
}

static int32_t check_options(const dm_former_options *options, char *error, size_t error_size) {
    if (options->size != sizeof(dm_former_options)) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size, "options of %zu bytes, this library knows %zu: set .size",
                       options->size, sizeof(dm_former_options));
    }
    if (options->dim < 1 || options->dim > DM_DIM_MAX) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size, "dim %u is not in 1..%d", options->dim, DM_DIM_MAX);
    }
    if (options->episode_capacity < 1 || options->episode_capacity > DM_FORMER_EPISODES_MAX) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size, "room for %u episodes: want 1..%d", options->episode_capacity,
                       DM_FORMER_EPISODES_MAX);
    }
    if (!(options->cut >= 0x1.0p-23 && options->cut <= 1.0)) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size, "cut %g is not in [2^-23, 1]", options->cut);
    }
    if (!(options->time_constant_hours > 0.0)) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size, "time constant of %g hours: want more than 0, or INFINITY",
                       options->time_constant_hours);
    }
    if (options->least_members < 2 || options->most_concepts < 1 || options->most_concepts > DM_FORMER_EPISODES_MAX) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size,
                       "at least %u members and at most %u concepts: want at least 2 members and 1..%d concepts",
                       options->least_members, options->most_concepts, DM_FORMER_EPISODES_MAX);
    }
    if (!(options->least_coherence >= -1.0 && options->least_coherence <= 1.0)) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size, "least coherence %g is not in [-1, 1]",
                       options->least_coherence);
    }
    if (options->placement % DM_CACHE_LINE != 0 || options->placement >= 4096) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size, "placement %zu is not a multiple of 64 below 4096",
                       options->placement);
    }
    return DM_OK;
}

/* --- memory ------------------------------------------------------------------------------------------------------- */

/* `count` elements, or NULL. *complete becomes 0 when there is no memory. */
static void *take(dm_former *former, size_t count, size_t size, int *complete) {
    void *block = dm_memory_allocate(&former->memory, count * size, DM_CACHE_LINE, former->options.placement);
    *complete = *complete && block != NULL;
    return block;
}

static int allocate(dm_former *former) {
    const size_t most = former->options.episode_capacity;
    const size_t rows = (most + DM_GRAM_PANEL - 1) / DM_GRAM_PANEL * DM_GRAM_PANEL;
    int complete = 1;
    former->episodes = take(former, most, sizeof(dm_former_episode), &complete);
    former->spare = take(former, most, sizeof(dm_former_episode), &complete);
    former->times = take(former, most, sizeof(double), &complete);
    former->units = take(former, most * former->padded, sizeof(float), &complete);
    former->codes = take(former, rows * former->code_bytes, 1, &complete);
    former->lifted = take(former, rows * former->code_bytes, 1, &complete);
    former->scales = take(former, rows, sizeof(float), &complete);
    former->radii = take(former, rows, sizeof(float), &complete);
    former->code_sums = take(former, rows, sizeof(int32_t), &complete);
    former->parents = take(former, most, sizeof(uint32_t), &complete);
    former->members = take(former, most, sizeof(uint32_t), &complete);
    former->components = take(former, most / 2 + 1, sizeof(dm_former_component), &complete);
    /* A component of m takes m rows of m rounded up to 8, and as many weights; of all divisions into components, the
     * whole in one takes most of the former (m (m + 7) grows faster than m), pairs take most of the latter (8 for
     * 2). Pages that are never written cost no memory, only address space. */
    former->sums = take(former, most * dm_linkage_stride((uint32_t)most), sizeof(double), &complete);
    former->weights = take(former, 4 * most + 8, sizeof(double), &complete);
    former->origins = take(former, most, sizeof(uint32_t), &complete);
    former->chain = take(former, most, sizeof(uint32_t), &complete);
    former->merged = take(former, most, sizeof(uint32_t), &complete);
    former->sizes = take(former, most, sizeof(uint32_t), &complete);
    former->within = take(former, most, sizeof(double), &complete);
    former->numbers = take(former, most, sizeof(uint32_t), &complete);
    former->labels = take(former, most, sizeof(uint32_t), &complete);
    former->slots = take(former, most, sizeof(uint32_t), &complete);
    former->clusters = take(former, (size_t)former->options.most_concepts + 1, sizeof(dm_cluster), &complete);
    return complete;
}

void dm_former_destroy(dm_former *former) {
    if (former == NULL) {
        return;
    }
    void *const blocks[] = {
        former->episodes, former->spare,   former->times,   former->units,    former->codes,
        former->lifted,   former->scales,  former->radii,   former->code_sums, (void *)former->parents,
        former->members,  former->components, former->sums, former->weights,  former->origins,
        former->chain,    former->merged,  former->sizes,   former->within,   former->numbers,
        former->labels,   former->slots,   former->clusters,
    };
    for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
        dm_memory_free(&former->memory, blocks[i]);
    }
    dm_memory own = {0}; /* an account in the struct cannot outlive it */
    dm_memory_free(&own, former);
}

int32_t dm_former_create_as(const dm_former_options *options, const char *variant, dm_former **former, char *error,
                            size_t error_size) {
    *former = NULL;
    int32_t status = check_options(options, error, error_size);
    if (status != DM_OK) {
        return status;
    }
    dm_memory own = {0};
    dm_former *made = dm_memory_allocate(&own, sizeof(*made), DM_CACHE_LINE, 0);
    if (made == NULL) {
        return dm_fail(DM_ERROR_MEMORY, error, error_size, "no memory for a former of %zu bytes", sizeof(*made));
    }
    made->options = *options;
    made->gram = dm_gram_find(variant);
    made->query = dm_query_find(variant);
    made->code = dm_codes_find(variant);
    made->cut = llrint(options->cut * DM_SIMILARITY_ONE);
    made->half_lives = 1.0 / (DM_LN_2 * options->time_constant_hours * 3600e9);
    made->padded = dm_padded_dim(options->dim);
    made->code_bytes = dm_code_stride(options->dim);
    if (!allocate(made)) {
        dm_former_destroy(made);
        return dm_fail(DM_ERROR_MEMORY, error, error_size,
                       "no memory to cluster %u episodes of %u floats; lower .episode_capacity", options->episode_capacity,
                       options->dim);
    }
    *former = made;
    return DM_OK;
}

int32_t dm_former_create(const dm_former_options *options, dm_former **former, char *error, size_t error_size) {
    return dm_former_create_as(options, dm_gram_best()->name, former, error, error_size);
}

uint64_t dm_former_memory(const dm_former *former) {
    return dm_memory_bytes(&former->memory);
}

/* --- clustering --------------------------------------------------------------------------------------------------- */

int32_t dm_former_cluster(dm_former *former, dm_store *store, const uint32_t *episode_slots, size_t count, dm_team *team,
                          dm_clustering *result, char *error, size_t error_size) {
    *result = (dm_clustering){NULL, 0, NULL, 0};
    if (store->dim != former->options.dim) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size, "a store of dim %u; this former clusters episodes of dim %u",
                       store->dim, former->options.dim);
    }
    if (count > former->options.episode_capacity) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size,
                       "%zu episodes and a former with room for %u; make a larger one", count,
                       former->options.episode_capacity);
    }
    int32_t status = dm_former_arrange(former, store, episode_slots, (uint32_t)count, error, error_size);
    if (status == DM_OK) {
        status = dm_former_prepare(former, store, team, error, error_size);
    }
    if (status == DM_OK) {
        dm_former_relate(former, team);
        dm_former_link(former, team);
        dm_former_choose(former, result);
    }
    return status;
}
