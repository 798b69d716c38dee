/* test_table.c: the laws of dm_kernel.h, for every kernel in the table: what the declarations must say, and what must hold
 * of the calls whatever the kernel does. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dualmem/dm_kernel.h"
#include "kernels/kernels.h"
#include "tests/support.h"

/* [a-z][a-z0-9_]* */
static int is_identifier(const char *text) {
    if (text == NULL || text[0] < 'a' || text[0] > 'z') {
        return 0;
    }
    return strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(text);
}

static int is_line(const char *text) {
    return text != NULL && text[0] != '\0' && strchr(text, '\n') == NULL;
}

static void test_library(const dm_library *library) {
    CHECK_EQUAL(library->size, sizeof(dm_library));
    CHECK_EQUAL(library->abi_major, DM_ABI_MAJOR);
    CHECK_EQUAL(library->abi_minor, DM_ABI_MINOR);
    CHECK(strcmp(library->name, "libdualmem") == 0);
    CHECK(is_line(library->version) && is_line(library->compiler) && is_line(library->flags));
    CHECK(library->revision != NULL);
    CHECK(library == dm_library_get());
    size_t declared = dm_binding_update_kernel_count + dm_fan_kernel_count + dm_type_discrimination_kernel_count +
                      dm_node_access_kernel_count + dm_similarity_kernel_count + dm_concept_lookup_kernel_count +
                      dm_activation_kernel_count + dm_decay_kernel_count + dm_concept_formation_kernel_count +
                      dm_mixed_kernel_count + dm_spreading_kernel_count + dm_fan_effect_anderson_kernel_count +
                      dm_ceiling_kernel_count + dm_concept_lookup_batch_kernel_count + dm_concept_lookup_graph_kernel_count +
                      dm_concept_lookup_at_recall_kernel_count;
    CHECK_EQUAL(library->kernel_count, declared);
    CHECK(library->kernel_count > 0);
}

static void test_parameters(const dm_kernel *kernel) {
    for (size_t i = 0; i < kernel->parameter_count; i++) {
        const dm_parameter *parameter = &kernel->parameters[i];
        CHECK_EQUAL(parameter->size, sizeof(dm_parameter));
        CHECK(is_identifier(parameter->name));
        CHECK(parameter->minimum <= parameter->default_value && parameter->default_value <= parameter->maximum);
        CHECK(isfinite(parameter->minimum) && isfinite(parameter->maximum));
        CHECK(parameter->integer == 0 || parameter->integer == 1);
        if (parameter->integer) {
            CHECK(parameter->default_value == floor(parameter->default_value));
            CHECK(parameter->minimum == floor(parameter->minimum) && parameter->maximum == floor(parameter->maximum));
        }
        CHECK(is_line(parameter->meaning));
        for (size_t j = 0; j < i; j++) {
            CHECK(strcmp(kernel->parameters[j].name, parameter->name) != 0);
        }
    }
}

static size_t metric_index(const dm_kernel *kernel, const char *name) {
    size_t index = 0;
    while (index < kernel->metric_count && strcmp(kernel->metrics[index].name, name) != 0) {
        index++;
    }
    return index;
}

static void test_metrics(const dm_kernel *kernel) {
    for (size_t i = 0; i < kernel->metric_count; i++) {
        const dm_metric *metric = &kernel->metrics[i];
        CHECK_EQUAL(metric->size, sizeof(dm_metric));
        CHECK(is_identifier(metric->name));
        CHECK(is_line(metric->unit) && is_line(metric->meaning));
        CHECK(metric->better >= DM_BETTER_NEITHER && metric->better <= DM_BETTER_HIGHER);
        CHECK(metric->scope == DM_SCOPE_CASE || metric->scope == DM_SCOPE_MACHINE);
        CHECK_EQUAL(metric_index(kernel, metric->name), i);
    }
    /* A run on an empty store must be impossible to overlook. */
    CHECK(metric_index(kernel, "population") < kernel->metric_count);
    CHECK(metric_index(kernel, "memory_bytes") < kernel->metric_count);
}

static void test_declaration(const dm_library *library, size_t index) {
    const dm_kernel *kernel = library->kernels[index];
    CHECK_EQUAL(kernel->size, sizeof(dm_kernel));
    CHECK(is_identifier(kernel->name) && is_identifier(kernel->variant));
    CHECK(is_line(kernel->summary));
    CHECK(kernel->tolerance >= 0.0 && isfinite(kernel->tolerance));
    CHECK(kernel->output >= DM_OUTPUT_NONE && kernel->output <= DM_OUTPUT_NEIGHBOURS);
    CHECK(kernel->output == DM_OUTPUT_VALUES || kernel->tolerance == 0.0); /* only numbers can differ by a little */
    CHECK(kernel->needs_data == 0 || kernel->needs_data == 1);
    CHECK(kernel->setup != NULL && kernel->run != NULL && kernel->read_metrics != NULL && kernel->read_output != NULL &&
          kernel->teardown != NULL);
    test_parameters(kernel);
    test_metrics(kernel);
    for (size_t other = 0; other < index; other++) {
        CHECK(strcmp(library->kernels[other]->name, kernel->name) != 0 ||
              strcmp(library->kernels[other]->variant, kernel->variant) != 0);
    }
}

/* Every "x_single" stands beside an "x" with the same variants and parameters, or the two could not be compared. */
static void test_twins(const dm_library *library) {
    const char suffix[] = "_single";
    for (size_t i = 0; i < library->kernel_count; i++) {
        const dm_kernel *single = library->kernels[i];
        size_t length = strlen(single->name);
        if (length < sizeof(suffix) || strcmp(single->name + length - strlen(suffix), suffix) != 0) {
            continue;
        }
        size_t found = 0;
        for (size_t j = 0; j < library->kernel_count; j++) {
            const dm_kernel *dual = library->kernels[j];
            if (strlen(dual->name) != length - strlen(suffix) || strncmp(dual->name, single->name, strlen(dual->name)) != 0 ||
                strcmp(dual->variant, single->variant) != 0) {
                continue;
            }
            found++;
            CHECK_EQUAL(dual->parameter_count, single->parameter_count);
            CHECK_EQUAL(dual->output, single->output);
            for (size_t p = 0; p < dual->parameter_count && p < single->parameter_count; p++) {
                CHECK(strcmp(dual->parameters[p].name, single->parameters[p].name) == 0);
                CHECK(dual->parameters[p].default_value == single->parameters[p].default_value);
            }
        }
        if (!CHECK_EQUAL(found, 1)) {
            fprintf(stderr, "  %s %s\n", single->name, single->variant);
        }
    }
}

/* --- calls ---------------------------------------------------------------------------------------------------------- */

enum { ROWS = 160, COLUMNS = 24, STRIDE = 32, QUERIES = 7 };

static float *aligned_rows(uint64_t seed, size_t rows) {
    test_random random = {seed};
    float *values = aligned_alloc(64, rows * STRIDE * sizeof(float));
    REQUIRE(values != NULL);
    memset(values, 0, rows * STRIDE * sizeof(float));
    for (size_t row = 0; row < rows; row++) {
        test_random_fill(&random, values + row * STRIDE, COLUMNS);
    }
    return values;
}

typedef struct trial {
    dm_case work;
    double parameters[16];
    float *data;
    float *queries;
} trial;

static void make_trial(trial *made, const dm_kernel *kernel) {
    REQUIRE(kernel->parameter_count <= 16);
    for (size_t i = 0; i < kernel->parameter_count; i++) {
        made->parameters[i] = kernel->parameters[i].default_value;
    }
    made->data = aligned_rows(31, ROWS);
    made->queries = aligned_rows(32, QUERIES);
    made->work = (dm_case){.size = sizeof(dm_case),
                           .seed = 77,
                           .parameters = made->parameters,
                           .parameter_count = kernel->parameter_count,
                           .placement = 192};
    if (kernel->needs_data) {
        made->work.data = (dm_matrix){made->data, ROWS, COLUMNS, STRIDE};
        made->work.queries = (dm_matrix){made->queries, QUERIES, COLUMNS, STRIDE};
    }
}

static void free_trial(trial *made) {
    free(made->data);
    free(made->queries);
}

static void check_metric_values(const dm_kernel *kernel, dm_state *state) {
    double values[16];
    REQUIRE(kernel->metric_count <= 15);
    for (size_t i = 0; i < 16; i++) {
        values[i] = -12345.0;
    }
    CHECK_EQUAL(kernel->read_metrics(state, values, kernel->metric_count), DM_OK);
    for (size_t i = 0; i < kernel->metric_count; i++) {
        CHECK(values[i] != -12345.0 && !isinf(values[i]));
    }
    CHECK(values[kernel->metric_count] == -12345.0);
    CHECK(values[metric_index(kernel, "population")] >= 1.0);
    CHECK(values[metric_index(kernel, "memory_bytes")] >= values[metric_index(kernel, "population")]);
    values[0] = -12345.0;
    CHECK_EQUAL(kernel->read_metrics(state, values, 0), DM_OK); /* a host that knows none */
    CHECK(values[0] == -12345.0);
}

static void check_output(const dm_kernel *kernel, dm_state *first, dm_state *second) {
    size_t needed = 12345;
    double none = -12345.0;
    CHECK_EQUAL(kernel->read_output(first, &none, 0, &needed), DM_OK);
    CHECK(none == -12345.0);
    if (kernel->output == DM_OUTPUT_NONE) {
        CHECK_EQUAL(needed, 0);
        return;
    }
    CHECK(needed > 0 && needed < 10000000);
    double *one = calloc(needed + 1, sizeof(double));
    double *other = calloc(needed + 1, sizeof(double));
    REQUIRE(one != NULL && other != NULL);
    one[needed] = -12345.0;
    CHECK_EQUAL(kernel->read_output(first, one, needed, &needed), DM_OK);
    CHECK_EQUAL(kernel->read_output(second, other, needed, &needed), DM_OK);
    CHECK(one[needed] == -12345.0);
    CHECK(memcmp(one, other, needed * sizeof(double)) == 0);
    if (kernel->output == DM_OUTPUT_NEIGHBOURS) {
        CHECK_EQUAL(needed % QUERIES, 0);
        for (size_t i = 0; i < needed; i++) {
            CHECK(one[i] >= 0.0 && one[i] < ROWS && one[i] == floor(one[i]));
        }
    }
    free(one);
    free(other);
}

/* Two states of one case perform the same sequence, cut into calls in any way that both share; it moves on. */
static void test_calls(const dm_kernel *kernel) {
    trial made;
    make_trial(&made, kernel);
    dm_state *first = NULL;
    dm_state *second = NULL;
    char error[300] = "";
    CHECK_STATUS(kernel->setup(&made.work, &first, error, sizeof(error)), DM_OK, error);
    CHECK_STATUS(kernel->setup(&made.work, &second, error, sizeof(error)), DM_OK, error);
    if (!CHECK(first != NULL && second != NULL)) {
        fprintf(stderr, "  %s %s: %s\n", kernel->name, kernel->variant, error);
        free_trial(&made);
        return;
    }
    const uint64_t pieces[] = {1, 5, QUERIES, 0, 2, 40};
    uint64_t checksums[6];
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        checksums[i] = kernel->run(first, pieces[i]);
    }
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        if (!CHECK_EQUAL(kernel->run(second, pieces[i]), checksums[i])) {
            fprintf(stderr, "  %s %s, piece %zu\n", kernel->name, kernel->variant, i);
        }
    }
    check_metric_values(kernel, first);
    check_output(kernel, first, second);
    kernel->teardown(first);
    kernel->teardown(second);
    kernel->teardown(NULL);
    free_trial(&made);
}

/* A kernel that needs data and gets none says so and leaves nothing behind. */
static void test_missing_data(const dm_kernel *kernel) {
    trial made;
    make_trial(&made, kernel);
    made.work.data = (dm_matrix){NULL, 0, 0, 0};
    made.work.queries = (dm_matrix){NULL, 0, 0, 0};
    dm_state *state = NULL;
    char error[300] = "";
    int32_t status = kernel->setup(&made.work, &state, error, sizeof(error));
    CHECK_STATUS(status, DM_ERROR_ARGUMENT, error);
    CHECK(state == NULL);
    CHECK(is_line(error) && error[strlen(error) - 1] != '.');
    free_trial(&made);
}

int main(void) {
    const dm_library *library = dm_library_get();
    test_library(library);
    test_twins(library);
    for (size_t i = 0; i < library->kernel_count; i++) {
        const dm_kernel *kernel = library->kernels[i];
        char what[200];
        char reason[300] = "";
        test_declaration(library, i);
        snprintf(what, sizeof(what), "%s %s", kernel->name, kernel->variant);
        if (kernel->supported != NULL) {
            int32_t status = kernel->supported(reason, sizeof(reason));
            CHECK(status == DM_OK || (status == DM_ERROR_UNSUPPORTED && is_line(reason)));
            if (status != DM_OK) {
                test_skip(what, reason);
                continue;
            }
        }
        test_calls(kernel);
        if (kernel->needs_data) {
            test_missing_data(kernel);
        }
        printf("ran %s\n", what);
    }
    return test_report();
}
