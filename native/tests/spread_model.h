/* spread_model.h: spreading activation over a full matrix of weights, after the text of dualmem.h and in its order of
 * summation, so that the library must give the same bits. Knows nothing of frontiers, batches or lists. */
#ifndef DUALMEM_TESTS_SPREAD_MODEL_H
#define DUALMEM_TESTS_SPREAD_MODEL_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dualmem/dualmem.h"
#include "tests/support.h"

/* Node i is episode i for i < episodes, concept i - episodes above: ascending in slots. */
typedef struct spread_model {
    uint32_t episodes;
    uint32_t nodes;
    float *weights; /* [nodes * nodes], symmetric; -1: no edge */
    double *pulses;
    double *activations;
    int32_t *hops; /* -1: not reached */
    uint64_t edges;
} spread_model;

static inline spread_model spread_model_make(uint32_t episodes, uint32_t concepts) {
    spread_model model = {.episodes = episodes, .nodes = episodes + concepts};
    size_t nodes = model.nodes;
    model.weights = malloc(nodes * nodes * sizeof(float));
    model.pulses = malloc(2 * nodes * sizeof(double));
    model.activations = malloc(nodes * sizeof(double));
    model.hops = malloc(nodes * sizeof(int32_t));
    REQUIRE(model.weights != NULL && model.pulses != NULL && model.activations != NULL && model.hops != NULL);
    for (size_t i = 0; i < nodes * nodes; i++) {
        model.weights[i] = -1.0f;
    }
    return model;
}

static inline void spread_model_free(spread_model *model) {
    free(model->weights);
    free(model->pulses);
    free(model->activations);
    free(model->hops);
}

static inline uint32_t spread_model_node(const spread_model *model, uint32_t slot) {
    return dm_slot_is_concept(slot) ? model->episodes + dm_slot_index(slot) : slot;
}

static inline uint32_t spread_model_slot(const spread_model *model, uint32_t node) {
    return node < model->episodes ? node : dm_concept_slot(node - model->episodes);
}

static inline void spread_model_connect(spread_model *model, uint32_t one, uint32_t other, float weight) {
    model->weights[(size_t)one * model->nodes + other] = weight;
    model->weights[(size_t)other * model->nodes + one] = weight;
}

static inline double spread_model_divisor(const dm_spread_options *options, uint32_t fan) {
    double divisors[] = {1.0 / fan, 1.0 / sqrt(fan), options->associative_strength - log(fan + 1.0), 1.0};
    return divisors[options->fan_mode] > 0.0 ? divisors[options->fan_mode] : 0.0;
}

static inline double spread_model_direction(const spread_model *model, const dm_spread_options *options, uint32_t source,
                                            uint32_t target) {
    if (source < model->episodes) {
        return target < model->episodes ? options->episodic : options->up;
    }
    return target < model->episodes ? options->down : options->lateral;
}

/* Adds a source's part to every sum. Sources come in ascending order, so each sum does. */
static inline void spread_model_send(spread_model *model, const dm_spread_options *options, uint32_t source, double pulse,
                                     double *sums) {
    const float *row = model->weights + (size_t)source * model->nodes;
    uint32_t fan = 0;
    for (uint32_t target = 0; target < model->nodes; target++) {
        fan += row[target] >= 0.0f;
    }
    model->edges += fan;
    for (uint32_t target = 0; target < model->nodes; target++) {
        if (row[target] >= 0.0f) {
            double carried = pulse * spread_model_divisor(options, fan);
            carried *= spread_model_direction(model, options, source, target);
            sums[target] += carried * (double)row[target];
        }
    }
}

/* cue_activations[node]: 0 for no cue. */
static inline void spread_model_run(spread_model *model, const dm_spread_options *options, const double *cue_activations) {
    const size_t nodes = model->nodes;
    double *now = model->pulses;
    double *then = model->pulses + nodes;
    memcpy(now, cue_activations, nodes * sizeof(double));
    memset(model->activations, 0, nodes * sizeof(double));
    model->edges = 0;
    double damping = 1.0;
    for (uint32_t hop = 0; hop <= options->max_hops; hop++) {
        for (size_t i = 0; i < nodes; i++) {
            now[i] = fmin(1.0, now[i]);
            if (hop == 0) {
                model->hops[i] = -1;
            }
            if (now[i] * damping > 0.0 && model->hops[i] < 0) {
                model->hops[i] = (int32_t)hop;
            }
            model->activations[i] = fmin(1.0, model->activations[i] + now[i] * damping);
        }
        memset(then, 0, nodes * sizeof(double));
        for (uint32_t source = 0; source < nodes && hop < options->max_hops; source++) {
            if (now[source] * damping > 0.0 && now[source] * damping >= options->threshold) {
                spread_model_send(model, options, source, now[source], then);
            }
        }
        double *swap = now;
        now = then;
        then = swap;
        damping *= options->decay;
    }
}

/* The result is the model's, bit for bit. */
static inline int spread_model_check(const spread_model *model, dm_spread_result result) {
    uint32_t reached = 0;
    int equal = 1;
    for (uint32_t node = 0; node < model->nodes; node++) {
        if (model->hops[node] < 0) {
            continue;
        }
        if (reached < result.count) {
            const dm_spread_node *found = &result.nodes[reached];
            float wanted = (float)model->activations[node];
            equal &= found->slot == spread_model_slot(model, node) && found->hop == (uint32_t)model->hops[node] &&
                     memcmp(&found->activation, &wanted, sizeof(wanted)) == 0;
        }
        reached++;
    }
    return CHECK(equal) & CHECK_EQUAL(result.count, reached) & CHECK_EQUAL(result.edges, model->edges);
}

#endif
