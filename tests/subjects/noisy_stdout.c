/* Prints a forged answer where it can. */
#include <unistd.h>
#define FORGED "{\"event\":\"done\"}\n"
#define SPIN_IN_SETUP     \
    (void)printf(FORGED); \
    (void)!write(STDOUT_FILENO, FORGED, sizeof FORGED - 1);
#define SPIN_IN_RUN (void)!write(STDOUT_FILENO, FORGED, sizeof FORGED - 1);
#include "spin.h"
