/* test_lists.c: coarse lists: what they hold, what they find, the same bytes from every variant and team, images. */
#include "index/lists.h"

#include "tests/lists_case.h"
#include "tests/variants.h"

/* --- all lists visited -------------------------------------------------------------------------------------------- */

/* With every list visited, what is found is what the exact index finds, to the bit. */
#if defined(__aarch64__)
enum { SCALE = 4 }; /* `make test-neon` emulates it, many times as slow */
#else
enum { SCALE = 1 };
#endif

static void check_against_exact(lists_case *made, test_random *random, uint32_t queries) {
    char error[300] = "";
    const dm_rows rows = lists_case_rows(made);
    dm_exact *exact = NULL;
    dm_exact_scratch *scratch = NULL;
    float *query = test_guard_allocate(made->dim * sizeof(float), TEST_GUARD_AFTER);
    REQUIRE(dm_exact_create(dm_exact_best(), &rows, DM_SIMILARITY_COSINE, 0, &made->account, &exact, error, sizeof(error)) == DM_OK);
    REQUIRE(dm_exact_scratch_create(exact, &made->account, &scratch, error, sizeof(error)) == DM_OK);
    for (uint32_t i = 0; i < queries; i++) {
        const uint32_t k = i % 3 == 0 ? 1 : i % 3 == 1 ? 10 : 100;
        dm_neighbour expected[100];
        dm_neighbour found[100];
        test_random_fill(random, query, made->dim);
        const uint32_t there = dm_exact_search(exact, scratch, query, k, expected);
        CHECK_EQUAL(dm_lists_search(made->lists, made->scratch, query, k, dm_lists_count(made->lists), found), there);
        for (uint32_t j = 0; j < there; j++) {
            CHECK_EQUAL(found[j].row, expected[j].row);
            CHECK(found[j].similarity == expected[j].similarity);
        }
    }
    dm_exact_scratch_destroy(scratch, &made->account);
    dm_exact_destroy(exact, &made->account);
    test_guard_free(query);
}

static void test_all_lists(void) {
    const uint32_t dims[] = {1, 3, 63, 64, 65, 200, 768};
    for (size_t d = 0; d < sizeof(dims) / sizeof(dims[0]); d++) {
        lists_case made = lists_case_make(700, dims[d]);
        test_random random = {20 + d};
        for (uint32_t row = 0; row < made.count; row++) {
            test_random_fill(&random, lists_case_row(&made, row), made.dim);
        }
        lists_case_set_norms(&made);
        lists_case_open(&made, d % 2 == 0 ? 0 : 7, 0, NULL);
        CHECK_EQUAL(dm_lists_dims(made.lists), 0); /* nothing that fewer dimensions would hold */
        CHECK(dm_lists_energy(made.lists) == 1.0);
        CHECK_EQUAL(dm_lists_count(made.lists), d % 2 == 0 ? 52 : 7);
        lists_case_check(&made);
        check_against_exact(&made, &random, 30);
        lists_case_close(&made);
        lists_case_free(&made);
    }
}

/* --- projection --------------------------------------------------------------------------------------------------- */

/* As many dimensions as the rows have, of those on offer; none where noise fills them all. */
static void test_measured_dims(void) {
    const struct {
        uint32_t inner;
        double blur;
        uint32_t dims;
    } cases[] = {{20, 0.0, 32}, {32, 0.0, 32}, {33, 0.0, 48}, {60, 0.0, 64}, {20, 0.05, 32}, {20, 0.4, 0}};
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        lists_case made = lists_case_make(1200, 200);
        test_random random = {40 + c};
        lists_case_fill(&made, &random, cases[c].inner, 20, cases[c].blur);
        lists_case_open(&made, 0, 0, NULL);
        CHECK_EQUAL(dm_lists_dims(made.lists), cases[c].dims);
        const double energy = dm_lists_energy(made.lists);
        CHECK(energy <= 1.0 && energy >= 0.999 && (cases[c].blur == 0.0 || cases[c].dims == 0 || energy < 0.99995));
        CHECK_EQUAL(dm_lists_code_bytes(made.lists), (cases[c].dims != 0 ? cases[c].dims : 208) + 4);
        lists_case_check(&made);
        lists_case_close(&made);
        lists_case_free(&made);
    }
    /* A hundred rows lie in a hundred dimensions whatever they are; what others keep in these tells. */
    lists_case made = lists_case_make(100, 256);
    test_random random = {50};
    for (uint32_t row = 0; row < made.count; row++) {
        test_random_fill(&random, lists_case_row(&made, row), made.dim);
    }
    lists_case_set_norms(&made);
    lists_case_open(&made, 0, 0, NULL);
    CHECK_EQUAL(dm_lists_dims(made.lists), 0);
    lists_case_close(&made);
    lists_case_free(&made);
}

/* A basis is orthonormal, and keeps what an oracle says: rows of known variance along known axes. */
static void test_asked_dims(void) {
    const double deviations[] = {4.0, 2.0, 1.0, 0.5};
    lists_case made = lists_case_make(3000, 40);
    test_random random = {60};
    for (uint32_t row = 0; row < made.count; row++) {
        double squares = 0.0;
        float *values = lists_case_row(&made, row);
        for (uint32_t i = 0; i < 4; i++) {
            values[9 * i + 2] = (float)(deviations[i] * test_random_normal(&random));
            squares += (double)values[9 * i + 2] * (double)values[9 * i + 2];
        }
        for (uint32_t i = 0; i < 4; i++) {
            values[9 * i + 2] /= (float)sqrt(squares);
        }
    }
    lists_case_set_norms(&made);
    double kept = 0.0; /* by the first two axes */
    for (uint32_t row = 0; row < made.count; row++) {
        const float *values = lists_case_row(&made, row);
        kept += (double)values[2] * (double)values[2] + (double)values[11] * (double)values[11];
    }
    lists_case_open(&made, 0, 2, NULL);
    CHECK_EQUAL(dm_lists_dims(made.lists), 2);
    CHECK(fabs(dm_lists_energy(made.lists) - kept / made.count) < 0.01);
    for (uint32_t d = 0; d < 2; d++) {
        CHECK(fabs(fabs((double)made.lists->directions[d][9 * d + 2]) - 1.0) < 0.01);
    }
    lists_case_close(&made);
    lists_case_open(&made, 0, 40, NULL); /* all of them: no projection */
    CHECK_EQUAL(dm_lists_dims(made.lists), 0);
    lists_case_close(&made);
    lists_case_open(&made, 0, 20, NULL); /* more than there are */
    CHECK(dm_lists_energy(made.lists) > 0.99999);
    for (uint32_t a = 0; a < 20; a++) {
        for (uint32_t b = 0; b <= a; b++) {
            double dot = 0.0;
            for (uint32_t c = 0; c < 40; c++) {
                dot += (double)made.lists->directions[a][c] * (double)made.lists->directions[b][c];
            }
            CHECK(a == b ? fabs(dot - 1.0) < 1e-5 || (a >= 4 && dot == 0.0) : fabs(dot) < 1e-5);
        }
    }
    check_against_exact(&made, &random, 1); /* a query that lies elsewhere: the measured noise knows nothing of it */
    lists_case_close(&made);
    lists_case_free(&made);
}

/* The query's inner form is made of codes; in double it is the same within what their steps allow: the rounding of both
 * codes is uniform over a step, and each is weighed by a vector of norm 1. Behind the last dimension are zeros. */
static void test_projected_query(void) {
    for (uint32_t dims = 5; dims <= 37; dims += 16) { /* the last panel of directions is not full */
        lists_case made = lists_case_make(600, 100);
        test_random random = {64};
        double worst = 0.0;
        double squares = 0.0;
        lists_case_fill(&made, &random, 20, 5, 0.3);
        lists_case_open(&made, 10, dims, NULL);
        for (uint32_t i = 0; i < 50; i++) {
            float query[100];
            dm_neighbour found[1];
            double norm = 0.0;
            lists_case_draw(&random, 100, 20, 5, 0.3, query);
            CHECK_EQUAL(dm_lists_search(made.lists, made.scratch, query, 1, 10, found), 1);
            for (uint32_t c = 0; c < 100; c++) {
                norm += (double)query[c] * (double)query[c];
            }
            for (uint32_t d = 0; d < dims; d++) {
                double part = 0.0;
                for (uint32_t c = 0; c < 100; c++) {
                    part += (double)made.lists->directions[d][c] * (double)query[c] / sqrt(norm);
                }
                const double error = (double)made.scratch->inner[d] - part;
                worst = fabs(error) > worst ? fabs(error) : worst;
                squares += error * error;
            }
            for (uint32_t d = dims; d < dm_padded_dim(dims); d++) {
                CHECK(made.scratch->inner[d] == 0.0f);
            }
        }
        /* Codes of 127 and 64 levels; a component of a unit vector is 1 at the most, here 0.5. */
        const double deviation = sqrt((0.5 / 64.0 * 0.5 / 64.0 + 0.5 / 127.0 * 0.5 / 127.0) / 12.0);
        CHECK(worst < 6.0 * deviation && sqrt(squares / (50.0 * dims)) < deviation);
        lists_case_close(&made);
        lists_case_free(&made);
    }
}

/* --- recall ------------------------------------------------------------------------------------------------------- */

static double recall_of(const lists_case *made, test_random *random, uint32_t inner, uint32_t clusters, double blur,
                        uint32_t visits) {
    float *query = test_guard_allocate(made->dim * sizeof(float), TEST_GUARD_AFTER);
    uint64_t hits = 0;
    for (uint32_t i = 0; i < 60; i++) {
        lists_case_draw(random, made->dim, inner, clusters, blur, query);
        hits += lists_case_hits(made, query, 10, visits);
    }
    test_guard_free(query);
    return (double)hits / 600.0;
}

static void test_recall(void) {
    const struct {
        uint32_t count, dim, inner, dims;
        double blur;
    } cases[] = {{4000, 100, 24, 32, 0.0}, {1500, 768, 24, 32, 0.0}, {3000, 96, 24, 0, 0.5}};
    for (size_t c = 0; c < 3; c++) {
        lists_case made = lists_case_make(cases[c].count / SCALE, cases[c].dim);
        test_random random = {70};
        lists_case_fill(&made, &random, cases[c].inner, 30, cases[c].blur);
        lists_case_open(&made, 0, 0, NULL);
        lists_case_check(&made);
        CHECK_EQUAL(dm_lists_dims(made.lists), cases[c].dims);
        const double few = recall_of(&made, &random, cases[c].inner, 30, cases[c].blur, 3);
        const double compared = dm_lists_compared(made.scratch);
        const double usual = recall_of(&made, &random, cases[c].inner, 30, cases[c].blur, 30);
        const double whole = recall_of(&made, &random, cases[c].inner, 30, cases[c].blur, dm_lists_count(made.lists));
        printf("recall at 10, %u x %u clustered, %u dimensions: 3 lists %.4f (%.0f rows compared), 30 %.4f, all %.4f\n",
               made.count, made.dim, dm_lists_dims(made.lists), few, compared, usual, whole);
        CHECK(few >= 0.92 && usual >= 0.99 && whole == 1.0);
        CHECK(compared < 0.2 * made.count);
        lists_case_close(&made);
        lists_case_free(&made);
    }
}

/* Visiting one list more never loses a row: the nearest lists are the nearest, whatever the number. */
static void test_visits_are_nested(void) {
    lists_case made = lists_case_make(2000 / SCALE, 64);
    test_random random = {75};
    float query[64];
    lists_case_fill(&made, &random, 30, 10, 0.3);
    lists_case_open(&made, 250, 0, NULL);
    for (uint32_t i = 0; i < 10; i++) {
        double last = -2.0;
        lists_case_draw(&random, 64, 30, 10, 0.3, query);
        for (uint32_t visits = 1; visits <= 250; visits += 1 + visits / 8) {
            dm_neighbour found[3];
            const uint32_t count = dm_lists_search(made.lists, made.scratch, query, 3, visits, found);
            uint8_t met[250] = {0};
            uint32_t size = 0;
            for (uint32_t v = 0; v < visits; v++) {
                const uint32_t list = made.scratch->visited[v];
                CHECK(list < 250 && !met[list]);
                met[list] = 1;
                size += made.lists->begins[list + 1] - made.lists->begins[list];
            }
            CHECK_EQUAL(dm_lists_compared(made.scratch), size);
            if (count == 3) {
                CHECK(found[2].similarity >= last);
                last = found[2].similarity;
            }
        }
    }
    lists_case_close(&made);
    lists_case_free(&made);
}

/* Rows that the codes cannot tell apart: all that may be among the best are compared by their float32 values. */
static void test_near_ties(void) {
    lists_case made = lists_case_make(64, 96);
    test_random random = {80};
    float centre[96];
    test_random_fill(&random, centre, 96);
    for (uint32_t row = 0; row < 64; row++) {
        for (uint32_t i = 0; i < 96; i++) {
            lists_case_row(&made, row)[i] = (float)((double)centre[i] * (1.0 + 1e-3 * test_random_normal(&random)));
        }
    }
    lists_case_set_norms(&made);
    lists_case_open(&made, 4, 0, NULL);
    CHECK_EQUAL(lists_case_hits(&made, centre, 10, 4), 10);
    CHECK(dm_lists_rescored(made.scratch) > 10);
    lists_case_close(&made);
    lists_case_free(&made);
}

/* What the codes are off by, said and true: four standard deviations are beyond few pairs, and not beyond most. */
static void test_noise(void) {
    for (uint32_t dims = 0; dims <= 12; dims += 12) { /* with and without a projection that loses much */
        lists_case made = lists_case_make(1000, 64);
        test_random random = {85};
        double squares = 0.0;
        lists_case_fill(&made, &random, 20, 5, 0.2);
        lists_case_open(&made, 10, dims == 0 ? 64 : dims, NULL);
        for (uint32_t list = 0; list < 10; list++) {
            for (uint32_t at = made.lists->begins[list]; at + 1 < made.lists->begins[list + 1]; at++) {
                const uint32_t within = at - made.lists->begins[list];
                const float *other = lists_case_row(&made, made.lists->members[at + 1]);
                int8_t codes[64];
                double estimate = 0.0;
                const float scale = dm_panel_take(made.lists->panels + (made.lists->panel_begins[list] + within / 16) *
                                                                           made.lists->panel_bytes,
                                                  within % 16, codes, made.lists->words);
                const double inverse_norm = (double)made.inverse_norms[made.lists->members[at + 1]];
                for (uint32_t d = 0; d < made.lists->inner; d++) {
                    double part = 0.0;
                    for (uint32_t c = 0; c < 64; c++) {
                        part += (dims == 0 ? (c == d ? 1.0 : 0.0) : (double)made.lists->directions[d][c]) *
                                (double)other[c] * inverse_norm;
                    }
                    estimate += part * (double)scale * codes[d];
                }
                const double error = lists_case_cosine(&made, other, made.lists->members[at]) - estimate;
                squares += error * error;
            }
        }
        const double deviation = sqrt(squares / 990.0);
        CHECK(made.lists->noise > 0.8 * deviation && made.lists->noise < 1.25 * deviation);
        CHECK(dims == 0 ? deviation < 0.003 : deviation > 0.01);
        uint32_t hits = 0; /* and the search reckons with it */
        for (uint32_t row = 0; row < 1000; row += 20) {
            hits += lists_case_hits(&made, lists_case_row(&made, row), 10, 10);
        }
        CHECK(hits >= 499);
        lists_case_close(&made);
        lists_case_free(&made);
    }
}

/* --- the same from everywhere ------------------------------------------------------------------------------------- */

static uint8_t *take_image(const lists_case *made, size_t *size) {
    *size = dm_lists_image_size(made->lists);
    uint8_t *image = test_guard_allocate(*size, TEST_GUARD_AFTER);
    dm_lists_write_image(made->lists, image);
    return image;
}

/* The scalar variant's lists and answers, byte for byte, from every variant, and from a team. */
static void test_variants(void) {
    for (uint32_t dims = 0; dims <= 30; dims += 30) {
        lists_case made = lists_case_make(500, 100);
        test_random random = {90};
        char error[300] = "";
        uint8_t *reference = NULL;
        dm_neighbour answers[20][10];
        float queries[20][100];
        dm_team *team = NULL;
        CHECK_STATUS(dm_team_create(3, &team, error, sizeof(error)), DM_OK, error);
        lists_case_fill(&made, &random, 16, 10, dims == 0 ? 0.5 : 0.0);
        for (uint32_t i = 0; i < 20; i++) {
            lists_case_draw(&random, 100, 16, 10, 0.1, queries[i]);
        }
        for (size_t v = 0; v < 2 * dm_lists_variant_count; v++) {
            if (!dm_isa_has(dm_lists_variants[v / 2].isa)) {
                continue;
            }
            made.isa = dm_lists_variants[v / 2].isa;
            lists_case_open(&made, 0, dims, v % 2 == 0 ? NULL : team);
            CHECK(strcmp(made.lists->scan->name, dm_lists_variants[v / 2].panels) == 0);
            CHECK(strcmp(made.lists->query->name, dm_lists_variants[v / 2].simd) == 0);
            size_t size = 0;
            uint8_t *image = take_image(&made, &size);
            CHECK(reference == NULL || memcmp(image, reference, size) == 0);
            for (uint32_t i = 0; i < 20; i++) {
                dm_neighbour found[10];
                memset(found, 0, sizeof(found));
                CHECK_EQUAL(dm_lists_search(made.lists, made.scratch, queries[i], 10, 30, found), 10);
                for (uint32_t j = 0; j < 10; j++) {
                    CHECK(v == 0 || (found[j].row == answers[i][j].row && found[j].similarity == answers[i][j].similarity));
                    answers[i][j] = v == 0 ? found[j] : answers[i][j];
                }
            }
            if (reference == NULL) {
                reference = image;
            } else {
                test_guard_free(image);
            }
            lists_case_close(&made);
        }
        dm_team_destroy(team);
        test_guard_free(reference);
        lists_case_free(&made);
    }
}

/* --- images ------------------------------------------------------------------------------------------------------- */

static int32_t load_image(lists_case *made, const void *image, size_t size) {
    char error[300] = "";
    const dm_rows rows = lists_case_rows(made);
    const int32_t status =
        dm_lists_from_image(&rows, image, size, made->isa, 64, &made->account, &made->lists, error, sizeof(error));
    CHECK(status == DM_OK || (made->lists == NULL && error[0] != '\0' && dm_memory_bytes(&made->account) == 0));
    return status;
}

/* CRC-32C bit by bit, of an image whose last four bytes of 64 hold it. */
static void seal(uint8_t *image, size_t size) {
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < size; i++) {
        crc ^= i < 60 || i >= 64 ? image[i] : 0;
        for (int bit = 0; (i < 60 || i >= 64) && bit < 8; bit++) {
            crc = (crc >> 1) ^ (UINT32_C(0x82F63B78) & (0u - (crc & 1u)));
        }
    }
    crc = ~crc;
    memcpy(image + 60, &crc, sizeof(crc));
}

static void check_sealed(lists_case *made, uint8_t *damaged, size_t size, const uint8_t *image) {
    seal(damaged, size);
    CHECK_EQUAL(load_image(made, damaged, size), DM_ERROR_CORRUPT);
    memcpy(damaged, image, size);
}

static void put(uint8_t *bytes, size_t at, uint32_t value) {
    memcpy(bytes + at, &value, sizeof(value));
}

/* Images whose checksum is right and whose content is not. 41 rows in use, 6 lists, 8 of 40 dimensions. */
static void check_foreign_images(lists_case *made, const uint8_t *image, size_t size) {
    const size_t begins = 64;
    const size_t members = begins + 7 * 4;
    const size_t basis = members + (size_t)made->count * 4 - 4;
    const size_t centres = basis + 8 * 48 * 4;
    const size_t panels = centres + 5 * 64;
    const struct {
        size_t at;
        uint32_t value;
    } damages[] = {
        {12, 41},                /* dim */
        {16, made->count},       /* rows */
        {16, 0},
        {20, 0},                 /* lists */
        {20, 5},
        {20, UINT32_MAX},
        {24, 9},                 /* dims */
        {24, 40},
        {28, 1},                 /* panels */
        {36, 0x40000000},        /* energy 2 */
        {44, 0x7ff80000},        /* noise NaN */
        {begins, 1},
        {begins + 4, 1000},
        {begins + 6 * 4, made->count},
        {members, 3},            /* the row not in use */
        {members, made->count},
        {members, UINT32_MAX},
        {basis, 0x7fc00000},     /* NaN */
        {basis + 4, 0x40000000}, /* 2 */
        {basis + 44 * 4, 0x3f000000}, /* in the padding */
        {centres + 4 * 64, 0x7fc00000},
        {centres + 4 * 64, 0xbf000000},
        {panels + 4 * 64, 0x7fc00000},
        {panels + 4 * 64, 0x40000000},
    };
    uint8_t *damaged = test_guard_allocate(size, TEST_GUARD_BEFORE);
    memcpy(damaged, image, size);
    for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
        put(damaged, damages[i].at, damages[i].value);
        check_sealed(made, damaged, size, image);
    }
    uint32_t second;
    memcpy(&second, image + members + 4, sizeof(second));
    put(damaged, members, second); /* one row twice */
    check_sealed(made, damaged, size, image);
    seal(damaged, size);
    CHECK(memcmp(damaged, image, size) == 0); /* so it was the damage each time, not the seal */
    test_guard_free(damaged);
}

static void test_images(void) {
    lists_case made = lists_case_make(42, 40);
    test_random random = {100};
    size_t size = 0;
    lists_case_fill(&made, &random, 8, 5, 0.0);
    made.slots[3] = DM_SLOT_NONE;
    lists_case_open(&made, 6, 8, NULL);
    uint8_t *image = take_image(&made, &size);
    CHECK_EQUAL(lists_case_hits(&made, lists_case_row(&made, 7), 5, 6), 5);
    const double energy = dm_lists_energy(made.lists);
    const double noise = made.lists->noise;
    lists_case_close(&made);
    CHECK_EQUAL(load_image(&made, image, size), DM_OK);
    lists_case_open_scratch(&made);
    lists_case_check(&made);
    CHECK(dm_lists_energy(made.lists) == energy && made.lists->noise == noise && dm_lists_dims(made.lists) == 8);
    CHECK_EQUAL(lists_case_hits(&made, lists_case_row(&made, 7), 5, 6), 5);
    uint8_t *again = take_image(&made, &size);
    CHECK(memcmp(image, again, size) == 0);
    lists_case_close(&made);

    for (size_t cut = 0; cut < size; cut += 1 + cut / 4) {
        uint8_t *part = test_guard_allocate(cut + 1, TEST_GUARD_AFTER);
        memcpy(part + 1, image, cut);
        CHECK_EQUAL(load_image(&made, part + 1, cut), DM_ERROR_CORRUPT);
        test_guard_free(part);
    }
    for (size_t bit = 0; bit < 8 * size; bit += 13) {
        again[bit / 8] = (uint8_t)(again[bit / 8] ^ (1u << bit % 8));
        CHECK_EQUAL(load_image(&made, again, size), DM_ERROR_CORRUPT);
        again[bit / 8] = image[bit / 8];
    }
    check_foreign_images(&made, image, size);
    made.slots[3] = 3; /* a row that came since */
    CHECK_EQUAL(load_image(&made, image, size), DM_ERROR_CORRUPT);
    made.slots[3] = DM_SLOT_NONE;
    made.slots[4] = DM_SLOT_NONE; /* one that went */
    CHECK_EQUAL(load_image(&made, image, size), DM_ERROR_CORRUPT);
    test_guard_free(image);
    test_guard_free(again);
    lists_case_free(&made);
}

/* --- edges -------------------------------------------------------------------------------------------------------- */

static void test_few_rows(void) {
    const uint32_t dims[] = {1, 3, 17, 64, 65, 768};
    for (size_t d = 0; d < sizeof(dims) / sizeof(dims[0]); d++) {
        for (uint32_t count = 1; count <= 5; count++) {
            lists_case made = lists_case_make(count, dims[d]);
            test_random random = {110};
            float *query = test_guard_allocate(dims[d] * sizeof(float), TEST_GUARD_AFTER);
            for (uint32_t row = 0; row < count; row++) {
                test_random_fill(&random, lists_case_row(&made, row), dims[d]);
            }
            lists_case_set_norms(&made);
            test_random_fill(&random, query, dims[d]);
            for (uint32_t asked = 0; asked <= (dims[d] > 2 ? 2 : 0); asked += 2) {
                lists_case_open(&made, 0, asked, NULL);
                const uint32_t lists = dm_lists_count(made.lists);
                CHECK_EQUAL(lists, count < 5 ? count : 4);
                CHECK_EQUAL(lists_case_hits(&made, query, 10, lists), count);
                CHECK(lists_case_hits(&made, query, 1, lists) == 1 || asked != 0); /* two dimensions keep little of it */
                (void)lists_case_hits(&made, query, 10, 1);
                lists_case_check(&made);
                lists_case_close(&made);
            }
            test_guard_free(query);
            lists_case_free(&made);
        }
    }
}

static void check_refused(lists_case *made, dm_lists_options options) {
    char error[300] = "";
    dm_lists *lists = NULL;
    const dm_rows rows = lists_case_rows(made);
    CHECK_STATUS(dm_lists_create(&rows, &options, NULL, &made->account, &lists, error, sizeof(error)), DM_ERROR_ARGUMENT,
                 error);
    CHECK(lists == NULL && dm_memory_bytes(&made->account) == 0);
}

static void test_options(void) {
    lists_case made = lists_case_make(5, 4);
    test_random random = {115};
    lists_case_fill(&made, &random, 2, 2, 0.0);
    made.slots[1] = DM_SLOT_NONE;
    check_refused(&made, (dm_lists_options){.list_count = 5}); /* of four rows in use */
    check_refused(&made, (dm_lists_options){.dims = 5});
    for (uint32_t row = 0; row < 5; row++) {
        made.slots[row] = DM_SLOT_NONE;
    }
    check_refused(&made, (dm_lists_options){.list_count = 1});
    lists_case_free(&made);
    made = lists_case_make(0, 4);
    check_refused(&made, (dm_lists_options){.list_count = 0});
    lists_case_free(&made);
}

/* Rows without a node, whose content is undefined, are not read; zero rows have cosine 0 with everything. */
static void test_unused_and_zero(void) {
    for (uint32_t dims = 0; dims <= 6; dims += 6) {
        lists_case made = lists_case_make(300, 33);
        test_random random = {120};
        float query[33];
        lists_case_fill(&made, &random, 6, 8, 0.0);
        for (uint32_t row = 0; row < 300; row++) {
            for (uint32_t i = 0; i < 33 && (row % 3 == 0 || row % 7 == 1); i++) {
                lists_case_row(&made, row)[i] = row % 3 == 0 ? NAN : row % 2 == 0 ? 0.0f : 1e-30f;
            }
            made.slots[row] = row % 3 == 0 ? DM_SLOT_NONE : row;
        }
        lists_case_set_norms(&made);
        lists_case_open(&made, 12, dims, NULL);
        lists_case_check(&made);
        for (uint32_t i = 0; i < 20; i++) {
            lists_case_draw(&random, 33, 6, 8, 0.0, query);
            CHECK_EQUAL(lists_case_hits(&made, query, 10, 12), 10);
            CHECK_EQUAL(lists_case_hits(&made, query, 100, 12), 100);
            (void)lists_case_hits(&made, query, 10, 2);
        }
        memset(query, 0, sizeof(query)); /* of norm zero: all cosines are 0, so the first rows in use */
        dm_neighbour found[4];
        CHECK_EQUAL(dm_lists_search(made.lists, made.scratch, query, 4, 12, found), 4);
        CHECK(found[0].row == 1 && found[1].row == 2 && found[2].row == 4 && found[3].row == 5 && found[3].similarity == 0.0);
        lists_case_close(&made);
        lists_case_free(&made);
    }
}

static void test_equal_rows(void) {
    const uint32_t kinds[] = {1, 2, 50};
    for (size_t c = 0; c < 3; c++) {
        lists_case made = lists_case_make(400, 70);
        for (uint32_t row = 0; row < 400; row++) {
            test_random kind = {row % kinds[c]};
            test_random_fill(&kind, lists_case_row(&made, row), 70);
        }
        lists_case_set_norms(&made);
        for (uint32_t list_count = 1; list_count <= 80; list_count += 79) {
            lists_case_open(&made, list_count, 0, NULL);
            lists_case_check(&made);
            dm_neighbour found[8];
            const uint32_t kind = 3 % kinds[c];
            CHECK_EQUAL(dm_lists_search(made.lists, made.scratch, lists_case_row(&made, kind), 8, list_count, found), 8);
            for (uint32_t i = 0; i < 8; i++) {
                CHECK_EQUAL(found[i].row, kind + i * kinds[c]);
                CHECK(found[i].similarity == 1.0);
            }
            lists_case_close(&made);
        }
        lists_case_free(&made);
    }
}

/* Lengths must not matter: tiny and huge rows and queries are the same to a cosine. */
static void test_extremes(void) {
    lists_case made = lists_case_make(500, 70);
    test_random random = {130};
    float query[70];
    lists_case_fill(&made, &random, 8, 6, 0.0);
    for (uint32_t row = 0; row < 500; row++) {
        for (uint32_t i = 0; i < 70; i++) {
            lists_case_row(&made, row)[i] *= row % 3 == 0 ? 1e-15f : row % 3 == 1 ? 1e36f : 1.0f;
        }
    }
    lists_case_set_norms(&made);
    lists_case_open(&made, 20, 0, NULL);
    CHECK_EQUAL(dm_lists_dims(made.lists), 32);
    lists_case_check(&made);
    for (uint32_t i = 0; i < 30; i++) {
        lists_case_draw(&random, 70, 8, 6, 0.0, query);
        for (uint32_t c = 0; c < 70; c++) {
            query[c] *= i % 3 == 0 ? 1e-15f : i % 3 == 1 ? 1e36f : 1.0f;
        }
        CHECK_EQUAL(lists_case_hits(&made, query, 10, 20), 10);
    }
    for (uint32_t c = 0; c < 70; c++) { /* one-hot: outside of what the projection keeps */
        memset(query, 0, sizeof(query));
        query[c] = -1.0f;
        (void)lists_case_hits(&made, query, 10, 20);
    }
    lists_case_close(&made);
    lists_case_free(&made);
}

/* --- following ---------------------------------------------------------------------------------------------------- */

static dm_lists *follow(lists_case *made, dm_team *team) {
    char error[300] = "";
    dm_lists *lists = NULL;
    const dm_rows rows = lists_case_rows(made);
    CHECK_STATUS(dm_lists_follow(made->lists, &rows, made->isa, team, &made->account, &lists, error, sizeof(error)),
                 DM_OK, error);
    return lists;
}

static void check_same_lists(const dm_lists *a, const dm_lists *b) {
    REQUIRE(a != NULL && b != NULL);
    const size_t begins = ((size_t)a->list_count + 1) * sizeof(uint32_t);
    CHECK(a->list_count == b->list_count && a->dims == b->dims && a->used == b->used);
    CHECK(memcmp(a->begins, b->begins, begins) == 0 &&
          memcmp(a->members, b->members, a->used * sizeof(uint32_t)) == 0 &&
          memcmp(a->panels, b->panels, a->panel_begins[a->list_count] * a->panel_bytes) == 0);
}

/* Every row of before that is still there is in its list. */
static void check_kept(const dm_lists *before, const lists_case *made) {
    for (uint32_t list = 0; list < before->list_count; list++) {
        for (uint32_t at = before->begins[list]; at < before->begins[list + 1]; at++) {
            int is_there = made->slots[before->members[at]] == DM_SLOT_NONE;
            for (uint32_t now = made->lists->begins[list]; now < made->lists->begins[list + 1]; now++) {
                is_there |= made->lists->members[now] == before->members[at];
            }
            CHECK(is_there);
        }
    }
}

static void use_rows(lists_case *made, uint32_t begin, uint32_t end) {
    for (uint32_t row = 0; row < made->count; row++) {
        made->slots[row] = row >= begin && row < end ? row : DM_SLOT_NONE;
    }
}

/* Of 1,500 rows 1,000 are in lists; half of them go and as many come, which are as good there as in new lists. Then
 * rows come that lie in all dimensions, which the directions do not show. */
static void test_following(void) {
    enum { ROWS = 1500, USED = 1000, INNER = 8, CLUSTERS = 10, VISITS = 8 };
    lists_case made = lists_case_make(ROWS, 100);
    test_random random = {71};
    lists_case_fill(&made, &random, INNER, CLUSTERS, 0.0);
    use_rows(&made, 0, USED);
    lists_case_open(&made, 0, 0, NULL);
    CHECK_EQUAL(made.lists->dims, 32);
    dm_lists *before = made.lists;
    dm_lists *same = follow(&made, NULL);
    check_same_lists(before, same); /* nothing came or went */
    dm_lists_destroy(same, &made.account);
    use_rows(&made, ROWS - USED, ROWS);
    dm_lists *alone = follow(&made, NULL);
    for (uint32_t threads = 2; threads <= 4; threads++) {
        char error[300] = "";
        dm_team *team = NULL;
        CHECK_STATUS(dm_team_create(threads, &team, error, sizeof(error)), DM_OK, error);
        dm_lists *together = follow(&made, team);
        check_same_lists(alone, together);
        dm_lists_destroy(together, &made.account);
        dm_team_destroy(team);
    }
    dm_lists_scratch_destroy(made.scratch, &made.account);
    made.lists = alone;
    lists_case_open_scratch(&made);
    lists_case_check(&made);
    check_kept(before, &made);
    random.state = 72;
    const double followed = recall_of(&made, &random, INNER, CLUSTERS, 0.0, VISITS);
    use_rows(&made, 0, made.lists->list_count - 1);
    CHECK(follow(&made, NULL) == NULL); /* fewer rows than lists */
    use_rows(&made, ROWS - USED, ROWS);
    for (uint32_t row = ROWS - USED; row < ROWS; row += 10) {
        test_random_fill(&random, lists_case_row(&made, row), made.dim);
    }
    lists_case_set_norms(&made);
    CHECK(follow(&made, NULL) == NULL);
    random.state = 71;
    lists_case_fill(&made, &random, INNER, CLUSTERS, 0.0); /* as they were */
    dm_lists_destroy(before, &made.account);
    lists_case_close(&made);
    lists_case_open(&made, 0, 0, NULL);
    random.state = 72;
    const double anew = recall_of(&made, &random, INNER, CLUSTERS, 0.0, VISITS);
    printf("lists that half of the rows were exchanged in: recall %.4f, new ones %.4f\n", followed, anew);
    CHECK(followed >= 0.95 && followed >= anew - 0.02);
    lists_case_close(&made);
    lists_case_free(&made);
}

int main(void) {
    for (size_t v = 0; v < dm_lists_variant_count; v++) {
        test_report_variant("lists", dm_lists_variants[v].name, dm_lists_variants[v].isa);
    }
    test_all_lists();
    test_measured_dims();
    test_asked_dims();
    test_projected_query();
    test_recall();
    test_visits_are_nested();
    test_near_ties();
    test_noise();
    test_variants();
    test_images();
    test_few_rows();
    test_options();
    test_unused_and_zero();
    test_equal_rows();
    test_extremes();
    test_following();
    return test_report();
}
