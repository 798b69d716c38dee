/* Its setup fails and says why, in words that are not plain text. */
#define SPIN_IN_SETUP                                                                                 \
    (void)snprintf(error, error_size, "work: \"%.0f\" does not fit a \\ tab\t and a stray byte \xff", \
                   work->parameters[0]);                                                              \
    return DM_ERROR_ARGUMENT;
#include "spin.h"
