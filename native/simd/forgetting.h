/* forgetting.h: what the vector variants of the decay family share. */
#ifndef DUALMEM_SIMD_FORGETTING_H
#define DUALMEM_SIMD_FORGETTING_H

#include "simd/decay.h"
#include "simd/exponential.h"

/* As whole numbers without a sign, the products to flush are the smallest of all, and the mark is larger than any of them. */
enum { DM_FLT_MIN_BITS = 0x00800000 };

/* exp(-amount * modulation). Error of a factor: 1.6e-7 (exponential.h) and the product of the two parts, 2^-24. Exponents end at
 * -126.5, whose power is below FLT_MIN. A rate of 0 would divide by 0 where the limits are made; this one leaves 1 of everything
 * just as well. */
static inline dm_exponential_terms dm_forgetting_terms(double amount) {
    double rate = amount > 1e-30 ? amount : 1e-30;
    return dm_exponential_terms_of(-rate * DM_LOG2_E, 0.0, -126.5, 0.0);
}

#endif
