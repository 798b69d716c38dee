/* Sets a locale with decimal commas, if the machine has one. */
#include <locale.h>
#define SPIN_IN_SETUP (void)(setlocale(LC_ALL, "de_DE.UTF-8") || setlocale(LC_ALL, "fr_FR.UTF-8"));
#include "spin.h"
