/* crc32.h: the CRC-32 of IEEE 802.3, as zlib's crc32 gives it. */
#ifndef DUALMEM_PLAYER_CRC32_H
#define DUALMEM_PLAYER_CRC32_H

#include <stddef.h>
#include <stdint.h>

uint32_t dmp_crc32(const void *bytes, size_t size);

#endif
