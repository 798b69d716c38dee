#include "dm_kernel.h"
struct dm_state { uint64_t x; };
static struct dm_state only;
static int32_t setup(const dm_case *work, dm_state **state, char *error, size_t error_size) {
    (void)error; (void)error_size;
    only.x = work->seed;
    *state = &only;
    return DM_OK;
}
static uint64_t run(dm_state *s, uint64_t n) { while (n--) s->x = s->x * 6364136223846793005u + 1; return s->x; }
static void teardown(dm_state *state) { (void)state; }
static const dm_kernel step = { .size = sizeof step, .name = "step", .variant = "plain", .summary = "one step of a generator",
                                .setup = setup, .run = run, .teardown = teardown };
static const dm_kernel *const kernels[] = { &step };
static const dm_library library = { .size = sizeof library, .abi_major = DM_ABI_MAJOR, .abi_minor = DM_ABI_MINOR, .name = "mine",
                                    .version = "1", .compiler = "cc", .flags = "", .revision = "", .kernels = kernels, .kernel_count = 1 };
const dm_library *dm_library_get(void) { return &library; }
