/* query_scalar.c: the reference, lane by lane in the order that query.h defines. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "simd/query.h"

enum { LANES = 16 };

static double sum_lanes(double lanes[LANES]) {
    for (size_t half = LANES / 2; half > 0; half /= 2) {
        for (size_t lane = 0; lane < half; lane++) {
            lanes[lane] += lanes[lane + half];
        }
    }
    return lanes[0];
}

void dm_query_prepare_scalar(dm_query *query, const float *values) {
    const size_t padded = dm_padded_dim(query->dim);
    double lanes[LANES] = {0.0};
    memset(query->wide + query->dim, 0, (padded - query->dim) * sizeof(double));
    memset(query->unit + query->dim, 0, (padded - query->dim) * sizeof(float));
    for (uint32_t i = 0; i < query->dim; i++) {
        query->wide[i] = (double)values[i];
        lanes[i % LANES] += query->wide[i] * query->wide[i];
    }
    double squared_norm = sum_lanes(lanes); /* cannot overflow: 4096 x FLT_MAX^2 < 1e81 */
    query->squared_norm = squared_norm < (double)FLT_MIN ? 0.0 : squared_norm;
    double inverse_norm = squared_norm < (double)FLT_MIN ? 0.0 : 1.0 / sqrt(squared_norm);
    for (uint32_t i = 0; i < query->dim; i++) {
        query->unit[i] = (float)(query->wide[i] * inverse_norm);
    }
}

double dm_query_cosine_scalar(const dm_query *query, const float *row) {
    double dots[LANES] = {0.0};
    double squares[LANES] = {0.0};
    for (uint32_t i = 0; i < query->dim; i++) {
        double value = (double)row[i];
        dots[i % LANES] += value * query->wide[i];
        squares[i % LANES] += value * value;
    }
    double product = sum_lanes(squares) * query->squared_norm;
    return product > 0.0 ? sum_lanes(dots) / sqrt(product) : 0.0;
}

double dm_query_product_scalar(const dm_query *query, const float *row) {
    double dots[LANES] = {0.0};
    for (uint32_t i = 0; i < query->dim; i++) {
        double value = (double)row[i];
        dots[i % LANES] += value * query->wide[i];
    }
    return sum_lanes(dots);
}
