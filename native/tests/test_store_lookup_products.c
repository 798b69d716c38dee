/* test_store_lookup_products.c: dm_lookup by inner product against brute force in long double, among nodes whose norms
 * differ so much that cosines name others: by type and by both, following the store, saved and loaded. */
#include <unistd.h>

#include "tests/follow_case.h"

static char error[256];
static char folder[64];
static char file[96];
static char snapshot[96];

static double least(int32_t method) {
    /* Of 0.95 asked for, on 600 neighbours. Less than by cosines: the same few long rows are near to all queries, so
     * one of them that few links lead to is missed by all. */
    return method == DM_LOOKUP_EXACT ? 1.0 : 0.88;
}

static follow_case *make(uint32_t concepts, uint32_t episodes, int single, uint64_t seed) {
    follow_case *made = follow_make(concepts, episodes, single, seed);
    made->similarity = DM_SIMILARITY_INNER_PRODUCT;
    return made;
}

static void refresh(dm_lookup *lookup) {
    CHECK_STATUS(dm_lookup_refresh(lookup, NULL, error, sizeof(error)), DM_OK, error);
    CHECK(dm_lookup_is_current(lookup));
}

static void check_recall(follow_case *made, dm_lookup *lookup, int32_t method, uint64_t seed) {
    for (uint32_t types = DM_LOOKUP_CONCEPTS; types <= DM_LOOKUP_BOTH; types++) {
        const double recall = follow_recall(made, lookup, types, seed);
        if (!CHECK(recall >= least(method))) {
            printf("recall %.4f, types %u: %s\n", recall, types, dm_lookup_plan(lookup, types & 1 ? 1 : 2).reason);
        }
    }
}

/* What a lookup by cosines finds first is seldom what one by products does: else the others would prove nothing. */
static void test_cosines_name_others(void) {
    follow_case *made = make(700, 0, 0, 60);
    follow_add(made, 0, 700);
    dm_lookup *products = follow_lookup(made, DM_LOOKUP_EXACT, DM_LOOKUP_CONCEPTS, 1.0);
    made->similarity = DM_SIMILARITY_COSINE;
    dm_lookup *cosines = follow_lookup(made, DM_LOOKUP_EXACT, DM_LOOKUP_CONCEPTS, 1.0);
    CHECK_EQUAL(dm_lookup_similarity(products), DM_SIMILARITY_INNER_PRODUCT);
    CHECK_EQUAL(dm_lookup_similarity(cosines), DM_SIMILARITY_COSINE);
    uint32_t same = 0;
    for (int q = 0; q < 100; q++) {
        float query[FOLLOW_DIM];
        uint32_t slots[2] = {0, 0};
        double similarity = 0.0;
        follow_draw(&made->random, query);
        (void)dm_lookup_search(products, query, FOLLOW_DIM, 1, 1, NULL, &slots[0], &similarity, NULL, 0);
        CHECK(fabs(similarity) > 1.0);
        (void)dm_lookup_search(cosines, query, FOLLOW_DIM, 1, 1, NULL, &slots[1], &similarity, NULL, 0);
        CHECK(fabs(similarity) <= 1.0);
        same += slots[0] == slots[1];
    }
    CHECK(same < 20);
    dm_lookup_destroy(products);
    dm_lookup_destroy(cosines);
    follow_free(made);
}

static void test_following(int32_t method, int single) {
    follow_case *made = make(single ? 0 : 1000, 1000, single, 61);
    follow_add(made, 0, 700);
    follow_add(made, 1, single ? 0 : 650);
    dm_lookup *lookup = follow_lookup(made, method, DM_LOOKUP_BOTH, 0.95);
    check_recall(made, lookup, method, 62);
    const dm_lookup_choice choice = dm_lookup_plan(lookup, DM_LOOKUP_CONCEPTS);
    CHECK(choice.method != DM_LOOKUP_LISTS);
    CHECK(method != DM_LOOKUP_AUTO || strstr(choice.reason, "lists are for cosines") != NULL);
    for (uint32_t round = 0; round < 6; round++) {
        for (int type = 0; type < (single ? 1 : 2); type++) {
            float values[FOLLOW_DIM];
            for (uint32_t i = 0; i < 20; i++) {
                follow_remove(made, type, follow_pick(made, type));
            }
            follow_add(made, type, 20 + round % 3);
            for (uint32_t i = 0; i < 10; i++) {
                follow_draw_node(made, values);
                CHECK_STATUS(follow_replace(made, type, follow_pick(made, type), values), DM_OK, "a row is free");
            }
        }
        refresh(lookup);
        CHECK_EQUAL(dm_lookup_size(lookup), made->types[0].live_count + made->types[1].live_count);
        check_recall(made, lookup, method, 70 + round);
    }
    dm_lookup_destroy(lookup);
    follow_free(made);
}

static dm_lookup *load(dm_store *store) {
    dm_lookup *lookup = NULL;
    REQUIRE(CHECK_STATUS(dm_lookup_load(store, file, NULL, &lookup, error, sizeof(error)), DM_OK, error));
    return lookup;
}

/* Beside the same store the image is read; after a snapshot of a store whose rows had moved, it is built again. Either
 * way the loaded one goes on by inner product. */
static void test_files(int32_t method) {
    follow_case *made = make(900, 800, 0, 63);
    float values[FOLLOW_DIM];
    follow_add(made, 0, 800);
    follow_add(made, 1, 700);
    for (uint32_t i = 0; i < 30; i++) {
        follow_draw_node(made, values);
        CHECK_STATUS(follow_replace(made, 0, 7 * i, values), DM_OK, "");
    }
    dm_lookup *lookup = follow_lookup(made, method, DM_LOOKUP_BOTH, 0.95);
    REQUIRE(CHECK_STATUS(dm_lookup_save(lookup, file, error, sizeof(error)), DM_OK, error));
    dm_lookup_destroy(lookup);
    for (int is_moved = 0; is_moved < 2; is_moved++) {
        dm_lookup *again = load(made->store);
        CHECK_EQUAL(dm_lookup_similarity(again), DM_SIMILARITY_INNER_PRODUCT);
        check_recall(made, again, method, 64);
        dm_lookup_destroy(again);
        if (!is_moved) {
            REQUIRE(CHECK_STATUS(dm_store_save(made->store, snapshot, error, sizeof(error)), DM_OK, error));
            dm_store_destroy(made->store);
            REQUIRE(CHECK_STATUS(dm_store_load(snapshot, NULL, &made->store, error, sizeof(error)), DM_OK, error));
        }
    }
    dm_lookup *again = load(made->store);
    follow_add(made, 0, 40);
    refresh(again);
    check_recall(made, again, method, 65);
    dm_lookup_destroy(again);
    follow_free(made);
}

/* --- the header --------------------------------------------------------------------------------------------------- */

enum { HEADER = 824, SIMILARITY_AT = 60 };

static uint32_t crc32c(const unsigned char *bytes, size_t size) {
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (UINT32_C(0x82f63b78) & (0 - (crc & 1)));
        }
    }
    return ~crc;
}

/* The header of the file says this similarity, under a checksum that is right. Returns what it said. */
static int32_t exchange_similarity(int32_t similarity) {
    unsigned char head[HEADER];
    int32_t before = 0;
    FILE *stream = fopen(file, "r+b");
    REQUIRE(stream != NULL && fread(head, 1, HEADER, stream) == HEADER);
    memcpy(&before, head + SIMILARITY_AT, sizeof(before));
    memcpy(head + SIMILARITY_AT, &similarity, sizeof(similarity));
    const uint32_t crc = crc32c(head, HEADER - sizeof(crc));
    memcpy(head + HEADER - sizeof(crc), &crc, sizeof(crc));
    rewind(stream);
    REQUIRE(fwrite(head, 1, HEADER, stream) == HEADER && fclose(stream) == 0);
    return before;
}

static void check_refused(dm_store *store, int32_t similarity, const char *part) {
    dm_lookup *lookup = NULL;
    const int32_t before = exchange_similarity(similarity);
    CHECK_STATUS(dm_lookup_load(store, file, NULL, &lookup, error, sizeof(error)), DM_ERROR_CORRUPT, error);
    CHECK(lookup == NULL && strstr(error, part) != NULL);
    CHECK_EQUAL(exchange_similarity(before), similarity);
}

/* Files of before there were similarities have 0 in its place, so they are read as what they are. */
static void test_header(void) {
    follow_case *made = follow_make(100, 0, 0, 66);
    follow_add(made, 0, 80);
    dm_lookup *lookup = follow_lookup(made, DM_LOOKUP_GRAPH, DM_LOOKUP_CONCEPTS, 0.95);
    REQUIRE(CHECK_STATUS(dm_lookup_save(lookup, file, error, sizeof(error)), DM_OK, error));
    CHECK_EQUAL(exchange_similarity(0), DM_SIMILARITY_COSINE);
    dm_lookup *again = load(made->store);
    CHECK_EQUAL(dm_lookup_similarity(again), DM_SIMILARITY_COSINE);
    check_refused(made->store, 2, "the header contradicts itself");
    check_refused(made->store, -1, "the header contradicts itself");
    check_refused(made->store, DM_SIMILARITY_INNER_PRODUCT, "an index in it is damaged"); /* it is one of cosines */
    dm_lookup_destroy(again);
    dm_lookup_destroy(lookup);
    follow_free(made);
}

int main(void) {
    static const int32_t methods[] = {DM_LOOKUP_EXACT, DM_LOOKUP_GRAPH, DM_LOOKUP_AUTO};
    (void)snprintf(folder, sizeof(folder), "/tmp/dm_products_XXXXXX");
    REQUIRE(mkdtemp(folder) != NULL);
    (void)snprintf(file, sizeof(file), "%s/lookup", folder);
    (void)snprintf(snapshot, sizeof(snapshot), "%s/store", folder);
    test_cosines_name_others();
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        test_following(methods[i], 0);
        test_following(methods[i], 1);
        test_files(methods[i]);
    }
    test_header();
    (void)unlink(file);
    (void)unlink(snapshot);
    CHECK(rmdir(folder) == 0); /* no temporary file is left */
    return test_report();
}
