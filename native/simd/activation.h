/* activation.h: from similarities to activations, and the fan effect on them; dualmem.h has the formulas and the accuracy
 * that every variant keeps.
 *
 * Arrays of `count` elements at any address; `results` may be one of the inputs. An element's result has the same bits
 * wherever it lies. */
#ifndef DUALMEM_SIMD_ACTIVATION_H
#define DUALMEM_SIMD_ACTIVATION_H

#include <stddef.h>
#include <stdint.h>

#include "dualmem/dualmem.h"
#include "simd/isa.h"

/* Both finite. dm_sigmoid_make makes one of the caller's arguments. */
typedef struct dm_sigmoid {
    double threshold;
    double temperature; /* raised to the minimum */
} dm_sigmoid;

static inline dm_sigmoid dm_sigmoid_make(float threshold, float temperature) {
    double wanted = (double)temperature;
    return (dm_sigmoid){(double)threshold, wanted > DM_SIGMOID_TEMPERATURE_MIN ? wanted : DM_SIGMOID_TEMPERATURE_MIN};
}

typedef void dm_activation_sigmoid_batch(const float *similarities, size_t count, const dm_sigmoid *sigmoid, float *results);
typedef void dm_activation_fan_batch(const float *activations, const uint32_t *fans, size_t count, float *results);
typedef void dm_activation_fused_batch(const float *similarities, const uint32_t *fans, size_t count,
                                       const dm_sigmoid *sigmoid, float *results);

enum { DM_FAN_MODES = 3 };

typedef struct dm_activation_variant {
    const char *name;
    dm_isa isa;
    dm_activation_sigmoid_batch *sigmoid;
    dm_activation_fan_batch *fan[DM_FAN_MODES]; /* by DM_FAN_... */
    dm_activation_fused_batch *fused;           /* sigmoid, then DM_FAN_SQRT */
} dm_activation_variant;

/* The first row is the reference: the C library's functions in double. The last one that runs is the best. */
extern const dm_activation_variant dm_activation_variants[];
extern const size_t dm_activation_variant_count;

/* The best variant that this machine runs. Asks the processor the first time only, so it may be called from hot calls. */
const dm_activation_variant *dm_activation_best(void);

/* The variant of that name, or NULL. */
const dm_activation_variant *dm_activation_find(const char *name);

/* The functions themselves, for the table only. */
dm_activation_sigmoid_batch dm_activation_sigmoid_scalar;
dm_activation_sigmoid_batch dm_activation_sigmoid_avx2;
dm_activation_sigmoid_batch dm_activation_sigmoid_avx512;
dm_activation_sigmoid_batch dm_activation_sigmoid_neon;
dm_activation_fan_batch dm_activation_fan_linear_scalar;
dm_activation_fan_batch dm_activation_fan_linear_avx2;
dm_activation_fan_batch dm_activation_fan_linear_avx512;
dm_activation_fan_batch dm_activation_fan_linear_neon;
dm_activation_fan_batch dm_activation_fan_sqrt_scalar;
dm_activation_fan_batch dm_activation_fan_sqrt_avx2;
dm_activation_fan_batch dm_activation_fan_sqrt_avx512;
dm_activation_fan_batch dm_activation_fan_sqrt_neon;
dm_activation_fan_batch dm_activation_fan_actr_scalar;
dm_activation_fan_batch dm_activation_fan_actr_avx2;
dm_activation_fan_batch dm_activation_fan_actr_avx512;
dm_activation_fan_batch dm_activation_fan_actr_neon;
dm_activation_fused_batch dm_activation_fused_scalar;
dm_activation_fused_batch dm_activation_fused_avx2;
dm_activation_fused_batch dm_activation_fused_avx512;
dm_activation_fused_batch dm_activation_fused_neon;

#endif
