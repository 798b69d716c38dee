/* test_snapshot.c: what was saved comes back to the bit, the bytes follow from the content alone, and a save that fails leaves the old
 * file. Associations are in test_snapshot_associations.c, damaged files in test_snapshot_damage.c, threads in test_snapshot_threads.c. */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "tests/snapshot_case.h"

static char folder[64];
static char error[512];

static void save(dm_store *store, const char *path) {
    REQUIRE(CHECK_STATUS(dm_store_save(store, path, error, sizeof(error)), DM_OK, error));
}

static dm_store *load(const char *path, const dm_load_options *options) {
    dm_store *store = NULL;
    REQUIRE(CHECK_STATUS(dm_store_load(path, options, &store, error, sizeof(error)), DM_OK, error));
    return store;
}

static void check_same_bytes(const char *left, const char *right) {
    file_bytes files[2] = {read_file(left), read_file(right)};
    CHECK_EQUAL(files[0].size, files[1].size);
    CHECK(files[0].size == files[1].size && memcmp(files[0].bytes, files[1].bytes, files[0].size) == 0);
    free(files[0].bytes);
    free(files[1].bytes);
}

static uint32_t files_in_folder(void) {
    DIR *listing = opendir(folder);
    REQUIRE(listing != NULL);
    uint32_t count = 0;
    for (const struct dirent *entry = readdir(listing); entry != NULL; entry = readdir(listing)) {
        count += entry->d_name[0] != '.';
    }
    closedir(listing);
    return count;
}

/* --- there and back -------------------------------------------------------------------------------------------------- */

typedef struct shape {
    uint32_t dim;
    uint32_t concepts;
    uint32_t episodes;
    int single;
    int steps;
} shape;

static void comes_back(const shape *of, dm_load_options options, uint64_t seed) {
    test_random random = {seed};
    options.size = sizeof(options);
    uint32_t concepts = of->single ? 0 : of->concepts;
    uint32_t episodes = of->episodes + (of->single ? of->concepts : 0);
    dm_store *store = case_store(of->dim, of->concepts, of->episodes, of->single);
    case_live(store, &random, of->dim, concepts, episodes, of->single, of->steps);
    save(store, path_in(folder, "first"));
    dm_store *loaded = load(path_in(folder, "first"), &options);
    check_same(store, loaded, of->dim, concepts, episodes, of->single);
    save(loaded, path_in(folder, "second"));
    check_same_bytes(path_in(folder, "first"), path_in(folder, "second"));
    /* Life goes on: lists of free things work, and nothing reaches the file. */
    case_live(loaded, &random, of->dim, concepts, episodes, of->single, of->steps);
    if (!of->single) {
        check_symmetry(loaded, concepts, episodes);
    }
    check_same_bytes(path_in(folder, "first"), path_in(folder, "second"));
    save(loaded, path_in(folder, "second"));
    dm_store *again = load(path_in(folder, "second"), NULL);
    check_same(loaded, again, of->dim, concepts, episodes, of->single);
    uint32_t room = concepts + episodes - dm_store_population(again).nodes;
    for (int i = 0; i < 20 * (int)(room + 1) && dm_store_population(again).nodes < concepts + episodes; i++) {
        case_add(again, &random, of->dim, of->single, !of->single && i % 2 == 0);
    }
    CHECK_EQUAL(dm_store_population(again).nodes, concepts + episodes);
    dm_store_destroy(again);
    dm_store_destroy(loaded);
    dm_store_destroy(store);
}

static void everything_comes_back(void) {
    static const shape shapes[] = {
        {1, 1, 1, 0, 0},       {1, 1, 1, 0, 20},      {3, 40, 60, 0, 3000}, {16, 100, 100, 0, 20000}, {17, 7, 200, 0, 5000},
        {768, 30, 50, 0, 500}, {4096, 3, 3, 0, 60},   {5, 0, 30, 0, 200},   {5, 30, 0, 0, 200},       {7, 20, 30, 1, 2000},
        {33, 0, 9, 1, 100},    {768, 800, 900, 0, 6000}, /* rows of more than 2 MiB: these can be mapped */
        {768, 900, 900, 1, 6000},
    };
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        comes_back(&shapes[i], (dm_load_options){0}, i);
        comes_back(&shapes[i], (dm_load_options){.map_embeddings = 1}, 100 + i);
        comes_back(&shapes[i], (dm_load_options){.placement = 64 * (7 + i), .map_embeddings = (int32_t)(i % 2)}, 200 + i);
    }
}

/* Free places and blocks are found again: what was removed before the save can be bound anew after the load without another block. */
static void free_places_are_used_again(void) {
    enum { CONCEPTS = 4, EPISODES = 40 };
    dm_store *store = case_store(1, CONCEPTS, EPISODES, 0);
    float values[1] = {1};
    uint32_t slot;
    for (uint32_t i = 0; i < EPISODES + CONCEPTS; i++) {
        int32_t status = i < EPISODES ? dm_store_add_episode(store, case_id(i), values, &slot, error, sizeof(error))
                                      : dm_store_add_concept(store, case_id(i), values, &slot, error, sizeof(error));
        REQUIRE(status == DM_OK);
    }
    for (uint32_t i = 0; i < EPISODES * CONCEPTS; i++) { /* the concepts' blocks alternate, in five rounds */
        REQUIRE(dm_store_bind(store, i / CONCEPTS, dm_concept_slot(i % CONCEPTS), 0.5f, NULL, error, sizeof(error)) == DM_OK);
    }
    REQUIRE(dm_store_remove(store, dm_concept_slot(1), error, sizeof(error)) == DM_OK); /* leaves free blocks between others */
    for (uint32_t e = 0; e < EPISODES - 1; e += 1 + e % 2) {                           /* and this, free places in blocks */
        CHECK(dm_store_unbind(store, e, dm_concept_slot(2)));
    }
    save(store, path_in(folder, "first"));
    dm_store *loaded = load(path_in(folder, "first"), NULL);
    uint64_t bytes = dm_store_memory(loaded).total;
    REQUIRE(dm_store_add_concept(loaded, case_id(1000), values, &slot, error, sizeof(error)) == DM_OK);
    CHECK_EQUAL(slot, dm_concept_slot(1));
    for (uint32_t e = 0; e < EPISODES; e++) {
        CHECK(dm_store_bind(loaded, e, dm_concept_slot(1), 0.5f, NULL, error, sizeof(error)) == DM_OK);
        CHECK(dm_store_bind(loaded, e, dm_concept_slot(2), 0.5f, NULL, error, sizeof(error)) == DM_OK);
    }
    CHECK_EQUAL(dm_store_memory(loaded).total, bytes);
    check_symmetry(loaded, CONCEPTS, EPISODES);
    dm_store_destroy(loaded);
    dm_store_destroy(store);
}

/* --- the same content, the same bytes ---------------------------------------------------------------------------------- */

/* Twelve episodes and three concepts. The longer way round: rows lie in another order, lists were filled in another order, and nodes and
 * blocks came and went behind what is there. */
static dm_store *same_content(int longer_way) {
    enum { EPISODES = 12, CONCEPTS = 3, DIM = 5 };
    dm_store *store = case_store(DIM, 10, 20, 0);
    float values[DIM];
    uint32_t slot;
    for (uint32_t i = 0; i < EPISODES + CONCEPTS; i++) {
        test_random random = {i};
        test_random_fill(&random, values, DIM);
        int32_t status = i < EPISODES ? dm_store_add_episode(store, case_id(i), values, &slot, error, sizeof(error))
                                      : dm_store_add_concept(store, case_id(i), values, &slot, error, sizeof(error));
        REQUIRE(status == DM_OK);
    }
    for (uint32_t i = 0; longer_way && i < 5; i++) {
        REQUIRE(dm_store_add_concept(store, case_id(100 + i), values, &slot, error, sizeof(error)) == DM_OK);
        REQUIRE(dm_store_add_episode(store, case_id(200 + i), values, &slot, error, sizeof(error)) == DM_OK);
    }
    for (uint32_t i = 0; longer_way && i < EPISODES; i++) {
        test_random random = {i};
        test_random_fill(&random, values, DIM);
        REQUIRE(dm_store_update_embedding(store, i, values, error, sizeof(error)) == DM_OK);
    }
    for (uint32_t n = 0; n < CONCEPTS; n++) {
        uint32_t c = longer_way ? CONCEPTS - 1 - n : n;
        for (uint32_t e = 0; e < EPISODES - 4 * c; e++) { /* concept 0 has a block beyond its own, the others do not */
            float strength = (float)(e + 1) / 16.0f;
            REQUIRE(dm_store_bind(store, e, dm_concept_slot(c), longer_way ? 1.0f : strength, NULL, error, sizeof(error)) == DM_OK);
            REQUIRE(dm_store_bind(store, e, dm_concept_slot(c), strength, NULL, error, sizeof(error)) == DM_OK);
        }
    }
    for (uint32_t i = 5; longer_way && i-- > 0;) {
        REQUIRE(dm_store_remove(store, dm_store_find(store, case_id(100 + i)), error, sizeof(error)) == DM_OK);
        REQUIRE(dm_store_remove(store, dm_store_find(store, case_id(200 + i)), error, sizeof(error)) == DM_OK);
    }
    return store;
}

static void bytes_follow_from_the_content(void) {
    dm_store *direct = same_content(0);
    dm_store *roundabout = same_content(1);
    CHECK(dm_store_episode_rows(direct).slots[0] == 0 && dm_store_episode_rows(roundabout).slots[0] != 0); /* the rows do differ */
    check_same(direct, roundabout, 5, 10, 20, 0);
    save(direct, path_in(folder, "first"));
    save(roundabout, path_in(folder, "second"));
    check_same_bytes(path_in(folder, "first"), path_in(folder, "second"));
    dm_store_set_strength(roundabout, 3, 0.5f);
    save(roundabout, path_in(folder, "second"));
    file_bytes files[2] = {read_file(path_in(folder, "first")), read_file(path_in(folder, "second"))};
    CHECK(files[0].size == files[1].size && memcmp(files[0].bytes, files[1].bytes, files[0].size) != 0);
    free(files[0].bytes);
    free(files[1].bytes);
    dm_store_destroy(direct);
    dm_store_destroy(roundabout);
}

/* Offsets as docs/reference/snapshot.md gives them, read without the library's structs. */
static void the_format_is_the_documented_one(void) {
    dm_store *store = same_content(0);
    save(store, path_in(folder, "first"));
    file_bytes file = read_file(path_in(folder, "first"));
    uint32_t words[14];
    uint64_t section[3];
    CHECK(memcmp(file.bytes, "\x89" "DMS\r\n\x1A\n", 8) == 0);
    memcpy(words, file.bytes, 48);
    CHECK(words[2] == 2 && words[3] == 0x01020304 && words[4] == file.size && words[5] == 0);
    CHECK(words[6] == 5 && words[7] == 0 && words[8] == 10 && words[9] == 20 && words[10] == 6 && words[11] == 256);
    memcpy(section, file.bytes + 48 + 8, sizeof(section)); /* episodes */
    CHECK(section[0] == 256 && section[1] == 12 * 48 && section[2] == 12);
    memcpy(section, file.bytes + 48 + 4 * 32 + 8, sizeof(section)); /* associations */
    CHECK(section[1] == 0 && section[2] == 0);
    memcpy(section, file.bytes + 48 + 5 * 32 + 8, sizeof(section)); /* bindings */
    CHECK(section[0] + section[1] == file.size && section[1] == (12 + 8 + 4) * 16 && section[2] == 12 + 8 + 4);
    memcpy(words, file.bytes + section[0] + 8 * 16, 16); /* the ninth of concept 0: the first block behind those of ten concepts */
    CHECK(words[0] == 80 && words[1] == 0 && words[2] == 8 && words[3] == 0x3F100000);
    float value;
    uint64_t rows;
    memcpy(&rows, file.bytes + 48 + 2 * 32 + 8, sizeof(rows));
    memcpy(&value, file.bytes + rows + 3 * 64 + 4 * 4, sizeof(value));
    dm_embedding embedding = dm_store_acquire_embedding(store, 3);
    CHECK(same_bits(value, embedding.values[4]));
    dm_store_release_embedding(store, embedding);
    free(file.bytes);
    dm_store_destroy(store);
}

/* --- what does not work changes nothing ---------------------------------------------------------------------------------- */

static void a_failed_save_leaves_the_old_file(void) {
    dm_store *store = same_content(0);
    char *path = strdup(path_in(folder, "first"));
    char *copy = strdup(path_in(folder, "second"));
    save(store, path);
    save(store, copy);
    uint32_t before = files_in_folder();
    dm_store_set_strength(store, 1, 0.125f);
    uint64_t bytes = dm_store_memory(store).total;
    struct rlimit limit;
    REQUIRE(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    struct rlimit small = {1000, limit.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
    CHECK_STATUS(dm_store_save(store, path, error, sizeof(error)), DM_ERROR_IO, error);
    REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    CHECK(strstr(error, "too large") != NULL);
    check_same_bytes(path, copy);
    CHECK_EQUAL(files_in_folder(), before);
    CHECK_STATUS(dm_store_save(store, path_in(folder, "missing/file"), error, sizeof(error)), DM_ERROR_IO, error);
    REQUIRE(mkdir(path_in(folder, "taken"), 0777) == 0);
    CHECK_STATUS(dm_store_save(store, path_in(folder, "taken"), error, sizeof(error)), DM_ERROR_IO, error);
    CHECK_EQUAL(files_in_folder(), before + 1);
    REQUIRE(rmdir(path_in(folder, "taken")) == 0);
    char longest[PATH_MAX + 10];
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    CHECK_STATUS(dm_store_save(store, longest, error, sizeof(error)), DM_ERROR_IO, error);
    CHECK_STATUS(dm_store_save(store, "", NULL, 0), DM_ERROR_IO, "no buffer, no sentence");
    CHECK_EQUAL(dm_store_memory(store).total, bytes);
    save(store, path); /* and afterwards all is well */
    dm_store *loaded = load(path, NULL);
    check_same(store, loaded, 5, 10, 20, 0);
    dm_store_destroy(loaded);
    dm_store_destroy(store);
    free(path);
    free(copy);
}

static void refuse(const char *path, const dm_load_options *options, int32_t expected, const char *word) {
    dm_store *store = (dm_store *)&store;
    CHECK_STATUS(dm_store_load(path, options, &store, error, sizeof(error)), expected, error);
    CHECK(store == NULL);
    if (!CHECK(strstr(error, word) != NULL)) {
        fprintf(stderr, "\"%s\" lacks \"%s\"\n", error, word);
    }
}

static void what_cannot_be_loaded_is_refused(void) {
    dm_store *store = same_content(0);
    char *path = strdup(path_in(folder, "first"));
    save(store, path);
    refuse(path_in(folder, "missing"), NULL, DM_ERROR_IO, "No such file");
    refuse(folder, NULL, DM_ERROR_IO, "not a regular file");
    REQUIRE(mkfifo(path_in(folder, "pipe"), 0666) == 0);
    refuse(path_in(folder, "pipe"), NULL, DM_ERROR_IO, "not a regular file");
    unlink(path_in(folder, "pipe"));
    write_file(path_in(folder, "second"), "", 0);
    refuse(path_in(folder, "second"), NULL, DM_ERROR_CORRUPT, "0 bytes");
    char text[600];
    memset(text, 'a', sizeof(text));
    write_file(path_in(folder, "second"), text, sizeof(text));
    refuse(path_in(folder, "second"), NULL, DM_ERROR_CORRUPT, "not a snapshot");
    dm_load_options options = {.size = 8};
    refuse(path, &options, DM_ERROR_ARGUMENT, "set .size");
    options = (dm_load_options){.size = sizeof(options), .map_embeddings = 2};
    refuse(path, &options, DM_ERROR_ARGUMENT, "map_embeddings");
    options = (dm_load_options){.size = sizeof(options), .placement = 5};
    refuse(path, &options, DM_ERROR_ARGUMENT, "placement");
    options = (dm_load_options){.size = sizeof(options), .numa = 3};
    refuse(path, &options, DM_ERROR_ARGUMENT, "numa");
    options = (dm_load_options){.size = sizeof(options), .memory_limit = 1};
    refuse(path, &options, DM_ERROR_MEMORY, "memory_limit");
    dm_store_destroy(store);
    free(path);
}

/* The claim that is held against the limit is what the store then takes. */
static void the_limit_is_that_of_the_store(void) {
    static const shape shapes[] = {{768, 3000, 5000, 0, 300}, {16, 9000, 200, 0, 3000}, {1, 0, 50000, 0, 10}, {64, 4000, 4000, 1, 10}};
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        const shape *of = &shapes[i];
        test_random random = {i};
        dm_store *store = case_store(of->dim, of->concepts, of->episodes, of->single);
        case_live(store, &random, of->dim, of->single ? 0 : of->concepts, of->episodes, of->single, of->steps);
        save(store, path_in(folder, "first"));
        uint64_t total = dm_store_memory(store).total;
        dm_load_options options = {.size = sizeof(options), .memory_limit = total};
        dm_store *loaded = load(path_in(folder, "first"), &options);
        CHECK_NEAR(dm_store_memory(loaded).total, total, 0.02);
        options.memory_limit = total / 100 * 97;
        refuse(path_in(folder, "first"), &options, DM_ERROR_MEMORY, "memory_limit");
        dm_store_destroy(loaded);
        dm_store_destroy(store);
    }
}

int main(void) {
    make_folder(folder);
    everything_comes_back();
    free_places_are_used_again();
    bytes_follow_from_the_content();
    the_format_is_the_documented_one();
    a_failed_save_leaves_the_old_file();
    what_cannot_be_loaded_is_refused();
    the_limit_is_that_of_the_store();
    CHECK_EQUAL(files_in_folder(), 2); /* first and second: no temporary file was left */
    unlink(path_in(folder, "first"));
    unlink(path_in(folder, "second"));
    CHECK(rmdir(folder) == 0);
    return test_report();
}
