/* test_graph_churn.c: rows come and go. Half of them and more are exchanged; removed ones never come back; the rules
 * of the links and the recall hold; rows are used again, but not while a search may read them. */
#include "tests/graph_case.h"

static void insert(graph_case *made, uint32_t row) {
    char error[200] = "";
    CHECK_STATUS(dm_graph_insert(made->graph, made->scratch, row, error, sizeof(error)), DM_OK, error);
    made->slots[row] = row;
}

static void take_out(graph_case *made, uint32_t row) {
    char error[200] = "";
    made->slots[row] = DM_SLOT_NONE;
    CHECK_STATUS(dm_graph_remove(made->graph, made->scratch, row, error, sizeof(error)), DM_OK, error);
}

/* Another vector for the row, which is free. */
static void renew(graph_case *made, test_random *random, uint32_t row) {
    CHECK(dm_graph_is_free(made->graph, made->scratch, row));
    graph_case_draw(random, made->dim, 16, 20, graph_case_row(made, row));
    graph_case_set_norm(made, row);
    insert(made, row);
}

/* In random order, one row after the other goes and comes back as another, until 150 % were exchanged. */
static void test_exchange(void) {
    graph_case made = graph_case_make(2000, 64);
    test_random random = {5};
    graph_case_fill(&made, &random, 16, 20);
    graph_case_open(&made, dm_graph_best(), 9);
    graph_case_build(&made, NULL);
    double before = graph_case_recall(&made, &random, 16, 20, 60, 64);
    for (uint32_t change = 0; change < 3000; change++) {
        uint32_t row = (uint32_t)test_random_below(&random, 2000);
        take_out(&made, row);
        renew(&made, &random, row);
        if (change % 1000 == 999) {
            graph_case_check(&made);
        }
    }
    double after = graph_case_recall(&made, &random, 16, 20, 60, 64);
    printf("recall at 10, ef 64: %.4f as built, %.4f after an exchange of 150 %%\n", before, after);
    CHECK(before >= 0.95 && after >= 0.95 && after >= before - 0.02);
    CHECK(graph_case_recall(&made, &random, 16, 20, 60, 256) >= 0.99);
    graph_case_close(&made);
    graph_case_free(&made);
}

static double mean_links(const graph_case *made) {
    uint32_t rows[DM_GRAPH_M0];
    uint64_t links = 0;
    for (uint32_t row = 0; row < made->capacity; row++) {
        links += dm_graph_list(made->graph, row, 0, rows);
    }
    return (double)links / dm_graph_size(made->graph);
}

/* A new graph of the rows that are left has not many more links: most of those that were lost have been replaced
 * (0.84 to 0.87 of a new graph's when the bound was chosen; 0.69 with a repair that chose all links anew). */
static void check_links(const graph_case *made) {
    graph_case anew = *made;
    memset(&anew.account, 0, sizeof(anew.account));
    graph_case_open(&anew, dm_graph_best(), 9);
    graph_case_build(&anew, NULL);
    double ratio = mean_links(made) / mean_links(&anew);
    CHECK(ratio >= 0.8);
    printf("links after removals / links of a new graph: %.3f\n", ratio);
    graph_case_close(&anew);
}

/* Half of the rows leave, in the order of their clusters' rows or at random; then the other half comes back. */
static void test_half(void) {
    for (int in_order = 0; in_order < 2; in_order++) {
        graph_case made = graph_case_make(1500, 64);
        test_random random = {6};
        graph_case_fill(&made, &random, 16, 20);
        graph_case_open(&made, dm_graph_best(), 9);
        graph_case_build(&made, NULL);
        for (uint32_t taken = 0; taken < 750; taken++) {
            uint32_t row = in_order ? taken : (taken * 1009) % 1500;
            take_out(&made, row);
            CHECK_EQUAL(dm_graph_size(made.graph), 1499 - taken);
        }
        CHECK(graph_case_recall(&made, &random, 16, 20, 40, 64) >= 0.95);
        graph_case_check(&made);
        check_links(&made);
        for (uint32_t row = 0; row < 1500; row++) {
            if (made.slots[row] == DM_SLOT_NONE) {
                renew(&made, &random, row);
            }
        }
        graph_case_check(&made);
        CHECK(graph_case_recall(&made, &random, 16, 20, 40, 64) >= 0.95);
        graph_case_close(&made);
        graph_case_free(&made);
    }
}

/* The nearest to one query go one after the other, so there is a hole round it that grows. Every search still returns
 * as many as there are; what is left is found as before by queries like the rows (the query in the hole has become a
 * stranger: even a new graph of the same rows then finds half of its neighbours with this short a list). Then all are
 * gone. */
static void test_nearest_first(void) {
    graph_case made = graph_case_make(600, 64);
    test_random random = {7};
    char error[200] = "";
    float query[64];
    graph_case_fill(&made, &random, 16, 20);
    graph_case_draw(&random, 64, 16, 20, query);
    graph_case_open(&made, dm_graph_best(), 2);
    graph_case_build(&made, NULL);
    for (uint32_t left = 600; left > 0; left--) {
        dm_neighbour found[10];
        CHECK_EQUAL(dm_graph_search(made.graph, made.scratch, query, 10, 20, found), left < 10 ? left : 10);
        take_out(&made, found[0].row);
        (void)graph_case_hits(&made, query, 10, 20);
        if (left % 100 == 51) {
            graph_case_check(&made);
            CHECK(graph_case_recall(&made, &random, 16, 20, 30, 32) >= 0.97);
        }
    }
    CHECK_EQUAL(dm_graph_size(made.graph), 0);
    CHECK_EQUAL(graph_case_hits(&made, query, 10, 20), 0);
    CHECK_STATUS(dm_graph_remove(made.graph, made.scratch, 3, error, sizeof(error)), DM_ERROR_ARGUMENT, error);
    CHECK_STATUS(dm_graph_remove(made.graph, made.scratch, 600, error, sizeof(error)), DM_ERROR_ARGUMENT, error);
    CHECK_EQUAL(dm_graph_is_free(made.graph, made.scratch, 600), 0);
    for (uint32_t row = 0; row < 600; row++) {
        renew(&made, &random, row);
    }
    graph_case_check(&made);
    CHECK(graph_case_recall(&made, &random, 16, 20, 40, 64) >= 0.95);
    graph_case_close(&made);
    graph_case_free(&made);
}

/* Crowds of equal rows: most of the links are the tree's, and it is mended again and again. */
static void test_equal_rows(void) {
    graph_case made = graph_case_make(500, 20);
    test_random random = {8};
    for (uint32_t row = 0; row < 500; row++) {
        test_random kind = {row % 3};
        test_random_fill(&kind, graph_case_row(&made, row), 20);
        graph_case_set_norm(&made, row);
    }
    graph_case_open(&made, dm_graph_best(), 3);
    graph_case_build(&made, NULL);
    for (uint32_t change = 0; change < 1500; change++) {
        uint32_t row = (uint32_t)test_random_below(&random, 500);
        take_out(&made, row);
        if (change % 250 == 0) {
            graph_case_check(&made);
        }
        CHECK(dm_graph_is_free(made.graph, made.scratch, row));
        insert(&made, row);
    }
    graph_case_check(&made);
    CHECK_EQUAL(graph_case_hits(&made, graph_case_row(&made, 0), 10, 64), 10);
    graph_case_close(&made);
    graph_case_free(&made);
}

/* As in the middle of a removal: rows are marked as dead, and all links still lead to them. They are walked through,
 * never returned, never chosen, and take no place away from the living. */
static void test_walk_through_dead(void) {
    graph_case made = graph_case_make(400, 32);
    test_random random = {10};
    char error[200] = "";
    float query[32];
    dm_neighbour nearest[30];
    graph_case_fill(&made, &random, 8, 4);
    made.slots[399] = DM_SLOT_NONE;
    graph_case_draw(&random, 32, 8, 4, query);
    graph_case_open(&made, dm_graph_best(), 3);
    graph_case_build(&made, NULL);
    CHECK_EQUAL(dm_graph_search(made.graph, made.scratch, query, 30, 200, nearest), 30);
    for (uint32_t i = 0; i < 30; i++) {
        made.slots[nearest[i].row] = DM_SLOT_NONE;
        atomic_store(&made.graph->marks[nearest[i].row], DM_MARK_DEAD);
        atomic_fetch_sub(&made.graph->live, 1);
    }
    CHECK(graph_case_hits(&made, query, 10, 12) >= 8);
    memcpy(graph_case_row(&made, 399), query, sizeof(query));
    graph_case_set_norm(&made, 399);
    CHECK_STATUS(dm_graph_insert(made.graph, made.scratch, 399, error, sizeof(error)), DM_OK, error);
    made.slots[399] = 399;
    uint32_t rows[DM_GRAPH_M0];
    const uint32_t count = dm_graph_list(made.graph, 399, 0, rows);
    CHECK(count > 0);
    for (uint32_t i = 0; i < count; i++) {
        CHECK_EQUAL(dm_graph_mark(made.graph, rows[i]), DM_MARK_LIVE);
    }
    CHECK(graph_case_hits(&made, query, 10, 12) >= 8);
    graph_case_close(&made);
    graph_case_free(&made);
}

/* A row is not free while a search that may know it is under way, and is when it has ended. */
static void test_grace(void) {
    graph_case made = graph_case_make(50, 16);
    test_random random = {9};
    char error[200] = "";
    dm_graph_scratch *other = NULL;
    graph_case_fill(&made, &random, 8, 4);
    graph_case_open(&made, dm_graph_best(), 3);
    graph_case_build(&made, NULL);
    CHECK_STATUS(dm_graph_scratch_create(made.graph, &made.account, &other, error, sizeof(error)), DM_OK, error);
    REQUIRE(other != NULL);
    atomic_store(&other->passage, atomic_load(&made.graph->epoch)); /* a search began, and its thread sleeps */
    take_out(&made, 7);
    take_out(&made, 8);
    CHECK_EQUAL(dm_graph_is_free(made.graph, made.scratch, 7), 0);
    CHECK_STATUS(dm_graph_insert(made.graph, made.scratch, 7, error, sizeof(error)), DM_ERROR_ARGUMENT, error);
    atomic_store(&other->passage, atomic_load(&made.graph->epoch)); /* it ended, and another began after the removal */
    CHECK_EQUAL(dm_graph_is_free(made.graph, made.scratch, 7), 1);
    take_out(&made, 9);
    CHECK_EQUAL(dm_graph_is_free(made.graph, made.scratch, 9), 0);
    atomic_store(&other->passage, 0);
    CHECK_EQUAL(dm_graph_is_free(made.graph, made.scratch, 9), 1);
    CHECK_EQUAL(dm_graph_is_free(made.graph, made.scratch, 8), 1);
    CHECK_EQUAL(dm_graph_is_free(made.graph, made.scratch, 10), 0);
    dm_graph_scratch_destroy(other, &made.account);
    graph_case_check(&made);
    graph_case_close(&made);
    graph_case_free(&made);
}

/* Living rows that a walk at level 0 meets from there, as a search does that began before its row was removed. */
static uint32_t living_from(const graph_case *made, dm_graph_scratch *scratch, uint32_t row) {
    const dm_weights weights = dm_graph_weights(made->graph, scratch, row);
    uint32_t living = 0;
    dm_graph_walk(made->graph, scratch, &weights, row, 0, 48);
    for (uint32_t i = 0; i < scratch->size; i++) {
        living += dm_graph_mark(made->graph, dm_candidate_row(scratch->pool[i])) == DM_MARK_LIVE;
    }
    return living;
}

/* Takes the entry out again and again, and each time its neighbours, until 100 rows are left. With `sleeper` a search
 * has found the first entry and sleeps: it must still get from there to as many rows as its list is long. Returns the
 * image as it is then, with the search still asleep. */
static uint8_t *image_after_removals(int sleeper, size_t *size) {
    graph_case made = graph_case_make(400, 24);
    test_random random = {12};
    char error[200] = "";
    dm_graph_scratch *other = NULL;
    graph_case_fill(&made, &random, 8, 10);
    graph_case_open(&made, dm_graph_best(), 5);
    graph_case_build(&made, NULL);
    CHECK_STATUS(dm_graph_scratch_create(made.graph, &made.account, &other, error, sizeof(error)), DM_OK, error);
    REQUIRE(other != NULL);
    const uint32_t first = (uint32_t)atomic_load(&made.graph->entry);
    atomic_store(&other->passage, sleeper ? atomic_load(&made.graph->epoch) : 0);
    while (dm_graph_size(made.graph) > 100) {
        uint32_t rows[DM_GRAPH_M0];
        const uint32_t entry = (uint32_t)atomic_load(&made.graph->entry);
        const uint32_t count = dm_graph_list(made.graph, entry, 0, rows);
        take_out(&made, entry);
        for (uint32_t i = 0; i < count && i < 8; i++) {
            take_out(&made, rows[i]);
        }
        if (sleeper) {
            CHECK(living_from(&made, other, first) >= 48);
        }
    }
    uint8_t *image = graph_case_image(&made, size);
    CHECK_EQUAL(dm_graph_is_free(made.graph, made.scratch, first), !sleeper);
    atomic_store(&other->passage, 0);
    CHECK_EQUAL(dm_graph_is_free(made.graph, made.scratch, first), 1);
    dm_graph_scratch_destroy(other, &made.account);
    graph_case_check(&made);
    graph_case_close(&made);
    graph_case_free(&made);
    return image;
}

/* A search that sleeps while its place is taken away loses nothing, and changes nothing: the image is the same to the
 * byte. */
static void test_sleeping_search(void) {
    size_t with = 0;
    size_t without = 0;
    uint8_t *const one = image_after_removals(1, &with);
    uint8_t *const other = image_after_removals(0, &without);
    CHECK_EQUAL(with, without);
    CHECK(with == without && memcmp(one, other, with) == 0);
    free(one);
    free(other);
}

int main(void) {
    test_exchange();
    test_half();
    test_nearest_first();
    test_equal_rows();
    test_walk_through_dead();
    test_grace();
    test_sleeping_search();
    return test_report();
}
