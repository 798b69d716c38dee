/* test_spread_kernels.c: the kernels of spreading against models: `spreading` against a full matrix drawn from the same seed,
 * `fan_effect_anderson` against the closed forms of its times. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/kernels.h"
#include "tests/spread_model.h"
#include "tests/support.h"

static char error[256];

/* --- the model of the workload ---------------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t value) {
    test_random random = {value - UINT64_C(0x9e3779b97f4a7c15)};
    return test_random_next(&random);
}

static float draw_weight(test_random *random) {
    return 0.25f + (float)test_random_below(random, 512) / 1024.0f;
}

static void draw_graph(spread_model *model, test_random *random, uint32_t concepts, uint32_t fan) {
    const uint32_t episodes = model->episodes;
    for (uint32_t i = 0; i < 16 * model->nodes; i++) { /* embeddings */
        (void)test_random_next(random);
    }
    for (uint32_t c = 0; c < concepts; c++) {
        for (uint32_t j = 0; j < 1 + mix(c + UINT64_C(1)) % fan; j++) {
            uint32_t partner = (uint32_t)((mix(c) % episodes + j) % episodes);
            spread_model_connect(model, episodes + c, partner, draw_weight(random));
        }
    }
    for (uint32_t c = 0; c < concepts; c++) {
        for (int j = 0; j < 2; j++) {
            uint32_t other = (uint32_t)test_random_below(random, concepts - 1);
            other += other >= c;
            spread_model_connect(model, episodes + c, episodes + other, draw_weight(random));
        }
    }
    for (uint32_t e = 0; e + 1 < episodes; e++) {
        spread_model_connect(model, e, e + 1, draw_weight(random));
    }
}

/* 4,096 entries: enough for the small cases here. */
enum { SEQUENCE = 4096 };

static void draw_sequence(test_random *random, uint32_t *sequence, uint32_t count) {
    for (uint32_t begin = 0; begin < SEQUENCE; begin += count) {
        for (uint32_t i = 0; i < count && begin + i < SEQUENCE; i++) {
            uint32_t other = (uint32_t)test_random_below(random, i + 1);
            sequence[begin + i] = sequence[begin + other];
            sequence[begin + other] = i;
        }
    }
}

static uint64_t expected_checksum(spread_model *model, const uint32_t *sequence, uint64_t operation, uint32_t cues) {
    dm_spread_options options = dm_spread_defaults();
    double *activations = calloc(model->nodes, sizeof(double));
    REQUIRE(activations != NULL);
    for (uint32_t i = 0; i < cues; i++) {
        activations[model->episodes + sequence[(operation * cues + i) % SEQUENCE]] = 1.0;
    }
    spread_model_run(model, &options, activations);
    free(activations);
    uint64_t checksum = model->edges;
    for (uint32_t node = 0; node < model->nodes; node++) {
        float activation = (float)model->activations[node];
        uint32_t bits;
        memcpy(&bits, &activation, sizeof(bits));
        if (model->hops[node] >= 0) {
            checksum += ((uint64_t)spread_model_slot(model, node) << 8 | (uint32_t)model->hops[node]) * bits;
        }
    }
    return checksum;
}

/* --- spreading --------------------------------------------------------------------------------------------------------- */

static void check_spreading(const double *parameters, uint64_t seed) {
    const uint32_t concepts = (uint32_t)parameters[0];
    const uint32_t fan = (uint32_t)parameters[1];
    const uint32_t cues = (uint32_t)parameters[2];
    enum { OPERATIONS = 100 };
    spread_model model = spread_model_make(concepts > fan ? concepts : fan, concepts);
    test_random random = {seed};
    static uint32_t sequence[SEQUENCE];
    draw_graph(&model, &random, concepts, fan);
    draw_sequence(&random, sequence, concepts);
    uint64_t expected[OPERATIONS];
    double edges = 0.0;
    for (uint64_t i = 0; i < OPERATIONS; i++) {
        expected[i] = expected_checksum(&model, sequence, i, cues);
        edges += i < 64 ? (double)model.edges / 64.0 : 0.0;
    }
    for (size_t k = 0; k < dm_spreading_kernel_count; k++) {
        const dm_kernel *kernel = dm_spreading_kernels[k];
        dm_case work = {.size = sizeof(work), .seed = seed, .parameters = parameters, .parameter_count = 4, .placement = 128};
        dm_state *state = NULL;
        REQUIRE(CHECK_STATUS(kernel->setup(&work, &state, error, sizeof(error)), DM_OK, error));
        double metrics[4];
        for (uint64_t i = 0; i < OPERATIONS; i++) {
            CHECK_EQUAL(kernel->run(state, 1), expected[i]);
            if (i % 30 == 0) { /* reading metrics does not move the sequence on */
                CHECK_EQUAL(kernel->read_metrics(state, metrics, 4), DM_OK);
                CHECK(metrics[2] == edges);
            }
        }
        CHECK(metrics[0] == model.nodes && metrics[1] > 64.0 * model.nodes && metrics[3] > 1.0);
        kernel->teardown(state);
    }
    spread_model_free(&model);
}

/* --- Anderson's experiment ---------------------------------------------------------------------------------------------- */

static double time_s(double activation) {
    return 0.845 + 0.63 * exp(-activation);
}

static void check_anderson(void) {
    const dm_kernel *kernel = dm_fan_effect_anderson_kernels[0];
    CHECK_EQUAL(dm_fan_effect_anderson_kernel_count, 1);
    dm_case work = {.size = sizeof(work), .seed = 3};
    dm_state *state = NULL;
    REQUIRE(CHECK_STATUS(kernel->setup(&work, &state, error, sizeof(error)), DM_OK, error));
    double metrics[5];
    CHECK_EQUAL(kernel->read_metrics(state, metrics, 5), DM_OK);
    CHECK(metrics[0] == 63.0);
    CHECK(fabs(metrics[2] - 0.053) < 0.0005 && fabs(metrics[3] - 0.864) < 0.0005 && metrics[4] < 1e-6);
    double output[19] = {[18] = -1.0};
    size_t needed = 0;
    CHECK_EQUAL(kernel->read_output(state, output, 18, &needed), DM_OK);
    CHECK_EQUAL(needed, 18);
    CHECK(output[0] == 0.0 && output[17] == 0.0); /* reading metrics is no operation */
    (void)kernel->run(state, 17);
    CHECK_EQUAL(kernel->read_output(state, output, 18, &needed), DM_OK);
    int missing = 0;
    for (int i = 0; i < 18; i++) {
        missing += output[i] == 0.0;
    }
    CHECK_EQUAL(missing, 1);
    (void)kernel->run(state, 1);
    CHECK_EQUAL(kernel->read_output(state, output, 18, &needed), DM_OK);
    for (int i = 0; i < 9; i++) {
        double person = (1.6 - log(2.0 + i % 3)) / 2.0;
        double place = (1.6 - log(2.0 + i / 3)) / 2.0;
        CHECK_NEAR(output[i], time_s(person + place), 1e-7);
        CHECK_NEAR(output[9 + i], (time_s(person) + time_s(place)) / 2.0, 1e-7);
    }
    CHECK(output[18] == -1.0);
    kernel->teardown(state);
}

int main(void) {
    const double cases[][4] = {{3, 1, 1, 1}, {40, 5, 3, 1}, {90, 20, 7, 2}, {10, 30, 64, 1}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        check_spreading(cases[i], 70 + i);
    }
    check_anderson();
    return test_report();
}
