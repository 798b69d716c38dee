/* Exact scans of real data. */
#include "vectors.h"
