/* test_activation_kernels.c: the kernels of activation mapping and decay against models with arrays of their own, and their own
 * copy of how inputs are drawn from the seed. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/kernels.h"
#include "tests/support.h"

static char error[256];

static dm_state *set_up(const dm_kernel *kernel, const double *parameters, uint64_t seed, size_t placement) {
    dm_case work = {.size = sizeof(work), .seed = seed, .parameters = parameters,
                    .parameter_count = kernel->parameter_count, .placement = placement};
    dm_state *state = NULL;
    REQUIRE(CHECK_STATUS(kernel->setup(&work, &state, error, sizeof(error)), DM_OK, error));
    return state;
}

static int is_supported(const dm_kernel *kernel) {
    return kernel->supported == NULL || kernel->supported(error, sizeof(error)) == DM_OK;
}

static double *read_all(const dm_kernel *kernel, dm_state *state, size_t expected) {
    size_t needed = 0;
    double *values = malloc(expected * sizeof(double));
    REQUIRE(values != NULL);
    CHECK_STATUS(kernel->read_output(state, values, expected, &needed), DM_OK, "none");
    REQUIRE(CHECK_EQUAL(needed, expected));
    return values;
}

static uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

/* --- activation mapping ------------------------------------------------------------------------------------------------- */

static double mapped(const char *name, double mode, float input, uint32_t fan) {
    double sigmoid = 1.0 / (1.0 + exp(-((double)input - (double)0.4f) / 0.5));
    double associates = fan > 1 ? (double)fan : 1.0;
    if (strcmp(name, "activation_sigmoid") == 0) {
        return sigmoid;
    }
    if (strcmp(name, "activation_fused") == 0) {
        return sigmoid / sqrt(associates);
    }
    REQUIRE(strcmp(name, "fan_effect") == 0);
    return (double)input * (mode == 0.0   ? 1.0 / associates
                            : mode == 1.0 ? 1.0 / sqrt(associates)
                                          : fmax(0.0, 1.6 - log(associates)));
}

/* After `done` operations the first `done` elements, or all, hold their results, and the rest still zeros. */
static void check_output(const dm_kernel *kernel, dm_state *state, const double *parameters, uint64_t seed, uint64_t done) {
    uint64_t count = (uint64_t)parameters[0];
    double *values = read_all(kernel, state, count);
    test_random random = {seed};
    for (uint64_t i = 0; i < count; i++) {
        float input = (float)test_random_below(&random, 1 << 20) / (float)(1 << 20);
        uint32_t fan = 0;
        if (strcmp(kernel->name, "fan_effect") != 0) {
            input = 2.0f * input - 1.0f;
        }
        if (strcmp(kernel->name, "activation_sigmoid") != 0) {
            fan = (uint32_t)test_random_below(&random, 1000);
        }
        double expected = i < done ? mapped(kernel->name, parameters[1], input, fan) : 0.0;
        CHECK(fabs(values[i] - expected) <= 1e-6 * expected);
    }
    free(values);
}

/* Each result's bits count once in the checksums of sixteen batches. */
static void check_checksum(const dm_kernel *kernel, dm_state *state, uint64_t count) {
    uint64_t sum = 0;
    for (int batch = 0; batch < 16; batch++) {
        sum += kernel->run(state, count);
    }
    double *values = read_all(kernel, state, count);
    uint64_t expected = 0;
    for (uint64_t i = 0; i < count; i++) {
        expected += bits_of((float)values[i]);
    }
    CHECK_EQUAL(sum, expected);
    free(values);
}

static void check_activation(const dm_kernel *kernel, double count, double mode, uint64_t seed) {
    const double parameters[2] = {count, mode};
    dm_state *state = set_up(kernel, parameters, seed, 64 * (size_t)(seed % 64));
    check_checksum(kernel, state, (uint64_t)count); /* whole batches: the cursor is back at the beginning */
    kernel->teardown(state);
    state = set_up(kernel, parameters, seed, 0);
    const uint64_t steps[] = {0, 1, 2, 13, 64, 500, 5000};
    uint64_t done = 0;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        (void)kernel->run(state, steps[i]);
        done += steps[i];
        check_output(kernel, state, parameters, seed, done);
    }
    double metrics[4] = {0};
    CHECK_STATUS(kernel->read_metrics(state, metrics, 4), DM_OK, "none");
    double arrays = strcmp(kernel->name, "activation_sigmoid") == 0 ? 2 : 3;
    CHECK_NEAR(metrics[0], count, 0.0);
    CHECK_NEAR(metrics[1], 4.0 * count * arrays, 0.0);
    CHECK_NEAR(metrics[2], 4.0 * arrays, 0.0);
    CHECK_NEAR(metrics[3], 4.0 * arrays * count, 0.0);
    kernel->teardown(state);
}

/* --- decay ----------------------------------------------------------------------------------------------------------------- */

enum { PASSES = 4096 };

/* `passes` passes and `rest` bindings later. */
static void check_strengths(const dm_kernel *kernel, dm_state *state, const double *original, size_t bindings,
                            uint64_t passes, uint64_t rest) {
    double *values = read_all(kernel, state, bindings);
    double modulation = 1.0 / (1.0 + 0.25 * log(8.0));
    for (size_t i = 0; i < bindings; i++) {
        uint64_t times = passes % PASSES + (i < rest / 8 * 8);
        double expected = original[i] * exp(-0x1.0p-14 * modulation * (double)times);
        CHECK(fabs(values[i] - expected) <= 1.2e-7 * (double)(times + 1) * expected);
        CHECK(times > 0 || values[i] == original[i]); /* set back, to the bit */
        CHECK(values[i] > 0.2 && values[i] < 0.75);
    }
    free(values);
}

static void check_decay(const dm_kernel *kernel, double wanted, uint64_t seed) {
    size_t bindings = (size_t)wanted / 8 * 8;
    dm_state *state = set_up(kernel, &wanted, seed, 64 * (size_t)(seed % 64));
    double *original = read_all(kernel, state, bindings);
    const uint64_t steps[] = {1, 7, 8, 0, 5, bindings, 3 * bindings + 11, 2000 * bindings, 2091 * bindings, 4096 * bindings, 40};
    uint64_t done = 0;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        (void)kernel->run(state, steps[i]);
        done += steps[i];
        check_strengths(kernel, state, original, bindings, done / bindings, done % bindings);
    }
    double metrics[4] = {0};
    CHECK_STATUS(kernel->read_metrics(state, metrics, 4), DM_OK, "none");
    CHECK(metrics[0] >= 2.0 * (double)bindings / 8 && metrics[1] > 4.0 * (double)bindings && metrics[2] == 10.5 &&
          metrics[3] == 6.5 * (double)(bindings / 8 * 8));
    free(original);
    kernel->teardown(state);
}

int main(void) {
    const double counts[] = {1, 7, 16, 1000, 1003};
    for (size_t k = 0; k < dm_activation_kernel_count; k++) {
        const dm_kernel *kernel = dm_activation_kernels[k];
        for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]) && is_supported(kernel); c++) {
            for (int mode = 0; mode < (kernel->parameter_count == 2 ? 3 : 1); mode++) {
                check_activation(kernel, counts[c], mode, k + 10 * c);
            }
        }
        if (!is_supported(kernel)) {
            test_skip(kernel->name, error);
        }
    }
    const double sizes[] = {8, 15, 1000, 1601};
    for (size_t k = 0; k < dm_decay_kernel_count; k++) {
        for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]) && is_supported(dm_decay_kernels[k]); s++) {
            check_decay(dm_decay_kernels[k], sizes[s], 5 + s);
        }
        if (!is_supported(dm_decay_kernels[k])) {
            test_skip(dm_decay_kernels[k]->name, error);
        }
    }
    return test_report();
}
