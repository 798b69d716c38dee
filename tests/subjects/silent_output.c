/* Announces eight output values and writes three. */
#define SPIN_OUTPUT_WRITTEN 3
#include "spin.h"
