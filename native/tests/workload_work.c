/* workload_work.c: operations of one kind of the workload `mixed`, for whoever counts what they do. Not a test.
 *
 *     valgrind --tool=callgrind --cache-sim=yes --collect-atstart=no --toggle-collect=dm_mixed_operate \
 *         workload_work DATA ROWS QUERIES ROWS COLUMNS VARIANT EPISODES INSERTED OPERATION COUNT
 *
 * The store has EPISODES, a tenth as many concepts and twice as many bindings, and INSERTED episodes more: what it is
 * after that many insertions of a trace. Keys go through all there is; those of spread_episode through the newest 500.
 * Before each operation, outside of the counting, a lookup goes through the concepts' vectors, as it does in a mix. */
#include "tests/workload_rows.h"
#include "workloads/workloads.h"

static uint32_t operation_named(const char *name) {
    uint32_t operation = 0;
    while (operation < DM_MIXED_OPERATIONS && strcmp(dm_mixed_operations[operation].name, name) != 0) {
        operation++;
    }
    REQUIRE(operation < DM_MIXED_OPERATIONS);
    return operation;
}

static dm_state *set_up(const dm_workload *workload, const dm_case *work, int inserted) {
    char error[300] = "";
    dm_state *state = NULL;
    REQUIRE(CHECK_STATUS(workload->setup(work, 1, &state, error, sizeof(error)), DM_OK, error));
    for (int i = 0; i < inserted; i++) {
        const float *values = work->data.values + (size_t)i * 617 % work->data.rows * work->data.stride;
        REQUIRE(CHECK_STATUS(dm_mixed_insert(state, values, state->bindings_each, error, sizeof(error)), DM_OK, error));
    }
    return state;
}

static void look_up_between(dm_state *state, uint64_t key) {
    uint32_t slots[DM_MIXED_NEAREST];
    double cosines[DM_MIXED_NEAREST];
    const float *query = state->queries.values + key % state->queries.rows * state->queries.stride;
    (void)dm_lookup_search(state->lookup, query, state->queries.stride, 1, DM_MIXED_NEAREST, NULL, slots, cosines, NULL,
                           0);
}

int main(int argc, char **argv) {
    if (argc != 11) {
        fprintf(stderr, "usage: workload_work DATA ROWS QUERIES ROWS COLUMNS dual|single EPISODES INSERTED OPERATION "
                        "COUNT\n");
        return 2;
    }
    const dm_workload *workload = strcmp(argv[6], "single") == 0 ? &dm_mixed_single : &dm_mixed_dual;
    double parameters[DM_MIXED_PARAMETERS];
    for (size_t i = 0; i < DM_MIXED_PARAMETERS; i++) {
        parameters[i] = workload->parameters[i].default_value;
    }
    const double episodes = atof(argv[7]);
    parameters[DM_MIXED_EPISODES] = episodes;
    parameters[DM_MIXED_CONCEPTS] = episodes / 10;
    parameters[DM_MIXED_BINDINGS] = 2 * episodes;
    const dm_case work = read_case(argv, parameters);
    dm_state *state = set_up(workload, &work, atoi(argv[8]));
    const uint32_t operation = operation_named(argv[9]);
    const uint64_t count = strtoull(argv[10], NULL, 10);
    const uint64_t newest = atomic_load(&state->episode_count) - 1;
    for (uint64_t i = 0; i < count; i++) {
        const int latest = strcmp(argv[9], "spread_episode") == 0;
        uint64_t result = 0;
        look_up_between(state, i);
        CHECK_EQUAL(workload->operate(state, 0, operation, latest ? newest - i * 37 % 500 : i * 7919, &result), DM_OK);
    }
    for (size_t work_of = 0; work_of < DM_MIXED_WORKS; work_of++) {
        printf("%llu ", (unsigned long long)state->workers[0].work[work_of]);
    }
    printf("edges followed by spreads of concepts, of episodes, consolidations, decays\n");
    workload->teardown(state);
    free_case(&work);
    return test_report();
}
