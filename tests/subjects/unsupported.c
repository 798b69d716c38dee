/* Cannot run here, or anywhere. */
#define SPIN_SUPPORTED                                                       \
    (void)snprintf(reason, reason_size, "needs a vector unit of 4096 bits"); \
    return DM_ERROR_UNSUPPORTED;
#include "spin.h"
