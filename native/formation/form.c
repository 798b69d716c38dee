/* form.c: from clusters to concepts. */
#include "formation/former.h"

#include <math.h>
#include <string.h>

#include "store/store.h"

#include "store/poison.h"

/* --- centroids ---------------------------------------------------------------------------------------------------- */

/* Adds `value` to a sum and the rounding error to its compensation (Neumaier 1974; the error is exact, Knuth's
 * TwoSum). */
static void add_compensated(double *sum, double *compensation, double value) {
    const double total = *sum + value;
    const double part = total - *sum;
    *compensation += (*sum - (total - part)) + (value - part);
    *sum = total;
}

/* The mean of the members' embeddings, divided by its norm; zeros if the mean is zero. Members are added in their
 * canonical order. 0: a member was removed. */
static int make_centroid(const dm_former *former, dm_store *store, const dm_cluster *cluster, float *centroid) {
    const uint32_t dim = former->options.dim;
    double sums[DM_DIM_MAX] = {0.0};
    double compensations[DM_DIM_MAX] = {0.0};
    for (uint32_t m = 0; m < cluster->member_count; m++) {
        dm_embedding embedding = dm_store_acquire_embedding(store, cluster->members[m]);
        if (embedding.values == NULL) {
            return 0;
        }
        for (uint32_t k = 0; k < dim; k++) {
            add_compensated(&sums[k], &compensations[k], (double)embedding.values[k]);
        }
        dm_store_release_embedding(store, embedding);
    }
    double squares = 0.0;
    double compensation = 0.0;
    for (uint32_t k = 0; k < dim; k++) {
        sums[k] = (sums[k] + compensations[k]) / cluster->member_count;
        add_compensated(&squares, &compensation, sums[k] * sums[k]);
    }
    const double norm = sqrt(squares + compensation);
    for (uint32_t k = 0; k < dim; k++) {
        centroid[k] = norm > 0.0 ? (float)(sums[k] / norm) : 0.0f;
    }
    return 1;
}

/* --- concepts ----------------------------------------------------------------------------------------------------- */

int32_t dm_former_add_concept(const dm_former *former, dm_store *store, const dm_cluster *cluster, dm_id id, uint32_t *slot,
                              char *error, size_t error_size) {
    float centroid[DM_DIM_MAX];
    *slot = DM_SLOT_NONE;
    if (!make_centroid(former, store, cluster, centroid)) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size,
                       "an episode was removed during the call; no concept was formed");
    }
    int32_t status = dm_store_add_concept(store, id, centroid, slot, error, error_size);
    if (status == DM_OK) {
        dm_store_set_formation(store, *slot, (dm_formation){(float)cluster->coherence, cluster->member_count});
    }
    for (uint32_t m = 0; status == DM_OK && m < cluster->member_count; m++) {
        status = dm_store_bind(store, cluster->members[m], *slot, DM_STRENGTH_INITIAL, NULL, error, error_size);
    }
    return status;
}

int32_t dm_store_form(dm_store *store, dm_former *former, const uint32_t *episode_slots, size_t count, const dm_id *ids,
                      dm_team *team, uint32_t *concept_slots, uint32_t *concept_count, char *error, size_t error_size) {
    dm_clustering found;
    *concept_count = 0;
    int32_t status = dm_former_cluster(former, store, episode_slots, count, team, &found, error, error_size);
    uint32_t made = 0;
    while (status == DM_OK && made < found.cluster_count) {
        status = dm_former_add_concept(former, store, &found.clusters[made], ids[made], &concept_slots[made], error,
                                       error_size);
        made++;
    }
    for (uint32_t c = 0; status != DM_OK && c < made; c++) { /* the last one may be incomplete, or not be there */
        if (concept_slots[c] != DM_SLOT_NONE) {
            (void)dm_store_remove(store, concept_slots[c], NULL, 0);
            concept_slots[c] = DM_SLOT_NONE;
        }
    }
    *concept_count = status == DM_OK ? made : 0;
    return status;
}
