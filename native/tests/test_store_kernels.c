/* test_store_kernels.c: the store's kernels against a model that has arrays where they have a store, and its own copy of how
 * a workload is drawn from the seed. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/kernels.h"
#include "tests/support.h"

static char error[256];

static const dm_kernel *find(const dm_kernel *const *kernels, size_t count, const char *name, const char *variant) {
    const dm_kernel *found = NULL;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(kernels[i]->name, name) == 0 && strcmp(kernels[i]->variant, variant) == 0) {
            found = kernels[i];
        }
    }
    REQUIRE(found != NULL);
    return found;
}

/* --- the model of a workload ---------------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t value) { /* the output function of splitmix64: what test_random_next does after its addition */
    test_random random = {value - UINT64_C(0x9e3779b97f4a7c15)};
    return test_random_next(&random);
}

static void skip_embeddings(test_random *random, uint64_t nodes, int has_data) {
    for (uint64_t i = 0; !has_data && i < 16 * nodes; i++) {
        (void)test_random_next(random);
    }
}

static uint64_t sequence_length(uint64_t count) {
    uint64_t length = 4096;
    while (length < 2 * count && length < (1 << 22)) {
        length *= 2;
    }
    return length;
}

static uint32_t *draw_sequence(test_random *random, uint64_t count) {
    uint64_t length = sequence_length(count);
    uint32_t *sequence = malloc(length * sizeof(uint32_t));
    REQUIRE(sequence != NULL);
    for (uint64_t begin = 0; begin < length; begin += count) {
        for (uint64_t i = 0; i < count && begin + i < length; i++) {
            uint64_t other = test_random_below(random, i + 1);
            sequence[begin + i] = sequence[begin + other];
            sequence[begin + other] = (uint32_t)i;
        }
    }
    return sequence;
}

static uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

/* --- running ------------------------------------------------------------------------------------------------------------ */

static const uint64_t STEPS[] = {1, 2, 63, 64, 65, 1000, 3000, 5000, 1, 16384, 9};
enum { STEP_COUNT = sizeof(STEPS) / sizeof(STEPS[0]) };

typedef struct setting {
    double parameters[2];
    uint64_t seed;
    dm_matrix data;
    size_t placement;
} setting;

static dm_state *set_up(const dm_kernel *kernel, const setting *chosen) {
    dm_case work = {.size = sizeof(work), .seed = chosen->seed, .parameters = chosen->parameters,
                    .parameter_count = kernel->parameter_count, .data = chosen->data, .placement = chosen->placement};
    dm_state *state = NULL;
    REQUIRE(CHECK_STATUS(kernel->setup(&work, &state, error, sizeof(error)), DM_OK, error));
    return state;
}

/* expected[i]: what step i of STEPS must return. */
static void check_run(const dm_kernel *kernel, const setting *chosen, const uint64_t *expected, uint64_t population) {
    dm_state *state = set_up(kernel, chosen);
    for (int i = 0; i < STEP_COUNT; i++) {
        CHECK_EQUAL(kernel->run(state, STEPS[i]), expected[i]);
    }
    CHECK_EQUAL(kernel->run(state, 0), 0);
    double metrics[4] = {0, 0, -1, -1};
    CHECK_EQUAL(kernel->metric_count, 4);
    CHECK_STATUS(kernel->read_metrics(state, metrics, 4), DM_OK, NULL);
    CHECK_EQUAL(metrics[0], population);
    CHECK(metrics[1] > 64.0 * (double)population && metrics[2] >= 0);
    CHECK(isnan(metrics[3])); /* visited at random: no working set that is gone through in a row */
    size_t needed = 9;
    CHECK_STATUS(kernel->read_output(state, NULL, 0, &needed), DM_OK, NULL);
    CHECK_EQUAL(needed, 0);
    kernel->teardown(state);
    kernel->teardown(NULL);
}

/* --- binding update -------------------------------------------------------------------------------------------------------- */

static void check_binding_update(const setting *chosen) {
    uint64_t concepts = (uint64_t)chosen->parameters[0];
    uint64_t fan = (uint64_t)chosen->parameters[1];
    uint64_t episodes = concepts > fan ? concepts : fan;
    uint64_t count = concepts * fan;
    test_random random = {chosen->seed};
    skip_embeddings(&random, concepts + episodes, chosen->data.values != NULL);
    float *strengths = malloc(count * sizeof(float));
    float *original = malloc(count * sizeof(float));
    REQUIRE(strengths != NULL && original != NULL);
    for (uint64_t i = 0; i < count; i++) {
        original[i] = strengths[i] = 0.25f + (float)test_random_below(&random, 512) / 1024.0f;
    }
    uint32_t *sequence = draw_sequence(&random, count);
    uint64_t length = sequence_length(count);
    uint64_t repeats = (length + count - 1) / count;
    float delta = 0.125f;
    for (uint64_t reach = 1; reach < repeats; reach *= 2) {
        delta /= 2;
    }
    uint64_t expected[STEP_COUNT];
    uint64_t done = 0;
    int clamped = 0;
    for (int step = 0; step < STEP_COUNT; step++) {
        expected[step] = 0;
        for (uint64_t i = 0; i < STEPS[step]; i++, done++) {
            float *strength = &strengths[sequence[done % length]];
            *strength += done / length % 2 == 0 ? delta : -delta;
            clamped |= *strength <= 0.0f || *strength >= 1.0f;
            expected[step] += bits_of(*strength);
        }
    }
    CHECK(!clamped); /* the sequence has room: no drift, no saturation */
    for (; done % (2 * length) != 0; done++) {
        strengths[sequence[done % length]] += done / length % 2 == 0 ? delta : -delta;
    }
    CHECK(memcmp(strengths, original, count * sizeof(float)) == 0); /* after two walks, to the bit */
    for (size_t i = 0; i < dm_binding_update_kernel_count; i++) {
        check_run(dm_binding_update_kernels[i], chosen, expected, concepts + episodes);
    }
    free(sequence);
    free(original);
    free(strengths);
}

/* --- fan -------------------------------------------------------------------------------------------------------------------- */

static void check_fan(const setting *chosen) {
    uint64_t concepts = (uint64_t)chosen->parameters[0];
    uint64_t most = (uint64_t)chosen->parameters[1];
    uint64_t episodes = concepts > most ? concepts : most;
    test_random random = {chosen->seed};
    skip_embeddings(&random, concepts + episodes, chosen->data.values != NULL);
    for (uint64_t c = 0; c < concepts; c++) {
        for (uint64_t j = 0; j < 1 + mix(c + 1) % most; j++) {
            (void)test_random_next(&random); /* the strength */
        }
    }
    uint32_t *sequence = draw_sequence(&random, concepts);
    uint64_t length = sequence_length(concepts);
    uint64_t expected[STEP_COUNT];
    uint64_t done = 0;
    for (int step = 0; step < STEP_COUNT; step++) {
        expected[step] = 0;
        for (uint64_t i = 0; i < STEPS[step]; i++, done++) {
            expected[step] += 1 + mix(sequence[done % length] + UINT64_C(1)) % most;
        }
    }
    for (size_t i = 0; i < dm_fan_kernel_count; i++) {
        check_run(dm_fan_kernels[i], chosen, expected, concepts + episodes);
    }
    free(sequence);
}

/* --- type discrimination ----------------------------------------------------------------------------------------------------- */

static void check_type_discrimination(const setting *chosen) {
    uint64_t concepts = (uint64_t)chosen->parameters[0];
    test_random random = {chosen->seed};
    skip_embeddings(&random, 2 * concepts, chosen->data.values != NULL);
    uint32_t *sequence = draw_sequence(&random, 2 * concepts);
    uint64_t length = sequence_length(2 * concepts);
    uint64_t expected[STEP_COUNT];
    uint64_t empty[STEP_COUNT];
    uint64_t done = 0;
    for (int step = 0; step < STEP_COUNT; step++) {
        expected[step] = 0;
        empty[step] = 0;
        for (uint64_t i = 0; i < STEPS[step]; i++, done++) {
            uint64_t number = sequence[done % length];
            expected[step] += number < concepts;
            empty[step] += number < concepts ? (UINT64_C(129) << 20) + number : number - concepts;
        }
    }
    free(sequence);
    const dm_kernel *const *kernels = dm_type_discrimination_kernels;
    size_t count = dm_type_discrimination_kernel_count;
    check_run(find(kernels, count, "type_discrimination", "portable"), chosen, expected, 2 * concepts);
    check_run(find(kernels, count, "type_discrimination_empty", "portable"), chosen, empty, 2 * concepts);
}

/* --- node access --------------------------------------------------------------------------------------------------------------- */

static void check_node_access(const setting *chosen) {
    uint64_t nodes = (uint64_t)chosen->parameters[0];
    uint64_t concepts = nodes / 2;
    uint64_t episodes = nodes - concepts;
    uint64_t fan = episodes < 8 ? episodes : 8;
    test_random random = {chosen->seed};
    skip_embeddings(&random, nodes, chosen->data.values != NULL);
    uint32_t *sequence = draw_sequence(&random, nodes);
    uint64_t *values = malloc(nodes * sizeof(uint64_t));
    REQUIRE(values != NULL);
    for (uint64_t number = 0; number < nodes; number++) {
        values[number] = bits_of((float)test_random_below(&random, 1025) / 1024.0f);
        values[number] += UINT64_C(1700000000000000000) + test_random_below(&random, UINT64_C(1) << 40);
        values[number] += bits_of(number < concepts ? (float)(1.0 / (1.0 + 0.25 * log((double)fan)))
                                                    : (float)test_random_below(&random, 1025) / 1024.0f);
    }
    uint64_t length = sequence_length(nodes);
    uint64_t expected[STEP_COUNT];
    uint64_t done = 0;
    for (int step = 0; step < STEP_COUNT; step++) {
        expected[step] = 0;
        for (uint64_t i = 0; i < STEPS[step]; i++, done++) {
            expected[step] += values[sequence[done % length]];
        }
    }
    CHECK_EQUAL(dm_node_access_kernel_count, 3);
    for (size_t i = 0; i < dm_node_access_kernel_count; i++) { /* both worlds and both layouts, one answer */
        check_run(dm_node_access_kernels[i], chosen, expected, nodes);
    }
    free(values);
    free(sequence);
}

/* --- what setup refuses, and the table itself --------------------------------------------------------------------------------------- */

static void wrong_cases_are_refused(void) {
    static const float value[16] = {NAN};
    static const float wide[4112] = {1.0f};
    const dm_kernel *kernel = find(dm_fan_kernels, dm_fan_kernel_count, "fan_by_id", "portable");
    double parameters[2] = {10, 4};
    dm_case work = {.size = sizeof(work), .parameters = parameters, .parameter_count = 2,
                    .data = {.values = value, .rows = 1, .columns = 1, .stride = 16}};
    dm_state *state = NULL;
    CHECK_STATUS(kernel->setup(&work, &state, error, sizeof(error)), DM_ERROR_CORRUPT, error);
    CHECK(state == NULL);
    work.data = (dm_matrix){.values = wide, .rows = 1, .columns = 4097, .stride = 4112};
    CHECK_STATUS(kernel->setup(&work, &state, error, sizeof(error)), DM_ERROR_ARGUMENT, error);
    CHECK(state == NULL);
    kernel = find(dm_binding_update_kernels, dm_binding_update_kernel_count, "binding_update_by_handle", "portable");
    parameters[0] = 1e7;
    parameters[1] = 256;
    work.data = (dm_matrix){0};
    CHECK_STATUS(kernel->setup(&work, &state, error, sizeof(error)), DM_ERROR_ARGUMENT, error);
    CHECK(state == NULL);
}

int main(void) {
    static float rows[5][32]; /* five rows of 20 for many nodes: they come again */
    test_random random = {4};
    for (int r = 0; r < 5; r++) {
        test_random_fill(&random, rows[r], 20);
    }
    const dm_matrix data = {.values = rows[0], .rows = 5, .columns = 20, .stride = 32};
    const setting settings[] = {
        {{1000, 8}, 1, {0}, 0},  {{1000, 8}, 2, {0}, 1984}, {{2, 1}, 3, {0}, 64},    {{2, 30}, 4, {0}, 0},
        {{7, 9}, 5, data, 4032}, {{3000, 3}, 6, {0}, 0},    {{100, 200}, 7, {0}, 0}, {{5, 5}, 8, data, 0},
    };
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        check_binding_update(&settings[i]);
        check_fan(&settings[i]);
        check_type_discrimination(&settings[i]);
        check_node_access(&settings[i]);
    }
    wrong_cases_are_refused();
    return test_report();
}
