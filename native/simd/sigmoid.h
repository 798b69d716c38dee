/* sigmoid.h: what the vector variants of the activation family share: the sigmoid as an exponential (exponential.h), and where
 * that form ends; ACT-R's strengths as a table. */
#ifndef DUALMEM_SIMD_SIGMOID_H
#define DUALMEM_SIMD_SIGMOID_H

#include "simd/activation.h"
#include "simd/exponential.h"

/* A threshold far beyond any cosine (|threshold| > 88 temperatures) does not fit the fast form: 0, and the reference does it. */
static inline int dm_sigmoid_is_near(const dm_sigmoid *sigmoid) {
    return fabs(sigmoid->threshold / sigmoid->temperature) * DM_LOG2_E <= DM_EXPONENTIAL_OFFSET_MAX;
}

/* exp(-(s - threshold) / temperature). Exponents below -60 leave the sigmoid's denominator at 1, those above 127.75 a result
 * below FLT_MIN. */
static inline dm_exponential_terms dm_sigmoid_terms(const dm_sigmoid *sigmoid) {
    double rate = DM_LOG2_E / sigmoid->temperature;
    return dm_exponential_terms_of(-rate, sigmoid->threshold * rate, -60.0, 127.75);
}

/* max(0, S - ln max(fan, 1)) by fan. It is 0 from fan 5 on, so eight numbers hold the whole function. */
enum { DM_STRENGTHS = 8 };
static const float dm_strengths[DM_STRENGTHS] = {1.6f, 1.6f, 0.90685281944f, 0.50138771133f, 0.21370563888f, 0.0f, 0.0f, 0.0f};

#endif
