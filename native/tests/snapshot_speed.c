/* snapshot_speed.c: how long a store takes to save, to load and to be built again. Not a test of ctest, and not a kernel either: what it
 * times allocates and reads files, which `run` of a kernel must not (dm_kernel.h). docs/explanation/snapshot.py calls it in turn with numpy.
 *
 *     snapshot_speed FILE EPISODES DIM [PARTNERS]
 *
 * A store of EPISODES episodes and a tenth as many concepts, two bindings per episode, and each node associated with the PARTNERS (0) of its
 * type that follow in a ring, the k-th with weight 1 / k. Prints milliseconds as JSON. FILE.npy gets the embeddings of both types as
 * one matrix, for np.load. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dualmem/dualmem.h"
#include "tests/support.h"

typedef struct content {
    uint32_t dim;
    uint32_t episodes;
    uint32_t concepts;
    uint32_t partners;
    float *values; /* episodes, then concepts */
} content;

static char error[512];

static double milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return 1e3 * (double)now.tv_sec + 1e-6 * (double)now.tv_nsec;
}

static void associate(dm_store *store, uint32_t first, uint32_t nodes, uint32_t partners) {
    for (uint32_t i = 0; i < nodes; i++) {
        for (uint32_t k = 1; k <= partners; k++) {
            uint32_t other = first + (i + k) % nodes;
            REQUIRE(dm_store_associate(store, first + i, other, 1.0f / (float)k, error, sizeof(error)) == DM_OK);
        }
    }
}

static dm_store *build(const content *of) {
    dm_store_options options = {
        .size = sizeof(options), .dim = of->dim, .concept_capacity = of->concepts, .episode_capacity = of->episodes};
    dm_store *store = NULL;
    uint32_t slot;
    REQUIRE(dm_store_create(&options, &store, error, sizeof(error)) == DM_OK);
    for (uint32_t i = 0; i < of->episodes; i++) {
        REQUIRE(dm_store_add_episode(store, (dm_id){i, 1}, of->values + (size_t)i * of->dim, &slot, error, sizeof(error)) == DM_OK);
    }
    for (uint32_t i = 0; i < of->concepts; i++) {
        const float *centroid = of->values + (size_t)(of->episodes + i) * of->dim;
        REQUIRE(dm_store_add_concept(store, (dm_id){i, 2}, centroid, &slot, error, sizeof(error)) == DM_OK);
    }
    for (uint32_t i = 0; i < of->episodes; i++) {
        for (uint32_t k = 0; k < 2; k++) {
            uint32_t concept_slot = dm_concept_slot((uint32_t)((i * UINT64_C(2654435761) + k * 7) % of->concepts));
            REQUIRE(dm_store_bind(store, i, concept_slot, 0.5f, NULL, error, sizeof(error)) == DM_OK);
        }
    }
    associate(store, 0, of->episodes, of->partners);
    associate(store, dm_concept_slot(0), of->concepts, of->partners);
    return store;
}

static double load(const char *path, int32_t map_embeddings, double *scan) {
    dm_load_options options = {.size = sizeof(options), .map_embeddings = map_embeddings};
    dm_store *store = NULL;
    double begin = milliseconds();
    REQUIRE(CHECK_STATUS(dm_store_load(path, &options, &store, error, sizeof(error)), DM_OK, error));
    double end = milliseconds();
    dm_rows rows = dm_store_episode_rows(store);
    float sums[16] = {0};
    for (size_t i = 0; i < rows.count * rows.stride; i++) {
        sums[i % 16] += rows.values[i];
    }
    *scan = milliseconds() - end;
    volatile float kept = sums[3];
    (void)kept;
    dm_store_destroy(store);
    return end - begin;
}

/* Format version 1.0 of numpy.lib.format: magic, length of the header, a Python literal, the bytes. */
static void write_npy(const char *path, const content *of) {
    char name[4200];
    char header[118];
    (void)snprintf(name, sizeof(name), "%s.npy", path);
    memset(header, ' ', sizeof(header));
    int length = snprintf(header, sizeof(header), "{'descr': '<f4', 'fortran_order': False, 'shape': (%u, %u), }",
                          of->episodes + of->concepts, of->dim);
    header[length] = ' ';
    header[117] = '\n';
    FILE *file = fopen(name, "wb");
    REQUIRE(file != NULL);
    size_t count = (size_t)(of->episodes + of->concepts) * of->dim;
    REQUIRE(fwrite("\x93NUMPY\x01\x00\x76\x00", 1, 10, file) == 10 && fwrite(header, 1, 118, file) == 118 &&
            fwrite(of->values, 4, count, file) == count && fclose(file) == 0);
}

int main(int argc, char **argv) {
    if (argc < 4 || argc > 5 || atoi(argv[2]) < 10 || atoi(argv[3]) < 1 || (argc == 5 && atoi(argv[4]) < 0)) {
        fprintf(stderr, "usage: snapshot_speed FILE EPISODES DIM [PARTNERS]\n");
        return 2;
    }
    content of = {.dim = (uint32_t)atoi(argv[3]), .episodes = (uint32_t)atoi(argv[2])};
    of.concepts = of.episodes / 10;
    of.partners = argc == 5 ? (uint32_t)atoi(argv[4]) : 0;
    REQUIRE(2 * of.partners < of.concepts || of.partners == 0);
    size_t count = (size_t)(of.episodes + of.concepts) * of.dim;
    of.values = malloc(count * sizeof(float));
    REQUIRE(of.values != NULL);
    test_random random = {1};
    test_random_fill(&random, of.values, count);
    write_npy(argv[1], &of);
    double begin = milliseconds();
    dm_store *store = build(&of);
    double rebuild = milliseconds() - begin;
    begin = milliseconds();
    REQUIRE(CHECK_STATUS(dm_store_save(store, argv[1], error, sizeof(error)), DM_OK, error));
    double save = milliseconds() - begin;
    dm_store_destroy(store);
    double scan_copied;
    double scan_mapped;
    double copied = load(argv[1], 0, &scan_copied);
    double mapped = load(argv[1], 1, &scan_mapped);
    printf("{\"rebuild\": %.3f, \"save\": %.3f, \"load\": %.3f, \"load_mapped\": %.3f, \"scan\": %.3f, \"scan_mapped\": %.3f}\n", rebuild,
           save, copied, mapped, scan_copied, scan_mapped);
    free(of.values);
    return 0;
}
