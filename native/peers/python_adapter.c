/* python_adapter.c: libdualmem's own kernels around callables of python_peers.py. Compiled once for each of numpy, scipy and faiss, which take
 * part in different families; PEER_... of CMakeLists.txt say which. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "around.h"
#include "dualmem/dualmem.h"
#include "graph/decay.h"
#include "index/exact.h"
#include "python.h"
#include "simd/activation.h"
#include "simd/similarity.h"

#define NAMED(function) function "_" PEER_VARIANT

static int32_t supported(char *reason, size_t reason_size) {
    return peer_python_require(PEER_MODULE, PEER_PACKAGE, reason, reason_size);
}

#if PEER_ACTIVATION
/* --- activation ------------------------------------------------------------------------------------------------------- */

static peer_function *sigmoid_function;
static peer_function *fan_function;
static peer_function *fused_function;

static uint64_t threshold_of(const dm_sigmoid *options) {
    return (uint64_t)(options->threshold * 1e6 + 0.5);
}

static uint64_t slope_of(const dm_sigmoid *options) {
    return (uint64_t)(1e6 / options->temperature + 0.5);
}

static void sigmoid(const float *similarities, size_t count, const dm_sigmoid *options, float *results) {
    const uint64_t arguments[] = {peer_address(similarities), count, threshold_of(options), slope_of(options),
                                  peer_address(results)};
    peer_python_call(sigmoid_function, arguments, 5);
}

static void fan_sqrt(const float *activations, const uint32_t *fans, size_t count, float *results) {
    const uint64_t arguments[] = {peer_address(activations), peer_address(fans), count, peer_address(results)};
    peer_python_call(fan_function, arguments, 4);
}

static void fused(const float *similarities, const uint32_t *fans, size_t count, const dm_sigmoid *options, float *results) {
    const uint64_t arguments[] = {peer_address(similarities), peer_address(fans), count, threshold_of(options),
                                  slope_of(options), peer_address(results)};
    peer_python_call(fused_function, arguments, 6);
}

/* Of the fan effects the usual one alone: the scenarios ask for no other, and a wrong result would make theirs invalid. */
static const dm_activation_variant activation = {
    PEER_VARIANT, DM_ISA_BASELINE, sigmoid,
    {[DM_FAN_LINEAR] = fan_sqrt, [DM_FAN_SQRT] = fan_sqrt, [DM_FAN_ACTR] = fan_sqrt}, fused};

/* Each of these stands, under a name of its own (CMakeLists.txt), in the place of libdualmem's. Called by setup. */
const dm_activation_variant *dm_activation_find(const char *name) {
    (void)name;
    sigmoid_function = peer_python_function(NAMED("sigmoid"));
    fan_function = peer_python_function(NAMED("fan"));
    fused_function = peer_python_function(NAMED("fused"));
    return &activation;
}
#endif

#if PEER_DECAY
/* --- decay ------------------------------------------------------------------------------------------------------------ */

static peer_function *decay_function;

static const dm_decay_variant decay = {.name = PEER_VARIANT, .isa = DM_ISA_BASELINE};

const dm_decay_variant *dm_decay_find(const char *name) {
    (void)name;
    decay_function = peer_python_function(NAMED("decay"));
    return &decay;
}

/* The whole stretch in one expression: in pieces that fit the first-level cache, calls would be all that is measured. */
void dm_decay_blocks(const dm_decay_plan *plan, uint32_t begin, uint32_t end) {
    const dm_store *store = plan->store;
    const dm_node *nodes = dm_node_at(store, dm_concept_slot(0));
    const uint64_t arguments[] = {
        peer_address((const void *)&store->bindings.strengths[(size_t)begin * DM_BLOCK_ENTRIES]),
        peer_address((const void *)&nodes->weight),
        sizeof(dm_node) / sizeof(float),
        begin,
        end - begin,
        (uint64_t)(plan->amount.amount * 0x1.0p24 + 0.5),
        store->concepts.index_count,
    };
    peer_python_call(decay_function, arguments, 7);
}
#endif

#if PEER_SIMILARITY
/* --- similarity --------------------------------------------------------------------------------------------------------- */

static peer_function *similarity_function;

static void scan(const dm_rows *rows, const float *unit, float *cosines, int32_t direction) {
    (void)direction;
    const uint64_t arguments[] = {peer_address(rows->values), peer_address(rows->inverse_norms), rows->count, rows->stride,
                                  rows->dim, peer_address(unit), peer_address(cosines)};
    peer_python_call(similarity_function, arguments, 7);
}

static const dm_similarity_variant similarity = {PEER_VARIANT, DM_ISA_BASELINE, scan};

const dm_similarity_variant *dm_similarity_find(const char *name) {
    (void)name;
    similarity_function = peer_python_function(NAMED("similarity"));
    return &similarity;
}
#endif

#if PEER_LOOKUP
/* --- lookup --------------------------------------------------------------------------------------------------------------- */

struct dm_exact {
    peer_function *search;
};

struct dm_exact_scratch {
    uint32_t rows[DM_EXACT_K_MAX];
};

static const dm_exact_variant exact = {.name = PEER_VARIANT, .isa = DM_ISA_BASELINE};

const dm_exact_variant *dm_exact_find(const char *name) {
    (void)name;
    return &exact;
}

int32_t dm_exact_create(const dm_exact_variant *variant, const dm_rows *rows, dm_similarity similarity, size_t placement,
                        dm_memory *account, dm_exact **index, char *error, size_t error_size) {
    (void)variant, (void)similarity, (void)placement, (void)account;
    *index = malloc(sizeof(**index));
    if (*index == NULL) {
        snprintf(error, error_size, "no memory for an index");
        return DM_ERROR_MEMORY;
    }
    (*index)->search = peer_python_function(NAMED("search"));
    const uint64_t arguments[] = {peer_address(*index), peer_address(rows->values), peer_address(rows->inverse_norms),
                                  rows->count, rows->stride, rows->dim, strcmp(PEER_VARIANT, "faiss") == 0};
    peer_python_call(peer_python_function("search_make"), arguments, 7);
    return DM_OK;
}

void dm_exact_destroy(dm_exact *index, dm_memory *account) {
    (void)account;
    if (index != NULL) {
        const uint64_t arguments[] = {peer_address(index)};
        peer_python_call(peer_python_function("search_drop"), arguments, 1);
        free(index);
    }
}

int32_t dm_exact_scratch_create(const dm_exact *index, dm_memory *account, dm_exact_scratch **scratch, char *error,
                                size_t error_size) {
    (void)index, (void)account;
    *scratch = malloc(sizeof(**scratch));
    if (*scratch == NULL) {
        snprintf(error, error_size, "no memory for %zu bytes", sizeof(**scratch));
        return DM_ERROR_MEMORY;
    }
    return DM_OK;
}

void dm_exact_scratch_destroy(dm_exact_scratch *scratch, dm_memory *account) {
    (void)account;
    free(scratch);
}

uint32_t dm_exact_search(const dm_exact *index, dm_exact_scratch *scratch, const float *query, uint32_t k,
                         dm_neighbour *neighbours) {
    const uint64_t arguments[] = {peer_address(index), peer_address(query), k, peer_address(scratch->rows)};
    peer_python_call(index->search, arguments, 4);
    for (uint32_t i = 0; i < k; i++) {
        neighbours[i] = (dm_neighbour){.row = scratch->rows[i]}; /* the kernel asks for rows alone */
    }
    return k;
}

uint32_t dm_exact_rescored(const dm_exact_scratch *scratch) {
    (void)scratch;
    return 0;
}
#endif

/* --- the table -------------------------------------------------------------------------------------------------------------- */

static const peer_family families[] = {
#if PEER_ACTIVATION
    {dm_activation_kernels, &dm_activation_kernel_count},
#endif
#if PEER_DECAY
    {dm_decay_kernels, &dm_decay_kernel_count},
#endif
#if PEER_SIMILARITY
    {dm_similarity_kernels, &dm_similarity_kernel_count},
#endif
#if PEER_LOOKUP
    {dm_concept_lookup_kernels, &dm_concept_lookup_kernel_count},
#endif
};

const peer_identity peer_identity_of_this = {.name = PEER_VARIANT " from Python",
                                             .version = PEER_VERSION,
                                             .flags = "",
                                             .variant = PEER_VARIANT,
                                             .families = families,
                                             .family_count = sizeof(families) / sizeof(families[0]),
#ifdef PEER_WITHOUT
                                             .without = PEER_WITHOUT,
#endif
                                             .supported = supported};
