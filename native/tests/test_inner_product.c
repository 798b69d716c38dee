/* test_inner_product.c: what inner product adds to both indexes: norms that decide, from nothing to beyond the range of
 * float32. The exact index against long double, the graph's recall as norms vary, and its churn. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "index/exact.h"
#include "index/graph.h"
#include "simd/query.h"
#include "tests/graph_case.h"
#include "tests/lookup_case.h"
#include "tests/variants.h"

/* --- the product itself ------------------------------------------------------------------------------------------- */

/* Whole numbers, so that every order of adding gives the same sum: exact in every lane, for tails of every length. */
static void check_products(uint32_t dim, test_random *random) {
    dm_query query = {.dim = dim};
    const size_t padded = dm_padded_dim(dim);
    query.wide = test_guard_allocate(padded * sizeof(double), TEST_GUARD_AFTER);
    query.unit = test_guard_allocate(padded * sizeof(float), TEST_GUARD_AFTER);
    float *row = test_guard_allocate(padded * sizeof(float), TEST_GUARD_AFTER);
    float *values = test_guard_allocate(dim * sizeof(float), TEST_GUARD_AFTER);
    for (uint32_t i = 0; i < dim; i++) {
        values[i] = (float)test_random_below(random, 2001) - 1000.0f;
    }
    for (size_t v = 0; v < dm_query_variant_count; v++) {
        const dm_query_variant *variant = &dm_query_variants[v];
        if (!dm_isa_has(variant->isa)) {
            continue;
        }
        variant->prepare(&query, values);
        for (uint32_t hot = 0; hot < dim; hot += dim < 70 ? 1 : 61) {
            memset(row, 0, padded * sizeof(float));
            row[hot] = -0x1.0p100f;
            CHECK(variant->product(&query, row) == -0x1.0p100 * (double)values[hot]);
        }
        int64_t sum = 0;
        for (uint32_t i = 0; i < dim; i++) {
            row[i] = (float)(i % 127) - 60.0f;
            sum += (int64_t)row[i] * (int64_t)values[i];
        }
        CHECK(variant->product(&query, row) == (double)sum);
    }
    test_guard_free(query.wide);
    test_guard_free(query.unit);
    test_guard_free(row);
    test_guard_free(values);
}

static void test_products(void) {
    test_random random = {1};
    for (uint32_t dim = 1; dim <= 66; dim++) {
        check_products(dim, &random);
    }
    check_products(768, &random);
    check_products(4095, &random);
    check_products(DM_DIM_MAX, &random);
    for (size_t v = 0; v < dm_query_variant_count; v++) {
        test_report_variant("query", dm_query_variants[v].name, dm_query_variants[v].isa);
    }
}

/* --- the exact index ---------------------------------------------------------------------------------------------- */

static void fill_row(field *made, test_random *random, uint32_t row, double norm) {
    for (uint32_t i = 0; i < made->dim; i++) {
        row_of(made, row)[i] = (float)(test_random_normal(random) * norm / sqrt((double)made->dim));
    }
}

/* Norms over `decades` powers of ten round 1, in no order. */
static void test_norms_vary(void) {
    test_random random = {2};
    const double decades[] = {0.1, 3.0, 12.0, 60.0};
    const uint32_t dims[] = {1, 5, 64, 100};
    for (size_t n = 0; n < sizeof(decades) / sizeof(decades[0]); n++) {
        for (size_t d = 0; d < sizeof(dims) / sizeof(dims[0]); d++) {
            field made = make_field(300, dims[d]);
            test_random_fill(&random, made.query, dims[d]);
            for (uint32_t row = 0; row < 300; row++) {
                fill_row(&made, &random, row, pow(10.0, test_random_uniform(&random, -0.5, 0.5) * decades[n]));
            }
            check_field(&made);
            free_field(&made);
        }
    }
}

/* All products negative: the longest rows are the worst, and a bound that grows with the norm would put them first. The
 * rows are near to each other in direction, so that signs of bounds do not separate them. */
static void test_negative_only(void) {
    test_random random = {3};
    const double scatters[] = {1e-7, 1e-3, 0.3};
    for (size_t s = 0; s < 3; s++) {
        field made = make_field(400, 48);
        test_random_fill(&random, made.query, 48);
        for (uint32_t row = 0; row < 400; row++) {
            const double norm = exp(2.0 * test_random_normal(&random));
            for (uint32_t i = 0; i < 48; i++) {
                double part = -(double)made.query[i] + scatters[s] * test_random_normal(&random);
                row_of(&made, row)[i] = (float)(norm * part);
            }
        }
        check_field(&made);
        for (uint32_t row = 0; row < 400; row += 7) { /* and some of product 0, better than all others */
            memset(row_of(&made, row), 0, 48 * sizeof(float));
        }
        check_field(&made);
        free_field(&made);
    }
}

/* Products that differ in the last bits of a float32 and less, of rows of different norms: c / cos, by construction. All
 * positive, some, none: a bound with too long a norm is too low for the last. */
static void test_near_products(void) {
    test_random random = {4};
    const uint32_t positive[] = {300, 50, 0};
    for (uint32_t p = 0; p < 3; p++) {
        field made = make_field(300, 64);
        test_random_fill(&random, made.query, 64);
        for (uint32_t row = 0; row < 300; row++) {
            fill_row(&made, &random, row, 1.0);
            const long double product = dot(made.query, row_of(&made, row), 64);
            const double wanted = (row < positive[p] ? 1.0 : -1.0) * (3.0 + 1e-7 * test_random_normal(&random));
            for (uint32_t i = 0; i < 64; i++) {
                row_of(&made, row)[i] = (float)((double)row_of(&made, row)[i] * wanted / (double)product);
            }
        }
        check_field(&made);
        free_field(&made);
    }
}

/* Rows below the norm that counts as zero still have products, and next to zero rows alone they decide; queries too. */
static void test_tiny(void) {
    test_random random = {5};
    const double queries[] = {1e-44, 1e-30, 1e-18, 1.0, 1e18, 1e37};
    for (size_t q = 0; q < sizeof(queries) / sizeof(queries[0]); q++) {
        for (uint32_t share = 0; share < 3; share++) { /* of rows that do not count as zero: none, some, all */
            field made = make_field(150, 33);
            for (uint32_t i = 0; i < 33; i++) {
                made.query[i] = (float)(test_random_normal(&random) * queries[q]);
            }
            for (uint32_t row = 0; row < 150; row++) {
                const int is_tiny = share == 0 || (share == 1 && row % 3 != 0);
                fill_row(&made, &random, row, row % 10 == 9 ? 0.0 : is_tiny ? row % 2 == 0 ? 1e-20 : 1e-42 : 1e-18);
            }
            check_field(&made);
            free_field(&made);
        }
    }
}

/* A norm at the border: some ways of adding the squares say that it counts as zero and some that it does not, so what the
 * rows bring along may differ from what the query's code says. Here it does for every second row. */
static void test_border(void) {
    test_random random = {6};
    field made = make_field(200, 24);
    test_random_fill(&random, made.query, 24);
    for (uint32_t row = 0; row < 200; row++) {
        fill_row(&made, &random, row, 1.0);
        const long double norm = sqrtl(dot(row_of(&made, row), row_of(&made, row), 24));
        for (uint32_t i = 0; i < 24; i++) {
            row_of(&made, row)[i] = (float)((long double)row_of(&made, row)[i] / norm * 0x1.0p-63L);
        }
    }
    set_norms(&made);
    for (uint32_t row = 0; row < 200; row += 2) {
        made.inverse_norms[row] = made.inverse_norms[row] > 0.0f ? 0.0f : 0x1.0p63f;
    }
    check_variants(&made, DM_SIMILARITY_INNER_PRODUCT, 0);
    for (uint32_t row = 0; row < 200; row++) { /* all of one sign */
        const float sign = dot(made.query, row_of(&made, row), 24) > 0.0L ? -1.0f : 1.0f;
        for (uint32_t i = 0; i < 24; i++) {
            row_of(&made, row)[i] *= sign;
        }
    }
    check_variants(&made, DM_SIMILARITY_INNER_PRODUCT, 0);
    free_field(&made);
}

/* Products beyond the range of float32, and norms beyond it (codes only: the scan of float32 refuses those). */
static void test_huge(void) {
    test_random random = {7};
    const double norms[] = {1e19, 1e37, 4e38};
    for (size_t n = 0; n < 3; n++) {
        field made = make_field(200, 40);
        for (uint32_t i = 0; i < 40; i++) {
            made.query[i] = (float)(test_random_normal(&random) * norms[n] / 8.0);
        }
        for (uint32_t row = 0; row < 200; row++) {
            fill_row(&made, &random, row, row % 3 == 0 ? 1.0 : norms[n] * test_random_uniform(&random, 0.5, 1.0));
        }
        check_similarity(&made, DM_SIMILARITY_INNER_PRODUCT, n == 2);
        for (uint32_t i = 0; i < 40 * 200 / 3; i++) { /* as large as floats are */
            row_of(&made, i % 200)[i % 40] = i % 2 == 0 ? FLT_MAX : -FLT_MAX;
        }
        check_similarity(&made, DM_SIMILARITY_INNER_PRODUCT, 1);
        free_field(&made);
    }
}

/* One-hot rows and query: the winner is one element, in every lane in turn. */
static void test_one_hot(void) {
    for (uint32_t hot = 0; hot < 67; hot++) {
        field made = make_field(67, 67);
        memset(made.query, 0, 67 * sizeof(float));
        made.query[hot] = 2.0f;
        for (uint32_t row = 0; row < 67; row++) {
            row_of(&made, row)[row] = ldexpf(row % 2 == 0 ? 1.0f : -1.0f, (int)row - 33);
        }
        check_similarity(&made, DM_SIMILARITY_INNER_PRODUCT, 0);
        free_field(&made);
    }
}

/* Few rows are looked at where norms differ: a long row far off needs no better a look than a short one near. */
static void test_few_are_rescored(void) {
    test_random random = {8};
    field made = make_field(3000, 256);
    test_random_fill(&random, made.query, 256);
    for (uint32_t row = 0; row < 3000; row++) {
        fill_row(&made, &random, row, exp(0.3 * test_random_normal(&random)));
    }
    set_norms(&made);
    const dm_rows rows = {made.values, made.stride, made.inverse_norms, made.slots, made.count, made.dim};
    for (size_t v = 0; v < dm_exact_variant_count; v++) {
        const dm_exact_variant *variant = &dm_exact_variants[v];
        if (!dm_isa_has(variant->isa)) {
            continue;
        }
        dm_memory account = {0};
        dm_exact *index = NULL;
        dm_exact_scratch *scratch = NULL;
        char error[200] = "";
        dm_neighbour found[10];
        int32_t status = dm_exact_create(variant, &rows, DM_SIMILARITY_INNER_PRODUCT, 0, &account, &index, error,
                                         sizeof(error));
        CHECK_STATUS(status, DM_OK, error);
        REQUIRE(index != NULL);
        status = dm_exact_scratch_create(index, &account, &scratch, error, sizeof(error));
        CHECK_STATUS(status, DM_OK, error);
        REQUIRE(scratch != NULL);
        (void)dm_exact_search(index, scratch, made.query, 10, found);
        CHECK(dm_exact_rescored(scratch) <= (variant->codes ? 40u : 12u)); /* 24 and 11 when written */
        dm_exact_scratch_destroy(scratch, &account);
        dm_exact_destroy(index, &account);
    }
    free_field(&made);
}

/* --- the graph ---------------------------------------------------------------------------------------------------- */

static graph_case make_products(uint32_t capacity, uint32_t dim, test_random *random, double sigma) {
    graph_case made = graph_case_make(capacity, dim);
    made.by = DM_SIMILARITY_INNER_PRODUCT;
    graph_case_fill(&made, random, 16, 20);
    graph_case_vary(&made, random, sigma);
    return made;
}

/* Recall at 10 of 3,000 x 100 clustered rows. When written, with ef 32 and 128: 1.0000 and 1.0000; 0.9900 and 0.9990;
 * 0.9900 and 1.0000. */
static void test_recall(void) {
    const struct {
        double sigma, least_32, least_128;
    } floors[] = {{0.0, 0.99, 0.995}, {0.3, 0.98, 0.995}, {1.0, 0.98, 0.995}};
    for (size_t f = 0; f < 3; f++) {
        test_random random = {20};
        graph_case made = make_products(3000, 100, &random, floors[f].sigma);
        graph_case_open(&made, dm_graph_best(), 7);
        graph_case_build(&made, NULL);
        graph_case_check(&made);
        const double narrow = graph_case_recall(&made, &random, 16, 20, 100, 32);
        const double wide = graph_case_recall(&made, &random, 16, 20, 100, 128);
        printf("recall at 10 by inner product, norms of sigma %.1f: ef 32 %.4f, ef 128 %.4f\n", floors[f].sigma, narrow,
               wide);
        CHECK(narrow >= floors[f].least_32 && wide >= floors[f].least_128);
        graph_case_close(&made);
        graph_case_free(&made);
    }
}

/* Equal norms: the same links as by cosine. Rows of norm 1 as near as float32 has it, so some links may differ. */
static void test_equal_norms(void) {
    test_random random = {21};
    graph_case made = make_products(800, 32, &random, 0.0);
    uint32_t rows[2][DM_GRAPH_M0];
    graph_case_open(&made, dm_graph_best(), 7);
    graph_case_build(&made, NULL);
    graph_case other = made;
    memset(&other.account, 0, sizeof(other.account));
    other.by = DM_SIMILARITY_COSINE;
    graph_case_open(&other, dm_graph_best(), 7);
    graph_case_build(&other, NULL);
    uint32_t same = 0;
    for (uint32_t row = 0; row < 800; row++) {
        const uint32_t count = dm_graph_list(made.graph, row, 0, rows[0]);
        same += dm_graph_list(other.graph, row, 0, rows[1]) == count &&
                memcmp(rows[0], rows[1], count * sizeof(uint32_t)) == 0;
    }
    CHECK(same >= 760);
    graph_case_close(&other);
    graph_case_close(&made);
    graph_case_free(&made);
}

/* The scalar variant's graph and answers, byte for byte, from every variant. */
static void test_variants(void) {
    test_random random = {22};
    graph_case made = make_products(600, 77, &random, 1.0);
    uint8_t *reference = NULL;
    dm_neighbour answers[20][10];
    float *queries = test_guard_allocate(20 * 77 * sizeof(float), TEST_GUARD_AFTER);
    for (uint32_t i = 0; i < 20; i++) {
        graph_case_draw(&random, 77, 16, 20, queries + i * 77);
    }
    for (size_t v = 0; v < dm_graph_variant_count; v++) {
        if (!dm_isa_has(dm_graph_variants[v].isa)) {
            continue;
        }
        size_t size = 0;
        graph_case_open(&made, &dm_graph_variants[v], 3);
        graph_case_build(&made, NULL);
        uint8_t *image = graph_case_image(&made, &size);
        CHECK(reference == NULL || memcmp(image, reference, size) == 0);
        for (uint32_t i = 0; i < 20; i++) {
            dm_neighbour found[10];
            CHECK_EQUAL(dm_graph_search(made.graph, made.scratch, queries + i * 77, 10, 40, found), 10);
            for (uint32_t j = 0; j < 10; j++) {
                CHECK(v == 0 || (found[j].row == answers[i][j].row &&
                                 memcmp(&found[j].similarity, &answers[i][j].similarity, sizeof(double)) == 0));
                answers[i][j] = v == 0 ? found[j] : answers[i][j];
            }
        }
        free(reference);
        reference = image;
        graph_case_close(&made);
    }
    free(reference);
    test_guard_free(queries);
    graph_case_free(&made);
}

static void renew(graph_case *made, test_random *random, uint32_t row, double sigma) {
    char error[200] = "";
    CHECK_STATUS(dm_graph_remove(made->graph, made->scratch, row, error, sizeof(error)), DM_OK, error);
    CHECK(dm_graph_is_free(made->graph, made->scratch, row));
    graph_case_draw(random, made->dim, 16, 20, graph_case_row(made, row));
    graph_case_set_norm(made, row);
    const double norm = exp(sigma * test_random_normal(random)) * (double)made->inverse_norms[row];
    for (uint32_t i = 0; i < made->dim; i++) {
        graph_case_row(made, row)[i] = (float)((double)graph_case_row(made, row)[i] * norm);
    }
    graph_case_set_norm(made, row);
    CHECK_STATUS(dm_graph_insert(made->graph, made->scratch, row, error, sizeof(error)), DM_OK, error);
}

/* Every row is exchanged once on average, and then the longest, through which walks go, are all taken away. When
 * written, recall was 0.997, 1.000 and 1.000 with sigma 0.3, 0.998, 0.987 and 0.998 with 1.0. */
static void test_churn(void) {
    const double sigmas[] = {0.3, 1.0};
    for (size_t s = 0; s < 2; s++) {
        test_random random = {23};
        graph_case made = make_products(1200, 64, &random, sigmas[s]);
        graph_case_open(&made, dm_graph_best(), 7);
        graph_case_build(&made, NULL);
        const double before = graph_case_recall(&made, &random, 16, 20, 60, 64);
        for (uint32_t change = 0; change < 1200; change++) {
            renew(&made, &random, (uint32_t)test_random_below(&random, 1200), sigmas[s]);
        }
        graph_case_check(&made);
        const double after = graph_case_recall(&made, &random, 16, 20, 60, 64);
        char error[200] = "";
        for (uint32_t row = 0; row < 1200; row++) {
            if (made.inverse_norms[row] < 1.0f) { /* the longer half */
                CHECK_STATUS(dm_graph_remove(made.graph, made.scratch, row, error, sizeof(error)), DM_OK, error);
                made.slots[row] = DM_SLOT_NONE;
            }
        }
        graph_case_check(&made);
        const double rest = graph_case_recall(&made, &random, 16, 20, 60, 64);
        printf("recall at 10, ef 64, sigma %.1f: %.4f, after an exchange %.4f, without the longer half %.4f\n",
               sigmas[s], before, after, rest);
        CHECK(before >= 0.98 && after >= 0.97 && rest >= 0.97);
        graph_case_close(&made);
        graph_case_free(&made);
    }
}

/* Norms from nothing to beyond the range of float32, in one graph: nothing breaks, and the longest are found. */
static void test_extremes(void) {
    const double decades[] = {12.0, 38.0, 57.0};
    for (size_t d = 0; d < 3; d++) {
        test_random random = {24};
        graph_case made = make_products(700, 40, &random, 0.0);
        for (uint32_t row = 0; row < 700; row++) {
            const double norm = row % 50 == 0 ? 0.0 : pow(10.0, test_random_uniform(&random, -18.0, decades[d] - 18.0));
            for (uint32_t i = 0; i < 40; i++) {
                graph_case_row(&made, row)[i] = (float)((double)graph_case_row(&made, row)[i] * norm);
            }
            graph_case_set_norm(&made, row);
        }
        graph_case_open(&made, dm_graph_best(), 7);
        graph_case_build(&made, NULL);
        graph_case_check(&made);
        const double recall = graph_case_recall(&made, &random, 16, 20, 60, 64);
        printf("recall at 10, ef 64, norms over %.0f decades: %.4f\n", decades[d], recall);
        CHECK(recall >= 0.9);
        const float zeros[40] = {0.0f};
        CHECK_EQUAL(graph_case_hits(&made, zeros, 10, 16), 10); /* all products are 0 */
        graph_case_close(&made);
        graph_case_free(&made);
    }
}

/* Rows as large as floats are, equal rows, one-hot rows of growing length, one dimension. */
static void test_odd_rows(void) {
    for (uint32_t kind = 0; kind < 4; kind++) {
        const uint32_t dim = kind == 3 ? 1 : 48;
        test_random random = {30 + kind};
        graph_case made = graph_case_make(300, dim);
        made.by = DM_SIMILARITY_INNER_PRODUCT;
        for (uint32_t row = 0; row < 300; row++) {
            float *values = graph_case_row(&made, row);
            for (uint32_t i = 0; i < dim; i++) {
                values[i] = kind == 0   ? (test_random_below(&random, 2) == 0 ? FLT_MAX : -FLT_MAX)
                            : kind == 1 ? 1.0f + (float)(row % 3)
                            : kind == 2 ? (i == row % dim ? ldexpf(1.0f, (int)(row / dim) * 9 - 27) : 0.0f)
                                        : (float)row - 100.0f;
            }
            graph_case_set_norm(&made, row);
        }
        graph_case_open(&made, dm_graph_best(), 5);
        graph_case_build(&made, NULL);
        graph_case_check(&made);
        float query[48];
        uint32_t hits = 0;
        for (uint32_t i = 0; i < 40; i++) {
            test_random_fill(&random, query, dim);
            hits += graph_case_hits(&made, query, 10, 200);
        }
        printf("odd rows of kind %u: recall %.4f\n", kind, hits / 400.0);
        CHECK(hits >= 380);
        graph_case_close(&made);
        graph_case_free(&made);
    }
}

int main(void) {
    test_products();
    test_norms_vary();
    test_negative_only();
    test_near_products();
    test_tiny();
    test_border();
    test_huge();
    test_one_hot();
    test_few_are_rescored();
    test_recall();
    test_equal_norms();
    test_variants();
    test_churn();
    test_extremes();
    test_odd_rows();
    return test_report();
}
