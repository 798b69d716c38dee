/* test_graph_image.c: the graph as bytes and as a file: the same graph again by copying and in place, a file that never
 * changes, damage of every kind refused. The format is taken apart here without the library. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "index/graph.h"
#include "tests/graph_case.h"

/* Fields of the header, and its size. */
enum { VERSION = 8, CHECKSUM = 12, DIM = 16, CAPACITY = 20, EF = 24, SIMILARITY = 28, SEED = 32, ENTRY = 40 };
enum { LIVE = 48, SIZE = 56, HEADER = 64 };

static char path[64];

/* --- the format, without the library ------------------------------------------------------------------------------ */

/* CRC-32C bit by bit, so that a mistake in the library's would be seen. */
static uint32_t crc_of(const uint8_t *bytes, size_t size) {
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < size; i++) {
        crc ^= i >= CHECKSUM && i < CHECKSUM + 4 ? 0 : bytes[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (UINT32_C(0x82F63B78) & -(crc & 1));
        }
    }
    return ~crc;
}

static void put32(uint8_t *bytes, uint32_t value) {
    memcpy(bytes, &value, sizeof(value));
}

static void put64(uint8_t *bytes, uint64_t value) {
    memcpy(bytes, &value, sizeof(value));
}

/* Where the arrays lie. */
typedef struct places {
    size_t levels;
    size_t links; /* of row 0 */
    size_t step;
    size_t scales;
    size_t norms;
    size_t parents;
    size_t upper;
    size_t marks;
    size_t size;
} places;

static size_t lines(size_t size) {
    return (size + 63) / 64 * 64;
}

static places places_of(const graph_case *made, uint64_t seed) {
    const size_t rows = made->capacity;
    const size_t body = HEADER + lines(rows);
    places at = {.levels = HEADER, .links = body + lines(made->dim), .step = lines(made->dim) + 128};
    size_t upper = 0;
    for (uint32_t row = 0; row < made->capacity; row++) {
        upper += dm_graph_level_of(seed, row);
    }
    at.scales = body + rows * at.step;
    at.norms = at.scales + lines(4 * rows);
    at.parents = at.norms + (made->by == DM_SIMILARITY_INNER_PRODUCT ? lines(4 * rows) : 0);
    at.upper = at.parents + lines(4 * rows);
    at.marks = at.upper + 64 * upper;
    at.size = at.marks + lines(rows);
    return at;
}

/* --- loading, both ways ------------------------------------------------------------------------------------------- */

static void write_file(const uint8_t *bytes, size_t size) {
    const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    REQUIRE(file >= 0);
    REQUIRE(write(file, bytes, size) == (ssize_t)size);
    REQUIRE(close(file) == 0);
}

static int file_holds(const uint8_t *bytes, size_t size) {
    struct stat about;
    uint8_t *held = malloc(size);
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    REQUIRE(held != NULL && file >= 0 && fstat(file, &about) == 0);
    const int same =
        about.st_size == (off_t)size && read(file, held, size) == (ssize_t)size && memcmp(held, bytes, size) == 0;
    REQUIRE(close(file) == 0);
    free(held);
    return same;
}

/* From a buffer whose end is the end of its page, so that one byte too many faults. */
static int32_t load(graph_case *made, const uint8_t *image, size_t size, int in_place) {
    char error[300] = "";
    const dm_rows rows = graph_case_rows(made);
    int32_t status;
    if (in_place) {
        write_file(image, size);
        status = dm_graph_from_file(dm_graph_best(), &rows, path, &made->account, &made->graph, error, sizeof(error));
        CHECK(file_holds(image, size));
    } else {
        uint8_t *copy = test_guard_allocate(size, TEST_GUARD_AFTER);
        memcpy(copy, image, size);
        status = dm_graph_from_image(dm_graph_best(), &rows, copy, size, 64, &made->account, &made->graph, error,
                                     sizeof(error));
        test_guard_free(copy);
    }
    CHECK(status == DM_OK || (made->graph == NULL && error[0] != '\0' && dm_memory_bytes(&made->account) == 0));
    return status;
}

static void check_refused(graph_case *made, const uint8_t *image, size_t size) {
    for (int in_place = 0; in_place < 2; in_place++) {
        if (!CHECK_EQUAL(load(made, image, size, in_place), DM_ERROR_CORRUPT)) {
            dm_graph_destroy(made->graph, &made->account);
        }
    }
}

static void open_scratch(graph_case *made) {
    char error[200] = "";
    int32_t status = dm_graph_scratch_create(made->graph, &made->account, &made->scratch, error, sizeof(error));
    CHECK_STATUS(status, DM_OK, error);
    REQUIRE(made->scratch != NULL);
}

static graph_case make_case(uint32_t capacity, uint32_t dim, dm_similarity by, test_random *random) {
    graph_case made = graph_case_make(capacity, dim);
    made.by = by;
    graph_case_fill(&made, random, 8, 5);
    graph_case_vary(&made, random, 0.5);
    made.slots[capacity / 2] = DM_SLOT_NONE; /* one row that is not in the graph */
    graph_case_open(&made, dm_graph_best(), 3);
    graph_case_build(&made, NULL);
    return made;
}

/* --- cases -------------------------------------------------------------------------------------------------------- */

/* Loaded, it is the graph that was saved, answers the same, and can be changed like it; the file stays as it is. */
static void check_round_trip(dm_similarity by, int in_place) {
    test_random random = {51};
    graph_case made = make_case(400, 40, by, &random);
    const places at = places_of(&made, 3);
    float query[40];
    dm_neighbour before[10];
    dm_neighbour after[10];
    char error[200] = "";
    size_t size = 0;
    graph_case_draw(&random, 40, 8, 5, query);
    CHECK_EQUAL(dm_graph_search(made.graph, made.scratch, query, 10, 40, before), 10);
    CHECK_EQUAL(dm_graph_mapped(made.graph), 0);
    uint8_t *image = graph_case_image(&made, &size);
    CHECK_EQUAL(size, at.size);
    const uint64_t allocated = dm_memory_bytes(&made.account);
    graph_case_close(&made);
    CHECK_EQUAL(load(&made, image, size, in_place), DM_OK);
    open_scratch(&made);
    CHECK_EQUAL(dm_graph_mapped(made.graph), in_place ? size : 0);
    CHECK_EQUAL(dm_memory_bytes(&made.account) + (in_place ? size - HEADER - lines(400) : 0), allocated);
    graph_case_check(&made);
    CHECK_EQUAL(dm_graph_search(made.graph, made.scratch, query, 10, 40, after), 10);
    for (uint32_t i = 0; i < 10; i++) {
        CHECK(before[i].row == after[i].row && before[i].similarity == after[i].similarity);
    }
    size_t again_size = 0;
    uint8_t *again = graph_case_image(&made, &again_size);
    CHECK(again_size == size && memcmp(image, again, size) == 0);
    free(again);
    for (uint32_t row = 0; row < 400; row += 3) { /* rows go, half of them come back, and so does the one left out */
        if (made.slots[row] == DM_SLOT_NONE) {
            continue;
        }
        CHECK_STATUS(dm_graph_remove(made.graph, made.scratch, row, error, sizeof(error)), DM_OK, error);
        made.slots[row] = DM_SLOT_NONE;
        if (row % 2 == 0) {
            CHECK(dm_graph_is_free(made.graph, made.scratch, row));
            CHECK_STATUS(dm_graph_insert(made.graph, made.scratch, row, error, sizeof(error)), DM_OK, error);
            made.slots[row] = row;
        }
    }
    CHECK_STATUS(dm_graph_insert(made.graph, made.scratch, 200, error, sizeof(error)), DM_OK, error);
    made.slots[200] = 200;
    graph_case_check(&made);
    CHECK(graph_case_recall(&made, &random, 8, 5, 20, 64) >= 0.95);
    CHECK(!in_place || file_holds(image, size));
    graph_case_close(&made);
    free(image);
    graph_case_free(&made);
}

/* An image taken while a search sleeps that may still know a removed row: in the image the row is free. */
static void test_beside_search(void) {
    test_random random = {56};
    graph_case made = make_case(100, 24, DM_SIMILARITY_COSINE, &random);
    dm_graph_scratch *other = NULL;
    char error[200] = "";
    size_t size = 0;
    int32_t status = dm_graph_scratch_create(made.graph, &made.account, &other, error, sizeof(error));
    CHECK_STATUS(status, DM_OK, error);
    REQUIRE(other != NULL);
    atomic_store(&other->passage, atomic_load(&made.graph->epoch));
    CHECK_STATUS(dm_graph_remove(made.graph, made.scratch, 7, error, sizeof(error)), DM_OK, error);
    CHECK_EQUAL(dm_graph_is_free(made.graph, made.scratch, 7), 0);
    made.slots[7] = DM_SLOT_NONE;
    uint8_t *image = graph_case_image(&made, &size);
    dm_graph_scratch_destroy(other, &made.account);
    graph_case_close(&made);
    REQUIRE(load(&made, image, size, 1) == DM_OK);
    open_scratch(&made);
    CHECK(dm_graph_is_free(made.graph, made.scratch, 7));
    graph_case_check(&made);
    graph_case_close(&made);
    free(image);
    graph_case_free(&made);
}

/* An image of before there were levels in it: those of the rows' numbers. */
static void test_without_levels(void) {
    test_random random = {57};
    graph_case made = make_case(100, 24, DM_SIMILARITY_INNER_PRODUCT, &random);
    size_t size = 0;
    uint8_t *image = graph_case_image(&made, &size);
    graph_case_close(&made);
    const size_t old = size - lines(100);
    uint8_t *before = malloc(old);
    REQUIRE(before != NULL);
    memcpy(before, image, HEADER);
    memcpy(before + HEADER, image + HEADER + lines(100), old - HEADER);
    put32(before + VERSION, 2);
    put64(before + SIZE, old);
    put32(before + CHECKSUM, crc_of(before, old));
    for (int in_place = 0; in_place < 2; in_place++) {
        size_t again_size = 0;
        REQUIRE(CHECK_EQUAL(load(&made, before, old, in_place), DM_OK));
        open_scratch(&made);
        graph_case_check(&made);
        uint8_t *again = graph_case_image(&made, &again_size);
        CHECK(again_size == size && memcmp(again, image, size) == 0);
        free(again);
        graph_case_close(&made);
    }
    put64(before + SEED, 4); /* other levels */
    put32(before + CHECKSUM, crc_of(before, old));
    check_refused(&made, before, old);
    free(before);
    free(image);
    graph_case_free(&made);
}

/* Moves row r of the case to 7 r + 3 modulo its capacity, which 7 does not divide; fills the map. */
static graph_case move_rows(const graph_case *made, uint32_t *map) {
    graph_case moved = graph_case_make(made->capacity, made->dim);
    moved.by = made->by;
    for (uint32_t row = 0; row < made->capacity; row++) {
        const uint32_t to = (7 * row + 3) % made->capacity;
        map[row] = made->slots[row] == DM_SLOT_NONE ? UINT32_MAX : to; /* of no row it is not looked at */
        memcpy(graph_case_row(&moved, to), graph_case_row(made, row), made->dim * sizeof(float));
        moved.inverse_norms[to] = made->inverse_norms[row];
        moved.slots[to] = made->slots[row] == DM_SLOT_NONE ? DM_SLOT_NONE : to;
    }
    return moved;
}

/* The same graph under other numbers: the same answers, levels that went along, and it can be saved, changed. */
static void test_renumber(dm_similarity by) {
    test_random random = {58};
    graph_case made = make_case(300, 24, by, &random);
    uint32_t map[300];
    uint8_t levels[300];
    char error[300] = "";
    graph_case moved = move_rows(&made, map);
    dm_neighbour before[20][10];
    float queries[20][24];
    size_t size = 0;
    for (uint32_t i = 0; i < 20; i++) {
        graph_case_draw(&random, 24, 8, 5, queries[i]);
        CHECK_EQUAL(dm_graph_search(made.graph, made.scratch, queries[i], 10, 20, before[i]), 10);
    }
    memcpy(levels, made.graph->levels, sizeof(levels));
    uint8_t *image = graph_case_image(&made, &size);
    graph_case_close(&made);
    REQUIRE(CHECK_EQUAL(load(&made, image, size, 0), DM_OK));
    const dm_rows rows = graph_case_rows(&moved);
    const uint32_t kept = map[5];
    for (uint32_t lie = 0; lie < 2; lie++) { /* twice the same number; none that there is */
        map[5] = lie == 0 ? map[6] : 300;
        CHECK_EQUAL(dm_graph_renumber(&made.graph, dm_graph_best(), &rows, map, &made.account, error, sizeof(error)),
                    DM_ERROR_CORRUPT);
    }
    map[5] = kept;
    int32_t status = dm_graph_renumber(&made.graph, dm_graph_best(), &rows, map, &made.account, error, sizeof(error));
    REQUIRE(CHECK_STATUS(status, DM_OK, error));
    moved.graph = made.graph;
    moved.account = made.account;
    open_scratch(&moved);
    graph_case_check(&moved);
    for (uint32_t row = 0; row < 300; row++) {
        CHECK(map[row] == UINT32_MAX || moved.graph->levels[map[row]] == levels[row]);
    }
    for (uint32_t i = 0; i < 20; i++) {
        dm_neighbour after[10];
        CHECK_EQUAL(dm_graph_search(moved.graph, moved.scratch, queries[i], 10, 20, after), 10);
        for (uint32_t j = 0; j < 10; j++) {
            CHECK(after[j].row == map[before[i][j].row] && after[j].similarity == before[i][j].similarity);
        }
    }
    free(image);
    image = graph_case_image(&moved, &size);
    graph_case_close(&moved);
    REQUIRE(CHECK_EQUAL(load(&moved, image, size, 1), DM_OK)); /* its levels are not those of its rows' numbers */
    open_scratch(&moved);
    for (uint32_t row = 0; row < 300; row++) {
        if (moved.slots[row] == DM_SLOT_NONE) {
            CHECK_STATUS(dm_graph_insert(moved.graph, moved.scratch, row, error, sizeof(error)), DM_OK, error);
            moved.slots[row] = row;
        }
    }
    graph_case_check(&moved);
    CHECK(graph_case_recall(&moved, &random, 8, 5, 20, 64) >= 0.95);
    graph_case_close(&moved);
    free(image);
    graph_case_free(&moved);
    graph_case_free(&made);
}

/* The file may go while the graph lives. */
static void test_file_removed(void) {
    test_random random = {52};
    graph_case made = make_case(200, 24, DM_SIMILARITY_COSINE, &random);
    size_t size = 0;
    uint8_t *image = graph_case_image(&made, &size);
    graph_case_close(&made);
    CHECK_EQUAL(load(&made, image, size, 1), DM_OK);
    CHECK(unlink(path) == 0);
    open_scratch(&made);
    graph_case_check(&made);
    graph_case_close(&made);
    free(image);
    graph_case_free(&made);
}

/* Every byte of the header and some of every array, every bit in turn; every length near an array's end. */
static void check_damage(dm_similarity by) {
    test_random random = {53};
    graph_case made = make_case(90, 20, by, &random);
    const places at = places_of(&made, 3);
    size_t size = 0;
    uint8_t *image = graph_case_image(&made, &size);
    graph_case_close(&made);
    for (size_t i = 0; i < size; i += i < HEADER ? 1 : 37) {
        const uint8_t bit = (uint8_t)(1 << (i % 8));
        image[i] ^= bit;
        CHECK_EQUAL(load(&made, image, size, i % 2 == 0), DM_ERROR_CORRUPT);
        image[i] ^= bit;
    }
    const size_t body = at.links - lines(20);
    const size_t ends[] = {0, HEADER, body, at.scales, at.norms, at.parents, at.upper, at.marks, at.size};
    for (size_t e = 0; e < sizeof(ends) / sizeof(ends[0]); e++) {
        for (size_t cut = ends[e] > 2 ? ends[e] - 2 : 0; cut < ends[e] + 2 && cut < size; cut++) {
            check_refused(&made, image, cut);
        }
    }
    uint8_t *longer = calloc(size + 64, 1);
    REQUIRE(longer != NULL);
    memcpy(longer, image, size);
    check_refused(&made, longer, size + 64);
    free(longer);
    CHECK_EQUAL(load(&made, image, size, 0), DM_OK); /* it is the damage that was refused */
    dm_graph_destroy(made.graph, &made.account);
    free(image);
    graph_case_free(&made);
}

/* One number is another, and the checksum is right. */
static void check_lie32(graph_case *made, uint8_t *image, size_t size, size_t place, uint32_t value) {
    uint8_t kept[4];
    memcpy(kept, image + place, 4);
    put32(image + place, value);
    put32(image + CHECKSUM, crc_of(image, size));
    check_refused(made, image, size);
    memcpy(image + place, kept, 4);
    put32(image + CHECKSUM, crc_of(image, size));
}

static void check_lie64(graph_case *made, uint8_t *image, size_t size, size_t place, uint64_t value) {
    uint8_t kept[8];
    memcpy(kept, image + place, 8);
    put64(image + place, value);
    put32(image + CHECKSUM, crc_of(image, size));
    check_refused(made, image, size);
    memcpy(image + place, kept, 8);
    put32(image + CHECKSUM, crc_of(image, size));
}

static uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

/* Where the link of level 0 from one row to another lies. */
static size_t link_place(const graph_case *made, places at, uint32_t from, uint32_t to) {
    uint32_t rows[DM_GRAPH_M0];
    const uint32_t count = dm_graph_list(made->graph, from, 0, rows);
    uint32_t i = 0;
    while (i < count && rows[i] != to) {
        i++;
    }
    REQUIRE(i < count);
    return at.links + from * at.step + 4 * i;
}

/* A row of the graph that `from` has no link to. */
static uint32_t stranger_of(const graph_case *made, uint32_t from) {
    uint32_t row = 0;
    while (row == from || made->slots[row] == DM_SLOT_NONE || graph_case_has_link(made, from, row)) {
        row++;
    }
    REQUIRE(row < made->capacity);
    return row;
}

/* A row whose parent has a parent. */
static uint32_t grandchild_of(const graph_case *made) {
    uint32_t row = 0;
    while (row < made->capacity && (dm_graph_parent(made->graph, row) == DM_LINK_NONE ||
                                    dm_graph_parent(made->graph, dm_graph_parent(made->graph, row)) == DM_LINK_NONE)) {
        row++;
    }
    REQUIRE(row < made->capacity);
    return row;
}

static void check_lies(dm_similarity by) {
    test_random random = {54};
    graph_case made = make_case(90, 20, by, &random);
    const places at = places_of(&made, 3);
    const uint32_t child = dm_graph_parent(made.graph, 1) == DM_LINK_NONE ? 2 : 1; /* a row that has a parent */
    const uint32_t parent = dm_graph_parent(made.graph, child);
    const size_t up = link_place(&made, at, child, parent);
    const size_t down = link_place(&made, at, parent, child);
    const uint32_t low = grandchild_of(&made);
    const uint32_t middle = dm_graph_parent(made.graph, low);
    const uint32_t strangers[] = {stranger_of(&made, child), stranger_of(&made, parent)};
    size_t size = 0;
    uint8_t *image = graph_case_image(&made, &size);
    graph_case_close(&made);
    CHECK_EQUAL(crc_of(image, size), *(const uint32_t *)(const void *)(image + CHECKSUM));

    check_lie32(&made, image, size, VERSION, 1);
    check_lie32(&made, image, size, VERSION, 2); /* which has no levels there */
    check_lie32(&made, image, size, VERSION, 4);
    check_lie32(&made, image, size, DIM, 21);
    check_lie32(&made, image, size, CAPACITY, 0);
    check_lie32(&made, image, size, CAPACITY, 91);
    check_lie32(&made, image, size, CAPACITY, UINT32_MAX);
    check_lie32(&made, image, size, EF, 15);
    check_lie32(&made, image, size, SIMILARITY, 1 - (uint32_t)by);
    check_lie32(&made, image, size, SIMILARITY, 2);
    check_lie32(&made, image, size, at.levels, 16);
    check_lie32(&made, image, size, at.levels, 0x01010101); /* other levels than there are links for */
    check_lie64(&made, image, size, ENTRY, UINT64_MAX);
    check_lie64(&made, image, size, ENTRY, 90);
    check_lie64(&made, image, size, ENTRY, 45); /* the row that is not in the graph */
    check_lie64(&made, image, size, ENTRY, UINT64_C(15) << 32);
    check_lie64(&made, image, size, LIVE, 88);
    check_lie64(&made, image, size, LIVE, UINT64_MAX);
    check_lie64(&made, image, size, SIZE, size + 1);

    const uint32_t bad_links[] = {0, 45, 90, UINT32_MAX - 1, UINT32_MAX};
    for (size_t i = 0; i < 5; i++) { /* of row 0: to itself, to none, beyond, and an end before the end */
        check_lie32(&made, image, size, at.links, bad_links[i]);
    }
    check_lie32(&made, image, size, at.links + 45 * at.step, 1); /* a row that is not there has links */
    check_lie32(&made, image, size, at.upper, 90);
    check_lie32(&made, image, size, at.parents + 4 * child, 90);
    check_lie32(&made, image, size, at.parents + 4 * child, 45);
    check_lie32(&made, image, size, at.parents + 4 * child, child);
    check_lie32(&made, image, size, at.parents + 4 * child, DM_LINK_NONE); /* two roots */
    check_lie32(&made, image, size, at.parents + 4 * middle, low); /* each the other's parent, with links both ways */
    check_lie32(&made, image, size, up, strangers[0]);
    check_lie32(&made, image, size, down, strangers[1]);
    check_lie32(&made, image, size, at.scales, bits_of(NAN));
    check_lie32(&made, image, size, at.scales, bits_of(INFINITY));
    check_lie32(&made, image, size, at.scales, bits_of(-0.5f));
    if (by == DM_SIMILARITY_INNER_PRODUCT) {
        check_lie32(&made, image, size, at.norms, bits_of(NAN));
        check_lie32(&made, image, size, at.norms, bits_of(INFINITY));
        check_lie32(&made, image, size, at.norms, bits_of(0.0f));
        check_lie32(&made, image, size, at.norms, bits_of(-1.0f));
    }
    check_lie32(&made, image, size, at.marks, 0x01010102);
    check_lie32(&made, image, size, at.marks, 0x01010100); /* a link to a row that is not there */
    CHECK_EQUAL(load(&made, image, size, 1), DM_OK);
    dm_graph_destroy(made.graph, &made.account);
    free(image);
    graph_case_free(&made);
}

/* Numbers that lie, hundreds of times, wherever: what is not refused can be searched and changed without leaving its
 * arrays (the sanitizers and the guard pages watch). */
static void test_chance(void) {
    test_random random = {55};
    graph_case made = make_case(90, 20, DM_SIMILARITY_INNER_PRODUCT, &random);
    const places at = places_of(&made, 3);
    float query[20];
    char error[200] = "";
    size_t size = 0;
    uint32_t loaded = 0;
    graph_case_draw(&random, 20, 8, 5, query);
    uint8_t *image = graph_case_image(&made, &size);
    graph_case_close(&made);
    uint8_t *changed = malloc(size);
    REQUIRE(changed != NULL);
    for (uint32_t trial = 0; trial < 400; trial++) {
        const size_t begins[] = {at.levels, at.links, at.scales, at.norms, at.parents, at.upper};
        const size_t begin = begins[trial % 6];
        memcpy(changed, image, size);
        for (uint32_t lie = 0; lie < 1 + trial % 3; lie++) {
            size_t place = begin + 4 * test_random_below(&random, trial % 6 == 1 ? 32 : 60);
            put32(changed + place, (uint32_t)test_random_below(&random, 100));
        }
        put32(changed + CHECKSUM, crc_of(changed, size));
        if (load(&made, changed, size, trial % 2 == 0) != DM_OK) {
            continue;
        }
        loaded++;
        open_scratch(&made);
        dm_neighbour found[10];
        const uint32_t count = dm_graph_search(made.graph, made.scratch, query, 10, 40, found);
        for (uint32_t i = 0; i < count; i++) {
            CHECK(found[i].row < 90 && made.slots[found[i].row] != DM_SLOT_NONE);
        }
        for (uint32_t row = 0; row < 90; row++) {
            if (made.slots[row] != DM_SLOT_NONE) {
                CHECK_STATUS(dm_graph_remove(made.graph, made.scratch, row, error, sizeof(error)), DM_OK, error);
            }
        }
        graph_case_close(&made);
    }
    printf("%u of 400 changed images were loaded\n", loaded);
    CHECK(loaded >= 20);
    free(changed);
    free(image);
    graph_case_free(&made);
}

static void test_no_file(void) {
    char error[300] = "";
    graph_case made = graph_case_make(3, 4);
    const dm_rows rows = graph_case_rows(&made);
    dm_graph *graph = NULL;
    const char *paths[] = {"/nowhere/at/all", "/", "/dev/null"};
    for (size_t i = 0; i < 3; i++) {
        int32_t status =
            dm_graph_from_file(dm_graph_best(), &rows, paths[i], &made.account, &graph, error, sizeof(error));
        CHECK_STATUS(status, DM_ERROR_IO, error);
        CHECK(graph == NULL && dm_memory_bytes(&made.account) == 0);
    }
    graph_case_free(&made);
}

int main(void) {
    snprintf(path, sizeof(path), "/tmp/dualmem-graph-%ld", (long)getpid());
    for (int by = DM_SIMILARITY_COSINE; by <= DM_SIMILARITY_INNER_PRODUCT; by++) {
        for (int in_place = 0; in_place < 2; in_place++) {
            check_round_trip((dm_similarity)by, in_place);
        }
        check_damage((dm_similarity)by);
        check_lies((dm_similarity)by);
    }
    test_beside_search();
    test_file_removed();
    test_without_levels();
    test_renumber(DM_SIMILARITY_COSINE);
    test_renumber(DM_SIMILARITY_INNER_PRODUCT);
    test_chance();
    test_no_file();
    (void)unlink(path);
    return test_report();
}
