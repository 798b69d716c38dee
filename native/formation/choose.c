/* choose.c: the numbers of the clusters, and which are kept as concepts. */
#include "formation/former.h"

#include "simd/recency.h"

#include "store/poison.h"

/* Gives every episode the number of its cluster: they are counted in the order of their first members. Until a
 * cluster is met its episodes have the first member's position there. Returns how many there are. */
static uint32_t number_clusters(dm_former *former) {
    for (uint32_t i = 0; i < former->count; i++) {
        former->numbers[i] = i;
    }
    for (uint32_t c = 0; c < former->component_count; c++) {
        const dm_former_component *component = &former->components[c];
        const uint32_t *members = former->members + component->begin;
        uint32_t *merged = former->merged + component->begin;
        for (uint32_t i = 0; i < component->count; i++) {
            merged[i] = merged[merged[i]]; /* parents are smaller, so theirs is the first member already */
            former->numbers[members[i]] = members[merged[i]];
        }
    }
    uint32_t count = 0;
    for (uint32_t i = 0; i < former->count; i++) {
        const uint32_t first = former->numbers[i];
        former->numbers[i] = first == i ? count++ : former->numbers[first];
    }
    return count;
}

/* 1 when a comes before b in the result. */
static int is_better(const dm_cluster *a, const dm_cluster *b) {
    const double score_a = a->coherence * a->member_count;
    const double score_b = b->coherence * b->member_count;
    return score_a != score_b ? score_a > score_b : a->label < b->label;
}

/* Insertion into the best so far; there is room for one more than are wanted, which drops out. */
static void keep(dm_former *former, dm_clustering *result, dm_cluster cluster) {
    uint32_t place = result->cluster_count;
    for (; place > 0 && is_better(&cluster, &former->clusters[place - 1]); place--) {
        former->clusters[place] = former->clusters[place - 1];
    }
    former->clusters[place] = cluster;
    if (result->cluster_count < former->options.most_concepts) {
        result->cluster_count++;
    }
}

static void keep_clusters_of(dm_former *former, const dm_former_component *component, dm_clustering *result) {
    for (uint32_t i = 0; i < component->count; i++) {
        const uint32_t place = component->begin + i;
        const uint32_t size = former->sizes[place];
        if (former->merged[place] != i || size < former->options.least_members) {
            continue;
        }
        const double pairs = 0.5 * (double)size * (double)(size - 1);
        const double coherence = former->within[place] / DM_SIMILARITY_ONE / pairs;
        if (coherence >= former->options.least_coherence) {
            keep(former, result, (dm_cluster){NULL, size, former->numbers[former->members[place]], coherence});
        }
    }
}

/* Fills in the members of the clusters kept. */
static void list_members(dm_former *former, const dm_clustering *result, uint32_t label_count) {
    uint32_t *const cursors = former->chain; /* free by now: [number] where the next member goes */
    uint32_t begin = 0;
    for (uint32_t i = 0; i < label_count; i++) {
        cursors[i] = UINT32_MAX;
    }
    for (uint32_t c = 0; c < result->cluster_count; c++) {
        dm_cluster *cluster = &former->clusters[c];
        cluster->members = former->slots + begin;
        cursors[cluster->label] = begin;
        begin += cluster->member_count;
    }
    for (uint32_t i = 0; i < former->count; i++) {
        uint32_t *cursor = &cursors[former->numbers[i]];
        if (*cursor != UINT32_MAX) {
            former->slots[(*cursor)++] = former->episodes[i].slot;
        }
    }
}

void dm_former_choose(dm_former *former, dm_clustering *result) {
    const uint32_t label_count = number_clusters(former);
    *result = (dm_clustering){former->labels, label_count, former->clusters, 0};
    for (uint32_t i = 0; i < former->count; i++) {
        former->labels[former->episodes[i].input] = former->numbers[i];
    }
    for (uint32_t c = 0; c < former->component_count; c++) {
        keep_clusters_of(former, &former->components[c], result);
    }
    list_members(former, result, label_count);
}
