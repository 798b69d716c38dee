/* compiled_library.c: the table of compiled.so: each of libdualmem's kernels of activation and decay once, its rows by the name of its
 * first one, which is the scalar one there and the compiler's here. */
#include <pthread.h>
#include <string.h>

#include "kernels/kernels.h"

enum { MOST = 16 };

static dm_kernel rows[MOST];
static const dm_kernel *table[MOST];

static dm_library library = {
    .size = sizeof(dm_library),
    .abi_major = DM_ABI_MAJOR,
    .abi_minor = DM_ABI_MINOR,
    .name = "plain loops",
    .version = "1",
    .compiler = __VERSION__,
    .flags = "-O3 -march=native -ffast-math",
    .revision = "",
    .kernels = table,
};

static void add_family(const dm_kernel *const *kernels, size_t count) {
    for (size_t i = 0; i < count && library.kernel_count < MOST; i++) {
        if (strcmp(kernels[i]->variant, "scalar") == 0) {
            dm_kernel *row = &rows[library.kernel_count];
            *row = *kernels[i];
            row->variant = "compiled";
            table[library.kernel_count++] = row;
        }
    }
}

static void fill_table(void) {
    add_family(dm_activation_kernels, dm_activation_kernel_count);
    add_family(dm_decay_kernels, dm_decay_kernel_count);
}

const dm_library *dm_library_get(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, fill_table);
    return &library;
}
