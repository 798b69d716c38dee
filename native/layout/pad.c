/* Shifts everything that is linked behind it. See cmake/libdualmem.cmake. */
#ifndef DM_PAD_BYTES
#error "DM_PAD_BYTES says how many bytes to shift by"
#endif
#define DM_TEXT_OF(x) #x
#define DM_TEXT(x) DM_TEXT_OF(x)
#if DM_PAD_BYTES > 0
__asm__(".text\n.balign 64\n.skip " DM_TEXT(DM_PAD_BYTES) ", 0\n");
#endif
typedef int dm_pad_is_not_empty; /* ISO C wants one declaration in a translation unit */
