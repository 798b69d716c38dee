/* Computes something else: the checksum differs, and so does the output. */
#define SPIN_CHECKSUM_ERROR 1
#define SPIN_OUTPUT_ERROR 1.0
#include "spin.h"
