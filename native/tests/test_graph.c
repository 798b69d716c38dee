/* test_graph.c: the graph index as it is built: its levels, its links, what it finds, and the same bytes from every
 * variant. */
#include "index/graph.h"

#include "simd/isa.h"
#include "tests/graph_case.h"
#include "tests/variants.h"

/* --- levels ------------------------------------------------------------------------------------------------------- */

/* A share of 1 - 1/16 at level 0, and a sixteenth of the rest at each level above: chi-square with five classes. */
static void test_levels(void) {
    const uint32_t count = 1u << 18;
    for (uint64_t seed = 0; seed < 8; seed++) {
        double seen[5] = {0.0};
        for (uint32_t row = 0; row < count; row++) {
            uint32_t level = dm_graph_level_of(seed, row);
            CHECK(level < DM_GRAPH_LEVELS);
            seen[level < 4 ? level : 4]++;
        }
        double chi_square = 0.0;
        double share = 15.0 / 16.0;
        for (uint32_t level = 0; level < 5; level++) {
            double expected = (level < 4 ? share : share / 15.0 * 16.0) * count;
            chi_square += (seen[level] - expected) * (seen[level] - expected) / expected;
            share /= 16.0;
        }
        CHECK(chi_square < 23.5); /* 4 degrees of freedom: beyond it once in 10,000 */
    }
    /* Two seeds draw apart: they agree as often as chance has it, in (15/16)^2 + (1/16)^2 = 0.883. */
    uint32_t differing = 0;
    for (uint32_t row = 0; row < 10000; row++) {
        differing += (dm_graph_level_of(1, row) == 0) != (dm_graph_level_of(2, row) == 0);
    }
    CHECK(differing > 1040 && differing < 1300);
}

/* --- choosing ----------------------------------------------------------------------------------------------------- */

/* The cosine, or inner product, that two codes stand for, the second as weights of 7 bits. */
static double similarity_of_codes(const graph_case *made, uint32_t row, uint32_t base) {
    const dm_gathered *from = &made->graph->gathered;
    int64_t dot = 0;
    for (size_t i = 0; i < from->stride; i++) {
        int64_t code = from->codes[base * from->step + i];
        int64_t weight = ((code + (int64_t)(i % 2)) / 2) - 64;
        dot += ((int64_t)from->codes[row * from->step + i] - 128) * weight;
    }
    return (double)dot * 2.0 * (double)made->graph->scales[base] * (double)made->graph->scales[row];
}

/* The same, but for the norm of the second: by which angles differ. */
static double angle_of_codes(const graph_case *made, uint32_t row, uint32_t base) {
    const double norm = made->graph->norms == NULL ? 1.0 : (double)made->graph->norms[base];
    return similarity_of_codes(made, row, base) / norm;
}

/* Algorithm 4 of the paper, written anew: best first; one is kept if it is closer, in direction, to the node than to
 * all kept before. */
static uint32_t choose_by_force(const graph_case *made, uint32_t node, const uint32_t *rows, uint32_t count,
                                uint32_t most, uint32_t *kept) {
    uint8_t taken[64] = {0};
    uint32_t size = 0;
    for (uint32_t turn = 0; turn < count && size < most; turn++) {
        uint32_t best = UINT32_MAX;
        for (uint32_t i = 0; i < count; i++) {
            if (!taken[i] && (best == UINT32_MAX || similarity_of_codes(made, rows[i], node) >
                                                        similarity_of_codes(made, rows[best], node))) {
                best = i;
            }
        }
        taken[best] = 1;
        int is_kept = 1;
        for (uint32_t j = 0; j < size; j++) {
            is_kept &= angle_of_codes(made, rows[best], kept[j]) < angle_of_codes(made, rows[best], node);
        }
        if (is_kept) {
            kept[size++] = rows[best];
        }
    }
    return size;
}

static void test_choosing(dm_similarity by) {
    graph_case made = graph_case_make(600, 48);
    test_random random = {11};
    made.by = by;
    uint32_t least = UINT32_MAX;
    graph_case_fill(&made, &random, 6, 3);
    if (by == DM_SIMILARITY_INNER_PRODUCT) {
        graph_case_vary(&made, &random, 0.7);
    }
    graph_case_open(&made, dm_graph_best(), 4);
    graph_case_build(&made, NULL);
    for (uint32_t trial = 0; trial < 200; trial++) {
        uint32_t rows[64];
        uint32_t chosen[64];
        uint32_t expected[64];
        const uint32_t node = 2 * (uint32_t)test_random_below(&random, 300);
        for (uint32_t i = 0; i < 60; i++) {
            rows[i] = (node + 1 + 2 * (7 * i + trial)) % 600; /* odd rows, all different */
        }
        const uint32_t most = 1 + trial % 32;
        dm_graph_rank(made.graph, made.scratch, node, 1, rows, 60); /* level 1: no links of the tree */
        uint32_t size = dm_graph_choose(made.graph, made.scratch, 60, most, chosen);
        CHECK_EQUAL(size, choose_by_force(&made, node, rows, 60, most, expected));
        for (uint32_t i = 0; i < size; i++) {
            CHECK_EQUAL(chosen[i], expected[i]);
        }
        least = size < least ? size : least;
    }
    CHECK(least >= 1);
    graph_case_close(&made);
    graph_case_free(&made);
}

/* The list of a new node, from all rows there are: none is clearly closer to one before it than to the node (0.02
 * covers what the codes lose). */
static void test_new_list(void) {
    graph_case made = graph_case_make(180, 48); /* fewer than ef_construction */
    test_random random = {12};
    uint32_t links = 0;
    graph_case_fill(&made, &random, 6, 3);
    graph_case_open(&made, dm_graph_best(), 4);
    graph_case_build(&made, NULL);
    for (uint32_t level = 0; level <= made.graph->levels[179]; level++) {
        uint32_t rows[DM_GRAPH_M0];
        const uint32_t count = dm_graph_list(made.graph, 179, level, rows);
        CHECK(count <= 16);
        for (uint32_t i = 0; i < count; i++) {
            for (uint32_t j = 0; j < i; j++) {
                CHECK(graph_case_similarity(&made, graph_case_row(&made, rows[j]), rows[i]) <
                      graph_case_similarity(&made, graph_case_row(&made, 179), rows[i]) + 0.02);
            }
        }
        links += count;
    }
    CHECK(links >= 3);
    graph_case_close(&made);
    graph_case_free(&made);
}

/* --- recall ------------------------------------------------------------------------------------------------------- */

static void test_recall(void) {
    const uint32_t dims[] = {100, 768};
    for (size_t d = 0; d < 2; d++) {
        graph_case made = graph_case_make(d == 0 ? 4000 : 1500, dims[d]);
        test_random random = {21};
        graph_case_fill(&made, &random, 24, 30);
        graph_case_open(&made, dm_graph_best(), 1);
        graph_case_build(&made, NULL);
        graph_case_check(&made);
        double usual = graph_case_recall(&made, &random, 24, 30, 60, 64);
        double wide = graph_case_recall(&made, &random, 24, 30, 60, 256);
        CHECK(usual >= 0.95);
        CHECK(wide >= 0.99);
        printf("recall at 10, %u x %u clustered: ef 64 %.4f, ef 256 %.4f\n", made.capacity, made.dim, usual, wide);
        /* It is the walk that finds them, not a comparison with everything. */
        CHECK(dm_graph_compared(made.scratch) < made.capacity);
        graph_case_close(&made);
        graph_case_free(&made);
    }
}

/* The descent ends where level 1 has nothing closer, so a walk does not begin at the far end of the graph. */
static void test_descent(void) {
    graph_case made = graph_case_make(2000, 32);
    test_random random = {22};
    float *query = test_guard_allocate(32 * sizeof(float), TEST_GUARD_AFTER);
    uint32_t moved = 0;
    graph_case_fill(&made, &random, 12, 20);
    graph_case_open(&made, dm_graph_best(), 1);
    graph_case_build(&made, NULL);
    const uint64_t entry = atomic_load(&made.graph->entry);
    CHECK(entry >> 32 >= 1);
    for (uint32_t i = 0; i < 50; i++) {
        graph_case_draw(&random, 32, 12, 20, query);
        made.graph->query->prepare(&made.scratch->query, query);
        dm_weights weights = dm_graph_encode_query(made.graph, made.scratch);
        uint32_t begin = dm_graph_descend(made.graph, made.scratch, &weights, entry, 0);
        uint32_t rows[DM_GRAPH_M0];
        uint32_t count = dm_graph_list(made.graph, begin, 1, rows);
        for (uint32_t j = 0; j < count; j++) {
            CHECK(graph_case_similarity(&made, query, rows[j]) < graph_case_similarity(&made, query, begin) + 0.02);
        }
        moved += begin != (uint32_t)entry;
    }
    CHECK(moved > 40);
    test_guard_free(query);
    graph_case_close(&made);
    graph_case_free(&made);
}

/* Rows that the codes cannot tell apart: all that may be among the best are compared by their float32 values. */
static void test_near_ties(void) {
    graph_case made = graph_case_make(64, 96);
    test_random random = {23};
    float centre[96];
    test_random_fill(&random, centre, 96);
    for (uint32_t row = 0; row < 64; row++) {
        for (uint32_t i = 0; i < 96; i++) {
            graph_case_row(&made, row)[i] = (float)((double)centre[i] * (1.0 + 1e-3 * test_random_normal(&random)));
        }
        graph_case_set_norm(&made, row);
    }
    graph_case_open(&made, dm_graph_best(), 1);
    graph_case_build(&made, NULL);
    CHECK_EQUAL(graph_case_hits(&made, centre, 10, 64), 10);
    CHECK(dm_graph_rescored(made.scratch) > 10);
    graph_case_close(&made);
    graph_case_free(&made);
}

/* --- the same from everywhere ------------------------------------------------------------------------------------- */

/* The scalar variant's graph and answers, byte for byte, from every variant. */
static void test_variants(void) {
    graph_case made = graph_case_make(700, 100);
    test_random random = {31};
    uint8_t *reference = NULL;
    dm_neighbour answers[20][10];
    float *queries = test_guard_allocate(20 * 100 * sizeof(float), TEST_GUARD_AFTER);
    graph_case_fill(&made, &random, 16, 10);
    for (uint32_t i = 0; i < 20; i++) {
        graph_case_draw(&random, 100, 16, 10, queries + i * 100);
    }
    for (size_t v = 0; v < dm_graph_variant_count; v++) {
        const dm_graph_variant *variant = &dm_graph_variants[v];
        if (!dm_isa_has(variant->isa)) {
            continue;
        }
        graph_case_open(&made, variant, 7);
        graph_case_build(&made, NULL);
        size_t size = 0;
        uint8_t *image = graph_case_image(&made, &size);
        CHECK(reference == NULL || memcmp(image, reference, size) == 0);
        for (uint32_t i = 0; i < 20; i++) {
            dm_neighbour found[10];
            memset(found, 0, sizeof(found));
            CHECK_EQUAL(dm_graph_search(made.graph, made.scratch, queries + i * 100, 10, 40, found), 10);
            for (uint32_t j = 0; j < 10; j++) {
                CHECK(v == 0 || (found[j].row == answers[i][j].row && found[j].similarity == answers[i][j].similarity));
                answers[i][j] = v == 0 ? found[j] : answers[i][j];
            }
        }
        if (reference == NULL) {
            reference = image;
        } else {
            free(image);
        }
        graph_case_close(&made);
    }
    free(reference);
    test_guard_free(queries);
    graph_case_free(&made);
}

/* One row after the other, by insert, is what build does without a team. */
static void test_one_by_one(void) {
    graph_case made = graph_case_make(300, 32);
    test_random random = {41};
    char error[200] = "";
    size_t size = 0;
    graph_case_fill(&made, &random, 8, 5);
    graph_case_open(&made, dm_graph_best(), 3);
    graph_case_build(&made, NULL);
    uint8_t *built = graph_case_image(&made, &size);
    graph_case_close(&made);
    graph_case_open(&made, dm_graph_best(), 3);
    for (uint32_t row = 0; row < 300; row++) {
        CHECK_STATUS(dm_graph_insert(made.graph, made.scratch, row, error, sizeof(error)), DM_OK, error);
    }
    graph_case_check(&made);
    uint8_t *inserted = graph_case_image(&made, &size);
    CHECK(memcmp(built, inserted, size) == 0);
    CHECK_STATUS(dm_graph_insert(made.graph, made.scratch, 5, error, sizeof(error)), DM_ERROR_ARGUMENT, error);
    CHECK_STATUS(dm_graph_insert(made.graph, made.scratch, 300, error, sizeof(error)), DM_ERROR_ARGUMENT, error);
    graph_case_close(&made);
    free(built);
    free(inserted);
    graph_case_free(&made);
}

/* --- edges -------------------------------------------------------------------------------------------------------- */

static void test_empty_and_single(void) {
    const uint32_t dims[] = {1, 17, 768};
    char error[200] = "";
    for (size_t d = 0; d < 3; d++) {
        graph_case made = graph_case_make(3, dims[d]);
        test_random random = {61};
        float *query = test_guard_allocate(dims[d] * sizeof(float), TEST_GUARD_AFTER);
        test_random_fill(&random, query, dims[d]);
        for (uint32_t row = 0; row < 3; row++) {
            test_random_fill(&random, graph_case_row(&made, row), dims[d]);
            graph_case_set_norm(&made, row);
            made.slots[row] = DM_SLOT_NONE;
        }
        graph_case_open(&made, dm_graph_best(), 1);
        graph_case_build(&made, NULL); /* of no rows in use */
        CHECK_EQUAL(graph_case_hits(&made, query, 10, 1), 0);
        graph_case_check(&made);
        for (uint32_t row = 3; row-- > 0;) {
            CHECK_STATUS(dm_graph_insert(made.graph, made.scratch, row, error, sizeof(error)), DM_OK, error);
            made.slots[row] = row;
            CHECK_EQUAL(graph_case_hits(&made, query, 10, 1), 3 - row);
            CHECK_EQUAL(graph_case_hits(&made, query, 1, 1), 1);
            graph_case_check(&made);
        }
        test_guard_free(query);
        graph_case_close(&made);
        graph_case_free(&made);
    }
}

static void check_refused(graph_case *made, dm_graph_options options) {
    char error[200] = "";
    dm_graph *graph = NULL;
    const dm_rows rows = graph_case_rows(made);
    CHECK_STATUS(dm_graph_create(dm_graph_best(), &rows, &options, &made->account, &graph, error, sizeof(error)),
                 DM_ERROR_ARGUMENT, error);
    CHECK(graph == NULL && dm_memory_bytes(&made->account) == 0);
}

static void test_options(void) {
    graph_case made = graph_case_make(3, 4);
    check_refused(&made, (dm_graph_options){.capacity = 0, .ef_construction = 200});
    check_refused(&made, (dm_graph_options){.capacity = (uint32_t)DM_CAPACITY_MAX + 1, .ef_construction = 200});
    check_refused(&made, (dm_graph_options){.capacity = 3, .ef_construction = 15});
    check_refused(&made, (dm_graph_options){.capacity = 3, .ef_construction = 1025});
    graph_case_free(&made);
}

/* Crowds of equal rows, from one of 900 to 180 of 5, and rows of norm zero: the walk has little to go by but the tree,
 * and still everything can be reached. (Recall counts cosines: any of equal rows is right.) A walk finds what it looks
 * for if a crowd on its way is not larger than its list: among more, equally good, it does not get to the one that
 * leads on. */
static void test_equal_rows(void) {
    const uint32_t crowds[] = {1, 2, 4, 60, 180};
    for (uint32_t c = 0; c < 5; c++) {
        const uint32_t kinds = crowds[c];
        graph_case made = graph_case_make(900, 33);
        test_random random = {70 + kinds};
        float query[33];
        test_random_fill(&random, query, 33);
        for (uint32_t row = 0; row < 900; row++) {
            test_random kind = {row * kinds / 900}; /* one crowd after the other */
            if (kinds != 4 || row < 700) {
                test_random_fill(&kind, graph_case_row(&made, row), 33);
            }
            graph_case_set_norm(&made, row);
        }
        graph_case_open(&made, dm_graph_best(), kinds);
        graph_case_build(&made, NULL);
        graph_case_check(&made);
        for (uint32_t row = 0; row < 900; row += 50) {
            if (kinds == 1 || kinds >= 60) {
                const uint32_t crowd = kinds < 180 ? 10 : 5; /* of these at least */
                CHECK(graph_case_hits(&made, graph_case_row(&made, row), 10, 64) >= crowd);
            }
        }
        memset(query, 0, sizeof(query));
        (void)graph_case_hits(&made, query, 10, 64); /* of norm zero: ten rows, whichever */
        graph_case_close(&made);
        graph_case_free(&made);
    }
}

/* Orders and lengths must not matter: tiny and huge rows are the same to a cosine. */
static void test_extremes(void) {
    graph_case made = graph_case_make(500, 40);
    test_random random = {81};
    for (uint32_t row = 0; row < 500; row++) {
        graph_case_draw(&random, 40, 8, 6, graph_case_row(&made, row));
        const float factor = row % 3 == 0 ? 1e-15f : row % 3 == 1 ? 1e15f : 1.0f;
        for (uint32_t i = 0; i < 40; i++) {
            graph_case_row(&made, row)[i] *= factor;
        }
        graph_case_set_norm(&made, row);
    }
    graph_case_open(&made, dm_graph_best(), 1);
    graph_case_build(&made, NULL);
    graph_case_check(&made);
    CHECK(graph_case_recall(&made, &random, 8, 6, 40, 64) >= 0.97);
    graph_case_close(&made);
    graph_case_free(&made);
}

int main(void) {
    for (size_t v = 0; v < dm_graph_variant_count; v++) {
        test_report_variant("graph", dm_graph_variants[v].name, dm_graph_variants[v].isa);
        CHECK(dm_graph_find(dm_graph_variants[v].name) == &dm_graph_variants[v]);
    }
    CHECK(dm_graph_find("none") == NULL);
    test_levels();
    test_choosing(DM_SIMILARITY_COSINE);
    test_choosing(DM_SIMILARITY_INNER_PRODUCT);
    test_new_list();
    test_recall();
    test_descent();
    test_near_ties();
    test_variants();
    test_one_by_one();
    test_empty_and_single();
    test_options();
    test_equal_rows();
    test_extremes();
    return test_report();
}
