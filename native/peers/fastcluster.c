/* fastcluster.c: concept formation as one would write it around the quickest libraries for it: all cosines by OpenBLAS (one symmetric rank-k
 * update), average linkage by fastcluster, one thread.
 *
 * The kernel is libdualmem's own (kernels/concept_formation.c) around these dm_former_* in place of libdualmem's; the episodes, their
 * order and the cut are the same, and so must labels and coherences be. */
#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "around.h"
#include "dualmem/dualmem.h"
#include "fastcluster_core.h"

/* The package prefixes every symbol, so that it can be mapped beside another BLAS. */
void scipy_openblas_set_num_threads(int threads);

enum { BLOCKS = 10 };

typedef struct episode {
    uint64_t last_access_ns;
    dm_id id;
    uint32_t slot;
    uint32_t input;
} episode;

struct dm_former {
    dm_former_options options;
    size_t stride;
    episode *episodes;
    double *times;     /* of last access, ns, in the order of the episodes */
    float *units;      /* capacity x stride, in the order of the episodes */
    float *gram;       /* capacity x capacity */
    double *distances; /* condensed */
    uint32_t *ordered; /* labels in the order of the episodes */
    uint32_t *labels;  /* by input */
    uint32_t *begins;  /* [label] of its members, and one more */
    uint32_t *members; /* by label, in the order of the episodes */
    dm_cluster *clusters; /* as many as become concepts, and one more */
    uint64_t bytes;
};

int32_t dm_former_create_as(const dm_former_options *options, const char *variant, dm_former **result, char *error,
                            size_t error_size);

void dm_former_destroy(dm_former *former) {
    if (former != NULL) {
        free(former->episodes);
        free(former->times);
        free(former->units);
        free(former->gram);
        free(former->distances);
        free(former->ordered);
        free(former->labels);
        free(former->begins);
        free(former->members);
        free(former->clusters);
        free(former);
    }
}

int32_t dm_former_create_as(const dm_former_options *options, const char *variant, dm_former **result, char *error,
                            size_t error_size) {
    (void)variant, (void)error, (void)error_size;
    const size_t count = options->episode_capacity;
    scipy_openblas_set_num_threads(1);
    *result = NULL;
    dm_former *former = calloc(1, sizeof(*former));
    if (former == NULL) {
        return DM_ERROR_MEMORY;
    }
    former->options = *options;
    former->stride = (options->dim + 15u) / 16u * 16u;
    const size_t sizes[] = {count * sizeof(episode),          count * former->stride * sizeof(float), count * count * sizeof(float),
                            count * (count + 1) / 2 * sizeof(double), count * sizeof(uint32_t),       count * sizeof(uint32_t),
                            count * sizeof(double),           (count + 1) * sizeof(uint32_t),         count * sizeof(uint32_t),
                            (options->most_concepts + 1u) * sizeof(dm_cluster)};
    void *blocks[BLOCKS];
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = aligned_alloc(64, (sizes[i] + 63) / 64 * 64);
        former->bytes += sizes[i];
    }
    former->episodes = blocks[0];
    former->units = blocks[1];
    former->gram = blocks[2];
    former->distances = blocks[3];
    former->ordered = blocks[4];
    former->labels = blocks[5];
    former->times = blocks[6];
    former->begins = blocks[7];
    former->members = blocks[8];
    former->clusters = blocks[9];
    for (int i = 0; i < BLOCKS; i++) {
        if (blocks[i] == NULL) {
            dm_former_destroy(former);
            return DM_ERROR_MEMORY;
        }
    }
    memset(former->units, 0, sizes[1]);
    *result = former;
    return DM_OK;
}

uint64_t dm_former_memory(const dm_former *former) {
    return former->bytes;
}

/* By last access, then by id. */
static int by_age(const void *one, const void *other) {
    const episode *a = one;
    const episode *b = other;
    if (a->last_access_ns != b->last_access_ns) {
        return a->last_access_ns < b->last_access_ns ? -1 : 1;
    }
    if (a->id.high != b->id.high) {
        return a->id.high < b->id.high ? -1 : 1;
    }
    return a->id.low < b->id.low ? -1 : a->id.low > b->id.low;
}

static int32_t arrange(dm_former *former, dm_store *store, const uint32_t *slots, size_t count) {
    for (size_t i = 0; i < count; i++) {
        episode *one = &former->episodes[i];
        *one = (episode){.last_access_ns = dm_store_last_access(store, slots[i]), .slot = slots[i], .input = (uint32_t)i};
        int32_t status = dm_store_id(store, slots[i], &one->id, NULL, 0);
        if (status != DM_OK) {
            return status;
        }
    }
    qsort(former->episodes, count, sizeof(episode), by_age);
    for (size_t i = 0; i < count; i++) {
        former->times[i] = (double)former->episodes[i].last_access_ns;
        dm_embedding embedding = dm_store_acquire_embedding(store, former->episodes[i].slot);
        float *unit = former->units + i * former->stride;
        for (uint32_t k = 0; k < former->options.dim; k++) {
            unit[k] = embedding.values[k] * embedding.inverse_norm;
        }
        dm_store_release_embedding(store, embedding);
    }
    return DM_OK;
}

static inline double similarity(const dm_former *former, size_t count, size_t i, size_t j, double per_ns) {
    return (double)former->gram[i * count + j] * exp((former->times[i] - former->times[j]) * per_ns);
}

/* Episodes by label: counted, then placed. */
static void group(dm_former *former, uint32_t count, uint32_t labels) {
    memset(former->begins, 0, (labels + 1) * sizeof(uint32_t));
    for (uint32_t i = 0; i < count; i++) {
        former->begins[former->ordered[i] + 1]++;
    }
    for (uint32_t label = 0; label < labels; label++) {
        former->begins[label + 1] += former->begins[label];
    }
    for (uint32_t i = count; i-- > 0;) { /* from behind: begins[label + 1] ends where the next label begins */
        former->members[--former->begins[former->ordered[i] + 1]] = i;
    }
    for (uint32_t label = 0; label < labels; label++) {
        former->begins[label] = former->begins[label + 1];
    }
    former->begins[labels] = count;
}

/* The best clusters by coherence times members. */
static uint32_t choose(dm_former *former, uint32_t count, uint32_t labels, double per_ns) {
    uint32_t kept = 0;
    for (uint32_t label = 0; label < labels; label++) {
        const uint32_t begin = former->begins[label];
        const uint32_t size = former->begins[label + 1] - begin;
        if (size < former->options.least_members) {
            continue;
        }
        double sum = 0.0;
        for (uint32_t i = 0; i < size; i++) {
            for (uint32_t j = i + 1; j < size; j++) {
                sum += similarity(former, count, former->members[begin + i], former->members[begin + j], per_ns);
            }
        }
        const double coherence = sum / (0.5 * size * (size - 1.0));
        if (coherence < former->options.least_coherence) {
            continue;
        }
        uint32_t place = kept;
        for (; place > 0 && coherence * size > former->clusters[place - 1].coherence * former->clusters[place - 1].member_count; place--) {
            former->clusters[place] = former->clusters[place - 1];
        }
        former->clusters[place] = (dm_cluster){.member_count = size, .label = label, .coherence = coherence};
        kept = kept < former->options.most_concepts ? kept + 1 : kept;
    }
    return kept;
}

int32_t dm_former_cluster(dm_former *former, dm_store *store, const uint32_t *slots, size_t count, dm_team *team,
                          dm_clustering *result, char *error, size_t error_size) {
    (void)team, (void)error, (void)error_size;
    int32_t status = arrange(former, store, slots, count);
    if (status != DM_OK) {
        return status;
    }
    scipy_cblas_ssyrk(CblasRowMajor, CblasUpper, CblasNoTrans, (int)count, (int)former->stride, 1.0f, former->units,
                      (int)former->stride, 0.0f, former->gram, (int)count);
    const double per_ns = 1.0 / (former->options.time_constant_hours * 3600.0e9);
    double *distance = former->distances;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = i + 1; j < count; j++) {
            distance[j - i - 1] = 1.0 - similarity(former, count, i, j, per_ns);
        }
        distance += count - i - 1;
    }
    if (peer_average_linkage((uint32_t)count, former->distances, 1.0 - former->options.cut, former->ordered) != 0) {
        return DM_ERROR_MEMORY;
    }
    uint32_t most = 0;
    for (size_t i = 0; i < count; i++) {
        former->labels[former->episodes[i].input] = former->ordered[i];
        most = former->ordered[i] > most ? former->ordered[i] : most;
    }
    group(former, (uint32_t)count, most + 1);
    const uint32_t kept = choose(former, (uint32_t)count, most + 1, per_ns);
    *result = (dm_clustering){
        .labels = former->labels, .label_count = most + 1, .clusters = former->clusters, .cluster_count = kept};
    return DM_OK;
}

static const peer_family families[] = {{dm_concept_formation_kernels, &dm_concept_formation_kernel_count}};

const peer_identity peer_identity_of_this = {.name = "OpenBLAS and fastcluster",
                                             .version = OPENBLAS_VERSION ", " FASTCLUSTER_VERSION,
                                             .flags = "-O3 -march=native -ffast-math",
                                             .variant = "fastcluster",
                                             .families = families,
                                             .family_count = 1};
