/* test_activation.c: every variant of the activation family against the formulas in long double, between guard pages: every
 * tail, every magnitude, every kind of fan; then the calls of dualmem.h. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "simd/activation.h"
#include "tests/support.h"
#include "tests/variants.h"

static char error[256];

/* --- the oracle ------------------------------------------------------------------------------------------------------ */

static long double true_sigmoid(float s, float threshold, float temperature) {
    long double width = temperature > 0.05 ? (long double)temperature : 0.05L;
    return 1.0L / (1.0L + expl(-((long double)s - (long double)threshold) / width));
}

static long double true_fan(float a, uint32_t fan, int mode) {
    long double associates = fan > 1 ? (long double)fan : 1.0L;
    switch (mode) {
    case DM_FAN_LINEAR:
        return (long double)a / associates;
    case DM_FAN_SQRT:
        return (long double)a / sqrtl(associates);
    default:
        return (long double)a * fmaxl(0.0L, 1.6L - logl(associates));
    }
}

/* Relative error; of results below FLT_MIN, whose digits are not promised, 0 when the value is in reach. */
static double error_of(float value, long double expected) {
    long double distance = fabsl((long double)value - expected);
    if (fabsl(expected) < (long double)FLT_MIN) {
        return distance <= (long double)FLT_MIN ? 0.0 : HUGE_VAL;
    }
    if (fabsl(expected) > (long double)FLT_MAX) { /* 1.6 times the largest activations */
        return isinf(value) && (value > 0) == (expected > 0) ? 0.0 : HUGE_VAL;
    }
    return (double)(distance / fabsl(expected)); /* a NaN fails the comparison below */
}

enum { SIGMOID, FAN, FUSED = FAN + DM_FAN_MODES, WORKS };
static const char *const work_names[WORKS] = {"sigmoid", "fan linear", "fan sqrt", "fan actr", "fused"};
static double worst_error[8][WORKS]; /* per variant */

static void check_value(size_t v, int work, float value, long double expected) {
    double found = error_of(value, expected);
    if (!CHECK(found <= 1e-6)) {
        fprintf(stderr, "  %s %s: %.9g, expected %.9Lg\n", dm_activation_variants[v].name, work_names[work], (double)value,
                expected);
    }
    worst_error[v][work] = found > worst_error[v][work] ? found : worst_error[v][work];
}

/* --- batches between guard pages ---------------------------------------------------------------------------------------- */

typedef struct batch {
    float *inputs;
    uint32_t *fans;
    float *results;
    size_t count;
    int side;
} batch;

static batch make_batch(size_t count, int side) {
    return (batch){test_guard_allocate(count * sizeof(float), side), test_guard_allocate(count * sizeof(uint32_t), side),
                   test_guard_allocate(count * sizeof(float), side), count, side};
}

static void free_batch(batch *made) {
    test_guard_free(made->inputs);
    test_guard_free(made->fans);
    test_guard_free(made->results);
}

static void run_work(size_t v, int work, const batch *made, const dm_sigmoid *sigmoid, float *results) {
    const dm_activation_variant *variant = &dm_activation_variants[v];
    if (work == SIGMOID) {
        variant->sigmoid(made->inputs, made->count, sigmoid, results);
    } else if (work == FUSED) {
        variant->fused(made->inputs, made->fans, made->count, sigmoid, results);
    } else {
        variant->fan[work - FAN](made->inputs, made->fans, made->count, results);
    }
}

static long double true_value(const batch *made, size_t i, int work, float threshold, float temperature) {
    if (work != SIGMOID && work != FUSED) {
        return true_fan(made->inputs[i], made->fans[i], work - FAN);
    }
    long double mapped = true_sigmoid(made->inputs[i], threshold, temperature);
    return work == SIGMOID ? mapped : mapped * true_fan(1.0f, made->fans[i], DM_FAN_SQRT);
}

static void check_batch(const batch *made, float threshold, float temperature) {
    const dm_sigmoid sigmoid = dm_sigmoid_make(threshold, temperature);
    float *copy = test_guard_allocate(made->count * sizeof(float), made->side);
    long double *expected = test_guard_allocate(made->count * sizeof(long double), TEST_GUARD_BEFORE);
    for (int work = 0; work < WORKS; work++) {
        for (size_t i = 0; i < made->count; i++) {
            expected[i] = true_value(made, i, work, threshold, temperature);
        }
        for (size_t v = 0; v < dm_activation_variant_count; v++) {
            if (!dm_isa_has(dm_activation_variants[v].isa)) {
                continue;
            }
            memset(made->results, 0xFF, made->count * sizeof(float));
            run_work(v, work, made, &sigmoid, made->results);
            for (size_t i = 0; i < made->count; i++) {
                check_value(v, work, made->results[i], expected[i]);
            }
            memcpy(copy, made->inputs, made->count * sizeof(float)); /* the same in place */
            batch in_place = *made;
            in_place.inputs = copy;
            run_work(v, work, &in_place, &sigmoid, copy);
            CHECK(memcmp(copy, made->results, made->count * sizeof(float)) == 0);
        }
    }
    test_guard_free(copy);
    test_guard_free(expected);
}

/* --- cases ------------------------------------------------------------------------------------------------------------------ */

static void test_every_tail(void) {
    test_random random = {1};
    for (size_t count = 0; count <= 40; count++) {
        for (int side = 0; side < 2; side++) {
            batch made = make_batch(count, side);
            for (size_t i = 0; i < count; i++) {
                made.inputs[i] = (float)test_random_uniform(&random, -1.0, 1.0);
                made.fans[i] = (uint32_t)test_random_below(&random, 100);
            }
            check_batch(&made, DM_SIGMOID_THRESHOLD, DM_SIGMOID_TEMPERATURE);
            free_batch(&made);
        }
    }
}

/* One element in each place of 33 among zeros has the bits it has alone: no lane differs, none depends on another. */
static void test_every_place(void) {
    enum { COUNT = 33 };
    const dm_sigmoid sigmoid = dm_sigmoid_make(0.3f, 0.2f);
    for (size_t v = 0; v < dm_activation_variant_count; v++) {
        for (int work = 0; work < WORKS && dm_isa_has(dm_activation_variants[v].isa); work++) {
            batch alone = make_batch(1, TEST_GUARD_AFTER);
            alone.inputs[0] = 0.7654321f;
            alone.fans[0] = 3;
            run_work(v, work, &alone, &sigmoid, alone.results);
            for (size_t place = 0; place < COUNT; place++) {
                batch made = make_batch(COUNT, TEST_GUARD_AFTER);
                made.inputs[place] = 0.7654321f;
                made.fans[place] = 3;
                run_work(v, work, &made, &sigmoid, made.results);
                for (size_t i = 0; i < COUNT; i++) {
                    CHECK_EQUAL(memcmp(&made.results[i], alone.results, sizeof(float)) == 0, i == place);
                }
                free_batch(&made);
            }
            free_batch(&alone);
        }
    }
}

static float any_finite(test_random *random) {
    for (;;) {
        uint32_t bits = (uint32_t)test_random_next(random);
        float value;
        memcpy(&value, &bits, sizeof(value));
        if (isfinite(value)) {
            return value;
        }
    }
}

static const uint32_t hard_fans[] = {0,          1,          2,          3,          4,          5,        6,
                                     7,          8,          9,          255,        65535,      65536,    16777215,
                                     16777216,   16777217,   33554433,   2147483519, 2147483647, 1u << 31, (1u << 31) + 1,
                                     2147483777, 3000000001, 4294967040, 4294967167, 4294967294, UINT32_MAX};
enum { HARD_FANS = sizeof(hard_fans) / sizeof(hard_fans[0]) };

/* Similarities where the sigmoid is neither 0 nor 1, for every sharpness, and thresholds on both sides of where the fast form
 * ends; then similarities, thresholds and temperatures of every magnitude. */
static void test_sigmoid_everywhere(void) {
    test_random random = {2};
    const float thresholds[] = {0.4f,  0.0f,  -0.9f, 1.0f, 4.42f, 4.45f, -44.3f, 44.4f,  -100.0f,
                                1e-30f, 1e-42f, 1e5f,  -1e6f, 1e30f, FLT_MAX, -FLT_MAX};
    const float temperatures[] = {0.5f, 0.05f, 0.0499f, 0.0f, -2.0f, 1e-42f, 0.1f, 0.3f, 1.0f, 10.0f, 1e4f, 1e20f, FLT_MAX};
    enum { COUNT = 500 };
    for (size_t t = 0; t < sizeof(thresholds) / sizeof(thresholds[0]); t++) {
        for (size_t w = 0; w < sizeof(temperatures) / sizeof(temperatures[0]); w++) {
            batch made = make_batch(COUNT, TEST_GUARD_BEFORE);
            double width = fmax((double)temperatures[w], 0.05);
            for (size_t i = 0; i < COUNT; i++) {
                double near = (double)thresholds[t] + width * test_random_uniform(&random, -92.0, 25.0);
                near = fmin(fmax(near, -(double)FLT_MAX), (double)FLT_MAX);
                made.inputs[i] = i % 4 == 0 ? any_finite(&random) : (float)near;
                made.fans[i] = hard_fans[test_random_below(&random, HARD_FANS)];
            }
            check_batch(&made, thresholds[t], temperatures[w]);
            free_batch(&made);
        }
    }
    for (int trial = 0; trial < 200; trial++) {
        batch made = make_batch(40, TEST_GUARD_BEFORE);
        for (size_t i = 0; i < made.count; i++) {
            made.inputs[i] = any_finite(&random);
            made.fans[i] = (uint32_t)(test_random_next(&random) >> (32 + test_random_below(&random, 32)));
        }
        check_batch(&made, any_finite(&random), any_finite(&random));
        free_batch(&made);
    }
}

/* A fine walk over what callers have: cosines, at the usual and at the sharpest temperature. */
static void test_sigmoid_on_cosines(void) {
    enum { COUNT = 200001 };
    batch made = make_batch(COUNT, TEST_GUARD_AFTER);
    for (size_t i = 0; i < COUNT; i++) {
        made.inputs[i] = (float)i / 100000.0f - 1.0f;
        made.fans[i] = (uint32_t)i;
    }
    check_batch(&made, DM_SIGMOID_THRESHOLD, DM_SIGMOID_TEMPERATURE);
    check_batch(&made, DM_SIGMOID_THRESHOLD, 0.05f);
    free_batch(&made);
}

static void test_fan_everywhere(void) {
    const float activations[] = {0.0f,    1.0f,  0.5f,    0.1f,     -0.3f, 1e-45f, 1e-40f, FLT_MIN, -FLT_MIN,
                                 1.5e-38f, 3e-38f, 1e-30f, 1e30f, 3e38f, FLT_MAX, -FLT_MAX};
    enum { ACTIVATIONS = sizeof(activations) / sizeof(activations[0]) };
    batch made = make_batch(ACTIVATIONS * HARD_FANS, TEST_GUARD_AFTER);
    for (size_t i = 0; i < made.count; i++) {
        made.inputs[i] = activations[i % ACTIVATIONS];
        made.fans[i] = hard_fans[i / ACTIVATIONS];
    }
    check_batch(&made, DM_SIGMOID_THRESHOLD, DM_SIGMOID_TEMPERATURE);
    free_batch(&made);
    enum { COUNT = 100000 };
    test_random random = {3};
    made = make_batch(COUNT, TEST_GUARD_AFTER);
    for (size_t i = 0; i < COUNT; i++) {
        made.inputs[i] = (float)test_random_uniform(&random, 0.0, 1.0);
        made.fans[i] = (uint32_t)(test_random_next(&random) >> (32 + test_random_below(&random, 32)));
    }
    check_batch(&made, DM_SIGMOID_THRESHOLD, DM_SIGMOID_TEMPERATURE);
    free_batch(&made);
}

static void test_not_finite(void) {
    const dm_sigmoid sigmoid = dm_sigmoid_make(DM_SIGMOID_THRESHOLD, DM_SIGMOID_TEMPERATURE);
    const float inputs[] = {NAN, INFINITY, -INFINITY, 0.4f, NAN, INFINITY, -INFINITY, 0.4f, NAN, 0.4f, -NAN};
    enum { COUNT = sizeof(inputs) / sizeof(inputs[0]) };
    batch made = make_batch(COUNT, TEST_GUARD_AFTER);
    memcpy(made.inputs, inputs, sizeof(inputs));
    for (size_t v = 0; v < dm_activation_variant_count; v++) {
        for (int work = 0; work < WORKS && dm_isa_has(dm_activation_variants[v].isa); work++) {
            run_work(v, work, &made, &sigmoid, made.results);
            int maps = work == SIGMOID || work == FUSED;
            for (size_t i = 0; i < COUNT; i++) {
                float value = made.results[i];
                if (isnan(inputs[i])) {
                    CHECK(isnan(value));
                } else if (isinf(inputs[i])) {
                    CHECK(!maps ? isinf(value) && (value > 0) == (inputs[i] > 0)
                                : inputs[i] > 0 ? value == 1.0f
                                                : value >= 0.0f && value < FLT_MIN);
                } else {
                    CHECK(isfinite(value)); /* a neighbour's NaN stays there */
                }
            }
        }
    }
    free_batch(&made);
}

/* --- the calls --------------------------------------------------------------------------------------------------------------- */

static void test_published_vectors(void) {
    const float similarities[] = {-1.0f, 0.0f, 0.4f, 0.5f, 0.9f, 1.0f};
    const double expected[] = {0.05732, 0.31003, 0.5, 0.54983, 0.73106, 0.76852};
    float results[8];
    CHECK_STATUS(dm_activation_sigmoid(similarities, 6, DM_SIGMOID_THRESHOLD, DM_SIGMOID_TEMPERATURE, results, error,
                                       sizeof(error)), DM_OK, error);
    for (int i = 0; i < 6; i++) {
        CHECK_NEAR(results[i], expected[i], 5.1e-6);
    }
    CHECK_NEAR(results[2], 0.5, 0.0); /* at the threshold, exactly */
    const float activations[] = {1, 2, 3, 4, 5, 6, 7, 8};
    const uint32_t fans[] = {1, 4, 9, 16, 25, 36, 49, 64};
    CHECK_STATUS(dm_activation_fan(activations, 8, fans, 8, DM_FAN_SQRT, results, error, sizeof(error)), DM_OK, error);
    for (int i = 0; i < 8; i++) {
        CHECK_NEAR(results[i], 1.0, 1e-6);
    }
    CHECK_STATUS(dm_activation_sigmoid_fan(similarities, 6, fans, 6, DM_SIGMOID_THRESHOLD, DM_SIGMOID_TEMPERATURE, results,
                                           error, sizeof(error)), DM_OK, error);
    for (int i = 0; i < 6; i++) {
        CHECK_NEAR(results[i], expected[i] / (i + 1), 5.1e-6);
    }
    CHECK_STATUS(dm_activation_fan(activations, 8, fans, 8, DM_FAN_LINEAR, results, error, sizeof(error)), DM_OK, error);
    for (int i = 0; i < 8; i++) {
        CHECK_NEAR(results[i] * (float)fans[i], activations[i], 2e-7); /* what all associates get together */
    }
}

/* Retrieval times of the fan experiment (Anderson 1974) by ACT-R's equations: person and location are sources of weight 1/2,
 * and the fan counts the node itself. */
static void test_fan_experiment(void) {
    const double expected[3][3] = {{1.099, 1.157, 1.205}, {1.157, 1.227, 1.286}, {1.205, 1.286, 1.354}};
    for (uint32_t location = 1; location <= 3; location++) {
        for (uint32_t person = 1; person <= 3; person++) {
            const float weights[] = {0.5f, 0.5f};
            const uint32_t fans[] = {location + 1, person + 1};
            float reached[2];
            CHECK_STATUS(dm_activation_fan(weights, 2, fans, 2, DM_FAN_ACTR, reached, error, sizeof(error)), DM_OK, error);
            double seconds = 0.845 + 0.63 * exp(-((double)reached[0] + (double)reached[1]));
            CHECK(fabs(seconds - expected[location - 1][person - 1]) < 1e-3);
        }
    }
}

static void test_refusals(void) {
    const float inputs[4] = {0.1f, 0.2f, 0.3f, 0.4f};
    const uint32_t fans[4] = {1, 2, 3, 4};
    float results[4] = {-7, -7, -7, -7};
    size_t room = sizeof(error);
    CHECK_STATUS(dm_activation_fan(inputs, 4, fans, 3, DM_FAN_SQRT, results, error, room), DM_ERROR_ARGUMENT, error);
    CHECK_STATUS(dm_activation_fan(inputs, 3, fans, 4, DM_FAN_SQRT, results, error, room), DM_ERROR_ARGUMENT, error);
    CHECK_STATUS(dm_activation_fan(inputs, 4, fans, 4, -1, results, error, room), DM_ERROR_ARGUMENT, error);
    CHECK_STATUS(dm_activation_fan(inputs, 4, fans, 4, 3, results, error, room), DM_ERROR_ARGUMENT, error);
    CHECK_STATUS(dm_activation_sigmoid_fan(inputs, 4, fans, 5, 0.4f, 0.5f, results, error, room), DM_ERROR_ARGUMENT, error);
    CHECK_STATUS(dm_activation_sigmoid_fan(inputs, 4, fans, 4, INFINITY, 0.5f, results, error, room), DM_ERROR_ARGUMENT,
                 error);
    CHECK_STATUS(dm_activation_sigmoid(inputs, 4, NAN, 0.5f, results, error, room), DM_ERROR_ARGUMENT, error);
    CHECK_STATUS(dm_activation_sigmoid(inputs, 4, 0.4f, -INFINITY, results, error, room), DM_ERROR_ARGUMENT, error);
    CHECK_STATUS(dm_activation_sigmoid(inputs, 4, 0.4f, NAN, results, NULL, 0), DM_ERROR_ARGUMENT, "no buffer");
    for (int i = 0; i < 4; i++) {
        CHECK(results[i] == -7.0f);
    }
    CHECK_STATUS(dm_activation_fan(inputs, 0, fans, 0, DM_FAN_ACTR, results, error, room), DM_OK, error);
    CHECK(results[0] == -7.0f);
}

static void test_table(void) {
    CHECK(strcmp(dm_activation_variants[0].name, "scalar") == 0);
    CHECK(dm_isa_has(dm_activation_best()->isa) && dm_activation_best() == dm_activation_best());
    CHECK(dm_activation_find("scalar") == &dm_activation_variants[0] && dm_activation_find("none") == NULL);
    size_t best = 0;
    for (size_t v = 0; v < dm_activation_variant_count; v++) {
        best = dm_isa_has(dm_activation_variants[v].isa) ? v : best;
    }
    CHECK(dm_activation_best() == &dm_activation_variants[best]);
}

int main(void) {
    test_table();
    test_every_tail();
    test_every_place();
    test_sigmoid_everywhere();
    test_sigmoid_on_cosines();
    test_fan_everywhere();
    test_not_finite();
    test_published_vectors();
    test_fan_experiment();
    test_refusals();
    for (size_t v = 0; v < dm_activation_variant_count; v++) {
        test_report_variant("activation", dm_activation_variants[v].name, dm_activation_variants[v].isa);
        for (int work = 0; work < WORKS && dm_isa_has(dm_activation_variants[v].isa); work++) {
            printf("  %s: largest relative error %.2g\n", work_names[work], worst_error[v][work]);
        }
    }
    return test_report();
}
