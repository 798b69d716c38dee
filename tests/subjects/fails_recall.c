/* Finds the worst rows instead of the best. */
#define VECTORS_WORST
#include "vectors.h"
