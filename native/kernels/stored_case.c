/* stored_case.c: see stored_case.h. */
#include "kernels/stored_case.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "store/poison.h"

uint64_t dm_stored_case_random(uint64_t *state) {
    uint64_t mixed = *state += UINT64_C(0x9e3779b97f4a7c15);
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ (mixed >> 31);
}

void dm_stored_case_shuffle(uint32_t *order, uint32_t count, uint64_t seed) {
    uint64_t random = seed;
    for (uint32_t i = 0; i < count; i++) {
        order[i] = i;
    }
    for (uint32_t left = count; left > 1; left--) {
        uint32_t other = (uint32_t)(dm_stored_case_random(&random) % left); /* bias below 2^-32 */
        uint32_t kept = order[left - 1];
        order[left - 1] = order[other];
        order[other] = kept;
    }
}

static int32_t check(const dm_case *work, uint64_t concept_count, char *error, size_t error_size) {
    const dm_matrix *data = &work->data;
    const dm_matrix *queries = &work->queries;
    if (data->rows < concept_count || concept_count == 0) {
        snprintf(error, error_size, "%llu centroids are asked for and the data has %llu rows; ask for fewer or give more data",
                 (unsigned long long)concept_count, (unsigned long long)data->rows);
        return DM_ERROR_ARGUMENT;
    }
    if (2 * concept_count > DM_CAPACITY_MAX || data->columns < 1 || data->columns > DM_DIM_MAX) {
        snprintf(error, error_size, "a store takes up to %d nodes of 1 to %d dimensions, not %llu of %llu; use less data",
                 (int)DM_CAPACITY_MAX, (int)DM_DIM_MAX, (unsigned long long)(2 * concept_count),
                 (unsigned long long)data->columns);
        return DM_ERROR_ARGUMENT;
    }
    if (queries->rows == 0 || queries->rows > UINT32_MAX || queries->columns != data->columns) {
        snprintf(error, error_size, "the queries are %llu x %llu and the data has %llu columns; give queries of that width",
                 (unsigned long long)queries->rows, (unsigned long long)queries->columns,
                 (unsigned long long)data->columns);
        return DM_ERROR_ARGUMENT;
    }
    for (uint64_t row = 0; row < queries->rows; row++) {
        for (uint64_t i = 0; i < queries->columns; i++) {
            if (!isfinite(queries->values[row * queries->stride + i])) {
                snprintf(error, error_size, "row %llu of the queries contains NaN or infinity; remove it",
                         (unsigned long long)row);
                return DM_ERROR_CORRUPT;
            }
        }
    }
    return DM_OK;
}

/* The vector of node `node`, in `moved` if it had to be made. */
static const float *vector_of(const dm_case *work, uint64_t node, float *moved) {
    const dm_matrix *data = &work->data;
    const float *values = data->values + node % data->rows * data->stride;
    if (node < data->rows) {
        return values;
    }
    uint64_t random = work->seed ^ (node * UINT64_C(0xd1342543de82ef95));
    for (uint64_t i = 0; i < data->columns; i++) {
        double uniform = (double)(dm_stored_case_random(&random) >> 11) * 0x1.0p-53; /* [0, 1) */
        moved[i] = (float)((double)values[i] * (0.95 + 0.1 * uniform));
        moved[i] = isfinite(moved[i]) ? moved[i] : values[i];
    }
    return moved;
}

static int32_t fill(const dm_case *work, uint32_t concept_count, int32_t kind, dm_stored_case *stored, float *moved,
                    char *error, size_t error_size) {
    for (uint32_t node = 0; node < 2 * concept_count; node++) {
        const float *values = vector_of(work, node, moved);
        const int is_concept = node < concept_count;
        const dm_id id = {.low = node, .high = is_concept ? 1 : 2};
        uint32_t slot = DM_SLOT_NONE;
        int32_t status = kind == DM_STORED_SINGLE ? dm_store_add_node(stored->store, id, values, &slot, error, error_size)
                         : is_concept ? dm_store_add_concept(stored->store, id, values, &slot, error, error_size)
                                      : dm_store_add_episode(stored->store, id, values, &slot, error, error_size);
        if (status != DM_OK) {
            return status;
        }
        if (is_concept) {
            stored->data_row[dm_slot_index(slot)] = node;
        }
    }
    stored->rows = kind == DM_STORED_SINGLE ? dm_store_node_rows(stored->store) : dm_store_concept_rows(stored->store);
    stored->rows.count = concept_count; /* rows are in order of arrival, and the centroids came first */
    stored->population = dm_store_population(stored->store).nodes;
    return DM_OK;
}

int32_t dm_stored_case_create(const dm_case *work, uint64_t concept_count, int32_t kind, dm_memory *account,
                              dm_stored_case *stored, char *error, size_t error_size) {
    memset(stored, 0, sizeof(*stored));
    int32_t status = check(work, concept_count, error, error_size);
    if (status != DM_OK) {
        return status;
    }
    const uint32_t count = (uint32_t)concept_count;
    const dm_store_options options = {
        .size = sizeof(options),
        .dim = (uint32_t)work->data.columns,
        .concept_capacity = count,
        .episode_capacity = count,
        .single_type = kind == DM_STORED_SINGLE,
        .placement = work->placement,
    };
    float *moved = dm_memory_allocate(account, options.dim * sizeof(float), DM_CACHE_LINE, 0);
    stored->data_row = dm_memory_allocate(account, 2 * (size_t)count * sizeof(uint32_t), DM_CACHE_LINE, 0);
    if (moved == NULL || stored->data_row == NULL) {
        snprintf(error, error_size, "no memory for a list of %u rows; use less data", count);
        status = DM_ERROR_MEMORY;
    }
    if (status == DM_OK) {
        status = dm_store_create(&options, &stored->store, error, error_size);
    }
    if (status == DM_OK) {
        status = fill(work, count, kind, stored, moved, error, error_size);
    }
    dm_memory_free(account, moved);
    if (status != DM_OK) {
        dm_stored_case_destroy(stored, account);
    }
    return status;
}

void dm_stored_case_destroy(dm_stored_case *stored, dm_memory *account) {
    dm_store_destroy(stored->store);
    dm_memory_free(account, stored->data_row);
    memset(stored, 0, sizeof(*stored));
}
