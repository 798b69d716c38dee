/* activation.c: activation mapping for callers: the arguments checked, the best variant taken. */
#include "simd/activation.h"

#include <math.h>

#include "store/store.h"

#include "store/poison.h"

static int32_t check_counts(size_t first, const char *first_name, size_t fans, char *error, size_t error_size) {
    return first == fans ? DM_OK
                         : dm_fail(DM_ERROR_ARGUMENT, error, error_size,
                                   "%zu %s and %zu fans: want one fan for each; nothing was written", first, first_name, fans);
}

static int32_t check_sigmoid(float threshold, float temperature, char *error, size_t error_size) {
    return isfinite(threshold) && isfinite(temperature)
               ? DM_OK
               : dm_fail(DM_ERROR_ARGUMENT, error, error_size,
                         "threshold %g and temperature %g: want finite numbers; nothing was written", (double)threshold,
                         (double)temperature);
}

int32_t dm_activation_sigmoid(const float *similarities, size_t count, float threshold, float temperature,
                              float *activations, char *error, size_t error_size) {
    int32_t status = check_sigmoid(threshold, temperature, error, error_size);
    if (status == DM_OK) {
        const dm_sigmoid sigmoid = dm_sigmoid_make(threshold, temperature);
        dm_activation_best()->sigmoid(similarities, count, &sigmoid, activations);
    }
    return status;
}

int32_t dm_activation_fan(const float *activations, size_t activation_count, const uint32_t *fans, size_t fan_count,
                          int32_t mode, float *results, char *error, size_t error_size) {
    if (mode < 0 || mode >= DM_FAN_MODES) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size,
                       "fan mode %d: want DM_FAN_LINEAR, DM_FAN_SQRT or DM_FAN_ACTR; nothing was written", mode);
    }
    int32_t status = check_counts(activation_count, "activations", fan_count, error, error_size);
    if (status == DM_OK) {
        dm_activation_best()->fan[mode](activations, fans, activation_count, results);
    }
    return status;
}

int32_t dm_activation_sigmoid_fan(const float *similarities, size_t similarity_count, const uint32_t *fans,
                                  size_t fan_count, float threshold, float temperature, float *results, char *error,
                                  size_t error_size) {
    int32_t status = check_counts(similarity_count, "similarities", fan_count, error, error_size);
    if (status == DM_OK) {
        status = check_sigmoid(threshold, temperature, error, error_size);
    }
    if (status == DM_OK) {
        const dm_sigmoid sigmoid = dm_sigmoid_make(threshold, temperature);
        dm_activation_best()->fused(similarities, fans, similarity_count, &sigmoid, results);
    }
    return status;
}
