/* test_ceiling.c: a ceiling that skips work would be too high, and every kernel's distance from it too large: each loop must have
 * read every word and computed in every lane. */
#include <math.h>
#include <string.h>

#include "kernels/kernels.h"
#include "simd/ceiling.h"
#include "tests/support.h"
#include "tests/variants.h"

enum { WORDS = DM_CEILING_CHUNK / sizeof(uint64_t) };

static void reads_every_word(const dm_ceiling_variant *variant) {
    test_random random = {11};
    for (size_t chunks = 0; chunks <= 3; chunks++) {
        uint64_t *words = test_guard_allocate(chunks * DM_CEILING_CHUNK + 64, TEST_GUARD_AFTER);
        memset(words, 0, chunks * DM_CEILING_CHUNK + 64);
        words += 8; /* the last word is the last before the guard page */
        CHECK_EQUAL(variant->read(words, chunks), 0);
        uint64_t sum = 0;
        for (size_t i = 0; i < chunks * WORDS; i++) {
            words[i] = UINT64_C(1) << (i % 64);
            CHECK_EQUAL(variant->read(words, chunks), words[i]);
            words[i] = 0;
        }
        for (size_t i = 0; i < chunks * WORDS; i++) {
            words[i] = test_random_next(&random) >> 12; /* SIMDe adds with a sign, and must not overflow */
            sum += words[i];
        }
        CHECK_EQUAL(variant->read(words, chunks), sum);
        test_guard_free(words - 8);
    }
}

/* A power of two more every round: exact, so a round or a lane too few shows. */
static void computes_in_every_lane(const dm_ceiling_variant *variant) {
    for (uint64_t rounds = 0; rounds <= 40; rounds++) {
        CHECK(variant->multiply_add(3.0f, 2.0f, 0.0f, rounds) == ldexp(3.0, (int)rounds) * variant->lanes);
        CHECK(variant->multiply_add(0.0f, 1.0f, 1.0f, rounds) == (double)rounds * variant->lanes);
    }
    CHECK(fabs(variant->multiply_add(2.5f, 0.5f, 0.5f, 100) / variant->lanes - 1.0) < 1e-6);
}

static const dm_kernel *kernel_of(const char *name) {
    for (size_t i = 0; i < dm_ceiling_kernel_count; i++) {
        if (strcmp(dm_ceiling_kernels[i]->name, name) == 0 && strcmp(dm_ceiling_kernels[i]->variant, "auto") == 0) {
            return dm_ceiling_kernels[i];
        }
    }
    return NULL;
}

/* Several threads read every word of every buffer, however the operations are cut: a thread that idled, or read its neighbour's
 * buffer, would show in the sum. */
static void reads_with_threads(uint32_t threads) {
    enum { CHUNKS = 5 };
    const dm_kernel *kernel = kernel_of("ceiling_read");
    const double parameters[] = {CHUNKS * DM_CEILING_CHUNK, threads};
    const dm_case work = {.size = sizeof(work), .seed = 7, .parameters = parameters, .parameter_count = 2};
    dm_state *state = NULL;
    char error[256] = "";
    CHECK(kernel->setup(&work, &state, error, sizeof(error)) == DM_OK);
    uint64_t all = kernel->run(state, (uint64_t)CHUNKS * threads);
    uint64_t piecewise = 0;
    for (int i = 0; i < CHUNKS; i++) {
        piecewise += kernel->run(state, threads);
    }
    CHECK(all != 0 && piecewise == all);
    uint64_t one = 0; /* one operation is the first thread's: all of its chunks, and none of the others' */
    for (int i = 0; i < CHUNKS; i++) {
        one += kernel->run(state, 1);
    }
    CHECK(threads == 1 ? one == all : one != all);
    double metrics[4];
    CHECK(kernel->read_metrics(state, metrics, 4) == DM_OK);
    CHECK(metrics[0] == (double)CHUNKS * threads && metrics[3] == CHUNKS * DM_CEILING_CHUNK);
    kernel->teardown(state);
}

static void computes_with_threads(uint32_t threads) {
    const dm_kernel *kernel = kernel_of("ceiling_fma");
    const double parameters[] = {threads};
    const dm_case work = {.size = sizeof(work), .seed = 7, .parameters = parameters, .parameter_count = 1};
    dm_state *state = NULL;
    char error[256] = "";
    CHECK(kernel->setup(&work, &state, error, sizeof(error)) == DM_OK);
    (void)kernel->run(state, UINT64_C(1000) * threads);
    double value = 0;
    size_t needed = 0;
    CHECK(kernel->read_output(state, &value, 1, &needed) == DM_OK && needed == 1);
    CHECK(fabs(value - 1.0) < 1e-6);
    kernel->teardown(state);
}

int main(void) {
    for (uint32_t threads = 1; threads <= 3; threads++) {
        reads_with_threads(threads);
        computes_with_threads(threads);
    }
    for (size_t i = 0; i < dm_ceiling_variant_count; i++) {
        const dm_ceiling_variant *variant = &dm_ceiling_variants[i];
        test_report_variant("ceiling", variant->name, variant->isa);
        CHECK(dm_ceiling_find(variant->name) == variant);
        if (dm_isa_has(variant->isa)) {
            reads_every_word(variant);
            computes_in_every_lane(variant);
        }
    }
    CHECK(dm_ceiling_find("none") == NULL);
    CHECK(dm_isa_has(dm_ceiling_best()->isa));
    return test_report();
}
