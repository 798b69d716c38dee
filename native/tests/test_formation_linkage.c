/* test_formation_linkage.c: the chain of nearest neighbours against the greedy algorithm, written here as it is
 * defined: all pairs are looked at for every merge, and means are compared as fractions of whole numbers. Most
 * matrices are full of ties. */
#include <stdlib.h>
#include <string.h>

#include "formation/linkage.h"
#include "simd/gram.h"
#include "tests/support.h"
#include "tests/variants.h"

/* --- the oracle --------------------------------------------------------------------------------------------------- */

typedef struct oracle {
    uint32_t count;
    int64_t *sums;     /* [i * count + j] between clusters i and j, by number */
    uint32_t *cluster; /* [member] number */
    uint32_t *sizes;
} oracle;

/* 1 when the mean of (i, j) is larger than that of (k, l). Sums are below 2^24 x 200^2 and sizes' products below
 * 200^2. */
static int is_larger(const oracle *all, uint32_t i, uint32_t j, uint32_t k, uint32_t l) {
    const int64_t first = all->sums[i * all->count + j] * ((int64_t)all->sizes[k] * all->sizes[l]);
    const int64_t second = all->sums[k * all->count + l] * ((int64_t)all->sizes[i] * all->sizes[j]);
    return first > second;
}

static void merge_greedily(oracle *all, int64_t cut) {
    const uint32_t n = all->count;
    for (;;) {
        uint32_t best_i = n;
        uint32_t best_j = n;
        for (uint32_t i = 0; i < n; i++) {
            for (uint32_t j = i + 1; j < n; j++) {
                if (all->cluster[i] == i && all->cluster[j] == j && (best_i == n || is_larger(all, i, j, best_i, best_j))) {
                    best_i = i;
                    best_j = j;
                }
            }
        }
        if (best_i == n || all->sums[best_i * n + best_j] < cut * all->sizes[best_i] * all->sizes[best_j]) {
            return;
        }
        for (uint32_t x = 0; x < n; x++) {
            all->sums[best_i * n + x] += all->sums[best_j * n + x];
            all->sums[x * n + best_i] = all->sums[best_i * n + x];
            all->cluster[x] = all->cluster[x] == best_j ? best_i : all->cluster[x];
        }
        all->sizes[best_i] += all->sizes[best_j];
    }
}

/* --- one matrix --------------------------------------------------------------------------------------------------- */

static void *array(size_t count, size_t size) {
    void *made = aligned_alloc(64, (count * size + 127) / 64 * 64);
    REQUIRE(made != NULL);
    memset(made, 0, count * size);
    return made;
}

static dm_linkage make_linkage(const int32_t *matrix, uint32_t n, int64_t cut) {
    dm_linkage made = {.count = n, .cut = cut, .stride = dm_linkage_stride(n)};
    made.sums = array(n * made.stride, sizeof(double));
    made.weights = array(made.stride, sizeof(double));
    made.origins = array(n, sizeof(uint32_t));
    made.chain = array(n, sizeof(uint32_t));
    made.parents = array(n, sizeof(uint32_t));
    made.sizes = array(n, sizeof(uint32_t));
    made.within = array(n, sizeof(double));
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t j = 0; j < n; j++) {
            made.sums[i * made.stride + j] = i == j ? 0.0 : matrix[i * n + j];
        }
    }
    return made;
}

static void free_linkage(dm_linkage *made) {
    free(made->sums);
    free(made->weights);
    free(made->origins);
    free(made->chain);
    free(made->parents);
    free(made->sizes);
    free(made->within);
}

static uint32_t root_of(const dm_linkage *made, uint32_t member) {
    while (made->parents[member] != member) {
        CHECK(made->parents[member] < member);
        member = made->parents[member];
    }
    return member;
}

static void check_result(const dm_linkage *made, const oracle *expected, const int32_t *matrix) {
    const uint32_t n = made->count;
    for (uint32_t i = 0; i < n; i++) {
        CHECK_EQUAL(root_of(made, i), expected->cluster[i]);
        if (expected->cluster[i] != i) {
            continue;
        }
        int64_t within = 0;
        for (uint32_t x = 0; x < n; x++) {
            for (uint32_t y = x + 1; y < n; y++) {
                within += expected->cluster[x] == i && expected->cluster[y] == i ? matrix[x * n + y] : 0;
            }
        }
        CHECK_EQUAL(made->sizes[i], expected->sizes[i]);
        CHECK(made->within[i] == (double)within);
    }
}

static uint32_t check_matrix(const int32_t *matrix, uint32_t n, int64_t cut) {
    oracle expected = {n, array((size_t)n * n, sizeof(int64_t)), array(n, sizeof(uint32_t)), array(n, sizeof(uint32_t))};
    for (uint32_t i = 0; i < n; i++) {
        expected.cluster[i] = i;
        expected.sizes[i] = 1;
        for (uint32_t j = 0; j < n; j++) {
            expected.sums[i * n + j] = i == j ? 0 : matrix[i * n + j];
        }
    }
    merge_greedily(&expected, cut);
    uint32_t clusters = 0;
    for (uint32_t i = 0; i < n; i++) {
        clusters += expected.cluster[i] == i;
    }
    for (size_t v = 0; v < dm_gram_variant_count; v++) {
        if (dm_isa_has(dm_gram_variants[v].isa)) {
            dm_linkage made = make_linkage(matrix, n, cut);
            dm_linkage_run(&made, &dm_gram_variants[v]);
            check_result(&made, &expected, matrix);
            free_linkage(&made);
        }
    }
    free(expected.sums);
    free(expected.cluster);
    free(expected.sizes);
    return clusters;
}

/* --- matrices ----------------------------------------------------------------------------------------------------- */

/* values: how many different similarities there are; few make nearly every choice a tie. */
static void fill_random(test_random *random, int32_t *matrix, uint32_t n, uint64_t values, int64_t lowest, int64_t highest) {
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t j = i + 1; j < n; j++) {
            int64_t value = lowest + (highest - lowest) * (int64_t)test_random_below(random, values) / (int64_t)(values - 1);
            matrix[i * n + j] = (int32_t)value;
            matrix[j * n + i] = (int32_t)value;
        }
    }
}

static void test_random_matrices(void) {
    const uint64_t values[] = {2, 3, 4, 5, 8, 1000, 1u << 25};
    const int64_t one = 1 << 24;
    int32_t *matrix = array(70 * 70, sizeof(int32_t));
    test_random random = {1};
    uint64_t merged = 0;
    for (uint32_t round = 0; round < 1500; round++) {
        const uint32_t n = 1 + (uint32_t)test_random_below(&random, round % 10 == 0 ? 70 : 14);
        const int64_t cut = 1 + (int64_t)test_random_below(&random, (uint64_t)(round % 2 == 0 ? one : one / 2));
        fill_random(&random, matrix, n, values[round % 7], round % 3 == 0 ? -one : 0, one);
        merged += n - check_matrix(matrix, n, cut);
        merged += n - check_matrix(matrix, n, n > 2 ? matrix[1] > 0 ? matrix[1] : 1 : 1); /* a cut that a pair meets exactly */
    }
    CHECK(merged > 10000);
    free(matrix);
}

/* Points on a line whose neighbours are alike, so that merges compete for the same cluster; and groups that finish at
 * different times, so that the matrix is compacted. */
static void test_structures(void) {
    int32_t *matrix = array(150 * 150, sizeof(int32_t));
    for (uint32_t n = 1; n <= 150; n += n < 12 ? 1 : 23) {
        for (uint32_t i = 0; i < n; i++) {
            for (uint32_t j = 0; j < n; j++) {
                matrix[i * n + j] = 100000 - 1000 * (int32_t)(i > j ? i - j : j - i);
            }
        }
        CHECK_EQUAL(check_matrix(matrix, n, 1), 1);
        (void)check_matrix(matrix, n, 99000);
        (void)check_matrix(matrix, n, 97000);
        for (uint32_t i = 0; i < n * n; i++) {
            matrix[i] = 5;
        }
        CHECK_EQUAL(check_matrix(matrix, n, 5), 1);
        CHECK_EQUAL(check_matrix(matrix, n, 6), n);
        for (uint32_t i = 0; i < n; i++) {
            for (uint32_t j = 0; j < n; j++) {
                matrix[i * n + j] = i % 7 == j % 7 ? 900 + (int32_t)(i % 7) : i % 3 == j % 3 ? 500 : -1000;
            }
        }
        CHECK_EQUAL(check_matrix(matrix, n, 600), n < 7 ? n : 7);
        (void)check_matrix(matrix, n, 100);
    }
    free(matrix);
}

/* Three groups of `first`, `size` and `size` + 1, each all alike. The similarities between the first and the others
 * are `value`, but for one pair each that is larger by `second` and `third`. nearer: the group that the first must
 * merge with. */
static void check_close_call(uint32_t first, uint32_t size, int32_t value, uint32_t second, uint32_t third, uint32_t nearer) {
    const uint32_t n = first + 2 * size + 1;
    const uint32_t places[] = {0, first, first + size}; /* the first members */
    const int32_t one = 1 << 24;
    int32_t *matrix = array((size_t)n * n, sizeof(int32_t));
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t j = 0; j < n; j++) {
            const uint32_t group_i = i < places[1] ? 0 : i < places[2] ? 1 : 2;
            const uint32_t group_j = j < places[1] ? 0 : j < places[2] ? 1 : 2;
            matrix[i * n + j] = group_i == group_j ? one : group_i + group_j == 3 ? 0 : value;
        }
    }
    matrix[places[1]] += (int32_t)second;
    matrix[places[1] * n] += (int32_t)second;
    matrix[places[2]] += (int32_t)third;
    matrix[places[2] * n] += (int32_t)third;
    for (size_t v = 0; v < dm_gram_variant_count; v++) {
        if (dm_isa_has(dm_gram_variants[v].isa)) {
            dm_linkage made = make_linkage(matrix, n, one / 10 * 7);
            dm_linkage_run(&made, &dm_gram_variants[v]);
            CHECK_EQUAL(root_of(&made, places[1]) == 0, nearer == 1);
            CHECK_EQUAL(root_of(&made, places[2]) == 0, nearer == 2);
            CHECK_EQUAL(root_of(&made, first - 1), 0);
            free_linkage(&made);
        }
    }
    free(matrix);
}

/* Means that differ by as little as fractions with these denominators can, 1 / (size (size + 1)): the third group is
 * nearer, and a double does not show it. Sizes: where the quotients are equal, and where the products with the
 * rounded inverses are the wrong way round. */
static void test_close_calls(void) {
    const uint32_t first = 1400;
    const int32_t value = 15000000;
    uint32_t equal = 0;
    uint32_t inverted = 0;
    for (uint32_t size = 600; size < 800; size++) {
        const double second = (double)first * size * value + (size - 1.0);
        const double third = (double)first * (size + 1.0) * value + size;
        equal = equal == 0 && second / size == third / (size + 1.0) ? size : equal;
        inverted = second * (1.0 / size) > third * (1.0 / (size + 1.0)) ? size : inverted;
    }
    REQUIRE(equal != 0 && inverted != 0);
    check_close_call(first, equal, value, equal - 1, equal, 2);
    check_close_call(first, inverted, value, inverted - 1, inverted, 2);
    check_close_call(first, equal, value, 0, 0, 1); /* a tie: the smaller number */
    check_close_call(first, equal, value, equal - 1, equal - 1, 1);
}

int main(void) {
    test_random_matrices();
    test_structures();
    test_close_calls();
    for (size_t v = 0; v < dm_gram_variant_count; v++) {
        test_report_variant("gram", dm_gram_variants[v].name, dm_gram_variants[v].isa);
    }
    return test_report();
}
