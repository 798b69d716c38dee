/* graph_case.h: what the tests of the graph index share: clustered rows, a search by brute force, and the rules that
 * its links obey, checked on the links themselves. */
#ifndef DUALMEM_TESTS_GRAPH_CASE_H
#define DUALMEM_TESTS_GRAPH_CASE_H

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "index/graph_parts.h"
#include "tests/support.h"

typedef struct graph_case {
    uint32_t capacity;
    uint32_t dim;
    dm_similarity by;
    size_t stride;
    float *values;
    float *inverse_norms;
    uint32_t *slots; /* row, or DM_SLOT_NONE: the test's own account of what is in the graph */
    dm_memory account;
    dm_graph *graph;
    dm_graph_scratch *scratch;
} graph_case;

static inline dm_rows graph_case_rows(const graph_case *made) {
    return (dm_rows){made->values, made->stride, made->inverse_norms, made->slots, made->capacity, made->dim};
}

static inline graph_case graph_case_make(uint32_t capacity, uint32_t dim) {
    graph_case made = {.capacity = capacity, .dim = dim, .stride = dm_padded_dim(dim)};
    made.values = test_guard_allocate(capacity * made.stride * sizeof(float), TEST_GUARD_AFTER);
    made.inverse_norms = test_guard_allocate(capacity * sizeof(float), TEST_GUARD_AFTER);
    made.slots = test_guard_allocate(capacity * sizeof(uint32_t), TEST_GUARD_AFTER);
    memset(made.values, 0, capacity * made.stride * sizeof(float));
    for (uint32_t row = 0; row < capacity; row++) {
        made.slots[row] = row;
    }
    return made;
}

static inline float *graph_case_row(const graph_case *made, uint32_t row) {
    return made->values + row * made->stride;
}

static inline void graph_case_set_norm(graph_case *made, uint32_t row) {
    double squares = 0.0;
    for (uint32_t i = 0; i < made->dim; i++) {
        squares += (double)graph_case_row(made, row)[i] * (double)graph_case_row(made, row)[i];
    }
    made->inverse_norms[row] = squares < (double)FLT_MIN ? 0.0f : (float)(1.0 / sqrt(squares));
}

/* A vector of a mixture: one of `clusters` centres in `inner` dimensions and noise, spread over dim by a fixed random
 * map. */
static inline void graph_case_draw(test_random *random, uint32_t dim, uint32_t inner, uint32_t clusters,
                                   float *values) {
    double point[64];
    test_random centre = {1000 + test_random_below(random, clusters)};
    for (uint32_t j = 0; j < inner; j++) {
        double middle = test_random_normal(&centre);
        point[j] = middle + 0.65 * test_random_normal(random);
    }
    test_random map = {77};
    for (uint32_t i = 0; i < dim; i++) {
        double sum = 0.0;
        for (uint32_t j = 0; j < inner; j++) {
            sum += point[j] * test_random_uniform(&map, -1.0, 1.0);
        }
        values[i] = (float)sum;
    }
}

static inline void graph_case_fill(graph_case *made, test_random *random, uint32_t inner, uint32_t clusters) {
    for (uint32_t row = 0; row < made->capacity; row++) {
        graph_case_draw(random, made->dim, inner, clusters, graph_case_row(made, row));
        graph_case_set_norm(made, row);
    }
}

/* Gives the rows norms of a log-normal distribution. */
static inline void graph_case_vary(graph_case *made, test_random *random, double sigma) {
    for (uint32_t row = 0; row < made->capacity; row++) {
        const double norm = exp(sigma * test_random_normal(random));
        for (uint32_t i = 0; i < made->dim; i++) {
            float *value = &graph_case_row(made, row)[i];
            *value = (float)((double)*value * norm * (double)made->inverse_norms[row]);
        }
        graph_case_set_norm(made, row);
    }
}

/* An empty graph and a scratch. */
static inline void graph_case_open(graph_case *made, const dm_graph_variant *variant, uint64_t seed) {
    char error[200] = "";
    const dm_rows rows = graph_case_rows(made);
    const dm_graph_options options = {
        .capacity = made->capacity,
        .ef_construction = DM_GRAPH_EF_CONSTRUCTION,
        .seed = seed,
        .placement = 128,
        .similarity = made->by};
    int32_t status = dm_graph_create(variant, &rows, &options, &made->account, &made->graph, error, sizeof(error));
    CHECK_STATUS(status, DM_OK, error);
    REQUIRE(made->graph != NULL);
    status = dm_graph_scratch_create(made->graph, &made->account, &made->scratch, error, sizeof(error));
    CHECK_STATUS(status, DM_OK, error);
    REQUIRE(made->scratch != NULL);
}

static inline void graph_case_build(graph_case *made, dm_team *team) {
    char error[200] = "";
    const dm_rows rows = graph_case_rows(made);
    CHECK_STATUS(dm_graph_build(made->graph, &rows, team, &made->account, error, sizeof(error)), DM_OK, error);
}

static inline void graph_case_close(graph_case *made) {
    dm_graph_scratch_destroy(made->scratch, &made->account);
    dm_graph_destroy(made->graph, &made->account);
    CHECK_EQUAL(dm_memory_bytes(&made->account), 0);
    made->graph = NULL;
}

static inline void graph_case_free(graph_case *made) {
    test_guard_free(made->values);
    test_guard_free(made->inverse_norms);
    test_guard_free(made->slots);
}

static inline uint8_t *graph_case_image(const graph_case *made, size_t *size) {
    *size = dm_graph_image_size(made->graph);
    uint8_t *image = malloc(*size);
    REQUIRE(image != NULL);
    dm_graph_write_image(made->graph, made->scratch, image);
    return image;
}

/* --- truth -------------------------------------------------------------------------------------------------------- */

/* In double; an error of an inner product is one of 1e-13 |query| |row| at most. */
static inline double graph_case_similarity(const graph_case *made, const float *query, uint32_t row) {
    double ab = 0.0;
    double aa = 0.0;
    double bb = 0.0;
    const float *values = graph_case_row(made, row);
    for (uint32_t i = 0; i < made->dim; i++) {
        ab += (double)query[i] * (double)values[i];
        aa += (double)query[i] * (double)query[i];
        bb += (double)values[i] * (double)values[i];
    }
    if (made->by == DM_SIMILARITY_INNER_PRODUCT) {
        return ab;
    }
    return aa < (double)FLT_MIN || bb < (double)FLT_MIN ? 0.0 : ab / sqrt(aa * bb);
}

/* The k-th best similarity of the rows in use: whatever reaches it is a right answer, whichever of equal rows it is. */
static inline double graph_case_kth(const graph_case *made, const float *query, uint32_t k) {
    double best[DM_GRAPH_K_MAX] = {0};
    uint32_t size = 0;
    for (uint32_t row = 0; row < made->capacity; row++) {
        if (made->slots[row] == DM_SLOT_NONE) {
            continue;
        }
        double similarity = graph_case_similarity(made, query, row);
        if (size == k && similarity <= best[k - 1]) {
            continue;
        }
        uint32_t place = size < k ? size++ : k - 1;
        for (; place > 0 && best[place - 1] < similarity; place--) {
            best[place] = best[place - 1];
        }
        best[place] = similarity;
    }
    return size == 0 ? 2.0 : best[size - 1];
}

/* Searches, checks everything but the recall, and returns how many of the answers are right. */
static inline uint32_t graph_case_hits(const graph_case *made, const float *query, uint32_t k, uint32_t ef) {
    dm_neighbour *found = test_guard_allocate(k * sizeof(*found), TEST_GUARD_AFTER);
    const uint32_t count = dm_graph_search(made->graph, made->scratch, query, k, ef, found);
    const double kth = graph_case_kth(made, query, k);
    const double slack = made->by == DM_SIMILARITY_COSINE ? 1e-12 : 1e-12 * fabs(kth);
    uint32_t live = 0;
    uint32_t hits = 0;
    for (uint32_t row = 0; row < made->capacity; row++) {
        live += made->slots[row] != DM_SLOT_NONE;
    }
    CHECK_EQUAL(dm_graph_size(made->graph), live);
    CHECK_EQUAL(count, k < live ? k : live);
    for (uint32_t i = 0; i < count; i++) {
        if (!CHECK(found[i].row < made->capacity && made->slots[found[i].row] != DM_SLOT_NONE)) {
            continue;
        }
        CHECK_NEAR(found[i].similarity, graph_case_similarity(made, query, found[i].row), 1e-12);
        CHECK(i == 0 || found[i - 1].similarity > found[i].similarity ||
              (found[i - 1].similarity == found[i].similarity && found[i - 1].row < found[i].row));
        hits += found[i].similarity >= kth - slack;
    }
    test_guard_free(found);
    return hits;
}

/* Mean recall of `count` queries drawn like the rows. */
static inline double graph_case_recall(const graph_case *made, test_random *random, uint32_t inner, uint32_t clusters,
                                       uint32_t count, uint32_t ef) {
    float *query = test_guard_allocate(made->dim * sizeof(float), TEST_GUARD_AFTER);
    uint64_t hits = 0;
    for (uint32_t i = 0; i < count; i++) {
        graph_case_draw(random, made->dim, inner, clusters, query);
        hits += graph_case_hits(made, query, 10, ef);
    }
    test_guard_free(query);
    return (double)hits / (10.0 * count);
}

/* --- rules -------------------------------------------------------------------------------------------------------- */

/* No link leads twice to the same row, out of the graph, or to a row that does not reach the level; none stands behind
 * the end of a list. A row's link to itself is a hole, which is not the last. Adds the links to `incoming`. */
static inline void graph_case_check_list(const graph_case *made, uint32_t row, uint32_t level, uint32_t *incoming) {
    const dm_link *links = dm_graph_links(made->graph, row, level);
    const uint32_t width = level == 0 ? 32 : 16; /* the paper's M0 and M, not the code's word for them */
    int ended = 0;
    uint32_t last = DM_LINK_NONE;
    CHECK_EQUAL(dm_graph_width(level), width);
    for (uint32_t i = 0; i < width; i++) {
        uint32_t to = dm_link_load(&links[i]);
        ended |= to == DM_LINK_NONE;
        last = to == DM_LINK_NONE ? last : to;
        if (to == DM_LINK_NONE || to == row) {
            continue;
        }
        if (!CHECK(!ended && to < made->capacity)) {
            continue;
        }
        CHECK_EQUAL(dm_graph_mark(made->graph, to), DM_MARK_LIVE);
        CHECK(made->graph->levels[to] >= level);
        for (uint32_t j = 0; j < i; j++) {
            CHECK(dm_link_load(&links[j]) != to);
        }
        incoming[to]++;
    }
    CHECK(last != row);
    if (dm_graph_mark(made->graph, row) != DM_MARK_LIVE) {
        CHECK(dm_link_load(&links[0]) == DM_LINK_NONE);
    }
}

/* Rows that can be reached from the entry by links of level 0. */
static inline uint32_t graph_case_reach(const graph_case *made) {
    const uint64_t entry = atomic_load(&made->graph->entry);
    if (entry == DM_ENTRY_NONE) {
        return 0;
    }
    uint8_t *met = calloc(made->capacity, 1);
    uint32_t *queue = malloc(made->capacity * sizeof(uint32_t));
    REQUIRE(met != NULL && queue != NULL);
    uint32_t size = 1;
    queue[0] = (uint32_t)entry;
    met[queue[0]] = 1;
    for (uint32_t next = 0; next < size; next++) {
        uint32_t rows[DM_GRAPH_M0];
        uint32_t count = dm_graph_list(made->graph, queue[next], 0, rows);
        for (uint32_t i = 0; i < count; i++) {
            if (!met[rows[i]]) {
                met[rows[i]] = 1;
                queue[size++] = rows[i];
            }
        }
    }
    free(met);
    free(queue);
    return size;
}

static inline int graph_case_has_link(const graph_case *made, uint32_t from, uint32_t to) {
    uint32_t rows[DM_GRAPH_M0];
    uint32_t count = dm_graph_list(made->graph, from, 0, rows);
    for (uint32_t i = 0; i < count; i++) {
        if (rows[i] == to) {
            return 1;
        }
    }
    return 0;
}

/* One root, no cycle, few children, and links both ways. */
static inline void graph_case_check_tree(const graph_case *made) {
    uint32_t *children = calloc(made->capacity, sizeof(uint32_t));
    REQUIRE(children != NULL);
    uint32_t roots = 0;
    for (uint32_t row = 0; row < made->capacity; row++) {
        uint32_t parent = dm_graph_parent(made->graph, row);
        if (dm_graph_mark(made->graph, row) != DM_MARK_LIVE) {
            CHECK_EQUAL(parent, DM_LINK_NONE);
            continue;
        }
        if (parent == DM_LINK_NONE) {
            roots++;
            continue;
        }
        CHECK_EQUAL(dm_graph_mark(made->graph, parent), DM_MARK_LIVE);
        CHECK(graph_case_has_link(made, row, parent) && graph_case_has_link(made, parent, row));
        children[parent]++;
        uint32_t steps = 0;
        for (uint32_t at = row; at != DM_LINK_NONE && steps <= made->capacity; at = dm_graph_parent(made->graph, at)) {
            steps++;
        }
        CHECK(steps <= made->capacity);
    }
    CHECK_EQUAL(roots, dm_graph_size(made->graph) > 0);
    for (uint32_t row = 0; row < made->capacity; row++) {
        CHECK(children[row] <= 16);
    }
    free(children);
}

/* All rules. Goes through the links first, so that removed rows have none. */
static inline void graph_case_check(const graph_case *made) {
    uint32_t *incoming = calloc(made->capacity, sizeof(uint32_t));
    REQUIRE(incoming != NULL);
    dm_graph_sweep(made->graph, made->scratch);
    dm_graph_reclaim(made->graph);
    uint32_t highest = 0;
    for (uint32_t row = 0; row < made->capacity; row++) {
        const int is_live = made->slots[row] != DM_SLOT_NONE;
        CHECK_EQUAL(dm_graph_mark(made->graph, row), is_live ? DM_MARK_LIVE : DM_MARK_FREE);
        highest = is_live && made->graph->levels[row] > highest ? made->graph->levels[row] : highest;
        for (uint32_t level = 0; level <= made->graph->levels[row]; level++) {
            graph_case_check_list(made, row, level, incoming);
        }
    }
    for (uint32_t row = 0; row < made->capacity; row++) {
        CHECK_EQUAL(atomic_load(&made->graph->incoming[row]), incoming[row]);
    }
    const uint64_t entry = atomic_load(&made->graph->entry);
    if (dm_graph_size(made->graph) == 0) {
        CHECK_EQUAL(entry, DM_ENTRY_NONE);
    } else {
        CHECK_EQUAL(entry >> 32, highest);
        CHECK_EQUAL(dm_graph_mark(made->graph, (uint32_t)entry), DM_MARK_LIVE);
    }
    CHECK_EQUAL(graph_case_reach(made), dm_graph_size(made->graph));
    graph_case_check_tree(made);
    free(incoming);
}

#endif
