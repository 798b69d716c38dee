/* Another order of summation, say: the checksum differs, the output is within the tolerance. */
#define SPIN_CHECKSUM_ERROR 1
#define SPIN_OUTPUT_ERROR 1e-9
#include "spin.h"
