/* test_snapshot_damage.c: every flipped byte and every truncation of a small snapshot is refused; files with valid checksums and hostile
 * contents are refused, or are what saving the loaded store writes; neither leaves anything behind. */
#include <dirent.h>
#include <fcntl.h>

#include "tests/snapshot_case.h"

static char folder[64];
static char error[512];

/* --- the file, taken apart without the library --------------------------------------------------------------------------- */

enum { HEADER = 256, TABLE = 48, ENTRY = 32, PARTS = 6, CRC_OF_HEADER = 252 };

/* CRC-32C bit by bit, so that a mistake in the library's would be seen. */
static uint32_t crc_of(const unsigned char *bytes, size_t size) {
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (UINT32_C(0x82F63B78) & -(crc & 1));
        }
    }
    return ~crc;
}

static uint64_t get64(const unsigned char *bytes) {
    uint64_t value;
    memcpy(&value, bytes, sizeof(value));
    return value;
}

static uint32_t get32(const unsigned char *bytes) {
    uint32_t value;
    memcpy(&value, bytes, sizeof(value));
    return value;
}

static void put32(unsigned char *bytes, uint32_t value) {
    memcpy(bytes, &value, sizeof(value));
}

static void put64(unsigned char *bytes, uint64_t value) {
    memcpy(bytes, &value, sizeof(value));
}

/* Makes all checksums true, as far as the table of sections makes sense. */
static void seal(file_bytes file) {
    for (int part = 0; part < PARTS; part++) {
        unsigned char *entry = file.bytes + TABLE + part * ENTRY;
        uint64_t offset = get64(entry + 8);
        uint64_t size = get64(entry + 16);
        if (offset <= file.size && size <= file.size - offset) {
            put32(entry + 4, crc_of(file.bytes + offset, size));
        }
    }
    put32(file.bytes + CRC_OF_HEADER, crc_of(file.bytes, CRC_OF_HEADER));
}

static unsigned char *section_of(file_bytes file, int part) {
    return file.bytes + get64(file.bytes + TABLE + part * ENTRY + 8);
}

static file_bytes copy_of(file_bytes file) {
    file_bytes copy = {malloc(file.size), file.size};
    REQUIRE(copy.bytes != NULL);
    memcpy(copy.bytes, file.bytes, file.size);
    return copy;
}

/* --- what is left behind --------------------------------------------------------------------------------------------------- */

static uint32_t entries(const char *path) {
    DIR *listing = opendir(path);
    REQUIRE(listing != NULL);
    uint32_t count = 0;
    while (readdir(listing) != NULL) {
        count++;
    }
    closedir(listing);
    return count;
}

static uint32_t mappings(void) {
    FILE *maps = fopen("/proc/self/maps", "r");
    uint32_t count = 0;
    REQUIRE(maps != NULL);
    for (int byte = fgetc(maps); byte != EOF; byte = fgetc(maps)) {
        count += byte == '\n';
    }
    fclose(maps);
    return count;
}

/* The most memory that was ever in use, KiB. */
static uint64_t peak(void) {
    char line[256];
    unsigned long long kilobytes = 0;
    FILE *status = fopen("/proc/self/status", "r");
    REQUIRE(status != NULL);
    while (fgets(line, sizeof(line), status) != NULL && sscanf(line, "VmHWM: %llu", &kilobytes) != 1) {
    }
    fclose(status);
    return kilobytes;
}

/* --- subjects ------------------------------------------------------------------------------------------------------------------ */

enum { DIM = 3, CONCEPTS = 6, EPISODES = 14 };

/* Small, with everything in it: free slots, a list over two blocks, a free block before a used one. */
static file_bytes subject(const char *path, int single) {
    dm_store *store = case_store(DIM, CONCEPTS, EPISODES, single);
    test_random random = {7};
    for (int i = 0; i < 30; i++) {
        case_add(store, &random, DIM, single, i % 2);
    }
    for (uint32_t e = 0; !single && e < 12; e++) {
        for (uint32_t c = 0; c < 3; c++) {
            REQUIRE(dm_store_bind(store, e, dm_concept_slot(2 - c), 0.25f, NULL, error, sizeof(error)) == DM_OK);
        }
    }
    for (uint32_t i = 0; !single && i < 12; i++) { /* a star of episodes and its first chord, a triangle of concepts, one to be removed */
        uint32_t one = i < 10 ? 0 : dm_concept_slot(i - 10);
        uint32_t other = i < 10 ? i + 1 : dm_concept_slot(i - 8);
        REQUIRE(dm_store_associate(store, one, other, 0.125f, error, sizeof(error)) == DM_OK);
    }
    REQUIRE(single || dm_store_associate(store, 2, 1, 1.0f, error, sizeof(error)) == DM_OK);
    REQUIRE(single || dm_store_associate(store, dm_concept_slot(3), dm_concept_slot(0), 0.0f, error, sizeof(error)) == DM_OK);
    REQUIRE(dm_store_remove(store, single ? 2 : dm_concept_slot(2), error, sizeof(error)) == DM_OK);
    REQUIRE(dm_store_remove(store, 5, error, sizeof(error)) == DM_OK);
    REQUIRE(dm_store_remove(store, 13, error, sizeof(error)) == DM_OK);
    REQUIRE(CHECK_STATUS(dm_store_save(store, path, error, sizeof(error)), DM_OK, error));
    dm_store_destroy(store);
    return read_file(path);
}

static int is_refused(const char *path) {
    dm_store *store = NULL;
    error[0] = '\0';
    int32_t status = dm_store_load(path, NULL, &store, error, sizeof(error));
    int refused = status != DM_OK && store == NULL && error[0] != '\0';
    dm_store_destroy(store);
    return refused;
}

/* --- accidents ---------------------------------------------------------------------------------------------------------------- */

static void every_flipped_byte_is_refused(const char *path, file_bytes file) {
    static const unsigned char flips[] = {0x01, 0x80, 0xFF, 0x24};
    int descriptor = open(path, O_WRONLY);
    REQUIRE(descriptor >= 0);
    for (size_t at = 0; at < file.size; at++) {
        for (size_t i = 0; i < sizeof(flips); i++) {
            unsigned char damaged = file.bytes[at] ^ flips[i];
            REQUIRE(pwrite(descriptor, &damaged, 1, (off_t)at) == 1);
            if (!CHECK(is_refused(path))) {
                fprintf(stderr, "byte %zu, flip %02x\n", at, flips[i]);
            }
        }
        REQUIRE(pwrite(descriptor, file.bytes + at, 1, (off_t)at) == 1);
    }
    close(descriptor);
    CHECK(!is_refused(path));
}

static void every_other_length_is_refused(const char *path, file_bytes file) {
    for (size_t size = file.size; size-- > 0;) {
        REQUIRE(truncate(path, (off_t)size) == 0);
        CHECK(is_refused(path));
        CHECK(strstr(error, "copy the file again") != NULL);
    }
    write_file(path, file.bytes, file.size);
    REQUIRE(truncate(path, (off_t)file.size + 1) == 0);
    CHECK(is_refused(path));
    CHECK(strstr(error, "too long") != NULL);
    REQUIRE(truncate(path, (off_t)1 << 40) == 0); /* sparse */
    CHECK(is_refused(path));
    write_file(path, file.bytes, file.size);
}

static void the_sentence_names_the_part(const char *path, file_bytes file) {
    static const char *const names[PARTS] = {"section of the episodes", "section of the concepts", "section of the embeddings of episodes",
                                             "section of the embeddings of concepts", "section of the associations",
                                             "section of the bindings"};
    for (int part = 0; part < PARTS; part++) {
        file_bytes damaged = copy_of(file);
        section_of(damaged, part)[5] ^= 4;
        write_file(path, damaged.bytes, damaged.size);
        CHECK(is_refused(path));
        CHECK(strstr(error, names[part]) != NULL && strstr(error, "copy the file again") != NULL);
        free(damaged.bytes);
    }
    file_bytes other = copy_of(file);
    put32(other.bytes + 12, 0x04030201);
    write_file(path, other.bytes, other.size);
    CHECK(is_refused(path) && strstr(error, "other byte order") != NULL);
    put32(other.bytes + 12, 0x01020304);
    put32(other.bytes + 8, 3);
    write_file(path, other.bytes, other.size);
    CHECK(is_refused(path) && strstr(error, "version 3") != NULL && strstr(error, "use a newer one") != NULL);
    put32(other.bytes + 8, 1);
    write_file(path, other.bytes, other.size);
    CHECK(is_refused(path) && strstr(error, "version 1") != NULL && strstr(error, "use the one that wrote") != NULL);
    put32(other.bytes + 8, 2);
    put32(other.bytes + 24, 9);
    write_file(path, other.bytes, other.size);
    CHECK(is_refused(path) && strstr(error, "header is damaged") != NULL);
    free(other.bytes);
}

/* --- intent: the checksums are true -------------------------------------------------------------------------------------------- */

/* Loads a file whose checksums are true. Refused, or harmless: every edge has both its ends, and saving writes these very bytes. */
static int loads(const char *path, file_bytes file) {
    dm_store *store = NULL;
    seal(file);
    write_file(path, file.bytes, file.size);
    int32_t status = dm_store_load(path, NULL, &store, error, sizeof(error));
    if (status != DM_OK) {
        CHECK(store == NULL && error[0] != '\0');
        return 0;
    }
    char again[PATH_MAX];
    (void)snprintf(again, sizeof(again), "%s.again", path);
    REQUIRE(CHECK_STATUS(dm_store_save(store, again, error, sizeof(error)), DM_OK, error));
    file_bytes saved = read_file(again);
    CHECK(saved.size == file.size && memcmp(saved.bytes, file.bytes, file.size) == 0);
    if (get32(file.bytes + 28) == 0) {
        check_symmetry(store, CONCEPTS, EPISODES);
    }
    free(saved.bytes);
    unlink(again);
    dm_store_destroy(store);
    return 1;
}

/* Awkward values for every aligned word of the header and of every section. */
static void awkward_words(const char *path, file_bytes file) {
    uint32_t loaded = 0;
    uint32_t words = 0;
    for (size_t at = 0; at + 4 <= file.size; at += 4) {
        uint32_t value = get32(file.bytes + at);
        const uint32_t awkward[] = {0, 1, 0x7FFFFFFF, 0x80000000, UINT32_MAX, value + 1, value - 1, value ^ 0x3F800000, 0x7FC00000};
        for (size_t i = 0; i < sizeof(awkward) / sizeof(awkward[0]); i++) {
            file_bytes damaged = copy_of(file);
            put32(damaged.bytes + at, awkward[i]);
            loaded += (uint32_t)loads(path, damaged);
            words++;
            free(damaged.bytes);
        }
    }
    CHECK(loaded > words / 20 && loaded < words); /* embeddings, times and ids may be anything; places and counts may not */
}

static void random_damage(const char *path, file_bytes file, int rounds) {
    test_random random = {11};
    for (int i = 0; i < rounds; i++) {
        file_bytes damaged = copy_of(file);
        uint64_t blows = 1 + test_random_below(&random, 4);
        for (uint64_t blow = 0; blow < blows; blow++) {
            int part = (int)test_random_below(&random, PARTS);
            uint64_t size = get64(file.bytes + TABLE + part * ENTRY + 16);
            size_t at = test_random_below(&random, file.size / 4) * 4;
            if (size >= 4) { /* half of the blows among nodes and bindings, with small numbers: those look plausible */
                size_t in_section = (size_t)(section_of(file, part) - file.bytes) + test_random_below(&random, size / 4) * 4;
                at = test_random_below(&random, 2) ? in_section : at;
            }
            put32(damaged.bytes + at, (uint32_t)test_random_below(&random, test_random_below(&random, 2) ? 16 : 128));
        }
        (void)loads(path, damaged);
        free(damaged.bytes);
    }
}

/* One change, and the word that the refusal must have in it. */
static void refused_for(const char *path, file_bytes file, int part, size_t at, uint32_t value, const char *word) {
    file_bytes damaged = copy_of(file);
    put32((part < 0 ? damaged.bytes : section_of(damaged, part)) + at, value);
    CHECK(!loads(path, damaged));
    if (!CHECK(strstr(error, word) != NULL)) {
        fprintf(stderr, "part %d, byte %zu: \"%s\" lacks \"%s\"\n", part, at, error, word);
    }
    free(damaged.bytes);
}

/* The subject's are (0, 1..10 but 5), (1, 2) of episodes, (0, 3), (1, 3) of concepts: what happens to (0, 2) and its neighbours, and at the
 * border of the types. */
static void associations_lie(const char *path, file_bytes file) {
    enum { PART = 4, RECORD = 16, TYPE = 0, ONE = 4, OTHER = 8, WEIGHT = 12, SECOND = RECORD, CHORD = 9 * RECORD, TRIANGLE = 10 * RECORD };
    CHECK_EQUAL(get64(file.bytes + TABLE + PART * ENTRY + 24), 12);
    refused_for(path, file, PART, SECOND + TYPE, 2, "neither 0 nor 1");
    refused_for(path, file, PART, SECOND + TYPE, UINT32_MAX, "neither 0 nor 1");
    refused_for(path, file, PART, SECOND + ONE, EPISODES, "not there");
    refused_for(path, file, PART, SECOND + ONE, UINT32_MAX, "not there");
    refused_for(path, file, PART, SECOND + OTHER, 5, "not there"); /* removed */
    refused_for(path, file, PART, SECOND + OTHER, EPISODES, "not there");
    refused_for(path, file, PART, SECOND + OTHER, DM_CONCEPT_BASE, "not there");
    refused_for(path, file, PART, TRIANGLE + OTHER, CONCEPTS, "not there");
    refused_for(path, file, PART, SECOND + OTHER, 0, "lower slot first"); /* itself */
    refused_for(path, file, PART, SECOND + ONE, 3, "lower slot first");
    refused_for(path, file, PART, SECOND + OTHER, 1, "there twice");
    refused_for(path, file, PART, SECOND + OTHER, 4, "out of order"); /* what follows is (0, 3) */
    refused_for(path, file, PART, SECOND + ONE, 1, "out of order");
    refused_for(path, file, PART, TYPE, 1, "out of order");
    refused_for(path, file, PART, TRIANGLE + TYPE, 0, "out of order"); /* (0, 3) of episodes, behind (1, 2) */
    refused_for(path, file, PART, TRIANGLE + ONE, 1, "there twice");   /* (1, 3) of concepts follows */
    const uint32_t weights[] = {0x3F800001, 0x7F800000, 0x7FC00000, 0x80000000, 0xBF800000, UINT32_MAX}; /* infinity, NaN, -0, -1 */
    for (size_t i = 0; i < sizeof(weights) / sizeof(weights[0]); i++) {
        refused_for(path, file, PART, SECOND + WEIGHT, weights[i], "outside of [0, 1]");
        refused_for(path, file, PART, CHORD + WEIGHT, weights[i], "outside of [0, 1]");
    }
    file_bytes fine = copy_of(file); /* and what is none of these is taken */
    put32(section_of(fine, PART) + CHORD + OTHER, 3);
    put32(section_of(fine, PART) + CHORD + WEIGHT, 1);
    CHECK(loads(path, fine));
    free(fine.bytes);
}

static void each_lie_has_its_sentence(const char *path, file_bytes file) {
    enum { NODES = 0, CONCEPT_NODES = 1, ROWS = 2, ASSOCIATIONS = 4, BINDINGS = 5, NODE = 48, BINDING = 16, NAN_BITS = 0x7FC00000 };
    refused_for(path, file, NODES, 24, EPISODES, "out of range");
    refused_for(path, file, NODES, 24 + NODE, 0, "out of order");
    refused_for(path, file, NODES, 32, NAN_BITS, "no store holds");
    refused_for(path, file, NODES, 36, 0x3F800001, "no store holds");
    refused_for(path, file, NODES, 32, UINT32_C(0x80000000), "no store holds"); /* -0 */
    refused_for(path, file, NODES, 28, UINT32_C(0x80000000), "no store holds");
    refused_for(path, file, NODES, 44, 1, "no store holds");
    refused_for(path, file, CONCEPT_NODES, 36, 1, "no store holds");
    refused_for(path, file, ROWS, 4, NAN_BITS, "NaN");
    refused_for(path, file, ROWS, 64 + 8, 0xFF800000, "infinity");
    refused_for(path, file, ROWS, 4 * DIM, 1, "padding");
    associations_lie(path, file);
    refused_for(path, file, BINDINGS, 0, UINT32_C(0xFFFFFFFF), "out of range");
    refused_for(path, file, BINDINGS, 0, 8 * 1, "another concept's block");
    refused_for(path, file, BINDINGS, 4, 2, "not there");
    refused_for(path, file, BINDINGS, 4, CONCEPTS, "not there");
    refused_for(path, file, BINDINGS, 8, 5, "not there");
    refused_for(path, file, BINDINGS, 8, EPISODES, "not there");
    refused_for(path, file, BINDINGS, 12, 0x3F800001, "outside of [0, 1]");
    refused_for(path, file, BINDINGS, 12, UINT32_C(0x80000000), "outside of [0, 1]");
    refused_for(path, file, BINDINGS, BINDING, 0, "out of order");
    refused_for(path, file, BINDINGS, BINDING + 8, get32(section_of(file, BINDINGS) + 8), "there twice");
    file_bytes twin = copy_of(file); /* the same id on both sides */
    memcpy(section_of(twin, CONCEPT_NODES), section_of(twin, NODES) + 2 * NODE, 16);
    CHECK(!loads(path, twin) && strstr(error, "there twice") != NULL);
    free(twin.bytes);
}

/* Headers that promise what the file does not have, or ask for all the memory there is. */
static void greed_is_refused(const char *path, file_bytes file) {
    uint64_t before = peak();
    static const uint64_t counts[] = {1, 13, UINT64_C(1) << 27, UINT64_C(1) << 32, UINT64_C(1) << 60, UINT64_MAX, UINT64_MAX / 48 + 2};
    for (int part = 0; part < PARTS; part++) {
        for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
            for (size_t field = 8; field < ENTRY; field += 8) { /* offset, size, count */
                file_bytes damaged = copy_of(file);
                put64(damaged.bytes + TABLE + part * ENTRY + (int)field, counts[i]);
                CHECK(!loads(path, damaged));
                free(damaged.bytes);
            }
        }
    }
    for (int part = 0; part + 1 < PARTS; part++) { /* a section on top of its neighbour */
        file_bytes damaged = copy_of(file);
        put64(damaged.bytes + TABLE + (part + 1) * ENTRY + 8, get64(damaged.bytes + TABLE + part * ENTRY + 8));
        CHECK(!loads(path, damaged));
        free(damaged.bytes);
    }
    /* An honest file of an absurd store: no nodes at all, capacity for 2 x 127 Mi of 4,096 floats. */
    file_bytes absurd = {calloc(1, HEADER), HEADER};
    REQUIRE(absurd.bytes != NULL);
    memcpy(absurd.bytes, file.bytes, TABLE);
    put64(absurd.bytes + 16, HEADER);
    put32(absurd.bytes + 24, DM_DIM_MAX);
    put32(absurd.bytes + 32, DM_CAPACITY_MAX);
    put32(absurd.bytes + 36, DM_CAPACITY_MAX);
    for (int part = 0; part < PARTS; part++) {
        put32(absurd.bytes + TABLE + part * ENTRY, (uint32_t)part);
        put64(absurd.bytes + TABLE + part * ENTRY + 8, HEADER);
    }
    CHECK(!loads(path, absurd));
    CHECK(strstr(error, "memory_limit") != NULL);
    put32(absurd.bytes + 24, 4); /* the same header for a modest store is taken */
    put32(absurd.bytes + 32, CONCEPTS);
    put32(absurd.bytes + 36, EPISODES);
    CHECK(loads(path, absurd));
    free(absurd.bytes);
    CHECK(peak() < before + 64 * 1024);
}

/* A file of a single-type store that is right in everything but one edge of each kind in turn. */
static void a_single_type_store_has_no_edges(const char *path, file_bytes file) {
    for (int part = 4; part < PARTS; part++) {
        uint64_t begin = get64(file.bytes + TABLE + part * ENTRY + 8);
        uint64_t end = part == 4 ? begin + 64 : begin + 16; /* to where the next section begins */
        file_bytes forged = {calloc(1, end), end};
        REQUIRE(forged.bytes != NULL);
        memcpy(forged.bytes, file.bytes, file.size < begin ? file.size : begin);
        put32(forged.bytes + begin + 8, 1); /* an association of 0 and 1; of weight 0 */
        put64(forged.bytes + 16, end);
        put64(forged.bytes + TABLE + part * ENTRY + 16, 16);
        put64(forged.bytes + TABLE + part * ENTRY + 24, 1);
        if (part == 4) {
            put64(forged.bytes + TABLE + 5 * ENTRY + 8, end);
        }
        CHECK(!loads(path, forged));
        CHECK(strstr(error, "sizes out of range") != NULL);
        free(forged.bytes);
    }
}

/* --- one life of a file -------------------------------------------------------------------------------------------------------- */

static void damage(int single) {
    char path[PATH_MAX];
    (void)snprintf(path, sizeof(path), "%s/subject", folder);
    file_bytes file = subject(path, single);
    CHECK(file.size < 4000);
    CHECK(!is_refused(path));
    uint32_t files_open = entries("/proc/self/fd");
    uint32_t mapped = mappings();
    every_flipped_byte_is_refused(path, file);
    every_other_length_is_refused(path, file);
    if (!single) {
        the_sentence_names_the_part(path, file);
        each_lie_has_its_sentence(path, file);
        greed_is_refused(path, file);
    } else {
        a_single_type_store_has_no_edges(path, file);
    }
    awkward_words(path, file);
    random_damage(path, file, 4000);
    CHECK_EQUAL(entries("/proc/self/fd"), files_open);
    CHECK(mappings() < mapped + 500); /* allocator and sanitizers map as they like, but not one for each of 50,000 loads */
    free(file.bytes);
    unlink(path);
}

int main(void) {
    make_folder(folder);
    damage(0);
    damage(1);
    CHECK(rmdir(folder) == 0);
    return test_report();
}
