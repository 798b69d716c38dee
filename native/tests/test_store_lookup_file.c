/* test_store_lookup_file.c: dm_lookup_save and _load: beside the store that it was saved of, beside the same store
 * after a snapshot, with rows in the same order and in another; not beside any other store; every flipped byte and
 * every truncation is refused. */
#include <fcntl.h>
#include <unistd.h>

#include "tests/follow_case.h"

static char folder[64];
static char file[96];
static char snapshot[96];
static char error[512];

static unsigned char *read_file(const char *path, size_t *size) {
    FILE *stream = fopen(path, "rb");
    REQUIRE(stream != NULL);
    (void)fseek(stream, 0, SEEK_END);
    *size = (size_t)ftell(stream);
    unsigned char *bytes = malloc(*size);
    (void)fseek(stream, 0, SEEK_SET);
    REQUIRE(bytes != NULL && fread(bytes, 1, *size, stream) == *size);
    (void)fclose(stream);
    return bytes;
}

static void write_file(const char *path, const unsigned char *bytes, size_t size) {
    FILE *stream = fopen(path, "wb");
    REQUIRE(stream != NULL);
    REQUIRE(fwrite(bytes, 1, size, stream) == size);
    (void)fclose(stream);
}

static dm_lookup *load(dm_store *store) {
    dm_lookup *lookup = NULL;
    REQUIRE(CHECK_STATUS(dm_lookup_load(store, file, NULL, &lookup, error, sizeof(error)), DM_OK, error));
    return lookup;
}

static void save(dm_lookup *lookup) {
    REQUIRE(CHECK_STATUS(dm_lookup_save(lookup, file, error, sizeof(error)), DM_OK, error));
}

static void check_refused(dm_store *store, int32_t expected, const char *part) {
    dm_lookup *lookup = (dm_lookup *)(void *)folder;
    error[0] = '\0';
    CHECK_STATUS(dm_lookup_load(store, file, NULL, &lookup, error, sizeof(error)), expected, error);
    if (!CHECK(lookup == NULL && strstr(error, part) != NULL)) {
        printf("%s\n", error);
    }
}

/* The same neighbours to the bit, by any team. */
static void check_same(follow_case *made, dm_lookup *a, dm_lookup *b, uint32_t types) {
    for (int q = 0; q < 40; q++) {
        float query[FOLLOW_DIM];
        uint32_t slots[2][FOLLOW_K];
        double cosines[2][FOLLOW_K];
        follow_draw(&made->random, query);
        (void)dm_lookup_search_types(a, types, query, FOLLOW_DIM, 1, FOLLOW_K, NULL, slots[0], cosines[0], NULL, 0);
        (void)dm_lookup_search_types(b, types, query, FOLLOW_DIM, 1, FOLLOW_K, NULL, slots[1], cosines[1], NULL, 0);
        CHECK(memcmp(slots[0], slots[1], sizeof(slots[0])) == 0 &&
              memcmp(cosines[0], cosines[1], sizeof(cosines[0])) == 0);
    }
}

static void check_choice(dm_lookup *a, dm_lookup *b, uint32_t type) {
    const dm_lookup_choice one = dm_lookup_plan(a, type);
    const dm_lookup_choice other = dm_lookup_plan(b, type);
    CHECK(one.method == other.method && one.effort == other.effort && one.planned == other.planned &&
          one.held_out == other.held_out);
    CHECK(strcmp(one.reason, other.reason) == 0 && memcmp(one.costs, other.costs, sizeof(one.costs)) == 0);
}

/* A store through its snapshot, the lookup beside it, and on from there. `churn`: rows are then not in the order of
 * slots. */
static void test_round_trip(int32_t method, int single, int churn) {
    follow_case *made = follow_make(single ? 0 : 1000, 1000, single, 40);
    follow_add(made, 0, 700);
    follow_add(made, single ? 0 : 1, single ? 0 : 600);
    dm_lookup *lookup = follow_lookup(made, method, DM_LOOKUP_BOTH, 0.95);
    for (uint32_t i = 0; churn && i < 30; i++) {
        float values[FOLLOW_DIM];
        follow_draw(&made->random, values);
        CHECK_STATUS(follow_replace(made, 0, i * 7, values), DM_OK, "");
        follow_remove(made, 0, 300 + i);
    }
    REQUIRE(CHECK_STATUS(dm_lookup_refresh(lookup, NULL, error, sizeof(error)), DM_OK, error));
    follow_add(made, 0, churn ? 10 : 0);
    REQUIRE(CHECK_STATUS(dm_lookup_refresh(lookup, NULL, error, sizeof(error)), DM_OK, error));
    save(lookup);
    dm_lookup *again = load(made->store); /* beside the same store: rows as they were */
    CHECK(dm_lookup_is_current(again) && dm_lookup_size(again) == dm_lookup_size(lookup));
    check_same(made, lookup, again, DM_LOOKUP_BOTH);
    check_choice(lookup, again, DM_LOOKUP_CONCEPTS);
    check_choice(lookup, again, DM_LOOKUP_EPISODES);
    dm_lookup_destroy(again);
    dm_lookup_destroy(lookup);

    CHECK_STATUS(dm_store_save(made->store, snapshot, error, sizeof(error)), DM_OK, error);
    dm_store_destroy(made->store);
    REQUIRE(CHECK_STATUS(dm_store_load(snapshot, NULL, &made->store, error, sizeof(error)), DM_OK, error));
    again = load(made->store);
    CHECK(dm_lookup_is_current(again) && dm_lookup_plan(again, DM_LOOKUP_CONCEPTS).method >= DM_LOOKUP_EXACT);
    CHECK(follow_recall(made, again, DM_LOOKUP_BOTH, 41) >= (method == DM_LOOKUP_EXACT ? 1.0 : 0.93));
    CHECK(follow_recall(made, again, DM_LOOKUP_CONCEPTS, 42) >= (method == DM_LOOKUP_EXACT ? 1.0 : 0.93));
    for (uint32_t i = 0; i < 30; i++) { /* and on */
        follow_remove(made, 0, follow_pick(made, 0));
    }
    follow_add(made, 0, 35);
    CHECK(!dm_lookup_is_current(again));
    CHECK_STATUS(dm_lookup_refresh(again, NULL, error, sizeof(error)), DM_OK, error);
    CHECK(follow_recall(made, again, DM_LOOKUP_BOTH, 43) >= (method == DM_LOOKUP_EXACT ? 1.0 : 0.93));
    dm_lookup_destroy(again);
    follow_free(made);
}

/* As many rows as before, each with another node. */
static void test_exchanged_rows(int32_t method) {
    follow_case *made = follow_make(700, 0, 0, 39);
    follow_add(made, 0, 700);
    for (uint32_t index = 0; index < 700; index += 2) {
        float values[FOLLOW_DIM];
        follow_remove(made, 0, index);
        follow_draw(&made->random, values);
        CHECK_STATUS(follow_replace(made, 0, index + 1, values), DM_OK, ""); /* takes its row */
        follow_add(made, 0, 1); /* the slot that was removed, the row that was replaced */
    }
    CHECK(dm_store_concept_rows(made->store).count == 700 &&
          dm_store_concept_rows(made->store).slots[0] == dm_concept_slot(1));
    dm_lookup *lookup = follow_lookup(made, method, DM_LOOKUP_CONCEPTS, 0.95);
    save(lookup);
    const dm_lookup_choice choice = dm_lookup_plan(lookup, DM_LOOKUP_CONCEPTS);
    dm_lookup_destroy(lookup);
    CHECK_STATUS(dm_store_save(made->store, snapshot, error, sizeof(error)), DM_OK, error);
    dm_store_destroy(made->store);
    REQUIRE(CHECK_STATUS(dm_store_load(snapshot, NULL, &made->store, error, sizeof(error)), DM_OK, error));
    CHECK(dm_store_concept_rows(made->store).slots[0] == dm_concept_slot(0));
    dm_lookup *again = load(made->store);
    const dm_lookup_choice loaded = dm_lookup_plan(again, DM_LOOKUP_CONCEPTS);
    CHECK(memcmp(&loaded, &choice, sizeof(choice)) == 0); /* renumbered, not planned and built again */
    CHECK(follow_recall(made, again, DM_LOOKUP_CONCEPTS, 38) >= (method == DM_LOOKUP_EXACT ? 1.0 : 0.93));
    dm_lookup_destroy(again);
    follow_free(made);
}

static void test_empty(void) {
    follow_case *made = follow_make(40, 0, 0, 44);
    dm_lookup *lookup = follow_lookup(made, DM_LOOKUP_GRAPH, DM_LOOKUP_BOTH, 0.9);
    save(lookup);
    dm_lookup *again = load(made->store);
    CHECK(dm_lookup_size(again) == 0 && dm_lookup_is_current(again));
    follow_add(made, 0, 5);
    CHECK_STATUS(dm_lookup_refresh(again, NULL, error, sizeof(error)), DM_OK, error);
    CHECK_EQUAL(dm_lookup_plan(again, DM_LOOKUP_CONCEPTS).method,
                DM_LOOKUP_GRAPH); /* as asked for by the one that was saved */
    CHECK(follow_recall(made, again, DM_LOOKUP_CONCEPTS, 45) == 1.0);
    dm_lookup_destroy(again);
    dm_lookup_destroy(lookup);
    follow_free(made);
}

/* One thing is different at a time. */
static void test_other_stores(void) {
    float values[FOLLOW_DIM];
    follow_case *made = follow_make(100, 100, 0, 46);
    follow_add(made, 0, 60);
    follow_add(made, 1, 60);
    dm_lookup *lookup = follow_lookup(made, DM_LOOKUP_GRAPH, DM_LOOKUP_CONCEPTS, 0.95);
    save(lookup);
    const uint32_t slot = dm_concept_slot(17);
    memcpy(values, made->types[0].values[17], sizeof(values));
    values[3] = nextafterf(values[3], 100.0f); /* a bit of one embedding */
    CHECK_STATUS(follow_replace(made, 0, 17, values), DM_OK, "");
    check_refused(made->store, DM_ERROR_ARGUMENT, "its nodes or their embeddings");
    CHECK_STATUS(dm_lookup_save(lookup, file, error, sizeof(error)), DM_ERROR_ARGUMENT, error);
    CHECK(strcmp(error, "the store has changed since the lookup was brought up to date; refresh it, then save") == 0);
    values[3] = nextafterf(values[3], -100.0f);
    CHECK_STATUS(follow_replace(made, 0, 17, values), DM_OK, "");
    dm_lookup_destroy(load(made->store)); /* as it was, but for the row */
    follow_remove(made, 1, 5);            /* of another type */
    dm_lookup_destroy(load(made->store));
    follow_remove(made, 0, 17);
    check_refused(made->store, DM_ERROR_ARGUMENT, "its nodes or their embeddings");
    CHECK_EQUAL(follow_put(made, 0, values), 17); /* the same slot and embedding, another id */
    check_refused(made->store, DM_ERROR_ARGUMENT, "its nodes or their embeddings");
    CHECK_STATUS(dm_store_remove(made->store, slot, error, sizeof(error)), DM_OK, error);
    uint32_t given = 0;
    CHECK_STATUS(dm_store_add_concept(made->store, (dm_id){18, 5}, values, &given, error, sizeof(error)), DM_OK, error);
    CHECK(given == slot);
    dm_lookup_destroy(load(made->store)); /* its id again */
    follow_add(made, 0, 1);
    check_refused(made->store, DM_ERROR_ARGUMENT, "its nodes or their embeddings");
    dm_lookup_destroy(lookup);
    const struct {
        uint32_t concepts, episodes;
        int single;
        const char *why;
    } others[] = {
        {200, 100, 0, "capacities"}, {100, 100, 1, "dim or kind"}, {100, 100, 0, "its nodes or their embeddings"}};
    for (size_t i = 0; i < 3; i++) {
        follow_case *other = follow_make(others[i].concepts, others[i].episodes, others[i].single, 47);
        follow_add(other, 0, 60);
        check_refused(other->store, DM_ERROR_ARGUMENT, others[i].why);
        follow_free(other);
    }
    follow_free(made);
}

static void test_damage(int32_t method) {
    follow_case *made = follow_make(60, 0, 0, 48);
    follow_add(made, 0, 50);
    dm_lookup *lookup = follow_lookup(made, method, DM_LOOKUP_CONCEPTS, 0.95);
    save(lookup);
    size_t size = 0;
    unsigned char *bytes = read_file(file, &size);
    for (size_t place = 0; place < size; place += 1 + place / 300) {
        dm_lookup *none = NULL;
        bytes[place] ^= (unsigned char)(1 << place % 8);
        write_file(file, bytes, size);
        int32_t status = dm_lookup_load(made->store, file, NULL, &none, error, sizeof(error));
        CHECK(none == NULL && (status == DM_ERROR_CORRUPT || status == DM_ERROR_UNSUPPORTED));
        bytes[place] ^= (unsigned char)(1 << place % 8);
    }
    for (size_t length = 0; length < size; length += 1 + length / 100) {
        write_file(file, bytes, length);
        check_refused(made->store, DM_ERROR_CORRUPT, "make the lookup anew");
    }
    unsigned char *longer = calloc(1, size + 64);
    REQUIRE(longer != NULL);
    memcpy(longer, bytes, size);
    write_file(file, longer, size + 64);
    check_refused(made->store, DM_ERROR_CORRUPT, "too long");
    longer[8]++; /* the version */
    write_file(file, longer, size);
    check_refused(made->store, DM_ERROR_UNSUPPORTED, "format version 2");
    write_file(file, bytes, size);
    dm_lookup_destroy(load(made->store));
    free(longer);
    free(bytes);
    dm_lookup_destroy(lookup);
    follow_free(made);
}

/* A file that cannot be written or read. */
static void test_no_file(void) {
    follow_case *made = follow_make(60, 0, 0, 49);
    dm_lookup *lookup = follow_lookup(made, DM_LOOKUP_EXACT, DM_LOOKUP_CONCEPTS, 1.0);
    CHECK_STATUS(dm_lookup_save(lookup, "/nowhere/at/all", error, sizeof(error)), DM_ERROR_IO, error);
    CHECK_STATUS(dm_lookup_save(lookup, folder, error, sizeof(error)), DM_ERROR_IO, error); /* a folder is there */
    dm_lookup *none = NULL;
    CHECK_STATUS(dm_lookup_load(made->store, "/nowhere/at/all", NULL, &none, error, sizeof(error)), DM_ERROR_IO, error);
    CHECK_STATUS(dm_lookup_load(made->store, folder, NULL, &none, error, sizeof(error)), DM_ERROR_IO, error);
    dm_lookup_destroy(lookup);
    follow_free(made);
}

int main(void) {
    (void)snprintf(folder, sizeof(folder), "/tmp/dm_lookup_XXXXXX");
    REQUIRE(mkdtemp(folder) != NULL);
    (void)snprintf(file, sizeof(file), "%s/lookup", folder);
    (void)snprintf(snapshot, sizeof(snapshot), "%s/store", folder);
    const int32_t methods[] = {DM_LOOKUP_EXACT, DM_LOOKUP_LISTS, DM_LOOKUP_GRAPH, DM_LOOKUP_AUTO};
    for (size_t i = 0; i < 4; i++) {
        for (int kind = 0; kind < 4; kind++) {
            test_round_trip(methods[i], kind & 1, kind >> 1);
        }
        test_damage(methods[i]);
        if (methods[i] != DM_LOOKUP_AUTO) {
            test_exchanged_rows(methods[i]);
        }
    }
    test_empty();
    test_other_stores();
    test_no_file();
    (void)unlink(file);
    (void)unlink(snapshot);
    CHECK(rmdir(folder) == 0); /* no temporary file is left */
    return test_report();
}
