/* test_index.c: the planner and the common index: what it chooses for which rows, that it keeps its word, that the
 * same rows get the same plan everywhere, and that images come back whole or not at all. */
#include "index/index.h"

#include "index/plan_parts.h"
#include "simd/isa.h"
#include "tests/graph_case.h"
#include "tests/variants.h"

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__) || defined(__aarch64__)
enum { SCALE = 2 }; /* ten times as slow; ARM is emulated (make test-neon) */
#else
enum { SCALE = 1 };
#endif

/* --- rows --------------------------------------------------------------------------------------------------------- */

static graph_case clustered(uint32_t rows, uint32_t dim, uint32_t inner) {
    graph_case made = graph_case_make(rows, dim);
    test_random random = {31 + rows};
    graph_case_fill(&made, &random, inner, 20);
    return made;
}

static graph_case gaussian(uint32_t rows, uint32_t dim) {
    graph_case made = graph_case_make(rows, dim);
    test_random random = {41};
    for (uint32_t row = 0; row < rows; row++) {
        test_random_fill(&random, graph_case_row(&made, row), dim);
        graph_case_set_norm(&made, row);
    }
    return made;
}

static dm_index_options options_of(const graph_case *made, dm_method method, double recall) {
    return (dm_index_options){.method = method,
                              .recall = recall,
                              .k = 10,
                              .capacity = made->capacity > 0 ? made->capacity : 1,
                              .seed = 3,
                              .isa = dm_graph_best()->isa,
                              .similarity = made->by};
}

static dm_index *create(const graph_case *made, const dm_index_options *options, dm_team *team, dm_memory *account) {
    const dm_rows rows = graph_case_rows(made);
    dm_index *index = NULL;
    char error[300] = "";
    CHECK_STATUS(dm_index_create(&rows, options, team, account, &index, error, sizeof(error)), DM_OK, error);
    REQUIRE(index != NULL);
    CHECK(strlen(dm_index_plan(index)->reason) > 10);
    return index;
}

static dm_index_scratch *scratch_of(dm_index *index, dm_memory *account) {
    dm_index_scratch *scratch = NULL;
    char error[300] = "";
    CHECK_STATUS(dm_index_scratch_create(index, account, &scratch, error, sizeof(error)), DM_OK, error);
    REQUIRE(scratch != NULL);
    return scratch;
}

static void close_index(dm_index *index, dm_index_scratch *scratch, dm_memory *account) {
    dm_index_scratch_destroy(scratch, account);
    dm_index_destroy(index, account);
    CHECK_EQUAL(dm_memory_bytes(account), 0);
}

/* --- recall ------------------------------------------------------------------------------------------------------- */

static uint32_t used_of(const graph_case *made) {
    uint32_t used = 0;
    for (uint32_t row = 0; row < made->capacity; row++) {
        used += made->slots[row] != DM_SLOT_NONE;
    }
    return used;
}

/* How many of the answers are right, by brute force; checks the rest of what is promised. */
static uint32_t hits_of(const graph_case *made, dm_index *index, dm_index_scratch *scratch, const float *query,
                        uint32_t k) {
    dm_neighbour *found = test_guard_allocate(k * sizeof(*found), TEST_GUARD_AFTER);
    const uint32_t count = dm_index_search(index, scratch, query, k, found);
    const uint32_t used = used_of(made);
    const double kth = graph_case_kth(made, query, k);
    uint32_t hits = 0;
    CHECK(count <= k && count <= used);
    for (uint32_t i = 0; i < count; i++) {
        REQUIRE(found[i].row < made->capacity && made->slots[found[i].row] != DM_SLOT_NONE);
        CHECK_NEAR(found[i].similarity, graph_case_similarity(made, query, found[i].row), 1e-12);
        CHECK(i == 0 || found[i - 1].similarity > found[i].similarity ||
              (found[i - 1].similarity == found[i].similarity && found[i - 1].row < found[i].row));
        hits += found[i].similarity >= kth - 1e-12;
    }
    CHECK(dm_index_compared(scratch) >= count && dm_index_rescored(scratch) >= count);
    test_guard_free(found);
    return hits;
}

/* Fresh queries of the same mixture find what was asked for, within three standard errors. */
static void check_recall(const graph_case *made, dm_index *index, uint32_t inner, double asked) {
    dm_memory account = {0};
    dm_index_scratch *scratch = scratch_of(index, &account);
    test_random random = {55};
    float *query = test_guard_allocate(made->dim * sizeof(float), TEST_GUARD_AFTER);
    const uint32_t count = 100;
    double sum = 0.0;
    double squares = 0.0;
    for (uint32_t i = 0; i < count; i++) {
        if (inner == 0) {
            test_random_fill(&random, query, made->dim);
        } else {
            graph_case_draw(&random, made->dim, inner, 20, query);
        }
        const double share = hits_of(made, index, scratch, query, 10) / 10.0;
        sum += share;
        squares += share * share;
    }
    const double mean = sum / count;
    const double error = sqrt(fmax(squares / count - mean * mean, 0.0) / count);
    if (!CHECK(mean + 3.0 * error >= asked)) {
        printf("recall %.4f +- %.4f of %.4f asked: %s\n", mean, error, asked, dm_index_plan(index)->reason);
    }
    test_guard_free(query);
    dm_index_scratch_destroy(scratch, &account);
}

/* --- what is chosen ----------------------------------------------------------------------------------------------- */

static void check_plan(const dm_index *index, double asked, uint32_t rows) {
    const dm_plan *plan = dm_index_plan(index);
    const uint32_t held = rows / 5 < 50 ? 50 : rows / 5 > 500 ? 500 : rows / 5;
    CHECK_EQUAL(plan->held_out, held);
    CHECK(plan->method >= DM_METHOD_EXACT && plan->method <= DM_METHOD_GRAPH);
    if (plan->method == DM_METHOD_EXACT) {
        CHECK(plan->recall == 1.0 && plan->recall_low == 1.0 && plan->effort == 0);
        CHECK(!(plan->costs[DM_METHOD_GRAPH] < 0.75 * plan->costs[DM_METHOD_EXACT]));
        CHECK(!(plan->costs[DM_METHOD_LISTS] < 0.75 * plan->costs[DM_METHOD_EXACT]));
        return;
    }
    CHECK(plan->recall_low >= asked && plan->recall >= plan->recall_low && plan->recall <= 1.0 && plan->effort >= 1);
    CHECK(plan->costs[plan->method] < 0.75 * plan->costs[DM_METHOD_EXACT]);
    for (int other = DM_METHOD_LISTS; other <= DM_METHOD_GRAPH; other++) {
        CHECK(!(plan->costs[other] < plan->costs[plan->method]));
    }
    CHECK((plan->list_count > 0) == (plan->method == DM_METHOD_LISTS));
}

/* Who asks for the method that is chosen gets the same: what was tried on the way leaves no trace. */
static void check_fixed_alike(const graph_case *made, const dm_index_options *options, const dm_plan *chosen) {
    dm_memory account = {0};
    dm_index_options fixed = *options;
    fixed.method = chosen->method;
    dm_index *index = create(made, &fixed, NULL, &account);
    const dm_plan *plan = dm_index_plan(index);
    CHECK(plan->effort == chosen->effort && plan->dims == chosen->dims && plan->list_count == chosen->list_count);
    CHECK(plan->recall == chosen->recall && plan->recall_low == chosen->recall_low);
    CHECK(plan->method == DM_METHOD_EXACT || plan->costs[plan->method] == chosen->costs[plan->method]);
    close_index(index, NULL, &account);
}

static void choose_case(graph_case made, uint32_t inner, double recall, int approximate) {
    dm_memory account = {0};
    const dm_index_options options = options_of(&made, DM_METHOD_AUTO, recall);
    dm_index *index = create(&made, &options, NULL, &account);
    printf("%u x %u, inner %u: %s\n", made.capacity, made.dim, inner, dm_index_plan(index)->reason);
    check_plan(index, recall, made.capacity);
    CHECK_EQUAL(dm_index_plan(index)->method != DM_METHOD_EXACT, approximate);
    check_recall(&made, index, inner, recall);
    check_fixed_alike(&made, &options, dm_index_plan(index));
    close_index(index, NULL, &account);
    graph_case_free(&made);
}

static void test_choices(void) {
    choose_case(gaussian(2400 / SCALE, 128), 0, 0.95, 0);
    choose_case(clustered(2400 / SCALE, 128, 8), 8, 0.95, 1);
    choose_case(clustered(2400 / SCALE, 40, 8), 8, 0.9, 1); /* too few dimensions for a projection */
    if (SCALE == 1) {
        choose_case(clustered(4000, 64, 10), 10, 0.97, 1); /* more than the sample */
    }
}

/* Few rows: the scan, without any measurement; one more, and there is a comparison. */
static void test_few(void) {
    const uint32_t sizes[] = {1, 9, 500, 501};
    for (size_t i = 0; i < 4; i++) {
        graph_case made = clustered(sizes[i], 48, 6);
        dm_memory account = {0};
        const dm_index_options options = options_of(&made, DM_METHOD_AUTO, 0.95);
        dm_index *index = create(&made, &options, NULL, &account);
        CHECK_EQUAL(dm_index_plan(index)->held_out, i == 3 ? 100 : 0);
        CHECK(i == 3 || dm_index_plan(index)->method == DM_METHOD_EXACT);
        check_recall(&made, index, 6, i == 3 ? 0.95 : sizes[i] < 10 ? 0.1 * sizes[i] : 1.0);
        close_index(index, NULL, &account);
        graph_case_free(&made);
    }
}

/* All of the nearest: the exact index, bit for bit. */
static void test_all(void) {
    graph_case made = clustered(1200 / SCALE, 50, 6);
    dm_memory account = {0};
    char error[300] = "";
    const dm_rows rows = graph_case_rows(&made);
    made.slots[7] = DM_SLOT_NONE;
    const dm_index_options options = options_of(&made, DM_METHOD_AUTO, 1.0);
    dm_index *index = create(&made, &options, NULL, &account);
    dm_index_scratch *scratch = scratch_of(index, &account);
    CHECK_EQUAL(dm_index_plan(index)->method, DM_METHOD_EXACT);
    CHECK(dm_index_plan(index)->recall == 1.0 && dm_index_plan(index)->held_out == 0); /* nothing was tried */
    dm_exact *exact = NULL;
    dm_exact_scratch *work = NULL;
    CHECK_STATUS(dm_exact_create(&dm_exact_variants[0], &rows, DM_SIMILARITY_COSINE, 0, &account, &exact, error, 300), DM_OK, error);
    CHECK_STATUS(dm_exact_scratch_create(exact, &account, &work, error, 300), DM_OK, error);
    test_random random = {5};
    for (uint32_t i = 0; i < 40; i++) {
        float query[50];
        dm_neighbour found[100];
        dm_neighbour expected[100];
        graph_case_draw(&random, 50, 6, 20, query);
        const uint32_t k = 1 + i % 100;
        CHECK_EQUAL(dm_index_search(index, scratch, query, k, found), dm_exact_search(exact, work, query, k, expected));
        for (uint32_t j = 0; j < k; j++) {
            CHECK(found[j].row == expected[j].row && found[j].similarity == expected[j].similarity);
        }
        CHECK_EQUAL(hits_of(&made, index, scratch, query, 10), 10);
    }
    dm_exact_scratch_destroy(work, &account);
    dm_exact_destroy(exact, &account);
    close_index(index, scratch, &account);
    graph_case_free(&made);
}

/* A method that is asked for is taken, and its effort is measured; more recall takes more effort. */
static void test_fixed(void) {
    graph_case made = clustered(1500 / SCALE, 64, 24);
    const dm_method methods[] = {DM_METHOD_EXACT, DM_METHOD_LISTS, DM_METHOD_GRAPH};
    const double recalls[] = {0.0, 0.6, 0.9, 0.98};
    for (size_t m = 0; m < 3; m++) {
        uint32_t before = 0;
        for (size_t r = 0; r < 4; r++) {
            dm_memory account = {0};
            const dm_index_options options = options_of(&made, methods[m], recalls[r]);
            dm_index *index = create(&made, &options, NULL, &account);
            const dm_plan *plan = dm_index_plan(index);
            CHECK_EQUAL(plan->method, methods[m]);
            CHECK(plan->recall_low >= recalls[r]);
            CHECK(plan->effort >= before && (m == 0) == (plan->effort == 0));
            /* Nothing asked: the least there is; of a graph sqrt(5 / 4) as much, as a fifth of the rows was held out. */
            CHECK(r > 0 || m == 0 || plan->effort == (m == 1 ? 1 : 12));
            CHECK(r < 3 || m == 0 || SCALE > 1 || plan->effort > (m == 1 ? 1 : 12)); /* with fewer rows it may do */
            check_recall(&made, index, 24, recalls[r]);
            before = plan->effort;
            close_index(index, NULL, &account);
        }
    }
    graph_case_free(&made);
}

/* By inner product: norms decide, lists are refused or passed over, and an image remembers by what it was made. */
static void test_products(void) {
    graph_case made = clustered(1500 / SCALE, 64, 12);
    test_random random = {77};
    made.by = DM_SIMILARITY_INNER_PRODUCT;
    graph_case_vary(&made, &random, 0.3);
    char error[300] = "";
    const dm_rows rows = graph_case_rows(&made);
    for (dm_method method = DM_METHOD_AUTO; method <= DM_METHOD_GRAPH; method++) {
        dm_memory account = {0};
        dm_index *index = NULL;
        dm_index *read = NULL;
        const dm_index_options options = options_of(&made, method, 0.9);
        if (method == DM_METHOD_LISTS) {
            CHECK_STATUS(dm_index_create(&rows, &options, NULL, &account, &index, error, 300), DM_ERROR_ARGUMENT, error);
            continue;
        }
        index = create(&made, &options, NULL, &account);
        CHECK(isnan(dm_index_plan(index)->costs[DM_METHOD_LISTS]));
        check_recall(&made, index, 12, 0.9);
        dm_index_scratch *scratch = scratch_of(index, &account);
        const size_t size = dm_index_image_size(index);
        uint8_t *image = test_guard_allocate(size, TEST_GUARD_AFTER);
        dm_index_write_image(index, scratch, image);
        CHECK_STATUS(dm_index_from_image(&rows, image, size, options.isa, 0, &account, &read, error, 300), DM_OK, error);
        check_recall(&made, read, 12, 0.9);
        test_guard_free(image);
        dm_index_destroy(read, &account);
        close_index(index, scratch, &account);
    }
    graph_case_free(&made);
}

/* Few rows, odd rows, and methods asked for all the same. */
static void fixed_case(graph_case made, dm_method method, uint32_t least_hits) {
    dm_memory account = {0};
    const dm_index_options options = options_of(&made, method, 0.95);
    dm_index *index = create(&made, &options, NULL, &account);
    dm_index_scratch *scratch = scratch_of(index, &account);
    float query[48] = {1.0f, -2.0f, 3.0f};
    CHECK(hits_of(&made, index, scratch, query, 10) >= least_hits);
    close_index(index, scratch, &account);
    graph_case_free(&made);
}

static void test_odd_rows(void) {
    for (dm_method method = DM_METHOD_AUTO; method <= DM_METHOD_GRAPH; method++) {
        const uint32_t sizes[] = {1, 10, 99, 100, 150};
        for (size_t i = 0; i < 5; i++) {
            fixed_case(clustered(sizes[i], 48, 6), method, sizes[i] < 10 ? sizes[i] : 7);
        }
        graph_case zero = graph_case_make(700, 48); /* all of norm zero: cosine 0 with everything */
        memset(zero.inverse_norms, 0, 700 * sizeof(float));
        fixed_case(zero, method, 10);
        graph_case equal = graph_case_make(700, 48);
        for (uint32_t row = 0; row < 700; row++) {
            graph_case_row(&equal, row)[row % 2] = 1.0f;
            graph_case_set_norm(&equal, row);
        }
        fixed_case(equal, method, method == DM_METHOD_GRAPH ? 0 : 10); /* a short walk can end in the other crowd */
        graph_case holes = clustered(1100, 48, 6);
        for (uint32_t row = 0; row < 1100; row += 2) {
            holes.slots[row] = DM_SLOT_NONE;
        }
        fixed_case(holes, method, 8);
    }
    graph_case none = graph_case_make(1, 48);
    none.slots[0] = DM_SLOT_NONE;
    dm_memory account = {0};
    const dm_index_options options = options_of(&none, DM_METHOD_AUTO, 0.95);
    dm_index *index = create(&none, &options, NULL, &account);
    dm_index_scratch *scratch = scratch_of(index, &account);
    dm_neighbour found[10];
    CHECK_EQUAL(dm_index_search(index, scratch, graph_case_row(&none, 0), 10, found), 0);
    CHECK_EQUAL(dm_index_compared(scratch), 0);
    close_index(index, scratch, &account);
    graph_case_free(&none);
}

static void test_refusals(void) {
    graph_case made = clustered(60, 16, 4);
    const dm_rows rows = graph_case_rows(&made);
    dm_index_options wrong[8];
    for (size_t i = 0; i < 8; i++) {
        wrong[i] = options_of(&made, DM_METHOD_AUTO, 0.9);
    }
    wrong[0].recall = 1.01;
    wrong[1].recall = -0.1;
    wrong[2].recall = (double)NAN;
    wrong[3].k = 0;
    wrong[4].k = 101;
    wrong[5].capacity = 59;
    wrong[6].method = (dm_method)4;
    wrong[7].capacity = (uint32_t)DM_CAPACITY_MAX + 1;
    for (size_t i = 0; i < 8; i++) {
        dm_memory account = {0};
        dm_index *index = NULL;
        char error[300] = "";
        CHECK_STATUS(dm_index_create(&rows, &wrong[i], NULL, &account, &index, error, 300), DM_ERROR_ARGUMENT, error);
        CHECK(index == NULL && dm_memory_bytes(&account) == 0);
    }
    graph_case_free(&made);
}

/* --- how it is measured ------------------------------------------------------------------------------------------- */

/* Of misses by row that is missed: what they vary by, as a part of the variance of the mean (CGM 2011, two ways). */
static double by_answer(const double *times, const double *missed, uint32_t rows, double answers) {
    double share = 0.0;
    double sum = 0.0;
    for (uint32_t row = 0; row < rows; row++) {
        share += missed[row] / answers;
    }
    for (uint32_t row = 0; row < rows; row++) {
        sum += pow(missed[row] - share * times[row], 2.0);
    }
    return fmax((sum - answers * share * (1.0 - share)) / (answers * answers), 0.0);
}

/* Of the graph with that effort: the lower bound that the plan is chosen by, by brute force. */
static double low_by_force(const graph_case *made, const dm_planning *planning, dm_index *trial,
                           dm_index_scratch *scratch,
                           uint32_t ef) {
    double sum = 0.0;
    double squares = 0.0;
    double *times = calloc(2 * made->capacity, sizeof(double));
    REQUIRE(times != NULL);
    double *missed = times + made->capacity;
    for (uint32_t i = 0; i < planning->held; i++) {
        dm_neighbour found[10];
        const float *query = graph_case_row(made, planning->order[i]);
        const double kth = graph_case_kth(made, query, 10); /* made->slots: the others alone */
        uint32_t count = dm_graph_search(trial->graph, scratch->graph, query, 10, ef, found);
        double share = 0.0;
        for (uint32_t j = 0; j < count; j++) {
            share += (found[j].similarity >= kth - 1e-12) / 10.0;
        }
        sum += share;
        squares += share * share;
        for (uint32_t row = 0; row < made->capacity; row++) {
            if (made->slots[row] != DM_SLOT_NONE && graph_case_similarity(made, query, row) >= kth - 1e-12) {
                int is_found = 0;
                for (uint32_t j = 0; j < count; j++) {
                    is_found |= found[j].row == row;
                }
                times[row] += 1.0;
                missed[row] += is_found ? 0.0 : 1.0;
            }
        }
    }
    const double n = planning->held;
    const double mean = sum / n;
    const double more = by_answer(times, missed, made->capacity, 10.0 * n);
    free(times);
    return mean - 1.645 * sqrt(fmax((squares - n * mean * mean) / (n - 1.0), 0.0) / n + more);
}

static void test_measuring(void) {
    graph_case made = gaussian(1400 / SCALE, 40);
    dm_memory account = {0};
    char error[300] = "";
    made.slots[3] = DM_SLOT_NONE;
    const dm_rows rows = graph_case_rows(&made);
    const dm_index_options options = options_of(&made, DM_METHOD_GRAPH, 0.9);
    dm_planning planning = {
        .rows = &rows, .options = &options, .account = &account, .used = used_of(&made)};
    REQUIRE(dm_planning_open(&planning));
    CHECK_EQUAL(planning.held, made.capacity / 5 > 50 ? (used_of(&made) / 5 > 500 ? 500 : used_of(&made) / 5) : 50);
    CHECK_EQUAL(planning.held + planning.others, used_of(&made));
    uint8_t *met = calloc(made.capacity, 1);
    REQUIRE(met != NULL);
    for (uint32_t i = 0; i < planning.used; i++) {
        REQUIRE(planning.order[i] < made.capacity && made.slots[planning.order[i]] != DM_SLOT_NONE);
        CHECK(!met[planning.order[i]]);
        met[planning.order[i]] = 1;
    }
    for (uint32_t i = 0; i < planning.held; i++) {
        made.slots[planning.order[i]] = DM_SLOT_NONE; /* from here on the test's truth, too, is without them */
    }
    const dm_rows others = graph_case_rows(&made);
    dm_measured measured;
    dm_index trial = {.rows = others, .used = planning.others, .isa = options.isa, .plan = {.method = DM_METHOD_GRAPH}};
    const dm_graph_options graph_options = {
        .capacity = made.capacity, .ef_construction = DM_GRAPH_EF_CONSTRUCTION, .seed = 1};
    CHECK_STATUS(dm_graph_create(dm_graph_best(), &others, &graph_options, &account, &trial.graph, error, 300), DM_OK,
                 error);
    CHECK_STATUS(dm_graph_build(trial.graph, &others, NULL, &account, error, 300), DM_OK, error);
    dm_index_scratch *scratch = scratch_of(&trial, &account);
    uint32_t *slots = malloc(made.capacity * sizeof(uint32_t));
    REQUIRE(slots != NULL);
    /* The planner takes the slots from the rows that it was given. */
    for (uint32_t row = 0; row < made.capacity; row++) {
        slots[row] = row == 3 ? DM_SLOT_NONE : row;
    }
    dm_rows whole = rows;
    whole.slots = slots;
    planning.rows = &whole;
    CHECK_STATUS(dm_planning_find_truth(&planning, planning.others, &measured, error, 300), DM_OK, error);
    for (uint32_t i = 0; i < planning.held; i++) {
        CHECK_NEAR(planning.kth[i], graph_case_kth(&made, graph_case_row(&made, planning.order[i]), 10), 1e-12);
    }
    CHECK(measured.recall == 1.0 && measured.recall_low == 1.0);
    CHECK_STATUS(dm_planning_find_effort(&planning, &trial, 10, 1024, &measured, error, 300), DM_OK, error);
    CHECK(measured.effort > 10 && measured.effort < 300); /* else the data makes the test empty */
    CHECK_NEAR(measured.recall_low, low_by_force(&made, &planning, &trial, scratch, measured.effort), 1e-9);
    CHECK(measured.recall_low >= 0.9);
    uint32_t below = 10;
    for (uint32_t ef = 10; ef < measured.effort; ef += (ef * 3 + 19) / 20) {
        below = ef;
    }
    CHECK(low_by_force(&made, &planning, &trial, scratch, below) < 0.9);
    CHECK(below * 1.25 > measured.effort); /* rungs that are close enough */
    free(met);
    free(slots);
    dm_index_scratch_destroy(scratch, &account);
    dm_index_empty(&trial, &account);
    dm_planning_close(&planning);
    CHECK_EQUAL(dm_memory_bytes(&account), 0);
    graph_case_free(&made);
}

static void test_extrapolating(void) {
    const dm_measured quarter = {.effort = 10, .compared = 100.0, .rescored = 11.0};
    const dm_measured half = {.effort = 10, .compared = 200.0, .rescored = 11.0}; /* as the root of the rows */
    const dm_measured equal = {.effort = 10, .compared = 90.0, .rescored = 11.0};
    const dm_measured beyond = {.effort = 10, .compared = 900.0, .rescored = 11.0};
    CHECK_NEAR(dm_plan_extrapolate(&quarter, &half, 1000, 100000).compared, 2000.0, 1e-12);
    CHECK_NEAR(dm_plan_extrapolate(&quarter, &half, 1000, 1000).compared, 200.0, 1e-12);
    CHECK_NEAR(dm_plan_extrapolate(&quarter, &equal, 1000, 100000).compared, 90.0, 1e-12);
    CHECK_NEAR(dm_plan_extrapolate(&quarter, &beyond, 1000, 2000).compared, 1800.0, 1e-12);
}

/* 1,000 rows of 768 dimensions lie in the nearest cache, and a million, of which 16 MiB count as cached, does not. */
static void test_costs(void) {
    const dm_rows rows = {.dim = 768};
    const dm_index_options options = {.recall = 0.9};
    const dm_planning planning = {.rows = &rows, .options = &options};
    dm_measured measured = {.effort = 20, .recall = 0.95, .recall_low = 0.9, .compared = 300.0, .rescored = 10.0};
    const dm_index exact = {.plan = {.method = DM_METHOD_EXACT}};
    const dm_index graph = {.plan = {.method = DM_METHOD_GRAPH}};
    CHECK_NEAR(dm_plan_cost(&planning, &exact, 500, &measured), 72e3 + 500.0 * 772.0 + 30720.0 * 3.0, 1e-12);
    const double cached = 16.0 * 1024.0 * 1024.0;
    CHECK_NEAR(dm_plan_cost(&planning, &exact, 1000000, &measured),
               72e3 + cached + (772e6 - cached) * 5.0 + 30720.0 * (12.0 - 9.0 * cached / 3072e6), 1e-12);
    CHECK_NEAR(dm_plan_cost(&planning, &graph, 1000, &measured), 72e3 + 260e3 + 300.0 * 772.0 * 1.5 + 30720.0 * 3.0,
               1e-12);
    CHECK(dm_plan_cost(&planning, &graph, 1000, &measured) < dm_plan_cost(&planning, &graph, 4000, &measured));
    measured.recall_low = 0.8999;
    CHECK(isnan(dm_plan_cost(&planning, &graph, 1000, &measured)));
}

/* --- the same everywhere ------------------------------------------------------------------------------------------ */

static uint8_t *image_of(dm_index *index, size_t *size) {
    dm_memory account = {0};
    dm_index_scratch *scratch = scratch_of(index, &account);
    *size = dm_index_image_size(index);
    uint8_t *image = test_guard_allocate(*size, TEST_GUARD_AFTER);
    dm_index_write_image(index, scratch, image);
    dm_index_scratch_destroy(scratch, &account);
    return image;
}

static void check_same(const graph_case *made, const dm_index_options *options, dm_team *team, const uint8_t *expected,
                       size_t expected_size) {
    dm_memory account = {0};
    size_t size = 0;
    dm_index *index = create(made, options, team, &account);
    uint8_t *image = image_of(index, &size);
    CHECK_EQUAL(size, expected_size);
    CHECK(size == expected_size && memcmp(image, expected, size) == 0);
    test_guard_free(image);
    close_index(index, NULL, &account);
}

static void test_same_everywhere(void) {
    const dm_isa isas[] = {DM_ISA_BASELINE, DM_ISA_AVX2, DM_ISA_AVX512, DM_ISA_AVX512_VNNI, DM_ISA_NEON};
    const double recalls[] = {0.9, 0.99};
    for (size_t r = 0; r < 2; r++) {
        graph_case made = clustered((r == 0 ? 900 : 1300) / SCALE, 64, r == 0 ? 8 : 20);
        for (dm_method method = DM_METHOD_AUTO; method <= DM_METHOD_GRAPH; method++) {
            dm_memory account = {0};
            size_t size = 0;
            dm_index_options options = options_of(&made, method, recalls[r]);
            dm_index *index = create(&made, &options, NULL, &account);
            uint8_t *image = image_of(index, &size);
            close_index(index, NULL, &account);
            for (size_t i = 0; i < sizeof(isas) / sizeof(isas[0]); i++) {
                if (dm_isa_has(isas[i])) {
                    options.isa = isas[i];
                    check_same(&made, &options, NULL, image, size);
                }
            }
            for (uint32_t threads = 1; threads <= 4; threads *= 2) {
                dm_team *team = NULL;
                char error[300] = "";
                CHECK_STATUS(dm_team_create(threads, &team, error, 300), DM_OK, error);
                check_same(&made, &options, team, image, size);
                dm_team_destroy(team);
            }
            test_guard_free(image);
        }
        graph_case_free(&made);
    }
}

/* --- images ------------------------------------------------------------------------------------------------------- */

static void refuse(const dm_rows *rows, const uint8_t *bytes, size_t size) {
    dm_memory account = {0};
    dm_index *index = NULL;
    char error[300] = "";
    CHECK_STATUS(dm_index_from_image(rows, bytes, size, dm_graph_best()->isa, 0, &account, &index, error, 300),
                 DM_ERROR_CORRUPT, error);
    CHECK(index == NULL && dm_memory_bytes(&account) == 0);
}

static void check_damage(const graph_case *made, uint8_t *image, size_t size) {
    dm_rows rows = graph_case_rows(made);
    test_random random = {9};
    for (uint32_t i = 0; i < 400; i++) {
        const size_t at = i < 384 && i < size ? i : test_random_below(&random, size); /* the header, then anywhere */
        const uint8_t bit = (uint8_t)(1u << test_random_below(&random, 8));
        image[at] ^= bit;
        refuse(&rows, image, size);
        image[at] ^= bit;
    }
    const size_t sizes[] = {0, 1, 100, 383, size - 1};
    for (size_t i = 0; i < 5; i++) {
        uint8_t *part = test_guard_allocate(sizes[i] + 1, TEST_GUARD_AFTER);
        memcpy(part + 1, image, sizes[i]);
        refuse(&rows, part + 1, sizes[i]);
        test_guard_free(part);
    }
    rows.dim -= 1;
    refuse(&rows, image, size);
    rows.dim += 1;
    rows.count -= 1;
    refuse(&rows, image, size);
}

static void test_images(void) {
    graph_case made = clustered(800 / SCALE, 48, 8);
    made.slots[5] = DM_SLOT_NONE;
    for (dm_method method = DM_METHOD_EXACT; method <= DM_METHOD_GRAPH; method++) {
        dm_memory account = {0};
        dm_memory other_account = {0};
        size_t size = 0;
        size_t again_size = 0;
        char error[300] = "";
        const dm_rows rows = graph_case_rows(&made);
        const dm_index_options options = options_of(&made, method, 0.95);
        dm_index *index = create(&made, &options, NULL, &account);
        uint8_t *image = image_of(index, &size);
        dm_index *read = NULL;
        CHECK_STATUS(dm_index_from_image(&rows, image, size, DM_ISA_BASELINE, 64, &other_account, &read, error, 300),
                     DM_OK,
                     error);
        REQUIRE(read != NULL);
        uint8_t *again = image_of(read, &again_size);
        CHECK(again_size == size && memcmp(again, image, size) == 0);
        CHECK(strcmp(dm_index_plan(read)->reason, dm_index_plan(index)->reason) == 0);
        CHECK_EQUAL(dm_index_plan(read)->effort, dm_index_plan(index)->effort);
        CHECK_EQUAL(dm_index_plan(read)->held_out, dm_index_plan(index)->held_out);
        CHECK_EQUAL(dm_index_plan(read)->dims, dm_index_plan(index)->dims);
        CHECK_EQUAL(dm_index_plan(read)->list_count, dm_index_plan(index)->list_count);
        dm_index_scratch *scratch = scratch_of(index, &account);
        dm_index_scratch *other = scratch_of(read, &other_account);
        for (uint32_t i = 0; i < 50; i++) {
            dm_neighbour a[10];
            dm_neighbour b[10];
            REQUIRE(dm_index_search(index, scratch, graph_case_row(&made, i), 10, a) == 10);
            REQUIRE(dm_index_search(read, other, graph_case_row(&made, i), 10, b) == 10);
            for (uint32_t j = 0; j < 10; j++) {
                CHECK(a[j].row == b[j].row && a[j].similarity == b[j].similarity);
            }
        }
        check_damage(&made, image, size);
        test_guard_free(image);
        test_guard_free(again);
        close_index(read, other, &other_account);
        close_index(index, scratch, &account);
    }
    graph_case_free(&made);
}

/* --- changes ------------------------------------------------------------------------------------------------------ */

static void test_changes(void) {
    graph_case made = clustered(700, 48, 8);
    char error[300] = "";
    for (uint32_t row = 600; row < 700; row++) {
        made.slots[row] = DM_SLOT_NONE;
    }
    for (dm_method method = DM_METHOD_EXACT; method <= DM_METHOD_GRAPH; method++) {
        dm_memory account = {0};
        const dm_index_options options = options_of(&made, method, 0.95);
        dm_index *index = create(&made, &options, NULL, &account);
        dm_index_scratch *scratch = scratch_of(index, &account);
        CHECK_EQUAL(dm_index_can_change(index), method == DM_METHOD_GRAPH);
        if (method != DM_METHOD_GRAPH) {
            CHECK_STATUS(dm_index_insert(index, scratch, 600, error, 300), DM_ERROR_ARGUMENT, error);
            CHECK_STATUS(dm_index_remove(index, scratch, 0, error, 300), DM_ERROR_ARGUMENT, error);
            CHECK(!dm_index_is_free(index, scratch, 0));
            close_index(index, scratch, &account);
            continue;
        }
        dm_neighbour found[1];
        CHECK(dm_index_is_free(index, scratch, 650) && !dm_index_is_free(index, scratch, 0));
        CHECK_STATUS(dm_index_insert(index, scratch, 0, error, 300), DM_ERROR_ARGUMENT, error);
        CHECK_STATUS(dm_index_insert(index, scratch, 650, error, 300), DM_OK, error);
        CHECK_EQUAL(dm_index_search(index, scratch, graph_case_row(&made, 650), 1, found), 1);
        CHECK_EQUAL(found[0].row, 650);
        CHECK_STATUS(dm_index_remove(index, scratch, 650, error, 300), DM_OK, error);
        CHECK_EQUAL(dm_index_search(index, scratch, graph_case_row(&made, 650), 1, found), 1);
        CHECK(found[0].row < 600);
        CHECK(dm_index_is_free(index, scratch, 650));
        close_index(index, scratch, &account);
    }
    graph_case_free(&made);
}

int main(void) {
    test_same_everywhere();
    if (TEST_THREADS_ONLY) {
        return test_report();
    }
    test_few();
    test_choices();
    test_all();
    test_fixed();
    test_products();
    test_odd_rows();
    test_refusals();
    test_measuring();
    test_extrapolating();
    test_costs();
    test_images();
    test_changes();
    return test_report();
}
