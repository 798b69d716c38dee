/* test_formation.c: clusters, concepts and consolidation of a store, against the definition written out in long
 * double: similarities, the greedy algorithm over all pairs, coherence, centroids. */
#include <float.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formation/former.h"
#include "simd/gram.h"
#include "store/store.h"
#include "tests/support.h"
#include "tests/variants.h"

static char error[256];

enum { MOST = 320, DIM_MOST = 80 };

/* --- episodes ----------------------------------------------------------------------------------------------------- */

/* A model of what a store holds. */
typedef struct episodes {
    uint32_t count;
    uint32_t dim;
    float values[MOST][DIM_MOST];
    uint64_t times[MOST];
    dm_id ids[MOST];
} episodes;

static const uint64_t HOUR = UINT64_C(3600000000000);

/* Ids whose order is not that of the slots. */
static dm_id id_of(uint32_t number) {
    return (dm_id){number * UINT64_C(0x9e3779b97f4a7c15), number % 3};
}

static dm_store *make_store(const episodes *all, uint32_t concepts) {
    dm_store_options options = {.size = sizeof(options), .dim = all->dim, .concept_capacity = concepts,
                                .episode_capacity = all->count > 0 ? all->count : 1};
    dm_store *store = NULL;
    REQUIRE(CHECK_STATUS(dm_store_create(&options, &store, error, sizeof(error)), DM_OK, error));
    for (uint32_t i = 0; i < all->count; i++) {
        uint32_t slot = DM_SLOT_NONE;
        CHECK_STATUS(dm_store_add_episode(store, all->ids[i], all->values[i], &slot, error, sizeof(error)), DM_OK, error);
        CHECK_EQUAL(slot, i);
        dm_store_touch(store, slot, all->times[i]);
    }
    return store;
}

enum { CLUSTERED, DUPLICATES, HALVES, ZEROS, LOOSE, KINDS };

static void make_episodes(test_random *random, episodes *all, uint32_t count, uint32_t dim, int kind, uint64_t hours) {
    all->count = count;
    all->dim = dim;
    const uint32_t groups = 1 + count / 12;
    for (uint32_t i = 0; i < count; i++) {
        all->ids[i] = id_of(i);
        all->times[i] = UINT64_C(1700000000000000000) + test_random_below(random, hours + 1) * HOUR;
        const uint32_t group = (uint32_t)test_random_below(random, groups);
        test_random centre = {1000 + group};
        const double noise = kind == LOOSE ? 1.0 : 0.6;
        for (uint32_t k = 0; k < dim; k++) {
            all->values[i][k] = (float)(test_random_normal(&centre) + noise * test_random_normal(random));
        }
        if (kind == DUPLICATES && i >= 3) { /* ties of whole rows of the matrix */
            memcpy(all->values[i], all->values[test_random_below(random, 3)], dim * sizeof(float));
        }
        if (kind == HALVES) { /* unit vectors of halves: cosines of quarters, exact and tied */
            memset(all->values[i], 0, dim * sizeof(float));
            for (uint32_t ones = 0; ones < 4 && dim >= 8;) {
                float *value = &all->values[i][test_random_below(random, 8)];
                ones += *value == 0.0f ? 1 : 0;
                *value = 2.0f;
            }
        }
        if (kind == ZEROS && i % 4 == 1) {
            memset(all->values[i], 0, dim * sizeof(float));
        }
    }
}

/* --- the oracle --------------------------------------------------------------------------------------------------- */

typedef struct oracle {
    uint32_t order[MOST];    /* [rank] episode */
    int64_t similarity[MOST * MOST]; /* by rank, in units of 2^-24 */
    uint32_t cluster[MOST];  /* [rank] the first member's rank */
    uint32_t labels[MOST];   /* [episode] */
    uint32_t label_count;
} oracle;

static int comes_before(const episodes *all, uint32_t a, uint32_t b) {
    if (all->times[a] != all->times[b]) {
        return all->times[a] < all->times[b];
    }
    return all->ids[a].high != all->ids[b].high ? all->ids[a].high < all->ids[b].high : all->ids[a].low < all->ids[b].low;
}

static long double dot(const float *a, const float *b, uint32_t dim) {
    long double sum = 0.0L;
    for (uint32_t k = 0; k < dim; k++) {
        sum += (long double)a[k] * (long double)b[k];
    }
    return sum;
}

static int64_t similarity_of(const episodes *all, uint32_t a, uint32_t b, long double hours) {
    const long double aa = dot(all->values[a], all->values[a], all->dim);
    const long double bb = dot(all->values[b], all->values[b], all->dim);
    if (aa < (long double)FLT_MIN || bb < (long double)FLT_MIN) {
        return 0;
    }
    const uint64_t between = all->times[a] < all->times[b] ? all->times[b] - all->times[a] : all->times[a] - all->times[b];
    const long double cosine = dot(all->values[a], all->values[b], all->dim) / (sqrtl(aa) * sqrtl(bb));
    return llroundl(cosine * expl(-(long double)between / (long double)HOUR / hours) * 0x1.0p24L);
}

static void merge_greedily(oracle *expected, uint32_t n, int64_t cut) {
    static int64_t sums[MOST * MOST];
    static int64_t sizes[MOST];
    memcpy(sums, expected->similarity, (size_t)n * n * sizeof(int64_t));
    for (uint32_t i = 0; i < n; i++) {
        expected->cluster[i] = i;
        sizes[i] = 1;
    }
    for (;;) {
        uint32_t best_i = n;
        uint32_t best_j = n;
        for (uint32_t i = 0; i < n; i++) {
            for (uint32_t j = i + 1; expected->cluster[i] == i && j < n; j++) {
                if (expected->cluster[j] == j &&
                    (best_i == n || sums[i * n + j] * (sizes[best_i] * sizes[best_j]) >
                                        sums[best_i * n + best_j] * (sizes[i] * sizes[j]))) {
                    best_i = i;
                    best_j = j;
                }
            }
        }
        if (best_i == n || sums[best_i * n + best_j] < cut * sizes[best_i] * sizes[best_j]) {
            return;
        }
        for (uint32_t x = 0; x < n; x++) {
            sums[best_i * n + x] += sums[best_j * n + x];
            sums[x * n + best_i] = sums[best_i * n + x];
            expected->cluster[x] = expected->cluster[x] == best_j ? best_i : expected->cluster[x];
        }
        sizes[best_i] += sizes[best_j];
    }
}

static oracle *make_oracle(const episodes *all, const dm_former_options *options) {
    oracle *expected = calloc(1, sizeof(*expected));
    REQUIRE(expected != NULL);
    const uint32_t n = all->count;
    for (uint32_t i = 0; i < n; i++) { /* insertion */
        uint32_t place = i;
        for (; place > 0 && comes_before(all, i, expected->order[place - 1]); place--) {
            expected->order[place] = expected->order[place - 1];
        }
        expected->order[place] = i;
    }
    const long double constant = (long double)options->time_constant_hours;
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t j = 0; j < n; j++) {
            expected->similarity[i * n + j] =
                i == j ? 0 : similarity_of(all, expected->order[i], expected->order[j], constant);
        }
    }
    merge_greedily(expected, n, llround(options->cut * 0x1.0p24));
    for (uint32_t rank = 0; rank < n; rank++) {
        const uint32_t first = expected->cluster[rank];
        expected->labels[expected->order[rank]] =
            first == rank ? expected->label_count++ : expected->labels[expected->order[first]];
    }
    return expected;
}

static long double coherence_of(const oracle *expected, uint32_t n, uint32_t first, uint32_t *size) {
    int64_t sum = 0;
    *size = 0;
    for (uint32_t i = 0; i < n; i++) {
        *size += expected->cluster[i] == first ? 1 : 0;
        for (uint32_t j = i + 1; expected->cluster[i] == first && j < n; j++) {
            sum += expected->cluster[j] == first ? expected->similarity[i * n + j] : 0;
        }
    }
    return *size < 2 ? 0.0L : (long double)sum / 0x1.0p24L / ((long double)*size * (*size - 1) / 2);
}

/* --- clusters ----------------------------------------------------------------------------------------------------- */

static dm_former *make_former(const dm_former_options *options, const char *variant) {
    dm_former *former = NULL;
    int32_t status = variant == NULL ? dm_former_create(options, &former, error, sizeof(error))
                                     : dm_former_create_as(options, variant, &former, error, sizeof(error));
    REQUIRE(CHECK_STATUS(status, DM_OK, error));
    return former;
}

static int is_kept(const dm_clustering *found, uint32_t label) {
    for (uint32_t c = 0; c < found->cluster_count; c++) {
        if (found->clusters[c].label == label) {
            return 1;
        }
    }
    return 0;
}

/* The kept clusters are those that qualify, the best first, with their members in the canonical order. */
static void check_clusters(const dm_clustering *found, const oracle *expected, const episodes *all,
                           const dm_former_options *options) {
    const uint32_t n = all->count;
    uint32_t qualified = 0;
    long double worst_kept = INFINITY;
    for (uint32_t c = 0; c < found->cluster_count; c++) {
        const dm_cluster *cluster = &found->clusters[c];
        uint32_t member = 0;
        uint32_t first = n;
        for (uint32_t rank = 0; rank < n; rank++) {
            if (expected->labels[expected->order[rank]] == cluster->label) {
                first = first == n ? rank : first;
                CHECK(member < cluster->member_count && cluster->members[member] == expected->order[rank]);
                member++;
            }
        }
        CHECK_EQUAL(member, cluster->member_count);
        uint32_t size = 0;
        REQUIRE(first < n);
        CHECK_NEAR(cluster->coherence, coherence_of(expected, n, first, &size), 1e-6);
        CHECK(cluster->coherence >= options->least_coherence && size >= options->least_members);
        const long double score = (long double)cluster->coherence * size;
        CHECK(score <= worst_kept);
        CHECK(c == 0 || score < worst_kept || cluster->label > found->clusters[c - 1].label);
        worst_kept = score;
    }
    for (uint32_t first = 0; first < n; first++) {
        uint32_t size = 0;
        if (expected->cluster[first] == first) {
            long double coherence = coherence_of(expected, n, first, &size);
            int qualifies = size >= options->least_members && coherence >= (long double)options->least_coherence;
            qualified += qualifies ? 1 : 0;
            CHECK(!qualifies || is_kept(found, expected->labels[expected->order[first]]) ||
                  coherence * size <= worst_kept + 1e-5L);
        }
    }
    CHECK_EQUAL(found->cluster_count, qualified < options->most_concepts ? qualified : options->most_concepts);
}

static void check_labels(dm_former *former, dm_store *store, const uint32_t *slots, const episodes *all, dm_team *team,
                         const oracle *expected, dm_clustering *found) {
    CHECK_STATUS(dm_former_cluster(former, store, slots, all->count, team, found, error, sizeof(error)), DM_OK, error);
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < all->count; i++) {
        wrong += found->labels[i] != expected->labels[slots[i]] ? 1 : 0;
    }
    CHECK_EQUAL(wrong, 0);
    CHECK_EQUAL(found->label_count, expected->label_count);
}

static uint64_t digest(const dm_clustering *found, const uint32_t *slots, uint32_t count) {
    uint64_t sum = found->label_count;
    for (uint32_t i = 0; i < count; i++) {
        sum += (found->labels[i] + UINT64_C(1)) * UINT64_C(0x9e3779b97f4a7c15) * (slots[i] + UINT64_C(1));
    }
    for (uint32_t c = 0; c < found->cluster_count; c++) {
        uint64_t bits;
        memcpy(&bits, &found->clusters[c].coherence, sizeof(bits));
        sum = (sum ^ bits) * UINT64_C(0x100000001b3);
        for (uint32_t m = 0; m < found->clusters[c].member_count; m++) {
            sum = (sum ^ found->clusters[c].members[m]) * UINT64_C(0x100000001b3);
        }
    }
    return sum;
}

static void shuffle(test_random *random, uint32_t *slots, uint32_t count) {
    for (uint32_t left = count; left > 1; left--) {
        uint32_t other = (uint32_t)test_random_below(random, left);
        uint32_t kept = slots[left - 1];
        slots[left - 1] = slots[other];
        slots[other] = kept;
    }
}

static uint64_t kept_clusters; /* over all cases: a test that met none would have shown little */

/* Every variant, several orders, several teams: the expected labels, and one digest. */
static void check_case(test_random *random, const episodes *all, const dm_former_options *options, dm_team *const teams[3]) {
    oracle *expected = make_oracle(all, options);
    dm_store *store = make_store(all, 1);
    uint32_t slots[MOST];
    for (uint32_t i = 0; i < all->count; i++) {
        slots[i] = i;
    }
    uint64_t first_digest = 0;
    for (size_t v = 0; v <= dm_gram_variant_count; v++) {
        if (v < dm_gram_variant_count && !dm_isa_has(dm_gram_variants[v].isa)) {
            continue;
        }
        dm_former *former = make_former(options, v < dm_gram_variant_count ? dm_gram_variants[v].name : NULL);
        for (uint32_t order = 0; order < 4; order++) {
            dm_clustering found;
            check_labels(former, store, slots, all, teams[order % 3], expected, &found);
            check_clusters(&found, expected, all, options);
            uint64_t this_digest = digest(&found, slots, all->count);
            first_digest = v == 0 && order == 0 ? this_digest : first_digest;
            CHECK_EQUAL(this_digest, first_digest);
            kept_clusters += found.cluster_count;
            shuffle(random, slots, all->count);
        }
        dm_former_destroy(former);
    }
    dm_store_destroy(store);
    free(expected);
}

static dm_team *make_team(uint32_t threads) {
    dm_team *team = NULL;
    REQUIRE(CHECK_STATUS(dm_team_create(threads, &team, error, sizeof(error)), DM_OK, error));
    return team;
}

static void test_clusters(void) {
    static episodes all;
    test_random random = {1};
    dm_team *const teams[3] = {NULL, make_team(2), make_team(5)};
    const uint32_t counts[] = {0, 1, 2, 3, 4, 15, 16, 17, 33, 70};
    const uint64_t hours[] = {0, 4, 40};
    for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
        for (int kind = 0; kind < KINDS; kind++) {
            for (size_t h = 0; h < 3; h++) {
                dm_former_options options = dm_former_defaults(h == 1 ? 17 : 64, MOST);
                options.most_concepts = 1 + (uint32_t)c;
                options.least_members = 2 + (uint32_t)h;
                make_episodes(&random, &all, counts[c], options.dim, kind, hours[h]);
                check_case(&random, &all, &options, teams);
            }
        }
    }
    const double cuts[] = {0x1.0p-23, 0.25, 0.75, 1.0, 0.05}; /* cosines of quarters meet the cut exactly */
    for (size_t c = 0; c < 5; c++) {
        dm_former_options options = dm_former_defaults(8, MOST);
        options.cut = cuts[c];
        options.least_coherence = c == 0 ? -1.0 : 0.5;
        options.time_constant_hours = c % 2 == 0 ? (double)INFINITY : 6.0;
        options.placement = 64 * c;
        make_episodes(&random, &all, 60, 8, HALVES, 5);
        check_case(&random, &all, &options, teams);
    }
    for (int kind = 0; kind < KINDS; kind++) { /* several blocks of panels, and components of several tiles */
        dm_former_options options = dm_former_defaults(DIM_MOST, MOST);
        make_episodes(&random, &all, MOST - (uint32_t)kind, DIM_MOST, kind, kind % 2 == 0 ? 3 : 60);
        check_case(&random, &all, &options, teams);
    }
    CHECK(kept_clusters > 500);
    dm_team_destroy(teams[1]);
    dm_team_destroy(teams[2]);
}

static void test_teams(void) {
    static episodes all;
    test_random random = {2};
    dm_former_options options = dm_former_defaults(40, MOST);
    make_episodes(&random, &all, 300, 40, CLUSTERED, 10);
    dm_store *store = make_store(&all, 1);
    dm_former *former = make_former(&options, NULL);
    uint32_t slots[MOST];
    for (uint32_t i = 0; i < all.count; i++) {
        slots[i] = i;
    }
    uint64_t expected = 0;
    for (uint32_t threads = 1; threads <= 8; threads++) {
        dm_team *team = make_team(threads);
        for (int again = 0; again < 3; again++) {
            dm_clustering found;
            CHECK_STATUS(dm_former_cluster(former, store, slots, all.count, team, &found, error, sizeof(error)), DM_OK, error);
            uint64_t this_digest = digest(&found, slots, all.count);
            expected = threads == 1 && again == 0 ? this_digest : expected;
            CHECK_EQUAL(this_digest, expected);
        }
        dm_team_destroy(team);
    }
    dm_former_destroy(former);
    dm_store_destroy(store);
}

/* Embeddings whose norms a float32 scan could not take. */
static void test_magnitudes(void) {
    static episodes all;
    test_random random = {3};
    dm_former_options options = dm_former_defaults(24, MOST);
    dm_team *const teams[3] = {NULL, NULL, NULL};
    make_episodes(&random, &all, 48, 24, CLUSTERED, 2);
    for (uint32_t i = 0; i < all.count; i++) {
        const float scale = i % 4 == 0 ? 1e37f : i % 4 == 1 ? 1e-17f : i % 4 == 2 ? 1.0f : 1e-30f; /* the last: norm 0 */
        for (uint32_t k = 0; k < all.dim; k++) {
            all.values[i][k] *= scale;
        }
    }
    check_case(&random, &all, &options, teams);
}

/* --- refusals ----------------------------------------------------------------------------------------------------- */

static void refuse_options(const dm_former_options *options) {
    dm_former *former = (dm_former *)(void *)error;
    CHECK_STATUS(dm_former_create(options, &former, error, sizeof(error)), DM_ERROR_ARGUMENT, error);
    CHECK(former == NULL);
}

static void test_options(void) {
    const dm_former_options good = dm_former_defaults(16, 10);
    CHECK(good.cut == 0.5201 && good.least_coherence == 0.5619 && good.least_members == 3 && good.most_concepts == 5 &&
          good.time_constant_hours == 24.0 && good.placement == 0 && good.dim == 16 && good.episode_capacity == 10);
    dm_former_options bad[17];
    for (size_t i = 0; i < 17; i++) {
        bad[i] = good;
    }
    bad[0].size = good.size - 1;
    bad[1].dim = 0;
    bad[2].dim = DM_DIM_MAX + 1;
    bad[3].episode_capacity = 0;
    bad[4].episode_capacity = DM_FORMER_EPISODES_MAX + 1;
    bad[5].cut = 0.0;
    bad[6].cut = 1.001;
    bad[7].cut = (double)NAN;
    bad[8].time_constant_hours = 0.0;
    bad[9].time_constant_hours = (double)NAN;
    bad[10].least_members = 1;
    bad[11].most_concepts = 0;
    bad[12].most_concepts = DM_FORMER_EPISODES_MAX + 1;
    bad[13].least_coherence = 1.5;
    bad[14].least_coherence = (double)NAN;
    bad[15].placement = 32;
    bad[16].placement = 4096;
    for (size_t i = 0; i < 17; i++) {
        refuse_options(&bad[i]);
    }
    dm_former_destroy(NULL);
}

static void refuse_list(dm_former *former, dm_store *store, const uint32_t *slots, size_t count) {
    dm_clustering found = {slots, 1, NULL, 1};
    CHECK_STATUS(dm_former_cluster(former, store, slots, count, NULL, &found, error, sizeof(error)), DM_ERROR_ARGUMENT, error);
    CHECK(found.label_count == 0 && found.cluster_count == 0 && found.labels == NULL);
}

/* Nodes of no type can be clustered, but become no concepts. */
static void check_untyped(dm_former *former, dm_store *untyped) {
    float near[16] = {1.0f, 0.1f};
    float far[16] = {0.0f, 0.0f, 1.0f};
    for (uint32_t i = 0; i < 4; i++) {
        uint32_t slot = 0;
        CHECK_STATUS(dm_store_add_node(untyped, (dm_id){i, 0}, i == 2 ? far : near, &slot, error, sizeof(error)), DM_OK, error);
    }
    dm_clustering found;
    const uint32_t slots[] = {0, 1, 2, 3};
    CHECK_STATUS(dm_former_cluster(former, untyped, slots, 4, NULL, &found, error, sizeof(error)), DM_OK, error);
    CHECK_EQUAL(found.label_count, 2);
    CHECK(found.labels[0] == 0 && found.labels[1] == 0 && found.labels[2] == 1 && found.labels[3] == 0);
    CHECK_EQUAL(found.cluster_count, 1);
    const dm_id ids[5] = {{77, 7}, {78, 7}, {79, 7}, {80, 7}, {81, 7}};
    uint32_t formed[5];
    uint32_t count = 9;
    CHECK_STATUS(dm_store_form(untyped, former, slots, 4, ids, NULL, formed, &count, error, sizeof(error)), DM_ERROR_ARGUMENT,
                 error);
    CHECK_EQUAL(count, 0);
    CHECK_EQUAL(dm_store_population(untyped).nodes, 4);
}

static void test_refusals(void) {
    static episodes all;
    test_random random = {4};
    make_episodes(&random, &all, 10, 16, CLUSTERED, 1);
    dm_store *store = make_store(&all, 2);
    const dm_former_options options = dm_former_defaults(16, 8);
    dm_former *former = make_former(&options, NULL);
    uint32_t concept_slot = 0;
    CHECK_STATUS(dm_store_add_concept(store, (dm_id){9, 9}, all.values[0], &concept_slot, error, sizeof(error)), DM_OK, error);
    CHECK_STATUS(dm_store_remove(store, 7, error, sizeof(error)), DM_OK, error);
    refuse_list(former, store, (const uint32_t[]){0, 1, 2, 3, 4, 5, 6, 8, 9}, 9);
    refuse_list(former, store, (const uint32_t[]){0, 1, 7}, 3);
    refuse_list(former, store, (const uint32_t[]){0, concept_slot, 2}, 3);
    refuse_list(former, store, (const uint32_t[]){0, DM_SLOT_NONE}, 2);
    refuse_list(former, store, (const uint32_t[]){10}, 1);
    refuse_list(former, store, (const uint32_t[]){3, 1, 5, 3}, 4);
    const dm_former_options other = dm_former_defaults(17, 8);
    dm_former *wrong = make_former(&other, NULL);
    refuse_list(wrong, store, (const uint32_t[]){0, 1}, 2);
    dm_former_destroy(wrong);
    dm_store_options single = {.size = sizeof(single), .dim = 16, .episode_capacity = 4, .single_type = 1};
    dm_store *untyped = NULL;
    CHECK_STATUS(dm_store_create(&single, &untyped, error, sizeof(error)), DM_OK, error);
    refuse_list(former, untyped, (const uint32_t[]){0}, 1); /* no node lives there yet */
    check_untyped(former, untyped);
    dm_store_consolidate(untyped, (const uint32_t[]){0}, 1, DM_CONSOLIDATION, NULL);
    dm_store_destroy(untyped);
    dm_former_destroy(former);
    dm_store_destroy(store);
}

/* --- concepts ----------------------------------------------------------------------------------------------------- */

static void check_centroid(dm_store *store, uint32_t slot, const episodes *all, const dm_cluster *cluster) {
    dm_embedding centroid = dm_store_acquire_embedding(store, slot);
    REQUIRE(centroid.values != NULL);
    long double mean[DIM_MOST] = {0.0L};
    long double squares = 0.0L;
    for (uint32_t k = 0; k < all->dim; k++) {
        for (uint32_t m = 0; m < cluster->member_count; m++) {
            mean[k] += (long double)all->values[cluster->members[m]][k];
        }
        mean[k] /= cluster->member_count;
        squares += mean[k] * mean[k];
    }
    for (uint32_t k = 0; k < all->dim; k++) {
        CHECK(fabsl((long double)centroid.values[k] - mean[k] / sqrtl(squares)) <= 0x1.0p-24L);
    }
    dm_store_release_embedding(store, centroid);
}

static void check_concept(dm_store *store, uint32_t slot, dm_id id, const episodes *all, const dm_cluster *cluster) {
    dm_formation formation = dm_store_formation(store, slot);
    CHECK(formation.coherence == (float)cluster->coherence);
    CHECK_EQUAL(formation.member_count, cluster->member_count);
    CHECK_EQUAL(dm_store_find(store, id), slot);
    CHECK_EQUAL(dm_store_fan(store, slot), cluster->member_count);
    check_centroid(store, slot, all, cluster);
    dm_embedding centroid = dm_store_acquire_embedding(store, slot);
    for (uint32_t m = 0; m < cluster->member_count; m++) {
        const float *values = all->values[cluster->members[m]];
        uint32_t binding = dm_store_find_binding(store, cluster->members[m], slot);
        REQUIRE(CHECK(binding != DM_BINDING_NONE));
        long double cosine = dot(values, centroid.values, all->dim) / sqrtl(dot(values, values, all->dim)) /
                             sqrtl(dot(centroid.values, centroid.values, all->dim));
        CHECK_NEAR(dm_store_binding_strength(store, binding), cosine < 0.0L ? 0.0L : cosine, 1e-6);
    }
    dm_store_release_embedding(store, centroid);
}

static void test_forming(void) {
    static episodes all;
    test_random random = {5};
    make_episodes(&random, &all, 120, 48, CLUSTERED, 1);
    for (uint32_t i = 0; i < 40; i++) { /* of very different lengths: the mean is that of the embeddings, not of the units */
        for (uint32_t k = 0; k < all.dim; k++) {
            all.values[i][k] *= i % 2 == 0 ? 1e6f : 1e-6f;
        }
    }
    const dm_former_options options = dm_former_defaults(48, MOST);
    dm_former *former = make_former(&options, NULL);
    dm_former *model = make_former(&options, NULL);
    dm_store *store = make_store(&all, 8);
    uint32_t slots[MOST];
    dm_id ids[5];
    uint32_t concept_slots[5];
    uint32_t count = 99;
    for (uint32_t i = 0; i < all.count; i++) {
        slots[i] = i;
    }
    for (uint32_t c = 0; c < 5; c++) {
        ids[c] = (dm_id){c, 77};
    }
    dm_team *team = make_team(3);
    CHECK_STATUS(dm_store_form(store, former, slots, all.count, ids, team, concept_slots, &count, error, sizeof(error)),
                 DM_OK, error);
    dm_clustering found;
    CHECK_STATUS(dm_former_cluster(model, store, slots, all.count, NULL, &found, error, sizeof(error)), DM_OK, error);
    CHECK_EQUAL(count, 5);
    CHECK_EQUAL(found.cluster_count, count);
    uint64_t bindings = 0;
    for (uint32_t c = 0; c < count; c++) {
        check_concept(store, concept_slots[c], ids[c], &all, &found.clusters[c]);
        bindings += found.clusters[c].member_count;
    }
    CHECK_EQUAL(dm_store_population(store).bindings, bindings);
    CHECK_EQUAL(dm_store_population(store).concepts, 5);

    /* A failure half way, at the second id or the fourth concept: everything is as before. */
    ids[0] = (dm_id){100, 77};
    ids[1] = (dm_id){4, 77};
    CHECK_STATUS(dm_store_form(store, former, slots, all.count, ids, team, concept_slots, &count, error, sizeof(error)),
                 DM_ERROR_ARGUMENT, error);
    CHECK_EQUAL(count, 0);
    CHECK_EQUAL(dm_store_find(store, ids[0]), DM_SLOT_NONE);
    for (uint32_t c = 0; c < 5; c++) {
        ids[c] = (dm_id){c, 78};
    }
    CHECK_STATUS(dm_store_form(store, former, slots, all.count, ids, NULL, concept_slots, &count, error, sizeof(error)),
                 DM_ERROR_MEMORY, error);
    CHECK_EQUAL(count, 0);
    CHECK_EQUAL(dm_store_population(store).bindings, bindings);
    CHECK_EQUAL(dm_store_population(store).concepts, 5);
    for (uint32_t i = 0; i < all.count; i++) {
        CHECK(dm_store_fan(store, i) <= 1);
    }
    dm_team_destroy(team);
    dm_former_destroy(model);
    dm_former_destroy(former);
    dm_store_destroy(store);
}

/* Sums that a plain addition gets wrong: a value that is lost beside a large one, which then cancels. */
static void test_compensation(void) {
    static episodes all;
    memset(&all, 0, sizeof(all));
    all.count = 3;
    all.dim = 8;
    const float large = 0x1.0p60f;
    const float rows[3][4] = {{large, 1.0f, 2.0f, 1.0f}, {1.0f, large, 2.0f, 1.0f}, {-large, -large, 2.0f, 1.0f}};
    for (uint32_t i = 0; i < 3; i++) {
        memcpy(all.values[i], rows[i], sizeof(rows[i]));
        all.ids[i] = (dm_id){i, 0};
    }
    dm_store *store = make_store(&all, 1);
    dm_former_options options = dm_former_defaults(8, 3);
    dm_former *former = make_former(&options, NULL);
    /* These are not alike, so the cluster is one the caller might have made: formed through the inner step. */
    const uint32_t members[] = {0, 1, 2};
    const dm_cluster cluster = {members, 3, 0, 1.0};
    uint32_t slot = DM_SLOT_NONE;
    CHECK_STATUS(dm_former_add_concept(former, store, &cluster, (dm_id){5, 5}, &slot, error, sizeof(error)), DM_OK, error);
    check_centroid(store, slot, &all, &cluster);
    dm_former_destroy(former);
    dm_store_destroy(store);
}

/* --- consolidation ------------------------------------------------------------------------------------------------ */

static void test_consolidation(void) {
    static episodes all;
    test_random random = {6};
    make_episodes(&random, &all, 200, 8, CLUSTERED, 1);
    enum { CONCEPTS = 150 };
    for (uint32_t threads = 1; threads <= 4; threads += 3) {
        dm_store *store = make_store(&all, CONCEPTS);
        dm_team *team = make_team(threads);
        uint32_t concepts[CONCEPTS];
        static float expected[CONCEPTS][200];
        memset(expected, 0, sizeof(expected));
        for (uint32_t c = 0; c < CONCEPTS; c++) {
            CHECK_STATUS(dm_store_add_concept(store, (dm_id){c, 50}, all.values[0], &concepts[c], error, sizeof(error)),
                         DM_OK, error);
            for (uint32_t e = 0; e < c % 40; e++) { /* 0, inline, beyond; every third is taken out again */
                float strength = (float)test_random_uniform(&random, 0.0, 1.0);
                CHECK_STATUS(dm_store_bind(store, (c + 5 * e) % 200, concepts[c], strength, NULL, error, sizeof(error)),
                             DM_OK, error);
                expected[c][(c + 5 * e) % 200] = strength + 1.0f;
            }
            for (uint32_t e = 0; e < c % 40; e += 3) {
                CHECK(dm_store_unbind(store, (c + 5 * e) % 200, concepts[c]));
                expected[c][(c + 5 * e) % 200] = 0.0f;
            }
        }
        const uint32_t version = dm_store_version(store, concepts[39]);
        for (uint32_t cycle = 1; cycle <= 30; cycle++) {
            dm_store_consolidate(store, concepts, CONCEPTS - 1, DM_CONSOLIDATION, team);
        }
        dm_store_consolidate(store, concepts, 0, 0.5f, team);
        CHECK_EQUAL(dm_store_version(store, concepts[39]), version);
        uint32_t wrong = 0;
        for (uint32_t c = 0; c < CONCEPTS; c++) {
            for (uint32_t e = 0; e < 200; e++) {
                uint32_t binding = dm_store_find_binding(store, e, concepts[c]);
                float strength = binding == DM_BINDING_NONE ? -1.0f : dm_store_binding_strength(store, binding);
                float before = expected[c][e] - 1.0f;
                float want = before < 0.0f ? -1.0f : c == CONCEPTS - 1 ? before : fminf(before + 30 * 0.02f, 1.0f);
                wrong += fabsf(strength - want) > 1e-5f ? 1 : 0;
            }
        }
        CHECK_EQUAL(wrong, 0);
        dm_team_destroy(team);
        dm_store_destroy(store);
    }
}

/* --- beside other threads ----------------------------------------------------------------------------------------- */

typedef struct disturbance {
    dm_store *store;
    const episodes *all;
    _Atomic int stop;
} disturbance;

static void *disturb(void *argument) {
    disturbance *work = argument;
    char sentence[128];
    for (uint32_t i = 0; !atomic_load(&work->stop); i++) {
        const uint32_t slot = i % work->all->count;
        dm_store_touch(work->store, slot, UINT64_C(1800000000000000000) + i);
        (void)dm_store_update_embedding(work->store, slot, work->all->values[(slot + i) % work->all->count], sentence,
                                        sizeof(sentence));
        (void)dm_store_activate(work->store, slot, 0.1f);
    }
    return NULL;
}

static void test_beside_others(void) {
    static episodes all;
    test_random random = {7};
    make_episodes(&random, &all, 150, 32, CLUSTERED, 5);
    dm_store *store = make_store(&all, 40);
    const dm_former_options options = dm_former_defaults(32, MOST);
    dm_former *former = make_former(&options, NULL);
    dm_team *team = make_team(3);
    disturbance work = {.store = store, .all = &all};
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, disturb, &work) == 0);
    uint32_t slots[MOST];
    for (uint32_t i = 0; i < all.count; i++) {
        slots[i] = i;
    }
    for (uint32_t round = 0; round < 30; round++) {
        dm_id ids[5];
        uint32_t concept_slots[5];
        uint32_t count = 0;
        for (uint32_t c = 0; c < 5; c++) {
            ids[c] = (dm_id){c, 1000 + round};
        }
        CHECK_STATUS(dm_store_form(store, former, slots, all.count, ids, team, concept_slots, &count, error, sizeof(error)),
                 DM_OK, error);
        dm_store_consolidate(store, concept_slots, count, DM_CONSOLIDATION, team);
        for (uint32_t c = 0; c < count; c++) {
            CHECK_EQUAL(dm_store_fan(store, concept_slots[c]), dm_store_formation(store, concept_slots[c]).member_count);
            CHECK_STATUS(dm_store_remove(store, concept_slots[c], error, sizeof(error)), DM_OK, error);
        }
    }
    atomic_store(&work.stop, 1);
    (void)pthread_join(thread, NULL);
    CHECK_EQUAL(dm_store_population(store).bindings, 0);
    dm_team_destroy(team);
    dm_former_destroy(former);
    dm_store_destroy(store);
}

int main(void) {
    test_options();
    test_refusals();
    test_clusters();
    test_teams();
    test_magnitudes();
    test_forming();
    test_compensation();
    test_consolidation();
    test_beside_others();
    for (size_t v = 0; v < dm_gram_variant_count; v++) {
        test_report_variant("gram", dm_gram_variants[v].name, dm_gram_variants[v].isa);
    }
    return test_report();
}
